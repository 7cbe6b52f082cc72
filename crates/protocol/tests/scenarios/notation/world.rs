//! Everything around [`Runs`]: the server, its histories, user code.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use timewright_proto::Bytes;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_protocol::workflow::{
    Activation, CacheLimits, Completion, CompletionReceipt, EvictionReason, HistoryPage, Job, Output, Query, RunKey,
    Runs, TaskKind, UpdateRequest, WorkflowTask,
};

use super::code::{Code, failure};
use super::history::Recorded;
use super::render::Show;
use super::replay::Lives;
use super::{local, name, operations};

/// Everything around [`Runs`]: the server, its histories, user code.
pub(super) struct World {
    runs: Runs,
    capacity: usize,
    limits: CacheLimits,
    code: Code,
    pub(super) show: Show,
    /// What the server has of each Run.
    histories: BTreeMap<String, Recorded>,
    /// What has not been answered because whoever is to answer waits.
    waiting: Waiting,
    code_waits: bool,
    server_waits: bool,
    history: Fetching,
    /// How often each task has been answered.
    answers: BTreeMap<Bytes, u32>,
    /// Tasks that are replays, which are answered without their token.
    replays: BTreeMap<String, Vec<Bytes>>,
    /// Runs whose user code has begun.
    begun: BTreeSet<String>,
    /// Of each Run that ever was there, what names it while it is, or named it last.
    keys: BTreeMap<String, RunKey>,
    /// Tasks that leave nothing in the history, which then goes on behind the task that this Event started.
    vanishing: BTreeMap<Bytes, i64>,
    /// When everything began.
    origin: Instant,
    /// What the worker's clock says, in seconds since 1970 as in the histories. It stands still but for `> time …`.
    clock: Duration,
    /// How long ago everything began.
    elapsed: Duration,
    /// The history that came with each task.
    tasks: BTreeMap<Bytes, Recorded>,
    /// The history of each Run behind the last completion that the server took, and how much of it came with that task.
    completed: BTreeMap<String, (i64, Recorded)>,
    /// `None` where whoever runs the scenario compares replays by themselves.
    pub(super) lives: Option<Lives>,
    /// The Local Activities that are executed: of which Run, which number, and which attempt.
    local: BTreeMap<(RunKey, u32), LocalActivity>,
    /// Whether to say which Run it is.
    names_runs: bool,
    pub(super) transcript: Vec<String>,
}

#[derive(Debug, Default)]
struct Waiting {
    activations: Vec<(RunKey, Activation)>,
    fetches: Vec<(RunKey, Bytes)>,
    completions: Vec<(RunKey, CompletionReceipt)>,
}

#[derive(Debug)]
struct LocalActivity {
    attempt: u32,
    cancelled: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.activations.is_empty() && self.fetches.is_empty() && self.completions.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fetching {
    Comes,
    Fails,
    Waits,
}

#[derive(Debug, Default)]
pub(super) struct TaskOptions {
    queries: Vec<String>,
    attempt: Option<u32>,
    started: Option<i64>,
    previous: Option<i64>,
    only_query: Option<String>,
    replay: bool,
    updates: Vec<String>,
    vanishes: Option<i64>,
}

impl World {
    pub(super) fn new(code: Code) -> Self {
        Self {
            runs: Runs::new(CacheLimits::runs(100)),
            capacity: 100,
            limits: CacheLimits::runs(100),
            code,
            show: Show::default(),
            histories: BTreeMap::new(),
            waiting: Waiting::default(),
            code_waits: false,
            server_waits: false,
            history: Fetching::Comes,
            answers: BTreeMap::new(),
            replays: BTreeMap::new(),
            begun: BTreeSet::new(),
            keys: BTreeMap::new(),
            vanishing: BTreeMap::new(),
            origin: now(),
            clock: Duration::ZERO,
            elapsed: Duration::ZERO,
            tasks: BTreeMap::new(),
            completed: BTreeMap::new(),
            lives: Some(Lives::default()),
            local: BTreeMap::new(),
            names_runs: false,
            transcript: Vec::new(),
        }
    }

