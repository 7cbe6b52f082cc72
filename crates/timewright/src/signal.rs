//! When the operating system asks the process to end.

use timewright_converter::BoxFuture;

/// Ready when the process is asked to end: SIGTERM (or Ctrl-Break) from whoever runs it, Ctrl-C from a person.
///
/// ```no_run
/// # #[cfg(feature = "activity")]
/// # async fn run(worker: timewright::Worker) -> Result<(), timewright::WorkerError> {
/// worker.run(timewright::shutdown_signal()).await
/// # }
/// ```
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    // In a box, so that it is compiled here, and not in each program.
    let asked: BoxFuture<'static, ()> = Box::pin(asked_to_end());
    asked
}

async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = terminate.recv() => (),
                () = interrupted() => (),
            },
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard; only Ctrl-C ends this process gracefully");
                interrupted().await;
            }
        }
    }
    #[cfg(not(unix))]
    interrupted().await;
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "Ctrl-C cannot be heard");
        std::future::pending::<()>().await;
    }
}
