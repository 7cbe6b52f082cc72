//! `cargo xtask fuzz`: looks for inputs that break what `fuzz/` says must hold.
//!
//! What was found to be worth trying is kept in `fuzz/corpus`, and what broke something in `fuzz/artifacts`; neither is
//! committed. An input whose fault is mended goes to `fuzz/regressions`, where every `cargo xtask ci` tries it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::Result;
use crate::arguments::Fuzz;
use crate::setup;
use crate::steps::{Steps, run_to_end};
use crate::workspace::{cargo, root, target};

/// Runs every target for its share of the time, or one target on the input that is named.
pub(crate) fn run(what: &Fuzz) -> Result<()> {
    let cargo_fuzz = setup::cargo_fuzz()?;
    let mut steps = Steps::new();
    match what {
        Fuzz::Input(input) => repeat(&cargo_fuzz, Path::new(input)),
        Fuzz::Seconds(seconds) => {
            let outcome = search(&mut steps, &cargo_fuzz, *seconds);
            println!("\n{}", steps.summary());
            outcome
        }
    }
}

fn search(steps: &mut Steps, cargo_fuzz: &Path, seconds: u64) -> Result<()> {
    let targets = targets()?;
    let mut seeds = cargo(["run", "--quiet", "--no-default-features", "--example=seeds", "--manifest-path", MANIFEST]);
    seeds.arg("--target-dir").arg(target()).args(["--", "fuzz/corpus"]);
    steps.command("inputs to begin with", seeds)?;
    steps.command("build the targets", with_nightly(cargo_fuzz, "build", &[]))?;

    let share = (seconds / targets.len().max(1) as u64).max(1);
    for target in &targets {
        let title = format!("{target} for {share} s");
        let again = format!("cargo xtask fuzz --seconds {seconds}");
        steps.run(&title, &again, || {
            let began = SystemTime::now();
            let mut fuzzer = with_nightly(cargo_fuzz, "run", &[target, "--"]);
            fuzzer.args(LIBFUZZER).arg(format!("-max_total_time={share}"));
            run_to_end(&title, fuzzer).map_err(|error| match newest_artifact(target, began) {
                Some(input) => format!("{error}\nto repeat it with what it found: cargo xtask fuzz {input}"),
                None => error,
            })
        })?;
    }
    Ok(())
}

/// Runs a target once, on an input that it failed on. Which target: that is the name of the input's folder.
fn repeat(cargo_fuzz: &Path, input: &Path) -> Result<()> {
    if !input.is_file() {
        return Err(format!("there is no file {}; fuzz takes --seconds S, or an input that failed", input.display()));
    }
    let input = fs::canonicalize(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let target = input.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let targets = targets()?;
    if !targets.contains(&target) {
        let known = targets.join(", ");
        return Err(format!("{} is in no folder that is named as a target is: {known}", input.display()));
    }
    let mut fuzzer = with_nightly(cargo_fuzz, "run", &[&target]);
    fuzzer.arg(&input).arg("--").args(LIBFUZZER);
    run_to_end(&target, fuzzer)?;
    println!("xtask: nothing is wrong with this input; if it was, put it into fuzz/regressions/{target}");
    Ok(())
}

/// The targets are the files of a folder, in their order.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.file_name()?.to_str()?.strip_suffix(".rs")?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// cargo-fuzz, run by Rust's nightly toolchain, since only that can instrument code.
fn with_nightly(cargo_fuzz: &Path, what: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", setup::NIGHTLY]).arg(cargo_fuzz).arg(what).current_dir(root());
    // No sanitizer: they look for what unsafe code does, and there is none here; without it ten times as much is tried.
    command.args(["--fuzz-dir=fuzz", "--sanitizer=none", "--target-dir"]).arg(target().join("fuzz")).args(arguments);
    // What the cargo that runs us says of itself is not true of the other one.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    command
}

/// What a target found since, as a path from the root.
fn newest_artifact(target: &str, since: SystemTime) -> Option<String> {
    let folder = PathBuf::from("fuzz/artifacts").join(target);
    let entries = fs::read_dir(root().join(&folder)).ok()?;
    let files =
        entries.flatten().filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.file_name())));
    let (_, name) = files.filter(|(modified, _)| *modified >= since).max()?;
    Some(folder.join(name).display().to_string())
}

const MANIFEST: &str = "fuzz/Cargo.toml";
/// An input that takes longer than this hangs, one that needs more memory leaks; what is longer shows nothing more.
const LIBFUZZER: [&str; 6] =
    ["-timeout=10", "-rss_limit_mb=2048", "-max_len=32768", "-verbosity=0", "-print_funcs=0", "-print_final_stats=1"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_target_and_every_target_is_declared() {
        let targets = targets().unwrap();
        let manifest = fs::read_to_string(root().join(MANIFEST)).unwrap();
        assert!(targets.contains(&"runs".to_owned()), "{targets:?}");
        for target in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        }
    }

    #[test]
    fn an_input_that_is_not_there_or_nobodys_is_an_error_that_says_so() {
        let error = repeat(Path::new("cargo-fuzz"), Path::new("nowhere")).unwrap_err();
        assert_eq!(error, "there is no file nowhere; fuzz takes --seconds S, or an input that failed");
        let error = repeat(Path::new("cargo-fuzz"), &root().join(MANIFEST)).unwrap_err();
        assert!(error.contains("is in no folder that is named as a target is: history_json, "), "{error}");
    }
}
