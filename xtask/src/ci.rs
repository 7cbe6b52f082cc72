//! `cargo xtask ci`: all that must pass before a change lands.

use std::process::Command;

use crate::Result;
use crate::arguments::CodegenSource;
use crate::steps::Steps;
use crate::workspace::{cargo, has_cargo_command, target};
use crate::{bench, codegen, deps, test};

/// Runs every check, stops at the first that fails, and says how long each took.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = run_steps(&mut steps);
    println!("\n{}", steps.summary());
    if outcome.is_ok() {
        println!("xtask: all checks passed");
    }
    outcome
}

fn run_steps(steps: &mut Steps) -> Result<()> {
    steps.command(
        "the lock file fits the manifests",
        cargo(["tree", "--locked", "--quiet", "--package=xtask", "--depth=0"]),
    )?;
    steps.command("fmt", cargo(["fmt", "--all", "--check"]))?;
    steps.command("clippy", clippy(["--workspace", "--all-targets", "--all-features"]))?;
    // In the workspace's build every package has the features that any of them asks for. What one package alone gets is
    // what a user gets, and a role must not need what the other role brings.
    for alone in BUILT_ALONE {
        steps.command(
            &format!("clippy {}", alone.join(" ")),
            clippy(["--package"].into_iter().chain(alone.iter().copied())),
        )?;
    }
    for command in FUZZ {
        let mut fuzz = cargo(command.iter().copied());
        fuzz.env("CARGO_TARGET_DIR", target()); // what is built already for the workspace is built for it, too
        steps.command(&format!("{} fuzz", command[0]), fuzz)?;
    }
    for (title, command) in bench::checks() {
        steps.command(title, command)?;
    }
    bench::exact(steps)?;
    let mut doc = cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    steps.command("rustdoc", doc)?;
    steps.run("deps", "cargo xtask deps", deps::run)?;
    steps.run("codegen --check", "cargo xtask codegen --check", || codegen::run(true, CodegenSource::Definitions))?;
    if has_cargo_command("deny") {
        // Not `advisories`: their database comes over the network, and a new one must not fail an old change.
        steps.command("cargo-deny", cargo(["deny", "check", "licenses", "bans", "sources"]))?;
    } else {
        steps.skip("cargo-deny", "it is not installed here (cargo install --locked cargo-deny)");
    }
    test::run(steps, &[])
}

fn clippy<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = cargo(["clippy"].into_iter().chain(arguments));
    command.args(["--", "-D", "warnings"]);
    command
}

/// What is checked of the fuzz targets, which are outside the workspace: their form, and that they find nothing at once.
const FUZZ: &[&[&str]] = &[
    &["fmt", "--manifest-path=fuzz/Cargo.toml", "--check"],
    &[
        "clippy",
        "--manifest-path=fuzz/Cargo.toml",
        "--locked",
        "--no-default-features",
        "--all-targets",
        "--",
        "-Dwarnings",
    ],
    &["test", "--manifest-path=fuzz/Cargo.toml", "--locked", "--no-default-features"],
];

/// Packages, with their features, that are checked outside the workspace's build.
const BUILT_ALONE: &[&[&str]] = &[
    &["timewright-proto"],
    &["timewright-proto", "--features=all-rpcs"],
    &["timewright-protocol"],
    &["timewright-protocol", "--features=activity"],
    &["timewright-protocol", "--features=workflow"],
    &["timewright-converter"],
    &["timewright-definition"],
    &["timewright-client"],
    &["timewright-client", "--features=tls"],
    &["timewright-activity-worker"],
    &["timewright-workflow-worker"],
    &["wasm-workflows"], // workflow code without client, tokio and threads
    &["timewright", "--no-default-features"],
    &["timewright", "--no-default-features", "--features=activity"],
    &["timewright", "--no-default-features", "--features=workflow"],
];
