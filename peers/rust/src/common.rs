//! What the recorded workflows share.

use std::time::Duration;

use temporalio_common::error::{
    ActivityExecutionError, CancelExternalWorkflowError, ChildWorkflowExecutionError, ChildWorkflowStartError,
    WorkflowSignalError,
};
use temporalio_sdk::{ActivityOptions, LocalActivityOptions};

/// A workflow that has no state and takes nothing, or one input.
macro_rules! program {
    ($name:literal, $type:ident, |$context:ident| -> $output:ty $body:block) => {
        #[temporalio_macros::workflow]
        #[derive(Default)]
        pub struct $type;

        #[temporalio_macros::workflow_methods]
        impl $type {
            #[allow(unused_braces, reason = "a body may be one expression")]
            #[run(name = $name)]
            pub async fn run(
                $context: &mut temporalio_sdk::WorkflowContext<Self>,
            ) -> temporalio_sdk::WorkflowResult<$output> {
                $body
            }
        }
    };
    ($name:literal, $type:ident, |$context:ident, $input:ident: $input_type:ty| -> $output:ty $body:block) => {
        #[temporalio_macros::workflow]
        #[derive(Default)]
        pub struct $type;

        #[temporalio_macros::workflow_methods]
        impl $type {
            #[allow(unused_braces, reason = "a body may be one expression")]
            #[run(name = $name)]
            pub async fn run(
                $context: &mut temporalio_sdk::WorkflowContext<Self>,
                $input: $input_type,
            ) -> temporalio_sdk::WorkflowResult<$output> {
                $body
            }
        }
    };
}
pub(crate) use program;

pub const LONG: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Options of an activity that may take long.
pub fn remote() -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(LONG)
}

/// Options of a Local Activity that may take long.
pub fn local() -> LocalActivityOptions {
    LocalActivityOptions::builder().start_to_close_timeout(LONG).build()
}

/// How an operation went.
pub fn outcome<T, E: MayBeCancelled>(result: &Result<T, E>) -> String {
    match result {
        Ok(_) => "completed",
        Err(error) if error.is_cancelled() => "cancelled",
        Err(_) => "failed",
    }
    .to_owned()
}

pub trait MayBeCancelled {
    fn is_cancelled(&self) -> bool;
}

impl MayBeCancelled for ActivityExecutionError {
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl MayBeCancelled for ChildWorkflowExecutionError {
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.as_cancelled().is_some())
    }
}

impl MayBeCancelled for ChildWorkflowStartError {
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl MayBeCancelled for WorkflowSignalError {
    fn is_cancelled(&self) -> bool {
        false
    }
}

impl MayBeCancelled for CancelExternalWorkflowError {
    fn is_cancelled(&self) -> bool {
        false
    }
}
