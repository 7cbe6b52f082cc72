//! Context values on their way into activities: a layer around all others.

use std::future::ready;
use std::task::{Context, Poll};

use timewright_client::ContextPropagators;
use timewright_proto::common::Header;
use timewright_protocol::activity::ActivityOutcome;
use tower::{BoxError, Service};

use crate::{ActivityRequest, ActivityService};

/// Reads the context values in an attempt's header. An attempt whose values cannot be read fails, instead of going on without.
#[derive(Clone)]
pub(crate) struct Propagation {
    pub(crate) inner: ActivityService,
    pub(crate) propagators: ContextPropagators,
}

impl Service<ActivityRequest> for Propagation {
    type Response = ActivityOutcome;
    type Error = BoxError;
    type Future = <ActivityService as Service<ActivityRequest>>::Future;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: ActivityRequest) -> Self::Future {
        let header = Header { fields: request.context.header().clone() };
        // Beside what came with the task there is what the worker's own client carries.
        let mut values = request.context.client().values().clone();
        match self.propagators.extract(&header, &mut values) {
            Ok(()) => {
                let context = request.context.with_values(values);
                self.inner.call(ActivityRequest { context, ..request })
            }
            Err(error) => {
                let message = format!("the activity's header has a context value that cannot be read: {error}");
                Box::pin(ready(Err(message.into())))
            }
        }
    }
}
