//! Certificates.

use std::fmt;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

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
    client: Option<(Vec<u8>, Vec<u8>)>,
}

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

    /// The certificate that the client shows (with its chain), and its private key, both PEM.
    #[must_use]
    pub fn client_certificate(mut self, certificate_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        self.client = Some((certificate_pem.into(), key_pem.into()));
        self
    }

    pub(crate) fn to_config(&self) -> ClientTlsConfig {
        let config = match &self.server_root {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        let config = match &self.server_name {
            Some(name) => config.domain_name(name),
            None => config,
        };
        match &self.client {
            Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
            None => config,
        }
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsOptions")
            .field("server_name", &self.server_name)
            .field("has_server_root", &self.server_root.is_some())
            .field("has_client_certificate", &self.client.is_some())
            .finish()
    }
}
