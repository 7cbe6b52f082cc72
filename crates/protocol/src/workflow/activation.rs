//! What a Run tells user code.

use std::time::SystemTime;

use timewright_proto::common::{Header, Payload};
use timewright_proto::enums::SuggestContinueAsNewReason;
use timewright_proto::failure::Failure;
use timewright_proto::history::WorkflowExecutionStartedEventAttributes;

/// News for user code. It is to take in all jobs, in order, before it goes on, and then to answer with Commands until it
/// can go no further.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// What is new. A [`Job::Query`] always comes alone.
    pub jobs: Vec<Job>,
    /// The time at which the Workflow Task started: the workflow's "now".
    pub time: SystemTime,
    /// Whether user code has done this before, so that nothing is to be logged or measured again.
    pub replaying: bool,
    /// How many Events the history has so far.
    pub history_length: u64,
    /// How many bytes the history has so far.
    pub history_bytes: u64,
    /// The server suggests to continue as new.
    pub continue_as_new_suggested: bool,
    /// Why it does.
    pub continue_as_new_reasons: Vec<SuggestContinueAsNewReason>,
}

/// One piece of news. Within an Activation jobs come in this order: `Initialize`, `UpdateRandomSeed`, `Signal`s as in the
/// history, then all others as in the history.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Job {
    /// The workflow starts. Always the first job of all.
    Initialize(Box<Initialize>),
    /// Random numbers go on from here: the history was reset at this point.
    UpdateRandomSeed {
        /// The new seed.
        seed: u64,
    },
    /// A Signal came.
    Signal {
        /// The Signal's name.
        name: String,
        /// Its arguments.
        input: Vec<Payload>,
        /// What the sender's interceptors passed along.
        header: Header,
        /// Who sent it.
        identity: String,
    },
    /// Somebody asks the workflow to cancel itself.
    RequestCancellation {
        /// Why, in the words of whoever asked; often empty.
        reason: String,
    },
    /// A timer fired.
    FireTimer {
        /// The timer.
        sequence: u32,
    },
    /// An activity has an outcome.
    ResolveActivity {
        /// The activity.
        sequence: u32,
        /// Its outcome.
        resolution: Resolution,
    },
    /// A question about the workflow's state, to be answered with
    /// [`Command::AnswerQuery`](super::Command::AnswerQuery) and nothing else. User code must not go on because of it.
    Query(Query),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// It returned something, or nothing.
    Completed(Option<Payload>),
    /// It failed. The failure says which activity it was; its cause is what went wrong there.
    Failed(Box<Failure>),
    /// It was cancelled.
    Cancelled(Box<Failure>),
}

/// A question about the workflow's state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Which question of several; empty for one that came by itself.
    pub id: String,
    /// The Query's name.
    pub name: String,
    /// Its arguments.
    pub input: Vec<Payload>,
    /// What the caller's interceptors passed along.
    pub header: Header,
}

/// How a workflow starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Initialize {
    /// The Workflow Id.
    pub workflow_id: String,
    /// The Run Id.
    pub run_id: String,
    /// The Workflow Type.
    pub workflow_type: String,
    /// When the execution was started.
    pub start_time: SystemTime,
    /// The arguments.
    pub arguments: Vec<Payload>,
    /// What the caller's interceptors passed along.
    pub header: Header,
    /// Seed for the workflow's random numbers: the same on every replay.
    pub random_seed: u64,
    /// Everything else that was said at the start: timeouts, parent, memo, search attributes and so on. Its `input` and
    /// `header` have been moved to the fields above.
    pub started: Box<WorkflowExecutionStartedEventAttributes>,
}
