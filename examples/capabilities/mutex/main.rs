//! Mutex: workflows take turns at something that only one may use at a time.

use std::collections::VecDeque;
use std::time::Duration;

use capabilities::{Outcome, beside};
use serde::{Deserialize, Serialize};
use timewright::activity::ActivityWorker;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{Worker, activity, workflow};

/// Who waits for the lock, in the order in which they came; what one run leaves to the next.
type Waiting = VecDeque<String>;

/// The lock: a workflow whose id is the name of what it guards.
struct LockWorkflow {
    waiting: Waiting,
    released_by: Option<String>,
}

#[workflow]
impl LockWorkflow {
    #[init]
    fn new(waiting: &Waiting) -> Self {
        Self { waiting: waiting.clone(), released_by: None }
    }

    #[run]
    async fn run(context: WorkflowContext<Self>, _waiting: Waiting) -> Result<(), WorkflowError> {
        while !context.is_continue_as_new_suggested() {
            context.wait_condition(|state| !state.waiting.is_empty()).await?;
            let Some(holder) = context.state_mut(|state| state.waiting.pop_front()) else { continue };
            // Whoever has ended meanwhile does not want it any more.
            if context.external_workflow(Customer, &holder, None).signal(Acquired, ()).await.is_err() {
                continue;
            }
            // Nobody holds it for ever: a holder that was terminated releases nothing.
            let is_released = |state: &Self| state.released_by.as_ref() == Some(&holder);
            context.wait_condition_with_timeout(LEASE, is_released).await?;
        }
        Err(context.continue_as_new(context.state(|state| state.waiting.clone())))
    }

    #[signal]
    fn acquire(&mut self, workflow_id: String) {
        self.waiting.push_back(workflow_id);
    }

    #[signal]
    fn release(&mut self, workflow_id: String) {
        self.released_by = Some(workflow_id);
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Visit {
    name: String,
    /// The Workflow Id of the lock.
    lock: String,
}

#[derive(Default)]
struct CustomerWorkflow {
    has_lock: bool,
}

#[workflow]
impl CustomerWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, visit: Visit) -> Result<(), WorkflowError> {
        let workflow_id = context.info().workflow_id.clone();
        let lock = context.external_workflow(Lock, visit.lock, None);
        lock.signal(Acquire, workflow_id.clone()).await?;
        context.wait_condition(|state| state.has_lock).await?;

        let served = Self::be_served(&context, visit.name).await;
        // Released whatever came of it, and also when this workflow was cancelled.
        let lock = context.detached().external_workflow(Lock, lock.workflow_id(), None);
        lock.signal(Release, workflow_id).await?;
        served
    }

    async fn be_served(context: &WorkflowContext<Self>, name: String) -> Result<(), WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(10));
        context.execute_activity(Enter, name.clone(), options.clone()).await?;
        context.sleep(Duration::from_millis(50)).await?;
        Ok(context.execute_activity(Leave, name, options).await?)
    }

    #[signal]
    fn acquired(&mut self) {
        self.has_lock = true;
    }
}

#[activity]
async fn enter(name: String) {
    println!("{name} enters");
}

#[activity]
async fn leave(name: String) {
    println!("{name} leaves");
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE)
        .workflow::<LockWorkflow>()
        .workflow::<CustomerWorkflow>()
        .build()?;
    let activities = ActivityWorker::builder(client.clone(), TASK_QUEUE).register(Enter).register(Leave).build()?;

    beside(Worker::new().workflows(workflows).activities(activities), async {
        let lock_id = format!("lock-{}", random_id());
        let options = StartWorkflowOptions::new(TASK_QUEUE, lock_id.as_str());
        let lock = client.start_workflow(Lock, Waiting::new(), options).await?;
        let mut customers = Vec::new();
        for name in ["Ada", "Grace", "Edsger"] {
            let options = StartWorkflowOptions::new(TASK_QUEUE, format!("customer-{name}-{}", random_id()));
            let visit = Visit { name: name.to_owned(), lock: lock_id.clone() };
            customers.push(client.start_workflow(Customer, visit, options).await?);
        }
        for customer in customers {
            customer.result().await?;
        }
        lock.terminate("everybody was served").await?;
        Ok(())
    })
    .await
}

const LEASE: Duration = Duration::from_secs(60);
const TASK_QUEUE: &str = "mutex";
