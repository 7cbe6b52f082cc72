//! What a user writes: a workflow.

use std::future::Future;

use timewright_definition::{VersioningBehavior, WorkflowDefinition};

use crate::context::WorkflowContext;
use crate::error::WorkflowError;
use crate::handlers::Handlers;
use crate::info::WorkflowInfo;

/// What a workflow takes.
pub type Input<W> = <<W as Workflow>::Definition as WorkflowDefinition>::Input;
/// What a workflow gives.
pub type Output<W> = <<W as Workflow>::Definition as WorkflowDefinition>::Output;

/// The implementation of a workflow.
///
/// The type itself is the workflow's state. Signals change it (`&mut self`), Queries look at it (`&self`), Updates change it and
/// answer, and `run` reaches it through [`WorkflowContext::state`] and [`WorkflowContext::state_mut`], so that no borrow can
/// last over an `await`.
///
/// The code must be deterministic: given the same history it must do the same. So no clocks, random numbers, threads, IO,
/// tokio timers and hash map order; time, timers and waiting come from the [`WorkflowContext`].
/// <https://docs.temporal.io/workflow-definition#deterministic-constraints>
///
/// ```
/// use std::time::Duration;
/// use timewright_definition::{QueryDefinition, SignalDefinition, WorkflowDefinition};
/// use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
///
/// // The contract, usually in a crate of its own.
/// struct Approval;
/// impl WorkflowDefinition for Approval {
///     const NAME: &'static str = "approval";
///     type Input = String;
///     type Output = bool;
/// }
/// struct Approve;
/// impl SignalDefinition for Approve {
///     const NAME: &'static str = "approve";
///     type Workflow = Approval;
///     type Input = String;
/// }
/// struct Approvers;
/// impl QueryDefinition for Approvers {
///     const NAME: &'static str = "approvers";
///     type Workflow = Approval;
///     type Input = ();
///     type Output = Vec<String>;
/// }
///
/// // The implementation.
/// struct ApprovalWorkflow {
///     approvers: Vec<String>,
/// }
///
/// impl Workflow for ApprovalWorkflow {
///     type Definition = Approval;
///
///     fn init(_info: &WorkflowInfo, _document: &String) -> Self {
///         Self { approvers: Vec::new() }
///     }
///
///     async fn run(context: WorkflowContext<Self>, _document: String) -> Result<bool, WorkflowError> {
///         context.wait_condition(|state| state.approvers.len() >= 2).await?;
///         context.sleep(Duration::from_secs(3600)).await?; // time to object
///         Ok(true)
///     }
///
///     fn handlers(handlers: &mut Handlers<Self>) {
///         handlers.signal(Approve, |state, name| state.approvers.push(name));
///         handlers.query(Approvers, |state, ()| Ok(state.approvers.clone()));
///     }
/// }
/// ```
///
/// A Query that changes state does not compile:
///
/// ```compile_fail,E0596
/// # use timewright_definition::{QueryDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Counter;
/// # impl WorkflowDefinition for Counter { const NAME: &'static str = "counter"; type Input = (); type Output = (); }
/// # struct Next;
/// # impl QueryDefinition for Next {
/// #     const NAME: &'static str = "next"; type Workflow = Counter; type Input = (); type Output = u32;
/// # }
/// # struct CounterWorkflow { count: u32, seen: Vec<u32> }
/// # impl Workflow for CounterWorkflow {
/// #     type Definition = Counter;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { count: 0, seen: Vec::new() } }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// fn handlers(handlers: &mut Handlers<Self>) {
///     handlers.query(Next, |state, ()| {
///         state.seen.push(1);
///         Ok(state.count)
///     });
/// }
/// # }
/// ```
///
/// Neither does a Signal of another workflow:
///
/// ```compile_fail,E0271
/// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Order;
/// # impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = (); }
/// # struct Invoice;
/// # impl WorkflowDefinition for Invoice { const NAME: &'static str = "invoice"; type Input = (); type Output = (); }
/// struct Pay; // of Invoice
/// impl SignalDefinition for Pay {
///     const NAME: &'static str = "pay";
///     type Workflow = Invoice;
///     type Input = ();
/// }
/// # struct OrderWorkflow;
/// # impl Workflow for OrderWorkflow {
/// #     type Definition = Order;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// fn handlers(handlers: &mut Handlers<Self>) {
///     handlers.signal(Pay, |_state, ()| ());
/// }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the implementation of a workflow",
    note = "put `#[workflow]` on its `impl`; or by hand, implement `Workflow` for it: its definition, `init` and `run`"
)]
pub trait Workflow: Sized + 'static {
    /// What it implements.
    type Definition: WorkflowDefinition;

    /// Whether the workflow stays on the version of the worker on which it started, when another is made the current one. It
    /// counts for workers with versions ([`WorkerDeployment::versioned`](crate::WorkerDeployment::versioned)). Default: as the worker says.
    const VERSIONING_BEHAVIOR: Option<VersioningBehavior> = None;

    /// The state to start with, before the first Signal is handled.
    fn init(info: &WorkflowInfo, input: &Input<Self>) -> Self;

    /// What the workflow does. Called in its turn: after the Signals and Updates that came with the start.
    ///
    /// # Errors
    /// See [`WorkflowError`] for what each error means.
    fn run(
        context: WorkflowContext<Self>,
        input: Input<Self>,
    ) -> impl Future<Output = Result<Output<Self>, WorkflowError>> + 'static;

    /// Says which Signals, Queries and Updates the workflow handles.
    fn handlers(handlers: &mut Handlers<Self>) {
        let _ = handlers;
    }
}
