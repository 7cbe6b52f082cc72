//! What comes at any time: ends of Local Activities, time itself, and what nobody waits for.

use std::time::{Duration, Instant};

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{Command, CompletionReceipt, EvictionReason, HistoryPage, Runs};

use super::{Need, World};

impl World<'_, '_> {
    /// An attempt of a Local Activity ends; it may be said twice.
    pub(super) fn finish_local_activity(&mut self) {
        let Some((key, attempt)) = self.executor.finish(&mut self.script) else { return };
        self.runs.handle_local_activity(&key, attempt.clone());
        self.do_outputs();
        if self.script.rarely(4) {
            self.does_nothing(|runs| runs.handle_local_activity(&key, attempt));
        }
    }

    /// Some time, more or less than what the Runs wait for.
    pub(super) fn pass_time(&mut self) {
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
    pub(super) fn wait_until(&mut self, due: Instant) {
        self.now = self.now.max(due);
        self.runs.handle_timeout(self.now);
        let next = self.runs.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "it waits until {next:?}, which is over");
        self.do_outputs();
    }

    /// Says something to a Run that it does not wait for.
    pub(super) fn interfere(&mut self) {
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
}

const END: Command = Command::CompleteWorkflow { result: None };
