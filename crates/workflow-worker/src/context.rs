//! The context: what workflow code asks for, and what it may know.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use timewright_converter::{Arguments, Payload, RawValue, Value};
use timewright_definition::{ActivityDefinition, WorkflowDefinition};
use timewright_protocol::workflow::{Command, ContinueAsNew, ScheduleActivity, StartTimer};

use crate::activity::{ActivityHandle, ActivityOptions};
use crate::error::{Cancelled, Kind, WorkflowError};
use crate::info::WorkflowInfo;
use crate::mailbox::{SharedMailbox, wake_all};
use crate::timer::TimerHandle;
use crate::workflow::{Input, Workflow};

/// What a workflow's code works with. Cheap to clone.
///
/// Operations start when they are called, in the order of the calls; awaiting them only waits. **Dropping a handle cancels
/// nothing**: a timer or activity that lost a race goes on until somebody calls its `cancel()`, or the workflow ends.
///
/// # Cancellation
/// When somebody asks the workflow to cancel itself, its timers, activities and conditions end with [`Cancelled`] (activities
/// as their [`ActivityCancellationType`](crate::ActivityCancellationType) says), and those started later end at once. So `?`
/// ends the workflow as cancelled. What must be done all the same — cleaning up — is started from
/// [`detached`](Self::detached).
pub struct WorkflowContext<W: Workflow> {
    shared: Rc<Shared<W>>,
    /// Whether operations end with the workflow's cancellation.
    attached: bool,
}

struct Shared<W> {
    mailbox: SharedMailbox,
    state: RefCell<W>,
    info: WorkflowInfo,
}

impl<W: Workflow> WorkflowContext<W> {
    pub(crate) fn new(mailbox: SharedMailbox, state: W, info: WorkflowInfo) -> Self {
        Self { shared: Rc::new(Shared { mailbox, state: RefCell::new(state), info }), attached: true }
    }

    /// What the workflow knows about itself.
    pub fn info(&self) -> &WorkflowInfo {
        &self.shared.info
    }

    /// The workflow's "now": when the Workflow Task started that it is at. The same on every replay, and it stands still
    /// within a task.
    pub fn time(&self) -> SystemTime {
        self.shared.mailbox.borrow().moment().time
    }

    /// Whether this was done before, so that it should not be logged or counted again. Never decide on this what the
    /// workflow does.
    pub fn is_replaying(&self) -> bool {
        self.shared.mailbox.borrow().moment().replaying
    }

    /// How many Events the history has.
    pub fn history_length(&self) -> u64 {
        self.shared.mailbox.borrow().moment().history_length
    }

    /// How many bytes the history has.
    pub fn history_bytes(&self) -> u64 {
        self.shared.mailbox.borrow().moment().history_bytes
    }

    /// Whether the server suggests to continue as new, since the history has become long.
    pub fn is_continue_as_new_suggested(&self) -> bool {
        self.shared.mailbox.borrow().moment().continue_as_new_suggested
    }

    /// Looks at the workflow's state.
    ///
    /// # Panics
    /// Inside [`state_mut`](Self::state_mut). That fails the Workflow Task.
    pub fn state<R>(&self, look: impl FnOnce(&W) -> R) -> R {
        look(&self.shared.state.try_borrow().expect("state() was called inside state_mut(): use what that one lends"))
    }

    /// Changes the workflow's state. Conditions that wait for it are looked at again.
    ///
    /// # Panics
    /// Inside another `state` or `state_mut`. That fails the Workflow Task.
    pub fn state_mut<R>(&self, change: impl FnOnce(&mut W) -> R) -> R {
        let result = change(
            &mut self
                .shared
                .state
                .try_borrow_mut()
                .expect("state_mut() was called inside another: use what that one lends"),
        );
        self.state_changed();
        result
    }

    /// Waits until the state is as `condition` says. It is looked at now, and whenever the state may have changed.
    ///
    /// # Errors
    /// [`Cancelled`] when the workflow is cancelled; never in a [`detached`](Self::detached) context.
    pub fn wait_condition<F: FnMut(&W) -> bool>(&self, condition: F) -> WaitCondition<W, F> {
        WaitCondition { context: self.clone(), condition }
    }

    /// Starts a durable timer: it goes on while no worker runs. Its handle gives `Ok` when it has fired.
    /// <https://docs.temporal.io/workflow-execution/timers-delays>
    pub fn sleep(&self, duration: Duration) -> TimerHandle {
        let sequence = self.shared.mailbox.borrow_mut().start_timer(self.attached, |sequence| {
            Command::StartTimer(StartTimer { sequence, duration, summary: None })
        });
        TimerHandle::new(Rc::clone(&self.shared.mailbox), sequence)
    }

