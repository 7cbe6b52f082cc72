//! Traces go through programs of both sides.

use std::collections::BTreeMap;

use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, SpanId, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use serde_json::{Value, json};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, UpdateOptions};
use timewright::converter::{Payload, Value as _};
use timewright::workflow::{ChildWorkflowOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{WithPlugin, workflow};
use timewright_opentelemetry::{OpenTelemetry, StableIds};

use super::definitions::RelayInput;
use super::{json, ours};
use crate::support::background::run_workflows;
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
    links: Vec<String>,
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
        links: span.links.iter().map(|link| link.span_context.span_id().to_string()).collect(),
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
        links: span["links"].as_array().into_iter().flatten().filter_map(text).collect(),
        workflow_id: text(&span["attributes"]["temporalWorkflowID"]),
    });
    theirs.collect()
}

/// `NAME (SIDE) below PARENT, linked to NAME`, in alphabetical order. All of them are of one trace, and of one workflow or its
/// children, whose ids begin as its own does.
fn tree(spans: &[Span], workflow_id: &str) -> Vec<String> {
    let names: BTreeMap<&str, &str> = spans.iter().map(|span| (span.span_id.as_str(), span.name.as_str())).collect();
    assert_eq!(names.len(), spans.len(), "each has an id of its own");
    let mut lines: Vec<_> = spans
        .iter()
        .map(|span| {
            assert_eq!(span.trace_id, spans[0].trace_id);
            assert!(span.workflow_id.as_deref().is_none_or(|id| id.starts_with(workflow_id)), "{}", span.name);
            let name = |id: &String| names.get(id.as_str()).copied().unwrap_or("(unknown)");
            let parent = span.parent_id.as_ref().map_or("nothing", name);
            let links: String = span.links.iter().map(|id| format!(", linked to {}", name(id))).collect();
            format!("{} ({}) below {parent}{links}", span.name, span.side)
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

/// Python's `PythonTalk`.
#[derive(Default)]
struct TalkWorkflow {
    words: Vec<String>,
}

#[workflow]
impl TalkWorkflow {
    #[run]
    async fn run(
        context: WorkflowContext<Self>,
        child: Option<(String, String)>,
    ) -> Result<Vec<String>, WorkflowError> {
        context.wait_condition(|state| state.words.len() == 2).await?;
        let words = context.state(|state| state.words.clone());
        if let Some((workflow_type, task_queue)) = child {
            let id = format!("{}-child", context.info().workflow_id);
            let options = ChildWorkflowOptions::new(id).task_queue(task_queue);
            let nobody = vec![None::<()>.to_payload()?];
            let child = context.start_child_workflow_untyped(&workflow_type, nobody, options).await?;
            for word in &words {
                child.signal_untyped("say", vec![word.to_payload()?]).await?;
            }
            child.await?;
        }
        Ok(words)
    }

    #[signal]
    fn say(&mut self, word: String) {
        self.words.push(word);
    }

    #[update(validator = is_a_word)]
    fn add(&mut self, word: String) -> usize {
        self.words.push(word);
        self.words.len()
    }

    fn is_a_word(&self, word: &str) -> Result<(), WorkflowError> {
        if word.is_empty() { Err("no word".into()) } else { Ok(()) }
    }

    #[query]
    fn count(&self) -> usize {
        self.words.len()
    }
}

/// A Signal, a Query, an Update and a child: each side has the one end once, and the other end once.
#[tokio::test]
async fn messages_and_children_are_seen_by_both_sides() {
    let (client, exporter, provider) = traced_client().await;
    let (python_queue, our_queue) = (unique("python"), unique("ours"));
    let python = PythonWorker::start_traced(&[&python_queue]).await;
    let workflows = WorkflowWorker::builder(client.clone(), &our_queue).workflow::<TalkWorkflow>();
    let _worker = run_workflows(workflows.build().expect("a worker"));
    let word = |word: &str| vec![word.to_owned().to_payload().expect("a text")];

    let ours = (&our_queue, "Talk", "ours");
    let theirs = (&python_queue, "PythonTalk", "python");
    for ((queue, talk, side), (child_queue, child_talk, child_side)) in [(ours, theirs), (theirs, ours)] {
        let (seen_of_ours, seen_of_python) = (of_ours(&exporter).len(), python.spans().len());
        let child = Some((child_talk.to_owned(), child_queue.clone())).to_payload().expect("texts");
        let call = Context::current_with_span(provider.tracer("test").start("call"));
        let talking = async {
            let options = StartWorkflowOptions::new(queue, unique("talk"));
            let handle = client.start_workflow_untyped(talk, vec![child], options).await.expect("it starts");
            handle.signal("say", word("one")).await.expect("it is sent");
            within("an answer", handle.query("count", Vec::new())).await.expect("it is answered");
            let two = handle.update("add", word("two"), UpdateOptions::default());
            within("an answer", two).await.expect("it is taken");
            handle
        };
        let handle = talking.with_context(call.clone()).await;
        call.span().end();
        within("the result", handle.result()).await.expect("it completes");

        let mut expected = [
            format!("CompleteWorkflow:{child_talk} ({child_side}) below StartChildWorkflow:{child_talk}"),
            format!("CompleteWorkflow:{talk} ({side}) below StartWorkflow:{talk}"),
            format!("HandleQuery:count ({side}) below QueryWorkflow:count, linked to StartWorkflow:{talk}"),
            format!(
                "HandleSignal:say ({child_side}) below StartChildWorkflow:{child_talk}, linked to SignalChildWorkflow:say"
            ),
            format!(
                "HandleSignal:say ({child_side}) below StartChildWorkflow:{child_talk}, linked to SignalChildWorkflow:say"
            ),
            format!("HandleSignal:say ({side}) below StartWorkflow:{talk}, linked to SignalWorkflow:say"),
            format!("HandleUpdate:add ({side}) below StartWorkflow:{talk}, linked to StartWorkflowUpdate:add"),
            "QueryWorkflow:count (ours) below call".to_owned(),
            format!("RunWorkflow:{child_talk} ({child_side}) below StartChildWorkflow:{child_talk}"),
            format!("RunWorkflow:{talk} ({side}) below StartWorkflow:{talk}"),
            format!("SignalChildWorkflow:say ({side}) below StartWorkflow:{talk}"),
            format!("SignalChildWorkflow:say ({side}) below StartWorkflow:{talk}"),
            "SignalWorkflow:say (ours) below call".to_owned(),
            format!("StartChildWorkflow:{child_talk} ({side}) below StartWorkflow:{talk}"),
            format!("StartWorkflow:{talk} (ours) below call"),
            "StartWorkflowUpdate:add (ours) below call".to_owned(),
            format!("ValidateUpdate:add ({side}) below StartWorkflow:{talk}, linked to StartWorkflowUpdate:add"),
            "call (ours) below nothing".to_owned(),
        ];
        expected.sort_unstable();
        let spans = poll_until("all spans", || {
            let mut spans = of_ours(&exporter).split_off(seen_of_ours);
            spans.extend(of_python(python.spans()).split_off(seen_of_python));
            let all = expected.len();
            async move { (spans.len() >= all).then_some(spans) }
        });
        assert_eq!(tree(&spans.await, handle.workflow_id()), expected);
    }
}
