//! What comes in while Local Activities are executed.

use std::time::SystemTime;

use timewright_protocol::workflow::{LocalActivityAttempt, RunKey};

use super::super::local;
use super::{TaskOptions, World, is_run};

impl World {
    /// The server writes the last answer down, and these Events; then comes the next task. A cached Run gets what it does not
    /// know, another all.
    pub(super) fn next(&mut self, words: &[&str]) {
        let (run, words) = match words {
            [run, words @ ..] if is_run(run) => (*run, words),
            words => ("A", words),
        };
        let (queries, words): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with('?'));
        let (known, mut history) = self.completed.remove(run).expect("the server took the last answer");
        for word in words.into_iter().chain(["WFT*"]) {
            history.go_on(word);
        }
        history.deliver_behind(if self.runs.key(run).is_some() { known } else { 0 });
        let queries = queries.into_iter().filter_map(|query| query.strip_prefix('?')).map(str::to_owned).collect();
        self.task(run, TaskOptions { queries, ..TaskOptions::default() }, history);
    }

    /// `[A] 1 OUTCOME [x2] [at 3.5s] [stale]`: an attempt ends.
    pub(super) fn local(&mut self, words: &[&str]) {
        let (run, words) = match words {
            [run, words @ ..] if is_run(run) => (*run, words),
            words => ("A", words),
        };
        let [sequence, words @ ..] = words else { panic!("which Local Activity?") };
        let sequence = sequence.parse().expect("the number of a Local Activity");
        let (stale, words) = match words {
            [words @ .., "stale"] => (true, words),
            words => (false, words),
        };
        let (finished_at, words) = match words {
            [words @ .., "at", time] => (local::seconds(time), words),
            words => (self.clock, words),
        };
        let (attempt, words) = match words {
            [words @ .., attempt] if attempt.starts_with('x') => (attempt[1..].parse().ok(), words),
            words => (None, words),
        };
        // Of a Run that has left, the first that there was.
        let of_run = |(key, number): &&(RunKey, u32)| {
            key.run_id() == run && *number == sequence && stale != (self.runs.key(run).as_ref() == Some(key))
        };
        let (key, started) = match self.local.keys().find(of_run) {
            Some(known) => (known.0.clone(), self.local[known].attempt),
            None => (self.keys.get(run).expect("a run that was there").clone(), 1),
        };
        let attempt = LocalActivityAttempt {
            sequence,
            attempt: attempt.unwrap_or(started),
            outcome: local::outcome(words),
            finished_at: SystemTime::UNIX_EPOCH + finished_at,
        };
        self.runs.handle_local_activity(&key, attempt);
    }

    /// Whether anything could come of this step now.
    pub(in super::super) fn makes_sense(&self, step: &str) -> bool {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words.as_slice() {
            ["next", ..] => self.completed.contains_key("A") && !self.server_waits,
            ["time", _] => self.runs.poll_timeout().is_some(),
            ["local", sequence, ..] => {
                let is_executed = |key: &RunKey| self.local.contains_key(&(key.clone(), sequence.parse().unwrap_or(0)));
                self.runs.key("A").is_some_and(|key| is_executed(&key))
            }
            ["code", "waits"] => !self.code_waits,
            ["code", "answers"] => self.code_waits,
            ["server", "waits"] => !self.server_waits,
            ["server", _] => self.server_waits && !self.waiting.completions.is_empty(),
            ["evict", run] => self.runs.key(run).is_some(),
            other => panic!("{other:?} is no step for every order"),
        }
    }

    /// All answer, and a task that waits for Local Activities is completed.
    pub(in super::super) fn come_to_an_end(&mut self) {
        self.step("code answers");
        if self.runs.poll_timeout().is_some() {
            self.step("time 1000s");
        }
        self.step("server takes");
    }
}
