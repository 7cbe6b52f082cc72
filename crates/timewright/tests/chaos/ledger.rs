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
        Ok(Self(Mutex::new(File::create_new(folder.join(format!("{}.ledger", std::process::id())))?)))
    }

    /// The effect of an activity: that it is counted.
    pub(crate) fn note(&self, work: Work) -> io::Result<()> {
        let line = format!("{} {}\n", work.trip, work.step);
        // One call for the whole line, so that a process which is killed leaves no half of it.
        self.0.lock().map_err(|_| io::Error::other("a thread panicked while it wrote"))?.write_all(line.as_bytes())
    }
}

/// How often each activity, known by workflow and step, was executed, according to all ledgers.
pub(crate) fn read_all(folder: &Path) -> io::Result<BTreeMap<(u64, u64), u64>> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "ledger") {
            continue;
        }
        for line in fs::read_to_string(path)?.lines() {
            let parsed = line.split_once(' ').and_then(|(trip, step)| Some((trip.parse().ok()?, step.parse().ok()?)));
            let key = parsed.ok_or_else(|| io::Error::other(format!("`{line}` is no line of a ledger")))?;
            *counts.entry(key).or_insert(0) += 1;
        }
    }
    Ok(counts)
}
