//! The server: its clock, its runs, and what is between them. The calls of clients and workers are in the files beside
//! this one.

mod activity_tasks;
mod client_calls;
mod nexus_tasks;
mod operator_calls;
mod queries;
mod transfers;
mod updates;
mod workflow_tasks;

pub use updates::UpdateCallId;

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::SuggestContinueAsNewReason;
use timewright_proto::history::HistoryEvent;

use crate::error::ServerError;
use crate::execution::{Context, Deadline, Effect, Execution};
use crate::nexus::NexusRequests;
use crate::pages::{Deliveries, Pages};
use crate::query::Queries;
use crate::queues::{ActivityEntry, TaskQueues};
use crate::random::Random;
use crate::time::Time;
use crate::transfer::Transfers;
use updates::UpdateCalls;

/// The server's half of the Workflow Task protocol: one namespace with any number of Workflow Executions.
///
/// Requests and answers are those of the real server's `WorkflowService`. Time stands still but for
/// [`handle_timeout`](Self::handle_timeout); [`poll_timeout`](Self::poll_timeout) says when it should be called next. A poll
/// that finds nothing returns `None`, where the real server would wait. What one workflow has for another (a start as a child,
/// a signal, its end) is on its way until [`handle_timeout`](Self::handle_timeout) too, even where that takes no time.
///
/// The same calls on a server of the same options give the same answers. What the real server leaves to chance (ids, the
/// order of tasks in a queue, where histories are split into pages) is chosen by [`ServerOptions::seed`] and
/// [`ServerOptions::pages`].
///
/// ```
/// use timewright_model_server::{Server, ServerOptions, history_lines};
/// use timewright_proto::common::WorkflowType;
/// use timewright_proto::task_queue::TaskQueue;
/// use timewright_proto::workflow_service::{PollWorkflowTaskQueueRequest, StartWorkflowExecutionRequest};
///
/// let queue = Some(TaskQueue { name: "queue".into(), ..TaskQueue::default() });
/// let mut server = Server::new(ServerOptions::default());
/// server.start_workflow(StartWorkflowExecutionRequest {
///     workflow_id: "greeting".into(),
///     workflow_type: Some(WorkflowType { name: "Greeting".into() }),
///     task_queue: queue.clone(),
///     ..StartWorkflowExecutionRequest::default()
/// })?;
/// let poll = PollWorkflowTaskQueueRequest { task_queue: queue, ..PollWorkflowTaskQueueRequest::default() };
/// let task = server.poll_workflow_task(&poll).expect("a started workflow has a task");
/// assert_eq!(task.started_event_id, 3);
///
/// let history = server.history("greeting", None).expect("the workflow was started");
/// assert_eq!(history_lines(history)[2], "3 WorkflowTaskStarted scheduled=2");
/// # Ok::<(), timewright_model_server::ServerError>(())
/// ```
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    now: Time,
    /// By Run Id.
    runs: BTreeMap<String, Execution>,
    /// The latest run of each workflow: Workflow Id to Run Id.
    current: BTreeMap<String, String>,
    queues: TaskQueues,
    nexus: NexusRequests,
    queries: Queries,
    update_calls: UpdateCalls,
    deliveries: Deliveries,
    transfers: Transfers,
    /// Ids.
    random: Random,
    /// The order of what waits in a queue.
    order: Random,
}

/// How a [`Server`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The namespace's name.
    pub namespace: String,
    /// Decides what the real server leaves to chance.
    pub seed: u64,
    /// Where histories are split into pages.
    pub pages: Pages,
    /// The registered search attributes and their types, as the history names them, such as `Keyword`.
    pub search_attributes: BTreeMap<String, String>,
    /// From how many Events on the server suggests to continue as new.
    pub suggest_continue_as_new_events: i64,
    /// How long a worker can prolong a Workflow Task without progress, as it does for Local Activities.
    pub workflow_task_heartbeat_timeout: Duration,
    /// Whether completions of Workflow Tasks may come in pages, which a real server does not allow by default.
    pub workflow_task_completion_pages: bool,
    /// How long it takes at most until a workflow hears of another. The seed decides how long each time. Zero keeps the order
    /// in which things were sent.
    pub longest_transfer: Duration,
}

