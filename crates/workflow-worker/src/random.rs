//! Random numbers that are the same on every replay.

use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use rand_core::{Rng, SeedableRng, TryRng};
use rand_pcg::Pcg64;
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::mailbox::SharedMailbox;

/// Random numbers of one workflow run: [`WorkflowContext::random`](crate::WorkflowContext::random) and
/// [`random_stream`](crate::WorkflowContext::random_stream). Cheap to clone; clones draw from the same stream.
///
/// A replay draws the same numbers. They are no secrets: whoever knows the run can compute them. After a reset they go on from
/// another seed, so that what is drawn behind the reset differs from what the run before it drew.
///
/// With the crate `rand` (0.10) all of its methods work on it, too. Note that what those make of the bits may change with a newer
/// version of `rand`, which then is a change of the workflow's code; the methods of this type never change.
///
/// ```
/// # use timewright_workflow_worker::{Workflow, WorkflowContext};
/// # fn example<W: Workflow>(context: WorkflowContext<W>) {
/// let random = context.random();
/// let dice = random.below(6) + 1;
/// let is_sampled = random.next_f64() < 0.01;
/// # let _ = (dice, is_sampled); }
/// ```
#[derive(Clone)]
pub struct RandomStream {
    mailbox: SharedMailbox,
    name: Rc<str>,
}

impl RandomStream {
    pub(crate) fn new(mailbox: &SharedMailbox, name: &str) -> Self {
        Self { mailbox: Rc::clone(mailbox), name: name.into() }
    }

    /// A number of 32 bits.
    pub fn next_u32(&self) -> u32 {
        self.draw(|generator| generator.next_u32())
    }

    /// A number of 64 bits.
    pub fn next_u64(&self) -> u64 {
        self.draw(|generator| generator.next_u64())
    }

    /// A number from 0 to 1, without 1.
    pub fn next_f64(&self) -> f64 {
        // As many bits as a double holds.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from 0 to `bound`, without `bound`, each as likely as the others.
    ///
    /// # Panics
    /// If `bound` is 0. That fails the Workflow Task.
    pub fn below(&self, bound: u64) -> u64 {
        assert!(bound > 0, "below(0): there is no such number");
        // What is beyond the last whole multiple would make small numbers likelier.
        let beyond = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let drawn = self.next_u64();
            if drawn <= beyond {
                return drawn % bound;
            }
        }
    }

    /// Fills `bytes`.
    pub fn fill_bytes(&self, bytes: &mut [u8]) {
        self.draw(|generator| generator.fill_bytes(bytes));
    }

    /// A random UUID (version 4).
    pub fn uuid4(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Pcg64) -> T) -> T {
        self.mailbox.borrow_mut().draw(&self.name, draw)
    }
}

impl TryRng for RandomStream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(RandomStream::next_u32(self))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(RandomStream::next_u64(self))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        RandomStream::fill_bytes(self, bytes);
        Ok(())
    }
}

impl fmt::Debug for RandomStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RandomStream").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The streams of one Run, by name. The one without a name is called "".
#[derive(Debug, Default)]
pub(crate) struct Streams {
    seed: u64,
    open: BTreeMap<Rc<str>, Pcg64>,
}

impl Streams {
    /// All streams begin anew, from this seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        *self = Self { seed, open: BTreeMap::new() };
    }

    /// Draws from a stream; `keep` says whether it goes on from there.
    pub(crate) fn draw<T>(&mut self, name: &Rc<str>, keep: bool, draw: impl FnOnce(&mut Pcg64) -> T) -> T {
        let seed = self.seed;
        let stream = self.open.entry(Rc::clone(name)).or_insert_with(|| generator(seed, name));
        if keep { draw(stream) } else { draw(&mut stream.clone()) }
    }
}

/// The generator of a stream. Part of the contract with histories: it never changes.
///
/// PCG XSL RR 128/64, whose seed are four numbers that SplitMix64 gives, little-endian; SplitMix64 starts at the run's seed xor the
/// FNV-1a hash (64 bits) of the stream's name.
fn generator(seed: u64, name: &str) -> Pcg64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut state = seed ^ hash;
    let mut bytes = <Pcg64 as SeedableRng>::Seed::default();
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    Pcg64::from_seed(bytes)
}
