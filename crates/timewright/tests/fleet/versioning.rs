//! Several versions of one worker at the same time.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, UntypedWorkflowHandle, VersioningBehavior, WorkerDeployment, WorkflowHandle};
use timewright::converter::{RawArguments, RawValue, Value};
use timewright::definition::{SignalDefinition, VersioningOverride, WorkflowDefinition};
use timewright::proto::enums::{self, ContinueAsNewVersioningBehavior, EventType};
use timewright::proto::history::history_event::Attributes;
use timewright::workflow::{
    ActivityOptions, AnySignal, AnyWorkflow, BuildError, ChildWorkflowOptions, ContinueAsNewOptions, Handlers,
    Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};

use crate::support::background::{Background, run_both};
use crate::support::definitions::{activity, signal, workflow, workflow_definition};
use crate::support::history::wait_for_event;
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

workflow_definition!(Stays: () => Vec<String>);
workflow_definition!(Moves: () => Vec<String>);
signal!(LetStay of Stays: ());
signal!(LetMove of Moves: ());
activity!(Build: () => String);

struct StaysWorkflow {
    let_go: bool,
}

impl Workflow for StaysWorkflow {
    type Definition = Stays;

    const VERSIONING_BEHAVIOR: Option<VersioningBehavior> = Some(VersioningBehavior::Pinned);

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self { let_go: false }
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        let before = version(&context);
        context.wait_condition(|state| state.let_go).await?;
        let after = version(&context);
        Ok(vec![before, after, executed_by(&context).await?])
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(LetStay, |state, ()| state.let_go = true);
    }
}

/// The same, but it does not say of itself what becomes of it.
struct MovesWorkflow {
    let_go: bool,
}

impl Workflow for MovesWorkflow {
    type Definition = Moves;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self { let_go: false }
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        let before = version(&context);
        context.wait_condition(|state| state.let_go).await?;
        let after = version(&context);
        Ok(vec![before, after, executed_by(&context).await?])
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(LetMove, |state, ()| state.let_go = true);
    }
}

workflow!(Reports: () => String, |context, ()| { Ok(version(&context)) });

// Its child runs on version 2, whatever the current one is.
workflow!(Directs: String => String, |context, deployment_name| {
    let versioning = VersioningOverride::pinned(deployment_name, "2");
    let child = ChildWorkflowOptions::new(format!("{}-child", context.info().workflow_id)).versioning_override(versioning);
    Ok(context.execute_child_workflow(Reports, (), child).await?)
});

// Pinned; its next run begins on the version that has become the current one meanwhile.
workflow!(GoesOn: bool => String, |context, is_first| {
    if !is_first {
        return Ok(version(&context));
    }
    while !context.is_target_deployment_version_changed() {
        context.sleep(Duration::from_millis(200)).await?;
    }
    let next = ContinueAsNewOptions::new().initial_versioning_behavior(ContinueAsNewVersioningBehavior::AutoUpgrade);
    Err(context.continue_as_new_with(false, next))
});

/// All types that have no workflow of their own; which of them stay on their version is said by the worker.
struct AnyReport {
    let_go: bool,
}

impl Workflow for AnyReport {
    type Definition = AnyWorkflow;

    const VERSIONING_BEHAVIOR: Option<VersioningBehavior> = Some(VersioningBehavior::Pinned);

    fn init(_info: &WorkflowInfo, _arguments: &RawArguments) -> Self {
        Self { let_go: false }
    }

    async fn run(context: WorkflowContext<Self>, _arguments: RawArguments) -> Result<RawValue, WorkflowError> {
        let before = version(&context);
        context.wait_condition(|state| state.let_go).await?;
        Ok(RawValue([before, version(&context)].to_vec().to_payload()?))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(AnySignal, |state, _signal| state.let_go = true);
    }
}

fn version<W: Workflow>(context: &WorkflowContext<W>) -> String {
    context.current_deployment_version().map_or_else(|| "none".to_owned(), |version| version.build_id)
}

async fn executed_by<W: Workflow>(context: &WorkflowContext<W>) -> Result<String, WorkflowError> {
    Ok(context.execute_activity(Build, (), ActivityOptions::start_to_close(LIMIT)).await?)
}

fn start(
    client: &Client,
    queue: &str,
    deployment: &str,
    build_id: &'static str,
) -> Background<timewright::WorkerError> {
    let deployment = WorkerDeployment::versioned(deployment, build_id);
    let build = move |_: ActivityContext, (): ()| async move { Ok::<_, ActivityError>(build_id.to_owned()) };
    let activities =
        ActivityWorker::builder(client.clone(), queue).activity(Build, build).deployment(deployment.clone());
    let workflows = WorkflowWorker::builder(client.clone(), queue)
        .workflow::<StaysWorkflow>()
        .workflow::<MovesWorkflow>()
        .workflow::<Reports>()
        .workflow::<Directs>()
        .workflow::<GoesOn>()
        .dynamic_workflow::<AnyReport>()
        .dynamic_versioning_behavior(|name| name.starts_with("live-").then_some(VersioningBehavior::AutoUpgrade))
        .versioning_behavior(Moves::NAME, VersioningBehavior::AutoUpgrade)
        .versioning_behavior(Reports::NAME, VersioningBehavior::Pinned)
        .versioning_behavior(Directs::NAME, VersioningBehavior::Pinned)
        .versioning_behavior(GoesOn::NAME, VersioningBehavior::Pinned)
        .deployment(deployment);
    run_both(workflows.build().unwrap(), activities.build().unwrap())
}

