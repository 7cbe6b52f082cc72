//! What activities have done, in files: one for each worker process, written before the server hears of it. What a process has
//! written is there whatever becomes of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use crate::trip::Work;

/// What one worker process writes.
pub(crate) struct Ledger(Mutex<File>);

impl Ledger {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        // Long runs see process ids again.
        let file = folder.join(format!("{}.ledger", std::process::id()));
        Ok(Self(Mutex::new(File::options().create(true).append(true).open(file)?)))
    }

    /// An activity begins.
    pub(crate) fn note_begin(&self, work: Work) -> io::Result<()> {
        self.note("begun", work)
    }

    /// The effect of an activity: that it is counted.
    pub(crate) fn note_effect(&self, work: Work) -> io::Result<()> {
        self.note("done", work)
    }

    fn note(&self, what: &str, work: Work) -> io::Result<()> {
        let line = format!("{what} {} {}\n", work.trip, work.step);
        // One call for the whole line, so that a process which is killed leaves no half of it.
        self.0.lock().map_err(|_| io::Error::other("a thread panicked while it wrote"))?.write_all(line.as_bytes())
    }
}

/// How often an activity began, and how often it came to its effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) begun: u64,
    pub(crate) done: u64,
}

/// What all ledgers say of each activity, which is known by workflow and step.
pub(crate) fn read_all(folder: &Path) -> io::Result<BTreeMap<(u64, u64), Count>> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "ledger") {
            continue;
        }
        for line in fs::read_to_string(path)?.lines() {
            let (what, key) =
                parse(line).ok_or_else(|| io::Error::other(format!("`{line}` is no line of a ledger")))?;
            let count: &mut Count = counts.entry(key).or_default();
            *(if what == "done" { &mut count.done } else { &mut count.begun }) += 1;
        }
    }
    Ok(counts)
}

fn parse(line: &str) -> Option<(&str, (u64, u64))> {
    let mut words = line.split(' ');
    let (what, trip, step) = (words.next()?, words.next()?, words.next()?);
    Some((what, (trip.parse().ok()?, step.parse().ok()?)))
}
