//! Activations, Commands and answers as lines of text.

use std::time::{Duration, SystemTime};

use timewright_proto::command::Command as WireCommand;
use timewright_proto::command::RecordMarkerCommandAttributes;
use timewright_proto::command::command::Attributes;
use timewright_proto::enums::EventType;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::history::history_event::Attributes as EventAttributes;
use timewright_proto::history::{HistoryEvent, MarkerRecordedEventAttributes};
use timewright_proto::prost_types::Timestamp;
use timewright_protocol::workflow::{
    AbandonReason, Activation, Completion, Event, EventKind, EvictionReason, Job, Marker, QueryAnswer, Resolution,
    TaskFailure,
};

use super::history::BYTES_PER_EVENT;
use super::local::since_1970;
use super::operations;

/// How much to show.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Show {
    /// Messages and details.
    pub(crate) texts: bool,
    /// What a completion notes about the SDK.
    pub(crate) sdk: bool,
    /// Which pages are fetched is not shown.
    pub(crate) no_fetches: bool,
}

impl Show {
    /// `7 live: Signal go; FireTimer 1`: at the Workflow Task that Event 7 started.
    pub(crate) fn activation(self, activation: &Activation) -> String {
        let length = activation.history_length;
        assert_eq!(
            activation.history_bytes,
            length * BYTES_PER_EVENT.unsigned_abs(),
            "as many bytes as the server said"
        );
        let mode = if activation.replaying { "replaying" } else { "live" };
        let jobs: Vec<_> = activation.jobs.iter().map(|job| self.job(job)).collect();
        // Now is when the task started; later where a Local Activity has ended.
        let later = match activation.time == SystemTime::UNIX_EPOCH + Duration::from_secs(length) {
            true => String::new(),
            false => format!(" at {}s", since_1970(activation.time)),
        };
        let mut line = format!("{length} {mode}{later}: {}", jobs.join("; "));
        if activation.continue_as_new_suggested {
            let reasons: Vec<_> =
                activation.continue_as_new_reasons.iter().map(|reason| reason.as_str_name()).collect();
            line.push_str(&format!(" (continue as new suggested: {})", reasons.join(", ")));
        }
        line
    }

    fn job(self, job: &Job) -> String {
        match job {
            Job::Initialize(start) if self.texts => format!(
                "Initialize {} of workflow {} run {}, seed {:x}, started at {} with {}",
                start.workflow_type,
                start.workflow_id,
                start.run_id,
                start.random_seed,
                start.start_time.duration_since(SystemTime::UNIX_EPOCH).expect("a time of ours").as_secs(),
                payloads(&start.arguments),
            ),
            Job::Initialize(_) => "Initialize".to_owned(),
            Job::UpdateRandomSeed { seed } if self.texts => format!("UpdateRandomSeed {seed:x}"),
            Job::UpdateRandomSeed { .. } => "UpdateRandomSeed".to_owned(),
            Job::Signal { name, .. } => format!("Signal {name}"),
            Job::RequestCancellation { reason } if self.texts => format!("RequestCancellation {reason:?}"),
            Job::RequestCancellation { .. } => "RequestCancellation".to_owned(),
            Job::FireTimer { sequence } => format!("FireTimer {sequence}"),
            Job::ResolveActivity { sequence, resolution } => {
                format!("ResolveActivity {sequence} {}", self.resolution(resolution))
            }
            Job::ResolveLocalActivity { sequence, resolution } => {
                format!("ResolveLocalActivity {sequence} {}", self.local_resolution(resolution))
            }
            Job::Query(query) => format!("Query {}", query.name),
            other => operations::job(self, other)
                .unwrap_or_else(|| panic!("a job that this notation does not know: {other:?}")),
        }
    }

    pub(super) fn resolution(self, resolution: &Resolution) -> String {
        match resolution {
            Resolution::Completed(result) if self.texts => {
                format!("completed with {}", payloads(result.as_slice()))
            }
            Resolution::Completed(_) => "completed".to_owned(),
            Resolution::Failed(failure) => self.failed(failure),
            Resolution::Cancelled(failure) => self.cancelled(failure),
        }
    }

