//! User code under the executor, without a server: Activations in, Commands out, as text.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use timewright_client::MetricMeter;
use timewright_converter::{Payload, Value};
use timewright_definition::{
    ActivityDefinition, QueryDefinition, SignalDefinition, UpdateDefinition, WorkflowDefinition,
};
use timewright_proto::history::WorkflowExecutionStartedEventAttributes;
use timewright_proto::temporal::api::sdk::v1::EventGroupMarker;
use timewright_proto::temporal::api::sdk::v1::event_group_marker::Variant;
use timewright_protocol::workflow::{Activation, Command, Initialize, Job, Query, QueryAnswer, Resolution};

use crate::instance::{Environment, Instance, start};
use crate::{
    ActivityFailure, ActivityOptions, ApplicationFailure, Handlers, Workflow, WorkflowContext, WorkflowError,
    WorkflowInfo,
};

struct Definition;
impl WorkflowDefinition for Definition {
    const NAME: &'static str = "tested";
    type Input = String;
    type Output = String;
}

struct Add;
impl SignalDefinition for Add {
    const NAME: &'static str = "add";
    type Workflow = Definition;
    type Input = String;
}

struct Rename;
impl UpdateDefinition for Rename {
    const NAME: &'static str = "rename";
    type Workflow = Definition;
    type Input = String;
    type Output = String;
}

struct Slow;
impl UpdateDefinition for Slow {
    const NAME: &'static str = "slow";
    type Workflow = Definition;
    type Input = String;
    type Output = String;
}

struct Words;
impl QueryDefinition for Words {
    const NAME: &'static str = "words";
    type Workflow = Definition;
    type Input = ();
    type Output = Vec<String>;
}

struct Echo;
impl ActivityDefinition for Echo {
    const NAME: &'static str = "echo";
    type Input = String;
    type Output = String;
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(Duration::from_secs(1))
}

/// Defines a workflow whose `run` is the given block; `words` is its state.
macro_rules! workflow {
    ($name:ident, |$context:ident, $input:ident| $run:expr) => {
        struct $name {
            words: Vec<String>,
        }
        impl Workflow for $name {
            type Definition = Definition;
            fn init(_info: &WorkflowInfo, _input: &String) -> Self {
                Self { words: Vec::new() }
            }
            async fn run($context: WorkflowContext<Self>, $input: String) -> Result<String, WorkflowError> {
                $run
            }
            fn handlers(handlers: &mut Handlers<Self>) {
                handlers.signal(Add, |state, word| state.words.push(word));
                handlers.query(Words, |state, ()| Ok(state.words.clone()));
                handlers.validate_update(Rename, |_state, word| match word.as_str() {
                    "panic" => panic!("no such word"),
                    "known" => Err(ApplicationFailure::new("it is called that already").into()),
                    _ => Ok(()),
                });
                handlers.update(Rename, |state, word| {
                    if word == "fail" {
                        return Err(ApplicationFailure::new("it stays as it is").into());
                    }
                    assert!(word != "crash", "the handler is broken");
                    state.words.push(word.clone());
                    Ok(word + "!")
                });
                handlers.update_async(Slow, |context, word| async move {
                    let id = context.current_update().map(|update| update.id.clone()).unwrap_or_default();
                    let echoed = context.execute_activity(Echo, word, options()).await?;
                    context.state_mut(|state| state.words.push(echoed.clone()));
                    Ok(format!("{id}: {echoed}"))
                });
            }
        }
    };
}

mod author;
mod built_in;
mod cancellation;
mod concurrency;
mod destructors;
mod interceptors;
mod messages;
mod operations;
mod updates;
mod waits;

/// Runs `W` through Activations; each line is what it answered to one.
fn run<W: Workflow<Definition = Definition>>(activations: Vec<Vec<Job>>) -> Vec<String> {
    let mut instance = start_instance::<W>();
    let first = vec![Vec::new()];
    first.into_iter().chain(activations).map(|jobs| show(instance.activate(activation(jobs)))).collect()
}

fn start_instance<W: Workflow<Definition = Definition>>() -> Box<dyn Instance> {
    start_instance_with::<W>(Default::default())
}

/// With what was said at the start.
fn start_instance_with<W: Workflow<Definition = Definition>>(
    started: WorkflowExecutionStartedEventAttributes,
) -> Box<dyn Instance> {
    let initialize = Initialize { started: Box::new(started), ..initialize() };
    start::<W>(&environment(), Box::new(initialize), &activation(Vec::new()))
        .unwrap_or_else(|problem| panic!("{:#}", problem.failure))
}

