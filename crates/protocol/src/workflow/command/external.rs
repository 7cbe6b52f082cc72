//! Signals to other workflows, and requests to cancel them.

use timewright_proto::common::{Header, Payload};

/// Another Workflow Execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExternalWorkflow {
    /// Its namespace; this workflow's where it is empty.
    pub namespace: String,
    /// Its Workflow Id.
    pub workflow_id: String,
    /// Its run; the current one where it is empty.
    pub run_id: String,
    /// It must be a child of this workflow.
    pub child_workflow_only: bool,
}

/// A Signal to send to another workflow.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SignalExternalWorkflow {
    /// Its number.
    pub sequence: u32,
    /// Who gets it.
    pub workflow: ExternalWorkflow,
    /// The Signal's name.
    pub signal_name: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// What interceptors pass along.
    pub header: Header,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
}

/// A request to another workflow to cancel itself.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestCancelExternalWorkflow {
    /// Its number.
    pub sequence: u32,
    /// Who gets it.
    pub workflow: ExternalWorkflow,
    /// Why.
    pub reason: String,
}
