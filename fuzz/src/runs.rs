//! Runs, fed with damaged histories by a server that makes mistakes, and with answers by user code that does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::{Bytes, Message};
use timewright_protocol::workflow::{
    Activation, CacheLimits, Command, Completion, CompletionReceipt, EvictionReason, HistoryPage, Output, RunKey, Runs,
    TaskKind, UpdateBody,
};

use crate::damage::damage;
use crate::executor::Executor;
use crate::input::split;
use crate::recorded::{Task, recorded};
use crate::script::Script;
use crate::server::Server;
use crate::user_code::{Answer, UserCode};

/// Each task is answered exactly once, whatever happens; where nothing is left to do, nothing is open; nothing goes on for
/// ever, and nothing grows that was given nothing; a Run that has left is silent.
pub fn runs(input: &[u8]) {
    let (script, message) = split(input);
    let Ok(History { mut events }) = History::decode(message) else { return };
    let mut script = Script::new(script);
    damage(&mut events, &mut script);
    let recorded = recorded(&events, &mut script);
    let limits = CacheLimits {
        runs: [2, 1, 0][script.below(3)],
        bytes: if script.rarely(8) { script.below(16) as u64 * 1_024 } else { u64::MAX },
    };
    World {
        runs: Runs::new(limits),
        limits,
        servers: ["a run", "another"].map(|run_id| Server::new(&events, run_id.to_owned())),
        recorded,
        user_code: BTreeMap::new(),
        executor: Executor::default(),
        needs: VecDeque::new(),
        open: BTreeMap::new(),
        resets: BTreeMap::new(),
        gone: BTreeSet::new(),
        now: Instant::now(),
        tasks: 0,
        steps_left: 64 + 16 * script.len() + 4 * events.len(),
        given_bytes: 0,
        events: &events,
        script,
    }
    .play();
}

struct World<'e, 'a> {
    runs: Runs,
    limits: CacheLimits,
    servers: [Server<'e>; 2],
    events: &'e [HistoryEvent],
    recorded: BTreeMap<u64, Task>,
    user_code: BTreeMap<RunKey, UserCode>,
    executor: Executor,
    /// What the Runs wait for.
    needs: VecDeque<(RunKey, Need)>,
    /// Tasks that have not been answered: the Run, and whether nobody gets the answer.
    open: BTreeMap<Bytes, (String, bool)>,
    /// Speculative tasks: where the history goes on if they leave nothing.
    resets: BTreeMap<Bytes, i64>,
    /// Runs that have left.
    gone: BTreeSet<RunKey>,
    now: Instant,
    /// How many tasks there were.
    tasks: usize,
    steps_left: usize,
    /// More than what the Runs were given can take.
    given_bytes: u64,
    script: Script<'a>,
}

/// What a Run waits for.
#[derive(Debug)]
enum Need {
    Activate(Activation),
    Fetch(Bytes),
    /// The server has to take an answer.
    Deliver(CompletionReceipt),
}

impl World<'_, '_> {
    fn play(mut self) {
        loop {
            self.step();
            let over = self.script.len() == 0;
            match self.script.below(16) {
                0..=4 if !self.needs.is_empty() => self.meet_need(0),
                5 => {
                    let need = self.script.below(self.needs.len());
                    self.meet_need(need);
                }
                0 | 6 | 7 if self.executor.len() > 0 => self.finish_local_activity(),
                8 => self.pass_time(),
                9 | 10 => self.interfere(),
                11 => break,
                _ if over && self.servers.iter().all(Server::is_over) => break,
                _ => self.hand_out_task(),
            }
        }
        if !self.script.rarely(4) {
            self.settle();
        }
        self.runs.handle_shutdown();
        self.do_outputs();
        assert!(self.open.is_empty(), "after the shutdown tasks are open: {:?}", self.open);
        assert!(self.runs.is_empty() && self.user_code.is_empty(), "after the shutdown there are Runs");
        assert_eq!((self.runs.bytes(), self.runs.poll_timeout()), (0, None), "after the shutdown");
    }

