//! Goes through a recorded history, answers to nobody.

use timewright_proto::Bytes;
use timewright_proto::history::HistoryEvent;
use timewright_protocol::workflow::{HistoryPage, Output, Run, TaskKind};

use crate::code::Code;
use crate::histories::{History, Sdk};
use crate::normal;

/// Replays it in pages of so many Events, with a workflow that does things in the order of this SDK, and compares what ends it.
pub(crate) fn replay(history: &'static History, page_size: usize, sdk: Sdk) -> Result<(), String> {
    let pages: Vec<&[HistoryEvent]> = history.events.chunks(page_size.min(history.events.len())).collect();
    let mut run = Run::new();
    let mut code = Code::new(history, sdk);
    run.handle_task(history.task(0, page(&pages, 0), TaskKind::Replay));
    let mut finished = false;
    while let Some(output) = run.poll_output() {
        match output {
            Output::Activate(activation) => match code.activate(&activation) {
                Ok(commands) => run.handle_commands(commands),
                Err(failure) => return Err(format!("the program fails its task: {}", failure.message)),
            },
            Output::FetchHistory { next_page_token } => run.handle_history(page(&pages, number(&next_page_token))),
            Output::FailTask(failed) => return Err(failed.failure.message),
            Output::FinishReplay => finished = true,
            Output::Evict { .. } if finished => (),
            other => return Err(format!("unexpected: {other:?}")),
        }
    }
    if !finished {
        return Err("the replay did not finish".to_owned());
    }
    let last = history.events.last().and_then(|event| normal::recorded(event, history.sdk));
    let recorded = last.filter(|what| normal::ends_workflow(what));
    let issued = code.end().map(normal::end);
    (issued == recorded).then_some(()).ok_or_else(|| format!("it ends with {issued:?}, and not with {recorded:?}"))
}

fn page(pages: &[&[HistoryEvent]], index: usize) -> HistoryPage {
    let next_page_token = if index + 1 < pages.len() { (index + 1).to_string().into() } else { Bytes::new() };
    HistoryPage { events: pages[index].to_vec(), next_page_token }
}

fn number(token: &Bytes) -> usize {
    std::str::from_utf8(token).ok().and_then(|token| token.parse().ok()).expect("a token of ours")
}
