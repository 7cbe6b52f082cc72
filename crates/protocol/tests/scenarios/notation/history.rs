//! Histories as rows of words: `WES WFT ATS AST ATC WFT*`.

use std::collections::BTreeMap;

use timewright_proto::Bytes;
use timewright_proto::common::{ActivityType, Payload, Payloads, WorkflowType};
use timewright_proto::enums::{EventType, RetryState, SuggestContinueAsNewReason, WorkflowTaskFailedCause};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure, TimeoutFailureInfo};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::*;
use timewright_proto::prost_types::Timestamp;
use timewright_proto::temporal::api::sdk::v1::WorkflowTaskCompletedMetadata;
use timewright_proto::to_duration;
use timewright_protocol::workflow::{Completion, HistoryPage, SDK_NAME};

use super::local;

/// Event 7 is recorded at second 7, and the history has 700 bytes then.
pub(crate) const BYTES_PER_EVENT: i64 = 100;

/// A history as the server has it, and what of it comes with the task.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pages: Vec<Vec<HistoryEvent>>,
    /// The page and the place in it where that which comes with the task begins.
    delivered: (usize, usize),
    /// Goes on writing.
    scribe: Scribe,
}

impl Recorded {
    /// Each page; all of the first comes with the task.
    pub(crate) fn in_pages(pages: Vec<Vec<HistoryEvent>>) -> Self {
        let mut recorded = Self { pages, delivered: (0, 0), scribe: Scribe::default() };
        recorded.scribe.last_id = recorded.last_id();
        recorded
    }

    /// Reads the words of a history; see [`super`].
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scribe = Scribe::default();
        let mut pages = Vec::new();
        let mut delivered = (0, 0);
        for word in words {
            match word {
                "|" => pages.push(std::mem::take(&mut scribe.events)),
                "/" => delivered = (pages.len(), scribe.events.len()),
                event => scribe.write(event),
            }
        }
        pages.push(std::mem::take(&mut scribe.events));
        Self { pages, delivered, scribe }
    }

    /// Writes the answer to the last task down: its completion, and the record of its Commands.
    pub(super) fn complete(&mut self, completion: &Completion) {
        self.go_on("WTC");
        for command in &completion.commands {
            self.scribe.record(command, &completion.messages);
        }
        self.pages.last_mut().expect("a page").append(&mut self.scribe.events);
    }

    /// Writes one more word down.
    pub(super) fn go_on(&mut self, word: &str) {
        self.scribe.write(word);
        self.pages.last_mut().expect("a page").append(&mut self.scribe.events);
    }

    /// With the next task comes what is behind this Event.
    pub(super) fn deliver_behind(&mut self, id: i64) {
        assert_eq!(self.pages.len(), 1, "only what is in one page goes on");
        self.delivered = (0, usize::try_from(id).expect("ids count from 1"));
    }

    pub(super) fn last_id(&self) -> i64 {
        self.events().last().map_or(0, |event| event.event_id)
    }

    /// What comes with the task.
    pub(crate) fn with_task(&self) -> HistoryPage {
        let (page, place) = self.delivered;
        let mut delivered = self.page(page);
        delivered.events.drain(..place);
        delivered
    }

    /// What the server answers to a request for history.
    pub(crate) fn fetched(&self, token: &Bytes) -> HistoryPage {
        match token.is_empty() {
            true => self.page(0),
            false => self.page(page_number(token) - 1),
        }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &HistoryEvent> {
        self.pages.iter().flatten()
    }

    /// The last `WorkflowTaskStarted`, and the last that was completed.
    pub(crate) fn started(&self) -> (i64, i64) {
        let (mut last, mut completed) = (0, 0);
        for event in self.events() {
            match event.event_type() {
                EventType::WorkflowTaskStarted => last = event.event_id,
                EventType::WorkflowTaskCompleted => completed = last,
                _ => (),
            }
        }
        (last, completed)
    }

    fn page(&self, index: usize) -> HistoryPage {
        let events = self.pages.get(index).expect("a page that a token named").clone();
        let next_page_token = match index + 1 < self.pages.len() {
            true => format!("page {}", index + 2).into(),
            false => Bytes::new(),
        };
        HistoryPage { events, next_page_token }
    }
}

/// Counts from 1.
fn page_number(token: &Bytes) -> usize {
    let token = std::str::from_utf8(token).expect("a token of ours");
    token.strip_prefix("page ").and_then(|number| number.parse().ok()).expect("a token of ours")
}

