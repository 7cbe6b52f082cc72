//! Payload Codecs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{ClientOptions, HttpRequest, HttpResponse, Stack};
use timewright::converter::{
    ApplicationFailure, BoxFuture, CodecError, DataConverter, DefaultFailureConverter, Payload, PayloadCodec,
};
use timewright::proto::enums::EventType;
use timewright::proto::{Bytes, Message};
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};
use timewright_testing::DevServer;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::support::background::{run_activities, run_workflows};
use crate::support::definitions::{activity, query, signal, workflow_definition};
use crate::support::history::{wait_for_event, wait_for_task_failure};
use crate::support::{LIMIT, client, connect, poll_until, start_options, unique, within};

// --- A codec, and who looks

/// Hides whole Payloads, and marks what it has hidden. What an encrypting codec does, with a key that everybody has.
struct Invert;

const INVERTED: &[u8] = b"binary/inverted";

impl PayloadCodec for Invert {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let hide = |payload: Payload| Payload {
            metadata: [("encoding".to_owned(), INVERTED.into())].into(),
            data: payload.encode_to_vec().into_iter().map(|byte| !byte).collect(),
            ..Payload::default()
        };
        Box::pin(async move { Ok(payloads.into_iter().map(hide).collect()) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let show = |payload: Payload| match payload.metadata.get("encoding") {
            Some(encoding) if encoding == INVERTED => {
                let bytes: Bytes = payload.data.iter().map(|byte| !byte).collect();
                Payload::decode(bytes).map_err(|error| CodecError::new("this was never inverted").caused_by(error))
            }
            _ => Err(CodecError::new("this was not inverted")),
        };
        Box::pin(async move { payloads.into_iter().map(show).collect() })
    }
}

/// Keeps all that leaves the process.
#[derive(Clone, Default)]
struct Spy(Arc<Mutex<Vec<u8>>>);

impl Layer<Stack> for Spy {
    type Service = BoxCloneSyncService<HttpRequest, HttpResponse, BoxError>;

    fn layer(&self, stack: Stack) -> Self::Service {
        let seen = Arc::clone(&self.0);
        BoxCloneSyncService::new(service_fn(move |request: HttpRequest| {
            let (seen, stack) = (Arc::clone(&seen), stack.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await?.to_bytes();
                seen.lock().expect("nobody panics with it").extend_from_slice(&bytes);
                Ok(stack.oneshot(HttpRequest::from_parts(parts, Body::new(Full::new(bytes)))).await?)
            }
        }))
    }
}

impl Spy {
    fn seen(&self) -> Vec<u8> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

/// Where a secret stands in `bytes`, with what is around it.
fn secrets(bytes: &[u8]) -> Vec<String> {
    let found = bytes.windows(SECRET.len()).enumerate().filter(|(_, window)| *window == SECRET);
    found.map(|(at, _)| bytes[at..bytes.len().min(at + 40)].escape_ascii().to_string()).collect()
}

/// With this begins everything that nobody may read.
const SECRET: &[u8] = b"secret";

// --- A workflow full of secrets

workflow_definition!(Vault: String => String);
signal!(Store of Vault: String);
query!(Contents of Vault: String => Vec<String>);
activity!(Guard: String => String);

struct VaultWorkflow {
    contents: Vec<String>,
}

impl Workflow for VaultWorkflow {
    type Definition = Vault;

    fn init(_info: &WorkflowInfo, secret: &String) -> Self {
        Self { contents: vec![secret.clone()] }
    }

