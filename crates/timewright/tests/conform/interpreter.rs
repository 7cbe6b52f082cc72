//! The workflow that does what a program says.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use timewright::converter::{ApplicationFailure, Multiple};
use timewright::definition::RetryPolicy;
use timewright::workflow::{
    ActivityCancellationType, ActivityFailure, ActivityHandle, ActivityOptions, Cancelled, Handlers, TimerHandle,
    Workflow, WorkflowContext, WorkflowError, WorkflowInfo,
};

use crate::branches::{Branch, Branches, Scope};
use crate::definitions::{Acting, Conform, Heard, Input, Note, Working};
use crate::program::{Action, Activity, Cancellation, End, OnCancel, Program, Run, Step, Timeout, Work, slots};

/// What a run has heard.
pub(crate) struct Interpreter {
    /// Milliseconds.
    slot: u64,
    signals: u32,
    heard: Vec<String>,
}

impl Workflow for Interpreter {
    type Definition = Conform;

    fn init(_: &WorkflowInfo, Multiple((.., slot)): &Input) -> Self {
        Self { slot: *slot, signals: 0, heard: Vec::new() }
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Note, |state, ()| {
            state.signals += 1;
            state.heard.push(format!("signal {}", state.signals));
        });
        handlers.query(Heard, |state, ()| Ok(state.heard.clone()));
    }

    async fn run(
        context: WorkflowContext<Self>,
        Multiple((seed, index, number, slot)): Input,
    ) -> Result<Vec<String>, WorkflowError> {
        let program = Program::generate(seed, index);
        let Run { main, on_cancel } = program.runs[number].clone();
        let main_context = if on_cancel == OnCancel::Ignore { context.detached() } else { context.clone() };
        if do_steps(&main_context, &Scope::default(), &main).await.is_err() {
            if let OnCancel::CleanUp(steps) = on_cancel {
                // What is not cancelled does not stop.
                let _ = do_steps(&context.detached(), &Scope::default(), &steps).await;
            }
            return Err(Cancelled { reason: context.cancellation().unwrap_or_default() }.into());
        }
        if number + 1 < program.runs.len() {
            return Err(context.continue_as_new(Multiple((seed, index, number + 1, slot))));
        }
        match program.end {
            End::Complete => Ok(context.state(|state| state.heard.clone())),
            End::Fail(_) => {
                let heard = context.state(|state| state.heard.join(", "));
                Err(ApplicationFailure::new(heard).with_type("Planned").into())
            }
        }
    }
}

/// The workflow, or what is in this scope, was cancelled.
struct Stop;

type Context = WorkflowContext<Interpreter>;

async fn do_steps(context: &Context, scope: &Scope, steps: &[Step]) -> Result<(), Stop> {
    for step in steps {
        if scope.is_cancelled() {
            return Err(Stop);
        }
        do_step(context, scope, step).await?;
    }
    Ok(())
}

/// A branch of its own, which owns what it needs.
fn branch(context: &Context, scope: &Scope, steps: &[Step]) -> Branch<Result<(), Stop>> {
    let (context, scope, steps) = (context.clone(), scope.clone(), steps.to_vec());
    Box::pin(async move { do_steps(&context, &scope, &steps).await })
}

