//! What kind of call it is, which decides its deadline and whether it is retried.

use std::time::Duration;
use tonic::{GrpcMethod, Request};

/// What kind of call it is. The stack chooses deadline and retries by it.
///
/// Polls for tasks and waiting calls are known by their names. To say otherwise, put the kind into the extensions of the
/// [`tonic::Request`]; to have another deadline, call [`Request::set_timeout`], which then covers all tries.
///
/// ```
/// use timewright_client::CallKind;
/// use timewright_proto::workflow_service::GetWorkflowExecutionHistoryRequest;
///
/// let request = CallKind::Unary.request(GetWorkflowExecutionHistoryRequest::default());
/// assert_eq!(request.extensions().get(), Some(&CallKind::Unary));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// The server answers at once. 30 s for each try; retried.
    #[default]
    Unary,
    /// The server answers when there is something to say, such as a new Event. 70 s for each try; retried.
    LongPoll,
    /// A worker's poll for a task. 70 s; tried once, because the worker decides when to poll again.
    TaskPoll,
}

impl CallKind {
    /// A request of this kind.
    pub fn request<M>(self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(self);
        request
    }

    /// What the caller said, or else what the RPC's name says.
    pub(super) fn of(extensions: &http::Extensions) -> Self {
        extensions.get().copied().unwrap_or_else(|| match rpc_name(extensions) {
            "PollWorkflowTaskQueue" | "PollActivityTaskQueue" | "PollNexusTaskQueue" => Self::TaskPoll,
            "GetWorkflowExecutionHistory"
            | "UpdateWorkflowExecution"
            | "PollWorkflowExecutionUpdate"
            | "ExecuteMultiOperation" => Self::LongPoll,
            _ => Self::Unary,
        })
    }

    /// How long one try may take if the caller does not say. The server lets long polls return after 60 s at the latest.
    pub(super) const fn deadline(self) -> Duration {
        match self {
            Self::Unary => Duration::from_secs(30),
            Self::LongPoll | Self::TaskPoll => Duration::from_secs(70),
        }
    }

    /// The same as gRPC writes it.
    pub(super) const fn deadline_in_header(self) -> &'static str {
        match self {
            Self::Unary => "30S",
            Self::LongPoll | Self::TaskPoll => "70S",
        }
    }
}

/// The RPC's name, such as `StartWorkflowExecution`; generated stubs say it.
pub(super) fn rpc_name(extensions: &http::Extensions) -> &str {
    extensions.get::<GrpcMethod<'static>>().map_or("the call", |method| {
        // The stubs' names are static, so this borrow is as long as the extensions'.
        method.method()
    })
}
