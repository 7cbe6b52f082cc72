//! Values that belong to a request and not to one call, such as a tenant, and how they travel: in headers.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use timewright_converter::{ConversionError, Value};
use timewright_proto::common::Header;

/// Values that belong to a request: who it is done for, which trace it is part of. At most one of each type. Cheap to clone.
///
/// ```
/// use timewright_definition::ContextValues;
///
/// #[derive(Debug, PartialEq)]
/// struct Tenant(String);
///
/// let values = ContextValues::default().with(Tenant("acme".to_owned()));
/// assert_eq!(values.get::<Tenant>(), Some(&Tenant("acme".to_owned())));
/// ```
#[derive(Clone, Default)]
pub struct ContextValues(Option<Arc<Values>>);

type Values = BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>;

impl ContextValues {
    /// The value of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.as_ref()?.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Puts a value in, in place of another of its type. Clones do not see it.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let values = self.0.get_or_insert_default();
        Arc::make_mut(values).insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// These, and this one.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.insert(value);
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|values| values.is_empty())
    }
}

impl fmt::Debug for ContextValues {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values themselves may be secret, and need not be printable.
        let count = self.0.as_ref().map_or(0, |values| values.len());
        formatter.debug_struct("ContextValues").field("count", &count).finish_non_exhaustive()
    }
}

/// Carries context values over the wire: into the headers of calls, and out of them on the other side.
///
/// Registered once, with the client's options: all that is called with the client, and all workers that are built with it, then
/// carry its values: from the client to workflows, with Signals, Queries and Updates, from workflows to activities, Child
/// Workflows, other workflows and the next run, from activities to what they start.
///
/// [`PropagatedValue`] is the one for a single serialisable type. Write one of your own where a header has a form of its own.
/// In workflows both are called on workflow threads, and on replay again: what they give may depend on nothing but their
/// arguments.
pub trait ContextPropagator: Send + Sync + 'static {
    /// Writes what it carries into the header of a call. It is not called where there are no values at all: what a header is to have in
    /// any case is an interceptor's affair.
    ///
    /// # Errors
    /// If it cannot be written; the call then fails, instead of being made without.
    fn inject(&self, values: &ContextValues, header: &mut Header) -> Result<(), ConversionError>;

    /// Reads what it carries out of the header of a call. A header without it is no error.
    ///
    /// # Errors
    /// If it cannot be read; what was called then fails, and is tried again, instead of going on without.
    fn extract(&self, header: &Header, values: &mut ContextValues) -> Result<(), ConversionError>;

    /// Writes what it carries into the header of a Nexus operation, which has texts and goes over HTTP where no Payload Codec
    /// reaches it. Does nothing by default.
    ///
    /// # Errors
    /// As of [`inject`](Self::inject).
    fn inject_nexus(
        &self,
        values: &ContextValues,
        header: &mut BTreeMap<String, String>,
    ) -> Result<(), ConversionError> {
        let _ = (values, header);
        Ok(())
    }
}

/// Carries the value of one type under one name, written as any argument is.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use timewright_definition::PropagatedValue;
///
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// pub struct Tenant(pub String);
///
/// /// In the crate of the definitions: all programs have to agree on it.
/// pub fn tenant() -> PropagatedValue<Tenant> {
///     PropagatedValue::new("tenant")
/// }
/// ```
pub struct PropagatedValue<T> {
    name: String,
    through_nexus: bool,
    value: PhantomData<fn() -> T>,
}

impl<T> PropagatedValue<T> {
    /// Carries `T` in this field of headers. Names that begin with `_` are for SDKs and their tools.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), through_nexus: false, value: PhantomData }
    }

    /// Carries it to the handlers of Nexus operations, too, as JSON. It then goes over HTTP as a text that no Payload Codec
    /// reaches.
    #[must_use]
    pub fn through_nexus(mut self) -> Self {
        self.through_nexus = true;
        self
    }
}

