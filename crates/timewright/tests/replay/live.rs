//! Histories of today, fetched from the server right after they were made by our workers.

use crate::programs::check::check;
use crate::programs::scenarios::scenario;
use crate::programs::workflows::replayer;
use crate::support::client;

async fn play_and_check(name: &str) {
    let scenario = scenario(name);
    let handle = scenario.play_with_ours(&client().await).await;
    let history = handle.history().await.unwrap_or_else(|error| panic!("{error}"));
    check(scenario, name, history).await;
}

/// The replayer can fetch a history itself, of the run that is meant.
#[tokio::test]
async fn fetched_by_the_replayer() {
    let client = client().await;
    let run = scenario("rounds_first").play_with_ours(&client).await;
    let (id, run_id) = (run.workflow_id(), run.run_id());
    replayer::<false>().replay_from_server(&client, id, run_id).await.unwrap_or_else(|error| panic!("{error}"));

    // With the changed program each of the two runs shows which one was fetched.
    let first =
        replayer::<true>().replay_from_server(&client, id, run_id).await.expect_err("it has changed").to_string();
    assert!(first.contains("recorded WorkflowExecutionContinuedAsNew"), "{first}");
    let latest =
        replayer::<true>().replay_from_server(&client, id, None).await.expect_err("it has changed").to_string();
    assert!(latest.contains("recorded WorkflowExecutionCompleted"), "{latest}");

    let error =
        replayer::<false>().replay_from_server(&client, "no-such-workflow", None).await.expect_err("there is none");
    assert_eq!(
        error.to_string(),
        r#"workflow "no-such-workflow": there is no workflow `no-such-workflow` whose history could be read"#
    );
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
async fn a_run_that_continues_as_new() {
    play_and_check("rounds_first").await;
}

#[tokio::test]
async fn the_run_that_follows() {
    play_and_check("rounds_last").await;
}

#[tokio::test]
async fn activities_that_time_out() {
    play_and_check("timeouts").await;
}
