//! What the server answers instead of a result.

use std::fmt;

/// An error as the real server would answer it, with its text; or that the model does not know what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerError {
    /// What is asked for is not there, or not any more: `NOT_FOUND`.
    NotFound(String),
    /// The request cannot be right: `INVALID_ARGUMENT`.
    InvalidArgument(String),
    /// The workflow runs already: `ALREADY_EXISTS`.
    AlreadyExists(String),
    /// Not in this state of the workflow: `FAILED_PRECONDITION`.
    FailedPrecondition(String),
    /// Not now: `RESOURCE_EXHAUSTED`.
    ResourceExhausted(String),
    /// It was begun, and must be begun again: `ABORTED`.
    Aborted(String),
    /// The namespace does not allow it: `PERMISSION_DENIED`.
    PermissionDenied(String),
    /// The real server can do this, the model cannot. Nothing was changed.
    Unsupported {
        /// What it is, as the protocol calls it.
        what: String,
    },
}

impl ServerError {
    /// The gRPC status code's name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::InvalidArgument(_) => "INVALID_ARGUMENT",
            Self::AlreadyExists(_) => "ALREADY_EXISTS",
            Self::FailedPrecondition(_) => "FAILED_PRECONDITION",
            Self::ResourceExhausted(_) => "RESOURCE_EXHAUSTED",
            Self::Aborted(_) => "ABORTED",
            Self::PermissionDenied(_) => "PERMISSION_DENIED",
            Self::Unsupported { .. } => "UNIMPLEMENTED",
        }
    }

    /// What tries to end the workflow, or has ended it for another run, goes first.
    pub(crate) fn workflow_is_closing() -> Self {
        Self::ResourceExhausted("workflow operation can not be applied because workflow is closing".into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(message)
            | Self::InvalidArgument(message)
            | Self::AlreadyExists(message)
            | Self::FailedPrecondition(message)
            | Self::ResourceExhausted(message)
            | Self::Aborted(message)
            | Self::PermissionDenied(message) => write!(formatter, "{} {message}", self.code()),
            Self::Unsupported { what } => {
                write!(formatter, "the model of the server does not do {what}; use a real server for that")
            }
        }
    }
}

impl std::error::Error for ServerError {}
