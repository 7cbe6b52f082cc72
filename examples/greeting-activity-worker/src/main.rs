//! The activity-only worker of the greeting example: it links nothing about executing workflows.
#![forbid(unsafe_code)]

use greeting_definitions::{ComposeGreeting, GreetingInput, TASK_QUEUE, activity_task_queue};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions};
use timewright::converter::ApplicationFailure;

async fn compose_greeting(_context: ActivityContext, input: GreetingInput) -> Result<String, ActivityError> {
    let GreetingInput { name, language } = input;
    match language.as_str() {
        "en" => Ok(format!("Hello, {name}!")),
        "de" => Ok(format!("Guten Tag, {name}!")),
        "fr" => Ok(format!("Bonjour, {name} !")),
        _ => Err(ApplicationFailure::new(format!("no greeting is known in language {language:?}"))
            .with_type("UnknownLanguage")
            .with_details(language)
            .non_retryable()
            .into()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let task_queue = std::env::var("GREETING_TASK_QUEUE").unwrap_or_else(|_| activity_task_queue(TASK_QUEUE));
    let worker = ActivityWorker::builder(client, task_queue).activity(ComposeGreeting, compose_greeting).build()?;
    worker.run(timewright::shutdown_signal()).await?;
    Ok(())
}
