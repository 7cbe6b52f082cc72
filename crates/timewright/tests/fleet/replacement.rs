//! Another connection for workers that run.

use std::sync::{Arc, Mutex};

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::ClientOptions;
use timewright::workflow::{ActivityOptions, WorkflowWorker};
use timewright_testing::DevServer;
use tokio::sync::oneshot;

use crate::proxy::{Proxy, Weather};
use crate::support::background::run_both;
use crate::support::definitions::{activity, workflow};
use crate::support::{LIMIT, connect, poll_until, start_options, unique, within};

activity!(Echo: u32 => u32);

workflow!(Echoes: u32 => u32, |context, number| {
    Ok(context.execute_activity(Echo, number, ActivityOptions::start_to_close(LIMIT)).await?)
});

#[tokio::test]
async fn c27_workers_go_on_over_another_connection() {
    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}")).address();
    let (old, new) = (Proxy::start(server).await.unwrap(), Proxy::start(server).await.unwrap());
    let (client, queue) = (connect(ClientOptions::new(old.address().to_string())).await, unique("replaced"));
    let (let_go, held) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let hold = move |_: ActivityContext, number: u32| {
        let held = held.lock().unwrap().take();
        async move {
            if let Some(held) = held {
                let _ = held.await; // or the test is over
            }
            Ok::<_, ActivityError>(number)
        }
    };
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Echoes>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Echo, hold).build().unwrap();
    let worker = run_both(workflows, activities);

    let first = client.start_workflow(Echoes, 1, start_options(&queue)).await.unwrap();
    poll_until("the activity's start", || async {
        let description = first.describe().await.unwrap();
        description.raw().pending_activities.iter().any(|activity| activity.last_started_time.is_some()).then_some(())
    })
    .await;
    client.replace_connection(ClientOptions::new(new.address().to_string())).await.unwrap();
    assert_eq!(client.address(), format!("http://{}", new.address()));
    // Nothing can be begun any more on the old connection; what is open there stays open.
    old.set_weather(Weather::Refusing);
    let _ = let_go.send(()); // the activity waits for it
    assert_eq!(within("the first result", first.result()).await.unwrap(), 1);
    // Polls that are open there still bring tasks, and when it ends, others take their place.
    let second = client.start_workflow(Echoes, 2, start_options(&queue)).await.unwrap();
    assert_eq!(within("the second result", second.result()).await.unwrap(), 2);
    old.cut();
    let third = client.start_workflow(Echoes, 3, start_options(&queue)).await.unwrap();
    assert_eq!(within("the third result", third.result()).await.unwrap(), 3);

    // What cannot be reached takes nobody's place.
    let error = client.replace_connection(ClientOptions::new(old.address().to_string())).await.unwrap_err();
    assert!(error.to_string().starts_with("no Temporal Server answers at "), "{error}");
    assert_eq!(client.address(), format!("http://{}", new.address()));
    worker.stop().await;
}
