//! The programs. With `CHANGED` each does one thing differently, which its histories must not agree with.
//!
//! Recorded histories are in the repository for ever: what a program does without `CHANGED` never changes.

use std::time::Duration;

use greeting_definitions::{
    ComposeGreeting, CurrentGreeting, Greeting, GreetingInput, SetLanguage, activity_task_queue,
};
use timewright::converter::{ApplicationFailure, FailureKind};
use timewright::proto::common::RetryPolicy;
use timewright::workflow::{
    ActivityCancellationType, ActivityFailure, ActivityOptions, Handlers, Replayer, Workflow, WorkflowContext,
    WorkflowError, WorkflowInfo,
};

use super::definitions::{
    Approvals, Approve, CancelActivities, CancelActivitiesBegun, CleanUp, Compensation, Failing, FanOut, ProgramEcho,
    ProgramFlaky, ProgramRefuse, ProgramWait, Rounds, Timeouts, TimeoutsBegun, Timers,
};

/// Knows all programs.
pub(crate) fn replayer<const CHANGED: bool>() -> Replayer {
    Replayer::new()
        .workflow::<GreetingWorkflow<CHANGED>>()
        .workflow::<ApprovalsWorkflow<CHANGED>>()
        .workflow::<TimersWorkflow<CHANGED>>()
        .workflow::<FanOutWorkflow<CHANGED>>()
        .workflow::<CompensationWorkflow<CHANGED>>()
        .workflow::<FailingWorkflow<CHANGED>>()
        .workflow::<CleanUpWorkflow<CHANGED>>()
        .workflow::<CancelActivitiesWorkflow<CHANGED>>()
        .workflow::<RoundsWorkflow<CHANGED>>()
        .workflow::<TimeoutsWorkflow<CHANGED>>()
}

/// The program in `examples/greeting-workflow-worker`. Changed: it sleeps first.
pub(crate) struct GreetingWorkflow<const CHANGED: bool> {
    language: String,
    greeting: String,
}

impl<const CHANGED: bool> Workflow for GreetingWorkflow<CHANGED> {
    type Definition = Greeting;

    fn init(_info: &WorkflowInfo, input: &GreetingInput) -> Self {
        Self { language: input.language.clone(), greeting: String::new() }
    }

    async fn run(context: WorkflowContext<Self>, input: GreetingInput) -> Result<String, WorkflowError> {
        if CHANGED {
            context.sleep(Duration::from_secs(1)).await?;
        }
        let language = context.state(|state| state.language.clone());
        let options = ActivityOptions::start_to_close(Duration::from_secs(10))
            .task_queue(activity_task_queue(&context.info().task_queue));
        let greeting = context.execute_activity(ComposeGreeting, GreetingInput { language, ..input }, options).await?;
        context.state_mut(|state| state.greeting = greeting.clone());
        context.sleep(Duration::from_secs(1)).await?;
        Ok(greeting)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(SetLanguage, |state, language| state.language = language);
        handlers.query(CurrentGreeting, |state, ()| Ok(state.greeting.clone()));
    }
}

/// Changed: its activity is of another type.
pub(crate) struct ApprovalsWorkflow<const CHANGED: bool> {
    approvers: Vec<String>,
}

impl<const CHANGED: bool> Workflow for ApprovalsWorkflow<CHANGED> {
    type Definition = Approvals;

    fn init(_info: &WorkflowInfo, _needed: &usize) -> Self {
        Self { approvers: Vec::new() }
    }

    async fn run(context: WorkflowContext<Self>, needed: usize) -> Result<Vec<String>, WorkflowError> {
        let opened = "opened".to_owned();
        if CHANGED {
            context.execute_activity(ProgramFlaky, opened, options()).await?;
        } else {
            context.execute_activity(ProgramEcho, opened, options()).await?;
        }
        context.wait_condition(|state| state.approvers.len() >= needed).await?;
        Ok(context.state(|state| state.approvers.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Approve, |state, name| state.approvers.push(name));
    }
}

/// Changed: the loser is not cancelled.
pub(crate) struct TimersWorkflow<const CHANGED: bool>;

impl<const CHANGED: bool> Workflow for TimersWorkflow<CHANGED> {
    type Definition = Timers;

