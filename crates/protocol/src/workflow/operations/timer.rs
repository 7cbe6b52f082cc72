//! Timers.

use std::time::Duration;

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{CancelTimerCommandAttributes, StartTimerCommandAttributes};
use timewright_proto::to_duration;

use super::queue::{Key, What, user_metadata};
use super::{CommandError, Operations, another_kind, count_up, not_under_way};
use crate::workflow::activation::Job;
use crate::workflow::command::StartTimer;
use crate::workflow::machines::timer::{Input, State};
use crate::workflow::machines::{Effect, ProtocolError};

#[derive(Debug, Clone)]
pub(super) struct Timer {
    state: State,
    timer_id: String,
    started_event_id: i64,
}

impl Operations {
    pub(super) fn start_timer(&mut self, start: StartTimer) -> Result<(), CommandError> {
        let StartTimer { sequence, duration, summary } = start;
        count_up("timer", &mut self.last_sequences.timer, sequence)?;
        let timer_id = sequence.to_string();
        let attributes = Attributes::StartTimerCommandAttributes(
            StartTimerCommandAttributes {
                timer_id: timer_id.clone(),
                start_to_fire_timeout: Some(to_duration(duration.max(Duration::from_millis(1)))),
            }
            .into(),
        );
        let what = What::StartTimer { sequence, timer_id: timer_id.clone() };
        self.queue.issue(what, attributes, user_metadata(summary, None));
        self.timers.insert(sequence, Timer { state: State::Issued, timer_id, started_event_id: 0 });
        Ok(())
    }

    /// Too late, or never started: nothing to do.
    pub(super) fn cancel_timer(&mut self, sequence: u32) {
        let Some(timer) = self.timers.get(&sequence) else { return };
        let (started_event_id, timer_id) = (timer.started_event_id, timer.timer_id.clone());
        let Ok(effect) = self.move_timer(sequence, Input::Cancel) else { return };
        if effect.withdraws() {
            self.queue.withdraw(Key::Timer(sequence));
        }
        if effect.issues_cancel() {
            let what = What::CancelTimer { sequence, started_event_id };
            let attributes = Attributes::CancelTimerCommandAttributes(CancelTimerCommandAttributes { timer_id }.into());
            self.queue.issue(what, attributes, None);
        }
    }

    pub(super) fn timer_started(&mut self, sequence: u32, event_id: i64) -> Result<(), ProtocolError> {
        self.by_event.insert(event_id, Key::Timer(sequence));
        if let Some(timer) = self.timers.get_mut(&sequence) {
            timer.started_event_id = event_id;
        }
        self.move_timer(sequence, Input::TimerStarted).map(|_| ())
    }

    pub(super) fn timer_canceled(&mut self, sequence: u32) -> Result<(), ProtocolError> {
        self.move_timer(sequence, Input::TimerCanceled).map(|_| ())
    }

    pub(super) fn timer_fired(&mut self, started_event_id: i64, jobs: &mut Vec<Job>) -> Result<(), ProtocolError> {
        let sequence = match self.by_event.get(&started_event_id) {
            Some(Key::Timer(sequence)) => *sequence,
            Some(other) => return Err(another_kind(started_event_id, *other)),
            None => return Err(not_under_way()),
        };
        if self.move_timer(sequence, Input::TimerFired)? == Effect::Resolve {
            jobs.push(Job::FireTimer { sequence });
        }
        Ok(())
    }

    /// A closed one is forgotten: nothing more can come for it, so that a bounded history keeps a bounded state.
    fn move_timer(&mut self, sequence: u32, input: Input) -> Result<Effect, ProtocolError> {
        let timer = self.timers.get_mut(&sequence).ok_or_else(not_under_way)?;
        let (state, effect) = timer.state.handle(input)?;
        timer.state = state;
        if state == State::Closed {
            self.by_event.remove(&timer.started_event_id);
            self.timers.remove(&sequence);
        }
        Ok(effect)
    }
}
