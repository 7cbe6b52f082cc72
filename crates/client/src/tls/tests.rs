//! A real Temporal Server behind TLS.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use timewright_testing::DevServer;
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified};
use tokio_rustls::rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};

use super::*;
use crate::{Client, ClientOptions};

/// Whoever signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both PEM.
#[derive(Clone)]
struct Certificate {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certify(&self, name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        Certificate { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        Arc::new(given_roots(self.0.pem().as_bytes()).unwrap())
    }
}

impl Certificate {
    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// Passes on to the shared server what comes over TLS.
struct Front {
    address: SocketAddr,
    /// What clients have shown, in that order.
    shown: Arc<Mutex<Vec<CertificateDer<'static>>>>,
    /// Counted up, all connections end.
    cuts: watch::Sender<u32>,
}

impl Front {
    /// For clients that have a certificate of the authority.
    async fn start(authority: &Authority, own: &Certificate) -> Self {
        let provider = Arc::new(ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(authority.roots(), Arc::clone(&provider)).build().unwrap();
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![own.der()], key)
            .unwrap();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = DevServer::shared().unwrap().address();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (cuts, cut) = watch::channel(0);
        let front = Self { address: listener.local_addr().unwrap(), shown: Arc::default(), cuts };
        let shown = Arc::clone(&front.shown);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (acceptor, shown, mut cut) = (acceptor.clone(), Arc::clone(&shown), cut.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    // Who is not let in has heard why.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let certificates = client.get_ref().1.peer_certificates().unwrap();
                    shown.lock().unwrap().push(certificates[0].clone().into_owned());
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => (),
                        _ = cut.changed() => (),
                    }
                });
            }
        });
        front
    }

    fn options(&self, tls: TlsOptions) -> ClientOptions {
        ClientOptions::new(format!("https://localhost:{}", self.address.port()))
            .resolver(|_| async { Ok::<_, io::Error>(vec![SocketAddr::from(([127, 0, 0, 1], 0))]) })
            .tls(tls)
    }

    fn shown(&self) -> Vec<CertificateDer<'static>> {
        self.shown.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn c27_the_client_shows_the_certificate_that_it_has_at_each_handshake() {
    let authority = Authority::new();
    let front = Front::start(&authority, &authority.certify("localhost")).await;
    let (first, second) = (authority.certify("first"), authority.certify("second"));
    let present = Arc::new(Mutex::new(Ok(first.clone())));
    let provider = {
        let present = Arc::clone(&present);
        move || match &*present.lock().unwrap() {
            Ok(Certificate { certificate, key }) => Ok((certificate.clone().into(), key.clone().into())),
            Err(text) => Err(io::Error::other(*text)),
        }
    };
    let tls = TlsOptions::default().server_root(authority.0.pem()).client_certificate_provider(provider);
    let client = Client::connect(front.options(tls.clone())).await.unwrap();
    client.check_namespace().await.unwrap();
    assert_eq!(front.shown(), [first.der()]);

    // Renewed: the connection goes on with the old one, and the next one has the new one.
    *present.lock().unwrap() = Ok(second.clone());
    client.check_namespace().await.unwrap();
    assert_eq!(front.shown(), [first.der()]);
    front.cuts.send_modify(|cuts| *cuts += 1);
    client.check_namespace().await.unwrap();
    assert_eq!(front.shown(), [first.der(), second.der()]);

    // Not there for a moment, while it is written anew.
    *present.lock().unwrap() = Err("half a file");
    let error = Client::connect(front.options(tls)).await.unwrap_err().to_string();
    assert!(error.contains("the client's certificate could not be read: half a file"), "{error}");
    client.check_namespace().await.unwrap();
}

#[tokio::test]
async fn servers_and_clients_that_are_not_trusted_are_told_apart() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let front = Front::start(&ours, &ours.certify("localhost")).await;
    let own = |authority: &Authority| {
        let Certificate { certificate, key } = authority.certify("client");
        TlsOptions::default().client_certificate(certificate, key)
    };
    let error = async |tls: TlsOptions| Client::connect(front.options(tls)).await.unwrap_err().to_string();
    let text = error(own(&ours).server_root(theirs.0.pem())).await;
    assert!(text.contains("invalid peer certificate: "), "{text}");
    let text = error(own(&ours).server_root(ours.0.pem()).server_name("elsewhere")).await;
    assert!(text.contains("certificate not valid for name \"elsewhere\""), "{text}");
    // Since TLS 1.3 a client hears only after its handshake that its certificate is not wanted.
    let text = error(own(&theirs).server_root(ours.0.pem())).await;
    assert!(text.starts_with("no Temporal Server answers at https://localhost"), "{text}");
    assert_eq!(front.shown(), []);
}

/// Lets one certificate in, whoever has signed it.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    panics_once: Arc<AtomicBool>,
}

