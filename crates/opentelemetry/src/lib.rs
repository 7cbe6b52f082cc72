//! OpenTelemetry traces of workflows and activities: from the client's call through workflows, activities, Child Workflows and
//! messages, over all programs that take part.
//!
//! [`OpenTelemetry`] is a [`Plugin`]: registered with a client's options, it traces the client's calls and all workers that are
//! built with the client.
//!
//! ```
//! use timewright::WithPlugin;
//! use timewright::client::ClientOptions;
//! use timewright_opentelemetry::OpenTelemetry;
//!
//! // Behind the set-up of OpenTelemetry itself: `global::set_tracer_provider`.
//! let options = ClientOptions::new("http://127.0.0.1:7233").plugin(OpenTelemetry::new());
//! ```
//!
//! The trace goes along in the header `_tracer-data`, in W3C's form, as Temporal's SDKs for Python, TypeScript, .NET, Ruby and Go
//! write it, so that it goes on in their workers, and theirs in ours. Spans have the names and attributes that those SDKs
//! give them:
//!
//! | span | kind | parent | attributes |
//! |---|---|---|---|
//! | `StartWorkflow:TYPE`, `SignalWorkflow:NAME`, `QueryWorkflow:NAME`, `StartWorkflowUpdate:NAME` | client | the caller's | `temporalWorkflowID` |
//! | `StartActivity:TYPE` of a client | client | the caller's | `temporalActivityID`, `temporalActivityType` |
//! | `RunWorkflow:TYPE` | server | the start of the workflow | `temporalWorkflowID`, `temporalRunID` |
//! | `HandleSignal:NAME`, `ValidateUpdate:NAME`, `HandleUpdate:NAME` | server | the start of the workflow; the message is linked | likewise |
//! | `HandleQuery:NAME` | server | the Query; the workflow is linked | likewise |
//! | `StartActivity:TYPE`, `StartChildWorkflow:TYPE`, `SignalChildWorkflow:NAME`, `SignalExternalWorkflow:NAME`, `SignalWithStartWorkflow:NAME`, `StartNexusOperation:SERVICE/OPERATION` | client | the start of the workflow | likewise |
//! | `CompleteWorkflow:TYPE` | internal | the start of the workflow | likewise |
//! | `RunActivity:TYPE` | server | its `StartActivity` | `temporalActivityID`, `temporalWorkflowID`, `temporalRunID` |
//!
//! Spans of workflows have no duration: a workflow waits for days, is replayed, and moves from worker to worker, so nothing can be
//! held open; they say when something happened, and the spans of activities how long it took. On replay nothing is emitted. With
//! the feature `sdk` their ids are the same also where a Workflow Task is tried again: `StableIds`.
//!
//! Workflows that were started without a trace, by a schedule or the command line, have none, unless
//! [`always_create_workflow_spans`](OpenTelemetry::always_create_workflow_spans) says so.
#![forbid(unsafe_code)]

mod activity;
mod carrier;
mod client;
#[cfg(feature = "sdk")]
mod ids;
mod next_id;
mod w3c;
mod workflow;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use timewright::Plugin;
use timewright::activity::ActivityWorkerBuilder;
use timewright::client::ClientOptions;
use timewright::workflow::WorkflowWorkerBuilder;

#[cfg(feature = "sdk")]
pub use ids::StableIds;

/// Traces a client's calls, and the workers that are built with it. See above, at the crate, for what it emits. Cheap to clone.
#[derive(Clone)]
#[must_use = "it does nothing until it is registered as a plugin"]
pub struct OpenTelemetry(Arc<Tracing>);

/// What all parts share.
struct Tracing {
    tracer: Arc<BoxedTracer>,
    propagator: Arc<dyn TextMapPropagator + Send + Sync>,
    always_creates_workflow_spans: bool,
}

/// A span to start.
struct NewSpan<'a> {
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    parent: &'a Context,
    link: Option<&'a Context>,
    at: Option<SystemTime>,
}

impl OpenTelemetry {
    /// With a tracer of the global provider, which must have been set before.
    pub fn new() -> Self {
        Self::of(global::tracer(SCOPE))
    }

    /// With this tracer.
    pub fn with_tracer<T>(tracer: T) -> Self
    where
        T: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    {
        Self::of(BoxedTracer::new(Box::new(tracer)))
    }

    fn of(tracer: BoxedTracer) -> Self {
        Self(Arc::new(Tracing {
            tracer: Arc::new(tracer),
            propagator: Arc::new(w3c::TraceContext),
            always_creates_workflow_spans: false,
        }))
    }

    /// Writes and reads what goes along in this form, in place of W3C's trace context: with baggage, say. All programs that take
    /// part must have the same.
    pub fn propagator(self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.changed(|tracing| tracing.propagator = Arc::new(propagator))
    }

    /// Whether workflows that were started without a trace have spans all the same. Each of those is the beginning of a trace of
    /// its own, unless the tracer's provider has `StableIds`. Default: they have none.
    pub fn always_create_workflow_spans(self, always: bool) -> Self {
        self.changed(|tracing| tracing.always_creates_workflow_spans = always)
    }

    fn changed(self, change: impl FnOnce(&mut Tracing)) -> Self {
        let Tracing { tracer, propagator, always_creates_workflow_spans } = &*self.0;
        let mut tracing = Tracing {
            tracer: Arc::clone(tracer),
            propagator: Arc::clone(propagator),
            always_creates_workflow_spans: *always_creates_workflow_spans,
        };
        change(&mut tracing);
        Self(Arc::new(tracing))
    }
}

impl Default for OpenTelemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for OpenTelemetry {
    fn name(&self) -> &str {
        SCOPE
    }

    fn configure_client(&self, options: ClientOptions) -> ClientOptions {
        options.interceptor(client::Calls(Arc::clone(&self.0)))
    }

    fn configure_workflow_worker(&self, builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
        builder.interceptor(workflow::Workflows(Arc::clone(&self.0)))
    }

    fn configure_activity_worker(&self, builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
        builder.layer(activity::Activities(Arc::clone(&self.0)))
    }
}

impl Tracing {
    /// A context with a span that has begun.
    fn start(&self, span: NewSpan<'_>) -> Context {
        let NewSpan { name, kind, attributes, parent, link, at } = span;
        let mut builder = self.tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
        if let Some(link) = link.map(|link| link.span().span_context().clone()).filter(|link| link.is_valid()) {
            builder = builder.with_links(vec![Link::with_context(link)]);
        }
        if let Some(at) = at {
            builder = builder.with_start_time(at);
        }
        parent.with_span(self.tracer.build_with_context(builder, parent))
    }
}

/// Ends the span of a context, with an error where there is one.
fn end(context: &Context, error: Option<String>) {
    let span = context.span();
    if let Some(error) = error {
        span.set_status(Status::error(error));
    }
    span.end();
}

/// Whether there is a span to go on from.
fn has_span(context: &Context) -> bool {
    context.span().span_context().is_valid()
}

impl fmt::Debug for OpenTelemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenTelemetry").finish_non_exhaustive()
    }
}

/// What OpenTelemetry calls the instrumentation scope; also the name of the plugin.
const SCOPE: &str = "timewright-opentelemetry";
