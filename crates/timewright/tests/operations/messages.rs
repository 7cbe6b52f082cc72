//! Handlers that take time, dynamic ones, ones that are registered while the workflow runs, and what the CLI shows of them.

use std::time::Duration;

use timewright::client::{UntypedWorkflowHandle, UpdateOptions, WorkflowResultError};
use timewright::converter::{ApplicationFailure, Payload, RawArguments, RawValue, Value};
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ActivityOptions, AnyQuery, AnySignal, AnyUpdate, AnyWorkflow, Handlers, NamedSignal, NamedUpdate, Replayer,
    Workflow, WorkflowContext, WorkflowError, WorkflowInfo,
};
use timewright_testing::DevServer;

use crate::support::definitions::{query, signal, update, workflow_definition};
use crate::support::history::{event_types, wait_for_event};
use crate::support::{LIMIT, python, start_options, within};
use crate::{CACHES, Echo, Stage};

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(LIMIT)
}

fn payload(text: &str) -> Payload {
    text.to_owned().to_payload().unwrap()
}

workflow_definition!(Errands: () => Vec<String>);
signal!(Errand of Errands: String);
signal!(Close of Errands: ());
query!(Done of Errands: () => Vec<String>);
update!(Count of Errands: () => usize);

#[derive(Default)]
struct ErrandsWorkflow {
    done: Vec<String>,
    closed: bool,
}

impl Workflow for ErrandsWorkflow {
    type Definition = Errands;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        context.set_current_details("waits for *errands*");
        context.wait_condition(|state| state.closed).await?;
        context.wait_condition(|_| context.all_handlers_finished()).await?;
        Ok(context.state(|state| state.done.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers
            .signal_async(Errand, |context, what| async move {
                if what == "impossible" {
                    return Err(ApplicationFailure::new("nobody can do that").with_type("Impossible").into());
                }
                let what = context.execute_activity(Echo, what, options()).await?;
                context.sleep(Duration::from_millis(1)).await?;
                context.state_mut(|state| state.done.push(what));
                Ok(())
            })
            .description("Something to do.");
        handlers.signal(Close, |state, ()| state.closed = true).description("No more errands.");
        handlers.query(Done, |state, ()| Ok(state.done.clone())).description("What has been done.");
        handlers.update(Count, |state, ()| Ok(state.done.len())).description("How many have been done.");
    }
}

#[tokio::test]
async fn signals_that_take_time_are_waited_for() {
    for cached in CACHES {
        let stage = Stage::of::<ErrandsWorkflow>(cached).await;
        let errands = stage.client.start_workflow(Errands, (), start_options(&stage.task_queue)).await.unwrap();
        for what in ["bread", "milk", "stamps"] {
            errands.signal(Errand, what.to_owned()).await.unwrap();
        }
        errands.signal(Close, ()).await.unwrap();
        let mut done = within("the result", errands.result()).await.unwrap();
        done.sort();
        assert_eq!(done, ["bread", "milk", "stamps"]);
        stage.replay(errands.untyped()).await;
    }
}

workflow_definition!(Tally: u32 => u32);
signal!(One of Tally: ());

struct TallyWorkflow(u32);

impl Workflow for TallyWorkflow {
    type Definition = Tally;

    fn init(_info: &WorkflowInfo, _: &u32) -> Self {
        Self(0)
    }

