//! Records the histories that `tests/replay.rs` replays for ever, from a Temporal dev server of its own:
//!
//! ```sh
//! cargo run -p timewright --example record_histories -- crates/timewright/tests/histories
//! ```
//!
//! A history that is there already is never recorded again. `crates/timewright/tests/histories/README.md` says why.
#![allow(clippy::print_stdout, reason = "a command line tool talks on standard output")]

#[path = "../tests/programs/mod.rs"]
mod programs;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use greeting_definitions::activity_task_queue;
use timewright::client::{Client, ClientOptions, UntypedWorkflowHandle};
use timewright::proto::Message;
use timewright::proto::failure::Failure;
use timewright::proto::history::HistoryEvent;
use timewright::proto::history::history_event::Attributes;

use programs::scenarios::{Needs, SCENARIOS};
use support::python::PythonWorker;
use support::{connect, server, unique};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from).filter(|folder| folder.is_dir()) else {
        eprintln!("usage: record_histories FOLDER, which must be there");
        return ExitCode::FAILURE;
    };
    // The same for everybody who records: histories name no machine.
    let client = connect(ClientOptions::new(server()).identity("timewright-recorder")).await;
    match record(&client, &folder).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("record_histories: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn record(client: &Client, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for scenario in SCENARIOS {
        let file = folder.join(format!("{}-timewright.binpb", scenario.name));
        if is_missing(&file) {
            write(&file, scenario.play_with_ours(client).await).await?;
        }
    }
    let task_queue = unique("python");
    let mut python = None;
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.needs != Needs::OurWorkers) {
        let file = folder.join(format!("{}-python.binpb", scenario.name));
        if is_missing(&file) {
            if python.is_none() {
                python = Some(PythonWorker::start(&[&task_queue, &activity_task_queue(&task_queue)]).await);
            }
            write(&file, scenario.play(client, &task_queue).await).await?;
        }
    }
    Ok(())
}

fn is_missing(file: &Path) -> bool {
    let missing = !file.exists();
    if !missing {
        println!("{} is there, and stays as it is", file.display());
    }
    missing
}

async fn write(file: &Path, run: UntypedWorkflowHandle) -> Result<(), Box<dyn std::error::Error>> {
    let mut history = run.history().await?;
    history.events.iter_mut().filter_map(failure).for_each(remove_stack_traces);
    fs::File::create_new(file)?.write_all(&history.encode_to_vec())?;
    println!("{}: {} events", file.display(), history.events.len());
    Ok(())
}

/// The failure in an Event, if it has one.
fn failure(event: &mut HistoryEvent) -> Option<&mut Failure> {
    match event.attributes.as_mut()? {
        Attributes::ActivityTaskStartedEventAttributes(started) => started.last_failure.as_mut(),
        Attributes::ActivityTaskFailedEventAttributes(failed) => failed.failure.as_mut(),
        Attributes::ActivityTaskTimedOutEventAttributes(timed_out) => timed_out.failure.as_mut(),
        Attributes::WorkflowTaskFailedEventAttributes(failed) => failed.failure.as_mut(),
        Attributes::WorkflowExecutionFailedEventAttributes(failed) => failed.failure.as_mut(),
        _ => None,
    }
}

/// They tell where files are on the machine that recorded, and a replay does not see them.
fn remove_stack_traces(failure: &mut Failure) {
    failure.stack_trace.clear();
    if let Some(cause) = &mut failure.cause {
        remove_stack_traces(cause);
    }
}
