//! Waiting for several things, in a fixed order: `select!`, `join!`, `try_join!`, and the same for any number.
//!
//! Whatever is ready at once counts in the order in which it was written down or listed, so that a replay decides the same.
//! Nothing that loses is cancelled.

mod many;
mod named;

pub use many::{join_all, race, try_join_all};
