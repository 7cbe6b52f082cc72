//! A server, its clients, a Workflow Worker and an Activity Worker, and a schedule of what happens.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use timewright_model_server::{
    ActivityWorker, NexusWorker, Pages, QueryId, Server, ServerError, ServerOptions, Time, UpdateCallId,
};
use timewright_proto::Bytes;
use timewright_proto::common::{WorkflowExecution, WorkflowType};
use timewright_proto::enums::EventType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::query::WorkflowQuery;
use timewright_proto::temporal::api::nexus::v1::{EndpointSpec, EndpointTarget, endpoint_target};
use timewright_proto::temporal::api::operatorservice::v1::CreateNexusEndpointRequest;
use timewright_proto::temporal::api::update;
use timewright_proto::workflow_service::{
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse, QueryWorkflowRequest,
    RequestCancelWorkflowExecutionRequest, ResetWorkflowExecutionRequest, SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest, TerminateWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
};

use crate::interpreter::{ACTIVITIES, NEXUS, search_attribute};
use crate::program::{Program, SIGNALS, UPDATES};
use crate::worker::{NORMAL, STICKY, Worker, queue};

pub const WORKFLOW_ID: &str = "w";

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// A client sends a signal.
    Signal(usize),
    /// A client asks the workflow to cancel itself.
    Cancel,
    /// A client asks something.
    Query,
    /// A client sends an Update.
    Update(usize),
    /// A client sends an Update after the worker polled and before it does what it got.
    UpdateMeanwhile(usize),
    /// Somebody resets the workflow to its so manieth Workflow Task; with more than there are, to one of them.
    Reset(usize),
    /// The server forgets what it has not recorded.
    ForgetMemory,
    /// A client ends the workflow.
    Terminate,
    /// Time passes until something happens by itself.
    Advance,
    /// The worker polls, and does what it gets to the end.
    Work,
    /// A client sends a signal after the worker polled and before it does what it got.
    SignalMeanwhile(usize),
    /// Time passes meanwhile.
    AdvanceMeanwhile,
    /// The worker gets a Query and, before it answers, a Workflow Task of the same Run.
    QueryMeanwhile(usize),
    /// The worker polls, and does not get on with it.
    Hold,
    /// The worker gets on with the first of what it holds.
    Resume,
    /// So much time passes that every task that is held has timed out.
    Stall,
    /// User code fails at the news of the next task.
    Fail,
    /// The worker starts anew: it has forgotten everything.
    Crash,
    /// Somebody ends the Child Workflow that began last.
    TerminateChild,
    /// The worker takes a task, and does not send anything yet.
    Take,
    /// The worker sends one request.
    Step,
    /// The task that came last comes once more.
    Again,
    /// The worker drops the Run whose task came last.
    Evict,
}

/// What is different between worlds that should come to the same.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Decides what is left to chance.
    pub seed: u64,
    /// Where histories are split.
    pub pages: Pages,
    /// How many Runs the worker keeps.
    pub cache: usize,
    /// At which tasks the Run is dropped first: bit by bit, over and over.
    pub evictions: u64,
    /// Whether the worker asks for the next task in its answer.
    pub wants_next: bool,
    /// The worker does not get tasks that come too late.
    pub drops_stale_tasks: bool,
    /// Whether the worker sends something only when the schedule says so.
    pub overlaps: bool,
}

impl Conditions {
    /// Nothing is ever dropped or split.
    pub fn undisturbed(seed: u64) -> Self {
        Self {
            seed,
            pages: Pages::Whole,
            cache: 100,
            evictions: 0,
            wants_next: false,
            drops_stale_tasks: false,
            overlaps: false,
        }
    }
}

pub struct World {
    pub server: Server,
    pub worker: Worker,
    program: Rc<Program>,
    activities: ActivityWorker,
    nexus: NexusWorker,
    conditions: Conditions,
    held: VecDeque<PollWorkflowTaskQueueResponse>,
    /// The task that came last.
    last: Option<PollWorkflowTaskQueueResponse>,
    queries: Vec<QueryId>,
    updates: Vec<UpdateCallId>,
    update_ids: u32,
    /// When each task was handed out.
    polled: BTreeMap<Bytes, Time>,
    tasks: u32,
    fail_next: bool,
    /// Those that a worker has heard of.
    executions: Vec<WorkflowExecution>,
}