/// The server hears of a version when its first poll comes.
async fn make_current(client: &Client, deployment: &str, build_id: &str) {
    let deployment = client.worker_deployment(deployment);
    poll_until(format!("version {build_id} to be the current one"), || async {
        deployment.set_current_version(Some(build_id)).await.ok()
    })
    .await;
}

/// A workflow that has done its first Workflow Task.
async fn begun<D: WorkflowDefinition<Input = ()>>(client: &Client, definition: D, queue: &str) -> WorkflowHandle<D> {
    let handle = client.start_workflow(definition, (), start_options(queue)).await.unwrap();
    wait_for_event(handle.untyped(), EventType::WorkflowTaskCompleted).await;
    handle
}

async fn let_go<D, S>(handle: &WorkflowHandle<D>, signal: S) -> Vec<String>
where
    D: WorkflowDefinition<Output = Vec<String>>,
    S: SignalDefinition<Workflow = D, Input = ()>,
{
    handle.signal(signal, ()).await.unwrap();
    within("the result", handle.result()).await.unwrap()
}

#[tokio::test]
async fn pinned_workflows_stay_on_their_version_and_auto_upgraded_ones_move() {
    let (client, queue, deployment) = (client().await, unique("versions"), unique("orders"));
    let first = start(&client, &queue, &deployment, "1");
    make_current(&client, &deployment, "1").await;
    let (stays, moves) = (begun(&client, Stays, &queue).await, begun(&client, Moves, &queue).await);
    let (stays_too, moves_too) = (begun(&client, Stays, &queue).await, begun(&client, Moves, &queue).await);
    assert_eq!(let_go(&stays_too, LetStay).await, ["1", "1", "1"]);
    assert_eq!(let_go(&moves_too, LetMove).await, ["1", "1", "1"]);

    let second = start(&client, &queue, &deployment, "2");
    make_current(&client, &deployment, "2").await;
    // What is new goes to the new version, as soon as the Task Queue has heard of it.
    let new = poll_until("a workflow on version 2", || async {
        let new = begun(&client, Stays, &queue).await;
        (completed_by(new.untyped()).await.1 == "2").then_some(new)
    })
    .await;
    assert_eq!(let_go(&new, LetStay).await, ["2", "2", "2"]);
    assert_eq!(let_go(&stays, LetStay).await, ["1", "1", "1"]);
    assert_eq!(let_go(&moves, LetMove).await, ["1", "2", "2"]);

    let pinned = enums::VersioningBehavior::Pinned.as_str_name();
    assert_eq!(completed_by(stays.untyped()).await, (pinned, "1".to_owned()));
    let info = client.worker_deployment(&deployment).describe().await.unwrap();
    let current = info.routing_config.unwrap().current_deployment_version.unwrap();
    assert_eq!((current.deployment_name, current.build_id.as_str()), (deployment, "2"));
    first.stop().await;
    second.stop().await;
}

/// Types that are known only when they come: of one dynamic workflow some move and the others stay, as it says itself.
#[tokio::test]
async fn types_of_a_dynamic_workflow_stay_or_move_as_the_worker_says_of_each() {
    let (client, queue, deployment) = (client().await, unique("versions"), unique("reports"));
    let begin = async |workflow_type: &str| {
        let handle = client.start_workflow_untyped(workflow_type, Vec::new(), start_options(&queue)).await.unwrap();
        let completed = completed_by(&handle).await;
        (handle, completed)
    };
    let first = start(&client, &queue, &deployment, "1");
    make_current(&client, &deployment, "1").await;
    let (stays, stays_by) = begin("yearly").await;
    let (moves, moves_by) = begin("live-visits").await;
    assert_eq!(stays_by, (enums::VersioningBehavior::Pinned.as_str_name(), "1".to_owned()));
    assert_eq!(moves_by, (enums::VersioningBehavior::AutoUpgrade.as_str_name(), "1".to_owned()));

    let second = start(&client, &queue, &deployment, "2");
    make_current(&client, &deployment, "2").await;
    poll_until("a workflow on version 2", || async { (begin("yearly").await.1.1 == "2").then_some(()) }).await;
    for (handle, versions) in [(stays, ["1", "1"]), (moves, ["1", "2"])] {
        handle.signal("go", Vec::new()).await.unwrap();
        let result = within("the result", handle.result()).await.unwrap();
        assert_eq!(result, [versions.map(str::to_owned).to_vec().to_payload().unwrap()]);
    }
    first.stop().await;
    second.stop().await;
}

/// How the first Workflow Task was answered: with which behavior, by which version.
async fn completed_by(handle: &UntypedWorkflowHandle) -> (&'static str, String) {
    let completed = wait_for_event(handle, EventType::WorkflowTaskCompleted).await;
    let Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) = completed.attributes else {
        panic!("{completed:?}")
    };
    let behavior = completed.versioning_behavior().as_str_name();
    (behavior, completed.deployment_version.unwrap_or_default().build_id)
}

