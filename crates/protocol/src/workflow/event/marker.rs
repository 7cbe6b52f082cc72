//! Markers: what a worker notes in a history for itself. The server only keeps them.
//!
//! Local Activities and patches are written as the SDKs on Temporal's shared core write them (Rust, Python, TypeScript, .NET,
//! Ruby), integer versions and side effects as the Go SDK writes them, so that each can replay the other's histories. Mutable
//! side effects have Go's names, but not its numbers, which only its own way of counting Commands could give.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use timewright_proto::command::RecordMarkerCommandAttributes;
use timewright_proto::common::{Payload, Payloads};
use timewright_proto::failure::Failure;
use timewright_proto::history::MarkerRecordedEventAttributes;

/// A marker that this SDK can read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Marker {
    /// The outcome of a Local Activity.
    LocalActivity(Box<LocalActivityMarker>),
    /// The code has a patch.
    Patch {
        /// The patch.
        patch_id: String,
        /// The code from before the patch is gone.
        deprecated: bool,
    },
    /// The code follows this version of a change.
    Version {
        /// The change.
        change_id: String,
        /// The version.
        version: i32,
        /// The search attribute `TemporalChangeVersion` was changed, too, with the next Command.
        search_attribute_updated: bool,
    },
    /// A value from outside.
    SideEffect {
        /// Its number.
        sequence: u32,
        /// The value.
        value: Option<Payload>,
    },
    /// The new value of something outside that changes.
    MutableSideEffect {
        /// What it is the value of.
        id: String,
        /// Which call for this id found that it had changed, counted from 1.
        call: u32,
        /// The value.
        value: Option<Payload>,
    },
    /// One that nobody here wrote.
    Other {
        /// The marker's name.
        name: String,
    },
}

/// The outcome of a Local Activity, as noted in a history.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalActivityMarker {
    /// Its number.
    pub sequence: u32,
    /// The attempt with this outcome.
    pub attempt: u32,
    /// Its id.
    pub activity_id: String,
    /// Its type.
    pub activity_type: String,
    /// When it ended. `None` where user code cancelled it and did not wait.
    pub complete_time: Option<SystemTime>,
    /// It is to be tried again after this time, over a durable timer.
    pub backoff: Option<Duration>,
    /// When its first attempt was scheduled.
    pub original_schedule_time: Option<SystemTime>,
    /// In which Activation of its Workflow Task user code heard of it, counted from 0. Old histories do not say it.
    pub activation_index: Option<u64>,
    /// Its result, or its failure.
    pub outcome: Result<Option<Payload>, Box<Failure>>,
}

