//! What stands in an attribute's parentheses.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Ident, LitStr, Meta, Path, Result, Token, Type};

use crate::paths::Paths;

/// The arguments of one attribute. Each attribute takes some of them.
#[derive(Default)]
pub(crate) struct Options {
    /// A definition that exists already: `(Greeting)`.
    pub(crate) definition: Option<Path>,
    /// `name = "…"`: what histories and callers of other languages call it.
    pub(crate) name: Option<LitStr>,
    /// `define = …`: what the definition is called here.
    pub(crate) define: Option<Ident>,
    /// `validator = …`
    pub(crate) validator: Option<Ident>,
    /// `unfinished = …`
    pub(crate) unfinished: Option<Ident>,
    /// `versioning = …`
    pub(crate) versioning: Option<Ident>,
    /// `workflow = …`
    pub(crate) workflow: Option<Path>,
    /// `input = …`
    pub(crate) input: Option<Type>,
    /// `output = …`
    pub(crate) output: Option<Type>,
    /// `crate = …`: where the umbrella crate is, if not at `::timewright`.
    pub(crate) root: Option<Path>,
}

/// Which arguments an attribute takes.
pub(crate) struct Allowed {
    /// The attribute, for texts.
    pub(crate) attribute: &'static str,
    /// Whether it may name a definition that exists already.
    pub(crate) definition: bool,
    pub(crate) named: &'static [&'static str],
}

impl Options {
    /// Reads the arguments of a helper attribute: `#[signal]` or `#[signal(…)]`.
    pub(crate) fn of_attribute(attribute: &Attribute, allowed: &Allowed) -> Result<Self> {
        match &attribute.meta {
            Meta::Path(_) => Ok(Self::default()),
            Meta::List(list) => Self::of_tokens(list.tokens.clone(), allowed),
            Meta::NameValue(_) => Err(Error::new_spanned(
                attribute,
                format!("arguments stand in parentheses: `#[{}(…)]`", allowed.attribute),
            )),
        }
    }

    /// Reads what stands in the parentheses.
    pub(crate) fn of_tokens(tokens: TokenStream, allowed: &Allowed) -> Result<Self> {
        let parser = |input: ParseStream<'_>| {
            let mut options = Self::default();
            while !input.is_empty() {
                options.take_one(input, allowed)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(options)
        };
        let options = parser.parse2(tokens)?;
        options.check()?;
        Ok(options)
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths::umbrella(self.root.as_ref())
    }

    fn take_one(&mut self, input: ParseStream<'_>, allowed: &Allowed) -> Result<()> {
        if !is_named(input) {
            return self.take_definition(input, allowed);
        }
        let key = input.call(Ident::parse_any)?;
        let name = key.to_string();
        if !allowed.named.contains(&name.as_str()) {
            return Err(Error::new(key.span(), allowed.unknown(&name)));
        }
        input.parse::<Token![=]>()?;
        match name.as_str() {
            "name" => once(&mut self.name, input.parse()?, &key),
            "define" => once(&mut self.define, input.parse()?, &key),
            "validator" => once(&mut self.validator, input.parse()?, &key),
            "unfinished" => once(&mut self.unfinished, input.parse()?, &key),
            "versioning" => once(&mut self.versioning, input.parse()?, &key),
            "workflow" => once(&mut self.workflow, input.parse()?, &key),
            "input" => once(&mut self.input, input.parse()?, &key),
            "output" => once(&mut self.output, input.parse()?, &key),
            _ => once(&mut self.root, input.parse()?, &key),
        }
    }

    fn take_definition(&mut self, input: ParseStream<'_>, allowed: &Allowed) -> Result<()> {
        if input.peek(LitStr) {
            return Err(input.error("a name is written `name = \"…\"`"));
        }
        let Ok(path) = input.call(Path::parse_mod_style) else {
            return Err(input.error(allowed.unknown_form()));
        };
        if !allowed.definition {
            let text = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            return Err(Error::new_spanned(&path, allowed.unknown(&text)));
        }
        if self.definition.is_some() {
            return Err(Error::new_spanned(&path, "a second definition; it implements one"));
        }
        self.definition = Some(path);
        Ok(())
    }

    /// What names a definition that exists cannot also say what it is.
    fn check(&self) -> Result<()> {
        let Some(definition) = &self.definition else { return Ok(()) };
        let problem = |span: Span, what: &str| {
            let text = path_text(definition);
            Err(Error::new(span, format!("`{text}` is defined elsewhere, with its name there: remove `{what} = …`")))
        };
        match (&self.name, &self.define) {
            (Some(name), _) => problem(name.span(), "name"),
            (_, Some(define)) => problem(define.span(), "define"),
            (None, None) => Ok(()),
        }
    }
}

impl Allowed {
    fn unknown(&self, name: &str) -> String {
        format!("unknown argument `{name}`; {}", self.list())
    }

    fn unknown_form(&self) -> String {
        format!("this is no argument; {}", self.list())
    }

    fn list(&self) -> String {
        let mut known: Vec<String> = self.named.iter().map(|name| format!("`{name} = …`")).collect();
        if self.definition {
            known.insert(0, "a definition".to_owned());
        }
        match known.as_slice() {
            [] => format!("`#[{}]` takes none", self.attribute),
            _ => format!("`#[{}]` takes {}", self.attribute, known.join(", ")),
        }
    }
}

/// A path as one writes it.
pub(crate) fn path_text(path: &Path) -> String {
    let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let leading = if path.leading_colon.is_some() { "::" } else { "" };
    format!("{leading}{}", segments.join("::"))
}

fn is_named(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    fork.call(Ident::parse_any).is_ok() && fork.peek(Token![=])
}

fn once<T>(slot: &mut Option<T>, value: T, key: &Ident) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(key.span(), format!("`{key}` is given twice"))),
    }
}