    /// Does one line of what comes in.
    pub(super) fn step(&mut self, step: &str) {
        self.transcript.push(format!("> {step}"));
        let words: Vec<&str> = step.split_whitespace().collect();
        match words.as_slice() {
            ["cache", capacity] => {
                assert!(self.answers.is_empty(), "the cache comes before all else");
                self.capacity = capacity.parse().expect("a number of Runs");
                self.limits = CacheLimits::runs(self.capacity);
                self.runs = Runs::new(self.limits);
            }
            ["idle", span] => {
                self.limits = CacheLimits { idle: Some(local::seconds(span)), ..CacheLimits::runs(self.capacity) };
                self.runs = Runs::new(self.limits);
            }
            ["pressure", count] => self.runs.handle_pressure(count.parse().expect("a number of Runs")),
            ["show", "texts"] => self.show.texts = true,
            ["show", "sdk"] => self.show.sdk = true,
            ["hide", "fetches"] => self.show.no_fetches = true,
            ["task", words @ ..] => self.task_in_words(words, TaskOptions::default()),
            ["query", name, words @ ..] => {
                self.task_in_words(words, TaskOptions { only_query: Some((*name).to_owned()), ..Default::default() });
            }
            ["replay", words @ ..] => self.task_in_words(words, TaskOptions { replay: true, ..Default::default() }),
            ["next", words @ ..] => self.next(words),
            ["local", words @ ..] => self.local(words),
            ["time", span] => {
                self.clock += local::seconds(span);
                self.elapsed += local::seconds(span);
                self.runs.handle_timeout(self.origin + self.elapsed);
            }
            ["code", "waits"] => self.code_waits = true,
            ["server", "waits"] => self.server_waits = true,
            ["history", "waits"] => self.history = Fetching::Waits,
            ["code", "answers"] => {
                self.code_waits = false;
                for (run, activation) in std::mem::take(&mut self.waiting.activations) {
                    self.run_code(&run, &activation);
                }
            }
            ["server", "takes"] => {
                self.server_waits = false;
                for (run, receipt) in std::mem::take(&mut self.waiting.completions) {
                    self.runs.handle_completed(&run, receipt);
                }
            }
            ["server", "refuses"] => {
                self.server_waits = false;
                for (run, _) in std::mem::take(&mut self.waiting.completions) {
                    self.completed.remove(run.run_id());
                    self.runs.handle_eviction(&run, EvictionReason::CompletionNotTaken);
                }
            }
            ["history", outcome @ ("comes" | "fails")] => {
                self.history = if *outcome == "comes" { Fetching::Comes } else { Fetching::Fails };
                for (run, token) in std::mem::take(&mut self.waiting.fetches) {
                    self.fetch(run, token);
                }
            }
            ["late", what @ .., run] => self.late(&what.join(" "), run),
            ["evict", run] => {
                if let Some(key) = self.runs.key(run) {
                    self.runs.handle_eviction(&key, EvictionReason::Requested);
                }
            }
            ["shutdown"] => self.runs.handle_shutdown(),
            _ => panic!("{step:?} does not come in in this notation; see notation.rs"),
        }
        self.drain();
    }

    fn task_in_words(&mut self, words: &[&str], mut options: TaskOptions) {
        let mut run = "A";
        let mut history = Vec::new();
        for word in words {
            let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("no number in {word:?}"));
            match word.split_once('=') {
                Some(("started", id)) => options.started = Some(number(id)),
                Some(("previous", id)) => options.previous = Some(number(id)),
                Some(("vanishes", id)) => options.vanishes = Some(number(id)),
                _ if is_run(word) => {
                    run = word;
                    self.names_runs = true;
                }
                _ if word.starts_with('!') => options.updates.push(word[1..].to_owned()),
                _ => match word.strip_prefix('?') {
                    Some(query) => options.queries.push(query.to_owned()),
                    None => match word.strip_prefix('x') {
                        Some(attempt) => options.attempt = u32::try_from(number(attempt)).ok(),
                        None => history.push(*word),
                    },
                },
            }
        }
        self.task(run, options, Recorded::parse(history));
    }

    pub(super) fn task(&mut self, run: &str, options: TaskOptions, recorded: Recorded) {
        let task_token = Bytes::from(format!("task {}", self.answers.len() + 1));
        self.answers.insert(task_token.clone(), 0);
        self.vanishing.extend(options.vanishes.map(|id| (task_token.clone(), id)));
        let (started, previous) = recorded.started();
        let query = |name: &String| Query { id: name.clone(), name: name.clone(), ..Query::default() };
        let kind = match &options.only_query {
            Some(name) => TaskKind::Query(Query { id: String::new(), ..query(name) }),
            None if options.replay => {
                self.replays.entry(run.to_owned()).or_default().push(task_token.clone());
                TaskKind::Replay
            }
            None => TaskKind::Progress {
                started_event_id: options.started.unwrap_or(started),
                updates: options.updates.iter().map(|word| update(word, started)).collect(),
                queries: options.queries.iter().map(query).collect(),
            },
        };
        self.clock = self.clock.max(Duration::from_secs(started.unsigned_abs()));
        let task = WorkflowTask {
            task_token,
            workflow_id: "order-7".to_owned(),
            run_id: run.to_owned(),
            workflow_type: "order".to_owned(),
            attempt: options.attempt.unwrap_or(1),
            previous_started_event_id: options.previous.unwrap_or(previous),
            history: recorded.with_task(),
            received_at: self.origin + self.elapsed,
            kind,
        };
        self.tasks.insert(task.task_token.clone(), recorded.clone());
        self.histories.insert(run.to_owned(), recorded);
        self.runs.handle_task(task);
        self.drain();
    }

