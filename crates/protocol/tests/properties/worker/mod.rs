//! A Workflow Worker without a network: Runs, user code, and what goes on between them and the server.

mod local_activities;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use timewright_model_server::{Server, ServerError, Time};
use timewright_proto::Bytes;
use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::{QueryResultType, TaskQueueKind, WorkflowTaskFailedCause};
use timewright_proto::failure::Failure;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::prost_types;
use timewright_proto::query::WorkflowQueryResult;
use timewright_proto::task_queue::{StickyExecutionAttributes, TaskQueue};
use timewright_proto::temporal::api::sdk::v1::WorkflowTaskCompletedMetadata;
use timewright_proto::workflow_service::respond_workflow_task_completed_request::Capabilities;
use timewright_proto::workflow_service::{
    GetWorkflowExecutionHistoryRequest, PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskFailedRequest,
};
use timewright_protocol::workflow::{
    Activation, CacheLimits, Command, Completion, CompletionReceipt, EvictionReason, HistoryPage, Job, Output,
    QueryAnswer, RunKey, Runs, TaskKind, UpdateMessage, WorkflowTask,
};

use crate::interpreter::Interpreter;
use crate::program::Program;
use local_activities::LocalActivities;

/// The worker's queue.
pub const NORMAL: &str = "normal";
/// The queue of the Runs that it has cached.
pub const STICKY: &str = "sticky";

/// A worker. User code runs as soon as there is something for it; what goes over the network waits until
/// [`work`](Self::work), so that a test can put anything in between.
pub struct Worker {
    runs: Runs,
    code: BTreeMap<String, Interpreter>,
    program: Rc<Program>,
    pub local_activities: LocalActivities,
    /// What is to go over the network, and for which Run.
    requests: VecDeque<(RunKey, Output)>,
    /// The Workflow Id of each Run Id.
    workflow_ids: BTreeMap<String, String>,
    /// Tasks that were taken, by token.
    tasks: BTreeMap<Bytes, Task>,
    /// How many tasks were taken.
    taken: usize,
    /// Tasks that were completed, as far as each Run can know: their `WorkflowTaskStarted`.
    seen: BTreeMap<String, BTreeSet<u64>>,
    /// What user code of each Run went through since the last answer that the server took.
    hearing: BTreeMap<RunKey, Vec<Heard>>,
    /// What user code went through for good: for tasks whose answer the server took.
    pub heard: BTreeMap<String, Vec<Heard>>,
    /// Tasks at whose news user code fails.
    pub failing: BTreeSet<Bytes>,
    /// Ask for the next task in the answer.
    pub wants_next: bool,
    /// When everything began.
    origin: Instant,
    /// The time, since then.
    now: Time,
    seed: u64,
    /// How many tasks were failed.
    pub failures: Vec<String>,
    /// How many tasks left nothing in the history.
    pub vanished_tasks: usize,
    /// Runs whose last task was such a one.
    vanished: BTreeSet<RunKey>,
    /// Runs that could not go on with the task behind such a one.
    pub lost_behind_vanished: usize,
}

struct Task {
    run_id: String,
    /// When it was taken, counted in tasks.
    taken: usize,
    /// `None` for a Query.
    started_event_id: Option<i64>,
    attempt: u32,
    /// How often it was taken less how often it was answered.
    open: i64,
    /// What its first page says of completed tasks: their `WorkflowTaskStarted`.
    completed: BTreeSet<u64>,
}

impl Task {
    fn is_started_by(&self, event_id: u64) -> bool {
        self.started_event_id.map(i64::unsigned_abs) == Some(event_id)
    }
}

/// An Activation and the answer to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub activation: Activation,
    pub commands: Vec<Command>,
}

impl Heard {
    /// Without what leaves nothing in the history: Updates that were rejected. A validator runs once, so that it does not
    /// matter whether it did.
    pub fn recorded(&self) -> Self {
        let mut recorded = self.clone();
        let rejected: BTreeSet<&str> = self.commands.iter().filter_map(rejected).collect();
        recorded.commands.retain(|command| self::rejected(command).is_none());
        recorded.activation.jobs.retain_mut(|job| match job {
            Job::Update(update) => {
                update.run_validator = false;
                !rejected.contains(update.protocol_instance_id.as_str())
            }
            _ => true,
        });
        recorded
    }
}

fn rejected(command: &Command) -> Option<&str> {
    match command {
        Command::RejectUpdate { protocol_instance_id, .. } => Some(protocol_instance_id),
        _ => None,
    }
}

