//! What programs start, and what comes of it as text.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use timewright::converter::{ConversionError, Multiple, Value};
use timewright::definition::{RetryPolicy, WorkflowDefinition};
use timewright::proto::enums::ParentClosePolicy;
use timewright::workflow::{
    ActivityCancellationType, ActivityFailure, ActivityHandle, ActivityOptions, ChildWorkflowFailure,
    ChildWorkflowHandle, ChildWorkflowOptions, LocalActivityOptions, MemoChanges, NexusOperationCancellationType,
    NexusOperationFailure, NexusOperationHandle, NexusOperationOptions, SearchAttributeChanges, SearchAttributeValue,
    TimerHandle,
};

use crate::branches::Scope;
use crate::definitions::{self, Conform, Operated, Working};
use crate::interpreter::{Context, Stop};
use crate::operated::takes;
use crate::program::{
    Activity, Cancellation, LocalActivity, Nexus, NexusCancellation, Note, Timeout, ToChild, Work, slots,
};
use crate::support::nexus::{Deed, Order, SERVICE};

/// What can be told to stop.
pub(crate) trait Operation: Future + Unpin {
    fn cancel(&self);
}

impl Operation for TimerHandle {
    fn cancel(&self) {
        TimerHandle::cancel(self);
    }
}

impl<O: Value> Operation for ActivityHandle<O> {
    fn cancel(&self) {
        ActivityHandle::cancel(self);
    }
}

/// Waits for an operation, which is cancelled with its scope.
pub(crate) async fn within<O: Operation>(scope: &Scope, mut operation: O) -> O::Output {
    let mut is_told = false;
    poll_fn(|task| {
        if scope.is_cancelled() && !std::mem::replace(&mut is_told, true) {
            operation.cancel();
        }
        Pin::new(&mut operation).poll(task)
    })
    .await
}

pub(crate) fn stopped<T>(context: &Context, scope: &Scope, outcome: &Result<T, ActivityFailure>) -> Result<(), Stop> {
    let is_asked = scope.is_cancelled() || context.cancellation().is_some();
    if is_asked && matches!(outcome, Err(ActivityFailure::Cancelled(_))) { Err(Stop) } else { Ok(()) }
}

pub(crate) fn outcome_text(outcome: &Result<String, ActivityFailure>) -> String {
    match outcome {
        Ok(result) => result.clone(),
        Err(failure) => {
            let cause = failure.cause().map(|cause| cause.message.clone()).unwrap_or_default();
            let how = if matches!(failure, ActivityFailure::Cancelled(_)) { "cancelled" } else { "failed" };
            format!("{how} {cause}")
        }
    }
}

pub(crate) fn start(context: &Context, activity: &Activity) -> ActivityHandle<String> {
    context.execute_activity(Working, work(context, &activity.work), options(context, activity))
}

pub(crate) fn start_locally(context: &Context, activity: &LocalActivity) -> ActivityHandle<String> {
    let threshold = if activity.durable { Duration::from_millis(1) } else { LONG };
    let options = LocalActivityOptions::schedule_to_close(LONG)
        .retry_policy(retries(context, activity.attempts, activity.interval))
        .local_retry_threshold(threshold);
    context.execute_local_activity(Working, work(context, &activity.work), options)
}

/// With its time in milliseconds.
fn work(context: &Context, work: &Work) -> Work {
    Work { takes: time(context, work.takes).as_millis() as u64, ..work.clone() }
}

fn retries(context: &Context, attempts: u32, interval: u64) -> RetryPolicy {
    let interval = time(context, interval.max(1));
    RetryPolicy::default().initial_interval(interval).backoff_coefficient(1.0).maximum_attempts(attempts)
}

/// So many slots.
pub(crate) fn time(context: &Context, count: u64) -> Duration {
    let (.., slot) = context.state(|state| state.input);
    slots(count, slot)
}

