//! Workflows: an impl block becomes an implementation of `Workflow`.

mod messages;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Error, ImplItem, ImplItemFn, ItemImpl, Result, Type};

use self::messages::Message;
use crate::activity::take_attribute;
use crate::definition::{Contract, Kind};
use crate::item::{Definition, Errors, NewDefinition, conditions, contract_says_so, docs};
use crate::options::{Allowed, Options};
use crate::paths::Paths;
use crate::signature::{Output, Signature, at, is_named};

/// `#[workflow]`. What it returns stands beside the block, from which the inner attributes are gone.
pub(crate) fn expand(options: TokenStream, block: &mut ItemImpl) -> TokenStream {
    let mut errors = Errors::default();
    let options = errors.take(Options::of_tokens(options, &BLOCK)).unwrap_or_default();
    let paths = options.paths();
    expand_with(&options, block, errors).unwrap_or_else(|error| {
        let (error, stand_in) = (error.into_compile_error(), stand_in(block, &paths));
        quote!(#error #stand_in)
    })
}

/// So that whatever names the workflow, `WorkflowContext<Self>` for one, has no errors of its own.
fn stand_in(block: &ItemImpl, paths: &Paths) -> TokenStream {
    let Paths { definition, workflow, .. } = paths;
    let target = &block.self_ty;
    if !block.generics.params.is_empty() {
        return TokenStream::new();
    }
    quote! {
        const _: () = {
            pub struct StandIn;
            impl #definition::WorkflowDefinition for StandIn {
                const NAME: &'static str = "";
                type Input = ();
                type Output = ();
            }
            impl #workflow::Workflow for #target {
                type Definition = StandIn;
                fn init(_: &#workflow::WorkflowInfo, _: &()) -> Self {
                    ::core::unreachable!()
                }
                async fn run(
                    _: #workflow::WorkflowContext<Self>,
                    _: (),
                ) -> ::core::result::Result<(), #workflow::WorkflowError> {
                    ::core::unreachable!()
                }
            }
        };
    }
}

fn expand_with(options: &Options, block: &mut ItemImpl, mut errors: Errors) -> Result<TokenStream> {
    errors.take(check_block(block));
    let methods = Methods::take_from(block, &mut errors);
    let run = errors.take(methods.run_of(block));
    let definition = match (&run, errors.take(name_of(options, block, run.as_deref()))) {
        (Some(_), Some(definition)) => definition,
        _ => return errors.into_result().map(|()| TokenStream::new()),
    };
    let expansion = Expansion { paths: options.paths(), versioning: options.versioning.clone(), block, definition };
    let expansion = expansion.of(&methods, &mut errors);
    errors.into_result()?;
    for validator in methods.messages.iter().filter_map(|(_, attribute, _)| messages::validator_of(attribute)) {
        quieten(block, &validator);
    }
    Ok(expansion)
}

fn quieten(block: &mut ItemImpl, name: &Ident) {
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item
            && method.sig.ident == *name
        {
            method.attrs.push(contract_says_so());
        }
    }
}

/// The methods of a block, by what they are marked as.
#[derive(Default)]
struct Methods {
    runs: Vec<ImplItemFn>,
    inits: Vec<ImplItemFn>,
    messages: Vec<(Kind, Attribute, ImplItemFn)>,
    handlers: Vec<ImplItemFn>,
}

impl Methods {
    fn take_from(block: &mut ItemImpl, errors: &mut Errors) -> Self {
        let mut methods = Self::default();
        for item in &mut block.items {
            let ImplItem::Fn(method) = item else { continue };
            let marks: Vec<(&str, Attribute)> = MARKS
                .iter()
                .filter_map(|mark| take_attribute(method, mark).map(|attribute| (*mark, attribute)))
                .collect();
            let [(mark, attribute)] = marks.as_slice() else {
                if let [(first, _), (second, attribute), ..] = marks.as_slice() {
                    let text = format!("a method is one thing: `#[{first}]` or `#[{second}]`");
                    errors.push(Error::new_spanned(attribute, text));
                }
                continue;
            };
            method.attrs.push(contract_says_so());
            let kind = match *mark {
                "signal" => Kind::Signal,
                "query" => Kind::Query,
                "update" => Kind::Update,
                plain => {
                    errors.take(refuse_arguments(attribute, plain));
                    match plain {
                        "run" => methods.runs.push(method.clone()),
                        "init" => methods.inits.push(method.clone()),
                        _ => methods.handlers.push(method.clone()),
                    }
                    continue;
                }
            };
            methods.messages.push((kind, attribute.clone(), method.clone()));
        }
        methods
    }

