//! What parts of one workflow pass to each other and wait for each other with: channels, locks, semaphores.
//!
//! For `run`, handlers and [coroutines](crate::WorkflowContext::spawn) of the same workflow; they may lie in its state. All are
//! fair: whoever waits first is served first, so that a replay serves the same. None of them knows of cancellation:
//! [`WorkflowContext::cancellable`](crate::WorkflowContext::cancellable) and
//! [`WorkflowContext::timeout`](crate::WorkflowContext::timeout) wait for them no longer than they should.
//!
//! Locks and channels of tokio and std have no place in workflows: tokio's give up their turn at moments of their own, and std's
//! stop the thread.

mod channel;
mod mutex;
mod semaphore;
mod wait_queue;

pub use channel::{
    ReceiveFuture, Receiver, SendError, SendFuture, Sender, TryReceiveError, TrySendError, channel, unbounded_channel,
};
pub use mutex::{Mutex, MutexGuard};
pub use semaphore::{AcquireFuture, Permit, Semaphore};
