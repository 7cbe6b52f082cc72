//! The workflow that a Nexus operation stands for. Its own history is compared with nothing.

use std::time::Duration;

use timewright::workflow::{Workflow, WorkflowContext, WorkflowError, WorkflowInfo};

use crate::definitions::Operated;

/// It takes its time; when it is cancelled, it takes its time to clean up.
pub(crate) struct Operation;

impl Workflow for Operation {
    type Definition = Operated;

    fn init(_: &WorkflowInfo, _: &String) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, times: String) -> Result<String, WorkflowError> {
        let mut times = times.split(' ').map(|time| Duration::from_millis(time.parse().expect("milliseconds")));
        let slept = context.sleep(times.next().expect("what it takes")).await;
        if slept.is_err() {
            context.detached().sleep(times.next().expect("what cleaning up takes")).await?;
        }
        slept?;
        Ok("the workflow's result".to_owned())
    }
}

/// Its input.
pub(crate) fn takes(time: Duration, clean_up: Duration) -> String {
    format!("{} {}", time.as_millis(), clean_up.as_millis())
}
