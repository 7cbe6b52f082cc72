//! How a run ends, and what comes after it.
//!
//! Facts (server 1.32):
//! - What comes from outside (termination, the end of its time) fails a started Workflow Task first, with cause
//!   `ForceCloseCommand` and the identity `history-service`, and writes what was buffered in front of the last Event.
//! - A failed or timed-out run with a retry policy is followed by another as the policy says, also where a cancellation
//!   was requested. It gets what the first was started with; what the run added to memo and search attributes is lost.
//! - A run that continues as new hands on what it has of its parent and its present priority; a run that is tried again,
//!   the priority with which it was started.
//! - Between two runs of a workflow lies at least a second, counted from the first's due start; what is missing is the
//!   second's back-off.

use std::time::Duration;

use timewright_proto::command::ContinueAsNewWorkflowExecutionCommandAttributes;
use timewright_proto::common::{Payloads, WorkflowType};
use timewright_proto::enums::{
    ContinueAsNewInitiator, RetryState, TaskQueueKind, TimeoutType, WorkflowExecutionStatus, WorkflowTaskFailedCause,
};
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionStartedEventAttributes, WorkflowExecutionTerminatedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
};
use timewright_proto::task_queue::TaskQueue;

use crate::activity::timeout_failure;
use crate::execution::{Context, Effect, Execution};
use crate::retry::next_interval;
use crate::start::{NextRun, run_timeout, task_timeout};
use crate::time::{Time, checked_duration, wire_duration};
use crate::transfer::Transfer;

impl Execution {
    pub(crate) fn complete(&mut self, completed_event_id: i64, result: Option<Payloads>, context: &mut Context<'_>) {
        let completed = WorkflowExecutionCompletedEventAttributes {
            result,
            workflow_task_completed_event_id: completed_event_id,
            new_execution_run_id: String::new(),
        };
        self.events.record(context.now, Attributes::WorkflowExecutionCompletedEventAttributes(completed.into()));
        self.close(WorkflowExecutionStatus::Completed);
    }

    pub(crate) fn cancel(&mut self, completed_event_id: i64, details: Option<Payloads>, context: &mut Context<'_>) {
        let cancelled =
            WorkflowExecutionCanceledEventAttributes { workflow_task_completed_event_id: completed_event_id, details };
        self.events.record(context.now, Attributes::WorkflowExecutionCanceledEventAttributes(cancelled.into()));
        self.close(WorkflowExecutionStatus::Canceled);
    }

    pub(crate) fn fail(&mut self, completed_event_id: i64, failure: Failure, context: &mut Context<'_>) {
        let (retry_state, new_execution_run_id) = self.retry(&failure, context);
        let failed = WorkflowExecutionFailedEventAttributes {
            failure: Some(failure),
            retry_state: retry_state.into(),
            workflow_task_completed_event_id: completed_event_id,
            new_execution_run_id,
        };
        self.events.record(context.now, Attributes::WorkflowExecutionFailedEventAttributes(failed.into()));
        self.close(WorkflowExecutionStatus::Failed);
    }

