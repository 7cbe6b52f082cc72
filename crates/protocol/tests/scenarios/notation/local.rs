//! Local Activities: the words for their Commands, their attempts, their markers and what user code hears of them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use timewright_proto::common::{Payload, Payloads, RetryPolicy};
use timewright_proto::enums::TimeoutType;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, CanceledFailureInfo, Failure, TimeoutFailureInfo};
use timewright_proto::history::MarkerRecordedEventAttributes;
use timewright_proto::to_duration;
use timewright_protocol::workflow::{
    ActivityCancellationType, LocalActivityMarker, LocalActivityOutcome, LocalActivityResolution,
    ScheduleLocalActivity, StartLocalActivity,
};

use super::code::failure;
use super::render::{Show, chain, payloads};

/// The deed `local 1 …`.
pub(super) fn schedule(sequence: u32, options: &[&str]) -> ScheduleLocalActivity {
    let mut schedule = ScheduleLocalActivity {
        sequence,
        activity_type: "charge".to_owned(),
        start_to_close_timeout: Some(Duration::from_secs(60)),
        ..ScheduleLocalActivity::default()
    };
    for option in options {
        let retry = || RetryPolicy::default();
        match option.split_once('=').unwrap_or((option, "")) {
            ("wait", "") => schedule.cancellation_type = ActivityCancellationType::WaitCancellationCompleted,
            ("abandon", "") => schedule.cancellation_type = ActivityCancellationType::Abandon,
            ("untimed", "") => schedule.start_to_close_timeout = None,
            ("type", name) => schedule.activity_type = name.to_owned(),
            ("id", id) => schedule.activity_id = Some(id.to_owned()),
            ("timeout", span) => schedule.schedule_to_close_timeout = Some(seconds(span)),
            ("queue", span) => schedule.schedule_to_start_timeout = Some(seconds(span)),
            ("threshold", span) => schedule.local_retry_threshold = seconds(span),
            ("attempt", attempt) => schedule.attempt = attempt.parse().expect("an attempt is a number"),
            ("since", time) => schedule.original_schedule_time = Some(SystemTime::UNIX_EPOCH + seconds(time)),
            ("attempts", count) => {
                let count = count.parse().expect("a number of attempts");
                schedule.retry_policy.get_or_insert_with(retry).maximum_attempts = count;
            }
            ("interval", span) => {
                schedule.retry_policy.get_or_insert_with(retry).initial_interval = Some(to_duration(seconds(span)));
            }
            _ => panic!("{option:?} is no option of a Local Activity in this notation"),
        }
    }
    schedule
}

/// What `> local 1 …` says of an attempt.
pub(super) fn outcome(words: &[&str]) -> LocalActivityOutcome {
    match words {
        ["completes"] => LocalActivityOutcome::Completed(Some(payload("done"))),
        ["returns", "nothing"] => LocalActivityOutcome::Completed(None),
        ["fails"] => LocalActivityOutcome::Failed(Box::new(failed(false))),
        ["fails", "for", "good"] => LocalActivityOutcome::Failed(Box::new(failed(true))),
        ["panics"] => LocalActivityOutcome::Failed(Box::new(failure("the activity panicked"))),
        ["times", "out"] => LocalActivityOutcome::TimedOut(TimeoutType::StartToClose),
        ["waits", "too", "long"] => LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToStart),
        ["takes", "too", "long"] => LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToClose),
        ["is", "cancelled"] => LocalActivityOutcome::Cancelled { details: vec![payload("half done")] },
        _ => panic!("an attempt of a Local Activity does not end so in this notation: {words:?}"),
    }
}

/// `LAM(number,outcome,options)`, written as the SDKs on Temporal's shared core write it.
pub(super) fn marker(arguments: &[&str], task_started: i64) -> MarkerRecordedEventAttributes {
    let mut number = "1";
    let mut fields = Fields::default();
    let task_started = format!("{{\"seconds\":{task_started},\"nanos\":0}}");
    let mut result = Some(payload("done"));
    let mut failure = None;
    let (mut complete_time, mut scheduled) = (task_started.clone(), task_started);
    for argument in arguments {
        match argument.split_once('=').unwrap_or((argument, "")) {
            ("nothing", "") => result = None,
            ("failed", "") => failure = Some(failed(false)),
            ("failed-for-good", "") => failure = Some(failed(true)),
            ("timed-out", "") => failure = Some(timed_out(TimeoutType::StartToClose)),
            ("cancelled", "") => failure = Some(cancelled()),
            // As it is written where user code has cancelled it without waiting.
            ("cancelled-at-once", "") => {
                failure = Some(cancelled());
                complete_time = "null".to_owned();
                fields.attempt = "0";
            }
            ("type", name) => fields.activity_type = name,
            ("id", id) => fields.activity_id = id,
            ("attempt", attempt) => fields.attempt = attempt,
            ("at", time) => complete_time = span(time),
            ("since", time) => scheduled = span(time),
            ("backoff", time) => fields.backoff = span(time),
            (index, "") if index.starts_with('i') => fields.activation_index = &index[1..],
            (plain, "") if plain.chars().all(|digit| digit.is_ascii_digit()) => number = plain,
            _ => panic!("{argument:?} says nothing about the marker of a Local Activity in this notation"),
        }
    }
    let id = if fields.activity_id.is_empty() { number } else { fields.activity_id };
    let data = format!(
        "{{\"seq\":{number},\"attempt\":{},\"activity_id\":\"{id}\",\"activity_type\":\"{}\",\
         \"complete_time\":{complete_time},\"backoff\":{},\"original_schedule_time\":{scheduled}{}}}",
        fields.attempt,
        fields.activity_type,
        fields.backoff,
        match fields.activation_index {
            "" => String::new(),
            index => format!(",\"activation_index\":{index}"),
        },
    );
    let mut data = payload(&data);
    data.metadata.insert("encoding".to_owned(), "json/plain".into());
    let mut details = BTreeMap::from([("data".to_owned(), Payloads { payloads: vec![data] })]);
    if let Some(result) = result.filter(|_| failure.is_none()) {
        details.insert("result".to_owned(), Payloads { payloads: vec![result] });
    }
    MarkerRecordedEventAttributes {
        marker_name: "core_local_activity".to_owned(),
        details,
        failure,
        ..MarkerRecordedEventAttributes::default()
    }
}

