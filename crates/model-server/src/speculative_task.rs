//! Workflow Tasks that exist for Updates alone, and are recorded only if something comes of them.
//!
//! Facts (server 1.32):
//! - An Update to a run without a pending task gets a speculative task. Its Scheduled and Started Events are not in the
//!   history; they are shown behind it, with the ids that they would have, to the worker and to whoever asks for it.
//! - Whatever else changes the run (a signal, a fired timer, an activity that starts, heartbeats or ends) records the
//!   task first; from then on it is an ordinary task. So do its failure, its time-outs and the end of the run while the
//!   task runs. The end of the run before the task is started forgets it.
//! - It vanishes when its completion has no Commands, no messages but rejections (or none: then the server rejects),
//!   does not prolong it, and when the history has nothing behind the last `WorkflowTaskCompleted`; up to ten Events if
//!   the worker has the capability to discard them. The answer then names the Event to which the worker must go back:
//!   the Started Event of the last completed task (0 if there is none). The next task brings what is behind that Event
//!   again, and its own Events have the ids that the vanished ones had.
//! - Somebody must start it within five seconds also on a normal queue. Otherwise it is recorded as timed out, and the
//!   next task is an ordinary first attempt.
//! - An Update that comes while a task runs gets its task when that one is completed: a speculative one if the worker
//!   wants the next task in the answer, else an ordinary one.

use std::time::Duration;

use timewright_proto::history::history_event::Attributes;
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedRequest;

use crate::execution::{Context, Effect, Execution};
use crate::protocol_message::is_rejection;

impl Execution {
    pub(crate) fn schedule_speculative_task(&mut self, context: &mut Context<'_>) {
        let mut task = self.new_task(context);
        task.is_speculative = true;
        task.expires = task.expires.or(Some(context.now + SCHEDULE_TO_START));
        self.task = Some(task);
        self.outbox.push(Effect::DispatchWorkflowTask);
    }

    /// Makes an ordinary task of the run's speculative one.
    pub(crate) fn record_speculative_task(&mut self) {
        self.record_speculative_task_as("");
    }

    /// The Started Event names a worker only if the task was answered.
    pub(crate) fn record_speculative_task_as(&mut self, identity: &str) {
        let Some(mut task) = self.task.take_if(|task| task.is_speculative) else { return };
        self.first_task_at = None;
        task.is_speculative = false;
        task.scheduled_event_id = self.record_scheduled(&task, task.scheduled_at);
        if let Some(started) = &mut task.started {
            identity.clone_into(&mut started.attributes.identity);
            let attributes = Attributes::WorkflowTaskStartedEventAttributes(started.attributes.clone().into());
            started.event_id = self.events.record(started.at, attributes);
        }
        self.task = Some(task);
    }

    /// Whether the started task vanishes with this completion.
    pub(crate) fn vanishes(&self, request: &RespondWorkflowTaskCompletedRequest) -> bool {
        let is_speculative = self.task.as_ref().is_some_and(|task| task.is_speculative);
        let can_discard = request
            .capabilities
            .as_ref()
            .is_some_and(|capabilities| capabilities.discard_speculative_workflow_task_with_events);
        let most_events = if can_discard { MOST_DISCARDED_EVENTS } else { 0 };
        is_speculative
            && request.commands.is_empty()
            && !request.force_create_new_workflow_task
            && request.messages.iter().all(is_rejection)
            && self.events.next_id() <= self.previous_started_event_id + 2 + most_events
    }

    /// Forgets the started task, and returns the Event to which the worker goes back.
    pub(crate) fn vanish_task(&mut self, request: &RespondWorkflowTaskCompletedRequest) -> i64 {
        self.take_started_task();
        self.set_sticky(request);
        self.leaves_no_trace = true;
        self.previous_started_event_id
    }
}

const SCHEDULE_TO_START: Duration = Duration::from_secs(5);
const MOST_DISCARDED_EVENTS: i64 = 10;
