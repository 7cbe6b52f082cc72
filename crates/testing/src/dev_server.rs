//! Temporal's development server as a test's own process.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{CliError, run_cli, temporal};
use crate::log::Log;
use crate::process::{ChildProcess, Output, SpawnError};
use crate::program::{NoTemporalBinary, temporal_binary};

/// A running `temporal server start-dev`, on a port of its own on the loopback interface.
///
/// It is killed and reaped when this is dropped, and also when the program that holds this is killed. Its log is at
/// [`log_file`](Self::log_file), and is removed with it, unless the thread that drops it panics: then it is kept and
/// its path printed, because whoever looks for the reason needs it.
///
/// What the server can do: <https://docs.temporal.io/cli/server>.
///
/// ```no_run
/// use timewright_testing::DevServer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut server = DevServer::builder().db_filename("/tmp/test.db").start()?;
/// let address = server.address().to_owned();
///
/// server.restart()?; // kill -9, then a new process on the same port and the same database
/// assert_eq!(server.address(), address);
/// assert!(server.run_cli(&["operator", "cluster", "health"])?.contains("SERVING"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DevServer {
    address: SocketAddr,
    ui_address: Option<SocketAddr>,
    /// What [`DevServer::restart`] starts again; `None` for a server that somebody else runs.
    own: Option<Own>,
}

/// How to start a [`DevServer`]. The default is the server in memory, without Web UI, on a free port.
#[derive(Clone, Debug)]
pub struct DevServerBuilder {
    binary: Option<PathBuf>,
    port: Option<u16>,
    ui: bool,
    db_filename: Option<PathBuf>,
    log_file: Option<PathBuf>,
    arguments: Vec<String>,
    limit: Duration,
}

/// A server that did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// There is no `temporal` program to start.
    NoBinary(NoTemporalBinary),
    /// The program did not start.
    Spawn(SpawnError),
    /// Something that is needed before the server can start: a port, a file for its log, an address in the environment.
    Prepare {
        /// What is needed.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server ended before it served.
    Ended {
        /// How it ended.
        how: String,
        /// Where its whole log is.
        log_file: PathBuf,
        /// The last lines of its log.
        last_lines: String,
    },
    /// The server runs but did not serve in time.
    NotServing {
        /// How long it was given.
        limit: Duration,
        /// What the last question for its health brought.
        health: String,
        /// Where its whole log is.
        log_file: PathBuf,
        /// The last lines of its log.
        last_lines: String,
    },
}

// --- Start

impl DevServer {
    /// Starts a server with the builder's defaults.
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Says what the server shall be like, and starts it.
    pub fn builder() -> DevServerBuilder {
        DevServerBuilder {
            binary: None,
            port: None,
            ui: false,
            db_filename: None,
            log_file: None,
            arguments: Vec::new(),
            limit: Duration::from_secs(60),
        }
    }

    /// A server for tests that can live beside others, with Workflow Ids and Task Queues of their own.
    ///
    /// It is the one at the address that the environment variable `TIMEWRIGHT_TEST_SERVER` holds (`cargo xtask test`
    /// sets it, so that a whole test run needs one server); without that variable, one that this call starts, once
    /// per process, and that ends with the process; its log stays in the temporary directory.
    pub fn shared() -> Result<&'static Self, StartError> {
        static SHARED: OnceLock<Result<DevServer, StartError>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::running_or_started(std::env::var(SHARED_SERVER_VARIABLE).ok()))
            .as_ref()
            .map_err(Clone::clone)
    }

    fn running_or_started(told: Option<String>) -> Result<Self, StartError> {
        let Some(told) = told else { return Self::start() };
        let address = told.parse().map_err(|error| StartError::Prepare {
            what: format!("{SHARED_SERVER_VARIABLE} must hold an address like 127.0.0.1:7233, and holds `{told}`"),
            reason: format!("{error}"),
        })?;
        Ok(Self { address, ui_address: None, own: None })
    }
}

impl DevServerBuilder {
    /// The `temporal` program. Without this it is [`temporal_binary`]'s.
    #[must_use]
    pub fn binary(mut self, binary: impl Into<PathBuf>) -> Self {
        self.binary = Some(binary.into());
        self
    }

    /// The gRPC port. Without this it is a free one, asked from the operating system.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Whether the Web UI runs too, at [`DevServer::ui_address`]. Off by default.
    #[must_use]
    pub fn ui(mut self, ui: bool) -> Self {
        self.ui = ui;
        self
    }