impl Default for ServerOptions {
    /// The defaults of a real server; only `TemporalChangeVersion` is registered.
    fn default() -> Self {
        Self {
            namespace: "default".into(),
            seed: 0,
            pages: Pages::Whole,
            search_attributes: BTreeMap::from([("TemporalChangeVersion".into(), "KeywordList".into())]),
            suggest_continue_as_new_events: 4096,
            workflow_task_heartbeat_timeout: Duration::from_secs(30 * 60),
            workflow_task_completion_pages: false,
            longest_transfer: Duration::ZERO,
        }
    }
}

impl ServerOptions {
    pub(crate) fn suggest_continue_as_new(&self, next_event_id: i64) -> Option<SuggestContinueAsNewReason> {
        (next_event_id >= self.suggest_continue_as_new_events)
            .then_some(SuggestContinueAsNewReason::TooManyHistoryEvents)
    }
}

impl Server {
    /// A server without workflows, at virtual time zero.
    pub fn new(options: ServerOptions) -> Self {
        Self {
            now: Time::ZERO,
            runs: BTreeMap::new(),
            current: BTreeMap::new(),
            queues: TaskQueues::default(),
            nexus: NexusRequests::default(),
            queries: Queries::default(),
            update_calls: UpdateCalls::default(),
            deliveries: Deliveries::default(),
            transfers: Transfers::default(),
            random: Random::new(options.seed),
            order: Random::new(!options.seed),
            options,
        }
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// When something will happen by itself; `None` if nothing will.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.next_due().map(|(time, _)| time.max(self.now))
    }

