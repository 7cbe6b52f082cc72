//! Events of a Workflow Execution's history, decoded once at the edge.
//!
//! Behind [`Event::try_from`] nothing is optional that must be there: a machine never asks whether an attribute exists.

use std::time::{Duration, SystemTime};

use timewright_proto::common::{Header, Payload, Payloads};
use timewright_proto::enums::{EventType, RetryState, SuggestContinueAsNewReason, WorkflowTaskFailedCause};
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    HistoryEvent, WorkflowExecutionStartedEventAttributes, WorkflowTaskStartedEventAttributes,
};
use timewright_proto::prost_types::Timestamp;

/// One fact of a history.
///
/// <https://docs.temporal.io/workflow-execution/event#event-history>
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Counts from 1 without gaps.
    pub id: i64,
    /// When the server recorded it.
    pub time: SystemTime,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, for those Events that a [`Run`](super::Run) hears.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "variants and fields are named as in Temporal's API")]
pub enum EventKind {
    WorkflowExecutionStarted(Box<WorkflowExecutionStartedEventAttributes>),
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionTimedOut,
    WorkflowExecutionCanceled,
    WorkflowExecutionTerminated,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionSignaled(Signaled),
    WorkflowExecutionCancelRequested {
        reason: String,
    },
    WorkflowTaskScheduled,
    WorkflowTaskStarted(WorkflowTaskStarted),
    WorkflowTaskCompleted(WorkflowTaskCompleted),
    WorkflowTaskFailed {
        cause: WorkflowTaskFailedCause,
        new_run_id: String,
    },
    WorkflowTaskTimedOut,
    ActivityTaskScheduled {
        activity_id: String,
        activity_type: String,
    },
    ActivityTaskStarted {
        scheduled_event_id: i64,
    },
    ActivityTaskCompleted {
        scheduled_event_id: i64,
        result: Option<Payload>,
    },
    ActivityTaskFailed {
        scheduled_event_id: i64,
        closed: ActivityClosed,
    },
    ActivityTaskTimedOut {
        scheduled_event_id: i64,
        closed: ActivityClosed,
    },
    ActivityTaskCancelRequested {
        scheduled_event_id: i64,
    },
    ActivityTaskCanceled {
        scheduled_event_id: i64,
        started_event_id: i64,
        identity: String,
        details: Vec<Payload>,
    },
    TimerStarted {
        timer_id: String,
    },
    TimerFired {
        started_event_id: i64,
    },
    TimerCanceled {
        started_event_id: i64,
    },
    /// An Event that says nothing to a Run: it is known and needs no reaction, or the server says that a worker may
    /// ignore it.
    Ignored(EventType),
}

/// A signal as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Signaled {
    /// The signal's name.
    pub name: String,
    /// Its arguments.
    pub input: Vec<Payload>,
    /// What the sender's interceptors passed along.
    pub header: Header,
    /// Who sent it.
    pub identity: String,
}

/// What the server says when it hands out a Workflow Task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkflowTaskStarted {
    /// Size of the history so far, in bytes.
    pub history_bytes: u64,
    /// The server suggests to continue as new.
    pub continue_as_new_suggested: bool,
    /// Why it does.
    pub continue_as_new_reasons: Vec<SuggestContinueAsNewReason>,
}

/// What the worker which completed a Workflow Task noted with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkflowTaskCompleted {
    /// The SDK that completed it; only recorded where it differs from the task before.
    pub sdk_name: String,
    /// That SDK's version.
    pub sdk_version: String,
    /// Flags that the core of an SDK used for the first time.
    pub core_used_flags: Vec<u32>,
    /// Flags that the language layer of an SDK used for the first time.
    pub language_used_flags: Vec<u32>,
}

/// How an activity ended that did not complete.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityClosed {
    /// The Event at which its last attempt started; 0 where none did.
    pub started_event_id: i64,
    /// The worker that reported it.
    pub identity: String,
    /// The failure of the last attempt.
    pub failure: Failure,
    /// Why there is no further attempt.
    pub retry_state: RetryState,
}

/// An Event that cannot be understood. The server's fault, or that of whoever wrote the history; or the Event is of a kind
/// that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Something is missing that must be there.
    #[error("event {event_id} ({event_type}) has no {field}: the history is damaged, or not from a Temporal Server")]
    Missing {
        /// The Event.
        event_id: i64,
        /// Its type.
        event_type: String,
        /// What it lacks.
        field: &'static str,
    },
    /// Not a kind of Event that this version knows.
    #[error(
        "event {event_id} is of type {event_type}, which this version of Timewright does not support; \
         workflows that use it need a newer version"
    )]
    Unsupported {
        /// The Event.
        event_id: i64,
        /// Its type, or its number where that has no name here.
        event_type: String,
    },
}

