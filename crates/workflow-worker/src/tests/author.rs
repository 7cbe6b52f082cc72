//! What workflow code knows, draws, says and fails with.

use metrics_exporter_prometheus::PrometheusBuilder;
use timewright_client::metrics::{counter, with_local_recorder};
use timewright_converter::{ErrorCategory, Failure};
use timewright_definition::{SearchAttributeValue, search_attribute_kind as kind};
use timewright_proto::common::{Memo, Payloads, SearchAttributes, WorkflowExecution};
use timewright_proto::enums::SuggestContinueAsNewReason;

use timewright_proto::prost_types;

use super::*;
use crate::{
    Cancelled, ChildWorkflowOptions, LocalActivityOptions, Priority, SearchAttributeChanges, SearchAttributeKey,
    TimeoutError, TimerOptions,
};

workflow!(Draws, |context, _input| {
    let (random, named) = (context.random(), context.random_stream("payments"));
    let first = format!(
        "{} {} {:.6} {} {}",
        random.next_u64(),
        random.next_u32(),
        random.next_f64(),
        random.below(6),
        context.uuid4()
    );
    let second = format!("{} {}", named.next_u64(), context.random_stream("payments").next_u64());
    context.wait_condition(|state| !state.words.is_empty()).await?;
    Ok(format!("{first} / {second} / {} {}", named.next_u64(), random.next_u64()))
});

#[test]
fn random_numbers_never_change() {
    assert_eq!(
        run::<Draws>(vec![vec![signal("a")]])[1],
        "complete \"2650488929093624511 39926874 0.677252 4 3c56eacd-ec05-4628-9012-cb7ff50d4838 \
         / 4333121626161740748 9500646594714339725 / 13338746094248738642 1663604289076274191\"",
        "histories depend on these",
    );
}

#[test]
fn t8_all_random_streams_begin_anew_at_a_reset() {
    let reset = vec![Job::UpdateRandomSeed { seed: 8 }, signal("a")];
    assert_eq!(
        run::<Draws>(vec![reset])[1],
        "complete \"2650488929093624511 39926874 0.677252 4 3c56eacd-ec05-4628-9012-cb7ff50d4838 \
         / 4333121626161740748 9500646594714339725 / 12771127587380432919 13900634103477038415\"",
    );
}

workflow!(DrawsThroughRand, |context, _input| {
    use rand::RngExt;
    let mut random = context.random();
    let inherent = context.random_stream("a").next_u64();
    let through: u64 = context.random_stream("a").random();
    Ok(format!("{} {} {}", random.random_range(1..=6) > 0, inherent == through, context.uuid4() == context.uuid4()))
});

#[test]
fn the_crate_rand_works_on_a_stream() {
    assert_eq!(run::<DrawsThroughRand>(Vec::new()), ["complete \"true false false\""]);
}

/// Its words are what each failure is made of.
macro_rules! fails {
    ($name:ident, |$context:ident| $run:expr) => {
        workflow!($name, |$context, _input| {
            let failing: Result<(), _> = $run;
            failing?;
            Ok(String::new())
        });
    };
}

fn declined() -> ApplicationFailure {
    ApplicationFailure::new("declined")
        .with_type("CardDeclined")
        .with_details(7_u32)
        .with_next_retry_delay(Duration::from_secs(9))
        .with_category(ErrorCategory::Benign)
        .non_retryable()
        .caused_by(std::fmt::Error)
}

