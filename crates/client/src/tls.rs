//! TLS: certificates, and connections that are made with them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinError;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tower::{BoxError, Service, ServiceExt};

use crate::caught::{Panicked, caught};
use crate::connect::Addresses;

/// What TLS needs beyond an `https` address, which for most servers is nothing: their certificates are checked against the
/// operating system's roots.
///
/// ```no_run
/// use timewright_client::{ClientOptions, TlsOptions};
///
/// # fn example() -> std::io::Result<()> {
/// // mTLS, as Temporal Cloud has it: the client shows a certificate too.
/// let tls = TlsOptions::default().client_certificate(std::fs::read("client.pem")?, std::fs::read("client.key")?);
/// let options = ClientOptions::new("https://payments.a1b2c.tmprl.cloud:7233").namespace("payments.a1b2c").tls(tls);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct TlsOptions {
    server_root: Option<Vec<u8>>,
    server_name: Option<String>,
    server_verifier: Option<Arc<dyn ServerCertVerifier>>,
    client: Option<Arc<ClientCertificate>>,
}

/// Gives certificate and key, both PEM.
type ClientCertificate = dyn Fn() -> io::Result<(Vec<u8>, Vec<u8>)> + Send + Sync;

impl TlsOptions {
    /// Trusts servers whose certificates lead to these (PEM), instead of the operating system's roots.
    #[must_use]
    pub fn server_root(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.server_root = Some(pem.into());
        self
    }

    /// The name that the server's certificate has, if it is not the address's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Lets this decide whether a server's certificate is good, in place of all roots: to pin one, say, or to look into revocation
    /// lists. A wrong one lets anybody in. What it is written with is in [`rustls`](crate::rustls).
    #[must_use]
    pub fn server_verifier(mut self, verifier: impl ServerCertVerifier + 'static) -> Self {
        self.server_verifier = Some(Arc::new(verifier));
        self
    }

    /// The certificate that the client shows (with its chain), and its private key, both PEM.
    #[must_use]
    pub fn client_certificate(self, certificate_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        let (certificate, key) = (certificate_pem.into(), key_pem.into());
        self.client_certificate_provider(move || Ok((certificate.clone(), key.clone())))
    }

    /// A certificate that is renewed: asked for with each new connection, and so each time that the server ends one (after 5 minutes, if
    /// it is not set otherwise) or [`ClientOptions::maximum_connection_age`](crate::ClientOptions::maximum_connection_age) does. It may
    /// read files. While it fails, or panics, no new connection can be made. For a client that is
    /// [lazy](crate::ClientOptions::lazy) it is asked once more at the start, to check it.
    ///
    /// ```
    /// # use timewright_client::TlsOptions;
    /// let tls = TlsOptions::default()
    ///     .client_certificate_provider(|| Ok((std::fs::read("/tls/tls.crt")?, std::fs::read("/tls/tls.key")?)));
    /// ```
    #[must_use]
    pub fn client_certificate_provider(
        mut self,
        provider: impl Fn() -> io::Result<(Vec<u8>, Vec<u8>)> + Send + Sync + 'static,
    ) -> Self {
        self.client = Some(Arc::new(provider));
        self
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsOptions")
            .field("server_name", &self.server_name)
            .field("has_server_root", &self.server_root.is_some())
            .field("has_server_verifier", &self.server_verifier.is_some())
            .field("has_client_certificate", &self.client.is_some())
            .finish()
    }
}