impl Worker {
    pub fn new(program: Rc<Program>, cache: usize, seed: u64) -> Self {
        Self {
            runs: Runs::new(CacheLimits::runs(cache)),
            code: BTreeMap::new(),
            program,
            local_activities: LocalActivities::new(seed),
            requests: VecDeque::new(),
            workflow_ids: BTreeMap::new(),
            tasks: BTreeMap::new(),
            taken: 0,
            seen: BTreeMap::new(),
            hearing: BTreeMap::new(),
            heard: BTreeMap::new(),
            failing: BTreeSet::new(),
            wants_next: false,
            origin: now(),
            now: Time::ZERO,
            seed,
            failures: Vec::new(),
            vanished_tasks: 0,
            vanished: BTreeSet::new(),
            lost_behind_vanished: 0,
        }
    }

    /// Takes a task.
    pub fn take(&mut self, response: PollWorkflowTaskQueueResponse, now: Time) {
        self.now = self.now.max(now);
        let received_at = self.origin + self.now;
        let task =
            WorkflowTask::from_poll(response, received_at).expect("the model sends whole tasks").expect("a task");
        let started_event_id = match task.kind {
            TaskKind::Progress { started_event_id, .. } => Some(started_event_id),
            TaskKind::Query(_) | TaskKind::Replay => None,
        };
        let run_id = task.run_id.clone();
        self.workflow_ids.insert(run_id.clone(), task.workflow_id.clone());
        let completed = completed_tasks(&task.history.events);
        if self.open_tasks(&run_id).next().is_none() {
            self.seen.entry(run_id.clone()).or_default().extend(&completed);
        }
        let attempt = task.attempt;
        self.taken += 1;
        let new = Task { run_id, taken: self.taken, started_event_id, attempt, open: 0, completed };
        let entry = self.tasks.entry(task.task_token.clone()).or_insert(new);
        if entry.open == 0 {
            entry.taken = self.taken;
        }
        entry.open += 1;
        let run_id = task.run_id.clone();
        let behind_vanished = self.runs.key(&run_id).filter(|key| self.vanished.remove(key));
        self.runs.handle_task(task);
        self.lost_behind_vanished += usize::from(behind_vanished.is_some_and(|key| !self.is_alive(&key)));
        self.drain();
        self.assert_nothing_waits_in_vain(&run_id);
    }

    /// Drops a Run from the cache.
    pub fn evict(&mut self, run_id: &str) {
        if let Some(key) = self.runs.key(run_id) {
            self.runs.handle_eviction(&key, EvictionReason::Requested);
        }
        self.drain();
    }

    /// Whether a Run waits for Local Activities that are executed.
    pub fn has_local_activities(&self, run_id: &str) -> bool {
        self.runs.key(run_id).is_some_and(|key| self.local_activities.are_awaited(&key))
    }

    /// When something happens by itself.
    pub fn poll_timeout(&self) -> Option<Time> {
        let heartbeat = self.runs.poll_timeout().map(|due| due - self.origin);
        heartbeat.into_iter().chain(self.local_activities.poll_timeout()).min()
    }