impl Pinned {
    fn to(certificate: &Certificate) -> Self {
        Self { certificate: certificate.der(), panics_once: Arc::default() }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        assert!(!self.panics_once.swap(false, Ordering::Relaxed), "at the disco");
        match *certificate == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test]
async fn a_verifier_of_ones_own_decides_in_place_of_roots() {
    let (clients, servers) = (Authority::new(), Authority::new());
    let (own, other) = (servers.certify("whatever"), servers.certify("whatever"));
    let front = Front::start(&clients, &own).await;
    let Certificate { certificate, key } = clients.certify("client");
    let tls = TlsOptions::default().client_certificate(certificate, key);
    let client = Client::connect(front.options(tls.clone().server_verifier(Pinned::to(&own)))).await.unwrap();
    client.check_namespace().await.unwrap();
    let error = Client::connect(front.options(tls.server_verifier(Pinned::to(&other)))).await.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn a_verifier_that_panics_ends_one_handshake_and_not_the_client() {
    let (clients, servers) = (Authority::new(), Authority::new());
    let own = servers.certify("whatever");
    let front = Front::start(&clients, &own).await;
    let Certificate { certificate, key } = clients.certify("client");
    let (pinned, panics_once) = (Pinned::to(&own), Arc::new(AtomicBool::new(true)));
    let verifier = Pinned { panics_once: Arc::clone(&panics_once), ..pinned };
    let tls = TlsOptions::default().client_certificate(certificate, key).server_verifier(verifier);
    let error = Client::connect(front.options(tls.clone())).await.unwrap_err().to_string();
    let whose = "the verifier of the server's certificate panicked, which is a defect of the application: at the disco";
    assert!(error.contains(whose), "{error}");

    let client = Client::connect(front.options(tls)).await.unwrap();
    panics_once.store(true, Ordering::Relaxed);
    front.cuts.send_modify(|cuts| *cuts += 1);
    client.check_namespace().await.unwrap();
    assert!(!panics_once.load(Ordering::Relaxed), "it was asked");
}

/// What whoever provides the client's certificate does now.
#[derive(Clone)]
enum Provided {
    Certificate(Certificate),
    Panic,
}

#[tokio::test]
async fn c27_what_the_server_does_not_want_takes_no_connections_place_and_renewal_goes_on() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let front = Front::start(&ours, &ours.certify("localhost")).await;
    let (first, second) = (ours.certify("first"), ours.certify("second"));
    let provided = Arc::new(Mutex::new(Provided::Certificate(first.clone())));
    let (asked, mut was_asked) = watch::channel(0);
    let provider = {
        let provided = Arc::clone(&provided);
        move || {
            let provided = provided.lock().unwrap().clone();
            asked.send_modify(|asked| *asked += 1);
            match provided {
                Provided::Certificate(Certificate { certificate, key }) => Ok((certificate.into(), key.into())),
                Provided::Panic => panic!("at the disco"),
            }
        }
    };
    let tls = TlsOptions::default().server_root(ours.0.pem()).client_certificate_provider(provider);
    let options = front.options(tls.clone()).maximum_connection_age(Duration::from_secs(1));
    let client = Client::connect(options).await.unwrap();
    assert_eq!(*was_asked.borrow_and_update(), 1, "once for one connection");

    let set = |given| *provided.lock().unwrap() = given;
    let asked_again = async |was_asked: &mut watch::Receiver<u32>| {
        was_asked.mark_unchanged();
        tokio::time::timeout(Duration::from_secs(30), was_asked.changed()).await.expect("asked again").unwrap();
    };
    set(Provided::Panic);
    asked_again(&mut was_asked).await;
    let error = Client::connect(front.options(tls)).await.unwrap_err().to_string();
    let whose = "the provider of the client's certificate panicked, which is a defect of the application: at the disco";
    assert!(error.contains(whose), "{error}");

    // Since TLS 1.3 the handshake itself succeeds.
    set(Provided::Certificate(theirs.certify("foreign")));
    for _ in 0..3 {
        asked_again(&mut was_asked).await;
        client.check_namespace().await.unwrap();
    }
    assert!(!front.shown().contains(&second.der()));
    set(Provided::Certificate(second.clone()));
    let renewed = async {
        while !front.shown().contains(&second.der()) {
            asked_again(&mut was_asked).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), renewed).await.expect("renewed");
    client.check_namespace().await.unwrap();
}

#[tokio::test]
async fn what_is_no_certificate_is_explained() {
    let good = Authority::new().certify("client");
    let error = async |tls: TlsOptions| {
        let options = ClientOptions::new("https://127.0.0.1:1").tls(tls);
        Client::connect(options).await.unwrap_err().to_string()
    };
    let (certificate, key) = (good.certificate.as_str(), good.key.as_str());
    let client = |certificate: &str, key: &str| TlsOptions::default().client_certificate(certificate, key);
    let mut texts = Vec::new();
    for tls in [
        client("nonsense", key),
        client(certificate, "nonsense"),
        client(certificate, &Authority::new().certify("another").key),
        TlsOptions::default().server_root("nonsense"),
        TlsOptions::default().server_name("no name at all"),
        TlsOptions::default().client_certificate_provider(|| Err(io::ErrorKind::NotFound.into())),
    ] {
        let text = error(tls).await;
        let text = text.strip_prefix("TLS for https://127.0.0.1:1 cannot be set up: ").unwrap_or(&text).to_owned();
        texts.push(text.strip_suffix(". Check the certificates, which must be PEM").unwrap_or(&text).to_owned());
    }
    assert_eq!(
        texts.join("\n"),
        "the client's certificate is not usable: there is no certificate in it\n\
         the client's certificate is not usable: its key: no items found\n\
         the client's certificate is not usable: keys may not be consistent: KeyMismatch\n\
         the server's root certificate is not usable: there is no certificate in it\n\
         `no name at all` is no name that a certificate can have\n\
         the client's certificate could not be read: entity not found"
    );
}
