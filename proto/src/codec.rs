//! How messages become bytes and come back, over gRPC.

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use prost::Message;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::{Request, Response, Status};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Protobuf: what a stub sends, and what it gets for that. As a codec of tonic's it serves what is no single call: the watch of a server's
/// health.
pub(crate) struct MessageCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for MessageCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for MessageCodec<T, U>
where
    T: Message + 'static,
    U: Message + Default + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::default())
    }
}

/// Sends a message and waits for the answer to it: what all stubs do.
///
/// tonic's way of a call is compiled anew for each kind of message that it is given. So it is given the same kinds always: a message
/// of which it only knows that it can be written, and the bytes of the answer. Nothing is copied for that.
pub(crate) async fn unary<S, T, U>(
    service: &mut Grpc<S>,
    request: Request<T>,
    path: PathAndQuery,
    _: MessageCodec<T, U>,
) -> Result<Response<U>, Status>
where
    S: GrpcService<Body>,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError>,
    T: Message + 'static,
    U: Message + Default,
{
    let request = request.map(|message| Box::new(message) as Outgoing);
    let (metadata, bytes, extensions) = service.unary(request, path, BytesCodec).await?.into_parts();
    let message = U::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Response::from_parts(metadata, message, extensions))
}

/// A message of any kind, to be written.
type Outgoing = Box<dyn Write + Send + Sync>;

trait Write {
    fn write(&self, buffer: &mut EncodeBuf<'_>);
}

impl<T: Message> Write for T {
    fn write(&self, buffer: &mut EncodeBuf<'_>) {
        self.encode(buffer).expect("the buffer grows");
    }
}

/// Messages on their way out, bytes on their way in. The buffer for what arrives is only as large as the message.
///
/// `bytes` fields are slices of the buffer that they arrived in, so that whoever keeps a Payload or a task token keeps all of it:
/// with tonic's own codec at least 8 KiB, for each activity that runs.
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Outgoing;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, message: Outgoing, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.write(buffer);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(LEAST_BUFFER, YIELD_AT)
    }
}

/// Bytes; it grows to what arrives.
const LEAST_BUFFER: usize = 64;
/// Bytes of a stream that are gathered at most; there are no streams here.
const YIELD_AT: usize = 32 * 1024;
