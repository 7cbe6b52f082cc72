//! What a user writes: the handlers of a workflow's Signals, Queries and Updates.

mod key;
mod registration;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use timewright_converter::{ConversionError, Payload, Value};

use crate::context::WorkflowContext;
use crate::error::WorkflowError;
use crate::workflow::Workflow;

pub use key::{
    AnyQuery, AnySignal, AnyUpdate, NamedQuery, NamedSignal, NamedUpdate, QueryOf, SignalOf, UntypedMessage, UpdateOf,
};
use registration::Details;
pub use registration::{AsyncRegistration, HandlerUnfinishedPolicy, Registration, SignalOutcome};

/// Handles a Signal or an Update: reads the input, and gives what begins with it.
pub(crate) type Handler<W> = Rc<dyn Fn(&str, Vec<Payload>) -> Result<Begin<W>, ConversionError>>;
/// A message whose input has been read.
pub(crate) type Begin<W> = Box<dyn FnOnce(WorkflowContext<W>) -> Handled>;
/// What a handler gives in the end: an Update's answer; nothing for a Signal.
pub(crate) type HandlerResult = Result<Option<Payload>, WorkflowError>;
pub(crate) type QueryHandler<W> = Rc<dyn Fn(&W, &str, Vec<Payload>) -> Result<Payload, WorkflowError>>;
pub(crate) type Validator<W> = Rc<dyn Fn(&W, &str, Vec<Payload>) -> Result<(), WorkflowError>>;

/// A handler that has begun.
pub(crate) enum Handled {
    /// It took no time.
    Done(HandlerResult),
    Running(Pin<Box<dyn Future<Output = HandlerResult>>>),
}

/// The Signals, Queries and Updates that a workflow handles.
///
/// Each is registered for a definition; [`NamedSignal`], [`NamedQuery`] and [`NamedUpdate`] stand in the place of a definition
/// where the name is known only at run time, [`AnySignal`], [`AnyQuery`] and [`AnyUpdate`] for all that no other handler is
/// for. What a registration gives takes a description, which the Web UI and `temporal workflow metadata` show:
///
/// ```
/// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{AnySignal, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Cart; impl WorkflowDefinition for Cart { const NAME: &'static str = "cart"; type Input = (); type Output = (); }
/// # struct Add; impl SignalDefinition for Add { const NAME: &'static str = "add"; type Workflow = Cart; type Input = String; }
/// # struct CartWorkflow { items: Vec<String>, unknown: Vec<String> }
/// # impl Workflow for CartWorkflow {
/// #     type Definition = Cart;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { items: Vec::new(), unknown: Vec::new() } }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// fn handlers(handlers: &mut Handlers<Self>) {
///     handlers.signal(Add, |state, item| state.items.push(item)).description("Puts an item into the cart.");
///     handlers.signal(AnySignal, |state, signal| state.unknown.push(signal.name));
/// }
/// # }
/// ```
///
/// A workflow that learns what it handles only while it runs registers handlers with
/// [`WorkflowContext::register_handlers`].
///
/// # What the compiler refuses
/// A Query that takes time:
///
/// ```compile_fail,E0308
/// # use timewright_definition::{QueryDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Cart; impl WorkflowDefinition for Cart { const NAME: &'static str = "cart"; type Input = (); type Output = (); }
/// # struct Count; impl QueryDefinition for Count { const NAME: &'static str = "count"; type Workflow = Cart; type Input = (); type Output = u32; }
/// # struct CartWorkflow;
/// # impl Workflow for CartWorkflow {
/// #     type Definition = Cart;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// fn handlers(handlers: &mut Handlers<Self>) {
///     handlers.query(Count, |_state, ()| async { Ok(1) });
/// }
/// # }
/// ```
///
/// A validator that changes the state:
///
/// ```compile_fail,E0596
/// # use timewright_definition::{UpdateDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Cart; impl WorkflowDefinition for Cart { const NAME: &'static str = "cart"; type Input = (); type Output = (); }
/// # struct Add; impl UpdateDefinition for Add { const NAME: &'static str = "add"; type Workflow = Cart; type Input = String; type Output = (); }
/// # struct CartWorkflow { items: Vec<String> }
/// # impl Workflow for CartWorkflow {
/// #     type Definition = Cart;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { items: Vec::new() } }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// fn handlers(handlers: &mut Handlers<Self>) {
///     handlers.validate_update(Add, |state, item| {
///         state.items.push(item.clone());
///         Ok(())
///     });
/// }
/// # }
/// ```
///
/// A Signal that answers:
///
/// ```compile_fail,E0277
/// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Cart; impl WorkflowDefinition for Cart { const NAME: &'static str = "cart"; type Input = (); type Output = (); }
/// # struct Add; impl SignalDefinition for Add { const NAME: &'static str = "add"; type Workflow = Cart; type Input = String; }
/// # struct CartWorkflow { items: Vec<String> }
/// # impl Workflow for CartWorkflow {
/// #     type Definition = Cart;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { items: Vec::new() } }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// fn handlers(handlers: &mut Handlers<Self>) {
///     handlers.signal(Add, |state, item| {
///         state.items.push(item);
///         state.items.len() // handle an Update where somebody waits for an answer
///     });
/// }
/// # }
/// ```
///
/// Refused when the worker is built: names that are Temporal's own, such as
/// `__stack_trace` and everything that begins with `__temporal_`.
///
/// <https://docs.temporal.io/encyclopedia/workflow-message-passing>
pub struct Handlers<W: Workflow> {
    pub(crate) signals: Table<Handler<W>>,
    pub(crate) queries: Table<QueryHandler<W>>,
    pub(crate) updates: Table<Handler<W>>,
    validators: Table<Validator<W>>,
    /// What cannot be handled, and why.
    problems: Vec<String>,
}