fn environment() -> Environment {
    Environment {
        deployment_version: None,
        namespace: "default".into(),
        task_queue: "queue".into(),
        converter: Default::default(),
        executes_local_activities: false,
        interceptors: Default::default(),
        detects_foreign_waits: true,
        checks_determinism: false,
        meter: MetricMeter::none(),
        rollout: Default::default(),
    }
}

fn initialize() -> Initialize {
    Initialize {
        workflow_id: "id".into(),
        run_id: "run".into(),
        workflow_type: "tested".into(),
        start_time: SystemTime::UNIX_EPOCH,
        arguments: vec![payload("input")],
        header: Default::default(),
        random_seed: 7,
        started: Box::default(),
    }
}

fn activation(jobs: Vec<Job>) -> Activation {
    Activation {
        jobs,
        time: SystemTime::UNIX_EPOCH,
        replaying: false,
        history_length: 3,
        history_bytes: 100,
        continue_as_new_suggested: false,
        continue_as_new_reasons: Vec::new(),
        target_worker_deployment_version_changed: false,
        deployment_version: None,
    }
}

fn show(answer: Result<Vec<Command>, crate::instance::TaskProblem>) -> String {
    match answer {
        Ok(commands) if commands.is_empty() => "-".to_owned(),
        Ok(commands) => commands.iter().map(show_command).collect::<Vec<_>>().join(", "),
        Err(problem) => format!("task fails: {:#}", problem.failure),
    }
}

fn show_command(command: &Command) -> String {
    match command {
        Command::StartTimer(timer) => format!("start timer {}", timer.sequence),
        Command::CancelTimer { sequence } => format!("cancel timer {sequence}"),
        Command::ScheduleActivity(activity) => format!("schedule {} {}", activity.activity_type, activity.sequence),
        Command::RequestCancelActivity { sequence } => format!("cancel activity {sequence}"),
        Command::ScheduleLocalActivity(activity) => {
            format!("schedule locally {} {} attempt {}", activity.activity_type, activity.sequence, activity.attempt)
        }
        Command::CancelLocalActivity { sequence } => format!("cancel local activity {sequence}"),
        Command::StartChildWorkflow(start) => {
            format!("start child {} {} on {}", start.workflow_id, start.sequence, start.task_queue)
        }
        Command::CancelChildWorkflow { sequence, reason } => format!("cancel child {sequence} ({reason})"),
        Command::SignalExternalWorkflow(signal) => {
            let to = if signal.workflow.child_workflow_only { "child " } else { "" };
            format!("signal {} {} to {to}{}", signal.signal_name, signal.sequence, signal.workflow.workflow_id)
        }
        Command::CancelSignalExternalWorkflow { sequence } => format!("take signal {sequence} back"),
        Command::RequestCancelExternalWorkflow(request) => {
            format!("ask {} to cancel ({})", request.workflow.workflow_id, request.reason)
        }
        Command::ScheduleNexusOperation(schedule) => format!("schedule {}/{}", schedule.service, schedule.operation),
        Command::RequestCancelNexusOperation { sequence } => format!("cancel nexus operation {sequence}"),
        Command::SetPatch { patch_id, deprecated } => format!("patch {patch_id} {deprecated}"),
        Command::SetVersion { change_id, version } => format!("version {change_id} {version}"),
        Command::RecordSideEffect { sequence, value } => format!("side effect {sequence} {}", text(Some(value))),
        Command::RecordMutableSideEffect { id, call, value } => {
            format!("side effect {id} {call} {}", text(Some(value)))
        }
        Command::InEventGroups { groups, command } => {
            let label = |group: &EventGroupMarker| match &group.variant {
                Some(Variant::Label(label)) => format!("{}={}", label.id, text(label.label.as_ref())),
                other => format!("{other:?}"),
            };
            format!("{} in {}", show_command(command), groups.iter().map(label).collect::<Vec<_>>().join(" and "))
        }
        Command::UpsertMemo(memo) => format!("memo {:?}", texts(&memo.fields)),
        Command::UpsertSearchAttributes(attributes) => format!("attributes {:?}", texts(&attributes.indexed_fields)),
        Command::AcceptUpdate { protocol_instance_id } => format!("accept {protocol_instance_id}"),
        Command::RejectUpdate { protocol_instance_id, failure } => {
            format!("reject {protocol_instance_id}: {}", failure.message)
        }
        Command::CompleteUpdate { protocol_instance_id, outcome: Ok(result) } => {
            format!("complete {protocol_instance_id} {}", text(result.as_ref()))
        }
        Command::CompleteUpdate { protocol_instance_id, outcome: Err(failure) } => {
            format!("fail {protocol_instance_id}: {}", failure.message)
        }
        Command::CompleteWorkflow { result } => format!("complete {}", text(result.as_ref())),
        Command::FailWorkflow { failure } => format!("fail {}", failure.message),
        Command::CancelWorkflow { .. } => "cancelled".to_owned(),
        Command::ContinueAsNew(next) => format!("continue as new {}", text(next.arguments.first())),
        Command::AnswerQuery { answer: QueryAnswer::Succeeded(answer), .. } => {
            format!("answer {}", text(answer.as_ref()))
        }
        Command::AnswerQuery { answer: QueryAnswer::Failed(failure), .. } => format!("no answer: {}", failure.message),
        other => format!("{other:?}"),
    }
}

