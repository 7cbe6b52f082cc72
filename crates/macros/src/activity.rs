//! Activities: of a function, and of the methods of a type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Error, ImplItem, ImplItemFn, ItemFn, ItemImpl, Result, Type};

use crate::definition::{Contract, Kind};
use crate::item::{Definition, Errors, conditions, contract_says_so, no_workflow_code};
use crate::options::{Allowed, Options, path_text};
use crate::paths::Paths;
use crate::signature::{Lent, Signature, at, is_named};

/// `#[activity]` on a function that stands alone.
pub(crate) fn expand_function(options: TokenStream, item: &mut ItemFn) -> Result<TokenStream> {
    item.attrs.extend([contract_says_so(), no_workflow_code()]);
    let options = Options::of_tokens(options, &FUNCTION)?;
    if let Some(existing) = &options.definition {
        let (path, function) = (path_text(existing), &item.sig.ident);
        let text = format!(
            "a definition from elsewhere is implemented by a method, in an `#[activities] impl` block, or registered without a \
             macro: `.activity({path}, {function})`"
        );
        return Err(Error::new_spanned(existing, text));
    }
    let paths = options.paths();
    let signature = Signature::of(&item.sig, CONTEXT)?;
    if let Some(receiver) = signature.receiver {
        let text = "a method is an activity inside an impl block that is marked `#[activities]`; mark the block, too";
        return Err(Error::new_spanned(receiver, text));
    }
    signature.check_arguments()?;
    let definition = Definition::of_function(&options, &item.sig.ident, &item.vis, &item.attrs);
    let defined = defined(&definition, &signature, &paths);
    let function = &item.sig.ident;
    let registered = registered(&definition, &signature, &quote!(#function), &paths);
    let (name, conditions) = (definition.path(), conditions(&item.attrs));
    let activity = &paths.activity;
    Ok(quote! {
        #defined
        #(#conditions)*
        #[automatically_derived]
        impl #activity::Activities for #name {
            fn register(
                self: ::std::sync::Arc<Self>,
                builder: #activity::ActivityWorkerBuilder,
            ) -> #activity::ActivityWorkerBuilder {
                #registered
            }
        }
    })
}

/// `#[activities]` on an impl block. What it returns stands beside the block, from which the inner attributes are gone.
pub(crate) fn expand_block(options: TokenStream, block: &mut ItemImpl) -> Result<TokenStream> {
    let mut errors = Errors::default();
    let options = errors.take(Options::of_tokens(options, &BLOCK)).unwrap_or_default();
    let paths = options.paths();
    errors.take(check_block(block));
    let target = (*block.self_ty).clone();
    let mut activities = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let Some(attribute) = take_attribute(method, "activity") else { continue };
        method.attrs.extend([contract_says_so(), no_workflow_code()]);
        if let Some(activity) = errors.take(of_method(&attribute, method, &paths)) {
            activities.push(activity);
        }
    }
    errors.into_result()?;
    if activities.is_empty() {
        return Err(Error::new_spanned(&target, "none of these methods is an activity: mark them `#[activity]`"));
    }
    Ok(block_expansion(&target, block, &activities, &paths))
}

struct Activity {
    defined: TokenStream,
    registered: TokenStream,
}

