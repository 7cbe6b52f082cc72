//! Runs, fed with damaged histories by a server that makes mistakes, and with answers by user code that does.

use std::collections::{BTreeMap, VecDeque};

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::{Bytes, Message};
use timewright_protocol::workflow::{Activation, Command, EvictionReason, HistoryPage, Output, Runs, TaskKind};

use crate::commands::recorded;
use crate::damage::damage;
use crate::input::split;
use crate::script::Script;
use crate::server::Server;
use crate::user_code::{Answer, UserCode};

/// Each task is answered exactly once, whatever happens; where nothing is left to do, nothing is open; and nothing goes on for
/// ever.
pub fn runs(input: &[u8]) {
    let (script, message) = split(input);
    let Ok(History { mut events }) = History::decode(message) else { return };
    let mut script = Script::new(script);
    damage(&mut events, &mut script);
    let recorded = recorded(&events, &mut script);
    let capacity = [2, 1, 0][script.below(3)];
    World {
        runs: Runs::new(capacity),
        servers: ["a run", "another"].map(|run_id| Server::new(&events, run_id.to_owned())),
        recorded,
        user_code: BTreeMap::new(),
        needs: VecDeque::new(),
        open: BTreeMap::new(),
        tasks: 0,
        steps_left: 64 + 16 * script.len() + 4 * events.len(),
        events: &events,
        script,
    }
    .play(capacity);
}

struct World<'e, 'a> {
    runs: Runs,
    servers: [Server<'e>; 2],
    events: &'e [HistoryEvent],
    recorded: BTreeMap<u64, Vec<Command>>,
    user_code: BTreeMap<String, UserCode>,
    /// What the Runs wait for.
    needs: VecDeque<(String, Need)>,
    /// Tasks that have not been answered: the Run, and whether nobody gets the answer.
    open: BTreeMap<Bytes, (String, bool)>,
    /// How many tasks there were.
    tasks: usize,
    steps_left: usize,
    script: Script<'a>,
}

/// What a Run waits for.
#[derive(Debug)]
enum Need {
    Activate(Activation),
    Fetch(Bytes),
    /// The server has to take an answer.
    Deliver,
}

impl World<'_, '_> {
    fn play(mut self, capacity: usize) {
        loop {
            self.steps_left = self.steps_left.checked_sub(1).expect("it goes on for ever");
            let over = self.script.len() == 0;
            match self.script.below(8) {
                0..=2 if !self.needs.is_empty() => self.meet_need(0),
                3 => {
                    let need = self.script.below(self.needs.len());
                    self.meet_need(need);
                }
                6 => self.interfere(),
                7 => break,
                _ if over && self.servers.iter().all(Server::is_over) => break,
                _ => self.hand_out_task(),
            }
        }
        if !self.script.rarely(4) {
            while !self.needs.is_empty() {
                self.steps_left = self.steps_left.checked_sub(1).expect("it goes on for ever");
                self.meet_need(0);
            }
            assert!(self.open.is_empty(), "nobody needs anything, but tasks are open: {:?}", self.open);
            assert!(self.runs.len() <= capacity, "there are {} idle Runs", self.runs.len());
        }
        self.runs.handle_shutdown();
        self.do_outputs();
        assert!(self.open.is_empty(), "after the shutdown tasks are open: {:?}", self.open);
        assert!(self.runs.is_empty() && self.user_code.is_empty(), "after the shutdown there are Runs");
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
        let sticky = self.runs.contains(server.run_id());
        let task = server.poll(&token, sticky, &mut self.script);
        self.tasks += 1;
        // A task executes the whole history at worst: an Activation, its echo and a page for each Event.
        self.steps_left += 16 + 3 * self.events.len();
        self.open.insert(task.task_token.clone(), (task.run_id.clone(), task.kind == TaskKind::Replay));
        self.runs.handle_task(task);
        self.do_outputs();
    }