pub(crate) async fn do_child(context: &Context, number: usize, to_child: ToChild) -> String {
    let child = match start_child(context, number, ParentClosePolicy::Terminate).await {
        Ok(child) => child,
        Err(error) => return child_text(&Err(error)),
    };
    match to_child {
        ToChild::Nothing => {}
        ToChild::Signal(after) => {
            let slept = context.sleep(time(context, after)).await;
            let signaled = child.signal(definitions::Note, ()).await;
            context.state_mut(|state| state.heard.push(format!("{slept:?} {}", signaled.is_ok())));
        }
        ToChild::Cancel(after) => {
            let slept = context.sleep(time(context, after)).await;
            child.cancel("enough");
            context.state_mut(|state| state.heard.push(format!("{slept:?}")));
        }
    }
    child_text(&child.await)
}

async fn start_child(
    context: &Context,
    number: usize,
    policy: ParentClosePolicy,
) -> Result<ChildWorkflowHandle<Conform>, ChildWorkflowFailure> {
    let (seed, index, _, _, slot) = context.state(|state| state.input);
    let options = ChildWorkflowOptions::new(format!("{}-child-{number}", context.info().workflow_id));
    let input = Multiple((seed, index, Some(number), 0, slot));
    context.start_child_workflow(Conform, input, options.parent_close_policy(policy)).await
}

/// Starts a child that goes on by itself.
pub(crate) async fn leave_child(context: &Context, number: usize, policy: ParentClosePolicy) -> String {
    match start_child(context, number, policy).await {
        Ok(_) => "a child goes on".to_owned(),
        Err(error) => child_text(&Err(error)),
    }
}

pub(crate) async fn do_nexus(context: &Context, operation: &Nexus) -> String {
    let mut options = nexus_options(context);
    if let Some(count) = operation.start_to_close {
        options = options.start_to_close_timeout(time(context, count));
    }
    let order: Order = (operation.deed.clone(), time(context, operation.takes).as_millis() as u64);
    match context.start_nexus_operation::<String>(options, order).await {
        Ok(started) => nexus_text(&started.await),
        Err(failure) => nexus_text(&Err(failure)),
    }
}

/// An operation that its handler leaves to a workflow.
pub(crate) async fn do_nexus_workflow(context: &Context, slots: u64) -> String {
    let order: Order = (operated(time(context, slots), Duration::ZERO), 0);
    match context.start_nexus_operation::<String>(nexus_options(context), order).await {
        Ok(started) => nexus_text(&started.await),
        Err(failure) => nexus_text(&Err(failure)),
    }
}

fn operated(time: Duration, clean_up: Duration) -> Deed {
    Deed::Run(Operated::NAME.to_owned(), takes(time, clean_up))
}

/// An operation that was started.
pub(crate) async fn nexus_that_goes_on(
    context: &Context,
    cancellation: NexusCancellation,
) -> NexusOperationHandle<String> {
    let options = nexus_options(context).cancellation_type(match cancellation {
        NexusCancellation::Try => NexusOperationCancellationType::TryCancel,
        NexusCancellation::WaitRequested => NexusOperationCancellationType::WaitCancellationRequested,
        NexusCancellation::WaitCompleted(_) => NexusOperationCancellationType::WaitCancellationCompleted,
        NexusCancellation::Abandon => NexusOperationCancellationType::Abandon,
    });
    let deed = match cancellation {
        NexusCancellation::WaitCompleted(clean_up) => operated(LONG, time(context, clean_up)),
        _ => Deed::Start,
    };
    let order: Order = (deed, 0);
    let started = context.start_nexus_operation(options, order).await;
    started.unwrap_or_else(|failure| panic!("its handler starts every such operation: {failure}"))
}

/// Endpoint and Task Queue have the same name.
fn nexus_options(context: &Context) -> NexusOperationOptions {
    NexusOperationOptions::new(context.info().task_queue.clone(), SERVICE, "do")
}