fn of_method(attribute: &Attribute, method: &ImplItemFn, paths: &Paths) -> Result<Activity> {
    let options = Options::of_attribute(attribute, &METHOD)?;
    let signature = Signature::of(&method.sig, CONTEXT)?;
    if let Some(receiver) = signature.receiver
        && Lent::of(receiver) != Lent::Shared
        && !is_named(&receiver.ty, "Arc")
    {
        let text = "many attempts run at the same time and share the state: write `&self`";
        return Err(Error::new_spanned(receiver, text));
    }
    signature.check_arguments()?;
    let definition = Definition::of_function(&options, &method.sig.ident, &method.vis, &method.attrs);
    let conditions = conditions(&method.attrs);
    let function = &method.sig.ident;
    let registered = registered(&definition, &signature, &quote!(Self::#function), paths);
    Ok(Activity {
        defined: defined(&definition, &signature, paths),
        registered: quote!(#(#conditions)* let builder = #registered;),
    })
}

fn block_expansion(target: &Type, block: &ItemImpl, activities: &[Activity], paths: &Paths) -> TokenStream {
    let defined = activities.iter().map(|activity| &activity.defined);
    let registered = activities.iter().map(|activity| &activity.registered);
    let (activity, conditions) = (&paths.activity, conditions(&block.attrs));
    quote! {
        #(#defined)*
        #(#conditions)*
        #[automatically_derived]
        impl #activity::Activities for #target {
            fn register(
                self: ::std::sync::Arc<Self>,
                builder: #activity::ActivityWorkerBuilder,
            ) -> #activity::ActivityWorkerBuilder {
                #(#registered)*
                builder
            }
        }
    }
}

/// The definition, if it is made here.
fn defined(definition: &Definition, signature: &Signature<'_>, paths: &Paths) -> TokenStream {
    let Definition::New(new) = definition else { return TokenStream::new() };
    let item = new.struct_item(&format!("The activity `{}`.", new.name));
    let contract = Contract {
        kind: Kind::Activity,
        ident: &new.ident,
        name: &new.name,
        conditions: &new.conditions,
        workflow: None,
        input: signature.input_type(paths),
        output: signature.output.value_type(),
    };
    let implementation = contract.implementation(paths);
    quote!(#item #implementation)
}

/// `builder` with the activity.
fn registered(
    definition: &Definition,
    signature: &Signature<'_>,
    function: &TokenStream,
    paths: &Paths,
) -> TokenStream {
    let name = definition.path();
    let place = at(signature.ident.span());
    let input = signature.input_pattern(paths);
    let context = signature.context.map(|_| quote!(context,));
    let bound_context = if context.is_some() { quote!(context) } else { quote!(_context) };
    let arguments = signature.argument_names();
    // Each attempt has a share of the state, which lives as long as the attempt's future.
    let state = signature.receiver.map(|receiver| match Lent::of(receiver) {
        Lent::Shared | Lent::Mutable => quote!(&state,),
        Lent::Not => quote!(state,),
    });
    let share = state.is_some().then(|| quote!(let state = ::std::sync::Arc::clone(&self);));
    let share_again = state.is_some().then(|| quote!(let state = ::std::sync::Arc::clone(&state);));
    let call = quote_spanned!(place=> #function(#state #context #(#arguments),*));
    if signature.is_async {
        let result = signature.output.result_of(&quote_spanned!(place=> #call.await));
        quote_spanned! {place=> {
            #share
            builder.activity(#name, move |#bound_context, #input| {
                #share_again
                async move { #result }
            })
        }}
    } else {
        let result = signature.output.result_of(&call);
        quote_spanned! {place=> {
            #share
            builder.blocking_activity(#name, move |#bound_context, #input| {
                #share_again
                #result
            })
        }}
    }
}

fn check_block(block: &ItemImpl) -> Result<()> {
    if let Some((_, of_trait, _)) = &block.trait_ {
        let text = "`#[activities]` stands on an impl block of the type itself: `impl Billing { … }`";
        return Err(Error::new_spanned(of_trait, text));
    }
    if let Some(parameter) = block.generics.params.first() {
        let text = "activities have one type each: implement `Activities` by hand for a type with parameters";
        return Err(Error::new_spanned(parameter, text));
    }
    Ok(())
}

/// Takes a helper attribute off a method.
pub(crate) fn take_attribute(method: &mut ImplItemFn, name: &str) -> Option<Attribute> {
    let index = method
        .attrs
        .iter()
        .position(|attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == name))?;
    Some(method.attrs.remove(index))
}

const CONTEXT: &str = "ActivityContext";
const FUNCTION: Allowed = Allowed { attribute: "activity", definition: true, named: &["name", "define", "crate"] };
const METHOD: Allowed = Allowed { attribute: "activity", definition: true, named: &["name", "define"] };
const BLOCK: Allowed = Allowed { attribute: "activities", definition: false, named: &["crate"] };