/// The fields of a marker, as JSON.
struct Fields<'a> {
    attempt: &'a str,
    activity_id: &'a str,
    activity_type: &'a str,
    backoff: String,
    activation_index: &'a str,
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Self {
            attempt: "1",
            activity_id: "",
            activity_type: "charge",
            backoff: "null".to_owned(),
            activation_index: "",
        }
    }
}

impl Show {
    /// `local 1 charge`, then the attempt, if it is not the first, and the delay, if there is one.
    pub(super) fn start(self, start: &StartLocalActivity) -> String {
        let mut line = format!("start local {} {}", start.sequence, start.activity_type);
        if start.attempt > 1 {
            line.push_str(&format!(", attempt {}", start.attempt));
        }
        if start.delay > Duration::ZERO {
            line.push_str(&format!(", in {}s", start.delay.as_secs_f64()));
        }
        if self.texts {
            let scheduled = since_1970(start.original_schedule_time);
            line.push_str(&format!(", id {}, scheduled at {scheduled}s", start.activity_id));
            for (name, span) in [
                ("schedule-to-close", start.schedule_to_close_timeout),
                ("schedule-to-start", start.schedule_to_start_timeout),
                ("start-to-close", start.start_to_close_timeout),
            ] {
                line.extend(span.map(|span| format!(", {name} {}s", span.as_secs_f64())));
            }
        }
        line
    }

    /// As the word of the notation; with `texts` also the times.
    pub(super) fn local_marker(self, marker: &LocalActivityMarker) -> String {
        let mut word = format!("LAM({}", marker.sequence);
        word.push_str(match &marker.outcome {
            Ok(Some(_)) => "",
            Ok(None) => ",nothing",
            Err(failure) => match &failure.failure_info {
                Some(FailureInfo::CanceledFailureInfo(_)) if marker.complete_time.is_none() => ",cancelled-at-once",
                Some(FailureInfo::CanceledFailureInfo(_)) => ",cancelled",
                Some(FailureInfo::TimeoutFailureInfo(_)) => ",timed-out",
                Some(FailureInfo::ApplicationFailureInfo(info)) if info.non_retryable => ",failed-for-good",
                _ => ",failed",
            },
        });
        if marker.attempt > 1 {
            word.push_str(&format!(",attempt={}", marker.attempt));
        }
        word.extend(marker.backoff.map(|backoff| format!(",backoff={}s", backoff.as_secs_f64())));
        word.extend(marker.activation_index.map(|index| format!(",i{index}")));
        if self.texts {
            word.extend(marker.complete_time.map(|time| format!(",at={}s", since_1970(time))));
            word.extend(marker.original_schedule_time.map(|time| format!(",since={}s", since_1970(time))));
        }
        word.push(')');
        word
    }

    pub(super) fn local_resolution(self, resolution: &LocalActivityResolution) -> String {
        match resolution {
            LocalActivityResolution::Completed(result) if self.texts => {
                format!("completed with {}", payloads(result.as_slice()))
            }
            LocalActivityResolution::Completed(_) => "completed".to_owned(),
            LocalActivityResolution::Failed(failure) if self.texts => format!("failed: {}", chain(failure)),
            LocalActivityResolution::Failed(_) => "failed".to_owned(),
            LocalActivityResolution::Cancelled(failure) if self.texts => format!("cancelled: {}", chain(failure)),
            LocalActivityResolution::Cancelled(_) => "cancelled".to_owned(),
            LocalActivityResolution::Backoff(backoff) => format!(
                "backs off {}s, attempt {} since {}s",
                backoff.delay.as_secs_f64(),
                backoff.attempt,
                since_1970(backoff.original_schedule_time)
            ),
        }
    }
}

fn failed(non_retryable: bool) -> Failure {
    let info = ApplicationFailureInfo {
        r#type: "CardDeclined".to_owned(),
        non_retryable,
        ..ApplicationFailureInfo::default()
    };
    Failure { failure_info: Some(FailureInfo::ApplicationFailureInfo(info)), ..failure("card declined") }
}

fn timed_out(timeout_type: TimeoutType) -> Failure {
    let info = TimeoutFailureInfo { timeout_type: timeout_type.into(), ..TimeoutFailureInfo::default() };
    Failure { failure_info: Some(FailureInfo::TimeoutFailureInfo(info)), ..failure("Activity timed out") }
}

fn cancelled() -> Failure {
    let info = CanceledFailureInfo::default();
    Failure { failure_info: Some(FailureInfo::CanceledFailureInfo(info)), ..failure("Activity cancelled") }
}

fn payload(text: &str) -> Payload {
    Payload { data: text.to_owned().into(), ..Payload::default() }
}

/// `90s`, `1.5s`.
pub(super) fn seconds(word: &str) -> Duration {
    let seconds = word.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or_else(|| panic!("{word:?} is no time, such as 1.5s")))
}

/// Seconds since 1970, as histories of this notation count.
pub(super) fn since_1970(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).expect("a time of ours").as_secs_f64()
}

/// As a marker has it.
fn span(word: &str) -> String {
    let span = seconds(word);
    format!("{{\"seconds\":{},\"nanos\":{}}}", span.as_secs(), span.subsec_nanos())
}