    fn init(_info: &WorkflowInfo, _input: &()) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, _input: ()) -> Result<String, WorkflowError> {
        let mut short = context.sleep(Duration::from_millis(50));
        let mut long = context.sleep(Duration::from_secs(3600));
        let winner = tokio::select! {
            biased;
            fired = &mut short => fired.map(|()| "short")?,
            fired = &mut long => fired.map(|()| "long")?,
        };
        // The winner has given all that it had.
        if !CHANGED && winner == "short" {
            long.cancel();
            // As cancelled: nothing else can come of it. Python's program must wait for that, too.
            let _ = long.await;
        }
        context.sleep(Duration::from_millis(10)).await?;
        Ok(winner.to_owned())
    }
}

/// Changed: the second word is left out.
pub(crate) struct FanOutWorkflow<const CHANGED: bool>;

impl<const CHANGED: bool> Workflow for FanOutWorkflow<CHANGED> {
    type Definition = FanOut;

    fn init(_info: &WorkflowInfo, _words: &Vec<String>) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, mut words: Vec<String>) -> Result<String, WorkflowError> {
        if CHANGED {
            words.remove(1);
        }
        let last = words.len();
        let handles = words.into_iter().enumerate().map(|(index, word)| {
            let options = if index + 1 == last { options().activity_id("last") } else { options() };
            context.execute_activity(ProgramEcho, word, options)
        });
        let handles: Vec<_> = handles.collect();
        let mut answers = Vec::new();
        for handle in handles.into_iter().rev() {
            answers.push(handle.await?);
        }
        Ok(answers.join(" "))
    }
}

/// Changed: nothing makes up for the refusal.
pub(crate) struct CompensationWorkflow<const CHANGED: bool>;

impl<const CHANGED: bool> Workflow for CompensationWorkflow<CHANGED> {
    type Definition = Compensation;

    fn init(_info: &WorkflowInfo, _order: &String) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, order: String) -> Result<String, WorkflowError> {
        let quickly =
            RetryPolicy { initial_interval: Duration::from_millis(10).try_into().ok(), ..RetryPolicy::default() };
        context.execute_activity(ProgramFlaky, order.clone(), options().retry_policy(quickly)).await?;
        let refusal = match context.execute_activity(ProgramRefuse, order.clone(), options()).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure.cause().map(|cause| cause.message.clone()).unwrap_or_default(),
        };
        if CHANGED {
            return Ok(refusal);
        }
        let undone = context.execute_activity(ProgramEcho, format!("undo {order}"), options()).await?;
        Ok(format!("{refusal}: {undone}"))
    }
}

/// Changed: there is a second timer.
pub(crate) struct FailingWorkflow<const CHANGED: bool>;

impl<const CHANGED: bool> Workflow for FailingWorkflow<CHANGED> {
    type Definition = Failing;

    fn init(_info: &WorkflowInfo, _message: &String) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, message: String) -> Result<(), WorkflowError> {
        let timer = context.sleep(Duration::from_millis(10));
        if CHANGED {
            context.sleep(Duration::from_millis(10)).await?;
        }
        timer.await?;
        Err(ApplicationFailure::new(message)
            .with_type("Failing")
            .with_details("detail".to_owned())
            .non_retryable()
            .caused_by(ApplicationFailure::new("the cause").with_type("Cause"))
            .into())
    }
}

/// Changed: it sleeps on when it is cancelled.
pub(crate) struct CleanUpWorkflow<const CHANGED: bool>;

impl<const CHANGED: bool> Workflow for CleanUpWorkflow<CHANGED> {
    type Definition = CleanUp;

