//! Each example runs on a real Temporal Server, and prints what it should.
#![allow(clippy::disallowed_methods, reason = "there is no workflow code here")]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use timewright_testing::{ChildProcess, DevServer};

/// Runs a program of this package to its end. `expected` are the lines that it prints, in order; `…` stands for anything.
#[track_caller]
fn check(program: &str, expected: &[&str]) {
    let lines = lines_of(program);
    let is_as_expected =
        lines.len() == expected.len() && lines.iter().zip(expected).all(|(line, expected)| is_like(line, expected));
    assert!(is_as_expected, "{program} printed\n{}\ninstead of\n{}", lines.join("\n"), expected.join("\n"));
}

/// Runs a program of this package to its end; gives what it prints.
#[track_caller]
fn lines_of(program: &str) -> Vec<String> {
    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TEMPORAL_")) {
        command.env_remove(name); // the settings that the user may have for other servers
    }
    command.env("TEMPORAL_ADDRESS", server.address().to_string());
    let mut example = ChildProcess::spawn("example", command).unwrap_or_else(|error| panic!("{error}"));
    let status = example.wait(LIMIT).unwrap_or_else(|error| panic!("{error}"));
    let lines = example.lines();
    assert!(status.success(), "{program} ended with {status}:\n{}", lines.join("\n"));
    lines
}

/// Whether a line has all parts of the pattern, in order, and nothing before the first and behind the last.
fn is_like(line: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else { return line == pattern };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match line.split_once(part) {
            Some((_, behind)) => line = behind,
            None => return false,
        }
    }
    line.ends_with(last)
}

#[test]
fn saga() {
    check(
        env!("CARGO_BIN_EXE_saga"),
        &[
            "booked: flight in Lisbon",
            "booked: hotel in Lisbon",
            "booked: car in Lisbon",
            r#"["confirmation of flight in Lisbon", "confirmation of hotel in Lisbon", "confirmation of car in Lisbon"]"#,
            "booked: flight in Venice",
            "booked: hotel in Venice",
            "cancelled: car in Venice",
            "cancelled: hotel in Venice",
            "cancelled: flight in Venice",
            "no trip: workflow `trip-…` (run …) failed: …NoCars: there are no streets",
        ],
    );
}

#[test]
fn polling() {
    check(
        env!("CARGO_BIN_EXE_polling"),
        &[
            "attempt 1: is there a draft?",
            "attempt 2: is there a draft?",
            "attempt 3: is there a draft?",
            "printed draft",
        ],
    );
}

#[test]
fn messages() {
    check(
        env!("CARGO_BIN_EXE_messages"),
        &[
            "total: 700",
            "removed: Some(400)",
            "refused: …there is no soup in the cart",
            "with a voucher: 250",
            "paid: 250",
        ],
    );
}

#[test]
fn child_workflows() {
    let expected = ["books came with the red van", "chairs came with the red van", "lamps came with the red van"];
    check(env!("CARGO_BIN_EXE_child-workflows"), &expected);
}

#[test]
fn entity() {
    check(
        env!("CARGO_BIN_EXE_entity"),
        &[
            "balance: 1",
            "balance: 3",
            "balance: 6",
            "balance: 10",
            "balance: 15",
            "balance: 21",
            "balance: 28",
            "Ada leaves with 28, after 2 times continued as new",
        ],
    );
}

#[test]
fn patches() {
    check(
        env!("CARGO_BIN_EXE_patches"),
        &[
            r#"the early sale: ["a letter", "a letter"]"#,
            r#"the late sale: ["an email", "an email"]"#,
            r#"the latest sale: ["an email", "an email"]"#,
        ],
    );
}

#[test]
fn cancellation() {
    check(
        env!("CARGO_BIN_EXE_cancellation"),
        &[
            "folder of metropolis made",
            "rendering stops: …",
            "/films/metropolis removed",
            "not rendered: workflow `render-…` (run …) was cancelled…",
        ],
    );
}

#[test]
fn updatable_timer() {
    let expected = ["it rings in 20 hours", "it rings in 0 hours", "it rang"];
    check(env!("CARGO_BIN_EXE_updatable-timer"), &expected);
}

#[test]
fn mutex() {
    let lines = lines_of(env!("CARGO_BIN_EXE_mutex"));
    assert_eq!(lines.len(), 6, "{}", lines.join("\n"));
    // In whichever order they come: whoever enters leaves before the next one enters.
    for visit in lines.chunks(2) {
        let name = visit[0].strip_suffix(" enters");
        assert!(name.is_some() && visit[1].strip_suffix(" leaves") == name, "{}", lines.join("\n"));
    }
}

#[test]
fn local_activities() {
    let expected =
        ["attempt 2: price of …", "attempt 2: price of …", "all of it costs 800", "the history has 7 events"];
    check(env!("CARGO_BIN_EXE_local-activities"), &expected);
}

#[test]
fn tenants() {
    let expected = [
        "acme pays for an anvil",
        "acme gets an anvil",
        "globex pays for a laser",
        "globex gets a laser",
        "workflow `order-…` (run …) failed: …for whom?…",
    ];
    check(env!("CARGO_BIN_EXE_tenants"), &expected);
}

#[test]
fn metrics() {
    check(
        env!("CARGO_BIN_EXE_metrics"),
        &[
            r#"parcels_shipped_total{namespace="default",task_queue="shipments",workflow_type="Shipment",kind="express"} 7"#,
            r#"shipment_kilograms_sum{namespace="default",task_queue="shipments",activity_type="weigh"} 21"#,
            r#"temporal_activity_execution_latency_seconds_count{namespace="default",task_queue="shipments",activity_type="weigh"} 2"#,
            r#"temporal_request_total{namespace="default",operation="StartWorkflowExecution"} 2"#,
            r#"temporal_sticky_cache_size{namespace="default",task_queue="shipments"} 0"#,
            r#"temporal_worker_task_slots_used{namespace="default",task_queue="shipments",worker_type="ActivityWorker"} 0"#,
            r#"temporal_workflow_completed_total{namespace="default",task_queue="shipments",workflow_type="Shipment"} 2"#,
            r#"temporal_workflow_endtoend_latency_seconds_count{namespace="default",task_queue="shipments",workflow_type="Shipment"} 2"#,
        ],
    );
}

/// Whoever opens the folder of an example reads what it shows and how to run it, and finds it from the page above.
#[test]
fn each_example_has_its_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    let examples = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let examples: Vec<_> = examples.filter(|path| path.join("main.rs").is_file()).collect();
    assert!(examples.len() >= 12, "{examples:?}");
    for example in examples {
        let name = example.file_name().unwrap().to_str().unwrap();
        let page = fs::read_to_string(example.join("README.md")).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(&format!("`cargo run --bin {name}`")), "{name}");
        assert!(index.contains(&format!("[`{name}`]({name})")), "{name}");
    }
}

/// How long a program may take, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(120);
