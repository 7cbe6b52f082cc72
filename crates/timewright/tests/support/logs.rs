//! What is logged while a test runs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::within;

/// The log of this test's thread, and so of all that runs on its (single-threaded) runtime.
pub(crate) struct Logs {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    text: Mutex<String>,
    grown: Notify,
}

impl Logs {
    /// Keeps what is logged from now on until this is dropped.
    pub(crate) fn capture() -> Self {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Waits for so many lines that contain `part`, and gives them.
    pub(crate) async fn wait_for(&self, part: &str, count: usize) -> Vec<String> {
        within(format!("{count} lines with {part:?} in the log"), async {
            loop {
                let grown = self.lines.0.grown.notified();
                let lines: Vec<_> =
                    self.lines.text().lines().filter(|line| line.contains(part)).map(str::to_owned).collect();
                if lines.len() >= count {
                    return lines;
                }
                grown.await;
            }
        })
        .await
    }
}

impl Lines {
    fn text(&self) -> String {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&String::from_utf8_lossy(bytes));
        self.0.grown.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
