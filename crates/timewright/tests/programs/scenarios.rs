//! What happens to a program while it runs: which histories there are.

use std::time::Duration;

use greeting_definitions::{Greeting, GreetingInput, SetLanguage};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, UntypedWorkflowHandle, WorkflowHandle};
use timewright::converter::DataConverter;
use timewright::definition::WorkflowDefinition;
use timewright::proto::enums::EventType;

use super::definitions::{
    Approvals, Approve, CancelActivities, CleanUp, Compensation, Failing, FanOut, Rounds, Timeouts, Timers,
};
use super::gate::Gate;
use super::workers;
use crate::support::background::{run_worker, run_workflows};
use crate::support::history::wait_for_event;
use crate::support::{connect, server, unique, within};

/// A history that can be made at any time, and how a changed program disagrees with it.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What it needs of the workers.
    pub(crate) needs: Needs,
    /// What the history says where the changed program disagrees.
    pub(crate) recorded: &'static str,
    /// What the changed program does there.
    pub(crate) issued: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Any worker that runs, in any language.
    AnyWorker,
    /// Our workers, with which something happens meanwhile.
    OurWorkers,
    /// Any worker, and more time than a test should take: it is only recorded.
    Time,
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    any("greeting", r#"ActivityTaskScheduled (type "compose_greeting", id "1")"#, r#"StartTimer (id "1")"#),
    // A signal comes before the first Workflow Task.
    any("greeting_signaled", r#"ActivityTaskScheduled (type "compose_greeting", id "1")"#, r#"StartTimer (id "1")"#),
    any("approvals", OPENED, OPENED_CHANGED),
    // It still runs.
    any("approvals_open", OPENED, OPENED_CHANGED),
    any("approvals_terminated", OPENED, OPENED_CHANGED),
    Scenario { name: "approvals_timed_out", needs: Needs::Time, recorded: OPENED, issued: OPENED_CHANGED },
    // A worker with changed code has it for a while: its Workflow Task fails.
    ours("approvals_interrupted", OPENED, OPENED_CHANGED),
    // A signal comes while it completes: the server does not take that completion.
    ours("approvals_overtaken", OPENED, OPENED_CHANGED),
    // A worker dies while it has the Workflow Task, which times out.
    ours("approvals_abandoned", OPENED, OPENED_CHANGED),
    any("timers", "TimerCanceled (of event 6)", r#"StartTimer (id "3")"#),
    any(
        "fan_out",
        r#"ActivityTaskScheduled (type "program_echo", id "2")"#,
        r#"ScheduleActivityTask (type "program_echo", id "last")"#,
    ),
    any("compensation", r#"ActivityTaskScheduled (type "program_echo", id "3")"#, "CompleteWorkflowExecution"),
    // Each Workflow Task is replayed from the beginning.
    ours(
        "compensation_uncached",
        r#"ActivityTaskScheduled (type "program_echo", id "3")"#,
        "CompleteWorkflowExecution",
    ),
    any("failing", NOTHING, r#"StartTimer (id "2")"#),
    any("clean_up", "TimerCanceled (of event 5)", NOTHING),
    // It is cancelled before its first Workflow Task.
    ours("clean_up_at_once", r#"ActivityTaskScheduled (type "program_echo", id "1")"#, r#"StartTimer (id "1")"#),
    any("cancel_activities", "ActivityTaskCancelRequested (of event 5)", "RequestCancelActivityTask (of event 6)"),
    // The first run of two, and the last.
    any("rounds_first", "WorkflowExecutionContinuedAsNew", "CompleteWorkflowExecution"),
    any("rounds_last", "WorkflowExecutionCompleted", "ContinueAsNewWorkflowExecution"),
    any("timeouts", r#"ActivityTaskScheduled (type "program_wait", id "2")"#, "CompleteWorkflowExecution"),
];

const OPENED: &str = r#"ActivityTaskScheduled (type "program_echo", id "1")"#;
const OPENED_CHANGED: &str = r#"ScheduleActivityTask (type "program_flaky", id "1")"#;

const NOTHING: &str = "no further command in this Workflow Task";

const fn any(name: &'static str, recorded: &'static str, issued: &'static str) -> Scenario {
    Scenario { name, needs: Needs::AnyWorker, recorded, issued }
}

const fn ours(name: &'static str, recorded: &'static str, issued: &'static str) -> Scenario {
    Scenario { name, needs: Needs::OurWorkers, recorded, issued }
}

pub(crate) fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap_or_else(|| panic!("there is no scenario {name:?}"))
}

impl Scenario {
    /// Plays it with our workers; gives the run that is meant.
    pub(crate) async fn play_with_ours(&self, client: &Client) -> UntypedWorkflowHandle {
        let task_queue = unique(self.name);
        match self.name {
            "approvals_interrupted" => interrupted(client, &task_queue).await,
            "approvals_overtaken" => overtaken(client, &task_queue).await,
            "approvals_abandoned" => abandoned(client, &task_queue).await,
            "clean_up_at_once" => {
                let _workers = workers::start(client, &task_queue);
                let options = options(&task_queue).start_delay(Duration::from_secs(1));
                let handle = start_with(CleanUp, (), client, options).await;
                handle.cancel("enough").await.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(ended(&handle).await, None);
                run(&handle)
            }
            "compensation_uncached" => {
                let workflows = workers::workflows::<false>(client, &task_queue).maximum_cached_workflows(0).build();
                let workflows = workflows.unwrap_or_else(|error| panic!("{error}"));
                let _workers = run_worker(workers::with_activities(client, &task_queue).workflows(workflows));
                completed(Compensation, "order".to_owned(), client, &task_queue).await
            }
            _ => {
                let _workers = workers::start(client, &task_queue);
                self.play(client, &task_queue).await
            }
        }
    }

    /// Plays it on a Task Queue that workers poll already; gives the run that is meant.
    pub(crate) async fn play(&self, client: &Client, task_queue: &str) -> UntypedWorkflowHandle {
        assert_ne!(self.needs, Needs::OurWorkers, "{} needs workers of its own", self.name);
        match self.name {
            "greeting" => completed(Greeting, greeting("en"), client, task_queue).await,
            "greeting_signaled" => {
                let options = options(task_queue).start_delay(Duration::from_secs(1));
                let handle = start_with(Greeting, greeting("tlh"), client, options).await;
                handle.signal(SetLanguage, "de".to_owned()).await.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(ended(&handle).await, Some("Guten Tag, Ada!".to_owned()));
                run(&handle)
            }
            "approvals" => {
                let handle = start(Approvals, 2, client, task_queue).await;
                approve(&handle, "Ada").await;
                approve(&handle, "Grace").await;
                assert_eq!(ended(&handle).await.map(|approvers| approvers.len()), Some(2));
                run(&handle)
            }
            "approvals_open" => run(&waiting_for_approval(client, task_queue).await),
            "approvals_terminated" => {
                let handle = waiting_for_approval(client, task_queue).await;
                handle.terminate("no longer needed").await.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(ended(&handle).await, None);
                run(&handle)
            }
            "approvals_timed_out" => {
                // Long enough for the first Workflow Task, even if the machine has much to do.
                let options = options(task_queue).execution_timeout(Duration::from_secs(10));
                let handle = start_with(Approvals, 2, client, options).await;
                wait_for_event(handle.untyped(), EventType::ActivityTaskCompleted).await;
                assert_eq!(ended(&handle).await, None);
                run(&handle)
            }
            "timers" => completed(Timers, (), client, task_queue).await,
            "fan_out" => {
                let words = ["one", "two", "three"].map(str::to_owned).to_vec();
                completed(FanOut, words, client, task_queue).await
            }
            "compensation" => completed(Compensation, "order".to_owned(), client, task_queue).await,
            "failing" => {
                let handle = start(Failing, "on purpose".to_owned(), client, task_queue).await;
                assert_eq!(ended(&handle).await, None);
                run(&handle)
            }
            "clean_up" => {
                let handle = start(CleanUp, (), client, task_queue).await;
                wait_for_event(handle.untyped(), EventType::TimerStarted).await;
                handle.cancel("enough").await.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(ended(&handle).await, None);
                run(&handle)
            }
            "cancel_activities" => completed(CancelActivities, (), client, task_queue).await,
            "rounds_first" => completed(Rounds, 1, client, task_queue).await,
            "rounds_last" => {
                let handle = completed(Rounds, 1, client, task_queue).await;
                let last = client.workflow_handle_untyped(handle.workflow_id(), None).describe().await;
                let last = last.unwrap_or_else(|error| panic!("{error}")).run_id().to_owned();
                assert_ne!(Some(last.as_str()), handle.run_id());
                client.workflow_handle_untyped(handle.workflow_id(), Some(last))
            }
            "timeouts" => completed(Timeouts, (), client, task_queue).await,
            other => panic!("nobody knows how to play {other:?}"),
        }
    }
}

/// Between two approvals a worker with changed code has the workflow.
async fn interrupted(client: &Client, task_queue: &str) -> UntypedWorkflowHandle {
    let _activities = run_worker(workers::with_activities(client, task_queue));
    let old = run_workflows(workers::workflows::<false>(client, task_queue).build().expect("a worker"));
    let handle = start_with(Approvals, 2, client, options(task_queue).task_timeout(Duration::from_secs(1))).await;
    approve(&handle, "Ada").await;
    wait_for_event(handle.untyped(), EventType::ActivityTaskCompleted).await;
    old.stop().await;

    let changed = run_workflows(workers::workflows::<true>(client, task_queue).build().expect("a worker"));
    approve(&handle, "Grace").await;
    wait_for_event(handle.untyped(), EventType::WorkflowTaskFailed).await;
    changed.stop().await;

    let _old = run_workflows(workers::workflows::<false>(client, task_queue).build().expect("a worker"));
    assert_eq!(ended(&handle).await, Some(vec!["Ada".to_owned(), "Grace".to_owned()]));
    run(&handle)
}

/// While the workflow's completion is on its way another signal comes.
async fn overtaken(client: &Client, task_queue: &str) -> UntypedWorkflowHandle {
    let gate = Gate::new();
    let gated = gated_client(client, &gate).await;
    let _activities = run_worker(workers::with_activities(client, task_queue));
    let _workflows = run_workflows(workers::workflows::<false>(&gated, task_queue).build().expect("a worker"));
    let handle = waiting_for_approval(client, task_queue).await;

    gate.close();
    approve(&handle, "Ada").await;
    approve(&handle, "Grace").await;
    within("the completion", gate.reached()).await;
    approve(&handle, "Jean").await;
    gate.open();
    assert_eq!(ended(&handle).await.map(|approvers| approvers.len()), Some(3));
    run(&handle)
}

/// The worker that has the last Workflow Task dies.
async fn abandoned(client: &Client, task_queue: &str) -> UntypedWorkflowHandle {
    let gate = Gate::new();
    let gated = gated_client(client, &gate).await;
    let _activities = run_worker(workers::with_activities(client, task_queue));
    let dying = run_workflows(workers::workflows::<false>(&gated, task_queue).build().expect("a worker"));
    let handle = start_with(Approvals, 2, client, options(task_queue).task_timeout(Duration::from_secs(1))).await;
    wait_for_event(handle.untyped(), EventType::ActivityTaskCompleted).await;

    gate.close();
    approve(&handle, "Ada").await;
    approve(&handle, "Grace").await;
    within("the completion", gate.reached()).await;
    drop(dying);

    let _heir = run_workflows(workers::workflows::<false>(client, task_queue).build().expect("a worker"));
    assert_eq!(ended(&handle).await.map(|approvers| approvers.len()), Some(2));
    run(&handle)
}

/// A client like `client`, of which nothing leaves while the gate is closed.
async fn gated_client(client: &Client, gate: &Gate) -> Client {
    let converter = DataConverter::default().with_codec(gate.clone());
    connect(ClientOptions::new(server()).identity(client.identity()).data_converter(converter)).await
}

/// A workflow for which nothing is left to do until somebody approves.
async fn waiting_for_approval(client: &Client, task_queue: &str) -> WorkflowHandle<Approvals> {
    let handle = start(Approvals, 2, client, task_queue).await;
    wait_for_event(handle.untyped(), EventType::ActivityTaskCompleted).await;
    handle
}

async fn approve(handle: &WorkflowHandle<Approvals>, name: &str) {
    handle.signal(Approve, name.to_owned()).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Starts a workflow and waits until it has completed.
async fn completed<D: WorkflowDefinition>(
    definition: D,
    input: D::Input,
    client: &Client,
    task_queue: &str,
) -> UntypedWorkflowHandle {
    let handle = start(definition, input, client, task_queue).await;
    within(D::NAME, handle.result()).await.unwrap_or_else(|error| panic!("{error}"));
    run(&handle)
}

/// Waits until a workflow is closed; its result, if it has one.
async fn ended<D: WorkflowDefinition>(handle: &WorkflowHandle<D>) -> Option<D::Output> {
    within(D::NAME, handle.result()).await.ok()
}

async fn start<D: WorkflowDefinition>(
    definition: D,
    input: D::Input,
    client: &Client,
    task_queue: &str,
) -> WorkflowHandle<D> {
    start_with(definition, input, client, options(task_queue)).await
}

async fn start_with<D: WorkflowDefinition>(
    definition: D,
    input: D::Input,
    client: &Client,
    options: StartWorkflowOptions,
) -> WorkflowHandle<D> {
    client.start_workflow(definition, input, options).await.unwrap_or_else(|error| panic!("{error}"))
}

fn options(task_queue: &str) -> StartWorkflowOptions {
    StartWorkflowOptions::new(task_queue, unique("program")).execution_timeout(Duration::from_secs(120))
}

/// The run that was started.
fn run<D: WorkflowDefinition>(handle: &WorkflowHandle<D>) -> UntypedWorkflowHandle {
    let run_id = handle.run_id().map(str::to_owned);
    handle.untyped().client().workflow_handle_untyped(handle.workflow_id(), run_id)
}

fn greeting(language: &str) -> GreetingInput {
    GreetingInput { name: "Ada".to_owned(), language: language.to_owned() }
}
