//! Calls of Temporal's own command line tool.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{ChildProcess, SpawnError, WaitError};
use crate::program::NoTemporalBinary;

/// A call of Temporal's CLI that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CliError {
    /// There is no `temporal` program to call.
    NoBinary(NoTemporalBinary),
    /// The program did not start.
    Spawn(SpawnError),
    /// The program did not end in time.
    NoEnd(WaitError),
    /// The program says that it failed.
    Failed {
        /// What was called, as one would type it.
        command: String,
        /// How it ended.
        how: String,
        /// What it wrote to standard error, or to standard output if that was nothing.
        message: String,
    },
}

/// Calls the CLI against the server at `address` and returns what it writes to standard output.
pub(crate) fn run_cli(
    binary: &Path,
    address: SocketAddr,
    arguments: &[&str],
    limit: Duration,
) -> Result<String, CliError> {
    let address = address.to_string();
    let mut command = temporal(binary);
    command.args(arguments).args(["--address", &address]);
    let mut process = ChildProcess::spawn("Temporal's CLI", command).map_err(CliError::Spawn)?;
    let status = process.wait(limit).map_err(CliError::NoEnd)?;
    if status.success() {
        return Ok(process.stdout().join("\n"));
    }
    let message = [process.stderr(), process.stdout()].into_iter().find(|lines| !lines.is_empty()).unwrap_or_default();
    Err(CliError::Failed {
        command: format!("temporal {} --address {address}", arguments.join(" ")),
        how: status.to_string(),
        message: message.join("\n"),
    })
}

/// The program, without the settings that the user may have for other servers.
pub(crate) fn temporal(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TEMPORAL_") {
            command.env_remove(name);
        }
    }
    command.env("TEMPORAL_CONFIG_FILE", "/dev/null");
    command
}

impl fmt::Display for CliError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBinary(error) => error.fmt(formatter),
            Self::Spawn(error) => error.fmt(formatter),
            Self::NoEnd(error) => error.fmt(formatter),
            Self::Failed { command, how, message } => write!(formatter, "`{command}` ended with {how}: {message}"),
        }
    }
}

impl std::error::Error for CliError {}
