//! Activities.

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{RequestCancelActivityTaskCommandAttributes, ScheduleActivityTaskCommandAttributes};
use timewright_proto::common::{ActivityType, Payload};
use timewright_proto::enums::RetryState;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ActivityFailureInfo, CanceledFailureInfo, Failure};
use timewright_proto::to_duration;

use super::queue::{Key, What, user_metadata};
use super::{CommandError, Operations, another_kind, count_up, not_under_way, to_payloads, to_task_queue};
use crate::workflow::activation::{Job, Resolution};
use crate::workflow::command::{ActivityCancellationType, ScheduleActivity};
use crate::workflow::event::{ActivityClosed, EventKind};
use crate::workflow::machines::activity::{Input, State};
use crate::workflow::machines::{Effect, ProtocolError};

#[derive(Debug, Clone)]
pub(super) struct Activity {
    state: State,
    activity_id: String,
    activity_type: String,
    cancellation_type: ActivityCancellationType,
    scheduled_event_id: i64,
}

impl Operations {
    pub(super) fn schedule_activity(&mut self, schedule: ScheduleActivity) -> Result<(), CommandError> {
        let sequence = schedule.sequence;
        count_up("activity", &mut self.last_sequences.activity, sequence)?;
        let activity_id = schedule.activity_id.unwrap_or_else(|| sequence.to_string());
        let activity_type = schedule.activity_type;
        let attributes = Attributes::ScheduleActivityTaskCommandAttributes(
            ScheduleActivityTaskCommandAttributes {
                activity_id: activity_id.clone(),
                activity_type: Some(ActivityType { name: activity_type.clone() }),
                task_queue: Some(to_task_queue(schedule.task_queue)),
                header: Some(schedule.header),
                input: to_payloads(schedule.arguments),
                schedule_to_close_timeout: schedule.schedule_to_close_timeout.map(to_duration),
                schedule_to_start_timeout: schedule.schedule_to_start_timeout.map(to_duration),
                start_to_close_timeout: schedule.start_to_close_timeout.map(to_duration),
                heartbeat_timeout: schedule.heartbeat_timeout.map(to_duration),
                retry_policy: schedule.retry_policy,
                request_eager_execution: schedule.eager_execution,
                use_workflow_build_id: false,
                priority: schedule.priority,
            }
            .into(),
        );
        let what =
            What::ScheduleActivity { sequence, activity_id: activity_id.clone(), activity_type: activity_type.clone() };
        self.queue.issue(what, attributes, user_metadata(schedule.summary, None));
        let machine = Activity {
            state: State::Issued,
            activity_id,
            activity_type,
            cancellation_type: schedule.cancellation_type,
            scheduled_event_id: 0,
        };
        self.activities.insert(sequence, machine);
        Ok(())
    }

    /// Too late, or never scheduled: nothing to do.
    pub(super) fn cancel_activity(&mut self, sequence: u32, jobs: &mut Vec<Job>) {
        let Some(activity) = self.activities.get(&sequence).cloned() else { return };
        let Ok(effect) = self.move_activity(sequence, Input::Cancel(activity.cancellation_type)) else { return };
        if effect.tells_cancelled() {
            let failure = Box::new(activity.cancelled(0, String::new(), Vec::new()));
            jobs.push(Job::ResolveActivity { sequence, resolution: Resolution::Cancelled(failure) });
        }
        if effect.withdraws() {
            self.queue.withdraw(Key::Activity(sequence));
        }
        if effect.issues_cancel() {
            let scheduled_event_id = activity.scheduled_event_id;
            let what = What::RequestCancelActivity { sequence, scheduled_event_id };
            let attributes = RequestCancelActivityTaskCommandAttributes { scheduled_event_id };
            self.queue.issue(what, Attributes::RequestCancelActivityTaskCommandAttributes(attributes.into()), None);
        }
    }

    pub(super) fn activity_scheduled(&mut self, sequence: u32, event_id: i64) -> Result<(), ProtocolError> {
        self.by_event.insert(event_id, Key::Activity(sequence));
        if let Some(activity) = self.activities.get_mut(&sequence) {
            activity.scheduled_event_id = event_id;
        }
        self.move_activity(sequence, Input::Scheduled).map(|_| ())
    }

