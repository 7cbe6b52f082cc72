//! The part of a conversation that is about other workflows, and about what operators change.
//!
//! | Command | meaning |
//! |--|--|
//! | `child ID [type=C] [queue=…] [close=…] [policy=…] [attempts=…] [run-timeout=…] [memo=…] …` | starts a child |
//! | `signal-external ID NAME [run=run-1] [child-only] [header=…]` | signals another workflow |
//! | `cancel-external ID [run=run-1] [child-only] [reason=…]` | asks another workflow to cancel itself |

use timewright_model_server::ServerError;
use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    ContinueAsNewWorkflowExecutionCommandAttributes, RequestCancelExternalWorkflowExecutionCommandAttributes,
    SignalExternalWorkflowExecutionCommandAttributes, StartChildWorkflowExecutionCommandAttributes,
};
use timewright_proto::common::{
    Header, Memo, Priority, RetryPolicy, SearchAttributes, WorkflowExecution, WorkflowType,
};
use timewright_proto::enums::{
    CommandType, ContinueAsNewInitiator, ParentClosePolicy, ResetReapplyExcludeType, ResetReapplyType, TaskQueueKind,
    WorkflowIdReusePolicy,
};
use timewright_proto::failure::Failure;
use timewright_proto::prost_types::FieldMask;
use timewright_proto::temporal::api::sdk::v1::UserMetadata;
use timewright_proto::temporal::api::workflow::v1::WorkflowExecutionOptions;
use timewright_proto::workflow_service::{ResetWorkflowExecutionRequest, UpdateWorkflowExecutionOptionsRequest};

use super::{Conversation, Words, fields, id, payloads, task_queue, upper_case, value};

impl Conversation {
    pub(super) fn reset(&mut self, words: &Words<'_>) -> Result<Vec<String>, ServerError> {
        let reapply = format!("RESET_REAPPLY_TYPE_{}", upper_case(words.option("reapply").unwrap_or("unspecified")));
        let excluded = words.option("exclude").into_iter().flat_map(|names| names.split(',')).map(|name| {
            let name = format!("RESET_REAPPLY_EXCLUDE_TYPE_{}", upper_case(name));
            ResetReapplyExcludeType::from_str_name(&name).expect("a type").into()
        });
        let answer = self.server.reset(ResetWorkflowExecutionRequest {
            workflow_execution: Some(self.execution(words)),
            reason: "again".into(),
            identity: "client".into(),
            workflow_task_finish_event_id: words.first().parse().unwrap(),
            request_id: words.option("request").unwrap_or_default().into(),
            reset_reapply_type: ResetReapplyType::from_str_name(&reapply).expect("a type").into(),
            reset_reapply_exclude_types: excluded.collect(),
            ..Default::default()
        })?;
        Ok(vec![answer.run_id])
    }

    pub(super) fn update_options(&mut self, words: &Words<'_>) -> Result<Vec<String>, ServerError> {
        let priority = words.priority();
        let paths = priority.iter().map(|_| "priority".to_owned()).collect();
        let answer = self.server.update_workflow_options(UpdateWorkflowExecutionOptionsRequest {
            workflow_execution: Some(self.execution(words)),
            workflow_execution_options: Some(WorkflowExecutionOptions { priority, ..Default::default() }),
            update_mask: Some(FieldMask { paths }),
            identity: "client".into(),
            ..Default::default()
        })?;
        let priority = answer.workflow_execution_options.unwrap_or_default().priority.unwrap_or_default();
        Ok(vec![format!("options priority={}", priority.priority_key)])
    }

    /// The workflow that a line means.
    pub(super) fn execution(&self, words: &Words<'_>) -> WorkflowExecution {
        WorkflowExecution {
            workflow_id: words.option("on").unwrap_or("w").into(),
            run_id: self.run_id(words.option("run").unwrap_or_default()),
        }
    }

    /// `run-1`; what is not known is taken as it is.
    pub(super) fn run_id(&self, name: &str) -> String {
        match name.strip_prefix("run-").and_then(|number| number.parse::<usize>().ok()) {
            Some(number) => self.runs[number - 1].clone(),
            None => name.into(),
        }
    }

