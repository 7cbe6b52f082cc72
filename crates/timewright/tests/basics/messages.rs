//! Signals and Queries.

use std::sync::{Condvar, Mutex};

use timewright::converter::{ApplicationFailure, RawValue, Value};
use timewright::workflow::{Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker};
use tokio::task::JoinSet;

use crate::support::background::run_workflows;
use crate::support::definitions::{query, signal, workflow_definition};
use crate::support::history::wait_for_task_failure_cause;
use crate::support::{client, start_options, unique, within};

workflow_definition!(Collect: () => Vec<String>);
signal!(Add of Collect: String);
signal!(Close of Collect: ());
query!(Words of Collect: () => Vec<String>);
query!(Word of Collect: usize => String);

#[derive(Default)]
struct Collector {
    words: Vec<String>,
    closed: bool,
}

impl Workflow for Collector {
    type Definition = Collect;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        context.wait_condition(|state| state.closed).await?;
        Ok(context.state(|state| state.words.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Add, |state, word| state.words.push(word));
        handlers.signal(Close, |state, ()| state.closed = true);
        handlers.query(Words, |state, ()| Ok(state.words.clone()));
        handlers.query(Word, |state, index| {
            let no_such_word = || ApplicationFailure::new(format!("there is no word {index}")).with_type("NoSuchWord");
            Ok(state.words.get(index).cloned().ok_or_else(no_such_word)?)
        });
    }
}

