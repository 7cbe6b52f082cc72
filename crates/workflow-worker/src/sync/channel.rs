//! Channels: values from some parts of a workflow to others.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::future::FusedFuture;

use super::wait_queue::WaitQueue;
use crate::mailbox::wake_all;

/// A channel that holds so many values; whoever sends more waits. With 0 a value goes from hand to hand.
///
/// Sender and receiver may be cloned. Each value goes to one receiver: the one that has waited longest.
///
/// ```
/// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Orders; impl WorkflowDefinition for Orders { const NAME: &'static str = "orders"; type Input = (); type Output = (); }
/// # struct Order; impl SignalDefinition for Order { const NAME: &'static str = "order"; type Workflow = Orders; type Input = u64; }
/// use timewright_workflow_worker::sync::{Receiver, Sender, unbounded_channel};
///
/// struct OrdersWorkflow {
///     sender: Sender<u64>,
///     receiver: Receiver<u64>,
/// }
///
/// impl Workflow for OrdersWorkflow {
/// #   type Definition = Orders;
///     fn init(_: &WorkflowInfo, _: &()) -> Self {
///         let (sender, receiver) = unbounded_channel();
///         Self { sender, receiver }
///     }
///
///     async fn run(context: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> {
///         let orders = context.state(|state| state.receiver.clone());
///         while let Some(order) = context.cancellable(orders.receive()).await? {
///             // … one after the other …
/// #           let _ = order;
///         }
///         Ok(())
///     }
///
///     fn handlers(handlers: &mut Handlers<Self>) {
///         handlers.signal(Order, |state, order| _ = state.sender.try_send(order));
///     }
/// }
/// ```
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    new_channel(Some(capacity))
}

/// A channel that holds any number of values: sending never waits.
#[must_use]
pub fn unbounded_channel<T>() -> (Sender<T>, Receiver<T>) {
    new_channel(None)
}

fn new_channel<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let state = State {
        capacity,
        values: VecDeque::new(),
        receivers: WaitQueue::default(),
        senders: WaitQueue::default(),
        sender_count: 1,
        receiver_count: 1,
        is_closed: false,
    };
    let channel = Rc::new(RefCell::new(state));
    (Sender(Rc::clone(&channel)), Receiver(channel))
}

/// Where receivers wait there are no values, and where senders wait there is no room.
struct State<T> {
    /// `None` for any number.
    capacity: Option<usize>,
    values: VecDeque<T>,
    /// Each is given a value, or `None` when there will be none.
    receivers: WaitQueue<(), Option<T>>,
    /// Each has a value, and gets it back if nobody will receive it.
    senders: WaitQueue<T, Result<(), SendError<T>>>,
    sender_count: usize,
    receiver_count: usize,
    is_closed: bool,
}

impl<T> State<T> {
    /// Sends a value that needs not wait: whom to wake; else it comes back.
    fn send(&mut self, value: T) -> Result<Option<Waker>, TrySendError<T>> {
        if self.is_closed || self.receiver_count == 0 {
            return Err(TrySendError::Closed(value));
        }
        if self.receivers.first().is_some() {
            return Ok(self.receivers.grant_first(|()| Some(value)));
        }
        if self.capacity.is_some_and(|capacity| self.values.len() >= capacity) {
            return Err(TrySendError::Full(value));
        }
        self.values.push_back(value);
        Ok(None)
    }

    /// A value that needs not be waited for, and whom to wake. `None` as the value: there will be none.
    fn receive(&mut self) -> Option<(Option<T>, Option<Waker>)> {
        let received = self.values.pop_front();
        let has_room = self.capacity.is_none_or(|capacity| self.values.len() < capacity);
        let mut sent = None;
        let waker = if received.is_none() || has_room {
            self.senders.grant_first(|value| {
                sent = Some(value);
                Ok(())
            })
        } else {
            None
        };
        match received {
            Some(value) => {
                self.values.extend(sent);
                Some((Some(value), waker))
            }
            // From hand to hand.
            None if sent.is_some() => Some((sent, waker)),
            None if self.is_closed || self.sender_count == 0 => Some((None, None)),
            None => None,
        }
    }

    /// A value that was given to somebody who does not want it any more is still the next.
    fn put_back(&mut self, value: T) -> Option<Waker> {
        if self.receivers.first().is_some() {
            return self.receivers.grant_first(|()| Some(value));
        }
        self.values.push_front(value);
        None
    }

    /// Tells those who wait in vain.
    #[must_use]
    fn release(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        if self.is_closed || self.sender_count == 0 {
            while let Some(waker) = self.receivers.grant_first(|()| None) {
                wakers.push(waker);
            }
        }
        if self.is_closed || self.receiver_count == 0 {
            while let Some(waker) = self.senders.grant_first(|value| Err(SendError(value))) {
                wakers.push(waker);
            }
        }
        wakers
    }
}

fn release<T>(channel: &RefCell<State<T>>, change: impl FnOnce(&mut State<T>)) {
    let mut state = channel.borrow_mut();
    change(&mut state);
    let wakers = state.release();
    drop(state);
    wake_all(wakers);
}

/// The side of a channel that sends: [`channel`]. When the last one is dropped, receivers get what is left, and then `None`.
pub struct Sender<T>(Rc<RefCell<State<T>>>);

impl<T> Sender<T> {
    /// Sends a value, and waits until there is room for it. It takes its place in the row when it is first awaited; one that is
    /// dropped while it waits has sent nothing.
    ///
    /// # Errors
    /// If nobody can receive it any more; the value comes back.
    pub fn send(&self, value: T) -> SendFuture<T> {
        SendFuture { channel: Rc::clone(&self.0), state: Sending::New(value) }
    }

