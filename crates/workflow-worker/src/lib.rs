//! The Workflow Worker: executes the Workflow Tasks of a Task Queue.
//!
//! - [`Workflow`] is what a user writes, [`WorkflowContext`] what its code works with.
//! - [`WorkflowWorker`] executes it; [`Replayer`] tests that a change of its code is compatible with workflows that run.
//!
//! Workflow code runs on plain threads, so that its futures need not be `Send`, and so that tokio's timers and IO, which
//! have no place in it, fail at once.
//!
//! Without the feature `worker`, which is on by default, only what workflow code is written with is left, without tokio, client and
//! threads: for workflows that are compiled to WebAssembly. [`foreign`] is the boundary to such code.
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "worker"), allow(dead_code, reason = "much is only for the worker that executes the code"))]

mod activity;
#[cfg(feature = "worker")]
mod alarm;
#[cfg(feature = "worker")]
mod answer;
mod cancellation;
mod child_workflow;
#[cfg(feature = "worker")]
mod codecs;
pub mod collections;
mod combinators;
mod context;
mod continue_as_new;
mod coroutine;
#[cfg(feature = "worker")]
mod eager_activities;
mod error;
mod event_group;
mod external_workflow;
#[cfg(feature = "foreign")]
pub mod foreign;
mod handlers;
#[cfg(feature = "worker")]
mod hold;
mod info;
mod instance;
mod interceptor;
#[cfg(feature = "worker")]
mod local_activities;
mod local_activity;
mod mailbox;
mod messages;
mod meter;
#[cfg(feature = "worker")]
mod metrics;
#[cfg(feature = "worker")]
mod monitor;
mod nexus_operation;
mod observed;
#[cfg(feature = "worker")]
mod options;
#[cfg(feature = "worker")]
mod pages;
#[cfg(feature = "worker")]
mod payloads;
mod policy;
mod properties;
mod random;
mod registry;
#[cfg(feature = "worker")]
mod rehearsal;
#[cfg(feature = "worker")]
mod replayer;
mod rollout;
mod session;
#[cfg(feature = "worker")]
mod shard;
#[cfg(feature = "worker")]
mod shards;
#[cfg(feature = "worker")]
mod signal_with_start;
pub mod sync;
#[cfg(test)]
#[cfg(feature = "worker")]
mod tests;
mod timer;
#[cfg(feature = "worker")]
mod versioning;
mod wait;
#[cfg(feature = "worker")]
mod watch;
#[cfg(feature = "worker")]
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
#[cfg(feature = "worker")]
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
#[cfg(feature = "worker")]
pub use local_activities::{LocalActivity, LocalActivityCancellation, LocalActivityExecutor};
pub use local_activity::LocalActivityOptions;
#[cfg(feature = "worker")]
pub use monitor::WorkflowWorkerMonitor;
pub use nexus_operation::{NexusOperationFailure, NexusOperationHandle, NexusOperationOptions, StartingNexusOperation};
#[cfg(feature = "worker")]
pub use options::{BuildError, WorkflowWorkerBuilder};
pub use policy::{FailurePolicy, FailureTarget};
pub use properties::{MemoChanges, SearchAttributeChanges};
pub use random::RandomStream;
#[cfg(feature = "worker")]
pub use replayer::{ReplayError, Replayer};
pub use rollout::{PatchActivation, VersionChoice};
pub use session::{
    OpenSessionFailure, Session, SessionActivityFailure, SessionActivityHandle, SessionLost, SessionOptions,
};
pub use timer::{TimeLimit, TimerHandle, TimerOptions};
#[cfg(feature = "worker")]
pub use timewright_client::{
    PollerBehavior, SlotKind, SlotRequest, SlotSupplier, SlotTask, StartWorkflowOptions, WorkerDeployment,
};
pub use timewright_converter::{ApplicationFailure, ConversionError, Failure, FailureKind};
pub use timewright_definition::{
    Priority, RetryPolicy, SearchAttributeKey, SearchAttributeValue, VersioningBehavior, VersioningOverride,
    search_attribute_kind,
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
#[cfg(feature = "worker")]
pub use worker::{WorkerError, WorkflowWorker};
pub use workflow::{Input, Output, Workflow};
