//! Signals to workflows that are started if they do not run, from a workflow.

use serde::{Deserialize, Serialize};
use timewright::client::{ClientOptions, PropagatedValue, StartWorkflowOptions};
use timewright::converter::{BoxFuture, CodecError, DataConverter, Payload, PayloadCodec};
use timewright::workflow::{
    Handlers, Replayer, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};
use timewright_testing::DevServer;

use crate::CACHES;
use crate::support::background::run_workflows;
use crate::support::definitions::{signal, workflow, workflow_definition};
use crate::support::{connect, start_options, unique, within};

workflow_definition!(Basket: String => Vec<String>);
signal!(Put of Basket: String);

/// Who asks for all of it.
#[derive(Clone, Serialize, Deserialize)]
struct Shopper(String);

struct BasketWorkflow(Vec<String>);

impl Workflow for BasketWorkflow {
    type Definition = Basket;

    fn init(_info: &WorkflowInfo, owner: &String) -> Self {
        Self(vec![owner.clone()])
    }

    async fn run(context: WorkflowContext<Self>, _owner: String) -> Result<Vec<String>, WorkflowError> {
        context.wait_condition(|state| state.0.len() == 4).await?;
        let mut things = context.state(|state| state.0.clone());
        things.push(format!("started by {}", shopper(&context)));
        Ok(things)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal_async(Put, |context, thing| async move {
            let thing = format!("{thing} of {}", shopper(&context));
            context.state_mut(|state| state.0.push(thing));
        });
    }
}

fn shopper<W: Workflow>(context: &WorkflowContext<W>) -> String {
    context.value().map_or_else(|| "nobody".to_owned(), |Shopper(name)| name.clone())
}

workflow!(Shopping: (String, String) => bool, |context, (queue, basket)| {
    let options = || StartWorkflowOptions::new(&queue, &basket).memo("shop", "corner".to_owned());
    let put = |context: &WorkflowContext<Self>, thing: &str| {
        context.signal_with_start_workflow(Basket, "Ada".to_owned(), Put, thing.to_owned(), options())
    };
    let first = put(&context, "tea").await?;
    let second = put(&context.with_value(Shopper("Bob".to_owned())), "milk").await?;
    first.signal(Put, "sugar".to_owned()).await?;
    Ok(first.run_id().is_some() && first.run_id() == second.run_id() && first.workflow_id() == basket)
});

/// Takes nothing that it has not written.
struct Strict;

impl PayloadCodec for Strict {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let hide = |mut payload: Payload| {
            payload.metadata.insert("strict".to_owned(), "yes".into());
            payload.data = payload.data.iter().map(|byte| !byte).collect();
            payload
        };
        Box::pin(async move { Ok(payloads.into_iter().map(hide).collect()) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let show = |mut payload: Payload| {
            payload.metadata.remove("strict").ok_or_else(|| CodecError::new("this is none of mine"))?;
            payload.data = payload.data.iter().map(|byte| !byte).collect();
            Ok(payload)
        };
        Box::pin(async move { payloads.into_iter().map(show).collect() })
    }
}

#[tokio::test]
async fn a_workflow_is_started_by_the_first_signal_and_codecs_reach_what_users_pass() {
    let able = DevServer::builder()
        .argument("--dynamic-config-value=history.enableSignalWithStartFromWorkflow=true")
        .start()
        .unwrap_or_else(|error| panic!("{error}"));
    let options = || {
        let options = ClientOptions::new(format!("http://{}", able.address()));
        options.propagator(PropagatedValue::<Shopper>::new("shopper"))
    };
    for (cached, converter) in
        CACHES.into_iter().zip([DataConverter::default(), DataConverter::default().with_codec(Strict)])
    {
        let client = connect(options().data_converter(converter)).await;
        let queue = unique("shopping");
        let worker = WorkflowWorker::builder(client.clone(), &queue)
            .workflow::<Shopping>()
            .workflow::<BasketWorkflow>()
            .maximum_cached_workflows(cached);
        let worker = run_workflows(worker.build().unwrap());
        let basket = unique("basket");
        let input = (queue.clone(), basket.clone());
        let of_ann = client.with_value(Shopper("Ann".to_owned()));
        let shopping = of_ann.start_workflow(Shopping, input, start_options(&queue)).await.unwrap();
        assert!(within("the shopping", shopping.result()).await.unwrap(), "both went to one run");
        let basket = client.workflow_handle(Basket, basket, None);
        let things = within("the basket", basket.result()).await.unwrap();
        assert_eq!(things, ["Ada", "tea of Ann", "milk of Bob", "sugar of Ann", "started by Ann"]);

        let replayer = Replayer::new()
            .workflow::<Shopping>()
            .data_converter(client.data_converter().clone())
            .propagator(PropagatedValue::<Shopper>::new("shopper"));
        let replayed = replayer.replay_from_server(&client, shopping.workflow_id(), None);
        within("a replay", replayed).await.unwrap_or_else(|error| panic!("{error}"));
        worker.stop().await;
    }
}