impl Marker {
    /// Reads a marker; where it cannot be read, what is wrong with it.
    pub(super) fn read(attributes: MarkerRecordedEventAttributes) -> Result<Self, &'static str> {
        let MarkerRecordedEventAttributes { marker_name, mut details, failure, .. } = attributes;
        match marker_name.as_str() {
            LOCAL_ACTIVITY => {
                let data = json(&details, "data").ok_or("details `data`")?;
                let result = details.remove("result").and_then(|result| result.payloads.into_iter().next());
                let outcome = failure.map_or(Ok(result), |failure| Err(Box::new(failure)));
                read_local_activity(&data, outcome).map(|marker| Self::LocalActivity(Box::new(marker)))
            }
            PATCH => match json(&details, "patch-data") {
                Some(data) => Ok(Self::Patch {
                    patch_id: text(&data, "id").ok_or("a patch id")?,
                    deprecated: data.get("deprecated").and_then(Value::as_bool).unwrap_or(false),
                }),
                None => read_old_patch(&details),
            },
            VERSION => Ok(Self::Version {
                change_id: json(&details, "change-id")
                    .and_then(|id| Some(id.as_str()?.to_owned()))
                    .ok_or("a change id")?,
                version: json(&details, "version")
                    .and_then(|version| version.as_i64()?.try_into().ok())
                    .ok_or("a version")?,
                search_attribute_updated: json(&details, "version-search-attribute-updated")
                    .and_then(|updated| updated.as_bool())
                    .unwrap_or(false),
            }),
            SIDE_EFFECT => Ok(Self::SideEffect {
                sequence: json(&details, "side-effect-id")
                    .and_then(|id| id.as_u64()?.try_into().ok())
                    .ok_or("a side effect id")?,
                value: details.remove("data").and_then(|data| data.payloads.into_iter().next()),
            }),
            MUTABLE_SIDE_EFFECT => Ok(Self::MutableSideEffect {
                id: json(&details, "side-effect-id")
                    .and_then(|id| Some(id.as_str()?.to_owned()))
                    .ok_or("a side effect id")?,
                call: json(&details, "mutable-side-effect-call-counter")
                    .and_then(|call| call.as_u64()?.try_into().ok())
                    .ok_or("a number of the call")?,
                value: details.remove("data").and_then(|data| data.payloads.into_iter().next()),
            }),
            _ => Ok(Self::Other { name: marker_name }),
        }
    }

    /// Writes a marker.
    pub(crate) fn write(self) -> RecordMarkerCommandAttributes {
        let mut failure = None;
        let (name, details) = match self {
            Self::LocalActivity(marker) => {
                let mut details = vec![("data", json_text(write_local_activity(&marker)))];
                match marker.outcome {
                    Ok(result) => details.extend(result.map(|result| ("result", result))),
                    Err(failed) => failure = Some(*failed),
                }
                (LOCAL_ACTIVITY, details)
            }
            Self::Patch { patch_id, deprecated } => {
                (PATCH, vec![("patch-data", json_payload(&json!({ "id": patch_id, "deprecated": deprecated })))])
            }
            Self::Version { change_id, version, search_attribute_updated } => {
                let details = vec![
                    ("change-id", json_payload(&json!(change_id))),
                    ("version", json_payload(&json!(version))),
                    ("version-search-attribute-updated", json_payload(&json!(search_attribute_updated))),
                ];
                (VERSION, details)
            }
            Self::SideEffect { sequence, value } => {
                let mut details = vec![("side-effect-id", json_payload(&json!(sequence)))];
                details.extend(value.map(|value| ("data", value)));
                (SIDE_EFFECT, details)
            }
            Self::MutableSideEffect { id, call, value } => {
                let mut details = vec![
                    ("side-effect-id", json_payload(&json!(id))),
                    ("mutable-side-effect-call-counter", json_payload(&json!(call))),
                ];
                details.extend(value.map(|value| ("data", value)));
                (MUTABLE_SIDE_EFFECT, details)
            }
            Self::Other { name } => {
                return RecordMarkerCommandAttributes { marker_name: name, ..RecordMarkerCommandAttributes::default() };
            }
        };
        let details = details.into_iter().map(|(key, payload)| (key.to_owned(), Payloads { payloads: vec![payload] }));
        RecordMarkerCommandAttributes {
            marker_name: name.to_owned(),
            details: details.collect(),
            header: None,
            failure,
        }
    }

    /// The marker and what tells it from others, as an error text shows it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::LocalActivity(marker) => {
                describe_local_activity(&marker.activity_type, &marker.activity_id, marker.sequence)
            }
            Self::Patch { patch_id, .. } => describe_patch(patch_id),
            Self::Version { change_id, version, .. } => describe_version(change_id, *version),
            Self::SideEffect { sequence, .. } => describe_side_effect(*sequence),
            Self::MutableSideEffect { id, call, .. } => describe_mutable_side_effect(id, *call),
            Self::Other { name } => format!("RecordMarker ({name:?})"),
        }
    }
}

