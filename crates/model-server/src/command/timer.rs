//! Commands about timers.

use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::enums::WorkflowTaskFailedCause as Cause;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{TimerCanceledEventAttributes, TimerStartedEventAttributes};

use super::{Completion, Refusal, WireAttributes, expect};
use crate::time::duration;
use crate::timer::Timer;

impl Completion<'_, '_> {
    /// Facts (server 1.32): a timer of no time is allowed, and fires at once; an id is free as soon as its timer has fired
    /// or was cancelled, also within one completion.
    pub(super) fn start_timer(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let bad = |message: String| Refusal::new(Cause::BadStartTimerAttributes, message);
        let attributes = match attributes {
            Some(CommandAttributes::StartTimerCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let timer = expect(attributes, Cause::BadStartTimerAttributes, "StartTimer")?;
        if timer.timer_id.is_empty() {
            return Err(bad("TimerId is not set on StartTimerCommand.".into()));
        }
        let timeout = duration(timer.start_to_fire_timeout.as_ref()).map_err(|error| {
            bad(format!(
                "An invalid StartToFireTimeout is set on StartTimerCommand: {error}. TimerId={}",
                timer.timer_id
            ))
        })?;
        if self.run.timer(&timer.timer_id).is_some() {
            return Err(Refusal::new(
                Cause::StartTimerDuplicateId,
                format!(
                    "invalid history builder state for action: add-timer-started-event, TimerID: {}",
                    timer.timer_id
                ),
            ));
        }
        let now = self.context.now;
        let started = TimerStartedEventAttributes {
            timer_id: timer.timer_id.clone(),
            start_to_fire_timeout: timer.start_to_fire_timeout,
            workflow_task_completed_event_id: self.completed_event_id,
        };
        let id = self.run.events.record(now, Attributes::TimerStartedEventAttributes(started.into()));
        self.run.timers.insert(id, Timer { id: timer.timer_id, fires: now + timeout });
        Ok(())
    }

    /// Facts (server 1.32): cancelling a timer that fired while the task ran takes the fired Event back, which nobody has
    /// heard of; if it was the only news, the workflow may end. Cancelling any other timer that is not there is an error.
    pub(super) fn cancel_timer(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadCancelTimerAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::CancelTimerCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let timer_id = expect(attributes, cause, "CancelTimer")?.timer_id;
        if timer_id.is_empty() {
            return Err(Refusal::new(cause, "TimerId is not set on CancelTimerCommand."));
        }
        let started_event_id = match self.run.timer(&timer_id) {
            Some(started_event_id) => {
                self.run.timers.remove(&started_event_id);
                started_event_id
            }
            None => self.run.events.remove_buffered_fired(&timer_id).ok_or_else(|| {
                Refusal::new(
                    cause,
                    format!("invalid history builder state for action: add-timer-canceled-event, TimerID: {timer_id}"),
                )
            })?,
        };
        self.has_news = self.has_news && self.run.events.has_buffered();
        let cancelled = TimerCanceledEventAttributes {
            timer_id,
            started_event_id,
            workflow_task_completed_event_id: self.completed_event_id,
            identity: self.identity.to_owned(),
        };
        self.run.events.record(self.context.now, Attributes::TimerCanceledEventAttributes(cancelled.into()));
        Ok(())
    }
}
