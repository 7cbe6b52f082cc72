//! Signals that a test sends to a process.

use std::fmt;
use std::process::Command;

/// What can be sent to a process. See `man 7 signal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGCONT: go on after [`Signal::Stop`].
    Continue,
    /// SIGINT: what Ctrl-C sends.
    Interrupt,
    /// SIGKILL: ends the process without asking it.
    Kill,
    /// SIGSTOP: freezes the process, as an overloaded machine or a debugger would.
    Stop,
    /// SIGTERM: asks the process to end, as an orchestrator does before it kills.
    Terminate,
}

/// A signal that could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalError {
    /// What the process was called.
    pub process: String,
    /// The signal.
    pub signal: Signal,
    /// Why not.
    pub reason: String,
}

impl Signal {
    /// The name that the `kill` command knows, such as `TERM`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "CONT",
            Self::Interrupt => "INT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Terminate => "TERM",
        }
    }

    /// `target` as the `kill` command takes it: a process id, or `-` and a process group's id.
    pub(crate) fn send(self, target: &str) -> Result<(), String> {
        // The shell's own `kill`, because minimal images have a shell but not always that program.
        let sent = Command::new("/bin/sh")
            .args(["-c", r#"kill -s "$1" -- "$2""#, "kill", self.name(), target])
            .output()
            .map_err(|error| format!("/bin/sh did not start: {error}"))?;
        if sent.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&sent.stderr).trim().to_owned()) }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SIG{}", self.name())
    }
}

impl fmt::Display for SignalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "could not send {} to {}: {}", self.signal, self.process, self.reason)
    }
}

impl std::error::Error for SignalError {}
