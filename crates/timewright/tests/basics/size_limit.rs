//! The size limit of a Workflow Worker.

use std::time::Duration;

use timewright::converter::Value;
use timewright::proto::Message;
use timewright::workflow::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker};

use crate::support::background::run_workflows;
use crate::support::definitions::{query, workflow_definition};
use crate::support::history::wait_for_task_failure;
use crate::support::{client, start_options, unique, within};

workflow_definition!(Writer: usize => String);
query!(Draft of Writer: usize => String);

struct WriterWorkflow;

impl Workflow for WriterWorkflow {
    type Definition = Writer;

    fn init(_info: &WorkflowInfo, _length: &usize) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, length: usize) -> Result<String, WorkflowError> {
        context.sleep(Duration::from_millis(1)).await?;
        Ok("x".repeat(length))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.query(Draft, |_, length| Ok("x".repeat(length)));
    }
}

#[tokio::test]
async fn a_payload_size_limit_of_ones_own() {
    let (client, queue) = (client().await, unique("writer"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<WriterWorkflow>();
    let _worker = run_workflows(worker.payload_size_limit(Some(100)).build().unwrap());

    let short = client.start_workflow(Writer, 50, start_options(&queue)).await.unwrap();
    assert_eq!(within("the result", short.result()).await.unwrap().len(), 50);

    let long = client.start_workflow(Writer, 200, start_options(&queue)).await.unwrap();
    let (cause, failure) = wait_for_task_failure(long.untyped()).await;
    let size = "x".repeat(200).to_payload().unwrap().encoded_len();
    assert_eq!(cause, "PAYLOADS_TOO_LARGE");
    assert_eq!(
        failure,
        format!(
            "PayloadsTooLarge: the Payloads of COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION have {size} bytes; the server \
             allows 100. Pass less data, or a reference to it"
        )
    );
    assert_eq!(within("an answer", short.query(Draft, 50)).await.unwrap().len(), 50);
    let error = within("an answer", short.query(Draft, 200)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "query `Draft` failed in workflow `{}`: PayloadsTooLarge: the answer has {size} bytes; 100 are allowed",
            short.workflow_id()
        )
    );
}
