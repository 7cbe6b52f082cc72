//! Programs in all worlds, and what differs.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timewright_model_front::{ModelServer, ServerOptions};
use timewright_testing::DevServer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::operations::SEARCH_ATTRIBUTE;
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
    /// Milliseconds: so far apart are two ends, so that their order is certain.
    pub(crate) slot: u64,
    /// After this time no other program begins.
    pub(crate) budget: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) programs: u64,
    pub(crate) histories: u64,
    pub(crate) events: u64,
    /// Programs that had to be run again.
    pub(crate) again: u64,
    pub(crate) disagreements: u64,
}

impl Comparison {
    /// Runs the programs, and prints those about which the worlds disagree.
    ///
    /// A program whose histories differ is run again, with less beside it and with longer slots: on a machine that is busy
    /// what should be apart may fall together. If they differ then, too, it is a disagreement.
    pub(crate) async fn run(self) -> Figures {
        say(&format!("seed {}, programs from {} on, {} at once", self.seed, self.first, self.at_once));
        let server = server();
        let mut options = ServerOptions::default();
        options.search_attributes.insert(SEARCH_ATTRIBUTE.to_owned(), "Keyword".to_owned());
        let model = ModelServer::start(options).unwrap_or_else(|error| panic!("{error}"));
        let (real, model_address) = (format!("http://{}", server.address()), format!("http://{}", model.address()));
        let worlds = Arc::new([
            World::new("server, cache", &real, 1000).await,
            World::new("server, no cache", &real, 0).await,
            World::new("model, cache", &model_address, 1000).await,
            World::new("model, no cache", &model_address, 0).await,
        ]);
        let mut figures = Figures::default();
        let all = self.first..self.first + self.programs;
        let mut runs = self.run_all(&worlds, all, self.at_once, self.slot).await;
        for (_, run) in &runs {
            figures.count(run);
        }
        for (at_once, times) in AGAIN {
            let slot = times * self.slot;
            runs.retain(|(_, run)| !run.agrees());
            if runs.is_empty() {
                break;
            }
            figures.again = figures.again.max(runs.len() as u64);
            say(&format!("{} programs again, {at_once} at once, slots of {slot} ms", runs.len()));
            let again = runs.iter().map(|(index, _)| *index).collect::<Vec<_>>();
            runs = self.run_all(&worlds, again, at_once, slot).await;
        }
        runs.retain(|(_, run)| !run.agrees());
        figures.disagreements = runs.len() as u64;
        for (index, run) in &runs {
            say(&run.report(self.seed, *index));
        }
        figures
    }

    /// Runs programs, by their numbers, until the time is up.
    async fn run_all(
        self,
        worlds: &Arc<[World; 4]>,
        programs: impl IntoIterator<Item = u64>,
        at_once: usize,
        slot: u64,
    ) -> Vec<(u64, ProgramRun)> {
        let began = Instant::now();
        let free = Arc::new(Semaphore::new(at_once));
        let mut running = JoinSet::new();
        for index in programs {
            let Ok(place) = Arc::clone(&free).acquire_owned().await else { break };
            if slot == self.slot && began.elapsed() > self.budget {
                say(&format!("the time is up before program {index}"));
                break;
            }
            // Not all at the same moment: what begins makes most work.
            tokio::time::sleep(APART).await;
            let worlds = Arc::clone(worlds);
            running.spawn(async move {
                let _place = place;
                (index, run_program(&worlds, self.seed, index, slot).await)
            });
        }
        let mut runs = running.join_all().await;
        runs.sort_by_key(|(index, _)| *index);
        runs
    }
}

/// A server of our own, since times must be exact on it.
///
/// Facts (server 1.32), unless the server is told otherwise: a timer is set to a second from now at the earliest, and all
/// that come before that come together. A Task Queue has four partitions; a task may wait in one while all polls wait at
/// others.
fn server() -> DevServer {
    let values = [
        "history.timerProcessorMaxTimeShift=\"1ms\"",
        "matching.numTaskqueueReadPartitions=1",
        "matching.numTaskqueueWritePartitions=1",
    ];
    let server = values
        .into_iter()
        .fold(DevServer::builder(), |server, value| server.argument("--dynamic-config-value").argument(value));
    let server = server.argument("--search-attribute").argument(format!("{SEARCH_ATTRIBUTE}=Keyword"));
    server.start().unwrap_or_else(|error| panic!("{error}"))
}

impl Figures {
    fn count(&mut self, run: &ProgramRun) {
        self.programs += 1;
        self.histories += run.0.len() as u64;
        self.events += run.0.iter().flat_map(|(_, lines)| lines).map(|lines| lines.len() as u64).sum::<u64>();
    }

    pub(crate) fn print(&self, took: Duration) {
        let Self { programs, histories, events, again, disagreements } = self;
        say(&format!(
            "{programs} programs, {histories} histories with {events} Events compared, {disagreements} disagreements, \
             {again} programs run again, {:.1} s",
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

/// Between the starts of two programs.
const APART: Duration = Duration::from_millis(150);
/// How those are run again that differ: so many at once, with slots so many times as long.
const AGAIN: [(usize, u64); 2] = [(10, 2), (2, 3)];
