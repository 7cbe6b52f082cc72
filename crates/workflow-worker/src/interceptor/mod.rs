//! Interceptors of workflow code: who sees what comes in and what goes out.

mod hooks;
mod inbound;
mod outbound;
mod propagation;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use timewright_converter::Payload;
use timewright_definition::ContextValues;
use timewright_protocol::workflow::{Command, Resolution, StartTimer};

use crate::error::WorkflowError;
use crate::info::WorkflowInfo;
use crate::mailbox::{Scope, SharedMailbox, Timer};
use crate::timer::TimerHandle;

pub(crate) use hooks::{Hooks, Intercepted, Interceptors, intercept_outbound, note_started};
pub use inbound::{InboundCall, InboundKind};
pub use outbound::{OutboundCall, OutboundKind, StartedOperation};

/// Sees what comes into a workflow and what it asks for: logs it, measures it, changes arguments and headers, refuses it.
///
/// Registered with [`WorkflowWorkerBuilder::interceptor`](crate::WorkflowWorkerBuilder::interceptor), one for all workflows of the
/// worker. Of several, the last is nearest to workflow code: it sees last what comes in, and first what goes out.
///
/// It runs on the thread of the workflow, **as workflow code does, and on replay again**: what it changes may depend on nothing
/// but what it is given. Whoever only observes asks [`is_replaying`](InterceptorContext::is_replaying), so that nothing is counted
/// twice. State that is not the workflow's, such as a counter, is behind `&self`, as the interceptor is shared by all threads; state of
/// one workflow belongs into its context: [`InterceptorContext::insert_value`].
///
/// A panic fails the Workflow Task, as one of workflow code does; at the validation of an Update it rejects the Update, at a Query it
/// fails the answer.
///
/// ```
/// use timewright_workflow_worker::{
///     InboundCall, InboundKind, InterceptorContext, OutboundCall, WorkflowError, WorkflowInterceptor,
/// };
///
/// struct Careful;
///
/// impl WorkflowInterceptor for Careful {
///     fn inbound(&self, context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
///         if call.kind() == InboundKind::ValidateUpdate && call.arguments.is_empty() {
///             return Err("updates need an argument".into()); // rejects it
///         }
///         tracing::info!(kind = ?call.kind(), name = call.name(), id = context.info().workflow_id, "called");
///         Ok(())
///     }
///
///     fn outbound(&self, _context: &InterceptorContext, call: &mut OutboundCall<'_>) -> Result<(), WorkflowError> {
///         if let OutboundCall::Activity(activity) = call
///             && activity.heartbeat_timeout.is_none()
///         {
///             activity.heartbeat_timeout = activity.start_to_close_timeout; // where no workflow has said otherwise
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait WorkflowInterceptor: Send + Sync + 'static {
    /// Called before what comes in is handled, and before its arguments are read. Values that it puts into the context are there for
    /// whoever handles it, and for what that asks for.
    ///
    /// Nothing can be waited for here, and nothing started: [`around`](Self::around) is for that.
    ///
    /// # Errors
    /// Refuses the call: a workflow or a Signal fails as if its code had returned this error, an Update is rejected
    /// ([`InboundKind::ValidateUpdate`]) or fails ([`InboundKind::Update`]), a Query is answered with it.
    fn inbound(&self, context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
        let _ = (context, call);
        Ok(())
    }

    /// Puts something around the handling of a workflow, a Signal or an Update (not of Queries and validators, which take no
    /// time). The arguments have been read by then. May wait for what is the workflow's own, before and after: a timer, a lock. What
    /// waits for anything else fails the Workflow Task with TMPRL1100, as in workflow code.
    ///
    /// ```
    /// # use timewright_workflow_worker::{Handling, InboundCall, InboundKind, InterceptorContext, WorkflowInterceptor};
    /// # struct Timed;
    /// # impl WorkflowInterceptor for Timed {
    /// fn around(&self, context: &InterceptorContext, call: &InboundCall, handling: Handling) -> Handling {
    ///     if call.kind() != InboundKind::Update {
    ///         return handling;
    ///     }
    ///     let (context, name) = (context.clone(), call.name().to_owned());
    ///     Box::pin(async move {
    ///         let began = context.time();
    ///         let result = handling.await;
    ///         if !context.is_replaying() {
    ///             let took = context.time().duration_since(began).unwrap_or_default();
    ///             tracing::info!(name, ?took, is_ok = result.is_ok(), "update handled");
    ///         }
    ///         result
    ///     })
    /// }
    /// # }
    /// ```
    fn around(&self, context: &InterceptorContext, call: &InboundCall, handling: Handling) -> Handling {
        let _ = (context, call);
        handling
    }

    /// Called before something that the workflow asks for is noted: an activity, a timer, a Signal to another workflow, and so on.
    ///
    /// # Errors
    /// Fails the Workflow Task: nothing that it asked for leaves.
    fn outbound(&self, context: &InterceptorContext, call: &mut OutboundCall<'_>) -> Result<(), WorkflowError> {
        let _ = (context, call);
        Ok(())
    }

    /// Called when the outcome of an activity, a Local Activity, a Child Workflow or a Nexus operation has come in, before the
    /// workflow gets it. `context` has the values of whoever asked for it. Called once for each, whether or not anybody waits for it,
    /// but not for what was never started, nor for a Local Activity that is cancelled between two attempts.
    fn resolved(&self, context: &InterceptorContext, operation: &StartedOperation, resolution: &mut Resolution) {
        let _ = (context, operation, resolution);
    }
}

