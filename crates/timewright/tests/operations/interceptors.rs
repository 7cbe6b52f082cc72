//! What belongs to a request goes where the request goes; and a plugin that sees to it in one line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timewright::activity::{ActivityContext, ActivityError, ActivityRequest, ActivityWorker, ActivityWorkerBuilder};
use timewright::client::{
    CallEnd, Client, ClientCall, ClientInterceptor, ClientOptions, ContextValues, PropagatedValue, QueryWorkflowError,
    RpcError, StartWorkflowError,
};
use timewright::workflow::{
    ActivityOptions, ChildWorkflowOptions, InboundCall, InboundKind, InterceptorContext, LocalActivityOptions,
    NexusOperationOptions, OutboundCall, Replayer, WorkflowContext, WorkflowError, WorkflowInterceptor, WorkflowWorker,
    WorkflowWorkerBuilder,
};
use timewright::{LocalActivities, Plugin, WithPlugin, activity, workflow};
use tower::ServiceBuilder;

use crate::CACHES;
use crate::support::background::{run_both, run_workflows};
use crate::support::history::event_types;
use crate::support::nexus::{Deed, Endpoint, SERVICE};
use crate::support::{connect, server, start_options, unique, within};

/// Who something is done for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tenant(String);

fn tenant(name: &str) -> Tenant {
    Tenant(name.to_owned())
}

/// The tenants that were seen, in the order of the run.
type Seen = Vec<String>;

#[derive(Default)]
struct CarryingWorkflow {
    seen: Seen,
    poked: bool,
    updated: bool,
}

#[workflow]
impl CarryingWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, seen: Seen) -> Result<Seen, WorkflowError> {
        let is_first = seen.is_empty();
        context.state_mut(|state| state.seen = seen);
        Self::note(&context, "run", name_of(context.value()));
        let remote = context.execute_activity(WhoAsks, (), options()).await?;
        Self::note(&context, "activity", remote);
        if !is_first {
            return Ok(context.state(|state| state.seen.clone()));
        }
        let local = LocalActivityOptions::start_to_close(Duration::from_secs(10));
        let local = context.execute_local_activity(WhoAsks, (), local).await?;
        Self::note(&context, "local", local);
        let id = format!("{}-child", context.info().workflow_id);
        let child = context.execute_child_workflow(Asking, (), ChildWorkflowOptions::new(id)).await?;
        Self::note(&context, "child", child);
        // The activity's client sends a Signal to this workflow.
        context.execute_activity(Poke, context.info().workflow_id.clone(), options()).await?;
        context.wait_condition(|state| state.poked && state.updated).await?;
        Err(context.with_value(tenant("next")).continue_as_new(context.state(|state| state.seen.clone())))
    }

    #[signal]
    async fn poked(context: WorkflowContext<Self>) {
        Self::note(&context, "signal", name_of(context.value()));
        context.state_mut(|state| state.poked = true);
    }

    #[update]
    async fn ask(context: WorkflowContext<Self>) -> Result<String, WorkflowError> {
        let asked = context.execute_activity(WhoAsks, (), options()).await?;
        context.state_mut(|state| state.updated = true);
        Ok(asked)
    }

    #[query]
    fn seen_so_far(&self) -> Seen {
        self.seen.clone()
    }

    fn note(context: &WorkflowContext<Self>, by: &str, tenant: String) {
        context.state_mut(|state| state.seen.push(format!("{by}: {tenant}")));
    }
}

#[derive(Default)]
struct AskingWorkflow;

#[workflow]
impl AskingWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>) -> Result<String, WorkflowError> {
        Ok(name_of(context.value()))
    }
}

#[activity]
async fn who_asks(context: ActivityContext) -> String {
    name_of(context.value())
}

#[activity]
async fn poke(context: ActivityContext, workflow_id: String) -> Result<(), ActivityError> {
    context.heartbeat("on its way".to_owned())?;
    Ok(context.client().workflow_handle(Carrying, workflow_id, None).signal(Poked, ()).await?)
}

fn name_of(tenant: Option<&Tenant>) -> String {
    tenant.map_or_else(|| "nobody".to_owned(), |tenant| tenant.0.clone())
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(Duration::from_secs(10))
}

/// Sets all up that is needed for it, and notes what it sees.
#[derive(Clone, Default)]
struct Platform(Arc<Mutex<Vec<String>>>);

impl Platform {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn noted(&self, what: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|noted| *noted == what).count()
    }
}

