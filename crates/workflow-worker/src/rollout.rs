//! Which changes of code the runs go along with that come to them for the first time.

use std::fmt;
use std::sync::Arc;

use crate::info::WorkflowInfo;

/// A patch that a run comes to for the first time:
/// [`WorkflowWorkerBuilder::patch_activation`](crate::WorkflowWorkerBuilder::patch_activation).
#[derive(Debug)]
#[non_exhaustive]
pub struct PatchActivation<'a> {
    /// The patch.
    pub patch_id: &'a str,
    /// The run.
    pub workflow: &'a WorkflowInfo,
}

/// A change with versions that a run comes to for the first time:
/// [`WorkflowWorkerBuilder::preferred_version`](crate::WorkflowWorkerBuilder::preferred_version).
#[derive(Debug)]
#[non_exhaustive]
pub struct VersionChoice<'a> {
    /// The change.
    pub change_id: &'a str,
    /// The oldest version that the code still knows.
    pub oldest: i32,
    /// The newest.
    pub newest: i32,
    /// The run.
    pub workflow: &'a WorkflowInfo,
}

/// What whoever set the worker up says about that.
#[derive(Clone, Default)]
pub(crate) struct Rollout {
    pub(crate) patches: Option<Arc<Activates>>,
    pub(crate) versions: Option<Arc<Prefers>>,
}

type Activates = dyn Fn(&PatchActivation<'_>) -> bool + Send + Sync;
type Prefers = dyn Fn(&VersionChoice<'_>) -> i32 + Send + Sync;

impl Rollout {
    pub(crate) fn activates(&self, patch: &PatchActivation<'_>) -> bool {
        self.patches.as_ref().is_none_or(|activates| activates(patch))
    }

    pub(crate) fn prefers(&self, choice: &VersionChoice<'_>) -> i32 {
        let preferred = self.versions.as_ref().map_or(choice.newest, |prefers| prefers(choice));
        // What the code does not know cannot be followed.
        preferred.max(choice.oldest).min(choice.newest)
    }
}

impl fmt::Debug for Rollout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rollout")
            .field("patches", &self.patches.is_some())
            .field("versions", &self.versions.is_some())
            .finish()
    }
}
