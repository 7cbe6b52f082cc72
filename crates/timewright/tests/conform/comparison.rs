//! Programs in all worlds, and what differs.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timewright_model_front::{ModelServer, ServerOptions};
use timewright_testing::DevServer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::program::Program;
use crate::world::World;

/// What is to be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    pub(crate) seed: u64,
    /// The first program's number.
    pub(crate) first: u64,
    pub(crate) programs: u64,
    /// So many programs are run at the same time.
    pub(crate) at_once: usize,
    /// After this time no other program begins.
    pub(crate) budget: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) programs: u64,
    pub(crate) histories: u64,
    pub(crate) events: u64,
    /// Programs that agreed only when nothing else was run beside them.
    pub(crate) agreed_alone: u64,
    pub(crate) disagreements: u64,
}

impl Comparison {
    /// Runs the programs, and prints those about which the worlds disagree.
    ///
    /// A program whose histories differ is run again when nothing else goes on, and with longer slots: on a machine that is
    /// busy what should be apart may fall together. If they differ then, too, it is a disagreement.
    pub(crate) async fn run(self) -> Figures {
        say(&format!("seed {}, programs from {} on, {} at once", self.seed, self.first, self.at_once));
        let server = server();
        let model = ModelServer::start(ServerOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        let (real, model_address) = (format!("http://{}", server.address()), format!("http://{}", model.address()));
        let worlds = Arc::new([
            World::new("server, cache", &real, 1000).await,
            World::new("server, no cache", &real, 0).await,
            World::new("model, cache", &model_address, 1000).await,
            World::new("model, no cache", &model_address, 0).await,
        ]);
        let mut figures = Figures::default();
        let mut suspects = self.run_all(&worlds, &mut figures).await;
        suspects.sort_unstable();
        for index in suspects {
            let mut run = run_program(&worlds, self.seed, index, LONGER_SLOTS[0]).await;
            if !run.agrees() {
                run = run_program(&worlds, self.seed, index, LONGER_SLOTS[1]).await;
            }
            if run.agrees() {
                figures.agreed_alone += 1;
            } else {
                figures.disagreements += 1;
                say(&run.report(self.seed, index));
            }
        }
        figures
    }

    /// The numbers of the programs whose histories differ.
    async fn run_all(self, worlds: &Arc<[World; 4]>, figures: &mut Figures) -> Vec<u64> {
        let began = Instant::now();
        let free = Arc::new(Semaphore::new(self.at_once));
        let mut running = JoinSet::new();
        for index in self.first..self.first + self.programs {
            let Ok(place) = Arc::clone(&free).acquire_owned().await else { break };
            if began.elapsed() > self.budget {
                say(&format!("the time is up before program {index}"));
                break;
            }
            let worlds = Arc::clone(worlds);
            running.spawn(async move {
                let _place = place;
                (index, run_program(&worlds, self.seed, index, SLOT).await)
            });
        }
        let mut suspects = Vec::new();
        while let Some(done) = running.join_next().await {
            let (index, run) = done.unwrap_or_else(|error| panic!("{error}"));
            figures.programs += 1;
            figures.histories += run.0.len() as u64;
            figures.events += run.0.iter().flat_map(|(_, lines)| lines).map(|lines| lines.len() as u64).sum::<u64>();
            if !run.agrees() {
                suspects.push(index);
            }
        }
        suspects
    }
}

/// A server of our own, since times must be exact on it.
///
/// Fact (server 1.32): a timer is set to a second from now at the earliest, and all that come before that come together,
/// unless the server is told otherwise.
fn server() -> DevServer {
    let server = DevServer::builder()
        .argument("--dynamic-config-value")
        .argument("history.timerProcessorMaxTimeShift=\"1ms\"")
        .start();
    server.unwrap_or_else(|error| panic!("{error}"))
}

impl Figures {
    pub(crate) fn print(&self, took: Duration) {
        let Self { programs, histories, events, agreed_alone, disagreements } = self;
        say(&format!(
            "{programs} programs, {histories} histories with {events} Events compared, {disagreements} disagreements \
             ({agreed_alone} more agreed when they were run alone), {:.1} s",
            took.as_secs_f64()
        ));
    }
}

/// A program's histories, world by world, or what was in the way.
struct ProgramRun(Vec<(&'static str, Result<Vec<String>, String>)>);

async fn run_program(worlds: &[World; 4], seed: u64, index: u64, slot: u64) -> ProgramRun {
    let [a, b, c, d] = worlds;
    let (ran_a, ran_b, ran_c, ran_d) = tokio::join!(
        a.run(seed, index, slot),
        b.run(seed, index, slot),
        c.run(seed, index, slot),
        d.run(seed, index, slot)
    );
    ProgramRun(vec![(a.name, ran_a), (b.name, ran_b), (c.name, ran_c), (d.name, ran_d)])
}

impl ProgramRun {
    fn agrees(&self) -> bool {
        let (_, first) = &self.0[0];
        first.is_ok() && self.0.iter().all(|(_, lines)| lines == first)
    }

    /// The program, and each history that differs from the first, with the lines that differ marked.
    fn report(&self, seed: u64, index: u64) -> String {
        let mut report = format!("DISAGREEMENT about program {index} of seed {seed}:\n");
        let _ = writeln!(report, "{:#?}", Program::generate(seed, index));
        let (_, first) = &self.0[0];
        let is_new = |number: usize| !self.0[..number].iter().any(|(_, other)| *other == self.0[number].1);
        for (number, (name, lines)) in self.0.iter().enumerate() {
            if !is_new(number) {
                let _ = writeln!(report, "--- {name}: the same as one above");
                continue;
            }
            let _ = writeln!(report, "--- {name}:");
            match lines {
                Err(error) => _ = writeln!(report, "    {error}"),
                Ok(lines) => {
                    for (number, line) in lines.iter().enumerate() {
                        let differs = first.as_ref().is_ok_and(|first| first.get(number) != Some(line));
                        let _ = writeln!(report, "  {} {line}", if differs { '!' } else { ' ' });
                    }
                }
            }
        }
        report + &format!("to run it again: cargo xtask conform --seed {seed} --first {index} --programs 1")
    }
}

#[allow(clippy::print_stdout, reason = "figures and disagreements are what this is for")]
fn say(text: &str) {
    println!("conform: {text}");
}

/// Milliseconds: so far apart are two ends, so that their order is certain.
const SLOT: u64 = 150;
/// The slots of those that are run again.
const LONGER_SLOTS: [u64; 2] = [300, 900];
