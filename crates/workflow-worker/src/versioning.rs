//! What a Workflow Worker says of its version, and of how its workflows behave when another version is made the current one.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use timewright_client::{VersioningBehavior, WorkerDeployment};
use timewright_proto::enums;
use timewright_proto::temporal::api::deployment::v1::{WorkerDeploymentOptions, WorkerDeploymentVersion};

#[derive(Debug, Clone, Default)]
pub(crate) struct Versioning {
    pub(crate) deployment: Option<WorkerDeployment>,
    /// What the workflows themselves say, by type.
    declared: BTreeMap<String, Option<VersioningBehavior>>,
    /// What the one says that is for all other types.
    dynamic: Option<VersioningBehavior>,
    /// What whoever set the worker up says, by type. It counts more.
    chosen: BTreeMap<String, VersioningBehavior>,
    /// The same, for types that nobody named.
    chosen_dynamically: Option<Choice>,
}

#[derive(Clone)]
struct Choice(Arc<Chooses>);

type Chooses = dyn Fn(&str) -> Option<VersioningBehavior> + Send + Sync;

impl Versioning {
    pub(crate) fn declare(&mut self, workflow_type: &str, behavior: Option<VersioningBehavior>) {
        self.declared.insert(workflow_type.to_owned(), behavior);
    }

    pub(crate) fn declare_dynamic(&mut self, behavior: Option<VersioningBehavior>) {
        self.dynamic = behavior;
    }

    pub(crate) fn choose(&mut self, workflow_type: String, behavior: VersioningBehavior) {
        self.chosen.insert(workflow_type, behavior);
    }

    pub(crate) fn choose_dynamically(
        &mut self,
        choice: impl Fn(&str) -> Option<VersioningBehavior> + Send + Sync + 'static,
    ) {
        self.chosen_dynamically = Some(Choice(Arc::new(choice)));
    }

    /// Whether the server would refuse what this type's Workflow Tasks are answered with.
    pub(crate) fn is_missing(&self, workflow_type: &str) -> bool {
        self.versioned().is_some() && self.known(workflow_type).is_none()
    }

    /// What polls and answers say.
    pub(crate) fn options(&self) -> Option<WorkerDeploymentOptions> {
        self.deployment.as_ref().map(WorkerDeployment::to_proto)
    }

    /// The version that the workflows run on, where there are versions.
    pub(crate) fn version(&self) -> Option<WorkerDeploymentVersion> {
        self.versioned().map(WorkerDeployment::version)
    }

    /// What the answers to this type's Workflow Tasks say.
    pub(crate) fn behavior(&self, workflow_type: &str) -> enums::VersioningBehavior {
        match self.versioned() {
            Some(_) => self.known(workflow_type).map_or(enums::VersioningBehavior::Unspecified, Into::into),
            None => enums::VersioningBehavior::Unspecified,
        }
    }

    fn versioned(&self) -> Option<&WorkerDeployment> {
        self.deployment.as_ref().filter(|deployment| deployment.is_versioned())
    }

    fn known(&self, workflow_type: &str) -> Option<VersioningBehavior> {
        let declared = self.declared.get(workflow_type).copied().unwrap_or_else(|| self.of_dynamic(workflow_type));
        let said = self.chosen.get(workflow_type).copied().or(declared);
        said.or_else(|| self.versioned().and_then(WorkerDeployment::default_behavior))
    }
}

impl Versioning {
    /// A choice that panics is none: the answer that it was asked for must not be lost.
    fn of_dynamic(&self, workflow_type: &str) -> Option<VersioningBehavior> {
        let chosen = self.chosen_dynamically.as_ref().and_then(|Choice(choice)| {
            std::panic::catch_unwind(AssertUnwindSafe(|| choice(workflow_type))).unwrap_or_default()
        });
        chosen.or(self.dynamic)
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Choice")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_counts_more_than_what_was_declared_and_that_more_than_the_default() {
        let deployment = WorkerDeployment::versioned("orders", "2");
        let mut versioning = Versioning { deployment: Some(deployment.clone()), ..Versioning::default() };
        versioning.declare("declared", Some(VersioningBehavior::Pinned));
        versioning.declare("chosen", Some(VersioningBehavior::Pinned));
        versioning.choose("chosen".to_owned(), VersioningBehavior::AutoUpgrade);
        versioning.declare("silent", None);
        versioning.declare_dynamic(Some(VersioningBehavior::Pinned));
        let behaviors = |versioning: &Versioning| {
            ["declared", "chosen", "silent"].map(|name| (versioning.behavior(name), versioning.is_missing(name)))
        };
        use enums::VersioningBehavior::{AutoUpgrade, Pinned, Unspecified};
        assert_eq!(behaviors(&versioning), [(Pinned, false), (AutoUpgrade, false), (Unspecified, true)]);
        assert_eq!(versioning.behavior("any other"), Pinned);
        versioning.choose_dynamically(|name| (name != "any other").then_some(VersioningBehavior::AutoUpgrade));
        assert_eq!(["any other", "one of many"].map(|name| versioning.behavior(name)), [Pinned, AutoUpgrade]);
        assert_eq!(versioning.behavior("declared"), Pinned);

        versioning.deployment = Some(deployment.default_versioning_behavior(VersioningBehavior::AutoUpgrade));
        assert_eq!(behaviors(&versioning)[2], (AutoUpgrade, false));

        // The server refuses a behavior of a worker that takes no part in versioning.
        versioning.deployment = Some(WorkerDeployment::unversioned("orders", "2"));
        assert_eq!(behaviors(&versioning), [(Unspecified, false); 3]);
    }
}
