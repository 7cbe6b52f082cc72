//! Payload Codecs that fail, panic or hang: each costs its own task, and no other workflow waits for it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use timewright::client::ClientOptions;
use timewright::converter::{BoxFuture, CodecError, DataConverter, Payload, PayloadCodec};
use timewright::proto::enums::EventType;
use timewright::workflow::WorkflowWorker;

use crate::support::background::run_workflows;
use crate::support::definitions::workflow;
use crate::support::history::{wait_for_event, wait_for_task_failure};
use crate::support::{LIMIT, client, connect, server, start_options, unique, within};

/// Does once what the Payload asks for, wherever that is read or written first.
#[derive(Clone, Default)]
struct Moody {
    /// The moods that it has had.
    had: Arc<Mutex<BTreeSet<String>>>,
}

impl Moody {
    async fn convert(&self, payloads: Vec<Payload>, direction: &str) -> Result<Vec<Payload>, CodecError> {
        let moods = ["hang", "panic", "fail"].map(|mood| format!("{mood} {direction}"));
        let asked_for =
            moods.iter().find(|mood| payloads.iter().any(|payload| payload.data == format!("{mood:?}").into_bytes()));
        let mood = asked_for.filter(|mood| self.had.lock().unwrap().insert((*mood).clone()));
        match mood.and_then(|mood| mood.split(' ').next()) {
            Some("hang") => std::future::pending().await,
            Some("panic") => panic!("out of keys"),
            Some(_) => return Err(CodecError::new("no such key")),
            None => (),
        }
        Ok(payloads)
    }
}

impl PayloadCodec for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(self.convert(payloads, "encoding"))
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(self.convert(payloads, "decoding"))
    }
}

workflow!(Echoes: String => String, |_context, word| {
    Ok(word)
});

#[tokio::test]
async fn c29_g9_codecs_that_misbehave_cost_one_task_each() {
    let moody = DataConverter::default().with_codec(Moody::default());
    let its_client = connect(ClientOptions::new(server()).data_converter(moody)).await;
    // Who starts and waits has no such codec.
    let (client, queue) = (client().await, unique("codecs"));
    let workflows = WorkflowWorker::builder(its_client, &queue)
        .workflow::<Echoes>()
        .codec_timeout(Duration::from_secs(2))
        // The fewest. Were one lost, the last workflow could not end.
        .maximum_concurrent_workflow_tasks(2)
        .maximum_concurrent_polls(2);
    let worker = run_workflows(workflows.build().unwrap());
    for direction in ["decoding", "encoding"] {
        for (mood, expected) in [
            ("fail", "no such key"),
            ("panic", "a Payload Codec panicked: out of keys"),
            ("hang", "a Payload Codec gave no answer within 2s"),
        ] {
            let word = format!("{mood} {direction}");
            let echoes = client.start_workflow(Echoes, word.clone(), start_options(&queue)).await.unwrap();
            let (cause, text) = wait_for_task_failure(echoes.untyped()).await;
            assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
            assert!(text.starts_with("CodecError: the Payloads of this Workflow Task"), "{text}");
            assert!(text.contains(expected), "{text}");
            // It is tried again.
            assert_eq!(within("the end", echoes.result()).await.unwrap(), word);
        }
    }
    worker.stop().await;
}

/// That one never answers, and none of the others waits for it.
#[tokio::test]
async fn c29_a_codec_that_hangs_delays_no_other_workflow() {
    let moody = DataConverter::default().with_codec(Moody::default());
    let its_client = connect(ClientOptions::new(server()).data_converter(moody)).await;
    let (client, queue) = (client().await, unique("codecs"));
    let workflows = WorkflowWorker::builder(its_client, &queue).workflow::<Echoes>().threads(1);
    let _worker = run_workflows(workflows.codec_timeout(Duration::from_secs(3600)).build().unwrap());
    for word in ["hang decoding", "hang encoding"] {
        let options = start_options(&queue).task_timeout(4 * LIMIT);
        let hangs = client.start_workflow(Echoes, word.to_owned(), options).await.unwrap();
        wait_for_event(hangs.untyped(), EventType::WorkflowTaskStarted).await;
    }
    for _ in 0..3 {
        let other = client.start_workflow(Echoes, "other".to_owned(), start_options(&queue)).await.unwrap();
        assert_eq!(within("another workflow", other.result()).await.unwrap(), "other");
    }
}
