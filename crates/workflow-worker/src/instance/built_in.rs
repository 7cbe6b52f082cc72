//! Queries that every workflow answers: what Temporal's Web UI and CLI ask for.

use serde_json::{Value as Json, json};
use timewright_converter::{ConversionError, Payload, Value};

use super::WorkflowInstance;
use crate::handlers::{Handlers, Table};
use crate::workflow::Workflow;

/// Their names and what they are for.
const QUERIES: [(&str, &str); 3] = [
    ("__enhanced_stack_trace", "What the workflow waits for, as JSON."),
    ("__stack_trace", "What the workflow waits for, as text."),
    ("__temporal_workflow_metadata", "The workflow's type, its handlers, and its current details."),
];

impl<W: Workflow> WorkflowInstance<W> {
    /// The answer to a Query that is not the workflow's own; `None` for others.
    pub(super) fn built_in_answer(&self, name: &str) -> Option<Result<Payload, ConversionError>> {
        match name {
            "__temporal_workflow_metadata" => Some(protobuf("temporal.api.sdk.v1.WorkflowMetadata", &self.metadata())),
            "__stack_trace" => Some(self.stack_trace().to_payload()),
            "__enhanced_stack_trace" => {
                Some(protobuf("temporal.api.sdk.v1.EnhancedStackTrace", &self.enhanced_stack_trace()))
            }
            _ => None,
        }
    }

    fn metadata(&self) -> Json {
        let definitions = self.context.messages().look_at_handlers(|Handlers { signals, queries, updates, .. }| {
            let built_in = QUERIES.map(|(name, description)| (Some(name), description));
            let mut queries: Vec<_> = described(queries).chain(built_in).collect();
            queries.sort_unstable();
            json!({
                "type": self.context.info().workflow_type,
                "queryDefinitions": interactions(queries.into_iter()),
                "signalDefinitions": interactions(described(signals)),
                "updateDefinitions": interactions(described(updates)),
            })
        });
        json!({ "definition": definitions, "currentDetails": self.context.current_details() })
    }
}

/// Names, in their order, and descriptions; the dynamic handler has no name and comes first.
fn described<H>(table: &Table<H>) -> impl Iterator<Item = (Option<&str>, &str)> {
    table.details().map(|(name, details)| (name, details.description.as_str()))
}

fn interactions<'a>(handlers: impl Iterator<Item = (Option<&'a str>, &'a str)>) -> Json {
    handlers
        .map(|(name, description)| json!({ "name": name.unwrap_or_default(), "description": description }))
        .collect()
}

/// A message in the JSON form of Protocol Buffers.
fn protobuf(message_type: &str, message: &Json) -> Result<Payload, ConversionError> {
    let mut payload = message.to_payload()?;
    payload.metadata.insert("encoding".to_owned(), "json/protobuf".into());
    payload.metadata.insert("messageType".to_owned(), message_type.to_owned().into());
    Ok(payload)
}