    /// Gives a Run what it waits for.
    fn meet_need(&mut self, index: usize) {
        let Some((run_id, need)) = self.needs.remove(index) else { return };
        match need {
            Need::Activate(activation) => self.activate(&run_id, &activation),
            Need::Fetch(_) if self.script.rarely(32) => self.runs.handle_history_failure(&run_id, "the script says so"),
            Need::Fetch(token) => {
                let server = self.servers.iter().find(|server| server.run_id() == run_id).expect("a Run of ours");
                let page = server.page(&token, &mut self.script);
                self.runs.handle_history(&run_id, page);
            }
            Need::Deliver if self.script.rarely(16) => {
                self.runs.handle_eviction(&run_id, EvictionReason::CompletionNotTaken);
            }
            Need::Deliver => self.runs.handle_completed(&run_id),
        }
        self.do_outputs();
    }

    fn activate(&mut self, run_id: &str, activation: &Activation) {
        let user_code = self.user_code.entry(run_id.to_owned()).or_insert_with(|| UserCode::new(self.recorded.clone()));
        match user_code.activate(activation, &mut self.script) {
            Answer::Commands(commands) => self.runs.handle_commands(run_id, commands),
            Answer::Failure => {
                let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
                self.runs.handle_failure(run_id, cause, Failure::default());
            }
        }
    }

    /// Says something to a Run that it does not wait for.
    fn interfere(&mut self) {
        let run_id = self.servers[self.script.below(2)].run_id().to_owned();
        let need = self.needs.iter().find(|(needy, _)| *needy == run_id).map(|(_, need)| need);
        match (self.script.below(4), need) {
            (0, _) => {
                self.runs.handle_eviction(&run_id, EvictionReason::Requested);
                self.do_outputs();
                return;
            }
            (1, Some(Need::Activate(_))) | (2, Some(Need::Fetch(_))) | (3, Some(Need::Deliver)) => return,
            (1, _) => self.runs.handle_commands(&run_id, vec![Command::CompleteWorkflow { result: None }]),
            (2, _) => self.runs.handle_history(&run_id, HistoryPage::default()),
            (_, _) => self.runs.handle_completed(&run_id),
        }
        assert_eq!(self.runs.poll_output(), None, "an answer that nobody waited for had a consequence");
    }

    /// Does what the Runs say, as far as nobody else is needed for it.
    fn do_outputs(&mut self) {
        let mut most = 8 + 4 * self.tasks;
        while let Some((run_id, output)) = self.runs.poll_output() {
            most = most.checked_sub(1).expect("one input has outputs for ever");
            match output {
                Output::Activate(activation) => self.need(run_id, Need::Activate(activation)),
                Output::FetchHistory { next_page_token } => self.need(run_id, Need::Fetch(next_page_token)),
                Output::CompleteTask(completion) => {
                    self.close(&run_id, &completion.task_token);
                    self.need(run_id, Need::Deliver);
                }
                Output::RespondQuery { task_token, .. } => {
                    self.close(&run_id, &task_token);
                    self.need(run_id, Need::Deliver);
                }
                Output::FailTask(failure) => {
                    assert!(!failure.failure.message.is_empty() || failure.nondeterminism.is_none());
                    self.close(&run_id, &failure.task_token);
                }
                Output::AbandonTask { task_token, .. } => self.close(&run_id, &task_token),
                Output::FinishReplay => self.finish_replay(&run_id),
                Output::Evict { .. } => {
                    self.user_code.remove(&run_id);
                    self.needs.retain(|(needy, _)| *needy != run_id);
                }
                other => panic!("this driver does not know yet what to do about {other:?}"),
            }
        }
    }

    fn need(&mut self, run_id: String, need: Need) {
        let earlier = self.needs.iter().find(|(needy, _)| *needy == run_id);
        assert!(earlier.is_none(), "{run_id} waits for {need:?}, and for {earlier:?}");
        self.needs.push_back((run_id, need));
    }

    fn close(&mut self, run_id: &str, task_token: &Bytes) {
        let task = self.open.remove(task_token);
        let (of, _) = task.unwrap_or_else(|| panic!("{task_token:?} was answered, but is not open"));
        assert_eq!(of, run_id, "{task_token:?} was answered by another Run");
    }

    /// A replay has no answer that says whose it is: it is the Run's first that is open.
    fn finish_replay(&mut self, run_id: &str) {
        let replay = self.open.iter().find(|(_, (of, is_replay))| of == run_id && *is_replay);
        let token = replay.map(|(token, _)| token.clone()).expect("a replay has ended that had not begun");
        self.open.remove(&token);
    }
}
