//! Patches, and what a workflow writes about itself.

use serde_json::{Value, json};
use timewright_proto::common::Payload;

use super::{Program, plain};
use crate::context::{Context, Done, payload};

pub(super) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    let context = context.clone();
    Some(match workflow_type {
        "patched" => plain(patched(context)),
        "patch_deprecated" => plain(patch_deprecated(context)),
        "patches_two" => plain(patches_two(context)),
        "patch_second_task" => plain(patch_second_task(context)),
        "patch_local_activity" => plain(patch_local_activity(context)),
        "patch_two_places" => plain(patch_two_places(context)),
        "patch_between_timers" => plain(patch_between_timers(context)),
        "patch_and_upsert" => plain(patch_and_upsert(context)),
        "upsert_search_attributes" => plain(upsert_search_attributes(context)),
        "upsert_memo" => plain(upsert_memo(context)),
        _ => return None,
    })
}

async fn patched(context: Context) -> Done {
    let patched = context.patched("my-patch");
    context.timer(100).outcome().await?;
    Ok(patched.into())
}

async fn patch_deprecated(context: Context) -> Done {
    context.deprecate_patch("my-patch");
    context.timer(100).outcome().await?;
    Ok("done".into())
}

async fn patches_two(context: Context) -> Done {
    let patches = [context.patched("first-patch"), context.patched("second-patch")];
    context.timer(100).outcome().await?;
    Ok(json!(patches))
}

async fn patch_second_task(context: Context) -> Done {
    context.timer(100).outcome().await?;
    patched(context).await
}

async fn patch_local_activity(context: Context) -> Done {
    let first = context.patched("first-patch");
    context.local_activity("echo", "hello").outcome().await?;
    let second = context.patched("second-patch");
    context.timer(100).outcome().await?;
    Ok(json!([first, second]))
}

async fn patch_two_places(context: Context) -> Done {
    let first = context.patched("my-patch");
    context.timer(100).outcome().await?;
    let second = context.patched("my-patch");
    context.timer(100).outcome().await?;
    Ok(json!([first, second]))
}

async fn patch_between_timers(context: Context) -> Done {
    let first = context.timer(100);
    let patched = context.patched("my-patch");
    let second = context.timer(1000);
    first.outcome().await?;
    second.outcome().await?;
    Ok(patched.into())
}

async fn patch_and_upsert(context: Context) -> Done {
    context.upsert_search_attributes([colour("red".into())]);
    let patched = context.patched("my-patch");
    context.upsert_search_attributes([count(1)]);
    context.timer(100).outcome().await?;
    Ok(patched.into())
}

async fn upsert_search_attributes(context: Context) -> Done {
    context.upsert_search_attributes([colour("red".into()), count(1)]);
    context.timer(100).outcome().await?;
    context.upsert_search_attributes([colour(Value::Null)]);
    Ok("done".into())
}

async fn upsert_memo(context: Context) -> Done {
    context.upsert_memo([("note", "first".into()), ("count", 1.into())]);
    context.timer(100).outcome().await?;
    context.upsert_memo([("note", Value::Null)]);
    Ok("done".into())
}

pub(super) fn colour(value: Value) -> (&'static str, Payload) {
    ("HistoryColour", typed("Keyword", value))
}

fn count(value: u64) -> (&'static str, Payload) {
    ("HistoryCount", typed("Int", value.into()))
}

fn typed(kind: &'static str, value: Value) -> Payload {
    let mut payload = payload(&value);
    payload.metadata.insert("type".to_owned(), kind.into());
    payload
}