impl EventKind {
    /// Whether this Event is the record of a Command of the Workflow Task that was completed just before it.
    ///
    /// ```
    /// use timewright_protocol::workflow::EventKind;
    ///
    /// assert!(EventKind::TimerStarted { timer_id: "1".into() }.is_command());
    /// assert!(!EventKind::TimerFired { started_event_id: 5 }.is_command());
    /// ```
    pub fn is_command(&self) -> bool {
        match self {
            Self::ActivityTaskScheduled { .. }
            | Self::ActivityTaskCancelRequested { .. }
            | Self::TimerStarted { .. }
            | Self::TimerCanceled { .. }
            | Self::WorkflowExecutionCompleted
            | Self::WorkflowExecutionFailed
            | Self::WorkflowExecutionCanceled
            | Self::WorkflowExecutionContinuedAsNew => true,
            Self::WorkflowExecutionStarted(_)
            | Self::WorkflowExecutionTimedOut
            | Self::WorkflowExecutionTerminated
            | Self::WorkflowExecutionSignaled(_)
            | Self::WorkflowExecutionCancelRequested { .. }
            | Self::WorkflowTaskScheduled
            | Self::WorkflowTaskStarted(_)
            | Self::WorkflowTaskCompleted(_)
            | Self::WorkflowTaskFailed { .. }
            | Self::WorkflowTaskTimedOut
            | Self::ActivityTaskStarted { .. }
            | Self::ActivityTaskCompleted { .. }
            | Self::ActivityTaskFailed { .. }
            | Self::ActivityTaskTimedOut { .. }
            | Self::ActivityTaskCanceled { .. }
            | Self::TimerFired { .. }
            | Self::Ignored(_) => false,
        }
    }

    /// Whether the record of a completion's Commands can go on with this Event: another one, or one that says nothing.
    pub(crate) fn continues_record(&self) -> bool {
        self.is_command() || matches!(self, Self::Ignored(_))
    }

    /// The Event's type and the ids that tell it from others of its type, as an error text shows it.
    pub fn describe(&self) -> String {
        match self {
            Self::WorkflowExecutionStarted(_) => "WorkflowExecutionStarted".to_owned(),
            Self::WorkflowExecutionCompleted => "WorkflowExecutionCompleted".to_owned(),
            Self::WorkflowExecutionFailed => "WorkflowExecutionFailed".to_owned(),
            Self::WorkflowExecutionTimedOut => "WorkflowExecutionTimedOut".to_owned(),
            Self::WorkflowExecutionCanceled => "WorkflowExecutionCanceled".to_owned(),
            Self::WorkflowExecutionTerminated => "WorkflowExecutionTerminated".to_owned(),
            Self::WorkflowExecutionContinuedAsNew => "WorkflowExecutionContinuedAsNew".to_owned(),
            Self::WorkflowExecutionSignaled(signal) => format!("WorkflowExecutionSignaled ({:?})", signal.name),
            Self::WorkflowExecutionCancelRequested { .. } => "WorkflowExecutionCancelRequested".to_owned(),
            Self::WorkflowTaskScheduled => "WorkflowTaskScheduled".to_owned(),
            Self::WorkflowTaskStarted(_) => "WorkflowTaskStarted".to_owned(),
            Self::WorkflowTaskCompleted(_) => "WorkflowTaskCompleted".to_owned(),
            Self::WorkflowTaskFailed { cause, .. } => format!("WorkflowTaskFailed ({})", cause.as_str_name()),
            Self::WorkflowTaskTimedOut => "WorkflowTaskTimedOut".to_owned(),
            Self::ActivityTaskScheduled { activity_id, activity_type } => {
                format!("ActivityTaskScheduled (type {activity_type:?}, id {activity_id:?})")
            }
            Self::ActivityTaskStarted { scheduled_event_id } => about("ActivityTaskStarted", *scheduled_event_id),
            Self::ActivityTaskCompleted { scheduled_event_id, .. } => {
                about("ActivityTaskCompleted", *scheduled_event_id)
            }
            Self::ActivityTaskFailed { scheduled_event_id, .. } => about("ActivityTaskFailed", *scheduled_event_id),
            Self::ActivityTaskTimedOut { scheduled_event_id, .. } => about("ActivityTaskTimedOut", *scheduled_event_id),
            Self::ActivityTaskCancelRequested { scheduled_event_id } => {
                about("ActivityTaskCancelRequested", *scheduled_event_id)
            }
            Self::ActivityTaskCanceled { scheduled_event_id, .. } => about("ActivityTaskCanceled", *scheduled_event_id),
            Self::TimerStarted { timer_id } => format!("TimerStarted (id {timer_id:?})"),
            Self::TimerFired { started_event_id } => about("TimerFired", *started_event_id),
            Self::TimerCanceled { started_event_id } => about("TimerCanceled", *started_event_id),
            Self::Ignored(kind) => kind.as_str_name().to_owned(),
        }
    }
}

