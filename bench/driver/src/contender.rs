//! Who is measured.

use std::path::PathBuf;
use std::process::Command;

/// A program, and how it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    /// Our worker.
    Timewright,
    /// The official SDK's worker as it is when nothing is said: with gzip.
    Official,
    /// The official SDK's worker with gzip switched off.
    OfficialWithoutGzip,
    /// The same RPCs without an SDK.
    Floor,
}

impl Contender {
    pub(crate) const ALL: [Self; 4] = [Self::Timewright, Self::Official, Self::OfficialWithoutGzip, Self::Floor];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Timewright => "timewright",
            Self::Official => "official",
            Self::OfficialWithoutGzip => "official without gzip",
            Self::Floor => "floor",
        }
    }

    /// Whether its program is there; only our own must be.
    pub(crate) fn is_built(self) -> bool {
        self.program().is_file()
    }

    /// A worker on this Task Queue, once [`process::start`](crate::process::start) starts it.
    pub(crate) fn serve(self, address: &str, task_queue: &str, more: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command.args(["serve", "--address", address, "--task-queue", task_queue]).args(more);
        if self == Self::OfficialWithoutGzip {
            command.args(["--gzip", "off"]);
        }
        command
    }

    pub(crate) fn replay(self, file: &str, seconds: u64) -> Command {
        let mut command = Command::new(self.program());
        command.args(["replay", file, &seconds.to_string()]);
        command
    }

    /// The least program with activities alone; the floor has none.
    pub(crate) fn activities(self, address: &str, task_queue: &str) -> Option<Command> {
        let name = match self {
            Self::Timewright => "bench-timewright-activities",
            Self::Official => "bench-official-activities",
            Self::OfficialWithoutGzip | Self::Floor => return None,
        };
        let mut command = Command::new(self.folder().join(name));
        command.args([address, task_queue]);
        Some(command)
    }

    fn program(self) -> PathBuf {
        self.folder().join(match self {
            Self::Timewright => "bench-timewright",
            Self::Official | Self::OfficialWithoutGzip => "bench-official",
            Self::Floor => "bench-floor",
        })
    }

    /// Where cargo puts what it builds, which `cargo xtask bench` says.
    pub(crate) fn folder(self) -> PathBuf {
        let variable = match self {
            Self::Timewright | Self::Floor => "BENCH_PROGRAMS",
            Self::Official | Self::OfficialWithoutGzip => "BENCH_OFFICIAL_PROGRAMS",
        };
        std::env::var_os(variable).map(PathBuf::from).unwrap_or_default()
    }
}
