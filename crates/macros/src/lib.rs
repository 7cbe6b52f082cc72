//! Attributes that write definitions and implementations: sugar over the traits of `timewright-definition`,
//! `timewright-workflow-worker` and `timewright-activity-worker`, which all work by hand, too.
//!
//! Use them over the umbrella crate, where they are behind its feature `macros` (on by default): `timewright::workflow`,
//! `timewright::activity`, …; in a crate of definitions over `timewright-definition` with its feature `macros`. Whoever
//! marks code with them needs no other dependency.
//!
//! # Which attribute
//!
//! | to have | write |
//! |---|---|
//! | an activity that callers of this crate use | [`activity`](macro@activity) on a function |
//! | several activities that share state, such as a pool of connections | [`activities`](macro@activities) on an impl block |
//! | a workflow | [`workflow`](macro@workflow) on an impl block |
//! | a contract for callers and implementers in other crates | [`workflow_definition`](macro@workflow_definition), [`activity_definition`](macro@activity_definition), … on structs |
//!
//! # Names
//!
//! A definition's name, which histories record, is what you wrote: the name of the function or of the struct. `name = "…"` says
//! another one. The struct that callers name is made from a function's name: `fn set_language` is `SetLanguage` to them;
//! `define = …` says another one. It is as visible as the function, has its documentation, and exists under its `cfg`s.
//!
//! # Arguments
//!
//! One argument is the input as it is: prefer a struct, which can grow fields. None is `()`, and two to six are `Multiple`, as
//! contracts with other languages have them. The context, `WorkflowContext` or `ActivityContext`, comes first where it is
//! needed, is recognised by its type's name, and is no part of the input.
//!
//! # Errors
//!
//! A function whose result type is a `Result` (or an alias that ends like that) can fail; its error is any that becomes the
//! error which the trait wants, as with `?`. All others cannot fail.
//!
//! # Where the umbrella has another name
//!
//! `crate = …` says where it is: `#[workflow(crate = tw)]`. Whoever depends on the small crates only makes a module that looks
//! like it, and says `crate = crate::timewright`:
//!
//! ```
//! mod timewright {
//!     pub(crate) use ::timewright::definition; // `timewright_definition`
//!     pub(crate) use ::timewright::workflow; // `timewright_workflow_worker`
//! }
//! # fn main() {}
//! ```
#![forbid(unsafe_code)]

mod activity;
mod definition;
mod item;
mod options;
mod paths;
mod signature;
mod workflow;

use proc_macro::TokenStream;
use quote::quote;
use syn::{ItemFn, ItemImpl, parse_macro_input};

use crate::definition::Kind;

/// A function becomes an activity: definition and implementation at once.
///
/// The function stays as it is, so that tests call it. Beside it there is a struct that callers name, and that an Activity Worker
/// registers. A function that is not async runs on a thread of its own, where it may block.
///
/// ```
/// use timewright::activity;
/// use timewright::activity::{ActivityContext, ActivityError, ActivityWorkerBuilder};
///
/// /// Finds the words.
/// #[activity]
/// async fn compose(name: String) -> Result<String, ActivityError> {
///     Ok(format!("Hello, {name}!"))
/// }
///
/// /// With a name that another language expects, several arguments, and the context.
/// #[activity(name = "CountWords")]
/// fn count(context: ActivityContext, text: String, word: String) -> Result<usize, ActivityError> {
///     context.heartbeat(())?;
///     Ok(text.matches(&word).count())
/// }
///
/// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
/// builder.register(Compose).register(Count)
/// # }
/// // In a workflow: context.execute_activity(Compose, "Ada".to_owned(), options).await?
/// ```
///
/// | argument | |
/// |---|---|
/// | `name = "…"` | the Activity Type's name; default: the function's |
/// | `define = …` | what the struct is called; default: the function's name in upper camel case |
/// | `crate = …` | where the umbrella crate is, if not at `::timewright` |
///
/// An activity whose definition stands in another crate needs no attribute: `.activity(Compose, compose)`.
#[proc_macro_attribute]
pub fn activity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut function = parse_macro_input!(item as ItemFn);
    let beside = or_error(activity::expand_function(arguments.into(), &mut function));
    quote!(#function #beside).into()
}

