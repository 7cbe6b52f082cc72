//! Holds `regressions.md` to what it says: it has a row for each known sequence, and the tests that it names exist.

mod page;

use std::path::Path;

use page::Page;

const NOTHING: [String; 0] = [];

fn read() -> Page {
    Page::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")).expect("the page can be read")
}

#[test]
fn every_sequence_has_a_row() {
    assert_eq!(read().wrong_ids(), NOTHING);
}

#[test]
fn every_row_names_tests_that_exist_or_says_why_not() {
    assert_eq!(read().wrong_answers(), NOTHING);
}

#[test]
fn every_test_with_an_id_is_named() {
    assert_eq!(read().unnamed_tests(), NOTHING);
}

#[test]
fn what_is_wrong_with_a_page_is_said() {
    let mut page = read();
    page.rows.retain(|row| row.id != "H2");
    page.rows.swap(3, 4);
    assert_eq!(page.wrong_ids(), ["H2 has no row"]);
    assert_eq!(page.unnamed_tests(), ["H2 does not name history::h2_a_page_that_ends_inside_a_chain_of_heartbeats"]);

    page.rows[0].answer = "`history::no_such_test`".to_owned();
    page.rows[1].answer = "later".to_owned();
    assert_eq!(
        page.wrong_answers(),
        ["H1 names history::no_such_test, but there is no such test", "H3 names no test and gives no reason"]
    );
}
