//! One worker of the fleet: a process that is rolled, killed and stopped, and started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use timewright_testing::{ChildProcess, Signal};

use crate::chance::Chance;
use crate::stage::{Run, Stage};

/// What is the same for all.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) server: SocketAddr,
    pub(crate) task_queue: String,
    pub(crate) folder: PathBuf,
}

/// What became of a worker, over all its processes.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) rolled: u64,
    /// Those of them while nothing else was done to the fleet.
    pub(crate) rolled_alone: u64,
    pub(crate) killed: u64,
    pub(crate) stopped: u64,
    /// The most memory that a process has had, in KiB.
    pub(crate) peak_memory: u64,
    /// The most lines that a process has logged, in a minute of its life.
    pub(crate) most_lines_per_minute: u64,
}

pub(crate) struct Worker {
    name: String,
    role: &'static str,
    site: Site,
    run: Run,
    chance: Chance,
    process: ChildProcess,
    started: Instant,
    account: Account,
}

impl Worker {
    pub(crate) fn start(index: u64, role: &'static str, site: Site, run: Run, seed: u64) -> Self {
        let name = format!("{role}-{index}");
        let process = spawn(&name, role, &site);
        let chance = Chance::new(seed, 1000 + index);
        Self { name, role, site, run, chance, process, started: Instant::now(), account: Account::default() }
    }

    /// To the end of the run.
    pub(crate) fn tend(mut self) -> Account {
        self.expect_line("Worker is polling");
        while self.run.rest(Stage::Rolls, Duration::from_millis(self.chance.between(2000, 8000))) {
            self.roll();
            self.start_again();
        }
        while self.run.rest(Stage::Rest, Duration::from_millis(500)) {
            self.is_alive();
        }
        while self.run.rest(Stage::Chaos, Duration::from_millis(self.chance.between(500, 6000))) {
            match self.chance.between(1, 10) {
                1..=3 => self.roll(),
                4..=6 => self.kill(),
                _ => {
                    self.stop_for_a_while();
                    continue;
                }
            }
            let pause = Duration::from_millis(self.chance.one_of(&[0, 0, 1000, 3000]));
            self.run.rest(Stage::Chaos, pause);
            self.start_again();
        }
        while self.run.rest(Stage::Calm, Duration::from_millis(500)) {
            self.is_alive();
        }
        self.roll();
        self.account
    }

    /// Asks it to end, as whoever deploys a new version does.
    fn roll(&mut self) {
        if !self.is_alive() {
            return;
        }
        self.run.say(format_args!("{}: SIGTERM", self.name));
        self.note_memory();
        let asked = Instant::now();
        self.signal(Signal::Terminate);
        match self.process.wait(END_LIMIT) {
            Ok(status) if status.success() => {
                self.run.say(format_args!("{}: ended after {:.1} s", self.name, asked.elapsed().as_secs_f64()));
                let nothing = "account: 0 activities, 0 references to the application's state, 0 tokio tasks";
                let printed = self.process.stdout();
                if !printed.iter().any(|line| line == nothing) {
                    self.fault(&format!("holds something still: {printed:?}"));
                }
                let of_role = ["dropped polls: 0", "activities that came and did not begin: 0"];
                let expected = if self.role == "activities" { &of_role[..] } else { &of_role[..1] };
                for line in expected {
                    if self.run.stage() < Stage::Chaos && !printed.iter().any(|printed| printed == line) {
                        self.fault(&format!("has lost tasks on this side: {printed:?}"));
                    }
                }
            }
            Ok(status) => self.fault(&format!("ended with {status}")),
            Err(error) => self.run.fault(error),
        }
        self.account.rolled += 1;
        self.account.rolled_alone += u64::from(self.run.stage() == Stage::Rolls);
        self.note_end();
    }

    fn kill(&mut self) {
        if !self.is_alive() {
            return;
        }
        self.run.say(format_args!("{}: SIGKILL", self.name));
        self.note_memory();
        self.process.kill();
        self.account.killed += 1;
        self.note_end();
    }

    /// As an overloaded machine does.
    fn stop_for_a_while(&mut self) {
        if !self.is_alive() {
            return;
        }
        let time = Duration::from_millis(self.chance.between(500, 8000));
        self.run.say(format_args!("{}: SIGSTOP for {:.1} s", self.name, time.as_secs_f64()));
        self.signal(Signal::Stop);
        self.run.rest(Stage::Chaos, time);
        self.signal(Signal::Continue);
        self.account.stopped += 1;
    }

    fn start_again(&mut self) {
        self.process = spawn(&self.name, self.role, &self.site);
        self.started = Instant::now();
        if self.run.stage() == Stage::Rolls {
            self.expect_line("Worker is polling");
        }
    }

    /// Nothing that a server or a network does ends a worker.
    fn is_alive(&mut self) -> bool {
        match self.process.status() {
            None => true,
            Some(status) => {
                self.fault(&format!("ended by itself, with {status}"));
                self.note_end();
                self.start_again();
                false
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        if let Err(error) = self.process.signal(signal) {
            self.run.fault(error);
        }
    }

    fn expect_line(&mut self, part: &str) {
        if let Err(error) = self.process.wait_for_line(part, END_LIMIT) {
            self.run.fault(error);
        }
    }

    fn fault(&self, what: &str) {
        let lines = self.process.lines();
        let last = lines[lines.len().saturating_sub(30)..].join("\n    ");
        self.run.fault(format_args!("{} {what}; its last lines:\n    {last}", self.name));
    }

    fn note_memory(&mut self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
        self.account.peak_memory = self.account.peak_memory.max(peak);
    }

    /// What it has logged is kept, and counted.
    fn note_end(&mut self) {
        let lines = self.process.stderr();
        let minutes = (self.started.elapsed().as_secs_f64() / 60.0).max(1.0);
        let per_minute = (lines.len() as f64 / minutes) as u64;
        self.account.most_lines_per_minute = self.account.most_lines_per_minute.max(per_minute);
        let ends = self.account.rolled + self.account.killed;
        let file = self.site.folder.join(format!("{}.{ends}.{}.log", self.name, self.process.id()));
        if let Err(error) = std::fs::write(&file, self.process.lines().join("\n")) {
            self.run.fault(format_args!("{}: {error}", file.display()));
        }
    }
}

fn spawn(name: &str, role: &str, site: &Site) -> ChildProcess {
    // This test is target/debug/deps/chaos-…, the example target/debug/examples/chaos_worker.
    let test = std::env::current_exe().expect("this program has a path");
    let program = test.ancestors().nth(2).unwrap_or(Path::new("/")).join("examples/chaos_worker");
    assert!(program.is_file(), "{} is not there; `cargo xtask chaos` builds it", program.display());
    let mut command = Command::new(program);
    command
        .env("TEMPORAL_ADDRESS", site.server.to_string())
        .env("CHAOS_ROLE", role)
        .env("CHAOS_TASK_QUEUE", &site.task_queue)
        .env("CHAOS_FOLDER", &site.folder);
    ChildProcess::spawn(name, command).unwrap_or_else(|error| panic!("{error}"))
}

/// How long a worker may take to end that was asked to: its grace period, the server's absence, and this machine's load.
const END_LIMIT: Duration = Duration::from_secs(60);