    /// Does all that is to be done. Local Activities may go on for ever, but tasks may not wait for them as long.
    fn settle(&mut self) {
        loop {
            self.step();
            match self.runs.poll_timeout() {
                _ if !self.needs.is_empty() => self.meet_need(0),
                Some(due) => self.wait_until(due),
                None => break,
            }
        }
        assert!(self.open.is_empty(), "nobody needs anything, but tasks are open: {:?}", self.open);
        // Those that have Local Activities do not leave.
        let mut idle = self.user_code.keys().filter(|key| !self.executor.is_awaited(key));
        if idle.next().is_some() {
            let (runs, bytes) = (self.runs.len(), self.runs.bytes());
            assert!(runs <= self.limits.runs && bytes <= self.limits.bytes, "idle: {runs} Runs, {bytes} bytes");
        }
    }

    fn step(&mut self) {
        self.steps_left = self.steps_left.checked_sub(1).expect("it goes on for ever");
    }

    fn hand_out_task(&mut self) {
        let index = self.script.below(self.servers.len());
        // Where the one Run has come to its end, the other goes on.
        let server = match self.servers[index].is_over() {
            true => &mut self.servers[1 - index],
            false => &mut self.servers[index],
        };
        // In their order as texts, too.
        let token = format!("task {:06}", self.tasks);
        let sticky = self.runs.key(server.run_id()).is_some();
        let poll = server.poll(&token, sticky, self.now, &mut self.script);
        let task = poll.task;
        self.tasks += 1;
        // A task executes the whole history at worst: an Activation, its echo and a page for each Event.
        self.steps_left += 16 + 3 * self.events.len();
        self.resets.extend(poll.resets_to.map(|event_id| (task.task_token.clone(), event_id)));
        self.open.insert(task.task_token.clone(), (task.run_id.clone(), task.kind == TaskKind::Replay));
        self.given_bytes += BYTES_OF_A_RUN + bytes(&task.history);
        self.runs.handle_task(task);
        self.do_outputs();
    }

    /// Gives a Run what it waits for.
    fn meet_need(&mut self, index: usize) {
        let Some((key, need)) = self.needs.remove(index) else { return };
        match need {
            Need::Activate(activation) => self.activate(&key, &activation),
            Need::Fetch(_) if self.script.rarely(32) => self.runs.handle_history_failure(&key, "the script says so"),
            Need::Fetch(token) => {
                let server = self.servers.iter().find(|server| server.run_id() == key.run_id()).expect("a Run of ours");
                let page = server.page(&token, &mut self.script);
                self.given_bytes += bytes(&page);
                self.runs.handle_history(&key, page);
            }
            Need::Deliver(_) if self.script.rarely(16) => {
                self.runs.handle_eviction(&key, EvictionReason::CompletionNotTaken);
            }
            Need::Deliver(receipt) => self.runs.handle_completed(&key, receipt),
        }
        self.do_outputs();
    }

    fn activate(&mut self, key: &RunKey, activation: &Activation) {
        let user_code = self.user_code.entry(key.clone()).or_insert_with(|| UserCode::new(self.recorded.clone()));
        match user_code.activate(activation, &mut self.script) {
            Answer::Commands(commands) => {
                self.steps_left += 2 * commands.len();
                self.given_bytes += BYTES_OF_A_COMMAND * commands.len() as u64;
                for command in &commands {
                    self.executor.note(key, command);
                }
                self.runs.handle_commands(key, commands);
            }
            Answer::Failure => {
                let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
                self.runs.handle_failure(key, cause, Failure::default());
            }
        }
    }

