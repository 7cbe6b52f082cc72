//! The trace in the headers of calls: a map of texts under one name, as JSON, as other SDKs write it.

use std::collections::{BTreeMap, HashMap};

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector};
use timewright::converter::{Payload, Value};
use timewright::proto::common::Header;

use crate::Tracing;

#[derive(Default)]
struct Carrier(BTreeMap<String, String>);

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }
}

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

impl Tracing {
    /// Writes the trace of `context` into a header.
    pub(crate) fn inject(&self, context: &Context, header: &mut Header) {
        let carrier = self.carried(context);
        // A map of texts is always written.
        if !carrier.is_empty()
            && let Ok(payload) = carrier.to_payload()
        {
            header.fields.insert(HEADER.to_owned(), payload);
        }
    }

    /// Writes the trace of `context` into the header of a Nexus operation, where each part has a field of its own.
    pub(crate) fn inject_nexus(&self, context: &Context, header: &mut BTreeMap<String, String>) {
        header.extend(self.carried(context));
    }

    /// The trace that a header carries; an empty context where it carries none. A trace that cannot be read is no reason to fail
    /// anything.
    pub(crate) fn extract(&self, fields: &BTreeMap<String, Payload>) -> Context {
        let carried = fields.get(HEADER).and_then(|payload| read(payload.clone())).unwrap_or_default();
        self.propagator.extract_with_context(&Context::new(), &Carrier(carried))
    }

    fn carried(&self, context: &Context) -> BTreeMap<String, String> {
        let mut carrier = Carrier::default();
        self.propagator.inject_context(context, &mut carrier);
        carrier.0
    }
}

fn read(payload: Payload) -> Option<BTreeMap<String, String>> {
    let carried = HashMap::<String, String>::from_payload(payload).ok()?;
    Some(carried.into_iter().collect())
}

/// As the other SDKs call it.
const HEADER: &str = "_tracer-data";
