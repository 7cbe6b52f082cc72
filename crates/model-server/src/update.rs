//! Updates of one run, as the server knows them.
//!
//! ```text
//!             delivered            accepted              completed
//!   admitted ───────────▶ sent ───────────────▶ accepted ─────────▶ completed
//!                          └───── rejected: the server forgets it
//! ```
//!
//! Facts (server 1.32):
//! - An Update is recorded when a worker accepts it, with its request, and when it is completed. One that is rejected
//!   leaves nothing, and its id is free again.
//! - A Workflow Task carries all that are not accepted, in the order in which they were admitted, also those that a task
//!   before carried which failed or timed out. Its messages are to be handled behind the Event in front of the task's
//!   Started Event. Only a prolonged task that is handed out in an answer leaves out what was delivered before.
//! - The same id again is the same Update, whatever the request says, also when it is completed or the run is closed.
//! - If a task's completion is refused, those that were delivered fail, and those that came meanwhile are kept: the
//!   server asks for them again by itself, as it does whenever it forgets what is not recorded.
//! - Who waits for an accepted Update's outcome then hears that it is accepted, and has to ask again.
//! - The end of the run fails what is accepted (as an outcome) and refuses what is not (as an error); if another run
//!   follows, with an error that tells the client to try again.

use timewright_proto::enums::UpdateAdmittedEventOrigin;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{HistoryEvent, WorkflowExecutionUpdateAdmittedEventAttributes};
use timewright_proto::prost_types::Any;
use timewright_proto::temporal::api::protocol::v1::Message;
use timewright_proto::temporal::api::protocol::v1::message::SequencingId;
use timewright_proto::temporal::api::update::v1::{Outcome, Request, outcome};

use crate::error::ServerError;
use crate::execution::{Context, Effect, Execution};
use crate::protocol_message::pack;
use crate::time::Time;

/// The Updates of a run, in the order in which they were admitted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Updates(Vec<Update>);

#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) id: String,
    pub(crate) state: State,
}

#[derive(Debug, Clone)]
pub(crate) enum State {
    /// It waits for a Workflow Task. Without a request if the history holds that.
    Admitted(Option<Request>),
    /// A worker has it.
    Sent(Option<Request>),
    /// The Event that says so.
    Accepted { event_id: i64 },
    /// The completion that is being done has rejected it.
    Rejected(Failure),
    /// The Event that says so; 0 if the run ended before.
    Completed { event_id: i64, outcome: Outcome },
}

/// What the callers of an Update hear.
#[derive(Debug, Clone)]
pub(crate) enum Progress {
    /// It has come to another state.
    Changed,
    Rejected(Box<Failure>),
    Refused(ServerError),
    /// It is accepted, and the server has forgotten who waits for more.
    StillAccepted,
    /// The server has forgotten it.
    Forgotten,
}

