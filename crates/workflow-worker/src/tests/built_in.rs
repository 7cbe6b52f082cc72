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
