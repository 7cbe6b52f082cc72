//! Signals to other workflows, and requests to cancel them.

use timewright::client::WorkflowResultError;
use timewright::workflow::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};

use crate::support::definitions::{signal, workflow, workflow_definition};
use crate::support::{start_options, within};
use crate::{CACHES, Stage};

workflow_definition!(Mailbox: () => String);
signal!(Letter of Mailbox: String);

/// Gives the letter that it gets.
struct MailboxWorkflow(Option<String>);

impl Workflow for MailboxWorkflow {
    type Definition = Mailbox;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self(None)
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<String, WorkflowError> {
        context.wait_condition(|state| state.0.is_some()).await?;
        Ok(context.state(|state| state.0.clone()).unwrap_or_default())
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Letter, |state, letter| state.0 = Some(letter));
    }
}

workflow!(Writer: (String, bool) => String, |context, (recipient, cancels)| {
    let recipient = context.external_workflow(Mailbox, recipient, None);
    let sent = match cancels {
        true => recipient.request_cancel("enough").await,
        false => recipient.signal(Letter, "hello".to_owned()).await,
    };
    Ok(sent.map_or_else(|error| error.to_string(), |()| "sent".to_owned()))
});

#[tokio::test]
async fn a_signal_and_a_request_to_cancel_arrive() {
    for cached in CACHES {
        let stage = Stage::of_both::<MailboxWorkflow, Writer>(cached).await;
        for cancels in [false, true] {
            let mailbox = stage.client.start_workflow(Mailbox, (), start_options(&stage.task_queue)).await.unwrap();
            let input = (mailbox.workflow_id().to_owned(), cancels);
            let writer = stage.client.start_workflow(Writer, input, start_options(&stage.task_queue)).await.unwrap();
            assert_eq!(within("the result", writer.result()).await.unwrap(), "sent");
            let result = within("the letter", mailbox.result()).await;
            match cancels {
                true => assert!(matches!(result, Err(WorkflowResultError::Cancelled { .. })), "{result:?}"),
                false => assert_eq!(result.unwrap(), "hello"),
            }
            stage.replay(writer.untyped()).await;
            stage.replay(mailbox.untyped()).await;
        }
    }
}

#[tokio::test]
async fn nobody_is_there() {
    for cached in CACHES {
        let stage = Stage::of::<Writer>(cached).await;
        for (cancels, what) in [(false, "signal \"Letter\""), (true, "the request to cancel")] {
            let input = ("nobody".to_owned(), cancels);
            let writer = stage.client.start_workflow(Writer, input, start_options(&stage.task_queue)).await.unwrap();
            let expected = format!("{what} did not reach workflow \"nobody\": no such workflow is running");
            assert_eq!(within("the result", writer.result()).await.unwrap(), expected);
            stage.replay(writer.untyped()).await;
        }
    }
}
