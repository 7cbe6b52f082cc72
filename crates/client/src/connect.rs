//! From an address to a channel.

mod addresses;

pub(crate) use addresses::Addresses;

use crate::options::ClientOptions;
use crate::rpc_error::{RpcError, with_sources};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// A [`Client`](crate::Client) that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The address is none. The application's fault.
    #[error("`{address}` is not an address: {reason}. Write http://HOST:PORT, such as http://127.0.0.1:7233")]
    InvalidAddress {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The namespace cannot be sent. The application's fault.
    #[error("`{namespace}` cannot be a namespace: only visible ASCII characters can")]
    InvalidNamespace {
        /// What was given.
        namespace: String,
    },
    /// A connection that is to take another's place is for another namespace. The application's fault.
    #[error("this client is for namespace `{namespace}`, and cannot change to `{other}`: make another client for that")]
    OtherNamespace {
        /// The client's.
        namespace: String,
        /// What was given.
        other: String,
    },
    /// The interval between the heartbeats of workers. The application's fault.
    #[error("the heartbeats of workers cannot be {interval:?} apart: from 1 s to 60 s can, or None for none at all")]
    InvalidWorkerHeartbeatInterval {
        /// What was given.
        interval: Duration,
    },
    /// How old a connection may become. The application's fault.
    #[error("a connection cannot give place to another after {age:?}: 1 s is the least")]
    InvalidMaximumConnectionAge {
        /// What was given.
        age: Duration,
    },
    /// Nothing answers at the address.
    #[error(
        "no Temporal Server answers at {address}: {reason}. {}",
        what_to_check(.address)
    )]
    NoServer {
        /// The address.
        address: String,
        /// What happened instead.
        reason: String,
    },
    /// Something answers, but not as a Temporal Server does, or it does not let this client in.
    #[error("{address} answers, but not as a Temporal Server that lets this client in: {reason}")]
    Refused {
        /// The address.
        address: String,
        /// What it said.
        reason: RpcError,
    },
    /// The certificates are not usable.
    #[error("TLS for {address} cannot be set up: {reason}. Check the certificates, which must be PEM")]
    Tls {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The address needs TLS, which this program was built without.
    #[error(
        "{address} needs TLS, which this program was built without: switch on the cargo feature `tls` of \
         timewright-client"
    )]
    TlsNotCompiled {
        /// The address.
        address: String,
    },
}

fn what_to_check(address: &str) -> &'static str {
    if address.starts_with("https://") {
        "Check the address, that the server runs, and the certificates of both sides"
    } else {
        "Check the address, that the server runs, and that it does not want https; to start one for development: temporal \
         server start-dev"
    }
}

/// The address with its scheme.
pub(crate) fn full_address(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("http://{address}") }
}

/// A channel to the server, connected unless it is to be lazy.
pub(crate) async fn channel(options: &ClientOptions) -> Result<Channel, ConnectError> {
    let address = full_address(&options.address);
    let uri = parse(&address, options)?;
    if uri.scheme_str() == Some("https") {
        secure_channel(uri, options).await
    } else {
        plain_channel(uri, options).await
    }
}

