//! What plugins are made of: steps that set something up, once.

use std::fmt;
use std::sync::Arc;

/// A step that sets a `B` up: [`ClientOptions`](crate::ClientOptions), or the builder of a worker. It has a name, and is applied to
/// one thing at most once. Cheap to clone.
///
/// Put into a client's options with [`ClientOptions::extension`](crate::ClientOptions::extension), a step for the builder of a
/// worker sets up every such worker that is built with the client, before anything else is said of it. Plugins of the crate
/// `timewright` are made of these.
pub struct SetUp<B> {
    name: Arc<str>,
    apply: Arc<dyn Fn(B) -> B + Send + Sync>,
}

/// The names of the steps that something has been set up by.
#[derive(Clone, Debug, Default)]
pub struct AppliedSetUps(Vec<Arc<str>>);

impl<B> SetUp<B> {
    /// A step with this name, which should name whoever provides it.
    pub fn new(name: impl Into<Arc<str>>, apply: impl Fn(B) -> B + Send + Sync + 'static) -> Self {
        Self { name: name.into(), apply: Arc::new(apply) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets `target` up, unless a step of this name has done so. `applied` gives the place where `target` keeps the names.
    #[must_use]
    pub fn apply_once(&self, mut target: B, applied: impl FnOnce(&mut B) -> &mut AppliedSetUps) -> B {
        let AppliedSetUps(names) = applied(&mut target);
        if names.contains(&self.name) {
            tracing::debug!(name = &*self.name, "set up already, so not once more");
            return target;
        }
        names.push(Arc::clone(&self.name));
        (self.apply)(target)
    }
}

impl<B> Clone for SetUp<B> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), apply: Arc::clone(&self.apply) }
    }
}

impl<B> fmt::Debug for SetUp<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SetUp").field("name", &self.name).finish_non_exhaustive()
    }
}