impl World {
    /// A workflow that was just started.
    pub fn new(program: &Program, conditions: Conditions) -> Self {
        let mut options = ServerOptions { seed: conditions.seed, pages: conditions.pages, ..ServerOptions::default() };
        options.search_attributes.extend([0, 1].map(|name| (search_attribute(name), "Keyword".to_owned())));
        let mut server = Server::new(options);
        let started = server
            .start_workflow(StartWorkflowExecutionRequest {
                workflow_id: WORKFLOW_ID.into(),
                workflow_type: Some(WorkflowType { name: "program".into() }),
                task_queue: Some(queue(NORMAL)),
                ..StartWorkflowExecutionRequest::default()
            })
            .expect("a first workflow can be started");
        create_endpoint(&mut server);
        let program = Rc::new(program.clone());
        let mut worker = Worker::new(program.clone(), conditions.cache, conditions.seed);
        worker.wants_next = conditions.wants_next;
        Self {
            server,
            worker,
            program,
            activities: ActivityWorker::new(conditions.seed, ACTIVITIES),
            nexus: NexusWorker::new(conditions.seed, NEXUS),
            conditions,
            held: VecDeque::new(),
            last: None,
            queries: Vec::new(),
            updates: Vec::new(),
            update_ids: 0,
            polled: BTreeMap::new(),
            tasks: 0,
            fail_next: false,
            executions: vec![WorkflowExecution { workflow_id: WORKFLOW_ID.into(), run_id: started.run_id }],
        }
    }

    /// Everything happens as the schedule says, and then as it comes until nothing happens any more.
    pub fn live(program: &Program, conditions: Conditions, schedule: &[Action]) -> Self {
        let mut world = Self::new(program, conditions);
        for action in schedule {
            world.act(*action);
        }
        world.finish();
        world
    }

    pub fn act(&mut self, action: Action) {
        match action {
            Action::Signal(signal) => self.signal(signal),
            Action::Cancel => self.cancel(),
            Action::Query => self.query(),
            Action::Update(update) => self.update(update),
            Action::UpdateMeanwhile(update) => {
                let task = self.poll();
                self.update(update);
                task.into_iter().for_each(|task| self.take(task));
            }
            Action::Reset(task) => self.reset(task),
            Action::ForgetMemory => self.server.handle_memory_lost(WORKFLOW_ID),
            Action::Terminate => self.terminate(),
            Action::Advance => {
                self.advance();
                if !self.conditions.overlaps {
                    self.worker.work_all(&mut self.server);
                }
            }
            Action::Work => drop(self.poll_and_work()),
            Action::SignalMeanwhile(signal) => {
                let task = self.poll();
                self.signal(signal);
                task.into_iter().for_each(|task| self.take(task));
            }
            Action::AdvanceMeanwhile => {
                let task = self.poll();
                self.act(Action::Advance);
                task.into_iter().for_each(|task| self.take(task));
            }
            Action::QueryMeanwhile(signal) => {
                self.query();
                let query = self.poll();
                self.signal(signal);
                let task = self.poll();
                query.into_iter().chain(task).for_each(|task| self.take(task));
            }
            Action::Hold => self.hold(),
            Action::Resume => {
                if let Some(task) = self.held.pop_front() {
                    self.take(task);
                }
            }
            Action::Stall => self.stall(),
            Action::Fail => self.fail_next = true,
            Action::Crash => self.crash(),
            Action::TerminateChild => {
                let last = self.executions.iter().rfind(|execution| {
                    execution.workflow_id != WORKFLOW_ID && self.server.is_running(&execution.workflow_id)
                });
                let workflow_execution = last.cloned();
                let request = TerminateWorkflowExecutionRequest { workflow_execution, ..Default::default() };
                self.server.terminate(request).ok();
            }
            Action::Take => {
                if let Some(task) = self.poll() {
                    self.worker.take(task, self.server.now());
                }
            }
            Action::Step => drop(self.worker.work(&mut self.server)),
            Action::Again => {
                if let Some(task) = self.last.clone() {
                    self.worker.take(task, self.server.now());
                }
            }
            Action::Evict => {
                if let Some(execution) = self.last.as_ref().and_then(|task| task.workflow_execution.as_ref()) {
                    self.worker.evict(&execution.run_id);
                }
            }
        }
    }