fn parse(address: &str, options: &ClientOptions) -> Result<Uri, ConnectError> {
    let invalid = |reason: &str| {
        let address = options.address.clone();
        ConnectError::InvalidAddress { address, reason: reason.to_owned() }
    };
    let uri: Uri = address.parse().map_err(|error| invalid(&with_sources(&error)))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(invalid("it begins neither with http:// nor with https://"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(invalid("it has no host"));
    }
    if uri.path() != "/" || uri.query().is_some() {
        return Err(invalid("it has a path"));
    }
    Ok(uri)
}

async fn plain_channel(uri: Uri, options: &ClientOptions) -> Result<Channel, ConnectError> {
    let (endpoint, transport) = (endpoint(Endpoint::from(uri), options), tcp(options));
    if options.lazy {
        return Ok(endpoint.connect_with_connector_lazy(transport));
    }
    connected(endpoint.connect_with_connector(transport), options, options.connect_timeout).await
}

#[cfg(feature = "tls")]
async fn secure_channel(uri: Uri, options: &ClientOptions) -> Result<Channel, ConnectError> {
    use crate::tls::{TlsError, TlsTransport};

    let began = tokio::time::Instant::now();
    let (tcp, address, tls, is_lazy) = (tcp(options), uri.clone(), options.tls.clone(), options.lazy);
    // It reads roots, and asks for the client's certificate, which may wait for a disk.
    let setting_up = tokio::task::spawn_blocking(move || TlsTransport::new(tcp, address, &tls, is_lazy));
    let transport = match tokio::time::timeout(options.connect_timeout, setting_up).await {
        Ok(Ok(transport)) => transport,
        Ok(Err(error)) => Err(TlsError::of_join(error)),
        Err(_) => Err(TlsError::TooSlow(options.connect_timeout)),
    };
    let transport = transport.map_err(|error| {
        let reason = with_sources(&error).trim_end_matches('.').to_owned();
        ConnectError::Tls { address: full_address(&options.address), reason }
    })?;
    // The transport knows its address itself; this is what requests say.
    let endpoint = endpoint(Endpoint::from_static("http://server").origin(uri), options);
    if options.lazy {
        return Ok(endpoint.connect_with_connector_lazy(transport));
    }
    let left = options.connect_timeout.saturating_sub(began.elapsed());
    connected(endpoint.connect_with_connector(transport), options, left).await
}

#[cfg(not(feature = "tls"))]
async fn secure_channel(uri: Uri, _options: &ClientOptions) -> Result<Channel, ConnectError> {
    Err(ConnectError::TlsNotCompiled { address: uri.to_string().trim_end_matches('/').to_owned() })
}

async fn connected(
    connecting: impl Future<Output = Result<Channel, tonic::transport::Error>>,
    options: &ClientOptions,
    timeout: Duration,
) -> Result<Channel, ConnectError> {
    let no_server = |reason| ConnectError::NoServer { address: full_address(&options.address), reason };
    match tokio::time::timeout(timeout, connecting).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(no_server(with_sources(&error))),
        Err(_) => Err(no_server(format!("no connection within {:?}", options.connect_timeout))),
    }
}

/// What is under every connection. It tries one address after the other, each for its share of the time.
fn tcp(options: &ClientOptions) -> HttpConnector<Addresses> {
    let mut tcp = HttpConnector::new_with_resolver(options.addresses.clone());
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
    tcp.set_connect_timeout(Some(options.connect_timeout));
    tcp
}

fn endpoint(endpoint: Endpoint, options: &ClientOptions) -> Endpoint {
    endpoint
        .user_agent(concat!("timewright/", env!("CARGO_PKG_VERSION")))
        .expect("name and version are a header")
        .connect_timeout(options.connect_timeout)
        .http2_keep_alive_interval(options.keep_alive_interval)
        .keep_alive_timeout(options.keep_alive_timeout)
        .keep_alive_while_idle(true)
        // The details of a failed query travel in the trailers.
        .http2_max_header_list_size(1024 * 1024)
}

const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    async fn error(address: &str) -> String {
        let options = ClientOptions::new(address).connect_timeout(Duration::from_secs(1));
        channel(&options).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn wrong_addresses_are_explained() {
        let mut texts = Vec::new();
        for address in
            ["", "ftp://somewhere:7233", "http://some where:7233", "http://host:7233/temporal", "http://:7233"]
        {
            texts.push(error(address).await);
        }
        let advice = ". Write http://HOST:PORT, such as http://127.0.0.1:7233";
        assert_eq!(
            texts.join("\n").replace(advice, ""),
            "\
`` is not an address: empty string
`ftp://somewhere:7233` is not an address: it begins neither with http:// nor with https://
`http://some where:7233` is not an address: invalid uri character
`http://host:7233/temporal` is not an address: it has a path
`http://:7233` is not an address: it has no host"
        );
    }

    #[tokio::test]
    async fn no_server_says_where_and_what_to_check() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let text = error(&address).await;
        assert!(text.starts_with(&format!("no Temporal Server answers at http://{address}: ")), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
        assert!(text.ends_with("to start one for development: temporal server start-dev"), "{text}");
    }

    #[cfg(not(feature = "tls"))]
    #[tokio::test]
    async fn https_without_the_feature_says_so() {
        assert_eq!(
            error("https://cloud.example:7233").await,
            "https://cloud.example:7233 needs TLS, which this program was built without: switch on the cargo feature \
             `tls` of timewright-client"
        );
    }

    #[cfg(feature = "tls")]
    #[tokio::test]
    async fn certificates_that_are_none_are_explained() {
        let tls = crate::TlsOptions::default().client_certificate("nonsense", "nonsense");
        let options = ClientOptions::new("https://127.0.0.1:1").tls(tls);
        let text = channel(&options).await.unwrap_err().to_string();
        assert!(text.starts_with("TLS for https://127.0.0.1:1 cannot be set up: "), "{text}");
    }
}
