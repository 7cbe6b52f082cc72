//! Where the crates are that generated code names.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

/// The crates, as the code around an attribute reaches them.
pub(crate) struct Paths {
    pub(crate) definition: TokenStream,
    pub(crate) activity: TokenStream,
    pub(crate) workflow: TokenStream,
}

impl Paths {
    /// All of them over the umbrella crate, or what `crate = …` names in its place.
    pub(crate) fn umbrella(root: Option<&Path>) -> Self {
        let root = root.map_or_else(|| quote!(::timewright), |root| quote!(#root));
        Self {
            definition: quote!(#root::definition),
            activity: quote!(#root::activity),
            workflow: quote!(#root::workflow),
        }
    }

    /// For a crate of definitions, which depends on `timewright-definition` alone.
    pub(crate) fn definition_crate(root: Option<&Path>) -> Self {
        let definition = root.map_or_else(|| quote!(::timewright_definition), |root| quote!(#root));
        Self { definition, ..Self::umbrella(None) }
    }
}
