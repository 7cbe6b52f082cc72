//! What `docs/features.md` names exists: tests, items of the API, packages, files. So the page cannot claim what has gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::hygiene::{self, Source};
use crate::Result;
use crate::tree::Member;
use crate::workspace::root;

/// One line for each name that stands for nothing, and for each feature that is done and says not where that is held.
pub(crate) fn violations(members: &[Member]) -> Result<Vec<String>> {
    let path = root().join("docs/features.md");
    let page = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows: Vec<Row> = page.lines().filter_map(read_row).collect();
    if rows.is_empty() {
        return Err("docs/features.md has no rows".to_owned());
    }
    let known = Known::read(members)?;
    Ok(rows.iter().flat_map(|row| known.wrong(row)).collect())
}

struct Row<'a> {
    feature: &'a str,
    is_done: bool,
    /// The last column.
    place: &'a str,
}

/// `None` for a line that is no row of a feature, or of one that is not there yet.
fn read_row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<_> = line.strip_prefix('|')?.trim_end().strip_suffix('|')?.split(" | ").map(str::trim).collect();
    let [feature, state @ ("done" | "partial"), place] = cells[..] else { return None };
    Some(Row { feature, is_done: state == "done", place })
}

/// What a row may name.
#[derive(Default)]
struct Known {
    packages: BTreeSet<String>,
    /// Each test as `package::modules::test`, without modules that are called `tests`.
    tests: BTreeSet<String>,
    /// Whatever could be an identifier.
    words: BTreeSet<String>,
}

impl Known {
    fn read(members: &[Member]) -> Result<Self> {
        let mut known = Self::default();
        for member in members {
            known.packages.insert(member.name.clone());
            let directory = fs::canonicalize(&member.directory).map_err(|error| error.to_string())?;
            for Source { path, text, .. } in hygiene::sources(&directory)? {
                let modules = modules(path.strip_prefix(&directory).unwrap_or(&path));
                let package = &member.name;
                known.tests.extend(tests(&text).map(|test| plain(&format!("{package}::{modules}::{test}"))));
                known.words.extend(hygiene::words(&text).map(str::to_owned));
            }
        }
        Ok(known)
    }

    /// What is wrong with a row.
    fn wrong(&self, row: &Row<'_>) -> Vec<String> {
        let (mut wrong, mut is_held) = (Vec::new(), row.place.contains("documentation"));
        for part in row.place.split("; ") {
            // Names behind that of a package are of its tests.
            let mut package = None;
            for name in part.split('`').skip(1).step_by(2) {
                let exists = if self.packages.contains(name) {
                    package = Some(name);
                    is_held = true;
                    true
                } else if let Some(is_test) = self.is_test(package, name) {
                    is_held |= is_test;
                    is_test
                } else if name.contains('/') {
                    is_held = true;
                    root().join(name).exists()
                } else if name.starts_with("cargo xtask ") {
                    is_held = true;
                    true
                } else {
                    self.is_item(name)
                };
                if !exists {
                    wrong.push(format!("docs/features.md, {}: there is no `{name}`", row.feature));
                }
            }
        }
        if row.is_done && !is_held {
            wrong.push(format!("docs/features.md, {}: it is done, and no test is named", row.feature));
        }
        wrong
    }

    /// Whether there is such a test, or a module with tests; `None` if it is not the name of one. `…` stands for what is left
    /// out at the beginning or the end.
    fn is_test(&self, package: Option<&str>, name: &str) -> Option<bool> {
        let is_path = |name: &str| name.chars().all(|c| c.is_lowercase() || c.is_ascii_digit() || "_:…".contains(c));
        if !is_path(name) || (package.is_none() && !name.contains("::")) {
            return None;
        }
        let of_package = format!("{}::", package.unwrap_or("timewright"));
        let is_abbreviated = name.ends_with('…');
        let wanted = plain(name.trim_start_matches("…::").trim_end_matches('…'));
        let mut tests = self.tests.iter().filter_map(|test| test.strip_prefix(&of_package));
        let found = tests.any(|test| {
            let test = format!("::{test}::");
            test.contains(&if is_abbreviated { format!("::{wanted}") } else { format!("::{wanted}::") })
        });
        // Without a package it may be a function of the API, such as `sync::channel`.
        let may_be_else = package.is_none() && !found && !self.is_file_of_tests(name);
        (!may_be_else).then_some(found)
    }

    /// Whether a path begins with a file of the umbrella's tests, or leaves that out.
    fn is_file_of_tests(&self, name: &str) -> bool {
        let first = name.split("::").next().unwrap_or_default();
        first == "…"
            || ["", ".rs"].iter().any(|end| root().join(format!("crates/timewright/tests/{first}{end}")).exists())
    }

    /// Types, and what belongs to a path, must be found somewhere; other words are none of ours.
    fn is_item(&self, name: &str) -> bool {
        let is_ours = name.contains("::") || name.starts_with(char::is_uppercase);
        !is_ours || name.split("::").all(|part| self.words.contains(part.trim_end_matches('!')))
    }
}

/// The modules of a file, as its path says.
fn modules(path: &Path) -> String {
    let path = path.with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| !["src", "tests", "main", "lib", "mod"].contains(&part.as_str())).collect::<Vec<_>>().join("::")
}

/// A path without the modules `tests`, which say nothing.
fn plain(path: &str) -> String {
    path.split("::").filter(|part| !part.is_empty() && *part != "tests").collect::<Vec<_>>().join("::")
}

/// The functions of a file that are tests, those of `proptest!` among them.
fn tests(source: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    source.lines().map(str::trim).filter_map(move |line| {
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?.split('(').next()?;
        std::mem::take(&mut is_test).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Known {
            packages: set(&["timewright-client"]),
            tests: set(&["timewright::basics::endings::it_ends", "timewright-client::slots::x1_two_share"]),
            words: set(&["Client", "describe", "sync", "channel"]),
        }
    }

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let row = read_row(line).expect("a row");
        let wrong = known().wrong(&row);
        assert_eq!(wrong, expected.iter().map(|text| format!("docs/features.md, It: {text}")).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_row_names_is_found() {
        check("| It | done | `Client::describe`: `basics::endings::it_ends`, `…::it_ends`; `sync::channel` |", &[]);
        check(
            "| It | done | by `tracing`: `timewright-client`: `slots`, `slots::tests::x1_…`; `basics::endings` |",
            &[],
        );
        check("| It | done | `docs/features.md` |", &[]);
        check("| It | partial | only a little |", &[]);
        assert!(read_row("| It | not yet | `gone::away` |").is_none());
        assert!(read_row("|---|---|---|").is_none());
    }

    #[test]
    fn what_has_gone_is_named() {
        check("| It | done | nothing |", &["it is done, and no test is named"]);
        check(
            "| It | partial | `basics::endings::it_began`; `timewright-client`: `stack`; `Client::list`; `docs/none.md` |",
            &[
                "there is no `basics::endings::it_began`",
                "there is no `stack`",
                "there is no `Client::list`",
                "there is no `docs/none.md`",
            ],
        );
    }
}
