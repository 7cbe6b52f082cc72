//! One SDK's worker on a dev server, and all scenarios played on it.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use timewright_testing::{ChildProcess, DevServer};

use super::history;
use super::peers::{self, Sdk};
use super::scenario::{Run, Scenario, Step, WorkerKind};
use crate::{Result, setup};

/// A server for one SDK's histories.
pub(crate) struct Recorder {
    sdk: Sdk,
    server: DevServer,
    _nexus_handlers: ChildProcess,
}

/// What came of a scenario.
pub(crate) struct Recorded<'s> {
    pub(crate) scenario: &'s Scenario,
    /// The history, as Temporal's CLI writes it.
    pub(crate) outcome: Result<String>,
}

impl Recorder {
    pub(crate) fn start(sdk: Sdk) -> Result<Self> {
        let server = DevServer::builder()
            .binary(setup::temporal_for_tests()?)
            .argument("--search-attribute=HistoryColour=Keyword")
            .argument("--search-attribute=HistoryCount=Int")
            .start()
            .map_err(|error| error.to_string())?;
        cli(
            &server,
            &format!(
                "operator nexus endpoint create --name histories --target-namespace default --target-task-queue {NEXUS}"
            ),
        )?;
        let (nexus_handlers, _) = serve(&server, peers::nexus_handlers()?, NEXUS)?;
        Ok(Self { sdk, server, _nexus_handlers: nexus_handlers })
    }

    /// Plays the scenarios; gives the name and version of the SDK too.
    pub(crate) fn record<'s>(&self, scenarios: &[&'s Scenario]) -> Result<(String, Vec<Recorded<'s>>)> {
        // What a scenario begins may be waited for by the server until a worker comes.
        thread::scope(|scope| {
            let (early, late): (Vec<&Scenario>, Vec<&Scenario>) =
                scenarios.iter().partition(|scenario| !scenario.before_worker.is_empty());
            let mut ready = Vec::new();
            for scenario in early {
                let run_id = self.start_workflow(scenario);
                let run_id = run_id.and_then(|run_id| {
                    self.play(scope, scenario, &scenario.before_worker)?;
                    Ok(run_id)
                });
                ready.push((scenario, Some(run_id)));
            }
            ready.extend(late.into_iter().map(|scenario| (scenario, None)));
            ready.reverse(); // taken from the end

            let (_worker, version) = serve(&self.server, self.sdk.worker()?, TASK_QUEUE)?;
            let _versioned = self.serve_versioned(scenarios)?;
            let (ready, recorded) = (Mutex::new(ready), Mutex::new(Vec::new()));
            let play_ready = || {
                while let Some((scenario, started)) = next(&ready) {
                    let outcome = match started {
                        Some(run_id) => run_id.and_then(|run_id| self.finish(scope, scenario, &run_id)),
                        None => self.play_whole(scope, scenario),
                    };
                    locked(&recorded).push(Recorded { scenario, outcome });
                }
            };
            thread::scope(|players| (0..AT_ONCE).for_each(|_| drop(players.spawn(play_ready))));
            Ok((version, recorded.into_inner().unwrap_or_else(PoisonError::into_inner)))
        })
    }

    /// A worker with a Worker Deployment Version, where a scenario needs it.
    fn serve_versioned(&self, scenarios: &[&Scenario]) -> Result<Option<ChildProcess>> {
        if scenarios.iter().all(|scenario| scenario.worker == WorkerKind::Plain) {
            return Ok(None);
        }
        let mut command = self.sdk.worker()?;
        command.args(["--build-id", "1.0"]);
        let (worker, _) = serve(&self.server, command, VERSIONED_TASK_QUEUE)?;
        until("the server knows the Worker Deployment Version", || {
            let set = "worker deployment set-current-version --deployment-name histories --build-id 1.0 --yes";
            Ok(cli(&self.server, set).ok().map(|_| ()))
        })?;
        Ok(Some(worker))
    }

    /// Gives the run's id.
    fn start_workflow(&self, scenario: &Scenario) -> Result<String> {
        let Scenario { name, workflow, start, .. } = scenario;
        let queue = if scenario.worker == WorkerKind::Plain { TASK_QUEUE } else { VERSIONED_TASK_QUEUE };
        let options = format!("--workflow-id {name} --type {workflow} --task-queue {queue} {start}");
        let started = cli(&self.server, &format!("workflow start {options} --output json"))?;
        let run_id = started.lines().find_map(|line| line.trim().strip_prefix("\"runId\": \""));
        let run_id = run_id.ok_or_else(|| format!("no run id in {started}"))?;
        Ok(run_id.trim_end_matches(['"', ',']).to_owned())
    }

    /// Plays a scenario, and once more where its history is not as it should be: what happens at almost the same time
    /// comes in another order now and then.
    fn play_whole<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, scenario: &Scenario) -> Result<String> {
        let mut attempts_left = ATTEMPTS;
        loop {
            attempts_left -= 1;
            let run_id = self.start_workflow(scenario)?;
            let text = self.finish(scope, scenario, &run_id)?;
            if attempts_left == 0 || history::shape(&text) == scenario.shape(self.sdk) {
                return Ok(text);
            }
        }
    }

    /// Plays what is left of a scenario that is started, and gives its history once it has ended.
    fn finish<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        scenario: &Scenario,
        first_run: &str,
    ) -> Result<String> {
        self.play(scope, scenario, &scenario.steps)?;
        let name = scenario.name;
        until("the workflow ends", || {
            let described = cli(&self.server, &format!("workflow describe --workflow-id {name} --output json"))?;
            Ok((!described.contains("\"WORKFLOW_EXECUTION_STATUS_RUNNING\"")).then_some(()))
        })?;
        let run = match scenario.run {
            Run::First => format!("--run-id {first_run}"),
            Run::Last => String::new(),
        };
        Ok(cli(&self.server, &format!("workflow show --workflow-id {name} {run} --output json"))? + "\n")
    }

    fn play<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, scenario: &Scenario, steps: &[Step]) -> Result<()> {
        for step in steps {
            match step {
                Step::Cli(line) => {
                    cli(&self.server, &self.filled(scenario, line)?)?;
                }
                Step::Fails(line, reason) => match cli(&self.server, &self.filled(scenario, line)?) {
                    Ok(_) => return Err(format!("`{line}` shall fail, and did not")),
                    Err(error) if error.contains(reason) => {}
                    Err(error) => return Err(format!("`{line}` shall fail with `{reason}`, and did with {error}")),
                },
                Step::Begin(line) => {
                    let line = self.filled(scenario, line)?;
                    scope.spawn(move || cli(&self.server, &line));
                    thread::sleep(BEGIN_TIME); // no call tells when the server has what nobody has answered
                }
                Step::Until(event_type, number) => until(&format!("{number} {event_type}"), || {
                    let history = self.history(scenario)?;
                    Ok((history::count(&history, event_type) >= *number).then_some(()))
                })?,
            }
        }
        Ok(())
    }

    /// The line with what it leaves open.
    fn filled(&self, scenario: &Scenario, line: &str) -> Result<String> {
        let line = line.replace("{id}", scenario.name);
        let Some((before, rest)) = line.split_once("{completed:") else { return Ok(line) };
        let (nth, after) = rest.split_once('}').unwrap_or((rest, ""));
        let nth = nth.parse().map_err(|_| format!("`{nth}` is no number, in `{line}`"))?;
        let found = history::event_id(&self.history(scenario)?, "WorkflowTaskCompleted", nth);
        let event_id = found.ok_or_else(|| format!("there are less than {nth} completed Workflow Tasks"))?;
        Ok(format!("{before}{event_id}{after}"))
    }

    fn history(&self, scenario: &Scenario) -> Result<String> {
        cli(&self.server, &format!("workflow show --workflow-id {} --output json", scenario.name))
    }
}