    async fn run(context: WorkflowContext<Self>, secret: String) -> Result<String, WorkflowError> {
        let options = ActivityOptions::start_to_close(LIMIT).summary("secret summary of the activity");
        let guarded = context.execute_activity(Guard, secret, options).await?;
        context.state_mut(|state| state.contents.push(guarded.clone()));
        context.wait_condition(|state| state.contents.len() == 3).await?;
        if context.state(|state| state.contents.iter().any(|secret| secret == "secret wish to fail")) {
            let cause = ApplicationFailure::new("secret cause").with_details("secret details of the cause".to_owned());
            let failure = ApplicationFailure::new("secret failure of the workflow").with_type("Robbed");
            return Err(failure.with_details("secret details".to_owned()).caused_by(cause).into());
        }
        Ok(format!("secret result: {guarded}"))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Store, |state, secret| state.contents.push(secret));
        handlers.query(Contents, |state, password| match password.as_str() {
            "secret password" => Ok(state.contents.clone()),
            _ => Err(ApplicationFailure::new(format!("{password} is not the password")).into()),
        });
    }
}

/// Fails once; then gives what it heartbeated.
async fn guard(context: ActivityContext, secret: String) -> Result<String, ActivityError> {
    match context.previous_heartbeat_details::<String>()? {
        Some(heartbeated) => Ok(heartbeated),
        None => {
            context.heartbeat(format!("secret heartbeat: {secret}"))?;
            Err(ApplicationFailure::new("secret failure of the activity").with_details(secret).into())
        }
    }
}

#[tokio::test]
async fn with_a_codec_nothing_that_users_pass_is_readable_outside() {
    let file = std::env::temp_dir().join(unique("timewright-codec")).with_extension("db");
    let server = DevServer::builder().db_filename(&file).start().unwrap_or_else(|error| panic!("{error}"));
    let spy = Spy::default();
    let converter = DataConverter::default()
        .with_codec(Invert)
        .with_failure_converter(DefaultFailureConverter { encode_common_attributes: true });
    let options = ClientOptions::new(server.address().to_string());
    let client = connect(options.clone().data_converter(converter).layer(spy.clone())).await;
    let queue = unique("vault");
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Guard, guard).build().unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<VaultWorkflow>().build().unwrap();
    let _workers = (run_activities(activities), run_workflows(workflows));

    // Everything works.
    let start = start_options(&queue)
        .memo("owner", "secret owner".to_owned())
        .static_summary("secret summary")
        .static_details("secret details");
    let vault = client.start_workflow(Vault, "secret input".to_owned(), start).await.unwrap();
    let contents = || vault.query(Contents, "secret password".to_owned());
    let expected = ["secret input", "secret heartbeat: secret input"];
    poll_until("the activity's result", || async { (contents().await.unwrap() == expected).then_some(()) }).await;
    assert_eq!(vault.describe().await.unwrap().memo("owner"), Ok(Some("secret owner".to_owned())));
    let id = vault.workflow_id();
    assert_eq!(
        within("an answer", vault.query(Contents, "secret guess".to_owned())).await.unwrap_err().to_string(),
        format!("query `Contents` failed in workflow `{id}`: ApplicationFailure: secret guess is not the password")
    );
    vault.signal(Store, "secret signal".to_owned()).await.unwrap();
    let result = within("the result", vault.result()).await.unwrap();
    assert_eq!(result, "secret result: secret heartbeat: secret input");

    let vault = client.start_workflow(Vault, "secret input".to_owned(), start_options(&queue)).await.unwrap();
    vault.signal(Store, "secret wish to fail".to_owned()).await.unwrap();
    let error = within("the end", vault.result()).await.unwrap_err().to_string();
    assert!(
        error.ends_with("failed: Robbed: secret failure of the workflow: ApplicationFailure: secret cause"),
        "{error}"
    );
    let history = vault.history().await.unwrap().encode_to_vec();
    assert!(secrets(&history).len() > 5, "the client shows what belongs to the user");

