//! A history that comes in pages of any size.

use std::collections::BTreeMap;
use std::time::Instant;

use timewright_proto::Message;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_proto::history::HistoryEvent;
use timewright_protocol::workflow::{Cut, History, HistoryError, HistoryPage, Output, Run, TaskKind, WorkflowTask};

use crate::damage::damage;
use crate::input::split;
use crate::recorded::{Task, recorded};
use crate::script::Script;
use crate::user_code::{Answer, UserCode};

/// Where pages end makes no difference: not for the Workflow Tasks that are cut, and not for what user code hears.
pub fn history_pages(input: &[u8]) {
    let (script, message) = split(input);
    let Ok(timewright_proto::history::History { mut events }) = timewright_proto::history::History::decode(message)
    else {
        return;
    };
    let mut script = Script::new(script);
    damage(&mut events, &mut script);
    let recorded = recorded(&events, &mut script);
    let whole = [HistoryPage { events: events.clone(), ..HistoryPage::default() }];
    let pages = into_pages(&events, &mut script);

    let Ok(expected) = cut(&whole) else {
        // Pages that come in time for it may be taken before the one that cannot be.
        drop(cut(&pages));
        return;
    };
    let text = |cuts: &[Cut]| cuts.iter().map(|cut| format!("{cut:?}\n")).collect::<String>();
    let actual = cut(&pages).expect("the same Events are taken in pages as well");
    assert!(expected == actual, "whole:\n{}\nin pages:\n{}", text(&expected), text(&actual));
    assert_eq!(replay(&whole, &recorded), replay(&pages, &recorded));
}

/// The same Events, in pages that the script chooses, empty ones among them.
fn into_pages(events: &[HistoryEvent], script: &mut Script<'_>) -> Vec<HistoryPage> {
    let (mut pages, mut rest) = (Vec::new(), events);
    while script.len() > 0 && pages.len() < 2 * events.len() {
        let (page, behind) = rest.split_at(script.below(6).min(rest.len()));
        pages.push(page);
        rest = behind;
    }
    pages.push(rest);
    let last = pages.len() - 1;
    let page = |(index, events): (usize, &[HistoryEvent])| HistoryPage {
        events: events.to_vec(),
        next_page_token: if index == last { String::new() } else { (index + 1).to_string() }.into(),
    };
    pages.into_iter().enumerate().map(page).collect()
}

/// All Workflow Tasks of a history, and the record behind the last.
fn cut(pages: &[HistoryPage]) -> Result<Vec<Cut>, HistoryError> {
    let mut history = History::default();
    let mut pages = pages.iter();
    history.handle_page(pages.next().cloned().unwrap_or_default())?;
    let (mut cuts, mut last_id) = (Vec::new(), 0);
    loop {
        match history.cut() {
            Cut::NeedPage(_) => history.handle_page(pages.next().expect("the last page has no token").clone())?,
            Cut::End => {
                assert_eq!(history.cut(), Cut::End, "behind the end there is nothing");
                return Ok(cuts);
            }
            found => {
                let is_task = matches!(found, Cut::Task(_));
                assert!(
                    !(is_task && matches!(cuts.last(), Some(Cut::Record(_)))),
                    "a task comes behind the last record"
                );
                for event in events_of(&found) {
                    assert_eq!(event, last_id + 1, "Events are lost or doubled");
                    last_id = event;
                }
                cuts.push(found);
            }
        }
    }
}

fn events_of(cut: &Cut) -> Vec<i64> {
    let events = match cut {
        Cut::Task(task) => task.events.as_slice(),
        Cut::Record(events) => events,
        _ => &[],
    };
    assert!(!events.is_empty(), "an empty cut");
    events.iter().map(|event| event.id).collect()
}

/// What a Run says while it goes through a recorded history, with user code that agrees with that.
pub(crate) fn replay(pages: &[HistoryPage], recorded: &BTreeMap<u64, Task>) -> Vec<Output> {
    let mut run = Run::new();
    run.handle_task(WorkflowTask {
        task_token: "task".into(),
        workflow_id: "workflow".into(),
        run_id: "a run".into(),
        workflow_type: "type".into(),
        attempt: 1,
        previous_started_event_id: 0,
        history: pages.first().cloned().unwrap_or_default(),
        received_at: Instant::now(),
        kind: TaskKind::Replay,
    });
    let mut user_code = UserCode::new(recorded.clone());
    let mut outputs = Vec::new();
    while let Some(output) = run.poll_output() {
        match &output {
            Output::Activate(activation) => match user_code.activate(activation, &mut Script::new(&[])) {
                Answer::Commands(commands) => run.handle_commands(commands),
                Answer::Failure => {
                    let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
                    run.handle_failure(cause, Failure::default());
                }
            },
            Output::FetchHistory { next_page_token } => {
                let index = std::str::from_utf8(next_page_token).ok().and_then(|text| text.parse::<usize>().ok());
                // The first page came with the task; whoever asks for it has got nothing.
                run.handle_history(pages.get(index.unwrap_or(0)).cloned().unwrap_or_default());
                continue;
            }
            _ => (),
        }
        outputs.push(output);
    }
    let ended = outputs.iter().filter(|output| matches!(output, Output::FinishReplay | Output::FailTask(_))).count();
    assert_eq!(ended, 1, "a replay ends once: {outputs:?}");
    outputs
}
