//! Spans of a Workflow Task that is executed more than once.

use std::collections::BTreeSet;
use std::sync::Mutex;

use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use timewright::WithPlugin;
use timewright::client::ClientOptions;
use timewright::workflow::{ActivityOptions, WorkflowWorker};
use timewright_opentelemetry::{OpenTelemetry, StableIds};

use crate::support::background::run_both;
use crate::support::definitions::workflow;
use crate::support::history::event_types;
use crate::support::{LIMIT, connect, poll_until, server, start_options, unique, within};
use crate::{Echo, activities};

/// The workflows that have panicked, which they do once.
static PANICKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

workflow!(Stumbles: String => String, |context, word| {
    let echoed = context.execute_activity(Echo, word, ActivityOptions::start_to_close(LIMIT));
    // Behind the Commands of this Workflow Task, which is therefore tried again.
    let is_first = PANICKED.lock().unwrap().insert(context.info().workflow_id.clone());
    assert!(!is_first, "it stumbles");
    Ok(echoed.await?)
});

#[tokio::test]
async fn a_workflow_task_that_is_tried_again_emits_the_same_spans() {
    let exporter = InMemorySpanExporter::default();
    let ids = StableIds::new();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).with_id_generator(ids).build();
    let tracing = OpenTelemetry::with_tracer(provider.tracer("test"));
    let client = connect(ClientOptions::new(server()).plugin(tracing)).await;
    let task_queue = unique("stumbles");
    // Without a cache, so that it is replayed, too.
    let workflows =
        WorkflowWorker::builder(client.clone(), &task_queue).workflow::<Stumbles>().maximum_cached_workflows(0);
    let worker = run_both(workflows.build().unwrap(), activities(&client, &task_queue));
    let stumbles = client.start_workflow(Stumbles, "up".to_owned(), start_options(&task_queue)).await.unwrap();
    assert_eq!(within("the result", stumbles.result()).await.unwrap(), "up");
    assert!(event_types(stumbles.untyped()).await.contains(&"WORKFLOW_TASK_FAILED".to_owned()));
    worker.stop().await;

    let ended = |name: &str| {
        let spans = exporter.get_finished_spans().unwrap();
        spans.into_iter().filter(|span| span.name == name).collect::<Vec<SpanData>>()
    };
    poll_until("the last span", || async { (!ended("CompleteWorkflow:Stumbles").is_empty()).then_some(()) }).await;
    let ids_of = |name: &str| ended(name).iter().map(|span| span.span_context.span_id()).collect::<Vec<SpanId>>();
    for name in ["RunWorkflow:Stumbles", "StartActivity:Echo"] {
        // Once for each attempt, and not for the replay; the ids tell a backend that they are one.
        let ids = ids_of(name);
        assert!(ids.len() >= 2 && ids.iter().all(|id| *id == ids[0]), "{name}: {ids:?}");
    }
    assert_ne!(ids_of("RunWorkflow:Stumbles")[0], ids_of("StartActivity:Echo")[0]);
    assert_eq!(ended("RunActivity:Echo")[0].parent_span_id, ids_of("StartActivity:Echo")[0]);
}
