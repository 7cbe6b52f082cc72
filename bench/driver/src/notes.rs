//! What was measured, kept in a file from one run to the next, so that parts can be measured apart.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::contender::Contender;

/// For each contender, for each figure, the samples of all rounds.
pub(crate) type Samples = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

/// Adds the sample of a round.
pub(crate) fn push(samples: &mut Samples, contender: Contender, figure: &str, value: f64) {
    samples.entry(contender.name().to_owned()).or_default().entry(figure.to_owned()).or_default().push(value);
}

impl Part {
    /// The samples of a figure; none where it was not measured.
    pub(crate) fn of(&self, contender: &str, figure: &str) -> &[f64] {
        self.samples.get(contender).and_then(|figures| figures.get(figure)).map_or(&[], Vec::as_slice)
    }
}

/// The file.
#[derive(Debug)]
pub(crate) struct Notes {
    path: PathBuf,
    parts: BTreeMap<String, Part>,
}

/// One work, as it was measured last.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The day.
    pub(crate) date: String,
    /// The machine's load when it was over: how many processes wanted to run, in the mean of the last minutes.
    pub(crate) load: String,
    /// What it was measured on.
    pub(crate) machine: String,
    /// The commit.
    pub(crate) revision: String,
    pub(crate) samples: Samples,
}

impl Notes {
    /// What is noted in this file, which need not be there.
    pub(crate) fn read(path: &str) -> Result<Self> {
        let path = PathBuf::from(path);
        let parts = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| path.display().to_string())?,
            Err(_) => BTreeMap::new(),
        };
        Ok(Self { path, parts })
    }

    /// A part that was measured.
    pub(crate) fn part(&self, name: &str) -> Option<&Part> {
        self.parts.get(name)
    }

    /// All parts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, &Part)> {
        self.parts.iter().map(|(name, part)| (name.as_str(), part))
    }

    /// Notes a work, in place of what was noted of it before.
    pub(crate) fn add(&mut self, name: &str, samples: Samples) -> Result<()> {
        let part = Part {
            date: output("date", &["-u", "+%Y-%m-%d"]),
            load: std::fs::read_to_string("/proc/loadavg")?.split(' ').take(3).collect::<Vec<_>>().join(" "),
            machine: machine(),
            revision: output("git", &["rev-parse", "--short", "HEAD"]),
            samples,
        };
        self.parts.insert(name.to_owned(), part);
        let text = serde_json::to_string_pretty(&self.parts)?;
        std::fs::write(&self.path, text + "\n").with_context(|| self.path.display().to_string())
    }
}

fn machine() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