    /// Sends a value if there is room for it now. The way for handlers that do not wait.
    ///
    /// # Errors
    /// If there is no room, or nobody can receive it any more; the value comes back.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let waker = self.0.borrow_mut().send(value)?;
        wake_all(waker);
        Ok(())
    }

    /// Ends the channel: receivers get what is in it, and then `None`; whoever waits to send gets the value back.
    pub fn close(&self) {
        release(&self.0, |state| state.is_closed = true);
    }
}

/// The side of a channel that receives: [`channel`].
pub struct Receiver<T>(Rc<RefCell<State<T>>>);

impl<T> Receiver<T> {
    /// Waits for a value; `None` when there will be none any more, since all senders are gone or the channel is closed. It takes
    /// its place in the row when it is first awaited; one that is dropped takes no value with it.
    pub fn receive(&self) -> ReceiveFuture<T> {
        ReceiveFuture { channel: Rc::clone(&self.0), state: Receiving::New }
    }

    /// A value that is there now.
    ///
    /// # Errors
    /// If there is none, or there will be none any more.
    pub fn try_receive(&self) -> Result<T, TryReceiveError> {
        let received = self.0.borrow_mut().receive();
        match received {
            Some((Some(value), waker)) => {
                wake_all(waker);
                Ok(value)
            }
            Some((None, _)) => Err(TryReceiveError::Closed),
            None => Err(TryReceiveError::Empty),
        }
    }

    /// How many values wait in the channel.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().values.len()
    }

    /// Whether no value waits in the channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the channel, as [`Sender::close`].
    pub fn close(&self) {
        release(&self.0, |state| state.is_closed = true);
    }
}

/// Sends a value: [`Sender::send`].
#[must_use = "nothing is sent before it is awaited"]
pub struct SendFuture<T> {
    channel: Rc<RefCell<State<T>>>,
    state: Sending<T>,
}

enum Sending<T> {
    New(T),
    Waiting(u64),
    Done,
}

impl<T> Unpin for SendFuture<T> {}

impl<T> Future for SendFuture<T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut channel = this.channel.borrow_mut();
        let sent = match std::mem::replace(&mut this.state, Sending::Done) {
            Sending::New(value) => match channel.send(value) {
                Ok(waker) => {
                    drop(channel);
                    wake_all(waker);
                    return Poll::Ready(Ok(()));
                }
                Err(TrySendError::Closed(value)) => return Poll::Ready(Err(SendError(value))),
                Err(TrySendError::Full(value)) => {
                    this.state = Sending::Waiting(channel.senders.enter(value, task));
                    return Poll::Pending;
                }
            },
            Sending::Waiting(ticket) => {
                this.state = Sending::Waiting(ticket);
                std::task::ready!(channel.senders.poll(ticket, task))
            }
            Sending::Done => panic!("a value was sent already, and its sending awaited again"),
        };
        this.state = Sending::Done;
        Poll::Ready(sent)
    }
}

impl<T> FusedFuture for SendFuture<T> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, Sending::Done)
    }
}

impl<T> Drop for SendFuture<T> {
    fn drop(&mut self) {
        if let Sending::Waiting(ticket) = self.state {
            let left = self.channel.borrow_mut().senders.leave(ticket);
            // Destructors of users run while nothing is borrowed.
            drop(left);
        }
    }
}

/// Waits for a value: [`Receiver::receive`].
#[must_use = "nothing is received before it is awaited"]
pub struct ReceiveFuture<T> {
    channel: Rc<RefCell<State<T>>>,
    state: Receiving,
}

enum Receiving {
    New,
    Waiting(u64),
    Done,
}

impl<T> Future for ReceiveFuture<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let mut channel = this.channel.borrow_mut();
        let (value, waker) = match this.state {
            Receiving::New => match channel.receive() {
                Some(received) => received,
                None => {
                    this.state = Receiving::Waiting(channel.receivers.enter((), task));
                    return Poll::Pending;
                }
            },
            Receiving::Waiting(ticket) => (std::task::ready!(channel.receivers.poll(ticket, task)), None),
            Receiving::Done => panic!("a value was received already, and awaited again; call receive() for the next"),
        };
        drop(channel);
        this.state = Receiving::Done;
        wake_all(waker);
        Poll::Ready(value)
    }
}

impl<T> FusedFuture for ReceiveFuture<T> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, Receiving::Done)
    }
}

impl<T> Drop for ReceiveFuture<T> {
    fn drop(&mut self) {
        let Receiving::Waiting(ticket) = self.state else { return };
        let mut channel = self.channel.borrow_mut();
        let waker = match channel.receivers.leave(ticket) {
            (_, Some(Some(value))) => channel.put_back(value),
            _ => None,
        };
        drop(channel);
        wake_all(waker);
    }
}

/// Nobody can receive the value any more; here it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("nobody can receive from the channel any more")]
pub struct SendError<T>(pub T);

/// Why a value was not sent at once; here it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TrySendError<T> {
    /// Nobody can receive it any more.
    #[error("nobody can receive from the channel any more")]
    Closed(T),
    /// There is no room for it now.
    #[error("the channel is full")]
    Full(T),
}

/// Why there was no value at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TryReceiveError {
    /// There will be none any more.
    #[error("nobody can send to the channel any more")]
    Closed,
    /// There is none now.
    #[error("the channel is empty")]
    Empty,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.borrow_mut().sender_count += 1;
        Self(Rc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        release(&self.0, |state| state.sender_count -= 1);
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.borrow_mut().receiver_count += 1;
        Self(Rc::clone(&self.0))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        release(&self.0, |state| state.receiver_count -= 1);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").field("len", &self.len()).finish_non_exhaustive()
    }
}
