//! Whatever a server or a proxy makes of an Activity Task: it is answered once, with a text, and the worker goes on.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use proptest::prelude::*;
use support::{FakeServer, Text, failure, payload, seconds, task, value, while_running};
use timewright_activity_worker::{ActivityContext, ActivityError, ActivityWorker};
use timewright_converter::{
    ApplicationFailure, BoxFuture, CodecError, DataConverter, Failure, FailureConverter, Payload, PayloadCodec,
};
use timewright_proto::common::{Header, Payloads, Priority, RetryPolicy};
use timewright_proto::workflow_service::{
    PollActivityTaskQueueResponse, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};
use timewright_proto::{Bytes, Message, failure as proto, prost_types};

async fn echo(context: ActivityContext, text: String) -> Result<String, ActivityError> {
    // What the previous attempt left is of whatever type.
    let _ = context.previous_heartbeat_details::<u64>();
    Ok(text)
}

type Damage = fn(&mut PollActivityTaskQueueResponse);

const BELOW_ZERO: Option<prost_types::Duration> = Some(prost_types::Duration { seconds: i64::MIN, nanos: i32::MIN });
const NO_TIME: Option<prost_types::Timestamp> = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: i32::MAX });

/// Each field missing, or wrong, and what people read then; nothing where the task can be executed all the same.
const DAMAGES: &[(&str, Damage)] = &[
    ("`activity_type` is missing", |task| task.activity_type = None),
    ("`activity_id` is missing", |task| task.activity_id.clear()),
    ("`attempt` is missing", |task| task.attempt = 0),
    ("`attempt` is out of range", |task| task.attempt = i32::MIN),
    ("`workflow_execution` is missing", |task| task.workflow_execution = None),
    ("`workflow_execution.run_id` is missing", |task| task.workflow_execution.as_mut().unwrap().run_id.clear()),
    ("`workflow_type` is missing", |task| task.workflow_type = None),
    ("`scheduled_time` is missing", |task| task.scheduled_time = None),
    ("`scheduled_time` is out of range", |task| task.scheduled_time = NO_TIME),
    ("`current_attempt_scheduled_time` is missing", |task| task.current_attempt_scheduled_time = None),
    ("`current_attempt_scheduled_time` is out of range", |task| task.current_attempt_scheduled_time = NO_TIME),
    ("`started_time` is missing", |task| task.started_time = None),
    ("`started_time` is out of range", |task| task.started_time = NO_TIME),
    ("`schedule_to_close_timeout` is out of range", |task| task.schedule_to_close_timeout = BELOW_ZERO),
    ("`start_to_close_timeout` is out of range", |task| task.start_to_close_timeout = BELOW_ZERO),
    ("`heartbeat_timeout` is out of range", |task| task.heartbeat_timeout = BELOW_ZERO),
    ("`retry_policy.initial_interval` is out of range", |task| {
        task.retry_policy = Some(RetryPolicy { initial_interval: BELOW_ZERO, ..RetryPolicy::default() });
    }),
    ("`retry_policy.maximum_interval` is out of range", |task| {
        task.retry_policy = Some(RetryPolicy { maximum_interval: BELOW_ZERO, ..RetryPolicy::default() });
    }),
    ("no activity `Nobody's` is registered", |task| task.activity_type.as_mut().unwrap().name = "Nobody's".into()),
    ("the input of activity `Text` cannot be read", |task| task.input = None),
    ("the input of activity `Text` cannot be read", |task| {
        task.input.as_mut().unwrap().payloads[0].metadata.clear();
    }),
    ("the input of activity `Text` cannot be read", |task| {
        task.input.as_mut().unwrap().payloads[0].data = Bytes::from_static(b"\xff\"");
    }),
    ("the input of activity `Text` cannot be read", |task| {
        task.input.as_mut().unwrap().payloads.push(payload("one too many"));
    }),
    ("the result of activity `Text` has 3000036 bytes", |task| {
        task.input = Some(Payloads { payloads: vec![payload(&"x".repeat(3_000_000))] });
    }),
    ("", |task| task.workflow_namespace.clear()),
    ("", |task| task.header = Some(Header { fields: [("x".repeat(1000), payload(&"x".repeat(1_000_000)))].into() })),
    ("", |task| task.heartbeat_details = Some(Payloads { payloads: vec![payload("no number")] })),
    ("", |task| task.attempt = i32::MAX),
    ("", |task| task.start_to_close_timeout = seconds(u64::MAX >> 1)),
    ("", |task| task.heartbeat_timeout = Some(prost_types::Duration { seconds: 0, nanos: 1 })),
    ("", |task| {
        let priority = Priority { priority_key: i32::MIN, fairness_key: "x".repeat(1000), fairness_weight: f32::NAN };
        task.priority = Some(priority);
    }),
    ("", |task| {
        let policy =
            RetryPolicy { backoff_coefficient: f64::NAN, maximum_attempts: i32::MIN, ..RetryPolicy::default() };
        task.retry_policy = Some(policy);
    }),
];

