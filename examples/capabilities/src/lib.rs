//! What the examples share: a worker that runs beside the code that uses it. In earnest, workers are programs of their own, as
//! in the greeting example.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "there is no workflow code here")]

use std::error::Error;
use std::pin::pin;

use timewright::Worker;
use tokio::sync::oneshot;

/// What any of it may end with.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Runs `worker` until `work` is done, and then shuts it down in order.
pub async fn beside<T>(worker: Worker, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let (running, stopped) = oneshot::channel::<()>();
    let mut worker = pin!(worker.run(async {
        let _ = stopped.await; // an error, since nobody sends anything: the other end is dropped
    }));
    tokio::select! {
        ended = &mut worker => {
            ended?;
            Err("the worker ended before the work was done".into())
        }
        done = work => {
            drop(running);
            worker.await?;
            done
        }
    }
}