    /// A Command with ids in place of the names of runs.
    pub(super) fn with_run_ids(&self, command: &str) -> String {
        let words = command.split(' ').map(|word| match word.strip_prefix("run=") {
            Some(run) => format!("run={}", self.run_id(run)),
            None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

impl Words<'_> {
    pub(super) fn retry_policy(&self) -> Option<RetryPolicy> {
        let is_said = self.option("attempts").is_some() || self.option("initial").is_some();
        is_said.then(|| RetryPolicy {
            maximum_attempts: self.option("attempts").map_or(0, |attempts| attempts.parse().unwrap()),
            initial_interval: self.duration("initial"),
            ..Default::default()
        })
    }

    pub(super) fn memo(&self) -> Option<Memo> {
        self.option("memo").map(|key| Memo { fields: fields(key, value(self)) })
    }

    pub(super) fn header(&self) -> Option<Header> {
        self.option("header").map(|key| Header { fields: fields(key, value(self)) })
    }

    pub(super) fn search_attributes(&self) -> Option<SearchAttributes> {
        self.option("attribute").map(|key| SearchAttributes { indexed_fields: fields(key, value(self)) })
    }

    pub(super) fn priority(&self) -> Option<Priority> {
        self.option("priority").map(|key| Priority { priority_key: key.parse().unwrap(), ..Default::default() })
    }

    pub(super) fn user_metadata(&self) -> Option<UserMetadata> {
        let summary = self.option("summary").map(|text| payloads(text).unwrap().payloads.remove(0));
        summary.map(|summary| UserMetadata { summary: Some(summary), ..Default::default() })
    }

    fn text(&self, key: &str) -> String {
        self.option(key).unwrap_or_default().into()
    }
}

pub(super) fn command(words: &Words<'_>) -> (CommandType, Attributes) {
    match words.verb {
        "child" => (
            CommandType::StartChildWorkflowExecution,
            Attributes::StartChildWorkflowExecutionCommandAttributes(child(words).into()),
        ),
        "signal-external" => (
            CommandType::SignalExternalWorkflowExecution,
            Attributes::SignalExternalWorkflowExecutionCommandAttributes(
                SignalExternalWorkflowExecutionCommandAttributes {
                    namespace: words.text("namespace"),
                    execution: (words.first() != "none")
                        .then(|| WorkflowExecution { workflow_id: id(words.first()), run_id: words.text("run") }),
                    signal_name: id(words.plain[1]),
                    input: payloads("s"),
                    control: words.text("control"),
                    child_workflow_only: words.has("child-only"),
                    header: words.header(),
                }
                .into(),
            ),
        ),
        _ => (
            CommandType::RequestCancelExternalWorkflowExecution,
            Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(
                RequestCancelExternalWorkflowExecutionCommandAttributes {
                    namespace: words.text("namespace"),
                    workflow_id: id(words.first()),
                    run_id: words.text("run"),
                    control: words.text("control"),
                    child_workflow_only: words.has("child-only"),
                    reason: words.text("reason"),
                }
                .into(),
            ),
        ),
    }
}

/// What a run that continues as new says beside its input and type.
pub(super) fn continue_as_new(words: &Words<'_>) -> ContinueAsNewWorkflowExecutionCommandAttributes {
    let initiator = words.option("initiator").unwrap_or("unspecified");
    let initiator = format!("CONTINUE_AS_NEW_INITIATOR_{}", upper_case(initiator));
    ContinueAsNewWorkflowExecutionCommandAttributes {
        task_queue: words.option("queue").and_then(|name| task_queue(name, TaskQueueKind::Normal)),
        workflow_run_timeout: words.duration("run-timeout"),
        workflow_task_timeout: words.duration("task-timeout"),
        backoff_start_interval: words.duration("backoff"),
        retry_policy: words.retry_policy(),
        initiator: ContinueAsNewInitiator::from_str_name(&initiator).expect("an initiator").into(),
        failure: words.option("failure").map(|message| Failure { message: message.into(), ..Default::default() }),
        last_completion_result: words.option("last-result").and_then(payloads),
        header: words.header(),
        memo: words.memo(),
        search_attributes: words.search_attributes(),
        ..Default::default()
    }
}

fn child(words: &Words<'_>) -> StartChildWorkflowExecutionCommandAttributes {
    let close = format!("PARENT_CLOSE_POLICY_{}", upper_case(words.option("close").unwrap_or("unspecified")));
    let reuse = format!("WORKFLOW_ID_REUSE_POLICY_{}", upper_case(words.option("policy").unwrap_or("unspecified")));
    StartChildWorkflowExecutionCommandAttributes {
        namespace: words.text("namespace"),
        workflow_id: id(words.first()),
        workflow_type: Some(WorkflowType { name: id(words.option("type").unwrap_or("C")) }),
        task_queue: words.option("queue").and_then(|name| task_queue(name, TaskQueueKind::Normal)),
        input: payloads("ci"),
        workflow_execution_timeout: words.duration("execution-timeout"),
        workflow_run_timeout: words.duration("run-timeout"),
        workflow_task_timeout: words.duration("task-timeout"),
        parent_close_policy: ParentClosePolicy::from_str_name(&close).expect("a policy").into(),
        control: words.text("control"),
        workflow_id_reuse_policy: WorkflowIdReusePolicy::from_str_name(&reuse).expect("a policy").into(),
        retry_policy: words.retry_policy(),
        header: words.header(),
        memo: words.memo(),
        search_attributes: words.search_attributes(),
        priority: words.priority(),
        ..Default::default()
    }
}
