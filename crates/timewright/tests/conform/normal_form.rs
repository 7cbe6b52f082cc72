//! Histories as lines in which only that is left which must be the same everywhere.
//!
//! Left out: times, identities, what names the SDK, the tokens of Nexus operations, where a Workflow Task waits (with a cache that is the sticky queue), and how
//! long a run waits that goes on as new: for the rest of the second that the run before it did not need.
//! Ids of runs are numbered, the names of workflow and Task Queue replaced. Everything else is compared, down to the numbers
//! of Events: which Events a Workflow Task brings is certain in these programs.

use timewright::proto::history::HistoryEvent;
use timewright_model_server::event_line;

/// The names that differ from world to world.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) workflow_id: String,
    pub(crate) task_queue: String,
    /// In the order of the runs.
    pub(crate) run_ids: Vec<String>,
}

/// A run's history, one line an Event.
pub(crate) fn normal_form(events: &[HistoryEvent], names: &Names) -> Vec<String> {
    events.iter().map(|event| normal_line(&event_line(event), names)).collect()
}

fn normal_line(line: &str, names: &Names) -> String {
    let mut line = line.replace(&names.workflow_id, "WORKFLOW").replace(&names.task_queue, "QUEUE");
    for (number, run_id) in names.run_ids.iter().enumerate() {
        line = line.replace(run_id, &format!("RUN{number}"));
    }
    let is_task_scheduled = line.split(' ').nth(1) == Some("WorkflowTaskScheduled");
    let continues_as_new = line.contains(" initiator=Workflow ");
    let is_left_out = |word: &str| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        ["identity", "sdk", "sdk-version"].contains(&key)
            || is_task_scheduled && ["queue", "kind", "normal-name"].contains(&key)
            || continues_as_new && key == "backoff"
            || ["id", "token"].contains(&key) && value.starts_with("operation-")
    };
    line.split(' ').filter(|word| !is_left_out(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let names = Names {
            workflow_id: "workflow-7".to_owned(),
            task_queue: "queue-7".to_owned(),
            run_ids: vec!["a-b".to_owned(), "c-d".to_owned()],
        };
        assert_eq!(normal_line(line, &names), expected);
    }

    #[test]
    fn what_differs_by_nature_is_left_out_or_replaced() {
        check(
            "2 WorkflowTaskScheduled queue=x kind=Sticky normal-name=queue-7 timeout=10s attempt=1",
            "2 WorkflowTaskScheduled timeout=10s attempt=1",
        );
        check(
            "5 ActivityTaskScheduled completed=4 queue=queue-7-nobody",
            "5 ActivityTaskScheduled completed=4 queue=QUEUE-nobody",
        );
        check("3 WorkflowTaskStarted scheduled=2 identity=7@host", "3 WorkflowTaskStarted scheduled=2");
        check(
            "7 NexusOperationStarted scheduled=6 id=operation-1-2 token=operation-1-2",
            "7 NexusOperationStarted scheduled=6",
        );
        check("9 WorkflowExecutionContinuedAsNew new-run=c-d", "9 WorkflowExecutionContinuedAsNew new-run=RUN1");
        check(
            "1 WorkflowExecutionStarted type=conform backoff=116ms initiator=Workflow continued=a-b",
            "1 WorkflowExecutionStarted type=conform initiator=Workflow continued=RUN0",
        );
        check(
            "1 WorkflowExecutionStarted type=conform backoff=2s initiator=Retry continued=a-b",
            "1 WorkflowExecutionStarted type=conform backoff=2s initiator=Retry continued=RUN0",
        );
    }
}
