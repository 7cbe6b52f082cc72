//! What is common to everything that a definition is made for: names, docs, visibility, conditions.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, Error, Expr, Lit, Meta, Path, Visibility};

use crate::options::Options;
use crate::signature::at;

/// What callers name.
pub(crate) enum Definition {
    /// It is defined elsewhere.
    Existing(Path),
    /// It is made here.
    New(NewDefinition),
}

/// A struct without fields, to be made.
pub(crate) struct NewDefinition {
    pub(crate) ident: Ident,
    /// What histories call it.
    pub(crate) name: String,
    pub(crate) visibility: Visibility,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) conditions: Vec<Attribute>,
}

impl Definition {
    /// That of a function: the one that its attribute names, or a new one with the function's name in upper camel case.
    pub(crate) fn of_function(
        options: &Options,
        ident: &Ident,
        visibility: &Visibility,
        attributes: &[Attribute],
    ) -> Self {
        if let Some(path) = &options.definition {
            return Self::Existing(path.clone());
        }
        let name = options.name.as_ref().map_or_else(|| ident.unraw().to_string(), syn::LitStr::value);
        Self::New(NewDefinition {
            ident: options.define.clone().unwrap_or_else(|| upper_camel_case(ident)),
            name,
            visibility: visibility.clone(),
            docs: docs(attributes),
            conditions: conditions(attributes),
        })
    }

    /// How code beside it names it.
    pub(crate) fn path(&self) -> TokenStream {
        match self {
            Self::Existing(path) => quote!(#path),
            Self::New(new) => {
                let ident = &new.ident;
                quote!(#ident)
            }
        }
    }
}

impl NewDefinition {
    /// The struct, with `otherwise` for its documentation where the user has written none.
    pub(crate) fn struct_item(&self, otherwise: &str) -> TokenStream {
        let Self { ident, visibility, docs, conditions, .. } = self;
        let docs = if docs.is_empty() { quote!(#[doc = #otherwise]) } else { quote!(#(#docs)*) };
        quote_spanned! {at(ident.span())=>
            #(#conditions)*
            #docs
            #[allow(dead_code, reason = "not every program calls what it defines")]
            #[derive(Clone, Copy, Debug)]
            #visibility struct #ident;
        }
    }
}

/// `set_language` as `SetLanguage`.
pub(crate) fn upper_camel_case(ident: &Ident) -> Ident {
    let snake = ident.unraw().to_string();
    let words = snake.split('_').filter(|word| !word.is_empty());
    let camel: String = words
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect();
    format_ident!("{camel}", span = ident.span())
}

/// The lines of documentation.
pub(crate) fn docs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect()
}

/// Under which conditions the item exists at all.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

/// Takes back what clippy says about the form of a function whose form is not the user's choice.
pub(crate) fn contract_says_so() -> Attribute {
    syn::parse_quote! {
        #[allow(
            clippy::needless_pass_by_value,
            clippy::trivially_copy_pass_by_ref,
            clippy::unnecessary_wraps,
            clippy::unused_async,
            clippy::unused_self,
            reason = "whoever calls decides what it takes and gives"
        )]
    }
}

/// In a crate with the lint for authors of workflows, an activity is no workflow code.
pub(crate) fn no_workflow_code() -> Attribute {
    syn::parse_quote! {
        #[allow(
            clippy::disallowed_macros,
            clippy::disallowed_methods,
            clippy::disallowed_types,
            reason = "an activity is not replayed"
        )]
    }
}

/// The first paragraph of the documentation as one line, for people who look at a running workflow; `None` if there is none.
pub(crate) fn description(attributes: &[Attribute]) -> Option<String> {
    let mut paragraph = Vec::new();
    for attribute in docs(attributes) {
        let Meta::NameValue(pair) = attribute.meta else { continue };
        let Expr::Lit(literal) = pair.value else { continue };
        let Lit::Str(text) = literal.lit else { continue };
        for line in text.value().lines().map(str::trim).map(str::to_owned) {
            match (line.is_empty(), paragraph.is_empty()) {
                (true, true) => {}
                (true, false) => return Some(paragraph.join(" ")),
                (false, _) => paragraph.push(line),
            }
        }
    }
    (!paragraph.is_empty()).then(|| paragraph.join(" "))
}

/// All errors that were found, as one.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, or none after taking the error down.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn into_result(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
