//! Reads `regressions.md` and the tests that it names. `cargo xtask regressions` is made of this file, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The page, and the tests that it may name.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// The tests beside it, as `file::test`.
    scenarios: BTreeSet<String>,
    /// All other tests of all crates, as `crate::modules::test`.
    others: BTreeSet<String>,
}

/// A sequence on which implementations have failed.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) sequence: String,
    /// The tests, or why there are none.
    pub(crate) answer: String,
}

impl Page {
    /// Reads the page in the folder of this crate's tests.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let page = folder.join("regressions.md");
        let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
        let rows = text.lines().filter_map(read_row).collect::<Result<_, _>>()?;
        let folder_of_scenarios = folder.join("scenarios");
        let mut scenarios = BTreeSet::new();
        for file in sources(&folder_of_scenarios)? {
            read_tests_of(&file, &file.file_stem().unwrap_or_default().to_string_lossy(), &mut scenarios)?;
        }
        let mut others = BTreeSet::new();
        let crates = folder.join("../..");
        for package in subfolders(&crates)? {
            for part in ["src", "tests"].map(|part| crates.join(&package).join(part)) {
                read_tests(&part, &package, &mut others)?;
            }
        }
        others.retain(|test| !test.starts_with("protocol::scenarios::"));
        Ok(Self { rows, scenarios, others })
    }

    /// Each known sequence has one row, in their order; one line for each that is not so.
    pub(crate) fn wrong_ids(&self) -> Vec<String> {
        let known = GROUPS.iter().flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number}")));
        let known: Vec<_> = known.collect();
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &self.rows {
            *count.entry(&row.id).or_default() += 1;
        }
        let mut wrong = Vec::new();
        for id in &known {
            match count.remove(id.as_str()) {
                Some(1) => (),
                Some(rows) => wrong.push(format!("{id} has {rows} rows")),
                None => wrong.push(format!("{id} has no row")),
            }
        }
        wrong.extend(count.into_keys().map(|id| format!("{id} is no known sequence")));
        if wrong.is_empty() && !self.rows.iter().map(|row| &row.id).eq(&known) {
            wrong.push("the rows are not in the order of their ids".to_owned());
        }
        wrong
    }

    /// Each row says what it is about and names tests that exist, or says why there are none; one line for each thing that is
    /// not so.
    pub(crate) fn wrong_answers(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for Row { id, sequence, answer } in &self.rows {
            let tests: Vec<_> = tests_in(answer).collect();
            if sequence.is_empty() || (tests.is_empty() && !answer.contains(": ")) {
                wrong.push(format!("{id} names no test and gives no reason"));
            }
            let is_known = |test: &str| self.scenarios.contains(test) || self.others.contains(test);
            let unknown = tests.into_iter().filter(|test| !is_known(test));
            wrong.extend(unknown.map(|test| format!("{id} names {test}, but there is no such test")));
        }
        wrong
    }

    /// Whoever reads a test with an id in its name finds it in the rows; one line for each that is not there. Outside the
    /// scenarios only the groups that are about whole workers are looked for: other lists have ids, too.
    pub(crate) fn unnamed_tests(&self) -> Vec<String> {
        let mut unnamed = Vec::new();
        let id_of = |test: &str| {
            let name = test.split("::").last().unwrap_or_default();
            name.split('_').next().unwrap_or_default().to_ascii_uppercase()
        };
        let scenarios = self.scenarios.iter().map(|test| (id_of(test), test));
        let others = self.others.iter().map(|test| (id_of(test), test)).filter(|(id, _)| id.starts_with(WHOLE_WORKER));
        for (id, test) in scenarios.chain(others).filter(|(id, _)| is_id(id)) {
            if !self.rows.iter().any(|row| row.id == id && tests_in(&row.answer).any(|named| named == test)) {
                unnamed.push(format!("{id} does not name {test}"));
            }
        }
        unnamed
    }
}

/// `None` for a line that is no row of a sequence.
fn read_row(line: &str) -> Option<Result<Row, String>> {
    let cells: Vec<_> = line.strip_prefix('|')?.trim_end().trim_end_matches('|').split(" | ").map(str::trim).collect();
    let id = *cells.first().filter(|id| is_id(id))?;
    Some(match cells[1..] {
        [sequence, answer] => Ok(Row { id: id.to_owned(), sequence: sequence.to_owned(), answer: answer.to_owned() }),
        _ => Err(format!("the row of {id} has {} cells instead of three", cells.len())),
    })
}

/// `H1`: whether it names a sequence, known or not.
fn is_id(text: &str) -> bool {
    let number = text.strip_prefix(|group| GROUPS.iter().any(|(known, _)| *known == group));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The names between backticks that are those of tests.
fn tests_in(answer: &str) -> impl Iterator<Item = &str> {
    answer.split('`').skip(1).step_by(2).filter(|name| name.contains("::"))
}

/// Adds the tests of all files below a folder, where there is one. Modules are named as their files are, without those that say
/// nothing: `mod`, `lib`, `main`, `tests`.
fn read_tests(folder: &Path, modules: &str, tests: &mut BTreeSet<String>) -> Result<(), String> {
    if !folder.is_dir() {
        return Ok(());
    }
    for file in sources(folder)? {
        match file.file_stem().unwrap_or_default().to_string_lossy().as_ref() {
            "mod" | "lib" | "main" | "tests" => read_tests_of(&file, modules, tests)?,
            name => read_tests_of(&file, &format!("{modules}::{name}"), tests)?,
        }
    }
    for name in subfolders(folder)? {
        read_tests(&folder.join(&name), &format!("{modules}::{name}"), tests)?;
    }
    Ok(())
}

fn read_tests_of(file: &Path, modules: &str, tests: &mut BTreeSet<String>) -> Result<(), String> {
    let source = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    tests.extend(tests_of(&source).map(|test| format!("{modules}::{test}")));
    Ok(())
}

/// The Rust files in a folder.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    Ok(entries(folder)?.into_iter().filter(is_source).collect())
}

/// The names of the folders in a folder.
fn subfolders(folder: &Path) -> Result<Vec<String>, String> {
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(folders.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::read_dir(folder).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
}

/// The functions of a file that are tests, those of `proptest!` among them.
fn tests_of(source: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    source.lines().map(str::trim).filter_map(move |line| {
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?.split('(').next()?;
        std::mem::take(&mut is_test).then_some(name)
    })
}

/// Each group of sequences, and how many it has.
const GROUPS: [(char, usize); 16] = [
    ('H', 18),
    ('R', 4),
    ('A', 12),
    ('T', 8),
    ('C', 16),
    ('L', 22),
    ('P', 10),
    ('U', 13),
    ('Q', 12),
    ('W', 24),
    ('X', 19),
    ('V', 12),
    ('S', 13),
    ('F', 38),
    ('Z', 12),
    ('D', 24),
];
/// The groups that are not about the Workflow Task Execution Protocol alone.
const WHOLE_WORKER: [char; 3] = ['X', 'V', 'S'];
