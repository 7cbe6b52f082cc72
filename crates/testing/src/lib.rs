//! What users need to test their own workflows and activities against something real.
//!
//! - [`DevServer`] starts Temporal's development server on a free port, waits until it serves, kills and restarts it,
//!   and ends it when it is dropped.
//! - [`ChildProcess`] runs any other program that a test needs, a worker for example: its output line by line,
//!   signals to it, and its certain end.
//!
//! Nothing that these two start survives the program that started it, not even when that program is killed: each child
//! has a small guard process that ends it then.
//!
//! The crate has no dependency, so that it costs a test suite a second to build. It needs a Unix system with `/bin/sh`.
//!
//! ```no_run
//! use timewright_testing::DevServer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = DevServer::shared()?;
//! println!("connect to http://{}", server.address());
//! println!("{}", server.run_cli(&["workflow", "list"])?);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod cli;
mod dev_server;
mod guard;
mod log;
mod output;
mod process;
mod program;
mod signal;

pub use cli::CliError;
pub use dev_server::{DevServer, DevServerBuilder, StartError};
pub use process::{ChildProcess, Output, SpawnError, WaitError};
pub use program::{NoTemporalBinary, ProgramNotBuilt, TEMPORAL_CLI_VERSION, built_program, temporal_binary};
pub use signal::{Signal, SignalError};
