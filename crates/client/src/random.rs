//! The little randomness that a client needs: seeds for back-off, and ids of requests.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// A seed for [`PollerOptions::jitter_seed`](timewright_protocol::task_queue::PollerOptions::jitter_seed): a number that
/// another process, or another call, is very unlikely to get.
///
/// The standard library takes the keys of its hash maps from the operating system and makes them different for each map;
/// their hash of nothing is as random, and spares a dependency. Not for secrets.
#[must_use]
pub fn seed() -> u64 {
    RandomState::new().hash_one(())
}

/// A random UUID (RFC 9562, version 4), by which the server knows a repeated request.
pub fn request_id() -> String {
    let (high, low) = (seed(), seed());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_uuids_and_differ() {
        let ids: BTreeSet<_> = (0..10_000).map(|_| super::request_id()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            let lengths: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert!(id.chars().all(|digit| digit == '-' || digit.is_ascii_hexdigit()), "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
    }
}
