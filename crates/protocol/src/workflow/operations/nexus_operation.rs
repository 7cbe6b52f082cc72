//! Nexus operations, on the side of their caller.

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    RequestCancelNexusOperationCommandAttributes, ScheduleNexusOperationCommandAttributes,
};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{Failure, NexusOperationFailureInfo};
use timewright_proto::to_duration;

use super::activity::cancelled;
use super::queue::{Key, What, user_metadata};
use super::{CommandError, Operations, another_kind, count_up, not_under_way};
use crate::workflow::activation::{Job, NexusOperationStart, Resolution};
use crate::workflow::command::{NexusOperationCancellationType, ScheduleNexusOperation};
use crate::workflow::event::EventKind;
use crate::workflow::machines::nexus_operation::{Input, State};
use crate::workflow::machines::{Effect, ProtocolError};

#[derive(Debug, Clone)]
pub(super) struct NexusOperation {
    state: State,
    endpoint: String,
    service: String,
    operation: String,
    cancellation_type: NexusOperationCancellationType,
    scheduled_event_id: i64,
    operation_token: String,
}

impl Operations {
    pub(super) fn schedule_nexus_operation(&mut self, schedule: ScheduleNexusOperation) -> Result<(), CommandError> {
        let sequence = schedule.sequence;
        count_up("nexus operation", &mut self.last_sequences.nexus_operation, sequence)?;
        let machine = NexusOperation {
            state: State::Issued,
            endpoint: schedule.endpoint.clone(),
            service: schedule.service.clone(),
            operation: schedule.operation.clone(),
            cancellation_type: schedule.cancellation_type,
            scheduled_event_id: 0,
            operation_token: String::new(),
        };
        let what = What::ScheduleNexusOperation {
            sequence,
            endpoint: schedule.endpoint.clone(),
            service: schedule.service.clone(),
            operation: schedule.operation.clone(),
        };
        let attributes = ScheduleNexusOperationCommandAttributes {
            endpoint: schedule.endpoint,
            service: schedule.service,
            operation: schedule.operation,
            input: schedule.input,
            schedule_to_close_timeout: schedule.schedule_to_close_timeout.map(to_duration),
            schedule_to_start_timeout: schedule.schedule_to_start_timeout.map(to_duration),
            start_to_close_timeout: schedule.start_to_close_timeout.map(to_duration),
            nexus_header: schedule.header,
        };
        let attributes = Attributes::ScheduleNexusOperationCommandAttributes(attributes.into());
        self.queue.issue(what, attributes, user_metadata(schedule.summary, None));
        self.nexus_operations.insert(sequence, machine);
        Ok(())
    }

    /// Too late, or never scheduled: nothing to do.
    pub(super) fn cancel_nexus_operation(&mut self, sequence: u32, jobs: &mut Vec<Job>) {
        let Some(operation) = self.nexus_operations.get(&sequence).cloned() else { return };
        let input = Input::Cancel(operation.cancellation_type);
        let Ok(effect) = self.move_nexus_operation(sequence, input) else { return };
        if effect.tells_cancelled() {
            jobs.push(operation.told_cancelled(sequence));
        }
        if effect.withdraws() {
            self.queue.withdraw(Key::NexusOperation(sequence));
        }
        if effect.issues_cancel() {
            let scheduled_event_id = operation.scheduled_event_id;
            let what = What::RequestCancelNexusOperation { sequence, scheduled_event_id };
            let attributes = RequestCancelNexusOperationCommandAttributes { scheduled_event_id };
            self.queue.issue(what, Attributes::RequestCancelNexusOperationCommandAttributes(attributes.into()), None);
        }
    }

    pub(super) fn nexus_operation_scheduled(&mut self, sequence: u32, event_id: i64) -> Result<(), ProtocolError> {
        self.by_event.insert(event_id, Key::NexusOperation(sequence));
        if let Some(operation) = self.nexus_operations.get_mut(&sequence) {
            operation.scheduled_event_id = event_id;
        }
        self.move_nexus_operation(sequence, Input::Scheduled).map(|_| ())
    }

