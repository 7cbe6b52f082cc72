//! The Workflow Worker: executes the Workflow Tasks of a Task Queue.
//!
//! - [`Workflow`] is what a user writes, [`WorkflowContext`] what its code works with.
//! - [`WorkflowWorker`] executes it; [`Replayer`] tests that a change of its code is compatible with workflows that run.
//!
//! Workflow code runs on plain threads, so that its futures need not be `Send`, and so that tokio's timers and IO, which
//! have no place in it, fail at once.
#![forbid(unsafe_code)]

mod activity;
mod answer;
mod cancellation;
mod child_workflow;
mod codecs;
pub mod collections;
mod combinators;
mod context;
mod continue_as_new;
mod coroutine;
mod eager_activities;
mod error;
mod event_group;
mod external_workflow;
mod handlers;
mod hold;
mod info;
mod instance;
mod interceptor;
mod local_activities;
mod local_activity;
mod mailbox;
mod messages;
mod metrics;
mod monitor;
mod nexus_operation;
mod observed;
mod options;
mod pages;
mod payloads;
mod policy;
mod properties;
mod random;
mod registry;
mod rehearsal;
mod replayer;
mod rollout;
mod session;
mod shard;
mod shards;
mod signal_with_start;
pub mod sync;
#[cfg(test)]
mod tests;
mod timer;
mod versioning;
mod wait;
mod watch;
mod worker;
mod workflow;

pub use activity::{ActivityHandle, ActivityOptions};
pub use cancellation::CancellationToken;
pub use child_workflow::{
    AnyWorkflow, ChildWorkflowFailure, ChildWorkflowHandle, ChildWorkflowOptions, StartingChildWorkflow,
};
pub use combinators::{join_all, race, try_join_all};
pub use context::{DEFAULT_VERSION, WaitCondition, WorkflowContext};
pub use continue_as_new::ContinueAsNewOptions;
pub use coroutine::JoinHandle;
pub use eager_activities::{EagerActivityExecutor, EagerActivitySlot};
pub use error::{ActivityFailure, Cancelled, TimeoutError, WorkflowError};
pub use event_group::EventGroup;
pub use external_workflow::{
    CancelRequestHandle, ExternalWorkflowError, ExternalWorkflowHandle, SignalHandle, SignalOptions,
};
pub use handlers::{
    AnyQuery, AnySignal, AnyUpdate, AsyncRegistration, HandlerUnfinishedPolicy, Handlers, NamedQuery, NamedSignal,
    NamedUpdate, QueryOf, Registration, SignalOf, SignalOutcome, UntypedMessage, UpdateOf,
};
pub use info::{ParentWorkflow, RootWorkflow, UpdateInfo, WorkflowInfo};
pub use interceptor::{
    Handling, InboundCall, InboundKind, InterceptorContext, OutboundCall, OutboundKind, StartedOperation,
    WorkflowInterceptor,
};
pub use local_activities::{LocalActivity, LocalActivityCancellation, LocalActivityExecutor};
pub use local_activity::LocalActivityOptions;
pub use monitor::WorkflowWorkerMonitor;
pub use nexus_operation::{NexusOperationFailure, NexusOperationHandle, NexusOperationOptions, StartingNexusOperation};
pub use options::{BuildError, WorkflowWorkerBuilder};
pub use policy::{FailurePolicy, FailureTarget};
pub use properties::{MemoChanges, SearchAttributeChanges};
pub use random::RandomStream;
pub use replayer::{ReplayError, Replayer};
pub use rollout::{PatchActivation, VersionChoice};
pub use session::{
    OpenSessionFailure, Session, SessionActivityFailure, SessionActivityHandle, SessionLost, SessionOptions,
};
pub use timer::{TimeLimit, TimerHandle, TimerOptions};
pub use timewright_client::StartWorkflowOptions;
pub use timewright_client::{
    PollerBehavior, SlotKind, SlotRequest, SlotSupplier, SlotTask, VersioningBehavior, WorkerDeployment,
};
pub use timewright_converter::{ApplicationFailure, ConversionError, Failure, FailureKind};
pub use timewright_definition::{
    Priority, RetryPolicy, SearchAttributeKey, SearchAttributeValue, VersioningOverride, search_attribute_kind,
};
/// What becomes of a Child Workflow when its parent ends; whether a Workflow Id may have been used before; on which version of the
/// worker's deployment the next run starts.
pub use timewright_proto::enums::{ContinueAsNewVersioningBehavior, ParentClosePolicy, WorkflowIdReusePolicy};
pub use timewright_protocol::workflow::{
    ActivityCancellationType, ChildWorkflowCancellationType, ContinueAsNew, ExternalWorkflow, Issued,
    LocalActivityOutcome, NexusOperationCancellationType, Nondeterminism, Recorded, RequestCancelExternalWorkflow,
    Resolution, ScheduleActivity, ScheduleLocalActivity, ScheduleNexusOperation, SignalExternalWorkflow,
    StartChildWorkflow, StartTimer,
};
pub use uuid::Uuid;
pub use worker::{WorkerError, WorkflowWorker};
pub use workflow::{Input, Output, Workflow};
