//! Updatable timer: a durable timer that can be moved while it runs.

use std::time::{Duration, SystemTime};

use capabilities::{Outcome, beside};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::workflow::{WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker};
use timewright::{Worker, workflow};

struct AlarmWorkflow {
    ring_at: SystemTime,
}

#[workflow]
impl AlarmWorkflow {
    #[init]
    fn new(info: &WorkflowInfo, after: &Duration) -> Self {
        Self { ring_at: info.start_time + *after }
    }

    #[run]
    async fn run(context: WorkflowContext<Self>, _after: Duration) -> Result<(), WorkflowError> {
        loop {
            let ring_at = context.state(|state| state.ring_at);
            let left = ring_at.duration_since(context.time()).unwrap_or_default();
            // Until it is time, or until somebody has moved it.
            let is_moved = context.wait_condition_with_timeout(left, move |state| state.ring_at != ring_at).await?;
            if !is_moved {
                return Ok(());
            }
        }
    }

    /// Moves the alarm by so much earlier; says how long it is until then.
    #[update]
    async fn ring_earlier(context: WorkflowContext<Self>, by: Duration) -> Result<Duration, WorkflowError> {
        let ring_at = context.state_mut(|state| {
            state.ring_at -= by;
            state.ring_at
        });
        Ok(ring_at.duration_since(context.time()).unwrap_or_default())
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let worker = WorkflowWorker::builder(client.clone(), TASK_QUEUE).workflow::<AlarmWorkflow>().build()?;

    beside(Worker::new().workflows(worker), async {
        let hour = Duration::from_secs(3600);
        let options = StartWorkflowOptions::new(TASK_QUEUE, format!("alarm-{}", random_id()));
        let alarm = client.start_workflow(Alarm, 24 * hour, options).await?;
        let left = alarm.update(RingEarlier, 4 * hour).await?;
        println!("it rings in {} hours", left.as_secs().div_ceil(3600));
        let left = alarm.update(RingEarlier, 20 * hour).await?;
        println!("it rings in {} hours", left.as_secs().div_ceil(3600));
        alarm.result().await?;
        println!("it rang");
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "updatable-timer";