    /// Time passes until `now`: what is due until then happens, each at its own moment.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((time, due)) = self.next_due().filter(|(time, _)| *time <= now) {
            self.now = self.now.max(time);
            match due {
                Due::Run { run_id, deadline } => {
                    self.change(&run_id, |run, context| run.handle_deadline(deadline, context));
                }
                Due::Query(query) => self.take_back_query(query),
                Due::Transfer => self.deliver_transfer(),
            }
        }
        self.now = self.now.max(now);
    }

    /// The recorded history of a run; of the workflow's latest if there is no Run Id. `None` if there is no such run.
    pub fn history(&self, workflow_id: &str, run_id: Option<&str>) -> Option<&[HistoryEvent]> {
        let run_id = run_id.or_else(|| self.current.get(workflow_id).map(String::as_str))?;
        self.runs.get(run_id).filter(|run| run.workflow_id == workflow_id).map(|run| run.events.all())
    }

    /// The Run Id of the workflow's latest run.
    pub fn latest_run(&self, workflow_id: &str) -> Option<&str> {
        self.current.get(workflow_id).map(String::as_str)
    }

    /// Whether the workflow's latest run goes on.
    pub fn is_running(&self, workflow_id: &str) -> bool {
        self.current.get(workflow_id).and_then(|run_id| self.runs.get(run_id)).is_some_and(Execution::is_running)
    }

    /// From now on nobody polls the sticky queue, as if its worker had gone.
    ///
    /// Fact (server 1.32): a task for a sticky queue that nobody has polled for ten seconds goes to the normal queue; the
    /// history does not show that.
    pub fn handle_sticky_worker_gone(&mut self, queue: &str) {
        self.queues.remove_sticky_worker(queue);
    }

    /// Changes a run and does what the change asks for. `None` if there is no such run.
    fn change<T>(&mut self, run_id: &str, change: impl FnOnce(&mut Execution, &mut Context<'_>) -> T) -> Option<T> {
        let (mut context, runs) = self.parts();
        let run = runs.get_mut(run_id)?;
        let result = change(run, &mut context);
        run.settle();
        for effect in std::mem::take(&mut run.outbox) {
            self.perform(run_id, effect);
        }
        Some(result)
    }

    /// What operations on runs need to know, and the runs.
    fn parts(&mut self) -> (Context<'_>, &mut BTreeMap<String, Execution>) {
        let context = Context {
            now: self.now,
            options: &self.options,
            nexus_endpoints: &self.nexus.endpoints,
            random: &mut self.random,
        };
        (context, &mut self.runs)
    }

    fn perform(&mut self, run_id: &str, effect: Effect) {
        match effect {
            Effect::DispatchWorkflowTask => self.dispatch_workflow_task(run_id),
            Effect::DispatchActivity { scheduled_event_id } => self.dispatch_activity(run_id, scheduled_event_id),
            Effect::Transfer(transfer) => {
                let ServerOptions { longest_transfer, seed, .. } = self.options;
                self.transfers.push(self.now, longest_transfer, seed, run_id, transfer);
            }
            Effect::StartRun(next) => {
                let run = Execution::new(*next, &mut self.parts().0);
                self.add_run(run);
            }
            Effect::ReleaseQueries => self.release_queries(run_id),
            Effect::ReportUpdate { update_id, progress } => self.report_update(run_id, &update_id, &progress),
            Effect::SendNexusRequest { scheduled_event_id, kind, expires } => {
                self.send_nexus_request(run_id, scheduled_event_id, kind, expires);
            }
        }
    }

    fn add_run(&mut self, mut run: Execution) {
        run.settle();
        let effects = std::mem::take(&mut run.outbox);
        let run_id = run.run_id.clone();
        self.current.insert(run.workflow_id.clone(), run_id.clone());
        self.runs.insert(run_id.clone(), run);
        for effect in effects {
            self.perform(&run_id, effect);
        }
    }

    fn dispatch_workflow_task(&mut self, run_id: &str) {
        let Some(run) = self.runs.get(run_id) else { return };
        let Some(task) = &run.task else { return };
        let sticky = run.sticky.as_ref().filter(|sticky| self.queues.has_sticky_worker(&sticky.queue));
        let queue = sticky.map_or(run.task_queue(), |sticky| &sticky.queue);
        self.queues.push_workflow_task(queue, run_id, task.dispatch);
    }

    fn dispatch_activity(&mut self, run_id: &str, scheduled_event_id: i64) {
        let activity = self.runs.get(run_id).and_then(|run| run.activities.get(&scheduled_event_id));
        let Some(activity) = activity else { return };
        let queue = activity.scheduled.task_queue.as_ref().map_or("", |queue| &queue.name);
        let entry = ActivityEntry { run_id: run_id.to_owned(), scheduled_event_id, attempt: activity.attempt };
        self.queues.push_activity(queue, entry);
    }

    /// The Run Id that a request means.
    fn resolve(&self, execution: Option<&WorkflowExecution>) -> Result<String, ServerError> {
        let execution =
            execution.ok_or_else(|| ServerError::InvalidArgument("Execution is not set on request.".into()))?;
        let run_id = match execution.run_id.as_str() {
            "" => self.current.get(&execution.workflow_id).map(String::as_str),
            run_id => Some(run_id),
        };
        run_id
            .filter(|run_id| self.runs.get(*run_id).is_some_and(|run| run.workflow_id == execution.workflow_id))
            .map(str::to_owned)
            .ok_or_else(|| ServerError::NotFound(not_found_text(execution)))
    }

    fn next_due(&self) -> Option<(Time, Due)> {
        let run = self
            .runs
            .values()
            .filter_map(|run| run.next_deadline().map(|(time, deadline)| (time, deadline, &run.run_id)))
            .min();
        let query = self.queries.next_expiry();
        let own = match (run, query) {
            (run, Some((time, query))) if run.is_none_or(|(run_time, ..)| time < run_time) => {
                Some((time, Due::Query(query)))
            }
            (Some((time, deadline, run_id)), _) => Some((time, Due::Run { run_id: run_id.clone(), deadline })),
            (None, _) => None,
        };
        match self.transfers.next_due() {
            Some(time) if own.as_ref().is_none_or(|(own, _)| time <= *own) => Some((time, Due::Transfer)),
            _ => own,
        }
    }
}

fn not_found_text(WorkflowExecution { workflow_id, run_id }: &WorkflowExecution) -> String {
    if run_id.is_empty() {
        format!("workflow not found for ID: {workflow_id}")
    } else {
        format!("workflow execution not found for workflow ID {workflow_id:?} and run ID {run_id:?}")
    }
}

/// What happens by itself.
enum Due {
    Run {
        run_id: String,
        deadline: Deadline,
    },
    /// A sticky queue did not hand out this Query in time.
    Query(u64),
    /// Something is no longer on its way from run to run.
    Transfer,
}
