//! How workflows end, and what is said about them and their parts.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Value, json};
use timewright_proto::common::{Memo, Priority, SearchAttributes};
use timewright_protocol::workflow::{
    ContinueAsNew, ScheduleActivity, ScheduleLocalActivity, StartChildWorkflow, StartTimer,
};

use super::children_and_others::echo;
use super::patches_and_upserts::colour;
use super::{Handlers, Program, plain};
use crate::context::{Context, Done, HOUR, Running, Stop, activity, failure, local_activity, ms, payload};

pub(super) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    let context = context.clone();
    Some(match workflow_type {
        "workflow_failed" => plain(async { Err(Stop::Failed(failure("refused: by the workflow"))) }),
        "workflow_cancelled" => plain(async move { context.timer(HOUR).outcome().await }),
        "workflow_cancelled_cleanup" => plain(workflow_cancelled_cleanup(context)),
        "workflow_cancelled_completes" => plain(workflow_cancelled_completes(context)),
        "continue_as_new" => plain(continue_as_new(context)),
        "workflow_task_failed" => plain(workflow_task_failed(context)),
        "summaries" => plain(summaries(context)),
        "priorities" => plain(priorities(context)),
        "random" => plain(random(context)),
        "resettable" => {
            let finished = Rc::new(Finished::default());
            Program { main: Box::pin(resettable(context, finished.clone())), handlers: finished }
        }
        _ => return None,
    })
}

async fn workflow_cancelled_cleanup(context: Context) -> Done {
    match context.timer(HOUR).outcome().await {
        Err(Stop::Cancelled) => {
            context.activity("echo", "clean-up").shielded().outcome().await?;
            Err(Stop::Cancelled)
        }
        _ => Ok("never".into()),
    }
}

async fn workflow_cancelled_completes(context: Context) -> Done {
    match context.timer(HOUR).outcome().await {
        Err(Stop::Cancelled) => Ok("cancelled, and completed".into()),
        _ => Ok("never".into()),
    }
}

async fn continue_as_new(context: Context) -> Done {
    context.timer(100).outcome().await?;
    if context.argument() != json!(1) {
        return Ok("done".into());
    }
    let (name, red) = colour("red".into());
    Err(Stop::ContinueAsNew(Box::new(ContinueAsNew {
        workflow_type: "continue_as_new".to_owned(),
        task_queue: "histories".to_owned(),
        arguments: vec![payload(&2.into())],
        memo: Some(Memo { fields: [("note".to_owned(), payload(&"kept".into()))].into() }),
        search_attributes: Some(SearchAttributes { indexed_fields: [(name.to_owned(), red)].into() }),
        ..ContinueAsNew::default()
    })))
}

/// A bug, and its repair.
async fn workflow_task_failed(context: Context) -> Done {
    context.timer(100).outcome().await?;
    if context.history_length() < 10 {
        return Err(Stop::Bug("a bug"));
    }
    context.timer(100).outcome().await?;
    Ok("repaired".into())
}

async fn summaries(context: Context) -> Done {
    let summary = |text: &str| Some(payload(&text.into()));
    let timer = StartTimer { duration: ms(100), summary: summary("a timer"), ..StartTimer::default() };
    context.start_timer(timer).outcome().await?;
    let schedule = ScheduleActivity { summary: summary("an activity"), ..activity("echo", "hello") };
    context.schedule(schedule).outcome().await?;
    let schedule = ScheduleLocalActivity { summary: summary("a Local Activity"), ..local_activity("echo", "hello") };
    context.schedule_local(schedule).outcome().await?;
    let (summary, details) = (summary("a child"), summary("with details"));
    context.child(StartChildWorkflow { summary, details, ..echo(&context) }).outcome().await
}

async fn priorities(context: Context) -> Done {
    let priority = Some(Priority { priority_key: 2, ..Priority::default() });
    context.schedule(ScheduleActivity { priority, ..activity("echo", "hello") }).outcome().await?;
    let priority = Some(Priority { priority_key: 4, fairness_key: "child".to_owned(), fairness_weight: 2.0 });
    context.child(StartChildWorkflow { priority, ..echo(&context) }).outcome().await
}

/// The UUID and the number are each SDK's own, from the same seed.
async fn random(context: Context) -> Done {
    context.activity("echo", context.recorded_argument("1")).outcome().await?;
    context.activity("echo", context.recorded_argument("2")).outcome().await
}

/// The UUID is each SDK's own, from the same seed.
async fn resettable(context: Context, finished: Rc<Finished>) -> Done {
    context.local_activity("echo", "local").outcome().await?;
    let patched = context.patched("my-patch");
    context.timer(100).outcome().await?;
    context.activity("echo", context.recorded_argument("2")).outcome().await?;
    context.until(|| finished.0.get()).await?;
    Ok(patched.into())
}

/// The signal `finish` came.
#[derive(Default)]
struct Finished(Cell<bool>);

impl Handlers for Finished {
    fn signal(&self, _context: &Context, name: &str, _argument: Value) -> Option<Running> {
        if name != "finish" {
            return None;
        }
        self.0.set(true);
        Some(Box::pin(async { Ok(Value::Null) }))
    }
}
