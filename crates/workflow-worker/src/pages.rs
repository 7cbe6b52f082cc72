//! Completions of Workflow Tasks that are too large for one message, in pages.
//!
//! Facts (server 1.32, where `history.enableWorkflowTaskCompletionPagination` is on, and the namespace's capability
//! `workflow_task_completion_pagination` says so):
//! - An intermediate page brings Commands only, at least one. The last page brings all the rest, and may have none.
//! - The server keeps intermediate pages in memory. If one is gone when the last comes, that is `ABORTED`, and all must be
//!   sent again.
//! - What all pages make of Events is stored at once. If that is more than `system.transactionSizeLimit` (4 MiB by default,
//!   and told to nobody), the server terminates the workflow: "Transaction size exceeds limit." Who turns pages on has to
//!   raise it, too.
//! - Pages of a speculative Workflow Task may lose their Commands. Such tasks carry Updates, so what answers Updates is not
//!   sent in pages.

use timewright_client::CallKind;
use timewright_proto::Message;
use timewright_proto::command::Command;
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedRequest;

/// A completion as it is sent: mostly as one page.
pub(crate) struct Pages {
    intermediate: Vec<RespondWorkflowTaskCompletedRequest>,
    last: RespondWorkflowTaskCompletedRequest,
}

impl Pages {
    /// `limit` is the most bytes that the server takes in pages; `None` if it takes no pages. What it would not take in
    /// pages either stays one page, and the server says that it is too large.
    pub(crate) fn of(request: RespondWorkflowTaskCompletedRequest, limit: Option<usize>) -> Self {
        let bytes = request.encoded_len();
        let in_pages = bytes > PAGE_SIZE && limit.is_some_and(|limit| bytes <= limit) && request.messages.is_empty();
        if in_pages { Self::split(request) } else { Self { intermediate: Vec::new(), last: request } }
    }

    fn split(mut last: RespondWorkflowTaskCompletedRequest) -> Self {
        let mut pages = split(std::mem::take(&mut last.commands), PAGE_SIZE);
        let rest = last.encoded_len();
        if let Some(commands) =
            pages.pop_if(|commands| rest + commands.iter().map(command_size).sum::<usize>() <= PAGE_SIZE)
        {
            last.commands = commands;
        }
        let intermediate: Vec<_> = (0..)
            .zip(pages)
            .map(|(page_number, commands)| RespondWorkflowTaskCompletedRequest {
                task_token: last.task_token.clone(),
                identity: last.identity.clone(),
                namespace: last.namespace.clone(),
                commands,
                page_number,
                intermediate_page: true,
                ..RespondWorkflowTaskCompletedRequest::default()
            })
            .collect();
        last.page_number = intermediate.last().map_or(0, |page| page.page_number + 1);
        Self { intermediate, last }
    }

    /// Sends the pages in their order, and gives what the server says to the last. All are sent again where the
    /// error of the last page says so: the server may have lost one.
    pub(crate) async fn send<T, E, F: Future<Output = Result<T, E>>>(
        self,
        respond: impl Fn(RespondWorkflowTaskCompletedRequest, CallKind) -> F,
        begins_again: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let Self { intermediate, last } = self;
        if intermediate.is_empty() {
            return respond(last, CallKind::Unary).await;
        }
        let mut resent = 0;
        loop {
            for page in &intermediate {
                respond(page.clone(), CallKind::Unary).await?;
            }
            // Tried once: the client would repeat this page alone until the task's time is over.
            match respond(last.clone(), CallKind::TaskPoll).await {
                Err(error) if resent < MAXIMUM_RESENT && begins_again(&error) => resent += 1,
                result => return result,
            }
        }
    }
}

/// Commands in their order, in pages of at most `limit` bytes. A Command that is larger has a page of its own.
fn split(commands: Vec<Command>, limit: usize) -> Vec<Vec<Command>> {
    let mut pages: Vec<Vec<Command>> = Vec::new();
    let mut bytes = 0;
    for command in commands {
        let size = command_size(&command);
        match pages.last_mut() {
            Some(page) if bytes + size <= limit => {
                page.push(command);
                bytes += size;
            }
            _ => {
                pages.push(vec![command]);
                bytes = size;
            }
        }
    }
    pages
}

/// The bytes of a Command within a request, at most.
fn command_size(command: &Command) -> usize {
    command.encoded_len() + TAG_AND_LENGTH
}

