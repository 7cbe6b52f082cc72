//! What the completions of a history say about the SDK that wrote it.
//!
//! Behaviour that a replay can see never changes without a flag: the worker which first uses it notes the flag with its
//! completion, and replays follow what the history says. This version has no flags of its own yet. A history of a later version
//! of Timewright may have some, and then this version must not guess what they mean. Flags of other SDKs are theirs, but for one
//! that is noted for them: SDKs on Temporal's shared core expect a patch to change a search attribute only where it stands.

use super::event::WorkflowTaskCompleted;
use super::output::SdkMetadata;

/// The name under which Timewright completes Workflow Tasks.
pub const SDK_NAME: &str = "timewright";
/// The version under which Timewright completes Workflow Tasks.
pub const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A history uses a flag that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this history was written by {SDK_NAME} {version} with flag {flag}, which version {SDK_VERSION} does not know; \
     run a worker of that version or a later one"
)]
pub struct UnknownFlag {
    flag: u32,
    version: String,
}

/// What is known about the SDK that writes this history.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    name: String,
    version: String,
    /// The flag for other SDKs is noted.
    patches_upsert: bool,
    noted: bool,
}

impl Flags {
    /// Takes what the completion of a task says. Name and version stand there only where they change.
    pub(crate) fn handle(&mut self, completed: &WorkflowTaskCompleted) -> Result<(), UnknownFlag> {
        if !completed.sdk_name.is_empty() {
            self.name.clone_from(&completed.sdk_name);
        }
        if !completed.sdk_version.is_empty() {
            self.version.clone_from(&completed.sdk_version);
        }
        self.patches_upsert |= completed.core_used_flags.contains(&PATCHES_UPSERT);
        let ours = self.name == SDK_NAME;
        let unknown = completed.core_used_flags.iter().filter(|flag| **flag != PATCHES_UPSERT);
        match unknown.chain(&completed.language_used_flags).next().filter(|_| ours) {
            Some(flag) => Err(UnknownFlag { flag: *flag, version: self.version.clone() }),
            None => Ok(()),
        }
    }

    /// Whether another SDK has written the history so far.
    pub(crate) fn is_by_another_sdk(&self) -> bool {
        !self.name.is_empty() && self.name != SDK_NAME
    }

    /// What to note with the next completion.
    pub(crate) fn sdk_to_note(&mut self) -> Option<SdkMetadata> {
        let known = self.name == SDK_NAME && self.version == SDK_VERSION && self.patches_upsert;
        if known || std::mem::replace(&mut self.noted, true) {
            return None;
        }
        Some(SdkMetadata {
            name: SDK_NAME.to_owned(),
            version: SDK_VERSION.to_owned(),
            core_used_flags: vec![PATCHES_UPSERT],
        })
    }
}

/// The number under which SDKs on Temporal's shared core note that patches change the search attribute
/// `TemporalChangeVersion`.
const PATCHES_UPSERT: u32 = 2;
