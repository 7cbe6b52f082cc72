//! Interceptors of the client API: who sees calls before they are made.

use crate::activity::ActivityReference;
use crate::rpc_error::RpcError;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use timewright_converter::Payload;
use timewright_definition::{ContextPropagators, ContextValues};
use timewright_proto::common::{Header, Payloads};
use timewright_proto::failure::Failure;
use timewright_proto::workflow_service::{
    DescribeActivityExecutionRequest, DescribeWorkflowExecutionRequest, QueryWorkflowRequest,
    RequestCancelActivityExecutionRequest, RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest,
    StartActivityExecutionRequest, StartWorkflowExecutionRequest, TerminateActivityExecutionRequest,
    TerminateWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
};
use tonic::Status;

/// Sees the calls of the client API that [`ClientCall`] lists before they are made: logs them, measures them, changes arguments and
/// headers, refuses them.
///
/// It sees no others: not pause, unpause, reset, change of options and deletion of activities, lists and counts, histories, the
/// wait for an Update that was accepted, Worker Deployments, the namespace and the server's information, and what workers call for
/// themselves. A [`tower::Layer`] does.
///
/// It is called once for each call, above retries, codecs and the [`tower::Layer`]s of
/// [`ClientOptions::layer`](crate::ClientOptions::layer), which see bytes; it sees Payloads that can be read.
///
/// ```
/// use timewright_client::{CallEnd, ClientCall, ClientInterceptor, ClientOptions, ContextValues, RpcError};
///
/// /// Refuses what would wake the accountants, and says how long everything took.
/// struct Careful;
///
/// impl ClientInterceptor for Careful {
///     fn intercept(&self, _values: &ContextValues, call: &mut ClientCall<'_>) -> Result<Option<CallEnd>, RpcError> {
///         if call.name() == Some("close-the-books") {
///             return Err(tonic::Status::permission_denied("only the scheduler closes the books").into());
///         }
///         let (kind, began) = (call.kind(), std::time::Instant::now());
///         Ok(Some(Box::new(move |outcome| {
///             println!("{kind} took {:?}, and {}", began.elapsed(), if outcome.is_ok() { "was done" } else { "failed" });
///         })))
///     }
/// }
///
/// let options = ClientOptions::new("http://127.0.0.1:7233").interceptor(Careful);
/// ```
pub trait ClientInterceptor: Send + Sync + 'static {
    /// Called before the call is made; `values` are those of the client that it is made with. What it gives is called when the call has ended; it is dropped, instead, where the call was
    /// not made after all, or where nobody waits for it any more.
    ///
    /// # Errors
    /// Refuses the call: its caller gets this error, and the server hears nothing.
    fn intercept(&self, values: &ContextValues, call: &mut ClientCall<'_>) -> Result<Option<CallEnd>, RpcError>;
}