/// What handles a workflow, a Signal or an Update. An Update's or a workflow's result is one Payload.
pub type Handling = Pin<Box<dyn Future<Output = Result<Option<Payload>, WorkflowError>>>>;

/// What an interceptor knows of the workflow. Cheap to clone.
#[derive(Clone)]
pub struct InterceptorContext {
    info: Rc<WorkflowInfo>,
    mailbox: SharedMailbox,
    scope: Scope,
    call_number: Option<u64>,
}

impl InterceptorContext {
    fn new(info: &Rc<WorkflowInfo>, mailbox: &SharedMailbox, scope: &Scope, call_number: Option<u64>) -> Self {
        Self { info: Rc::clone(info), mailbox: Rc::clone(mailbox), scope: scope.clone(), call_number }
    }

    /// What the workflow knows about itself.
    #[must_use]
    pub fn info(&self) -> &WorkflowInfo {
        &self.info
    }

    /// As [`WorkflowContext::time`](crate::WorkflowContext::time).
    #[must_use]
    pub fn time(&self) -> SystemTime {
        self.mailbox.borrow().moment().time
    }

    /// As [`WorkflowContext::is_replaying`](crate::WorkflowContext::is_replaying). A Query counts as a replay: whoever observes Queries
    /// asks for the kind of the call first.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.mailbox.borrow().moment().replaying
    }

    /// Which call of this run it is, counted from 1 in each direction: with the Run Id, an id for the call that is the same on every
    /// replay. `None` for Queries and validators, which leave nothing behind, so that nobody could count them.
    #[must_use]
    pub fn call_number(&self) -> Option<u64> {
        self.call_number
    }

    /// A value of the context: that of whoever handles the call, or asked for it.
    #[must_use]
    pub fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.scope.values().get()
    }

    /// All values of the context.
    #[must_use]
    pub fn values(&self) -> &ContextValues {
        self.scope.values()
    }

    /// Puts a value into the context, in place of another of its type.
    pub fn insert_value<T: Send + Sync + 'static>(&mut self, value: T) {
        let values = self.scope.values().clone().with(value);
        self.scope = self.scope.with_values(values);
    }

    /// As [`WorkflowContext::sleep`](crate::WorkflowContext::sleep), for [`WorkflowInterceptor::around`]. Interceptors do not see
    /// it.
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> TimerHandle {
        let sequence = self.mailbox.borrow_mut().start::<Timer>(&self.scope, |sequence| {
            Command::StartTimer(StartTimer { sequence, duration, summary: None })
        });
        TimerHandle::new(&self.mailbox, &self.scope, sequence)
    }

    fn set_values(&mut self, values: ContextValues) {
        self.scope = self.scope.with_values(values);
    }
}