    fn late(&mut self, what: &str, run: &str) {
        let run = &self.keys.get(run).expect("a run that was there").clone();
        match what {
            "commands" => self.runs.handle_commands(run, Vec::new()),
            "failure" => self.runs.handle_failure(run, WorkflowTaskFailedCause::Unspecified, failure("too late")),
            "completed" => self.runs.handle_completed(run, CompletionReceipt::default()),
            "history" => self.runs.handle_history(run, HistoryPage::default()),
            "history failure" => self.runs.handle_history_failure(run, "too late"),
            other => panic!("{other:?} cannot be late in this notation"),
        }
    }

    /// Does all that is asked for; and what must be true whenever there is nothing more to do.
    fn drain(&mut self) {
        while let Some((run, output)) = self.runs.poll_output() {
            self.handle(run, output);
        }
        assert!(self.begun.iter().all(|run| self.runs.key(run).is_some()), "user code of a run that has left");
        if self.waiting.is_empty() {
            assert_eq!(self.runs.len(), self.begun.len(), "a run without user code");
            assert_eq!(self.runs.is_empty(), self.begun.is_empty());
            let busy: BTreeSet<&str> = self.local.keys().map(|(key, _)| key.run_id()).collect();
            assert!(self.runs.len() <= self.capacity + busy.len(), "{} idle runs", self.runs.len());
            let is_open = self.answers.values().any(|times| *times == 0);
            // Where Runs leave by age, they have a time to leave at.
            let wakes = self.runs.poll_timeout().is_some() && (self.limits.idle.is_none() || is_open);
            assert_eq!(is_open, wakes, "an open task has somebody to go on with it");
        }
    }

    fn handle(&mut self, key: RunKey, output: Output) {
        let run = key.run_id().to_owned();
        self.keys.insert(run.clone(), key.clone());
        match output {
            Output::Activate(activation) => {
                self.say(&run, self.show.activation(&activation));
                if let Some(lives) = &mut self.lives {
                    lives.heard(&run, &activation);
                }
                for job in &activation.jobs {
                    if let Job::ResolveLocalActivity { sequence, .. } = job {
                        self.local.remove(&(key.clone(), *sequence));
                    }
                }
                let initializes = matches!(activation.jobs.first(), Some(Job::Initialize(_)));
                assert_eq!(initializes, self.begun.insert(run.clone()), "user code begins once, with Initialize");
                match self.code_waits {
                    true => self.waiting.activations.push((key, activation)),
                    false => self.run_code(&key, &activation),
                }
            }
            Output::FetchHistory { next_page_token } => {
                if !self.show.no_fetches {
                    self.say(&run, format!("fetch {}", name(&next_page_token)));
                }
                self.fetch(key, next_page_token);
            }
            Output::CompleteTask(completion) => {
                let Completion { task_token, .. } = &completion;
                self.say(&run, format!("complete {}: {}", name(task_token), self.show.completion(&completion)));
                self.answered(task_token);
                let receipt = CompletionReceipt { reset_history_event_id: self.vanishing.remove(task_token) };
                let mut history = self.tasks[task_token].clone();
                match &mut self.lives {
                    Some(lives) if receipt.reset_history_event_id.is_some() => lives.forget(&run),
                    Some(lives) => lives.check(&self.code, &run, &history, &completion),
                    None => (),
                }
                let known = history.last_id();
                history.complete(&completion);
                self.completed.insert(run, (known, history));
                self.confirm(key, receipt);
            }
            Output::StartLocalActivity(start) => {
                self.say(&run, self.show.start(&start));
                let begun = LocalActivity { attempt: start.attempt, cancelled: false };
                let before = self.local.insert((key, start.sequence), begun);
                let is_next = before.is_none_or(|before| before.attempt + 1 == start.attempt && !before.cancelled);
                assert!(is_next, "each attempt of a Local Activity is started once");
            }
            Output::CancelLocalActivity { sequence } => {
                self.say(&run, format!("cancel local {sequence}"));
                let activity = self.local.get_mut(&(key, sequence)).expect("a Local Activity that is executed");
                assert!(!activity.cancelled, "cancelled twice");
                activity.cancelled = true;
            }
            Output::FailTask(failed) => {
                self.say(&run, format!("fail {}: {}", name(&failed.task_token), self.show.task_failure(&failed)));
                self.answered(&failed.task_token);
            }
            Output::RespondQuery { task_token, answer } => {
                self.say(&run, format!("respond {}: {}", name(&task_token), self.show.answer(&answer)));
                self.answered(&task_token);
                self.confirm(key, CompletionReceipt::default());
            }
            Output::FinishReplay => {
                let task_token = self.replays.get(&run).and_then(|tasks| tasks.first()).expect("a replay").clone();
                self.say(&run, format!("finish {}", name(&task_token)));
                self.answered(&task_token);
            }
            Output::AbandonTask { task_token, reason } => {
                self.say(&run, format!("abandon {}: {}", name(&task_token), self.show.abandoned(&reason)));
                self.answered(&task_token);
            }
            Output::Evict { reason } => {
                self.say(&run, format!("evict: {}", self.show.eviction(reason)));
                self.begun.remove(&run);
                if let Some(lives) = &mut self.lives {
                    lives.forget(&run);
                }
                let left: Vec<_> = self.local.iter().filter(|((of, _), it)| *of == key && !it.cancelled).collect();
                assert!(left.is_empty(), "Local Activities that nobody waits for are executed: {left:?}");
                self.waiting.activations.retain(|(waiting, _)| *waiting != key);
                self.waiting.fetches.retain(|(waiting, _)| *waiting != key);
                self.waiting.completions.retain(|(waiting, _)| *waiting != key);
            }
            other => panic!("an output that this notation does not know: {other:?}"),
        }
    }

