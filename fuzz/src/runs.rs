//! Runs, fed with damaged histories by a server that makes mistakes, and with answers by user code that does.

mod interference;
mod outputs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::{Bytes, Message};
use timewright_protocol::workflow::{
    Activation, CacheLimits, CompletionReceipt, EvictionReason, HistoryPage, RunKey, Runs, TaskKind,
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
        idle: None,
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
                // Tasks may be allowed to take for ever.
                None if !self.open.is_empty() && self.executor.len() > 0 => self.finish_local_activity(),
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
}

fn bytes(page: &HistoryPage) -> u64 {
    page.events.iter().map(HistoryEvent::encoded_len).sum::<usize>() as u64
}

/// What a Run that holds nothing has at most.
const BYTES_OF_A_RUN: u64 = 1 << 13;

/// What a Command makes a Run hold at most: its own size, and a search attribute that lists all versions.
const BYTES_OF_A_COMMAND: u64 = 1 << 13;
