//! Completions of Workflow Tasks that are larger than one message may be, on a server that takes them in pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{ClientOptions, HttpRequest, HttpResponse, Stack};
use timewright::proto::Bytes;
use timewright::workflow::{ActivityOptions, Replayer, WorkflowWorker};
use timewright_testing::DevServer;
use tonic::body::Body;
use tonic::codegen::http::HeaderValue;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::support::background::run_both;
use crate::support::definitions::{activity, workflow};
use crate::support::history::event_types;
use crate::support::{LIMIT, connect, start_options, unique, within};

const MEGABYTE: usize = 1024 * 1024;
const ALLOW_PAGES: &str = "--dynamic-config-value=history.enableWorkflowTaskCompletionPagination=true";
/// Else the server terminates a workflow whose task makes more than 4 MiB of Events.
const ALLOW_EVENTS: &str = "--dynamic-config-value=system.transactionSizeLimit=41943040";

activity!(Measure: String => usize);

async fn measure(_context: ActivityContext, text: String) -> Result<usize, ActivityError> {
    Ok(text.len())
}

// Eight megabytes in one Workflow Task; a message may have four.
workflow!(MeasuresEight: () => Vec<usize>, |context, ()| {
    let measure = |more| {
        context.execute_activity(Measure, "x".repeat(MEGABYTE + more), ActivityOptions::start_to_close(LIMIT))
    };
    let measures: Vec<_> = (0..8).map(measure).collect();
    let mut sizes = Vec::new();
    for measure in measures {
        sizes.push(measure.await?);
    }
    Ok(sizes)
});

/// Counts the completions, and keeps one of them from the server, which seems to have taken it.
#[derive(Clone, Default)]
struct Loses {
    number: Option<usize>,
    seen: Arc<AtomicUsize>,
}

impl Layer<Stack> for Loses {
    type Service = BoxCloneSyncService<HttpRequest, HttpResponse, BoxError>;

    fn layer(&self, stack: Stack) -> Self::Service {
        let Self { number, seen } = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: HttpRequest| {
            let completes = request.uri().path().ends_with("/RespondWorkflowTaskCompleted");
            let is_lost = completes && Some(seen.fetch_add(1, Ordering::Relaxed)) == number;
            let stack = stack.clone();
            async move { if is_lost { Ok(taken()) } else { Ok(stack.oneshot(request).await?) } }
        }))
    }
}

/// An empty message: no compression, no bytes.
fn taken() -> HttpResponse {
    let mut response = HttpResponse::new(Body::new(Full::new(Bytes::from_static(&[0; 5]))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response.headers_mut().insert("grpc-status", HeaderValue::from_static("0"));
    response
}

#[tokio::test]
async fn what_is_too_large_for_one_message_goes_in_pages() {
    let server = DevServer::builder()
        .argument(ALLOW_PAGES)
        .argument(ALLOW_EVENTS)
        .start()
        .unwrap_or_else(|error| panic!("{error}"));
    // Eight Commands, two a page. Each later task is one message.
    for (lost, pages) in [(None, 4), (Some(0), 8), (Some(2), 8)] {
        let loses = Loses { number: lost, ..Loses::default() };
        let options = ClientOptions::new(format!("http://{}", server.address())).layer(loses.clone());
        let (client, queue) = (connect(options).await, unique("pages"));
        let activities = ActivityWorker::builder(client.clone(), &queue).activity(Measure, measure).build().unwrap();
        let workflows = WorkflowWorker::builder(client.clone(), &queue)
            .workflow::<MeasuresEight>()
            .paged_completions(true)
            .build()
            .unwrap();
        let worker = run_both(workflows, activities);
        let measures = client.start_workflow(MeasuresEight, (), start_options(&queue)).await.unwrap();
        let sizes = within("the sizes", measures.result()).await.unwrap();
        assert_eq!(sizes, (MEGABYTE..MEGABYTE + 8).collect::<Vec<_>>(), "in their order");
        worker.stop().await;

        let events = event_types(measures.untyped()).await;
        let of = |name: &str| events.iter().filter(|event| *event == name).count();
        assert_eq!((of("WORKFLOW_TASK_FAILED"), of("WORKFLOW_TASK_TIMED_OUT")), (0, 0), "{events:?}");
        let later_tasks = of("WORKFLOW_TASK_COMPLETED") - 1;
        assert_eq!(loses.seen.load(Ordering::Relaxed), pages + later_tasks, "with page {lost:?} lost: {events:?}");
        let replayer = Replayer::new().workflow::<MeasuresEight>();
        let replayed = replayer.replay_from_server(&client, measures.workflow_id(), measures.run_id());
        within("a replay", replayed).await.unwrap_or_else(|error| panic!("{error}"));
    }
}
