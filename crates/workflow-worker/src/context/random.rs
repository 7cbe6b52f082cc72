//! Random numbers, seen from a context.

use super::WorkflowContext;
use crate::random::RandomStream;
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowContext<W> {
    /// Random numbers of this run, which are the same on every replay.
    #[must_use]
    pub fn random(&self) -> RandomStream {
        RandomStream::new(&self.shared.mailbox, "")
    }

    /// Random numbers of this run that depend on nothing but the run and this name, so that other code which draws more or fewer
    /// does not change them: for libraries, and for parts of a workflow that may change.
    #[must_use]
    pub fn random_stream(&self, name: &str) -> RandomStream {
        RandomStream::new(&self.shared.mailbox, name)
    }

    /// A random UUID (version 4), the same on every replay: an id for something that the workflow makes.
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext};
    /// # fn example<W: Workflow>(context: WorkflowContext<W>) {
    /// let idempotency_key = context.uuid4().to_string();
    /// # let _ = idempotency_key; }
    /// ```
    #[must_use]
    pub fn uuid4(&self) -> uuid::Uuid {
        self.random().uuid4()
    }
}