/// Writes Events with consecutive ids, each with the right references to those before.
#[derive(Debug, Clone, Default)]
pub(super) struct Scribe {
    events: Vec<HistoryEvent>,
    last_id: i64,
    /// The Event that scheduled the activity of this id.
    scheduled: BTreeMap<String, i64>,
    /// The Event at which it was started.
    activity_started: BTreeMap<String, i64>,
    /// The Event that started the timer of this id.
    timers: BTreeMap<String, i64>,
    /// The Events with which other operations began.
    others: BTreeMap<String, i64>,
    task_scheduled: i64,
    task_started: i64,
}

impl Scribe {
    /// `NAME` or `NAME(argument,argument)`; `#9` goes on at Event 9.
    pub(super) fn write(&mut self, word: &str) {
        if let Some(id) = word.strip_prefix('#') {
            self.last_id = id.parse::<i64>().expect("a number behind #") - 1;
            return;
        }
        let (name, arguments) = match word.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').expect("a closing parenthesis")),
            None => (word, ""),
        };
        let arguments: Vec<&str> = arguments.split(',').filter(|argument| !argument.is_empty()).collect();
        let names: &[&str] = match name {
            "WFT" => &["WTS", "WTSt", "WTC"],
            "WFT*" => &["WTS", "WTSt"],
            _ => &[name],
        };
        for name in names {
            self.event(name, &arguments);
        }
    }

    fn event(&mut self, name: &str, arguments: &[&str]) {
        self.last_id += 1;
        let (event_type, attributes) = self.attributes(name, arguments);
        self.push(event_type, attributes, arguments.contains(&"ignorable"));
    }

    /// An Event with attributes from elsewhere.
    pub(super) fn write_event(&mut self, event_type: EventType, attributes: Attributes) {
        self.last_id += 1;
        self.push(event_type.into(), Some(attributes), false);
    }

    fn push(&mut self, event_type: i32, attributes: Option<Attributes>, worker_may_ignore: bool) {
        self.events.push(HistoryEvent {
            event_id: self.last_id,
            event_time: Some(Timestamp { seconds: self.last_id, nanos: 0 }),
            event_type,
            worker_may_ignore,
            attributes,
            ..HistoryEvent::default()
        });
    }

    fn attributes(&mut self, name: &str, arguments: &[&str]) -> (i32, Option<Attributes>) {
        use Attributes as A;
        use EventType as E;
        let id = self.last_id;
        let first = arguments.first().copied();
        let key = first.unwrap_or("1").to_owned();
        let (event_type, attributes) = match name {
            "WES" => (E::WorkflowExecutionStarted, A::WorkflowExecutionStartedEventAttributes(started(first).into())),
            "WEC" => (E::WorkflowExecutionCompleted, A::WorkflowExecutionCompletedEventAttributes(Default::default())),
            "WEF" => (E::WorkflowExecutionFailed, A::WorkflowExecutionFailedEventAttributes(Default::default())),
            "WECd" => (E::WorkflowExecutionCanceled, A::WorkflowExecutionCanceledEventAttributes(Default::default())),
            "CAN" => (
                E::WorkflowExecutionContinuedAsNew,
                A::WorkflowExecutionContinuedAsNewEventAttributes(Default::default()),
            ),
            "WETm" => {
                (E::WorkflowExecutionTerminated, A::WorkflowExecutionTerminatedEventAttributes(Default::default()))
            }
            "WETO" => (E::WorkflowExecutionTimedOut, A::WorkflowExecutionTimedOutEventAttributes(Default::default())),
            "SIG" => (
                E::WorkflowExecutionSignaled,
                A::WorkflowExecutionSignaledEventAttributes(
                    WorkflowExecutionSignaledEventAttributes {
                        signal_name: first.unwrap_or("go").to_owned(),
                        ..Default::default()
                    }
                    .into(),
                ),
            ),
            "WECR" => (
                E::WorkflowExecutionCancelRequested,
                A::WorkflowExecutionCancelRequestedEventAttributes(
                    WorkflowExecutionCancelRequestedEventAttributes {
                        cause: first.unwrap_or_default().to_owned(),
                        ..Default::default()
                    }
                    .into(),
                ),
            ),
            "WTS" => {
                self.task_scheduled = id;
                (E::WorkflowTaskScheduled, A::WorkflowTaskScheduledEventAttributes(Default::default()))
            }
            "WTSt" => {
                self.task_started = id;
                (E::WorkflowTaskStarted, A::WorkflowTaskStartedEventAttributes(self.task_started(first).into()))
            }
            "WTC" => (
                E::WorkflowTaskCompleted,
                A::WorkflowTaskCompletedEventAttributes(self.task_completed(arguments).into()),
            ),
            "WTF" => (E::WorkflowTaskFailed, A::WorkflowTaskFailedEventAttributes(self.task_failed(first).into())),
            "WTO" => (
                E::WorkflowTaskTimedOut,
                A::WorkflowTaskTimedOutEventAttributes(
                    WorkflowTaskTimedOutEventAttributes {
                        scheduled_event_id: self.task_scheduled,
                        started_event_id: self.task_started,
                        ..Default::default()
                    }
                    .into(),
                ),
            ),
            "ATS" => {
                self.scheduled.insert(key.clone(), id);
                let name = arguments.get(1).copied().unwrap_or("charge").to_owned();
                let scheduled = ActivityTaskScheduledEventAttributes {
                    activity_id: key,
                    activity_type: Some(ActivityType { name }),
                    workflow_task_completed_event_id: self.task_started + 1,
                    ..Default::default()
                };
                (E::ActivityTaskScheduled, A::ActivityTaskScheduledEventAttributes(scheduled.into()))
            }
            "AST" => {
                let started = ActivityTaskStartedEventAttributes {
                    scheduled_event_id: reference(&self.scheduled, &key),
                    ..Default::default()
                };
                self.activity_started.insert(key, id);
                (E::ActivityTaskStarted, A::ActivityTaskStartedEventAttributes(started.into()))
            }
            "ATC" => {
                let completed = ActivityTaskCompletedEventAttributes {
                    scheduled_event_id: reference(&self.scheduled, &key),
                    started_event_id: self.activity_started(&key),
                    result: payloads("done"),
                    ..Default::default()
                };
                (E::ActivityTaskCompleted, A::ActivityTaskCompletedEventAttributes(completed.into()))
            }
            "ATF" => {
                let failed = ActivityTaskFailedEventAttributes {
                    scheduled_event_id: reference(&self.scheduled, &key),
                    started_event_id: self.activity_started(&key),
                    failure: Some(declined()),
                    identity: "an activity worker".to_owned(),
                    retry_state: RetryState::NonRetryableFailure.into(),
                    ..Default::default()
                };
                (E::ActivityTaskFailed, A::ActivityTaskFailedEventAttributes(failed.into()))
            }
            "ATTO" => {
                let timed_out = ActivityTaskTimedOutEventAttributes {
                    scheduled_event_id: reference(&self.scheduled, &key),
                    started_event_id: self.activity_started(&key),
                    failure: Some(timed_out()),
                    retry_state: RetryState::Timeout.into(),
                };
                (E::ActivityTaskTimedOut, A::ActivityTaskTimedOutEventAttributes(timed_out.into()))
            }
            "ATCR" => {
                let request = ActivityTaskCancelRequestedEventAttributes {
                    scheduled_event_id: reference(&self.scheduled, &key),
                    workflow_task_completed_event_id: self.task_started + 1,
                };
                (E::ActivityTaskCancelRequested, A::ActivityTaskCancelRequestedEventAttributes(request.into()))
            }
            "ATCd" => {
                let canceled = ActivityTaskCanceledEventAttributes {
                    scheduled_event_id: reference(&self.scheduled, &key),
                    started_event_id: self.activity_started(&key),
                    details: payloads("half done"),
                    identity: "an activity worker".to_owned(),
                    ..Default::default()
                };
                (E::ActivityTaskCanceled, A::ActivityTaskCanceledEventAttributes(canceled.into()))
            }
            "TS" => {
                self.timers.insert(key.clone(), id);
                let started = TimerStartedEventAttributes { timer_id: key, ..Default::default() };
                (E::TimerStarted, A::TimerStartedEventAttributes(started.into()))
            }
            "TF" => {
                let started_event_id = reference(&self.timers, &key);
                let fired = TimerFiredEventAttributes { timer_id: key, started_event_id };
                (E::TimerFired, A::TimerFiredEventAttributes(fired.into()))
            }
            "TCd" => {
                let started_event_id = reference(&self.timers, &key);
                let canceled = TimerCanceledEventAttributes { timer_id: key, started_event_id, ..Default::default() };
                (E::TimerCanceled, A::TimerCanceledEventAttributes(canceled.into()))
            }
            "LAM" => (
                E::MarkerRecorded,
                A::MarkerRecordedEventAttributes(local::marker(arguments, self.task_started).into()),
            ),
            "OPT" => (
                E::WorkflowExecutionOptionsUpdated,
                A::WorkflowExecutionOptionsUpdatedEventAttributes(Default::default()),
            ),
            "UNKNOWN" => return (9999, None),
            other => super::operations::event(other, arguments, id, &mut self.others)
                .unwrap_or_else(|| panic!("{other:?} is no Event of this notation; see notation.rs")),
        };
        (event_type.into(), Some(attributes))
    }

    fn task_started(&self, argument: Option<&str>) -> WorkflowTaskStartedEventAttributes {
        let suggest_continue_as_new = match argument {
            None => false,
            Some("suggest") => true,
            Some(other) => panic!("a Workflow Task is not started {other:?}"),
        };
        WorkflowTaskStartedEventAttributes {
            scheduled_event_id: self.task_scheduled,
            history_size_bytes: self.last_id * BYTES_PER_EVENT,
            suggest_continue_as_new,
            suggest_continue_as_new_reasons: suggest_continue_as_new
                .then_some(SuggestContinueAsNewReason::HistorySizeTooLarge.into())
                .into_iter()
                .collect(),
            ..Default::default()
        }
    }

    /// Without arguments, or the SDK's name, its version and a flag.
    fn task_completed(&self, arguments: &[&str]) -> WorkflowTaskCompletedEventAttributes {
        let argument = |index: usize| arguments.get(index).copied().unwrap_or_default().to_owned();
        let sdk_metadata = WorkflowTaskCompletedMetadata {
            sdk_name: argument(0),
            sdk_version: argument(1),
            // Those of the shared core that ours notes, too.
            core_used_flags: if argument(0) == SDK_NAME { vec![1, 2, 3] } else { Vec::new() },
            lang_used_flags: arguments
                .get(2)
                .map(|flag| flag.parse().expect("a flag is a number"))
                .into_iter()
                .collect(),
        };
        WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: self.task_scheduled,
            started_event_id: self.task_started,
            sdk_metadata: (!arguments.is_empty()).then_some(sdk_metadata),
            ..Default::default()
        }
    }

    fn task_failed(&self, argument: Option<&str>) -> WorkflowTaskFailedEventAttributes {
        let (cause, new_run_id) = match argument {
            None => (WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, ""),
            Some("reset") => (WorkflowTaskFailedCause::ResetWorkflow, "the run that the reset made"),
            Some(other) => panic!("a Workflow Task does not fail because of {other:?}"),
        };
        WorkflowTaskFailedEventAttributes {
            scheduled_event_id: self.task_scheduled,
            started_event_id: self.task_started,
            cause: cause.into(),
            new_run_id: new_run_id.to_owned(),
            ..Default::default()
        }
    }

    fn activity_started(&self, key: &str) -> i64 {
        self.activity_started.get(key).copied().unwrap_or(0)
    }
}

