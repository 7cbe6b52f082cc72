//! What a contributor and CI run, as `cargo xtask COMMAND`.
//!
//! This program only calls others: cargo, pip, Temporal's CLI, and what cargo built. It depends on the standard
//! library and on `timewright-testing`, so that it builds in a second.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod arguments;
mod bench;
mod chaos;
mod ci;
mod codegen;
mod conform;
mod demo;
mod deps;
mod fuzz;
mod record_histories;
mod regressions;
mod setup;
mod steps;
mod test;
mod tree;
mod wasm;
mod workspace;

use std::process::ExitCode;

use arguments::{Command, HELP};
use steps::Steps;

/// What goes wrong here is read by a contributor on a terminal, so a text is all that is needed.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Command::parse(std::env::args().skip(1))? {
        Command::Help => {
            print!("{HELP}");
            Ok(())
        }
        Command::Demo { ui } => demo::run(ui),
        Command::Test { filter } => test::run(&mut Steps::new(), &filter),
        Command::Chaos(what) => chaos::run(&what),
        Command::Bench(what) => bench::run(&what),
        Command::Ci => ci::run(),
        Command::Codegen { check, source } => codegen::run(check, source),
        Command::Conform(what) => conform::run(&what),
        Command::Deps => deps::run(),
        Command::Fuzz(what) => fuzz::run(&what),
        Command::Regressions => regressions::run(),
        Command::Wasm => wasm::run(),
        Command::RecordHistories { selected } => record_histories::run(&selected),
    }
}
