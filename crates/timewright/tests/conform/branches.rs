//! Doing several things at the same time, and cancelling what loses a race.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A branch of a program.
pub(crate) type Branch<T> = Pin<Box<dyn Future<Output = T>>>;

/// What is cancelled together: the branches of a race that has been won.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    cancelled: Rc<Cell<bool>>,
    outer: Option<Rc<Scope>>,
}

impl Scope {
    /// One that is cancelled with this one, too.
    pub(crate) fn inner(&self) -> Self {
        Self { cancelled: Rc::default(), outer: Some(Rc::new(self.clone())) }
    }

    /// Whoever is in it is polled next by the caller, so nobody has to be woken.
    pub(crate) fn cancel(&self) {
        self.cancelled.set(true);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get() || self.outer.as_ref().is_some_and(|outer| outer.is_cancelled())
    }
}

/// Branches that have begun.
pub(crate) struct Branches<T>(Vec<State<T>>);

enum State<T> {
    Running(Branch<T>),
    Done(T),
}

impl<T> Branches<T> {
    pub(crate) fn new(branches: impl IntoIterator<Item = Branch<T>>) -> Self {
        Self(branches.into_iter().map(State::Running).collect())
    }

    /// Goes on with all until one is done: the number of the first.
    pub(crate) async fn first(&mut self) -> usize {
        poll_fn(|task| {
            self.poll_all(task);
            let done = self.0.iter().position(|branch| matches!(branch, State::Done(_)));
            done.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Goes on until all are done: what came of them.
    pub(crate) async fn all(mut self) -> Vec<T> {
        poll_fn(|task| {
            self.poll_all(task);
            let is_done = self.0.iter().all(|branch| matches!(branch, State::Done(_)));
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let results = self.0.into_iter().filter_map(|branch| match branch {
            State::Done(result) => Some(result),
            State::Running(_) => None,
        });
        results.collect()
    }

    fn poll_all(&mut self, task: &mut Context<'_>) {
        for branch in &mut self.0 {
            if let State::Running(running) = branch
                && let Poll::Ready(result) = running.as_mut().poll(task)
            {
                *branch = State::Done(result);
            }
        }
    }
}
