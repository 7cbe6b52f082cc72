//! All shards of a worker: which Run is where, and what becomes of a thread that does not come back.
//!
//! A Run goes to the thread with the least to do, and stays there while it is cached. The watchdog looks at each thread from
//! time to time; where user code has been executed for too long, the thread is abandoned: a fresh one gets its place and its
//! Runs, which are built again from their histories, and whatever the old one still says is not listened to. It ends when
//! user code comes back. Until then the Run that held it is not executed again, so that each Run costs one thread at most.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use timewright_client::GaugePart;
use timewright_protocol::workflow::CacheLimits;
use tokio::time::Instant;

use crate::monitor::Counters;
use crate::shard::{Input, Shard, ShardId, ShardSettings};
use crate::watch::{Execution, Watch};

pub(crate) struct Shards {
    task_queue: String,
    places: Vec<Place>,
    /// Where the Runs are that have a task open, or that are cached.
    runs: BTreeMap<String, Home>,
    settings: ShardSettings,
    watchdog: Option<Watchdog>,
    /// Threads that are held by user code, and whom nobody waits for.
    held: Vec<Held>,
    maximum_held_threads: usize,
    /// When something unhurried is told at the latest.
    unhurried_until: Option<Instant>,
    counters: Arc<Counters>,
    /// What metrics show of it.
    cached: GaugePart,
}

/// The place of a thread.
struct Place {
    life: u32,
    /// `None` while there is no thread.
    shard: Option<Shard>,
    /// The tasks that it has.
    open: usize,
    /// The Runs that it has.
    runs: usize,
    /// What it hears before it hears something else: to wake a thread costs more than most of what it is told.
    unhurried: Vec<Input>,
    /// Which execution the watchdog saw, and for how long.
    seen: Option<(u64, Duration)>,
}

struct Home {
    index: usize,
    /// Tasks that were handed over and not answered.
    open: usize,
}

struct Watchdog {
    timeout: Duration,
    looked_at: Instant,
}

struct Held {
    run_id: String,
    watch: Arc<Watch>,
}

/// A thread that was abandoned.
pub(crate) struct Abandoned {
    pub(crate) index: usize,
    /// What held it; `None` where the thread has died.
    pub(crate) execution: Option<Execution>,
    pub(crate) timeout: Duration,
}

/// Why a task cannot be executed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// User code of this Run still holds a thread.
    RunIsHeld,
    /// There is no thread.
    NoThread { held: usize },
}

impl Shards {
    pub(crate) fn start(
        task_queue: String,
        threads: usize,
        settings: ShardSettings,
        timeout: Option<Duration>,
        maximum_held_threads: usize,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        // Room for all, shared out; at least one each where there is a cache at all.
        let CacheLimits { runs, bytes, idle } = settings.cache;
        let cache = CacheLimits { runs: runs.div_ceil(threads), bytes: bytes.div_ceil(threads as u64), idle };
        let mut shards = Self {
            task_queue,
            places: Vec::new(),
            runs: BTreeMap::new(),
            cached: settings.metrics.cache_size(),
            settings: ShardSettings { cache, ..settings },
            watchdog: timeout.map(|timeout| Watchdog { timeout, looked_at: Instant::now() }),
            held: Vec::new(),
            maximum_held_threads,
            unhurried_until: None,
            counters,
        };
        for index in 0..threads {
            let shard = Some(shards.spawn(ShardId { index, life: 0 })?);
            shards.places.push(Place { life: 0, shard, open: 0, runs: 0, unhurried: Vec::new(), seen: None });
        }
        Ok(shards)
    }

