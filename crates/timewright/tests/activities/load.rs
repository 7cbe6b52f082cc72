//! Many activities on one worker: slow ones that hold most slots, and a long queue of short ones beside them.
//!
//! Scaled down unless `TIMEWRIGHT_LOAD` is `full`: 500 slow ones and 10 000 in the queue then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker, CancelReason};
use timewright::client::{
    ActivityHandle, ActivityIdConflictPolicy, ActivityIdReusePolicy, ActivityRequestError, ActivityResultError, Client,
    Code, StartActivityError, StartActivityOptions,
};
use timewright::definition::ActivityDefinition;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::support::background::run_activities;
use crate::support::{client, unique};

#[derive(Clone, Copy)]
struct Slow;

impl ActivityDefinition for Slow {
    const NAME: &'static str = "Slow";
    type Input = u32;
    type Output = ();
}

#[derive(Clone, Copy)]
struct Short;

impl ActivityDefinition for Short {
    const NAME: &'static str = "Short";
    type Input = u32;
    type Output = ();
}

const HOURS: Duration = Duration::from_secs(4 * 3600);
/// Long, so that a machine with other things to do is not taken for dead.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(120);

struct Scale {
    slow: u32,
    short: u32,
    /// More than the heartbeat timeout, after which an attempt that never arrived comes again.
    limit: Duration,
    /// In which a heartbeat is sent, and so a cancellation heard.
    interval: Duration,
}

impl Scale {
    fn told() -> Self {
        match std::env::var("TIMEWRIGHT_LOAD").as_deref() {
            Ok("full") => {
                Self { slow: 500, short: 10_000, limit: Duration::from_secs(3600), interval: Duration::from_secs(10) }
            }
            _ => Self { slow: 60, short: 400, limit: Duration::from_secs(400), interval: Duration::from_secs(5) },
        }
    }
}

/// Until it is cancelled, and tells when that was.
async fn slow(
    context: ActivityContext,
    number: u32,
    tell: mpsc::UnboundedSender<(u32, Option<Instant>)>,
) -> Result<(), ActivityError> {
    tell.send((number, None))?;
    loop {
        context.heartbeat(number)?;
        tokio::select! {
            reason = context.cancelled() => {
                assert_eq!(reason, CancelReason::CancelRequested);
                tell.send((number, Some(Instant::now())))?;
                return Err(ActivityError::cancelled());
            }
            () = tokio::time::sleep(Duration::from_millis(500)) => (),
        }
    }
}

/// In kilobytes; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or_default()
}

/// Does something so many times, a few at a time.
async fn each<T: Send + 'static, F>(count: u32, mut work: impl FnMut(u32) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(16));
    let mut working = JoinSet::new();
    for number in 0..count {
        let permit = Arc::clone(&room).acquire_owned().await.unwrap();
        let work = work(number);
        working.spawn(async move {
            let done = work.await;
            drop(permit);
            done
        });
    }
    working.join_all().await
}

