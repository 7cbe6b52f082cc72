//! W3C's trace context: `traceparent` and `tracestate`. <https://www.w3.org/TR/trace-context/>
//!
//! OpenTelemetry's own is in its SDK, which instrumentation does not depend on.

use std::str::FromStr;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

#[derive(Debug)]
pub(crate) struct TraceContext;

impl TextMapPropagator for TraceContext {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() {
            return;
        }
        let flags = (span.trace_flags() & TraceFlags::SAMPLED).to_u8();
        injector.set(TRACE_PARENT, format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()));
        let state = span.trace_state().header();
        if !state.is_empty() {
            injector.set(TRACE_STATE, state);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let state = extractor.get(TRACE_STATE).and_then(|text| TraceState::from_str(text).ok()).unwrap_or_default();
        match extractor.get(TRACE_PARENT).and_then(|text| parse(text.trim(), state)) {
            Some(span) => context.with_remote_span_context(span),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&[])
    }
}

fn parse(text: &str, state: TraceState) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may have more parts; 255 is none.
    let is_known = match hexadecimal(version, 2)? {
        "00" => parts.next().is_none(),
        version => version != "ff",
    };
    let flags = u8::from_str_radix(hexadecimal(flags, 2)?, 16).ok()?;
    let trace = TraceId::from_hex(hexadecimal(trace, 32)?).ok()?;
    let span = SpanId::from_hex(hexadecimal(span, 16)?).ok()?;
    let span = SpanContext::new(trace, span, TraceFlags::new(flags) & TraceFlags::SAMPLED, true, state);
    (is_known && span.is_valid()).then_some(span)
}

/// So many digits, in lower case.
fn hexadecimal(text: &str, digits: usize) -> Option<&str> {
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (text.len() == digits && is_hexadecimal).then_some(text)
}

const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn gone_through(parent: &str) -> Option<String> {
        let carrier = HashMap::from([
            (TRACE_PARENT.to_owned(), parent.to_owned()),
            (TRACE_STATE.to_owned(), "vendor=value".to_owned()),
        ]);
        let context = TraceContext.extract_with_context(&Context::new(), &carrier);
        let mut written = HashMap::new();
        TraceContext.inject_context(&context, &mut written);
        assert!(written.is_empty() || written[TRACE_STATE] == "vendor=value", "{written:?}");
        written.remove(TRACE_PARENT)
    }

    #[test]
    fn what_is_read_is_written_again_and_what_is_none_is_not_read() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(gone_through(valid).as_deref(), Some(valid));
        assert_eq!(
            gone_through("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").as_deref(),
            Some(valid)
        );
        for invalid in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(gone_through(invalid), None, "{invalid}");
        }
    }
}
