//! Histories of today, fetched from the server right after they were made by our workers.

use crate::programs::scenarios::scenario;
use crate::support::client;

async fn check(name: &str) {
    let scenario = scenario(name);
    let handle = scenario.play_with_ours(&client().await).await;
    let history = handle.history().await.unwrap_or_else(|error| panic!("{error}"));
    super::check(scenario, name, history).await;
}

#[tokio::test]
async fn an_activity_and_a_timer() {
    check("greeting").await;
}

#[tokio::test]
async fn a_signal_before_the_first_workflow_task() {
    check("greeting_signaled").await;
}

#[tokio::test]
async fn signals() {
    check("approvals").await;
}

#[tokio::test]
async fn h17_a_workflow_that_runs() {
    check("approvals_open").await;
}

#[tokio::test]
async fn h17_a_workflow_that_was_terminated() {
    check("approvals_terminated").await;
}

#[tokio::test]
async fn h17_a_workflow_that_timed_out() {
    check("approvals_timed_out").await;
}

#[tokio::test]
async fn a_workflow_task_that_failed_under_changed_code() {
    check("approvals_interrupted").await;
}

#[tokio::test]
async fn w2_a_completion_that_the_server_did_not_take() {
    check("approvals_overtaken").await;
}

#[tokio::test]
async fn a_workflow_task_that_timed_out() {
    check("approvals_abandoned").await;
}

#[tokio::test]
async fn timers_that_race() {
    check("timers").await;
}

#[tokio::test]
async fn activities_in_parallel() {
    check("fan_out").await;
}

#[tokio::test]
async fn activities_that_fail() {
    check("compensation").await;
}

#[tokio::test]
async fn a_worker_without_cache() {
    check("compensation_uncached").await;
}

#[tokio::test]
async fn a_workflow_that_fails() {
    check("failing").await;
}

#[tokio::test]
async fn a_workflow_that_is_cancelled() {
    check("clean_up").await;
}

#[tokio::test]
async fn a_workflow_that_is_cancelled_before_it_begins() {
    check("clean_up_at_once").await;
}

#[tokio::test]
async fn activities_that_are_cancelled() {
    check("cancel_activities").await;
}

#[tokio::test]
async fn a_run_that_continues_as_new() {
    check("rounds_first").await;
}

#[tokio::test]
async fn the_run_that_follows() {
    check("rounds_last").await;
}

#[tokio::test]
async fn activities_that_time_out() {
    check("timeouts").await;
}
