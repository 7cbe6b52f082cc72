//! The ways in which a workflow ends.

use std::time::Duration;

use timewright_proto::command::command::Attributes;
use timewright_proto::common::{Header, Memo, Payload, RetryPolicy, SearchAttributes};
use timewright_proto::enums::ContinueAsNewVersioningBehavior;
use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{Command, ContinueAsNew};

use crate::notation::{check, wire};

const ENDS: [(&str, &str, &str); 4] = [
    ("complete", "CompleteWorkflowExecution", "WEC"),
    ("fail", "FailWorkflowExecution", "WEF"),
    ("end cancelled", "CancelWorkflowExecution", "WECd"),
    ("continue as new", "ContinueAsNewWorkflowExecution", "CAN"),
];

#[test]
fn w12_a_run_leaves_the_cache_with_its_end() {
    for (end, command, _) in ENDS {
        check(
            &format!("start: {end}"),
            &format!(
                "> server waits
                 > task WES WFT*
                 3 live: Initialize
                 complete task 1: {command}
                 evict: closed
                 > server takes"
            ),
        );
    }
}

#[test]
fn an_end_replays_as_itself_and_as_no_other() {
    for (end, _, _) in ENDS {
        for (other, _, event) in ENDS {
            let outcome = if end == other {
                "finish task 1\n evict: closed"
            } else {
                "fail task 1: NON_DETERMINISTIC_ERROR\n evict: task failed"
            };
            check(&format!("start: {end}"), &format!("> replay WES WFT {event}\n 3 replaying: Initialize\n {outcome}"));
        }
    }
}

#[test]
fn t6_the_command_that_ends_the_workflow_comes_last() {
    for (end, command, event) in ENDS {
        check(
            &format!("start: timer 1, {end}, activity 1, timer 2"),
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 complete task 1: StartTimer 1, ScheduleActivityTask 1 charge, StartTimer 2, {command}
                 evict: closed
                 > replay WES WFT TS ATS TS(2) {event}
                 3 replaying: Initialize
                 finish task 2
                 evict: closed"
            ),
        );
    }
}