fn text(payload: Option<&Payload>) -> String {
    payload.map(|payload| String::from_utf8_lossy(&payload.data).into_owned()).unwrap_or_default()
}

fn texts(fields: &BTreeMap<String, Payload>) -> BTreeMap<&str, String> {
    fields.iter().map(|(name, payload)| (name.as_str(), text(Some(payload)))).collect()
}

fn payload(word: &str) -> Payload {
    word.to_owned().to_payload().expect("a String")
}

fn signal(word: &str) -> Job {
    Job::Signal { name: "add".into(), input: vec![payload(word)], header: Default::default(), identity: String::new() }
}

fn fired(sequence: u32) -> Job {
    Job::FireTimer { sequence }
}

fn completed(sequence: u32, word: &str) -> Job {
    Job::ResolveActivity { sequence, resolution: Resolution::Completed(Some(payload(word))) }
}

fn cancelled(sequence: u32) -> Job {
    let failure = timewright_proto::failure::Failure { message: "stopped".into(), ..Default::default() };
    Job::ResolveActivity { sequence, resolution: Resolution::Cancelled(Box::new(failure)) }
}

fn cancel_workflow() -> Job {
    Job::RequestCancellation { reason: "closing time".into() }
}

fn query(name: &str) -> Job {
    Job::Query(Query { id: "q".into(), name: name.into(), ..Query::default() })
}

workflow!(Sequence, |context, input| {
    let first = context.execute_activity(Echo, input, options()).await?;
    context.sleep(Duration::from_secs(1)).await?;
    Ok(first)
});

#[test]
fn operations_start_in_order_and_end_as_they_come() {
    let lines = run::<Sequence>(vec![vec![completed(1, "hi")], vec![fired(1)]]);
    assert_eq!(lines, ["schedule echo 1", "start timer 1", "complete \"hi\""]);
}

#[test]
fn news_that_nobody_waits_for_changes_nothing() {
    let lines = run::<Sequence>(vec![vec![fired(9), completed(9, "x"), signal("a")], vec![completed(1, "hi")]]);
    assert_eq!(lines, ["schedule echo 1", "-", "start timer 1"]);
}

workflow!(WaitsForTwo, |context, _input| {
    context.wait_condition(|state| state.words.len() >= 2).await?;
    Ok(context.state(|state| state.words.join(" ")))
});

#[test]
fn w19_all_signals_are_handled_before_run_goes_on() {
    assert_eq!(run::<WaitsForTwo>(vec![vec![signal("a"), signal("b"), signal("c")]]), ["-", "complete \"a b c\""]);
}

#[test]
fn q11_a_query_never_lets_the_workflow_go_on() {
    let mut instance = start_instance::<WaitsForTwo>();
    assert_eq!(show(instance.activate(activation(vec![query("words")]))), "answer []");
    assert_eq!(show(instance.activate(activation(vec![signal("a")]))), "-");
    assert_eq!(show(instance.activate(activation(vec![query("words")]))), "answer [\"a\"]");
    assert_eq!(
        show(instance.activate(activation(vec![query("colour")]))),
        "no answer: workflow \"tested\" (id \"id\") has no handler for query \"colour\"; it has [\"words\"]",
    );
}

