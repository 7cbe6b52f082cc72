//! Workflow code that was changed while workflows run.

use std::time::Duration;

use timewright::client::{Client, WorkflowExecutionStatus, WorkflowHandle};
use timewright::definition::SignalDefinition;
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};

use crate::support::background::{Background, run_workflows};
use crate::support::definitions::{activity, signal, workflow, workflow_definition};
use crate::support::history::{event_types, wait_for_event, wait_for_one_of, wait_for_task_failure};
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

workflow_definition!(Ship: () => String);
signal!(Leave of Ship: ());
activity!(Load: () => ());

/// What the versions of the code have in common: they do something, and then wait for a signal.
macro_rules! version {
    ($name:ident, |$context:ident| $prepare:block) => {
        #[derive(Default)]
        struct $name {
            left: bool,
        }

        impl Workflow for $name {
            type Definition = Ship;

            fn init(_info: &WorkflowInfo, (): &()) -> Self {
                Self::default()
            }

            async fn run($context: WorkflowContext<Self>, (): ()) -> Result<String, WorkflowError> {
                $prepare
                $context.wait_condition(|state| state.left).await?;
                Ok(stringify!($name).to_owned())
            }

            fn handlers(handlers: &mut Handlers<Self>) {
                handlers.signal(Leave, |state, ()| state.left = true);
            }
        }
    };
}

const HOUR: Duration = Duration::from_secs(3600);

version!(StartsATimer, |context| {
    let _tide = context.sleep(HOUR);
});
version!(LoadsInstead, |context| {
    let _cargo = context.execute_activity(Load, (), ActivityOptions::start_to_close(LIMIT));
});
version!(DoesNothing, |context| {});
version!(StartsTwoTimers, |context| {
    let _tides = (context.sleep(HOUR), context.sleep(HOUR));
});

workflow!(Bystander: () => String, |_, ()| { Ok("not concerned".to_owned()) });

fn worker<W: Workflow>(client: &Client, queue: &str) -> Background<timewright::workflow::WorkerError> {
    let worker = WorkflowWorker::builder(client.clone(), queue).workflow::<W>().workflow::<Bystander>();
    run_workflows(worker.build().unwrap())
}

/// A ship that `Old` has prepared, and with which `New`, whose worker comes along, cannot go on; and what its failed Workflow
/// Task says.
async fn disagreement<Old: Workflow, New: Workflow>(
    client: &Client,
    queue: &str,
) -> (WorkflowHandle<Ship>, Background<timewright::workflow::WorkerError>, String) {
    loop {
        let old = worker::<Old>(client, queue);
        // Only the first attempt's failure is told; after each the server waits this long before it tries again.
        let options = start_options(queue).task_timeout(Duration::from_secs(1));
        let ship = client.start_workflow(Ship, (), options).await.unwrap();
        wait_for_event(ship.untyped(), EventType::WorkflowTaskCompleted).await;
        old.stop().await;
        ship.untyped().signal(Leave::NAME, Vec::new()).await.unwrap();

        let new = worker::<New>(client, queue);
        let outcomes = [EventType::WorkflowTaskFailed, EventType::WorkflowTaskTimedOut];
        if wait_for_one_of(ship.untyped(), &outcomes).await.event_type() == EventType::WorkflowTaskFailed {
            let (cause, text) = wait_for_task_failure(ship.untyped()).await;
            assert_eq!(cause, "NON_DETERMINISTIC_ERROR");
            return (ship, new, text);
        }
        // The server gave the first attempt to a poll of the old worker in the moment in which that one hung up.
        new.stop().await;
        ship.terminate("once more").await.unwrap();
    }
}

const ADVICE: &str = "The code has changed since this history was recorded, or it is not deterministic. Run the code that \
                      recorded it: the workflow has not failed, and goes on when that code is back";

#[tokio::test]
async fn a_workflow_whose_code_changed_goes_on_when_the_old_code_is_back() {
    let (client, queue) = (client().await, unique("ship"));
    let (ship, new, text) = disagreement::<StartsATimer, LoadsInstead>(&client, &queue).await;
    assert_eq!(
        text,
        format!(
            "Nondeterminism: nondeterminism at event 5: the history recorded TimerStarted (id \"1\"), the workflow \
             code issued ScheduleActivityTask (type \"Load\", id \"1\"); both disagreed from the first \
             command on. {ADVICE}"
        )
    );
    assert_eq!(ship.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
    // The worker has taken no harm.
    let bystander = client.start_workflow(Bystander, (), start_options(&queue)).await.unwrap();
    assert_eq!(within("the result", bystander.result()).await.unwrap(), "not concerned");
    new.stop().await;

    let _old = worker::<StartsATimer>(&client, &queue);
    assert_eq!(within("the result", ship.result()).await.unwrap(), "StartsATimer");
}

#[tokio::test]
async fn whatever_was_changed_both_sides_are_shown() {
    let client = client().await;
    assert_eq!(
        disagreement::<StartsATimer, DoesNothing>(&client, &unique("ship")).await.2,
        format!(
            "Nondeterminism: nondeterminism at event 5: the history recorded TimerStarted (id \"1\"), the workflow \
             code issued no further command in this Workflow Task; both disagreed from the first command on. {ADVICE}"
        )
    );
    assert_eq!(
        disagreement::<StartsATimer, StartsTwoTimers>(&client, &unique("ship")).await.2,
        format!(
            "Nondeterminism: nondeterminism at event 6: the history recorded no further command in this Workflow Task, \
             the workflow code issued StartTimer (id \"2\"); both agreed up to event 5, StartTimer (id \"1\"). {ADVICE}"
        )
    );
}

#[tokio::test]
async fn a_workflow_task_that_fails_again_and_again_fills_no_history_and_answers_no_query() {
    let (client, queue) = (client().await, unique("ship"));
    let (ship, _new, _) = disagreement::<StartsATimer, LoadsInstead>(&client, &queue).await;
    // Later attempts are in no history, so we ask.
    poll_until("a third attempt", || async {
        let pending = ship.describe().await.unwrap().raw().pending_workflow_task;
        pending.is_some_and(|task| task.attempt > 2).then_some(())
    })
    .await;
    let error = within("an answer", ship.untyped().query("Anything", Vec::new())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "query `Anything` of workflow `{}` cannot be answered: Unable to query workflow due to Workflow Task in failed \
             state. The WorkflowTaskFailed Event in its history says why",
            ship.workflow_id()
        )
    );
    let failed = event_types(ship.untyped()).await.into_iter().filter(|event| event == "WORKFLOW_TASK_FAILED").count();
    assert_eq!(failed, 1);
}
