//! How interceptors are called.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use timewright_definition::ContextPropagators;
use timewright_protocol::workflow::{
    ChildWorkflowStart, Job, LocalActivityResolution, NexusOperationStart, Resolution,
};

use super::propagation::Propagation;
use super::{
    Handling, InboundCall, InboundKind, InterceptorContext, OutboundCall, OutboundKind, StartedOperation,
    WorkflowInterceptor,
};
use crate::error::{Kind, WorkflowError, task_failure};
use crate::info::WorkflowInfo;
use crate::instance::{TaskProblem, guard};
use crate::mailbox::{Scope, SharedMailbox};

/// The interceptors of a worker; the first is nearest to the wire.
#[derive(Clone, Default)]
pub(crate) struct Interceptors(Vec<Arc<dyn WorkflowInterceptor>>);

impl Interceptors {
    pub(crate) fn push(&mut self, interceptor: impl WorkflowInterceptor) {
        self.0.push(Arc::new(interceptor));
    }

    /// With one around them that carries context values.
    pub(crate) fn with_propagators(mut self, propagators: &ContextPropagators) -> Self {
        if !propagators.is_empty() {
            self.0.insert(0, Arc::new(Propagation(propagators.clone())));
        }
        self
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Interceptors").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// The interceptors of one Run, and what is known for them. There are none of these where there are no interceptors.
pub(crate) struct Hooks {
    interceptors: Interceptors,
    info: Rc<WorkflowInfo>,
    inbound_calls: Cell<u64>,
    outbound_calls: Cell<u64>,
    /// What has no outcome yet, with the scope of whoever asked for it.
    started: RefCell<BTreeMap<(OutboundKind, u32), (StartedOperation, Scope)>>,
}

impl Hooks {
    pub(crate) fn new(interceptors: &Interceptors, info: &Rc<WorkflowInfo>) -> Option<Rc<Self>> {
        (!interceptors.0.is_empty()).then(|| {
            Rc::new(Self {
                interceptors: interceptors.clone(),
                info: Rc::clone(info),
                inbound_calls: Cell::default(),
                outbound_calls: Cell::default(),
                started: RefCell::default(),
            })
        })
    }

    /// Lets all of them see what comes in, those that are nearest to the wire first. Nothing that they ask for leads to anything.
    pub(crate) fn inbound(
        self: &Rc<Self>,
        mailbox: &SharedMailbox,
        scope: &Scope,
        mut call: InboundCall,
    ) -> Result<Intercepted, TaskProblem> {
        let is_counted = !matches!(call.kind(), InboundKind::Query | InboundKind::ValidateUpdate);
        let number = is_counted.then(|| next(&self.inbound_calls));
        let mut context = InterceptorContext::new(&self.info, mailbox, scope, number);
        let was_inert = mailbox.borrow_mut().set_inert(true);
        let what = format!("an interceptor of {:?} {:?}", call.kind(), call.name());
        let verdict = guard(&what, || {
            let mut interceptors = self.interceptors.0.iter();
            interceptors.try_for_each(|interceptor| interceptor.inbound(&mut context, &mut call))
        });
        mailbox.borrow_mut().set_inert(was_inert);
        Ok(Intercepted { hooks: Rc::clone(self), context, call, refusal: verdict?.err() })
    }

    /// Lets all of them see what comes out of an operation.
    pub(crate) fn resolved(&self, mailbox: &SharedMailbox, job: &mut Job) -> Result<(), TaskProblem> {
        let (key, resolution) = match job {
            Job::ResolveActivity { sequence, resolution } => ((OutboundKind::Activity, *sequence), resolution),
            Job::ResolveChildWorkflow { sequence, resolution } => {
                ((OutboundKind::ChildWorkflow, *sequence), resolution)
            }
            Job::ResolveNexusOperation { sequence, resolution } => {
                ((OutboundKind::NexusOperation, *sequence), resolution)
            }
            Job::ResolveLocalActivity { sequence, resolution } => {
                return self.local_activity_resolved(mailbox, *sequence, resolution);
            }
            Job::ResolveChildWorkflowStart { sequence, start } => {
                if !matches!(start, ChildWorkflowStart::Started { .. }) {
                    self.started.borrow_mut().remove(&(OutboundKind::ChildWorkflow, *sequence));
                }
                return Ok(());
            }
            Job::ResolveNexusOperationStart { sequence, start } => {
                if !matches!(start, NexusOperationStart::Started { .. }) {
                    self.started.borrow_mut().remove(&(OutboundKind::NexusOperation, *sequence));
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.tell(mailbox, key, resolution)
    }

    /// How many have no outcome yet.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.started.borrow().len()
    }

    /// A Local Activity has ended between two attempts: nobody is told.
    pub(crate) fn forget_local_activity(&self, first: u32) {
        self.started.borrow_mut().remove(&(OutboundKind::LocalActivity, first));
    }

    fn local_activity_resolved(
        &self,
        mailbox: &SharedMailbox,
        sequence: u32,
        resolution: &mut LocalActivityResolution,
    ) -> Result<(), TaskProblem> {
        let Some(first) = mailbox.borrow().first_attempt(sequence) else { return Ok(()) };
        let mut outcome = match std::mem::replace(resolution, LocalActivityResolution::Completed(None)) {
            LocalActivityResolution::Completed(result) => Resolution::Completed(result),
            LocalActivityResolution::Failed(failure) => Resolution::Failed(failure),
            LocalActivityResolution::Cancelled(failure) => Resolution::Cancelled(failure),
            // It goes on.
            backoff @ LocalActivityResolution::Backoff(_) => {
                *resolution = backoff;
                return Ok(());
            }
        };
        let told = self.tell(mailbox, (OutboundKind::LocalActivity, first), &mut outcome);
        *resolution = match outcome {
            Resolution::Completed(result) => LocalActivityResolution::Completed(result),
            Resolution::Failed(failure) => LocalActivityResolution::Failed(failure),
            Resolution::Cancelled(failure) => LocalActivityResolution::Cancelled(failure),
        };
        told
    }

    fn tell(
        &self,
        mailbox: &SharedMailbox,
        key: (OutboundKind, u32),
        resolution: &mut Resolution,
    ) -> Result<(), TaskProblem> {
        let Some((operation, scope)) = self.started.borrow_mut().remove(&key) else { return Ok(()) };
        let context = InterceptorContext::new(&self.info, mailbox, &scope, None);
        let was_inert = mailbox.borrow_mut().set_inert(true);
        let told = guard("an interceptor of an outcome", || {
            self.interceptors.0.iter().for_each(|interceptor| interceptor.resolved(&context, &operation, resolution));
        });
        mailbox.borrow_mut().set_inert(was_inert);
        told
    }

    fn outbound(
        &self,
        mailbox: &SharedMailbox,
        scope: &Scope,
        call: &mut OutboundCall<'_>,
    ) -> Result<(), WorkflowError> {
        let context = InterceptorContext::new(&self.info, mailbox, scope, Some(next(&self.outbound_calls)));
        self.interceptors.0.iter().rev().try_for_each(|interceptor| interceptor.outbound(&context, call))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hooks").field("interceptors", &self.interceptors).finish_non_exhaustive()
    }
}

/// What came in, and what interceptors have made of it.
pub(crate) struct Intercepted {
    hooks: Rc<Hooks>,
    context: InterceptorContext,
    pub(crate) call: InboundCall,
    /// Why they refuse it.
    pub(crate) refusal: Option<WorkflowError>,
}

impl Intercepted {
    /// What its handler works in, with the values that interceptors have put in.
    pub(crate) fn scope(&self) -> &Scope {
        &self.context.scope
    }

    /// Lets all of them put something around its handling, those that are nearest to the wire outermost.
    pub(crate) fn around(&self, handling: Handling) -> Handling {
        let interceptors = self.hooks.interceptors.0.iter().rev();
        interceptors.fold(handling, |handling, interceptor| interceptor.around(&self.context, &self.call, handling))
    }
}

/// Lets interceptors see what workflow code asks for, those that are nearest to it first; gives what they have made of it, for
/// [`note_started`].
pub(crate) fn intercept_outbound(
    mailbox: &SharedMailbox,
    scope: &Scope,
    mut call: OutboundCall<'_>,
) -> Option<StartedOperation> {
    // These are no operations: they leave also where the scope is cancelled.
    let may_be_refused = !matches!(
        call,
        OutboundCall::ContinueAsNew(_) | OutboundCall::UpsertSearchAttributes(_) | OutboundCall::UpsertMemo(_)
    );
    let hooks = mailbox.borrow().hooks_of_call(scope, may_be_refused)?;
    // Nothing that interceptors ask for leads to anything, nor is it seen by them again. A panic goes through workflow code.
    let looking = Looking::begin(mailbox);
    let seen = hooks.outbound(mailbox, scope, &mut call);
    drop(looking);
    if let Err(error) = seen {
        mailbox.borrow_mut().refuse(refused(&call, error));
    }
    Some(StartedOperation { kind: call.kind(), name: call.name() })
}

/// Remembers what has been started, for its outcome.
pub(crate) fn note_started(
    mailbox: &SharedMailbox,
    scope: &Scope,
    operation: Option<StartedOperation>,
    sequence: Option<u32>,
) {
    let (Some(operation), Some(sequence)) = (operation, sequence) else { return };
    if let Some(hooks) = mailbox.borrow().hooks() {
        hooks.started.borrow_mut().insert((operation.kind, sequence), (operation, scope.clone()));
    }
}

/// While interceptors look, also if they panic.
struct Looking<'a> {
    mailbox: &'a SharedMailbox,
}

impl<'a> Looking<'a> {
    fn begin(mailbox: &'a SharedMailbox) -> Self {
        mailbox.borrow_mut().set_inert(true);
        Self { mailbox }
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if let Ok(mut mailbox) = self.mailbox.try_borrow_mut() {
            mailbox.set_inert(false);
        }
    }
}

fn refused(call: &OutboundCall<'_>, error: WorkflowError) -> TaskProblem {
    let failure = match error.0 {
        Kind::Failed(failure) | Kind::Cancelled(failure) | Kind::Task(failure) => *failure,
        Kind::ContinueAsNew(_) => task_failure("ContinueAsNew", "an interceptor cannot continue the workflow as new"),
    };
    let message = format!("an interceptor refused {:?} {:?}: {}", call.kind(), call.name(), failure.message);
    TaskProblem::of_error(timewright_converter::Failure { message, ..failure })
}

fn next(count: &Cell<u64>) -> u64 {
    count.set(count.get() + 1);
    count.get()
}
