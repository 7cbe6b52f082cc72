//! The lint for authors of workflows, `workflow-clippy.toml`, finds what it is for.
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each line of the bad crate that ends with `// found: …` must be found with such a thing, and no other line.
#[test]
fn what_a_replay_would_not_do_again_is_found_where_it_stands() {
    let bad = fs::read_to_string(here().join("tests/workflow_lint/bad.rs")).unwrap();
    let expected: Vec<String> = bad
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some(format!("{}: {}", index + 1, line.split_once("// found: ")?.1)))
        .collect();
    assert!(expected.len() > 10, "the bad crate lost its comments");
    assert_eq!(clippy(&bad).join("\n"), expected.join("\n"));
}

/// What clippy finds, as `line: what`, each once, in order of the lines.
fn clippy(code: &str) -> Vec<String> {
    let package = target().join("tests/workflow-lint");
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("Cargo.toml"), MANIFEST).unwrap();
    fs::write(package.join("src/lib.rs"), code).unwrap();
    // The versions that the workspace has, so that nothing is fetched.
    fs::copy(here().join("../../Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let lint = here().join("workflow-clippy.toml");
    fs::copy(lint, package.join("clippy.toml")).unwrap();

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["clippy", "--offline", "--quiet", "--message-format=short"]).current_dir(&package);
    cargo.env("CARGO_TARGET_DIR", package.join("target")).env_remove("RUSTFLAGS").env_remove("CLIPPY_CONF_DIR");
    let output = cargo.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let mut found: Vec<(usize, String)> = text.lines().filter_map(finding).collect();
    found.sort();
    found.dedup();
    found.into_iter().map(|(line, what)| format!("{line}: {what}")).collect()
}

/// `src/lib.rs:7:13: warning: use of a disallowed method `std::time::SystemTime::now`…`; anything else but the count of warnings
/// is a mistake in the lint itself.
fn finding(line: &str) -> Option<(usize, String)> {
    if line.contains("generated ") {
        return None;
    }
    let (place, what) =
        line.split_once(": warning: use of a disallowed ").unwrap_or_else(|| panic!("clippy says: {line}"));
    let number = place.strip_prefix("src/lib.rs:").and_then(|place| place.split(':').next()).unwrap_or_default();
    Some((number.parse().unwrap(), what.replace('`', "")))
}

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn target() -> PathBuf {
    // target/debug/deps/TEST
    let running = std::env::current_exe().unwrap();
    running.ancestors().nth(3).map(Path::to_owned).unwrap()
}

const MANIFEST: &str = r#"
[package]
name = "bad-workflows"
version = "0.0.0"
edition = "2024"

[dependencies]
tokio = { version = "1", default-features = false, features = ["rt", "sync", "time"] }

[workspace]
"#;
