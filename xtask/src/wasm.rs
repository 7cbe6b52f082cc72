//! `cargo xtask wasm`: builds the example's module anew, for the tests that execute it.
//!
//! They hold that a module which was built earlier goes on working, so it is built anew only when what it has changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::steps::run_to_end;
use crate::workspace::{cargo, root, target};

/// Builds the module, and puts it where the tests of `timewright-wasm` find it.
pub(crate) fn run() -> Result<()> {
    let sysroot = sysroot()?;
    if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return Err(format!(
            "the toolchain in {} cannot compile for {TARGET}: rustup target add {TARGET}",
            sysroot.display()
        ));
    }
    let mut build = cargo(["rustc", "--locked", "--package=wasm-workflows", "--profile=wasm"]);
    build.args(["--target", TARGET, "--crate-type=cdylib", "--target-dir"]).arg(target());
    build.env("RUSTFLAGS", without_paths(&sysroot)?);
    run_to_end("wasm", build)?;

    let built = target().join(TARGET).join("wasm/wasm_workflows.wasm");
    let module = root().join(MODULE);
    let bytes = std::fs::copy(&built, &module).map_err(|error| format!("{}: {error}", module.display()))?;
    println!("xtask: {MODULE}, {bytes} bytes");
    Ok(())
}

/// Panics name files. They shall not name those of this machine.
fn without_paths(sysroot: &Path) -> Result<String> {
    let workspace = std::fs::canonicalize(root()).map_err(|error| format!("{}: {error}", root().display()))?;
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let places = [
        (workspace, "/timewright"),
        (cargo_home, "/cargo"),
        // Where the library's sources are installed, the compiler names them there.
        (sysroot.join("lib/rustlib/src/rust"), "/rust"),
    ];
    let flags = places.map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display()));
    Ok(flags.join(" "))
}

fn sysroot() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).current_dir(root()).output();
    let output = output.map_err(|error| format!("rustc --print sysroot: {error}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

const TARGET: &str = "wasm32-unknown-unknown";
const MODULE: &str = "crates/wasm/tests/modules/wasm-workflows.wasm";
