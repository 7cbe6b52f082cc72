//! Spans of workflows. They are ended as soon as they begin, since nothing can be held open over replays.

use std::sync::Arc;

use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use timewright::proto::SYSTEM_NEXUS_ENDPOINT;
use timewright::workflow::{
    Handling, InboundCall, InboundKind, InterceptorContext, OutboundCall, WorkflowError, WorkflowInterceptor,
};

use crate::next_id::{Direction, with_ids_of};
use crate::{NewSpan, Tracing, has_span};

pub(crate) struct Workflows(pub(crate) Arc<Tracing>);

/// A span of a workflow.
struct Moment<'a> {
    verb: &'static str,
    name: &'a str,
    kind: SpanKind,
    parent: &'a Context,
    link: Option<&'a Context>,
    /// Where it stands in the run, if it stands there again on replay.
    place: Option<(Direction, u64)>,
    error: Option<String>,
}

impl Workflows {
    /// The trace in which the workflow was started.
    fn of_workflow(&self, context: &InterceptorContext) -> Context {
        self.0.extract(&context.info().header.fields)
    }

    /// Emits a span; gives a context with it. `None` if there is to be none.
    fn emit(&self, context: &InterceptorContext, moment: Moment<'_>) -> Option<Context> {
        if !has_span(moment.parent) && !self.0.always_creates_workflow_spans {
            return None;
        }
        let info = context.info();
        let span = NewSpan {
            name: format!("{}:{}", moment.verb, moment.name),
            kind: moment.kind,
            attributes: vec![
                KeyValue::new("temporalWorkflowID", info.workflow_id.clone()),
                KeyValue::new("temporalRunID", info.run_id.clone()),
            ],
            parent: moment.parent,
            link: moment.link,
            at: Some(context.time()),
        };
        let started = with_ids_of(&info.run_id, moment.place, || self.0.start(span));
        if let Some(error) = &moment.error {
            let message = KeyValue::new("exception.message", error.clone());
            started.span().add_event_with_timestamp("exception", context.time(), vec![message]);
        }
        started.span().end_with_timestamp(context.time());
        Some(started)
    }
}

impl WorkflowInterceptor for Workflows {
    fn inbound(&self, context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
        // Queries are asked once, whatever the workflow is at.
        if context.is_replaying() && call.kind() != InboundKind::Query {
            return Ok(());
        }
        let (of_workflow, of_call) = (self.of_workflow(context), self.0.extract(&call.header.fields));
        let (verb, parent, link) = match call.kind() {
            InboundKind::Workflow => ("RunWorkflow", &of_workflow, None),
            InboundKind::Signal => ("HandleSignal", &of_workflow, Some(&of_call)),
            InboundKind::ValidateUpdate => ("ValidateUpdate", &of_workflow, Some(&of_call)),
            InboundKind::Update => ("HandleUpdate", &of_workflow, Some(&of_call)),
            InboundKind::Query if has_span(&of_call) => ("HandleQuery", &of_call, Some(&of_workflow)),
            _ => return Ok(()),
        };
        let place = context.call_number().map(|number| (Direction::Inbound, number));
        let moment = Moment { verb, name: call.name(), kind: SpanKind::Server, parent, link, place, error: None };
        self.emit(context, moment);
        Ok(())
    }

    fn around(&self, context: &InterceptorContext, call: &InboundCall, handling: Handling) -> Handling {
        if call.kind() != InboundKind::Workflow {
            return handling;
        }
        let (this, context, name) = (Self(Arc::clone(&self.0)), context.clone(), call.name().to_owned());
        Box::pin(async move {
            let result = handling.await;
            let error = match &result {
                Ok(_) => None,
                // It goes on, as another run or when code is mended.
                Err(error) if error.failure().is_none() || error.fails_workflow_task() => return result,
                Err(error) => error.failure().map(ToString::to_string),
            };
            if !context.is_replaying() {
                let parent = this.of_workflow(&context);
                let moment = Moment {
                    verb: "CompleteWorkflow",
                    name: &name,
                    kind: SpanKind::Internal,
                    parent: &parent,
                    link: None,
                    place: Some((Direction::End, 0)),
                    error,
                };
                this.emit(&context, moment);
            }
            result
        })
    }

    fn outbound(&self, context: &InterceptorContext, call: &mut OutboundCall<'_>) -> Result<(), WorkflowError> {
        if context.is_replaying() {
            return Ok(());
        }
        let parent = self.of_workflow(context);
        let verb = match call {
            OutboundCall::Activity(_) | OutboundCall::LocalActivity(_) => "StartActivity",
            OutboundCall::ChildWorkflow(_) => "StartChildWorkflow",
            OutboundCall::SignalExternalWorkflow(signal) if signal.workflow.child_workflow_only => {
                "SignalChildWorkflow"
            }
            OutboundCall::SignalExternalWorkflow(_) => "SignalExternalWorkflow",
            OutboundCall::SignalWithStartWorkflow(_) => "SignalWithStartWorkflow",
            // What is asked of the server itself has its own span, above.
            OutboundCall::NexusOperation(schedule) if schedule.endpoint == SYSTEM_NEXUS_ENDPOINT => return Ok(()),
            OutboundCall::NexusOperation(_) => "StartNexusOperation",
            OutboundCall::ContinueAsNew(next) => {
                // The next run belongs to the same trace.
                self.0.inject(&parent, next.header.get_or_insert_default());
                return Ok(());
            }
            _ => return Ok(()),
        };
        let place = context.call_number().map(|number| (Direction::Outbound, number));
        let name = call.name();
        let moment =
            Moment { verb, name: &name, kind: SpanKind::Client, parent: &parent, link: None, place, error: None };
        let Some(started) = self.emit(context, moment) else { return Ok(()) };
        if let Some(header) = call.header_mut() {
            self.0.inject(&started, header);
        } else if let Some(header) = call.nexus_header_mut() {
            self.0.inject_nexus(&started, header);
        }
        Ok(())
    }
}
