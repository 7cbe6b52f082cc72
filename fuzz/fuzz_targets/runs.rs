//! Runs, fed with damaged histories and any Commands. What must hold stands in the library.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|input: &[u8]| timewright_fuzz::runs(input));
fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    timewright_fuzz::mutate(data, size, most, seed, fuzzer_mutate)
});
