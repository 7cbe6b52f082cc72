//! Patches, and what a workflow writes about itself.

use temporalio_common::MemoValue;
use temporalio_common::search_attributes::SearchAttributeKey;

use crate::activities::Activities;
use crate::common::{local, ms, program};

pub const COLOUR: SearchAttributeKey<String> = SearchAttributeKey::keyword("HistoryColour");
const COUNT: SearchAttributeKey<i64> = SearchAttributeKey::int("HistoryCount");

// --- Patches

program!("patched", Patched, |ctx| -> bool {
    let patched = ctx.patched("my-patch");
    ctx.timer(ms(100)).await;
    Ok(patched)
});

program!("patch_deprecated", PatchDeprecated, |ctx| -> String {
    ctx.deprecate_patch("my-patch");
    ctx.timer(ms(100)).await;
    Ok("done".to_owned())
});

program!("patches_two", PatchesTwo, |ctx| -> Vec<bool> {
    let patches = vec![ctx.patched("first-patch"), ctx.patched("second-patch")];
    ctx.timer(ms(100)).await;
    Ok(patches)
});

program!("patch_second_task", PatchSecondTask, |ctx| -> bool {
    ctx.timer(ms(100)).await;
    let patched = ctx.patched("my-patch");
    ctx.timer(ms(100)).await;
    Ok(patched)
});

program!("patch_local_activity", PatchLocalActivity, |ctx| -> Vec<bool> {
    let first = ctx.patched("first-patch");
    ctx.execute_local_activity(Activities::echo, "hello".to_owned(), local()).await?;
    let second = ctx.patched("second-patch");
    ctx.timer(ms(100)).await;
    Ok(vec![first, second])
});

program!("patch_two_places", PatchTwoPlaces, |ctx| -> Vec<bool> {
    let first = ctx.patched("my-patch");
    ctx.timer(ms(100)).await;
    let second = ctx.patched("my-patch");
    ctx.timer(ms(100)).await;
    Ok(vec![first, second])
});

program!("patch_between_timers", PatchBetweenTimers, |ctx| -> bool {
    let first = ctx.timer(ms(100));
    let patched = ctx.patched("my-patch");
    let second = ctx.timer(ms(1000));
    first.await;
    second.await;
    Ok(patched)
});

program!("patch_and_upsert", PatchAndUpsert, |ctx| -> bool {
    ctx.upsert_search_attributes([COLOUR.value_set("red".to_owned())]);
    let patched = ctx.patched("my-patch");
    ctx.upsert_search_attributes([COUNT.value_set(1)]);
    ctx.timer(ms(100)).await;
    Ok(patched)
});

// --- Upserts

program!("upsert_search_attributes", UpsertSearchAttributes, |ctx| -> String {
    ctx.upsert_search_attributes([COLOUR.value_set("red".to_owned()), COUNT.value_set(1)]);
    ctx.timer(ms(100)).await;
    ctx.upsert_search_attributes([COLOUR.value_unset()]);
    Ok("done".to_owned())
});

program!("upsert_memo", UpsertMemo, |ctx| -> String {
    ctx.upsert_memo([("note", Some(MemoValue::new("first".to_owned()))), ("count", Some(MemoValue::new(1)))])?;
    ctx.timer(ms(100)).await;
    ctx.upsert_memo([("note", None)])?;
    Ok("done".to_owned())
});