    /// Decides where a task is executed. It is open from now on, until [`close`](Self::close).
    pub(crate) fn open(&mut self, run_id: &str) -> Result<usize, Refused> {
        self.held.retain(|held| !held.watch.has_ended());
        if self.held.iter().any(|held| held.run_id == run_id) {
            return Err(Refused::RunIsHeld);
        }
        let index = match self.runs.get(run_id).map(|home| home.index) {
            Some(index) if self.places[index].shard.is_some() => index,
            _ => self.least_busy().ok_or(Refused::NoThread { held: self.held.len() })?,
        };
        self.places[index].open += 1;
        let runs = &mut self.places[index].runs;
        let home = self.runs.entry(run_id.to_owned()).or_insert_with(|| {
            *runs += 1;
            Home { index, open: 0 }
        });
        home.open += 1;
        self.show_cached();
        Ok(index)
    }

    /// A task is answered, or will never be.
    pub(crate) fn close(&mut self, run_id: &str) {
        let Some(home) = self.runs.get_mut(run_id) else { return };
        home.open = home.open.saturating_sub(1);
        let place = &mut self.places[home.index];
        place.open = place.open.saturating_sub(1);
    }

    /// A thread says that a Run has left. A task that came meanwhile brings it back.
    pub(crate) fn left(&mut self, run_id: &str) {
        if let Some(home) = self.runs.get(run_id)
            && home.open == 0
        {
            self.places[home.index].runs -= 1;
            self.runs.remove(run_id);
            self.show_cached();
        }
    }

    /// Whether this thread is still listened to.
    pub(crate) fn is_current(&self, id: ShardId) -> bool {
        self.places[id.index].life == id.life
    }

    /// Tells the thread that has this Run.
    pub(crate) fn tell(&mut self, run_id: &str, input: Input) {
        if let Some(home) = self.runs.get(run_id) {
            self.tell_at(home.index, input);
        }
    }

    /// Tells the thread that has this Run something of which nothing follows, unless somebody waits for it after all.
    pub(crate) fn tell_unhurried(&mut self, run_id: &str, input: Input) {
        let Some(home) = self.runs.get(run_id) else { return };
        let place = &mut self.places[home.index];
        // A task that waits for the Run; or a cache that is too small for all, which a Run leaves when it has heard this.
        if home.open > 0 || place.runs > self.settings.cache.runs {
            self.tell_at(home.index, input);
        } else {
            place.unhurried.push(input);
            self.unhurried_until.get_or_insert_with(|| Instant::now() + UNHURRIED);
        }
    }

    /// When to [`flush`](Self::flush), and to [`look`](Self::look), next, with tasks open or not; `None` for never.
    pub(crate) fn next_timeout(&mut self, has_open_tasks: bool) -> Option<Instant> {
        self.next_look(has_open_tasks).into_iter().chain(self.unhurried_until).min()
    }

    /// Tells what was not told yet: the bytes of a Run count, and the time after which it leaves begins, when it has heard it.
    pub(crate) fn flush(&mut self) {
        self.unhurried_until = None;
        for Place { shard, unhurried, .. } in &mut self.places {
            if let Some(shard) = shard {
                // A thread that has died is found by the next look.
                for input in unhurried.drain(..) {
                    let _ = shard.send(input);
                }
            }
        }
    }

    /// Tells all threads that so many Runs together are to leave.
    pub(crate) fn relieve(&mut self, runs: usize) {
        let each = runs.div_ceil(self.places.len());
        (0..self.places.len()).for_each(|index| self.tell_at(index, Input::Pressure(each)));
    }

    fn next_look(&mut self, has_open_tasks: bool) -> Option<Instant> {
        let lacks_threads = self.places.iter().any(|place| place.shard.is_none());
        let watchdog = self.watchdog.as_mut()?;
        if !has_open_tasks && !lacks_threads {
            // Nothing is executed, so the next look is the first of a new row.
            watchdog.looked_at = Instant::now();
            return None;
        }
        Some(watchdog.looked_at + watchdog.interval())
    }