/// The same words for what is recorded and for what is issued.
pub(crate) fn describe_local_activity(activity_type: &str, activity_id: &str, sequence: u32) -> String {
    format!("the marker of a Local Activity (type {activity_type:?}, id {activity_id:?}, number {sequence})")
}

pub(crate) fn describe_patch(patch_id: &str) -> String {
    format!("the marker of a patch (id {patch_id:?})")
}

pub(crate) fn describe_version(change_id: &str, version: i32) -> String {
    format!("the marker of a version (change {change_id:?}, version {version})")
}

pub(crate) fn describe_side_effect(sequence: u32) -> String {
    format!("the marker of a side effect (number {sequence})")
}

pub(crate) fn describe_mutable_side_effect(id: &str, call: u32) -> String {
    format!("the marker of a mutable side effect (id {id:?}, call {call})")
}

fn read_local_activity(
    data: &Value,
    outcome: Result<Option<Payload>, Box<Failure>>,
) -> Result<LocalActivityMarker, &'static str> {
    let number = |key| data.get(key).and_then(|number: &Value| number.as_u64()?.try_into().ok());
    Ok(LocalActivityMarker {
        sequence: number("seq").ok_or("a number")?,
        attempt: number("attempt").unwrap_or(1).max(1),
        activity_id: text(data, "activity_id").ok_or("an activity id")?,
        activity_type: text(data, "activity_type").ok_or("an activity type")?,
        complete_time: span(data, "complete_time").and_then(since_1970),
        backoff: span(data, "backoff"),
        original_schedule_time: span(data, "original_schedule_time").and_then(since_1970),
        activation_index: data.get("activation_index").and_then(Value::as_u64),
        outcome,
    })
}

/// Written directly: a workflow may have thousands of Local Activities, and a tree of values first takes three times as long.
fn write_local_activity(marker: &LocalActivityMarker) -> String {
    let LocalActivityMarker { sequence, attempt, activity_id, activity_type, .. } = marker;
    let span = |span: Option<Duration>| match span {
        Some(span) => format!(r#"{{"nanos":{},"seconds":{}}}"#, span.subsec_nanos(), span.as_secs()),
        None => "null".to_owned(),
    };
    let time = |time: Option<SystemTime>| span(time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()));
    let (backoff, complete_time) = (span(marker.backoff), time(marker.complete_time));
    let original_schedule_time = time(marker.original_schedule_time);
    let [activation_index, activity_id, activity_type] =
        [json!(marker.activation_index), json!(activity_id), json!(activity_type)];
    format!(
        r#"{{"activation_index":{activation_index},"activity_id":{activity_id},"activity_type":{activity_type},"attempt":{attempt},"backoff":{backoff},"complete_time":{complete_time},"original_schedule_time":{original_schedule_time},"seq":{sequence}}}"#
    )
}

/// As it was written before 2023.
fn read_old_patch(details: &BTreeMap<String, Payloads>) -> Result<Marker, &'static str> {
    let bytes =
        |key| details.get(key).and_then(|payloads: &Payloads| payloads.payloads.first()).map(|it| it.data.clone());
    let patch_id = bytes("patch_id").and_then(|id| String::from_utf8(id.into()).ok()).ok_or("details `patch-data`")?;
    let deprecated = bytes("deprecated").and_then(|flag| flag.first().copied()).unwrap_or(0) != 0;
    Ok(Marker::Patch { patch_id, deprecated })
}

fn json(details: &BTreeMap<String, Payloads>, key: &str) -> Option<Value> {
    serde_json::from_slice(&details.get(key)?.payloads.first()?.data).ok()
}

fn text(data: &Value, key: &str) -> Option<String> {
    Some(data.get(key)?.as_str()?.to_owned())
}

fn span(data: &Value, key: &str) -> Option<Duration> {
    let span = data.get(key)?;
    let nanos = span.get("nanos")?.as_u64()?.try_into().ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(span.get("seconds")?.as_u64()?, nanos))
}

fn since_1970(span: Duration) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(span)
}