    /// Nobody does anything any more but the workers.
    pub fn finish(&mut self) {
        for _ in 0..ROUNDS_AT_MOST {
            self.worker.work_all(&mut self.server);
            while let Some(task) = self.held.pop_front() {
                self.take(task);
            }
            let worked = self.poll_and_work();
            self.work_elsewhere();
            if !worked && !self.advance() {
                self.assert_nothing_is_unheard();
                return;
            }
        }
        panic!("the workflow does not come to rest");
    }

    /// Nothing happens any more: no workflow that goes on has an outcome of a Local Activity that it will never hear of.
    fn assert_nothing_is_unheard(&self) {
        for WorkflowExecution { workflow_id, run_id } in &self.executions {
            let latest = self.executions.iter().rfind(|other| other.workflow_id == *workflow_id);
            let goes_on = self.server.is_running(workflow_id) && latest.is_some_and(|latest| latest.run_id == *run_id);
            let is_unheard = goes_on && self.worker.has_local_activities(run_id);
            assert!(!is_unheard, "run {run_id} will never hear of its Local Activities");
        }
    }

    /// The worker starts anew with another program.
    pub fn change_program(&mut self, program: &Program) {
        self.program = Rc::new(program.clone());
        self.crash();
    }

    /// How many Queries the worker answered. They may stay unanswered where the workflow was terminated, but the worker has
    /// no reason to answer with an error.
    pub fn answered_queries(&self) -> usize {
        let answers = self.queries.iter().filter_map(|query| self.server.query_answer(*query));
        let of_worker = answers.filter(|answer| !matches!(answer, Err(ServerError::FailedPrecondition(_))));
        of_worker.inspect(|answer| assert!(answer.is_ok(), "these programs can answer: {answer:?}")).count()
    }

    /// What became of the Updates, as their senders see it.
    pub fn update_answers(&self) -> Vec<String> {
        let answers = self.updates.iter().map(|update| self.server.update_answer(*update));
        answers
            .map(|answer| match answer {
                None => "none".to_owned(),
                Some(Ok(answer)) => {
                    let outcome = format!("{:?}", answer.outcome);
                    assert!(!outcome.contains("UnprocessedUpdate"), "the worker did not answer an Update: {outcome}");
                    outcome
                }
                Some(Err(error)) => error.to_string(),
            })
            .collect()
    }

    /// How many Workflow Tasks were completed.
    pub fn completed(&self) -> usize {
        let events = self.histories().into_iter().flat_map(|(_, history)| history);
        events.filter(|event| event.event_type() == EventType::WorkflowTaskCompleted).count()
    }

    /// The histories of all runs, in the order in which a worker heard of them.
    pub fn histories(&self) -> Vec<(String, Vec<HistoryEvent>)> {
        let history = |execution: &WorkflowExecution| {
            let WorkflowExecution { workflow_id, run_id } = execution;
            let history = self.server.history(workflow_id, Some(run_id)).expect("a run that was started");
            (run_id.clone(), history.to_vec())
        };
        self.executions.iter().map(history).collect()
    }

    /// A task, if there is one.
    pub fn poll(&mut self) -> Option<PollWorkflowTaskQueueResponse> {
        let mut poll = |name| {
            let task_queue = Some(queue(name));
            let identity = "worker".to_owned();
            let request = PollWorkflowTaskQueueRequest { task_queue, identity, ..Default::default() };
            self.server.poll_workflow_task(&request)
        };
        let task = poll(STICKY).or_else(|| poll(NORMAL))?;
        if task.query.is_none() && std::mem::take(&mut self.fail_next) {
            self.worker.failing.insert(task.task_token.clone());
        }
        self.polled.insert(task.task_token.clone(), self.server.now());
        let execution = task.workflow_execution.clone().unwrap_or_default();
        if !self.executions.contains(&execution) {
            self.executions.push(execution);
        }
        self.last = Some(task.clone());
        Some(task)
    }

