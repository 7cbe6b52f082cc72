//! Where and how to connect.

use crate::connect::Addresses;
use crate::extensions::Extensions;
use crate::interceptor::{ClientInterceptor, ClientInterceptors};
use crate::metric_meter::MetricMeter;
use crate::set_up::{AppliedSetUps, SetUp};
use crate::stack::{HttpRequest, HttpResponse, Stack, StackLayer};
use http::HeaderValue;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use timewright_converter::DataConverter;
use timewright_definition::{ContextPropagator, ContextPropagators};
use tonic::Status;
use tower::{BoxError, Layer, Service};

/// Where a [`Client`](crate::Client) connects to, and how.
///
/// ```no_run
/// use timewright_client::{Client, ClientOptions};
///
/// # async fn example() -> Result<(), timewright_client::ConnectError> {
/// let options = ClientOptions::new("http://127.0.0.1:7233").namespace("payments").identity("payments-api-3");
/// let client = Client::connect(options).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub(crate) address: String,
    pub(crate) addresses: Addresses,
    pub(crate) maximum_connection_age: Option<Duration>,
    pub(crate) namespace: String,
    pub(crate) identity: Option<String>,
    pub(crate) api_key: Option<ApiKey>,
    pub(crate) lazy: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) keep_alive_interval: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) data_converter: DataConverter,
    pub(crate) layers: Vec<StackLayer>,
    pub(crate) metric_meter: MetricMeter,
    pub(crate) worker_heartbeat_interval: Option<Duration>,
    pub(crate) interceptors: ClientInterceptors,
    pub(crate) propagators: ContextPropagators,
    pub(crate) extensions: Extensions,
    pub(crate) applied: AppliedSetUps,
    #[cfg(feature = "tls")]
    pub(crate) tls: crate::tls::TlsOptions,
}