    fn run_of(&self, block: &ItemImpl) -> Result<Box<ImplItemFn>> {
        match self.runs.as_slice() {
            [run] => Ok(Box::new(run.clone())),
            [] => {
                let text = format!("no method is marked `#[run]`; {RUN_FORM}");
                Err(Error::new_spanned(&block.self_ty, text))
            }
            [_, second, ..] => Err(Error::new_spanned(&second.sig.ident, "a second `#[run]`; a workflow has one")),
        }
    }
}

struct Expansion<'a> {
    paths: Paths,
    versioning: Option<Ident>,
    block: &'a ItemImpl,
    definition: Definition,
}

impl Expansion<'_> {
    fn of(&self, methods: &Methods, errors: &mut Errors) -> TokenStream {
        let run = methods.runs.first().expect("it was looked for before");
        let Some(signature) = errors.take(run_signature(run)) else { return TokenStream::new() };
        let init = errors.take(self.init(&methods.inits, &signature)).unwrap_or_default();
        let messages = methods.messages.iter().filter_map(|(kind, attribute, method)| {
            errors.take(Message::of(*kind, attribute, method, self.block, &self.definition.path(), &self.paths))
        });
        let messages: Vec<Message> = messages.collect();
        let defined = self.defined(&signature);
        let run = self.run(&signature);
        let handlers = self.handlers(&messages, &methods.handlers);
        let messages_defined = messages.iter().map(|message| &message.defined);
        let (workflow, target, conditions) = (&self.paths.workflow, self.target(), conditions(&self.block.attrs));
        let definition = self.definition.path();
        let versioning = self.versioning.as_ref().map(|behavior| {
            quote! {
                const VERSIONING_BEHAVIOR: ::core::option::Option<#workflow::VersioningBehavior> =
                    ::core::option::Option::Some(#workflow::VersioningBehavior::#behavior);
            }
        });
        // The definition is as visible as `#[run]`: what the compiler says when the type is more visible than that is said there.
        let definition = quote_spanned!(at(methods.runs[0].sig.ident.span())=> type Definition = #definition;);
        quote! {
            #defined
            #(#messages_defined)*
            #(#conditions)*
            #[automatically_derived]
            impl #workflow::Workflow for #target {
                #definition
                #versioning
                #init
                #run
                #handlers
            }
        }
    }

    fn target(&self) -> &Type {
        &self.block.self_ty
    }

    fn defined(&self, run: &Signature<'_>) -> TokenStream {
        let Definition::New(new) = &self.definition else { return TokenStream::new() };
        let item = new.struct_item(&format!("The workflow `{}`.", new.name));
        let contract = Contract {
            kind: Kind::Workflow,
            ident: &new.ident,
            name: &new.name,
            conditions: &new.conditions,
            workflow: None,
            input: run.input_type(&self.paths),
            output: run.output.value_type(),
        };
        let implementation = contract.implementation(&self.paths);
        quote!(#item #implementation)
    }

    fn run(&self, run: &Signature<'_>) -> TokenStream {
        let (workflow, definition) = (&self.paths.workflow, &self.paths.definition);
        let place = at(run.ident.span());
        let (function, pattern, arguments) = (run.ident, run.input_pattern(&self.paths), run.argument_names());
        let context = run.context.map(|_| quote!(context,));
        let bound_context = if context.is_some() { quote!(context) } else { quote!(_context) };
        let named = self.definition.path();
        let call = quote_spanned!(place=> Self::#function(#context #(#arguments),*).await);
        let result = run.output.result_of(&call);
        quote_spanned! {place=>
            async fn run(
                #bound_context: #workflow::WorkflowContext<Self>,
                #pattern: <#named as #definition::WorkflowDefinition>::Input,
            ) -> ::core::result::Result<
                <#named as #definition::WorkflowDefinition>::Output,
                #workflow::WorkflowError,
            > {
                #result
            }
        }
    }

    fn init(&self, inits: &[ImplItemFn], run: &Signature<'_>) -> Result<TokenStream> {
        let (workflow, definition) = (&self.paths.workflow, &self.paths.definition);
        let named = self.definition.path();
        let input_type = quote!(<#named as #definition::WorkflowDefinition>::Input);
        let Some(init) = inits.first() else {
            return Ok(self.default_init(&input_type));
        };
        if let Some(second) = inits.get(1) {
            return Err(Error::new_spanned(&second.sig.ident, "a second `#[init]`; a workflow has one"));
        }
        let signature = Signature::of(&init.sig, "WorkflowInfo")?;
        check_init(&signature, run)?;
        let place = at(signature.ident.span());
        let (function, arguments) = (signature.ident, signature.argument_names());
        let pattern = match arguments.is_empty() {
            true => quote!(_),
            false => signature.input_pattern(&self.paths),
        };
        let info = signature.context.map(|_| quote!(info,));
        let bound_info = if info.is_some() { quote!(info) } else { quote!(_info) };
        Ok(quote_spanned! {place=>
            fn init(#bound_info: &#workflow::WorkflowInfo, #pattern: &#input_type) -> Self {
                Self::#function(#info #(#arguments),*)
            }
        })
    }

    /// Where there is no `#[init]`; that the type has no `Default` is an error at its name.
    fn default_init(&self, input_type: &TokenStream) -> TokenStream {
        let (workflow, target) = (&self.paths.workflow, self.target());
        let place = at(syn::spanned::Spanned::span(target));
        let default = quote_spanned!(place=> <Self as ::core::default::Default>::default());
        quote! {
            fn init(_info: &#workflow::WorkflowInfo, _input: &#input_type) -> Self {
                #default
            }
        }
    }

    fn handlers(&self, messages: &[Message], extra: &[ImplItemFn]) -> TokenStream {
        if messages.is_empty() && extra.is_empty() {
            return TokenStream::new();
        }
        let workflow = &self.paths.workflow;
        let registered = messages.iter().map(|message| &message.registered);
        let extra = extra.iter().map(|method| {
            let (conditions, function) = (conditions(&method.attrs), &method.sig.ident);
            let call = quote_spanned!(at(function.span())=> Self::#function(handlers););
            quote!(#(#conditions)* #call)
        });
        quote! {
            fn handlers(handlers: &mut #workflow::Handlers<Self>) {
                #(#registered)*
                #(#extra)*
            }
        }
    }
}

/// What the workflow is called: what the attribute says, or the type's name without `Workflow`.
fn name_of(options: &Options, block: &ItemImpl, run: Option<&ImplItemFn>) -> Result<Definition> {
    if let Some(path) = &options.definition {
        return Ok(Definition::Existing(path.clone()));
    }
    let ident = match &options.define {
        Some(ident) => ident.clone(),
        None => without_suffix(&block.self_ty)?,
    };
    let of_block = docs(&block.attrs);
    let docs = match (of_block.is_empty(), run) {
        (true, Some(run)) => docs(&run.attrs),
        _ => of_block,
    };
    Ok(Definition::New(NewDefinition {
        name: options.name.as_ref().map_or_else(|| ident.to_string(), syn::LitStr::value),
        ident,
        visibility: run.map_or(syn::Visibility::Inherited, |run| run.vis.clone()),
        docs,
        conditions: conditions(&block.attrs),
    }))
}

fn without_suffix(target: &Type) -> Result<Ident> {
    let last = match target {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    };
    let stem = last.and_then(|ident| {
        let name = ident.to_string();
        let stem = name.strip_suffix("Workflow").filter(|stem| !stem.is_empty())?;
        Some(format_ident!("{stem}", span = ident.span()))
    });
    stem.ok_or_else(|| {
        let text = "say what callers name: `#[workflow(Greeting)]` for a definition that there is, \
                    `#[workflow(define = Greeting)]` for a new one; without either the type is called `…Workflow`";
        Error::new_spanned(target, text)
    })
}

fn run_signature(run: &ImplItemFn) -> Result<Signature<'_>> {
    let signature = Signature::of(&run.sig, CONTEXT)?;
    if let Some(receiver) = signature.receiver {
        let text = format!("the state cannot be borrowed over an `await`: reach it over the context; {RUN_FORM}");
        return Err(Error::new_spanned(receiver, text));
    }
    if !signature.is_async {
        return Err(Error::new_spanned(run.sig.fn_token, format!("`#[run]` waits for things; {RUN_FORM}")));
    }
    signature.check_arguments()?;
    check_context_place(&signature)?;
    Ok(signature)
}

fn check_init(init: &Signature<'_>, run: &Signature<'_>) -> Result<()> {
    if let Some(receiver) = init.receiver {
        return Err(Error::new_spanned(receiver, format!("`#[init]` makes the state; {INIT_FORM}")));
    }
    if init.is_async {
        return Err(Error::new_spanned(init.ident, format!("`#[init]` cannot wait; {INIT_FORM}")));
    }
    let one_whole_input = init.arguments.len() == run.arguments.len() || init.arguments.is_empty();
    if !one_whole_input {
        let text = format!(
            "`#[init]` takes what `#[run]` takes ({} arguments), borrowed, or none of it; {INIT_FORM}",
            run.arguments.len()
        );
        return Err(Error::new_spanned(init.ident, text));
    }
    match init.arguments.iter().find(|argument| !matches!(*argument.ty, Type::Reference(_))) {
        Some(argument) => {
            let text = format!("`#[init]` only looks at the input, which `#[run]` gets: write `&`; {INIT_FORM}");
            Err(Error::new_spanned(&argument.ty, text))
        }
        None => Ok(()),
    }
}

/// A context that is not the first argument would be taken for input.
fn check_context_place(signature: &Signature<'_>) -> Result<()> {
    match signature.arguments.iter().find(|argument| is_named(&argument.ty, CONTEXT)) {
        Some(argument) => Err(Error::new_spanned(argument, "the context is the first argument")),
        None => Ok(()),
    }
}

fn refuse_arguments(attribute: &Attribute, mark: &'static str) -> Result<()> {
    let none = Allowed { attribute: mark, definition: false, named: &[] };
    Options::of_attribute(attribute, &none).map(|_| ()).map_err(|error| match mark {
        "run" => Error::new(
            error.span(),
            format!("{error}; the workflow's name is said at the block: `#[workflow(name = \"…\")]`"),
        ),
        _ => error,
    })
}

fn check_block(block: &ItemImpl) -> Result<()> {
    if let Some((_, of_trait, _)) = &block.trait_ {
        let text = "`#[workflow]` stands on an impl block of the type itself: `impl GreetingWorkflow { … }`";
        return Err(Error::new_spanned(of_trait, text));
    }
    if let Some(parameter) = block.generics.params.first() {
        let text = "a workflow has one name and one type: implement `Workflow` by hand for a type with parameters";
        return Err(Error::new_spanned(parameter, text));
    }
    Ok(())
}

/// Whether the function gives something to whoever called.
fn gives_nothing(output: &Output<'_>) -> bool {
    match output {
        Output::Nothing => true,
        Output::Value(Type::Tuple(tuple)) => tuple.elems.is_empty(),
        _ => false,
    }
}

const CONTEXT: &str = "WorkflowContext";
const MARKS: [&str; 6] = ["run", "init", "signal", "query", "update", "handlers"];
const RUN_FORM: &str =
    "write `#[run] async fn run(context: WorkflowContext<Self>, input: …) -> Result<…, WorkflowError>`";
const INIT_FORM: &str = "write `#[init] fn new(info: &WorkflowInfo, input: &…) -> Self`";
const BLOCK: Allowed =
    Allowed { attribute: "workflow", definition: true, named: &["name", "define", "versioning", "crate"] };