    /// It was started, or has an outcome, or there is an answer to the request to cancel it.
    pub(super) fn nexus_operation_news(
        &mut self,
        scheduled_event_id: i64,
        kind: &EventKind,
        jobs: &mut Vec<Job>,
    ) -> Result<(), ProtocolError> {
        let answers_cancel = matches!(
            kind,
            EventKind::NexusOperationCancelRequestCompleted { .. }
                | EventKind::NexusOperationCancelRequestFailed { .. }
        );
        let sequence = match self.by_event.get(&scheduled_event_id) {
            Some(Key::NexusOperation(sequence)) => *sequence,
            Some(other) => return Err(another_kind(scheduled_event_id, *other)),
            // The operation may have had its outcome before.
            None if answers_cancel => return Ok(()),
            None => return Err(not_under_way()),
        };
        let operation = self.nexus_operations.get_mut(&sequence).ok_or_else(not_under_way)?;
        let input = match kind {
            EventKind::NexusOperationStarted { operation_token, .. } => {
                operation.operation_token.clone_from(operation_token);
                Input::Started
            }
            EventKind::NexusOperationCancelRequestCompleted { .. } => {
                Input::CancelRequestCompleted(operation.cancellation_type)
            }
            EventKind::NexusOperationCancelRequestFailed { .. } => {
                Input::CancelRequestFailed(operation.cancellation_type)
            }
            _ => Input::Outcome,
        };
        let operation = operation.clone();
        match self.move_nexus_operation(sequence, input)? {
            Effect::ResolveStart => {
                let start = NexusOperationStart::Started { operation_token: Some(operation.operation_token) };
                jobs.push(Job::ResolveNexusOperationStart { sequence, start });
            }
            Effect::Resolve => operation.resolve(sequence, kind, jobs),
            Effect::TellCancelled => jobs.push(operation.told_cancelled(sequence)),
            Effect::TellCancelFailed => jobs.push(operation.told_cancel_failed(sequence, kind)),
            _ => (),
        }
        Ok(())
    }

    /// A closed one is forgotten: nothing more can come for it but what says nothing.
    fn move_nexus_operation(&mut self, sequence: u32, input: Input) -> Result<Effect, ProtocolError> {
        let operation = self.nexus_operations.get_mut(&sequence).ok_or_else(not_under_way)?;
        let (state, effect) = operation.state.handle(input)?;
        operation.state = state;
        if state == State::Closed {
            self.by_event.remove(&operation.scheduled_event_id);
            self.nexus_operations.remove(&sequence);
        }
        Ok(effect)
    }
}

impl NexusOperation {
    fn told_cancelled(&self, sequence: u32) -> Job {
        let cause = cancelled("Nexus operation cancelled", Vec::new());
        let failure = Box::new(self.failure("Nexus operation cancelled", cause));
        if self.was_started() {
            Job::ResolveNexusOperation { sequence, resolution: Resolution::Cancelled(failure) }
        } else {
            Job::ResolveNexusOperationStart { sequence, start: NexusOperationStart::Cancelled(failure) }
        }
    }

    fn told_cancel_failed(&self, sequence: u32, kind: &EventKind) -> Job {
        let cause = match kind {
            EventKind::NexusOperationCancelRequestFailed { failure, .. } => failure.as_ref().clone(),
            _ => Failure::default(),
        };
        let failure = Box::new(self.failure("the request to cancel the Nexus operation failed", cause));
        if self.was_started() {
            Job::ResolveNexusOperation { sequence, resolution: Resolution::Failed(failure) }
        } else {
            Job::ResolveNexusOperationStart { sequence, start: NexusOperationStart::Failed(failure) }
        }
    }

    /// One that has its outcome without a start was answered at once.
    fn resolve(&self, sequence: u32, kind: &EventKind, jobs: &mut Vec<Job>) {
        let resolution = match kind {
            EventKind::NexusOperationCompleted { result, .. } => Resolution::Completed(result.clone()),
            EventKind::NexusOperationCanceled { failure, .. } => Resolution::Cancelled(failure.clone()),
            EventKind::NexusOperationFailed { failure, .. } | EventKind::NexusOperationTimedOut { failure, .. } => {
                Resolution::Failed(failure.clone())
            }
            other => Resolution::Failed(Box::new(Failure { message: other.describe(), ..Failure::default() })),
        };
        let start = match &resolution {
            _ if self.was_started() => None,
            Resolution::Completed(_) => Some(NexusOperationStart::Started { operation_token: None }),
            Resolution::Failed(failure) => Some(NexusOperationStart::Failed(failure.clone())),
            Resolution::Cancelled(failure) => Some(NexusOperationStart::Cancelled(failure.clone())),
        };
        let is_heard = matches!(start, None | Some(NexusOperationStart::Started { .. }));
        jobs.extend(start.map(|start| Job::ResolveNexusOperationStart { sequence, start }));
        if is_heard {
            jobs.push(Job::ResolveNexusOperation { sequence, resolution });
        }
    }

    fn was_started(&self) -> bool {
        matches!(self.state, State::Started(_))
    }

    fn failure(&self, message: &str, cause: Failure) -> Failure {
        let info = NexusOperationFailureInfo {
            scheduled_event_id: self.scheduled_event_id,
            endpoint: self.endpoint.clone(),
            service: self.service.clone(),
            operation: self.operation.clone(),
            operation_token: self.operation_token.clone(),
            ..NexusOperationFailureInfo::default()
        };
        Failure {
            message: message.to_owned(),
            cause: Some(Box::new(cause)),
            failure_info: Some(FailureInfo::NexusOperationExecutionFailureInfo(info)),
            ..Failure::default()
        }
    }
}
