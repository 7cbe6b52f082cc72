//! Where programs are: Temporal's own, and those that this build made.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// The version of Temporal's CLI that this crate is tested with, and that `cargo xtask` installs.
pub const TEMPORAL_CLI_VERSION: &str = "1.9.1";

/// No `temporal` program was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTemporalBinary {
    /// What `TEMPORAL_BINARY` says, if it is set; it names no file then.
    pub told: Option<PathBuf>,
}

/// A program of this build is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramNotBuilt {
    /// The program's name.
    pub name: String,
}

/// Temporal's CLI: the file that the environment variable `TEMPORAL_BINARY` names; else the one that `cargo xtask`
/// installed in the target directory of the running program; else `temporal` on `PATH`.
pub fn temporal_binary() -> Result<PathBuf, NoTemporalBinary> {
    find_temporal(
        std::env::var_os("TEMPORAL_BINARY"),
        &std::env::current_exe().unwrap_or_default(),
        std::env::var_os("PATH"),
    )
}

/// A program that the same `cargo build` (or `cargo test`) made as the running one, by its name.
///
/// Integration tests use it for programs of other packages of the workspace; for those of its own package cargo gives
/// `CARGO_BIN_EXE_…`.
pub fn built_program(name: &str) -> Result<PathBuf, ProgramNotBuilt> {
    let running = std::env::current_exe().unwrap_or_default();
    // target/debug/PROGRAM, target/debug/deps/TEST, target/debug/examples/EXAMPLE
    let candidates = running.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    candidates.into_iter().find(|file| file.is_file()).ok_or_else(|| ProgramNotBuilt { name: name.to_owned() })
}

fn find_temporal(told: Option<OsString>, running: &Path, path: Option<OsString>) -> Result<PathBuf, NoTemporalBinary> {
    if let Some(told) = told.map(PathBuf::from) {
        return if told.is_file() { Ok(told) } else { Err(NoTemporalBinary { told: Some(told) }) };
    }
    let installed = format!("tools/temporal-{TEMPORAL_CLI_VERSION}/bin/temporal");
    let installed = running.ancestors().skip(1).map(|folder| folder.join(&installed));
    let on_path = path.iter().flat_map(std::env::split_paths).map(|folder| folder.join("temporal"));
    installed.chain(on_path).find(|file| file.is_file()).ok_or(NoTemporalBinary { told: None })
}

impl fmt::Display for NoTemporalBinary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.told {
            Some(told) => write!(
                formatter,
                "TEMPORAL_BINARY names {}, where there is no file; correct it, or unset it and `temporal` is looked for",
                told.display()
            ),
            None => formatter.write_str(
                "no `temporal` program: it is not on PATH, and TEMPORAL_BINARY is not set; \
                 install Temporal's CLI (https://docs.temporal.io/cli), or let `cargo xtask test` do it",
            ),
        }
    }
}

impl std::error::Error for NoTemporalBinary {}

impl fmt::Display for ProgramNotBuilt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the program {name} is not built; run `cargo build -p {name}` first", name = self.name)
    }
}

impl std::error::Error for ProgramNotBuilt {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory of the test's own, with an empty file at each of `files`.
    fn directory(test: &str, files: &[&str]) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("timewright-program-{test}-{}", std::process::id()));
        for file in files {
            let file = directory.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        directory
    }

    #[test]
    fn what_was_told_wins_over_what_is_installed_and_that_over_the_path() {
        let installed = format!("target/tools/temporal-{TEMPORAL_CLI_VERSION}/bin/temporal");
        let root = directory("order", &["told/temporal", &installed, "path/temporal"]);
        let running = root.join("target/debug/deps/test");
        let path = Some(root.join("path").into_os_string());

        let told = find_temporal(Some(root.join("told/temporal").into()), &running, path.clone());
        assert_eq!(told, Ok(root.join("told/temporal")));
        assert_eq!(find_temporal(None, &running, path.clone()), Ok(root.join(&installed)));
        assert_eq!(find_temporal(None, Path::new("/elsewhere/test"), path), Ok(root.join("path/temporal")));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_wrong_temporal_binary_is_not_passed_over_in_silence() {
        let error = find_temporal(Some("/nowhere/temporal".into()), Path::new("/x"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "TEMPORAL_BINARY names /nowhere/temporal, where there is no file; correct it, or unset it and `temporal` \
             is looked for"
        );
    }

    #[test]
    fn without_any_temporal_the_error_says_what_to_do() {
        let error = find_temporal(None, Path::new("/x"), Some("/nowhere".into())).unwrap_err();
        assert!(error.to_string().contains("install Temporal's CLI"), "{error}");
    }

    #[test]
    fn a_program_that_was_not_built_is_named_with_the_command_that_builds_it() {
        let error = built_program("no-such-program").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the program no-such-program is not built; run `cargo build -p no-such-program` first"
        );
    }
}
