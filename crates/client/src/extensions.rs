//! What whoever gets a client finds by its type.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Default)]
pub(crate) struct Extensions(Vec<Arc<dyn Any + Send + Sync>>);

impl Extensions {
    pub(crate) fn push<T: Send + Sync + 'static>(&mut self, extension: T) {
        self.0.push(Arc::new(extension));
    }

    pub(crate) fn of_type<T: Send + Sync + 'static>(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|extension| extension.downcast_ref())
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Extensions").field("count", &self.0.len()).finish_non_exhaustive()
    }
}
