//! What every package keeps to: a licence, no dependency that nothing uses, and a `//!` at the head of each file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::tree::{self, Member};
use crate::workspace::root;

/// One line for each thing that is not as it should be.
pub(crate) fn violations(member: &Member) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    if member.licence != LICENCE {
        violations
            .push(format!("{} has the licence `{}` in its manifest, not `{LICENCE}`", member.name, member.licence));
    }

    let sources = sources(Path::new(&member.directory))?;
    for Source { path, text, generated } in &sources {
        if !generated && !text.starts_with("//!") {
            let path = path.strip_prefix(fs::canonicalize(root()).unwrap_or_default()).unwrap_or(path);
            violations.push(format!("{} does not begin with a `//!` that says what it is", path.display()));
        }
    }

    let words: BTreeSet<&str> = sources.iter().flat_map(|source| words(&source.text)).collect();
    for dependency in tree::direct(&member.name, "normal,build,dev")? {
        let allowed =
            UNUSED.iter().any(|(package, unused, _)| *package == member.name && *unused == dependency.package);
        if !allowed && !words.contains(dependency.crate_name.as_str()) {
            violations.push(format!(
                "{} names {}, but no file of it says `{}`; take it out of the manifest",
                member.name, dependency.package, dependency.crate_name
            ));
        }
    }
    Ok(violations)
}

/// What a package itself is made of, without its tests: each file's path, from the root of the workspace, and its text.
pub(crate) fn own_code(member: &Member) -> Result<Vec<(String, String)>> {
    let root = fs::canonicalize(root()).unwrap_or_default();
    let own = sources(&Path::new(&member.directory).join("src"))?.into_iter().filter(|source| {
        !source.generated && !source.path.ends_with("tests.rs") && !source.path.iter().any(|part| part == "tests")
    });
    Ok(own
        .map(|Source { path, text, .. }| (path.strip_prefix(&root).unwrap_or(&path).display().to_string(), text))
        .collect())
}

/// Dependencies that no line of code names: package, dependency, reason.
const UNUSED: &[(&str, &str, &str)] =
    &[("wasm-workflows", "timewright-wasm-guest", "it has the umbrella's name there, `timewright`")];

const LICENCE: &str = "MIT OR Apache-2.0";

/// A file of a package.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) generated: bool,
}

/// All `.rs` files of a package. Packages inside its folder (`xtask/codegen`) are not its own.
pub(crate) fn sources(directory: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.is_dir() {
                if !path.join("Cargo.toml").exists() {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                let generated = path.components().any(|part| part.as_os_str() == "generated");
                sources.push(Source { path, text, generated });
            }
        }
    }
    Ok(sources)
}

/// What an identifier may be, wherever it stands.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_only_as_a_whole_word() {
        let words: Vec<&str> = words("use serde_json::Value; // not bytes_extra").collect();
        assert!(words.contains(&"serde_json"));
        assert!(!words.contains(&"serde") && !words.contains(&"bytes"));
    }

    #[test]
    fn this_package_has_its_own_files_and_not_those_of_the_package_inside_it() {
        let sources = sources(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(sources.iter().any(|source| source.path.ends_with("src/deps/hygiene.rs")));
        assert!(!sources.iter().any(|source| source.path.starts_with(concat!(env!("CARGO_MANIFEST_DIR"), "/codegen"))));
    }

    #[test]
    fn a_package_is_told_all_that_is_wrong_with_it() {
        let directory = std::env::temp_dir().join(format!("timewright-hygiene-{}", std::process::id()));
        fs::create_dir_all(directory.join("src")).unwrap();
        fs::write(directory.join("src/lib.rs"), "fn nothing() {}\n").unwrap();
        // `xtask` has the dependency timewright-testing, which the file above does not use.
        let member = Member {
            name: "xtask".to_owned(),
            directory: directory.to_string_lossy().into_owned(),
            licence: "MIT".to_owned(),
        };
        let violations = violations(&member).unwrap();
        assert_eq!(violations.len(), 3, "{violations:#?}");
        assert_eq!(violations[0], "xtask has the licence `MIT` in its manifest, not `MIT OR Apache-2.0`");
        assert!(violations[1].ends_with("lib.rs does not begin with a `//!` that says what it is"));
        assert_eq!(
            violations[2],
            "xtask names timewright-testing, but no file of it says `timewright_testing`; take it out of the manifest"
        );
        fs::remove_dir_all(directory).unwrap();
    }
}