/// Starts a worker, and waits until it says that it serves; gives its SDK too.
fn serve(server: &DevServer, mut command: Command, task_queue: &str) -> Result<(ChildProcess, String)> {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TEMPORAL_")) {
        command.env_remove(name); // the user's settings for other servers
    }
    command.args(["--address", &server.address().to_string(), "--task-queue", task_queue]);
    let mut worker = ChildProcess::spawn("a peer's worker", command).map_err(|error| error.to_string())?;
    let ready = worker.wait_for_line("\"ready\"", LIMIT).map_err(|error| error.to_string())?;
    let sdk = ready.split("\"sdk\":").nth(1).and_then(|rest| rest.split('"').nth(1));
    let sdk = sdk.ok_or_else(|| format!("a worker does not say what its SDK is: {ready}"))?;
    Ok((worker, sdk.to_owned()))
}

/// Calls Temporal's CLI with words that have no spaces.
fn cli(server: &DevServer, line: &str) -> Result<String> {
    let words = line.split_whitespace().chain(["--identity", "recorder"]); // else it is user and host
    server.run_cli(&words.collect::<Vec<_>>()).map_err(|error| error.to_string())
}

/// Asks until the answer is there. The server has no call that waits for these things.
fn until<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(format!("waited {} s in vain until {what}", LIMIT.as_secs()));
        }
        thread::sleep(ASK_INTERVAL);
    }
}

/// The lock is given back before the scenario is played.
fn next<T>(ready: &Mutex<Vec<T>>) -> Option<T> {
    locked(ready).pop()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const TASK_QUEUE: &str = "histories";
const VERSIONED_TASK_QUEUE: &str = "histories-versioned";
const NEXUS: &str = "histories-nexus";
/// How many scenarios are played at the same time. Scenarios have gaps of at least a tenth of a second, which a machine
/// keeps as long as it does not have too much to do.
const AT_ONCE: usize = 2;
/// How often a scenario is played at most.
const ATTEMPTS: u32 = 3;
const LIMIT: Duration = Duration::from_secs(60);
const ASK_INTERVAL: Duration = Duration::from_millis(300);
const BEGIN_TIME: Duration = Duration::from_millis(700);