async fn do_step(context: &Context, scope: &Scope, step: &Step) -> Result<(), Stop> {
    let hear = |text: String| context.state_mut(|state| state.heard.push(text));
    let time = |count| slots(count, context.state(|state| state.slot));
    match step {
        Step::Timer(duration) => {
            let fired = within(scope, context.sleep(time(*duration))).await;
            hear(format!("timer {duration} {}", if fired.is_ok() { "fired" } else { "cancelled" }));
            fired.map_err(|_| Stop)
        }
        Step::CancelTimer(inner) => {
            let timer = context.sleep(LONG);
            let done = branch(context, scope, inner).await;
            timer.cancel();
            hear(format!("timer cancelled: {}", timer.await.is_err()));
            done
        }
        Step::Activity(activity) => {
            let handle = start(context, activity);
            let outcome = within(scope, handle).await;
            hear(outcome_text(&outcome));
            stopped(context, scope, &outcome)
        }
        Step::CancelActivity(activity, inner) => {
            let handle = start(context, activity);
            let done = branch(context, scope, inner).await;
            handle.cancel();
            hear(outcome_text(&handle.await));
            done
        }
        Step::Act(action, duration) => {
            let activity = Activity { attempts: 1, ..Activity::default() };
            let input = Multiple((*action, time(*duration).as_millis() as u64));
            let outcome = within(scope, context.execute_activity(Acting, input, options(context, &activity))).await;
            hear(outcome_text(&outcome));
            if *action == Action::Terminate {
                std::future::pending::<()>().await;
            }
            stopped(context, scope, &outcome)
        }
        Step::WaitSignals(count) => {
            let count = *count;
            let mut waiting = pin!(context.wait_condition(move |state| state.signals >= count));
            poll_fn(|task| match waiting.as_mut().poll(task) {
                std::task::Poll::Pending if scope.is_cancelled() => std::task::Poll::Ready(Err(Stop)),
                polled => polled.map_err(|_| Stop),
            })
            .await
        }
        Step::Join(branches) => {
            let branches = Branches::new(branches.iter().map(|steps| branch(context, scope, steps)));
            branches.all().await.into_iter().collect()
        }
        Step::Race(branches) => {
            let inner = scope.inner();
            let mut branches = Branches::new(branches.iter().map(|steps| branch(context, &inner, steps)));
            let first = branches.first().await;
            hear(format!("branch {first} is first"));
            inner.cancel();
            let ends = branches.all().await;
            ends.into_iter().nth(first).unwrap_or(Ok(()))
        }
    }
}

/// What can be told to stop.
trait Operation: Future + Unpin {
    fn cancel(&self);
}

impl Operation for TimerHandle {
    fn cancel(&self) {
        TimerHandle::cancel(self);
    }
}

impl<O: timewright::converter::Value> Operation for ActivityHandle<O> {
    fn cancel(&self) {
        ActivityHandle::cancel(self);
    }
}

/// Waits for an operation, which is cancelled with its scope.
async fn within<O: Operation>(scope: &Scope, mut operation: O) -> O::Output {
    let mut is_told = false;
    poll_fn(|task| {
        if scope.is_cancelled() && !std::mem::replace(&mut is_told, true) {
            operation.cancel();
        }
        Pin::new(&mut operation).poll(task)
    })
    .await
}

fn stopped<T>(context: &Context, scope: &Scope, outcome: &Result<T, ActivityFailure>) -> Result<(), Stop> {
    let is_asked = scope.is_cancelled() || context.cancellation().is_some();
    if is_asked && matches!(outcome, Err(ActivityFailure::Cancelled(_))) { Err(Stop) } else { Ok(()) }
}

fn outcome_text(outcome: &Result<String, ActivityFailure>) -> String {
    match outcome {
        Ok(result) => result.clone(),
        Err(failure) => {
            let cause = failure.cause().map(|cause| cause.message.clone()).unwrap_or_default();
            let how = if matches!(failure, ActivityFailure::Cancelled(_)) { "cancelled" } else { "failed" };
            format!("{how} {cause}")
        }
    }
}

fn start(context: &Context, activity: &Activity) -> ActivityHandle<String> {
    let takes = activity.work.takes * context.state(|state| state.slot);
    context.execute_activity(Working, Work { takes, ..activity.work.clone() }, options(context, activity))
}

fn options(context: &Context, activity: &Activity) -> ActivityOptions {
    let time = |count| slots(count, context.state(|state| state.slot));
    let retries = RetryPolicy::default()
        .initial_interval(time(activity.interval.max(1)))
        .backoff_coefficient(1.0)
        .maximum_attempts(activity.attempts);
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
        options = options.heartbeat_timeout(time(4));
    }
    match activity.timeout {
        Timeout::None => options,
        Timeout::ScheduleToStart(count) => options.schedule_to_start_timeout(time(count)),
        Timeout::ScheduleToClose(count) => options.schedule_to_close_timeout(time(count)),
        Timeout::StartToClose(count) => options.start_to_close_timeout(time(count)),
    }
}

/// No program takes so long.
const LONG: Duration = Duration::from_secs(600);
