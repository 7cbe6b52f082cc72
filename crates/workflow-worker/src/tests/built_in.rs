//! What the Web UI and the CLI ask every workflow for.

use super::*;
use crate::{AnySignal, NamedUpdate};

struct Described;
impl Workflow for Described {
    type Definition = Definition;
    fn init(_info: &WorkflowInfo, _input: &String) -> Self {
        Self
    }
    async fn run(context: WorkflowContext<Self>, input: String) -> Result<String, WorkflowError> {
        assert_eq!(context.current_details(), "");
        context.set_current_details(format!("has *{input}*"));
        context.sleep(Duration::from_secs(1)).await?;
        context.register_handlers(|handlers| {
            handlers.update(NamedUpdate::new("late"), |_state, ()| Ok(()));
        });
        context.set_current_details(format!("{}, and slept", context.current_details()));
        context.sleep(Duration::from_secs(1)).await?;
        Ok(String::new())
    }
    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(AnySignal, |_state, _signal| ()).description("All the rest.");
        handlers.signal(Add, |_state, _word| ()).description("Adds a word.\nIt is not checked.");
        handlers.query(Words, |_state, ()| Ok(Vec::new())).description("All words.");
        handlers.update_async(Slow, |_context, word| async move { Ok(word) }).description("Takes its time.");
    }
}

/// What a Query gives: the Payload's encoding, and its data.
fn ask(instance: &mut Box<dyn Instance>, name: &str) -> (String, String) {
    let commands = instance.activate(activation(vec![query(name)])).unwrap_or_else(|problem| panic!("{problem:?}"));
    let [Command::AnswerQuery { answer: QueryAnswer::Succeeded(Some(payload)), .. }] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    let encoding = payload.metadata.iter().map(|(name, value)| format!("{name}={}", value.escape_ascii()));
    (encoding.collect::<Vec<_>>().join(" "), text(Some(payload)))
}

#[test]
fn metadata_tell_of_handlers_and_current_details() {
    let mut instance = start_instance::<Described>();
    show(instance.activate(activation(Vec::new())));
    let (encoding, metadata) = ask(&mut instance, "__temporal_workflow_metadata");
    assert_eq!(encoding, "encoding=json/protobuf messageType=temporal.api.sdk.v1.WorkflowMetadata");
    let expected = serde_json::json!({
        "currentDetails": "has *input*",
        "definition": {
            "type": "tested",
            "queryDefinitions": [
                { "name": "__enhanced_stack_trace", "description": "What the workflow waits for, as JSON." },
                { "name": "__stack_trace", "description": "What the workflow waits for, as text." },
                {
                    "name": "__temporal_workflow_metadata",
                    "description": "The workflow's type, its handlers, and its current details.",
                },
                { "name": "words", "description": "All words." },
            ],
            "signalDefinitions": [
                { "name": "", "description": "All the rest." },
                { "name": "add", "description": "Adds a word.\nIt is not checked." },
            ],
            "updateDefinitions": [{ "name": "slow", "description": "Takes its time." }],
        },
    });
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    assert_eq!(metadata, expected);

    show(instance.activate(activation(vec![fired(1)])));
    let (_, metadata) = ask(&mut instance, "__temporal_workflow_metadata");
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    assert_eq!(metadata["currentDetails"], "has *input*, and slept");
    assert_eq!(metadata["definition"]["updateDefinitions"][0]["name"], "late");
}

struct Waiting;
impl Workflow for Waiting {
    type Definition = Definition;
    fn init(_info: &WorkflowInfo, _input: &String) -> Self {
        Self
    }
    async fn run(context: WorkflowContext<Self>, input: String) -> Result<String, WorkflowError> {
        let activity = context.execute_activity(Echo, input.clone(), options().summary("says it again"));
        let never_awaited = context.sleep(Duration::from_secs(7));
        let timer = context.sleep(Duration::from_secs(3));
        let condition = context.wait_condition(|_| false);
        let (activity, timer, condition) = futures::join!(activity, timer, condition);
        drop(never_awaited);
        timer?;
        condition?;
        Ok(activity?)
    }
    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal_async(Add, |context, word| async move {
            context.execute_activity(Echo, word, options()).await?;
            std::future::pending::<()>().await;
            Ok(())
        });
        handlers.update_async(Slow, |context, word| async move {
            context.sleep(Duration::from_secs(60)).await?;
            Ok(word)
        });
    }
}

