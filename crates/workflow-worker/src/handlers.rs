//! What a user writes: the handlers of a workflow's Signals, Queries and Updates.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;

use timewright_converter::{Arguments, ConversionError, Payload, Value};
use timewright_definition::{QueryDefinition, SignalDefinition, UpdateDefinition};

use crate::context::WorkflowContext;
use crate::error::WorkflowError;
use crate::workflow::Workflow;

type SignalHandler<W> = Box<dyn Fn(&mut W, Vec<Payload>) -> Result<(), ConversionError>>;
type QueryHandler<W> = Box<dyn Fn(&W, Vec<Payload>) -> Result<Payload, WorkflowError>>;

/// What a handler of an Update gives in the end.
pub(crate) type UpdateFuture = Pin<Box<dyn Future<Output = Result<Payload, WorkflowError>>>>;
/// An Update whose input has been read.
pub(crate) type BeginUpdate<W> = Box<dyn FnOnce(WorkflowContext<W>) -> UpdateFuture>;
type UpdateHandler<W> = Box<dyn Fn(Vec<Payload>) -> Result<BeginUpdate<W>, ConversionError>>;
type UpdateValidator<W> = Box<dyn Fn(&W, Vec<Payload>) -> Result<(), WorkflowError>>;

/// The Signals, Queries and Updates that a workflow handles.
pub struct Handlers<W: Workflow> {
    signals: BTreeMap<&'static str, SignalHandler<W>>,
    queries: BTreeMap<&'static str, QueryHandler<W>>,
    updates: BTreeMap<&'static str, UpdateHandler<W>>,
    validators: BTreeMap<&'static str, UpdateValidator<W>>,
}

impl<W: Workflow> Handlers<W> {
    pub(crate) fn of_workflow() -> Self {
        let mut handlers = Self {
            signals: BTreeMap::new(),
            queries: BTreeMap::new(),
            updates: BTreeMap::new(),
            validators: BTreeMap::new(),
        };
        W::handlers(&mut handlers);
        handlers
    }

    /// Handles a Signal. All Signals of a Workflow Task are handled, in the order in which they came, before `run` goes on.
    /// A second handler for the same Signal replaces the first.
    pub fn signal<D: SignalDefinition<Workflow = W::Definition>>(
        &mut self,
        definition: D,
        handler: impl Fn(&mut W, D::Input) + 'static,
    ) {
        let _ = definition;
        self.signals.insert(
            D::NAME,
            Box::new(move |state, input| {
                handler(state, D::Input::from_payloads(input)?);
                Ok(())
            }),
        );
    }

    /// Handles a Query. A second handler for the same Query replaces the first.
    pub fn query<D: QueryDefinition<Workflow = W::Definition>>(
        &mut self,
        definition: D,
        handler: impl Fn(&W, D::Input) -> Result<D::Output, WorkflowError> + 'static,
    ) {
        let _ = definition;
        self.queries.insert(
            D::NAME,
            Box::new(move |state, input| Ok(handler(state, D::Input::from_payloads(input)?)?.to_payload()?)),
        );
    }

    /// Handles an Update, at once. Signals and Updates of a Workflow Task are handled in the order in which they came, before
    /// `run` goes on. What the handler returns is the caller's answer; its error fails the Update, not the workflow. A panic, or
    /// a value that cannot be written, fails the Workflow Task. A second handler for the same Update replaces the first.
    /// <https://docs.temporal.io/encyclopedia/workflow-message-passing>
    pub fn update<D: UpdateDefinition<Workflow = W::Definition>>(
        &mut self,
        definition: D,
        handler: impl Fn(&mut W, D::Input) -> Result<D::Output, WorkflowError> + 'static,
    ) {
        let _ = definition;
        let handler = Rc::new(handler);
        self.updates.insert(
            D::NAME,
            Box::new(move |input| {
                let (handler, input) = (Rc::clone(&handler), D::Input::from_payloads(input)?);
                Ok(Box::new(move |context| {
                    let result = context.state_mut(|state| handler(state, input));
                    Box::pin(ready(result.and_then(|output| Ok(output.to_payload()?))))
                }))
            }),
        );
    }