    /// The watchdog looks at all threads. Those that have been held for too long are abandoned.
    pub(crate) fn look(&mut self) -> Vec<Abandoned> {
        let Some(Watchdog { timeout, looked_at }) = self.watchdog else { return Vec::new() };
        let now = Instant::now();
        let interval = Watchdog { timeout, looked_at }.interval();
        // Where we were late ourselves, the machine is busy, or was asleep: then user code may not have had its time either.
        let passed = now.duration_since(looked_at).min(2 * interval);
        self.watchdog = Some(Watchdog { timeout, looked_at: now });
        self.held.retain(|held| !held.watch.has_ended());
        self.counters.set_held_threads(self.held.len());
        let mut abandoned = Vec::new();
        for index in 0..self.places.len() {
            let place = &mut self.places[index];
            match &place.shard {
                None => self.refill(index),
                Some(shard) if shard.watch.has_ended() => abandoned.push(self.abandon(index, None, timeout)),
                Some(shard) => {
                    place.seen = match (shard.watch.number(), place.seen) {
                        (Some(number), Some((seen, time))) if number == seen => Some((seen, time + passed)),
                        (number, _) => number.map(|number| (number, Duration::ZERO)),
                    };
                    let Some((number, _)) = place.seen.filter(|(_, time)| *time >= timeout) else { continue };
                    // It may have come back in this moment.
                    let execution = shard.watch.execution().filter(|execution| execution.number == number);
                    if execution.is_some() {
                        abandoned.push(self.abandon(index, execution, timeout));
                    }
                }
            }
        }
        abandoned
    }

    /// Ends all threads, and waits for that, but not for those that are held, and not longer than until `deadline`.
    pub(crate) async fn end(self, deadline: Instant, is_given_up: bool) {
        for shard in self.places.into_iter().filter_map(|place| place.shard) {
            let execution = shard.watch.execution();
            if is_given_up && execution.is_some() {
                log_held(&self.task_queue, execution);
                continue;
            }
            let watch = Arc::clone(&shard.watch);
            if tokio::time::timeout_at(deadline, shard.end()).await.is_err() {
                log_held(&self.task_queue, watch.execution());
            }
        }
    }

    /// The Runs that had this place, whose tasks are open or not.
    pub(crate) fn is_at(&self, run_id: &str, index: usize) -> bool {
        self.runs.get(run_id).is_some_and(|home| home.index == index)
    }

    /// Forgets the Runs that had this place; their tasks are to be opened again.
    pub(crate) fn vacate(&mut self, index: usize) {
        self.runs.retain(|_, home| home.index != index);
        self.places[index].open = 0;
        self.places[index].runs = 0;
        self.show_cached();
    }

    pub(crate) fn tell_at(&mut self, index: usize, input: Input) {
        let Place { shard, unhurried, .. } = &mut self.places[index];
        // A thread that has died is found by the next look.
        if let Some(shard) = shard {
            for input in unhurried.drain(..).chain([input]) {
                let _ = shard.send(input);
            }
        }
    }

    fn show_cached(&mut self) {
        self.counters.set_cached_workflows(self.runs.len());
        self.cached.set(self.runs.len());
    }

    fn least_busy(&self) -> Option<usize> {
        let alive = self.places.iter().enumerate().filter(|(_, place)| place.shard.is_some());
        alive.min_by_key(|(_, place)| (place.open, place.runs)).map(|(index, _)| index)
    }

    /// Takes a thread's place away from it. Its Runs are there until [`vacate`](Self::vacate).
    fn abandon(&mut self, index: usize, execution: Option<Execution>, timeout: Duration) -> Abandoned {
        let place = &mut self.places[index];
        place.life += 1;
        place.seen = None;
        place.unhurried.clear();
        let shard = place.shard.take();
        if let Some((shard, execution)) = shard.zip(execution.as_ref()) {
            shard.watch.abandon();
            self.counters.count_deadlock();
            self.held.push(Held { run_id: execution.key.run_id().to_owned(), watch: shard.watch });
        }
        self.counters.set_held_threads(self.held.len());
        self.refill(index);
        if self.places[index].shard.is_none() {
            tracing::error!(
                task_queue = self.task_queue,
                held_threads = self.held.len(),
                maximum_held_threads = self.maximum_held_threads,
                threads = self.places.iter().filter(|place| place.shard.is_some()).count(),
                "workflow code holds more threads than are allowed, so this one is not replaced until some come back. Mend the \
                 workflows that TMPRL1101 names, then restart this worker"
            );
        }
        Abandoned { index, execution, timeout }
    }

