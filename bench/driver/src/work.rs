//! What a workflow does that is measured.

use anyhow::Result;
use bench_definitions::{
    ActivitiesInParallel, ActivitiesInSequence, Add, Child, Computation, Count, LocalActivitiesInSequence, Messages,
    Payload, Timer,
};
use timewright::client::{Client, StartWorkflowOptions};
use timewright::definition::WorkflowDefinition;

/// One kind of workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    OneActivity,
    TenActivities,
    HundredActivities,
    TenLocalActivities,
    TwentySignals,
    TenUpdates,
    Timer,
    Child,
    SmallPayloads,
    LargePayloads,
    /// Only for [`cores`](crate::cores): what it costs is the same for everybody.
    Computation,
}

impl Work {
    pub(crate) const ALL: [Self; 10] = [
        Self::OneActivity,
        Self::TenActivities,
        Self::HundredActivities,
        Self::TenLocalActivities,
        Self::TwentySignals,
        Self::TenUpdates,
        Self::Timer,
        Self::Child,
        Self::SmallPayloads,
        Self::LargePayloads,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OneActivity => "one-activity",
            Self::TenActivities => "ten-activities",
            Self::HundredActivities => "hundred-activities",
            Self::TenLocalActivities => "ten-local-activities",
            Self::TwentySignals => "twenty-signals",
            Self::TenUpdates => "ten-updates",
            Self::Timer => "timer",
            Self::Child => "child",
            Self::SmallPayloads => "payloads-1-kib",
            Self::LargePayloads => "payloads-100-kib",
            Self::Computation => "computation",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.name() == name)
    }

    /// How many workflows are enough for a figure that is worth something, in a few seconds.
    pub(crate) const fn workflows(self) -> usize {
        match self {
            Self::OneActivity | Self::TenLocalActivities | Self::Timer => 300,
            Self::Child | Self::SmallPayloads => 200,
            Self::LargePayloads | Self::Computation => 100,
            Self::TwentySignals | Self::TenActivities => 80,
            Self::TenUpdates => 60,
            Self::HundredActivities => 15,
        }
    }

    /// What the worker is told besides.
    pub(crate) const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::SmallPayloads | Self::LargePayloads => &["--codec", "identity"],
            _ => &[],
        }
    }

    /// Starts one, does to it what is to be done, and waits until it is over.
    pub(crate) async fn drive(self, client: &Client, task_queue: &str, workflow_id: &str) -> Result<()> {
        let at = At { client, task_queue, workflow_id };
        match self {
            Self::OneActivity => at.execute(ActivitiesInSequence, 1).await.map(drop),
            Self::TenActivities => at.execute(ActivitiesInSequence, 10).await.map(drop),
            Self::HundredActivities => at.execute(ActivitiesInParallel, 100).await.map(drop),
            Self::TenLocalActivities => at.execute(LocalActivitiesInSequence, 10).await.map(drop),
            Self::TwentySignals => at.send_signals(20).await,
            Self::TenUpdates => at.send_updates(10).await,
            Self::Timer => at.execute(Timer, 100).await.map(drop),
            Self::Computation => at.execute(Computation, 60_000_000).await.map(drop),
            Self::Child => at.execute(Child, "hello".to_owned()).await.map(drop),
            Self::SmallPayloads => at.execute(Payload, "x".repeat(1024)).await.map(drop),
            Self::LargePayloads => at.execute(Payload, "x".repeat(100 * 1024)).await.map(drop),
        }
    }
}

struct At<'a> {
    client: &'a Client,
    task_queue: &'a str,
    workflow_id: &'a str,
}

impl At<'_> {
    async fn execute<D: WorkflowDefinition>(&self, definition: D, input: D::Input) -> Result<D::Output> {
        Ok(self.client.start_workflow(definition, input, self.options()).await?.result().await?)
    }

    /// As soon as each is taken by the server; how many Workflow Tasks they come in is the server's business.
    async fn send_signals(&self, count: u32) -> Result<()> {
        let workflow = self.client.start_workflow(Messages, count, self.options()).await?;
        for _ in 0..count {
            workflow.signal(Add, ()).await?;
        }
        Ok(workflow.result().await?)
    }

    /// Each when the one before has its answer.
    async fn send_updates(&self, count: u32) -> Result<()> {
        let workflow = self.client.start_workflow(Messages, count, self.options()).await?;
        for _ in 0..count {
            workflow.update(Count, ()).await?;
        }
        Ok(workflow.result().await?)
    }

    fn options(&self) -> StartWorkflowOptions {
        StartWorkflowOptions::new(self.task_queue, self.workflow_id)
    }
}
