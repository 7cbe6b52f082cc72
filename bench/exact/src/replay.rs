//! Allocations and copies of a replay.

use std::time::Duration;

use anyhow::Result;
use bench_definitions::{ActivitiesInSequence, histories};
use stats_alloc::Region;
use timewright::activity_definition;
use timewright::converter::RawValue;
use timewright::proto::history::{History, HistoryEvent};
use timewright::proto::{Bytes, Message};
use timewright::workflow;
use timewright::workflow::{ActivityOptions, Replayer, WorkflowContext, WorkflowError};

use crate::{ALLOCATOR, Figure};

/// As the measured one, but for that it takes results as they are: what it would do with them is not ours to count.
#[activity_definition(name = "echo", input = String, output = RawValue)]
struct RawEcho;

#[derive(Default)]
struct InSequence;

#[workflow(ActivitiesInSequence)]
impl InSequence {
    #[run]
    async fn run(context: WorkflowContext<Self>, count: u32) -> Result<(), WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(60));
        for _ in 0..count {
            context.execute_activity(RawEcho, "hello".to_owned(), options.clone()).await?;
        }
        Ok(())
    }
}

/// What a replay allocated, decoding included.
#[derive(Clone, Copy)]
struct Allocated {
    allocations: f64,
    bytes: f64,
    activities: f64,
}

impl Allocated {
    /// Of an activity, when what a replay costs apart from its length is left out.
    fn of_an_activity(self, shorter: Self) -> Self {
        let activities = self.activities - shorter.activities;
        Self {
            allocations: (self.allocations - shorter.allocations) / activities,
            bytes: (self.bytes - shorter.bytes) / activities,
            activities: 1.0,
        }
    }
}

pub(crate) async fn figures() -> Result<Vec<Figure>> {
    // What is allocated once in a process.
    measure(600, 5).await?;
    let [short, middle, long] = [measure(600, 5).await?, measure(3_000, 5).await?, measure(15_000, 5).await?];
    let large = measure(3_000, LARGE).await?.of_an_activity(measure(600, LARGE).await?);
    let (early, late) = (middle.of_an_activity(short), long.of_an_activity(middle));
    Ok(vec![
        Figure { title: "allocations of a replayed activity", value: early.allocations, bound: ALLOCATIONS },
        Figure {
            title: "the same later in the history, compared (linear: 1)",
            value: late.allocations / early.allocations,
            bound: 1.02,
        },
        Figure { title: "bytes allocated for a replayed activity", value: early.bytes, bound: BYTES },
        Figure {
            title: "bytes of an Event as it is decoded, whatever its kind, besides what only some have",
            value: size_of::<HistoryEvent>() as f64,
            bound: EVENT,
        },
        Figure {
            title: "copies of the bytes of an activity's result, from decoding to user code",
            value: (large.bytes - early.bytes) / LARGE as f64,
            bound: 0.01,
        },
    ])
}

/// Replays once, without measuring.
pub(crate) async fn once(events: usize) -> Result<()> {
    let bytes = histories::sequential_activities(events, 5);
    replay(bytes.into()).await
}

async fn measure(events: usize, result_bytes: usize) -> Result<Allocated> {
    let bytes: Bytes = histories::sequential_activities(events, result_bytes).into();
    let region = Region::new(ALLOCATOR);
    replay(bytes).await?;
    let change = region.change();
    Ok(Allocated {
        allocations: (change.allocations + change.reallocations) as f64,
        bytes: change.bytes_allocated as f64,
        activities: histories::activities(events) as f64,
    })
}

async fn replay(bytes: Bytes) -> Result<()> {
    let history = History::decode(bytes)?;
    Replayer::new().workflow::<InSequence>().replay("replayed", history).await?;
    Ok(())
}

const LARGE: usize = 100_000;
/// Measured: 176.
const EVENT: f64 = 200.0;
/// Measured: 49.01.
const ALLOCATIONS: f64 = 55.0;
/// Measured: 11,243.
const BYTES: f64 = 13_000.0;
