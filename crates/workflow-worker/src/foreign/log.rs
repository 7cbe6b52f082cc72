//! What foreign code says to `tracing` goes along with its answer.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::dispatcher::Dispatch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::wire::{LogLevel, LogRecord};

/// What was said since the last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<LogRecord>>>);

/// Code that logs in a loop must not make its answer too large, nor flood the worker's log.
pub(super) const MOST_RECORDS: usize = 1_000;

impl Log {
    pub(super) fn dispatch(&self) -> Dispatch {
        Dispatch::new(self.clone())
    }

    pub(super) fn take(&self) -> Vec<LogRecord> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1) // spans are the worker's
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() < MOST_RECORDS {
            let text = format!("{}{}", text.message, text.fields);
            records.push(LogRecord { level, target: metadata.target().to_owned(), text });
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Nothing can go wrong when one writes to a text.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