/// Is told how a call ended.
pub type CallEnd = Box<dyn FnOnce(Result<(), &(dyn Error + 'static)>) + Send>;

/// A call of the client API. Payloads have not been through the Payload Codecs yet.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientCall<'a> {
    /// A workflow is started.
    StartWorkflow(&'a mut StartWorkflowExecutionRequest),
    /// A Signal is sent.
    SignalWorkflow(&'a mut SignalWorkflowExecutionRequest),
    /// A Query is sent.
    QueryWorkflow(&'a mut QueryWorkflowRequest),
    /// An Update is sent; the call ends when it was accepted, or is done.
    UpdateWorkflow(&'a mut UpdateWorkflowExecutionRequest),
    /// A workflow is asked to cancel itself.
    CancelWorkflow(&'a mut RequestCancelWorkflowExecutionRequest),
    /// A workflow is ended.
    TerminateWorkflow(&'a mut TerminateWorkflowExecutionRequest),
    /// The server is asked about a workflow.
    DescribeWorkflow(&'a mut DescribeWorkflowExecutionRequest),
    /// The result of a workflow is waited for.
    WorkflowResult {
        /// Its Workflow Id.
        workflow_id: &'a str,
    },
    /// An activity that belongs to no workflow is started.
    StartActivity(&'a mut StartActivityExecutionRequest),
    /// Such an activity is asked to stop.
    CancelActivity(&'a mut RequestCancelActivityExecutionRequest),
    /// Such an activity is ended.
    TerminateActivity(&'a mut TerminateActivityExecutionRequest),
    /// The server is asked about such an activity.
    DescribeActivity(&'a mut DescribeActivityExecutionRequest),
    /// The result of such an activity is waited for.
    ActivityResult {
        /// Its Activity Id.
        activity_id: &'a str,
    },
    /// An activity is completed from outside.
    CompleteActivity {
        /// Which activity.
        activity: &'a ActivityReference,
        /// What it gives.
        result: &'a mut Payload,
    },
    /// An activity is failed from outside.
    FailActivity {
        /// Which activity.
        activity: &'a ActivityReference,
        /// Why.
        failure: &'a mut Failure,
    },
    /// An activity is reported from outside to have been cancelled.
    ReportActivityCancellation {
        /// Which activity.
        activity: &'a ActivityReference,
        /// What it says.
        details: &'a mut Vec<Payload>,
    },
    /// An activity is said from outside to be alive.
    HeartbeatActivity {
        /// Which activity.
        activity: &'a ActivityReference,
        /// How far it has got.
        details: &'a mut Vec<Payload>,
    },
}

impl ClientCall<'_> {
    /// What is done, such as `StartWorkflow`; for logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::StartWorkflow(_) => "StartWorkflow",
            Self::SignalWorkflow(_) => "SignalWorkflow",
            Self::QueryWorkflow(_) => "QueryWorkflow",
            Self::UpdateWorkflow(_) => "UpdateWorkflow",
            Self::CancelWorkflow(_) => "CancelWorkflow",
            Self::TerminateWorkflow(_) => "TerminateWorkflow",
            Self::DescribeWorkflow(_) => "DescribeWorkflow",
            Self::WorkflowResult { .. } => "WorkflowResult",
            Self::StartActivity(_) => "StartActivity",
            Self::CancelActivity(_) => "CancelActivity",
            Self::TerminateActivity(_) => "TerminateActivity",
            Self::DescribeActivity(_) => "DescribeActivity",
            Self::ActivityResult { .. } => "ActivityResult",
            Self::CompleteActivity { .. } => "CompleteActivity",
            Self::FailActivity { .. } => "FailActivity",
            Self::ReportActivityCancellation { .. } => "ReportActivityCancellation",
            Self::HeartbeatActivity { .. } => "HeartbeatActivity",
        }
    }

    /// The name of what is called: the Workflow Type, the activity's type, the Signal, the Query, the Update.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::StartWorkflow(request) => request.workflow_type.as_ref().map(|kind| kind.name.as_str()),
            Self::SignalWorkflow(request) => Some(&request.signal_name),
            Self::QueryWorkflow(request) => request.query.as_ref().map(|query| query.query_type.as_str()),
            Self::UpdateWorkflow(request) => request.request.as_ref()?.input.as_ref().map(|input| input.name.as_str()),
            Self::StartActivity(request) => request.activity_type.as_ref().map(|kind| kind.name.as_str()),
            _ => None,
        }
    }

    /// The Workflow Id, where the call is about a workflow.
    #[must_use]
    pub fn workflow_id(&self) -> Option<&str> {
        let execution = match self {
            Self::StartWorkflow(request) => return Some(&request.workflow_id),
            Self::WorkflowResult { workflow_id } => return Some(workflow_id),
            Self::SignalWorkflow(request) => &request.workflow_execution,
            Self::QueryWorkflow(request) => &request.execution,
            Self::UpdateWorkflow(request) => &request.workflow_execution,
            Self::CancelWorkflow(request) => &request.workflow_execution,
            Self::TerminateWorkflow(request) => &request.workflow_execution,
            Self::DescribeWorkflow(request) => &request.execution,
            _ => return None,
        };
        execution.as_ref().map(|execution| execution.workflow_id.as_str())
    }

    /// The Activity Id, where the call is about an activity that belongs to no workflow.
    #[must_use]
    pub fn activity_id(&self) -> Option<&str> {
        match self {
            Self::StartActivity(request) => Some(&request.activity_id),
            Self::CancelActivity(request) => Some(&request.activity_id),
            Self::TerminateActivity(request) => Some(&request.activity_id),
            Self::DescribeActivity(request) => Some(&request.activity_id),
            Self::ActivityResult { activity_id } => Some(activity_id),
            _ => None,
        }
    }

    /// What goes along with the call; `None` where it has nothing of the kind.
    pub fn header_mut(&mut self) -> Option<&mut Header> {
        let header = match self {
            Self::StartWorkflow(request) => &mut request.header,
            Self::SignalWorkflow(request) => &mut request.header,
            Self::QueryWorkflow(request) => &mut request.query.as_mut()?.header,
            Self::UpdateWorkflow(request) => &mut request.request.as_mut()?.input.as_mut()?.header,
            Self::StartActivity(request) => &mut request.header,
            _ => return None,
        };
        Some(header.get_or_insert_default())
    }

    /// The arguments; `None` where the call has none.
    pub fn arguments_mut(&mut self) -> Option<&mut Vec<Payload>> {
        let arguments: &mut Option<Payloads> = match self {
            Self::StartWorkflow(request) => &mut request.input,
            Self::SignalWorkflow(request) => &mut request.input,
            Self::QueryWorkflow(request) => &mut request.query.as_mut()?.query_args,
            Self::UpdateWorkflow(request) => &mut request.request.as_mut()?.input.as_mut()?.args,
            Self::StartActivity(request) => &mut request.input,
            _ => return None,
        };
        Some(&mut arguments.get_or_insert_default().payloads)
    }
}

/// The interceptors of a client: the last is nearest to the caller.
#[derive(Clone, Default)]
pub(crate) struct ClientInterceptors(Vec<Arc<dyn ClientInterceptor>>);

impl ClientInterceptors {
    pub(crate) fn push(&mut self, interceptor: impl ClientInterceptor) {
        self.0.push(Arc::new(interceptor));
    }

    pub(crate) fn intercept(&self, values: &ContextValues, call: &mut ClientCall<'_>) -> Result<Intercepted, RpcError> {
        let mut ends = Vec::new();
        for interceptor in self.0.iter().rev() {
            ends.extend(interceptor.intercept(values, call)?);
        }
        Ok(Intercepted(ends))
    }
}

impl fmt::Debug for ClientInterceptors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClientInterceptors").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// Who is to be told how a call ended.
#[must_use]
pub(crate) struct Intercepted(Vec<CallEnd>);

impl Intercepted {
    /// Those that saw it last are told first.
    pub(crate) fn end<T, E: Error + 'static>(self, outcome: &Result<T, E>) {
        for end in self.0.into_iter().rev() {
            end(outcome.as_ref().map(drop).map_err(|error| error as &(dyn Error + 'static)));
        }
    }
}

/// Writes what a client's calls carry along.
pub(crate) fn inject(
    propagators: &ContextPropagators,
    values: &ContextValues,
    call: &mut ClientCall<'_>,
) -> Result<(), RpcError> {
    if propagators.is_empty() || values.is_empty() {
        return Ok(());
    }
    match call.header_mut() {
        Some(header) => propagators.inject(values, header).map_err(|error| {
            Status::invalid_argument(format!("a context value cannot be written into the call's header: {error}"))
                .into()
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_server::{FakeServer, Reply};
    use crate::{Code, PropagatedValue, StartWorkflowOptions};
    use prost::Message;
    use std::sync::Mutex;
    use timewright_converter::Value;
    use timewright_proto::workflow_service::StartWorkflowExecutionResponse;

    /// Writes down what it sees, with its name; changes what it is called with, and refuses what is named after it.
    #[derive(Clone)]
    struct Noting(&'static str, Arc<Mutex<Vec<String>>>);

    impl ClientInterceptor for Noting {
        fn intercept(&self, values: &ContextValues, call: &mut ClientCall<'_>) -> Result<Option<CallEnd>, RpcError> {
            let Self(name, noted) = self.clone();
            let of = values.get::<String>().cloned().unwrap_or_default();
            let line = format!("{name}: {} {:?} {:?} {of}", call.kind(), call.name(), call.workflow_id());
            noted.lock().unwrap().push(line);
            if call.name() == Some(name) {
                return Err(Status::permission_denied("not so").into());
            }
            if let Some(arguments) = call.arguments_mut() {
                arguments.push(name.to_owned().to_payload().unwrap());
            }
            Ok(Some(Box::new(move |outcome| {
                let outcome = outcome.map_err(ToString::to_string);
                noted.lock().unwrap().push(format!("{name}: {}", outcome.err().unwrap_or_else(|| "done".to_owned())));
            })))
        }
    }

    async fn start(workflow_type: &str, reply: Reply) -> (FakeServer, bool, String) {
        let server = FakeServer::replying([reply]);
        let noted = Arc::new(Mutex::new(Vec::new()));
        let client = server.client_with(|options| {
            options
                .interceptor(Noting("outer", Arc::clone(&noted)))
                .interceptor(Noting("inner", Arc::clone(&noted)))
                .propagator(PropagatedValue::<String>::new("tenant"))
        });
        let client = client.with_value("acme".to_owned());
        let started =
            client.start_workflow_untyped(workflow_type, Vec::new(), StartWorkflowOptions::new("queue", "id")).await;
        let noted = noted.lock().unwrap().join("\n");
        (server, started.is_ok(), noted)
    }

    #[tokio::test]
    async fn whoever_is_nearest_to_the_caller_sees_a_call_first_and_its_end_last() {
        let (server, is_ok, noted) = start("type", Reply::message(&StartWorkflowExecutionResponse::default())).await;
        assert!(is_ok);
        let call = r#"StartWorkflow Some("type") Some("id") acme"#;
        assert_eq!(noted, format!("inner: {call}\nouter: {call}\nouter: done\ninner: done"));
        let request = StartWorkflowExecutionRequest::decode(server.calls()[0].body.clone()).unwrap();
        let text = |payload: &Payload| String::from_payload(payload.clone()).unwrap();
        assert_eq!(request.input.unwrap().payloads.iter().map(text).collect::<Vec<_>>(), ["inner", "outer"]);
        assert_eq!(text(&request.header.unwrap().fields["tenant"]), "acme");
    }

    #[tokio::test]
    async fn interceptors_hear_of_failures_and_what_they_refuse_is_not_sent() {
        let (_, is_ok, noted) = start("type", Reply::code(Code::PermissionDenied)).await;
        assert!(!is_ok && noted.contains("outer: ") && noted.contains("PermissionDenied"), "{noted}");
        let (server, is_ok, noted) = start("outer", Reply::Silence).await;
        assert!(!is_ok && server.calls().is_empty(), "{noted}");
        assert!(!noted.contains("done"), "nobody is told of the end of what has not begun: {noted}");
    }
}
