//! Resets: a new run that has the beginning of another's history, and goes on from there.
//!
//! Facts (server 1.32):
//! - The new run has a copy of the Events in front of the one that is named, which must be the end or the start of a
//!   Workflow Task. That task fails with cause `ResetWorkflow`, and another is scheduled.
//! - Between the two stand the Events from behind the point that are taken over: signals and Updates (unless the request
//!   says not to), changes of options, what children say that were initiated in front of it, and starts and outcomes of
//!   Nexus operations that were scheduled in front of it (unless the request excludes them; its type does not matter).
//!   Signals and Updates of the runs that followed by continuing as new come too. Requests to cancel are not taken over,
//!   whatever the request says.
//! - An Update is taken over if a worker had accepted it; it is to be answered again, also if it was completed. It becomes
//!   an Admitted Event with its request, and no message is sent for it; else it is answered like any other, with the first
//!   task that brings the Event. Its Accepted Event has no request.
//! - An Update that was accepted in front of the point goes on.
//! - Children, timers and Nexus operations in front of the point go on and keep their time. Activities without an outcome
//!   begin again with their first attempt, also those that a worker has. Signals and requests to cancel other workflows
//!   without an outcome are sent again, and Nexus operations that have not started are asked for again; requests to cancel
//!   those are forgotten, and can be made again. Children behind the point go on without a parent, and keep their ids.
//! - The time-outs of the run and of the execution begin again.
//! - Ids of requests to signal are forgotten.

use std::collections::BTreeSet;

use timewright_proto::enums::{ResetReapplyExcludeType, ResetReapplyType, WorkflowTaskFailedCause};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{Failure, ResetWorkflowFailureInfo};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{HistoryEvent, WorkflowTaskFailedEventAttributes, WorkflowTaskStartedEventAttributes};
use timewright_proto::workflow_service::ResetWorkflowExecutionRequest;

use crate::activity::Activity;
use crate::child::news_of_child;
use crate::error::ServerError;
use crate::events::end_of_activity;
use crate::execution::{Context, Effect, Execution, after};
use crate::nexus::news_of_nexus_operation;
use crate::time::{Time, checked_duration, time_of};
use crate::timer::Timer;
use crate::transfer::Transfer;
use crate::update::{request_of, update_id};

/// A reset that can be done.
pub(crate) struct Reset<'a> {
    pub(crate) request: &'a ResetWorkflowExecutionRequest,
    pub(crate) base: &'a Execution,
    /// The runs that followed the base because it continued as new.
    pub(crate) later: Vec<&'a Execution>,
    pub(crate) new_run_id: &'a str,
}

