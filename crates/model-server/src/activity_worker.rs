//! A modelled Activity Worker: takes what a Task Queue has, and answers at seeded times with seeded outcomes.

use std::time::Duration;

use timewright_proto::common::Payloads;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::workflow_service::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};

use crate::random::{Random, named};
use crate::server::Server;
use crate::time::Time;

/// Executes Activity Tasks of one Task Queue in virtual time.
///
/// What becomes of an attempt is chosen by the seed and by the names of workflow, run, activity and attempt, and by nothing
/// else: it stays the same whatever else happens before. An activity completes with its own input as the result, fails
/// (for good or so that it can be tried again), or says nothing any more. Some heartbeat, and stop when they hear that they
/// should; others go on.
///
/// Call [`handle_timeout`](Self::handle_timeout) whenever the server may have new tasks, and when
/// [`poll_timeout`](Self::poll_timeout) says.
#[derive(Debug)]
pub struct ActivityWorker {
    seed: u64,
    poll: PollActivityTaskQueueRequest,
    attempts: Vec<Attempt>,
}

/// An attempt that the worker executes.
#[derive(Debug)]
struct Attempt {
    task: PollActivityTaskQueueResponse,
    /// The next thing to do.
    next: Time,
    ends: Time,
    outcome: Outcome,
    /// Between heartbeats.
    heartbeat_interval: Option<Duration>,
    heeds_cancellation: bool,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Completed,
    Failed,
    FailedForGood,
    Silent,
}

impl ActivityWorker {
    /// A worker of this Task Queue.
    pub fn new(seed: u64, task_queue: &str) -> Self {
        let poll = PollActivityTaskQueueRequest {
            task_queue: Some(TaskQueue { name: task_queue.into(), ..TaskQueue::default() }),
            identity: IDENTITY.into(),
            ..PollActivityTaskQueueRequest::default()
        };
        Self { seed, poll, attempts: Vec::new() }
    }

    /// When the worker has something to do next.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.attempts.iter().map(|attempt| attempt.next).min()
    }

    /// Takes new tasks, and does what is due at the server's time.
    pub fn handle_timeout(&mut self, server: &mut Server) {
        while let Some(task) = server.poll_activity_task(&self.poll) {
            self.attempts.push(self.plan(task, server.now()));
        }
        let (due, later) =
            std::mem::take(&mut self.attempts).into_iter().partition(|attempt| attempt.next <= server.now());
        self.attempts = later;
        let mut due: Vec<Attempt> = due;
        due.sort_by_key(|attempt| attempt.next);
        for attempt in due {
            self.attempts.extend(step(attempt, server));
        }
    }

    fn plan(&self, task: PollActivityTaskQueueResponse, now: Time) -> Attempt {
        let execution = task.workflow_execution.clone().unwrap_or_default();
        let attempt = task.attempt.to_string();
        let names = [execution.workflow_id.as_str(), &execution.run_id, &task.activity_id, &attempt];
        let mut random = named(self.seed, &names);
        let ends = now + duration(&mut random);
        let outcome = match random.below(20) {
            0..=11 => Outcome::Completed,
            12..=15 => Outcome::Failed,
            16..=17 => Outcome::FailedForGood,
            _ => Outcome::Silent,
        };
        let heartbeat_interval = random.chance(50).then(|| duration(&mut random) + Duration::from_millis(500));
        let next = heartbeat_interval.map_or(ends, |interval| ends.min(now + interval));
        Attempt { task, next, ends, outcome, heartbeat_interval, heeds_cancellation: random.chance(70) }
    }
}

/// Does the next thing of an attempt; returns the attempt where it goes on. What the server does not take has come too
/// late, and ends the attempt.
fn step(mut attempt: Attempt, server: &mut Server) -> Option<Attempt> {
    let task_token = attempt.task.task_token.clone();
    let identity = IDENTITY.to_owned();
    if attempt.next < attempt.ends {
        let details = attempt.task.input.clone();
        let heartbeat = RecordActivityTaskHeartbeatRequest {
            task_token: task_token.clone(),
            details,
            identity,
            ..Default::default()
        };
        let cancel_requested = server.handle_activity_task_heartbeat(heartbeat).ok()?.cancel_requested;
        if cancel_requested && attempt.heeds_cancellation {
            let identity = IDENTITY.to_owned();
            let details = Some(Payloads::default());
            let cancelled = RespondActivityTaskCanceledRequest { task_token, identity, details, ..Default::default() };
            server.handle_activity_task_canceled(cancelled).ok()?;
            return None;
        }
        attempt.next = attempt.ends.min(attempt.next + attempt.heartbeat_interval?);
        return Some(attempt);
    }
    let answer = match attempt.outcome {
        Outcome::Completed => {
            let result = attempt.task.input;
            let completed = RespondActivityTaskCompletedRequest { task_token, result, identity, ..Default::default() };
            server.handle_activity_task_completed(completed)
        }
        Outcome::Failed | Outcome::FailedForGood => {
            let failure = Some(failure(matches!(attempt.outcome, Outcome::FailedForGood)));
            let failed = RespondActivityTaskFailedRequest { task_token, failure, identity, ..Default::default() };
            server.handle_activity_task_failed(failed)
        }
        Outcome::Silent => Ok(()),
    };
    // An answer that came too late is nobody's concern.
    answer.ok();
    None
}

fn failure(non_retryable: bool) -> Failure {
    Failure {
        message: "the modelled activity failed".into(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: "Modelled".into(),
            non_retryable,
            ..ApplicationFailureInfo::default()
        })),
        ..Failure::default()
    }
}

/// Short and long ones, often equal, so that things happen at the same moment too.
fn duration(random: &mut Random) -> Duration {
    let seconds = [0, 1, 1, 2, 3, 5, 8, 20];
    Duration::from_secs(seconds[random.below(seconds.len() as u64) as usize])
}

const IDENTITY: &str = "modelled-activity-worker";