    pub(super) fn failed(self, failure: &Failure) -> String {
        if self.texts { format!("failed: {}", chain(failure)) } else { "failed".to_owned() }
    }

    pub(super) fn cancelled(self, failure: &Failure) -> String {
        if self.texts { format!("cancelled: {}", chain(failure)) } else { "cancelled".to_owned() }
    }

    /// `StartTimer 1, ScheduleActivityTask 1 charge`, then what the Queries were answered.
    pub(crate) fn completion(self, completion: &Completion) -> String {
        let commands: Vec<_> = completion.commands.iter().map(|issued| self.command(issued)).collect();
        let mut line = if commands.is_empty() { "nothing".to_owned() } else { commands.join(", ") };
        if !completion.messages.is_empty() {
            let messages: Vec<_> = completion.messages.iter().map(|message| message.id.as_str()).collect();
            line.push_str(&format!("; says {}", messages.join(", ")));
        }
        if completion.force_new_task {
            line.push_str("; asks for the next task");
        }
        for (id, answer) in &completion.query_answers {
            line.push_str(&format!("; {id} {}", self.answer(answer)));
        }
        if let Some(sdk) = completion.sdk.as_ref().filter(|_| self.sdk) {
            line.push_str(&format!("; notes {} {}", sdk.name, sdk.version));
        }
        line
    }

    pub(crate) fn answer(self, answer: &QueryAnswer) -> String {
        match answer {
            QueryAnswer::Succeeded(_) => "answered".to_owned(),
            QueryAnswer::Failed(failure) if self.texts => format!("refused: {}", chain(failure)),
            QueryAnswer::Failed(_) => "refused".to_owned(),
        }
    }

    pub(crate) fn task_failure(self, failed: &TaskFailure) -> String {
        let cause = failed.cause.as_str_name().trim_start_matches("WORKFLOW_TASK_FAILED_CAUSE_");
        match self.texts {
            true => format!("{cause}: {}", chain(&failed.failure)),
            false => cause.to_owned(),
        }
    }

    pub(crate) fn abandoned(self, reason: &AbandonReason) -> String {
        match reason {
            AbandonReason::FailedAgain { attempt, message, .. } if self.texts => {
                format!("failed again on attempt {attempt}: {message}")
            }
            AbandonReason::FailedAgain { attempt, .. } => format!("failed again on attempt {attempt}"),
            AbandonReason::Superseded => "superseded".to_owned(),
            AbandonReason::Evicted => "evicted".to_owned(),
        }
    }

    pub(crate) fn eviction(self, reason: EvictionReason) -> &'static str {
        match reason {
            EvictionReason::Closed => "closed",
            EvictionReason::CacheFull => "cache full",
            EvictionReason::TaskFailed => "task failed",
            EvictionReason::CompletionNotTaken => "completion not taken",
            EvictionReason::HistoryMismatch => "history mismatch",
            EvictionReason::Unused => "unused",
            EvictionReason::Requested => "requested",
        }
    }
}

impl Show {
    fn command(self, command: &WireCommand) -> String {
        let attributes = command.attributes.as_ref().expect("a Command has attributes");
        let kind = command.command_type().as_str_name().trim_start_matches("COMMAND_TYPE_").to_owned();
        let (name, details) = match attributes {
            Attributes::StartTimerCommandAttributes(start) => ("StartTimer", start.timer_id.clone()),
            Attributes::CancelTimerCommandAttributes(cancel) => ("CancelTimer", cancel.timer_id.clone()),
            Attributes::ScheduleActivityTaskCommandAttributes(schedule) => {
                let name = schedule.activity_type.as_ref().map(|activity_type| activity_type.name.as_str());
                ("ScheduleActivityTask", format!("{} {}", schedule.activity_id, name.unwrap_or_default()))
            }
            Attributes::RequestCancelActivityTaskCommandAttributes(cancel) => {
                ("RequestCancelActivityTask", format!("of {}", cancel.scheduled_event_id))
            }
            Attributes::CompleteWorkflowExecutionCommandAttributes(_) => ("CompleteWorkflowExecution", String::new()),
            Attributes::FailWorkflowExecutionCommandAttributes(_) => ("FailWorkflowExecution", String::new()),
            Attributes::CancelWorkflowExecutionCommandAttributes(_) => ("CancelWorkflowExecution", String::new()),
            Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(_) => {
                ("ContinueAsNewWorkflowExecution", String::new())
            }
            Attributes::RecordMarkerCommandAttributes(record) => ("RecordMarker", self.marker(record)),
            other => operations::wire(other)
                .unwrap_or_else(|| panic!("a Command that this notation does not know: {other:?}")),
        };
        assert_eq!(kind.replace('_', "").to_lowercase(), name.to_lowercase(), "type and attributes of a Command agree");
        format!("{name} {details}").trim_end().to_owned()
    }

