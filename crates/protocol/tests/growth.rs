//! A history that is longer takes only so much longer to replay.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(missing_docs, unreachable_pub, reason = "nobody uses a test from outside")]

#[path = "../benches/histories/mod.rs"]
mod histories;

use std::time::Instant;

use crate::histories::{Kind, LongHistory};

/// An Event of a history 16 times as long takes 16 times as long where replay is quadratic, and as long where it is linear.
///
/// 16 short histories against a long one, so that both take as much memory. Whoever else uses the machine can only make it
/// look slower, so one good measurement of several is enough.
#[test]
fn an_event_takes_as_long_however_long_the_history_is() {
    for kind in Kind::ALL {
        let short = vec![LongHistory::new(kind, 2_000); 16];
        let long = [LongHistory::new(kind, 32_000)];
        let mut ratios = Vec::new();
        while ratios.iter().all(|ratio| *ratio > 3.0) {
            assert!(ratios.len() < 20, "an Event takes so many times as long, {}: {ratios:?}", kind.name());
            ratios.push(cost_of_an_event(&long) / cost_of_an_event(&short));
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "it is the time that is measured")]
fn cost_of_an_event(histories: &[LongHistory]) -> f64 {
    let events: usize = histories.iter().map(|history| history.events).sum();
    let histories = histories.to_vec();
    let began = Instant::now();
    for history in histories {
        history.replay();
    }
    began.elapsed().as_secs_f64() / events as f64
}
