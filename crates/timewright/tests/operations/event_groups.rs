//! Event groups and summaries, as the history has them.

use std::time::Duration;

use timewright::converter::Value;
use timewright::proto::history::HistoryEvent;
use timewright::proto::temporal::api::sdk::v1::event_group_marker::Variant;
use timewright::workflow::{
    ActivityOptions, ChildWorkflowOptions, EventGroup, LocalActivityOptions, MemoChanges, SignalOptions, TimeLimit,
    TimerOptions,
};

use crate::support::definitions::workflow;
use crate::support::history::type_name;
use crate::support::{LIMIT, start_options, within};
use crate::{CACHES, Echo, Stage};

workflow!(Ends: () => (), |_context, ()| { Ok(()) });

workflow!(DoesAllInGroups: () => String, |context, ()| {
    let payment = context.in_event_group(EventGroup::new("payment").id("payment-1"));
    let echoed = payment
        .execute_activity(Echo, "a".to_owned(), ActivityOptions::start_to_close(LIMIT).summary("of an activity"))
        .await?;
    let order = payment.in_event_group(EventGroup::new("order").id("order-1"));
    let local = LocalActivityOptions::start_to_close(LIMIT).summary("of a Local Activity");
    order.execute_local_activity(Echo, echoed, local).await?;
    let timer = TimerOptions::new().summary("of a timer");
    order.sleep_with(Duration::from_millis(1), timer).await?;
    let _: u32 = order.side_effect(|| 7)?;
    let _: u32 = order.mutable_side_effect("seven", || 7)?;
    order.upsert_memo(MemoChanges::new().set("progress", "half"))?;
    let child = ChildWorkflowOptions::new(format!("{}-child", context.info().workflow_id))
        .static_summary("of a Child Workflow")
        .static_details("more of it");
    let child = order.start_child_workflow(Ends, (), child).await?;
    // It has ended, or will never read it; what counts is what stands here.
    let _ = child.signal_untyped_with("hurry", Vec::new(), SignalOptions::new().summary("of a Signal")).await;
    child.await?;
    let limit = TimeLimit::new(Duration::from_millis(1)).summary("of a condition");
    context.wait_condition_with_timeout(limit, |_| false).await?;
    Ok("done".to_owned())
});

#[tokio::test]
async fn groups_and_summaries_stand_in_the_history() {
    for cached in CACHES {
        let stage = Stage::of_both::<DoesAllInGroups, Ends>(cached).await;
        let handle = stage.client.start_workflow(DoesAllInGroups, (), start_options(&stage.task_queue)).await.unwrap();
        assert_eq!(within("the result", handle.result()).await.unwrap(), "done");
        let history = within("the history", handle.untyped().history()).await.unwrap();
        let shown: Vec<String> = history.events.iter().filter_map(show).collect();
        let both = "payment-1=payment order-1=order";
        assert_eq!(
            shown,
            [
                "ACTIVITY_TASK_SCHEDULED [payment-1=payment] of an activity".to_owned(),
                format!("MARKER_RECORDED [{both}] of a Local Activity"),
                format!("TIMER_STARTED [{both}] of a timer"),
                format!("MARKER_RECORDED [{both}]"),
                format!("MARKER_RECORDED [{both}]"),
                format!("WORKFLOW_PROPERTIES_MODIFIED [{both}]"),
                format!("START_CHILD_WORKFLOW_EXECUTION_INITIATED [{both}] of a Child Workflow; more of it"),
                format!("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED [{both}] of a Signal"),
                "TIMER_STARTED [] of a condition".to_owned(),
            ]
        );
        stage.replay(handle.untyped()).await;
    }
}

/// What stands in an Event for people, where there is anything.
fn show(event: &HistoryEvent) -> Option<String> {
    let groups: Vec<String> = event
        .event_group_markers
        .iter()
        .map(|marker| match &marker.variant {
            Some(Variant::Label(label)) => {
                format!("{}={}", label.id, String::from_payload(label.label.clone().unwrap()).unwrap())
            }
            other => format!("{other:?}"),
        })
        .collect();
    let metadata = event.user_metadata.clone().unwrap_or_default();
    let texts: Vec<String> = [metadata.summary, metadata.details]
        .into_iter()
        .flatten()
        .map(|text| String::from_payload(text).unwrap())
        .collect();
    if groups.is_empty() && texts.is_empty() {
        return None;
    }
    Some(format!("{} [{}] {}", type_name(event), groups.join(" "), texts.join("; ")).trim_end().to_owned())
}
