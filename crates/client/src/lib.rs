//! A connection to a Temporal Service: its tower stack, the client API, and the open polls of workers.
//!
//! - [`Client`] connects, starts workflows, and hands out [`WorkflowHandle`]s: typed by definitions, or
//!   [untyped](UntypedWorkflowHandle).
//! - [`Stack`] is what all calls go through: headers, retries, deadlines; and the user's own [`tower::Layer`]s. The generated
//!   stub over it, [`Client::workflow_service`], reaches every RPC of the server, with the feature `all-rpcs` of `timewright` or
//!   `timewright-proto`.
//! - [`TaskPoller`] keeps a worker's polls open, as
//!   [`timewright_protocol::task_queue::Poller`] wants it.
#![forbid(unsafe_code)]

mod activity;
mod caught;
mod client;
mod connect;
mod deployment;
mod description;
mod eager_start;
mod environment;
mod error_details;
mod extensions;
#[cfg(test)]
mod fake_server;
mod handle;
mod heartbeat;
mod history;
mod host;
mod interceptor;
mod lifecycle;
mod metric_meter;
mod options;
mod patience;
mod poll;
mod query;
mod random;
mod readiness;
mod result;
mod rpc_error;
mod sdk_metrics;
mod set_up;
mod slots;
mod stack;
mod start;
#[cfg(feature = "tls")]
mod tls;
mod update;
mod worker;

pub use activity::{
    ActivityCompletionError, ActivityCompletionHandle, ActivityCount, ActivityCountGroup, ActivityDescription,
    ActivityHandle, ActivityIdConflictPolicy, ActivityIdReusePolicy, ActivityPages, ActivityReference,
    ActivityRequestError, ActivityResultError, ExecuteActivityError, HeartbeatResponse, ListActivitiesError,
    ListedActivity, ResetActivityOptions, StartActivityError, StartActivityOptions, UntypedActivityCompletionHandle,
    UntypedActivityHandle, UpdateActivityOptions, WorkflowActivityHandle,
};
pub use client::{CheckNamespaceError, Client, ServerInfo};
pub use connect::ConnectError;
pub use deployment::{InvalidWorkerDeployment, WorkerDeployment, WorkerDeploymentError, WorkerDeploymentHandle};
pub use description::{DescribeWorkflowError, WorkflowDescription};
pub use eager_start::{EagerWorkflowOffer, EagerWorkflowTasks};
pub use handle::{
    CancelWorkflowError, SignalWorkflowError, TerminateWorkflowError, UntypedWorkflowHandle, WorkflowHandle,
};
pub use heartbeat::{ExecutedTasks, LocalActivityFigures, WorkerFigures, WorkerPresence, WorkerProfile};
pub use history::{HistoryPages, WorkflowHistoryError};
pub use interceptor::{CallEnd, ClientCall, ClientInterceptor};
pub use lifecycle::WorkerLifecycle;
pub use metric_meter::{GaugePart, MetricDescription, MetricKind, MetricMeter};
pub use options::{ClientOptions, EnvironmentError};
pub use poll::{PollError, Polled, Slot, SlotReserver, TaskPoller, TaskSource};
pub use query::QueryWorkflowError;
pub use random::{request_id as random_id, seed as jitter_seed};
pub use readiness::{NotReady, NotReadyReason, Readiness, ReadinessSource};
pub use result::{ResultOptions, WorkflowResultError};
pub use rpc_error::RpcError;
pub use set_up::{AppliedSetUps, SetUp};
#[cfg(feature = "resource-slots")]
pub use slots::{
    InvalidResourceTarget, ResourceBasedSlots, ResourceController, ResourceMonitor, ResourceSlot, ResourceTargets,
    ResourceUsage,
};
pub use slots::{PoolSlot, SlotKind, SlotPool, SlotRequest, SlotSupplier, SlotTask, WorkerSlots};
pub use stack::{CallKind, HttpRequest, HttpResponse, Stack};
pub use start::{StartWorkflowError, StartWorkflowOptions, WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
pub use timewright_definition::VersioningBehavior;
#[cfg(feature = "tls")]
pub use tls::TlsOptions;
pub use update::{UntypedUpdateHandle, UpdateHandle, UpdateOptions, UpdateWorkflowError};
pub use worker::WorkerNamespace;

/// What a verifier for [`TlsOptions::server_verifier`] is written with: the traits, certificates and signature checks of the rustls that
/// this client uses.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

/// The facade that all metrics go through: what a [`MetricMeter`] gives is of its types. An exporter for the same version of it shows them.
pub use ::metrics;

/// How many polls a worker has open.
pub use timewright_protocol::task_queue::PollerBehavior;
/// How the polls and the slots of a worker are doing.
pub use timewright_protocol::task_queue::{PollerSnapshot, QueueSnapshot, SlotsSnapshot};

/// How the server tries a workflow or an activity again.
pub use timewright_definition::RetryPolicy;
/// Which version of a worker's deployment executes a workflow that is started.
pub use timewright_definition::VersioningOverride;
/// What calls carry along, and how.
pub use timewright_definition::{ContextPropagator, ContextPropagators, ContextValues, PropagatedValue};
/// Whether an activity that a client started runs, or how it was closed.
pub use timewright_proto::enums::ActivityExecutionStatus;
/// What an activity does while it is open.
pub use timewright_proto::enums::PendingActivityState;
/// In which states of a workflow a query is not wanted.
pub use timewright_proto::enums::QueryRejectCondition;
/// Whether a workflow runs, or how it was closed.
pub use timewright_proto::enums::WorkflowExecutionStatus;
/// How a call failed, in gRPC's terms.
pub use tonic::Code;
