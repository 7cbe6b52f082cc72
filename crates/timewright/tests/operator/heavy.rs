//! Much of everything, in bounded time. `TIMEWRIGHT_HEAVY=1` makes it more: a history of 51,000 Events, for one.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use timewright::workflow::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker};

use crate::support::background::run_workflows;
use crate::support::definitions::{query, signal, workflow_definition};
use crate::support::history::event_types;
use crate::support::{client, start_options, unique, within};

/// So much in CI, or more.
fn amount(in_ci: usize, heavy: usize) -> usize {
    if std::env::var_os("TIMEWRIGHT_HEAVY").is_some() { heavy } else { in_ci }
}

workflow_definition!(Long: (usize, usize) => usize);
query!(Rounds of Long: () => usize);

/// Writes many Events in few Workflow Tasks.
#[derive(Default)]
struct LongWorkflow {
    rounds: usize,
}

impl Workflow for LongWorkflow {
    type Definition = Long;

    fn init(_info: &WorkflowInfo, _input: &(usize, usize)) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (rounds, notes): (usize, usize)) -> Result<usize, WorkflowError> {
        let mut sum = 0;
        for round in 0..rounds {
            for note in 0..notes {
                sum += context.side_effect(|| note % 7)?;
            }
            context.sleep(Duration::from_millis(1)).await?;
            context.state_mut(|state| state.rounds = round + 1);
        }
        context.cancelled().await;
        Ok(sum)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.query(Rounds, |state, ()| Ok(state.rounds));
    }
}

/// The server allows 51,200 Events. Heavy, that was 51,124: without optimisation, on two cores that did much else, 48 s for the server
/// and the first worker to write them, and 4 s for a cold worker to fetch them in pages, go through them, and answer.
#[tokio::test]
#[allow(clippy::print_stdout, reason = "with TIMEWRIGHT_HEAVY one wants to know")]
async fn a_history_as_long_as_can_be_is_gone_through_in_pages() {
    let (client, queue) = (client().await, unique("long"));
    // The deadlock detection stays on: it must not mind a long replay, and a round is long, too.
    let builder = || WorkflowWorker::builder(client.clone(), &queue).workflow::<LongWorkflow>();
    let first = run_workflows(builder().deadlock_detection_timeout(None).build().unwrap());
    let (rounds, notes) = (amount(12, 48), 1060);
    let options = start_options(&queue).task_timeout(Duration::from_secs(60));
    let long = client.start_workflow(Long, (rounds, notes), options).await.unwrap();
    let began = Instant::now();
    let written = async {
        while long.query(Rounds, ()).await.ok() != Some(rounds) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let limit = Duration::from_secs(u64::try_from(amount(40, 300)).unwrap());
    tokio::time::timeout(limit, written).await.expect("the last round");
    let writing = began.elapsed();
    first.stop().await;
    let description = long.describe().await.unwrap();
    let length = description.raw().workflow_execution_info.clone().unwrap_or_default().history_length;
    assert!(length > 1000 * i64::try_from(rounds).unwrap(), "{length} events");

    // A cold worker answers from all of it, and goes on.
    let second = run_workflows(builder().build().unwrap());
    let began = Instant::now();
    assert_eq!(within("an answer", long.query(Rounds, ())).await.unwrap(), rounds);
    println!("{length} Events: written in {writing:.1?}, gone through by a cold worker in {:.1?}", began.elapsed());
    long.cancel("").await.unwrap();
    let sum = rounds * (0..notes).map(|note| note % 7).sum::<usize>();
    assert_eq!(within("the end", long.result()).await.unwrap(), sum);
    second.stop().await;
}

workflow_definition!(Collects: usize => Vec<u32>);
signal!(Item of Collects: u32);
query!(Count of Collects: () => usize);
/// Ends as soon as it has enough, again and again, since the server does not take its end while Signals are unheard.
#[derive(Default)]
struct CollectsWorkflow {
    items: Vec<u32>,
}

impl Workflow for CollectsWorkflow {
    type Definition = Collects;

    fn init(_info: &WorkflowInfo, _enough: &usize) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, enough: usize) -> Result<Vec<u32>, WorkflowError> {
        context.wait_condition(move |state| state.items.len() >= enough).await?;
        // A Workflow Task that takes its time, so that more Signals come meanwhile.
        std::thread::sleep(Duration::from_millis(100));
        Ok(context.state(|state| state.items.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Item, |state, item| state.items.push(item));
        handlers.query(Count, |state, ()| Ok(state.items.len()));
    }
}

/// Signals come while the workflow ends: no Signal that the server has taken is lost.
#[tokio::test]
async fn c32_a_storm_of_signals_while_the_workflow_ends() {
    let (client, queue) = (client().await, unique("storm"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<CollectsWorkflow>().build().unwrap();
    let worker = run_workflows(workflows);
    let storm = client.start_workflow(Collects, 5, start_options(&queue)).await.unwrap();
    let mut sent = Vec::new();
    for item in 0..u32::try_from(amount(200, 2000)).unwrap() {
        // Once the workflow has ended nobody takes it.
        if storm.signal(Item, item).await.is_err() {
            break;
        }
        sent.push(item);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let items = within("the end", storm.result()).await.unwrap();
    assert_eq!(items, sent);
    let events = event_types(storm.untyped()).await;
    let unhandled = events.iter().filter(|event| *event == "WORKFLOW_TASK_FAILED").count();
    assert!(unhandled >= 1, "the server took its end at once: {events:?}");
    worker.stop().await;
}

/// Many ask at once, while the workflow is busy, and where it is not cached.
#[tokio::test]
async fn q5_a_flood_of_queries() {
    for cached in [1000, 0] {
        let (client, queue) = (client().await, unique("flood"));
        let workflows = WorkflowWorker::builder(client.clone(), &queue)
            .workflow::<CollectsWorkflow>()
            .maximum_cached_workflows(cached)
            .build()
            .unwrap();
        let worker = run_workflows(workflows);
        let flood = client.start_workflow(Collects, 1000, start_options(&queue)).await.unwrap();
        for round in 0..amount(3, 20) {
            let signals = try_join_all((0..10).map(|item| flood.signal(Item, item)));
            let queries = try_join_all((0..40).map(|_| flood.query(Count, ())));
            let (signals, counts) = tokio::join!(signals, within("answers", queries));
            signals.unwrap();
            for count in counts.unwrap() {
                assert!((10 * round..=10 * (round + 1)).contains(&count), "{count} items in round {round}");
            }
        }
        let count = within("an answer", flood.query(Count, ())).await.unwrap();
        assert_eq!(count, 10 * amount(3, 20));
        let events = event_types(flood.untyped()).await;
        assert!(!events.iter().any(|event| event.contains("FAILED") || event.contains("TIMED_OUT")), "{events:?}");
        worker.stop().await;
    }
}
