//! Code that does not do the same twice, found before anything of it is recorded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use timewright::LocalActivities;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ActivityOptions, Handlers, LocalActivityOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo,
    WorkflowWorker,
};

use crate::support::background::{run_both, run_workflows};
use crate::support::definitions::{activity, signal, update, workflow, workflow_definition};
use crate::support::history::{event_types, wait_for_event, wait_for_task_failure};
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

static CALLS: AtomicU64 = AtomicU64::new(0);

workflow!(Depends: String => (), |context, on| {
    context.sleep(Duration::from_millis(1)).await?;
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    match on.as_str() {
        "static" => context.sleep(Duration::from_millis(1 + calls)).await?,
        "replay" if context.is_replaying() => (),
        _ => context.sleep(Duration::from_millis(1)).await?,
    }
    Ok(())
});

#[tokio::test]
async fn d23_code_that_does_something_else_the_second_time_is_found_at_once() {
    let (client, queue) = (client().await, unique("determinism"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Depends>().check_determinism(true);
    let worker = run_workflows(workflows.build().unwrap());
    for (on, second) in [
        ("static", "the second time StartTimer(StartTimer { sequence: 2, duration: "),
        ("replay", "the second time CompleteWorkflow { result: "),
    ] {
        let depends = client.start_workflow(Depends, on.to_owned(), start_options(&queue)).await.unwrap();
        let (cause, text) = wait_for_task_failure(depends.untyped()).await;
        assert_eq!(cause, "NON_DETERMINISTIC_ERROR");
        let beginning = format!(
            "Nondeterminism: [TMPRL1100] Workflow \"Depends\" (id {:?}) did not do the same when it was executed a second time \
             from its start, though it was told the same. At event 8, Command 1 of these was, the first time, \
             StartTimer(StartTimer {{ sequence: 2, duration: ",
            depends.workflow_id()
        );
        assert!(text.starts_with(&beginning), "{text}");
        assert!(text.contains(second), "{text}");
        // Nothing of it is in the history.
        let timers = event_types(depends.untyped()).await.iter().filter(|event| *event == "TIMER_STARTED").count();
        assert_eq!(timers, 1);
    }
    let calm = client.start_workflow(Depends, String::new(), start_options(&queue)).await.unwrap();
    within("the end", calm.result()).await.unwrap();
    worker.stop().await;
}

workflow_definition!(Everything: () => Vec<String>);
signal!(Say of Everything: String);
update!(Append of Everything: String => usize);
activity!(Shout: String => String);

async fn shout(_context: ActivityContext, word: String) -> Result<String, ActivityError> {
    Ok(word.to_uppercase())
}

/// Patches, versions, side effects, Local Activities, Updates that are taken and rejected: all that a replay learns from notes.
#[derive(Default)]
struct EverythingWorkflow {
    said: Vec<String>,
}

impl Workflow for EverythingWorkflow {
    type Definition = Everything;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        let calls: u64 = context.side_effect(|| CALLS.fetch_add(1, Ordering::Relaxed))?;
        if context.patched("new") && context.version("change", 1, 2) == 2 {
            context.sleep(Duration::from_millis(1 + calls % 5)).await?;
        }
        let options = LocalActivityOptions::start_to_close(LIMIT);
        let word = context.execute_local_activity(Shout, "local".to_owned(), options).await?;
        context.state_mut(|state| state.said.push(word));
        let word = context.execute_activity(Shout, "far".to_owned(), ActivityOptions::start_to_close(LIMIT)).await?;
        context.state_mut(|state| state.said.push(word));
        context.wait_condition(|state| state.said.len() >= 4).await?;
        let _calls: u64 = context.side_effect(|| CALLS.fetch_add(1, Ordering::Relaxed))?;
        Ok(context.state(|state| state.said.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Say, |state, word| state.said.push(word));
        handlers.validate_update(Append, |_state, word| match word.as_str() {
            "" => Err(timewright::converter::ApplicationFailure::new("say something").into()),
            _ => Ok(()),
        });
        handlers.update_async(Append, |context, word| async move {
            context.sleep(Duration::from_millis(1)).await?;
            Ok(context.state_mut(|state| {
                state.said.push(word);
                state.said.len()
            }))
        });
    }
}

#[tokio::test]
async fn what_the_history_brings_back_is_the_same_the_second_time() {
    let (client, queue) = (client().await, unique("determinism"));
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Shout, shout).build().unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue)
        .workflow::<EverythingWorkflow>()
        .local_activities(LocalActivities::of(&activities))
        .check_determinism(true)
        .build()
        .unwrap();
    let worker = run_both(workflows, activities);
    let everything = client.start_workflow(Everything, (), start_options(&queue)).await.unwrap();
    wait_for_event(everything.untyped(), EventType::ActivityTaskCompleted).await;
    within("an answer", everything.update(Append, String::new())).await.unwrap_err();
    everything.signal(Say, "signal".to_owned()).await.unwrap();
    poll_until("the signal", || async {
        let events = event_types(everything.untyped()).await;
        events.iter().any(|event| event == "WORKFLOW_EXECUTION_SIGNALED").then_some(())
    })
    .await;
    assert_eq!(within("an answer", everything.update(Append, "update".to_owned())).await.unwrap(), 4);
    assert_eq!(within("the end", everything.result()).await.unwrap(), ["LOCAL", "FAR", "signal", "update"]);
    let events = event_types(everything.untyped()).await;
    assert!(!events.iter().any(|event| event == "WORKFLOW_TASK_FAILED"), "{events:?}");
    worker.stop().await;
}
