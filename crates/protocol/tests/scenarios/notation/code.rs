//! Workflow code as lines: what it does at each piece of news.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{
    Activation, ActivityCancellationType, Command, ContinueAsNew, Job, QueryAnswer, ScheduleActivity, StartTimer,
};

use super::{local, operations};

/// Lines such as `signal go: activity 1, timer 1`; see [`super`]. At news that no line names it does nothing.
#[derive(Debug)]
pub(crate) struct Code {
    lines: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
    /// Whether the code has a patch, as decided when it was asked first.
    patches: RefCell<BTreeMap<String, bool>>,
}

impl Code {
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (news, deeds) = line.split_once(": ").expect("a line of code has a colon");
            let before = lines.insert(news.trim().to_owned(), deeds.trim().to_owned());
            assert_eq!(before, None, "two lines of code for {news:?}");
        }
        Self { lines, used: RefCell::default(), patches: RefCell::default() }
    }

    /// What the code does at these news; `Err` where it panics.
    pub(crate) fn run(&self, activation: &Activation) -> Result<Vec<Command>, Box<Failure>> {
        let mut commands = Vec::new();
        // All jobs are taken in before anything is done.
        for job in &activation.jobs {
            match job {
                Job::Initialize(_) => self.patches.borrow_mut().clear(),
                Job::NotifyPatch { patch_id } => drop(self.patches.borrow_mut().insert(patch_id.clone(), true)),
                _ => (),
            }
        }
        for job in &activation.jobs {
            let news = news(job);
            let deeds = match (self.lines.get(&news), job) {
                (Some(deeds), _) => deeds.as_str(),
                (None, Job::Query(_)) => "answer",
                (None, _) => "nothing",
            };
            self.used.borrow_mut().insert(news);
            for deed in deeds.split(',').map(str::trim) {
                let deed = match deed.strip_prefix("patched ") {
                    Some(choice) => self.patched(choice, activation, &mut commands),
                    None => deed,
                };
                match deed {
                    "nothing" => (),
                    "panic" => return Err(Box::new(failure("the workflow panicked"))),
                    deed => commands.push(command(deed, job)),
                }
            }
        }
        Ok(commands)
    }

    /// `ID ? DEED : DEED`: the first where the code has the patch, which is noted then, else the second.
    fn patched<'a>(&self, choice: &'a str, activation: &Activation, commands: &mut Vec<Command>) -> &'a str {
        let (id, deeds) = choice.split_once(" ? ").expect("a question");
        let (yes, no) = deeds.split_once(" : ").expect("an alternative");
        let is_patched = *self.patches.borrow_mut().entry(id.to_owned()).or_insert(!activation.replaying);
        if is_patched {
            commands.push(Command::SetPatch { patch_id: id.to_owned(), deprecated: false });
        }
        if is_patched { yes.trim() } else { no.trim() }
    }

    /// A line that nothing leads to is a mistake in the test.
    pub(crate) fn assert_all_used(&self) {
        let used = self.used.borrow();
        let unused: Vec<_> = self.lines.keys().filter(|news| !used.contains(*news)).collect();
        assert!(unused.is_empty(), "nothing led to these lines of code: {unused:?}");
    }
}

fn news(job: &Job) -> String {
    match job {
        Job::Initialize(_) => "start".to_owned(),
        Job::UpdateRandomSeed { .. } => "reseed".to_owned(),
        Job::Signal { name, .. } => format!("signal {name}"),
        Job::RequestCancellation { .. } => "cancel".to_owned(),
        Job::FireTimer { sequence } => format!("timer {sequence}"),
        Job::ResolveActivity { sequence, .. } => format!("activity {sequence}"),
        Job::ResolveLocalActivity { sequence, .. } => format!("local {sequence}"),
        Job::Query(query) => format!("query {}", query.name),
        other => operations::news(other).unwrap_or_else(|| panic!("news that this notation does not know: {other:?}")),
    }
}

fn command(deed: &str, job: &Job) -> Command {
    let words: Vec<&str> = deed.split_whitespace().collect();
    match words.as_slice() {
        ["timer", sequence] => Command::StartTimer(StartTimer {
            sequence: number(sequence),
            duration: Duration::from_secs(1),
            summary: None,
        }),
        ["cancel", "timer", sequence] => Command::CancelTimer { sequence: number(sequence) },
        ["activity", sequence, options @ ..] => Command::ScheduleActivity(Box::new(activity(sequence, options))),
        ["cancel", "activity", sequence] => Command::RequestCancelActivity { sequence: number(sequence) },
        ["local", sequence, options @ ..] => {
            Command::ScheduleLocalActivity(Box::new(local::schedule(number(sequence), options)))
        }
        ["cancel", "local", sequence] => Command::CancelLocalActivity { sequence: number(sequence) },
        ["answer"] => answer(job, QueryAnswer::Succeeded(None)),
        ["answer", id] => Command::AnswerQuery { id: (*id).to_owned(), answer: QueryAnswer::Succeeded(None) },
        ["refuse"] => answer(job, QueryAnswer::Failed(Box::new(failure("no such query")))),
        ["complete"] => Command::CompleteWorkflow { result: None },
        ["fail"] => Command::FailWorkflow { failure: Box::new(failure("out of stock")) },
        ["end", "cancelled"] => Command::CancelWorkflow { details: Vec::new() },
        ["continue", "as", "new"] => Command::ContinueAsNew(Box::new(ContinueAsNew {
            workflow_type: "order".to_owned(),
            task_queue: "orders".to_owned(),
            ..ContinueAsNew::default()
        })),
        words => operations::command(words, job)
            .unwrap_or_else(|| panic!("{deed:?} is no Command of this notation; see notation.rs")),
    }
}

fn activity(sequence: &str, options: &[&str]) -> ScheduleActivity {
    let mut schedule = ScheduleActivity {
        sequence: number(sequence),
        activity_type: "charge".to_owned(),
        task_queue: "payments".to_owned(),
        ..ScheduleActivity::default()
    };
    for option in options {
        match option.split_once('=') {
            None if *option == "wait" => {
                schedule.cancellation_type = ActivityCancellationType::WaitCancellationCompleted;
            }
            None if *option == "abandon" => schedule.cancellation_type = ActivityCancellationType::Abandon,
            Some(("type", name)) => schedule.activity_type = name.to_owned(),
            Some(("id", id)) => schedule.activity_id = Some(id.to_owned()),
            _ => panic!("{option:?} is no option of an activity in this notation"),
        }
    }
    schedule
}

fn answer(job: &Job, answer: QueryAnswer) -> Command {
    let id = match job {
        Job::Query(query) => query.id.clone(),
        _ => String::new(),
    };
    Command::AnswerQuery { id, answer }
}

fn number(word: &str) -> u32 {
    word.parse().unwrap_or_else(|_| panic!("{word:?} is no number"))
}

pub(crate) fn failure(message: &str) -> Failure {
    Failure { message: message.to_owned(), ..Failure::default() }
}
