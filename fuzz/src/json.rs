//! Histories as JSON.

use timewright_proto::Message;
use timewright_proto::history::History;
use timewright_proto::json::{history_from_json, history_to_json};

/// What can be read can be written, and is read again as it was.
pub fn history_json(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(history) = history_from_json(text)
    {
        let written = history_to_json(&history).expect("what came as JSON can be written as JSON");
        assert_same(&history, &written);
    }
    // A binary history may hold what JSON cannot say. That is an error, but never another history.
    if let Ok(history) = History::decode(input)
        && let Ok(written) = history_to_json(&history)
    {
        assert_same(&history, &written);
    }
}

fn assert_same(history: &History, written: &str) {
    let again = history_from_json(written).unwrap_or_else(|error| panic!("{error}: {written}"));
    // As bytes, since there are numbers that are not equal to themselves.
    if again.encode_to_vec() != history.encode_to_vec() {
        let (before, after) = (format!("{history:#?}"), format!("{again:#?}"));
        let mut lines = before.lines().zip(after.lines());
        let difference = lines.find(|(before, after)| before != after && !is_time(before));
        assert_eq!(difference, None, "JSON changes a history");
    }
}

/// Part of a time. JSON has one text for all that say the same: with nanoseconds that are less than a second.
fn is_time(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("seconds: ") || line.starts_with("nanos: ")
}
