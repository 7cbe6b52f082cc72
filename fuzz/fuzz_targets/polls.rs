//! Responses to polls, however damaged. What must hold stands in the library.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| timewright_fuzz::polls(input));