    async fn run(context: WorkflowContext<Self>, expected: u32) -> Result<u32, WorkflowError> {
        context.wait_condition(|state| state.0 >= expected).await?;
        Ok(context.state(|state| state.0))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(One, |state, ()| state.0 += 1);
    }
}

#[tokio::test]
async fn signals_that_come_one_after_the_other_come_in_few_workflow_tasks() {
    const SIGNALS: u32 = 100;
    let stage = Stage::with(
        1000,
        |builder| builder.workflow::<TallyWorkflow>().maximum_signal_wait(Duration::from_millis(200)),
        Replayer::new().workflow::<TallyWorkflow>(),
    )
    .await;
    let tally = stage.client.start_workflow(Tally, SIGNALS, start_options(&stage.task_queue)).await.unwrap();
    // From several at once, so that they come close together on a machine that has much to do.
    let sender = || async {
        for _ in 0..SIGNALS / 4 {
            tally.signal(One, ()).await.unwrap();
        }
    };
    tokio::join!(sender(), sender(), sender(), sender());
    assert_eq!(within("the result", tally.result()).await.unwrap(), SIGNALS);
    let types = event_types(tally.untyped()).await;
    let tasks = types.iter().filter(|event_type| *event_type == "WORKFLOW_TASK_COMPLETED").count();
    assert!(tasks <= SIGNALS as usize / 2, "{tasks} Workflow Tasks for {SIGNALS} Signals");
    stage.replay(tally.untyped()).await;
}

#[tokio::test]
async fn a_signal_that_fails_fails_the_workflow_with_its_type() {
    let stage = Stage::of::<ErrandsWorkflow>(1000).await;
    let errands = stage.client.start_workflow(Errands, (), start_options(&stage.task_queue)).await.unwrap();
    errands.signal(Errand, "impossible".to_owned()).await.unwrap();
    let error = within("the result", errands.result()).await.unwrap_err();
    let WorkflowResultError::Failed { failure, .. } = &error else { panic!("{error}") };
    assert_eq!(failure.application_type(), Some("Impossible"), "{error}");
    stage.replay(errands.untyped()).await;
}

/// What `temporal workflow metadata` and `temporal workflow stack` make of our answers.
#[tokio::test]
async fn the_cli_shows_handlers_and_current_details() {
    let stage = Stage::of::<ErrandsWorkflow>(1000).await;
    let errands = stage.client.start_workflow(Errands, (), start_options(&stage.task_queue)).await.unwrap();
    assert_eq!(within("an answer", errands.update(Count, ())).await.unwrap(), 0);
    let metadata = cli(&["workflow", "metadata", "--workflow-id", errands.workflow_id()]).await;
    for expected in
        ["Errand", "Something to do.", "How many have been done.", "What has been done.", "waits for *errands*"]
    {
        assert!(metadata.contains(expected), "{metadata}");
    }
    let stack = cli(&["workflow", "stack", "--workflow-id", errands.workflow_id()]).await;
    // The CLI shows the text as JSON.
    let expected = "run\\n  waits for a condition, at crates/timewright/tests/operations/messages.rs:";
    assert!(stack.contains(expected), "{stack}");
}

/// The CLI's output. It waits for the worker of this test, so it must not block it.
async fn cli(arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let called = tokio::task::spawn_blocking(move || {
        let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}"));
        server
            .run_cli(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
            .unwrap_or_else(|error| panic!("{error}"))
    });
    within("the CLI", called).await.unwrap()
}

/// A workflow that learns from its input what it handles. `peers/python/operations.py` has the same.
#[derive(Default)]
struct FormWorkflow {
    answers: Vec<String>,
}

struct Form;
impl timewright::definition::WorkflowDefinition for Form {
    const NAME: &'static str = "form";
    type Input = Vec<String>;
    type Output = Vec<String>;
}

impl Workflow for FormWorkflow {
    type Definition = Form;

    fn init(_info: &WorkflowInfo, _questions: &Vec<String>) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, questions: Vec<String>) -> Result<Vec<String>, WorkflowError> {
        let count = questions.len();
        context.register_handlers(|handlers| {
            handlers.update(NamedUpdate::new("note"), |state, note: String| {
                state.answers.push(note.clone());
                Ok(note)
            });
        });
        context.sleep(Duration::from_millis(200)).await?;
        context.register_handlers(|handlers| {
            for question in questions {
                handlers.signal_async(NamedSignal::new(question.clone()), move |context, answer: String| {
                    let question = question.clone();
                    async move {
                        let answer = context.execute_activity(Echo, answer, options()).await?;
                        context.state_mut(|state| state.answers.push(format!("{question}: {answer}")));
                        Ok(())
                    }
                });
            }
        });
        context.wait_condition(|state| state.answers.len() > count).await?;
        context.wait_condition(|_| context.all_handlers_finished()).await?;
        Ok(context.state(|state| state.answers.clone()))
    }
}

/// Signals come before there is anybody to handle them.
async fn fill_in(cached: usize) -> UntypedWorkflowHandle {
    let stage = Stage::of::<FormWorkflow>(cached).await;
    let questions = vec!["name".to_owned(), "colour".to_owned()];
    let form = stage.client.start_workflow(Form, questions, start_options(&stage.task_queue)).await.unwrap();
    let form = form.untyped().clone();
    form.signal("name", vec![payload("Ada")]).await.unwrap();
    form.signal("nobody asked", vec![payload("x")]).await.unwrap();
    // Behind the first Workflow Task: in that one Python begins with it after what `run` starts, and we as soon as there is the
    // handler.
    wait_for_event(&form, EventType::TimerStarted).await;
    let noted = form.update("note", vec![payload("in time")], UpdateOptions::default());
    assert_eq!(within("an answer", noted).await.unwrap(), [payload("in time")]);
    form.signal("colour", vec![payload("red")]).await.unwrap();
    let result = within("the result", form.result()).await.unwrap();
    let mut answers = Vec::<String>::from_payload(result.into_iter().next().unwrap()).unwrap();
    answers.sort();
    assert_eq!(answers, ["colour: red", "in time", "name: Ada"]);
    stage.replay(&form).await;
    form
}

#[tokio::test]
async fn w20_signals_wait_for_handlers_that_are_registered_later_and_python_replays_it() {
    let mut runs = Vec::new();
    for cached in CACHES {
        runs.push(fill_in(cached).await);
    }
    for answer in python::replay(&runs, false).await {
        assert_eq!(answer["replayed"], true, "{answer}");
    }
    // Were it not so, the above would prove nothing.
    for answer in python::replay(&runs, true).await {
        assert_eq!(answer["replayed"], false, "{answer}");
    }
}

