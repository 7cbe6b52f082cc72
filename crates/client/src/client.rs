//! A client: a connection, a namespace, and who calls.

use crate::connect::{self, ConnectError};
use crate::eager_start::EagerWorkers;
use crate::extensions::Extensions;
use crate::heartbeat::Heartbeats;
use crate::host::host_name;
use crate::interceptor::{self, ClientCall, ClientInterceptors, Intercepted};
use crate::metric_meter::MetricMeter;
use crate::options::ClientOptions;
use crate::rpc_error::RpcError;
use crate::sdk_metrics::RequestMetrics;
use crate::stack::{Connection, CurrentConnection, HttpRequest, HttpResponse, MAXIMUM_MESSAGE_SIZE, Metadata, Stack};
use http::HeaderValue;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use timewright_converter::DataConverter;
use timewright_definition::{ContextPropagators, ContextValues};
use timewright_proto::temporal::api::namespace::v1::NamespaceInfo;
use timewright_proto::temporal::api::workflowservice::v1::workflow_service_client::WorkflowServiceClient;
use timewright_proto::workflow_service::get_system_info_response::Capabilities;
use timewright_proto::workflow_service::{
    DescribeNamespaceRequest, DescribeNamespaceResponse, GetSystemInfoRequest, GetSystemInfoResponse,
};
use tokio::sync::OnceCell;
use tonic::{Code, Request};
use tower::{BoxError, Service};

/// A connection to a Temporal Server, for one namespace. Cloning is cheap, and clones share the connection.
///
/// Start workflows and talk to them; workers are built with it too. <https://docs.temporal.io/temporal-client>
///
/// ```no_run
/// use timewright_client::{Client, ClientOptions, StartWorkflowOptions};
/// # struct Greeting;
/// # impl timewright_definition::WorkflowDefinition for Greeting {
/// #     const NAME: &'static str = "Greeting";
/// #     type Input = String;
/// #     type Output = String;
/// # }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect(ClientOptions::new("http://127.0.0.1:7233")).await?;
/// let options = StartWorkflowOptions::new("greetings", "greeting-of-ada");
/// let greeting = client.start_workflow(Greeting, "Ada".to_owned(), options).await?;
/// println!("{}", greeting.result().await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// What its calls carry along.
    values: ContextValues,
}

