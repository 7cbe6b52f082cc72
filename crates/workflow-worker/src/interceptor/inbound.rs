//! What comes into a workflow.

use timewright_converter::Payload;
use timewright_proto::common::Header;

/// What comes into a workflow, for [`WorkflowInterceptor`](crate::WorkflowInterceptor)s.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InboundCall {
    kind: InboundKind,
    name: String,
    update_id: Option<String>,
    /// The arguments, decoded by all Payload Codecs, but not read yet; empty in
    /// [`around`](crate::WorkflowInterceptor::around), where they have been read. What a validator gets, and what its handler gets,
    /// is changed separately.
    pub arguments: Vec<Payload>,
    /// What whoever called passed along.
    pub header: Header,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InboundKind {
    /// The workflow itself, when it starts.
    Workflow,
    /// A Signal's handler; when there is one, so behind the time at which the Signal came where it had to wait.
    Signal,
    /// A Query's handler. What is asked by the Web UI and the CLI, such as `__stack_trace`, is not seen.
    Query,
    /// An Update's validator, also where there is none. Not called on replay.
    ValidateUpdate,
    /// An Update's handler, behind its validation. Its arguments are read afterwards, and may reject the Update still.
    Update,
}

impl InboundCall {
    pub(crate) fn new(
        kind: InboundKind,
        name: &str,
        update_id: Option<&str>,
        arguments: Vec<Payload>,
        header: Header,
    ) -> Self {
        Self { kind, name: name.to_owned(), update_id: update_id.map(str::to_owned), arguments, header }
    }

    /// What is called.
    #[must_use]
    pub const fn kind(&self) -> InboundKind {
        self.kind
    }

    /// Its name: the Workflow Type, the Signal's, Query's or Update's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Update Id, for Updates.
    #[must_use]
    pub fn update_id(&self) -> Option<&str> {
        self.update_id.as_deref()
    }
}
