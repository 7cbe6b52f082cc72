//! The Data Converter's codecs, kept at a distance: one that fails, panics or never answers costs the task that it was asked
//! for, and nothing else. They run beside the worker's loop, in the tokio task of that one request.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use timewright_converter::{CodecError, DataConverter};
use timewright_proto::CollectPayloads;

use crate::instance::panic_message;

#[derive(Debug, Clone)]
pub(crate) struct Codecs {
    converter: DataConverter,
    timeout: Duration,
}

impl Codecs {
    pub(crate) fn new(converter: DataConverter, timeout: Duration) -> Self {
        Self { converter, timeout }
    }

    /// Whether there is anything to do.
    pub(crate) fn are_there(&self) -> bool {
        self.converter.has_codecs()
    }

    /// See [`DataConverter::encode`].
    pub(crate) async fn encode<M: CollectPayloads>(&self, message: &mut M) -> Result<(), CodecError> {
        if !self.are_there() {
            return Ok(());
        }
        self.guard(self.converter.encode(message)).await
    }

    /// See [`DataConverter::decode`].
    pub(crate) async fn decode<M: CollectPayloads>(&self, message: &mut M) -> Result<(), CodecError> {
        if !self.are_there() {
            return Ok(());
        }
        self.guard(self.converter.decode(message)).await
    }

    async fn guard(&self, conversion: impl Future<Output = Result<(), CodecError>>) -> Result<(), CodecError> {
        let mut conversion = pin!(conversion);
        let unpanicked = poll_fn(|task| {
            catch_unwind(AssertUnwindSafe(|| conversion.as_mut().poll(task))).unwrap_or_else(|panic| {
                let message = format!("a Payload Codec panicked: {}", panic_message(&*panic));
                Poll::Ready(Err(CodecError::new(message)))
            })
        });
        tokio::time::timeout(self.timeout, unpanicked).await.unwrap_or_else(|_| {
            Err(CodecError::new(format!(
                "a Payload Codec gave no answer within {:?}; is what it depends on reachable? \
                 (WorkflowWorkerBuilder::codec_timeout sets the limit.)",
                self.timeout
            )))
        })
    }
}

#[cfg(test)]
mod tests {
    use timewright_converter::{BoxFuture, Payload, PayloadCodec};
    use timewright_proto::common::Payloads;

    use super::*;

    /// Does what the Payload says.
    struct Obedient;

    impl PayloadCodec for Obedient {
        fn name(&self) -> &'static str {
            "obedient"
        }

        fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            Box::pin(async move {
                match &*payloads[0].data {
                    b"panic" => panic!("no key"),
                    b"hang" => std::future::pending().await,
                    b"fail" => Err(CodecError::new("no such key")),
                    _ => Ok(payloads),
                }
            })
        }

        fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            self.encode(payloads)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn c29_a_codec_that_fails_panics_or_hangs_gives_an_error() {
        let codecs = Codecs::new(DataConverter::default().with_codec(Obedient), Duration::from_secs(30));
        for (data, expected) in [
            ("work", None),
            ("fail", Some("Payload Codec obedient could not encode: no such key")),
            ("panic", Some("a Payload Codec panicked: no key")),
            (
                "hang",
                Some(
                    "a Payload Codec gave no answer within 30s; is what it depends on reachable? \
                     (WorkflowWorkerBuilder::codec_timeout sets the limit.)",
                ),
            ),
        ] {
            let mut message = Payloads { payloads: vec![Payload { data: data.into(), ..Payload::default() }] };
            let error = codecs.encode(&mut message).await.err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), expected, "{data}");
        }
    }
}