impl Updates {
    pub(crate) fn find(&self, id: &str) -> Option<&Update> {
        self.0.iter().find(|update| update.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: &str) -> Option<&mut Update> {
        self.0.iter_mut().find(|update| update.id == id)
    }

    pub(crate) fn admit(&mut self, id: &str, request: Option<Request>) {
        self.0.push(Update { id: id.to_owned(), state: State::Admitted(request) });
    }

    fn set(&mut self, id: &str, state: State) {
        match self.find_mut(id) {
            Some(update) => update.state = state,
            None => self.0.push(Update { id: id.to_owned(), state }),
        }
    }

    /// Whether any waits to be delivered or answered.
    pub(crate) fn has_open(&self) -> bool {
        self.0.iter().any(|update| matches!(update.state, State::Admitted(_) | State::Sent(_)))
    }

    /// The messages of a Workflow Task; `again`: also of what was delivered before.
    pub(crate) fn deliver(&mut self, started_event_id: i64, again: bool) -> Vec<Message> {
        let mut messages = Vec::new();
        for update in &mut self.0 {
            let (request, is_new) = match &update.state {
                State::Admitted(request) => (request.clone(), true),
                State::Sent(request) => (request.clone(), false),
                State::Accepted { .. } | State::Rejected(_) | State::Completed { .. } => continue,
            };
            if is_new || again {
                messages.extend(
                    request.as_ref().map(|request| request_message(&update.id, pack(request), started_event_id)),
                );
                update.state = State::Sent(request);
            }
        }
        messages
    }
}

impl Execution {
    /// Takes a client's request.
    ///
    /// Facts (server 1.32): an Update gets a Workflow Task of its own if none is pending, also during the back-off before
    /// the first task. None is taken from the third attempt of a Workflow Task on, nor while a task runs that follows a
    /// refused end of the workflow.
    pub(crate) fn admit_update(
        &mut self,
        id: &str,
        request: Request,
        context: &mut Context<'_>,
    ) -> Result<(), ServerError> {
        self.leaves_no_trace = true;
        if self.updates.find(id).is_some_and(|_| !self.is_running()) {
            return Ok(());
        }
        self.check_running()?;
        if self.next_attempt >= FIRST_ATTEMPT_WITHOUT_UPDATES {
            return Err(ServerError::FailedPrecondition(
                "Unable to perform workflow execution update due to Workflow Task in failed state.".into(),
            ));
        }
        if self.closing_attempted && self.has_started_task() {
            return Err(ServerError::workflow_is_closing());
        }
        if self.updates.find(id).is_some() {
            return Ok(());
        }
        self.updates.admit(id, Some(request));
        if self.task.is_none() {
            self.schedule_speculative_task(context);
        }
        Ok(())
    }

    /// Takes over an Update of the run before, when this run comes of a reset; see `reset.rs`.
    pub(crate) fn reapply_update(&mut self, request: Request, now: Time) {
        self.updates.admit(update_id(&request), None);
        let admitted = WorkflowExecutionUpdateAdmittedEventAttributes {
            request: Some(request),
            origin: UpdateAdmittedEventOrigin::Reapply.into(),
        };
        self.events.buffer(now, Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(admitted.into()));
    }

