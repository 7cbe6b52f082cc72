//! What the tests of this folder share: the server, clients, workers in the background, and waits that end.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test program uses a part")]

pub(crate) mod background;
pub(crate) mod definitions;
pub(crate) mod history;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod nexus;
pub(crate) mod python;

use std::fmt::Display;
use std::time::Duration;

use timewright::client::{Client, ClientOptions, StartWorkflowOptions};
use timewright_testing::DevServer;

/// How long anything may take that a test waits for. Generous, since other tests run at the same time.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// The address of the server that tests share. What they put on it has names from [`unique`].
pub(crate) fn server() -> String {
    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}"));
    format!("http://{}", server.address())
}

/// A client of the shared server.
pub(crate) async fn client() -> Client {
    connect(ClientOptions::new(server())).await
}

/// A client with options of its own.
pub(crate) async fn connect(options: ClientOptions) -> Client {
    Client::connect(options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A name that nobody else uses: for Task Queues and Workflow Ids.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", timewright::client::random_id())
}

/// A start on this Task Queue with a Workflow Id of its own, which nobody waits for longer than tests do.
pub(crate) fn start_options(task_queue: &str) -> StartWorkflowOptions {
    StartWorkflowOptions::new(task_queue, unique("workflow")).execution_timeout(4 * LIMIT)
}

/// Waits for `future`, but not for ever.
pub(crate) async fn within<F: Future>(what: impl Display, future: F) -> F::Output {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {LIMIT:?} for {what} in vain"),
    }
}

/// Asks again and again until there is an answer: for what the server announces to nobody.
pub(crate) async fn poll_until<T, F: Future<Output = Option<T>>>(what: impl Display, mut ask: impl FnMut() -> F) -> T {
    within(what, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}
