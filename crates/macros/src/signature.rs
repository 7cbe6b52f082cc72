//! What a function of the user takes and gives.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericArgument, GenericParam, PatType, PathArguments, Receiver, Result, ReturnType, Type};

use crate::paths::Paths;

/// A function of the user, in the parts that matter here.
pub(crate) struct Signature<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) is_async: bool,
    pub(crate) receiver: Option<&'a Receiver>,
    /// Whether the first argument is the context.
    pub(crate) context: Option<&'a PatType>,
    /// All others.
    pub(crate) arguments: Vec<&'a PatType>,
    pub(crate) output: Output<'a>,
}

/// What a function returns, as it is written.
pub(crate) enum Output<'a> {
    Nothing,
    Value(&'a Type),
    Result { value: &'a Type, whole: &'a Type },
}

impl<'a> Signature<'a> {
    /// `context` is the name of the type that is no argument of the call.
    pub(crate) fn of(signature: &'a syn::Signature, context: &str) -> Result<Self> {
        refuse_generics(signature)?;
        let mut typed = Vec::new();
        for input in &signature.inputs {
            if let FnArg::Typed(argument) = input {
                typed.push(argument);
            }
        }
        let context = typed.first().copied().filter(|first| is_named(&first.ty, context));
        if context.is_some() {
            typed.remove(0);
        }
        Ok(Self {
            ident: &signature.ident,
            is_async: signature.asyncness.is_some(),
            receiver: signature.receiver(),
            context,
            arguments: typed,
            output: Output::of(&signature.output),
        })
    }

    /// Refuses arguments that cannot travel.
    pub(crate) fn check_arguments(&self) -> Result<()> {
        for argument in &self.arguments {
            let problem = match &*argument.ty {
                Type::Reference(reference) if is_named(&reference.elem, "str") => {
                    "an argument travels in a Payload and is nobody's loan: write `String`"
                }
                Type::Reference(_) => "an argument travels in a Payload and is nobody's loan: take it by value",
                Type::ImplTrait(_) => "an argument has one type, which callers and histories know: write its name",
                _ => continue,
            };
            return Err(Error::new_spanned(&argument.ty, problem));
        }
        if let Some(seventh) = self.arguments.get(6) {
            let problem = "at most six arguments; better is one: a struct, which can grow fields";
            return Err(Error::new_spanned(seventh, problem));
        }
        Ok(())
    }

    /// The type of the input that these arguments make.
    pub(crate) fn input_type(&self, paths: &Paths) -> TokenStream {
        let definition = &paths.definition;
        match self.arguments.as_slice() {
            [] => quote!(()),
            [one] => {
                let ty = &one.ty;
                quote!(#ty)
            }
            several => {
                let types = several.iter().map(|argument| &argument.ty);
                quote!(#definition::Multiple<(#(#types),*)>)
            }
        }
    }

    /// A pattern that takes the input apart.
    pub(crate) fn input_pattern(&self, paths: &Paths) -> TokenStream {
        let definition = &paths.definition;
        match self.argument_names().as_slice() {
            [] => quote_spanned!(at(self.ident.span())=> ()),
            [one] => quote!(#one),
            several => quote!(#definition::Multiple((#(#several),*))),
        }
    }

    /// Names for the arguments, which errors show where the user wrote their types.
    pub(crate) fn argument_names(&self) -> Vec<Ident> {
        let name = |(index, argument): (usize, &&PatType)| {
            format_ident!("argument_{index}", span = Span::mixed_site().located_at(argument.ty.span()))
        };
        self.arguments.iter().enumerate().map(name).collect()
    }
}

impl<'a> Output<'a> {
    fn of(output: &'a ReturnType) -> Self {
        let ReturnType::Type(_, whole) = output else { return Self::Nothing };
        match value_of_result(whole) {
            Some(value) => Self::Result { value, whole },
            None => Self::Value(whole),
        }
    }

    /// The type that the caller gets.
    pub(crate) fn value_type(&self) -> TokenStream {
        match self {
            Self::Nothing => quote!(()),
            Self::Value(value) | Self::Result { value, .. } => quote!(#value),
        }
    }

    /// Makes a result of what a call of the function gives, with the error type that is due.
    pub(crate) fn result_of(&self, call: &TokenStream) -> TokenStream {
        match self {
            Self::Nothing | Self::Value(_) => quote!(::core::result::Result::Ok(#call)),
            Self::Result { whole, .. } => {
                quote_spanned!(at(whole.span())=> #call.map_err(::core::convert::Into::into))
            }
        }
    }
}

/// How a method takes `self`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lent {
    /// `&self`
    Shared,
    /// `&mut self`
    Mutable,
    /// `self`, or in a smart pointer.
    Not,
}

impl Lent {
    pub(crate) fn of(receiver: &Receiver) -> Self {
        match &*receiver.ty {
            Type::Reference(reference) if reference.mutability.is_some() => Self::Mutable,
            Type::Reference(_) => Self::Shared,
            _ => Self::Not,
        }
    }
}

/// The place of what the user wrote, for code that the user did not write.
pub(crate) fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Whether a type's name, without its path, is this; behind a reference, too.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == name),
        Type::Reference(reference) => is_named(&reference.elem, name),
        Type::Paren(inner) => is_named(&inner.elem, name),
        Type::Group(inner) => is_named(&inner.elem, name),
        _ => false,
    }
}

/// `T` of `Result<T, E>`, or of an alias whose name ends like that.
fn value_of_result(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if !last.ident.to_string().ends_with("Result") {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(value) => Some(value),
        _ => None,
    })
}

fn refuse_generics(signature: &syn::Signature) -> Result<()> {
    let mut parameters = signature.generics.params.iter();
    let problem = |parameter: &GenericParam| {
        let text = "callers call it by one name with one type, so it has no type parameters: write the type";
        Err(Error::new_spanned(parameter, text))
    };
    parameters.find(|parameter| !matches!(parameter, GenericParam::Lifetime(_))).map_or(Ok(()), problem)
}
