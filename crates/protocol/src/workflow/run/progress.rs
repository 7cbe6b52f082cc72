//! Goes through the history: each cut task's record, then its news.

use std::time::SystemTime;

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::history::WorkflowExecutionStartedEventAttributes;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;

use super::{Moment, Problem, Run};
use crate::workflow::activation::{Initialize, Job};
use crate::workflow::event::{Event, EventKind, WorkflowTaskCompleted};
use crate::workflow::history::{Cut, HistoryPage, TaskEvents};
use crate::workflow::task::UpdateRequest;

impl Run {
    pub(super) fn take_page(&mut self, page: HistoryPage) {
        match self.history.handle_page(page) {
            Ok(()) => self.advance(),
            Err(error) => self.fail_with(Problem::History(error)),
        }
    }

    /// Goes on until user code, a page or the server is needed.
    pub(super) fn advance(&mut self) {
        if let Err(problem) = self.try_advance() {
            self.fail_with(problem);
        }
    }

    pub(super) fn try_advance(&mut self) -> Result<(), Problem> {
        loop {
            if !self.next_jobs.is_empty() {
                let jobs = std::mem::take(&mut self.next_jobs);
                let beside = self.operations.recall_local_activities(false);
                self.tell(jobs, beside);
                return Ok(());
            }
            let recalled = self.operations.recall_local_activities(true);
            if !recalled.jobs.is_empty() {
                self.tell(Vec::new(), recalled);
                return Ok(());
            }
            if self.is_live()
                && let Some(finished) = self.operations.next_finished_local_activity(self.place())
            {
                self.tell(Vec::new(), finished);
                return Ok(());
            }
            match self.history.cut() {
                Cut::NeedPage(token) => {
                    self.fetch(token);
                    return Ok(());
                }
                Cut::Task(task) if self.goes_beyond_task(&task) => {
                    self.supersede();
                    return Ok(());
                }
                Cut::Task(task) => {
                    let mut jobs = self.apply_task(task)?;
                    jobs.sort_by_key(Job::rank);
                    self.next_jobs = jobs;
                }
                Cut::Record(events) => self.apply_record(events)?,
                Cut::End => return self.answer(),
            }
        }
    }

    /// Whether these Events belong to a later Workflow Task than the one that is being executed.
    pub(super) fn goes_beyond_task(&self, events: &TaskEvents) -> bool {
        let ours = self.task.as_ref().and_then(|task| task.started_event_id);
        ours.zip(events.events.last()).is_some_and(|(ours, last)| last.id > ours)
    }

    /// Takes the Events of one Workflow Task in: first the record of the Commands before, then the news.
    pub(super) fn apply_task(&mut self, task: TaskEvents) -> Result<Vec<Job>, Problem> {
        let mut jobs = Vec::new();
        // What a Query makes user code do on the way counts for nothing: another task will do it.
        let replaying = task.replaying || self.task.as_ref().is_some_and(|task| task.only_query);
        self.operations.begin_task();
        self.operations.look_ahead(self.history.record(), &mut jobs);
        let mut updates = self.updates(task.replaying).into_iter().peekable();
        // Seen the completion of the task before, so that its record must be complete with the first Event of another kind.
        let mut record_is_open = false;
        for event in task.events {
            while let Some(update) = updates.next_if(|update| update.sequencing_event_id < event.id) {
                jobs.extend(self.operations.request_update(update, !replaying));
            }
            if record_is_open && !event.kind.continues_record() {
                self.operations.handle_end_of_record(event.id).map_err(Problem::Nondeterminism)?;
                record_is_open = false;
            }
            record_is_open |= matches!(event.kind, EventKind::WorkflowTaskCompleted(_));
            self.apply_event(event, replaying, &mut jobs)?;
        }
        for update in updates {
            jobs.extend(self.operations.request_update(update, !replaying));
        }
        Ok(jobs)
    }

    /// The Updates of the task that was cut: those that it accepted when it was executed before, or those that came with it.
    pub(super) fn updates(&mut self, replaying: bool) -> Vec<UpdateRequest> {
        if !replaying {
            return self.task.as_mut().map(|task| std::mem::take(&mut task.updates)).unwrap_or_default();
        }
        let accepted = self.history.record().filter_map(|event| match &event.kind {
            EventKind::WorkflowExecutionUpdateAccepted(accepted) => Some(UpdateRequest {
                message_id: accepted.message_id.clone(),
                protocol_instance_id: accepted.protocol_instance_id.clone(),
                sequencing_event_id: accepted.sequencing_event_id,
                request: accepted.request.clone(),
            }),
            _ => None,
        });
        let mut accepted: Vec<_> = accepted.collect();
        accepted.sort_by_key(|update| update.sequencing_event_id);
        accepted
    }