impl ClientOptions {
    /// The address of a Temporal Server's frontend: `http://HOST:PORT`, `https://HOST:PORT` with the cargo feature `tls`,
    /// or just `HOST:PORT`, which is the same as with `http`.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            addresses: Addresses::default(),
            maximum_connection_age: None,
            namespace: "default".to_owned(),
            identity: None,
            api_key: None,
            lazy: false,
            connect_timeout: Duration::from_secs(5),
            keep_alive_interval: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(15),
            data_converter: DataConverter::default(),
            layers: Vec::new(),
            metric_meter: MetricMeter::new(),
            worker_heartbeat_interval: Some(Duration::from_secs(60)),
            interceptors: ClientInterceptors::default(),
            propagators: ContextPropagators::default(),
            extensions: Extensions::default(),
            applied: AppliedSetUps::default(),
            #[cfg(feature = "tls")]
            tls: crate::tls::TlsOptions::default(),
        }
    }

    /// What the environment says, as for Temporal's command line:
    ///
    /// | variable | means | if not set |
    /// |---|---|---|
    /// | `TEMPORAL_ADDRESS` | as in [`new`](Self::new) | `127.0.0.1:7233` |
    /// | `TEMPORAL_NAMESPACE` | [`namespace`](Self::namespace) | `default` |
    /// | `TEMPORAL_API_KEY` | [`api_key`](Self::api_key) | none |
    ///
    /// # Errors
    /// If one of them is not text.
    pub fn from_environment() -> Result<Self, EnvironmentError> {
        let mut options = Self::new(variable("TEMPORAL_ADDRESS")?.unwrap_or_else(|| "127.0.0.1:7233".to_owned()));
        if let Some(namespace) = variable("TEMPORAL_NAMESPACE")? {
            options = options.namespace(namespace);
        }
        if let Some(api_key) = variable("TEMPORAL_API_KEY")? {
            options = options.api_key(api_key);
        }
        Ok(options)
    }

    /// The namespace that all calls are about: `default` if not set. <https://docs.temporal.io/namespaces>
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// By what name histories and the Web UI show who did something: `PID@HOST` if not set.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// An API key, sent with each call. Use it with `https` only: over `http`, anybody on the way can read it.
    #[must_use]
    pub fn api_key(self, api_key: impl Into<String>) -> Self {
        let api_key = api_key.into();
        self.api_key_provider(move || api_key.clone())
    }

    /// An API key that changes: asked for each call anew, so answer quickly, from memory.
    #[must_use]
    pub fn api_key_provider(mut self, provider: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.api_key = Some(ApiKey(Arc::new(provider)));
        self
    }

    /// Whether [`Client::connect`](crate::Client::connect) returns at once, and the first call connects. If not set, no:
    /// it is better to learn of a wrong address at the start.
    #[must_use]
    pub const fn lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// How long connecting may take: 5 s if not set.
    #[must_use]
    pub const fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// How often the connection is probed, and how long the answer may take before the connection counts as broken: every
    /// 30 s and 15 s if not set. Without, a connection that a router has forgotten looks alive.
    #[must_use]
    pub const fn keep_alive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.keep_alive_interval = interval;
        self.keep_alive_timeout = timeout;
        self
    }

    /// Lets this find the addresses behind the host of the [address](Self::new), instead of the operating system: a service registry, or
    /// a DNS library of one's own. It is asked for each new connection, which tries the addresses in a random order until one answers. Their
    /// ports count if the address has none.
    ///
    /// ```
    /// # use std::net::SocketAddr;
    /// use timewright_client::ClientOptions;
    ///
    /// # async fn look_up(service: &str) -> std::io::Result<Vec<SocketAddr>> { Ok(Vec::new()) }
    /// let options = ClientOptions::new("http://temporal-frontend").resolver(async |name: String| look_up(&name).await);
    /// ```
    #[must_use]
    pub fn resolver<F, Fut, E>(mut self, resolver: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<SocketAddr>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.addresses = Addresses::from(resolver);
        self
    }

    /// After which time a connection gives place to another, for which the name of the address is resolved anew: at the latest then, workers
    /// find servers that came later, and leave those that have left the name. Calls that are under way end on the connection on which they
    /// began; where no other can be made, the old one goes on. From 1 s on, and never if not set: a Temporal Server ends connections
    /// itself (after 5 minutes, if `frontend.keepAliveMaxConnectionAge` is not set), but what stands in front of it may not.
    #[must_use]
    pub const fn maximum_connection_age(mut self, age: Duration) -> Self {
        self.maximum_connection_age = Some(age);
        self
    }

    /// How values become Payloads and back. Workers that share a Task Queue with this client need an equal one.
    #[must_use]
    pub fn data_converter(mut self, data_converter: DataConverter) -> Self {
        self.data_converter = data_converter;
        self
    }

    /// How often the server is told how the workers of this client are doing, all in one call, for `temporal worker list` and the Web
    /// UI: from 1 s to 60 s, which it is if not set. `None`: never. Servers that do not know such heartbeats get none.
    #[must_use]
    pub const fn worker_heartbeat_interval(mut self, interval: Option<Duration>) -> Self {
        self.worker_heartbeat_interval = interval;
        self
    }

    /// Where the metrics go of this client and of all workers that are built with it: Temporal's
    /// [SDK metrics](https://docs.temporal.io/references/sdk-metrics), and what workflows and activities count. If not set, to the
    /// recorder of the process, which must be installed before workers run.
    ///
    /// ```
    /// use metrics_exporter_prometheus::PrometheusBuilder;
    /// use timewright_client::ClientOptions;
    ///
    /// let recorder = PrometheusBuilder::new().build_recorder();
    /// let shown = recorder.handle(); // `shown.render()` is what Prometheus asks for
    /// let options = ClientOptions::new("http://127.0.0.1:7233").metrics_recorder(recorder);
    /// # let _ = (shown, options);
    /// ```
    #[must_use]
    pub fn metrics_recorder(mut self, recorder: impl metrics::Recorder + Send + Sync + 'static) -> Self {
        self.metric_meter = MetricMeter::to(recorder);
        self
    }

    /// Puts a [`tower::Layer`] around everything that the client sends: metrics, logs, headers of one's own, faults for
    /// tests. It sees each call once, above retries. Of several, the last is nearest to the caller, and sees a call first.
    ///
    /// ```
    /// use timewright_client::{ClientOptions, HttpRequest, Stack};
    /// use tower::ServiceExt;
    ///
    /// let layer = tower::layer::layer_fn(|stack: Stack| {
    ///     stack.map_request(|mut request: HttpRequest| {
    ///         request.headers_mut().insert("x-team", http::HeaderValue::from_static("payments"));
    ///         request
    ///     })
    /// });
    /// let options = ClientOptions::new("http://127.0.0.1:7233").layer(layer);
    /// ```
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Stack> + Send + Sync + 'static,
        L::Service: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
        <L::Service as Service<HttpRequest>>::Error: Into<BoxError>,
        <L::Service as Service<HttpRequest>>::Future: Send + 'static,
    {
        self.layers.push(StackLayer::new(layer));
        self
    }

    /// Lets an interceptor see each call of the client API before it is made, with its arguments and headers still readable. Of
    /// several, the last is nearest to the caller: it sees a call first.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl ClientInterceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// Carries context values over the wire: those of [`Client::with_value`](crate::Client::with_value), and with all workers
    /// that are built with this client, on through workflows and activities.
    #[must_use]
    pub fn propagator(mut self, propagator: impl ContextPropagator) -> Self {
        self.propagators.push(propagator);
        self
    }

    /// Puts something aside that whoever gets the client finds by its type: [`Client::extensions`](crate::Client::extensions). So
    /// plugins reach the workers that are built with it.
    #[must_use]
    pub fn extension<T: Send + Sync + 'static>(mut self, extension: T) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Lets a step set these options up, unless one of its name has done so.
    #[must_use]
    pub fn set_up(self, step: &SetUp<Self>) -> Self {
        step.apply_once(self, |options| &mut options.applied)
    }

    /// What was put aside of this type.
    pub fn extensions<T: Send + Sync + 'static>(&self) -> impl Iterator<Item = &T> {
        self.extensions.of_type()
    }

    /// Certificates, for `https` addresses.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::TlsOptions) -> Self {
        self.tls = tls;
        self
    }
}

/// An API key, or whoever knows the present one. Never shown.
#[derive(Clone)]
pub(crate) struct ApiKey(Arc<dyn Fn() -> String + Send + Sync>);

impl ApiKey {
    /// The value of the `authorization` header.
    pub(crate) fn header(&self) -> Result<HeaderValue, Status> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", (self.0)().trim())).map_err(|_| {
            Status::unauthenticated(
                "the API key has characters that no HTTP header can hold; is there a line break in it?",
            )
        })?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}

/// An environment variable that cannot be used. The fault of whoever set it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} is not UTF-8 text; set it anew, or remove it")]
pub struct EnvironmentError {
    variable: &'static str,
}

/// A variable that is empty counts as not set.
fn variable(variable: &'static str) -> Result<Option<String>, EnvironmentError> {
    match std::env::var(variable) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(EnvironmentError { variable }),
    }
}
