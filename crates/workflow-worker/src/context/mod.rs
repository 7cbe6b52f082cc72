//! The context: what workflow code asks for, and what it may know.

mod cancellation;
mod meter;
mod notes;
mod operations;
mod random;
mod waiting;

use std::cell::RefCell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use timewright_converter::{ConversionError, Failure, Payload, Value};
use timewright_definition::{SearchAttributeKey, SearchAttributeKind};
use timewright_proto::common::{Header, Memo, SearchAttributes};
use timewright_proto::enums::SuggestContinueAsNewReason;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;

pub(crate) use meter::RunMeter;
pub use notes::DEFAULT_VERSION;

use crate::continue_as_new::ContinueAsNewOptions;
use crate::error::{Cancelled, WorkflowError};
use crate::event_group::{EventGroup, EventGroups};
use crate::handlers::Handlers;
use crate::info::{UpdateInfo, WorkflowInfo};
use crate::instance::TaskProblem;
use crate::interceptor::{InboundCall, InboundKind, Intercepted, OutboundCall, intercept_outbound};
use crate::mailbox::{Scope, SharedMailbox, WaitNote, wake_all};
use crate::messages::Messages;
#[cfg(feature = "worker")]
use crate::meter::MetricMeter;
use crate::rollout::Rollout;
use crate::workflow::{Input, Workflow};

/// What a workflow's code works with. Cheap to clone.
///
/// Operations start when they are called, in the order of the calls; awaiting them only waits. **Dropping a handle cancels
/// nothing**: a timer or activity that lost a race goes on until somebody calls its `cancel()`, or the workflow ends.
///
/// # Cancellation
/// What is started from a context belongs to its cancellation scope. When somebody asks the workflow to cancel itself, its own
/// scope is cancelled: timers and conditions end with [`Cancelled`], activities, Child Workflows and Nexus operations as their
/// cancellation types say, Signals that have not left stay here, and what is started later ends at once. So `?` ends the
/// workflow as cancelled. What must be done all the same — cleaning up — is started from [`detached`](Self::detached); what is
/// to be cancelled as a group, from a [`child_scope`](Self::child_scope).
pub struct WorkflowContext<W: Workflow> {
    shared: Rc<Shared<W>>,
    /// What the operations are cancelled with.
    scope: Scope,
    /// The Update whose handler works with this context.
    update: Option<Rc<UpdateInfo>>,
}

struct Shared<W: Workflow> {
    mailbox: SharedMailbox,
    state: RefCell<W>,
    info: Rc<WorkflowInfo>,
    messages: Messages<W>,
    meter: RunMeter,
    rollout: Rollout,
}

impl<W: Workflow> WorkflowContext<W> {
    pub(crate) fn new(
        mailbox: SharedMailbox,
        state: W,
        info: Rc<WorkflowInfo>,
        handlers: Handlers<W>,
        meter: RunMeter,
        rollout: Rollout,
    ) -> Self {
        let scope = mailbox.borrow().workflow_scope().clone();
        let messages = Messages::new(handlers);
        let shared = Shared { mailbox, state: RefCell::new(state), info, messages, meter, rollout };
        Self { shared: Rc::new(shared), scope, update: None }
    }

    /// What the workflow knows about itself.
    pub fn info(&self) -> &WorkflowInfo {
        &self.shared.info
    }

    /// The Update whose handler got this context, or one that it was cloned from; `None` in `run` and in handlers of Signals.
    pub fn current_update(&self) -> Option<&UpdateInfo> {
        self.update.as_deref()
    }