struct Inner {
    connection: CurrentConnection,
    namespace: String,
    identity: String,
    data_converter: DataConverter,
    workflow_service: WorkflowServiceClient<Stack>,
    server_info: OnceCell<ServerInfo>,
    worker_heartbeat_interval: Option<Duration>,
    heartbeats: Heartbeats,
    eager_workers: EagerWorkers,
    interceptors: ClientInterceptors,
    propagators: ContextPropagators,
    extensions: Extensions,
    metric_meter: MetricMeter,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Its version, such as `1.32.0`; empty if it is too old to say.
    pub version: String,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// [`Client::check_namespace`] has found the namespace not to be usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckNamespaceError {
    /// There is no such namespace.
    #[error(
        "there is no namespace `{namespace}` on {address}. Check ClientOptions, or create it: temporal operator \
         namespace create --namespace {namespace}"
    )]
    NotFound {
        /// The namespace.
        namespace: String,
        /// The server.
        address: String,
    },
    /// It could not be found out.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl Client {
    /// Connects to a server, and asks it what it can do.
    ///
    /// With [`ClientOptions::lazy`] neither happens before the first call.
    ///
    /// # Errors
    /// If the options are not usable; if nothing, or no Temporal Server, answers at the address.
    pub async fn connect(options: ClientOptions) -> Result<Self, ConnectError> {
        Self::boxed_connect(options).await
    }

    /// In a box, so that it is compiled here, and not with each program.
    fn boxed_connect(options: ClientOptions) -> Pin<Box<dyn Future<Output = Result<Self, ConnectError>> + Send>> {
        Box::pin(async move {
            warn_of_bare_api_key(&options);
            let client = Self::connect_for_good(options.clone()).await?;
            client.use_connection(client.inner.connection.current(), options);
            Ok(client)
        })
    }

    /// A client whose connection gives place to no other. Unless it is lazy, a server has answered over it.
    async fn connect_for_good(options: ClientOptions) -> Result<Self, ConnectError> {
        if let Some(age) = options.maximum_connection_age.filter(|age| *age < MINIMUM_CONNECTION_AGE) {
            return Err(ConnectError::InvalidMaximumConnectionAge { age });
        }
        let channel = connect::channel(&options).await?;
        let (is_lazy, timeout) = (options.lazy, options.connect_timeout);
        let client = Self::over(options, channel)?;
        if !is_lazy {
            let mut request = Request::new(GetSystemInfoRequest {});
            request.set_timeout(timeout);
            let info = client.fetch_server_info(request);
            client.inner.server_info.get_or_try_init(|| info).await.map_err(|reason| {
                let address = client.address();
                if reason.is_from_transport() {
                    return ConnectError::NoServer { address, reason: reason.message().to_owned() };
                }
                ConnectError::Refused { address, reason }
            })?;
        }
        Ok(client)
    }

    /// A client over a connection of another kind: a transport of one's own, or for tests a service that answers like a
    /// server. Nothing is sent before the first call; the address in the options is only for messages.
    ///
    /// # Errors
    /// If the namespace cannot be sent.
    pub fn with_channel<C>(options: ClientOptions, channel: C) -> Result<Self, ConnectError>
    where
        C: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
    {
        warn_of_bare_api_key(&options);
        Self::over(options, channel)
    }

    fn over<C>(options: ClientOptions, channel: C) -> Result<Self, ConnectError>
    where
        C: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
    {
        if let Some(interval) = options.worker_heartbeat_interval
            && !(MINIMUM_HEARTBEAT_INTERVAL..=MAXIMUM_HEARTBEAT_INTERVAL).contains(&interval)
        {
            return Err(ConnectError::InvalidWorkerHeartbeatInterval { interval });
        }
        let connection = CurrentConnection::new(connection(&options, channel)?);
        let namespace = options.namespace;
        let metric_meter = options.metric_meter.with_label("namespace", namespace.clone());
        let metrics = RequestMetrics::new(metric_meter.clone());
        let stack = Stack::new(connection.clone(), metrics, &options.layers);
        let inner = Arc::new(Inner {
            connection,
            namespace,
            identity: options.identity.unwrap_or_else(default_identity),
            data_converter: options.data_converter,
            workflow_service: WorkflowServiceClient::new(stack)
                .max_decoding_message_size(MAXIMUM_MESSAGE_SIZE)
                .max_encoding_message_size(MAXIMUM_MESSAGE_SIZE),
            server_info: OnceCell::new(),
            worker_heartbeat_interval: options.worker_heartbeat_interval,
            heartbeats: Heartbeats::default(),
            eager_workers: EagerWorkers::default(),
            interceptors: options.interceptors,
            propagators: options.propagators,
            extensions: options.extensions,
            metric_meter,
        });
        Ok(Self { inner, values: ContextValues::default() })
    }

    /// Gives this client, all its clones, and all workers that were built with any of them another connection: with another
    /// certificate, API key or address. For as long as certificates are rotated, no worker has to be restarted.
    ///
    /// Calls that are under way end on the connection on which they began, open polls included; the next attempt of each, and
    /// all further calls, use the new one. Nothing changes if it cannot be made. Namespace, identity, Data Converter and
    /// layers stay as they are.
    ///
    /// ```no_run
    /// # async fn example(client: timewright_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use timewright_client::ClientOptions;
    ///
    /// let options = ClientOptions::new("https://temporal.example:7233").namespace("payments").api_key("the new one");
    /// client.replace_connection(options).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As of [`connect`](Self::connect); or if the options name another namespace.
    pub async fn replace_connection(&self, options: ClientOptions) -> Result<(), ConnectError> {
        self.check_same_namespace(&options)?;
        warn_of_bare_api_key(&options);
        // Tried by a client of its own, so that this one goes on if it is of no use.
        let replacement = Self::connect_for_good(options.clone()).await?;
        self.use_connection(replacement.inner.connection.current(), options);
        Ok(())
    }

    /// As [`replace_connection`](Self::replace_connection), with a connection of another kind, as in
    /// [`with_channel`](Self::with_channel).
    ///
    /// # Errors
    /// If the options name another namespace.
    pub fn replace_channel<C>(&self, options: ClientOptions, channel: C) -> Result<(), ConnectError>
    where
        C: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
    {
        self.check_same_namespace(&options)?;
        warn_of_bare_api_key(&options);
        self.inner.connection.replace(Arc::new(connection(&options, channel)?));
        Ok(())
    }

    /// Uses this connection from now on, and those that take its place when it has become old.
    fn use_connection(&self, connection: Arc<Connection>, mut options: ClientOptions) {
        let Some(age) = options.maximum_connection_age else { return self.inner.connection.replace(connection) };
        // A connection takes another's place when it is known to be of use.
        options.lazy = false;
        self.inner.connection.replace_renewed(connection, age, move || {
            let renewed = Self::connect_for_good(options.clone());
            async move { Ok(renewed.await?.inner.connection.current()) }
        });
    }

    fn check_same_namespace(&self, options: &ClientOptions) -> Result<(), ConnectError> {
        if options.namespace == self.inner.namespace {
            return Ok(());
        }
        Err(ConnectError::OtherNamespace { namespace: self.inner.namespace.clone(), other: options.namespace.clone() })
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> String {
        self.inner.connection.current().server().to_string()
    }

    /// The namespace of all calls.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// As whom this client acts.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.inner.identity
    }

    /// How values become Payloads and back.
    #[must_use]
    pub fn data_converter(&self) -> &DataConverter {
        &self.inner.data_converter
    }

    /// Counts and measures where the metrics of this client go, with its namespace as a label.
    #[must_use]
    pub fn metric_meter(&self) -> &MetricMeter {
        &self.inner.metric_meter
    }

    /// The same, with the Task Queue of a worker as another label: what workers count with.
    #[must_use]
    pub fn worker_metric_meter(&self, task_queue: &str) -> MetricMeter {
        self.metric_meter().with_label("task_queue", task_queue.to_owned())
    }

    /// The generated stub, with the feature `all-rpcs` for every RPC that the server has, and without it for those that Timewright
    /// calls itself: "no method named …" means that the feature is missing. Calls go through the whole [`Stack`]: headers, retries,
    /// deadlines. Payloads go as they are: [`data_converter`](Self::data_converter) encodes and decodes them.
    #[must_use]
    pub fn workflow_service(&self) -> WorkflowServiceClient<Stack> {
        self.inner.workflow_service.clone()
    }

    /// What the server is and can do. Asked once, at the latest now.
    ///
    /// # Errors
    /// If the server cannot be asked. One that is too old to know the question has no version and no capabilities.
    pub async fn server_info(&self) -> Result<&ServerInfo, RpcError> {
        let info = self.fetch_server_info(Request::new(GetSystemInfoRequest {}));
        self.inner.server_info.get_or_try_init(|| info).await
    }

    /// Checks that the namespace exists, and gives what the server says about it: its limits, and what it can do. A worker
    /// that polls a namespace which does not exist does nothing for ever.
    ///
    /// # Errors
    /// If there is no such namespace, or if the server cannot be asked.
    pub async fn check_namespace(&self) -> Result<NamespaceInfo, CheckNamespaceError> {
        Ok(self.describe_namespace().await?.namespace_info.unwrap_or_default())
    }

    pub(crate) async fn describe_namespace(&self) -> Result<DescribeNamespaceResponse, CheckNamespaceError> {
        let request = DescribeNamespaceRequest { namespace: self.inner.namespace.clone(), ..Default::default() };
        match self.workflow_service().describe_namespace(request).await.map_err(RpcError::from) {
            Ok(response) => Ok(response.into_inner()),
            Err(error) if is_unknown_method(&error) => Ok(DescribeNamespaceResponse::default()),
            Err(error) if error.is_namespace_not_found() => {
                Err(CheckNamespaceError::NotFound { namespace: self.inner.namespace.clone(), address: self.address() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A client over the same connection whose calls carry this value, and all that this one's carry: those of its handles, too.
    /// For the length of a request, say; it costs next to nothing. How it is carried, and how far, says a
    /// [`ContextPropagator`] for it.
    ///
    /// ```no_run
    /// # use timewright_client::{Client, ClientOptions, PropagatedValue, StartWorkflowOptions};
    /// # struct Greeting;
    /// # impl timewright_definition::WorkflowDefinition for Greeting {
    /// #     const NAME: &'static str = "Greeting"; type Input = String; type Output = String;
    /// # }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// // Of the type's own, in earnest.
    /// let options = ClientOptions::new("http://127.0.0.1:7233").propagator(PropagatedValue::<String>::new("tenant"));
    /// let client = Client::connect(options).await?;
    ///
    /// let of_acme = client.with_value("acme".to_owned());
    /// of_acme.start_workflow(Greeting, "Ada".to_owned(), StartWorkflowOptions::new("greetings", "greeting-of-ada")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// [`ContextPropagator`]: timewright_definition::ContextPropagator
    #[must_use]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Self {
        self.with_values(self.values.clone().with(value))
    }

    /// A client over the same connection whose calls carry these values and no others.
    #[must_use]
    pub fn with_values(&self, values: ContextValues) -> Self {
        Self { inner: Arc::clone(&self.inner), values }
    }

    /// What the calls of this client carry along.
    #[must_use]
    pub const fn values(&self) -> &ContextValues {
        &self.values
    }

    /// How values are carried: for workers that are built with this client.
    #[must_use]
    pub fn propagators(&self) -> &ContextPropagators {
        &self.inner.propagators
    }

    /// What [`ClientOptions::extension`] has put aside of this type, in that order.
    pub fn extensions<T: Send + Sync + 'static>(&self) -> impl Iterator<Item = &T> {
        self.inner.extensions.of_type()
    }

    /// Lets interceptors see a call before it is made; what it gives is to be told how the call ended.
    pub(crate) fn intercept(&self, mut call: ClientCall<'_>) -> Result<Intercepted, RpcError> {
        // What is nearest to the wire comes last.
        let intercepted = self.inner.interceptors.intercept(&self.values, &mut call)?;
        interceptor::inject(&self.inner.propagators, &self.values, &mut call)?;
        Ok(intercepted)
    }

    pub(crate) fn worker_heartbeat_interval(&self) -> Option<Duration> {
        self.inner.worker_heartbeat_interval
    }

    pub(crate) fn heartbeats(&self) -> &Heartbeats {
        &self.inner.heartbeats
    }

    pub(crate) fn eager_workers(&self) -> &EagerWorkers {
        &self.inner.eager_workers
    }

    async fn fetch_server_info(&self, request: Request<GetSystemInfoRequest>) -> Result<ServerInfo, RpcError> {
        match self.workflow_service().get_system_info(request).await.map_err(RpcError::from) {
            Ok(response) => {
                let GetSystemInfoResponse { server_version: version, capabilities } = response.into_inner();
                Ok(ServerInfo { version, capabilities: capabilities.unwrap_or_default() })
            }
            Err(error) if is_unknown_method(&error) => Ok(ServerInfo::default()),
            Err(error) => Err(error),
        }
    }
}

/// A connection over this channel, with the headers that the options ask for.
fn connection<C>(options: &ClientOptions, channel: C) -> Result<Connection, ConnectError>
where
    C: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    let address = connect::full_address(&options.address);
    let header = HeaderValue::try_from(&options.namespace)
        .map_err(|_| ConnectError::InvalidNamespace { namespace: options.namespace.clone() })?;
    Ok(Connection::new(channel, Metadata::new(address.into(), header, options.api_key.clone())))
}

/// Once for each time that the application asks for a connection, and not for those that take an old one's place.
fn warn_of_bare_api_key(options: &ClientOptions) {
    let address = connect::full_address(&options.address);
    if options.api_key.is_some() && address.starts_with("http://") {
        tracing::warn!(%address, "the API key is sent without encryption; use an https:// address");
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("address", &self.address())
            .field("namespace", &self.inner.namespace)
            .field("identity", &self.inner.identity)
            .finish_non_exhaustive()
    }
}

/// Whether a server is too old for an RPC. `UNIMPLEMENTED` alone says less: proxies and servers of other services say it too.
fn is_unknown_method(error: &RpcError) -> bool {
    error.code() == Code::Unimplemented && error.message().contains("method")
}

/// `PID@HOST`, as other SDKs have it.
fn default_identity() -> String {
    format!("{}@{}", std::process::id(), host_name())
}

const MINIMUM_CONNECTION_AGE: Duration = Duration::from_secs(1);
const MINIMUM_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
const MAXIMUM_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_server::{FakeServer, Reply};
    use tonic::Status;

    #[tokio::test]
    async fn the_server_is_asked_once_what_it_can_do() {
        let capabilities = Capabilities { sdk_metadata: true, ..Capabilities::default() };
        let info = GetSystemInfoResponse { server_version: "1.32.0".into(), capabilities: Some(capabilities) };
        let server = FakeServer::replying([Reply::code(Code::PermissionDenied), Reply::message(&info)]);
        let client = server.client();
        client.server_info().await.unwrap_err();
        let expected = ServerInfo { version: "1.32.0".into(), capabilities };
        assert_eq!(client.server_info().await.unwrap(), &expected, "an error is not remembered");
        assert_eq!(client.clone().server_info().await.unwrap(), &expected);
        assert_eq!(server.calls().len(), 2);
    }

    #[tokio::test]
    async fn g5_only_an_unknown_method_means_an_old_server() {
        let unknown_method = "unknown method GetSystemInfo for service temporal.api.workflowservice.v1.WorkflowService";
        let server = FakeServer::replying([Reply::Status(Status::unimplemented(unknown_method))]);
        assert_eq!(server.client().server_info().await.unwrap(), &ServerInfo::default());

        let unknown_service = "unknown service temporal.api.workflowservice.v1.WorkflowService";
        for reply in [Reply::Status(Status::unimplemented(unknown_service)), Reply::Http(404)] {
            let error = FakeServer::replying([reply]).client().server_info().await.unwrap_err();
            assert_eq!(error.code(), Code::Unimplemented);
        }
    }

    #[tokio::test]
    async fn g6_a_server_that_cannot_describe_namespaces_is_no_obstacle() {
        let server = FakeServer::replying([Reply::Status(Status::unimplemented("unknown method DescribeNamespace"))]);
        server.client().check_namespace().await.unwrap();
    }

    #[tokio::test]
    async fn c36_a_namespace_that_is_not_there_is_said_with_the_remedy() {
        let server = FakeServer::replying([Reply::Status(Status::not_found("Namespace payments is not found."))]);
        let client = server.client_with(|options| options.namespace("payments"));
        assert_eq!(
            client.check_namespace().await.unwrap_err().to_string(),
            "there is no namespace `payments` on http://fake:7233. Check ClientOptions, or create it: temporal operator \
             namespace create --namespace payments"
        );
        let denied = FakeServer::replying([Reply::code(Code::PermissionDenied)]);
        let error = denied.client().check_namespace().await.unwrap_err();
        assert!(matches!(error, CheckNamespaceError::Rpc(_)), "{error:?}");
    }

    #[test]
    fn a_namespace_that_cannot_be_sent_is_refused() {
        let server = FakeServer::replying([Reply::Silence]);
        let error = Client::with_channel(ClientOptions::new("fake:7233").namespace("a\nb"), server).unwrap_err();
        assert_eq!(error.to_string(), "`a\nb` cannot be a namespace: only visible ASCII characters can");
    }

    #[test]
    fn heartbeats_of_workers_are_neither_too_often_nor_too_seldom() {
        for (interval, is_allowed) in [(999, false), (1000, true), (60_000, true), (60_001, false)] {
            let interval = Duration::from_millis(interval);
            let options = ClientOptions::new("fake:7233").worker_heartbeat_interval(Some(interval));
            let client = Client::with_channel(options, FakeServer::replying([Reply::Silence]));
            assert_eq!(client.is_ok(), is_allowed, "{interval:?}");
        }
        let options = ClientOptions::new("fake:7233").worker_heartbeat_interval(Some(Duration::ZERO));
        let error = Client::with_channel(options, FakeServer::replying([Reply::Silence])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the heartbeats of workers cannot be 0ns apart: from 1 s to 60 s can, or None for none at all"
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let options = ClientOptions::new("https://cloud:7233").api_key("very-secret");
        assert!(!format!("{options:?}").contains("secret"));
        let client = Client::with_channel(options, FakeServer::replying([Reply::Silence])).unwrap();
        assert!(!format!("{client:?} {:?}", client.workflow_service()).contains("secret"));
    }
}