impl Reset<'_> {
    /// Whether it can be done.
    ///
    /// Fact (server 1.32): it has an internal error where two runs had an Update of the same id.
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        let (events, event_id) = (&self.base.events, self.event_id());
        let invalid = |message: String| Err(ServerError::InvalidArgument(message));
        if event_id <= 1 || event_id >= events.next_id() {
            return invalid("Workflow task finish ID must be > 1 && <= workflow last event ID.".into());
        }
        let last = event_id - 1;
        if !events.ends_batch(last) {
            return invalid(format!(
                "StateRebuilder unable to Rebuild mutable state to event ID: {last}, version: 0, \
                 this event must be at the boundary"
            ));
        }
        if workflow_task(events.all(), event_id).is_none() {
            return invalid(format!(
                "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: \
                 {event_id}"
            ));
        }
        let mut ids = BTreeSet::new();
        let mut requests = events.all().iter().chain(self.later_events()).filter_map(request_of);
        if self.takes(ResetReapplyExcludeType::Update) && requests.any(|request| !ids.insert(update_id(request))) {
            return Err(ServerError::unsupported("a reset where two runs had an Update of the same id"));
        }
        Ok(())
    }

    /// The new run.
    pub(crate) fn run(&self, context: &mut Context<'_>) -> Execution {
        let mut run = self.copy(context);
        self.fail_task(&mut run, context);
        let behind = self.base.events.all().iter().filter(|event| event.event_id >= self.event_id());
        for event in behind {
            self.take_over(&mut run, event, context.now);
        }
        for event in self.later_events().filter(|event| is_signal(event) || request_of(event).is_some()) {
            self.take_over(&mut run, event, context.now);
        }
        run.schedule_task(context);
        run.send_again(context.now);
        run
    }

    fn later_events(&self) -> impl Iterator<Item = &HistoryEvent> {
        self.later.iter().flat_map(|later| later.events.all())
    }

    fn event_id(&self) -> i64 {
        self.request.workflow_task_finish_event_id
    }

    /// The run as it was in front of the Event.
    fn copy(&self, context: &Context<'_>) -> Execution {
        let started = self.base.started.clone();
        let execution_timeout = checked_duration(started.workflow_execution_timeout.as_ref());
        let run_timeout = checked_duration(started.workflow_run_timeout.as_ref());
        let expires = after(context.now, execution_timeout);
        let mut run = Execution::empty(self.new_run_id.to_owned(), started, expires, context.now);
        run.execution_time = context.now;
        run.run_expires = after(context.now, run_timeout);
        run.first_task_at = None;
        run.events = self.base.events.copy_until(self.event_id());
        for event in run.events.all().to_vec() {
            run.replay(&event, context.now);
        }
        run
    }

    fn fail_task(&self, run: &mut Execution, context: &mut Context<'_>) {
        let Some((event, scheduled_event_id)) = workflow_task(self.base.events.all(), self.event_id()) else { return };
        let started_event_id = if event == TaskEvent::End {
            self.event_id() - 1
        } else {
            let started = WorkflowTaskStartedEventAttributes {
                scheduled_event_id,
                identity: IDENTITY.into(),
                request_id: context.random.uuid(),
                ..WorkflowTaskStartedEventAttributes::default()
            };
            run.events.record(context.now, Attributes::WorkflowTaskStartedEventAttributes(started.into()))
        };
        let failed = WorkflowTaskFailedEventAttributes {
            scheduled_event_id,
            started_event_id,
            cause: WorkflowTaskFailedCause::ResetWorkflow.into(),
            failure: Some(Failure {
                message: self.request.reason.clone(),
                failure_info: Some(FailureInfo::ResetWorkflowFailureInfo(ResetWorkflowFailureInfo::default())),
                ..Failure::default()
            }),
            identity: IDENTITY.into(),
            base_run_id: self.base.run_id.clone(),
            new_run_id: self.new_run_id.to_owned(),
            ..WorkflowTaskFailedEventAttributes::default()
        };
        run.events.record(context.now, Attributes::WorkflowTaskFailedEventAttributes(failed.into()));
    }

    fn take_over(&self, run: &mut Execution, event: &HistoryEvent, now: Time) {
        if let Some(request) = request_of(event).filter(|_| self.takes(ResetReapplyExcludeType::Update)) {
            run.reapply_update(request.clone(), now);
        }
        let is_wanted = match &event.attributes {
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(_)) => {
                self.takes(ResetReapplyExcludeType::Signal)
            }
            Some(Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(_)) => true,
            _ => {
                news_of_child(event).is_some_and(|id| run.children.contains_key(&id))
                    || self.takes(ResetReapplyExcludeType::Nexus)
                        && news_of_nexus_operation(event).is_some_and(|id| run.nexus_operations.contains_key(&id))
            }
        };
        if let Some(attributes) = event.attributes.clone().filter(|_| is_wanted) {
            run.replay(event, now);
            run.events.buffer(now, attributes);
        }
    }

    fn takes(&self, kind: ResetReapplyExcludeType) -> bool {
        let is_included = match self.request.reset_reapply_type() {
            ResetReapplyType::None => kind == ResetReapplyExcludeType::Nexus,
            ResetReapplyType::Signal => {
                matches!(kind, ResetReapplyExcludeType::Signal | ResetReapplyExcludeType::Nexus)
            }
            ResetReapplyType::Unspecified | ResetReapplyType::AllEligible => true,
        };
        is_included && !self.request.reset_reapply_exclude_types.contains(&kind.into())
    }
}

