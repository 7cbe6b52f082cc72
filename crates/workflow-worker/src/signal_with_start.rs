//! A Signal to a workflow that is started if it does not run. The server has a Nexus endpoint of its own for that.

use std::future::Future;

use timewright_client::StartWorkflowOptions;
use timewright_converter::{
    Arguments, ConversionError, Payload, RawValue, read_signal_with_start_payload, signal_with_start_payload,
};
use timewright_definition::{SignalDefinition, WorkflowDefinition};
use timewright_proto::SYSTEM_NEXUS_ENDPOINT;

use crate::child_workflow::AnyWorkflow;
use crate::context::WorkflowContext;
use crate::external_workflow::ExternalWorkflowHandle;
use crate::interceptor::{OutboundCall, intercept_outbound};
use crate::nexus_operation::{NexusOperationFailure, NexusOperationOptions};
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowContext<W> {
    /// Sends a workflow a Signal, and starts the workflow first if none with that Workflow Id runs. What is started is nobody's child.
    ///
    /// Of the options, those about how it begins in this process count for nothing here.
    ///
    /// The server does this by a Nexus operation of its own, since 1.32, where `history.enableSignalWithStartFromWorkflow` is on; it is
    /// off by default, and the Workflow Task fails there until it is switched on.
    /// <https://docs.temporal.io/sending-messages#signal-with-start>
    ///
    /// ```
    /// # use timewright_client::StartWorkflowOptions;
    /// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # struct Cart; impl WorkflowDefinition for Cart { const NAME: &'static str = "cart"; type Input = String; type Output = (); }
    /// # struct Add; impl SignalDefinition for Add { const NAME: &'static str = "add"; type Workflow = Cart; type Input = u32; }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// let options = StartWorkflowOptions::new("carts", "cart-of-ada");
    /// let cart = context.signal_with_start_workflow(Cart, "Ada".to_owned(), Add, 7, options).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If an input cannot be written, or the server refuses.
    #[track_caller]
    pub fn signal_with_start_workflow<D, S>(
        &self,
        workflow: D,
        input: D::Input,
        _signal: S,
        signal_input: S::Input,
        options: StartWorkflowOptions,
    ) -> impl Future<Output = Result<ExternalWorkflowHandle<D>, NexusOperationFailure>> + use<W, D, S>
    where
        D: WorkflowDefinition,
        S: SignalDefinition<Workflow = D>,
    {
        let arguments = input.to_payloads().and_then(|input| Ok((input, signal_input.to_payloads()?)));
        let sent = self.ask_for(D::NAME, S::NAME, arguments, options);
        let context = self.clone();
        async move {
            let (workflow_id, run_id) = sent.await?;
            Ok(context.external_workflow(workflow, workflow_id, Some(run_id)))
        }
    }

    /// As [`signal_with_start_workflow`](Self::signal_with_start_workflow), with names that are known only at run time and Payloads as
    /// they are.
    ///
    /// # Errors
    /// If the server refuses.
    #[track_caller]
    pub fn signal_with_start_workflow_untyped(
        &self,
        workflow_type: &str,
        input: Vec<Payload>,
        signal: &str,
        signal_input: Vec<Payload>,
        options: StartWorkflowOptions,
    ) -> impl Future<Output = Result<ExternalWorkflowHandle<AnyWorkflow>, NexusOperationFailure>> + use<W> {
        let sent = self.ask_for(workflow_type, signal, Ok((input, signal_input)), options);
        let context = self.clone();
        async move {
            let (workflow_id, run_id) = sent.await?;
            Ok(context.external_workflow_untyped(workflow_id, Some(run_id)))
        }
    }

    /// Asks the server; gives Workflow Id and Run Id of what got the Signal.
    #[track_caller]
    fn ask_for(
        &self,
        workflow_type: &str,
        signal: &str,
        arguments: Result<(Vec<Payload>, Vec<Payload>), ConversionError>,
        options: StartWorkflowOptions,
    ) -> impl Future<Output = Result<(String, String), NexusOperationFailure>> + use<W> {
        let namespace = self.info().namespace.clone();
        let request = arguments.and_then(|(input, signal_input)| {
            options.into_signal_with_start(namespace, workflow_type, input, signal.to_owned(), signal_input)
        });
        let starting = request.map(|mut request| {
            let call = OutboundCall::SignalWithStartWorkflow(&mut request);
            intercept_outbound(self.mailbox(), self.scope(), call);
            let operation = NexusOperationOptions::new(SYSTEM_NEXUS_ENDPOINT, SERVICE, OPERATION);
            let input = RawValue(signal_with_start_payload(&request));
            (request.workflow_id, self.start_nexus_operation::<RawValue>(operation, input))
        });
        async move {
            let (workflow_id, starting) = starting.map_err(unconverted)?;
            let RawValue(answer) = starting.await?.await?;
            let answer = read_signal_with_start_payload(&answer).map_err(unconverted)?;
            Ok((workflow_id, answer.run_id))
        }
    }
}

fn unconverted(error: ConversionError) -> NexusOperationFailure {
    NexusOperationFailure::Conversion {
        endpoint: SYSTEM_NEXUS_ENDPOINT.to_owned(),
        service: SERVICE.to_owned(),
        operation: OPERATION.to_owned(),
        error,
    }
}

const SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";
const OPERATION: &str = "SignalWithStartWorkflowExecution";