pub(crate) fn nexus_text(outcome: &Result<String, NexusOperationFailure>) -> String {
    match outcome {
        Ok(result) => result.clone(),
        Err(failure) => {
            let cause = failure.cause().map(|cause| cause.message.clone()).unwrap_or_default();
            let how = if matches!(failure, NexusOperationFailure::Cancelled(_)) { "cancelled" } else { "failed" };
            format!("Nexus operation {how} {cause}")
        }
    }
}

fn child_text(outcome: &Result<Vec<String>, ChildWorkflowFailure>) -> String {
    match outcome {
        Ok(heard) => format!("child: {}", heard.join(", ")),
        Err(ChildWorkflowFailure::Cancelled(_)) => "child cancelled".to_owned(),
        Err(failure) => {
            format!("child failed {}", failure.cause().map(|cause| cause.message.clone()).unwrap_or_default())
        }
    }
}

pub(crate) fn leave_note(context: &Context, note: Note) -> String {
    let name = |number: u8| format!("change-{number}");
    match note {
        Note::SideEffect(value) => format!("side effect {:?}", context.side_effect(|| value)),
        Note::MutableSideEffect(number) => {
            let value = context.mutable_side_effect(&format!("thing-{}", number % 2), || number / 2);
            format!("mutable side effect {value:?}")
        }
        Note::Patch(number) => format!("patched {}", context.patched(&format!("patch-{number}"))),
        Note::Version(number) => format!("version {}", context.version(&name(number), 1, 3)),
        Note::Memo(value) => changed(context.upsert_memo(MemoChanges::new().set(name(value % 2), value))),
        Note::ForgetMemo(value) => changed(context.upsert_memo(MemoChanges::new().remove(name(value % 2)))),
        Note::SearchAttribute(value) => {
            let value = SearchAttributeValue::Keyword(name(value));
            changed(context.upsert_search_attributes(SearchAttributeChanges::new().set(SEARCH_ATTRIBUTE, value)))
        }
        Note::ForgetSearchAttribute => {
            changed(context.upsert_search_attributes(SearchAttributeChanges::new().remove(SEARCH_ATTRIBUTE)))
        }
    }
}

fn changed(outcome: Result<(), ConversionError>) -> String {
    format!("changed {}", outcome.is_ok())
}

pub(crate) async fn tell_nobody(context: &Context, cancel: bool) -> String {
    let nobody = context.external_workflow(Conform, "nobody-has-this-id", None);
    let told = if cancel { nobody.request_cancel("enough").await } else { nobody.signal(definitions::Note, ()).await };
    match told {
        Ok(()) => "told nobody".to_owned(),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn options(context: &Context, activity: &Activity) -> ActivityOptions {
    let retries = retries(context, activity.attempts, activity.interval);
    let cancellation = match activity.cancellation {
        Cancellation::Try => ActivityCancellationType::TryCancel,
        Cancellation::Wait => ActivityCancellationType::WaitCancellationCompleted,
        Cancellation::Abandon => ActivityCancellationType::Abandon,
    };
    let mut options = ActivityOptions::schedule_to_close(LONG).retry_policy(retries).cancellation_type(cancellation);
    if activity.nobody {
        options = options.task_queue(format!("{}-nobody", context.info().task_queue));
    }
    if activity.work.heeds {
        options = options.heartbeat_timeout(time(context, 4));
    }
    match activity.timeout {
        Timeout::None => options,
        Timeout::ScheduleToStart(count) => options.schedule_to_start_timeout(time(context, count)),
        Timeout::ScheduleToClose(count) => options.schedule_to_close_timeout(time(context, count)),
        Timeout::StartToClose(count) => options.start_to_close_timeout(time(context, count)),
    }
}

/// No program takes so long.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// A search attribute that both servers know.
pub(crate) const SEARCH_ATTRIBUTE: &str = "ConformKeyword";
