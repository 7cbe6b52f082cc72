//! Each program is run on a real Temporal Server, and does what it says.
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

use std::process::Command;
use std::time::Duration;

use timewright_testing::{ChildProcess, DevServer};

/// Generous, since other tests run at the same time.
const LIMIT: Duration = Duration::from_secs(90);

fn start(program: &str, path: &str, task_queue: &str) -> ChildProcess {
    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(path);
    command.env("TEMPORAL_ADDRESS", server.address().to_string()).env("TASK_QUEUE", task_queue);
    ChildProcess::spawn(program, command).unwrap()
}

fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// What a program that ends by itself has printed.
fn printed(program: &str, path: &str) -> String {
    let mut child = start(program, path, &unique(program));
    let status = child.wait(LIMIT).unwrap_or_else(|error| panic!("{error}: {:#?}", child.lines()));
    assert!(status.success(), "{status}: {:#?}", child.lines());
    child.stdout().join("\n")
}

#[test]
fn a_download_goes_on_where_it_broke() {
    assert_eq!(
        printed("resumable_download", env!("CARGO_BIN_EXE_resumable_download")),
        "10000 bytes, of which attempt 2 fetched 5000"
    );
}

#[test]
fn an_approval_comes_over_http() {
    assert_eq!(
        printed("approval_webhook", env!("CARGO_BIN_EXE_approval_webhook")),
        "may order 17 be shipped?\napproved by Ada"
    );
}

#[test]
fn layers_end_what_takes_too_long() {
    let printed = printed("tower_layers", env!("CARGO_BIN_EXE_tower_layers"));
    let (first, second) = printed.split_once('\n').unwrap();
    assert_eq!(first, "worked for 10 ms");
    assert!(second.starts_with("the other one did not: "), "{second}");
    assert!(second.ends_with("request timed out"), "{second}");
}

#[test]
fn a_training_has_a_machine_for_itself() {
    let task_queue = unique("gpu");
    let workers: Vec<_> = (0..2).map(|_| start("gpu_worker", env!("CARGO_BIN_EXE_gpu_worker"), &task_queue)).collect();
    let mut trainings: Vec<_> =
        (0..3).map(|_| start("gpu_training", env!("CARGO_BIN_EXE_gpu_training"), &task_queue)).collect();
    for training in &mut trainings {
        let status = training.wait(LIMIT).unwrap_or_else(|error| panic!("{error}: {:#?}", training.lines()));
        assert!(status.success(), "{status}: {:#?}", training.lines());
        assert_eq!(training.stdout(), ["the loss is 32.52"]);
    }
    drop(workers);
}