fn about(name: &str, event_id: i64) -> String {
    format!("{name} (of event {event_id})")
}

impl TryFrom<HistoryEvent> for Event {
    type Error = EventError;

    fn try_from(event: HistoryEvent) -> Result<Self, EventError> {
        let HistoryEvent { event_id: id, event_type: number, event_time, worker_may_ignore, attributes, .. } = event;
        let event_type = EventType::try_from(number).unwrap_or(EventType::Unspecified);
        // The server's word comes first: such an Event may be of any shape.
        if worker_may_ignore && !is_heard(event_type) {
            let time = event_time.map_or(SystemTime::UNIX_EPOCH, |time| to_system_time(&time));
            return Ok(Self { id, time, kind: EventKind::Ignored(event_type) });
        }
        let missing = |field| EventError::Missing { event_id: id, event_type: type_name(number), field };
        let time = to_system_time(event_time.as_ref().ok_or_else(|| missing("event_time"))?);
        if is_silent(event_type) {
            return Ok(Self { id, time, kind: EventKind::Ignored(event_type) });
        }
        if !is_heard(event_type) {
            return Err(EventError::Unsupported { event_id: id, event_type: type_name(number) });
        }
        let kind = decode(attributes.ok_or_else(|| missing("attributes"))?, &missing)?;
        let kind = kind.ok_or_else(|| missing("attributes of its type"))?;
        Ok(Self { id, time, kind })
    }
}

/// Events that a Run hears; `decode` has an arm for each.
fn is_heard(event_type: EventType) -> bool {
    use EventType as E;
    matches!(
        event_type,
        E::WorkflowExecutionStarted
            | E::WorkflowExecutionCompleted
            | E::WorkflowExecutionFailed
            | E::WorkflowExecutionTimedOut
            | E::WorkflowExecutionCanceled
            | E::WorkflowExecutionTerminated
            | E::WorkflowExecutionContinuedAsNew
            | E::WorkflowExecutionSignaled
            | E::WorkflowExecutionCancelRequested
            | E::WorkflowTaskScheduled
            | E::WorkflowTaskStarted
            | E::WorkflowTaskCompleted
            | E::WorkflowTaskFailed
            | E::WorkflowTaskTimedOut
            | E::ActivityTaskScheduled
            | E::ActivityTaskStarted
            | E::ActivityTaskCompleted
            | E::ActivityTaskFailed
            | E::ActivityTaskTimedOut
            | E::ActivityTaskCancelRequested
            | E::ActivityTaskCanceled
            | E::TimerStarted
            | E::TimerFired
            | E::TimerCanceled
    )
}

/// Events that are no Commands and change nothing for user code.
fn is_silent(event_type: EventType) -> bool {
    use EventType as E;
    matches!(
        event_type,
        E::WorkflowExecutionOptionsUpdated
            | E::WorkflowExecutionPaused
            | E::WorkflowExecutionUnpaused
            | E::WorkflowPropertiesModifiedExternally
            | E::ActivityPropertiesModifiedExternally
            | E::WorkflowExecutionTimeSkippingTransitioned
    )
}