    /// What a recorded Event says of Updates.
    pub(crate) fn replay_update(&mut self, event: &HistoryEvent) {
        let event_id = event.event_id;
        match &event.attributes {
            Some(Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(_)) => {
                self.updates.admit(request_of(event).map_or("", update_id), None);
            }
            Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) => {
                self.updates.set(&accepted.protocol_instance_id, State::Accepted { event_id });
            }
            Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed)) => {
                let id = completed.meta.as_ref().map_or("", |meta| &meta.update_id);
                let outcome = completed.outcome.clone().unwrap_or_default();
                self.updates.set(id, State::Completed { event_id, outcome });
            }
            _ => (),
        }
    }

    /// Rejects what was delivered and is not answered.
    pub(crate) fn reject_unanswered_updates(&mut self) {
        for update in &mut self.updates.0 {
            if matches!(update.state, State::Sent(_)) {
                update.state = State::Rejected(unanswered());
            }
        }
    }

    /// The end of a completion: forgets what it has rejected.
    pub(crate) fn forget_rejected_updates(&mut self) {
        let (rejected, kept) = std::mem::take(&mut self.updates.0)
            .into_iter()
            .partition(|update| matches!(update.state, State::Rejected(_)));
        self.updates.0 = kept;
        for update in rejected {
            if let State::Rejected(failure) = update.state {
                self.report_update(update.id, Progress::Rejected(Box::new(failure)));
            }
        }
    }

    /// The run has ended.
    pub(crate) fn end_updates(&mut self) {
        let has_next_run = self.outbox.iter().any(|effect| matches!(effect, Effect::StartRun(_)));
        for mut update in std::mem::take(&mut self.updates.0) {
            match update.state {
                State::Admitted(_) | State::Sent(_) | State::Rejected(_) => {
                    let error = if has_next_run { ServerError::workflow_is_closing() } else { closed() };
                    self.report_update(update.id, Progress::Refused(error));
                }
                State::Accepted { .. } => {
                    let outcome = Outcome { value: Some(outcome::Value::Failure(not_completed())) };
                    update.state = State::Completed { event_id: 0, outcome };
                    self.report_update(update.id.clone(), Progress::Changed);
                    self.updates.0.push(update);
                }
                State::Completed { .. } => self.updates.0.push(update),
            }
        }
    }

    /// A task's completion is refused.
    pub(crate) fn fail_updates(&mut self) {
        self.forget_updates(|state| match state {
            State::Sent(_) => Progress::Refused(ServerError::FailedPrecondition(
                "Unable to perform workflow execution update due to unexpected workflow task failure.".into(),
            )),
            _ => Progress::Forgotten,
        });
    }

    /// The server forgets what is not recorded.
    ///
    /// Facts (server 1.32): it does so when it runs elsewhere or needs its memory, and with each request about an Update,
    /// an activity or a Workflow Task that it answers with an error; but not with an answer to a task that is gone.
    pub(crate) fn forget_unrecorded(&mut self) {
        self.leaves_no_trace = true;
        self.closing_attempted = false;
        self.pages = None;
        if self.task.as_ref().is_some_and(|task| task.is_speculative) {
            self.task = None;
        }
        self.forget_updates(|_| Progress::Forgotten);
    }

    fn forget_updates(&mut self, progress: impl Fn(&State) -> Progress) {
        for mut update in std::mem::take(&mut self.updates.0) {
            match &update.state {
                State::Admitted(None) | State::Sent(None) => {
                    update.state = State::Admitted(None);
                    self.updates.0.push(update);
                }
                State::Admitted(_) | State::Sent(_) | State::Rejected(_) => {
                    let progress = progress(&update.state);
                    self.report_update(update.id, progress);
                }
                State::Accepted { .. } => {
                    self.report_update(update.id.clone(), Progress::StillAccepted);
                    self.updates.0.push(update);
                }
                State::Completed { .. } => self.updates.0.push(update),
            }
        }
    }

    pub(crate) fn report_update(&mut self, update_id: String, progress: Progress) {
        self.outbox.push(Effect::ReportUpdate { update_id, progress });
    }
}

/// The request of an Update, where the Event records it.
pub(crate) fn request_of(event: &HistoryEvent) -> Option<&Request> {
    match event.attributes.as_ref()? {
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(admitted) => admitted.request.as_ref(),
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) => accepted.accepted_request.as_ref(),
        _ => None,
    }
}

pub(crate) fn update_id(request: &Request) -> &str {
    request.meta.as_ref().map_or("", |meta| &meta.update_id)
}

/// The id of the message that delivers an Update.
pub(crate) fn request_message_id(update_id: &str) -> String {
    format!("{update_id}/request")
}

fn request_message(update_id: &str, body: Any, started_event_id: i64) -> Message {
    Message {
        id: request_message_id(update_id),
        protocol_instance_id: update_id.to_owned(),
        body: Some(body),
        sequencing_id: Some(SequencingId::EventId(started_event_id - 1)),
    }
}

fn closed() -> ServerError {
    ServerError::NotFound("workflow update was aborted by closing workflow".into())
}

fn unanswered() -> Failure {
    failure(
        "Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow Update is not supported \
         by the worker.",
        "UnprocessedUpdate",
    )
}

fn not_completed() -> Failure {
    failure(
        "Workflow Update failed because the Workflow completed before the Update completed.",
        "AcceptedUpdateCompletedWorkflow",
    )
}

fn failure(message: &str, kind: &str) -> Failure {
    Failure {
        message: message.into(),
        source: "Server".into(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: kind.into(),
            non_retryable: true,
            ..ApplicationFailureInfo::default()
        })),
        ..Failure::default()
    }
}

const FIRST_ATTEMPT_WITHOUT_UPDATES: i32 = 3;
