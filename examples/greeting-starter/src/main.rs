//! Starts the greeting workflow, shows progress while it waits, and prints the result and the history as a table.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line tool talks on standard output")]

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use greeting_definitions::{Greeting, GreetingInput, TASK_QUEUE};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions};
use timewright::proto::history::HistoryEvent;

#[tokio::main]
async fn main() -> ExitCode {
    match greet().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("greeting-starter: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn greet() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "Ada".to_owned());
    let language = std::env::args().nth(2).unwrap_or_else(|| "en".to_owned());
    let task_queue = std::env::var("GREETING_TASK_QUEUE").unwrap_or_else(|_| TASK_QUEUE.to_owned());
    let client = Client::connect(ClientOptions::from_environment()?).await?;

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let workflow_id = format!("greeting-{}", now.as_millis());
    let input = GreetingInput { name: name.clone(), language: language.clone() };
    let handle =
        client.start_workflow(Greeting, input, StartWorkflowOptions::new(task_queue, workflow_id.as_str())).await?;
    println!("started workflow {workflow_id}");

    let mut result = std::pin::pin!(handle.result());
    let result = loop {
        tokio::select! {
            result = &mut result => break result?,
            () = tokio::time::sleep(Duration::from_millis(300)) => {
                let history = handle.history().await?;
                let last = history.events.last().map(short_type).unwrap_or_default();
                println!("  waiting … {} events, last {last}", history.events.len());
            }
        }
    };
    println!("result: {result}\n");
    print_table(&handle.history().await?.events);

    let expected = format!("Hello, {name}!");
    if language == "en" && result != expected {
        return Err(format!("the workflow gave {result:?} instead of {expected:?}").into());
    }
    Ok(())
}

fn print_table(events: &[HistoryEvent]) {
    let start = events.first().and_then(milliseconds).unwrap_or_default();
    println!("{:>5}  {:>9}  event", "id", "time");
    for event in events {
        let after = milliseconds(event).unwrap_or_default() - start;
        println!("{:>5}  {:>6} ms  {}", event.event_id, after, short_type(event));
    }
}

fn milliseconds(event: &HistoryEvent) -> Option<i64> {
    event.event_time.as_ref().map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000)
}

/// `EVENT_TYPE_TIMER_FIRED` as `TimerFired`.
fn short_type(event: &HistoryEvent) -> String {
    let name = event.event_type().as_str_name();
    name.trim_start_matches("EVENT_TYPE_")
        .split('_')
        .map(|word| word.chars().take(1).chain(word.to_lowercase().chars().skip(1)).collect::<String>())
        .collect()
}
