//! Gates that block whoever comes to them, thread and all, until the test opens them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

static GATES: Mutex<BTreeMap<String, Gate>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

#[derive(Default)]
struct Gate {
    open: bool,
    waiting: usize,
}

/// Blocks the thread until the gate is open.
pub(crate) fn pass(gate: &str) {
    let mut gates = lock();
    gates.entry(gate.to_owned()).or_default().waiting += 1;
    CHANGED.notify_all();
    while !gates[gate].open {
        gates = CHANGED.wait(gates).unwrap_or_else(PoisonError::into_inner);
    }
    gates.entry(gate.to_owned()).or_default().waiting -= 1;
}

/// Computes until so many are at the gate, which then stays open for them: only threads that run beside each other get there.
pub(crate) fn meet(gate: &str, count: usize) {
    lock().entry(gate.to_owned()).or_default().waiting += 1;
    while waiting(gate) < count {
        (0..100_000_u64).fold(0, |sum, number| std::hint::black_box(sum ^ number));
    }
}

pub(crate) fn open(gate: &str) {
    lock().entry(gate.to_owned()).or_default().open = true;
    CHANGED.notify_all();
}

/// How many are blocked there.
pub(crate) fn waiting(gate: &str) -> usize {
    lock().get(gate).map_or(0, |gate| gate.waiting)
}

/// Opens the gate at the end of a test, however that comes: so that no thread stays behind.
pub(crate) struct OpensInTheEnd<'a>(pub(crate) &'a str);

impl Drop for OpensInTheEnd<'_> {
    fn drop(&mut self) {
        open(self.0);
    }
}

fn lock() -> MutexGuard<'static, BTreeMap<String, Gate>> {
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}
