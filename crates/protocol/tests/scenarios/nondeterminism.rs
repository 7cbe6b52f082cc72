//! Histories and code that disagree, and the texts that people read then.

use crate::notation::check;

/// What follows both sides, always.
const ADVICE: &str = "The code has changed since this history was recorded, or it is not deterministic. Run the code that \
                      recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]";

/// The first task of a workflow; what its `code` does differs from the history behind it.
#[track_caller]
fn disagree(code: &str, history: &str, text: &str) {
    check(
        code,
        &format!(
            "> code waits
             > replay WES WFT {history}
             3 replaying: Initialize
             > show texts
             > code answers
             fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event {text}. {ADVICE}
             evict: task failed"
        ),
    );
}

#[test]
fn another_type_of_command() {
    disagree(
        "start: activity 1",
        "TS",
        "5: the history recorded TimerStarted (id \"1\"), the workflow code issued ScheduleActivityTask (type \"charge\", id \"1\"); \
         both disagreed from the first command on",
    );
}

#[test]
fn a6_another_type_of_activity() {
    disagree(
        "start: activity 1 type=refund",
        "ATS",
        "5: the history recorded ActivityTaskScheduled (type \"charge\", id \"1\"), the workflow code issued \
         ScheduleActivityTask (type \"refund\", id \"1\"); both disagreed from the first command on",
    );
}

#[test]
fn a6_another_id_of_an_activity() {
    disagree(
        "start: timer 1, activity 1 id=invoice-8",
        "TS ATS(invoice-7)",
        "6: the history recorded ActivityTaskScheduled (type \"charge\", id \"invoice-7\"), the workflow code issued \
         ScheduleActivityTask (type \"charge\", id \"invoice-8\"); both agreed up to event 5, StartTimer (id \"1\")",
    );
}

#[test]
fn another_id_of_a_timer() {
    disagree(
        "start: timer 2",
        "TS",
        "5: the history recorded TimerStarted (id \"1\"), the workflow code issued StartTimer (id \"2\"); \
         both disagreed from the first command on",
    );
}

#[test]
fn another_order_of_commands() {
    disagree(
        "start: timer 1, timer 2, activity 1",
        "TS ATS TS(2)",
        "6: the history recorded ActivityTaskScheduled (type \"charge\", id \"1\"), the workflow code issued StartTimer (id \"2\"); \
         both agreed up to event 5, StartTimer (id \"1\")",
    );
}

#[test]
fn a_command_is_missing() {
    disagree(
        "start: timer 1",
        "TS ATS",
        "6: the history recorded ActivityTaskScheduled (type \"charge\", id \"1\"), the workflow code issued no further command \
         in this Workflow Task; both agreed up to event 5, StartTimer (id \"1\")",
    );
}

/// As soon as anything else follows, and also where nothing follows.
#[test]
fn a_command_too_many() {
    disagree(
        "start: timer 1, activity 1, timer 2",
        "TS TF WFT*",
        "6: the history recorded no further command in this Workflow Task, the workflow code issued \
         ScheduleActivityTask (type \"charge\", id \"1\"); both agreed up to event 5, StartTimer (id \"1\")",
    );
    disagree(
        "start: timer 1, activity 1",
        "TS",
        "5: the history recorded no further command in this Workflow Task, the workflow code issued \
         ScheduleActivityTask (type \"charge\", id \"1\"); both agreed up to event 5, StartTimer (id \"1\")",
    );
    disagree(
        "start: complete",
        "WFT*",
        "5: the history recorded no further command in this Workflow Task, the workflow code issued CompleteWorkflowExecution; \
         both disagreed from the first command on",
    );
}

#[test]
fn the_end_of_the_workflow_instead_of_a_command_and_the_other_way_round() {
    disagree(
        "start: complete",
        "TS",
        "5: the history recorded TimerStarted (id \"1\"), the workflow code issued CompleteWorkflowExecution; \
         both disagreed from the first command on",
    );
    disagree(
        "start: timer 1",
        "WEF",
        "5: the history recorded WorkflowExecutionFailed, the workflow code issued StartTimer (id \"1\"); \
         both disagreed from the first command on",
    );
    for (end, issued) in [
        ("fail", "FailWorkflowExecution"),
        ("end cancelled", "CancelWorkflowExecution"),
        ("continue as new", "ContinueAsNewWorkflowExecution"),
    ] {
        disagree(
            &format!("start: {end}"),
            "WEC",
            &format!(
                "5: the history recorded WorkflowExecutionCompleted, the workflow code issued {issued}; \
                 both disagreed from the first command on"
            ),
        );
    }
}

