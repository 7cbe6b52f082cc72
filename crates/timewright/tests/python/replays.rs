//! Each side replays what the other recorded.

use greeting_definitions::activity_task_queue;
use timewright::client::{Client, UntypedWorkflowHandle};
use tokio::task::JoinSet;

use crate::programs::check::check;
use crate::programs::scenarios::{Needs, SCENARIOS, Scenario, scenario};
use crate::programs::workers;
use crate::support::python::{self, PythonWorker};
use crate::support::{client, unique};

#[tokio::test]
async fn python_replays_what_our_workers_recorded() {
    let (client, task_queue) = (client().await, unique("ours"));
    let _workers = workers::start(&client, &task_queue);
    let played = play_all(&client, &task_queue).await;

    let runs: Vec<UntypedWorkflowHandle> = played.iter().map(|(_, run)| run.clone()).collect();
    for (answer, (scenario, _)) in python::replay(&runs, false).await.iter().zip(&played) {
        assert_eq!(answer["replayed"], true, "{}: {answer}", scenario.name);
    }
}

/// Also those in which something happened to the workers meanwhile.
#[tokio::test]
async fn python_replays_what_our_workers_recorded_with_troubles() {
    let client = client().await;
    let mut playing = JoinSet::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.needs == Needs::OurWorkers) {
        let client = client.clone();
        playing.spawn(async move { (scenario, scenario.play_with_ours(&client).await) });
    }
    let played = playing.join_all().await;
    let runs: Vec<UntypedWorkflowHandle> = played.iter().map(|(_, run)| run.clone()).collect();
    for (answer, (scenario, _)) in python::replay(&runs, false).await.iter().zip(&played) {
        assert_eq!(answer["replayed"], true, "{}: {answer}", scenario.name);
    }
}

/// Were it not so, the two tests above would prove nothing.
#[tokio::test]
async fn python_disagrees_when_its_code_is_changed() {
    let run = scenario("greeting").play_with_ours(&client().await).await;
    let answer = python::replay(&[run], true).await.remove(0);
    assert_eq!(answer["replayed"], false, "{answer}");
    let disagreement = answer["disagreement"].as_str().expect("a text");
    assert!(disagreement.contains("Nondeterminism") && disagreement.contains("ActivityTaskScheduled"), "{answer}");
}

#[tokio::test]
async fn we_replay_what_python_recorded() {
    let (client, task_queue) = (client().await, unique("python"));
    let _python = PythonWorker::start(&[&task_queue, &activity_task_queue(&task_queue)]).await;
    for (scenario, run) in play_all(&client, &task_queue).await {
        let history = run.history().await.unwrap_or_else(|error| panic!("{error}"));
        check(scenario, scenario.name, history).await;
    }
}

/// All that any worker can play, at the same time.
async fn play_all(client: &Client, task_queue: &str) -> Vec<(&'static Scenario, UntypedWorkflowHandle)> {
    let mut playing = JoinSet::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.needs == Needs::AnyWorker) {
        let (client, task_queue) = (client.clone(), task_queue.to_owned());
        playing.spawn(async move { (scenario, scenario.play(&client, &task_queue).await) });
    }
    playing.join_all().await
}