/// Starts so many.
async fn start<D: ActivityDefinition<Input = u32> + Copy>(
    client: &Client,
    task_queue: &str,
    definition: D,
    count: u32,
) -> Vec<(u32, ActivityHandle<D>)> {
    each(count, |number| {
        let client = client.clone();
        let id = format!("{task_queue}-{}-{number}", D::NAME);
        let options = StartActivityOptions::start_to_close(task_queue, &id, HOURS)
            .heartbeat_timeout(HEARTBEAT_TIMEOUT)
            .id_conflict_policy(ActivityIdConflictPolicy::UseExisting)
            .id_reuse_policy(ActivityIdReusePolicy::RejectDuplicate);
        async move {
            loop {
                match client.start_activity(definition, number, options.clone()).await {
                    Ok(handle) => return (number, handle),
                    // An earlier answer was lost, and the activity has ended since.
                    Err(StartActivityError::AlreadyStarted { run_id, .. }) => {
                        return (number, client.activity_handle(definition, id, run_id));
                    }
                    // So much on one dev server of a busy machine may take it longer than a call waits.
                    Err(StartActivityError::Rpc { source, .. }) if source.code() == Code::DeadlineExceeded => (),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_slow_activities_leaves_room_and_each_hears_of_its_cancellation() {
    let scale = Scale::told();
    tokio::time::timeout(scale.limit, crowd(&scale)).await.expect("it takes too long");
}

async fn crowd(scale: &Scale) {
    let (client, task_queue) = (client().await, unique("crowd"));
    let (tell, mut told) = mpsc::unbounded_channel();
    let (count, mut counted) = mpsc::unbounded_channel();
    let activities = ActivityWorker::builder(client.clone(), &task_queue)
        .activity(Slow, move |context, number| slow(context, number, tell.clone()))
        .activity(Short, move |context: ActivityContext, number| {
            let told = count.send((number, context.info().attempt));
            async move { Ok(told?) }
        })
        .maximum_concurrent_activities(usize::try_from(scale.slow).unwrap() + 20)
        .maximum_concurrent_polls(20)
        .maximum_heartbeat_throttle_interval(scale.interval)
        .build()
        .unwrap();
    let worker = run_activities(activities);

    // All slow ones run at the same time.
    let began = Instant::now();
    let crowd = start(&client, &task_queue, Slow, scale.slow).await;
    for _ in 0..scale.slow {
        let (_, cancelled) = told.recv().await.unwrap();
        assert_eq!(cancelled, None);
    }
    let (all_run, before) = (began.elapsed(), resident());

    // Beside them the queue is worked off: each once, and memory does not grow with it.
    let began = Instant::now();
    let queueing = start(&client, &task_queue, Short, scale.short);
    let working = async {
        let (mut executed, mut lost) = (BTreeSet::new(), 0);
        while executed.len() < usize::try_from(scale.short).unwrap() {
            let (number, attempt) = counted.recv().await.unwrap();
            assert!(executed.insert(number), "{number} was executed again, in attempt {attempt}");
            lost += u32::from(attempt > 1);
        }
        // A server that takes more than a second to note that an activity starts, forgets to whom it was to give it.
        assert!(lost <= scale.short / 100, "{lost} attempts never arrived");
        lost
    };
    let (_, lost) = tokio::join!(queueing, working);
    let (worked_off, grown) = (began.elapsed(), resident().saturating_sub(before));
    assert!(grown < 150_000, "{grown} kB more for a queue of {}", scale.short);
    assert!(told.try_recv().is_err(), "a slow one ended, or began again");

    // A cancellation reaches each within one interval, and a moment for a busy machine.
    let handles: Vec<_> = crowd.iter().map(|(_, handle)| handle.clone()).collect();
    let numbers: Vec<_> = crowd.iter().map(|(number, _)| *number).collect();
    let asked: BTreeMap<u32, Instant> = each(scale.slow, |at| {
        let (number, handle) = (numbers[at as usize], handles[at as usize].clone());
        async move {
            loop {
                match handle.cancel("closing time").await {
                    // Not found: an earlier answer was lost, and the activity has ended since. How it ended is looked at below.
                    Ok(()) | Err(ActivityRequestError::NotFound { .. }) => return (number, Instant::now()),
                    Err(ActivityRequestError::Rpc { source, .. }) if source.code() == Code::DeadlineExceeded => (),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    })
    .await
    .into_iter()
    .collect();
    let mut latest = Duration::ZERO;
    for _ in 0..scale.slow {
        let (number, cancelled) = told.recv().await.unwrap();
        let after = cancelled.expect("none begins again").saturating_duration_since(asked[&number]);
        assert!(after < scale.interval + Duration::from_secs(20), "{number} heard of it after {after:?}");
        latest = latest.max(after);
    }
    for (_, handle) in crowd {
        let error = handle.result().await.unwrap_err();
        assert!(matches!(error, ActivityResultError::Cancelled { .. }), "{error}");
    }
    worker.stop().await;
    eprintln!(
        "{} slow activities ran after {all_run:?}; {} short ones beside them took {worked_off:?} and {grown} kB, \
         and {lost} of their attempts never arrived; the last cancellation was heard after {latest:?} of {:?}",
        scale.slow, scale.short, scale.interval
    );
}
