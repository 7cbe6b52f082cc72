//! Patches, versions, side effects, search attributes, memo, continue-as-new with options.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use timewright::client::StartWorkflowOptions;
use timewright::converter::Value;
use timewright::proto::history::history_event::Attributes;
use timewright::workflow::{
    ContinueAsNewOptions, DEFAULT_VERSION, MemoChanges, Replayer, SearchAttributeChanges, SearchAttributeValue,
    Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorkerBuilder,
};

use crate::support::definitions::{workflow, workflow_definition};
use crate::support::history::event_types;
use crate::support::{LIMIT, start_options, unique, within};
use crate::{CACHES, Stage};

workflow_definition!(Grown: () => String);

/// Today's code; yesterday's, before it was changed; and tomorrow's, when nothing of yesterday runs any more.
struct GrownWorkflow<const DAY: u8>;
const YESTERDAY: u8 = 0;
const TODAY: u8 = 1;
const TOMORROW: u8 = 2;

impl<const DAY: u8> Workflow for GrownWorkflow<DAY> {
    type Definition = Grown;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<String, WorkflowError> {
        context.sleep(Duration::from_millis(1)).await?;
        let is_new = match DAY {
            YESTERDAY => false,
            TODAY => context.patched("two-timers"),
            _ => {
                context.deprecate_patch("two-timers");
                true
            }
        };
        if is_new {
            context.sleep(Duration::from_millis(2)).await?;
        }
        let version = if DAY == YESTERDAY { DEFAULT_VERSION } else { context.version("naming", DEFAULT_VERSION, 2) };
        context.sleep(Duration::from_millis(3)).await?;
        Ok(format!("{} {version}", if is_new { "new" } else { "old" }))
    }
}

async fn played<const DAY: u8>(cached: usize, expected: &str) -> timewright::client::UntypedWorkflowHandle {
    let stage = Stage::of::<GrownWorkflow<DAY>>(cached).await;
    let handle = stage.client.start_workflow(Grown, (), start_options(&stage.task_queue)).await.unwrap();
    assert_eq!(within("the result", handle.result()).await.unwrap(), expected);
    stage.replay(handle.untyped()).await;
    stage.client.workflow_handle_untyped(handle.workflow_id(), handle.run_id().map(str::to_owned))
}

#[tokio::test]
async fn changed_code_goes_through_the_histories_of_the_code_before() {
    for cached in CACHES {
        let yesterday = played::<YESTERDAY>(cached, "old -1").await.history().await.unwrap();
        let today = played::<TODAY>(cached, "new 2").await.history().await.unwrap();
        let tomorrow = played::<TOMORROW>(cached, "new 2").await.history().await.unwrap();
        let now = Replayer::new().workflow::<GrownWorkflow<TODAY>>();
        now.replay("yesterday", yesterday.clone()).await.unwrap();
        let later = Replayer::new().workflow::<GrownWorkflow<TOMORROW>>();
        later.replay("today", today.clone()).await.unwrap();
        now.replay("tomorrow", tomorrow).await.unwrap();
        // Were it not so, the replays above would prove nothing.
        let before = Replayer::new().workflow::<GrownWorkflow<YESTERDAY>>();
        let error = before.replay("today", today).await.unwrap_err().to_string();
        assert!(error.contains("the marker of a patch (id \"two-timers\")"), "{error}");
        let error = later.replay("yesterday", yesterday).await.unwrap_err().to_string();
        assert!(error.starts_with("workflow \"yesterday\": nondeterminism at event "), "{error}");
    }
}

static TAKEN: AtomicU32 = AtomicU32::new(0);

workflow!(TakesValue: () => (u32, u32), |context, ()| {
    let first = context.side_effect(|| TAKEN.fetch_add(1, Ordering::Relaxed))?;
    context.sleep(Duration::from_millis(1)).await?;
    let second = context.side_effect(|| TAKEN.fetch_add(1, Ordering::Relaxed))?;
    context.sleep(Duration::from_millis(1)).await?;
    Ok((first, second))
});

workflow!(Rolls: () => String, |context, ()| {
    let decide = || (context.patched("roll"), context.version("shipping", 1, 3));
    let first = decide();
    context.sleep(Duration::from_millis(1)).await?;
    Ok(format!("{first:?} {:?}", decide()))
});

#[tokio::test]
async fn a_change_is_rolled_out_to_some_and_the_replayer_need_not_know_to_whom() {
    for cached in CACHES {
        let workflows = |builder: WorkflowWorkerBuilder| {
            builder
                .workflow::<Rolls>()
                .patch_activation(|patch| patch.workflow.workflow_id.starts_with("new"))
                .preferred_version(|change| if change.workflow.workflow_id.starts_with("new") { 2 } else { -9 })
        };
        let stage = Stage::with(cached, workflows, Replayer::new().workflow::<Rolls>()).await;
        for (name, expected) in [("new", "(true, 2) (true, 2)"), ("old", "(false, 1) (false, 1)")] {
            let options = StartWorkflowOptions::new(&stage.task_queue, unique(name)).execution_timeout(LIMIT);
            let handle = stage.client.start_workflow(Rolls, (), options).await.unwrap();
            assert_eq!(within("the result", handle.result()).await.unwrap(), expected, "{name}");
            stage.replay(handle.untyped()).await;
        }
    }
}

