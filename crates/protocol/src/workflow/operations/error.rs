//! Commands that cannot be carried out.

/// A Command of user code that cannot be carried out. User code's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Numbers must count up.
    #[error("{kind} number {sequence} was started twice, or out of order: numbers of one kind count up by one")]
    SequenceReused {
        /// The kind of operation.
        kind: &'static str,
        /// The number.
        sequence: u32,
    },
    /// An answer that nobody waits for.
    #[error("query {id:?} was answered, but it was not asked now")]
    UnknownQuery {
        /// The Query.
        id: String,
    },
    /// A Query changed something.
    #[error("query {name:?} issued {command}: a query may only answer")]
    CommandInQuery {
        /// The Query.
        name: String,
        /// What it issued.
        command: String,
    },
    /// A Query was not answered.
    #[error("query {name:?} was not answered")]
    QueryNotAnswered {
        /// The Query.
        name: String,
    },
    /// An Update of which nobody told, or that stands elsewhere.
    #[error("update {protocol_instance_id:?} was {done}, but {state}")]
    Update {
        /// The Update.
        protocol_instance_id: String,
        /// What user code did.
        done: &'static str,
        /// Where it stands.
        state: String,
    },
    /// An Update was neither accepted nor rejected in its Activation.
    #[error(
        "update {protocol_instance_id:?} was neither accepted nor rejected when it came: that cannot wait, since the \
         server records it with this Workflow Task or not at all"
    )]
    UpdateNotAnswered {
        /// The Update.
        protocol_instance_id: String,
    },
    /// A Local Activity that could run for ever.
    #[error(
        "local activity of type {activity_type:?} has no timeout: set its start-to-close or its schedule-to-close timeout"
    )]
    NoTimeout {
        /// Its type.
        activity_type: String,
    },
    /// A second end of the same workflow.
    #[error("the workflow ended twice")]
    EndedTwice,
}
