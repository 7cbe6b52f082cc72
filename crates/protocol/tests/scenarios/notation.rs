//! Scenarios as text: workflow code, what comes from outside, and all that `Runs` makes of it.
//!
//! [`check`] takes the code, and a transcript of what comes in (lines that begin with `>`) and what goes out (the lines
//! below).
//!
//! # Histories
//!
//! A row of words, an Event each. Ids count from 1, references to earlier Events are filled in.
//!
//! | word | Event |
//! |---|---|
//! | `WES` | WorkflowExecutionStarted |
//! | `WTS` `WTSt` `WTC` `WTF` `WTO` | WorkflowTask Scheduled, Started, Completed, Failed, TimedOut |
//! | `WFT`, `WFT*` | `WTS WTSt WTC`; `WTS WTSt`, the task is open |
//! | `ATS` `AST` `ATC` `ATF` `ATTO` `ATCR` `ATCd` | ActivityTask Scheduled, Started, Completed, Failed, TimedOut, CancelRequested, Canceled |
//! | `TS` `TF` `TCd` | Timer Started, Fired, Canceled |
//! | `SIG` `WECR` | WorkflowExecution Signaled, CancelRequested |
//! | `WEC` `WEF` `WECd` `WETm` `WETO` `CAN` | WorkflowExecution Completed, Failed, Canceled, Terminated, TimedOut, ContinuedAsNew |
//! | `CWI` `CWS` `CWSF` `CWC` `CWF` `CWTO` `CWTm` `CWCd` | ChildWorkflow Initiated, Started, start Failed, Completed, Failed, TimedOut, Terminated, Canceled |
//! | `SEI` `ESS` `SEF` | SignalExternalWorkflow Initiated, Signaled, Failed; by workflow |
//! | `RCEI` `ECR` `RCEF` | RequestCancelExternalWorkflow Initiated, Requested, Failed; by workflow |
//! | `NXS` `NXSt` `NXC` `NXF` `NXCd` `NXTO` `NXCR` `NXCRC` `NXCRF` | NexusOperation Scheduled, Started, Completed, Failed, Canceled, TimedOut, CancelRequested, CancelRequest Completed, Failed |
//! | `PATCH(id)` `PATCH(id,deprecated)` `VERSION(id,2)` `EFFECT(1,value)` `MRK(name)` | markers |
//! | `CHANGES` `UPSERT(name)` `MEMO` | UpsertWorkflowSearchAttributes of a patch, of others, WorkflowPropertiesModified |
//! | `UPA(id,@5)` `UPC(id)` `UAD(id)` | Update Accepted (it came behind Event 5), Completed, Admitted |
//! | `LAM` | the marker of a Local Activity |
//! | `OPT` `UNKNOWN` | WorkflowExecutionOptionsUpdated, a type that nobody knows |
//!
//! In parentheses: which activity or timer (`ATC(2)`; 1 where nothing is said; `TF(@5)` of Event 5), an activity's type
//! (`ATS(1,charge)`), a Signal's name (`SIG(stop)`; `go` where nothing is said), `WTF(reset)`, `WTSt(suggest)` (continue as
//! new), `WTC(timewright,0.1.0,7)` (SDK, version, flag), `WES(original run)` or `WES(timeout=1s)` (of its Workflow Tasks), and
//! `ignorable` for what a worker may ignore.
//!
//! `LAM(2,i1)`: Local Activity 2 completed, and user code heard of it in Activation 1 of its task; without `i1`, as old SDKs
//! wrote it. Other outcomes: `nothing`, `failed`, `failed-for-good`, `timed-out`, `cancelled`, `cancelled-at-once` (user code
//! did not wait). Further: `type=`, `id=`, `attempt=`, `backoff=60s`, `at=` and `since=` (when it ended, when its first attempt
//! was scheduled; otherwise when the task started).
//!
//! `|` ends a page; one at the end leaves an empty last page. What stands before `/` does not come with the task: the server
//! thinks that the worker has it. `#9` goes on at Event 9.
//!
//! # Code
//!
//! A line for each piece of news: `start`, `signal NAME`, `cancel`, `timer 1`, `activity 1`, `local 1`, `child 1 started`,
//! `child 1 not started`, `child 1`, `told 1`, `stopped 1`, `nexus 1 started`, `nexus 1`, `update NAME`, `reseed`, `query NAME`.
//! What it does: `timer 1`, `cancel timer 1`, `activity 1` (with `type=`, `id=`, `wait`, `abandon`), `cancel activity 1`,
//! `local 1` (with the same, and `attempts=3`, `interval=1s`, `threshold=60s`, `attempt=2`, `since=3s`, `timeout=` from scheduling
//! to close, `queue=` from scheduling to start, `untimed`), `cancel local 1`, `child 1` (with `type=`, `id=`, `try`, `abandon`, `requested`), `cancel child 1`, `tell 1 WORKFLOW`, `untell 1`,
//! `stop 1 WORKFLOW`, `nexus 1` (with `try`, `abandon`, `requested`), `cancel nexus 1`, `patch ID`, `deprecate ID`,
//! `patched ID ? timer 1 : timer 2`, `version ID 2`, `effect 1 VALUE`, `upsert NAME`, `memo`, `accept`, `reject`, `finish`,
//! `break ID` (an Update), `complete`, `fail`, `end cancelled`, `continue as new`, `answer`, `refuse`, `nothing`, `panic`.
//!
//! # What comes in
//!
//! - `> task HISTORY` (with `?NAME` for a Query, `!NAME` or `!NAME@5` for an Update that came behind Event 5, `vanishes=3` where
//!   the task leaves nothing and the history goes on behind the task that Event 3 started, `x2` for the attempt, `started=8` or `previous=3` where the task says other
//!   than its history), `> query NAME HISTORY`, `> replay HISTORY`. A single capital letter first names the Run.
//! - `> next EVENTS` (with `?NAME`): the server writes down what the last task was answered, and these Events; then comes the
//!   next task.
//! - `> local 1 OUTCOME`: an attempt of a Local Activity ends. It `completes`, `returns nothing`, `fails`, `fails for good`,
//!   `panics`, `times out`, `waits too long` (to be started), `takes too long` (with all attempts), `is cancelled`. Behind that
//!   `x2` for another attempt than the last, `at 3.5s` for another time than now, `stale` for a Run that has left.
//! - `> time 8s`: so much time passes. When a task comes it is at least as late as its last Event.
//! - `> code waits`, `> server waits`, `> history waits`: does not answer from now on. `> code answers`, `> server takes`,
//!   `> server refuses`, `> history comes`, `> history fails`: does, now and from now on.
//! - `> late commands A` (`failure`, `completed`, `history`, `history failure`): an answer that nobody waits for.
//! - `> evict A`, `> shutdown`, `> cache 1` (before all else), `> show texts`, `> show sdk`, `> hide fetches`.
//!
//! Whatever user code heard live it must hear again when its completion is replayed: [`check`] sees to that by itself.

