//! The functions that a module exports. Bytes go over the module's memory: the worker asks for room, writes there, and calls; what it
//! gets is a place and a length in one number. A module imports nothing.

use std::cell::RefCell;

use crate::Guest;
use crate::workflow::foreign::FORMAT_VERSION;

thread_local! {
    /// There is one for each run: a module has no threads, and each run has a module of its own.
    static GUEST: RefCell<Option<Guest>> = const { RefCell::new(None) };
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// In which form bytes are written.
pub fn format_version() -> u32 {
    FORMAT_VERSION
}

/// Room for as many bytes; where it begins.
pub fn allocate(length: u32) -> u32 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length as usize, 0);
        address(input)
    })
}

/// Which workflows there are.
pub fn describe(make: impl FnOnce() -> Guest) -> u64 {
    with_guest(make, |guest| guest.describe())
}

/// Takes the bytes that were written into the room, and answers.
pub fn activate(make: impl FnOnce() -> Guest) -> u64 {
    let input = INPUT.take();
    with_guest(make, |guest| guest.activate(&input))
}

/// With what the code has panicked; empty where it has not.
pub fn panic_message() -> u64 {
    give(PANIC.take().into_bytes())
}

fn with_guest(make: impl FnOnce() -> Guest, answer: impl FnOnce(&mut Guest) -> Vec<u8>) -> u64 {
    let output = GUEST.with_borrow_mut(|guest| {
        let guest = guest.get_or_insert_with(|| {
            // A panic ends the module, and all that is left of it is what is noted here.
            std::panic::set_hook(Box::new(|panic| PANIC.set(panic.to_string())));
            make()
        });
        answer(guest)
    });
    give(output)
}

fn give(bytes: Vec<u8>) -> u64 {
    OUTPUT.with_borrow_mut(|output| {
        *output = bytes;
        (u64::from(address(output)) << 32) | output.len() as u64
    })
}

/// Memory of a module ends below 4 GiB.
fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr() as usize as u32
}
