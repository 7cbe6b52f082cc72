//! A worker's process, and what it has used.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use timewright_testing::{ChildProcess, Output};

/// A worker that has connected.
pub(crate) struct Worker {
    process: ChildProcess,
    clock: ClockId,
}

impl Worker {
    pub(crate) fn start(name: &str, command: Command) -> Result<Self> {
        let mut process = ChildProcess::spawn_with(name, command, Output::Capture)?;
        process.wait_for_line("ready", Duration::from_secs(30))?;
        let clock = clock_getcpuclockid(Pid::from_raw(process.id().cast_signed()))?;
        Ok(Self { process, clock })
    }

    /// User and system time so far, of all its threads, those that have ended included; to the nanosecond.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        Ok(clock_gettime(self.clock)?.into())
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    /// Waits until it has nothing more to do: next to no CPU time in two seconds.
    pub(crate) async fn settle(&self) -> Result<()> {
        let mut before = self.cpu()?;
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let now = self.cpu()?;
            if now - before < Duration::from_millis(20) {
                return Ok(());
            }
            before = now;
        }
    }
}
