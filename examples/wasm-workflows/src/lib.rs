//! Workflows that are compiled to WebAssembly: one file, which a worker executes that was built long before.
//!
//! Nothing here differs from workflows that are part of a worker, but for the last line, and the name of one dependency in `Cargo.toml`.
#![forbid(unsafe_code)]

pub mod mistakes;
pub mod order;

use mistakes::{AllocatingWorkflow, FragileWorkflow, LoopingWorkflow, PanickingWorkflow, TimeReadingWorkflow};
use order::{DeliveryWorkflow, OrderWorkflow};

timewright::export_workflows!(
    OrderWorkflow,
    DeliveryWorkflow,
    PanickingWorkflow,
    FragileWorkflow,
    LoopingWorkflow,
    AllocatingWorkflow,
    TimeReadingWorkflow,
);
