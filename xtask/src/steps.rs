//! Steps, one after the other: what each is called, how long it took, and how to repeat the one that failed.

use std::process::Command;
use std::time::{Duration, Instant};

use timewright_testing::{ChildProcess, Output};

use crate::Result;
use crate::workspace::typed;

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    title: String,
    took: Duration,
    /// Why it did nothing.
    skipped: Option<String>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Does `work`, and says how long it took. `repeat` is what to type to do it again.
    pub(crate) fn run<T>(&mut self, title: &str, repeat: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("xtask: {title} …");
        let began = Instant::now();
        let outcome = work();
        let took = began.elapsed();
        match &outcome {
            Ok(_) => println!("xtask: {title}: {:.1} s", took.as_secs_f64()),
            Err(_) => println!("xtask: {title}: failed after {:.1} s", took.as_secs_f64()),
        }
        self.done.push(Step { title: title.to_owned(), took, skipped: None });
        outcome.map_err(|error| format!("the step `{title}` failed: {error}\nto repeat it: {repeat}"))
    }

    /// Runs a program to its end. It writes to where we write.
    pub(crate) fn command(&mut self, title: &str, command: Command) -> Result<()> {
        let repeat = typed(&command);
        self.run(title, &repeat, || run_to_end(title, command))
    }

    /// Says that a step does nothing here, and why.
    pub(crate) fn skip(&mut self, title: &str, why: &str) {
        println!("xtask: {title}: skipped, {why}");
        self.done.push(Step { title: title.to_owned(), took: Duration::ZERO, skipped: Some(why.to_owned()) });
    }

    /// All steps with their seconds, one a line.
    pub(crate) fn summary(&self) -> String {
        let width = self.done.iter().map(|step| step.title.chars().count()).max().unwrap_or(0).max("total".len());
        let mut summary = String::new();
        for Step { title, took, skipped } in &self.done {
            let note = skipped.as_ref().map(|why| format!("  skipped, {why}")).unwrap_or_default();
            summary += &format!("  {title:width$} {:8.1} s{note}\n", took.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        summary + &format!("  {:width$} {:8.1} s\n", "total", total.as_secs_f64())
    }
}

/// Runs a program to its end; what it wrote says what is wrong, so the error does not repeat it.
pub(crate) fn run_to_end(name: &str, command: Command) -> Result<()> {
    let mut process = ChildProcess::spawn_with(name, command, Output::Inherit).map_err(|error| error.to_string())?;
    let status = process.wait(LIMIT).map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}

/// No step takes this long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_is_named_with_the_command_that_repeats_it() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exit 3"]);
        let error = Steps::new().command("clippy", command).unwrap_err();
        assert_eq!(error, "the step `clippy` failed: it ended with exit status: 3\nto repeat it: /bin/sh -c 'exit 3'");
    }

    #[test]
    fn the_summary_has_every_step_and_their_sum() {
        let step = |title: &str, seconds, skipped: Option<&str>| Step {
            title: title.to_owned(),
            took: Duration::from_secs(seconds),
            skipped: skipped.map(str::to_owned),
        };
        let steps = Steps { done: vec![step("fmt", 1, None), step("cargo-deny", 0, Some("not installed"))] };
        assert_eq!(
            steps.summary(),
            "  fmt             1.0 s\n  cargo-deny      0.0 s  skipped, not installed\n  total           1.0 s\n"
        );
    }
}
