//! Executes workflows that are compiled to WebAssembly: one file, deployed without building the worker anew, in a sandbox.
//!
//! ```no_run
//! use timewright_wasm::WasmWorkflows;
//! use timewright_workflow_worker::WorkflowWorker;
//!
//! # fn example(builder: timewright_workflow_worker::WorkflowWorkerBuilder) -> Result<(), Box<dyn std::error::Error>> {
//! let orders = WasmWorkflows::from_file("orders.wasm")?;
//! println!("{:?}", orders.workflow_types());
//! let worker = builder.foreign_workflows(orders).build()?; // `WorkflowWorker::builder(client, "orders")`
//! # Ok(()) }
//! ```
//!
//! The code is written with `timewright-wasm-guest`, as all workflows are. Each run has an instance of the module of its own, and with
//! it a memory of its own, which goes when the run leaves the cache. The module may import nothing: there is no clock, no random
//! number, no thread, no file and no network that the code could reach, so it is deterministic, and can do no harm.
//!
//! | the code | what becomes of it |
//! |---|---|
//! | panics, or traps | the Workflow Task fails with the message and is tried again, as everywhere; [failure policies](timewright_workflow_worker::FailurePolicy) hold |
//! | never comes back | it is interrupted when its [fuel](WasmLimits::fuel) is spent, with TMPRL1101; its thread is free again |
//! | wants more [memory](WasmLimits::memory) than it may have | the Workflow Task fails, and says so |
//!
//! A trap ends the instance, and the run is executed from its history by a new one.
#![forbid(unsafe_code)]

mod error;
mod limits;
mod module;
mod run;

pub use error::WasmError;
pub use limits::WasmLimits;
pub use module::WasmWorkflows;
