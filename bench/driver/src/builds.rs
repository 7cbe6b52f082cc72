//! What it costs to build the least program with activities alone: crates, CPU seconds, bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use crate::Effort;
use crate::contender::Contender;
use crate::notes::{Samples, push};

/// Everything but builds from nothing, which take minutes: [`measure_clean`].
pub(crate) fn measure(contenders: &[Contender], effort: Effort) -> Result<Samples> {
    let mut samples = Samples::new();
    println!("builds of the least program with activities alone");
    for program in Program::of(contenders) {
        let mut note = |figure: &str, value: f64| {
            println!("  {:<12} {figure}: {value:.2}", program.contender.name());
            push(&mut samples, program.contender, figure, value);
        };
        note(CRATES, program.crates()? as f64);
        note(MEGABYTES, program.stripped_size()? as f64 / 1e6);
        for (profile, figure) in [(Profile::Release, REBUILD), (Profile::Debug, REBUILD_DEBUG)] {
            for _ in 0..effort.rounds.min(3) {
                note(figure, program.rebuild(profile)?.as_secs_f64());
            }
        }
    }
    Ok(samples)
}

/// Builds from nothing, in both profiles.
pub(crate) fn measure_clean(contenders: &[Contender]) -> Result<Samples> {
    let mut samples = Samples::new();
    println!("builds of it from nothing");
    for program in Program::of(contenders) {
        for (profile, figure) in [(Profile::Release, CLEAN), (Profile::Debug, CLEAN_DEBUG)] {
            let folder = program.contender.folder().join(format!("../clean-{}-{profile:?}", program.package));
            if folder.exists() {
                std::fs::remove_dir_all(&folder)?;
            }
            let seconds = program.build(&folder, profile)?.as_secs_f64();
            println!("  {:<12} {figure}: {seconds:.0}", program.contender.name());
            push(&mut samples, program.contender, figure, seconds);
        }
    }
    Ok(samples)
}

#[derive(Clone, Copy, Debug)]
enum Profile {
    Release,
    Debug,
}

struct Program {
    contender: Contender,
    package: &'static str,
    workspace: PathBuf,
    main: PathBuf,
}

impl Program {
    fn of(contenders: &[Contender]) -> Vec<Self> {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let all = [
            (Contender::Timewright, "bench-timewright-activities", bench.clone(), "timewright-activities"),
            (Contender::Official, "bench-official-activities", bench.join("official"), "activities"),
        ];
        all.into_iter()
            .filter(|(contender, ..)| contenders.contains(contender))
            .map(|(contender, package, workspace, folder)| {
                let main = workspace.join(folder).join("src/main.rs");
                Self { contender, package, workspace, main }
            })
            .collect()
    }

    /// Everything that is compiled for it, without itself.
    fn crates(&self) -> Result<usize> {
        let mut command = cargo("tree", self.package, &self.workspace);
        command.args(["-e", "normal,build", "--prefix", "none", "--no-dedupe"]).stdout(Stdio::piped());
        let output = command.output()?;
        ensure!(output.status.success(), "cargo tree ended with {}", output.status);
        let text = String::from_utf8(output.stdout)?;
        let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        Ok(text.lines().map(name).collect::<BTreeSet<_>>().len() - 1)
    }

    fn stripped_size(&self) -> Result<u64> {
        let stripped = std::env::temp_dir().join(format!("{}-{}", self.package, std::process::id()));
        let status =
            Command::new("strip").arg("-o").arg(&stripped).arg(self.contender.folder().join(self.package)).status();
        ensure!(status.context("strip")?.success(), "strip failed");
        let size = std::fs::metadata(&stripped)?.len();
        std::fs::remove_file(&stripped)?;
        Ok(size)
    }

    /// As after a change of its `main.rs`.
    fn rebuild(&self, profile: Profile) -> Result<Duration> {
        let target = self.contender.folder().join("..");
        self.build(&target, profile)?;
        std::fs::File::options().append(true).open(&self.main)?.set_modified(std::time::SystemTime::now())?;
        self.build(&target, profile)
    }

    /// The CPU time that it took.
    fn build(&self, target: &Path, profile: Profile) -> Result<Duration> {
        let mut build = cargo("build", self.package, &self.workspace);
        build.args(["--quiet", "--locked", "--target-dir"]).arg(target);
        if matches!(profile, Profile::Release) {
            build.arg("--release");
        }
        cpu_of(&mut build)
    }
}

/// cargo, for a package of a workspace.
pub(crate) fn cargo(what: &str, package: &str, workspace: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(what).args(["--package", package, "--manifest-path"]).arg(workspace.join("Cargo.toml"));
    // What the cargo that runs us says of itself is not for this one.
    command.env_remove("CARGO_TARGET_DIR");
    command
}

/// The CPU time that it takes, with all that it starts.
pub(crate) fn cpu_of(command: &mut Command) -> Result<Duration> {
    let before = children()?;
    let status = command.status()?;
    ensure!(status.success(), "{:?} ended with {status}", command.get_program());
    Ok(children()?.saturating_sub(before))
}

/// CPU time of all children that have ended, and of theirs.
fn children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let total = micros(usage.user_time()) + micros(usage.system_time());
    Ok(Duration::from_micros(total.cast_unsigned()))
}

pub(crate) const CRATES: &str = "crates";
pub(crate) const MEGABYTES: &str = "stripped MB";
pub(crate) const REBUILD: &str = "rebuild CPU s";
pub(crate) const REBUILD_DEBUG: &str = "debug rebuild CPU s";
pub(crate) const CLEAN: &str = "clean build CPU s";
pub(crate) const CLEAN_DEBUG: &str = "clean debug build CPU s";