    fn init(_info: &WorkflowInfo, _input: &()) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, _input: ()) -> Result<(), WorkflowError> {
        let sleeping = if CHANGED { context.detached() } else { context.clone() };
        let slept = sleeping.sleep(Duration::from_secs(3600)).await;
        if slept.is_err() {
            context.detached().execute_activity(ProgramEcho, "clean".to_owned(), options()).await?;
        }
        Ok(slept?)
    }
}

/// Changed: the last one is cancelled first.
pub(crate) struct CancelActivitiesWorkflow<const CHANGED: bool> {
    begun: usize,
}

impl<const CHANGED: bool> Workflow for CancelActivitiesWorkflow<CHANGED> {
    type Definition = CancelActivities;

    fn init(_info: &WorkflowInfo, _input: &()) -> Self {
        Self { begun: 0 }
    }

    async fn run(context: WorkflowContext<Self>, _input: ()) -> Result<Vec<String>, WorkflowError> {
        let kinds = [
            ("TRY_CANCEL", ActivityCancellationType::TryCancel),
            ("WAIT_CANCELLATION_COMPLETED", ActivityCancellationType::WaitCancellationCompleted),
            ("ABANDON", ActivityCancellationType::Abandon),
        ];
        let handles = kinds.map(|(name, kind)| {
            let options = options().heartbeat_timeout(Duration::from_secs(10)).cancellation_type(kind);
            context.execute_activity(ProgramWait, name.to_owned(), options)
        });
        context.wait_condition(|state| state.begun == 3).await?;
        if CHANGED {
            handles.iter().rev().for_each(|handle| handle.cancel());
        } else {
            handles.iter().for_each(|handle| handle.cancel());
        }
        let mut outcomes = Vec::new();
        for handle in handles {
            outcomes.push(match handle.await {
                Ok(answer) => answer,
                Err(ActivityFailure::Cancelled(_)) => "cancelled".to_owned(),
                Err(failure) => failure.to_string(),
            });
        }
        Ok(outcomes)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(CancelActivitiesBegun, |state, _name| state.begun += 1);
    }
}

/// Changed: it goes on when no round is left, and ends when one is.
pub(crate) struct RoundsWorkflow<const CHANGED: bool>;

impl<const CHANGED: bool> Workflow for RoundsWorkflow<CHANGED> {
    type Definition = Rounds;

    fn init(_info: &WorkflowInfo, _left: &u32) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, left: u32) -> Result<String, WorkflowError> {
        context.sleep(Duration::from_millis(10)).await?;
        if (left > 0) != CHANGED {
            return Err(context.continue_as_new(left.saturating_sub(1)));
        }
        Ok("done".to_owned())
    }
}

/// Changed: it ends after the first.
pub(crate) struct TimeoutsWorkflow<const CHANGED: bool>;

impl<const CHANGED: bool> Workflow for TimeoutsWorkflow<CHANGED> {
    type Definition = Timeouts;

    fn init(_info: &WorkflowInfo, _input: &()) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, _input: ()) -> Result<Vec<String>, WorkflowError> {
        let once = RetryPolicy { maximum_attempts: 1, ..RetryPolicy::default() };
        let nobody = options()
            .task_queue(format!("{}-nobody", context.info().task_queue))
            .schedule_to_start_timeout(Duration::from_millis(100))
            .retry_policy(once.clone());
        let lost = context.execute_activity(ProgramEcho, "lost".to_owned(), nobody).await;
        let mut outcomes = vec![timeout_type(lost)];
        if !CHANGED {
            let short = ActivityOptions::start_to_close(Duration::from_millis(300)).retry_policy(once);
            outcomes.push(timeout_type(context.execute_activity(ProgramWait, "slow".to_owned(), short).await));
        }
        Ok(outcomes)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(TimeoutsBegun, |_state, _name| ());
    }
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(Duration::from_secs(30))
}

fn timeout_type(result: Result<String, ActivityFailure>) -> String {
    match result.as_ref().err().and_then(ActivityFailure::cause).map(|cause| &cause.kind) {
        Some(FailureKind::Timeout { timeout_type, .. }) => timeout_type.to_string(),
        _ => format!("{result:?}"),
    }
}