workflow!(RacesInOrder, |context, _input| {
    let slow = context.sleep(Duration::from_secs(9));
    let fast = context.sleep(Duration::from_secs(1));
    let (first, rest) = match futures::future::select(fast, slow).await {
        futures::future::Either::Left((_, slow)) => ("fast", slow),
        futures::future::Either::Right((_, fast)) => ("slow", fast),
    };
    rest.cancel();
    Ok(first.to_owned())
});

#[test]
fn t2_both_timers_fire_at_once_and_the_loser_is_not_cancelled() {
    assert_eq!(
        run::<RacesInOrder>(vec![vec![fired(1), fired(2)]]),
        ["start timer 1, start timer 2", "complete \"fast\""]
    );
}

#[test]
fn the_loser_of_a_race_is_cancelled_when_code_says_so() {
    let lines = run::<RacesInOrder>(vec![vec![fired(2)]]);
    assert_eq!(lines, ["start timer 1, start timer 2", "cancel timer 1, complete \"fast\""]);
}

workflow!(DropsHandles, |context, _input| {
    drop(context.sleep(Duration::from_secs(5)));
    drop(context.execute_activity(Echo, "x".into(), options()));
    context.sleep(Duration::from_secs(1)).await?;
    Ok(String::new())
});

#[test]
fn dropping_a_handle_cancels_nothing() {
    let lines = run::<DropsHandles>(vec![vec![fired(1), completed(1, "x")], vec![fired(2)]]);
    assert_eq!(lines, ["start timer 1, schedule echo 1, start timer 2", "-", "complete \"\""]);
}

workflow!(CleansUp, |context, input| {
    let timer = context.sleep(Duration::from_secs(5));
    let activity = context.execute_activity(Echo, input, options());
    let second = context.sleep(Duration::from_secs(6));
    let (first, activity, second) = futures::join!(timer, activity, second);
    assert!(first.is_err() && second.is_err() && matches!(activity, Err(ActivityFailure::Cancelled(_))));
    assert!(context.sleep(Duration::from_secs(1)).await.is_err(), "what starts after the cancellation ends at once");
    let clean_up = context.detached();
    clean_up.execute_activity(Echo, "clean up".into(), options()).await?;
    first?;
    Ok(String::new())
});

#[test]
fn c15_cancellation_reaches_operations_in_the_order_of_their_start() {
    let lines = run::<CleansUp>(vec![vec![cancel_workflow()], vec![cancelled(1)], vec![completed(2, "x")]]);
    assert_eq!(
        lines,
        [
            "start timer 1, schedule echo 1, start timer 2",
            "cancel timer 1, cancel activity 1, cancel timer 2",
            "schedule echo 2",
            "cancelled",
        ]
    );
}

workflow!(CancelledCondition, |context, _input| {
    context.wait_condition(|state| !state.words.is_empty()).await?;
    Ok(String::new())
});

#[test]
fn z10_a_question_mark_on_what_was_cancelled_ends_the_workflow_as_cancelled() {
    assert_eq!(run::<CancelledCondition>(vec![vec![cancel_workflow()]]), ["-", "cancelled"]);
}

workflow!(CancelledByItself, |context, _input| {
    let timer = context.sleep(Duration::from_secs(5));
    timer.cancel();
    timer.await?;
    Ok(String::new())
});

#[test]
fn cancelling_an_operation_of_its_own_fails_the_workflow() {
    assert_eq!(run::<CancelledByItself>(Vec::new()), ["start timer 1, cancel timer 1, fail cancelled"]);
}

workflow!(WaitsForCancellation, |context, _input| Ok(context.cancelled().await));

#[test]
fn the_reason_of_a_cancellation_is_there() {
    assert_eq!(run::<WaitsForCancellation>(vec![vec![cancel_workflow()]]), ["-", "complete \"closing time\""]);
}

workflow!(NestedWaits, |context, _input| {
    use futures::stream::{FuturesUnordered, StreamExt};
    let mut waits = FuturesUnordered::new();
    for count in 1..=3_usize {
        let context = context.clone();
        waits.push(async move {
            context.wait_condition(|state| state.words.len() >= count).await?;
            context.state_mut(|state| state.words.push(format!("seen {count}")));
            Ok::<(), WorkflowError>(())
        });
    }
    while let Some(done) = waits.next().await {
        done?;
    }
    Ok(context.state(|state| state.words.join(", ")))
});

#[test]
fn z2_conditions_inside_combinators_are_woken() {
    assert_eq!(
        run::<NestedWaits>(vec![vec![signal("a")]]),
        ["-", "complete \"a, seen 1, seen 2, seen 3\""],
        "each change of the state lets the next condition go on, in the same Activation",
    );
}