#[tokio::test]
async fn signals_arrive_in_order_typed_or_by_name() {
    let (client, queue) = (client().await, unique("collect"));
    let collecting = client.start_workflow(Collect, (), start_options(&queue)).await.unwrap();
    let worker = || WorkflowWorker::builder(client.clone(), &queue).workflow::<Collector>().build().unwrap();

    // The first two wait for a worker.
    collecting.signal(Add, "one".to_owned()).await.unwrap();
    collecting.untyped().signal("Add", vec!["two".to_owned().to_payload().unwrap()]).await.unwrap();
    let _worker = run_workflows(worker());
    assert_eq!(within("an answer", collecting.query(Words, ())).await.unwrap(), ["one", "two"]);
    collecting.signal(Add, "three".to_owned()).await.unwrap();
    // Nobody handles this one; the log says so, and the workflow goes on.
    collecting.untyped().signal("Nonsense", Vec::new()).await.unwrap();
    collecting.signal(Close, ()).await.unwrap();
    assert_eq!(within("the result", collecting.result()).await.unwrap(), ["one", "two", "three"]);

    let error = collecting.signal(Add, "four".to_owned()).await.unwrap_err();
    let expected = format!("signal `Add` was not sent: no workflow `{}` is running", collecting.workflow_id());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn queries_are_answered_while_the_workflow_runs_and_after_its_end() {
    let (client, queue) = (client().await, unique("collect"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<Collector>().build().unwrap();
    let _worker = run_workflows(worker);
    let collecting = client.start_workflow(Collect, (), start_options(&queue)).await.unwrap();
    collecting.signal(Add, "one".to_owned()).await.unwrap();

    assert_eq!(within("an answer", collecting.query(Word, 0)).await.unwrap(), "one");
    let zero = vec![0.to_payload().unwrap()];
    let answer = within("an answer", collecting.untyped().query("Word", zero)).await.unwrap();
    assert_eq!(answer, ["one".to_owned().to_payload().unwrap()]);

    collecting.signal(Close, ()).await.unwrap();
    within("the result", collecting.result()).await.unwrap();
    // The workflow has left the cache; its history is gone through again.
    assert_eq!(within("an answer", collecting.query(Words, ())).await.unwrap(), ["one"]);
}

#[tokio::test]
async fn a_query_without_an_answer_says_why() {
    let (client, queue) = (client().await, unique("collect"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<Collector>().build().unwrap();
    let _worker = run_workflows(worker);
    let collecting = client.start_workflow(Collect, (), start_options(&queue)).await.unwrap();
    let id = collecting.workflow_id();

    let error = within("an answer", collecting.query(Word, 7)).await.unwrap_err();
    assert_eq!(error.to_string(), format!("query `Word` failed in workflow `{id}`: NoSuchWord: there is no word 7"));
    let error = within("an answer", collecting.untyped().query("Colour", Vec::new())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "query `Colour` failed in workflow `{id}`: UnknownQuery: workflow \"Collect\" (id \"{id}\") has no handler \
             for query \"Colour\"; it has [\"Word\", \"Words\"]"
        )
    );
    let word = RawValue("first".to_owned().to_payload().unwrap());
    let error = within("an answer", collecting.untyped().query("Word", vec![word.0])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "query `Word` failed in workflow `{id}`: ConversionError: argument 1: a Payload with encoding `json/plain` \
             cannot be read as usize: invalid type: string, expected usize at line 1 column 7"
        )
    );
    // None of that has harmed the workflow.
    collecting.signal(Close, ()).await.unwrap();
    assert_eq!(within("the result", collecting.result()).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_history_of_many_pages_is_read_to_its_end() {
    let (client, queue) = (client().await, unique("collect"));
    let collecting = client.start_workflow(Collect, (), start_options(&queue)).await.unwrap();
    let mut signals = JoinSet::new();
    for number in 1..=300 {
        let collecting = collecting.clone();
        signals.spawn(async move { collecting.signal(Add, number.to_string()).await });
    }
    within("the signals", signals.join_all()).await.into_iter().for_each(Result::unwrap);
    collecting.signal(Close, ()).await.unwrap();
    let mut pages = collecting.history_pages();
    let (first, second) = (pages.next().await.unwrap(), pages.next().await.unwrap());
    assert!(first.is_some() && second.is_some_and(|events| !events.is_empty()), "the history has one page only");

    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<Collector>();
    let _worker = run_workflows(worker.maximum_cached_workflows(0).build().unwrap());
    let words = within("the result", collecting.result()).await.unwrap();
    let mut numbers: Vec<u32> = words.iter().map(|word| word.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
    // Another replay gives the same order.
    assert_eq!(within("an answer", collecting.query(Words, ())).await.unwrap(), words);
}

// --- Signals at the end

/// Lets the test do something in the middle of a Workflow Task.
struct Crossing {
    begun: tokio::sync::Notify,
    go_on: Mutex<bool>,
    told: Condvar,
}

static CROSSING: Crossing =
    Crossing { begun: tokio::sync::Notify::const_new(), go_on: Mutex::new(false), told: Condvar::new() };

/// Ends at once, but not before the test says so.
struct HastyCollector {
    words: Vec<String>,
}

impl Workflow for HastyCollector {
    type Definition = Collect;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self { words: Vec::new() }
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        CROSSING.begun.notify_one();
        let go_on = CROSSING.go_on.lock().expect("nobody panics with it");
        drop(CROSSING.told.wait_while(go_on, |go_on| !*go_on).expect("nobody panics with it"));
        Ok(context.state(|state| state.words.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Add, |state, word| state.words.push(word));
    }
}

#[tokio::test]
async fn a_signal_that_comes_while_the_workflow_ends_is_not_lost() {
    let (client, queue) = (client().await, unique("collect"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<HastyCollector>().build().unwrap();
    let _worker = run_workflows(worker);
    let collecting = client.start_workflow(Collect, (), start_options(&queue)).await.unwrap();
    within("the workflow's code", CROSSING.begun.notified()).await;
    collecting.signal(Add, "late".to_owned()).await.unwrap();
    *CROSSING.go_on.lock().unwrap() = true;
    CROSSING.told.notify_all();
    assert_eq!(within("the result", collecting.result()).await.unwrap(), ["late"]);
    // The server did not let the workflow end without having seen it.
    assert_eq!(wait_for_task_failure_cause(collecting.untyped()).await, "UNHANDLED_COMMAND");
}
