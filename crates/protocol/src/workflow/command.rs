//! What user code asks for during an Activation.

use std::time::Duration;

use timewright_proto::common::{Header, Memo, Payload, Priority, RetryPolicy, SearchAttributes};
use timewright_proto::failure::Failure;

/// One thing that user code asks for.
///
/// Operations that have a later outcome carry a `sequence`: the number that user code gives them, counting from 1 for each
/// kind (timers, activities). It names the operation between user code and [`Run`](super::Run), and makes the default ids in
/// the history, as the other SDKs write them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// Starts a durable timer, answered by [`Job::FireTimer`](super::Job::FireTimer).
    StartTimer(StartTimer),
    /// Cancels a timer. No answer: whoever cancels knows that it will not fire. Too late is no error.
    CancelTimer {
        /// The timer.
        sequence: u32,
    },
    /// Schedules an activity, answered by [`Job::ResolveActivity`](super::Job::ResolveActivity).
    ScheduleActivity(Box<ScheduleActivity>),
    /// Cancels an activity as its [`ActivityCancellationType`] says. Too late is no error.
    RequestCancelActivity {
        /// The activity.
        sequence: u32,
    },
    /// Answers [`Job::Query`](super::Job::Query).
    AnswerQuery {
        /// The Query.
        id: String,
        /// Its answer.
        answer: QueryAnswer,
    },
    /// The workflow has returned.
    CompleteWorkflow {
        /// What it returned.
        result: Option<Payload>,
    },
    /// The workflow has failed.
    FailWorkflow {
        /// Why.
        failure: Box<Failure>,
    },
    /// The workflow has ended because it was cancelled.
    CancelWorkflow {
        /// What it says about that.
        details: Vec<Payload>,
    },
    /// The workflow goes on as a new run with a fresh history.
    ContinueAsNew(Box<ContinueAsNew>),
}

/// A timer to start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StartTimer {
    /// Its number.
    pub sequence: u32,
    /// How long until it fires; less than a millisecond becomes a millisecond.
    pub duration: Duration,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
}

/// An activity to schedule. At least one of `start_to_close_timeout` and `schedule_to_close_timeout` must be there.
///
/// <https://docs.temporal.io/encyclopedia/detecting-activity-failures>
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScheduleActivity {
    /// Its number.
    pub sequence: u32,
    /// Its id in the history; the number where there is none.
    pub activity_id: Option<String>,
    /// Its type.
    pub activity_type: String,
    /// Where it is to run.
    pub task_queue: String,
    /// What interceptors pass along.
    pub header: Header,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// From scheduling to the end of the last attempt.
    pub schedule_to_close_timeout: Option<Duration>,
    /// From scheduling until a worker takes it.
    pub schedule_to_start_timeout: Option<Duration>,
    /// One attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// The longest silence between two heartbeats.
    pub heartbeat_timeout: Option<Duration>,
    /// How to try again; the server's default where there is none.
    pub retry_policy: Option<RetryPolicy>,
    /// What cancelling it means.
    pub cancellation_type: ActivityCancellationType,
    /// Its place in the Task Queue.
    pub priority: Option<Priority>,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
}

/// What cancelling an activity means for the workflow that waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ActivityCancellationType {
    /// Ask the activity to stop, and go on at once as if it had.
    #[default]
    TryCancel,
    /// Ask the activity to stop, and wait for what it answers.
    WaitCancellationCompleted,
    /// Do not tell the activity; go on at once.
    Abandon,
}

/// The answer to a Query.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryAnswer {
    /// What the handler returned.
    Succeeded(Option<Payload>),
    /// Why there is no answer.
    Failed(Box<Failure>),
}

/// How the next run is to start. What is `None` or empty is as in this run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContinueAsNew {
    /// The workflow's type.
    pub workflow_type: String,
    /// Where it is to run.
    pub task_queue: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// The longest time that the next run may take.
    pub workflow_run_timeout: Option<Duration>,
    /// The longest time that one of its Workflow Tasks may take.
    pub workflow_task_timeout: Option<Duration>,
    /// How to try again if it fails.
    pub retry_policy: Option<RetryPolicy>,
    /// What interceptors pass along.
    pub header: Option<Header>,
    /// Its memo.
    pub memo: Option<Memo>,
    /// Its search attributes.
    pub search_attributes: Option<SearchAttributes>,
}

impl Command {
    /// The Command's name, as an error text shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::StartTimer(_) => "StartTimer",
            Self::CancelTimer { .. } => "CancelTimer",
            Self::ScheduleActivity(_) => "ScheduleActivity",
            Self::RequestCancelActivity { .. } => "RequestCancelActivity",
            Self::AnswerQuery { .. } => "AnswerQuery",
            Self::CompleteWorkflow { .. } => "CompleteWorkflow",
            Self::FailWorkflow { .. } => "FailWorkflow",
            Self::CancelWorkflow { .. } => "CancelWorkflow",
            Self::ContinueAsNew(_) => "ContinueAsNew",
        }
    }
}
