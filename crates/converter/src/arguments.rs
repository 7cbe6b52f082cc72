//! The arguments of a call ⇄ a list of Payloads.

use std::any::type_name;

use crate::value::is_unit;
use crate::{ConversionError, Payload, Value, encoding};

/// The arguments of a call: to a workflow, an activity, a signal, query or update; also a heartbeat's details.
///
/// - Any [`Value`] is one argument; that is the form to prefer, since a struct can grow fields.
/// - `()` is no argument, and accepts whatever is given.
/// - [`Multiple`] is two to six arguments, for contracts with other languages that use several.
/// - [`RawArguments`] are Payloads as they are.
///
/// An argument that the caller left out is read as null, so that an `Option` becomes `None`; too many are an error.
///
/// ```
/// use timewright_converter::{Arguments, Multiple};
///
/// let payloads = Multiple(("Ada".to_owned(), 36)).to_payloads()?;
/// assert_eq!(payloads.len(), 2);
///
/// // A newer implementer has one argument more, which older callers do not give.
/// let Multiple((name, age, title)) = Multiple::<(String, u32, Option<String>)>::from_payloads(payloads)?;
/// assert_eq!((name.as_str(), age, title), ("Ada", 36, None));
/// # Ok::<(), timewright_converter::ConversionError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a call",
    label = "neither a `Value` nor `Multiple`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; for several arguments use `Multiple<(A, B)>`"
)]
pub trait Arguments: Sized + 'static {
    /// Serialises the arguments, in order.
    ///
    /// # Errors
    /// When one of them cannot be written.
    fn to_payloads(&self) -> Result<Vec<Payload>, ConversionError>;

    /// Reads the arguments.
    ///
    /// # Errors
    /// When one of them cannot be read, is missing, or when there are too many.
    fn from_payloads(payloads: Vec<Payload>) -> Result<Self, ConversionError>;
}

/// Two to six arguments.
///
/// A tuple alone is *one* argument, a JSON array. This is for contracts that have several.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Multiple<T>(pub T);

/// Payloads as they are, neither serialised nor read. For code that passes calls on without knowing them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawArguments(pub Vec<Payload>);

impl Arguments for RawArguments {
    fn to_payloads(&self) -> Result<Vec<Payload>, ConversionError> {
        Ok(self.0.clone())
    }

    fn from_payloads(payloads: Vec<Payload>) -> Result<Self, ConversionError> {
        Ok(Self(payloads))
    }
}

impl<T: Value> Arguments for T {
    fn to_payloads(&self) -> Result<Vec<Payload>, ConversionError> {
        if is_unit::<T>() {
            return Ok(Vec::new());
        }
        Ok(vec![written(1, self)?])
    }

    fn from_payloads(payloads: Vec<Payload>) -> Result<Self, ConversionError> {
        if is_unit::<T>() {
            return T::from_payload(encoding::null());
        }
        let mut list = List::new::<T>(payloads, 1)?;
        list.next()
    }
}

/// `impl Arguments for Multiple<(…)>`; nothing but the repetition over lengths, which Rust has no other way to write.
macro_rules! multiple {
    ($count:literal: $($position:literal $field:tt $name:ident),+) => {
        impl<$($name: Value),+> Arguments for Multiple<($($name,)+)> {
            fn to_payloads(&self) -> Result<Vec<Payload>, ConversionError> {
                Ok(vec![$(written($position, &self.0.$field)?),+])
            }

            fn from_payloads(payloads: Vec<Payload>) -> Result<Self, ConversionError> {
                let mut list = List::new::<Self>(payloads, $count)?;
                Ok(Self(($(list.next::<$name>()?,)+)))
            }
        }
    };
}

multiple!(2: 1 0 A, 2 1 B);
multiple!(3: 1 0 A, 2 1 B, 3 2 C);
multiple!(4: 1 0 A, 2 1 B, 3 2 C, 4 3 D);
multiple!(5: 1 0 A, 2 1 B, 3 2 C, 4 3 D, 5 4 E);
multiple!(6: 1 0 A, 2 1 B, 3 2 C, 4 3 D, 5 4 E, 6 5 F);

