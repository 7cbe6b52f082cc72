//! The activities.

use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

pub struct Activities;

#[activities]
impl Activities {
    #[activity(name = "echo")]
    pub async fn echo(_: ActivityContext, value: String) -> Result<String, ActivityError> {
        Ok(value)
    }

    #[activity(name = "nothing")]
    pub async fn nothing(_: ActivityContext) -> Result<(), ActivityError> {
        Ok(())
    }
}
