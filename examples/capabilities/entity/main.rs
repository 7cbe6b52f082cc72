//! Entity: a workflow that lives as long as what it stands for, in many runs, each with a short history.

use capabilities::{Outcome, beside};
use serde::{Deserialize, Serialize};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::workflow::{WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{Worker, workflow};

/// What one run leaves to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Account {
    owner: String,
    balance: u64,
    /// How many runs there were before.
    runs: u32,
}

struct AccountWorkflow {
    account: Account,
    deposits: u32,
    is_closed: bool,
}

#[workflow(define = AccountEntity)]
impl AccountWorkflow {
    /// Before any handler runs, so that a message to a new run finds the whole account.
    #[init]
    fn new(account: &Account) -> Self {
        Self { account: account.clone(), deposits: 0, is_closed: false }
    }

    #[run]
    async fn run(context: WorkflowContext<Self>, _account: Account) -> Result<Account, WorkflowError> {
        // The server suggests it when the history has become long. Here it is done after three deposits, so that one sees it.
        let is_long = |state: &Self| context.is_continue_as_new_suggested() || state.deposits >= 3;
        context.wait_condition(|state| state.is_closed || is_long(state)).await?;
        // No message must be lost between two runs: those that have come are handled, and those that take time are finished.
        context.wait_condition(|_| context.all_handlers_finished()).await?;

        let (account, is_closed) = context.state(|state| (state.account.clone(), state.is_closed));
        if is_closed {
            return Ok(account);
        }
        Err(context.continue_as_new(Account { runs: account.runs + 1, ..account }))
    }

    #[update]
    fn deposit(&mut self, amount: u64) -> u64 {
        self.deposits += 1;
        self.account.balance += amount;
        self.account.balance
    }

    #[signal]
    fn close(&mut self) {
        self.is_closed = true;
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let worker = WorkflowWorker::builder(client.clone(), TASK_QUEUE).workflow::<AccountWorkflow>().build()?;

    beside(Worker::new().workflows(worker), async {
        let workflow_id = format!("account-{}", random_id());
        let new = Account { owner: "Ada".to_owned(), ..Account::default() };
        let options = StartWorkflowOptions::new(TASK_QUEUE, workflow_id.as_str());
        let first_run = client.start_workflow(AccountEntity, new, options).await?;
        // By its id alone: whichever run is the current one.
        let account = client.workflow_handle(AccountEntity, workflow_id, None);
        for amount in 1..=7 {
            println!("balance: {}", account.update(Deposit, amount).await?);
        }
        account.signal(Close, ()).await?;
        // The first run's handle follows to the last run.
        let Account { owner, balance, runs } = first_run.result().await?;
        println!("{owner} leaves with {balance}, after {runs} times continued as new");
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "entity";
