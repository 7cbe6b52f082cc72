//! Does what the Runs say, and holds them to what they promised.

use timewright_proto::Bytes;
use timewright_protocol::workflow::{Completion, CompletionReceipt, Output, RunKey, UpdateBody};

use super::{Need, World};
use crate::user_code::UserCode;

impl World<'_, '_> {
    /// Does what the Runs say, as far as nobody else is needed for it.
    pub(super) fn do_outputs(&mut self) {
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
