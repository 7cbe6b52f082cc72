//! The ids of the next span that is started on this thread, where they follow from where it stands.

use std::cell::Cell;

/// Which of a workflow's spans.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    Inbound = 1,
    Outbound = 2,
    End = 3,
}

/// What follows from where a span stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "sdk"), expect(dead_code, reason = "only the SDK's generators of ids can be told"))]
pub(crate) struct Ids {
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

/// Starts a span whose ids follow from its place in a run, where there is one.
pub(crate) fn with_ids_of<T>(run_id: &str, place: Option<(Direction, u64)>, start: impl FnOnce() -> T) -> T {
    let ids = place.map(|(direction, number)| Ids {
        trace: u128::from(hash(run_id, 0, 0)) << 64 | u128::from(hash(run_id, 0, 1)),
        span: hash(run_id, direction as u64, number),
    });
    let _reset = Reset(NEXT.replace(ids));
    start()
}

#[cfg(feature = "sdk")]
pub(crate) fn next() -> Option<Ids> {
    NEXT.get()
}

/// FNV-1a, and a last step that spreads it over all bits. Never 0, which is no id.
fn hash(run_id: &str, direction: u64, number: u64) -> u64 {
    let bytes = run_id.bytes().chain(direction.to_le_bytes()).chain(number.to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let spread = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (spread ^ (spread >> 29)).max(1)
}

struct Reset(Option<Ids>);

impl Drop for Reset {
    fn drop(&mut self) {
        NEXT.set(self.0);
    }
}

thread_local! {
    static NEXT: Cell<Option<Ids>> = const { Cell::new(None) };
}