/// Handlers of one kind.
pub(crate) struct Table<H> {
    named: BTreeMap<Cow<'static, str>, Registered<H>>,
    /// For everything else.
    dynamic: Option<Registered<H>>,
}

pub(crate) struct Registered<H> {
    pub(crate) handler: H,
    pub(crate) details: Details,
}

impl<H: Clone> Registered<H> {
    pub(crate) fn to_begin(&self) -> (H, HandlerUnfinishedPolicy) {
        (self.handler.clone(), self.details.unfinished_policy)
    }
}

impl<W: Workflow> Handlers<W> {
    pub(crate) fn new() -> Self {
        Self {
            signals: Table::default(),
            queries: Table::default(),
            updates: Table::default(),
            validators: Table::default(),
            problems: Vec::new(),
        }
    }

    /// What the workflow says.
    pub(crate) fn of_workflow() -> Self {
        let mut handlers = Self::new();
        W::handlers(&mut handlers);
        handlers
    }

    /// Handles a Signal, at once. All Signals and Updates of a Workflow Task are handled in the order in which they came, before
    /// `run` goes on. The handler returns nothing, or a `Result`: its error fails the workflow. A panic, and input that cannot
    /// be read, fail the Workflow Task, so that mended code can go on. A second handler for the same Signal replaces the first.
    ///
    /// Signals that come before there is a handler for them wait, in their order, for one that is
    /// [registered later](WorkflowContext::register_handlers).
    pub fn signal<D: SignalOf<W>, R: SignalOutcome>(
        &mut self,
        definition: D,
        handler: impl Fn(&mut W, D::Input) -> R + 'static,
    ) -> Registration<'_> {
        let handler = Rc::new(handler);
        let handler: Handler<W> = Rc::new(move |name, input| {
            let (handler, input) = (Rc::clone(&handler), D::read(name, input)?);
            Ok(Box::new(move |context| {
                let outcome = context.state_mut(|state| handler(state, input));
                Handled::Done(outcome.into_result().map(|()| None))
            }))
        });
        self.check("signal", "AnySignal", definition.name().as_deref());
        Registration::new(self.signals.insert(definition.name(), handler))
    }

    /// Handles a Signal in a way that takes time: the handler may execute activities, sleep, and wait for conditions, like
    /// `run`. It works with the context alone. It begins when the Signal is taken in, in the order in which Signals and
    /// Updates came, and goes on beside `run`, as all handlers in the order in which they began, before `run`.
    ///
    /// Its error fails the workflow, except that of something that ended with the workflow's cancellation: then only the handler
    /// ends, and `run` decides. The workflow does not wait for it at its end: see [`WorkflowContext::all_handlers_finished`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
    /// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Cart; impl WorkflowDefinition for Cart { const NAME: &'static str = "cart"; type Input = (); type Output = (); }
    /// # struct Remind; impl SignalDefinition for Remind { const NAME: &'static str = "remind"; type Workflow = Cart; type Input = u64; }
    /// # struct CartWorkflow { reminded: bool }
    /// # impl Workflow for CartWorkflow {
    /// #     type Definition = Cart;
    /// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { reminded: false } }
    /// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
    /// fn handlers(handlers: &mut Handlers<Self>) {
    ///     handlers.signal_async(Remind, |context, hours| async move {
    ///         context.sleep(Duration::from_secs(3600 * hours)).await?;
    ///         context.state_mut(|state| state.reminded = true);
    ///         Ok(())
    ///     });
    /// }
    /// # }
    /// ```
    pub fn signal_async<D, F>(
        &mut self,
        definition: D,
        handler: impl Fn(WorkflowContext<W>, D::Input) -> F + 'static,
    ) -> AsyncRegistration<'_>
    where
        D: SignalOf<W>,
        F: Future<Output: SignalOutcome> + 'static,
    {
        let handler = Rc::new(handler);
        let handler: Handler<W> = Rc::new(move |name, input| {
            let (handler, input) = (Rc::clone(&handler), D::read(name, input)?);
            Ok(Box::new(move |context| {
                let ended = handler(context, input);
                Handled::Running(Box::pin(async move { ended.await.into_result().map(|()| None) }))
            }))
        });
        self.check("signal", "AnySignal", definition.name().as_deref());
        AsyncRegistration::new(self.signals.insert(definition.name(), handler))
    }

    /// Handles a Query. It only looks, and answers at once; its error is the caller's, and harms the workflow in no way. A
    /// second handler for the same Query replaces the first.
    pub fn query<D: QueryOf<W>>(
        &mut self,
        definition: D,
        handler: impl Fn(&W, D::Input) -> Result<D::Output, WorkflowError> + 'static,
    ) -> Registration<'_> {
        self.check("query", "AnyQuery", definition.name().as_deref());
        let handler: QueryHandler<W> =
            Rc::new(move |state, name, input| Ok(handler(state, D::read(name, input)?)?.to_payload()?));
        Registration::new(self.queries.insert(definition.name(), handler))
    }

    /// Handles an Update, at once. Signals and Updates of a Workflow Task are handled in the order in which they came, before
    /// `run` goes on. What the handler returns is the caller's answer; its error fails the Update, not the workflow. A panic, or
    /// a value that cannot be written, fails the Workflow Task. A second handler for the same Update replaces the first.
    ///
    /// An Update without a handler is rejected, unless one is [registered](WorkflowContext::register_handlers) while the
    /// Workflow Task is executed that it came with.
    pub fn update<D: UpdateOf<W>>(
        &mut self,
        definition: D,
        handler: impl Fn(&mut W, D::Input) -> Result<D::Output, WorkflowError> + 'static,
    ) -> Registration<'_> {
        let handler = Rc::new(handler);
        let handler: Handler<W> = Rc::new(move |name, input| {
            let (handler, input) = (Rc::clone(&handler), D::read(name, input)?);
            Ok(Box::new(move |context| {
                let result = context.state_mut(|state| handler(state, input));
                Handled::Done(result.and_then(|output| Ok(Some(output.to_payload()?))))
            }))
        });
        self.check("update", "AnyUpdate", definition.name().as_deref());
        Registration::new(self.updates.insert(definition.name(), handler))
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
    pub fn update_async<D, F>(
        &mut self,
        definition: D,
        handler: impl Fn(WorkflowContext<W>, D::Input) -> F + 'static,
    ) -> AsyncRegistration<'_>
    where
        D: UpdateOf<W>,
        F: Future<Output = Result<D::Output, WorkflowError>> + 'static,
    {
        let handler = Rc::new(handler);
        let handler: Handler<W> = Rc::new(move |name, input| {
            let (handler, input) = (Rc::clone(&handler), D::read(name, input)?);
            Ok(Box::new(move |context| {
                let result = handler(context, input);
                Handled::Running(Box::pin(async move { Ok(Some(result.await?.to_payload()?)) }))
            }))
        });
        self.check("update", "AnyUpdate", definition.name().as_deref());
        AsyncRegistration::new(self.updates.insert(definition.name(), handler))
    }

    /// Decides whether an Update is taken. It only looks: an error, or a panic, rejects the Update, which leaves nothing in the
    /// history, and its caller hears why, with the error's type and details. Without a validator all are taken whose input can
    /// be read. [`AnyUpdate`] validates those that no other handler is for.
    pub fn validate_update<D: UpdateOf<W>>(
        &mut self,
        definition: D,
        validator: impl Fn(&W, &D::Input) -> Result<(), WorkflowError> + 'static,
    ) {
        let validator: Validator<W> = Rc::new(move |state, name, input| validator(state, &D::read(name, input)?));
        self.validators.insert(definition.name(), validator);
    }

    /// The validator of what handles this Update: never the dynamic one for an Update that has a handler of its own.
    pub(crate) fn validator(&self, name: &str) -> Option<Validator<W>> {
        let validator = match self.updates.named.contains_key(name) {
            true => self.validators.named.get(name),
            false => self.validators.find(name),
        };
        validator.map(|registered| Rc::clone(&registered.handler))
    }

    /// What cannot be handled, and why; for the text of an error.
    pub(crate) fn problem(&self) -> Option<String> {
        (!self.problems.is_empty()).then(|| self.problems.join("; "))
    }

    /// Takes over what was registered later.
    pub(crate) fn merge(&mut self, later: Self) {
        self.signals.merge(later.signals);
        self.queries.merge(later.queries);
        self.updates.merge(later.updates);
        self.validators.merge(later.validators);
    }

    fn check(&mut self, kind: &str, any: &str, name: Option<&str>) {
        match name {
            Some("") => self
                .problems
                .push(format!("{kind} \"\" has no name; for all that no other handler is for there is `{any}`")),
            Some(name) if is_reserved(name) => {
                self.problems
                    .push(format!("{kind} {name:?}: this name is reserved for Temporal itself; choose another"));
            }
            Some(_) | None => (),
        }
    }
}