    /// The Command has been checked: its time-outs are not negative, its search attributes are known, its retry policy
    /// has no gaps.
    ///
    /// Facts (server 1.32): type, task queue and time-outs that the Command leaves out are those of this run. Input,
    /// header, memo, search attributes and retry policy are the Command's only. The initiator is the one that the Command
    /// says; one that says `Retry` counts as the next attempt.
    pub(crate) fn continue_as_new(
        &mut self,
        completed_event_id: i64,
        command: ContinueAsNewWorkflowExecutionCommandAttributes,
        context: &mut Context<'_>,
    ) {
        let backoff_start_interval = command.backoff_start_interval;
        let (initiator, inherit_build_id) = (command.initiator, command.inherit_build_id);
        let initial_versioning_behavior = command.initial_versioning_behavior;
        let next = self.continued(command, context);
        let started = next.started.clone();
        let continued = WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: next.run_id.clone(),
            workflow_type: started.workflow_type,
            task_queue: started.task_queue,
            input: started.input,
            workflow_run_timeout: started.workflow_run_timeout,
            workflow_task_timeout: started.workflow_task_timeout,
            workflow_task_completed_event_id: completed_event_id,
            backoff_start_interval,
            initiator,
            failure: started.continued_failure,
            last_completion_result: started.last_completion_result,
            header: started.header,
            memo: started.memo,
            search_attributes: started.search_attributes,
            inherit_build_id,
            initial_versioning_behavior,
        };
        self.events.record(context.now, Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued.into()));
        self.close(WorkflowExecutionStatus::ContinuedAsNew);
        self.outbox.push(Effect::StartRun(Box::new(next)));
    }

    pub(crate) fn terminate(
        &mut self,
        reason: String,
        details: Option<Payloads>,
        identity: String,
        context: &mut Context<'_>,
    ) {
        self.force_close(context, |_, _| {
            let terminated = WorkflowExecutionTerminatedEventAttributes { reason, details, identity };
            Attributes::WorkflowExecutionTerminatedEventAttributes(terminated.into())
        });
        self.close(WorkflowExecutionStatus::Terminated);
    }

    /// Fact (server 1.32): the end of the execution's time allows no further run.
    pub(crate) fn time_out_execution(&mut self, context: &mut Context<'_>) {
        self.force_close(context, |_, _| timed_out(RetryState::Timeout, String::new()));
        self.close(WorkflowExecutionStatus::TimedOut);
    }

    pub(crate) fn time_out_run(&mut self, context: &mut Context<'_>) {
        self.force_close(context, |run, context| {
            let failure = timeout_failure("workflow timeout".into(), TimeoutType::StartToClose);
            let (retry_state, new_run_id) = run.retry(&failure, context);
            timed_out(retry_state, new_run_id)
        });
        self.close(WorkflowExecutionStatus::TimedOut);
    }

    /// Fact (server 1.32): Queries that wait for a task which somebody has started are forgotten when the run is closed
    /// from outside: their callers wait in vain. Those that wait for a task in the queue are asked in tasks of their own.
    fn force_close(
        &mut self,
        context: &mut Context<'_>,
        event: impl FnOnce(&mut Self, &mut Context<'_>) -> Attributes,
    ) {
        if self.has_started_task() {
            self.fail_task(WorkflowTaskFailedCause::ForceCloseCommand, None, "history-service", context);
            self.events.flush();
        } else {
            self.outbox.push(Effect::ReleaseQueries);
        }
        let event = event(self, context);
        self.events.record(context.now, event);
        self.end_updates();
    }

    fn close(&mut self, status: WorkflowExecutionStatus) {
        self.status = status;
        self.first_task_at = None;
        self.task = None;
        self.pages = None;
        self.sticky = None;
        self.timers.clear();
        self.activities.clear();
        self.external_signals.clear();
        self.external_cancellations.clear();
        self.nexus_operations.clear();
        self.events.drop_buffered();
        if self.started.parent_workflow_execution.is_some() || !self.children.is_empty() {
            self.outbox.push(Effect::Transfer(Transfer::Close));
        }
        if !self.started.completion_callbacks.is_empty() {
            self.outbox.push(Effect::Transfer(Transfer::CallBack));
        }
    }

    /// Starts the workflow again if its policy says so. Returns what to record of that.
    fn retry(&mut self, failure: &Failure, context: &mut Context<'_>) -> (RetryState, String) {
        let Some(policy) = &self.started.retry_policy else {
            return (RetryState::RetryPolicyNotSet, String::new());
        };
        let interval = match next_interval(policy, self.started.attempt, failure, context.now, self.execution_expires) {
            Ok(interval) => interval,
            Err(retry_state) => return (retry_state, String::new()),
        };
        let run_id = context.random.uuid();
        let started = WorkflowExecutionStartedEventAttributes {
            continued_execution_run_id: self.run_id.clone(),
            original_execution_run_id: run_id.clone(),
            initiator: ContinueAsNewInitiator::Retry.into(),
            continued_failure: Some(failure.clone()),
            attempt: self.started.attempt + 1,
            first_workflow_task_backoff: self.backoff(Some(interval), context.now).map(wire_duration),
            identity: String::new(),
            ..self.started.clone()
        };
        let next =
            NextRun { run_id: run_id.clone(), started, user_metadata: None, execution_expires: self.execution_expires };
        self.outbox.push(Effect::StartRun(Box::new(next)));
        (RetryState::InProgress, run_id)
    }

    fn continued(
        &self,
        command: ContinueAsNewWorkflowExecutionCommandAttributes,
        context: &mut Context<'_>,
    ) -> NextRun {
        let (initiator, attempt) = match command.initiator() {
            ContinueAsNewInitiator::Unspecified => (ContinueAsNewInitiator::Workflow, 1),
            ContinueAsNewInitiator::Retry => (ContinueAsNewInitiator::Retry, self.started.attempt + 1),
            initiator => (initiator, 1),
        };
        let or_own = |wire: Option<&_>, own: Option<&_>| match checked_duration(wire) {
            Duration::ZERO => checked_duration(own),
            requested => requested,
        };
        let execution_timeout = checked_duration(self.started.workflow_execution_timeout.as_ref());
        let run_timeout = run_timeout(
            or_own(command.workflow_run_timeout.as_ref(), self.started.workflow_run_timeout.as_ref()),
            execution_timeout,
        );
        let task_timeout = task_timeout(
            or_own(command.workflow_task_timeout.as_ref(), self.started.workflow_task_timeout.as_ref()),
            run_timeout,
        );
        let task_queue = command.task_queue.map(|queue| queue.name).filter(|name| !name.is_empty());
        let requested_backoff = command.backoff_start_interval.map(|wire| checked_duration(Some(&wire)));
        let run_id = context.random.uuid();
        let first = self.started.clone();
        let started = WorkflowExecutionStartedEventAttributes {
            workflow_type: command
                .workflow_type
                .filter(|workflow_type| !workflow_type.name.is_empty())
                .or_else(|| Some(WorkflowType { name: self.workflow_type().to_owned() })),
            task_queue: Some(TaskQueue {
                name: task_queue.unwrap_or_else(|| self.task_queue().to_owned()),
                kind: TaskQueueKind::Normal.into(),
                normal_name: String::new(),
            }),
            input: command.input,
            workflow_execution_timeout: first.workflow_execution_timeout,
            workflow_run_timeout: Some(wire_duration(run_timeout)),
            workflow_task_timeout: Some(wire_duration(task_timeout)),
            continued_execution_run_id: self.run_id.clone(),
            initiator: initiator.into(),
            continued_failure: command.failure,
            last_completion_result: command.last_completion_result,
            original_execution_run_id: run_id.clone(),
            first_execution_run_id: first.first_execution_run_id,
            retry_policy: command.retry_policy,
            attempt,
            workflow_execution_expiration_time: first.workflow_execution_expiration_time,
            first_workflow_task_backoff: self.backoff(requested_backoff, context.now).map(wire_duration),
            memo: command.memo,
            search_attributes: command.search_attributes,
            header: command.header,
            workflow_id: first.workflow_id,
            priority: self.priority.clone(),
            completion_callbacks: first.completion_callbacks,
            parent_workflow_namespace: first.parent_workflow_namespace,
            parent_workflow_namespace_id: first.parent_workflow_namespace_id,
            parent_workflow_execution: first.parent_workflow_execution,
            parent_initiated_event_id: first.parent_initiated_event_id,
            parent_initiated_event_version: first.parent_initiated_event_version,
            root_workflow_execution: first.root_workflow_execution,
            ..WorkflowExecutionStartedEventAttributes::default()
        };
        NextRun { run_id, started, user_metadata: None, execution_expires: self.execution_expires }
    }

    /// The back-off of the next run.
    fn backoff(&self, requested: Option<Duration>, now: Time) -> Option<Duration> {
        let lifetime = now.saturating_sub(self.execution_time);
        if lifetime + requested.unwrap_or_default() < LEAST_TIME_BETWEEN_RUNS {
            return Some(LEAST_TIME_BETWEEN_RUNS - lifetime);
        }
        requested
    }
}

fn timed_out(retry_state: RetryState, new_execution_run_id: String) -> Attributes {
    Attributes::WorkflowExecutionTimedOutEventAttributes(
        WorkflowExecutionTimedOutEventAttributes { retry_state: retry_state.into(), new_execution_run_id }.into(),
    )
}

const LEAST_TIME_BETWEEN_RUNS: Duration = Duration::from_secs(1);