fn written<T: Value>(position: usize, value: &T) -> Result<Payload, ConversionError> {
    value.to_payload().map_err(|problem| ConversionError::Argument { position, problem: Box::new(problem) })
}

/// Arguments that are read one after the other.
struct List {
    payloads: std::vec::IntoIter<Payload>,
    given: usize,
    position: usize,
}

impl List {
    fn new<T>(payloads: Vec<Payload>, taken: usize) -> Result<Self, ConversionError> {
        let given = payloads.len();
        if given > taken {
            return Err(ConversionError::TooManyArguments { rust_type: type_name::<T>(), given, taken });
        }
        Ok(Self { payloads: payloads.into_iter(), given, position: 0 })
    }

    fn next<T: Value>(&mut self) -> Result<T, ConversionError> {
        self.position += 1;
        let position = self.position;
        match self.payloads.next() {
            Some(payload) => T::from_payload(payload)
                .map_err(|problem| ConversionError::Argument { position, problem: Box::new(problem) }),
            // `position` says more than "null is no such value".
            None => T::from_payload(encoding::null()).map_err(|_| ConversionError::MissingArgument {
                rust_type: type_name::<T>(),
                position,
                given: self.given,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(count: u32) -> Vec<Payload> {
        (1..=count).map(|number| number.to_payload().unwrap()).collect()
    }

    fn read<T: Arguments>(count: u32) -> Result<T, String> {
        T::from_payloads(payloads(count)).map_err(|error| error.to_string())
    }

    #[test]
    fn unit_is_no_argument_and_accepts_anything() {
        assert_eq!(().to_payloads(), Ok(Vec::new()));
        assert_eq!(read::<()>(0), Ok(()));
        assert_eq!(read::<()>(3), Ok(()));
    }

    #[test]
    fn one_value_is_one_argument() {
        assert_eq!(read::<u32>(1), Ok(1));
        assert_eq!(read::<Option<u32>>(0), Ok(None));
        assert_eq!(
            read::<u32>(0),
            Err("argument 1 (u32) is missing: the call has 0. Only an Option may be left out".into())
        );
        assert_eq!(read::<u32>(2), Err("the call has 2 arguments, but u32 takes 1".into()));
        assert_eq!((1, 2).to_payloads().unwrap().len(), 1, "a tuple alone is one argument");
        assert_eq!(None::<u32>.to_payloads().unwrap().len(), 1, "null is given, not left out");
    }

    #[test]
    fn several_arguments() {
        assert_eq!(Multiple((1_u32, 2_u32, 3_u32)).to_payloads(), Ok(payloads(3)));
        assert_eq!(read::<Multiple<(u32, u32)>>(2), Ok(Multiple((1, 2))));
        assert_eq!(read::<Multiple<(u32, Option<u32>, ())>>(1), Ok(Multiple((1, None, ()))));
        assert_eq!(read::<Multiple<(u32, u32, u32, u32, u32, u32)>>(6).map(|Multiple(tuple)| tuple.5), Ok(6));
        assert_eq!(
            read::<Multiple<(u32, u32)>>(1),
            Err("argument 2 (u32) is missing: the call has 1. Only an Option may be left out".into())
        );
        assert_eq!(
            read::<Multiple<(u32, u32)>>(3),
            Err("the call has 3 arguments, but timewright_converter::arguments::Multiple<(u32, u32)> takes 2".into())
        );
        assert_eq!(
            read::<Multiple<(u32, String)>>(2),
            Err("argument 2: a Payload with encoding `json/plain` cannot be read as alloc::string::String: invalid type: \
                 integer, expected a string at line 1 column 1"
                .into())
        );
    }

    #[test]
    fn raw_arguments_are_what_they_are() {
        assert_eq!(RawArguments::from_payloads(payloads(4)).unwrap().to_payloads(), Ok(payloads(4)));
    }
}