impl Plugin for Platform {
    fn name(&self) -> &str {
        "platform"
    }

    fn configure_client(&self, options: ClientOptions) -> ClientOptions {
        options.propagator(PropagatedValue::<Tenant>::new("tenant")).interceptor(self.clone())
    }

    fn configure_workflow_worker(&self, builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
        let (started, stopped) = (self.clone(), self.clone());
        builder
            .interceptor(self.clone())
            .on_start(move || started.note("workflows start"))
            .on_stop(move |result| stopped.note(format!("workflows stop: {result:?}")))
    }

    fn configure_activity_worker(&self, builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
        let (this, started, stopped) = (self.clone(), self.clone(), self.clone());
        let heartbeats = ServiceBuilder::new().map_request(move |request: ActivityRequest| {
            let this = this.clone();
            let context = request.context.on_heartbeat(move |details| {
                this.note(format!("heartbeat: {}", String::from_utf8_lossy(&details[0].data)));
            });
            ActivityRequest { context, ..request }
        });
        builder
            .layer(heartbeats)
            .on_start(move || started.note("activities start"))
            .on_stop(move |result| stopped.note(format!("activities stop: {result:?}")))
    }

    fn configure_replayer(&self, replayer: Replayer) -> Replayer {
        replayer.propagator(PropagatedValue::<Tenant>::new("tenant")).interceptor(self.clone())
    }
}

impl ClientInterceptor for Platform {
    fn intercept(&self, values: &ContextValues, call: &mut ClientCall<'_>) -> Result<Option<CallEnd>, RpcError> {
        if values.get() == Some(&tenant("banned")) {
            return Err(tonic::Status::permission_denied("this tenant is banned").into());
        }
        let (this, kind) = (self.clone(), call.kind());
        Ok(Some(Box::new(move |outcome| this.note(format!("{kind}: {}", outcome.is_ok())))))
    }
}

impl WorkflowInterceptor for Platform {
    fn inbound(&self, context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
        if call.kind() == InboundKind::Query && context.value() == Some(&tenant("curious")) {
            return Err("this tenant may not ask".into());
        }
        Ok(())
    }

    fn outbound(&self, context: &InterceptorContext, call: &mut OutboundCall<'_>) -> Result<(), WorkflowError> {
        if let OutboundCall::Activity(activity) = call
            && !context.is_replaying()
        {
            self.note(format!("workflow asks for {}", activity.activity_type));
        }
        Ok(())
    }
}

/// A client with the plugin, and what the plugin has seen.
async fn client_of_platform() -> (Client, Platform) {
    let platform = Platform::default();
    // Once more does nothing more.
    let options = ClientOptions::new(server()).plugin(platform.clone()).plugin(platform.clone());
    (connect(options).await, platform)
}

