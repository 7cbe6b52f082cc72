//! The Activity Worker: executes Activity Tasks from a Task Queue.
//!
//! An [`ActivityWorker`] speaks the Activity Task Queue Protocol and executes the Activity Task Processing Protocol. It knows
//! nothing of workflows: a program with this crate and no other worker is an Activity Worker Process, and contains no line of
//! workflow code.
//!
//! ```no_run
//! use timewright_activity_worker::{ActivityContext, ActivityError, ActivityWorker};
//! use timewright_client::{Client, ClientOptions};
//! use timewright_definition::ActivityDefinition;
//!
//! // The contract, which would be in a crate of its own.
//! struct ComposeGreeting;
//! impl ActivityDefinition for ComposeGreeting {
//!     const NAME: &'static str = "ComposeGreeting";
//!     type Input = String;
//!     type Output = String;
//! }
//!
//! async fn compose_greeting(_context: ActivityContext, name: String) -> Result<String, ActivityError> {
//!     Ok(format!("Hello, {name}!"))
//! }
//!
//! # async fn program() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClientOptions::new("http://127.0.0.1:7233")).await?;
//! let worker = ActivityWorker::builder(client, "greetings").activity(ComposeGreeting, compose_greeting).build()?;
//! # let ctrl_c = async {};
//! worker.run(ctrl_c).await?; // until the future that is given here is ready
//! # Ok(()) }
//! ```
//!
//! The way of a task stands in one place, `worker.rs`, top to bottom: poll, decode, user code, encode, complete.
//!
//! # What user code can be
//!
//! | | registered with |
//! |---|---|
//! | an async function or closure | [`activity`](ActivityWorkerBuilder::activity) |
//! | an async method of something with state | [`activity_with_state`](ActivityWorkerBuilder::activity_with_state) |
//! | all activities of something, made by the macros of the umbrella crate, or by hand | [`register`](ActivityWorkerBuilder::register) |
//! | a function that blocks or computes | [`blocking_activity`](ActivityWorkerBuilder::blocking_activity) |
//! | something whose name is known only at run time | [`untyped_activity`](ActivityWorkerBuilder::untyped_activity) |
//! | whatever else is asked for | [`dynamic_activity`](ActivityWorkerBuilder::dynamic_activity) |
//! | a [`tower::Service`] | [`activity_service`](ActivityWorkerBuilder::activity_service) |
//!
//! All of them become a [`tower::Service`] from [`ActivityRequest`] to [`ActivityOutcome`], and any [`tower::Layer`] goes around
//! all of them: [`layer`](ActivityWorkerBuilder::layer).
#![forbid(unsafe_code)]

mod activities;
mod blocking;
mod builder;
mod commands;
mod completion;
mod context;
mod eager;
mod error;
mod execution;
mod failures;
mod handler;
mod local;
mod metrics;
mod poll;
mod propagation;
mod router;
mod service;
mod session;
mod slot;
mod span;
mod worker;

pub use activities::Activities;
pub use builder::{ActivityWorkerBuilder, BuildError};
pub use context::{ActivityContext, HeartbeatError};
pub use eager::{EagerActivities, EagerSlot};
pub use error::ActivityError;
pub use local::{LocalActivities, LocalActivityTask};
pub use service::{ActivityRequest, ActivityService};
pub use timewright_client::{MetricMeter, PollerBehavior, SlotKind, SlotRequest, SlotSupplier, SlotTask};
pub use timewright_protocol::activity::{
    ActivityInfo, ActivityOutcome, ActivityPriority, ActivityRetryPolicy, CancelReason, LocalTimeout, WorkflowOrigin,
};
pub use worker::{ActivityWorker, WorkerError};
