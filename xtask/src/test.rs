//! `cargo xtask test`: everything that the tests need, then every test.

use std::fs;
use std::process::Command;

use timewright_testing::DevServer;

use crate::Result;
use crate::arguments::CodegenSource;
use crate::steps::{Steps, run_to_end};
use crate::workspace::{cargo, has_cargo_command, target};
use crate::{chaos, codegen, conform, demo, setup};

/// Runs the tests that `filter` selects, or, without one, all of them and what else shows that everything works.
///
/// One server serves the whole run; it ends with this call, whatever comes of the tests.
pub(crate) fn run(steps: &mut Steps, filter: &[String]) -> Result<()> {
    let temporal = steps.run("set up Temporal's CLI", AGAIN, setup::temporal_for_tests)?;
    let python = steps.run("set up the Python peer", AGAIN, setup::python_peer)?;
    let log_file = target().join("tools/dev-server.log");
    let _ = fs::remove_file(&log_file); // the last run's
    let server = steps.run("start a dev server", AGAIN, || {
        let server = DevServer::builder().binary(&temporal).log_file(&log_file).start();
        server.map_err(|error| error.to_string())
    })?;

    let for_tests = |mut command: Command| {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TEMPORAL_")) {
            command.env_remove(name); // the settings that the user may have for other servers
        }
        command
            .env("TEMPORAL_BINARY", &temporal)
            .env("TIMEWRIGHT_PYTHON", &python)
            .env("TIMEWRIGHT_TEST_SERVER", server.address().to_string());
        command
    };
    // What tests start as programs of their own is built by no test's own build.
    steps.command("build", cargo(["build", "--workspace", "--all-targets", "--all-features"]))?;
    // Before the tests, so that their summary is what one sees in the end.
    if filter.is_empty() {
        steps.run("documentation tests", "cargo test --workspace --all-features --doc", || {
            run_to_end("documentation tests", for_tests(cargo(["test", "--workspace", "--all-features", "--doc"])))
        })?;
    }
    let again = format!("{AGAIN} FILTER; the server's log is at {}", log_file.display());
    steps.run("tests", &again, || run_to_end("tests", for_tests(runner(filter))))?;
    if !filter.is_empty() {
        return Ok(());
    }
    steps.run("codegen --check --from-server", "cargo xtask codegen --check --from-server", || {
        codegen::run(true, CodegenSource::Server(server.address().to_string()))
    })?;
    steps.run("conform", "cargo xtask conform", || conform::run_some(&temporal))?;
    steps.run("chaos", "cargo xtask chaos", || chaos::run_some(&temporal))?;
    steps.run("demo", "cargo xtask demo", || demo::run_built(&temporal))
}

/// nextest where it is installed: it runs the tests of all packages side by side.
fn runner(filter: &[String]) -> Command {
    let mut tests = if has_cargo_command("nextest") {
        cargo(["nextest", "run", "--no-fail-fast"])
    } else {
        cargo(["test", "--all-targets", "--no-fail-fast"])
    };
    if !filter.iter().any(|argument| argument == "-p" || argument.starts_with("--package")) {
        tests.args(["--workspace", "--all-features"]);
    }
    tests.args(filter);
    tests
}

const AGAIN: &str = "cargo xtask test";
