//! A workflow whose start an interceptor has refused: its arguments are not read, and nothing of its code runs.

use std::future::pending;

use timewright_converter::{RawArguments, RawValue};

use crate::child_workflow::AnyWorkflow;
use crate::context::WorkflowContext;
use crate::error::WorkflowError;
use crate::info::WorkflowInfo;
use crate::workflow::Workflow;

/// Takes the place of the workflow's code, for what interceptors put around it.
pub(super) struct Refused;

impl Workflow for Refused {
    type Definition = AnyWorkflow;

    fn init(_info: &WorkflowInfo, _arguments: &RawArguments) -> Self {
        Self
    }

    /// Never called: the refusal is what it would return.
    async fn run(_context: WorkflowContext<Self>, _arguments: RawArguments) -> Result<RawValue, WorkflowError> {
        pending().await
    }
}