    /// A value that belongs to what is done: one that was carried here, with the call that started the workflow or with the message
    /// that is handled, or one of [`with_value`](Self::with_value). A handler finds those of its message, and where that has
    /// none of this type, the workflow's.
    #[must_use]
    pub fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.scope.values().get()
    }

    /// The same context, with this value in place of another of its type: what is started from it carries it along, as far as a
    /// [propagator](timewright_definition::ContextPropagator) does. So a value lasts as long as the context that has it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::ActivityDefinition;
    /// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
    /// # struct Charge; impl ActivityDefinition for Charge { const NAME: &'static str = "charge"; type Input = u64; type Output = (); }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// # #[derive(Debug, PartialEq)] struct Tenant(String);
    /// let of_acme = context.with_value(Tenant("acme".to_owned()));
    /// assert_eq!(of_acme.value(), Some(&Tenant("acme".to_owned())));
    /// of_acme.execute_activity(Charge, 100, ActivityOptions::start_to_close(Duration::from_secs(10))).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Self {
        let values = self.scope.values().clone().with(value);
        Self { scope: self.scope.with_values(values), ..self.clone() }
    }

    /// The same context, for what belongs together in the eyes of whoever reads the history: what is started from it is marked as
    /// part of this group, beside those that the context is in already. Handles and contexts that come of it are in the group, too.
    /// It changes nothing about what is done, so groups may be added to the code of workflows that run.
    ///
    /// Servers keep the marks from 1.32 on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::ActivityDefinition;
    /// # use timewright_workflow_worker::{ActivityOptions, EventGroup, Workflow, WorkflowContext, WorkflowError};
    /// # struct Charge; impl ActivityDefinition for Charge { const NAME: &'static str = "charge"; type Input = u64; type Output = (); }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// let payment = context.in_event_group("payment");
    /// payment.sleep(Duration::from_secs(60)).await?;
    /// for order in [17, 18] {
    ///     let group = EventGroup::new(format!("order {order}")).id(format!("order-{order}"));
    ///     let options = ActivityOptions::start_to_close(Duration::from_secs(10));
    ///     payment.in_event_group(group).execute_activity(Charge, order, options).await?; // in both
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// If the label or the id is empty. That fails the Workflow Task.
    #[must_use]
    pub fn in_event_group(&self, group: impl Into<EventGroup>) -> Self {
        let around = self.scope.values().get::<EventGroups>().cloned().unwrap_or_default();
        self.with_value(around.with(group.into(), &self.shared.info.original_execution_run_id))
    }

    /// The workflow's "now": when the Workflow Task started that it is at, or, where a Local Activity ended, the time of that.
    /// The same on every replay, and it stands still while code runs.
    pub fn time(&self) -> SystemTime {
        self.shared.mailbox.borrow().moment().time
    }

    /// Whether this was done before, so that it should not be logged or counted again. Never decide on this what the
    /// workflow does.
    pub fn is_replaying(&self) -> bool {
        self.shared.mailbox.borrow().moment().replaying
    }

    /// Counts and measures where the worker's metrics go, with the namespace, the Task Queue and the Workflow Type as labels.
    ///
    /// On replay nothing is counted, since it was counted when it was done first. So what a workflow counts is right however often
    /// it leaves the cache and comes back; only a Workflow Task that fails is counted again when it is tried again. Times are
    /// measured with [`time`](Self::time).
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// context.metric_meter().with_label("kind", "express").counter("orders_shipped").increment(1);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "worker")]
    pub fn metric_meter(&self) -> &MetricMeter {
        self.shared.meter.of(&self.shared.info.workflow_type)
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

    /// Why the server suggests it.
    pub fn continue_as_new_reasons(&self) -> Vec<SuggestContinueAsNewReason> {
        self.shared.mailbox.borrow().moment().continue_as_new_reasons.clone()
    }

    /// The version of the worker's deployment that executes this Workflow Task, or did so when it was recorded; `None` while
    /// nobody has, and for workers without versions.
    pub fn current_deployment_version(&self) -> Option<WorkerDeploymentVersion> {
        self.shared.mailbox.borrow().moment().deployment_version.clone()
    }

    /// Whether new runs of this workflow would start on another version of the worker's deployment than the one that this run
    /// is on: a reason to continue as new.
    pub fn is_target_deployment_version_changed(&self) -> bool {
        self.shared.mailbox.borrow().moment().target_deployment_version_changed
    }

    /// The search attributes as they are now.
    pub fn search_attributes(&self) -> SearchAttributes {
        self.shared.mailbox.borrow().search_attributes()
    }

    /// A search attribute as it is now; `None` where it is not set.
    ///
    /// ```
    /// # use timewright_definition::{SearchAttributeKey, search_attribute_kind::Keyword};
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// const TIER: SearchAttributeKey<Keyword> = SearchAttributeKey::new("CustomerTier");
    /// let is_gold = context.search_attribute(&TIER)?.as_deref() == Some("gold");
    /// # let _ = is_gold; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If it is of another kind. With `?` that fails the Workflow Task.
    pub fn search_attribute<K: SearchAttributeKind>(
        &self,
        key: impl Into<SearchAttributeKey<K>>,
    ) -> Result<Option<K::Value>, ConversionError> {
        let key = key.into();
        let payload = self.search_attributes().indexed_fields.remove(key.name());
        payload.map_or(Ok(None), |payload| key.read(&payload))
    }

    /// A field of the memo as it is now; `None` where it is not set.
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// let progress: Option<u32> = context.memo_field("progress")?;
    /// # let _ = progress; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If it is not of this type. With `?` that fails the Workflow Task.
    pub fn memo_field<T: Value>(&self, name: &str) -> Result<Option<T>, ConversionError> {
        self.memo().fields.remove(name).map(T::from_payload).transpose()
    }

    /// The memo as it is now.
    pub fn memo(&self) -> Memo {
        self.shared.mailbox.borrow().memo()
    }

    /// Whether all handlers of Signals and Updates that have begun have returned. A workflow that ends before that abandons them,
    /// and leaves the callers of Updates without an answer:
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn end<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// context.wait_condition(|_| context.all_handlers_finished()).await?;
    /// # Ok(()) }
    /// ```
    pub fn all_handlers_finished(&self) -> bool {
        self.shared.messages.are_all_finished()
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

    /// Waits until the state is as `condition` says. It is looked at when it is awaited, and then whenever
    /// [`state_mut`](Self::state_mut) or a handler may have changed the state.
    ///
    /// # Errors
    /// [`Cancelled`] when the context's scope is cancelled. A condition that holds is looked at first.
    #[track_caller]
    pub fn wait_condition<F: FnMut(&W) -> bool>(&self, condition: F) -> WaitCondition<W, F> {
        WaitCondition { context: self.clone(), condition, location: Location::caller(), note: None }
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
        self.continue_as_new_with(input, ContinueAsNewOptions::new())
    }

    /// As [`continue_as_new`](Self::continue_as_new), with another type, timeouts, memo and so on.
    #[must_use]
    pub fn continue_as_new_with(&self, input: Input<W>, options: ContinueAsNewOptions) -> WorkflowError {
        let WorkflowInfo { workflow_type, task_queue, .. } = &*self.shared.info;
        options.into_error(workflow_type, task_queue, &input, |next| {
            intercept_outbound(&self.shared.mailbox, &self.scope, OutboundCall::ContinueAsNew(next));
        })
    }

    pub(crate) fn state_changed(&self) {
        let wakers = self.shared.mailbox.borrow_mut().take_state_wakers();
        wake_all(wakers);
    }

    pub(crate) fn mailbox(&self) -> &SharedMailbox {
        &self.shared.mailbox
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn messages(&self) -> &Messages<W> {
        &self.shared.messages
    }

    /// Whether nobody looks at the state.
    pub(crate) fn is_state_free(&self) -> bool {
        self.shared.state.try_borrow_mut().is_ok()
    }

    /// What the handler of a Signal works with, wherever it was registered.
    pub(crate) fn for_signal(&self) -> Self {
        let scope = self.shared.mailbox.borrow().workflow_scope().clone();
        Self { shared: Rc::clone(&self.shared), scope, update: None }
    }

    /// What the handler of an Update works with, wherever it was registered.
    pub(crate) fn for_update(&self, update: UpdateInfo) -> Self {
        Self { update: Some(Rc::new(update)), ..self.for_signal() }
    }

    /// The same context with the values that interceptors have put in.
    pub(crate) fn intercepted(self, intercepted: Option<&Intercepted>) -> Self {
        match intercepted {
            Some(intercepted) => Self { scope: intercepted.scope().clone(), ..self },
            None => self,
        }
    }

    /// Lets interceptors see a message before it is read: what there is to be read then, and what they have made of it, where there
    /// are any.
    pub(crate) fn intercept(
        &self,
        (kind, name, update_id): (InboundKind, &str, Option<&str>),
        arguments: Vec<Payload>,
        header: Header,
    ) -> Result<(Vec<Payload>, Option<Intercepted>), TaskProblem> {
        let mailbox = self.mailbox().borrow();
        let Some(hooks) = mailbox.hooks() else { return Ok((arguments, None)) };
        let scope = mailbox.workflow_scope().clone();
        drop(mailbox);
        let call = InboundCall::new(kind, name, update_id, arguments, header);
        let mut intercepted = hooks.inbound(self.mailbox(), &scope, call)?;
        let arguments = std::mem::take(&mut intercepted.call.arguments);
        Ok((arguments, Some(intercepted)))
    }

    /// A failure as the server takes it.
    pub(crate) fn write_failure(&self, failure: &Failure) -> timewright_proto::failure::Failure {
        self.shared.mailbox.borrow().converter().failure_to_proto(failure)
    }
}

impl<W: Workflow> Clone for WorkflowContext<W> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared), scope: self.scope.clone(), update: self.update.clone() }
    }
}

/// Waits for the workflow's state: [`WorkflowContext::wait_condition`].
#[must_use = "a condition is only looked at when it is awaited"]
pub struct WaitCondition<W: Workflow, F> {
    context: WorkflowContext<W>,
    condition: F,
    location: &'static Location<'static>,
    /// While it waits.
    note: Option<WaitNote>,
}

impl<W: Workflow, F: FnMut(&W) -> bool> Future for WaitCondition<W, F>
where
    F: Unpin,
{
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.note = None;
        if this.context.state(&mut this.condition) {
            return Poll::Ready(Ok(()));
        }
        let poll = this.context.poll_cancelled(task);
        if poll.is_pending() {
            this.note = Some(WaitNote::new(this.context.mailbox(), "a condition", this.location));
        }
        poll.map(Err)
    }
}