    /// An attempt of a Local Activity ends; it may be said twice.
    fn finish_local_activity(&mut self) {
        let Some((key, attempt)) = self.executor.finish(&mut self.script) else { return };
        self.runs.handle_local_activity(&key, attempt.clone());
        self.do_outputs();
        if self.script.rarely(4) {
            self.does_nothing(|runs| runs.handle_local_activity(&key, attempt));
        }
    }

    /// Some time, more or less than what the Runs wait for.
    fn pass_time(&mut self) {
        let time = Duration::from_secs(self.script.byte().into());
        match self.runs.poll_timeout() {
            Some(due) if self.script.rarely(2) => self.wait_until(due),
            Some(due) if due <= self.now + time => self.wait_until(self.now + time),
            _ => {
                self.now += time;
                let now = self.now;
                self.does_nothing(|runs| runs.handle_timeout(now));
            }
        }
    }

    /// Until the time that the Runs wait for has come: they do not wait for the same again.
    fn wait_until(&mut self, due: Instant) {
        self.now = self.now.max(due);
        self.runs.handle_timeout(self.now);
        let next = self.runs.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "it waits until {next:?}, which is over");
        self.do_outputs();
    }

    /// Says something to a Run that it does not wait for.
    fn interfere(&mut self) {
        let run_id = self.servers[self.script.below(2)].run_id().to_owned();
        let gone = self.gone.iter().rfind(|key| key.run_id() == run_id).cloned();
        let key = match (self.runs.key(&run_id), gone) {
            (Some(key), None) => key,
            (Some(key), Some(_)) if !self.script.rarely(4) => key,
            (_, Some(gone)) => gone,
            (None, None) => return,
        };
        let need = self.needs.iter().find(|(needy, _)| *needy == key).map(|(_, need)| need);
        match (self.script.below(8), need) {
            (0, _) if !self.gone.contains(&key) => {
                self.runs.handle_eviction(&key, EvictionReason::Requested);
                self.do_outputs();
            }
            (1 | 2, Some(Need::Activate(_))) | (3 | 4, Some(Need::Fetch(_))) | (5, Some(Need::Deliver(_))) => (),
            (1, _) => self.does_nothing(|runs| runs.handle_commands(&key, vec![END])),
            (2, _) => self.does_nothing(|runs| {
                runs.handle_failure(&key, WorkflowTaskFailedCause::Unspecified, Failure::default());
            }),
            (3, _) => self.does_nothing(|runs| runs.handle_history(&key, HistoryPage::default())),
            (4, _) => self.does_nothing(|runs| runs.handle_history_failure(&key, "nobody has asked")),
            (5, _) => {
                let receipt = CompletionReceipt { reset_history_event_id: Some(self.script.event_id()) };
                self.does_nothing(|runs| runs.handle_completed(&key, receipt));
            }
            (6, _) if self.gone.contains(&key) => {
                self.does_nothing(|runs| runs.handle_eviction(&key, EvictionReason::Requested));
            }
            _ => {
                let attempt = self.executor.stale(&key, &mut self.script);
                self.does_nothing(|runs| runs.handle_local_activity(&key, attempt));
            }
        }
    }

    /// Nobody waits for this, so that nothing follows from it.
    fn does_nothing(&mut self, act: impl FnOnce(&mut Runs)) {
        let state = |runs: &Runs| (runs.len(), runs.bytes(), runs.poll_timeout());
        let before = state(&self.runs);
        act(&mut self.runs);
        assert_eq!(self.runs.poll_output(), None, "what nobody waited for had a consequence");
        assert_eq!(state(&self.runs), before, "what nobody waited for changed something");
    }

