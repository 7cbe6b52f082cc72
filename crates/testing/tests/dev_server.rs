//! The dev server launcher against the real server. Needs a `temporal` program; `cargo xtask test` installs one.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use timewright_testing::{CliError, DevServer, StartError};

#[test]
fn it_serves_when_start_returns_and_not_after_its_drop() {
    let server = DevServer::start().unwrap();
    let (address, log_file) = (server.address(), server.log_file().unwrap().to_owned());
    assert_eq!(server.run_cli(&["operator", "cluster", "health"]).unwrap(), "SERVING");
    assert!(log_file.exists());

    drop(server);
    assert_closed(address);
    assert!(!log_file.exists(), "{} is left behind", log_file.display());
}

#[test]
fn a_panic_ends_it_too_and_keeps_its_log() {
    let mut seen = None;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let server = DevServer::start().unwrap();
        seen = Some((server.address(), server.log_file().unwrap().to_owned()));
        panic!("as a test that fails does");
    }));
    assert!(panic.is_err());

    let (address, log_file) = seen.unwrap();
    assert_closed(address);
    fs::remove_file(log_file).unwrap();
}

#[test]
fn what_is_in_the_database_file_survives_a_kill() {
    let directory = temporary_directory("restart");
    let mut server = DevServer::builder().db_filename(directory.join("temporal.db")).start().unwrap();
    let address = server.address();
    let workflow = ["--workflow-id", "survivor", "--type", "nobody-runs-this", "--task-queue", "nobody"];
    server.run_cli(&[["workflow", "start"].as_slice(), &workflow].concat()).unwrap();

    server.kill();
    assert_closed(address);
    server.restart().unwrap();
    assert_eq!(server.address(), address);
    let described = server.run_cli(&["workflow", "describe", "--workflow-id", "survivor"]).unwrap();
    assert!(described.contains("nobody-runs-this"), "{described}");

    drop(server);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn restart_kills_a_server_that_runs() {
    let mut server = DevServer::start().unwrap();
    let before = server.process().unwrap().id();
    server.restart().unwrap();
    assert_ne!(server.process().unwrap().id(), before);
    assert_eq!(server.run_cli(&["operator", "cluster", "health"]).unwrap(), "SERVING");
}

#[test]
fn the_web_ui_answers_where_it_says_that_it_is() {
    let server = DevServer::builder().ui(true).start().unwrap();
    let mut connection = TcpStream::connect(server.ui_address().unwrap()).unwrap();
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

#[test]
fn arguments_reach_the_server() {
    let server = DevServer::builder().argument("--namespace=another").start().unwrap();
    server.run_cli(&["operator", "namespace", "describe", "--namespace", "another"]).unwrap();
}

#[test]
fn the_shared_server_is_the_same_for_all_tests_of_a_process() {
    let server = DevServer::shared().unwrap();
    assert_eq!(DevServer::shared().unwrap().address(), server.address());
    assert_eq!(server.run_cli(&["operator", "cluster", "health"]).unwrap(), "SERVING");
}

#[test]
fn a_cli_call_that_fails_says_what_was_called_and_what_it_answered() {
    let server = DevServer::shared().unwrap();
    let error = server.run_cli(&["workflow", "describe", "--workflow-id", "no-such-workflow"]).unwrap_err();
    assert!(matches!(error, CliError::Failed { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with("`temporal workflow describe --workflow-id no-such-workflow --address 127.0.0.1:"),
        "{text}"
    );
    assert!(text.contains("workflow not found for ID: no-such-workflow"), "{text}");
}

// --- Servers that do not start

#[test]
fn a_port_that_is_taken_is_named_in_the_servers_own_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = DevServer::builder().port(port).start().unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("the Temporal dev server does not start, it ended with exit status: 1; its log"),
        "{text}"
    );
    assert!(text.contains(&format!("{port}")) && text.ends_with("address already in use"), "{text}");
    remove_log(&error);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = DevServer::builder().binary("/nowhere/temporal").start().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Temporal dev server (/nowhere/temporal) did not start: No such file or directory (os error 2)"
    );
}

#[test]
fn a_server_that_never_serves_is_given_up_with_its_last_words() {
    let directory = temporary_directory("never-serves");
    let program = directory.join("temporal");
    fs::write(&program, "#!/bin/sh\necho waiting for the database\nexec sleep 1000\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();

    let error = DevServer::builder().binary(&program).start_limit(Duration::from_millis(300)).start().unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(
            "the Temporal dev server does not serve after 300ms: it has not said that it listens; its log"
        ),
        "{text}"
    );
    assert!(text.ends_with("waiting for the database"), "{text}");

    remove_log(&error);
    fs::remove_dir_all(directory).unwrap();
}

fn assert_closed(address: SocketAddr) {
    assert!(TcpStream::connect(address).is_err(), "something still listens at {address}");
}

fn remove_log(error: &StartError) {
    let (StartError::Ended { log_file, .. } | StartError::NotServing { log_file, .. }) = error else {
        panic!("{error:?} has no log");
    };
    fs::remove_file(log_file).expect("the log that the error names is there");
}

fn temporary_directory(test: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("timewright-dev-server-{test}-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("the temporary directory can be written to");
    directory
}
