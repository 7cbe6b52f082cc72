//! Cancellation scopes: what is cancelled together.
//!
//! An operation is noted in its scope and in all scopes around that, so that whichever is cancelled has its operations at hand in
//! the order of their start, and a scope that nobody holds any more needs no looking after.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use timewright_definition::ContextValues;
use timewright_protocol::workflow::Command;

use super::{Mailbox, Operation};
use crate::event_group::EventGroups;

/// A scope, and the context values of whoever works in it. Cheap to clone; clones are the same scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope(Rc<Inner>, ContextValues);

#[derive(Debug, Default)]
struct Inner {
    parent: Option<Scope>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    cancellation: Option<String>,
    /// What is to be cancelled with it, in the order in which it was started.
    operations: BTreeMap<u64, Operation>,
}

impl Scope {
    /// A scope that is cancelled with this one, and can be cancelled by itself.
    pub(crate) fn child(&self) -> Self {
        Self(Rc::new(Inner { parent: Some(self.clone()), state: RefCell::default() }), self.1.clone())
    }

    /// A scope below none, for whoever works in this one.
    pub(crate) fn detached(&self) -> Self {
        Self(Rc::default(), self.1.clone())
    }

    pub(crate) fn values(&self) -> &ContextValues {
        &self.1
    }

    /// The same scope, with these values instead.
    pub(crate) fn with_values(&self, values: ContextValues) -> Self {
        Self(Rc::clone(&self.0), values)
    }

    /// A Command of whoever works in it, with the event groups that they are in.
    pub(crate) fn grouped(&self, command: Command) -> Command {
        match self.values().get::<EventGroups>() {
            Some(groups) => Command::InEventGroups { groups: groups.markers(), command: Box::new(command) },
            None => command,
        }
    }

    /// Why it was cancelled: itself, or one around it.
    pub(crate) fn cancellation(&self) -> Option<String> {
        self.with_ancestors().find_map(|scope| scope.0.state.borrow().cancellation.clone())
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.with_ancestors().any(|scope| scope.0.state.borrow().cancellation.is_some())
    }

    fn with_ancestors(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.0.parent.as_ref())
    }

    fn insert(&self, order: u64, operation: Operation) {
        for scope in self.with_ancestors() {
            scope.0.state.borrow_mut().operations.insert(order, operation);
        }
    }

    fn remove(&self, order: u64) {
        for scope in self.with_ancestors() {
            scope.0.state.borrow_mut().operations.remove(&order);
        }
    }
}

impl Mailbox {
    /// The scope of the workflow itself.
    pub(crate) fn workflow_scope(&self) -> &Scope {
        &self.workflow_scope
    }

    /// Cancels what a scope has, in the order in which it was started; the scopes in it are cancelled with it. Whom to wake.
    #[must_use]
    pub(crate) fn cancel_scope(&mut self, scope: &Scope, reason: String) -> Vec<Waker> {
        if self.inert || scope.is_cancelled() {
            return Vec::new();
        }
        let operations = std::mem::take(&mut scope.0.state.borrow_mut().operations);
        let mut wakers = self.take_state_wakers();
        for (order, operation) in operations {
            self.leave_scope(order);
            wakers.extend(self.cancel(operation, &reason));
        }
        scope.0.state.borrow_mut().cancellation = Some(reason);
        wakers
    }

    /// What the workflow itself, and handlers of messages that bring none of their own, work with.
    pub(crate) fn set_workflow_values(&mut self, values: ContextValues) {
        self.workflow_scope = self.workflow_scope.with_values(values);
    }

    pub(super) fn enter_scope(&mut self, scope: &Scope, order: u64, operation: Operation) {
        scope.insert(order, operation);
        self.scopes.insert(order, scope.clone());
    }

    /// Nothing is left to be cancelled.
    pub(super) fn leave_scope(&mut self, order: u64) {
        if let Some(scope) = self.scopes.remove(&order) {
            scope.remove(order);
        }
    }
}