#[tokio::test(start_paused = true)]
async fn each_field_that_is_missing_or_wrong_fails_its_task_and_nothing_else() {
    let server = FakeServer::new();
    while_running(server.worker().activity(Text, echo), async {
        for (number, (text, damage)) in (1..).zip(DAMAGES) {
            let mut damaged = task("Text", "hello".to_owned());
            damage(&mut damaged);
            damaged.task_token = format!("damaged {number}").into();
            server.give(damaged);
            server.wait_for_answer(&format!("damaged {number}")).await;
            let failed = server.sent::<RespondActivityTaskFailedRequest>().pop();
            let failure = failed.map(|(_, request)| failure(request).to_string()).unwrap_or_default();
            assert!(failure.contains(text) && failure.is_empty() == text.is_empty(), "{number}: {failure}");
            server.forget();
        }
        server.give(task("Text", "hello".to_owned()));
        let done = server.wait_for::<RespondActivityTaskCompletedRequest>(1).await.remove(0);
        assert_eq!(value::<String>(done.result), "hello");
    })
    .await;
}

/// A task some of whose bytes are others; `None` where that is no message any more, which no worker gets to see.
fn scrambled(edits: &[(prop::sample::Index, u8)], token: &str) -> Option<PollActivityTaskQueueResponse> {
    let mut whole = task("Text", "hello".to_owned());
    whole.retry_policy = Some(RetryPolicy { initial_interval: seconds(1), ..RetryPolicy::default() });
    whole.heartbeat_timeout = seconds(10);
    whole.heartbeat_details = Some(Payloads { payloads: vec![payload("7")] });
    let mut bytes = whole.encode_to_vec();
    for (at, byte) in edits {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    let scrambled = PollActivityTaskQueueResponse::decode(bytes.as_slice()).ok()?;
    Some(PollActivityTaskQueueResponse { task_token: token.to_owned().into(), ..scrambled })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scrambled_tasks_are_answered_once_and_the_worker_goes_on(
        tasks in prop::collection::vec(prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), 1..16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let answers = runtime.block_on(async {
            let server = FakeServer::new();
            let worker = server.worker().activity(Text, echo);
            while_running(worker, async {
                let mut tokens = Vec::new();
                for (number, edits) in tasks.iter().enumerate() {
                    let token = number.to_string();
                    if let Some(task) = scrambled(edits, &token) {
                        server.give(task);
                        tokens.push(token);
                    }
                }
                server.give(PollActivityTaskQueueResponse { task_token: "good".into(), ..task("Text", "hello".to_owned()) });
                server.wait_for_answer("good").await;
                for token in &tokens {
                    server.wait_for_answer(token).await;
                }
                tokens.into_iter().map(|token| server.answers(&token)).collect::<Vec<_>>()
            })
            .await
        });
        prop_assert!(answers.iter().all(|count| *count == 1), "{answers:?}");
    }
}

/// User code in places where a worker does not expect it to panic.
#[derive(Clone, Copy)]
enum Panics {
    Decoding,
    Encoding,
    ConvertingFailures,
}

impl PayloadCodec for Panics {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        assert!(!matches!(self, Self::Encoding), "the key is not 32 bytes long");
        Box::pin(async { Ok(payloads) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        assert!(!matches!(self, Self::Decoding), "the key is not 32 bytes long");
        Box::pin(async { Ok(payloads) })
    }
}

impl FailureConverter for Panics {
    fn serialize(&self, failure: &Failure) -> proto::Failure {
        panic!("{failure} cannot be told")
    }

    fn deserialize(&self, _: proto::Failure) -> Failure {
        unreachable!("nobody asks for it")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_task_is_read_or_answered_fails_the_task() {
    for (converter, text) in [
        (DataConverter::default().with_codec(Panics::Decoding), "the key is not 32 bytes long"),
        (DataConverter::default().with_codec(Panics::Encoding), "the key is not 32 bytes long"),
        (DataConverter::default().with_failure_converter(Panics::ConvertingFailures), "cannot be told"),
    ] {
        let server = FakeServer::new();
        let fails = |_context: ActivityContext, text: String| async move {
            Err::<String, ActivityError>(ApplicationFailure::new(text).with_details("data".to_owned()).into())
        };
        let client = server.client_with(converter);
        let worker = ActivityWorker::builder(client, "queue").activity(Text, fails).maximum_concurrent_activities(1);
        while_running(worker, async {
            // The second is executed on the slot of the first.
            for count in 1..=2 {
                server.give(task("Text", "hello".to_owned()));
                let failed = server.wait_for::<RespondActivityTaskFailedRequest>(count).await.pop().unwrap();
                let failure = failure(failed);
                assert!(failure.to_string().contains(text), "{failure}");
                assert_eq!(failure.application_type(), Some("Panic"));
            }
        })
        .await;
    }
}

/// What is kept of activities that have ended, as the operating system sees it.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_10_000_activities() {
    const COUNT: usize = 10_000;
    fn resident_kilobytes() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    let server = FakeServer::new();
    let short = |context: ActivityContext, text: String| async move {
        context.heartbeat(())?;
        Ok::<String, ActivityError>(text[..10].to_owned())
    };
    while_running(server.worker().activity(Text, short), async {
        let mut before = 0;
        for number in 0..COUNT {
            // 20 kB each, in what contexts and requests hold.
            let header = Header { fields: [("trace".to_owned(), payload(&"x".repeat(10_000)))].into() };
            server.give(PollActivityTaskQueueResponse { header: Some(header), ..task("Text", "y".repeat(10_000)) });
            if number % 20 == 19 {
                server.wait_for::<RespondActivityTaskCompletedRequest>(20).await;
                server.forget();
            }
            if number == COUNT / 10 {
                before = resident_kilobytes();
            }
        }
        let grown = resident_kilobytes().saturating_sub(before);
        assert!(grown < 30_000, "{grown} kB more for 180 000 kB of activities");
    })
    .await;
}
