//! Who starts workflows, talks to them, and looks at what comes of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use timewright::client::{
    Client, StartWorkflowError, StartWorkflowOptions, UpdateOptions, WorkflowHandle, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
};
use timewright::proto::enums::{EventType, TimeoutType};
use timewright::proto::history::history_event::Attributes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::ledger::Count;
use crate::stage::{Run, Stage};
use crate::trip::{Double, Ring, Trip};

/// Tasks that no worker got, as histories show them.
#[derive(Default)]
pub(crate) struct NeverArrived {
    /// The server takes them for started.
    pub(crate) started: Vec<String>,
    /// The server has them on the sticky queue of a worker that has gone.
    pub(crate) left_in_queue: Vec<String>,
}

pub(crate) struct Load {
    pub(crate) client: Client,
    pub(crate) task_queue: String,
    pub(crate) seed: u64,
    /// How many workflows run at the same time, children not counted.
    pub(crate) at_once: usize,
    pub(crate) run: Run,
}

impl Load {
    /// Runs workflows, numbered from `first` on, for as long as the stage goes on, and waits for the last of them. Gives those
    /// that have ended as they should.
    pub(crate) async fn run(self: &Arc<Self>, stage: Stage, first: u64) -> Vec<Trip> {
        let room = Arc::new(Semaphore::new(self.at_once));
        let mut running = JoinSet::new();
        let mut number = first;
        while self.run.stage() == stage {
            // The semaphore is never closed; a second is soon enough to see the end of a stage.
            let waited = tokio::time::timeout(Duration::from_secs(1), Arc::clone(&room).acquire_owned()).await;
            let Ok(Ok(permit)) = waited else { continue };
            let (load, trip) = (Arc::clone(self), Trip { seed: self.seed, number });
            running.spawn(async move {
                let ended = load.travel(trip).await;
                drop(permit);
                (trip, ended)
            });
            number += 1;
        }
        let mut ended = Vec::new();
        let deadline = tokio::time::Instant::now() + RECOVERY_LIMIT;
        while let Ok(Some(joined)) = tokio::time::timeout_at(deadline, running.join_next()).await {
            match joined.expect("no workflow's driver panics") {
                (trip, Ok(())) => ended.push(trip),
                (trip, Err(wrong)) => self.run.fault(format_args!("workflow {}: {wrong}", trip.workflow_id())),
            }
        }
        if !running.is_empty() {
            self.run.fault(format_args!("{} workflows have not ended after {RECOVERY_LIMIT:?}", running.len()));
        }
        running.abort_all();
        ended
    }

    /// One workflow, from its start to its result.
    async fn travel(&self, trip: Trip) -> Result<(), String> {
        let handle = self.start(trip).await?;
        let plan = trip.plan();
        let messages = async {
            for number in 0..plan.signals {
                while handle.signal(Ring, number).await.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            for number in 0..plan.updates {
                // By its id, so that it is not done twice if it has to be sent twice.
                let options = || UpdateOptions::default().update_id(format!("double-{number}"));
                loop {
                    match handle.update_with(Double, number, options()).await {
                        Ok(doubled) if doubled == number * 2 => break,
                        Ok(doubled) => return Err(format!("the double of {number} is not {doubled}")),
                        Err(_) => tokio::time::sleep(PAUSE).await,
                    }
                }
            }
            Ok(())
        };
        // A workflow that has ended has had all its messages, whether or not we have heard of that.
        let mut result = std::pin::pin!(handle.result());
        let result = tokio::select! {
            biased;
            result = &mut result => result,
            wrong = messages => {
                wrong?;
                result.await
            }
        };
        let result = result.map_err(|error| error.to_string())?;
        if result == trip.result() {
            Ok(())
        } else {
            Err(format!("its result is {result:?}, and not {:?}", trip.result()))
        }
    }

    async fn start(&self, trip: Trip) -> Result<WorkflowHandle<Trip>, String> {
        loop {
            let options = StartWorkflowOptions::new(&self.task_queue, trip.workflow_id())
                .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
                .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate);
            match self.client.start_workflow(trip, trip, options).await {
                Ok(handle) => return Ok(handle),
                // The answer to an earlier try was lost.
                Err(StartWorkflowError::AlreadyStarted { .. }) => {
                    return Ok(self.client.workflow_handle(trip, trip.workflow_id(), None));
                }
                Err(StartWorkflowError::Rpc { .. }) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Nothing had to be tried again, neither in this workflow nor in its children; except tasks that no worker has ever got, which
    /// are noted. How many of those there may be is for the caller to say.
    pub(crate) async fn expect_undisturbed(
        &self,
        trip: Trip,
        ledger: &BTreeMap<(u64, u64), Count>,
        never_arrived: &mut NeverArrived,
    ) {
        for member in trip.family() {
            let id = member.workflow_id();
            let history = match self.client.workflow_handle_untyped(&id, None).history().await {
                Ok(history) => history,
                Err(error) => {
                    self.run.fault(error);
                    continue;
                }
            };
            for event in &history.events {
                let attempt = match &event.attributes {
                    Some(Attributes::ActivityTaskStartedEventAttributes(started)) => started.attempt,
                    _ => 1,
                };
                let shown = || format!("workflow {id}: event {}: {:?}", event.event_id, event.attributes);
                match &event.attributes {
                    // It left its queue too late, and so nobody ever had it.
                    Some(Attributes::WorkflowTaskTimedOutEventAttributes(timed_out))
                        if timed_out.timeout_type() == TimeoutType::ScheduleToStart =>
                    {
                        never_arrived.left_in_queue.push(shown());
                    }
                    Some(Attributes::WorkflowTaskTimedOutEventAttributes(_)) => never_arrived.started.push(shown()),
                    // That an attempt before it was not lost by a worker, the ledger shows below.
                    _ if attempt > 1 => never_arrived.started.push(shown()),
                    _ => (),
                }
                let disturbed = matches!(
                    event.event_type(),
                    EventType::ActivityTaskTimedOut
                        | EventType::ActivityTaskFailed
                        | EventType::ActivityTaskCanceled
                        | EventType::WorkflowTaskFailed
                );
                if disturbed {
                    let text = format!("{:?}", event.attributes);
                    self.run
                        .fault(format_args!("workflow {id}, rolled by SIGTERM only: event {}: {text}", event.event_id));
                }
            }
            let of_member = ledger.iter().filter(|((trip, _), _)| *trip == member.number);
            if of_member.into_iter().any(|(_, count)| *count != Count { begun: 1, done: 1 }) {
                self.run.fault(format_args!(
                    "workflow {id}, rolled by SIGTERM only: an activity was executed twice, or begun and lost"
                ));
            }
        }
    }
}

/// Between two tries of what failed.
const PAUSE: Duration = Duration::from_millis(500);
/// How long after the last fault the last workflow has to have ended: attempts that were lost time out first.
const RECOVERY_LIMIT: Duration = Duration::from_secs(180);