    /// Time has passed: Local Activities are over, Workflow Tasks must be answered.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        for (key, attempt) in self.local_activities.take_finished(self.now) {
            self.runs.handle_local_activity(&key, attempt);
            self.drain();
        }
        self.runs.handle_timeout(self.origin + self.now);
        self.drain();
    }

    pub fn shut_down(&mut self) {
        self.runs.handle_shutdown();
        self.drain();
    }

    /// Does everything there is to do.
    pub fn work_all(&mut self, server: &mut Server) {
        for _ in 0..STEPS_AT_MOST {
            if !self.work(server) {
                return;
            }
        }
        panic!("the worker does not come to rest");
    }

    /// Sends the next request, and takes its answer; `false` where there is none.
    pub fn work(&mut self, server: &mut Server) -> bool {
        let Some((key, request)) = self.requests.pop_front() else { return false };
        let run_id = key.run_id().to_owned();
        // What comes for a Run that has left is ignored by it; here nothing is to be noted of it either.
        let is_alive = self.is_alive(&key);
        match request {
            Output::FetchHistory { next_page_token } => {
                let page = fetch(server, &self.workflow_ids[&run_id], &run_id, next_page_token);
                if is_alive {
                    self.seen.entry(run_id).or_default().extend(completed_tasks(&page.events));
                }
                self.runs.handle_history(&key, page);
            }
            Output::CompleteTask(completion) => {
                let next = self.complete(&key, is_alive, completion, server);
                self.drain();
                if let Some(task) = next {
                    self.take(task, server.now());
                }
            }
            Output::FailTask(failure) => {
                let attempt = self.tasks[&failure.task_token].attempt;
                assert_eq!(attempt, 1, "a task that fails again and again is reported once");
                let text = format!("{:?}: {}", failure.cause, failure.failure.message);
                let request = RespondWorkflowTaskFailedRequest {
                    task_token: failure.task_token,
                    cause: failure.cause.into(),
                    failure: Some(failure.failure),
                    identity: IDENTITY.into(),
                    ..RespondWorkflowTaskFailedRequest::default()
                };
                match server.handle_workflow_task_failed(request) {
                    Ok(()) => self.failures.push(text),
                    // The task is gone, so that nothing is wrong with how it was executed.
                    Err(ServerError::NotFound(_)) => (),
                    Err(error) => panic!("the server refused an answer: {error}"),
                }
            }
            Output::RespondQuery { task_token, answer } => {
                let (completed_type, query_result, error_message) = query_result(answer);
                let request = RespondQueryTaskCompletedRequest {
                    task_token,
                    completed_type: completed_type.into(),
                    query_result,
                    error_message,
                    ..RespondQueryTaskCompletedRequest::default()
                };
                allow_not_found(server.handle_query_task_completed(request));
                self.runs.handle_completed(&key, CompletionReceipt::default());
            }
            other => panic!("this does not go over the network: {other:?}"),
        }
        self.drain();
        true
    }

    /// Every task that was taken has been answered exactly once.
    pub fn assert_all_answered(&self) {
        let unbalanced: Vec<_> =
            self.tasks.iter().filter(|(_, task)| task.open != 0).map(|(token, task)| (token, task.open)).collect();
        assert!(unbalanced.is_empty(), "tasks taken less tasks answered: {unbalanced:?}");
    }

    /// Does what the Runs say, as far as it needs no network.
    fn drain(&mut self) {
        while let Some((key, output)) = self.runs.poll_output() {
            let run_id = key.run_id().to_owned();
            match output {
                Output::Activate(activation) => self.activate(&key, activation),
                Output::AbandonTask { task_token, .. } => self.answered(&task_token),
                Output::StartLocalActivity(start) => self.local_activities.start(&key, &start, self.now),
                Output::CancelLocalActivity { sequence } => self.local_activities.cancel(&key, sequence, self.now),
                Output::Evict { .. } => {
                    self.local_activities.handle_eviction(&key);
                    drop(self.code.remove(&run_id));
                    // What its answer on the way tells is lived, if the server takes it.
                    let is_answering =
                        |(of, request): &(RunKey, Output)| *of == key && matches!(request, Output::CompleteTask(_));
                    if !self.requests.iter().any(is_answering) {
                        self.hearing.remove(&key);
                    }
                    self.seen.remove(&run_id);
                    self.see_open_tasks(&run_id);
                }
                request => {
                    match &request {
                        Output::CompleteTask(completion) => self.answered(&completion.task_token),
                        Output::FailTask(failure) => self.answered(&failure.task_token),
                        Output::RespondQuery { task_token, .. } => self.answered(task_token),
                        _ => (),
                    }
                    if matches!(request, Output::CompleteTask(_) | Output::RespondQuery { .. }) {
                        self.see_open_tasks(&run_id);
                    }
                    self.requests.push_back((key, request));
                }
            }
        }
    }

    fn open_tasks(&self, run_id: &str) -> impl Iterator<Item = (&Bytes, &Task)> {
        self.tasks.iter().filter(move |(_, task)| task.run_id == run_id && task.open > 0)
    }

    fn is_alive(&self, key: &RunKey) -> bool {
        self.runs.key(key.run_id()).as_ref() == Some(key)
    }

    /// What waits for nothing but Local Activities is the newest task, not one that the server has given up.
    fn assert_nothing_waits_in_vain(&self, run_id: &str) {
        if self.requests.iter().any(|(key, _)| key.run_id() == run_id && self.is_alive(key)) {
            return;
        }
        let progress = self.open_tasks(run_id).filter(|(_, task)| task.started_event_id.is_some());
        let mut tasks: Vec<&Task> = progress.map(|(_, task)| task).collect();
        tasks.sort_by_key(|task| task.taken);
        let Some((first, waiting)) = tasks.split_first() else { return };
        let number = |task: &Task| (task.started_event_id, task.attempt);
        let is_newest = waiting.iter().all(|task| number(task) < number(first));
        assert!(is_newest, "a newer task waits for the Local Activities of a stale one");
    }

    /// The Run gets on with a task that waited.
    fn see_open_tasks(&mut self, run_id: &str) {
        let seen: Vec<u64> = self.open_tasks(run_id).flat_map(|(_, task)| &task.completed).copied().collect();
        self.seen.entry(run_id.to_owned()).or_default().extend(seen);
    }

    fn activate(&mut self, key: &RunKey, activation: Activation) {
        let run_id = key.run_id();
        if let Some(Job::Initialize(initialize)) = activation.jobs.first() {
            let program = self.program.of_type(&initialize.workflow_type);
            let new = Interpreter::new(Rc::new(program), self.seed);
            let is_new = self.code.insert(run_id.to_owned(), new).is_none();
            assert!(is_new, "run {run_id} was initialized although it was there");
        }
        let is_query_job = matches!(activation.jobs.as_slice(), [Job::Query(_)]);
        let was_completed = self.seen.get(run_id).is_some_and(|seen| seen.contains(&activation.history_length));
        let may_be_replaying = is_query_job
            || was_completed
            // On the way to the answer of a Query, everything is a replay.
            || self.open_tasks(run_id).any(|(_, task)| task.started_event_id.is_none());
        let may_be_new = !is_query_job
            && (!was_completed
                // A stale task cannot know that it was answered.
                || self.open_tasks(run_id).any(|(_, task)| task.is_started_by(activation.history_length)));
        let is_right = if activation.replaying { may_be_replaying } else { may_be_new };
        assert!(is_right, "the flag `replaying` of {}", activation_text(&activation));
        let fails = self
            .open_tasks(run_id)
            .any(|(token, task)| self.failing.contains(token) && task.is_started_by(activation.history_length));
        let code = self.code.get_mut(run_id).expect("an Activation for a Run that was initialized");
        if fails && !activation.replaying && !is_query_job {
            let failure = Failure { message: "user code panicked".into(), ..Failure::default() };
            let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
            self.runs.handle_failure(key, cause, failure);
            return;
        }
        let commands = code.activate(&activation);
        self.local_activities.note(key, &activation, &commands);
        if !activation.replaying {
            let heard = Heard { activation, commands: commands.clone() };
            self.hearing.entry(key.clone()).or_default().push(heard);
        }
        self.runs.handle_commands(key, commands);
    }

    /// Returns the next task, if it came with the server's answer.
    fn complete(
        &mut self,
        key: &RunKey,
        is_alive: bool,
        completion: Completion,
        server: &mut Server,
    ) -> Option<PollWorkflowTaskQueueResponse> {
        let run_id = key.run_id();
        let results = completion.query_answers.into_iter().map(|(id, answer)| {
            let (result_type, answer, error_message) = query_result(answer);
            let result =
                WorkflowQueryResult { result_type: result_type.into(), answer, error_message, ..Default::default() };
            (id, result)
        });
        let request = RespondWorkflowTaskCompletedRequest {
            task_token: completion.task_token,
            commands: completion.commands,
            identity: IDENTITY.into(),
            sticky_attributes: Some(StickyExecutionAttributes {
                worker_task_queue: Some(queue(STICKY)),
                schedule_to_start_timeout: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
            }),
            return_new_workflow_task: self.wants_next,
            force_create_new_workflow_task: completion.force_new_task,
            messages: completion.messages.into_iter().map(UpdateMessage::into_message).collect(),
            capabilities: Some(Capabilities { discard_speculative_workflow_task_with_events: self.seed & 1 == 1 }),
            query_results: results.collect(),
            sdk_metadata: completion.sdk.map(|sdk| WorkflowTaskCompletedMetadata {
                sdk_name: sdk.name,
                sdk_version: sdk.version,
                core_used_flags: sdk.core_used_flags,
                ..WorkflowTaskCompletedMetadata::default()
            }),
            ..RespondWorkflowTaskCompletedRequest::default()
        };
        match server.handle_workflow_task_completed(request) {
            Ok(response) => {
                let receipt = CompletionReceipt::from(&response);
                let heard = self.hearing.remove(key);
                if is_alive || heard.is_some() {
                    let heard = heard.unwrap_or_default();
                    match receipt.reset_history_event_id {
                        None => self.heard.entry(run_id.to_owned()).or_default().extend(heard),
                        Some(_) => {
                            let is_without_trace =
                                heard.iter().all(|heard| heard.recorded().activation.jobs.is_empty());
                            assert!(is_without_trace, "more than rejected Updates has vanished: {heard:#?}");
                            self.vanished_tasks += 1;
                            self.vanished.insert(key.clone());
                        }
                    }
                }
                self.runs.handle_completed(key, receipt);
                return response.workflow_task;
            }
            Err(ServerError::NotFound(_)) => (),
            // Something happened meanwhile; anything else would mean that a Command was not well-formed.
            Err(ServerError::InvalidArgument(message)) if message == "UnhandledCommand" => (),
            Err(error) => panic!("the server refused an answer: {error}"),
        }
        self.hearing.remove(key);
        self.runs.handle_eviction(key, EvictionReason::CompletionNotTaken);
        None
    }

    fn answered(&mut self, task_token: &Bytes) {
        self.tasks.get_mut(task_token).expect("an answer to a task that was taken").open -= 1;
    }
}

