//! Histories are replayed: those of today, right after they were made, and those that the repository keeps for ever.
//! Each agrees with the program that made it, and disagrees with the same program after a change.

mod programs;
mod support;

mod replay {
    mod live;
    mod recorded;
}
