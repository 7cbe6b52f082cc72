//! The programs whose histories we replay: the live ones of our workers and of Python's, and the recorded ones in
//! `tests/histories`. `peers/python/programs.py` has the same programs, command for command.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod activities;
pub(crate) mod check;
pub(crate) mod definitions;
mod gate;
pub(crate) mod inverted;
pub(crate) mod scenarios;
pub(crate) mod workers;
pub(crate) mod workflows;
