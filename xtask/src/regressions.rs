//! `cargo xtask regressions`: the sequences on which other implementations failed, each with what became of it here.

#[path = "../../crates/protocol/tests/scenarios/regressions/page.rs"]
mod page;

use page::{Page, Row};

use crate::Result;
use crate::workspace::root;

/// Prints every row and how many wait for a feature that there is not yet; fails where one is missing, or names a test that
/// does not exist.
pub(crate) fn run() -> Result<()> {
    let page = Page::read(&root().join("crates/protocol/tests"))?;
    for row in &page.rows {
        println!("{}", line(row));
    }
    let wrong = [page.wrong_ids(), page.wrong_answers(), page.unnamed_tests()].concat();
    let open: Vec<&str> = page.rows.iter().filter(|row| is_open(row)).map(|row| row.id.as_str()).collect();
    println!("\nregressions: {} sequences, of which {} are open", page.rows.len(), open.len());
    if !open.is_empty() {
        println!("regressions: {} wait for what docs/features.md says is missing", open.join(", "));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("crates/protocol/tests/regressions.md is not what it should be:\n  {}", wrong.join("\n  ")))
    }
}

fn line(row: &Row) -> String {
    let mark = if is_open(row) { "open" } else { "" };
    format!("{:4}{mark:5}{}\n         {}", row.id, row.sequence, row.answer.replace('`', ""))
}

/// Whether a part of the row waits for something that there is not yet.
fn is_open(row: &Row) -> bool {
    row.answer.contains(OPEN)
}

const OPEN: &str = "next issue";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_printed_with_its_tests_and_whether_it_is_open() {
        let row =
            |answer: &str| Row { id: "H1".to_owned(), sequence: "a sequence".to_owned(), answer: answer.to_owned() };
        assert_eq!(line(&row("`history::h1`")), "H1       a sequence\n         history::h1");
        assert_eq!(line(&row("next issue: needs it")), "H1  open a sequence\n         next issue: needs it");
    }
}