/// What was recorded and issued in the second task, behind a Signal.
#[track_caller]
fn disagree_later(code: &str, history: &str, text: &str) {
    check(
        code,
        &format!(
            "> code waits
             > replay WES WFT {history}
             3 replaying: Initialize
             > show texts
             > code answers
             9 replaying: Signal go
             fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event {text}. {ADVICE}
             evict: task failed"
        ),
    );
}

#[test]
fn another_cancellation() {
    disagree_later(
        "start: timer 1, timer 2
         signal go: cancel timer 2",
        "TS TS(2) SIG WFT TCd",
        "11: the history recorded TimerCanceled (of event 5), the workflow code issued CancelTimer (of event 6); \
         both agreed up to event 6, StartTimer (id \"2\")",
    );
    disagree_later(
        "start: activity 1, activity 2 wait
         signal go: cancel activity 2",
        "ATS ATS(2) SIG WFT ATCR",
        "11: the history recorded ActivityTaskCancelRequested (of event 5), the workflow code issued \
         RequestCancelActivityTask (of event 6); both agreed up to event 6, ScheduleActivityTask (type \"charge\", id \"2\")",
    );
    disagree_later(
        "start: timer 1, activity 1
         signal go: cancel timer 1",
        "TS ATS SIG WFT WFT*",
        "11: the history recorded no further command in this Workflow Task, the workflow code issued CancelTimer (of event 5); \
         both agreed up to event 6, ScheduleActivityTask (type \"charge\", id \"1\")",
    );
}

#[test]
fn w15_an_outcome_of_something_that_was_never_asked_for() {
    for (event, named) in [
        ("TF(@99)", "TimerFired"),
        ("AST(@99)", "ActivityTaskStarted"),
        ("ATC(@99)", "ActivityTaskCompleted"),
        ("ATF(@99)", "ActivityTaskFailed"),
        ("ATTO(@99)", "ActivityTaskTimedOut"),
        ("ATCd(@99)", "ActivityTaskCanceled"),
    ] {
        disagree(
            "start: timer 1",
            &format!("TS {event} WFT*"),
            &format!(
                "6: the history recorded {named} (of event 99), the workflow code issued nothing that this fits \
                 (it has no such operation under way); both agreed up to event 5, StartTimer (id \"1\")"
            ),
        );
    }
    disagree(
        "",
        "TF(@2) WFT*",
        "5: the history recorded TimerFired (of event 2), the workflow code issued nothing that this fits \
         (it has no such operation under way); both disagreed from the first command on",
    );
}

#[test]
fn an_outcome_of_an_operation_of_another_kind() {
    disagree(
        "start: timer 1",
        "TS AST(@5) WFT*",
        "6: the history recorded ActivityTaskStarted (of event 5), the workflow code issued nothing that this fits \
         (event 5 is timer 1); both agreed up to event 5, StartTimer (id \"1\")",
    );
    disagree(
        "start: activity 1",
        "ATS TF(@5) WFT*",
        "6: the history recorded TimerFired (of event 5), the workflow code issued nothing that this fits \
         (event 5 is activity 1); both agreed up to event 5, ScheduleActivityTask (type \"charge\", id \"1\")",
    );
}

#[test]
fn an_outcome_for_the_second_time() {
    for (code, events, named) in [
        ("timer 1", "TS TF TF", "TimerFired"),
        ("activity 1", "ATS ATC ATC", "ActivityTaskCompleted"),
        ("activity 1", "ATS ATC ATTO", "ActivityTaskTimedOut"),
        ("activity 1", "ATS ATC AST", "ActivityTaskStarted"),
    ] {
        let command = match code {
            "timer 1" => "StartTimer (id \"1\")",
            _ => "ScheduleActivityTask (type \"charge\", id \"1\")",
        };
        disagree(
            &format!("start: {code}"),
            &format!("{events} WFT*"),
            &format!(
                "7: the history recorded {named} (of event 5), the workflow code issued nothing that this fits \
                 (it has no such operation under way); both agreed up to event 5, {command}"
            ),
        );
    }
}

#[test]
fn a_timer_that_fires_after_its_cancellation() {
    disagree_later(
        "start: timer 1, activity 1
         signal go: cancel timer 1",
        "TS ATS SIG WFT TCd TF WFT*",
        "12: the history recorded TimerFired (of event 5), the workflow code issued nothing that this fits \
         (it has no such operation under way); both agreed up to event 11, CancelTimer (of event 5)",
    );
}

/// A record that no completion stands before; no server writes it.
#[test]
fn a_record_where_none_can_be() {
    disagree(
        "start: timer 1",
        "TS TF TS(2) WFT*",
        "7: the history recorded TimerStarted (id \"2\"), the workflow code issued no further command in this Workflow Task; \
         both agreed up to event 5, StartTimer (id \"1\")",
    );
}