#[test]
fn t6_what_was_cancelled_behind_the_end_is_not_sent() {
    check(
        "start: timer 1, complete, cancel timer 1",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a_workflow_ends_once() {
    for (deeds, _, _) in ENDS {
        check(
            &format!("signal go: complete, {deeds}"),
            "> task WES WFT*
             3 live: Initialize
             complete task 1: nothing
             > show texts
             > task WES WTS WTSt / WTC SIG WFT*
             7 live: Signal go
             fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE: the workflow ended twice [CommandError]
             evict: task failed",
        );
    }
}

/// Nobody is there who could hear that the activity was cancelled.
#[test]
fn a_workflow_that_has_ended_hears_nothing() {
    check(
        "start: activity 1
         signal go: cancel activity 1, complete",
        "> task WES WFT ATS SIG WFT*
         3 replaying: Initialize
         8 live: Signal go
         complete task 1: RequestCancelActivityTask of 5, CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn what_is_under_way_when_the_workflow_ends_is_left_to_the_server() {
    check(
        "start: activity 1, timer 1
         timer 1: complete",
        "> task WES WFT ATS TS TF WFT*
         3 replaying: Initialize
         9 live: FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a_workflow_asked_to_cancel_itself_hears_why() {
    check(
        "cancel: end cancelled",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > show texts
         > task WES WTS WTSt / WTC WECR(too-late) WFT*
         7 live: RequestCancellation \"too-late\"
         complete task 2: CancelWorkflowExecution
         evict: closed",
    );
}

#[test]
fn the_server_suggests_to_continue_as_new() {
    check(
        "signal go: continue as new",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > task WES WTS WTSt / WTC SIG WTS WTSt(suggest)
         7 live: Signal go (continue as new suggested: SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE)
         complete task 2: ContinueAsNewWorkflowExecution
         evict: closed",
    );
}

#[test]
fn an_end_carries_what_the_workflow_says() {
    let payload = || Payload { data: "42".into(), ..Payload::default() };
    let failure = Failure { message: "out of stock".to_owned(), ..Failure::default() };
    let sent = |command| {
        let [sent] = wire(vec![command]).try_into().expect("one Command");
        sent.attributes.expect("attributes")
    };
    match sent(Command::CompleteWorkflow { result: Some(payload()) }) {
        Attributes::CompleteWorkflowExecutionCommandAttributes(complete) => {
            assert_eq!(complete.result.map(|result| result.payloads), Some(vec![payload()]));
        }
        other => panic!("{other:?}"),
    }
    match sent(Command::CompleteWorkflow { result: None }) {
        Attributes::CompleteWorkflowExecutionCommandAttributes(complete) => assert_eq!(complete.result, None),
        other => panic!("{other:?}"),
    }
    match sent(Command::FailWorkflow { failure: Box::new(failure.clone()) }) {
        Attributes::FailWorkflowExecutionCommandAttributes(fail) => assert_eq!(fail.failure, Some(failure)),
        other => panic!("{other:?}"),
    }
    match sent(Command::CancelWorkflow { details: vec![payload()] }) {
        Attributes::CancelWorkflowExecutionCommandAttributes(cancel) => {
            assert_eq!(cancel.details.map(|details| details.payloads), Some(vec![payload()]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn w22_the_next_run_starts_with_all_that_was_asked_for() {
    let payload = || Payload { data: "order 8".into(), ..Payload::default() };
    let next = ContinueAsNew {
        workflow_type: "order".to_owned(),
        task_queue: "orders".to_owned(),
        arguments: vec![payload()],
        workflow_run_timeout: Some(Duration::from_secs(60)),
        workflow_task_timeout: Some(Duration::from_secs(5)),
        retry_policy: Some(RetryPolicy { maximum_attempts: 3, ..RetryPolicy::default() }),
        header: Some(Header { fields: [("trace".to_owned(), payload())].into() }),
        memo: Some(Memo { fields: [("note".to_owned(), payload())].into() }),
        search_attributes: Some(SearchAttributes { indexed_fields: [("Customer".to_owned(), payload())].into() }),
        backoff_start_interval: Some(Duration::from_secs(7)),
        initial_versioning_behavior: ContinueAsNewVersioningBehavior::AutoUpgrade,
    };
    let [command] = wire(vec![Command::ContinueAsNew(Box::new(next.clone()))]).try_into().expect("one Command");
    let Some(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(sent)) = command.attributes else {
        panic!("another Command");
    };
    assert_eq!(sent.initial_versioning_behavior(), ContinueAsNewVersioningBehavior::AutoUpgrade);
    assert_eq!(sent.workflow_type.map(|name| name.name).as_deref(), Some("order"));
    assert_eq!(sent.task_queue.map(|queue| queue.name).as_deref(), Some("orders"));
    assert_eq!(sent.input.map(|input| input.payloads), Some(vec![payload()]));
    assert_eq!(sent.workflow_run_timeout.map(|timeout| timeout.seconds), Some(60));
    assert_eq!(sent.workflow_task_timeout.map(|timeout| timeout.seconds), Some(5));
    assert_eq!(sent.retry_policy, next.retry_policy);
    assert_eq!(sent.header, next.header);
    assert_eq!(sent.memo, next.memo);
    assert_eq!(sent.search_attributes, next.search_attributes);
    assert_eq!(sent.backoff_start_interval.map(|interval| interval.seconds), Some(7));
}

/// Search attributes and memo as they are now, not as they were at the start.
#[test]
fn w22_the_next_run_takes_over_what_is_not_said() {
    let payload = |text: &'static str| Payload { data: text.into(), ..Payload::default() };
    let null = || Payload { metadata: [("encoding".to_owned(), "binary/null".into())].into(), ..Payload::default() };
    let upsert = |name: &str, value| {
        let indexed_fields = [(name.to_owned(), value)].into();
        Command::UpsertSearchAttributes(SearchAttributes { indexed_fields })
    };
    let note = |name: &str, value| Command::UpsertMemo(Memo { fields: [(name.to_owned(), value)].into() });
    let mut sent = wire(vec![
        upsert("Customer", payload("mia")),
        upsert("Status", payload("new")),
        upsert("Status", payload("paid")),
        upsert("Customer", null()),
        note("shelf", payload("7")),
        note("room", payload("2")),
        note("room", null()),
        Command::ContinueAsNew(Box::default()),
    ]);
    let Some(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(next)) =
        sent.pop().and_then(|it| it.attributes)
    else {
        panic!("another Command");
    };
    let search_attributes = next.search_attributes.map(|attributes| attributes.indexed_fields);
    assert_eq!(search_attributes, Some([("Status".to_owned(), payload("paid"))].into()));
    assert_eq!(next.memo.map(|memo| memo.fields), Some([("shelf".to_owned(), payload("7"))].into()));
}