/// The line of this file that has this text first.
fn line(of: &str) -> usize {
    1 + include_str!("built_in.rs").lines().position(|line| line.contains(of)).expect("it is there")
}

#[test]
fn a_stack_trace_tells_what_each_routine_waits_for_and_where() {
    let mut instance = start_instance::<Waiting>();
    show(instance.activate(activation(Vec::new())));
    let update = timewright_protocol::workflow::Update {
        protocol_instance_id: "u".into(),
        id: "u-1".into(),
        name: "slow".into(),
        input: vec![payload("x")],
        run_validator: true,
        ..Default::default()
    };
    show(instance.activate(activation(vec![signal("a"), Job::Update(Box::new(update))])));
    let file = file!();
    let at = |of: &str| format!("at {file}:{}:", line(of));
    let expected = [
        "run".to_owned(),
        format!("  waits for activity \"echo\" (says it again), {}", at("let activity = ")),
        format!("  waits for timer of 3s, {}", at("let timer = ")),
        format!("  waits for a condition, {}", at("let condition = ")),
        "the handler of signal add".to_owned(),
        format!("  waits for activity \"echo\", {}", at("context.execute_activity(Echo, word")),
        "the handler of update slow (id u-1)".to_owned(),
        format!("  waits for timer of 60s, {}", at("from_secs(60)")),
    ];
    let (encoding, trace) = ask(&mut instance, "__stack_trace");
    assert_eq!(encoding, "encoding=json/plain");
    let trace: String = serde_json::from_str(&trace).expect("a text");
    let lines: Vec<_> = trace.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{trace}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line:?} is not {expected:?}");
    }

    let (encoding, trace) = ask(&mut instance, "__enhanced_stack_trace");
    assert_eq!(encoding, "encoding=json/protobuf messageType=temporal.api.sdk.v1.EnhancedStackTrace");
    let trace: serde_json::Value = serde_json::from_str(&trace).expect("JSON");
    assert_eq!(trace["sdk"]["name"], "timewright");
    let location = &trace["stacks"][0]["locations"][1];
    assert_eq!(location["filePath"], file);
    assert_eq!(location["line"], line("let timer = "));
    assert_eq!(location["functionName"], "run waits for timer of 3s");

    // What has ended is not waited for any more.
    show(instance.activate(activation(vec![completed(1, "x"), fired(2), completed(2, "x")])));
    let (_, trace) = ask(&mut instance, "__stack_trace");
    let trace: String = serde_json::from_str(&trace).expect("a text");
    assert!(trace.starts_with("run\n  waits for a condition, at ") && !trace.contains("activity"), "{trace}");
    let other =
        "the handler of signal add\n  waits for something that is not of its context, such as a lock, a channel or";
    assert!(trace.contains(other), "{trace}");
}

#[test]
fn a_workflow_that_has_ended_waits_for_nothing() {
    workflow!(Ends, |_context, _input| Ok(String::new()));
    let mut instance = start_instance::<Ends>();
    show(instance.activate(activation(Vec::new())));
    assert_eq!(ask(&mut instance, "__stack_trace").1, "\"nothing is waited for: the workflow has ended\\n\"");
}

#[test]
fn a_stack_trace_tells_of_coroutines_and_cancellation() {
    workflow!(Spawns, |context, _input| {
        let coroutine = context.spawn({
            let context = context.clone();
            async move { context.sleep(Duration::from_secs(4)).await }
        });
        context.cancelled().await;
        coroutine.await?;
        Ok(String::new())
    });
    let mut instance = start_instance::<Spawns>();
    show(instance.activate(activation(Vec::new())));
    let file = file!();
    let started = line("let coroutine = context.spawn");
    let expected = [
        "run".to_owned(),
        format!("  waits for cancellation, at {file}:{}:", line("context.cancelled().await")),
        format!("the coroutine that was started at {file}:{started}:"),
        format!("  waits for timer of 4s, at {file}:{}:", started + 2),
    ];
    let trace: String = serde_json::from_str(&ask(&mut instance, "__stack_trace").1).expect("a text");
    assert_eq!(trace.lines().count(), expected.len(), "{trace}");
    for (line, expected) in trace.lines().zip(&expected) {
        assert!(line.starts_with(expected), "{line:?} is not {expected:?}");
    }
    show(instance.activate(activation(vec![cancel_workflow()])));
    let trace: String = serde_json::from_str(&ask(&mut instance, "__stack_trace").1).expect("a text");
    assert_eq!(trace, "nothing is waited for: the workflow has ended\n");
}
