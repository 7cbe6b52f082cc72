//! Spans of a client's calls.

use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use timewright::client::{CallEnd, ClientCall, ClientInterceptor, ContextValues, RpcError};

use crate::{NewSpan, Tracing, end, has_span};

pub(crate) struct Calls(pub(crate) Arc<Tracing>);

impl ClientInterceptor for Calls {
    fn intercept(&self, values: &ContextValues, call: &mut ClientCall<'_>) -> Result<Option<CallEnd>, RpcError> {
        let Some(verb) = verb(call) else { return Ok(None) };
        let current = Context::current();
        // Code on a thread of its own has no current one; the client of an activity has the activity's.
        let parent = match values.get::<Context>() {
            Some(context) if !has_span(&current) => context.clone(),
            _ => current,
        };
        let context = self.0.start(NewSpan {
            name: format!("{verb}:{}", call.name().unwrap_or_default()),
            kind: SpanKind::Client,
            attributes: attributes(call),
            parent: &parent,
            link: None,
            at: None,
        });
        if let Some(header) = call.header_mut() {
            self.0.inject(&context, header);
        }
        Ok(Some(Box::new(move |outcome| end(&context, outcome.err().map(ToString::to_string)))))
    }
}

/// What a span calls it; `None` for calls that have no span, as in other SDKs.
fn verb(call: &ClientCall<'_>) -> Option<&'static str> {
    match call {
        ClientCall::StartWorkflow(_) => Some("StartWorkflow"),
        ClientCall::SignalWorkflow(_) => Some("SignalWorkflow"),
        ClientCall::QueryWorkflow(_) => Some("QueryWorkflow"),
        ClientCall::UpdateWorkflow(_) => Some("StartWorkflowUpdate"),
        ClientCall::StartActivity(_) => Some("StartActivity"),
        _ => None,
    }
}

fn attributes(call: &ClientCall<'_>) -> Vec<KeyValue> {
    let workflow = call.workflow_id().map(|id| KeyValue::new("temporalWorkflowID", id.to_owned()));
    let activity = call.activity_id().map(|id| KeyValue::new("temporalActivityID", id.to_owned()));
    let activity_type = call.name().filter(|_| call.activity_id().is_some());
    let activity_type = activity_type.map(|name| KeyValue::new("temporalActivityType", name.to_owned()));
    [workflow, activity, activity_type].into_iter().flatten().collect()
}
