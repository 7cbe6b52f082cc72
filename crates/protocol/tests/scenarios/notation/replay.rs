//! Live and on replay user code must hear the same: each completion is gone through again from its history.

use std::collections::{BTreeMap, BTreeSet};

use timewright_proto::Bytes;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_protocol::workflow::{
    Activation, Completion, HistoryPage, Job, Output, Run, TaskKind, UpdateBody, WorkflowTask,
};

use super::code::Code;
use super::history::Recorded;
use super::world::now;

/// What user code heard live, by the Run and the `WorkflowTaskStarted` of its task.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// In tasks that are open.
    open: BTreeMap<(String, u64), Vec<Activation>>,
    /// In tasks that were answered.
    answered: BTreeMap<(String, u64), Vec<Activation>>,
}

impl Lives {
    /// User code hears something. A Query leaves nothing in the history.
    pub(super) fn heard(&mut self, run: &str, activation: &Activation) {
        if !activation.replaying && !matches!(activation.jobs.as_slice(), [Job::Query(_)]) {
            self.open.entry((run.to_owned(), activation.history_length)).or_default().push(activation.clone());
        }
    }

    /// What was heard since the Run began counts no more.
    pub(super) fn forget(&mut self, run: &str) {
        self.open.retain(|(other, _), _| other != run);
    }

    /// User code answered all that it heard in a task: the history with the record of that, and of the tasks before, says the
    /// same again, in whatever pages it comes. Histories of which the scenario has only a part are passed over.
    pub(super) fn check(&mut self, code: &Code, run: &str, history: &Recorded, completion: &Completion) {
        let (started, _) = history.started();
        let length = u64::try_from(started).expect("ids count from 1");
        let heard = self.open.remove(&(run.to_owned(), length)).unwrap_or_default();
        let heard = heard.into_iter().filter_map(|live| recorded(live, completion));
        self.answered.insert((run.to_owned(), length), heard.collect());
        if history.events().zip(1..).any(|(event, id)| event.event_id != id) || history.last_id() != started {
            return;
        }
        let mut history = history.clone();
        history.complete(completion);
        let events: Vec<HistoryEvent> = history.events().cloned().collect();
        // The server may have refused some, and then those tasks did not end so.
        let completed: BTreeSet<u64> = events.iter().filter_map(completed_task).collect();
        for page in [events.len(), 1] {
            let again = replay(code, run, &events, page);
            for ((other, length), heard) in &self.answered {
                if other != run || !completed.contains(length) {
                    continue;
                }

                let again = again.iter().filter(|activation| activation.history_length == *length);
                let again: Vec<_> = again.cloned().filter_map(comparable).collect();
                let is_same = again == *heard;
                assert!(is_same, "live:\n{heard:#?}\n\non replay, {page} events a page:\n{again:#?}");
            }
        }
    }
}

/// What was heard live, without Updates that were not accepted: they leave nothing.
fn recorded(mut live: Activation, completion: &Completion) -> Option<Activation> {
    let is_accepted = |id: &str| {
        let mut messages = completion.messages.iter();
        messages.any(|it| it.protocol_instance_id == id && matches!(it.body, UpdateBody::Acceptance(_)))
    };
    live.jobs.retain(|job| match job {
        Job::Update(update) => is_accepted(&update.protocol_instance_id),
        _ => true,
    });
    comparable(live)
}

/// What is the same live and on replay: what was noted is told only then, and validators run only live.
fn comparable(mut activation: Activation) -> Option<Activation> {
    activation.jobs.retain_mut(|job| match job {
        Job::NotifyPatch { .. }
        | Job::NotifyVersion { .. }
        | Job::NotifySideEffect { .. }
        | Job::NotifyMutableSideEffect { .. } => false,
        Job::Update(update) => {
            update.run_validator = false;
            true
        }
        _ => true,
    });
    activation.replaying = true;
    (!activation.jobs.is_empty()).then_some(activation)
}

/// The `WorkflowTaskStarted` of the task whose completion this is.
fn completed_task(event: &HistoryEvent) -> Option<u64> {
    match event.attributes.as_ref()? {
        Attributes::WorkflowTaskCompletedEventAttributes(completed) => u64::try_from(completed.started_event_id).ok(),
        _ => None,
    }
}

/// What user code hears when it goes through a history.
fn replay(code: &Code, run_id: &str, events: &[HistoryEvent], page: usize) -> Vec<Activation> {
    let mut pages = events.chunks(page);
    let mut left = pages.len();
    let mut next_page = || {
        left = left.saturating_sub(1);
        let next_page_token = if left > 0 { "more".into() } else { Bytes::new() };
        HistoryPage { events: pages.next().unwrap_or_default().to_vec(), next_page_token }
    };
    let mut run = Run::new();
    run.handle_task(WorkflowTask {
        task_token: "replay".into(),
        workflow_id: "order-7".to_owned(),
        run_id: run_id.to_owned(),
        workflow_type: "order".to_owned(),
        attempt: 1,
        previous_started_event_id: 0,
        history: next_page(),
        received_at: now(),
        kind: TaskKind::Replay,
    });
    let mut heard = Vec::new();
    loop {
        match run.poll_output().expect("a replay goes on until it is answered") {
            Output::Activate(activation) => {
                run.handle_commands(code.run(&activation).expect("code that has answered before"));
                heard.push(activation);
            }
            Output::FetchHistory { .. } => run.handle_history(next_page()),
            Output::FinishReplay => return heard,
            other => panic!("the replay of what was answered live comes to {other:?}\n{heard:#?}"),
        }
    }
}
