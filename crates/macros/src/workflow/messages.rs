//! Signals, Queries and Updates: a method becomes a definition and a handler.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, Error, ImplItem, ImplItemFn, ItemImpl, Result};

use super::{CONTEXT, check_context_place, gives_nothing};
use crate::definition::{Contract, Kind};
use crate::item::{Definition, conditions, description};
use crate::options::{Allowed, Options};
use crate::paths::Paths;
use crate::signature::{Lent, Output, Signature, at};

/// What becomes of one method.
pub(crate) struct Message {
    /// Its definition, if that is made here.
    pub(crate) defined: TokenStream,
    /// The statements that say how it is handled.
    pub(crate) registered: TokenStream,
}

impl Message {
    pub(crate) fn of(
        kind: Kind,
        attribute: &Attribute,
        method: &ImplItemFn,
        block: &ItemImpl,
        workflow: &TokenStream,
        paths: &Paths,
    ) -> Result<Self> {
        let options = Options::of_attribute(attribute, allowed(kind))?;
        let signature = Signature::of(&method.sig, CONTEXT)?;
        check(kind, &signature)?;
        check_unfinished(&options, &signature)?;
        let definition = Definition::of_function(&options, &method.sig.ident, &method.vis, &method.attrs);
        let path = definition.path();
        let handler = handler(kind, &path, &signature, &options, paths);
        let description = description(&method.attrs).map(|text| quote!(.description(#text)));
        let validator = match &options.validator {
            Some(validator) => {
                check_validator(validator, &signature, block)?;
                validation(validator, &path, &signature, paths)
            }
            None => TokenStream::new(),
        };
        let conditions = conditions(&method.attrs);
        Ok(Self {
            defined: defined(kind, &definition, &signature, workflow, paths),
            registered: quote!(#(#conditions)* { #handler #description; #validator }),
        })
    }
}

/// The validator that an attribute names.
pub(crate) fn validator_of(attribute: &Attribute) -> Option<Ident> {
    Options::of_attribute(attribute, &UPDATE).ok().and_then(|options| options.validator)
}

fn defined(
    kind: Kind,
    definition: &Definition,
    signature: &Signature<'_>,
    workflow: &TokenStream,
    paths: &Paths,
) -> TokenStream {
    let Definition::New(new) = definition else { return TokenStream::new() };
    let item = new.struct_item(&format!("The {} `{}` of [`{workflow}`].", kind.word(), new.name));
    let contract = Contract {
        kind,
        ident: &new.ident,
        name: &new.name,
        conditions: &new.conditions,
        workflow: Some(workflow.clone()),
        input: signature.input_type(paths),
        output: signature.output.value_type(),
    };
    let implementation = contract.implementation(paths);
    quote!(#item #implementation)
}

fn handler(
    kind: Kind,
    definition: &TokenStream,
    signature: &Signature<'_>,
    options: &Options,
    paths: &Paths,
) -> TokenStream {
    let place = at(signature.ident.span());
    let (function, pattern, arguments) = (signature.ident, signature.input_pattern(paths), signature.argument_names());
    if signature.is_async {
        let register = if kind == Kind::Signal { quote!(signal_async) } else { quote!(update_async) };
        let call = quote_spanned!(place=> Self::#function(context, #(#arguments),*).await);
        let result = outcome(kind, signature, &call);
        let unfinished = options.unfinished.as_ref().map(|policy| {
            let workflow = &paths.workflow;
            quote!(.unfinished_policy(#workflow::HandlerUnfinishedPolicy::#policy))
        });
        return quote_spanned! {place=>
            handlers.#register(#definition, |context, #pattern| async move { #result }) #unfinished
        };
    }
    let call = quote_spanned!(place=> Self::#function(state, #(#arguments),*));
    let register = match kind {
        Kind::Signal => quote!(signal),
        Kind::Query => quote!(query),
        _ => quote!(update),
    };
    let result = outcome(kind, signature, &call);
    quote_spanned!(place=> handlers.#register(#definition, |state, #pattern| #result))
}

/// What the handler gives: a result, or, for a Signal that cannot fail, nothing.
fn outcome(kind: Kind, signature: &Signature<'_>, call: &TokenStream) -> TokenStream {
    match (kind, &signature.output) {
        (Kind::Signal, Output::Nothing | Output::Value(_)) => call.clone(),
        (_, output) => output.result_of(call),
    }
}

fn validation(validator: &Ident, definition: &TokenStream, signature: &Signature<'_>, paths: &Paths) -> TokenStream {
    let place = at(validator.span());
    let (pattern, arguments) = (signature.input_pattern(paths), signature.argument_names());
    quote_spanned! {place=>
        handlers.validate_update(#definition, |state, #pattern| {
            Self::#validator(state, #(#arguments),*).map_err(::core::convert::Into::into)
        });
    }
}

fn check(kind: Kind, signature: &Signature<'_>) -> Result<()> {
    signature.check_arguments()?;
    check_context_place(signature)?;
    check_receiver(kind, signature)?;
    check_output(kind, signature)
}

fn check_receiver(kind: Kind, signature: &Signature<'_>) -> Result<()> {
    let function = signature.ident;
    if kind == Kind::Query && (signature.is_async || signature.context.is_some()) {
        let text = format!("a Query looks at the state at once and starts nothing: write `fn {function}(&self, …)`");
        return Err(Error::new_spanned(function, text));
    }
    if signature.is_async {
        let form = format!("write `async fn {function}(context: WorkflowContext<Self>, …)`");
        return match (signature.receiver, signature.context) {
            (Some(receiver), _) => {
                let text = format!("the state cannot be borrowed over an `await`: reach it over the context; {form}");
                Err(Error::new_spanned(receiver, text))
            }
            (None, None) => {
                let text = format!("an async handler works over its context; {form}");
                Err(Error::new_spanned(function, text))
            }
            (None, Some(_)) => Ok(()),
        };
    }
    if let Some(context) = signature.context {
        let text = format!(
            "a handler that works with the context is async: `async fn {function}(context: WorkflowContext<Self>, …)`"
        );
        return Err(Error::new_spanned(context, text));
    }
    let (due, form, why) = match kind {
        Kind::Query => (Lent::Shared, "&self", "a Query looks at the state and changes nothing"),
        Kind::Signal => (Lent::Mutable, "&mut self", "a Signal changes the state"),
        _ => (Lent::Mutable, "&mut self", "an Update changes the state"),
    };
    match signature.receiver {
        Some(receiver) if Lent::of(receiver) == due => Ok(()),
        Some(receiver) => Err(Error::new_spanned(receiver, format!("{why}: write `{form}`"))),
        None => Err(Error::new_spanned(function, format!("{why}: write `fn {function}({form}, …)`"))),
    }
}

fn check_output(kind: Kind, signature: &Signature<'_>) -> Result<()> {
    match (kind, &signature.output) {
        (Kind::Signal, Output::Result { .. }) => Ok(()),
        (Kind::Signal, output) if !gives_nothing(output) => Err(Error::new_spanned(
            signature.ident,
            "nobody waits for what a Signal gives: return nothing, or `Result<(), WorkflowError>`; with an answer it is an \
             `#[update]`",
        )),
        (Kind::Query, output) if gives_nothing(output) => {
            Err(Error::new_spanned(signature.ident, "a Query answers something: write `-> …`"))
        }
        _ => Ok(()),
    }
}

/// A handler that takes no time is never unfinished.
fn check_unfinished(options: &Options, signature: &Signature<'_>) -> Result<()> {
    match &options.unfinished {
        Some(policy) if !signature.is_async => {
            Err(Error::new(policy.span(), "only an async handler can be unfinished: remove `unfinished = …`"))
        }
        _ => Ok(()),
    }
}

/// The validator may stand in another block; where it is this one, its form can be looked at.
fn check_validator(validator: &Ident, update: &Signature<'_>, block: &ItemImpl) -> Result<()> {
    let method = block.items.iter().find_map(|item| match item {
        ImplItem::Fn(method) if method.sig.ident == *validator => Some(method),
        _ => None,
    });
    let Some(method) = method else { return Ok(()) };
    let signature = Signature::of(&method.sig, CONTEXT)?;
    let form = format!(
        "write `fn {validator}(&self, …) -> Result<(), WorkflowError>`, with the arguments of `{}` borrowed",
        update.ident
    );
    if signature.is_async || signature.context.is_some() {
        return Err(Error::new_spanned(signature.ident, format!("a validator decides at once; {form}")));
    }
    match signature.receiver {
        Some(receiver) if Lent::of(receiver) == Lent::Shared => {}
        Some(receiver) => return Err(Error::new_spanned(receiver, format!("a validator only looks; {form}"))),
        None => return Err(Error::new_spanned(signature.ident, format!("a validator looks at the state; {form}"))),
    }
    let by_value = signature.arguments.iter().find(|argument| !matches!(*argument.ty, syn::Type::Reference(_)));
    match by_value {
        Some(argument) => {
            Err(Error::new_spanned(&argument.ty, format!("a validator only looks at the arguments; {form}")))
        }
        None if signature.arguments.len() != update.arguments.len() => {
            Err(Error::new_spanned(signature.ident, format!("a validator looks at all arguments; {form}")))
        }
        None if matches!(signature.output, Output::Result { .. }) => Ok(()),
        None => Err(Error::new_spanned(signature.ident, format!("a validator says no with an error; {form}"))),
    }
}

fn allowed(kind: Kind) -> &'static Allowed {
    match kind {
        Kind::Signal => &SIGNAL,
        Kind::Query => &QUERY,
        _ => &UPDATE,
    }
}

const SIGNAL: Allowed = Allowed { attribute: "signal", definition: true, named: &["name", "define", "unfinished"] };
const QUERY: Allowed = Allowed { attribute: "query", definition: true, named: &["name", "define"] };
const UPDATE: Allowed =
    Allowed { attribute: "update", definition: true, named: &["name", "define", "validator", "unfinished"] };
