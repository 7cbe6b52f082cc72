//! Several activities on one worker.

use std::time::Duration;

use timewright::activity::{self, ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, WorkflowResultError};
use timewright::workflow::{ActivityOptions, SessionActivityFailure, SessionOptions, WorkflowWorker};
use tokio::sync::mpsc;

use crate::support::background::{Background, run_activities, run_workflows};
use crate::support::definitions::{activity, workflow};
use crate::support::{LIMIT, client, start_options, unique, within};

activity!(Load: String => String);
activity!(Train: String => String);

// On which worker each of them was; what was loaded is known there alone.
workflow!(Training: u32 => Vec<String>, |context, rounds| {
    let session = context.open_session(session_options()).await?;
    let options = ActivityOptions::start_to_close(LIMIT);
    let mut workers = vec![session.execute_activity(Load, "data".to_owned(), options.clone()).await?];
    for _ in 0..rounds {
        workers.push(session.execute_activity(Train, "data".to_owned(), options.clone()).await?);
    }
    session.close().await;
    Ok(workers)
});

// Begins again on another worker when a session is lost.
workflow!(PatientTraining: () => (u32, String), |context, ()| {
    let options = ActivityOptions::start_to_close(LIMIT);
    let mut lost = 0;
    loop {
        let session = context.open_session(session_options()).await?;
        let load = session.execute_activity(Load, "data".to_owned(), options.clone());
        // More than one future hears that the session is lost.
        let train = session.execute_activity(Train, "nothing".to_owned(), options.clone());
        let (loaded, trained) = tokio::join!(load, train);
        match (loaded, trained) {
            (Err(SessionActivityFailure::SessionLost(_)), Err(SessionActivityFailure::SessionLost(_))) => lost += 1,
            (loaded, trained) => {
                trained?;
                session.close().await;
                return Ok((lost, loaded?));
            }
        }
    }
});

workflow!(Hopeless: () => (), |context, ()| {
    let options = SessionOptions::new(LIMIT).creation_timeout(Duration::from_secs(1)).task_queue("nobody-here");
    context.open_session(options).await?;
    Ok(())
});

fn session_options() -> SessionOptions {
    SessionOptions::new(LIMIT).creation_timeout(LIMIT).heartbeat_timeout(Duration::from_secs(3))
}

/// A worker of this name that holds one session.
fn host(client: &Client, queue: &str, name: &'static str, busy: mpsc::UnboundedSender<&'static str>) -> ActivityWorker {
    let load = move |_context: ActivityContext, _data: String| {
        let told = busy.send(name);
        async move {
            told?;
            if name == "doomed" {
                std::future::pending::<()>().await;
            }
            Ok::<String, ActivityError>(name.to_owned())
        }
    };
    ActivityWorker::builder(client.clone(), queue)
        .activity(Load, load)
        .activity(Train, move |_context, _data| async move {
            if name == "doomed" {
                std::future::pending::<()>().await;
            }
            Ok(name.to_owned())
        })
        .maximum_concurrent_sessions(1)
        .build()
        .unwrap()
}

/// Without a cache, so that each Workflow Task is a replay.
fn workflows(client: &Client, queue: &str) -> Background<timewright::workflow::WorkerError> {
    let worker = WorkflowWorker::builder(client.clone(), queue)
        .workflow::<Training>()
        .workflow::<PatientTraining>()
        .workflow::<Hopeless>()
        .maximum_cached_workflows(0);
    run_workflows(worker.build().unwrap())
}

fn run(worker: ActivityWorker) -> Background<activity::WorkerError> {
    run_activities(worker)
}

#[tokio::test]
async fn all_activities_of_a_session_are_on_one_worker_which_has_room_for_so_many() {
    let (client, queue) = (client().await, unique("sessions"));
    let _workflows = workflows(&client, &queue);
    let (tell, mut told) = mpsc::unbounded_channel();
    let hosts = [run(host(&client, &queue, "first", tell.clone())), run(host(&client, &queue, "second", tell))];
    // Three at once, where there is room for two: one waits until another is closed.
    let mut trainings = Vec::new();
    for _ in 0..3 {
        trainings.push(client.start_workflow(Training, 3, start_options(&queue)).await.unwrap());
    }
    for training in trainings {
        let workers = within("the result", training.result()).await.unwrap();
        assert_eq!(workers.len(), 4);
        assert!(workers.iter().all(|worker| *worker == workers[0]), "{workers:?}");
        assert!(told.recv().await.is_some());
    }
    for host in hosts {
        host.stop().await;
    }
}

#[tokio::test]
async fn when_its_worker_dies_a_session_is_lost_and_another_worker_takes_over() {
    let (client, queue) = (client().await, unique("doomed"));
    let (tell, mut told) = mpsc::unbounded_channel();
    let _workflows = workflows(&client, &queue);
    let doomed = run(host(&client, &queue, "doomed", tell.clone()));
    let training = client.start_workflow(PatientTraining, (), start_options(&queue)).await.unwrap();
    assert_eq!(within("the first attempt", told.recv()).await, Some("doomed"));
    drop(doomed);
    let _other = run(host(&client, &queue, "other", tell));
    assert_eq!(within("the result", training.result()).await.unwrap(), (1, "other".to_owned()));
}

#[tokio::test]
async fn where_no_worker_opens_sessions_that_is_said() {
    let (client, queue) = (client().await, unique("hopeless"));
    let _workflows = workflows(&client, &queue);
    let hopeless = client.start_workflow(Hopeless, (), start_options(&queue)).await.unwrap();
    let error = within("the end", hopeless.result()).await.unwrap_err();
    let WorkflowResultError::Failed { failure, .. } = error else { panic!("{error}") };
    assert_eq!(failure.application_type(), Some("OpenSessionFailure"));
    let text = failure.to_string();
    assert!(text.contains("Is a worker of that Task Queue set up for sessions"), "{text}");
}