    /// Hands a task to the worker, which may have to forget the Run first, and does what there is to do.
    pub fn take(&mut self, task: PollWorkflowTaskQueueResponse) {
        let execution = task.workflow_execution.clone().unwrap_or_default();
        let run_id = execution.run_id;
        let is_stale = self.is_stale(&task);
        if self.conditions.drops_stale_tasks && is_stale {
            return;
        }
        if self.conditions.evictions.rotate_right(self.tasks) & 1 == 1 {
            // Local Activities that are executed would be executed anew, which the history shows.
            if !self.worker.has_local_activities(&run_id) {
                self.worker.evict(&run_id);
            }
        }
        self.tasks += 1;
        let lost = self.worker.lost_behind_vanished;
        self.worker.take(task, self.server.now());
        // Nobody else executes this workflow.
        let goes_on = is_stale || self.worker.lost_behind_vanished == lost;
        assert!(goes_on, "run {run_id} is not where it was before the task that vanished");
        self.worker.work_all(&mut self.server);
    }

    /// Whether the task is surely not expected to be answered any more.
    fn is_stale(&self, task: &PollWorkflowTaskQueueResponse) -> bool {
        let execution = task.workflow_execution.clone().unwrap_or_default();
        let history = self.server.history(&execution.workflow_id, Some(&execution.run_id)).unwrap_or_default();
        let has_timed_out = self.polled.get(&task.task_token).is_some_and(|at| self.server.now() >= *at + TASK_TIMEOUT);
        task.query.is_none() && (has_timed_out || history.len() as i64 > task.started_event_id)
    }

    /// Until something happens by itself; `false` where nothing will.
    pub fn advance(&mut self) -> bool {
        let Some(next) = self.next_moment().into_iter().chain(self.worker.poll_timeout()).min() else { return false };
        self.pass_time(next);
        self.worker.handle_timeout(self.server.now());
        true
    }

    /// When something happens that is not up to the Workflow Worker.
    fn next_moment(&self) -> Option<Time> {
        let others = [self.server.poll_timeout(), self.activities.poll_timeout(), self.nexus.poll_timeout()];
        others.into_iter().flatten().min()
    }

    fn pass_time(&mut self, next: Time) {
        self.server.handle_timeout(next.max(self.server.now()));
        self.work_elsewhere();
    }

    fn work_elsewhere(&mut self) {
        self.activities.handle_timeout(&mut self.server);
        self.nexus.handle_timeout(&mut self.server);
    }

