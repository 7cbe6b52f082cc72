//! What a workflow says about new versions of its workers.

use timewright_proto::enums;

/// What becomes of a workflow that runs when a new version of the workers is made the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersioningBehavior {
    /// It stays, to its end, on the version on which it started: its code never changes under it. That version must be kept
    /// running until it is drained.
    Pinned,
    /// Its next Workflow Task goes to the current version. Changes of its code must be compatible: they need patches.
    AutoUpgrade,
}

impl From<VersioningBehavior> for enums::VersioningBehavior {
    fn from(behavior: VersioningBehavior) -> Self {
        match behavior {
            VersioningBehavior::Pinned => Self::Pinned,
            VersioningBehavior::AutoUpgrade => Self::AutoUpgrade,
        }
    }
}
