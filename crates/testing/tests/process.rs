//! Child processes: their output, signals to them, and that none survives.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::Duration;

use timewright_testing::{ChildProcess, Output, Signal, WaitError};

const LIMIT: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[test]
fn output_is_captured_line_by_line_and_whole_when_wait_returns() {
    let mut process = ChildProcess::spawn("a script", shell("echo one; echo two >&2; echo three; exit 3")).unwrap();
    assert_eq!(process.wait(LIMIT).unwrap().code(), Some(3));
    assert_eq!(process.stdout(), ["one", "three"]);
    assert_eq!(process.stderr(), ["two"]);
    assert_eq!(process.lines().len(), 3);
}

#[test]
fn a_line_is_awaited_and_found_before_the_process_ends() {
    let mut process = ChildProcess::spawn("a worker", shell("echo now polling queue; exec sleep 1000")).unwrap();
    assert_eq!(process.wait_for_line("polling", LIMIT).unwrap(), "now polling queue");
    assert!(process.is_running());
}

#[test]
fn a_process_that_ends_without_the_line_is_not_waited_for_any_longer() {
    let mut process = ChildProcess::spawn("a worker", shell("echo cannot connect >&2; exit 1")).unwrap();
    let error = process.wait_for_line("polling", Duration::from_secs(1000)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "waited for a line with `polling` of a worker, but it ended with exit status: 1; its last lines:\ncannot connect"
    );
}

#[test]
fn a_wait_in_vain_ends_and_shows_what_there_was_instead() {
    let mut process = ChildProcess::spawn("a worker", shell("echo connecting; exec sleep 1000")).unwrap();
    process.wait_for_line("connecting", LIMIT).unwrap();
    let error = process.wait(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.to_string(), "waited 50ms for its end of a worker in vain; its last lines:\nconnecting");
}

#[test]
fn signals_arrive() {
    let script = "trap 'echo interrupted' INT; trap 'echo terminated; exit 0' TERM; echo ready; \
                  while :; do sleep 0.01; done";
    let mut process = ChildProcess::spawn("a script", shell(script)).unwrap();
    process.wait_for_line("ready", LIMIT).unwrap();
    process.signal(Signal::Interrupt).unwrap();
    process.wait_for_line("interrupted", LIMIT).unwrap();
    process.signal(Signal::Terminate).unwrap();
    assert!(process.wait(LIMIT).unwrap().success());
    assert_eq!(process.lines().last().unwrap(), "terminated");

    let error = process.signal(Signal::Terminate).unwrap_err();
    assert_eq!(error.to_string(), "could not send SIGTERM to a script: it has ended with exit status: 0");
}

#[test]
fn a_stopped_process_does_nothing_until_it_is_continued() {
    let mut process = ChildProcess::spawn("a script", shell("while :; do echo tick; sleep 0.01; done")).unwrap();
    process.wait_for_line("tick", LIMIT).unwrap();
    process.signal(Signal::Stop).unwrap();
    // What was written before the signal came is read first; then there is silence.
    let silent = (0..100).any(|_| process.wait_for_line("tick", Duration::from_millis(300)).is_err());
    assert!(silent, "it goes on after SIGSTOP");
    assert!(process.is_running());
    process.signal(Signal::Continue).unwrap();
    process.wait_for_line("tick", LIMIT).unwrap();
}

#[test]
fn kill_ends_what_the_process_started_too() {
    // The background process holds the output open: it closes when both are gone.
    let mut process = ChildProcess::spawn("a script", shell("sleep 1000 & echo ready; wait")).unwrap();
    process.wait_for_line("ready", LIMIT).unwrap();
    process.kill();
    let error = process.wait_for_line("never", LIMIT).unwrap_err();
    assert!(matches!(error, WaitError::Ended { .. }), "{error}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = ChildProcess::spawn("a worker", Command::new("/nowhere/worker")).unwrap_err();
    assert_eq!(error.to_string(), "a worker (/nowhere/worker) did not start: No such file or directory (os error 2)");
}

#[test]
fn a_child_does_not_survive_a_holder_that_is_killed() {
    // This test program, run again for the one test below, is the holder.
    let mut holder = Command::new(std::env::current_exe().unwrap());
    holder.args(["--ignored", "--exact", "holds_a_child_until_it_is_killed", "--nocapture"]);
    let mut holder = ChildProcess::spawn("the holder", holder).unwrap();
    holder.wait_for_line("child is guarded", LIMIT).unwrap();

    holder.signal(Signal::Kill).unwrap();
    // The child writes to the holder's output, which therefore closes only when the child has ended too.
    let error = holder.wait_for_line("never", LIMIT).unwrap_err();
    assert!(matches!(error, WaitError::Ended { .. }), "the child still runs: {error}");
}

#[test]
#[ignore = "the helper of a_child_does_not_survive_a_holder_that_is_killed; it never ends by itself"]
fn holds_a_child_until_it_is_killed() {
    let mut our_output = OpenOptions::new().write(true).open("/dev/stdout").unwrap();
    let its_output = our_output.try_clone().unwrap();
    let _child = ChildProcess::spawn_with("the child", shell("exec sleep 1000"), Output::File(its_output)).unwrap();
    // Not said by the child itself, which runs a moment before its guard does.
    writeln!(our_output, "child is guarded").unwrap();
    loop {
        thread::park();
    }
}
