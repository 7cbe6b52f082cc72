//! A Payload Codec whose Payloads nobody can read without it.

use timewright::converter::{BoxFuture, CodecError, Payload, PayloadCodec};
use timewright::proto::Message;

/// Inverts every bit of the whole Payload.
pub(crate) struct Inverted;

const ENCODING: &[u8] = b"binary/inverted";

impl PayloadCodec for Inverted {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let encode = |payload: Payload| Payload {
            metadata: [("encoding".to_owned(), ENCODING.into())].into(),
            data: payload.encode_to_vec().into_iter().map(|byte| !byte).collect(),
            ..Payload::default()
        };
        Box::pin(async move { Ok(payloads.into_iter().map(encode).collect()) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let decode = |payload: Payload| {
            if payload.metadata.get("encoding").is_none_or(|encoding| encoding != ENCODING) {
                return Err(CodecError::new("this Payload is not inverted"));
            }
            let bytes: Vec<u8> = payload.data.iter().map(|byte| !byte).collect();
            Payload::decode(bytes.as_slice()).map_err(|error| CodecError::new("it is no Payload").caused_by(error))
        };
        Box::pin(async move { payloads.into_iter().map(decode).collect() })
    }
}