/// A page, as the server answers for it.
fn fetch(server: &mut Server, workflow_id: &str, run_id: &str, next_page_token: Bytes) -> HistoryPage {
    let execution = WorkflowExecution { workflow_id: workflow_id.into(), run_id: run_id.into() };
    let page = server
        .history_page(&GetWorkflowExecutionHistoryRequest {
            execution: Some(execution),
            next_page_token,
            ..GetWorkflowExecutionHistoryRequest::default()
        })
        .expect("the history of a run that has a task");
    HistoryPage { events: page.history.unwrap_or_default().events, next_page_token: page.next_page_token }
}

/// The tasks that these Events say were completed: their `WorkflowTaskStarted`.
fn completed_tasks(events: &[HistoryEvent]) -> BTreeSet<u64> {
    let completed = events.iter().filter_map(|event| match event.attributes.as_ref()? {
        Attributes::WorkflowTaskCompletedEventAttributes(completed) => Some(completed.started_event_id.unsigned_abs()),
        _ => None,
    });
    completed.collect()
}

/// An Activation in a line.
pub fn activation_text(activation: &Activation) -> String {
    let jobs = activation.jobs.iter().map(|job| match job {
        Job::Initialize(_) => "initialize".to_owned(),
        Job::Signal { name, .. } => format!("signal {name}"),
        Job::RequestCancellation { .. } => "cancel".to_owned(),
        Job::FireTimer { sequence } => format!("timer {sequence}"),
        Job::ResolveActivity { sequence, resolution } => {
            let resolution = format!("{resolution:?}");
            format!("activity {sequence} {}", resolution.split('(').next().unwrap_or_default())
        }
        Job::Update(update) => format!("update {}", update.id),
        Job::Query(query) => format!("query {}", query.name),
        other => format!("{other:?}"),
    });
    let jobs: Vec<String> = jobs.collect();
    format!("{}, replaying: {}: {}", activation.history_length, activation.replaying, jobs.join(", "))
}