#[tokio::test]
async fn u6_an_update_may_come_with_the_first_task_to_a_handler_that_run_registers() {
    for cached in CACHES {
        let stage = Stage::of::<FormWorkflow>(cached).await;
        let form = stage.client.start_workflow(Form, Vec::new(), start_options(&stage.task_queue)).await.unwrap();
        let noted = form.untyped().update("note", vec![payload("in time")], UpdateOptions::default());
        assert_eq!(within("an answer", noted).await.unwrap(), [payload("in time")]);
        assert_eq!(within("the result", form.result()).await.unwrap(), ["in time"]);
        stage.replay(form.untyped()).await;
    }
}

/// Knows nothing in advance: neither its type nor its messages.
#[derive(Default)]
struct Anything {
    seen: Vec<String>,
}

impl Workflow for Anything {
    type Definition = AnyWorkflow;

    fn init(info: &WorkflowInfo, arguments: &RawArguments) -> Self {
        Self { seen: vec![format!("{} with {} arguments", info.workflow_type, arguments.0.len())] }
    }

    async fn run(context: WorkflowContext<Self>, _arguments: RawArguments) -> Result<RawValue, WorkflowError> {
        context.wait_condition(|state| state.seen.iter().any(|seen| seen == "signal end")).await?;
        let seen = context.state(|state| state.seen.clone());
        Ok(RawValue(seen.to_payload()?))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(AnySignal, |state, signal| state.seen.push(format!("signal {}", signal.name)));
        handlers.query(AnyQuery, |state, query| {
            let index: usize = query.read()?;
            Ok(RawValue(state.seen[index].to_payload()?))
        });
        handlers.validate_update(AnyUpdate, |_state, update| match update.name.as_str() {
            "refused" => Err(ApplicationFailure::new("no").with_type("Refused").into()),
            _ => Ok(()),
        });
        handlers.update_async(AnyUpdate, |context, update| async move {
            let name = update.name.clone();
            let word = context.execute_activity(Echo, update.read()?, options()).await?;
            context.state_mut(|state| state.seen.push(format!("update {name} {word}")));
            Ok(RawValue(word.to_payload()?))
        });
    }
}

#[tokio::test]
async fn a_dynamic_workflow_with_dynamic_handlers_takes_whatever_comes() {
    for cached in CACHES {
        let replayer = Replayer::new().dynamic_workflow::<Anything>();
        let stage = Stage::with(cached, |builder| builder.dynamic_workflow::<Anything>(), replayer).await;
        let input = vec![payload("a"), payload("b")];
        let options = start_options(&stage.task_queue);
        let any = stage.client.start_workflow_untyped("Whatever", input, options).await.unwrap();
        any.signal("greet", Vec::new()).await.unwrap();
        let changed = any.update("change", vec![payload("it")], UpdateOptions::default());
        assert_eq!(within("an answer", changed).await.unwrap(), [payload("it")]);
        let refused = any.update("refused", Vec::new(), UpdateOptions::default());
        let error = within("an answer", refused).await.unwrap_err().to_string();
        assert!(error.ends_with("Refused: no"), "{error}");
        let first = within("an answer", any.query("any", vec![0.to_payload().unwrap()])).await.unwrap();
        assert_eq!(first, [payload("Whatever with 2 arguments")]);
        any.signal("end", Vec::new()).await.unwrap();
        let result = within("the result", any.result()).await.unwrap();
        let seen = vec!["Whatever with 2 arguments", "signal greet", "update change it", "signal end"];
        let seen: Vec<String> = seen.into_iter().map(str::to_owned).collect();
        assert_eq!(result, [seen.to_payload().unwrap()]);
        stage.replay(&any).await;
    }
}

#[tokio::test]
async fn a_workflow_has_the_name_that_it_was_registered_with() {
    let replayer = Replayer::new().named_workflow::<ErrandsWorkflow>("errands-of-today");
    let stage =
        Stage::with(1000, |builder| builder.named_workflow::<ErrandsWorkflow>("errands-of-today"), replayer).await;
    let start = |name: &'static str| {
        let client = stage.client.clone();
        let options = start_options(&stage.task_queue);
        async move { client.start_workflow_untyped(name, Vec::new(), options).await.unwrap() }
    };
    let errands = start("errands-of-today").await;
    errands.signal("Close", Vec::new()).await.unwrap();
    assert_eq!(within("the result", errands.result()).await.unwrap(), [Vec::<String>::new().to_payload().unwrap()]);
    stage.replay(&errands).await;
    // The name of its definition is not known.
    wait_for_event(&start("Errands").await, EventType::WorkflowTaskFailed).await;
}