#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error(transparent)]
    Payment(#[from] ApplicationFailure),
    #[error(transparent)]
    Activity(#[from] ActivityFailure),
}

fails!(FailsPlainly, |_context| Err(declined()));
fails!(FailsThroughAnyhow, |_context| Err(anyhow::Error::from(declined())));
fails!(FailsThroughEyre, |_context| Err(eyre::Report::new(declined())));
fails!(FailsInABox, |_context| Err(Box::<dyn std::error::Error>::from(declined())));
fails!(FailsInAnEnum, |_context| Err(OrderError::from(declined())));

fn failure_of<W: Workflow<Definition = Definition>>() -> Failure {
    let mut instance = start_instance::<W>();
    let commands = instance.activate(activation(Vec::new())).unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    match commands.into_iter().next_back() {
        Some(Command::FailWorkflow { failure }) => {
            timewright_converter::DataConverter::default().failure_from_proto(*failure)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn failures_keep_all_that_they_say_whatever_they_came_in() {
    let expected = Failure::from(declined());
    assert_eq!(failure_of::<FailsPlainly>(), expected);
    assert_eq!(failure_of::<FailsThroughAnyhow>(), expected);
    assert_eq!(failure_of::<FailsThroughEyre>(), expected);
    assert_eq!(failure_of::<FailsInABox>(), expected);
    assert_eq!(failure_of::<FailsInAnEnum>(), expected);
}

fails!(FailsWithContext, |_context| {
    use anyhow::Context;
    Err(declined()).context("cannot order")
});
fails!(FailsWithText, |_context| Err("out of stock"));
fails!(FailsWithStd, |_context| "x".parse::<u8>().map(drop));
fails!(FailsWithAnyhowText, |_context| Err(anyhow::anyhow!("out of stock")));

#[test]
fn errors_of_others_become_application_failures() {
    let with_context = failure_of::<FailsWithContext>();
    assert_eq!(with_context.message, "cannot order");
    assert_eq!(with_context.kind, Failure::from(declined()).kind, "context changes nothing of what callers do with it");
    assert_eq!(with_context.cause.as_deref(), Some(&Failure::from(declined())));
    let shown = |failure: Failure| format!("{:?} {}", failure.application_type(), failure.message);
    assert_eq!(shown(failure_of::<FailsWithText>()), "Some(\"Error\") out of stock");
    assert_eq!(shown(failure_of::<FailsWithAnyhowText>()), "Some(\"Error\") out of stock");
    assert_eq!(shown(failure_of::<FailsWithStd>()), "Some(\"ParseIntError\") invalid digit found in string");
}

workflow!(PassesOnThroughAnyhow, |context, input| {
    async fn echo<W: Workflow>(context: &WorkflowContext<W>, word: String) -> anyhow::Result<String> {
        use anyhow::Context;
        context.sleep(Duration::from_secs(1)).await?;
        context.execute_activity(Echo, word, options()).await.context("cannot echo").map_err(|error| {
            // Context is for failures; here the error itself is wanted.
            error.downcast::<ActivityFailure>().map_or_else(|error| error, anyhow::Error::from)
        })
    }
    Ok(echo(&context, input).await?)
});

#[test]
fn z10_cancellation_goes_through_anyhow() {
    assert_eq!(run::<PassesOnThroughAnyhow>(vec![vec![cancel_workflow()]])[1], "cancel timer 1, cancelled");
    let lines = run::<PassesOnThroughAnyhow>(vec![vec![fired(1)], vec![cancel_workflow()], vec![cancelled(1)]]);
    assert_eq!(lines[1..], ["schedule echo 1", "cancel activity 1", "cancelled"]);
}

workflow!(MisreadsThroughAnEnum, |context, input| {
    async fn number<W: Workflow>(context: &WorkflowContext<W>, word: String) -> Result<u32, OrderError> {
        struct Number;
        impl ActivityDefinition for Number {
            const NAME: &'static str = "number";
            type Input = String;
            type Output = u32;
        }
        Ok(context.execute_activity(Number, word, options()).await?)
    }
    Ok(number(&context, input).await?.to_string())
});

#[test]
fn a12_what_cannot_be_read_fails_the_task_also_behind_a_wrapper() {
    let lines = run::<MisreadsThroughAnEnum>(vec![vec![completed(1, "seven")]]);
    assert!(lines[1].starts_with("task fails: OrderError: activity \"number\": "), "{lines:?}");
}

workflow!(FailsTheTask, |context, _input| {
    context.wait_condition(|state| !state.words.is_empty()).await?;
    Err(WorkflowError::fail_workflow_task("no rule for this yet"))
});

#[test]
fn z8_a_workflow_task_can_be_failed_on_purpose() {
    let lines = run::<FailsTheTask>(vec![vec![signal("a")]]);
    assert_eq!(lines[1], "task fails: Error: no rule for this yet");
}

/// Its handler fails the task, and lets `run` end in the same Activation.
struct EndsAtOnce(bool);

impl Workflow for EndsAtOnce {
    type Definition = Definition;

    fn init(_info: &WorkflowInfo, _input: &String) -> Self {
        Self(false)
    }

    async fn run(context: WorkflowContext<Self>, input: String) -> Result<String, WorkflowError> {
        context.wait_condition(|state| state.0).await?;
        Ok(input)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal_async(Add, |context, _word| async move {
            context.state_mut(|state| state.0 = true);
            Err::<(), _>(WorkflowError::fail_workflow_task("no rule for this yet"))
        });
    }
}

#[test]
fn z8_a_handler_that_fails_the_task_wins_over_the_end_of_the_workflow() {
    let lines = run::<EndsAtOnce>(vec![vec![signal("a")]]);
    assert_eq!(lines[1], "task fails: Error: no rule for this yet");
}

workflow!(EndsWithDetails, |context, _input| {
    let Err(Cancelled { reason }) = context.sleep(Duration::from_secs(9)).await else { unreachable!() };
    Err(WorkflowError::cancelled_with_details(reason))
});

#[test]
fn a_cancelled_workflow_may_say_more() {
    let mut instance = start_instance::<EndsWithDetails>();
    instance.activate(activation(Vec::new())).unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    let commands = instance
        .activate(activation(vec![cancel_workflow()]))
        .unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    assert_eq!(commands[1], Command::CancelWorkflow { details: vec![payload("closing time")] });
}

workflow!(TimesOutAtOnce, |context, _input| {
    let error = context.timeout(Duration::from_secs(1), std::future::pending::<()>()).await.expect_err("never ready");
    assert_eq!(error, TimeoutError::Cancelled(Cancelled { reason: "closing time".into() }));
    Err(error.into())
});

#[test]
fn z10_a_timeout_that_was_cancelled_is_a_cancellation() {
    assert_eq!(run::<TimesOutAtOnce>(vec![vec![cancel_workflow()]])[1], "cancel timer 1, cancelled");
}

workflow!(Speaks, |context, input| {
    tracing::info!(input, "run begins");
    context.wait_condition(|state| !state.words.is_empty()).await?;
    let spoken = context.clone();
    context.spawn(async move { tracing::info!(words = spoken.state(|state| state.words.len()), "a coroutine") }).await;
    Ok(String::new())
});

/// What is logged while `act` runs, a line each.
fn lines_logged(act: impl FnOnce()) -> Vec<String> {
    messages::logged(act).lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn what_workflow_code_says_names_the_workflow_and_is_not_heard_again_on_replay() {
    let lines = lines_logged(|| {
        let mut instance = start_instance::<Speaks>();
        instance
            .activate(Activation { replaying: true, ..activation(Vec::new()) })
            .unwrap_or_else(|_| panic!("replayed"));
        tracing::info!("something else");
        instance.activate(activation(vec![signal("a")])).unwrap_or_else(|_| panic!("executed"));
    });
    let span = "workflow{workflow_type=\"tested\" workflow_id=\"id\" run_id=\"run\" namespace=\"default\" task_queue=\"queue\"}";
    assert_eq!(lines, ["INFO something else".to_owned(), format!("INFO {span}: a coroutine words=1")]);
    let lines = lines_logged(|| drop(run::<Speaks>(Vec::new())));
    assert_eq!(lines, [format!("INFO {span}: run begins input=\"input\"")]);
}

workflow!(KnowsItself, |context, _input| {
    let info = context.info();
    let last: Option<String> = info.last_completion_result()?;
    let parent = info.parent.as_ref().map(|parent| format!("{}/{}", parent.namespace, parent.workflow_id));
    let root = info.root.as_ref().map(|root| format!("{}/{}", root.workflow_id, root.run_id));
    let timeouts = (info.execution_timeout, info.run_timeout, info.task_timeout);
    let lines = [
        format!("{} {} {} {} {}", info.namespace, info.task_queue, info.workflow_type, info.workflow_id, info.run_id),
        format!("{:?} {:?}", parent, root),
        format!(
            "{} {} {}",
            info.first_execution_run_id, info.continued_execution_run_id, info.original_execution_run_id
        ),
        format!("attempt {} cron {:?} {timeouts:?}", info.attempt, info.cron_schedule),
        format!("{:?} {:?}", info.retry_policy.as_ref().map(|policy| policy.maximum_attempts), info.priority),
        format!("{last:?} {:?}", info.last_failure().map(Failure::application_type)),
        format!("{:?} {:?}", context.search_attribute(&TIER)?, context.memo_field::<u32>("round")?),
        format!("{:?} {:?}", context.search_attribute("Tier")?, context.search_attribute("None")?),
        format!("{} {}", context.history_length(), context.history_bytes()),
        format!("{} {:?}", context.is_continue_as_new_suggested(), context.continue_as_new_reasons()),
        format!("{} {:?}", context.is_target_deployment_version_changed(), context.current_deployment_version()),
    ];
    Ok(lines.join("\n"))
});

const TIER: SearchAttributeKey<kind::Keyword> = SearchAttributeKey::new("Tier");

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

#[test]
fn a_workflow_knows_all_about_itself() {
    let execution = |id: &str| Some(WorkflowExecution { workflow_id: id.into(), run_id: format!("{id}-run") });
    let failure = Failure::from(ApplicationFailure::new("before").with_type("Before"));
    let started = WorkflowExecutionStartedEventAttributes {
        parent_workflow_namespace: "other".into(),
        parent_workflow_execution: execution("parent"),
        root_workflow_execution: execution("root"),
        first_execution_run_id: "first".into(),
        continued_execution_run_id: "before".into(),
        original_execution_run_id: "original".into(),
        workflow_execution_timeout: seconds(30),
        workflow_run_timeout: seconds(20),
        workflow_task_timeout: seconds(10),
        attempt: 3,
        cron_schedule: "@every 1s".into(),
        retry_policy: Some(timewright_proto::common::RetryPolicy { maximum_attempts: 5, ..Default::default() }),
        priority: Some(Priority::new().priority_key(2).fairness_key("a").into()),
        last_completion_result: Some(Payloads { payloads: vec![payload("last")] }),
        continued_failure: Some(timewright_converter::DataConverter::default().failure_to_proto(&failure)),
        memo: Some(Memo { fields: BTreeMap::from([("round".to_owned(), 7_u32.to_payload().expect("written"))]) }),
        search_attributes: Some(SearchAttributes {
            indexed_fields: BTreeMap::from([(
                "Tier".to_owned(),
                SearchAttributeValue::Keyword("gold".into()).to_payload().expect("written"),
            )]),
        }),
        ..Default::default()
    };
    let mut instance = start_instance_with::<KnowsItself>(started);
    let moment = Activation {
        continue_as_new_suggested: true,
        continue_as_new_reasons: vec![SuggestContinueAsNewReason::HistorySizeTooLarge],
        target_worker_deployment_version_changed: true,
        ..activation(Vec::new())
    };
    let answer = instance.activate(moment).unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    let [Command::CompleteWorkflow { result: Some(result) }] = answer.as_slice() else { panic!("{answer:?}") };
    let text = String::from_payload(result.clone()).expect("a text");
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "default queue tested id run",
            "Some(\"other/parent\") Some(\"root/root-run\")",
            "first before original",
            "attempt 3 cron \"@every 1s\" (Some(30s), Some(20s), Some(10s))",
            "Some(5) Priority { priority_key: Some(2), fairness_key: Some(\"a\"), fairness_weight: None }",
            "Some(\"last\") Some(Some(\"Before\"))",
            "Some(\"gold\") Some(7)",
            "Some(Keyword(\"gold\")) None",
            "3 100",
            "true [HistorySizeTooLarge]",
            "true None",
        ]
    );
}

#[test]
fn what_a_first_run_of_nobodys_child_does_not_know() {
    let root = Some(WorkflowExecution { workflow_id: "id".into(), run_id: "run".into() });
    let mut instance = start_instance_with::<KnowsItself>(WorkflowExecutionStartedEventAttributes {
        root_workflow_execution: root,
        ..Default::default()
    });
    let answer = instance.activate(activation(Vec::new())).unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    let [Command::CompleteWorkflow { result: Some(result) }] = answer.as_slice() else { panic!("{answer:?}") };
    let text = String::from_payload(result.clone()).expect("a text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], "None None");
    assert_eq!(lines[3], "attempt 1 cron \"\" (None, None, None)");
    assert_eq!(lines[5..9], ["None None", "None None", "None None", "3 100"]);
}

workflow!(AsksForMuch, |context, input| {
    let priority = || Priority::new().priority_key(1).fairness_key("customer").fairness_weight(2.0);
    drop(context.sleep_with(Duration::from_secs(1), TimerOptions::new().summary("time to object")));
    drop(context.execute_activity(Echo, input.clone(), options().priority(priority()).summary("an activity")));
    drop(context.execute_local_activity(
        Echo,
        input.clone(),
        LocalActivityOptions::start_to_close(Duration::from_secs(1)).summary("a local one"),
    ));
    let child = ChildWorkflowOptions::new("child")
        .priority(priority())
        .static_summary("a child")
        .static_details("more about it")
        .memo("round", 7_u32)
        .search_attribute(&TIER, "gold")
        .search_attribute("Amount", SearchAttributeValue::Int(3))
        .versioning_override(crate::VersioningOverride::AutoUpgrade);
    drop(context.start_child_workflow(Definition, input, child));
    context.upsert_search_attributes(SearchAttributeChanges::new().set(&TIER, "silver").remove("Amount"))?;
    assert_eq!(context.search_attribute(&TIER)?.as_deref(), Some("silver"));
    Ok(context.cancelled().await)
});

#[test]
fn options_arrive_in_the_commands() {
    let mut instance = start_instance::<AsksForMuch>();
    let commands = instance.activate(activation(Vec::new())).unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    let [
        Command::StartTimer(timer),
        Command::ScheduleActivity(activity),
        Command::ScheduleLocalActivity(local),
        Command::StartChildWorkflow(child),
        Command::UpsertSearchAttributes(upserted),
    ] = commands.as_slice()
    else {
        panic!("{commands:?}")
    };
    let priority =
        timewright_proto::common::Priority { priority_key: 1, fairness_key: "customer".into(), fairness_weight: 2.0 };
    assert_eq!(timer.summary, Some(payload("time to object")));
    assert_eq!((&activity.priority, &activity.summary), (&Some(priority.clone()), &Some(payload("an activity"))));
    assert_eq!(local.summary, Some(payload("a local one")));
    assert_eq!(child.priority, Some(priority));
    assert_eq!((&child.summary, &child.details), (&Some(payload("a child")), &Some(payload("more about it"))));
    assert_eq!(
        child.memo.as_ref().map(|memo| format!("{:?}", texts(&memo.fields))),
        Some("{\"round\": \"7\"}".to_owned())
    );
    let attributes = child.search_attributes.as_ref().expect("some");
    assert_eq!(attributes.indexed_fields["Amount"].data.as_ref(), b"3");
    assert_eq!(attributes.indexed_fields["Tier"].data.as_ref(), b"\"gold\"");
    assert_eq!(attributes.indexed_fields["Tier"].metadata["type"].as_ref(), b"Keyword");
    assert!(child.versioning_override.is_some());
    assert_eq!(upserted.indexed_fields["Tier"].data.as_ref(), b"\"silver\"");
    assert!(upserted.indexed_fields.contains_key("Amount"));
}

workflow!(Counts, |context, _input| {
    // Made on a replay, if there is one.
    let steps = context.metric_meter().with_label("kind", "express").counter("steps");
    let count = || {
        steps.increment(1);
        counter!("by_macro").increment(1);
    };
    count();
    context.wait_condition(|state| !state.words.is_empty()).await?;
    count();
    Ok(String::new())
});

#[test]
fn z21_what_a_workflow_counts_is_not_counted_again_on_replay() {
    let (recorder, by_macro) = (PrometheusBuilder::new().build_recorder(), PrometheusBuilder::new().build_recorder());
    let handles = [recorder.handle(), by_macro.handle()];
    let shown = || handles.each_ref().map(|handle| handle.render().lines().nth(1).unwrap_or_default().to_owned());
    let environment = Environment { meter: MetricMeter::to(recorder), ..environment() };
    let start = |activation: &Activation| {
        start::<Counts>(&environment, Box::new(initialize()), activation).unwrap_or_else(|_| panic!("started"))
    };
    with_local_recorder(&by_macro, || {
        let mut lived = start(&activation(Vec::new()));
        lived.activate(activation(Vec::new())).unwrap_or_else(|_| panic!("executed"));
        let once = ["steps{workflow_type=\"tested\",kind=\"express\"} 1".to_owned(), "by_macro 1".to_owned()];
        assert_eq!(shown(), once);
        lived.close();

        let replay = Activation { replaying: true, ..activation(Vec::new()) };
        let mut replayed = start(&replay);
        replayed.activate(replay).unwrap_or_else(|_| panic!("replayed"));
        assert_eq!(shown(), once);
        replayed.activate(activation(vec![signal("a")])).unwrap_or_else(|_| panic!("executed"));
        assert_eq!(shown(), once.map(|line| line.replace(" 1", " 2")));
    });
}