    /// The Workflow Worker does nothing for so long that its tasks time out.
    fn stall(&mut self) {
        let end = self.server.now() + Duration::from_secs(11);
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.pass_time(next);
        }
        self.server.handle_timeout(end);
        self.worker.handle_timeout(self.server.now());
        if !self.conditions.overlaps {
            self.worker.work_all(&mut self.server);
        }
    }

    pub fn crash(&mut self) {
        self.worker.wants_next = false;
        self.worker.shut_down();
        self.worker.work_all(&mut self.server);
        self.worker.assert_all_answered();
        let new = Worker::new(self.program.clone(), self.conditions.cache, self.conditions.seed);
        let old = std::mem::replace(&mut self.worker, new);
        self.worker.local_activities.seen = old.local_activities.seen;
        self.worker.heard = old.heard;
        self.worker.failing = old.failing;
        self.worker.failures = old.failures;
        self.worker.vanished_tasks = old.vanished_tasks;
        self.worker.wants_next = self.conditions.wants_next;
    }

    fn poll_and_work(&mut self) -> bool {
        let Some(task) = self.poll() else { return false };
        self.take(task);
        true
    }

    fn hold(&mut self) {
        let task = self.poll();
        self.held.extend(task);
    }

    fn execution(&self) -> Option<WorkflowExecution> {
        Some(WorkflowExecution { workflow_id: WORKFLOW_ID.into(), run_id: String::new() })
    }

    // What clients ask may come too late, which is no concern of theirs.

    fn signal(&mut self, signal: usize) {
        let workflow_execution = self.execution();
        let signal_name = signal.to_string();
        let request = SignalWorkflowExecutionRequest { workflow_execution, signal_name, ..Default::default() };
        self.server.signal(request).ok();
    }

    fn cancel(&mut self) {
        let workflow_execution = self.execution();
        let request = RequestCancelWorkflowExecutionRequest { workflow_execution, ..Default::default() };
        self.server.request_cancel(request).ok();
    }

    fn query(&mut self) {
        let execution = self.execution();
        let query = Some(WorkflowQuery { query_type: "digest".into(), ..WorkflowQuery::default() });
        self.queries.extend(self.server.query(QueryWorkflowRequest { execution, query, ..Default::default() }));
    }

    fn update(&mut self, update: usize) {
        let workflow_execution = self.execution();
        let request = Some(self.update_request(update));
        let request = UpdateWorkflowExecutionRequest { workflow_execution, request, ..Default::default() };
        self.updates.extend(self.server.update(request));
    }

    fn update_request(&mut self, update: usize) -> update::v1::Request {
        self.update_ids += 1;
        let meta = update::v1::Meta { update_id: format!("update-{}", self.update_ids), identity: "client".into() };
        let input = update::v1::Input { name: update.to_string(), ..Default::default() };
        update::v1::Request { meta: Some(meta), input: Some(input), ..Default::default() }
    }

    fn reset(&mut self, task: usize) {
        let history = self.server.history(WORKFLOW_ID, None).unwrap_or_default();
        let completed: Vec<i64> = history
            .iter()
            .filter(|event| event.event_type() == EventType::WorkflowTaskCompleted)
            .map(|event| event.event_id)
            .collect();
        let Some(event_id) = completed.get(task % completed.len().max(1)) else { return };
        let request = ResetWorkflowExecutionRequest {
            workflow_execution: Some(WorkflowExecution { workflow_id: WORKFLOW_ID.into(), run_id: String::new() }),
            workflow_task_finish_event_id: *event_id,
            ..ResetWorkflowExecutionRequest::default()
        };
        self.server.reset(request).ok();
    }

    fn terminate(&mut self) {
        let workflow_execution = self.execution();
        let request = TerminateWorkflowExecutionRequest { workflow_execution, ..Default::default() };
        self.server.terminate(request).ok();
    }
}

fn create_endpoint(server: &mut Server) {
    let worker = endpoint_target::Worker { namespace: "default".into(), task_queue: NEXUS.into() };
    let target = Some(EndpointTarget { variant: Some(endpoint_target::Variant::Worker(worker)) });
    let spec = Some(EndpointSpec { name: NEXUS.into(), target, ..EndpointSpec::default() });
    let request = CreateNexusEndpointRequest { spec };
    server.create_nexus_endpoint(request).expect("an endpoint can be created");
}

/// What may happen where the worker does one thing after the other.
pub fn schedule() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        6 => clients(),
        8 => Just(Action::Advance),
        10 => Just(Action::Work),
        4 => (0..SIGNALS).prop_map(Action::SignalMeanwhile),
        3 => (0..UPDATES).prop_map(Action::UpdateMeanwhile),
        4 => Just(Action::AdvanceMeanwhile),
        2 => (0..SIGNALS).prop_map(Action::QueryMeanwhile),
        3 => Just(Action::Hold),
        3 => Just(Action::Resume),
        1 => Just(Action::Stall),
        1 => Just(Action::Fail),
        1 => Just(Action::Crash),
    ];
    vec(action, 0..30)
}

/// What may happen where everything overlaps.
pub fn overlapping_schedule() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        6 => clients(),
        4 => Just(Action::Advance),
        2 => Just(Action::Work),
        8 => Just(Action::Take),
        12 => Just(Action::Step),
        2 => Just(Action::Again),
        2 => Just(Action::Evict),
        2 => Just(Action::Stall),
        1 => Just(Action::Fail),
        1 => Just(Action::Crash),
    ];
    vec(action, 0..60)
}

fn clients() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0..SIGNALS).prop_map(Action::Signal),
        7 => (0..UPDATES).prop_map(Action::Update),
        1 => (0..5_usize).prop_map(Action::Reset),
        1 => Just(Action::ForgetMemory),
        2 => Just(Action::Cancel),
        4 => Just(Action::Query),
        1 => Just(Action::Terminate),
        6 => Just(Action::TerminateChild),
    ]
}

/// A workflow task that fails over and over is tried again for ever; programs end long before.
const ROUNDS_AT_MOST: usize = 10_000;
const TASK_TIMEOUT: Duration = Duration::from_secs(10);
