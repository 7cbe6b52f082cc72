//! What kind of trouble a failed call is in, which decides whether and when it is tried again.

/// What a failed call to the server calls for.
///
/// The classes are few on purpose: everything that decides about retries looks at the class, never at a gRPC code or a
/// message, so that all calls of a process agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Somebody called it off: the server, or the caller itself. Not the connection's doing (that is
    /// [`Retryable`](Self::Retryable)).
    Cancelled,
    /// The call's time was up. A long poll ends so when a proxy is less patient than the server; for any other call
    /// it is unknown whether the server acted, so it is not repeated.
    DeadlineExceeded,
    /// Waiting will not help: wrong arguments, no permission, no such thing.
    Fatal,
    /// A message is over a size limit, on whichever side. The same message would be refused for ever.
    MessageTooLarge,
    /// The server asks to slow down.
    ResourceExhausted,
    /// It may work the next time: server or network are, for now, not able to.
    Retryable,
}

impl ErrorClass {
    /// The class of a gRPC status.
    ///
    /// `code` is the number on the wire (<https://grpc.io/docs/guides/status-codes>); `from_transport` says that no
    /// server sent this status, but that our side made it up because the connection broke. It matters for `CANCELLED`,
    /// which is what a call becomes when a server says goodbye to a whole connection (HTTP/2 GOAWAY).
    ///
    /// ```
    /// use timewright_protocol::task_queue::ErrorClass;
    ///
    /// assert_eq!(ErrorClass::of(14, "connection refused", true), ErrorClass::Retryable);
    /// assert_eq!(ErrorClass::of(8, "namespace rate limit exceeded", false), ErrorClass::ResourceExhausted);
    /// ```
    #[must_use]
    pub fn of(code: i32, message: &str, from_transport: bool) -> Self {
        match code {
            CANCELLED if from_transport => Self::Retryable,
            CANCELLED => Self::Cancelled,
            DEADLINE_EXCEEDED => Self::DeadlineExceeded,
            RESOURCE_EXHAUSTED | OUT_OF_RANGE if is_about_message_size(message) => Self::MessageTooLarge,
            RESOURCE_EXHAUSTED => Self::ResourceExhausted,
            UNKNOWN | ABORTED | OUT_OF_RANGE | INTERNAL | UNAVAILABLE | DATA_LOSS => Self::Retryable,
            _ => Self::Fatal,
        }
    }
}

/// gRPC has no code for this. The first three are how grpc-go puts it (the server's side), the others tonic (ours).
fn is_about_message_size(message: &str) -> bool {
    const WORDINGS: [&str; 6] = [
        "received message larger than max",
        "message after decompression larger than max",
        "trying to send message larger than max",
        "decoded message length too large",
        "encoded message length too large",
        "exceeded while decompressing message",
    ];
    WORDINGS.iter().any(|wording| message.contains(wording))
}

const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const ABORTED: i32 = 10;
const OUT_OF_RANGE: i32 = 11;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const DATA_LOSS: i32 = 15;

#[cfg(test)]
mod tests {
    use super::ErrorClass;
    use std::fmt::Write;

    #[test]
    fn c1_every_code_has_its_class() {
        let mut table = String::new();
        for code in 0..=17 {
            let (server, transport) = (ErrorClass::of(code, "", false), ErrorClass::of(code, "", true));
            let transport = if transport == server { String::new() } else { format!(", from transport {transport:?}") };
            writeln!(table, "{code} {server:?}{transport}").unwrap();
        }
        assert_eq!(
            table,
            "\
0 Fatal
1 Cancelled, from transport Retryable
2 Retryable
3 Fatal
4 DeadlineExceeded
5 Fatal
6 Fatal
7 Fatal
8 ResourceExhausted
9 Fatal
10 Retryable
11 Retryable
12 Fatal
13 Retryable
14 Retryable
15 Retryable
16 Fatal
17 Fatal
"
        );
    }

    #[test]
    fn g3_message_too_large_is_known_by_its_text() {
        for (code, message) in [
            (8, "grpc: received message larger than max (5000000 vs. 4194304)"),
            (8, "grpc: received message after decompression larger than max (9 vs. 4)"),
            (8, "trying to send message larger than max (9 vs. 4)"),
            (11, "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes"),
            (11, "Error, encoded message length too large: found 9 bytes, the limit is: 4 bytes"),
            (8, "Error decompressing: size limit, of 4 bytes, exceeded while decompressing message"),
        ] {
            assert_eq!(ErrorClass::of(code, message, false), ErrorClass::MessageTooLarge, "{message}");
        }
        // The words alone are not enough: this one is about an argument, and no size limit of a message.
        assert_eq!(ErrorClass::of(3, "memo: received message larger than max", false), ErrorClass::Fatal);
    }
}
