//! What a recorder has to know of a history: its events, in their order.
//!
//! Temporal's CLI writes one field a line, and those of events with six spaces before them; links to other events, which
//! have types too, stand deeper.

/// The events' types, `TimerStarted` for instance. Of the events of Workflow Tasks there is only `|` for each that
/// completed: between two of these stands what the first one's commands brought, and then what happened.
pub(crate) fn shape(history: &str) -> String {
    let shown = event_types(history).filter(|event| event != "WorkflowTaskScheduled" && event != "WorkflowTaskStarted");
    let shown = shown.map(|event| if event == "WorkflowTaskCompleted" { "|".to_owned() } else { event });
    shown.collect::<Vec<_>>().join(" ")
}

/// How many events of this type there are.
pub(crate) fn count(history: &str, event_type: &str) -> usize {
    event_types(history).filter(|event| event == event_type).count()
}

/// The id of the `nth` event of this type; the first is 1.
pub(crate) fn event_id(history: &str, event_type: &str, nth: usize) -> Option<String> {
    // Ids begin at 1, and none is left out.
    let mut of_type = event_types(history).enumerate().filter(|(_, event)| event == event_type);
    of_type.nth(nth.checked_sub(1)?).map(|(index, _)| (index + 1).to_string())
}

fn event_types(history: &str) -> impl Iterator<Item = String> {
    let names = history.lines().filter_map(|line| line.strip_prefix("      \"eventType\": \"EVENT_TYPE_"));
    names.map(|name| name.trim_end_matches(['"', ',']).split('_').map(capitalized).collect())
}

/// `Timer` of `TIMER`.
fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_owned() + &rest.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> String {
        ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED"]
            .into_iter()
            .chain(["TIMER_STARTED", "TIMER_STARTED", "TIMER_FIRED"])
            .map(|event| format!("      \"eventType\": \"EVENT_TYPE_{event}\",\n"))
            .collect()
    }

    #[test]
    fn the_shape_leaves_out_how_tasks_came_about() {
        assert_eq!(shape(&history()), "WorkflowExecutionStarted | TimerStarted TimerStarted TimerFired");
    }

    #[test]
    fn events_are_counted_and_found_by_type() {
        assert_eq!(count(&history(), "TimerStarted"), 2);
        assert_eq!(event_id(&history(), "TimerStarted", 2).as_deref(), Some("6"));
        assert_eq!(event_id(&history(), "TimerStarted", 3), None);
        assert_eq!(event_id(&history(), "TimerStarted", 0), None);
    }
}