    /// As the word for its Event.
    fn marker(self, record: &RecordMarkerCommandAttributes) -> String {
        let RecordMarkerCommandAttributes { marker_name, details, header, failure } = record.clone();
        let recorded = MarkerRecordedEventAttributes {
            marker_name,
            details,
            header,
            failure,
            ..MarkerRecordedEventAttributes::default()
        };
        let event = HistoryEvent {
            event_id: 1,
            event_time: Some(Timestamp::default()),
            event_type: EventType::MarkerRecorded.into(),
            attributes: Some(EventAttributes::MarkerRecordedEventAttributes(recorded.into())),
            ..HistoryEvent::default()
        };
        match Event::try_from(event).expect("a marker that can be read").kind {
            EventKind::MarkerRecorded(Marker::LocalActivity(marker)) => self.local_marker(&marker),
            _ => record.marker_name.clone(),
        }
    }
}

/// A failure and its causes.
pub(super) fn chain(failure: &Failure) -> String {
    let details = match &failure.failure_info {
        Some(FailureInfo::ActivityFailureInfo(info)) => format!(
            " [activity {} {}, scheduled at {}, started at {} by {:?}, {}]",
            info.activity_id,
            info.activity_type.as_ref().map(|activity_type| activity_type.name.as_str()).unwrap_or_default(),
            info.scheduled_event_id,
            info.started_event_id,
            info.identity,
            info.retry_state().as_str_name().trim_start_matches("RETRY_STATE_"),
        ),
        Some(FailureInfo::CanceledFailureInfo(info)) => {
            format!(" [cancelled with {}]", payloads(&info.details.clone().unwrap_or_default().payloads))
        }
        Some(FailureInfo::ApplicationFailureInfo(info)) => format!(" [{}]", info.r#type),
        Some(FailureInfo::TimeoutFailureInfo(_)) => " [timeout]".to_owned(),
        Some(FailureInfo::TerminatedFailureInfo(_)) => " [terminated]".to_owned(),
        Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)) => {
            let execution = info.workflow_execution.clone().unwrap_or_default();
            format!(
                " [child {} {} run {:?}, initiated at {}, started at {}, {}]",
                execution.workflow_id,
                info.workflow_type.as_ref().map(|workflow_type| workflow_type.name.as_str()).unwrap_or_default(),
                execution.run_id,
                info.initiated_event_id,
                info.started_event_id,
                info.retry_state().as_str_name().trim_start_matches("RETRY_STATE_"),
            )
        }
        Some(FailureInfo::NexusOperationExecutionFailureInfo(info)) => format!(
            " [operation {} of {} at {}, scheduled at {}, token {:?}]",
            info.operation, info.service, info.endpoint, info.scheduled_event_id, info.operation_token
        ),
        Some(other) => panic!("a failure that this notation does not know: {other:?}"),
        None => String::new(),
    };
    match &failure.cause {
        Some(cause) => format!("{}{details} ← {}", failure.message, chain(cause)),
        None => format!("{}{details}", failure.message),
    }
}

pub(super) fn payloads(payloads: &[timewright_proto::common::Payload]) -> String {
    let texts: Vec<_> = payloads.iter().map(|payload| String::from_utf8_lossy(&payload.data).into_owned()).collect();
    if texts.is_empty() { "nothing".to_owned() } else { format!("{texts:?}") }
}
