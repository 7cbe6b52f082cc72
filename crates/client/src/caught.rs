//! Code of the application's, run where its panic would end more than itself.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use tower::BoxError;

/// The application's code, which is named by what it was given as, has panicked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} panicked, which is a defect of the application: {panic}")]
pub(crate) struct Panicked {
    what: &'static str,
    panic: String,
}

impl Panicked {
    pub(crate) fn new(what: &'static str, panic: &(dyn Any + Send)) -> Self {
        Self { what, panic: panic_text(panic).to_owned() }
    }
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(the panic's value is no text)")
}

/// What the future gives. A panic is an error: that of making the future, too.
pub(crate) async fn caught<T, E, F>(what: &'static str, make: impl FnOnce() -> F) -> Result<T, BoxError>
where
    E: Into<BoxError>,
    F: Future<Output = Result<T, E>>,
{
    let mut future: Pin<Box<F>> = match catch_unwind(AssertUnwindSafe(make)) {
        Ok(future) => Box::pin(future),
        Err(panic) => return Err(Panicked::new(what, &*panic).into()),
    };
    let result = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map_err(Into::into),
        Err(panic) => Poll::Ready(Err(Panicked::new(what, &*panic).into())),
    })
    .await;
    // What has panicked is not polled again, and may panic once more.
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
        Ok(()) => result,
        Err(panic) => result.and(Err(Panicked::new(what, &*panic).into())),
    }
}