/// A server takes messages of 4 MiB; what it adds to them on their way within the cluster needs room, too.
const PAGE_SIZE: usize = 3 * 1024 * 1024;
/// One byte for the field's number, and five for a length below 4 GiB.
const TAG_AND_LENGTH: usize = 6;
const MAXIMUM_RESENT: usize = 3;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use timewright_proto::command::{StartTimerCommandAttributes, command};
    use timewright_proto::temporal::api::protocol::v1::Message as ProtocolMessage;

    use super::*;

    const MEGABYTE: usize = 1024 * 1024;

    fn timer(size: usize) -> Command {
        let timer =
            StartTimerCommandAttributes { timer_id: "x".repeat(size), ..StartTimerCommandAttributes::default() };
        let attributes = Some(command::Attributes::StartTimerCommandAttributes(timer.into()));
        Command { attributes, ..Command::default() }
    }

    fn completion(sizes: &[usize]) -> RespondWorkflowTaskCompletedRequest {
        RespondWorkflowTaskCompletedRequest {
            task_token: "token".into(),
            identity: "worker".to_owned(),
            namespace: "default".to_owned(),
            commands: sizes.iter().copied().map(timer).collect(),
            return_new_workflow_task: true,
            ..RespondWorkflowTaskCompletedRequest::default()
        }
    }

    /// How many Commands each page has, the last one's number at the end.
    fn shape(pages: &Pages) -> (Vec<usize>, i32) {
        let all = pages.intermediate.iter().chain([&pages.last]);
        (all.map(|page| page.commands.len()).collect(), pages.last.page_number)
    }

    #[test]
    fn commands_keep_their_order_and_pages_their_size() {
        let mut state = 1_u32;
        let commands: Vec<_> = (0..200)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                timer((state >> 25) as usize)
            })
            .collect();
        for limit in [1, 50, 100, 1000, 100_000] {
            let pages = split(commands.clone(), limit);
            assert_eq!(pages.concat(), commands, "{limit}");
            for page in &pages {
                let request = RespondWorkflowTaskCompletedRequest { commands: page.clone(), ..Default::default() };
                let bytes = request.encoded_len();
                assert!(page.len() == 1 || bytes <= limit, "{} Commands have {bytes} bytes", page.len());
            }
            for pair in pages.windows(2) {
                let bytes: usize = pair[0].iter().chain(&pair[1][..1]).map(command_size).sum();
                assert!(bytes > limit, "the first of the next page had room");
            }
        }
        assert!(split(Vec::new(), 100).is_empty());
    }

    #[test]
    fn a_command_that_is_too_large_stands_alone() {
        let commands = [10, 10, 500, 10, 600, 700, 10].map(timer);
        let lengths: Vec<_> = split(commands.to_vec(), 100).iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn only_what_is_large_and_without_messages_goes_in_pages() {
        let large = completion(&[2 * MEGABYTE; 3]);
        let limit = Some(40 * MEGABYTE);
        assert_eq!(shape(&Pages::of(large.clone(), limit)), (vec![1, 1, 1], 2));
        assert_eq!(shape(&Pages::of(large.clone(), None)), (vec![3], 0));
        assert_eq!(shape(&Pages::of(large.clone(), Some(5 * MEGABYTE))), (vec![3], 0));
        assert_eq!(shape(&Pages::of(completion(&[MEGABYTE, MEGABYTE]), limit)), (vec![2], 0));
        let answers = RespondWorkflowTaskCompletedRequest { messages: vec![ProtocolMessage::default()], ..large };
        assert_eq!(shape(&Pages::of(answers, limit)), (vec![3], 0));
    }

    #[test]
    fn the_last_page_has_all_the_rest_and_commands_if_they_fit() {
        let whole = completion(&[MEGABYTE; 7]);
        let pages = Pages::of(whole.clone(), Some(40 * MEGABYTE));
        assert_eq!(shape(&pages), (vec![2, 2, 2, 1], 3));
        for (number, page) in (0..).zip(&pages.intermediate) {
            assert_eq!((page.page_number, page.intermediate_page), (number, true));
            let named = (page.task_token.clone(), page.identity.as_str(), page.namespace.as_str());
            assert_eq!(named, ("token".into(), "worker", "default"));
            assert!(!page.return_new_workflow_task);
        }
        let expected = RespondWorkflowTaskCompletedRequest { page_number: 3, ..completion(&[MEGABYTE]) };
        assert_eq!(pages.last, expected);

        let one = RespondWorkflowTaskCompletedRequest {
            binary_checksum: "x".repeat(2 * MEGABYTE),
            ..completion(&[2 * MEGABYTE])
        };
        assert_eq!(shape(&Pages::of(one, Some(40 * MEGABYTE))), (vec![1, 0], 1));
        // Without Commands there is nothing for another page.
        let none = RespondWorkflowTaskCompletedRequest { identity: "x".repeat(5 * MEGABYTE), ..completion(&[]) };
        assert_eq!(shape(&Pages::of(none, Some(40 * MEGABYTE))), (vec![0], 0));
    }

    /// Sends three pages to a server that gives these answers; gives what came of it, and the numbers that it saw.
    async fn sent(answers: &[Result<(), &'static str>]) -> (Result<(), &'static str>, Vec<i32>) {
        let (answers, seen) = (RefCell::new(answers.iter()), RefCell::new(Vec::new()));
        let respond = |page: RespondWorkflowTaskCompletedRequest, kind| {
            assert_eq!(kind == CallKind::Unary, page.intermediate_page, "page {} is tried once", page.page_number);
            seen.borrow_mut().push(page.page_number);
            let answer = answers.borrow_mut().next().copied().unwrap_or(Ok(()));
            async move { answer }
        };
        let pages = Pages::of(completion(&[2 * MEGABYTE; 3]), Some(40 * MEGABYTE));
        let result = pages.send(respond, |error| *error == "lost").await;
        (result, seen.into_inner())
    }

    #[tokio::test]
    async fn pages_are_sent_again_when_one_was_lost() {
        assert_eq!(sent(&[]).await, (Ok(()), vec![0, 1, 2]));
        assert_eq!(sent(&[Ok(()), Ok(()), Err("lost")]).await, (Ok(()), vec![0, 1, 2, 0, 1, 2]));
        let always = [Ok(()), Ok(()), Err("lost")].repeat(10);
        assert_eq!(sent(&always).await, (Err("lost"), [0, 1, 2].repeat(4)));
    }

    #[tokio::test]
    async fn another_error_is_the_end() {
        assert_eq!(sent(&[Err("too large")]).await, (Err("too large"), vec![0]));
        assert_eq!(sent(&[Ok(()), Ok(()), Err("not found")]).await, (Err("not found"), vec![0, 1, 2]));
    }
}
