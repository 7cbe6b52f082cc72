//! Signals that come one after the other: for how long the answer to a task that they came with may wait for more of them.

use std::time::{Duration, Instant};

use timewright_protocol::workflow::{
    Command, Completion, HistoryPage, Job, Output, Query, QueryAnswer, Run, TaskKind, WorkflowTask,
};

use crate::notation::{events, now};

/// A workflow in a cache, to which tasks come.
struct Cached {
    run: Run,
    origin: Instant,
    row: String,
    started: i64,
}

impl Cached {
    fn begin(first: &str) -> Self {
        let mut cached = Self { run: Run::new(), origin: now(), row: String::new(), started: 0 };
        assert_eq!(cached.task(first, 0, Vec::new(), Vec::new()).may_wait, Duration::ZERO);
        cached
    }

    /// Another Workflow Task, which brings `news` so late: with Queries, and what user code answers to the news.
    fn task(&mut self, news: &str, milliseconds: u64, queries: Vec<Query>, commands: Vec<Command>) -> Completion {
        let known = self.run_length();
        self.row = format!("{} {news}", self.row);
        let all = events(&format!("{} WFT*", self.row));
        self.row.push_str(" WFT");
        let started = all.last().expect("there are Events").event_id;
        self.run.handle_task(WorkflowTask {
            task_token: "token".into(),
            workflow_id: "order-7".to_owned(),
            run_id: "A".to_owned(),
            workflow_type: "order".to_owned(),
            attempt: 1,
            previous_started_event_id: self.started,
            history: HistoryPage { events: all[known..].to_vec(), ..HistoryPage::default() },
            received_at: self.origin + Duration::from_millis(milliseconds),
            kind: TaskKind::Progress { started_event_id: started, updates: Vec::new(), queries },
        });
        self.started = started;
        let mut commands = Some(commands);
        loop {
            match self.run.poll_output() {
                Some(Output::Activate(activation)) => self.run.handle_commands(match activation.jobs.as_slice() {
                    [Job::Query(query)] => {
                        vec![Command::AnswerQuery { id: query.id.clone(), answer: QueryAnswer::Succeeded(None) }]
                    }
                    _ => commands.take().unwrap_or_default(),
                }),
                Some(Output::CompleteTask(completion)) => {
                    self.run.handle_completed(Default::default());
                    return completion;
                }
                other => panic!("instead of an answer: {other:?}"),
            }
        }
    }

    fn run_length(&self) -> usize {
        usize::try_from(self.started).expect("Event ids are small here")
    }

    fn signals(&mut self, news: &str, milliseconds: u64) -> u128 {
        self.task(news, milliseconds, Vec::new(), Vec::new()).may_wait.as_millis()
    }
}

#[test]
fn an_answer_that_says_nothing_may_wait_for_a_part_of_the_time_that_signals_have_been_coming() {
    let mut cached = Cached::begin("WES");
    assert_eq!(cached.signals("SIG", 5_000), 0, "nobody knows yet that more come");
    assert_eq!(cached.signals("SIG", 5_020), 5);
    assert_eq!(cached.signals("SIG SIG", 5_100), 25);
    assert_eq!(cached.signals("SIG", 5_101 + 199), 75);
    assert_eq!(cached.signals("SIG", 5_300 + 275), 143, "what was waited for is no pause");
    assert_eq!(cached.signals("SIG", 5_900), 200, "and that is the longest");
    assert_eq!(cached.signals("SIG", 6_200), 200);
    assert_eq!(cached.signals("SIG", 6_200 + 401), 0, "they had ceased");
    assert_eq!(cached.signals("SIG", 6_700), 24);
}

#[test]
fn never_for_more_than_a_small_part_of_the_workflow_task_timeout() {
    let mut cached = Cached::begin("WES(timeout=1s)");
    let waits: Vec<u128> = (1..20).map(|number| cached.signals("SIG", 150 * number)).collect();
    assert_eq!(waits[1..4], [37, 50, 50]);
    assert_eq!(waits.last(), Some(&50));
}

#[test]
fn an_answer_that_says_something_never_waits() {
    let commands = || vec![Command::CompleteWorkflow { result: None }];
    let query = || vec![Query { id: "1".to_owned(), name: "status".to_owned(), ..Query::default() }];
    let burst = || {
        let mut cached = Cached::begin("WES");
        assert_eq!(cached.signals("SIG", 0), 0);
        assert_eq!(cached.signals("SIG", 100), 25);
        cached
    };
    for (what, news, queries, answer) in [
        ("a Command", "SIG", Vec::new(), commands()),
        ("a Query's answer", "SIG", query(), Vec::new()),
        ("other news", "SIG WECR", Vec::new(), Vec::new()),
        ("no news", "", Vec::new(), Vec::new()),
        ("so many", &"SIG ".repeat(21), Vec::new(), Vec::new()),
    ] {
        let mut cached = burst();
        assert_eq!(cached.task(news, 200, queries, answer).may_wait, Duration::ZERO, "{what}");
        if what != "a Command" {
            assert_eq!(cached.signals("SIG", 250), 0, "after {what} it begins anew");
        }
    }
}