    fn run_code(&mut self, run: &RunKey, activation: &Activation) {
        match self.code.run(activation) {
            Ok(commands) => self.runs.handle_commands(run, commands),
            Err(failure) => {
                self.runs.handle_failure(run, WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, *failure);
            }
        }
    }

    fn fetch(&mut self, run: RunKey, token: Bytes) {
        match self.history {
            Fetching::Comes => {
                let page = self.histories.get(run.run_id()).expect("a history").fetched(&token);
                self.runs.handle_history(&run, page);
            }
            Fetching::Fails => self.runs.handle_history_failure(&run, "the server is away"),
            Fetching::Waits => self.waiting.fetches.push((run, token)),
        }
    }

    fn confirm(&mut self, run: RunKey, receipt: CompletionReceipt) {
        match self.server_waits {
            true => self.waiting.completions.push((run, receipt)),
            false => self.runs.handle_completed(&run, receipt),
        }
    }

    fn answered(&mut self, task_token: &Bytes) {
        *self.answers.get_mut(task_token).expect("a task of ours") += 1;
        for replays in self.replays.values_mut() {
            replays.retain(|replay| replay != task_token);
        }
    }

    fn say(&mut self, run: &str, line: String) {
        match self.names_runs {
            true => self.transcript.push(format!("{run}: {line}")),
            false => self.transcript.push(line),
        }
    }

    /// What must be true at the end of every scenario.
    pub(super) fn finish(&self) {
        assert!(self.waiting.is_empty(), "somebody still waits: {:?}", self.waiting);
        let wrong: Vec<_> = self.answers.iter().filter(|(_, times)| **times != 1).collect();
        assert!(wrong.is_empty(), "tasks not answered exactly once: {wrong:?}\n{}", self.transcript.join("\n"));
        self.code.assert_all_used();
    }
}

/// `NAME`, which came right before the task was started, or `NAME@5`, which came behind Event 5.
fn update(word: &str, started: i64) -> UpdateRequest {
    let (name, sequencing_event_id) = match word.split_once('@') {
        Some((name, id)) => (name, id.parse().expect("a number behind @")),
        None => (word, started - 1),
    };
    UpdateRequest {
        message_id: format!("{name}/request"),
        protocol_instance_id: name.to_owned(),
        sequencing_event_id,
        request: Some(operations::update_request(name)),
    }
}

/// A single capital letter names a Run.
fn is_run(word: &str) -> bool {
    word.len() == 1 && word.chars().all(char::is_uppercase)
}

/// Any moment will do: it is only compared with others.
#[allow(clippy::disallowed_methods, reason = "whoever drives the protocol brings the time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
