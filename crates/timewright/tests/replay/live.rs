//! Histories of today, fetched from the server right after they were made by our workers.

use timewright::client::ClientOptions;
use timewright::converter::DataConverter;
use timewright::proto::history::history_event::Attributes;
use timewright::workflow::ReplayError;

use crate::programs::check::check;
use crate::programs::inverted::Inverted;
use crate::programs::scenarios::scenario;
use crate::programs::workflows::replayer;
use crate::support::{client, connect, server};

async fn play_and_check(name: &str) {
    let scenario = scenario(name);
    let handle = scenario.play_with_ours(&client().await).await;
    let history = handle.history().await.unwrap_or_else(|error| panic!("{error}"));
    check(scenario, name, history).await;
}

/// Both runs; and the replayer can fetch a history itself, of the run that is meant.
#[tokio::test]
async fn a_run_that_continues_as_new_and_the_one_that_follows() {
    let client = client().await;
    let last = scenario("rounds_last").play_with_ours(&client).await;
    let history = last.history().await.unwrap_or_else(|error| panic!("{error}"));
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &history.events[0].attributes else {
        panic!("{:?} is no start", history.events[0]);
    };
    let (id, first_run_id) = (last.workflow_id(), started.continued_execution_run_id.clone());
    let first = client.workflow_handle_untyped(id, Some(first_run_id.clone()));
    check(scenario("rounds_last"), "rounds_last", history).await;
    let history = first.history().await.unwrap_or_else(|error| panic!("{error}"));
    check(scenario("rounds_first"), "rounds_first", history).await;

    let first_run_id = Some(first_run_id.as_str());
    replayer::<false>().replay_from_server(&client, id, first_run_id).await.unwrap_or_else(|error| panic!("{error}"));
    // With the changed program each of the two shows which one was fetched.
    let disagreement = async |run_id: Option<&str>| {
        let replayed = replayer::<true>().replay_from_server(&client, id, run_id).await;
        replayed.expect_err("the program has changed").to_string()
    };
    let first = disagreement(first_run_id).await;
    assert!(first.contains("recorded WorkflowExecutionContinuedAsNew"), "{first}");
    let latest = disagreement(None).await;
    assert!(latest.contains("recorded WorkflowExecutionCompleted"), "{latest}");

    let error =
        replayer::<false>().replay_from_server(&client, "no-such-workflow", None).await.expect_err("there is none");
    assert_eq!(
        error.to_string(),
        r#"workflow "no-such-workflow": there is no workflow `no-such-workflow` whose history could be read"#
    );
}

/// What a codec has encoded is replayed with the same codec; without it, the replayer says what is missing.
#[tokio::test]
async fn with_a_payload_codec() {
    let converter = DataConverter::default().with_codec(Inverted);
    let with_codec = connect(ClientOptions::new(server()).data_converter(converter.clone())).await;
    let run = scenario("compensation").play_with_ours(&with_codec).await;
    let (id, run_id) = (run.workflow_id(), run.run_id());
    replayer::<false>().replay_from_server(&with_codec, id, run_id).await.unwrap_or_else(|error| panic!("{error}"));

    // As whoever has no codec gets it.
    let without_codec = client().await.workflow_handle_untyped(id, run_id.map(str::to_owned));
    let encoded = without_codec.history().await.unwrap_or_else(|error| panic!("{error}"));
    let replayer = replayer::<false>().data_converter(converter);
    replayer.replay(id, encoded.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    let error = crate::programs::workflows::replayer::<false>().replay(id, encoded).await.expect_err("no codec");
    assert!(
        error.to_string().contains("If a Payload Codec wrote it, this Data Converter needs the same codec"),
        "{error}"
    );

    // A codec that was not used when the history was recorded.
    let run = scenario("fan_out").play_with_ours(&client().await).await;
    let history = run.history().await.unwrap_or_else(|error| panic!("{error}"));
    let error = replayer.replay("plain", history).await.expect_err("it is not inverted");
    assert!(matches!(error, ReplayError::Codec { .. }), "{error}");
    assert!(error.to_string().starts_with(r#"workflow "plain": "#), "{error}");
    assert!(error.to_string().contains("this Payload is not inverted"), "{error}");
}

#[tokio::test]
async fn an_activity_and_a_timer() {
    play_and_check("greeting").await;
}

#[tokio::test]
async fn a_signal_before_the_first_workflow_task() {
    play_and_check("greeting_signaled").await;
}

#[tokio::test]
async fn signals() {
    play_and_check("approvals").await;
}

#[tokio::test]
async fn h17_a_workflow_that_runs() {
    play_and_check("approvals_open").await;
}

#[tokio::test]
async fn h17_a_workflow_that_was_terminated() {
    play_and_check("approvals_terminated").await;
}

#[tokio::test]
async fn a_workflow_task_that_failed_under_changed_code() {
    play_and_check("approvals_interrupted").await;
}

#[tokio::test]
async fn w2_a_completion_that_the_server_did_not_take() {
    play_and_check("approvals_overtaken").await;
}

#[tokio::test]
async fn a_workflow_task_that_timed_out() {
    play_and_check("approvals_abandoned").await;
}

#[tokio::test]
async fn timers_that_race() {
    play_and_check("timers").await;
}

#[tokio::test]
async fn activities_in_parallel() {
    play_and_check("fan_out").await;
}

#[tokio::test]
async fn activities_that_fail() {
    play_and_check("compensation").await;
}

#[tokio::test]
async fn a_worker_without_cache() {
    play_and_check("compensation_uncached").await;
}

#[tokio::test]
async fn a_workflow_that_fails() {
    play_and_check("failing").await;
}

#[tokio::test]
async fn a_workflow_that_is_cancelled() {
    play_and_check("clean_up").await;
}

#[tokio::test]
async fn a_workflow_that_is_cancelled_before_it_begins() {
    play_and_check("clean_up_at_once").await;
}

#[tokio::test]
async fn activities_that_are_cancelled() {
    play_and_check("cancel_activities").await;
}

#[tokio::test]
async fn activities_that_time_out() {
    play_and_check("timeouts").await;
}
