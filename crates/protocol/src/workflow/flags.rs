//! What the completions of a history say about the SDK that wrote it.
//!
//! Behaviour that a replay can see never changes without a flag: the worker which first uses it notes the flag with its
//! completion, and replays follow what the history says. This version has no flags of its own yet. A history of a later version
//! of Timewright may have some, and then this version must not guess what they mean. Flags of other SDKs are theirs, but for those
//! of Temporal's shared core whose behaviour is ours, too: they are noted, so that SDKs on that core replay our histories.

use std::collections::BTreeSet;

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
    /// Flags of Temporal's shared core that the history has.
    core: BTreeSet<u32>,
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
        self.core.extend(&completed.core_used_flags);
        let ours = self.name == SDK_NAME;
        let unknown = completed.core_used_flags.iter().filter(|flag| !CORE_FLAGS.contains(*flag));
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
        let known = self.name == SDK_NAME
            && self.version == SDK_VERSION
            && CORE_FLAGS.iter().all(|flag| self.core.contains(flag));
        if known || std::mem::replace(&mut self.noted, true) {
            return None;
        }
        Some(SdkMetadata {
            name: SDK_NAME.to_owned(),
            version: SDK_VERSION.to_owned(),
            core_used_flags: CORE_FLAGS.to_vec(),
        })
    }
}

/// How SDKs on Temporal's shared core note that ids and types of operations must agree, that a patch changes the search attribute
/// `TemporalChangeVersion`, and that the Command which ends the workflow comes last.
const CORE_FLAGS: [u32; 3] = [1, 2, 3];

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(name: &str, core_used_flags: &[u32]) -> WorkflowTaskCompleted {
        WorkflowTaskCompleted {
            sdk_name: name.to_owned(),
            sdk_version: SDK_VERSION.to_owned(),
            core_used_flags: core_used_flags.to_vec(),
            ..WorkflowTaskCompleted::default()
        }
    }

    #[test]
    fn other_sdks_find_the_flags_by_which_they_replay() {
        let mut flags = Flags::default();
        let noted = flags.sdk_to_note().expect("nothing is noted yet");
        assert_eq!((noted.name.as_str(), noted.core_used_flags.as_slice()), (SDK_NAME, &CORE_FLAGS[..]));
        assert_eq!(flags.sdk_to_note(), None, "once is enough");

        let mut replayed = Flags::default();
        assert_eq!(replayed.handle(&completed(SDK_NAME, &CORE_FLAGS)), Ok(()));
        assert_eq!(replayed.sdk_to_note(), None);

        let mut from_before_there_were_patches = Flags::default();
        assert_eq!(from_before_there_were_patches.handle(&completed(SDK_NAME, &[])), Ok(()));
        assert!(from_before_there_were_patches.sdk_to_note().is_some());
    }

    #[test]
    fn a_flag_of_a_later_version_is_not_guessed_at() {
        assert!(Flags::default().handle(&completed(SDK_NAME, &[4])).is_err());
        assert_eq!(Flags::default().handle(&completed("another", &[4])), Ok(()));
        // Flags of our own: none is in use yet, so any is a later version's.
        let of_later = |name| WorkflowTaskCompleted { language_used_flags: vec![1], ..completed(name, &CORE_FLAGS) };
        let unknown = Flags::default().handle(&of_later(SDK_NAME)).expect_err("nobody knows it");
        assert_eq!(
            unknown.to_string(),
            format!(
                "this history was written by timewright {SDK_VERSION} with flag 1, which version {SDK_VERSION} does not know; run a \
                 worker of that version or a later one"
            )
        );
        assert_eq!(Flags::default().handle(&of_later("another")), Ok(()));
    }
}
