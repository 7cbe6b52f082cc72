//! How fast histories are replayed, and whether one that is longer takes only so much longer.
//!
//! `cargo bench -p timewright-protocol`. User code is next to nothing, so that this is the time of the machines.
#![allow(missing_docs, unreachable_pub, reason = "nobody uses a benchmark from outside")]

mod histories;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};

use crate::histories::{Kind, LongHistory};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    replay(&mut criterion);
    // Else it is only checked that everything works, or listed what there is.
    if std::env::args().any(|argument| argument == "--bench") {
        Kind::ALL.into_iter().for_each(print_growth);
    }
    criterion.final_summary();
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(20);
    for kind in Kind::ALL {
        let history = LongHistory::new(kind, 10_000);
        group.throughput(Throughput::Elements(history.events as u64));
        group.bench_with_input(BenchmarkId::new(kind.name(), history.events), &history, |bencher, history| {
            bencher.iter_batched(|| history.clone(), LongHistory::replay, BatchSize::LargeInput);
        });
    }
}

/// Of shorter histories there are more, so that always the same number of Events is gone through, and has to come out of
/// the same memory: what is left is what the length of one history costs.
#[allow(clippy::print_stdout, reason = "a benchmark talks on standard output")]
fn print_growth(kind: Kind) {
    let histories = LENGTHS.map(|events| vec![LongHistory::new(kind, events); LENGTHS[2] / events]);
    let mut best = [Duration::MAX; 3];
    // In turns, and the best of each: somebody else may use the machine for a while.
    for _ in 0..MEASUREMENTS {
        for (best, histories) in best.iter_mut().zip(&histories) {
            *best = time(histories.clone()).min(*best);
        }
    }
    let events = histories.map(|histories| histories.iter().map(|history| history.events).sum::<usize>());
    let [short, middle, long] = [0, 1, 2].map(|which| best[which].as_nanos() as f64 / events[which] as f64);
    let [shortest, between, longest] = LENGTHS;
    println!(
        "growth, {}: an Event takes {short:.0} ns at {shortest}, {middle:.0} ns at {between}, {long:.0} ns at {longest}; \
         {longest} : {shortest} = {:.2} (linear: 1)",
        kind.name(),
        long / short
    );
}

#[allow(clippy::disallowed_methods, reason = "it is the time that is measured")]
fn time(histories: Vec<LongHistory>) -> Duration {
    let began = Instant::now();
    for history in histories {
        black_box(history.replay());
    }
    began.elapsed()
}

const LENGTHS: [usize; 3] = [1_000, 10_000, 50_000];
const MEASUREMENTS: usize = 20;