/// Where one process has both versions, only the server knows which is the current one.
#[tokio::test]
async fn x16_a_workflow_that_begins_at_once_begins_on_the_current_version() {
    let (client, queue, deployment) = (client().await, unique("versions"), unique("orders"));
    let start_at_once = || async {
        let options = start_options(&queue).request_eager_start(true);
        let handle = client.start_workflow(Stays, (), options).await.unwrap();
        completed_by(handle.untyped()).await.1
    };
    let first = start(&client, &queue, &deployment, "1");
    make_current(&client, &deployment, "1").await;
    assert_eq!(start_at_once().await, "1");
    let second = start(&client, &queue, &deployment, "2");
    make_current(&client, &deployment, "2").await;
    // The partitions of the Task Queue hear of it one after the other: all have when so many in a row begin there.
    poll_until("ten workflows in a row on version 2", || async {
        for _ in 0..10 {
            if start_at_once().await != "2" {
                return None;
            }
        }
        Some(())
    })
    .await;
    for _ in 0..5 {
        assert_eq!(start_at_once().await, "2");
    }
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_child_and_the_next_run_begin_on_the_version_that_they_are_told() {
    let (client, queue, deployment) = (client().await, unique("versions"), unique("orders"));
    let first = start(&client, &queue, &deployment, "1");
    make_current(&client, &deployment, "1").await;
    let goes_on = client.start_workflow(GoesOn, true, start_options(&queue)).await.unwrap();
    wait_for_event(goes_on.untyped(), EventType::WorkflowTaskCompleted).await;

    let second = start(&client, &queue, &deployment, "2");
    // The server takes no override to a version that it has not heard of on this Task Queue.
    let child = poll_until("a child on version 2", || async {
        let directs = client.start_workflow(Directs, deployment.clone(), start_options(&queue)).await.unwrap();
        directs.result().await.ok()
    })
    .await;
    assert_eq!(child, "2");
    // A client may say so, too, also where the type says that it goes along with the current version.
    let told = |versioning: VersioningOverride| {
        let (client, options) = (client.clone(), start_options(&queue).versioning_override(versioning));
        async move {
            let handle = client.start_workflow(Moves, (), options).await.unwrap();
            (completed_by(handle.untyped()).await.1, let_go(&handle, LetMove).await)
        }
    };
    assert_eq!(told(VersioningOverride::pinned(&deployment, "2")).await.1, ["2", "2", "2"]);
    assert_eq!(told(VersioningOverride::AutoUpgrade).await.1, ["1", "1", "1"]);
    // Once over there, it does as its type says.
    assert_eq!(told(VersioningOverride::one_time(&deployment, "2")).await.0, "2");
    make_current(&client, &deployment, "2").await;
    assert_eq!(within("the last run", goes_on.result()).await.unwrap(), "2");
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_version_that_ramps_up_gets_its_part_of_what_is_new() {
    let (client, queue, deployment) = (client().await, unique("versions"), unique("orders"));
    let first = start(&client, &queue, &deployment, "1");
    make_current(&client, &deployment, "1").await;
    let second = start(&client, &queue, &deployment, "2");
    let of_client = client.worker_deployment(&deployment);
    poll_until("version 2 to ramp up", || async { of_client.set_ramping_version(Some("2"), 100.0).await.ok() }).await;
    let new = poll_until("a workflow on version 2", || async {
        let new = begun(&client, Moves, &queue).await;
        (completed_by(new.untyped()).await.1 == "2").then_some(new)
    })
    .await;
    assert_eq!(let_go(&new, LetMove).await, ["2", "2", "2"]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_deployment_that_nobody_polls_for_is_named() {
    let client = client().await;
    let name = unique("nobody");
    let error = client.worker_deployment(&name).set_current_version(Some("1")).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("Worker Deployment `{name}`: ")), "{error}");
    assert!(error.contains("no Worker Deployment found"), "{error}");
}

workflow!(Silent: () => (), |_context, ()| { Ok(()) });

#[tokio::test]
async fn a_workflow_that_does_not_say_what_becomes_of_it_is_named_when_its_worker_is_built() {
    let client = client().await;
    let builder = WorkflowWorker::builder(client, "versions").workflow::<Silent>();
    let deployment = WorkerDeployment::versioned("orders", "1");
    let error = builder.clone().deployment(deployment.clone()).build().unwrap_err();
    assert!(matches!(error, BuildError::NoVersioningBehavior { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the Workflow Worker on task queue \"versions\" has versions, and workflow type \"Silent\" does not say whether it is \
         pinned to one or auto-upgraded; give it a Workflow::VERSIONING_BEHAVIOR, or the worker's deployment a \
         default_versioning_behavior"
    );
    let deployment = deployment.default_versioning_behavior(VersioningBehavior::Pinned);
    builder.clone().deployment(deployment).build().unwrap();
    builder.deployment(WorkerDeployment::unversioned("orders", "1")).build().unwrap();
}
