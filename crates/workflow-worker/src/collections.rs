//! Maps and sets for workflow code, whose order is the same on every replay.
//!
//! The order of `std::collections::HashMap` is another in each process, and with another hasher it would still be another with the next
//! version of Rust. So workflow code iterates over a `BTreeMap` or `BTreeSet`, in the order of the keys, or over an [`IndexMap`] or
//! [`IndexSet`], in the order of insertion: as fast as a `HashMap`, and the hasher does not matter.
//!
//! ```
//! use timewright_workflow_worker::collections::IndexMap;
//!
//! let orders = IndexMap::from([("zebra", 1), ("ant", 2)]);
//! assert_eq!(orders.keys().collect::<Vec<_>>(), [&"zebra", &"ant"]);
//! ```
//!
//! `swap_remove` moves the last entry to the place of the one that is removed, also the same on every replay; `shift_remove` keeps
//! the order.

pub use indexmap::{IndexMap, IndexSet};
