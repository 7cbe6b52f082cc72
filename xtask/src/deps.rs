//! `cargo xtask deps`: which package may reach which, and the other rules that every package keeps.
//!
//! [`RULES`] is the table of arrows in ARCHITECTURE.md as code. It is checked on what cargo resolves, not on what
//! manifests say, so that an arrow that goes round three corners is found too.

mod arrows;
mod features;
mod hygiene;
mod log;

use std::fs;
use std::process::Command;

use crate::Result;
use crate::tree;
use crate::workspace::{cargo, typed};
use arrows::{RULES, Reached, UNRULED};

/// Checks everything and names all that is wrong.
pub(crate) fn run() -> Result<()> {
    let members = tree::members()?;
    let mut violations = arrows::unknown_members(&members);
    for rule in RULES {
        if !members.iter().any(|member| member.name == rule.package) {
            violations.push(format!("there is a rule about {}, but no such package", rule.package));
            continue;
        }
        let reached = Reached {
            packages: tree::reached(rule.package, rule.features)?,
            direct: tree::direct(rule.package, "normal")?.into_iter().map(|direct| direct.package).collect(),
        };
        violations.extend(rule.violations(&reached));
    }
    // Rules on the same package with other features say some things again.
    violations.sort();
    violations.dedup();
    println!("deps: {} rules on {} packages; {} are tools without a rule", RULES.len(), members.len(), UNRULED.len());

    for member in &members {
        violations.extend(hygiene::violations(member)?);
    }
    violations.extend(log::violations(&members)?);
    violations.extend(features::violations(&members)?);
    violations.extend(check_on_wasm()?);
    for program in members.iter().filter(|member| COUNTED.contains(&member.name.as_str())) {
        let packages = tree::reached(&program.name, &[])?;
        let crates: usize = packages.values().map(|package| package.versions.len()).sum();
        println!("deps: {} is built of {crates} crates", program.name);
    }
    if violations.is_empty() { Ok(()) } else { Err(format!("rules are broken:\n  {}", violations.join("\n  "))) }
}

/// The protocol crate has no IO, no clock and no threads; a target without an operating system shows it.
fn check_on_wasm() -> Result<Option<String>> {
    let sysroot = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("rustc does not start: {error}"))?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if !fs::exists(format!("{sysroot}/lib/rustlib/{WASM}")).unwrap_or(false) {
        println!(
            "deps: timewright-protocol is not checked on {WASM}, which is not installed (rustup target add {WASM})"
        );
        return Ok(None);
    }
    let mut check = cargo(["check", "--quiet", "--package=timewright-protocol", "--all-features", "--target", WASM]);
    let status = check.status().map_err(|error| format!("cargo does not start: {error}"))?;
    Ok((!status.success()).then(|| format!("timewright-protocol does not compile for {WASM}: `{}`", typed(&check))))
}

/// Programs of which it is said how many crates they are built of: a figure to watch.
const COUNTED: [&str; 2] = ["greeting-activity-worker", "greeting-workflow-worker"];
const WASM: &str = "wasm32-unknown-unknown";