    // And nobody else reads anything.
    assert_eq!(secrets(&spy.seen()), [""; 0], "sent to the server");
    assert!(contains(&spy.seen(), vault.workflow_id()), "the spy sees what is sent");
    let stranger = connect(options).await.workflow_handle_untyped(vault.workflow_id(), None);
    let history = stranger.history().await.unwrap().encode_to_vec();
    assert_eq!(secrets(&history), [""; 0], "in the history");
    assert!(contains(&history, "Encoded failure"), "messages of failures are hidden too");
    drop(server);
    let stored = stored_in(&file);
    assert_eq!(secrets(&stored), [""; 0], "in the server's database");
    assert!(contains(&stored, vault.workflow_id()), "the file is the database");
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// All that the server has in its files, which are removed.
fn stored_in(file: &std::path::Path) -> Vec<u8> {
    let mut stored = Vec::new();
    for suffix in ["", "-wal", "-shm"] {
        let mut file = file.as_os_str().to_owned();
        file.push(suffix);
        // Which of them there are depends on where the server was when it was killed.
        stored.extend(std::fs::read(&file).unwrap_or_default());
        let _ = std::fs::remove_file(&file);
    }
    stored
}

#[tokio::test]
async fn whoever_lacks_the_codec_is_told_so() {
    let (stranger, queue) = (client().await, unique("vault"));
    let converter = DataConverter::default().with_codec(Invert);
    let owner = connect(ClientOptions::new(stranger.address()).data_converter(converter)).await;

    // The starter has the codec, the workers have not.
    let worker = WorkflowWorker::builder(stranger.clone(), &queue).workflow::<VaultWorkflow>().build().unwrap();
    let worker = run_workflows(worker);
    let vault = owner.start_workflow(Vault, "secret".to_owned(), start_options(&queue)).await.unwrap();
    let stranger_s = stranger.workflow_handle_untyped(vault.workflow_id(), None);
    let (cause, failure) = wait_for_task_failure(&stranger_s).await;
    assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
    assert_eq!(
        failure,
        format!(
            "ConversionError: the input of workflow \"Vault\" (id \"{}\"): argument 1: a Payload with encoding \
             `binary/inverted` cannot be read as alloc::string::String: expected one of json/plain, binary/null, \
             binary/plain. If a Payload Codec wrote it, this Data Converter needs the same codec",
            vault.workflow_id()
        )
    );
    worker.stop().await;

    // The worker has the codec, the starter has not.
    let queue = unique("vault");
    let worker = WorkflowWorker::builder(owner.clone(), &queue).workflow::<VaultWorkflow>().build().unwrap();
    let _worker = run_workflows(worker);
    let vault = stranger.start_workflow(Vault, "public".to_owned(), start_options(&queue)).await.unwrap();
    let (cause, failure) = wait_for_task_failure(vault.untyped()).await;
    assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
    assert_eq!(
        failure,
        "CodecError: the Payloads of this Workflow Task could not be decoded: Payload Codec Invert could not decode: \
         this was not inverted"
    );
    let error = owner.workflow_handle(Vault, vault.workflow_id(), None).history().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "history of workflow `{}`: Payload Codec Invert could not decode: this was not inverted",
            vault.workflow_id()
        )
    );
}

/// A codec whose keys cannot be had while it is out of order.
#[derive(Clone, Default)]
struct Fragile {
    is_broken: Arc<AtomicBool>,
}

impl Fragile {
    fn check(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let broken = self.is_broken.load(Ordering::SeqCst);
        Box::pin(async move { if broken { Err(CodecError::new("the key server is down")) } else { Ok(payloads) } })
    }
}

impl PayloadCodec for Fragile {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        self.check(payloads)
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        self.check(payloads)
    }
}

#[tokio::test]
async fn a_codec_that_fails_for_a_while_costs_time_and_nothing_else() {
    let (starter, queue) = (client().await, unique("vault"));
    let codec = Fragile::default();
    let converter = DataConverter::default().with_codec(codec.clone());
    let client = connect(ClientOptions::new(starter.address()).data_converter(converter)).await;
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<VaultWorkflow>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Guard, guard).build().unwrap();
    let options = || start_options(&queue).task_timeout(Duration::from_secs(1));

    // The workflow's input cannot be read at first.
    codec.is_broken.store(true, Ordering::SeqCst);
    let _workflows = run_workflows(workflows);
    let vault = starter.start_workflow(Vault, "secret".to_owned(), options()).await.unwrap();
    let (cause, failure) = wait_for_task_failure(vault.untyped()).await;
    assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
    assert_eq!(
        failure,
        "CodecError: the Payloads of this Workflow Task could not be decoded: Payload Codec Fragile could not decode: the \
         key server is down"
    );
    codec.is_broken.store(false, Ordering::SeqCst);
    wait_for_event(vault.untyped(), EventType::ActivityTaskScheduled).await;

    // Then the activity's.
    codec.is_broken.store(true, Ordering::SeqCst);
    let _activities = run_activities(activities);
    let failure = poll_until("a failed attempt", || async {
        let pending = vault.describe().await.unwrap().raw().pending_activities.clone();
        pending.into_iter().find_map(|activity| activity.last_failure)
    });
    assert_eq!(
        format!("{:#}", crate::support::history::failure(&starter, failure.await)),
        "CodecError: the input of activity `Guard`: Payload Codec Fragile could not decode: the key server is down"
    );
    codec.is_broken.store(false, Ordering::SeqCst);
    vault.signal(Store, "third".to_owned()).await.unwrap();
    let result = within("the result", vault.result()).await.unwrap();
    assert_eq!(result, "secret result: secret heartbeat: secret");
}
