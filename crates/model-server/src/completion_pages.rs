//! Completions of Workflow Tasks in pages.
//!
//! Facts (server 1.32, where `history.enableWorkflowTaskCompletionPagination` allows them; else each is refused):
//! - A page that says `intermediate_page` brings Commands and nothing else: its messages, answers to Queries, sticky
//!   attributes and wishes are not looked at. It leaves no trace but in the server's memory.
//! - A page that does not, with a number above 0, is the completion: its Commands come behind those of the pages
//!   0 to its number, whatever order they came in. If one is missing, none is kept, and all must be sent again.
//! - The first of two pages of the same number counts. Pages end with their task's attempt.
//! - Pages of a speculative task are not safe: it vanishes if the last page alone gives no reason to record it, and the
//!   Commands of the pages before are lost; the worker is told that there is no such task.

use std::collections::BTreeMap;

use timewright_proto::command::Command;
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedRequest;

use crate::error::ServerError;
use crate::execution::Execution;

/// What has come of a completion.
#[derive(Debug, Clone)]
pub(crate) struct CompletionPages {
    /// Of which task.
    dispatch: u64,
    pages: BTreeMap<i32, Vec<Command>>,
}

impl Execution {
    /// Keeps an intermediate page: `true`. Else puts the Commands of the pages before into the request.
    pub(crate) fn join_pages(
        &mut self,
        request: &mut RespondWorkflowTaskCompletedRequest,
        is_allowed: bool,
        namespace: &str,
    ) -> Result<bool, ServerError> {
        if !request.intermediate_page && request.page_number <= 0 {
            return Ok(false);
        }
        if !is_allowed {
            return Err(ServerError::FailedPrecondition(format!(
                "workflow task completion pagination is disabled for this namespace {namespace}"
            )));
        }
        let Some(task) = &self.task else { return Ok(false) };
        let is_speculative = task.is_speculative;
        let (dispatch, scheduled_event_id, attempt) = (task.dispatch, task.scheduled_event_id, task.attempt);
        if self.pages.as_ref().is_some_and(|pages| pages.dispatch != dispatch) {
            self.pages = None;
        }
        if request.intermediate_page {
            check_page(request).inspect_err(|_| self.pages = None)?;
            if is_speculative {
                return Err(ServerError::unsupported("pages of a speculative Workflow Task's completion"));
            }
            let kept = self.pages.get_or_insert_with(|| CompletionPages { dispatch, pages: BTreeMap::new() });
            kept.pages.entry(request.page_number).or_insert_with(|| std::mem::take(&mut request.commands));
            return Ok(true);
        }
        check_page(request)?;
        let Some(mut kept) = self.pages.take() else {
            return Err(ServerError::Aborted(format!(
                "workflow task completion buffer lost for scheduled event {scheduled_event_id} attempt {attempt}"
            )));
        };
        let mut commands = Vec::new();
        for page in 0..request.page_number {
            commands.extend(kept.pages.remove(&page).ok_or_else(|| {
                ServerError::Aborted(format!(
                    "workflow task completion buffer missing page {page} of {}",
                    request.page_number
                ))
            })?);
        }
        commands.append(&mut request.commands);
        request.commands = commands;
        Ok(false)
    }
}

fn check_page(request: &RespondWorkflowTaskCompletedRequest) -> Result<(), ServerError> {
    let error = if request.page_number < 0 {
        "workflow task completion pagination page number must be non-negative".into()
    } else if request.page_number >= MOST_PAGES {
        format!("workflow task completion pagination supports at most {MOST_PAGES} pages")
    } else if request.intermediate_page && request.commands.is_empty() {
        "intermediate workflow task page must carry at least one command".into()
    } else {
        return Ok(());
    };
    Err(ServerError::InvalidArgument(error))
}

const MOST_PAGES: i32 = 1024;
