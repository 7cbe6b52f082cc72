//! Functions of users become services.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;

use timewright_converter::{Arguments, RawArguments, RawValue, Value};
use timewright_definition::ActivityDefinition;
use timewright_protocol::activity::ActivityOutcome;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};
use tracing::Span;

use crate::blocking::{BlockingPool, Ran};
use crate::failures::{self, unreadable_input, unwritable_output};
use crate::{ActivityContext, ActivityError, ActivityRequest, ActivityService};

/// The service of an async function that a definition describes.
pub(crate) fn asynchronous<D, F, Fut>(function: F) -> ActivityService
where
    D: ActivityDefinition<Input: Send, Output: Send>,
    F: Fn(ActivityContext, D::Input) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<D::Output, ActivityError>> + Send + 'static,
{
    service::<D::Input, D::Output, _, _>(function)
}

/// The service of an async function from Payloads to a Payload.
pub(crate) fn untyped<F, Fut>(function: F) -> ActivityService
where
    F: Fn(ActivityContext, RawArguments) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<RawValue, ActivityError>> + Send + 'static,
{
    service::<RawArguments, RawValue, _, _>(function)
}

/// The service of a function that blocks. It runs on a thread of the pool.
pub(crate) fn blocking<D, F>(pool: BlockingPool, function: F) -> ActivityService
where
    D: ActivityDefinition<Input: Send, Output: Send>,
    F: Fn(ActivityContext, D::Input) -> Result<D::Output, ActivityError> + Send + Sync + 'static,
{
    let function = Arc::new(function);
    service::<D::Input, D::Output, _, _>(move |context, input| {
        let (function, span) = (Arc::clone(&function), Span::current());
        let pool = pool.clone();
        async move {
            match pool.run(move || span.in_scope(|| function(context, input))).await {
                Ran::Returned(result) => result,
                // Whoever runs this service catches it, as it does with the panics of async functions.
                Ran::Panicked(panic) => resume_unwind(panic),
                Ran::NoThread(error) => Err(failures::no_thread(&error).into()),
            }
        }
    })
}

fn service<I, O, F, Fut>(function: F) -> ActivityService
where
    I: Arguments + Send,
    O: Value + Send,
    F: Fn(ActivityContext, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, ActivityError>> + Send + 'static,
{
    let function = Arc::new(function);
    BoxCloneSyncService::new(service_fn(move |request: ActivityRequest| {
        let function = Arc::clone(&function);
        async move { Ok::<_, BoxError>(execute(&*function, request).await) }
    }))
}

async fn execute<I, O, Fut>(function: &impl Fn(ActivityContext, I) -> Fut, request: ActivityRequest) -> ActivityOutcome
where
    I: Arguments,
    O: Value,
    Fut: Future<Output = Result<O, ActivityError>>,
{
    let ActivityRequest { context, input } = request;
    // Only for texts; the context itself goes to user code.
    let activity_type = context.info().activity_type.clone();
    let input = match I::from_payloads(input) {
        Ok(input) => input,
        Err(error) => return failures::outcome(unreadable_input(&activity_type, &error)),
    };
    match function(context, input).await {
        Ok(output) => match output.to_payload() {
            Ok(result) => ActivityOutcome::Completed(result),
            Err(error) => failures::outcome(unwritable_output(&activity_type, &error)),
        },
        Err(error) => error.into_outcome(),
    }
}

/// Polls a future to its end; its panic is an error. It is in a box, since whoever awaits this would else have room for it twice; and this
/// is no `async fn`, which would have room for what it is given beside the box.
pub(crate) fn caught<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Box<dyn Any + Send>>> {
    let mut future = Box::pin(future);
    poll_fn(move |context| {
        // What was being done is given up as a whole, so nobody sees it half done.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
}

/// What a task panicked with. One that the runtime dropped while it shut down has nothing to say.
pub(crate) fn panic_of(error: tokio::task::JoinError) -> Box<dyn Any + Send> {
    error.try_into_panic().unwrap_or_else(|_| Box::new("the runtime was shut down while the activity ran"))
}
