//! What a handler is for: a definition, a name that is known only at run time, or everything else.

use std::borrow::Cow;
use std::marker::PhantomData;

use timewright_converter::{Arguments, ConversionError, Payload, RawValue, Value};
use timewright_definition::{QueryDefinition, SignalDefinition, UpdateDefinition};

use crate::workflow::Workflow;

/// A Signal that workflow `W` can handle: the [definition](SignalDefinition) of one of its Signals, a [`NamedSignal`], or
/// [`AnySignal`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signal of workflow `{W}`",
    note = "implement `SignalDefinition` for it, with the workflow's definition as its `Workflow`"
)]
pub trait SignalOf<W: Workflow> {
    /// What the handler gets.
    type Input: 'static;
    /// The Signal's name; `None` for all that nothing else handles.
    fn name(&self) -> Option<Cow<'static, str>>;
    /// Reads what came with the Signal.
    ///
    /// # Errors
    /// When that is something else than the handler takes.
    fn read(name: &str, input: Vec<Payload>) -> Result<Self::Input, ConversionError>;
}

/// A Query that workflow `W` can answer: the [definition](QueryDefinition) of one of its Queries, a [`NamedQuery`], or
/// [`AnyQuery`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query of workflow `{W}`",
    note = "implement `QueryDefinition` for it, with the workflow's definition as its `Workflow`"
)]
pub trait QueryOf<W: Workflow> {
    /// What the handler gets.
    type Input: 'static;
    /// What it answers.
    type Output: Value;
    /// The Query's name; `None` for all that nothing else handles.
    fn name(&self) -> Option<Cow<'static, str>>;
    /// Reads what came with the Query.
    ///
    /// # Errors
    /// When that is something else than the handler takes.
    fn read(name: &str, input: Vec<Payload>) -> Result<Self::Input, ConversionError>;
}

/// An Update that workflow `W` can handle: the [definition](UpdateDefinition) of one of its Updates, a [`NamedUpdate`], or
/// [`AnyUpdate`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an update of workflow `{W}`",
    note = "implement `UpdateDefinition` for it, with the workflow's definition as its `Workflow`"
)]
pub trait UpdateOf<W: Workflow> {
    /// What the handler gets.
    type Input: 'static;
    /// What it answers.
    type Output: Value;
    /// The Update's name; `None` for all that nothing else handles.
    fn name(&self) -> Option<Cow<'static, str>>;
    /// Reads what came with the Update.
    ///
    /// # Errors
    /// When that is something else than the handler takes.
    fn read(name: &str, input: Vec<Payload>) -> Result<Self::Input, ConversionError>;
}

/// What a dynamic handler gets: a message's name, and what came with it, as it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UntypedMessage {
    /// The name of the Signal, Query or Update.
    pub name: String,
    /// The arguments, decoded by codecs but not read.
    pub input: Vec<Payload>,
}

impl UntypedMessage {
    /// Reads the arguments.
    ///
    /// ```
    /// # use timewright_converter::ConversionError;
    /// # use timewright_workflow_worker::UntypedMessage;
    /// fn amount(message: UntypedMessage) -> Result<u64, ConversionError> {
    ///     message.read()
    /// }
    /// ```
    ///
    /// # Errors
    /// When they are something else.
    pub fn read<I: Arguments>(self) -> Result<I, ConversionError> {
        I::from_payloads(self.input)
    }

    #[allow(clippy::unnecessary_wraps, reason = "it stands for the reading of input, which can fail")]
    fn new(name: &str, input: Vec<Payload>) -> Result<Self, ConversionError> {
        Ok(Self { name: name.to_owned(), input })
    }
}

/// All Signals that no other handler is for: a dynamic handler.
/// <https://docs.temporal.io/dynamic-handler>
#[derive(Debug, Clone, Copy)]
pub struct AnySignal;

/// All Queries that no other handler is for: a dynamic handler.
#[derive(Debug, Clone, Copy)]
pub struct AnyQuery;

/// All Updates that no other handler is for: a dynamic handler.
#[derive(Debug, Clone, Copy)]
pub struct AnyUpdate;

/// A Signal whose name is known only at run time, with arguments `I`.
#[derive(Debug, Clone)]
pub struct NamedSignal<I> {
    name: String,
    types: PhantomData<fn(I)>,
}

/// A Query whose name is known only at run time, with arguments `I` and answers `O`.
#[derive(Debug, Clone)]
pub struct NamedQuery<I, O> {
    name: String,
    types: PhantomData<fn(I) -> O>,
}

/// An Update whose name is known only at run time, with arguments `I` and answers `O`.
#[derive(Debug, Clone)]
pub struct NamedUpdate<I, O> {
    name: String,
    types: PhantomData<fn(I) -> O>,
}

/// The three ways in which a handler can say what it is for, the same for each kind of message.
macro_rules! kind_of_messages {
    ($of:ident: $definition:ident, $named:ident, $any:ident $(, $output:ident = $o:ident)?) => {
        impl<W: Workflow, D: $definition<Workflow = W::Definition>> $of<W> for D {
            type Input = D::Input;
            $(type $output = D::$output;)?

            fn name(&self) -> Option<Cow<'static, str>> {
                Some(Cow::Borrowed(D::NAME))
            }

            fn read(_name: &str, input: Vec<Payload>) -> Result<D::Input, ConversionError> {
                D::Input::from_payloads(input)
            }
        }

        impl<W: Workflow, I: Arguments $(, $o: Value)?> $of<W> for $named<I $(, $o)?> {
            type Input = I;
            $(type $output = $o;)?

            fn name(&self) -> Option<Cow<'static, str>> {
                Some(Cow::Owned(self.name.clone()))
            }

            fn read(_name: &str, input: Vec<Payload>) -> Result<I, ConversionError> {
                I::from_payloads(input)
            }
        }

        impl<I $(, $o)?> $named<I $(, $o)?> {
            /// The one of this name.
            pub fn new(name: impl Into<String>) -> Self {
                Self { name: name.into(), types: PhantomData }
            }
        }

        impl<W: Workflow> $of<W> for $any {
            type Input = UntypedMessage;
            $(type $output = RawValue;)?

            fn name(&self) -> Option<Cow<'static, str>> {
                None
            }

            fn read(name: &str, input: Vec<Payload>) -> Result<UntypedMessage, ConversionError> {
                UntypedMessage::new(name, input)
            }
        }
    };
}

kind_of_messages!(SignalOf: SignalDefinition, NamedSignal, AnySignal);
kind_of_messages!(QueryOf: QueryDefinition, NamedQuery, AnyQuery, Output = O);
kind_of_messages!(UpdateOf: UpdateDefinition, NamedUpdate, AnyUpdate, Output = O);