    /// Executes an activity. Its handle gives its result.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::{ActivityDefinition, WorkflowDefinition};
    /// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Order; impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = String; }
    /// # struct OrderWorkflow;
    /// struct Charge;
    /// impl ActivityDefinition for Charge {
    ///     const NAME: &'static str = "charge";
    ///     type Input = u64;
    ///     type Output = String;
    /// }
    ///
    /// # impl Workflow for OrderWorkflow {
    /// #     type Definition = Order;
    /// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
    /// async fn run(context: WorkflowContext<Self>, _: ()) -> Result<String, WorkflowError> {
    ///     let options = ActivityOptions::start_to_close(Duration::from_secs(10));
    ///     let receipt = context.execute_activity(Charge, 100, options).await?;
    ///     Ok(receipt)
    /// }
    /// # }
    /// ```
    pub fn execute_activity<D: ActivityDefinition>(
        &self,
        definition: D,
        input: D::Input,
        options: ActivityOptions,
    ) -> ActivityHandle<D::Output> {
        let _ = definition;
        match input.to_payloads() {
            Ok(arguments) => self.schedule(D::NAME, arguments, options),
            Err(error) => ActivityHandle::unwritable(Rc::clone(&self.shared.mailbox), D::NAME, error),
        }
    }

    /// Executes an activity by a name that is known only at run time, with Payloads as they are.
    pub fn execute_activity_untyped(
        &self,
        activity_type: &str,
        arguments: Vec<Payload>,
        options: ActivityOptions,
    ) -> ActivityHandle<RawValue> {
        self.schedule(activity_type, arguments, options)
    }

    /// The reason, once somebody has asked the workflow to cancel itself; it is often empty.
    pub fn cancellation(&self) -> Option<String> {
        self.shared.mailbox.borrow().cancellation().map(str::to_owned)
    }

    /// Waits until somebody asks the workflow to cancel itself; gives the reason.
    pub fn cancelled(&self) -> impl Future<Output = String> + use<W> {
        let mailbox = Rc::clone(&self.shared.mailbox);
        std::future::poll_fn(move |task| {
            let mut mailbox = mailbox.borrow_mut();
            if let Some(reason) = mailbox.cancellation() {
                return Poll::Ready(reason.to_owned());
            }
            mailbox.wake_on_change(task.waker());
            Poll::Pending
        })
    }

    /// The same context, whose operations do not end with the workflow's cancellation: for cleaning up.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { shared: Rc::clone(&self.shared), attached: false }
    }

    /// Goes on as a new run with a fresh history: return this as the error of `run`. The next run has the same type, Task
    /// Queue, timeouts, memo and search attributes.
    /// <https://docs.temporal.io/workflow-execution/continue-as-new>
    ///
    /// ```
    /// # use timewright_definition::WorkflowDefinition;
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Poller; impl WorkflowDefinition for Poller { const NAME: &'static str = "poller"; type Input = u64; type Output = (); }
    /// # struct PollerWorkflow;
    /// # impl Workflow for PollerWorkflow {
    /// #     type Definition = Poller;
    /// #     fn init(_: &WorkflowInfo, _: &u64) -> Self { Self }
    /// async fn run(context: WorkflowContext<Self>, round: u64) -> Result<(), WorkflowError> {
    ///     // … one round of work …
    ///     Err(context.continue_as_new(round + 1))
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn continue_as_new(&self, input: Input<W>) -> WorkflowError {
        match input.to_payloads() {
            Ok(arguments) => WorkflowError(Kind::ContinueAsNew(Box::new(ContinueAsNew {
                workflow_type: <W::Definition as WorkflowDefinition>::NAME.to_owned(),
                task_queue: self.shared.info.task_queue.clone(),
                arguments,
                ..ContinueAsNew::default()
            }))),
            Err(error) => error.into(),
        }
    }

    pub(crate) fn state_changed(&self) {
        let wakers = self.shared.mailbox.borrow_mut().take_state_wakers();
        wake_all(wakers);
    }

    fn schedule<O: Value>(
        &self,
        activity_type: &str,
        arguments: Vec<Payload>,
        options: ActivityOptions,
    ) -> ActivityHandle<O> {
        let mailbox = Rc::clone(&self.shared.mailbox);
        let task_queue = &self.shared.info.task_queue;
        let sequence = mailbox.borrow_mut().schedule_activity(self.attached, |sequence| {
            let command = options.into_command(sequence, activity_type, arguments, task_queue);
            Command::ScheduleActivity(Box::<ScheduleActivity>::new(command))
        });
        ActivityHandle::scheduled(mailbox, activity_type, sequence)
    }
}

impl<W: Workflow> Clone for WorkflowContext<W> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared), attached: self.attached }
    }
}

/// Waits for the workflow's state: [`WorkflowContext::wait_condition`].
#[must_use = "a condition is only looked at when it is awaited"]
pub struct WaitCondition<W: Workflow, F> {
    context: WorkflowContext<W>,
    condition: F,
}

impl<W: Workflow, F: FnMut(&W) -> bool> Future for WaitCondition<W, F>
where
    F: Unpin,
{
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.context.state(&mut this.condition) {
            return Poll::Ready(Ok(()));
        }
        let mut mailbox = this.context.shared.mailbox.borrow_mut();
        match mailbox.cancellation().filter(|_| this.context.attached) {
            Some(reason) => Poll::Ready(Err(Cancelled { reason: reason.to_owned() })),
            None => {
                mailbox.wake_on_change(task.waker());
                Poll::Pending
            }
        }
    }
}
