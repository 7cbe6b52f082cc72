//! A call that failed, said for people.

use crate::error_details;
use crate::stack::FailedCall;
use std::error::Error;
use std::fmt::{self, Write};
use timewright_protocol::task_queue::ErrorClass;
use tonic::{Code, Status};

/// A call to the server that failed for good, after all retries.
///
/// Its text says which call, what the server or the connection said, and, where that is known, what to do about it.
/// Made from the [`Status`] that a stub returns.
///
/// ```
/// use timewright_client::RpcError;
///
/// let error = RpcError::from(tonic::Status::not_found("Namespace payments is not found."));
/// assert_eq!(
///     error.to_string(),
///     "Namespace payments is not found. (NotFound). Check the namespace in ClientOptions, or create it: \
///      temporal operator namespace create --namespace NAME"
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RpcError(Box<Details>);

#[derive(Clone, PartialEq, Eq)]
struct Details {
    code: Code,
    message: String,
    rpc: Option<String>,
    server: Option<String>,
    attempts: u32,
    class: ErrorClass,
    from_transport: bool,
    /// What the server adds to a status: an encoded `google.rpc.Status`.
    details: Vec<u8>,
}

impl RpcError {
    /// The gRPC status code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the server said, or what happened to the connection.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The RPC's name, such as `StartWorkflowExecution`, if the call went through a client's stack.
    #[must_use]
    pub fn rpc(&self) -> Option<&str> {
        self.0.rpc.as_deref()
    }

    /// How often it was tried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// No server answered: there was no connection, it broke, or the time was up.
    #[must_use]
    pub fn is_from_transport(&self) -> bool {
        self.0.from_transport
    }

    /// Whether the namespace, and not something in it, is what was not found.
    #[must_use]
    pub fn is_namespace_not_found(&self) -> bool {
        self.code() == Code::NotFound
            && (error_details::has(&self.0.details, "NamespaceNotFoundFailure")
                || self.message().starts_with("Namespace "))
    }

    /// What to do about it; empty where there is nothing to say that the message does not say.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match (self.code(), self.class()) {
            _ if self.is_namespace_not_found() => {
                "Check the namespace in ClientOptions, or create it: temporal operator namespace create --namespace NAME"
            }
            _ if self.is_about_size() => {
                "Pass less data: a reference to it instead of the data itself, or fewer items at a time"
            }
            (_, ErrorClass::ResourceExhausted) => {
                "The server limits the requests of this namespace: send fewer, or have the limit raised"
            }
            (Code::PermissionDenied | Code::Unauthenticated, _) => {
                "Check the API key or the client certificate, and what it is allowed to do in this namespace"
            }
            (Code::Unimplemented, _) => {
                "The server is older than this call, or the address is not that of a Temporal Server's frontend"
            }
            (Code::DeadlineExceeded, _) => "It is not known whether the server acted on it",
            (_, ErrorClass::Retryable) if self.is_from_transport() => {
                "Check that a Temporal Server is running there and that nothing in between cuts the connection"
            }
            _ => "",
        }
    }

    fn is_about_size(&self) -> bool {
        self.class() == ErrorClass::MessageTooLarge || self.message().contains("size exceeds limit")
    }

    pub(crate) fn details(&self) -> &[u8] {
        &self.0.details
    }
}

impl From<Status> for RpcError {
    fn from(status: Status) -> Self {
        let call = status.source().and_then(|source| source.downcast_ref::<FailedCall>());
        let from_transport = call.map_or_else(|| status.source().is_some(), |call| call.from_transport);
        Self(Box::new(Details {
            code: status.code(),
            message: status.message().to_owned(),
            rpc: call.map(|call| call.rpc.clone()),
            server: call.map(|call| call.server.to_string()),
            attempts: call.map_or(1, |call| call.attempts),
            class: ErrorClass::of(status.code() as i32, status.message(), from_transport),
            from_transport,
            details: status.details().to_vec(),
        }))
    }
}

impl fmt::Debug for RpcError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { code, message, rpc, server, attempts, class, .. } = &*self.0;
        formatter
            .debug_struct("RpcError")
            .field("code", code)
            .field("message", message)
            .field("rpc", rpc)
            .field("server", server)
            .field("attempts", attempts)
            .field("class", class)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { code, message, rpc, server, attempts, .. } = &*self.0;
        if let (Some(rpc), Some(server)) = (rpc, server) {
            write!(formatter, "{rpc} on {server}: ")?;
        }
        let message = if message.is_empty() { code.description() } else { message };
        write!(formatter, "{message} ({code:?}")?;
        if *attempts > 1 {
            write!(formatter, ", after {attempts} tries")?;
        }
        formatter.write_char(')')?;
        match self.advice() {
            "" => Ok(()),
            advice => write!(formatter, ". {advice}"),
        }
    }
}

impl Error for RpcError {}

/// An error with everything that led to it, in one line and without repetitions: layers of HTTP and gRPC libraries say
/// "transport error" at the top and what matters at the bottom.
pub(crate) fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    if let ("transport error", Some(cause)) = (text.as_str(), source) {
        return with_sources(cause);
    }
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            write!(text, ": {cause}").expect("a String takes everything");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn failed(status: Status, attempts: u32, from_transport: bool) -> RpcError {
        let mut status = status;
        let server = "http://127.0.0.1:7233".into();
        let call = FailedCall { rpc: "StartWorkflowExecution".into(), server, attempts, from_transport };
        status.set_source(Arc::new(call));
        RpcError::from(status)
    }

    #[test]
    fn texts_say_what_happened_and_what_to_do() {
        let table = [
            failed(Status::not_found("Namespace x is not found."), 1, false),
            failed(Status::not_found("workflow not found for ID: x"), 1, false),
            failed(Status::unavailable("tcp connect error: Connection refused"), 10, true),
            failed(Status::unavailable("shutting down"), 10, false),
            failed(Status::permission_denied("Request unauthorized."), 1, false),
            failed(Status::deadline_exceeded("no answer within 30s"), 1, true),
            failed(Status::resource_exhausted("namespace rate limit exceeded"), 4, false),
            failed(Status::resource_exhausted("grpc: received message larger than max (5 vs. 4)"), 1, false),
            failed(Status::invalid_argument("Blob data size exceeds limit."), 1, false),
            failed(Status::unimplemented("unknown service"), 1, false),
            failed(Status::cancelled(""), 1, false),
        ]
        .map(|error| error.to_string());
        assert_eq!(
            table.join("\n").replace("StartWorkflowExecution on http://127.0.0.1:7233: ", ""),
            "\
Namespace x is not found. (NotFound). Check the namespace in ClientOptions, or create it: temporal operator namespace create --namespace NAME
workflow not found for ID: x (NotFound)
tcp connect error: Connection refused (Unavailable, after 10 tries). Check that a Temporal Server is running there and that nothing in between cuts the connection
shutting down (Unavailable, after 10 tries)
Request unauthorized. (PermissionDenied). Check the API key or the client certificate, and what it is allowed to do in this namespace
no answer within 30s (DeadlineExceeded). It is not known whether the server acted on it
namespace rate limit exceeded (ResourceExhausted, after 4 tries). The server limits the requests of this namespace: send fewer, or have the limit raised
grpc: received message larger than max (5 vs. 4) (ResourceExhausted). Pass less data: a reference to it instead of the data itself, or fewer items at a time
Blob data size exceeds limit. (InvalidArgument). Pass less data: a reference to it instead of the data itself, or fewer items at a time
unknown service (Unimplemented). The server is older than this call, or the address is not that of a Temporal Server's frontend
The operation was cancelled (Cancelled)"
        );
    }
}