/// Whether Temporal keeps this name for itself.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with("__temporal_") || name == "__stack_trace" || name == "__enhanced_stack_trace"
}

impl<H> Default for Table<H> {
    fn default() -> Self {
        Self { named: BTreeMap::new(), dynamic: None }
    }
}

impl<H> Table<H> {
    fn insert(&mut self, name: Option<Cow<'static, str>>, handler: H) -> &mut Details {
        let registered = Registered { handler, details: Details::default() };
        let registered = match name {
            Some(name) => self.named.entry(name).insert_entry(registered).into_mut(),
            None => self.dynamic.insert(registered),
        };
        &mut registered.details
    }

    /// The handler for this name: its own, or else the dynamic one, which gets nothing that is Temporal's own.
    pub(crate) fn find(&self, name: &str) -> Option<&Registered<H>> {
        self.named.get(name).or_else(|| self.dynamic.as_ref().filter(|_| !is_reserved(name)))
    }

    /// What was said about each, the dynamic one first, which has no name, then by their names.
    pub(crate) fn details(&self) -> impl Iterator<Item = (Option<&str>, &Details)> {
        let dynamic = self.dynamic.iter().map(|registered| (None, &registered.details));
        let named = self.named.iter().map(|(name, registered)| (Some(name.as_ref()), &registered.details));
        dynamic.chain(named)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.named.keys().map(AsRef::as_ref).collect()
    }

    fn merge(&mut self, later: Self) {
        self.named.extend(later.named);
        if later.dynamic.is_some() {
            self.dynamic = later.dynamic;
        }
    }
}
