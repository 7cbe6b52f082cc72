//! Activities that never heartbeat hear of their cancellation where the server gives workers commands.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker, CancelReason};
use timewright::client::{Client, ClientOptions};
use timewright::workflow::{
    ActivityCancellationType, ActivityFailure, ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError,
    WorkflowInfo, WorkflowWorker,
};
use timewright_testing::DevServer;
use tokio::sync::mpsc;

use crate::support::background::run_both;
use crate::support::definitions::{activity, signal, workflow, workflow_definition};
use crate::support::{connect, start_options, unique, within};

activity!(Wait: String => ());

workflow_definition!(Impatient: bool => String);
signal!(GiveUp of Impatient: ());

/// Cancels its activity when it is told that there is one: an activity that has not begun is cancelled without a command.
struct ImpatientWorkflow {
    gives_up: bool,
}

impl Workflow for ImpatientWorkflow {
    type Definition = Impatient;

    fn init(_info: &WorkflowInfo, _eager: &bool) -> Self {
        Self { gives_up: false }
    }

    async fn run(context: WorkflowContext<Self>, eager: bool) -> Result<String, WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(3600))
            .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
            .eager_execution(eager);
        let waiting = context.execute_activity(Wait, "impatient".to_owned(), options);
        context.wait_condition(|state| state.gives_up).await?;
        waiting.cancel();
        match waiting.await {
            Err(ActivityFailure::Cancelled(failure)) => Ok(failure.message),
            other => Ok(format!("{other:?}")),
        }
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(GiveUp, |state, ()| state.gives_up = true);
    }
}

workflow!(Patient: () => (), |context, ()| {
    let options = ActivityOptions::start_to_close(Duration::from_secs(3600)).eager_execution(false);
    Ok(context.execute_activity(Wait, "patient".to_owned(), options).await?)
});

/// Tells when it begins, and why it is to stop.
async fn wait(
    context: ActivityContext,
    who: String,
    tell: mpsc::UnboundedSender<(String, Option<CancelReason>)>,
) -> Result<(), ActivityError> {
    tell.send((who.clone(), None))?;
    let reason = context.cancelled().await;
    tell.send((who, Some(reason)))?;
    Err(ActivityError::cancelled())
}

#[tokio::test]
async fn activities_that_do_not_heartbeat_are_cancelled_where_the_server_gives_commands() {
    let server = tokio::task::spawn_blocking(|| {
        let builder = DevServer::builder()
            .argument("--dynamic-config-value=frontend.WorkerCommandsEnabled=true")
            .argument("--dynamic-config-value=system.enableCancelActivityWorkerCommand=true");
        builder.start().unwrap_or_else(|error| panic!("{error}"))
    });
    let server = server.await.unwrap();
    let client: Client = connect(ClientOptions::new(format!("http://{}", server.address()))).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let queue = unique("commands");
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .activity(Wait, move |context, who| wait(context, who, tell.clone()))
        .build()
        .unwrap();
    let workflows =
        WorkflowWorker::builder(client.clone(), &queue).workflow::<ImpatientWorkflow>().workflow::<Patient>();
    let worker = run_both(workflows.build().unwrap(), activities);

    // By a poll, and with the answer to a Workflow Task: the server knows the worker's Task Queue for commands either way.
    for eager in [false, true] {
        let handle = client.start_workflow(Impatient, eager, start_options(&queue)).await.unwrap();
        assert_eq!(within("the activity", told.recv()).await.unwrap(), ("impatient".to_owned(), None));
        handle.signal(GiveUp, ()).await.unwrap();
        let cancelled = ("impatient".to_owned(), Some(CancelReason::CancelRequested));
        assert_eq!(within("the command", told.recv()).await.unwrap(), cancelled);
        within("the cancelled activity", handle.result()).await.unwrap();
    }
    // What ends a workflow ends its activities, too.
    let handle = client.start_workflow(Patient, (), start_options(&queue)).await.unwrap();
    assert_eq!(within("the activity", told.recv()).await.unwrap(), ("patient".to_owned(), None));
    handle.terminate("enough").await.unwrap();
    let cancelled = ("patient".to_owned(), Some(CancelReason::CancelRequested));
    assert_eq!(within("the command", told.recv()).await.unwrap(), cancelled);
    worker.stop().await;
}