/// Certificates that cannot be used. The application's fault, or that of whoever made them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the client's certificate could not be read: {0}")]
    Client(io::Error),
    #[error("the client's certificate is not usable: {0}")]
    ClientCertificate(#[source] BoxError),
    #[error("the server's root certificate is not usable: {0}")]
    Root(#[source] BoxError),
    #[error("the operating system has no root certificates{0}")]
    NoRoots(String),
    #[error("`{0}` is no name that a certificate can have")]
    ServerName(String),
    #[error("the server does not speak HTTP/2 over TLS (ALPN `h2`)")]
    NoHttp2,
    #[error("the client's certificate and the root certificates could not be read within {0:?}")]
    TooSlow(Duration),
    #[error(transparent)]
    Panicked(#[from] Panicked),
    #[error("the runtime ends")]
    RuntimeEnds,
    #[error(transparent)]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

impl TlsError {
    /// Of a task that sets TLS up, in which only the provider is the application's.
    pub(crate) fn of_join(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Panicked::new("the provider of the client's certificate", &*panic).into(),
            Err(_) => Self::RuntimeEnds,
        }
    }
}

/// Makes connections with TLS: each with the certificate that the client has then.
#[derive(Clone)]
pub(crate) struct TlsTransport {
    tcp: HttpConnector<Addresses>,
    address: Uri,
    server_name: ServerName<'static>,
    verifier: Verifier,
    client: Option<Arc<ClientCertificate>>,
    /// What the options were checked with is what the first connection is made with.
    first: Arc<Mutex<Option<ClientConfig>>>,
}

#[derive(Clone)]
enum Verifier {
    Roots(Arc<RootCertStore>),
    Own(Arc<dyn ServerCertVerifier>),
}

impl TlsTransport {
    /// Over TCP, to this address. All that can be wrong with the options is said now. Blocks.
    pub(crate) fn new(
        tcp: HttpConnector<Addresses>,
        address: Uri,
        options: &TlsOptions,
        is_lazy: bool,
    ) -> Result<Self, TlsError> {
        let host = address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = options.server_name.as_deref().unwrap_or(host).to_owned();
        let server_name = ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name))?;
        let verifier = match (&options.server_verifier, &options.server_root) {
            (Some(verifier), _) => Verifier::Own(Arc::clone(verifier)),
            (None, Some(pem)) => Verifier::Roots(Arc::new(given_roots(pem)?)),
            (None, None) => Verifier::Roots(Arc::new(roots_of_the_system()?)),
        };
        let client = options.client.clone();
        let checked = config(&verifier, client.as_deref())?;
        // By the time of a lazy one's first connection, the client may have another certificate.
        let first = Arc::new(Mutex::new(Some(checked).filter(|_| !is_lazy)));
        Ok(Self { tcp, address, server_name, verifier, client, first })
    }
}

impl Service<Uri> for TlsTransport {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// The address is its own: tonic must not see that it is `https`, since it would want to do the TLS.
    fn call(&mut self, _: Uri) -> Self::Future {
        let transport = self.clone();
        let what = match self.verifier {
            Verifier::Own(_) => "the verifier of the server's certificate",
            Verifier::Roots(_) => "what TLS was to be made with",
        };
        // The connection is made by a task that all calls share: whoever panics there ends the client.
        Box::pin(caught(what, || transport.connect()))
    }
}

impl TlsTransport {
    async fn connect(self) -> Result<TokioIo<TlsStream<TcpStream>>, BoxError> {
        let Self { tcp, address, server_name, verifier, client, first } = self;
        let tcp = tcp.oneshot(address).await?.into_inner();
        // Nobody panics with the lock held.
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let config = match first {
            Some(config) => config,
            // Whoever provides the certificate may wait for a disk.
            None => tokio::task::spawn_blocking(move || config(&verifier, client.as_deref()))
                .await
                .map_err(TlsError::of_join)??,
        };
        let stream = TlsConnector::from(Arc::new(config)).connect(server_name, tcp).await?;
        if stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Err(TlsError::NoHttp2.into());
        }
        Ok(TokioIo::new(stream))
    }
}

fn config(verifier: &Verifier, client: Option<&ClientCertificate>) -> Result<ClientConfig, TlsError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let config = match verifier {
        Verifier::Roots(roots) => config.with_root_certificates(Arc::clone(roots)),
        Verifier::Own(verifier) => config.dangerous().with_custom_certificate_verifier(Arc::clone(verifier)),
    };
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some(provide) => {
            let (certificate, key) = provide().map_err(TlsError::Client)?;
            let unusable = |error: BoxError| TlsError::ClientCertificate(error);
            let chain = certificates(&certificate).map_err(unusable)?;
            let key =
                PrivateKeyDer::from_pem_slice(&key).map_err(|error| unusable(format!("its key: {error}").into()))?;
            config.with_client_auth_cert(chain, key).map_err(|error| unusable(error.into()))?
        }
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).map_err(TlsError::Root)? {
        roots.add(certificate).map_err(|error| TlsError::Root(error.into()))?;
    }
    Ok(roots)
}

fn roots_of_the_system() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some of them may be strange; those that matter are not.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(TlsError::NoRoots(found.errors.iter().map(|error| format!("; {error}")).collect()));
    }
    Ok(roots)
}

/// At least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BoxError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".into());
    }
    Ok(certificates)
}

const HTTP2: &[u8] = b"h2";

#[cfg(test)]
mod tests;
