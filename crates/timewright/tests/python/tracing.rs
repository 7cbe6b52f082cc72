//! Traces go through programs of both sides.

use std::collections::BTreeMap;

use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use serde_json::{Value, json};
use timewright::WithPlugin;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions};
use timewright::converter::Payload;
use timewright_opentelemetry::{OpenTelemetry, StableIds};

use super::definitions::RelayInput;
use super::{json, ours};
use crate::support::python::{self, PythonWorker};
use crate::support::{connect, poll_until, server, unique, within};

/// A client that traces, and workers that are built with it; where its spans go.
async fn traced_client() -> (Client, InMemorySpanExporter, SdkTracerProvider) {
    let exporter = InMemorySpanExporter::default();
    let provider =
        SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).with_id_generator(StableIds::new()).build();
    let tracing = OpenTelemetry::with_tracer(provider.tracer("test"));
    (connect(ClientOptions::new(server()).plugin(tracing)).await, exporter, provider)
}

/// What both sides write of a span.
struct Span {
    side: &'static str,
    name: String,
    trace_id: String,
    span_id: String,
    parent_id: Option<String>,
    workflow_id: Option<String>,
}

fn of_ours(exporter: &InMemorySpanExporter) -> Vec<Span> {
    let spans = exporter.get_finished_spans().expect("spans");
    let ours = spans.into_iter().map(|span| Span {
        side: "ours",
        name: span.name.into_owned(),
        trace_id: span.span_context.trace_id().to_string(),
        span_id: span.span_context.span_id().to_string(),
        parent_id: Some(span.parent_span_id).filter(|id| *id != SpanId::INVALID).map(|id| id.to_string()),
        workflow_id: span
            .attributes
            .iter()
            .find(|attribute| attribute.key.as_str() == "temporalWorkflowID")
            .map(|attribute| attribute.value.as_str().into_owned()),
    });
    ours.collect()
}

fn of_python(spans: Vec<Value>) -> Vec<Span> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let theirs = spans.into_iter().map(|span| Span {
        side: "python",
        name: text(&span["name"]).expect("a name"),
        trace_id: text(&span["trace_id"]).expect("a trace"),
        span_id: text(&span["span_id"]).expect("an id"),
        parent_id: text(&span["parent_id"]),
        workflow_id: text(&span["attributes"]["temporalWorkflowID"]),
    });
    theirs.collect()
}

/// `NAME (SIDE) below PARENT`, in alphabetical order. All of them are of one trace and of one workflow.
fn tree(spans: &[Span], workflow_id: &str) -> Vec<String> {
    let names: BTreeMap<&str, &str> = spans.iter().map(|span| (span.span_id.as_str(), span.name.as_str())).collect();
    assert_eq!(names.len(), spans.len(), "each has an id of its own");
    let mut lines: Vec<_> = spans
        .iter()
        .map(|span| {
            assert_eq!((&span.trace_id, span.workflow_id.as_deref()), (&spans[0].trace_id, Some(workflow_id)));
            let parent = span.parent_id.as_deref().map(|id| names.get(id).copied().unwrap_or("(unknown)"));
            format!("{} ({}) below {}", span.name, span.side, parent.unwrap_or("nothing"))
        })
        .collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn a_trace_goes_from_our_client_through_a_python_workflow_to_our_activity() {
    let (client, exporter, _provider) = traced_client().await;
    let (python_queue, our_queue) = (unique("python"), unique("ours"));
    let python = PythonWorker::start_traced(&[&python_queue]).await;
    let _workers = ours::start(&client, &our_queue);

    let call = RelayInput::new("compose_greeting", json!([{ "name": "Ada", "language": "en" }]), &our_queue);
    let call: Vec<Payload> = vec![client.data_converter().to_payload(&call).expect("it can be written")];
    let options = StartWorkflowOptions::new(&python_queue, unique("relay"));
    let handle = client.start_workflow_untyped("PythonRelay", call, options).await.expect("it starts");
    let result = within("the result", handle.result()).await.expect("it completes");
    assert_eq!(json::value(&result[0]), json!("Hello, Ada!"));

    let spans = poll_until("all spans", || {
        let mut spans = of_ours(&exporter);
        spans.extend(of_python(python.spans()));
        async move { (spans.len() >= 5).then_some(spans) }
    });
    assert_eq!(
        tree(&spans.await, handle.workflow_id()),
        [
            "CompleteWorkflow:PythonRelay (python) below StartWorkflow:PythonRelay",
            "RunActivity:compose_greeting (ours) below StartActivity:compose_greeting",
            "RunWorkflow:PythonRelay (python) below StartWorkflow:PythonRelay",
            "StartActivity:compose_greeting (python) below StartWorkflow:PythonRelay",
            "StartWorkflow:PythonRelay (ours) below nothing",
        ]
    );
}

#[tokio::test]
async fn a_trace_goes_from_a_python_client_through_our_workflow_to_a_python_activity() {
    let (client, exporter, _provider) = traced_client().await;
    let (python_queue, our_queue) = (unique("python"), unique("ours"));
    let python = PythonWorker::start_traced(&[&python_queue]).await;
    let _workers = ours::start(&client, &our_queue);

    let workflow_id = unique("relay");
    let call = RelayInput::new("echo", json!(["a word"]), &python_queue);
    let (of_client, result) = python::execute_traced(&our_queue, "our_relay", &workflow_id, json!([call])).await;
    assert_eq!(result, json!({ "result": "a word" }));

    let mut of_client = of_python(of_client);
    let mut spans = poll_until("all spans", || {
        let mut spans = of_ours(&exporter);
        spans.extend(of_python(python.spans()));
        async move { (spans.len() >= 4).then_some(spans) }
    })
    .await;
    spans.append(&mut of_client);
    assert_eq!(
        tree(&spans, &workflow_id),
        [
            "CompleteWorkflow:our_relay (ours) below StartWorkflow:our_relay",
            "RunActivity:echo (python) below StartActivity:echo",
            "RunWorkflow:our_relay (ours) below StartWorkflow:our_relay",
            "StartActivity:echo (ours) below StartWorkflow:our_relay",
            "StartWorkflow:our_relay (python) below nothing",
        ]
    );
}
