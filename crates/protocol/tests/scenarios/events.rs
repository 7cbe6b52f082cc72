//! Events decoded: which are records of Commands, which say nothing, which cannot be understood.

use std::time::{Duration, SystemTime};

use timewright_proto::enums::EventType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::prost_types::Timestamp;
use timewright_protocol::workflow::{Event, EventKind};

use crate::notation::events;

/// How the Events of a row are decoded, a line each.
#[track_caller]
fn check(words: &str, expected: &str) {
    let actual: Vec<String> = events(words).into_iter().map(decoded).collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(actual, expected);
}

fn decoded(event: HistoryEvent) -> String {
    match Event::try_from(event) {
        Ok(Event { kind: EventKind::Ignored(event_type), .. }) => format!("ignored: {}", event_type.as_str_name()),
        Ok(event) if event.kind.is_command() => format!("command: {}", event.kind.describe()),
        Ok(event) => format!("news: {}", event.kind.describe()),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn which_events_are_records_of_commands() {
    check(
        "WES WTS WTSt WTC ATS(invoice-7) ATCR(invoice-7) TS TCd WEC WEF WECd CAN",
        "news: WorkflowExecutionStarted
         news: WorkflowTaskScheduled
         news: WorkflowTaskStarted
         news: WorkflowTaskCompleted
         command: ActivityTaskScheduled (type \"charge\", id \"invoice-7\")
         command: ActivityTaskCancelRequested (of event 5)
         command: TimerStarted (id \"1\")
         command: TimerCanceled (of event 7)
         command: WorkflowExecutionCompleted
         command: WorkflowExecutionFailed
         command: WorkflowExecutionCanceled
         command: WorkflowExecutionContinuedAsNew",
    );
    check(
        "ATS AST ATC ATF ATTO ATCd TS TF SIG WECR WTF WTO WETm WETO",
        "command: ActivityTaskScheduled (type \"charge\", id \"1\")
         news: ActivityTaskStarted (of event 1)
         news: ActivityTaskCompleted (of event 1)
         news: ActivityTaskFailed (of event 1)
         news: ActivityTaskTimedOut (of event 1)
         news: ActivityTaskCanceled (of event 1)
         command: TimerStarted (id \"1\")
         news: TimerFired (of event 7)
         news: WorkflowExecutionSignaled (\"go\")
         news: WorkflowExecutionCancelRequested
         news: WorkflowTaskFailed (WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE)
         news: WorkflowTaskTimedOut
         news: WorkflowExecutionTerminated
         news: WorkflowExecutionTimedOut",
    );
}

#[test]
fn h15_unknown_events_with_and_without_leave_to_ignore_them() {
    check(
        "OPT UNKNOWN UNKNOWN(ignorable)",
        "ignored: EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
         error: event 2 is of type number 9999, which this version of Timewright does not support; workflows that use it need a newer version
         ignored: EVENT_TYPE_UNSPECIFIED",
    );
}

/// An Event that is heard is heard, whether or not others might ignore it.
#[test]
fn h15_leave_to_ignore_an_event_that_is_known_is_not_taken() {
    let mut signal = events("SIG").remove(0);
    signal.worker_may_ignore = true;
    assert_eq!(decoded(signal), "news: WorkflowExecutionSignaled (\"go\")");
}

#[test]
fn h15_an_event_that_may_be_ignored_may_be_of_any_shape() {
    let shapeless =
        |event_type: i32| HistoryEvent { event_id: 5, event_type, worker_may_ignore: true, ..HistoryEvent::default() };
    assert_eq!(decoded(shapeless(9999)), "ignored: EVENT_TYPE_UNSPECIFIED");
    assert_eq!(
        decoded(shapeless(EventType::TimerFired.into())),
        "error: event 5 (EVENT_TYPE_TIMER_FIRED) has no event_time: the history is damaged, or not from a Temporal Server",
    );
}

#[test]
fn what_must_be_there_and_is_not() {
    let damaged = |word: &str, damage: fn(&mut HistoryEvent)| {
        let mut event = events(&format!("ATS TS {word}")).pop().expect("an event");
        damage(&mut event);
        decoded(event)
    };
    let text = |event: &str, field: &str| {
        format!("error: event 3 ({event}) has no {field}: the history is damaged, or not from a Temporal Server")
    };
    for word in ["WES", "SIG", "WTC", "ATC", "TF"] {
        let event_type = events(&format!("ATS TS {word}"))[2].event_type().as_str_name();
        assert_eq!(damaged(word, |event| event.event_time = None), text(event_type, "event_time"));
        assert_eq!(damaged(word, |event| event.attributes = None), text(event_type, "attributes"));
    }
    let activity_type = damaged("ATS", |event| match &mut event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => scheduled.activity_type = None,
        other => panic!("{other:?}"),
    });
    assert_eq!(activity_type, text("EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", "activity_type"));
    let workflow_type = damaged("WES", |event| match &mut event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started.workflow_type = None,
        other => panic!("{other:?}"),
    });
    assert_eq!(workflow_type, text("EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "workflow_type"));
    let failure = damaged("ATF", |event| match &mut event.attributes {
        Some(Attributes::ActivityTaskFailedEventAttributes(failed)) => failed.failure = None,
        other => panic!("{other:?}"),
    });
    assert_eq!(failure, text("EVENT_TYPE_ACTIVITY_TASK_FAILED", "failure"));
    let failure = damaged("ATTO", |event| match &mut event.attributes {
        Some(Attributes::ActivityTaskTimedOutEventAttributes(timed_out)) => timed_out.failure = None,
        other => panic!("{other:?}"),
    });
    assert_eq!(failure, text("EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT", "failure"));
}

/// The type says one thing, the attributes another.
#[test]
fn attributes_of_another_type() {
    let mut event = events("SIG").remove(0);
    event.attributes = events("TS").remove(0).attributes;
    assert_eq!(
        decoded(event),
        "error: event 1 (EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) has no attributes of its type: the history is damaged, or not \
         from a Temporal Server",
    );
}

#[test]
fn times_that_no_server_records_are_1970() {
    for (seconds, nanos, expected) in [
        (7, 500, Duration::new(7, 500)),
        (0, 0, Duration::ZERO),
        (-1, 0, Duration::ZERO),
        (7, -1, Duration::ZERO),
        (7, 1_000_000_000, Duration::ZERO),
    ] {
        let mut event = events("WTS").remove(0);
        event.event_time = Some(Timestamp { seconds, nanos });
        let time = Event::try_from(event).expect("an event").time;
        assert_eq!(time, SystemTime::UNIX_EPOCH + expected, "{seconds} s, {nanos} ns");
    }
}
