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
//! time-outs and cancellation; Nexus operations with retries, time-outs, callbacks and cancellation, also those that a
//! workflow stands for, and endpoints in the same namespace; timers; markers, search attributes and memo; signals, cancellation, termination, time-outs of runs;
//! completion, failure with retries, continue-as-new; child workflows; signals and cancellations from workflow to workflow;
//! resets; priorities, and changing them; Queries with and without a task of their own; Updates, speculative Workflow
//! Tasks; the limit of prolonged Workflow Tasks; histories and completions in pages.
//!
//! # What it does not
//!
//! Other namespaces; Updates with callbacks or together with a start; schedules and cron; versioning (what a completion
//! says of it is recorded only); pauses (which a server has to be configured for) and time-skipping; eager execution;
//! Nexus links, Nexus failures with metadata or details, and the server's own Nexus endpoint; limits on sizes and numbers,
//! but for search attributes' values and for Nexus operations. What a request asks for beyond the model is answered with
//! [`ServerError::Unsupported`]. Another family of Commands is another file in `command/`, another kind of pending
//! operation another map in `execution.rs`.
#![forbid(unsafe_code)]

mod activity;
mod activity_worker;
mod child;
mod close;
mod command;
mod completion;
mod completion_pages;
mod error;
mod events;
mod execution;
mod external;
mod nexus;
mod nexus_worker;
mod pages;
mod protocol_message;
mod query;
mod queues;
mod random;
mod reset;
mod retry;
mod search_attributes;
mod server;
mod speculative_task;
mod start;
mod text;
mod time;
mod timer;
mod token;
mod transfer;
mod update;
mod workflow_task;

pub use activity_worker::ActivityWorker;
pub use error::ServerError;
pub use nexus_worker::NexusWorker;
pub use pages::Pages;
pub use query::QueryId;
pub use server::{Server, ServerOptions, UpdateCallId};
pub use text::{event_line, history_lines};
pub use time::{BEGINNING, Time};
