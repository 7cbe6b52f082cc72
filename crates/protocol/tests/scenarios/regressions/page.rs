//! Reads `regressions.md` and the tests that it names. `cargo xtask regressions` is made of this file, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The page, and the scenarios beside it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// The tests of each file, as `file::test`.
    tests: BTreeSet<String>,
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
        let mut tests = BTreeSet::new();
        let scenarios = folder.join("scenarios");
        let failed = |error: std::io::Error| format!("{}: {error}", scenarios.display());
        for entry in fs::read_dir(&scenarios).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.file_stem().unwrap_or_default().to_string_lossy();
                let source = fs::read_to_string(&path).map_err(failed)?;
                tests.extend(tests_of(&source).map(|test| format!("{file}::{test}")));
            }
        }
        Ok(Self { rows, tests })
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
            let unknown = tests.into_iter().filter(|test| !self.tests.contains(*test));
            wrong.extend(unknown.map(|test| format!("{id} names {test}, but there is no such test")));
        }
        wrong
    }

    /// Whoever reads a test with an id in its name finds it in the rows; one line for each that is not there.
    pub(crate) fn unnamed_tests(&self) -> Vec<String> {
        let mut unnamed = Vec::new();
        for test in &self.tests {
            let name = test.split("::").last().unwrap_or_default();
            let id = name.split('_').next().unwrap_or_default().to_ascii_uppercase();
            if is_id(&id)
                && !self.rows.iter().any(|row| row.id == id && tests_in(&row.answer).any(|named| named == test))
            {
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

/// The functions of a file that are tests.
fn tests_of(source: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    source.lines().map(str::trim).filter_map(move |line| {
        is_test |= line == "#[test]";
        let name = line.strip_prefix("fn ")?.split('(').next()?;
        std::mem::take(&mut is_test).then_some(name)
    })
}

/// Each group of sequences, and how many it has.
const GROUPS: [(char, usize); 10] =
    [('H', 18), ('R', 4), ('A', 12), ('T', 8), ('C', 16), ('L', 22), ('P', 10), ('U', 13), ('Q', 12), ('W', 24)];
