//! What workflow code starts: timers, activities, Child Workflows, messages to other workflows, Nexus operations.

use std::time::Duration;

use timewright_converter::{Arguments, Payload, RawValue, Value, WritableValue};
use timewright_definition::{ActivityDefinition, WorkflowDefinition};
use timewright_protocol::workflow::{Command, ScheduleActivity, StartTimer};

use super::WorkflowContext;
use crate::activity::{ActivityHandle, ActivityOptions};
use crate::child_workflow::{AnyWorkflow, ChildWorkflowFailure, ChildWorkflowOptions, StartingChildWorkflow};
use crate::external_workflow::ExternalWorkflowHandle;
use crate::interceptor::{OutboundCall, intercept_outbound, note_started};
use crate::local_activity::LocalActivityOptions;
use crate::mailbox::{Activity, Timer};
use crate::nexus_operation::{NexusOperationFailure, NexusOperationOptions, StartingNexusOperation};
use crate::timer::{TimerHandle, TimerOptions};
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowContext<W> {
    /// Starts a durable timer: it goes on while no worker runs. Its handle gives `Ok` when it has fired.
    /// <https://docs.temporal.io/workflow-execution/timers-delays>
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> TimerHandle {
        self.sleep_with(duration, TimerOptions::new())
    }

    /// As [`sleep`](Self::sleep), with a line about the timer for the Web UI.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_workflow_worker::{TimerOptions, Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// context.sleep_with(Duration::from_secs(86_400), TimerOptions::new().summary("time to object")).await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn sleep_with(&self, duration: Duration, options: TimerOptions) -> TimerHandle {
        let summary = options.into_summary();
        let mailbox = &self.shared.mailbox;
        let mut timer = StartTimer { sequence: 0, duration, summary };
        intercept_outbound(mailbox, &self.scope, OutboundCall::Timer(&mut timer));
        let sequence = mailbox
            .borrow_mut()
            .start::<Timer>(&self.scope, |sequence| Command::StartTimer(StartTimer { sequence, ..timer }));
        TimerHandle::new(mailbox, &self.scope, sequence)
    }

    /// Executes an activity. Its handle gives its result.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::{ActivityDefinition, WorkflowDefinition};
    /// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Order; impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = String; }
    /// # struct OrderWorkflow;
    /// struct Charge;
    /// impl ActivityDefinition for Charge {
    ///     const NAME: &'static str = "charge";
    ///     type Input = u64;
    ///     type Output = String;
    /// }
    ///
    /// # impl Workflow for OrderWorkflow {
    /// #     type Definition = Order;
    /// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
    /// async fn run(context: WorkflowContext<Self>, _: ()) -> Result<String, WorkflowError> {
    ///     let options = ActivityOptions::start_to_close(Duration::from_secs(10));
    ///     let receipt = context.execute_activity(Charge, 100, options).await?;
    ///     Ok(receipt)
    /// }
    /// # }
    /// ```
    #[track_caller]
    pub fn execute_activity<D: ActivityDefinition>(
        &self,
        definition: D,
        input: D::Input,
        options: ActivityOptions,
    ) -> ActivityHandle<D::Output> {
        let _ = definition;
        match input.to_payloads() {
            Ok(arguments) => self.schedule(D::NAME, arguments, options),
            Err(error) => ActivityHandle::unwritable(D::NAME, error),
        }
    }

    /// Executes an activity by a name that is known only at run time, with Payloads as they are.
    #[track_caller]
    pub fn execute_activity_untyped(
        &self,
        activity_type: &str,
        arguments: Vec<Payload>,
        options: ActivityOptions,
    ) -> ActivityHandle<RawValue> {
        self.schedule(activity_type, arguments, options)
    }

    #[track_caller]
    fn schedule<O: Value>(
        &self,
        activity_type: &str,
        arguments: Vec<Payload>,
        options: ActivityOptions,
    ) -> ActivityHandle<O> {
        let mailbox = &self.shared.mailbox;
        let task_queue = &self.shared.info.task_queue;
        let mut schedule = options.into_command(activity_type, arguments, task_queue);
        let started = intercept_outbound(mailbox, &self.scope, OutboundCall::Activity(&mut schedule));
        schedule.eager_execution &= schedule.task_queue == *task_queue;
        let sequence = mailbox.borrow_mut().start::<Activity>(&self.scope, |sequence| {
            Command::ScheduleActivity(Box::new(ScheduleActivity { sequence, ..schedule }))
        });
        note_started(mailbox, &self.scope, started, sequence);
        ActivityHandle::scheduled(mailbox, &self.scope, activity_type, sequence)
    }

    /// Executes a Local Activity: this worker executes it by itself, without the server, so it must have an
    /// [executor](crate::WorkflowWorkerBuilder::local_activities) that knows it. Quick for what takes seconds at most; if the
    /// worker dies before the Workflow Task ends, it is executed again. Its handle gives its result.
    ///
    /// A pause before the next attempt that is longer than the options' threshold becomes a durable timer; nothing of that is
    /// to be done here.
    #[track_caller]
    pub fn execute_local_activity<D: ActivityDefinition>(
        &self,
        definition: D,
        input: D::Input,
        options: LocalActivityOptions,
    ) -> ActivityHandle<D::Output> {
        let _ = definition;
        match input.to_payloads() {
            Ok(arguments) => self.schedule_locally(D::NAME, arguments, options),
            Err(error) => ActivityHandle::unwritable(D::NAME, error),
        }
    }

    /// Executes a Local Activity by a name that is known only at run time, with Payloads as they are.
    #[track_caller]
    pub fn execute_local_activity_untyped(
        &self,
        activity_type: &str,
        arguments: Vec<Payload>,
        options: LocalActivityOptions,
    ) -> ActivityHandle<RawValue> {
        self.schedule_locally(activity_type, arguments, options)
    }

    #[track_caller]
    fn schedule_locally<O: Value>(
        &self,
        activity_type: &str,
        arguments: Vec<Payload>,
        options: LocalActivityOptions,
    ) -> ActivityHandle<O> {
        let mailbox = &self.shared.mailbox;
        let mut schedule = options.into_schedule(activity_type, arguments);
        let started = intercept_outbound(mailbox, &self.scope, OutboundCall::LocalActivity(&mut schedule));
        let first = mailbox.borrow_mut().schedule_local_activity(&self.scope, schedule);
        note_started(mailbox, &self.scope, started, first);
        ActivityHandle::local(mailbox, &self.scope, activity_type, first)
    }

    /// Starts a Child Workflow. When it was started there is a handle, which gives its result, and can cancel and signal it.
    /// <https://docs.temporal.io/child-workflows>
    #[track_caller]
    pub fn start_child_workflow<D: WorkflowDefinition>(
        &self,
        definition: D,
        input: D::Input,
        options: ChildWorkflowOptions,
    ) -> StartingChildWorkflow<D> {
        let _ = definition;
        let start = options.into_start(D::NAME, input.to_payloads(), &self.shared.info.task_queue);
        StartingChildWorkflow::new(&self.shared.mailbox, &self.scope, start)
    }

    /// Starts a Child Workflow by a name that is known only at run time, with Payloads as they are.
    #[track_caller]
    pub fn start_child_workflow_untyped(
        &self,
        workflow_type: &str,
        arguments: Vec<Payload>,
        options: ChildWorkflowOptions,
    ) -> StartingChildWorkflow<AnyWorkflow> {
        let start = options.into_start(workflow_type, Ok(arguments), &self.shared.info.task_queue);
        StartingChildWorkflow::new(&self.shared.mailbox, &self.scope, start)
    }

    /// Starts a Child Workflow, and waits for its result.
    ///
    /// ```
    /// # use timewright_definition::WorkflowDefinition;
    /// # use timewright_workflow_worker::{ChildWorkflowOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Order; impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = String; }
    /// # struct Ship; impl WorkflowDefinition for Ship { const NAME: &'static str = "ship"; type Input = u64; type Output = String; }
    /// # struct OrderWorkflow;
    /// # impl Workflow for OrderWorkflow {
    /// #     type Definition = Order;
    /// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
    /// async fn run(context: WorkflowContext<Self>, _: ()) -> Result<String, WorkflowError> {
    ///     let options = ChildWorkflowOptions::new(format!("{}-ship", context.info().workflow_id));
    ///     Ok(context.execute_child_workflow(Ship, 7, options).await?)
    /// }
    /// # }
    /// ```
    #[track_caller]
    pub fn execute_child_workflow<D: WorkflowDefinition>(
        &self,
        definition: D,
        input: D::Input,
        options: ChildWorkflowOptions,
    ) -> impl Future<Output = Result<D::Output, ChildWorkflowFailure>> + use<W, D> {
        let starting = self.start_child_workflow(definition, input, options);
        async move { starting.await?.await }
    }

    /// Another workflow, which may be signalled and asked to cancel itself; `run_id` names a run other than the current one.
    pub fn external_workflow<D: WorkflowDefinition>(
        &self,
        _workflow: D,
        workflow_id: impl Into<String>,
        run_id: Option<String>,
    ) -> ExternalWorkflowHandle<D> {
        ExternalWorkflowHandle::new(&self.shared.mailbox, &self.scope, workflow_id.into(), run_id)
    }

    /// As [`external_workflow`](Self::external_workflow), for a workflow whose type is not known here.
    pub fn external_workflow_untyped(
        &self,
        workflow_id: impl Into<String>,
        run_id: Option<String>,
    ) -> ExternalWorkflowHandle<AnyWorkflow> {
        ExternalWorkflowHandle::new(&self.shared.mailbox, &self.scope, workflow_id.into(), run_id)
    }

    /// Starts a Nexus operation. When it was started there is a handle, which gives its result, and can cancel it.
    /// <https://docs.temporal.io/nexus>
    #[track_caller]
    pub fn start_nexus_operation<O: Value>(
        &self,
        options: NexusOperationOptions,
        input: impl WritableValue,
    ) -> StartingNexusOperation<O> {
        StartingNexusOperation::new(&self.shared.mailbox, &self.scope, options, &input)
    }

    /// Starts a Nexus operation, and waits for its result.
    ///
    /// ```
    /// # use timewright_definition::WorkflowDefinition;
    /// # use timewright_workflow_worker::{NexusOperationOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Order; impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = String; }
    /// # struct OrderWorkflow;
    /// # impl Workflow for OrderWorkflow {
    /// #     type Definition = Order;
    /// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
    /// async fn run(context: WorkflowContext<Self>, _: ()) -> Result<String, WorkflowError> {
    ///     let options = NexusOperationOptions::new("payments-endpoint", "payments", "charge");
    ///     let receipt: String = context.execute_nexus_operation(options, 100_u64).await?;
    ///     Ok(receipt)
    /// }
    /// # }
    /// ```
    #[track_caller]
    pub fn execute_nexus_operation<O: Value, I: WritableValue>(
        &self,
        options: NexusOperationOptions,
        input: I,
    ) -> impl Future<Output = Result<O, NexusOperationFailure>> + use<W, O, I> {
        let starting = self.start_nexus_operation(options, input);
        async move { starting.await?.await }
    }
}
