//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo's target directory: the one that this program was built into, which cargo marks with a file.
pub(crate) fn target() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    let marked = running.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| root().join("target"), Path::to_owned)
}

/// Where the tools are that pip installs for us.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The cargo that runs us, in the workspace's root, with these arguments.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// A subcommand of cargo that has to be installed, such as `nextest`.
pub(crate) fn has_cargo_command(name: &str) -> bool {
    cargo([name, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// The command as one would type it in the workspace's root.
pub(crate) fn typed(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let variables = variables.map(|(name, value)| format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
    let program = Path::new(command.get_program());
    let program = if program.file_stem().is_some_and(|name| name == "cargo") { Path::new("cargo") } else { program };
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    variables.chain([program.display().to_string()]).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_=.,:/@+".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["doc", "--features", "a b", "it's"]).env("RUSTDOCFLAGS", "-D warnings").env_remove("HOME");
        assert_eq!(typed(&command), r"RUSTDOCFLAGS='-D warnings' cargo doc --features 'a b' 'it'\''s'");
    }

    #[test]
    fn the_target_directory_is_the_one_this_test_was_built_into() {
        assert!(std::env::current_exe().unwrap().starts_with(target()));
    }
}