    /// Does what the Runs say, as far as nobody else is needed for it.
    fn do_outputs(&mut self) {
        assert!(self.runs.bytes() <= self.given_bytes, "{} bytes came of {}", self.runs.bytes(), self.given_bytes);
        while let Some((key, output)) = self.runs.poll_output() {
            self.step();
            assert!(!self.gone.contains(&key), "{key:?} has left, but says {output:?}");
            match output {
                Output::Activate(activation) => {
                    activation.jobs.iter().for_each(|job| self.executor.hear(&key, job));
                    self.need(key, Need::Activate(activation));
                }
                Output::FetchHistory { next_page_token } => self.need(key, Need::Fetch(next_page_token)),
                Output::StartLocalActivity(start) => {
                    assert!(!self.has_ended(&key), "the workflow has ended, but starts {start:?}");
                    self.executor.start(&key, &start);
                }
                Output::CancelLocalActivity { sequence } => self.executor.cancel(&key, sequence),
                Output::CompleteTask(completion) => {
                    self.close(&key, &completion.task_token);
                    self.executor.complete(&key, completion.force_new_task);
                    let receipt = self.receipt(&completion);
                    self.need(key, Need::Deliver(receipt));
                }
                Output::RespondQuery { task_token, .. } => {
                    self.close(&key, &task_token);
                    self.need(key, Need::Deliver(CompletionReceipt::default()));
                }
                Output::FailTask(failure) => {
                    assert!(!failure.failure.message.is_empty() || failure.nondeterminism.is_none());
                    self.close(&key, &failure.task_token);
                }
                Output::AbandonTask { task_token, .. } => self.close(&key, &task_token),
                Output::FinishReplay => self.finish_replay(&key),
                Output::Evict { .. } => {
                    self.user_code.remove(&key);
                    self.needs.retain(|(needy, _)| *needy != key);
                    self.executor.evict(&key);
                    self.gone.insert(key);
                }
                other => panic!("this driver does not know yet what to do about {other:?}"),
            }
        }
    }

    fn has_ended(&self, key: &RunKey) -> bool {
        self.user_code.get(key).is_some_and(UserCode::has_ended)
    }

    /// What the server says to an answer: a speculative task that has only rejected something has left nothing.
    fn receipt(&mut self, completion: &Completion) -> CompletionReceipt {
        let is_rejection = |body: &UpdateBody| matches!(body, UpdateBody::Rejection(_));
        let leaves_nothing =
            completion.commands.is_empty() && completion.messages.iter().all(|message| is_rejection(&message.body));
        let resets_to = self.resets.remove(&completion.task_token).filter(|_| leaves_nothing);
        let wrong = self.script.rarely(64).then(|| self.script.event_id());
        CompletionReceipt { reset_history_event_id: wrong.or(resets_to) }
    }

    fn need(&mut self, key: RunKey, need: Need) {
        let earlier = self.needs.iter().find(|(needy, _)| *needy == key);
        assert!(earlier.is_none(), "{key:?} waits for {need:?}, and for {earlier:?}");
        self.needs.push_back((key, need));
    }

    fn close(&mut self, key: &RunKey, task_token: &Bytes) {
        let task = self.open.remove(task_token);
        let (of, _) = task.unwrap_or_else(|| panic!("{task_token:?} was answered, but is not open"));
        assert_eq!(of, key.run_id(), "{task_token:?} was answered by another Run");
    }

    /// A replay has no answer that says whose it is: it is the Run's first that is open.
    fn finish_replay(&mut self, key: &RunKey) {
        let replay = self.open.iter().find(|(_, (of, is_replay))| of == key.run_id() && *is_replay);
        let token = replay.map(|(token, _)| token.clone()).expect("a replay has ended that had not begun");
        self.open.remove(&token);
    }
}

fn bytes(page: &HistoryPage) -> u64 {
    page.events.iter().map(HistoryEvent::encoded_len).sum::<usize>() as u64
}

const END: Command = Command::CompleteWorkflow { result: None };

/// What a Run that holds nothing has at most.
const BYTES_OF_A_RUN: u64 = 1 << 13;

/// What a Command makes a Run hold at most: its own size, and a search attribute that lists all versions.
const BYTES_OF_A_COMMAND: u64 = 1 << 13;