    pub(super) fn apply_event(&mut self, event: Event, replaying: bool, jobs: &mut Vec<Job>) -> Result<(), Problem> {
        if event.kind.is_command() {
            return self.operations.handle_record(&event).map_err(Problem::Nondeterminism);
        }
        match event.kind {
            EventKind::WorkflowExecutionStarted(started) => {
                jobs.push(Job::Initialize(Box::new(self.initialize(event.time, started))));
            }
            EventKind::WorkflowExecutionSignaled(signal) => jobs.push(Job::Signal {
                name: signal.name,
                input: signal.input,
                header: signal.header,
                identity: signal.identity,
            }),
            EventKind::WorkflowExecutionCancelRequested { reason } => jobs.push(Job::RequestCancellation { reason }),
            EventKind::WorkflowTaskFailed { cause: WorkflowTaskFailedCause::ResetWorkflow, new_run_id } => {
                jobs.push(Job::UpdateRandomSeed { seed: seed(&new_run_id) });
            }
            EventKind::WorkflowExecutionUpdateAdmitted(request) => {
                let update = self.operations.admit_update(event.id, *request);
                // The server sends no message for it. Where the task was completed, its record says what became of it.
                if !replaying {
                    jobs.extend(self.operations.request_update(update, true));
                }
            }
            EventKind::WorkflowTaskCompleted(completed) => self.apply_completion(&completed)?,
            EventKind::WorkflowTaskScheduled => self.last_scheduled_event_id = event.id,
            EventKind::WorkflowTaskStarted(started) => {
                let started_before = std::mem::replace(&mut self.last_started_event_id, event.id);
                let moment = Moment {
                    // Never backwards, though a worker's clock, which says when a Local Activity ended, may be ahead.
                    time: event.time.max(self.moment.time),
                    replaying,
                    history_length: u64::try_from(event.id).unwrap_or(0),
                    history_bytes: started.history_bytes,
                    continue_as_new_suggested: started.continue_as_new_suggested,
                    continue_as_new_reasons: started.continue_as_new_reasons,
                    target_worker_deployment_version_changed: started.target_worker_deployment_version_changed,
                    deployment_version: self.completing_deployment_version(),
                };
                self.before = Some((started_before, std::mem::replace(&mut self.moment, moment)));
            }
            _ => self.operations.handle_outcome(event, jobs).map_err(Problem::Nondeterminism)?,
        }
        Ok(())
    }

    pub(super) fn apply_completion(&mut self, completed: &WorkflowTaskCompleted) -> Result<(), Problem> {
        self.flags.handle(completed).map_err(Problem::Flags)?;
        self.operations.handle_author(self.flags.is_by_another_sdk());
        Ok(())
    }

    /// Takes the record of the last completion in, which no later task has delivered yet.
    pub(super) fn apply_record(&mut self, events: Vec<Event>) -> Result<(), Problem> {
        for event in events {
            match event.kind {
                EventKind::WorkflowTaskCompleted(completed) => self.apply_completion(&completed)?,
                EventKind::Ignored(_) => (),
                _ => self.operations.handle_record(&event).map_err(Problem::Nondeterminism)?,
            }
        }
        // Completion and record are written at once, so all of the record is here.
        self.operations.handle_end_of_record(self.history.last_id()).map_err(Problem::Nondeterminism)
    }

    /// The version of the worker that completed the task that was cut last.
    pub(super) fn completing_deployment_version(&self) -> Option<WorkerDeploymentVersion> {
        self.history.record().find_map(|event| match &event.kind {
            EventKind::WorkflowTaskCompleted(completed) => completed.deployment_version.clone(),
            _ => None,
        })
    }

    pub(super) fn initialize(
        &mut self,
        start_time: SystemTime,
        mut started: Box<WorkflowExecutionStartedEventAttributes>,
    ) -> Initialize {
        let (workflow_id, run_id) =
            self.task.as_ref().map(|task| (task.workflow_id.clone(), task.run_id.clone())).unwrap_or_default();
        self.operations.initialize(&started);
        let task_timeout = started.workflow_task_timeout.as_ref().and_then(timewright_proto::from_duration);
        self.task_timeout = task_timeout.filter(|timeout| !timeout.is_zero());
        // A reset copies the history into a new run: what was drawn before the reset must be drawn again.
        let random_seed = seed(match started.original_execution_run_id.as_str() {
            "" => &run_id,
            original => original,
        });
        Initialize {
            workflow_id,
            run_id,
            workflow_type: started.workflow_type.clone().unwrap_or_default().name,
            start_time,
            arguments: started.input.take().map(|input| input.payloads).unwrap_or_default(),
            header: started.header.take().unwrap_or_default(),
            random_seed,
            started,
        }
    }
}

/// FNV-1a: the same on every machine and in every version, which a replay needs.
fn seed(run_id: &str) -> u64 {
    run_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
