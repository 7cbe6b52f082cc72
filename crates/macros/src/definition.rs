//! Implementations of the definition traits, and the attributes for structs that are definitions and nothing else.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Error, Fields, ItemStruct, Result};

use crate::item::conditions;
use crate::options::{Allowed, Options};
use crate::paths::Paths;

/// What a definition is one of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Workflow,
    Activity,
    Signal,
    Query,
    Update,
}

/// All that a definition says.
pub(crate) struct Contract<'a> {
    pub(crate) kind: Kind,
    pub(crate) ident: &'a Ident,
    pub(crate) name: &'a str,
    pub(crate) conditions: &'a [Attribute],
    /// Of which workflow: for signals, queries and updates.
    pub(crate) workflow: Option<TokenStream>,
    pub(crate) input: TokenStream,
    /// For all but signals.
    pub(crate) output: TokenStream,
}

/// A struct without fields becomes a definition.
pub(crate) fn expand(
    kind: Kind,
    options: TokenStream,
    item: TokenStream,
    in_definition_crate: bool,
) -> Result<TokenStream> {
    let options = Options::of_tokens(options, kind.allowed())?;
    let item: ItemStruct = syn::parse2(item).map_err(|error| {
        let text = format!("`#[{}]` stands on a struct without fields: `pub struct Greeting;`", kind.attribute());
        Error::new(error.span(), text)
    })?;
    check_struct(&item, kind)?;
    let workflow = match (kind.belongs_to_workflow(), &options.workflow) {
        (false, _) => None,
        (true, Some(workflow)) => Some(quote!(#workflow)),
        (true, None) => {
            let text = format!("say whose it is: `#[{}(workflow = Greeting, …)]`", kind.attribute());
            return Err(Error::new_spanned(&item.ident, text));
        }
    };
    let paths = match in_definition_crate {
        true => Paths::definition_crate(options.root.as_ref()),
        false => options.paths(),
    };
    let name = options.name.as_ref().map_or_else(|| item.ident.to_string(), syn::LitStr::value);
    let type_or_unit = |ty: &Option<syn::Type>| ty.as_ref().map_or_else(|| quote!(()), |ty| quote!(#ty));
    let contract = Contract {
        kind,
        ident: &item.ident,
        name: &name,
        conditions: &conditions(&item.attrs),
        workflow,
        input: type_or_unit(&options.input),
        output: type_or_unit(&options.output),
    };
    let implementation = contract.implementation(&paths);
    Ok(quote! {
        #item
        #implementation
    })
}

impl Contract<'_> {
    pub(crate) fn implementation(&self, paths: &Paths) -> TokenStream {
        let Self { kind, ident, name, conditions, workflow, input, output } = self;
        let definition = &paths.definition;
        let definition_trait = kind.definition_trait();
        let workflow = workflow.as_ref().map(|workflow| quote!(type Workflow = #workflow;));
        let output = (*kind != Kind::Signal).then(|| quote!(type Output = #output;));
        quote! {
            #(#conditions)*
            #[automatically_derived]
            impl #definition::#definition_trait for #ident {
                const NAME: &'static str = #name;
                #workflow
                type Input = #input;
                #output
            }
        }
    }
}

impl Kind {
    /// As texts call it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Activity => "activity",
            Self::Signal => "Signal",
            Self::Query => "Query",
            Self::Update => "Update",
        }
    }

    fn attribute(self) -> &'static str {
        self.allowed().attribute
    }

    fn belongs_to_workflow(self) -> bool {
        matches!(self, Self::Signal | Self::Query | Self::Update)
    }

    fn definition_trait(self) -> TokenStream {
        match self {
            Self::Workflow => quote!(WorkflowDefinition),
            Self::Activity => quote!(ActivityDefinition),
            Self::Signal => quote!(SignalDefinition),
            Self::Query => quote!(QueryDefinition),
            Self::Update => quote!(UpdateDefinition),
        }
    }

    fn allowed(self) -> &'static Allowed {
        match self {
            Self::Workflow => &WORKFLOW,
            Self::Activity => &ACTIVITY,
            Self::Signal => &SIGNAL,
            Self::Query => &QUERY,
            Self::Update => &UPDATE,
        }
    }
}

fn check_struct(item: &ItemStruct, kind: Kind) -> Result<()> {
    let attribute = kind.attribute();
    if let Some(parameter) = item.generics.params.first() {
        let text = format!("`#[{attribute}]`: a definition has one name and one type, so it has no parameters");
        return Err(Error::new_spanned(parameter, text));
    }
    match &item.fields {
        Fields::Unit => Ok(()),
        fields => {
            let text = format!(
                "`#[{attribute}]`: a definition has no fields: `struct {};`; what it takes is said by `input = …`",
                item.ident
            );
            Err(Error::new_spanned(fields, text))
        }
    }
}

const WORKFLOW: Allowed =
    Allowed { attribute: "workflow_definition", definition: false, named: &["name", "input", "output", "crate"] };
const ACTIVITY: Allowed =
    Allowed { attribute: "activity_definition", definition: false, named: &["name", "input", "output", "crate"] };
const SIGNAL: Allowed =
    Allowed { attribute: "signal_definition", definition: false, named: &["workflow", "name", "input", "crate"] };
const QUERY: Allowed = Allowed {
    attribute: "query_definition",
    definition: false,
    named: &["workflow", "name", "input", "output", "crate"],
};
const UPDATE: Allowed = Allowed {
    attribute: "update_definition",
    definition: false,
    named: &["workflow", "name", "input", "output", "crate"],
};
