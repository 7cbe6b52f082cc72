//! A Payload Codec that holds a worker's answer back.

use std::sync::Arc;

use timewright::converter::{BoxFuture, CodecError, Payload, PayloadCodec};
use tokio::sync::Semaphore;

/// Changes nothing, but once [`close`](Self::close)d lets nothing out of the process before it is opened. What comes in, passes.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Sides>);

struct Sides {
    /// Has a permit for each thing that stands before the gate.
    reached: Semaphore,
    /// Has a permit, which nobody keeps, while the gate is open.
    open: Semaphore,
}

impl Gate {
    /// An open gate.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Sides { reached: Semaphore::new(0), open: Semaphore::new(1) }))
    }

    pub(crate) fn close(&self) {
        assert_eq!(self.0.open.forget_permits(1), 1, "it was open");
        self.0.reached.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open(&self) {
        self.0.open.add_permits(1);
    }

    /// Waits until something stands before the closed gate.
    pub(crate) async fn reached(&self) {
        self.0.reached.acquire().await.expect("nobody closes it").forget();
    }
}

impl PayloadCodec for Gate {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            self.0.reached.add_permits(1);
            let _passed = self.0.open.acquire().await.expect("nobody closes it");
            Ok(payloads)
        })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { Ok(payloads) })
    }
}
