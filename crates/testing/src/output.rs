//! The lines that a child process has written so far, and a way to wait for the next.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Which of its two outputs a child wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// How a wait for a line ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Line(String),
    /// Both outputs are closed; no line will come any more.
    Closed,
    TimedOut,
}

/// All lines of both outputs, in the order of their arrival. Clones see the same lines.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<(Stream, String)>,
    /// Outputs that are still read.
    open: usize,
    /// Lines before this one were already answers to [`Lines::wait_for`].
    cursor: usize,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    /// Reads `pipe` to its end on a thread of its own. With `echo`, each line is also printed, with that name before
    /// it.
    pub(crate) fn read(&self, stream: Stream, pipe: impl Read + Send + 'static, echo: Option<String>) {
        self.lock().open += 1;
        let lines = self.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut bytes = Vec::new();
            // An error while reading means what the end of the file means: there is no more to come.
            while matches!(pipe.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
                let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
                if let Some(name) = &echo {
                    // A closed standard output of our own is no reason to stop reading.
                    let _ = writeln!(io::stdout(), "{name} | {line}");
                }
                lines.lock().lines.push((stream, line));
                lines.shared.1.notify_all();
                bytes.clear();
            }
            lines.lock().open -= 1;
            lines.shared.1.notify_all();
        });
    }

    /// The next line that contains `part`, counted from behind the last one found.
    pub(crate) fn wait_for(&self, part: &str, limit: Duration) -> Found {
        let mut line = None;
        let mut scanned = self.lock().cursor;
        let in_time = self.wait_until(limit, |state| {
            line = state.lines[scanned..].iter().position(|(_, line)| line.contains(part)).map(|at| scanned + at);
            scanned = state.lines.len();
            line.is_some() || state.open == 0
        });
        match line {
            Some(at) => {
                let mut state = self.lock();
                state.cursor = at + 1;
                Found::Line(state.lines[at].1.clone())
            }
            None if in_time => Found::Closed,
            None => Found::TimedOut,
        }
    }

    /// Waits until both outputs are closed. Grandchildren that hold them open are the reason for the limit.
    pub(crate) fn wait_until_closed(&self, limit: Duration) {
        self.wait_until(limit, |state| state.open == 0);
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().lines.iter().map(|(_, line)| line.clone()).collect()
    }

    pub(crate) fn of(&self, stream: Stream) -> Vec<String> {
        self.lock().lines.iter().filter(|(from, _)| *from == stream).map(|(_, line)| line.clone()).collect()
    }

    /// The last `count` lines, one below the other, for an error's text.
    pub(crate) fn tail(&self, count: usize) -> String {
        let lines = self.all();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    fn wait_until(&self, limit: Duration, mut condition: impl FnMut(&State) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        while !condition(&state) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            state = self.shared.1.wait_timeout(state, left).expect("no thread panics with the lock held").0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().expect("no thread panics with the lock held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn lines(text: &'static str) -> Lines {
        let lines = Lines::new();
        lines.read(Stream::Stdout, text.as_bytes(), None);
        lines
    }

    #[test]
    fn each_wait_goes_on_behind_the_line_that_the_last_one_found() {
        let lines = lines("one polling\ntwo\nthree polling\n");
        assert_eq!(lines.wait_for("polling", LIMIT), Found::Line("one polling".to_owned()));
        assert_eq!(lines.wait_for("polling", LIMIT), Found::Line("three polling".to_owned()));
        assert_eq!(lines.wait_for("polling", LIMIT), Found::Closed);
    }

    #[test]
    fn a_wait_that_finds_nothing_leaves_the_lines_to_the_next() {
        let lines = lines("one\ntwo\n");
        assert_eq!(lines.wait_for("three", LIMIT), Found::Closed);
        assert_eq!(lines.wait_for("one", LIMIT), Found::Line("one".to_owned()));
    }

    #[test]
    fn a_line_that_never_comes_is_waited_for_as_long_as_was_said() {
        let (pipe, _held_open) = io::pipe().unwrap();
        let lines = Lines::new();
        lines.read(Stream::Stdout, pipe, None);
        assert_eq!(lines.wait_for("anything", Duration::from_millis(30)), Found::TimedOut);
    }

    #[test]
    fn both_outputs_are_told_apart() {
        let lines = lines("out\n");
        lines.read(Stream::Stderr, "err\nerr again".as_bytes(), None);
        lines.wait_until_closed(LIMIT);
        assert_eq!(lines.of(Stream::Stdout), ["out"]);
        assert_eq!(lines.of(Stream::Stderr), ["err", "err again"]);
        assert_eq!(lines.all().len(), 3);
    }

    #[test]
    fn the_tail_of_few_lines_is_all_of_them() {
        let lines = lines("one\ntwo\nthree\n");
        lines.wait_until_closed(LIMIT);
        assert_eq!(lines.tail(2), "two\nthree");
        assert_eq!(lines.tail(20), "one\ntwo\nthree");
    }
}
