//! A fleet under stress: four worker processes on a real server, under a load of workflows, while workers are rolled, killed and
//! stopped, the server is killed and started again, and connections are cut, delayed and refused.
//!
//! In the end every workflow has its result, every activity was executed, nothing that was only asked to end left anything behind
//! for others to try again, and nobody logged too much, grew too large, or kept anything.
//!
//! `cargo xtask chaos` runs this. What is done when comes from a seed; what comes of it depends on the machine, too.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

#[path = "../conform/chance.rs"]
mod chance;
#[allow(dead_code, reason = "ledgers are written by workers")]
mod ledger;
mod load;
#[allow(dead_code, reason = "only the tests of fleets count connections")]
mod proxy;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod torment;
#[allow(dead_code, reason = "the activities are the workers'")]
mod trip;
mod worker;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use timewright::client::ClientOptions;
use timewright_testing::DevServer;

use load::{Load, NeverArrived};
use proxy::Proxy;
use stage::{Run, Stage};
use support::{connect, unique};
use trip::Trip;
use worker::{Site, Worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and more; `cargo xtask chaos` runs it, and `cargo xtask test` does"]
async fn nothing_is_lost_whatever_happens() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")),
        Err(_) => default,
    };
    let seed = number("TIMEWRIGHT_CHAOS_SEED", 1);
    let seconds = number("TIMEWRIGHT_CHAOS_SECONDS", 40);
    let at_once = number("TIMEWRIGHT_CHAOS_AT_ONCE", 20) as usize;
    let partitions = number("TIMEWRIGHT_CHAOS_PARTITIONS", 1);

    // In memory where that can be had: the disk of a machine that does other things, too, would be most of what is seen.
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = folder.join(unique("timewright-chaos"));
    std::fs::create_dir(&folder).unwrap();
    let server = start_server(folder.clone(), partitions).await;
    let proxy = Proxy::start(server.address()).await.unwrap();
    let site = Site { server: proxy.address(), task_queue: "chaos".to_owned(), folder: folder.clone() };
    // Not through the proxy: what is done to workers is not done to those who look at what they do.
    let client = connect(ClientOptions::new(server.address().to_string())).await;
    let run = Run::begin();
    run.say(format_args!("seed {seed}, {seconds} s; logs and ledgers are in {}", folder.display()));

    let workers: Vec<_> = ["workflows", "workflows", "activities", "activities"]
        .into_iter()
        .zip(0..)
        .map(|(role, index)| {
            let (site, run) = (site.clone(), run.clone());
            std::thread::spawn(move || Worker::start(index, role, site, run, seed).tend())
        })
        .collect();
    let of_server = run.clone();
    let server = std::thread::spawn(move || torment::torment_server(server, &of_server, seed));
    let (of_network, tormented) = (run.clone(), Arc::clone(&proxy));
    let network = std::thread::spawn(move || torment::torment_network(&tormented, &of_network, seed));

    let load = Arc::new(Load { client, task_queue: site.task_queue, seed, at_once, run: run.clone() });
    // First rolls alone, and all that they meet comes to its end; then everything.
    let rolls = next_stage(&run, Stage::Rolls, Duration::from_secs(seconds / 4), false);
    let (rolled, ()) = tokio::join!(load.run(Stage::Rolls, 0), rolls);
    run.set_stage(Stage::Chaos);
    let chaos = next_stage(&run, Stage::Chaos, Duration::from_secs(seconds - seconds / 4), true);
    let first = rolled.iter().map(|trip| trip.number + 1).max().unwrap_or(0);
    let (disturbed, ()) = tokio::join!(load.run(Stage::Chaos, first), chaos);
    let server = tokio::task::spawn_blocking(|| server.join().expect("the server starts again")).await.unwrap();

    let ledger = ledger::read_all(&folder).unwrap();
    let mut never_arrived = NeverArrived::default();
    for trip in &rolled {
        load.expect_undisturbed(*trip, &ledger, &mut never_arrived).await;
    }
    run.set_stage(Stage::Over);
    let accounts = tokio::task::spawn_blocking(|| {
        network.join().unwrap();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let mut rolls = 0;
    for account in accounts.await.unwrap() {
        run.say(format_args!("{account:?}"));
        rolls += account.rolled_alone;
        if account.peak_memory > MEMORY_LIMIT {
            run.fault(format_args!("a worker has needed {} KiB", account.peak_memory));
        }
        if account.most_lines_per_minute > LINES_LIMIT {
            run.fault(format_args!("a worker has logged {} lines a minute", account.most_lines_per_minute));
        }
    }
    check_ledgers(&run, &folder, &rolled, &disturbed);
    check_arrivals(&run, &never_arrived, rolls, partitions);
    drop(server);

    let faults = run.faults();
    assert!(!rolled.is_empty() && !disturbed.is_empty(), "nothing was done");
    assert!(
        faults.is_empty(),
        "{} faults; logs are in {}; again: cargo xtask chaos --seconds {seconds} --seed {seed}\n{}",
        faults.len(),
        folder.display(),
        faults.join("\n"),
    );
    let _ = std::fs::remove_dir_all(&folder); // only the temporary directory is the worse for it
}

/// What activities did is what workflows asked for, at least once; and once where nobody was killed.
fn check_ledgers(run: &Run, folder: &std::path::Path, rolled: &[Trip], disturbed: &[Trip]) {
    let counts = ledger::read_all(folder).unwrap();
    let mut asked = BTreeSet::new();
    let mut again = 0;
    for (trip, once) in rolled.iter().map(|trip| (trip, true)).chain(disturbed.iter().map(|trip| (trip, false))) {
        for work in trip.works() {
            let count = counts.get(&(work.trip, work.step)).copied().unwrap_or_default();
            if count.done == 0 || (once && count.done > 1) {
                run.fault(format_args!("activity {} of workflow {}: {count:?}", work.step, work.trip));
            }
            again += count.done.saturating_sub(1);
            asked.insert((work.trip, work.step));
        }
    }
    let workflows: usize = rolled.iter().chain(disturbed).map(|trip| trip.family().len()).sum();
    run.say(format_args!("{workflows} workflows, {} activities, {again} executions more than needed", asked.len()));
}

/// Rolls alone lose nothing that has started. Where a Task Queue has several partitions, the server itself may now and then: the
/// polls of one partition are passed on to others, and when a worker says that it ends, the server ends those with the task that they
/// were just about to take back. With one partition nothing is passed on.
///
/// What the server is just about to put on the sticky queue of a worker stays there when that worker ends, until the queue's timeout.
fn check_arrivals(run: &Run, NeverArrived { started, left_in_queue }: &NeverArrived, rolls: u64, partitions: u64) {
    let allowed = if partitions == 1 { 0 } else { rolls.div_ceil(ROLLS_PER_LOST_TASK) };
    let kinds = [("started", started, allowed), ("left", left_in_queue, rolls.div_ceil(ROLLS_PER_LEFT_TASK))];
    for (what, tasks, allowed) in kinds {
        let count = tasks.len();
        run.say(format_args!(
            "{count} tasks were {what} and arrived at no worker in {rolls} rolls; allowed: {allowed}"
        ));
        if count as u64 > allowed {
            run.fault(format_args!("too many tasks arrived nowhere:\n{}", tasks.join("\n")));
        }
    }
}

/// Ends a stage after so long. After rolls, nothing more is done to the fleet until the load has ended.
async fn next_stage(run: &Run, stage: Stage, after: Duration, calm: bool) {
    tokio::time::sleep(after).await;
    assert_eq!(run.stage(), stage);
    run.set_stage(if calm { Stage::Calm } else { Stage::Rest });
}

/// A server with a database, which outlives it.
async fn start_server(folder: PathBuf, partitions: u64) -> DevServer {
    let builder = DevServer::builder()
        .db_filename(folder.join("temporal.db"))
        .log_file(folder.join("server.log"))
        // Polls come back when a worker says that it ends, as they do on Temporal Cloud.
        .argument("--log-level=warn")
        .argument("--dynamic-config-value=frontend.enableCancelWorkerPollsOnShutdown=true")
        .argument(format!("--dynamic-config-value=matching.numTaskqueueReadPartitions={partitions}"))
        .argument(format!("--dynamic-config-value=matching.numTaskqueueWritePartitions={partitions}"));
    let started = tokio::task::spawn_blocking(|| builder.start()).await.unwrap();
    started.unwrap_or_else(|error| panic!("{error}"))
}

/// Where the server loses tasks that have started, no more than one in so many rolls.
const ROLLS_PER_LOST_TASK: u64 = 10;
/// Of those that stay on sticky queues, no more than one in so many rolls.
const ROLLS_PER_LEFT_TASK: u64 = 5;
/// The most memory that a worker may need, in KiB.
const MEMORY_LIMIT: u64 = 200 * 1024;
/// The most lines that a worker may log in a minute.
const LINES_LIMIT: u64 = 300;