fn decode(
    attributes: Attributes,
    missing: &dyn Fn(&'static str) -> EventError,
) -> Result<Option<EventKind>, EventError> {
    let kind = match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => {
            if started.workflow_type.is_none() {
                return Err(missing("workflow_type"));
            }
            EventKind::WorkflowExecutionStarted(Box::new(started))
        }
        Attributes::WorkflowExecutionCompletedEventAttributes(_) => EventKind::WorkflowExecutionCompleted,
        Attributes::WorkflowExecutionFailedEventAttributes(_) => EventKind::WorkflowExecutionFailed,
        Attributes::WorkflowExecutionTimedOutEventAttributes(_) => EventKind::WorkflowExecutionTimedOut,
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => EventKind::WorkflowExecutionCanceled,
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => EventKind::WorkflowExecutionTerminated,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => EventKind::WorkflowExecutionContinuedAsNew,
        Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
            EventKind::WorkflowExecutionSignaled(Signaled {
                name: signal.signal_name,
                input: list(signal.input),
                header: signal.header.unwrap_or_default(),
                identity: signal.identity,
            })
        }
        Attributes::WorkflowExecutionCancelRequestedEventAttributes(request) => {
            EventKind::WorkflowExecutionCancelRequested { reason: request.cause }
        }
        Attributes::WorkflowTaskScheduledEventAttributes(_) => EventKind::WorkflowTaskScheduled,
        Attributes::WorkflowTaskStartedEventAttributes(started) => {
            EventKind::WorkflowTaskStarted(task_started(&started))
        }
        Attributes::WorkflowTaskCompletedEventAttributes(completed) => {
            let metadata = completed.sdk_metadata.unwrap_or_default();
            EventKind::WorkflowTaskCompleted(WorkflowTaskCompleted {
                sdk_name: metadata.sdk_name,
                sdk_version: metadata.sdk_version,
                core_used_flags: metadata.core_used_flags,
                language_used_flags: metadata.lang_used_flags,
            })
        }
        Attributes::WorkflowTaskFailedEventAttributes(failed) => {
            EventKind::WorkflowTaskFailed { cause: failed.cause(), new_run_id: failed.new_run_id }
        }
        Attributes::WorkflowTaskTimedOutEventAttributes(_) => EventKind::WorkflowTaskTimedOut,
        Attributes::ActivityTaskScheduledEventAttributes(scheduled) => EventKind::ActivityTaskScheduled {
            activity_id: scheduled.activity_id,
            activity_type: scheduled.activity_type.ok_or_else(|| missing("activity_type"))?.name,
        },
        Attributes::ActivityTaskStartedEventAttributes(started) => {
            EventKind::ActivityTaskStarted { scheduled_event_id: started.scheduled_event_id }
        }
        Attributes::ActivityTaskCompletedEventAttributes(completed) => EventKind::ActivityTaskCompleted {
            scheduled_event_id: completed.scheduled_event_id,
            result: list(completed.result).into_iter().next(),
        },
        Attributes::ActivityTaskFailedEventAttributes(failed) => EventKind::ActivityTaskFailed {
            scheduled_event_id: failed.scheduled_event_id,
            closed: ActivityClosed {
                started_event_id: failed.started_event_id,
                retry_state: failed.retry_state(),
                identity: failed.identity,
                failure: failed.failure.ok_or_else(|| missing("failure"))?,
            },
        },
        Attributes::ActivityTaskTimedOutEventAttributes(timed_out) => EventKind::ActivityTaskTimedOut {
            scheduled_event_id: timed_out.scheduled_event_id,
            closed: ActivityClosed {
                started_event_id: timed_out.started_event_id,
                retry_state: timed_out.retry_state(),
                identity: String::new(),
                failure: timed_out.failure.ok_or_else(|| missing("failure"))?,
            },
        },
        Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
            EventKind::ActivityTaskCancelRequested { scheduled_event_id: request.scheduled_event_id }
        }
        Attributes::ActivityTaskCanceledEventAttributes(canceled) => EventKind::ActivityTaskCanceled {
            scheduled_event_id: canceled.scheduled_event_id,
            started_event_id: canceled.started_event_id,
            identity: canceled.identity,
            details: list(canceled.details),
        },
        Attributes::TimerStartedEventAttributes(started) => EventKind::TimerStarted { timer_id: started.timer_id },
        Attributes::TimerFiredEventAttributes(fired) => {
            EventKind::TimerFired { started_event_id: fired.started_event_id }
        }
        Attributes::TimerCanceledEventAttributes(canceled) => {
            EventKind::TimerCanceled { started_event_id: canceled.started_event_id }
        }
        _ => return Ok(None),
    };
    Ok(Some(kind))
}

fn task_started(started: &WorkflowTaskStartedEventAttributes) -> WorkflowTaskStarted {
    WorkflowTaskStarted {
        history_bytes: u64::try_from(started.history_size_bytes).unwrap_or(0),
        continue_as_new_suggested: started.suggest_continue_as_new,
        continue_as_new_reasons: started.suggest_continue_as_new_reasons().collect(),
    }
}

fn list(payloads: Option<Payloads>) -> Vec<Payload> {
    payloads.map(|payloads| payloads.payloads).unwrap_or_default()
}

fn type_name(number: i32) -> String {
    EventType::try_from(number).map_or_else(|_| format!("number {number}"), |known| known.as_str_name().to_owned())
}

/// Times before 1970 and beyond what `SystemTime` holds become 1970: they are no times that a server records.
fn to_system_time(time: &Timestamp) -> SystemTime {
    u64::try_from(time.seconds)
        .ok()
        .zip(u32::try_from(time.nanos).ok())
        .filter(|(_, nanos)| *nanos < 1_000_000_000)
        .and_then(|(seconds, nanos)| SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos)))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
