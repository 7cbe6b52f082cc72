//! A server with workers: where programs are run.

use std::collections::VecDeque;
use std::time::Duration;

use timewright::LocalActivities;
use timewright::activity::ActivityWorker;
use timewright::client::{Client, ClientOptions, RetryPolicy, StartWorkflowOptions, UntypedWorkflowHandle};
use timewright::converter::Multiple;
use timewright::proto::enums::EventType;
use timewright::proto::history::HistoryEvent;
use timewright::proto::history::history_event::Attributes;
use timewright::workflow::WorkflowWorker;

use crate::activities::{act, work};
use crate::definitions::{Acting, Conform, Working};
use crate::interpreter::Interpreter;
use crate::normal_form::{Names, normal_form};
use crate::operated::Operation;
use crate::program::{End, Program, TASK_TIMEOUT, slots};
use crate::support::background::{Background, run_both};
use crate::support::nexus::Endpoint;
use crate::support::unique;

/// A server, and a worker that runs programs on it.
pub(crate) struct World {
    pub(crate) name: &'static str,
    client: Client,
    task_queue: String,
    _worker: Background<timewright::WorkerError>,
    _nexus: Endpoint,
}

impl World {
    /// `cached_workflows`: 0 replays each Workflow Task from the beginning.
    pub(crate) async fn new(name: &'static str, address: &str, cached_workflows: usize) -> Self {
        let client = Client::connect(ClientOptions::new(address)).await.unwrap_or_else(|error| panic!("{error}"));
        let task_queue = unique("conform");
        let activities = ActivityWorker::builder(client.clone(), &task_queue)
            .activity(Working, work)
            .activity(Acting, act)
            .build()
            .unwrap();
        let workflows = WorkflowWorker::builder(client.clone(), &task_queue)
            .workflow::<Interpreter>()
            .workflow::<Operation>()
            .maximum_cached_workflows(cached_workflows)
            .local_activities(LocalActivities::of(&activities))
            .build()
            .unwrap();
        let worker = run_both(workflows, activities);
        let nexus = Endpoint::create(&client, &task_queue).await;
        Self { name, client, task_queue, _worker: worker, _nexus: nexus }
    }

    /// Runs a program to its end, with slots of so many milliseconds: the normal forms of its histories, run by run.
    pub(crate) async fn run(&self, seed: u64, index: u64, slot: u64) -> Result<Vec<String>, String> {
        let workflow_id = unique("conform");
        let mut options = StartWorkflowOptions::new(&self.task_queue, &workflow_id)
            .execution_timeout(LIMIT)
            .task_timeout(slots(TASK_TIMEOUT, slot));
        if let End::Fail(attempts) = Program::generate(seed, index).end {
            options = options.retry_policy(
                RetryPolicy::default()
                    .initial_interval(slots(2, slot))
                    .backoff_coefficient(1.0)
                    .maximum_attempts(attempts),
            );
        }
        let input = Multiple((seed, index, None, 0, slot));
        let started = self.client.start_workflow(Conform, input, options).await.map_err(|error| error.to_string())?;
        let first = (workflow_id.clone(), started.run_id().unwrap_or_default().to_owned());
        let mut run_ids = vec![first.1.clone()];
        let (mut to_read, mut histories) = (VecDeque::from([first]), Vec::new());
        while let Some((workflow_id, run_id)) = to_read.pop_front() {
            let run = self.client.workflow_handle_untyped(&workflow_id, Some(run_id));
            let events = tokio::time::timeout(LIMIT, closed_history(&run)).await;
            let events = events.map_err(|_| format!("a run did not end in {LIMIT:?}"))??;
            let next = match next_run(&events) {
                None => self.reset_run(&workflow_id, &events).await?.filter(|run_id| !run_ids.contains(run_id)),
                next => next,
            };
            let next = next.map(|run_id| (workflow_id, run_id));
            for (workflow_id, run_id) in children(&events).into_iter().chain(next) {
                run_ids.push(run_id.clone());
                to_read.push_back((workflow_id, run_id));
            }
            histories.push(events);
        }
        let names = Names { workflow_id, task_queue: self.task_queue.clone(), run_ids };
        Ok(histories.iter().flat_map(|events| normal_form(events, &names)).collect())
    }

    /// The run that goes on where this one was terminated because of a reset; this one itself, if it was not.
    async fn reset_run(&self, workflow_id: &str, events: &[HistoryEvent]) -> Result<Option<String>, String> {
        if events.last().is_none_or(|last| last.event_type() != EventType::WorkflowExecutionTerminated) {
            return Ok(None);
        }
        let latest = self.client.workflow_handle_untyped(workflow_id, None).describe().await;
        latest.map(|latest| Some(latest.run_id().to_owned())).map_err(|error| error.to_string())
    }
}

/// The history of a run, once it is closed.
async fn closed_history(run: &UntypedWorkflowHandle) -> Result<Vec<HistoryEvent>, String> {
    // How it ended is in the history, too.
    let _ = run.result_with(timewright::client::ResultOptions::default().follow_runs(false)).await;
    run.history().await.map(|history| history.events).map_err(|error| error.to_string())
}

/// The runs of the Child Workflows that were started.
fn children(events: &[HistoryEvent]) -> Vec<(String, String)> {
    let started = events.iter().filter_map(|event| match event.attributes.as_ref()? {
        Attributes::ChildWorkflowExecutionStartedEventAttributes(started) => started.workflow_execution.clone(),
        _ => None,
    });
    started.map(|execution| (execution.workflow_id, execution.run_id)).collect()
}

/// The Run Id of the run that goes on.
fn next_run(events: &[HistoryEvent]) -> Option<String> {
    let next = match events.last()?.attributes.as_ref()? {
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued) => &continued.new_execution_run_id,
        Attributes::WorkflowExecutionFailedEventAttributes(failed) => &failed.new_execution_run_id,
        Attributes::WorkflowExecutionTimedOutEventAttributes(timed_out) => &timed_out.new_execution_run_id,
        _ => return None,
    };
    Some(next.clone()).filter(|next| !next.is_empty())
}

/// No program takes so long.
const LIMIT: Duration = Duration::from_secs(180);
