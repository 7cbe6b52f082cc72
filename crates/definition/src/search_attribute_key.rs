//! Search attributes by name and kind.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::SystemTime;

use timewright_converter::{ConversionError, Payload, Value};
use timewright_proto::prost_types::Timestamp;

use crate::SearchAttributeValue;

/// The name of a search attribute, and of which kind its values are, so that a value of another kind does not compile.
///
/// Usually a constant beside the definitions of the workflows that have it; [`named`](Self::named) is for a name that is known only
/// at run time. Where a key is asked for, a name alone does, too, with a [`SearchAttributeValue`] that says its kind.
/// <https://docs.temporal.io/search-attribute>
///
/// ```
/// use timewright_definition::SearchAttributeKey;
/// use timewright_definition::search_attribute_kind::{Int, Keyword};
///
/// const CUSTOMER: SearchAttributeKey<Keyword> = SearchAttributeKey::new("CustomerId");
/// let at_run_time = SearchAttributeKey::<Int>::named(format!("Amount{}", "Paid"));
/// assert_eq!((CUSTOMER.name(), at_run_time.name()), ("CustomerId", "AmountPaid"));
/// ```
pub struct SearchAttributeKey<K> {
    name: Cow<'static, str>,
    kind: PhantomData<fn() -> K>,
}

impl<K: SearchAttributeKind> SearchAttributeKey<K> {
    /// The attribute of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), kind: PhantomData }
    }

    /// The attribute of a name that is known only at run time.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), kind: PhantomData }
    }

    /// The attribute's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value that a Payload has; `None` for one that says that there is none.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn read(&self, payload: &Payload) -> Result<Option<K::Value>, ConversionError> {
        K::read(payload)
    }
}

/// A kind of search attributes: one of [`search_attribute_kind`].
pub trait SearchAttributeKind: sealed::Sealed + 'static {
    /// What values are in Rust.
    type Value;

    /// The value with its kind.
    fn to_search_attribute(value: Self::Value) -> SearchAttributeValue;

    #[doc(hidden)]
    fn read(payload: &Payload) -> Result<Option<Self::Value>, ConversionError>;
}

mod sealed {
    pub trait Sealed {}
}

/// The kinds of search attributes, for [`SearchAttributeKey`].
pub mod search_attribute_kind {
    use super::{
        ConversionError, Payload, SearchAttributeKind, SearchAttributeValue, SystemTime, Timestamp, Value, sealed,
    };

    macro_rules! kinds {
        ($($(#[doc = $text:literal])+ $kind:ident: $value:ty)+) => {
            $(
                $(#[doc = $text])+
                #[derive(Debug)]
                pub enum $kind {}

                impl sealed::Sealed for $kind {}

                impl SearchAttributeKind for $kind {
                    type Value = $value;

                    fn to_search_attribute(value: $value) -> SearchAttributeValue {
                        SearchAttributeValue::$kind(value)
                    }

                    fn read(payload: &Payload) -> Result<Option<$value>, ConversionError> {
                        Option::from_payload(payload.clone())
                    }
                }
            )+
        };
    }

    kinds! {
        /// Yes or no.
        Bool: bool
        /// A number.
        Double: f64
        /// A whole number.
        Int: i64
        /// A text that is found as a whole.
        Keyword: String
        /// Several such texts, each of which is found.
        KeywordList: Vec<String>
        /// A text whose words are found.
        Text: String
    }

    /// A point in time.
    #[derive(Debug)]
    pub enum Datetime {}

    impl sealed::Sealed for Datetime {}

    impl SearchAttributeKind for Datetime {
        type Value = SystemTime;

        fn to_search_attribute(value: SystemTime) -> SearchAttributeValue {
            SearchAttributeValue::Datetime(value)
        }

        fn read(payload: &Payload) -> Result<Option<SystemTime>, ConversionError> {
            let Some(text) = Option::<String>::from_payload(payload.clone())? else { return Ok(None) };
            let not_a_time = |reason: String| ConversionError::Deserialize {
                rust_type: "SystemTime",
                encoding: "json/plain",
                reason,
            };
            let timestamp: Timestamp = text.parse().map_err(|_| not_a_time("it is no time in RFC 3339".to_owned()))?;
            SystemTime::try_from(timestamp).map(Some).map_err(|error| not_a_time(error.to_string()))
        }
    }

    /// A kind that is known only at run time: values say it themselves, and are read as Payloads.
    #[derive(Debug)]
    pub enum Any {}

    impl sealed::Sealed for Any {}

    impl SearchAttributeKind for Any {
        type Value = SearchAttributeValue;

        fn to_search_attribute(value: SearchAttributeValue) -> SearchAttributeValue {
            value
        }

        fn read(payload: &Payload) -> Result<Option<SearchAttributeValue>, ConversionError> {
            SearchAttributeValue::from_payload(payload)
        }
    }
}

impl<K> Clone for SearchAttributeKey<K> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for SearchAttributeKey<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SearchAttributeKey").field(&self.name).finish()
    }
}

impl<K> PartialEq for SearchAttributeKey<K> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<K> From<&SearchAttributeKey<K>> for SearchAttributeKey<K> {
    fn from(key: &SearchAttributeKey<K>) -> Self {
        key.clone()
    }
}

impl From<&str> for SearchAttributeKey<search_attribute_kind::Any> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl From<String> for SearchAttributeKey<search_attribute_kind::Any> {
    fn from(name: String) -> Self {
        Self::named(name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::search_attribute_kind::{Any, Bool, Datetime, Double, Int, Keyword, KeywordList, Text};
    use super::*;

    fn check<K: SearchAttributeKind<Value: Clone + PartialEq + fmt::Debug>>(value: K::Value) {
        let key = SearchAttributeKey::<K>::new("Name");
        let payload = K::to_search_attribute(value.clone()).to_payload().expect("written");
        assert_eq!(key.read(&payload).expect("read"), Some(value.clone()));
        let any = SearchAttributeKey::<Any>::from("Name").read(&payload).expect("read");
        assert_eq!(any, Some(K::to_search_attribute(value)));
        assert_eq!(key.read(&().to_payload().expect("null")).expect("read"), None);
    }

    #[test]
    fn each_kind_is_read_as_it_was_written() {
        check::<Bool>(true);
        check::<Datetime>(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        check::<Double>(1.5);
        check::<Int>(-3);
        check::<Keyword>("a b".into());
        check::<KeywordList>(vec!["a".into(), "b".into()]);
        check::<Text>("a b".into());
    }

    #[test]
    fn a_value_of_another_kind_is_an_error() {
        let payload = SearchAttributeValue::Keyword("a".into()).to_payload().expect("written");
        assert!(SearchAttributeKey::<Int>::new("Name").read(&payload).is_err());
        assert!(SearchAttributeKey::<Datetime>::new("Name").read(&payload).is_err());
    }
}
