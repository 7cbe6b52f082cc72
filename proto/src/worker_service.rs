//! What a server sends to one worker in Nexus operations of its own. No RPC names these messages, so that a server's reflection does
//! not tell them; what they hold, it does.

use crate::temporal::api::worker::v1::{WorkerCommand, WorkerCommandResult};

/// The Nexus service that a worker is, for its server.
pub const SERVICE: &str = "temporal.api.nexusservices.workerservice.v1.WorkerService";
/// Its operation that executes commands.
pub const EXECUTE_COMMANDS: &str = "ExecuteCommands";

/// What that operation is given, as one Payload in `binary/protobuf`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ExecuteCommandsRequest {
    /// What the worker is to do.
    #[prost(message, repeated, tag = "1")]
    pub commands: Vec<WorkerCommand>,
}

/// What that operation gives back.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ExecuteCommandsResponse {
    /// What came of the commands, in their order.
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<WorkerCommandResult>,
}