    pub(super) fn activity_cancel_requested(&mut self, sequence: u32) -> Result<(), ProtocolError> {
        self.move_activity(sequence, Input::CancelRequested).map(|_| ())
    }

    /// An attempt was started, or there is an outcome.
    pub(super) fn activity_news(
        &mut self,
        scheduled_event_id: i64,
        kind: &EventKind,
        jobs: &mut Vec<Job>,
    ) -> Result<(), ProtocolError> {
        let sequence = match self.by_event.get(&scheduled_event_id) {
            Some(Key::Activity(sequence)) => *sequence,
            Some(other) => return Err(another_kind(scheduled_event_id, *other)),
            None => return Err(not_under_way()),
        };
        if matches!(kind, EventKind::ActivityTaskStarted { .. }) {
            return self.move_activity(sequence, Input::Started).map(|_| ());
        }
        let activity = self.activities.get(&sequence).cloned().ok_or_else(not_under_way)?;
        if self.move_activity(sequence, Input::Outcome)? == Effect::Resolve {
            jobs.push(Job::ResolveActivity { sequence, resolution: activity.resolution(kind) });
        }
        Ok(())
    }

    /// A closed one is forgotten: nothing more can come for it, so that a bounded history keeps a bounded state.
    fn move_activity(&mut self, sequence: u32, input: Input) -> Result<Effect, ProtocolError> {
        let activity = self.activities.get_mut(&sequence).ok_or_else(not_under_way)?;
        let (state, effect) = activity.state.handle(input)?;
        activity.state = state;
        if state == State::Closed {
            self.by_event.remove(&activity.scheduled_event_id);
            self.activities.remove(&sequence);
        }
        Ok(effect)
    }
}

impl Activity {
    fn resolution(&self, outcome: &EventKind) -> Resolution {
        match outcome {
            EventKind::ActivityTaskCompleted { result, .. } => Resolution::Completed(result.clone()),
            EventKind::ActivityTaskFailed { closed, .. } => {
                Resolution::Failed(Box::new(self.failure("Activity task failed", closed)))
            }
            EventKind::ActivityTaskTimedOut { closed, .. } => {
                Resolution::Failed(Box::new(self.failure("Activity task timed out", closed)))
            }
            EventKind::ActivityTaskCanceled { started_event_id, identity, details, .. } => {
                Resolution::Cancelled(Box::new(self.cancelled(*started_event_id, identity.clone(), details.clone())))
            }
            other => Resolution::Failed(Box::new(Failure { message: other.describe(), ..Failure::default() })),
        }
    }

    fn failure(&self, message: &str, closed: &ActivityClosed) -> Failure {
        Failure {
            message: message.to_owned(),
            cause: Some(Box::new(closed.failure.clone())),
            failure_info: Some(FailureInfo::ActivityFailureInfo(self.info(
                closed.started_event_id,
                closed.identity.clone(),
                closed.retry_state,
            ))),
            ..Failure::default()
        }
    }

    fn cancelled(&self, started_event_id: i64, identity: String, details: Vec<Payload>) -> Failure {
        Failure {
            message: "Activity task cancelled".to_owned(),
            cause: Some(Box::new(cancelled("Activity cancelled", details))),
            failure_info: Some(FailureInfo::ActivityFailureInfo(self.info(
                started_event_id,
                identity,
                RetryState::CancelRequested,
            ))),
            ..Failure::default()
        }
    }

    fn info(&self, started_event_id: i64, identity: String, retry_state: RetryState) -> ActivityFailureInfo {
        ActivityFailureInfo {
            scheduled_event_id: self.scheduled_event_id,
            started_event_id,
            identity,
            activity_type: Some(ActivityType { name: self.activity_type.clone() }),
            activity_id: self.activity_id.clone(),
            retry_state: retry_state.into(),
        }
    }
}

/// The cause of the failure of something that was cancelled.
pub(super) fn cancelled(message: &str, details: Vec<Payload>) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
            details: to_payloads(details),
            ..CanceledFailureInfo::default()
        })),
        ..Failure::default()
    }
}
