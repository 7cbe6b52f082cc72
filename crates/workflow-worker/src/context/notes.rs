//! What workflow code decides once and notes in its history, and what it changes about itself.

use timewright_converter::{ConversionError, Value};
use timewright_protocol::workflow::Command;

use super::WorkflowContext;
use crate::interceptor::{OutboundCall, intercept_outbound};
use crate::mailbox::Recall;
use crate::properties::{MemoChanges, SearchAttributeChanges};
use crate::rollout::{PatchActivation, VersionChoice};
use crate::workflow::Workflow;

/// The version of a change in code from before the change: [`WorkflowContext::version`].
pub const DEFAULT_VERSION: i32 = -1;

impl<W: Workflow> WorkflowContext<W> {
    /// Whether to go the new way of a change: `true` for runs that come here for the first time, `false` for those that came
    /// here before the change. The first answer stays for the whole run.
    /// <https://docs.temporal.io/patching>
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext};
    /// # fn new_way() {} fn old_way() {}
    /// # fn example<W: Workflow>(context: WorkflowContext<W>) {
    /// if context.patched("ship-before-charging") {
    ///     new_way();
    /// } else {
    ///     old_way();
    /// }
    /// # }
    /// ```
    ///
    /// When no run is left that goes the old way, [`deprecate_patch`](Self::deprecate_patch) takes the place of the condition.
    pub fn patched(&self, patch_id: &str) -> bool {
        let is_new = self.shared.mailbox.borrow().is_new_patch(patch_id);
        // What decides is code of users, and runs while the mailbox is not borrowed.
        let activates =
            is_new && self.shared.rollout.activates(&PatchActivation { patch_id, workflow: &self.shared.info });
        self.shared.mailbox.borrow_mut().patched(patch_id, false, activates)
    }

    /// Says that the code from before a patch is gone. When no run is left that noted the patch itself, this may be removed.
    pub fn deprecate_patch(&self, patch_id: &str) {
        self.shared.mailbox.borrow_mut().patched(patch_id, true, true);
    }

    /// Which version of a change to follow: the newest for runs that come here for the first time, later the one that they
    /// followed then, and [`DEFAULT_VERSION`] for those that came here before the change. `oldest` and `newest` are the versions
    /// that this code still knows. As the Go and Java SDKs do it; see [`patched`](Self::patched) for the simpler way.
    ///
    /// # Panics
    /// If the run follows a version that this code does not know any more, or not yet. That fails the Workflow Task.
    pub fn version(&self, change_id: &str, oldest: i32, newest: i32) -> i32 {
        let is_new = self.shared.mailbox.borrow().is_new_change(change_id);
        let choice = VersionChoice { change_id, oldest, newest, workflow: &self.shared.info };
        let preferred = if is_new { self.shared.rollout.prefers(&choice) } else { newest };
        let version = self.shared.mailbox.borrow_mut().version(change_id, preferred, DEFAULT_VERSION);
        assert!(
            (oldest..=newest).contains(&version),
            "this run follows version {version} of change {change_id:?}, and this code knows the versions {oldest} to \
             {newest}; bring the code of that version back, or let the run end on a worker that has it"
        );
        version
    }

    /// Takes a value from outside, such as a random number or something from the environment. `take` is called once; the value
    /// is noted in the history, and on replay is the same. For what can fail or takes time, use a Local Activity.
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # fn random() -> u64 { 4 }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// let key: u64 = context.side_effect(random)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the value cannot be written, or the noted one is not of this type. With `?` that fails the Workflow Task.
    pub fn side_effect<T: Value>(&self, take: impl FnOnce() -> T) -> Result<T, ConversionError> {
        let (sequence, noted) = self.shared.mailbox.borrow_mut().next_side_effect();
        // User code runs while the mailbox is not borrowed.
        let value = noted.map_or_else(|| take().to_payload(), Ok)?;
        self.shared.mailbox.borrow_mut().record_side_effect(&self.scope, sequence, value.clone());
        T::from_payload(value)
    }

    /// The value of something outside that changes now and then, such as a limit in a configuration. `take` is called each time;
    /// the value is noted in the history when it is not the last one for this `id`, and on replay each call gives what it gave
    /// then, without `take`. So code may ask as often as it likes, and the history grows only with the changes. As the Go and
    /// Java SDKs do it.
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # fn configured_limit() -> u64 { 100 }
    /// # fn take_order(limit: u64) -> bool { limit > 5 }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// for _ in 0..10 {
    ///     let limit: u64 = context.mutable_side_effect("limit", configured_limit)?;
    ///     take_order(limit);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the value cannot be written, or the last one of this `id` is not of this type. With `?` that fails the Workflow Task.
    pub fn mutable_side_effect<T: Value + PartialEq>(
        &self,
        id: &str,
        take: impl FnOnce() -> T,
    ) -> Result<T, ConversionError> {
        self.mutable_side_effect_by(id, take, T::eq)
    }

    /// As [`mutable_side_effect`](Self::mutable_side_effect), for what is compared in another way: `is_same` gets the last value
    /// and the new one, and where it says yes, the last one stays. It is not called on replay.
    ///
    /// # Errors
    /// As there.
    pub fn mutable_side_effect_by<T: Value>(
        &self,
        id: &str,
        take: impl FnOnce() -> T,
        is_same: impl FnOnce(&T, &T) -> bool,
    ) -> Result<T, ConversionError> {
        let mailbox = &self.shared.mailbox;
        let (call, recall) = mailbox.borrow_mut().next_mutable_side_effect(id);
        // User code runs while the mailbox is not borrowed.
        let changed = match recall {
            Recall::Unchanged(value) => return T::from_payload(value),
            Recall::Noted(value) => value,
            Recall::Open(None) => take().to_payload()?,
            Recall::Open(Some(last)) => {
                let last = T::from_payload(last)?;
                let new = take();
                if is_same(&last, &new) {
                    return Ok(last);
                }
                new.to_payload()?
            }
        };
        mailbox.borrow_mut().record_mutable_side_effect(&self.scope, id, call, changed.clone());
        T::from_payload(changed)
    }

    /// Says how things stand with the workflow, in a few lines of Markdown: the Web UI and `temporal workflow metadata` show them.
    /// They are not in the history; whoever asks gets what this code said last.
    /// <https://docs.temporal.io/web-ui>
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext};
    /// # fn example<W: Workflow>(context: WorkflowContext<W>) {
    /// context.set_current_details("Waits for **two** of three approvals");
    /// # }
    /// ```
    pub fn set_current_details(&self, details: impl Into<String>) {
        self.shared.mailbox.borrow_mut().set_current_details(details.into());
    }

    /// What [`set_current_details`](Self::set_current_details) said last; empty before that.
    pub fn current_details(&self) -> String {
        self.shared.mailbox.borrow().current_details().to_owned()
    }

    /// Changes search attributes of this workflow, by which it can be found.
    ///
    /// # Errors
    /// If a value cannot be written.
    pub fn upsert_search_attributes(&self, changes: SearchAttributeChanges) -> Result<(), ConversionError> {
        let changes = changes.into_changes()?;
        let mailbox = &self.shared.mailbox;
        let changed = mailbox.borrow_mut().change_search_attributes(changes);
        if let Some(mut changed) = changed {
            intercept_outbound(mailbox, &self.scope, OutboundCall::UpsertSearchAttributes(&mut changed));
            mailbox.borrow_mut().push(self.scope.grouped(Command::UpsertSearchAttributes(changed)));
        }
        Ok(())
    }

    /// Changes the memo of this workflow, which lists and descriptions of it show.
    ///
    /// # Errors
    /// If a value cannot be written.
    pub fn upsert_memo(&self, changes: MemoChanges) -> Result<(), ConversionError> {
        let changes = changes.into_changes()?;
        let mailbox = &self.shared.mailbox;
        let changed = mailbox.borrow_mut().change_memo(changes);
        if let Some(mut changed) = changed {
            intercept_outbound(mailbox, &self.scope, OutboundCall::UpsertMemo(&mut changed));
            mailbox.borrow_mut().push(self.scope.grouped(Command::UpsertMemo(changed)));
        }
        Ok(())
    }
}
