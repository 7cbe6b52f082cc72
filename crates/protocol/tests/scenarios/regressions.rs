//! Holds `regressions.md` to what it says: it has a row for each known sequence, and the tests that it names exist.

const ROWS: &str = include_str!("../regressions.md");

/// Each group of sequences, and how many it has.
const GROUPS: [(char, usize); 10] =
    [('H', 18), ('R', 4), ('A', 12), ('T', 8), ('C', 16), ('L', 22), ('P', 10), ('U', 13), ('Q', 12), ('W', 24)];

const FILES: [(&str, &str); 14] = [
    ("activities", include_str!("activities.rs")),
    ("cache", include_str!("cache.rs")),
    ("endings", include_str!("endings.rs")),
    ("events", include_str!("events.rs")),
    ("history", include_str!("history.rs")),
    ("local_activities", include_str!("local_activities.rs")),
    ("local_activity_cancellation", include_str!("local_activity_cancellation.rs")),
    ("local_activity_markers", include_str!("local_activity_markers.rs")),
    ("local_activity_retries", include_str!("local_activity_retries.rs")),
    ("nondeterminism", include_str!("nondeterminism.rs")),
    ("queries", include_str!("queries.rs")),
    ("replay_flag", include_str!("replay_flag.rs")),
    ("task_life_cycle", include_str!("task_life_cycle.rs")),
    ("timers", include_str!("timers.rs")),
];

/// Id, sequence, answer of each row.
fn rows() -> Vec<[&'static str; 3]> {
    let cells = |row: &'static str| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>();
    let rows = ROWS.lines().filter(|line| line.starts_with('|')).map(cells);
    let rows = rows.filter(|cells| cells.first().is_some_and(|id| id.ends_with(|last: char| last.is_ascii_digit())));
    rows.map(|cells| cells.try_into().expect("a row has three cells")).collect()
}

#[test]
fn every_sequence_has_a_row() {
    let expected = GROUPS.iter().flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number}")));
    let actual: Vec<_> = rows().into_iter().map(|[id, ..]| id.to_owned()).collect();
    assert_eq!(actual, expected.collect::<Vec<_>>());
}

/// A row names tests, or says why there is none.
#[test]
fn every_test_that_is_named_exists() {
    let mut named = 0;
    for [id, _, answer] in rows() {
        let tests: Vec<_> = answer.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        assert!(!tests.is_empty() || answer.contains(": "), "{id} names no test and gives no reason");
        for test in tests {
            let (file, name) = test.split_once("::").expect("a file and a test");
            let (_, source) = FILES.iter().find(|(known, _)| *known == file).unwrap_or_else(|| panic!("{id}: {test}"));
            assert!(source.contains(&format!("fn {name}()")), "{id}: there is no test {test}");
            named += 1;
        }
    }
    assert!(named > 50, "the rows name {named} tests");
}

/// Whoever reads a test with an id in its name finds it in the rows.
#[test]
fn every_test_with_an_id_is_named() {
    for (file, source) in FILES {
        let tests = source.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.strip_suffix("() {"));
        for test in tests {
            let Some((id, _)) = test.split_once('_') else { continue };
            let (group, number) = id.split_at(1);
            if number.parse::<usize>().is_ok()
                && GROUPS.iter().any(|(known, _)| known.to_ascii_lowercase().to_string() == group)
            {
                let row = rows().into_iter().find(|[row, ..]| row.eq_ignore_ascii_case(id));
                let [_, _, answer] = row.unwrap_or_else(|| panic!("{test}: there is no such row"));
                assert!(answer.contains(&format!("`{file}::{test}`")), "row {id} does not name {file}::{test}");
            }
        }
    }
}