/// The Event that an operation of this id began with; `@9` is Event 9, whatever that is.
fn reference(begun: &BTreeMap<String, i64>, key: &str) -> i64 {
    match key.strip_prefix('@') {
        Some(id) => id.parse().expect("a number behind @"),
        None => *begun.get(key).unwrap_or_else(|| panic!("nothing of id {key:?} has begun; write @9 to mean event 9")),
    }
}

/// Started in a run of this name first, before any reset; or with this timeout of its Workflow Tasks.
fn started(argument: Option<&str>) -> WorkflowExecutionStartedEventAttributes {
    let task_timeout = argument.and_then(|argument| argument.strip_prefix("timeout=")).map(local::seconds);
    let original_run_id = argument.filter(|_| task_timeout.is_none());
    WorkflowExecutionStartedEventAttributes {
        workflow_task_timeout: task_timeout.map(to_duration),
        workflow_type: Some(WorkflowType { name: "order".to_owned() }),
        input: payloads("order 7"),
        original_execution_run_id: original_run_id.unwrap_or_default().to_owned(),
        ..Default::default()
    }
}

fn declined() -> Failure {
    Failure {
        message: "card declined".to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: "CardDeclined".to_owned(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn timed_out() -> Failure {
    Failure {
        message: "activity StartToClose timeout".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo::default())),
        ..Default::default()
    }
}

fn payloads(text: &str) -> Option<Payloads> {
    Some(Payloads { payloads: vec![Payload { data: Bytes::copy_from_slice(text.as_bytes()), ..Default::default() }] })
}
