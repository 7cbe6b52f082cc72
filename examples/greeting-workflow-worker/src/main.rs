//! The workflow-only worker of the greeting example: it links nothing about activities.
#![forbid(unsafe_code)]

use std::time::Duration;

use greeting_definitions::{
    ComposeGreeting, CurrentGreeting, Greeting, GreetingInput, SetLanguage, TASK_QUEUE, activity_task_queue,
};
use timewright::client::{Client, ClientOptions};
use timewright::workflow;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};

/// The workflow's state: what Signals change and Queries look at.
struct GreetingWorkflow {
    language: String,
    greeting: String,
}

#[workflow(Greeting)]
impl GreetingWorkflow {
    #[init]
    fn new(input: &GreetingInput) -> Self {
        Self { language: input.language.clone(), greeting: String::new() }
    }

    #[run]
    async fn run(context: WorkflowContext<Self>, input: GreetingInput) -> Result<String, WorkflowError> {
        let language = context.state(|state| state.language.clone());
        let options = ActivityOptions::start_to_close(Duration::from_secs(10))
            .task_queue(activity_task_queue(&context.info().task_queue));
        let greeting = context.execute_activity(ComposeGreeting, GreetingInput { language, ..input }, options).await?;
        context.state_mut(|state| state.greeting = greeting.clone());
        context.sleep(Duration::from_secs(1)).await?;
        Ok(greeting)
    }

    #[signal(SetLanguage)]
    fn set_language(&mut self, language: String) {
        self.language = language;
    }

    #[query(CurrentGreeting)]
    fn current_greeting(&self) -> String {
        self.greeting.clone()
    }
}

#[tokio::main]
#[allow(clippy::disallowed_methods, reason = "the worker is no workflow code")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let task_queue = std::env::var("GREETING_TASK_QUEUE").unwrap_or_else(|_| TASK_QUEUE.to_owned());
    let worker = WorkflowWorker::builder(client, task_queue).workflow::<GreetingWorkflow>().build()?;
    worker.run(timewright::shutdown_signal()).await?;
    Ok(())
}