workflow!(ContinuesAsNew, |context, input| Err(context.continue_as_new(input + "!")));

#[test]
fn continue_as_new_carries_the_next_input() {
    assert_eq!(run::<ContinuesAsNew>(Vec::new()), ["continue as new \"input!\""]);
}

workflow!(Panics, |_context, _input| panic!("the answer is {}", 42));

#[test]
fn a_panic_fails_the_task_with_its_message() {
    assert_eq!(run::<Panics>(Vec::new()), ["task fails: Panic: run panicked: the answer is 42"]);
}

workflow!(SleepsInTokio, |_context, _input| {
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(String::new())
});

#[test]
fn z6_a_tokio_timer_fails_the_task_at_once() {
    let lines = run::<SleepsInTokio>(Vec::new());
    assert_eq!(
        lines[0],
        "task fails: Panic: run panicked: there is no reactor running, must be called from the context of a Tokio 1.x runtime. \
         Workflow code runs without tokio, whose timers, tasks and IO a replay does not have: use sleep, timeout and spawn of \
         the WorkflowContext, and do everything that needs the outside world in activities"
    );
}

workflow!(MisreadsResult, |context, input| {
    struct Number;
    impl ActivityDefinition for Number {
        const NAME: &'static str = "number";
        type Input = String;
        type Output = u32;
    }
    context.execute_activity(Number, input, options()).await?;
    Ok(String::new())
});

#[test]
fn a12_a_result_that_cannot_be_read_fails_the_task_not_the_workflow() {
    let lines = run::<MisreadsResult>(vec![vec![completed(1, "seven")]]);
    assert!(lines[1].starts_with("task fails: ActivityFailure: activity \"number\": "), "{lines:?}");
}

workflow!(ManyReady, |context, _input| {
    let timers: Vec<_> = (0..300).map(|_| context.sleep(Duration::from_secs(1))).collect();
    for timer in timers {
        timer.await?;
    }
    Ok("all".into())
});

#[test]
fn z4_hundreds_of_ready_futures_in_one_activation() {
    let lines = run::<ManyReady>(vec![(1..=300).map(fired).collect()]);
    assert_eq!(lines[1], "complete \"all\"");
}

thread_local! {
    static DROPPED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

struct StartsWorkWhenDropped {
    context: WorkflowContext<DropsBadly>,
}

impl Drop for StartsWorkWhenDropped {
    fn drop(&mut self) {
        let _timer = self.context.sleep(Duration::from_secs(1));
        DROPPED.with(|dropped| dropped.borrow_mut().push("destructor"));
        panic!("a destructor that panics");
    }
}

workflow!(DropsBadly, |context, _input| {
    let _guard = StartsWorkWhenDropped { context: context.clone() };
    context.wait_condition(|state| !state.words.is_empty()).await?;
    std::mem::forget(_guard);
    Ok(String::new())
});

#[test]
fn d12_destructors_that_run_at_eviction_lead_to_nothing() {
    let mut instance = start_instance::<DropsBadly>();
    assert_eq!(show(instance.activate(activation(Vec::new()))), "-");
    instance.close();
    assert_eq!(DROPPED.with(RefCell::take), ["destructor"]);
}

workflow!(Reenters, |context, _input| {
    let inner = context.clone();
    context.state_mut(|_| inner.state(|state| state.words.len()));
    Ok(String::new())
});

#[test]
fn looking_at_the_state_while_changing_it_says_what_to_do() {
    let lines = run::<Reenters>(Vec::new());
    assert!(lines[0].contains("state() was called inside state_mut(): use what that one lends"), "{lines:?}");
}

#[test]
fn a_workflow_leaves_nothing_behind() {
    struct Counted(Rc<()>);
    thread_local! {
        static ALIVE: Rc<()> = Rc::new(());
    }
    workflow!(Holds, |context, _input| {
        let _held = Counted(ALIVE.with(Rc::clone));
        context.sleep(Duration::from_secs(1)).await?;
        let _ = &_held.0;
        Ok(String::new())
    });
    let mut instance = start_instance::<Holds>();
    assert_eq!(show(instance.activate(activation(Vec::new()))), "start timer 1");
    assert_eq!(ALIVE.with(Rc::strong_count), 2);
    instance.close();
    assert_eq!(ALIVE.with(Rc::strong_count), 1);
}
