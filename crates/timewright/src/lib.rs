//! Timewright, the Temporal worker SDK: everything that an application needs, from one dependency.
//!
//! This crate is thin. It re-exports the crates below, and its `Worker` runs the roles that its features switch on; a
//! process that plays one role compiles nothing of the other.
//!
//! With both roles, `LocalActivities` lets workflows execute activities without the server, and activities of a worker's own Task
//! Queue begin without the way over it.
//!
//! | feature | role | crate |
//! |---|---|---|
//! | `activity` (default) | Activity Worker | [`mod@activity`] |
//! | `workflow` (default) | Workflow Worker | [`mod@workflow`] |
//! | `macros` (default) | attributes that write definitions and implementations | [`macro@workflow`], [`macro@activity`], … |
//! | `all-rpcs` | messages and raw stubs of every RPC of a server, such as those of Schedules, and not only of those that Timewright calls | [`proto`] |
//! | `json` | histories as JSON | [`proto`] |
//! | `resource-slots` | slots as long as machine or container have room | [`client`] |
//! | `tls` | https addresses | [`client`] |
//!
//! ```toml
//! # a process that only executes activities, and writes them with attributes
//! timewright = { version = "0.1", default-features = false, features = ["activity", "macros"] }
//! ```
#![forbid(unsafe_code)]

#[cfg(all(feature = "activity", feature = "workflow"))]
mod eager_activities;
#[cfg(all(feature = "activity", feature = "workflow"))]
mod local_activities;
mod plugin;
mod signal;
#[cfg(any(feature = "activity", feature = "workflow"))]
mod worker;

#[cfg(all(feature = "activity", feature = "workflow"))]
pub use eager_activities::EagerActivities;
#[cfg(all(feature = "activity", feature = "workflow"))]
pub use local_activities::LocalActivities;
pub use plugin::{Plugin, WithPlugin};
pub use signal::shutdown_signal;
#[cfg(feature = "activity")]
pub use timewright_activity_worker as activity;
pub use timewright_client as client;
pub use timewright_converter as converter;
#[cfg(feature = "macros")]
pub use timewright_macros::{
    activities, activity, activity_definition, query_definition, signal_definition, update_definition, workflow,
    workflow_definition,
};
pub use timewright_proto as proto;
#[cfg(feature = "workflow")]
pub use timewright_workflow_worker as workflow;
#[cfg(any(feature = "activity", feature = "workflow"))]
pub use worker::{Worker, WorkerError};

/// What callers and implementers share; `timewright-definition` under the name that it has here.
///
/// ```
/// use timewright::definition::{WorkflowDefinition, workflow_definition};
///
/// #[workflow_definition(name = "greet", input = String, output = String)]
/// pub struct Greet;
///
/// assert_eq!(Greet::NAME, "greet");
/// ```
pub mod definition {
    #[doc(inline)]
    pub use timewright_definition::*;
    // These name this crate where those of `timewright-definition` name that one, which its user need not depend on.
    #[cfg(feature = "macros")]
    #[doc(inline)]
    pub use timewright_macros::{
        activity_definition, query_definition, signal_definition, update_definition, workflow_definition,
    };
}

/// The code of README.md compiles.
#[cfg(all(doctest, feature = "activity", feature = "macros", feature = "workflow"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The code of the guide compiles.
#[cfg(all(doctest, feature = "activity", feature = "macros", feature = "workflow"))]
mod guide {
    #[doc = include_str!("../../../docs/writing-workflows.md")]
    struct WritingWorkflows;
    #[doc = include_str!("../../../docs/messages.md")]
    struct Messages;
    #[doc = include_str!("../../../docs/interceptors.md")]
    struct Interceptors;
    #[doc = include_str!("../../../docs/errors.md")]
    struct Errors;
    #[doc = include_str!("../../../docs/determinism.md")]
    struct Determinism;
    #[doc = include_str!("../../../docs/versioning.md")]
    struct Versioning;
    #[doc = include_str!("../../../docs/observability.md")]
    struct Observability;
}