mod code;
mod history;
mod local;
mod operations;
mod orders;
mod record;
mod render;
mod replay;
mod world;

use timewright_proto::Bytes;
use timewright_proto::command::Command as WireCommand;
use timewright_proto::history::HistoryEvent;
use timewright_protocol::workflow::{Command, Cut, Event, History, Output, Run, TaskKind, WorkflowTask};

use code::Code;
use history::Recorded;
pub(crate) use orders::check_every_order;
pub(crate) use world::now;
use world::{TaskOptions, World};

/// Runs `code` against what comes in, and compares all of the transcript.
#[track_caller]
pub(crate) fn check(code: &str, transcript: &str) {
    let expected: Vec<&str> = transcript.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut world = World::new(Code::parse(code));
    for line in &expected {
        if let Some(step) = line.strip_prefix('>') {
            world.step(step.trim());
        }
    }
    compare(&world.transcript, &expected);
    world.finish();
}

/// Cuts a history, and compares what comes off.
#[track_caller]
pub(crate) fn check_cuts(words: &str, expected: &str) {
    let recorded = Recorded::parse(words.split_whitespace());
    let mut history = History::default();
    history.handle_page(recorded.with_task()).expect("a page without a gap");
    let mut cuts = Vec::new();
    loop {
        match history.cut() {
            Cut::Task(task) => {
                let mode = if task.replaying { "replaying" } else { "live" };
                cuts.push(format!("task {} {mode}", range(&task.events)));
            }
            Cut::Record(events) => cuts.push(format!("record {}", range(&events))),
            Cut::NeedPage(token) => {
                cuts.push(format!("need {}", name(&token)));
                history.handle_page(recorded.fetched(&token)).expect("a page without a gap");
            }
            Cut::End => break,
        }
    }
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    compare(&cuts, &expected);
}

