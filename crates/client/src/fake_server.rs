//! A server for tests: a tower service that stands where the channel would.

use crate::{Client, ClientOptions, HttpRequest, HttpResponse};
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use timewright_proto::Message;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{BoxError, Service};

/// What the server does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers with this message.
    Message(Bytes),
    /// Fails, as servers mostly do, with a status in the headers.
    Status(Status),
    /// Fails with a status after the headers.
    Trailers(Status),
    /// It is no gRPC server.
    Http(u16),
    /// The connection breaks; the text says how, the code what tonic would make of it.
    Broken(Code, &'static str),
    /// Never answers.
    Silence,
    /// Answers with headers, and then with nothing.
    HeadersOnly,
    /// Answers with this many bytes.
    Large(usize),
}

impl Reply {
    pub(crate) fn message(message: &impl Message) -> Self {
        Self::Message(message.encode_to_vec().into())
    }

    pub(crate) fn code(code: Code) -> Self {
        Self::Status(Status::new(code, "no"))
    }
}

/// A call that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) rpc: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) at: Instant,
}

impl Call {
    pub(crate) fn decode<M: Message + Default>(&self) -> M {
        M::decode(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

type Script = dyn FnMut(&Call) -> Reply + Send;

/// Answers calls as `script` says, and remembers them.
#[derive(Clone)]
pub(crate) struct FakeServer {
    script: Arc<Mutex<Script>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl FakeServer {
    pub(crate) fn new(script: impl FnMut(&Call) -> Reply + Send + 'static) -> Self {
        Self { script: Arc::new(Mutex::new(script)), calls: Arc::default() }
    }

    /// These replies, of which the last is repeated.
    pub(crate) fn replying(replies: impl Into<Vec<Reply>>) -> Self {
        let mut replies = replies.into();
        Self::new(move |_| if replies.len() > 1 { replies.remove(0) } else { replies[0].clone() })
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(|options| options)
    }

    pub(crate) fn client_with(&self, options: impl FnOnce(ClientOptions) -> ClientOptions) -> Client {
        Client::with_channel(options(ClientOptions::new("fake:7233")), self.clone()).unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Service<HttpRequest> for FakeServer {
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let rpc = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
            let call = Call { rpc, headers: parts.headers, body: body.slice(5..), at: Instant::now() };
            let reply = (server.script.lock().unwrap())(&call);
            server.calls.lock().unwrap().push(call);
            match reply {
                Reply::Message(message) => Ok(response(framed(message), Status::new(Code::Ok, ""))),
                Reply::Status(status) => Ok(status.into_http()),
                Reply::Trailers(status) => Ok(response(Bytes::new(), status)),
                Reply::Http(status) => Ok(http::Response::builder().status(status).body(Body::empty())?),
                Reply::Broken(code, text) => Err(Broken(Status::new(code, text)).into()),
                Reply::Silence => std::future::pending().await,
                Reply::HeadersOnly => {
                    let body = Full::new(Bytes::new()).with_trailers(std::future::pending());
                    Ok(http::Response::new(Body::new(body)))
                }
                Reply::Large(size) => Ok(http::Response::new(Body::new(Full::new(Bytes::from(vec![0; size]))))),
            }
        })
    }
}

fn response(data: Bytes, status: Status) -> HttpResponse {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    http::Response::new(Body::new(Full::new(data).with_trailers(async { Some(Ok(trailers)) })))
}

fn framed(message: Bytes) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len().try_into().unwrap());
    framed.put(message);
    framed.freeze()
}

/// As tonic's transport errors are: a status is found among their sources.
#[derive(Debug)]
struct Broken(Status);

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.message())
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
