//! Ids of workflows' spans that are the same however often a Workflow Task is tried.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use crate::next_id;

/// Ids for a tracer provider: those of spans of workflows follow from the run and the place in it, so that a Workflow Task which is
/// tried again emits no span twice, as far as a backend goes by ids; all others come from another generator.
///
/// ```
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use timewright_opentelemetry::StableIds;
///
/// let provider = SdkTracerProvider::builder().with_id_generator(StableIds::new()).build();
/// ```
#[derive(Debug, Clone)]
pub struct StableIds<G = RandomIdGenerator> {
    others: G,
}

impl StableIds {
    /// With random ids for spans that are not of workflows.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "with the default of a type parameter, `default()` would not say which"
    )]
    pub fn new() -> Self {
        Self { others: RandomIdGenerator::default() }
    }
}

impl<G> StableIds<G> {
    /// With this generator for spans that are not of workflows.
    pub const fn with_others(others: G) -> Self {
        Self { others }
    }
}

impl<G: IdGenerator> IdGenerator for StableIds<G> {
    fn new_trace_id(&self) -> TraceId {
        next_id::next().map_or_else(|| self.others.new_trace_id(), |ids| TraceId::from(ids.trace))
    }

    fn new_span_id(&self) -> SpanId {
        next_id::next().map_or_else(|| self.others.new_span_id(), |ids| SpanId::from(ids.span))
    }
}