/// A value as one Payload, for people who read it in the Web UI.
pub(crate) fn json_payload(value: &Value) -> Payload {
    json_text(value.to_string())
}

fn json_text(text: String) -> Payload {
    Payload {
        metadata: BTreeMap::from([("encoding".to_owned(), "json/plain".into())]),
        data: text.into(),
        ..Payload::default()
    }
}

const LOCAL_ACTIVITY: &str = "core_local_activity";
const PATCH: &str = "core_patch";
const VERSION: &str = "Version";
const SIDE_EFFECT: &str = "SideEffect";
const MUTABLE_SIDE_EFFECT: &str = "MutableSideEffect";

#[cfg(test)]
mod tests {
    use super::*;

    /// What a marker becomes when it is written, recorded and read.
    fn recorded(marker: Marker) -> Result<Marker, &'static str> {
        let RecordMarkerCommandAttributes { marker_name, details, header, failure } = marker.write();
        Marker::read(MarkerRecordedEventAttributes {
            marker_name,
            details,
            header,
            failure,
            ..MarkerRecordedEventAttributes::default()
        })
    }

    #[test]
    fn what_is_written_is_read() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5);
        let value = json_payload(&json!("value"));
        let local_activity = LocalActivityMarker {
            sequence: 3,
            attempt: 2,
            activity_id: "3".into(),
            activity_type: "charge".into(),
            complete_time: Some(time),
            backoff: Some(Duration::from_millis(90_500)),
            original_schedule_time: Some(time),
            activation_index: Some(1),
            outcome: Ok(Some(value.clone())),
        };
        let failed = LocalActivityMarker {
            outcome: Err(Box::new(Failure { message: "no money".into(), ..Failure::default() })),
            complete_time: None,
            backoff: None,
            activation_index: None,
            ..local_activity.clone()
        };
        let returned_nothing = LocalActivityMarker { outcome: Ok(None), ..local_activity.clone() };
        for marker in [
            Marker::LocalActivity(Box::new(local_activity)),
            Marker::LocalActivity(Box::new(failed)),
            Marker::LocalActivity(Box::new(returned_nothing)),
            Marker::Patch { patch_id: "p".into(), deprecated: true },
            Marker::Version { change_id: "c".into(), version: -1, search_attribute_updated: true },
            Marker::SideEffect { sequence: 7, value: Some(value.clone()) },
            Marker::MutableSideEffect { id: "limit".into(), call: 3, value: Some(value) },
            Marker::Other { name: "mine".into() },
        ] {
            assert_eq!(recorded(marker.clone()), Ok(marker));
        }
    }

    #[test]
    fn old_patches_are_read() {
        let payload =
            |data: &'static [u8]| Payloads { payloads: vec![Payload { data: data.into(), ..Payload::default() }] };
        let attributes = MarkerRecordedEventAttributes {
            marker_name: PATCH.into(),
            details: BTreeMap::from([("patch_id".into(), payload(b"p")), ("deprecated".into(), payload(&[1]))]),
            ..MarkerRecordedEventAttributes::default()
        };
        assert_eq!(Marker::read(attributes), Ok(Marker::Patch { patch_id: "p".into(), deprecated: true }));
    }

    #[test]
    fn markers_that_cannot_be_read_say_what_is_missing() {
        let read = |name: &str| {
            let attributes =
                MarkerRecordedEventAttributes { marker_name: name.into(), ..MarkerRecordedEventAttributes::default() };
            Marker::read(attributes).unwrap_err()
        };
        assert_eq!(read(LOCAL_ACTIVITY), "details `data`");
        assert_eq!(read(PATCH), "details `patch-data`");
        assert_eq!(read(VERSION), "a change id");
        assert_eq!(read(SIDE_EFFECT), "a side effect id");
        assert_eq!(read(MUTABLE_SIDE_EFFECT), "a side effect id");
    }
}
