//! The seeded choices of the model: a small generator, and choices that depend on names instead of on an order.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the state
//! counts up by the golden ratio, and each number is the state with its bits mixed.

/// Chooses anew with each call.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_RATIO);
        mix(self.state)
    }

    /// A number below `bound`, which must not be 0. Slightly uneven, which no test notices.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Something that looks like a UUID, and is one in form.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48) & 0x3fff,
            low & 0xffff_ffff_ffff
        )
    }
}

/// A generator that depends on the seed and on names only: the choice about an activity, say, stays the same whatever
/// else was chosen before.
pub(crate) fn named(seed: u64, names: &[&str]) -> Random {
    let mut state = seed;
    for name in names {
        for byte in name.bytes() {
            state = mix(state.wrapping_add(GOLDEN_RATIO) ^ u64::from(byte));
        }
        state = mix(state.wrapping_add(GOLDEN_RATIO));
    }
    Random::new(state)
}

const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_numbers_come_out() {
        let mut random = Random::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn names_decide_and_their_limits_too() {
        assert_eq!(named(1, &["a", "b"]).next(), named(1, &["a", "b"]).next());
        assert_ne!(named(1, &["a", "b"]).next(), named(1, &["ab"]).next());
        assert_ne!(named(1, &["a"]).next(), named(2, &["a"]).next());
    }

    #[test]
    fn a_uuid_has_the_form_of_one() {
        let uuid = Random::new(7).uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
    }
}
