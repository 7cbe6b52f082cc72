//! The same random programs on a real Temporal Server and on the model of it, through our own workers, with their cache and
//! without: all four must record the same histories.
//!
//! `cargo xtask conform` runs this. What is chosen by chance comes from a seed and a number, so that each program can be run
//! again.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

mod activities;
mod branches;
mod chance;
mod comparison;
mod definitions;
mod generate;
mod interpreter;
mod normal_form;
mod operated;
mod operations;
mod program;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::time::{Duration, Instant};

use comparison::Comparison;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and more; `cargo xtask conform` runs it, and `cargo xtask test` does"]
async fn programs_have_the_same_histories_on_the_model_and_on_a_real_server() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")),
        Err(_) => default,
    };
    let comparison = Comparison {
        seed: number("TIMEWRIGHT_CONFORM_SEED", 1),
        first: number("TIMEWRIGHT_CONFORM_FIRST", 0),
        programs: number("TIMEWRIGHT_CONFORM_PROGRAMS", 20),
        at_once: number("TIMEWRIGHT_CONFORM_AT_ONCE", 16) as usize,
        slot: number("TIMEWRIGHT_CONFORM_SLOT", 500),
        budget: Duration::from_secs(number("TIMEWRIGHT_CONFORM_SECONDS", u64::MAX / 4)),
    };
    let began = Instant::now();
    let figures = comparison.run().await;
    figures.print(began.elapsed());
    assert!(figures.programs > 0, "no program was run");
    assert_eq!(figures.disagreements, 0, "they are shown above");
}
