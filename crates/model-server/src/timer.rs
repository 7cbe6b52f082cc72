//! Timers.

use timewright_proto::history::TimerFiredEventAttributes;
use timewright_proto::history::history_event::Attributes;

use crate::execution::{Context, Execution};
use crate::time::Time;

/// A running timer.
#[derive(Debug, Clone)]
pub(crate) struct Timer {
    pub(crate) id: String,
    pub(crate) fires: Time,
}

impl Execution {
    /// Fires what is due.
    ///
    /// Facts (server 1.32): timers that are due together fire together, in the order of their times, then of their start,
    /// and one Workflow Task follows them. (The real server looks at its timers about once a second, so that those of
    /// nearly the same time fire together too.)
    pub(crate) fn fire_timers(&mut self, context: &mut Context<'_>) {
        let mut due: Vec<(Time, i64)> = self
            .timers
            .iter()
            .filter(|(_, timer)| timer.fires <= context.now)
            .map(|(started_event_id, timer)| (timer.fires, *started_event_id))
            .collect();
        due.sort_unstable();
        for (_, started_event_id) in due {
            let Some(timer) = self.timers.remove(&started_event_id) else { continue };
            let fired = TimerFiredEventAttributes { timer_id: timer.id, started_event_id };
            self.events.buffer(context.now, Attributes::TimerFiredEventAttributes(fired.into()));
        }
        self.wake_worker(context);
    }

    /// The running timer of this id, by the Event that started it.
    pub(crate) fn timer(&self, id: &str) -> Option<i64> {
        self.timers.iter().find(|(_, timer)| timer.id == id).map(|(started_event_id, _)| *started_event_id)
    }
}