    /// Gives a place a thread, if that is allowed.
    fn refill(&mut self, index: usize) {
        if self.held.len() > self.maximum_held_threads {
            return;
        }
        match self.spawn(ShardId { index, life: self.places[index].life }) {
            Ok(shard) => self.places[index].shard = Some(shard),
            Err(error) => {
                tracing::error!(task_queue = self.task_queue, %error, "no thread could be started for workflow code");
            }
        }
    }

    fn spawn(&self, id: ShardId) -> io::Result<Shard> {
        Shard::spawn(id, self.settings.clone())
    }
}

/// How long a thread may not know what it need not know at once: where tasks are open, until the watchdog's next look. Until then a Run
/// whose answer was taken does not leave for others that need its bytes.
const UNHURRIED: Duration = Duration::from_millis(250);

impl Watchdog {
    /// Between two looks.
    fn interval(&self) -> Duration {
        (self.timeout / 8).clamp(Duration::from_millis(5), Duration::from_millis(250))
    }
}

impl Refused {
    /// In words, for whoever reads the history or the log.
    pub(crate) fn message(self, task_queue: &str, maximum_held_threads: usize) -> String {
        match self {
            Self::RunIsHeld => "[TMPRL1101] Potential deadlock detected: code of this run still holds the thread that an earlier \
                                Workflow Task was executed on, so it is not executed again. Mend the workflow, and restart \
                                the worker that logged where it is"
                .to_owned(),
            // More than are allowed, or the system had none.
            Self::NoThread { held } => format!(
                "[TMPRL1101] the worker on task queue {task_queue:?} cannot execute Workflow Tasks: {held} threads are held by \
                 workflow code that does not come back; {maximum_held_threads} are allowed. Restart the worker; its log names \
                 the workflows"
            ),
        }
    }
}

fn log_held(task_queue: &str, execution: Option<Execution>) {
    if let Some(Execution { key, workflow, at, .. }) = execution {
        tracing::warn!(
            task_queue,
            workflow_type = &*workflow.workflow_type,
            workflow_id = &*workflow.workflow_id,
            run_id = key.run_id(),
            at,
            "the Workflow Worker stops although workflow code holds a thread, which ends with it or with the process"
        );
    }
}

/// The text of TMPRL1101.
pub(crate) fn deadlock_message(execution: &Execution, timeout: Duration) -> String {
    let Execution { workflow, at, .. } = execution;
    format!(
        "[TMPRL1101] Potential deadlock detected: workflow {:?} (id {:?}) did not come back from {at} within {timeout:?}. \
         Workflow code must not block its thread or compute for long: wait with the WorkflowContext, and do the rest in \
         activities. (WorkflowWorkerBuilder::deadlock_detection_timeout sets the limit.)",
        workflow.workflow_type, workflow.workflow_id,
    )
}

/// Says so loudly.
pub(crate) fn log_abandoned_thread(task_queue: &str, abandoned: &Abandoned, moved: usize) {
    match &abandoned.execution {
        Some(Execution { key, workflow, at, .. }) => tracing::error!(
            task_queue,
            workflow_type = &*workflow.workflow_type,
            workflow_id = &*workflow.workflow_id,
            run_id = key.run_id(),
            at,
            timeout = ?abandoned.timeout,
            moved_tasks = moved,
            "TMPRL1101: workflow code does not come back. Its Workflow Task fails; its thread is abandoned, and all other \
             workflows of that thread go to a fresh one. Find what blocks or computes there, and do it in an activity"
        ),
        None => tracing::error!(
            task_queue,
            moved_tasks = moved,
            "a thread of the Workflow Worker has died, which is a defect of it; a fresh one takes its place"
        ),
    }
}