/// Methods become activities that share the state of their type.
///
/// Those that are marked `#[activity]` become activities, with or without `&self` (or `self: Arc<Self>`). The type can be
/// registered with an Activity Worker, all of it at once.
///
/// ```
/// use timewright::activities;
/// use timewright::activity::{ActivityContext, ActivityError, ActivityWorkerBuilder};
///
/// struct Billing { endpoint: String }
///
/// #[activities]
/// impl Billing {
///     /// Takes the money.
///     #[activity]
///     async fn charge(&self, context: ActivityContext, cents: u64) -> Result<String, ActivityError> {
///         Ok(format!("{cents} cents, {}, attempt {}", self.endpoint, context.info().attempt))
///     }
///
///     /// Gives it back.
///     #[activity(name = "billing.refund")]
///     async fn refund(&self, receipt: String) -> Result<(), ActivityError> {
///         Ok(())
///     }
/// }
///
/// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
/// builder.register(Billing { endpoint: "https://billing.example".to_owned() })
/// # }
/// // In a workflow: context.execute_activity(Charge, 100, options).await?
/// ```
///
/// `#[activity(ComposeGreeting)]` implements a definition that stands elsewhere, for example in a crate that a workflow worker
/// shares. Otherwise `#[activity]` takes `name = "…"` and `define = …`, as [on functions](macro@activity); `#[activities]`
/// takes `crate = …`.
///
/// ```
/// # use timewright::{activities, activity_definition};
/// # use timewright::activity::ActivityError;
/// #[activity_definition(input = String, output = String)]
/// pub struct ComposeGreeting; // in a crate that both sides share
///
/// struct Greetings;
///
/// #[activities]
/// impl Greetings {
///     #[activity(ComposeGreeting)]
///     async fn compose_greeting(name: String) -> Result<String, ActivityError> {
///         Ok(format!("Hello, {name}!"))
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn activities(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut block = parse_macro_input!(item as ItemImpl);
    let beside = or_error(activity::expand_block(arguments.into(), &mut block));
    quote!(#block #beside).into()
}

/// An impl block becomes a workflow: its state is the type, what it does is the method marked `#[run]`.
///
/// ```
/// use timewright::workflow;
/// use timewright::workflow::{ApplicationFailure, WorkflowContext, WorkflowError, WorkflowInfo};
///
/// /// The state.
/// struct ApprovalWorkflow {
///     approvers: Vec<String>,
///     needed: usize,
/// }
///
/// /// Waits until enough people have approved.
/// #[workflow]
/// impl ApprovalWorkflow {
///     #[init]
///     fn new(info: &WorkflowInfo, needed: &usize) -> Self {
///         Self { approvers: Vec::new(), needed: *needed }
///     }
///
///     #[run]
///     async fn run(context: WorkflowContext<Self>, needed: usize) -> Result<Vec<String>, WorkflowError> {
///         context.wait_condition(|state| state.approvers.len() >= state.needed).await?;
///         Ok(context.state(|state| state.approvers.clone()))
///     }
///
///     /// Somebody has approved.
///     #[signal]
///     fn approve(&mut self, name: String) {
///         self.approvers.push(name);
///     }
///
///     /// Who has approved so far.
///     #[query]
///     fn approvers(&self) -> Vec<String> {
///         self.approvers.clone()
///     }
///
///     /// Asks for more of them.
///     #[update(validator = only_upwards)]
///     fn require(&mut self, needed: usize) -> usize {
///         std::mem::replace(&mut self.needed, needed)
///     }
///
///     fn only_upwards(&self, needed: &usize) -> Result<(), WorkflowError> {
///         match *needed > self.needed {
///             true => Ok(()),
///             false => Err(ApplicationFailure::new("that is not more").into()),
///         }
///     }
/// }
///
/// // A worker: WorkflowWorker::builder(client, "approvals").workflow::<ApprovalWorkflow>()
/// // A caller: client.start_workflow(Approval, 2, options), handle.signal(Approve, "Ada".to_owned())
/// ```
///
/// # What callers name
///
/// `#[workflow]` on `impl ApprovalWorkflow` makes the definition `Approval`, as visible as `#[run]` is.
/// `#[workflow(define = …)]` calls it otherwise, `name = "…"` gives its Workflow Type another name.
/// `#[workflow(Approval)]` implements a definition that stands elsewhere, and so do `#[signal(Approve)]`,
/// `#[query(…)]` and `#[update(…)]`.
///
/// # What the methods are
///
/// | mark | the method |
/// |---|---|
/// | `#[run]`, exactly one | `async fn (context: WorkflowContext<Self>, input: …) -> Result<…, WorkflowError>` |
/// | `#[init]`, unless the type is `Default` | `fn (info: &WorkflowInfo, input: &…) -> Self`; may leave out either |
/// | `#[signal]` | `fn (&mut self, input: …)`, or `async fn (context: WorkflowContext<Self>, input: …) -> Result<(), WorkflowError>` |
/// | `#[query]` | `fn (&self, input: …) -> …` |
/// | `#[update]` | `fn (&mut self, input: …) -> …`, or `async fn (context: WorkflowContext<Self>, input: …) -> …` |
/// | `#[update(validator = check)]` | likewise, with `fn check(&self, input: &…) -> Result<(), WorkflowError>` |
/// | `#[handlers]` | `fn (handlers: &mut Handlers<Self>)`: whatever else is to be registered |
///
/// The first paragraph of the documentation of a Signal, Query or Update is its description, which the Web UI shows.
///
/// Signals, Queries and Updates take `name = "…"` and `define = …`; the block takes `crate = …` and
/// `versioning = Pinned` or `AutoUpgrade` (`VersioningBehavior`), too. An async Signal or Update
/// takes `unfinished = Abandon`, if it is meant to be abandoned when the workflow ends (`HandlerUnfinishedPolicy`).
///
/// Dynamic handlers are `#[signal(AnySignal)] fn other(&mut self, signal: UntypedMessage)`, and likewise `#[query(AnyQuery)]` and
/// `#[update(AnyUpdate)]`, with what `timewright::workflow` calls so.
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut block = parse_macro_input!(item as ItemImpl);
    let beside = workflow::expand(arguments.into(), &mut block);
    quote!(#block #beside).into()
}

/// A struct becomes the definition of a workflow: `input = …`, `output = …` (both `()` if left out), `name = "…"`.
///
/// ```
/// use timewright::{query_definition, signal_definition, update_definition, workflow_definition};
///
/// /// Greets somebody, and waits until somebody has approved the text.
/// #[workflow_definition(input = String, output = String)]
/// pub struct Greeting;
///
/// #[signal_definition(workflow = Greeting, name = "approve")]
/// pub struct Approve;
///
/// #[query_definition(workflow = Greeting, output = Option<String>)]
/// pub struct CurrentText;
///
/// #[update_definition(workflow = Greeting, input = String, output = String)]
/// pub struct Rewrite;
/// ```
#[proc_macro_attribute]
pub fn workflow_definition(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error_beside(definition::expand(Kind::Workflow, arguments.into(), item.clone().into(), false), item)
}

/// A struct becomes the definition of an activity: `input = …`, `output = …` (both `()` if left out), `name = "…"`.
///
/// ```
/// use timewright::activity_definition;
///
/// /// Finds the words.
/// #[activity_definition(input = String, output = String)]
/// pub struct ComposeGreeting;
/// ```
#[proc_macro_attribute]
pub fn activity_definition(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error_beside(definition::expand(Kind::Activity, arguments.into(), item.clone().into(), false), item)
}

/// A struct becomes the definition of a Signal: `workflow = …`, `input = …` (`()` if left out), `name = "…"`. See
/// [`workflow_definition`](macro@workflow_definition).
#[proc_macro_attribute]
pub fn signal_definition(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error_beside(definition::expand(Kind::Signal, arguments.into(), item.clone().into(), false), item)
}

/// A struct becomes the definition of a Query: `workflow = …`, `input = …`, `output = …` (both `()` if left out),
/// `name = "…"`. See [`workflow_definition`](macro@workflow_definition).
#[proc_macro_attribute]
pub fn query_definition(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error_beside(definition::expand(Kind::Query, arguments.into(), item.clone().into(), false), item)
}

/// A struct becomes the definition of an Update: `workflow = …`, `input = …`, `output = …` (both `()` if left out),
/// `name = "…"`. See [`workflow_definition`](macro@workflow_definition).
#[proc_macro_attribute]
pub fn update_definition(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error_beside(definition::expand(Kind::Update, arguments.into(), item.clone().into(), false), item)
}

/// The attributes as `timewright-definition` re-exports them: what they write names that crate and not the umbrella.
macro_rules! of_definition_crate {
    ($($name:ident: $kind:ident),*) => {$(
        #[doc(hidden)]
        #[proc_macro_attribute]
        pub fn $name(arguments: TokenStream, item: TokenStream) -> TokenStream {
            or_error_beside(definition::expand(Kind::$kind, arguments.into(), item.clone().into(), true), item)
        }
    )*};
}
of_definition_crate!(
    workflow_definition_of_definition_crate: Workflow,
    activity_definition_of_definition_crate: Activity,
    signal_definition_of_definition_crate: Signal,
    query_definition_of_definition_crate: Query,
    update_definition_of_definition_crate: Update
);

fn or_error(result: syn::Result<proc_macro2::TokenStream>) -> proc_macro2::TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error)
}

/// With an error the item stays, so that what names it has no errors of its own.
fn or_error_beside(result: syn::Result<proc_macro2::TokenStream>, item: TokenStream) -> TokenStream {
    match result {
        Ok(expansion) => expansion.into(),
        Err(error) => {
            let mut beside = item;
            beside.extend(TokenStream::from(error.into_compile_error()));
            beside
        }
    }
}