#[tokio::test]
async fn values_go_from_the_client_through_all_that_a_workflow_does_and_a_plugin_sees_to_it() {
    for cached in CACHES {
        let (client, platform) = client_of_platform().await;
        let task_queue = unique("carrying");
        let activities =
            ActivityWorker::builder(client.clone(), &task_queue).register(WhoAsks).register(Poke).build().unwrap();
        let workflows = WorkflowWorker::builder(client.clone(), &task_queue)
            .plugin(platform.clone())
            .maximum_cached_workflows(cached)
            .workflow::<CarryingWorkflow>()
            .workflow::<AskingWorkflow>()
            .local_activities(LocalActivities::of(&activities))
            .build()
            .unwrap();
        let worker = run_both(workflows, activities);

        let of_acme = client.with_value(tenant("acme"));
        let handle = of_acme.start_workflow(Carrying, Seen::new(), start_options(&task_queue)).await.unwrap();
        let of_other = client.with_value(tenant("other")).workflow_handle(Carrying, handle.workflow_id(), None);
        assert_eq!(within("an answer", of_other.update(Ask, ())).await.unwrap(), "other");
        let seen = within("the result", handle.result()).await.unwrap();
        assert_eq!(
            seen,
            [
                "run: acme",
                "activity: acme",
                "local: acme",
                "child: acme",
                "signal: acme",
                "run: next",
                "activity: next"
            ]
        );
        let curious = client.with_value(tenant("curious")).workflow_handle(Carrying, handle.workflow_id(), None);
        let error = within("an answer", curious.query(SeenSoFar, ())).await.unwrap_err();
        let QueryWorkflowError::Failed { failure, .. } = &error else { panic!("{error}") };
        assert_eq!(failure.message, "this tenant may not ask");
        within("an answer", of_other.query(SeenSoFar, ())).await.unwrap();
        worker.stop().await;

        // A Workflow Task that is lost is executed again, and what it asks for is asked for again.
        let mut was_lost = false;
        for run_id in [handle.run_id(), None] {
            let run = client.workflow_handle(Carrying, handle.workflow_id(), run_id.map(str::to_owned));
            let lost = ["WORKFLOW_TASK_FAILED", "WORKFLOW_TASK_TIMED_OUT"];
            was_lost |= event_types(run.untyped()).await.iter().any(|event| lost.contains(&event.as_str()));
        }
        let asked = |what: &str| platform.noted(&format!("workflow asks for {what}"));
        // In two runs, and in the Update; not again on replay.
        let asked_before = (asked("who_asks"), asked("poke"));
        let is_right = if was_lost { asked_before.0 >= 3 && asked_before.1 >= 1 } else { asked_before == (3, 1) };
        assert!(is_right, "{asked_before:?} with {cached} workflows in the cache, was a task lost: {was_lost}");

        let replayer = Replayer::new().plugin(platform.clone()).workflow::<CarryingWorkflow>();
        for run_id in [handle.run_id(), None] {
            let replayed = replayer.replay_from_server(&client, handle.workflow_id(), run_id);
            within("a replay", replayed).await.unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!((asked("who_asks"), asked("poke")), asked_before, "with {cached} workflows in the cache");
        let expected = BTreeMap::from([
            ("workflows start", 1),
            ("workflows stop: Ok(())", 1),
            ("activities start", 1),
            ("activities stop: Ok(())", 1),
            ("heartbeat: \"on its way\"", 1),
            ("StartWorkflow: true", 1),
            ("SignalWorkflow: true", 1),
            ("UpdateWorkflow: true", 1),
            ("WorkflowResult: true", 1),
            ("QueryWorkflow: false", 1),
            ("QueryWorkflow: true", 1),
        ]);
        let noted = expected.keys().map(|what| (*what, platform.noted(what))).collect::<BTreeMap<_, _>>();
        assert_eq!(noted, expected, "with {cached} workflows in the cache");
    }
}

#[tokio::test]
async fn a_call_that_an_interceptor_refuses_is_not_made() {
    let (client, platform) = client_of_platform().await;
    let options = start_options(&unique("nobody-polls"));
    let of_banned = client.with_value(tenant("banned"));
    let error = of_banned.start_workflow(Asking, (), options).await.unwrap_err();
    let StartWorkflowError::Rpc { source, .. } = &error else { panic!("{error}") };
    assert!(source.message().contains("this tenant is banned"), "{error}");
    assert_eq!(platform.noted("StartWorkflow: true"), 0);
}

#[derive(Default)]
struct OrderingWorkflow;

#[workflow]
impl OrderingWorkflow {
    /// What handlers of Nexus operations see of who asks: once for whom the workflow runs, once for another.
    #[run]
    async fn run(context: WorkflowContext<Self>, endpoint: String) -> Result<[String; 2], WorkflowError> {
        let ask = |context: &WorkflowContext<Self>| {
            let options = NexusOperationOptions::new(&endpoint, SERVICE, "do");
            context.execute_nexus_operation(options, (Deed::Reveal("tenant".to_owned()), 0_u64))
        };
        let (asked, asked_for_other) = (ask(&context), ask(&context.with_value(tenant("other"))));
        Ok([asked.await?, asked_for_other.await?])
    }
}

#[tokio::test]
async fn values_that_may_go_over_http_go_to_handlers_of_nexus_operations() {
    for (propagator, expected) in [
        (PropagatedValue::<Tenant>::new("tenant").through_nexus(), [r#""acme""#, r#""other""#]),
        (PropagatedValue::new("tenant"), ["", ""]),
    ] {
        let client = connect(ClientOptions::new(server()).propagator(propagator)).await;
        let task_queue = unique("ordering");
        let _endpoint = Endpoint::create(&client, &task_queue).await;
        let workflows = WorkflowWorker::builder(client.clone(), &task_queue).workflow::<OrderingWorkflow>();
        let worker = run_workflows(workflows.build().unwrap());
        let of_acme = client.with_value(tenant("acme"));
        let handle = of_acme.start_workflow(Ordering, task_queue.clone(), start_options(&task_queue)).await.unwrap();
        assert_eq!(within("the result", handle.result()).await.unwrap(), expected);
        worker.stop().await;
    }
}
