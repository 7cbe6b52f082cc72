//! A program that a test runs beside itself.

use std::fmt;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::guard::Guard;
use crate::output::{Found, Lines, Stream};
use crate::signal::{Signal, SignalError};

/// A running program: its output line by line, signals to it, and its certain end.
///
/// It is killed and reaped when this is dropped, with whatever it started itself, and also when the program that holds
/// this is killed. Its standard input is empty.
///
/// ```
/// use std::process::Command;
/// use std::time::Duration;
/// use timewright_testing::{ChildProcess, Signal};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut command = Command::new("/bin/sh");
/// command.args(["-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"]);
///
/// let mut worker = ChildProcess::spawn("worker", command)?;
/// worker.wait_for_line("ready", Duration::from_secs(10))?;
/// worker.signal(Signal::Terminate)?;
/// assert_eq!(worker.wait(Duration::from_secs(10))?.code(), Some(7));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ChildProcess {
    name: String,
    child: Child,
    /// Set once the child is reaped: from then on its id may be another process's.
    status: Option<ExitStatus>,
    /// What `kill` is told: the child's own process group, or the child alone where it shares ours.
    kill_target: String,
    lines: Lines,
    /// `None` from the moment in which the child was reaped.
    guard: Option<Guard>,
}

/// Where a [`ChildProcess`] writes to.
#[derive(Debug)]
pub enum Output {
    /// To us: [`ChildProcess::lines`] and [`ChildProcess::wait_for_line`] see it.
    Capture,
    /// As [`Output::Capture`], and each line is also printed, with the process's name before it.
    Echo,
    /// To a file, both outputs in one.
    File(File),
    /// To where we write. The process stays in our process group, so that Ctrl-C on a terminal reaches it.
    Inherit,
}

/// A program that did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnError {
    /// What the process was to be called.
    pub process: String,
    /// The program's path.
    pub program: String,
    /// Why not, in the operating system's words.
    pub reason: String,
}

/// A wait that was in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// The process ended, or closed its output, before it wrote the line that was waited for.
    Ended {
        /// What the process was called.
        process: String,
        /// What was waited for.
        awaited: String,
        /// How the process ended, or that it still runs.
        how: String,
        /// The last lines that it wrote.
        last_lines: String,
    },
    /// The time is over.
    TimedOut {
        /// What the process was called.
        process: String,
        /// What was waited for.
        awaited: String,
        /// How long.
        limit: Duration,
        /// The last lines that it wrote.
        last_lines: String,
    },
}

impl ChildProcess {
    /// Starts a program and captures what it writes. `name` is what errors call it.
    pub fn spawn(name: impl Into<String>, command: Command) -> Result<Self, SpawnError> {
        Self::spawn_with(name, command, Output::Capture)
    }

