//! Histories to replay, as a server would have written them.

use timewright_proto::common::{ActivityType, Payload, Payloads, WorkflowExecution, WorkflowType};
use timewright_proto::enums::EventType;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::*;
use timewright_proto::prost_types::Timestamp;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::{Bytes, Message};

/// A workflow that executes activities one after the other, in about so many Events; on the wire. Each activity gives a text of so
/// many bytes.
pub fn sequential_activities(events: usize, result_bytes: usize) -> Vec<u8> {
    let activities = activities(events);
    let result = format!("\"{}\"", "x".repeat(result_bytes));
    let mut scribe = Scribe::default();
    let execution = WorkflowExecution { workflow_id: "replayed".to_owned(), run_id: RUN_ID.to_owned() };
    let started = WorkflowExecutionStartedEventAttributes {
        workflow_type: Some(WorkflowType { name: "activities_in_sequence".to_owned() }),
        workflow_id: execution.workflow_id,
        task_queue: Some(TaskQueue { name: "replay".to_owned(), ..TaskQueue::default() }),
        input: Some(json(&activities.to_string())),
        original_execution_run_id: execution.run_id.clone(),
        first_execution_run_id: execution.run_id,
        attempt: 1,
        ..WorkflowExecutionStartedEventAttributes::default()
    };
    scribe.write(
        EventType::WorkflowExecutionStarted,
        Attributes::WorkflowExecutionStartedEventAttributes(started.into()),
    );
    let mut task = scribe.write_task();
    for number in 1..=activities {
        let scheduled = ActivityTaskScheduledEventAttributes {
            activity_id: number.to_string(),
            activity_type: Some(ActivityType { name: "echo".to_owned() }),
            task_queue: Some(TaskQueue { name: "replay".to_owned(), ..TaskQueue::default() }),
            input: Some(json("\"hello\"")),
            workflow_task_completed_event_id: task,
            ..ActivityTaskScheduledEventAttributes::default()
        };
        let scheduled_event_id = scribe.write(
            EventType::ActivityTaskScheduled,
            Attributes::ActivityTaskScheduledEventAttributes(scheduled.into()),
        );
        let started = ActivityTaskStartedEventAttributes {
            scheduled_event_id,
            identity: "worker".to_owned(),
            attempt: 1,
            ..ActivityTaskStartedEventAttributes::default()
        };
        let started_event_id = scribe
            .write(EventType::ActivityTaskStarted, Attributes::ActivityTaskStartedEventAttributes(started.into()));
        let completed = ActivityTaskCompletedEventAttributes {
            result: Some(json(&result)),
            scheduled_event_id,
            started_event_id,
            identity: "worker".to_owned(),
            ..ActivityTaskCompletedEventAttributes::default()
        };
        scribe.write(
            EventType::ActivityTaskCompleted,
            Attributes::ActivityTaskCompletedEventAttributes(completed.into()),
        );
        task = scribe.write_task();
    }
    let completed = WorkflowExecutionCompletedEventAttributes {
        result: Some(json("null")),
        workflow_task_completed_event_id: task,
        ..WorkflowExecutionCompletedEventAttributes::default()
    };
    scribe.write(
        EventType::WorkflowExecutionCompleted,
        Attributes::WorkflowExecutionCompletedEventAttributes(completed.into()),
    );
    History { events: scribe.0 }.encode_to_vec()
}

/// How many activities a history of about so many Events has.
pub fn activities(events: usize) -> usize {
    (events / EVENTS_OF_AN_ACTIVITY).max(1)
}

#[derive(Default)]
struct Scribe(Vec<HistoryEvent>);

impl Scribe {
    fn write(&mut self, event_type: EventType, attributes: Attributes) -> i64 {
        let event_id = self.0.len() as i64 + 1;
        self.0.push(HistoryEvent {
            event_id,
            event_time: Some(Timestamp { seconds: 1_700_000_000 + event_id, nanos: 0 }),
            event_type: event_type.into(),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        });
        event_id
    }

    /// The id of the Event with which the task is completed.
    fn write_task(&mut self) -> i64 {
        let scheduled = WorkflowTaskScheduledEventAttributes { attempt: 1, ..Default::default() };
        let scheduled_event_id = self.write(
            EventType::WorkflowTaskScheduled,
            Attributes::WorkflowTaskScheduledEventAttributes(scheduled.into()),
        );
        let started = WorkflowTaskStartedEventAttributes {
            scheduled_event_id,
            identity: "worker".to_owned(),
            request_id: format!("task-{scheduled_event_id}"),
            ..Default::default()
        };
        let started_event_id =
            self.write(EventType::WorkflowTaskStarted, Attributes::WorkflowTaskStartedEventAttributes(started.into()));
        let completed = WorkflowTaskCompletedEventAttributes {
            scheduled_event_id,
            started_event_id,
            identity: "worker".to_owned(),
            ..Default::default()
        };
        self.write(EventType::WorkflowTaskCompleted, Attributes::WorkflowTaskCompletedEventAttributes(completed.into()))
    }
}

fn json(text: &str) -> Payloads {
    let metadata = [("encoding".to_owned(), Bytes::from_static(b"json/plain"))].into();
    Payloads { payloads: vec![Payload { metadata, data: text.to_owned().into(), ..Payload::default() }] }
}

const EVENTS_OF_AN_ACTIVITY: usize = 6;
const RUN_ID: &str = "3f1c4a0e-5b0e-4a43-9a2b-6f6b8f6f2a10";