impl Execution {
    /// What a recorded Event has done to the run.
    fn replay(&mut self, event: &HistoryEvent, now: Time) {
        match &event.attributes {
            Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) => {
                self.previous_started_event_id = completed.started_event_id;
            }
            Some(Attributes::TimerStartedEventAttributes(started)) => {
                let fires = time_of(event) + checked_duration(started.start_to_fire_timeout.as_ref());
                self.timers.insert(event.event_id, Timer { id: started.timer_id.clone(), fires });
            }
            Some(Attributes::TimerFiredEventAttributes(fired)) => {
                self.timers.remove(&fired.started_event_id);
            }
            Some(Attributes::TimerCanceledEventAttributes(cancelled)) => {
                self.timers.remove(&cancelled.started_event_id);
            }
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                self.activities.insert(event.event_id, Activity::new((**scheduled).clone(), now));
            }
            Some(Attributes::ActivityTaskCancelRequestedEventAttributes(requested)) => {
                if let Some(activity) = self.activities.get_mut(&requested.scheduled_event_id) {
                    activity.cancel_requested = Some(event.event_id);
                }
            }
            Some(Attributes::WorkflowExecutionCancelRequestedEventAttributes(_)) => self.cancel_requested = true,
            Some(Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(updated)) => {
                self.priority.clone_from(&updated.priority);
            }
            _ => (),
        }
        if let Some(scheduled_event_id) = end_of_activity(event) {
            self.activities.remove(&scheduled_event_id);
        }
        self.replay_child(event);
        self.replay_external(event);
        self.replay_nexus_operation(event);
        self.replay_update(event);
    }

    /// Asks others for what has no outcome yet.
    fn send_again(&mut self, now: Time) {
        self.send_nexus_requests_again(now);
        let activities = self.activities.keys();
        self.outbox.extend(activities.map(|id| Effect::DispatchActivity { scheduled_event_id: *id }));
        let children = self.children.iter().filter(|(_, child)| child.run_id.is_none());
        let starts = children.map(|(id, _)| Transfer::StartChild(*id));
        let signals = self.external_signals.keys().map(|id| Transfer::SignalExternal(*id));
        let cancellations = self.external_cancellations.keys().map(|id| Transfer::CancelExternal(*id));
        self.outbox.extend(starts.chain(signals).chain(cancellations).map(Effect::Transfer));
    }

    /// The run that this one continued as.
    pub(crate) fn continued_as(&self) -> Option<&str> {
        match self.events.all().last()?.attributes.as_ref()? {
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(end) => Some(&end.new_execution_run_id),
            _ => None,
        }
    }
}

/// What an Event is to its Workflow Task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskEvent {
    Start,
    End,
}

/// What the Event is to its Workflow Task, and which Event scheduled that.
fn workflow_task(events: &[HistoryEvent], event_id: i64) -> Option<(TaskEvent, i64)> {
    let event = events.iter().find(|event| event.event_id == event_id)?;
    match event.attributes.as_ref()? {
        Attributes::WorkflowTaskStartedEventAttributes(start) => Some((TaskEvent::Start, start.scheduled_event_id)),
        Attributes::WorkflowTaskCompletedEventAttributes(end) => Some((TaskEvent::End, end.scheduled_event_id)),
        Attributes::WorkflowTaskFailedEventAttributes(end) => Some((TaskEvent::End, end.scheduled_event_id)),
        Attributes::WorkflowTaskTimedOutEventAttributes(end) => Some((TaskEvent::End, end.scheduled_event_id)),
        _ => None,
    }
}

fn is_signal(event: &HistoryEvent) -> bool {
    matches!(event.attributes, Some(Attributes::WorkflowExecutionSignaledEventAttributes(_)))
}

const IDENTITY: &str = "history-service";