    /// Handles an Update that takes time: the handler may execute activities, sleep, and wait for conditions, like `run`. It
    /// begins when the Update is taken in, in the order in which Signals and Updates came, and goes on beside `run`, as all
    /// handlers in the order in which they began, before `run`. Otherwise as [`update`](Self::update).
    ///
    /// The workflow does not wait for it at its end: see [`WorkflowContext::all_handlers_finished`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::{UpdateDefinition, WorkflowDefinition};
    /// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Cart; impl WorkflowDefinition for Cart { const NAME: &'static str = "cart"; type Input = (); type Output = (); }
    /// struct Add;
    /// impl UpdateDefinition for Add {
    ///     const NAME: &'static str = "add";
    ///     type Workflow = Cart;
    ///     type Input = String;
    ///     type Output = usize;
    /// }
    ///
    /// # struct CartWorkflow { items: Vec<String> }
    /// # impl Workflow for CartWorkflow {
    /// #     type Definition = Cart;
    /// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { items: Vec::new() } }
    /// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
    /// fn handlers(handlers: &mut Handlers<Self>) {
    ///     handlers.validate_update(Add, |state, item| match state.items.contains(item) {
    ///         true => Err(std::io::Error::other("it is there already").into()),
    ///         false => Ok(()),
    ///     });
    ///     handlers.update_async(Add, |context, item| async move {
    ///         context.sleep(Duration::from_secs(1)).await?;
    ///         Ok(context.state_mut(|state| {
    ///             state.items.push(item);
    ///             state.items.len()
    ///         }))
    ///     });
    /// }
    /// # }
    /// ```
    pub fn update_async<D, F>(&mut self, definition: D, handler: impl Fn(WorkflowContext<W>, D::Input) -> F + 'static)
    where
        D: UpdateDefinition<Workflow = W::Definition>,
        F: Future<Output = Result<D::Output, WorkflowError>> + 'static,
    {
        let _ = definition;
        let handler = Rc::new(handler);
        self.updates.insert(
            D::NAME,
            Box::new(move |input| {
                let (handler, input) = (Rc::clone(&handler), D::Input::from_payloads(input)?);
                Ok(Box::new(move |context| {
                    let result = handler(context, input);
                    Box::pin(async move { Ok(result.await?.to_payload()?) })
                }))
            }),
        );
    }

    /// Decides whether an Update is taken. It only looks: an error, or a panic, rejects the Update, which leaves nothing in the
    /// history, and its caller hears why. Without a validator all are taken whose input can be read.
    pub fn validate_update<D: UpdateDefinition<Workflow = W::Definition>>(
        &mut self,
        definition: D,
        validator: impl Fn(&W, &D::Input) -> Result<(), WorkflowError> + 'static,
    ) {
        let _ = definition;
        self.validators
            .insert(D::NAME, Box::new(move |state, input| validator(state, &D::Input::from_payloads(input)?)));
    }

    pub(crate) fn signal_handler(&self, name: &str) -> Option<&SignalHandler<W>> {
        self.signals.get(name)
    }

    pub(crate) fn query_handler(&self, name: &str) -> Option<&QueryHandler<W>> {
        self.queries.get(name)
    }

    pub(crate) fn query_names(&self) -> Vec<&'static str> {
        self.queries.keys().copied().collect()
    }

    pub(crate) fn update_handler(&self, name: &str) -> Option<&UpdateHandler<W>> {
        self.updates.get(name)
    }

    pub(crate) fn update_validator(&self, name: &str) -> Option<&UpdateValidator<W>> {
        self.validators.get(name)
    }

    pub(crate) fn update_names(&self) -> Vec<&'static str> {
        self.updates.keys().copied().collect()
    }
}
