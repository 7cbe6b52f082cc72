//! The model of the Temporal Server, `timewright-model-server`, behind gRPC on the loopback interface: what any SDK's client
//! and workers can talk to.
//!
//! It is for tests that compare the model with a real server through real workers, and for benchmarks that want a server
//! which costs next to nothing. Everything is in memory and ends with the [`ModelServer`].
//!
//! # What it adds to the model
//!
//! - Time: the model's virtual time follows the clock.
//! - Waiting: polls for tasks, Queries, Updates and long polls for history wait for what they ask for, as long as a real
//!   server lets them.
//! - Worker shutdowns end the worker's polls, which the namespace announces as a capability. Sticky queues that nobody has
//!   polled for ten seconds are given up.
//! - What clients and workers ask at the beginning: `GetSystemInfo`, `DescribeNamespace`, `grpc.health.v1.Health/Check`.
//! - `DescribeWorkflowExecution`, as far as the history tells it.
//!
//! # What it does not
//!
//! What the model does not do, and methods that are not in `routes.rs`, are answered with `UNIMPLEMENTED`: lists and counts
//! of workflows, schedules, batches, versioning, the operator's service but for Nexus endpoints. Callbacks of Nexus
//! operations come from workflows that were started with them, and not by HTTP. There is one namespace, no TLS, no limits, and no memory is ever given
//! back. A status has code and text, but no details; so a client learns that a workflow is started already, but not in
//! which run.
#![forbid(unsafe_code)]

mod describe;
mod front;
mod history;
mod polls;
mod routes;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

pub use timewright_model_server::{Pages, ServerOptions};
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use front::Front;

/// A running model server. It ends when this is dropped.
///
/// ```
/// use timewright_model_front::{ModelServer, ServerOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = ModelServer::start(ServerOptions::default())?;
/// println!("http://{}", server.address());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl ModelServer {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Errors
    /// If there is no port.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(options: ServerOptions) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), options)
    }

    /// Starts a server at this address; port 0 is any that is free.
    ///
    /// # Errors
    /// If the address cannot be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start_at(address: SocketAddr, options: ServerOptions) -> io::Result<Self> {
        let incoming = TcpIncoming::bind(address)?.with_nodelay(Some(true));
        let address = incoming.local_addr()?;
        let front = Arc::new(Front::new(options));
        let clock = tokio::spawn(Arc::clone(&front).keep_time());
        let service = tower::service_fn(move |request| {
            let front = Arc::clone(&front);
            async move { Ok::<_, Infallible>(routes::answer(front, request).await) }
        });
        let serving = tokio::spawn(async move {
            // Connections that break are no errors of the whole; it ends with its task.
            let _ = Server::builder().serve_with_incoming(service, incoming).await;
        });
        Ok(Self { address, tasks: [clock, serving] })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