#[tokio::test]
async fn a_value_from_outside_is_taken_once() {
    for cached in CACHES {
        let stage = Stage::of::<TakesValue>(cached).await;
        let before = TAKEN.load(Ordering::Relaxed);
        let handle = stage.client.start_workflow(TakesValue, (), start_options(&stage.task_queue)).await.unwrap();
        let values = within("the result", handle.result()).await.unwrap();
        assert_eq!(values, (before, before + 1), "also without a cache, where code runs three times");
        stage.replay(handle.untyped()).await;
        assert_eq!(TAKEN.load(Ordering::Relaxed), before + 2);
    }
}

static LOOKED: AtomicU32 = AtomicU32::new(0);

workflow!(Watches: (u32, String) => Vec<u32>, |context, (first, _unique)| {
    let mut seen = Vec::new();
    for _ in 0..3 {
        for _ in 0..4 {
            // Changes with each third look.
            seen.push(context.mutable_side_effect("level", || (LOOKED.fetch_add(1, Ordering::Relaxed) - first) / 3)?);
        }
        context.sleep(Duration::from_millis(1)).await?;
    }
    Ok(seen)
});

#[tokio::test]
async fn a_value_that_changes_is_noted_with_each_change_only() {
    for cached in CACHES {
        let stage = Stage::of::<Watches>(cached).await;
        let first = LOOKED.load(Ordering::Relaxed);
        let handle = stage
            .client
            .start_workflow(Watches, (first, unique("watch")), start_options(&stage.task_queue))
            .await
            .unwrap();
        let seen = within("the result", handle.result()).await.unwrap();
        assert_eq!(seen, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], "also without a cache, where code runs four times");
        let events = event_types(handle.untyped()).await;
        let markers = events.iter().filter(|event| *event == "MARKER_RECORDED").count();
        assert_eq!(markers, 4, "one for each value");
        stage.replay(handle.untyped()).await;
        assert_eq!(LOOKED.load(Ordering::Relaxed), first + 12, "a replay looks at nothing");
    }
}

workflow!(DescribesItself: () => Vec<String>, |context, ()| {
    context.upsert_memo(MemoChanges::new().set("progress", 7_u32).set("coupon", "x".to_owned()))?;
    let words = SearchAttributeValue::KeywordList(vec!["a".to_owned(), "b".to_owned()]);
    context.upsert_search_attributes(SearchAttributeChanges::new().set("BuildIds", words))?;
    context.sleep(Duration::from_millis(1)).await?;
    context.upsert_memo(MemoChanges::new().remove("coupon"))?;
    context.upsert_search_attributes(SearchAttributeChanges::new().remove("BuildIds"))?;
    context.sleep(Duration::from_millis(1)).await?;
    let attributes = context.search_attributes().indexed_fields.into_keys();
    Ok(context.memo().fields.into_keys().chain(attributes).collect())
});

#[tokio::test]
async fn memo_and_search_attributes_are_changed() {
    for cached in CACHES {
        let stage = Stage::of::<DescribesItself>(cached).await;
        let handle = stage.client.start_workflow(DescribesItself, (), start_options(&stage.task_queue)).await.unwrap();
        assert_eq!(within("the result", handle.result()).await.unwrap(), ["progress"]);
        let events = event_types(handle.untyped()).await;
        let of = |name: &str| events.iter().filter(|event| *event == name).count();
        let counts = (of("WORKFLOW_PROPERTIES_MODIFIED"), of("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"));
        assert_eq!(counts, (2, 2), "{events:?}");
        stage.replay(handle.untyped()).await;
    }
}

workflow!(Rounds: u32 => u32, |context, round| {
    match round {
        1 => {
            let options = ContinueAsNewOptions::new().memo("round", 2_u32).task_timeout(Duration::from_secs(7));
            Err(context.continue_as_new_with(2, options))
        }
        _ => Ok(round),
    }
});

#[tokio::test]
async fn the_next_run_starts_as_it_was_told() {
    let stage = Stage::of::<Rounds>(1000).await;
    let handle = stage.client.start_workflow(Rounds, 1, start_options(&stage.task_queue)).await.unwrap();
    assert_eq!(within("the result", handle.result()).await.unwrap(), 2);
    stage.replay(handle.untyped()).await;
    let next = stage.client.workflow_handle_untyped(handle.workflow_id(), None).history().await.unwrap();
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &next.events[0].attributes else {
        panic!("{:?} is no start", next.events[0]);
    };
    assert_eq!(started.workflow_task_timeout.as_ref().map(|timeout| timeout.seconds), Some(7));
    let memo = started.memo.clone().unwrap_or_default();
    assert_eq!(memo.fields.get("round"), Some(&2_u32.to_payload().unwrap()));
}