fn query_result(answer: QueryAnswer) -> (QueryResultType, Option<timewright_proto::common::Payloads>, String) {
    match answer {
        QueryAnswer::Succeeded(payload) => {
            let payloads = payload.into_iter().collect();
            (QueryResultType::Answered, Some(timewright_proto::common::Payloads { payloads }), String::new())
        }
        QueryAnswer::Failed(failure) => (QueryResultType::Failed, None, failure.message),
    }
}

/// A task may be gone by the time of its answer.
fn allow_not_found(answer: Result<(), ServerError>) {
    match answer {
        Ok(()) | Err(ServerError::NotFound(_)) => (),
        Err(error) => panic!("the server refused an answer: {error}"),
    }
}

pub fn queue(name: &str) -> TaskQueue {
    match name {
        STICKY => TaskQueue { name: name.into(), kind: TaskQueueKind::Sticky.into(), normal_name: NORMAL.into() },
        _ => TaskQueue { name: name.into(), kind: TaskQueueKind::Normal.into(), normal_name: String::new() },
    }
}

const IDENTITY: &str = "worker";
const STEPS_AT_MOST: usize = 100_000;

/// Any moment will do: it is only compared with others.
#[allow(clippy::disallowed_methods, reason = "whoever drives the protocol brings the time")]
pub fn now() -> Instant {
    Instant::now()
}
