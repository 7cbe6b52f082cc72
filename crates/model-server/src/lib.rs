//! A pure model of the server half of the Workflow Task protocol.
//!
//! [`Server`] is one namespace in virtual time: it takes the requests of clients and workers, and answers and records what
//! the real Temporal Server would, Event by Event. No IO, no clock, no threads; what the real server leaves to chance comes
//! from a seed. [`ActivityWorker`] executes activities on it, [`NexusWorker`] handles Nexus operations.
//!
//! # Where the facts come from
//!
//! `tests/scenarios/*.txt` are conversations with a real server (1.32.0): what was asked, and what it answered and
//! recorded. The model must give the same answers, line by line. The facts behind them stand in the docs of the functions
//! that keep them.
//!
//! # What it does
//!
//! Workflow Tasks with attempts, transient and sticky tasks, buffered Events, refused completions; activities with retries,
//! time-outs and cancellation; Nexus operations with retries, time-outs, callbacks and cancellation, and endpoints in the
//! same namespace; timers; markers, search attributes and memo; signals, cancellation, termination, time-outs of runs;
//! completion, failure with retries, continue-as-new; Queries with and without a task of their own; priorities, and
//! changing them; histories in pages.
//!
//! # What it does not
//!
//! Child workflows, signals and cancellations to other workflows, Updates, Local Activity heartbeat limits, schedules and
//! cron, resets, versioning, pauses and time-skipping, eager execution. Nexus links, Nexus failures with metadata or
//! details, and the server's own Nexus endpoint. Limits on sizes and numbers, but for search attributes' values and for
//! Nexus operations. What a request asks for beyond the model is answered with [`ServerError::Unsupported`]. Another family
//! of Commands is another file in `command/`, another kind of pending operation another map in `execution.rs`.
#![forbid(unsafe_code)]

mod activity;
mod activity_worker;
mod close;
mod command;
mod completion;
mod error;
mod events;
mod execution;
mod nexus;
mod nexus_worker;
mod pages;
mod query;
mod queues;
mod random;
mod retry;
mod search_attributes;
mod server;
mod start;
mod text;
mod time;
mod timer;
mod token;
mod workflow_task;

pub use activity_worker::ActivityWorker;
pub use error::ServerError;
pub use nexus_worker::NexusWorker;
pub use pages::Pages;
pub use query::QueryId;
pub use server::{Server, ServerOptions};
pub use text::{event_line, history_lines};
pub use time::Time;