impl<T> fmt::Debug for PropagatedValue<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PropagatedValue").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T: Value + Send + Sync + 'static> ContextPropagator for PropagatedValue<T> {
    fn inject(&self, values: &ContextValues, header: &mut Header) -> Result<(), ConversionError> {
        if let Some(value) = values.get::<T>() {
            header.fields.insert(self.name.clone(), value.to_payload()?);
        }
        Ok(())
    }

    fn extract(&self, header: &Header, values: &mut ContextValues) -> Result<(), ConversionError> {
        if let Some(payload) = header.fields.get(&self.name) {
            values.insert(T::from_payload(payload.clone())?);
        }
        Ok(())
    }

    fn inject_nexus(
        &self,
        values: &ContextValues,
        header: &mut BTreeMap<String, String>,
    ) -> Result<(), ConversionError> {
        if let Some(value) = values.get::<T>().filter(|_| self.through_nexus) {
            header.insert(self.name.clone(), String::from_utf8_lossy(&value.to_payload()?.data).into_owned());
        }
        Ok(())
    }
}

/// Several propagators, in the order in which they were added. Cheap to clone.
#[derive(Clone, Default)]
pub struct ContextPropagators(Arc<Vec<Arc<dyn ContextPropagator>>>);

impl ContextPropagators {
    /// Adds one.
    pub fn push(&mut self, propagator: impl ContextPropagator) {
        Arc::make_mut(&mut self.0).push(Arc::new(propagator));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes what all of them carry.
    ///
    /// # Errors
    /// Of the first that fails.
    pub fn inject(&self, values: &ContextValues, header: &mut Header) -> Result<(), ConversionError> {
        self.0.iter().try_for_each(|propagator| propagator.inject(values, header))
    }

    /// Reads what all of them carry.
    ///
    /// # Errors
    /// Of the first that fails.
    pub fn extract(&self, header: &Header, values: &mut ContextValues) -> Result<(), ConversionError> {
        self.0.iter().try_for_each(|propagator| propagator.extract(header, values))
    }

    /// Writes what those of them carry that know Nexus.
    ///
    /// # Errors
    /// Of the first that fails.
    pub fn inject_nexus(
        &self,
        values: &ContextValues,
        header: &mut BTreeMap<String, String>,
    ) -> Result<(), ConversionError> {
        self.0.iter().try_for_each(|propagator| propagator.inject_nexus(values, header))
    }
}

impl fmt::Debug for ContextPropagators {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ContextPropagators").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_what_comes_later() {
        let mut values = ContextValues::default().with(1_u8).with("text".to_owned());
        let before = values.clone();
        values.insert(2_u8);
        assert_eq!((before.get::<u8>(), values.get::<u8>()), (Some(&1), Some(&2)));
        assert_eq!((values.get::<String>().map(String::as_str), values.get::<u16>()), (Some("text"), None));
    }

    #[test]
    fn a_value_goes_through_a_header_and_nothing_else_does() {
        let mut propagators = ContextPropagators::default();
        propagators.push(PropagatedValue::<String>::new("tenant").through_nexus());
        propagators.push(PropagatedValue::<u64>::new("number"));
        let values = ContextValues::default().with("acme".to_owned()).with(7_u8);
        let (mut header, mut nexus) = (Header::default(), BTreeMap::new());
        propagators.inject(&values, &mut header).unwrap();
        propagators.inject_nexus(&values, &mut nexus).unwrap();
        assert_eq!(header.fields.keys().collect::<Vec<_>>(), ["tenant"]);
        assert_eq!(nexus, BTreeMap::from([("tenant".to_owned(), "\"acme\"".to_owned())]));
        let mut read = ContextValues::default();
        propagators.extract(&header, &mut read).unwrap();
        assert_eq!((read.get::<String>().map(String::as_str), read.get::<u8>()), (Some("acme"), None));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_missing() {
        let mut header = Header::default();
        PropagatedValue::<String>::new("tenant")
            .inject(&ContextValues::default().with("acme".to_owned()), &mut header)
            .unwrap();
        PropagatedValue::<u64>::new("tenant").extract(&header, &mut ContextValues::default()).unwrap_err();
    }

    #[test]
    fn values_are_not_shown() {
        assert!(!format!("{:?}", ContextValues::default().with("secret".to_owned())).contains("secret"));
    }
}
