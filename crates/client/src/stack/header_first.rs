//! An answer's body as tonic reads it with the least copying.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::Collected;
use tonic::Status;

use super::attempt::FRAME_HEADER_SIZE;

/// A body that was collected, whose first frame is only what gRPC puts before a message.
///
/// tonic makes room for a whole message when it has read how long it is, whatever of it has come already. So a message that comes
/// together with its length would be copied once more, into a buffer of twice its size.
pub(super) struct HeaderFirst {
    body: Collected<Bytes>,
    is_first: bool,
    /// What came with the header.
    rest: Option<Bytes>,
}

impl HeaderFirst {
    pub(super) const fn new(body: Collected<Bytes>) -> Self {
        Self { body, is_first: true, rest: None }
    }
}

impl Body for HeaderFirst {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else { return Poll::Pending };
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame.unwrap_or_else(|never: Infallible| match never {});
        let is_first = std::mem::take(&mut self.is_first);
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut data) if is_first && data.len() > FRAME_HEADER_SIZE => {
                let header = data.split_to(FRAME_HEADER_SIZE);
                self.rest = Some(data);
                Frame::data(header)
            }
            Ok(data) => Frame::data(data),
            Err(other) => other,
        })))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn the_header_comes_alone_and_nothing_is_lost() {
        let message = Bytes::from_static(b"\0\0\0\0\x07message");
        let body = Full::new(message.clone()).collect().await.unwrap();
        let mut body = HeaderFirst::new(body);
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(frames, [message.slice(..5), message.slice(5..)]);
    }

    #[tokio::test]
    async fn an_empty_answer_stays_empty() {
        let body = Full::new(Bytes::from_static(b"\0\0\0\0\0")).collect().await.unwrap();
        assert_eq!(HeaderFirst::new(body).collect().await.unwrap().to_bytes().len(), 5);
        let body = Full::new(Bytes::new()).collect().await.unwrap();
        assert!(HeaderFirst::new(body).collect().await.unwrap().to_bytes().is_empty());
    }
}