/// Runs `code` over every way in which the history can be split into pages, without empty pages and with one wherever one
/// can be, and compares all with the history in one page.
#[track_caller]
pub(crate) fn check_every_split(code: &str, words: &str) {
    let events = events(words);
    let outcome = |pages: Vec<Vec<HistoryEvent>>| {
        let mut world = World::new(Code::parse(code));
        world.show.no_fetches = true;
        world.lives = None;
        world.task("A", TaskOptions::default(), Recorded::in_pages(pages));
        world.finish();
        world.transcript
    };
    let expected = outcome(vec![events.clone()]);
    assert!(expected.iter().any(|line| line.starts_with("complete")), "no activation to compare: {expected:#?}");
    for split in 0..1_u32 << (events.len() - 1) {
        let mut pages = vec![Vec::new()];
        for (index, event) in events.iter().enumerate() {
            pages.last_mut().expect("a page").push(event.clone());
            if split >> index & 1 == 1 {
                pages.push(Vec::new());
            }
        }
        let with_empty_pages = pages.iter().cloned().flat_map(|page| [Vec::new(), page, Vec::new()]).collect();
        assert_eq!(outcome(pages), expected, "pages {split:b}");
        assert_eq!(outcome(with_empty_pages), expected, "pages {split:b} with empty ones");
    }
}

/// The Events of a row.
pub(crate) fn events(words: &str) -> Vec<HistoryEvent> {
    Recorded::parse(words.split_whitespace()).events().cloned().collect()
}

/// What is sent when a workflow answers its first Workflow Task with these.
pub(crate) fn wire(commands: Vec<Command>) -> Vec<WireCommand> {
    let mut run = Run::new();
    let recorded = Recorded::parse(["WES", "WFT*"]);
    run.handle_task(WorkflowTask {
        task_token: "task 1".into(),
        workflow_id: "order-7".to_owned(),
        run_id: "A".to_owned(),
        workflow_type: "order".to_owned(),
        attempt: 1,
        previous_started_event_id: 0,
        history: recorded.with_task(),
        received_at: now(),
        kind: TaskKind::Progress { started_event_id: 3, updates: Vec::new(), queries: Vec::new() },
    });
    assert!(matches!(run.poll_output(), Some(Output::Activate(_))));
    run.handle_commands(commands);
    match run.poll_output() {
        Some(Output::CompleteTask(completion)) => completion.commands,
        other => panic!("these Commands were not taken: {other:?}"),
    }
}

fn range(events: &[Event]) -> String {
    match events {
        [first, .., last] => format!("{}-{}", first.id, last.id),
        [only] => only.id.to_string(),
        [] => "of nothing".to_owned(),
    }
}

fn name(token: &Bytes) -> String {
    match token.is_empty() {
        true => "the first page".to_owned(),
        false => String::from_utf8_lossy(token).into_owned(),
    }
}

#[track_caller]
fn compare(actual: &[String], expected: &[&str]) {
    assert!(actual == expected, "\n  expected:\n{}\n\n  actual:\n{}\n", expected.join("\n"), actual.join("\n"));
}