    /// Starts a program that writes to `output`.
    pub fn spawn_with(name: impl Into<String>, mut command: Command, output: Output) -> Result<Self, SpawnError> {
        let name = name.into();
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |reason: String| SpawnError { process: name.clone(), program: program.clone(), reason };

        let own_group = !matches!(output, Output::Inherit);
        let echo = matches!(output, Output::Echo).then(|| name.clone());
        command.stdin(Stdio::null());
        match output {
            Output::Capture | Output::Echo => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
            Output::File(file) => {
                let copy = file.try_clone().map_err(|error| failed(error.to_string()))?;
                command.stdout(file).stderr(copy);
            }
            Output::Inherit => {
                command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
            }
        }
        if own_group {
            command.process_group(0); // so that what it starts itself can be ended with it
        }

        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let kill_target = if own_group { format!("-{}", child.id()) } else { child.id().to_string() };
        let guard = match Guard::watch(&kill_target) {
            Ok(guard) => guard,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("its guard did not start: {error}")));
            }
        };
        let lines = Lines::new();
        if let Some(pipe) = child.stdout.take() {
            lines.read(Stream::Stdout, pipe, echo.clone());
        }
        if let Some(pipe) = child.stderr.take() {
            lines.read(Stream::Stderr, pipe, echo);
        }
        Ok(Self { name, child, status: None, kill_target, lines, guard: Some(guard) })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What errors call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it runs still; a stopped process does.
    pub fn is_running(&mut self) -> bool {
        self.status().is_none()
    }

    /// How it ended, or `None` while it runs.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            // Fails only where the child was reaped by somebody else, which nobody here does.
            self.status = self.child.try_wait().ok().flatten();
            if self.status.is_some() {
                self.guard = None;
            }
        }
        self.status
    }

    /// Waits until it has ended and all that it wrote is captured.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, WaitError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.status() {
                self.lines.wait_until_closed(OUTPUT_GRACE);
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.timed_out("its end".to_owned(), limit));
            }
            thread::sleep(WAIT_INTERVAL);
        }
    }

    /// Waits for the next line of either output that contains `part`, and returns it.
    ///
    /// What was written before the call counts; what an earlier call found, and what came before that, does not. Fails
    /// at once when the process ends without such a line.
    pub fn wait_for_line(&mut self, part: &str, limit: Duration) -> Result<String, WaitError> {
        let awaited = format!("a line with `{part}`");
        match self.lines.wait_for(part, limit) {
            Found::Line(line) => Ok(line),
            Found::TimedOut => Err(self.timed_out(awaited, limit)),
            Found::Closed => Err(WaitError::Ended {
                process: self.name.clone(),
                awaited,
                how: match self.wait(OUTPUT_GRACE) {
                    Ok(status) => format!("ended with {status}"),
                    Err(_) => "runs, but has closed its output".to_owned(),
                },
                last_lines: self.lines.tail(ERROR_LINES),
            }),
        }
    }

    /// Every line so far, of both outputs, in the order of arrival. Empty unless the output is captured.
    pub fn lines(&self) -> Vec<String> {
        self.lines.all()
    }

    /// Every line of standard output so far. Empty unless the output is captured.
    pub fn stdout(&self) -> Vec<String> {
        self.lines.of(Stream::Stdout)
    }

    /// Every line of standard error so far. Empty unless the output is captured.
    pub fn stderr(&self) -> Vec<String> {
        self.lines.of(Stream::Stderr)
    }

    /// Sends it a signal. What it started itself does not get it.
    pub fn signal(&mut self, signal: Signal) -> Result<(), SignalError> {
        // Asked first, because the id of a process that was reaped may belong to another by now.
        let sent = match self.status() {
            Some(status) => Err(format!("it has ended with {status}")),
            None => signal.send(&self.child.id().to_string()),
        };
        sent.map_err(|reason| SignalError { process: self.name.clone(), signal, reason })
    }

    /// Kills it, with what it started itself, and reaps it. Does nothing when it has ended.
    pub fn kill(&mut self) {
        if self.status().is_some() {
            return;
        }
        if Signal::Kill.send(&self.kill_target).is_err() {
            // The group is gone in the moment between; or there is no shell, and the child at least must go.
            let _ = self.child.kill();
        }
        self.status = self.child.wait().ok();
        self.guard = None;
        self.lines.wait_until_closed(OUTPUT_GRACE);
    }

    fn timed_out(&self, awaited: String, limit: Duration) -> WaitError {
        let last_lines = self.lines.tail(ERROR_LINES);
        WaitError::TimedOut { process: self.name.clone(), awaited, limit, last_lines }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}) did not start: {}", self.process, self.program, self.reason)
    }
}

impl std::error::Error for SpawnError {}

impl fmt::Display for WaitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last_lines = match self {
            Self::Ended { process, awaited, how, last_lines } => {
                write!(formatter, "waited for {awaited} of {process}, but it {how}")?;
                last_lines
            }
            Self::TimedOut { process, awaited, limit, last_lines } => {
                write!(formatter, "waited {limit:?} for {awaited} of {process} in vain")?;
                last_lines
            }
        };
        match last_lines.as_str() {
            "" => Ok(()),
            lines => write!(formatter, "; its last lines:\n{lines}"),
        }
    }
}

impl std::error::Error for WaitError {}

/// The standard library has no wait for a child's end with a deadline, so it is asked again and again.
const WAIT_INTERVAL: Duration = Duration::from_millis(5);
/// How long output may stay open after the process has ended, held by something that it started.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);
/// How many of its last lines an error shows.
const ERROR_LINES: usize = 20;
