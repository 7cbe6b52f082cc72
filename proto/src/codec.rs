//! How messages become bytes and come back, over gRPC.

use std::marker::PhantomData;

use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Protobuf, whose buffer for what arrives is only as large as the message.
///
/// `bytes` fields are slices of the buffer that they arrived in, so that whoever keeps a Payload or a task token keeps all of it:
/// with tonic's own codec at least 8 KiB, for each activity that runs.
#[derive(Debug)]
pub struct MessageCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for MessageCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for MessageCodec<T, U>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(LEAST_BUFFER, YIELD_AT))
    }
}

/// Bytes; it grows to what arrives.
const LEAST_BUFFER: usize = 64;
/// Bytes of a stream that are gathered at most; there are no streams here.
const YIELD_AT: usize = 32 * 1024;
