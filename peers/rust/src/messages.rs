//! Signals, queries, and Updates.

use std::error::Error;

use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::activities::{Activities, failure};
use crate::common::{local, ms, remote};

/// What makes an Update fail once it has been accepted.
type HandlerError = Box<dyn Error + Send + Sync>;

/// A workflow with a value that Updates change, until the signal `finish`; before that it does `$first`.
macro_rules! messages {
    ($name:literal, $type:ident, |$context:ident| $first:block) => {
        #[workflow]
        #[derive(Default)]
        pub struct $type {
            value: i64,
            finished: bool,
        }

        #[workflow_methods]
        impl $type {
            #[run(name = $name)]
            pub async fn run($context: &mut WorkflowContext<Self>) -> WorkflowResult<i64> {
                let () = $first;
                $context.wait_condition(|state| state.finished).await?;
                Ok($context.state(|state| state.value))
            }

            #[signal(name = "finish")]
            pub fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
                self.finished = true;
            }

            /// Runs an activity in the signal's handler.
            #[signal(name = "work")]
            pub async fn work(ctx: &mut WorkflowContext<Self>, milliseconds: u64) {
                let _ = ctx.execute_activity(Activities::wait_ms, milliseconds, remote()).await;
                ctx.state_mut(|state| state.value += 1);
            }

            #[query(name = "current")]
            pub fn current(&self, _ctx: &WorkflowContextView) -> i64 {
                self.value
            }

            #[update_validator(set)]
            fn validate_set(
                &self,
                _ctx: &WorkflowContextView,
                value: &i64,
            ) -> Result<(), Box<dyn Error + Send + Sync>> {
                if *value < 0 { Err("negative".into()) } else { Ok(()) }
            }

            /// Sets the value and gives the one before; refuses a negative one before it is accepted.
            #[update(name = "set")]
            pub fn set(&mut self, _ctx: &mut SyncWorkflowContext<Self>, value: i64) -> i64 {
                std::mem::replace(&mut self.value, value)
            }

            #[update(name = "set_by_activity")]
            pub async fn set_by_activity(ctx: &mut WorkflowContext<Self>, value: u64) -> Result<i64, HandlerError> {
                let value = ctx.execute_activity(Activities::wait_ms, value, remote()).await? as i64;
                ctx.state_mut(|state| state.value = value);
                Ok(value)
            }

            #[update(name = "set_by_local_activity")]
            pub async fn set_by_local_activity(
                ctx: &mut WorkflowContext<Self>,
                value: u64,
            ) -> Result<i64, HandlerError> {
                let value = ctx.execute_local_activity(Activities::wait_ms, value, local()).await? as i64;
                ctx.state_mut(|state| state.value = value);
                Ok(value)
            }

            #[update(name = "set_by_timer")]
            pub async fn set_by_timer(ctx: &mut WorkflowContext<Self>, value: i64) -> i64 {
                ctx.timer(ms(100)).await;
                ctx.state_mut(|state| state.value = value);
                value
            }

            /// Fails once it has been accepted.
            #[update(name = "refuse")]
            pub async fn refuse(_ctx: &mut WorkflowContext<Self>) -> Result<i64, HandlerError> {
                Err(failure("refused: by the handler", "Refused", true).into())
            }
        }
    };
}

messages!("messages", Messages, |ctx| {});
messages!("messages_beside_activity", MessagesBesideActivity, |ctx| {
    ctx.execute_activity(Activities::wait_ms, 1500u64, remote()).await?;
});
messages!("messages_beside_local_activity", MessagesBesideLocalActivity, |ctx| {
    ctx.execute_local_activity(Activities::wait_ms, 3000u64, local()).await?;
});

/// A workflow that collects three values, after `$first`.
macro_rules! signals {
    ($name:literal, $type:ident, |$context:ident| $first:block) => {
        #[workflow]
        #[derive(Default)]
        pub struct $type {
            values: Vec<String>,
        }

        #[workflow_methods]
        impl $type {
            #[run(name = $name)]
            pub async fn run($context: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
                let () = $first;
                $context.wait_condition(|state| state.values.len() == 3).await?;
                Ok($context.state(|state| state.values.clone()))
            }

            #[signal(name = "add")]
            pub fn add(&mut self, _ctx: &mut SyncWorkflowContext<Self>, value: String) {
                self.values.push(value);
            }
        }
    };
}

signals!("signals", Signals, |ctx| {});
signals!("signals_beside_local_activity", SignalsBesideLocalActivity, |ctx| {
    ctx.execute_local_activity(Activities::wait_ms, 3000u64, local()).await?;
});
