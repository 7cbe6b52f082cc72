//! Errors behind wrappers that pass on everything but their type, such as `anyhow::Error` in a `Box<dyn Error>`, or a variant with
//! thiserror's `#[error(transparent)]`.
//!
//! A wrapper that stands for the error within answers `source` with that error's own `source`. So an error of ours which is asked for
//! its source while somebody looks for it shows itself. No wrapper needs to be known for that, and none to be depended on.

use std::any::Any;
use std::cell::RefCell;
use std::error::Error;

thread_local! {
    /// `None` while nobody looks.
    static SHOWN: RefCell<Option<Shown>> = const { RefCell::new(None) };
}

type Shown = Vec<Box<dyn Any>>;

/// To be called at the start of [`source`](Error::source): if somebody looks behind a wrapper just now, here is the error.
#[doc(hidden)]
pub fn show_if_looked_for<E: Error + Clone + 'static>(error: &E) {
    SHOWN.with_borrow_mut(|shown| {
        if let Some(shown) = shown {
            shown.push(Box::new(error.clone()));
        }
    });
}

/// What `error` is a wrapper of, where that is an error of ours and the wrapper stands for it.
#[doc(hidden)]
#[must_use]
pub fn look_behind(error: &(dyn Error + 'static)) -> Option<Box<dyn Any>> {
    let before = SHOWN.replace(Some(Vec::new()));
    let _ = error.source();
    // Whoever asks for more than one level is not asked for more than the first.
    SHOWN.replace(before)?.into_iter().next()
}
