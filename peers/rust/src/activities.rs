//! The activities that the recorded workflows call, the same in every peer.

use std::time::Duration;

use temporalio_common::error::ApplicationFailure;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

pub struct Activities;

#[activities]
impl Activities {
    /// What came in.
    #[activity(name = "echo")]
    pub async fn echo(_: ActivityContext, value: String) -> Result<String, ActivityError> {
        Ok(value)
    }

    /// Takes nothing and gives nothing.
    #[activity(name = "nothing")]
    pub async fn nothing(_: ActivityContext) -> Result<(), ActivityError> {
        Ok(())
    }

    /// What came in, after so long.
    #[activity(name = "wait_ms")]
    pub async fn wait_ms(_: ActivityContext, milliseconds: u64) -> Result<u64, ActivityError> {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        Ok(milliseconds)
    }

    /// Fails up to this attempt, which gives its number.
    #[activity(name = "fail_until")]
    pub async fn fail_until(context: ActivityContext, attempt: u32) -> Result<u32, ActivityError> {
        if context.info().attempt < attempt {
            return Err(failure("not yet", "NotYet", false).into());
        }
        Ok(attempt)
    }

    /// Fails for good.
    #[activity(name = "refuse")]
    pub async fn refuse(_: ActivityContext, reason: String) -> Result<String, ActivityError> {
        Err(failure(&format!("refused: {reason}"), "Refused", true).into())
    }

    /// Works until it is cancelled, and ends as cancelled.
    #[activity(name = "until_cancelled")]
    pub async fn until_cancelled(context: ActivityContext) -> Result<String, ActivityError> {
        while !context.is_cancelled() {
            context.record_heartbeat(()).await?; // nothing in a Local Activity
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(ActivityError::cancelled())
    }
}

pub fn failure(message: &str, type_name: &str, non_retryable: bool) -> ApplicationFailure {
    ApplicationFailure::builder(message).type_name(type_name.to_owned()).non_retryable(non_retryable).build()
}
