//! Spans of activities.

use std::pin::Pin;
use std::sync::Arc;
use std::task;

use opentelemetry::context::FutureExt;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use timewright::activity::{ActivityInfo, ActivityOutcome, ActivityRequest, ActivityService};
use timewright::converter::is_benign;
use tower::{BoxError, Layer, Service};

use crate::{NewSpan, Tracing, end};

pub(crate) struct Activities(pub(crate) Arc<Tracing>);

impl Layer<ActivityService> for Activities {
    type Service = Traced;

    fn layer(&self, inner: ActivityService) -> Traced {
        Traced { inner, tracing: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
pub(crate) struct Traced {
    inner: ActivityService,
    tracing: Arc<Tracing>,
}

impl Service<ActivityRequest> for Traced {
    type Response = ActivityOutcome;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<ActivityOutcome, BoxError>> + Send>>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: ActivityRequest) -> Self::Future {
        let info = request.context.info();
        let context = self.tracing.start(NewSpan {
            name: format!("RunActivity:{}", info.activity_type),
            kind: SpanKind::Server,
            attributes: attributes(info),
            parent: &self.tracing.extract(request.context.header()),
            link: None,
            at: None,
        });
        // For code on other threads, and for what it does with its client.
        let of_activity = request.context.with_value(context.clone());
        let attempt = self.inner.call(ActivityRequest { context: of_activity, ..request });
        let ending = Ending(context.clone());
        Box::pin(async move {
            let result = attempt.with_context(context).await;
            ending.end(match &result {
                Ok(ActivityOutcome::Failed(failure)) if !is_benign(failure) => Some(failure.message.clone()),
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            });
            result
        })
    }
}

/// Ends the span, also if the attempt is abandoned or panics.
struct Ending(Context);

impl Ending {
    fn end(&self, error: Option<String>) {
        end(&self.0, error);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Ending it twice does nothing.
        end(&self.0, None);
    }
}

fn attributes(info: &ActivityInfo) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new("temporalActivityID", info.activity_id.clone())];
    if let Some(workflow) = &info.workflow {
        attributes.push(KeyValue::new("temporalWorkflowID", workflow.workflow_id.clone()));
        attributes.push(KeyValue::new("temporalRunID", workflow.run_id.clone()));
    }
    attributes
}
