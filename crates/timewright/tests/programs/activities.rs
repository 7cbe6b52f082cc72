//! The activities of the programs.

use std::time::Duration;

use greeting_definitions::GreetingInput;
use timewright::activity::{ActivityContext, ActivityError};
use timewright::converter::{ApplicationFailure, Arguments};

pub(crate) async fn compose_greeting(_context: ActivityContext, input: GreetingInput) -> Result<String, ActivityError> {
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

pub(crate) async fn echo(_context: ActivityContext, text: String) -> Result<String, ActivityError> {
    Ok(text)
}

pub(crate) async fn flaky(context: ActivityContext, text: String) -> Result<String, ActivityError> {
    if context.info().attempt == 1 {
        return Err(ApplicationFailure::new("not yet").with_type("NotYet").into());
    }
    Ok(text)
}

pub(crate) async fn refuse(_context: ActivityContext, text: String) -> Result<String, ActivityError> {
    let refused = ApplicationFailure::new(format!("{text} is refused")).with_type("Refused");
    Err(refused.with_details(text).non_retryable().into())
}

/// Heartbeats all the time: the answer to a heartbeat is what says that it is cancelled.
pub(crate) async fn wait(context: ActivityContext, name: String) -> Result<String, ActivityError> {
    say_begun(&context, name).await?;
    loop {
        context.heartbeat(())?;
        tokio::select! {
            _ = context.cancelled() => return Err(ActivityError::cancelled()),
            () = tokio::time::sleep(Duration::from_millis(50)) => (),
        }
    }
}

/// Sends the signal `begun` to the activity's own workflow.
pub(crate) async fn say_begun(context: &ActivityContext, name: String) -> Result<(), ActivityError> {
    let workflow = context.info().workflow.clone().expect("a workflow has started it");
    let handle = context.client().workflow_handle_untyped(workflow.workflow_id, Some(workflow.run_id));
    handle.signal("begun", name.to_payloads()?).await?;
    Ok(())
}
