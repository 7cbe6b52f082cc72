//! Signals, queries, and Updates.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Value, json};

use super::{Handlers, Program};
use crate::context::{Context, Done, Running, Stop, failure};

pub(super) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    let context = context.clone();
    let messages = Rc::new(Messages::default());
    let signals = Rc::new(Signals::default());
    let (main, handlers): (Running, Rc<dyn Handlers>) = match workflow_type {
        "messages" => (Box::pin(until_finished(context, messages.clone())), messages),
        "messages_beside_activity" => (Box::pin(beside_activity(context, messages.clone())), messages),
        "messages_beside_local_activity" => (Box::pin(beside_local_activity(context, messages.clone())), messages),
        "signals" => (Box::pin(three_signals(context, signals.clone())), signals),
        "signals_beside_local_activity" => (Box::pin(signals_beside_local_activity(context, signals.clone())), signals),
        _ => return None,
    };
    Some(Program { main, handlers })
}

async fn until_finished(context: Context, messages: Rc<Messages>) -> Done {
    context.until(|| messages.finished.get()).await?;
    Ok(messages.value.borrow().clone())
}

async fn beside_activity(context: Context, messages: Rc<Messages>) -> Done {
    context.activity("wait_ms", 1500).outcome().await?;
    until_finished(context, messages).await
}

async fn beside_local_activity(context: Context, messages: Rc<Messages>) -> Done {
    context.local_activity("wait_ms", 3000).outcome().await?;
    until_finished(context, messages).await
}

async fn three_signals(context: Context, signals: Rc<Signals>) -> Done {
    context.until(|| signals.values.borrow().len() == 3).await?;
    Ok(Value::Array(signals.values.borrow().clone()))
}

async fn signals_beside_local_activity(context: Context, signals: Rc<Signals>) -> Done {
    context.local_activity("wait_ms", 3000).outcome().await?;
    three_signals(context, signals).await
}

/// A value that Updates change, until the signal `finish`.
struct Messages {
    value: Rc<RefCell<Value>>,
    finished: Cell<bool>,
}

impl Default for Messages {
    fn default() -> Self {
        Self { value: Rc::new(RefCell::new(json!(0))), finished: Cell::new(false) }
    }
}

impl Handlers for Messages {
    fn signal(&self, context: &Context, name: &str, argument: Value) -> Option<Running> {
        let (context, value) = (context.clone(), self.value.clone());
        match name {
            "finish" => {
                self.finished.set(true);
                Some(Box::pin(async { Ok(Value::Null) }))
            }
            "work" => Some(Box::pin(async move {
                context.activity("wait_ms", argument).outcome().await?;
                let worked = value.borrow().as_i64().unwrap_or_default() + 1;
                Ok(value.replace(worked.into()))
            })),
            _ => None,
        }
    }

    fn validate(&self, name: &str, argument: &Value) -> Result<(), &'static str> {
        let is_negative = argument.as_i64().is_some_and(|value| value < 0);
        if name == "set" && is_negative { Err("negative") } else { Ok(()) }
    }

    fn update(&self, context: &Context, name: &str, argument: Value) -> Option<Running> {
        let (context, value) = (context.clone(), self.value.clone());
        Some(match name {
            "set" => Box::pin(async move { Ok(value.replace(argument)) }),
            "set_by_activity" => Box::pin(async move {
                let result = context.activity("wait_ms", argument).outcome().await?;
                value.replace(result.clone());
                Ok(result)
            }),
            "set_by_local_activity" => Box::pin(async move {
                let result = context.local_activity("wait_ms", argument).outcome().await?;
                value.replace(result.clone());
                Ok(result)
            }),
            "set_by_timer" => Box::pin(async move {
                context.timer(100).outcome().await?;
                value.replace(argument.clone());
                Ok(argument)
            }),
            "refuse" => Box::pin(async { Err(Stop::Failed(failure("refused: by the handler"))) }),
            _ => return None,
        })
    }

    fn query(&self, name: &str) -> Option<Value> {
        (name == "current").then(|| self.value.borrow().clone())
    }
}

/// The values of the signal `add`.
#[derive(Default)]
struct Signals {
    values: RefCell<Vec<Value>>,
}

impl Handlers for Signals {
    fn signal(&self, _context: &Context, name: &str, argument: Value) -> Option<Running> {
        if name != "add" {
            return None;
        }
        self.values.borrow_mut().push(argument);
        Some(Box::pin(async { Ok(Value::Null) }))
    }
}