    /// Keeps everything in this SQLite file, so that it outlives [`DevServer::restart`]. Without this it is in memory.
    #[must_use]
    pub fn db_filename(mut self, file: impl Into<PathBuf>) -> Self {
        self.db_filename = Some(file.into());
        self
    }

    /// Writes the server's log to this file and keeps it. Without this the log is a temporary file.
    #[must_use]
    pub fn log_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.log_file = Some(file.into());
        self
    }

    /// One more argument of `temporal server start-dev`, such as `--search-attribute=Color=Keyword`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// How long the server may take until it serves. 60 s by default; a second is usual.
    #[must_use]
    pub fn start_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts the server and waits until it serves.
    pub fn start(self) -> Result<DevServer, StartError> {
        let chosen = self.port;
        let mut attempts_left = if chosen.is_some() { 1 } else { FREE_PORT_ATTEMPTS };
        loop {
            attempts_left -= 1;
            // A free port is free until somebody else asks for one too; then the server says so, and we try another. Where it is
            // one of those that the server chooses for itself, its answer is a panic.
            match self.clone().start_at(loopback(chosen)?) {
                Err(StartError::Ended { last_lines, log_file, .. })
                    if attempts_left > 0
                        && ["address already in use", "panic: "].iter().any(|word| last_lines.contains(word)) =>
                {
                    if self.log_file.is_none() {
                        let _ = fs::remove_file(log_file); // a temporary file that tells nobody anything
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn start_at(self, address: SocketAddr) -> Result<DevServer, StartError> {
        let binary = match self.binary {
            Some(binary) => binary,
            None => temporal_binary().map_err(StartError::NoBinary)?,
        };
        let ui_address = if self.ui { Some(loopback(None)?) } else { None };

        let mut arguments = ["server", "start-dev", "--ip", "127.0.0.1", "--port"].map(str::to_owned).to_vec();
        arguments.push(address.port().to_string());
        match ui_address {
            Some(ui_address) => arguments.extend(["--ui-port".to_owned(), ui_address.port().to_string()]),
            None => arguments.push("--headless".to_owned()),
        }
        if let Some(file) = self.db_filename {
            arguments.extend(["--db-filename".to_owned(), file.to_string_lossy().into_owned()]);
        }
        arguments.extend(self.arguments);

        let log = Log::new(self.log_file, address.port());
        let mut own = Own { binary, arguments, limit: self.limit, log, process: None };
        own.run(address)?;
        Ok(DevServer { address, ui_address, own: Some(own) })
    }
}

// --- Use

impl DevServer {
    /// Where it serves gRPC, such as `127.0.0.1:40123`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its Web UI is, such as `127.0.0.1:40124`; `None` without one.
    pub fn ui_address(&self) -> Option<SocketAddr> {
        self.ui_address
    }

    /// Its log; `None` for a server that somebody else runs.
    pub fn log_file(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.log.path())
    }

    /// Its process, while it runs: for signals, or to see that it runs. `None` for a server that somebody else runs.
    pub fn process(&mut self) -> Option<&mut ChildProcess> {
        self.own.as_mut()?.process.as_mut()
    }

    /// Kills it (`kill -9`). What is not in a database file is lost.
    pub fn kill(&mut self) {
        if let Some(own) = &mut self.own {
            own.process = None;
        }
    }

    /// Kills it if it runs, and starts it again on the same port and the same database file.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.kill();
        let address = self.address;
        let own = self.own.as_mut().expect("shared servers are lent without `mut`, and all others are our own");
        own.run(address)
    }

    /// Calls Temporal's CLI against this server and returns what it writes to standard output.
    ///
    /// The user's own configuration of the CLI is left aside. <https://docs.temporal.io/cli> lists the commands.
    pub fn run_cli(&self, arguments: &[&str]) -> Result<String, CliError> {
        let binary = match &self.own {
            Some(own) => own.binary.clone(),
            None => temporal_binary().map_err(CliError::NoBinary)?,
        };
        run_cli(&binary, self.address, arguments, CLI_LIMIT)
    }
}

/// What belongs to a server that we started.
#[derive(Debug)]
struct Own {
    binary: PathBuf,
    arguments: Vec<String>,
    limit: Duration,
    log: Log,
    /// `None` while it is killed.
    process: Option<ChildProcess>,
}

impl Own {
    fn run(&mut self, address: SocketAddr) -> Result<(), StartError> {
        let mut command = temporal(&self.binary);
        command.args(&self.arguments);
        let output = self.log.open().map_err(|error| StartError::Prepare {
            what: format!("no log at {}", self.log.path().display()),
            reason: error.to_string(),
        })?;
        let mut process = ChildProcess::spawn_with("the Temporal dev server", command, Output::File(output))
            .map_err(StartError::Spawn)?;
        self.wait_until_serving(&mut process, address)?;
        self.process = Some(process);
        Ok(())
    }

    fn wait_until_serving(&mut self, process: &mut ChildProcess, address: SocketAddr) -> Result<(), StartError> {
        let deadline = Instant::now() + self.limit;
        let mut health = "it has not said that it listens".to_owned();
        loop {
            // Before it asks for health, its own word: what answers at the port may be somebody else's server.
            if announces(&self.log.text(), address) {
                let left = deadline.saturating_duration_since(Instant::now());
                health = match run_cli(&self.binary, address, &["operator", "cluster", "health"], left) {
                    Ok(answer) => answer,
                    Err(error) => error.to_string(),
                };
            }
            if let Some(status) = process.status() {
                let how = format!("it ended with {status}");
                return Err(StartError::Ended { how, log_file: self.log.keep(), last_lines: self.log.tail() });
            }
            if health.trim() == "SERVING" {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let limit = self.limit;
                let (log_file, last_lines) = (self.log.keep(), self.log.tail());
                return Err(StartError::NotServing { limit, health, log_file, last_lines });
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.process = None; // before its log goes
        if thread::panicking() && self.log.is_temporary() {
            eprintln!("the Temporal dev server's log is kept at {}", self.log.keep().display());
        }
    }
}

// --- Errors

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (log_file, last_lines) = match self {
            Self::NoBinary(error) => return error.fmt(formatter),
            Self::Spawn(error) => return error.fmt(formatter),
            Self::Prepare { what, reason } => return write!(formatter, "the Temporal dev server: {what}: {reason}"),
            Self::Ended { how, log_file, last_lines } => {
                write!(formatter, "the Temporal dev server does not start, {how}")?;
                (log_file, last_lines)
            }
            Self::NotServing { limit, health, log_file, last_lines } => {
                write!(formatter, "the Temporal dev server does not serve after {limit:?}: {health}")?;
                (log_file, last_lines)
            }
        };
        match last_lines.as_str() {
            "" => write!(formatter, "; it has logged nothing"),
            lines => write!(formatter, "; its log is at {} and ends with:\n{lines}", log_file.display()),
        }
    }
}

impl std::error::Error for StartError {}

/// Whether the log has the line that the server prints once it listens: `Temporal Server:      localhost:40123`.
fn announces(log: &str, address: SocketAddr) -> bool {
    log.lines().any(|line| line.contains("Server:") && line.trim_end().ends_with(&format!(":{}", address.port())))
}

fn loopback(port: Option<u16>) -> Result<SocketAddr, StartError> {
    if let Some(port) = port {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| StartError::Prepare { what: "no free port".to_owned(), reason: error.to_string() })
}

/// Holds the address of the server that all tests of a run share.
const SHARED_SERVER_VARIABLE: &str = "TIMEWRIGHT_TEST_SERVER";
/// How often another free port is tried when somebody else was faster.
const FREE_PORT_ATTEMPTS: u32 = 5;
/// Another process cannot tell us that it listens now, so it is asked again and again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long a call of the CLI may take.
const CLI_LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_somebody_else_runs_is_taken_as_it_is() {
        let mut server = DevServer::running_or_started(Some("127.0.0.1:7233".to_owned())).unwrap();
        assert_eq!(server.address().to_string(), "127.0.0.1:7233");
        assert!(server.process().is_none() && server.log_file().is_none() && server.ui_address().is_none());
    }

    #[test]
    fn an_address_that_is_none_is_shown_with_the_variable_that_holds_it() {
        let error = DevServer::running_or_started(Some("somewhere".to_owned())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Temporal dev server: TIMEWRIGHT_TEST_SERVER must hold an address like 127.0.0.1:7233, and holds \
             `somewhere`: invalid socket address syntax"
        );
    }
}
