//! What a Workflow Worker leaves behind when it ends.

use std::sync::Mutex;

use timewright::proto::enums::EventType;
use timewright::workflow::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker};

use crate::support::background::run_workflows;
use crate::support::definitions::{signal, workflow_definition};
use crate::support::history::{event_types, wait_for_event};
use crate::support::{client, start_options, unique, within};

workflow_definition!(Idle: () => ());
signal!(Wake of Idle: ());

/// On which threads workflows were dropped.
static DROPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[derive(Default)]
struct IdleWorkflow {
    awake: bool,
}

impl Workflow for IdleWorkflow {
    type Definition = Idle;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<(), WorkflowError> {
        Ok(context.wait_condition(|state| state.awake).await?)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Wake, |state, ()| state.awake = true);
    }
}

impl Drop for IdleWorkflow {
    fn drop(&mut self) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        DROPPED.lock().unwrap().push(thread);
    }
}

#[tokio::test]
async fn s12_c17_cached_workflows_are_dropped_where_they_lived_and_go_on_elsewhere_at_once() {
    let (client, queue) = (client().await, unique("idle"));
    let worker = || {
        let builder = WorkflowWorker::builder(client.clone(), &queue).workflow::<IdleWorkflow>();
        run_workflows(builder.build().unwrap())
    };
    let first = worker();
    let mut idle = Vec::new();
    for _ in 0..5 {
        let handle = client.start_workflow(Idle, (), start_options(&queue)).await.unwrap();
        wait_for_event(handle.untyped(), EventType::WorkflowTaskCompleted).await;
        idle.push(handle);
    }
    first.stop().await;
    let dropped = DROPPED.lock().unwrap().clone();
    assert_eq!(dropped.len(), 5, "{dropped:?}");
    assert!(dropped.iter().all(|thread| thread.starts_with("workflow-")), "{dropped:?}");

    // The queue on which the ended worker would have been looked for first is not waited for.
    let second = worker();
    for handle in idle {
        handle.signal(Wake, ()).await.unwrap();
        within("the result", handle.result()).await.unwrap();
        let events = event_types(handle.untyped()).await;
        assert!(!events.iter().any(|event| event.contains("TIMED_OUT")), "{events:?}");
    }
    second.stop().await;
}
