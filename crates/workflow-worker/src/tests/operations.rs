//! What workflow code asks for beside timers and activities.

use std::sync::Arc;

use timewright_definition::SearchAttributeValue;
use timewright_proto::enums::{SignalExternalWorkflowExecutionFailedCause, StartChildWorkflowExecutionFailedCause};
use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{
    Backoff, ChildWorkflowStart, LocalActivityResolution, NexusOperationStart, SignalExternalWorkflowError,
};

use super::*;
use crate::rollout::Rollout;
use crate::{
    ChildWorkflowOptions, ContinueAsNewOptions, DEFAULT_VERSION, EventGroup, LocalActivityOptions, MemoChanges,
    NexusOperationOptions, PatchActivation, SearchAttributeChanges, SignalOptions, TimeLimit, VersionChoice,
};

fn local() -> LocalActivityOptions {
    LocalActivityOptions::start_to_close(Duration::from_secs(1))
}

fn child() -> ChildWorkflowOptions {
    ChildWorkflowOptions::new("child")
}

fn failure(message: &str) -> Box<Failure> {
    Box::new(Failure { message: message.into(), ..Failure::default() })
}

fn child_started() -> Job {
    Job::ResolveChildWorkflowStart { sequence: 1, start: ChildWorkflowStart::Started { run_id: "r".into() } }
}

fn child_ended(resolution: Resolution) -> Job {
    Job::ResolveChildWorkflow { sequence: 1, resolution }
}

fn local_ended(sequence: u32, resolution: LocalActivityResolution) -> Job {
    Job::ResolveLocalActivity { sequence, resolution }
}

fn backoff() -> LocalActivityResolution {
    let original_schedule_time = SystemTime::UNIX_EPOCH;
    LocalActivityResolution::Backoff(Backoff { attempt: 4, delay: Duration::from_secs(90), original_schedule_time })
}

workflow!(RunsChild, |context, input| {
    let child = context.start_child_workflow(Definition, input, child()).await?;
    assert_eq!((child.workflow_id(), child.run_id()), ("child", "r"));
    child.signal(Add, "word".into()).await?;
    Ok(child.await?)
});

#[test]
fn a_child_is_started_signalled_and_waited_for() {
    let signalled = Job::ResolveSignalExternalWorkflow { sequence: 1, outcome: Ok(()) };
    let ended = child_ended(Resolution::Completed(Some(payload("result"))));
    let lines = run::<RunsChild>(vec![vec![child_started()], vec![signalled], vec![ended]]);
    assert_eq!(lines, ["start child child 1 on queue", "signal add 1 to child child", "-", "complete \"result\""]);
}

#[test]
fn a_childs_outcome_may_come_with_its_start() {
    let ended = child_ended(Resolution::Failed(failure("broken")));
    let signalled = Job::ResolveSignalExternalWorkflow { sequence: 1, outcome: Ok(()) };
    let lines = run::<RunsChild>(vec![vec![child_started(), ended], vec![signalled]]);
    assert_eq!(lines[1..], ["signal add 1 to child child", "fail broken"]);
}

#[test]
fn a_child_that_is_not_started_says_why() {
    let cause = StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists;
    let start = ChildWorkflowStart::Failed { cause };
    let lines = run::<RunsChild>(vec![vec![Job::ResolveChildWorkflowStart { sequence: 1, start }]]);
    assert_eq!(
        lines[1],
        "fail Child Workflow \"tested\" (id \"child\") was not started: a workflow with this Workflow Id exists already"
    );
}

#[test]
fn a_child_is_cancelled_with_its_parent() {
    let ended = child_ended(Resolution::Cancelled(failure("stopped")));
    let lines = run::<RunsChild>(vec![vec![child_started()], vec![cancel_workflow()], vec![ended]]);
    assert_eq!(lines[1..], ["signal add 1 to child child", "cancel child 1 (closing time), take signal 1 back", "-"]);
}

workflow!(WritesToOthers, |context, _input| {
    let other = context.external_workflow(Definition, "other", None);
    other.signal(Add, "word".into()).await?;
    other.request_cancel("enough").await?;
    Ok("told".into())
});

#[test]
fn other_workflows_are_signalled_and_asked_to_cancel() {
    let signalled = Job::ResolveSignalExternalWorkflow { sequence: 1, outcome: Ok(()) };
    let asked = Job::ResolveRequestCancelExternalWorkflow { sequence: 1, outcome: Ok(()) };
    let lines = run::<WritesToOthers>(vec![vec![signalled], vec![asked]]);
    assert_eq!(lines, ["signal add 1 to other", "ask other to cancel (enough)", "complete \"told\""]);
}

#[test]
fn a_signal_that_does_not_arrive_says_why() {
    let cause = SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound;
    let outcome = Err(SignalExternalWorkflowError::Failed(cause));
    let lines = run::<WritesToOthers>(vec![vec![Job::ResolveSignalExternalWorkflow { sequence: 1, outcome }]]);
    assert_eq!(lines[1], "fail signal \"add\" did not reach workflow \"other\": no such workflow is running");
}

workflow!(WorksLocally, |context, input| {
    drop(context.sleep(Duration::from_secs(9)));
    Ok(context.execute_local_activity(Echo, input, local()).await?)
});

#[test]
fn la1_a_local_activity_gives_its_result() {
    let done = LocalActivityResolution::Completed(Some(payload("echo")));
    let lines = run::<WorksLocally>(vec![vec![local_ended(1, done)]]);
    assert_eq!(lines, ["start timer 1, schedule locally echo 1 attempt 1", "complete \"echo\""]);
}

#[test]
fn la2_a_long_pause_is_a_timer_and_then_the_next_attempt() {
    let done = LocalActivityResolution::Completed(Some(payload("echo")));
    let lines = run::<WorksLocally>(vec![
        vec![local_ended(1, backoff())],
        vec![fired(1)],
        vec![fired(2)],
        vec![local_ended(1, backoff())],
        vec![local_ended(2, done)],
    ]);
    assert_eq!(lines[1..], ["start timer 2", "-", "schedule locally echo 2 attempt 4", "-", "complete \"echo\""]);
}

#[test]
fn la3_cancelled_in_a_long_pause_it_ends_at_once() {
    let lines = run::<WorksLocally>(vec![vec![local_ended(1, backoff())], vec![cancel_workflow()]]);
    assert_eq!(lines[1..], ["start timer 2", "cancel timer 1, cancel timer 2, cancelled"]);
}

#[test]
fn la4_cancelled_while_it_runs_there_is_no_further_attempt() {
    let lines = run::<WorksLocally>(vec![vec![cancel_workflow()], vec![local_ended(1, backoff())]]);
    assert_eq!(lines[1..], ["cancel timer 1, cancel local activity 1", "cancelled"]);
}

workflow!(CallsNexus, |context, input| {
    let options = NexusOperationOptions::new("endpoint", "service", "operation");
    let operation = context.start_nexus_operation(options, input).await?;
    assert_eq!(operation.operation_token(), Some("token"));
    Ok(operation.await?)
});

fn nexus_started() -> Job {
    let operation_token = Some("token".to_owned());
    Job::ResolveNexusOperationStart { sequence: 1, start: NexusOperationStart::Started { operation_token } }
}

#[test]
fn a_nexus_operation_is_started_and_waited_for() {
    let resolution = Resolution::Completed(Some(payload("result")));
    let ended = Job::ResolveNexusOperation { sequence: 1, resolution };
    let lines = run::<CallsNexus>(vec![vec![nexus_started()], vec![ended]]);
    assert_eq!(lines, ["schedule service/operation", "-", "complete \"result\""]);
}

#[test]
fn a_nexus_operation_is_cancelled_with_its_workflow() {
    let resolution = Resolution::Cancelled(failure("stopped"));
    let ended = Job::ResolveNexusOperation { sequence: 1, resolution };
    let lines = run::<CallsNexus>(vec![vec![nexus_started()], vec![cancel_workflow()], vec![ended]]);
    assert_eq!(lines[2..], ["cancel nexus operation 1", "cancelled"]);
}

workflow!(StartsAfterCancellation, |context, input| {
    context.cancelled().await;
    let child = context.execute_child_workflow(Definition, input.clone(), child()).await;
    let local = context.execute_local_activity(Echo, input.clone(), local()).await;
    let signal = context.external_workflow_untyped("other", None).signal_untyped("s", Vec::new()).await;
    let options = NexusOperationOptions::new("endpoint", "service", "operation");
    let nexus = context.execute_nexus_operation::<String, _>(options, input).await;
    Ok([
        child.expect_err("cancelled").to_string(),
        local.expect_err("cancelled").to_string(),
        signal.expect_err("cancelled").to_string(),
        nexus.expect_err("cancelled").to_string(),
    ]
    .join("; "))
});

#[test]
fn what_starts_after_the_cancellation_ends_at_once() {
    let lines = run::<StartsAfterCancellation>(vec![vec![cancel_workflow()]]);
    assert_eq!(
        lines[1],
        "complete \"child workflow tested (id child) did not complete: never started; \
         activity echo (id ) did not complete: never scheduled; \
         signal \\\"s\\\" was not sent to workflow \\\"other\\\", since it was cancelled: closing time; \
         Nexus operation service/operation at endpoint did not complete: never started\""
    );
}

workflow!(Decides, |context, _input| {
    let patched = context.patched("p") && context.patched("p");
    context.deprecate_patch("old");
    let version = context.version("c", DEFAULT_VERSION, 2);
    Ok(format!("{patched} {version}"))
});

fn first_task<W: Workflow<Definition = Definition>>(replaying: bool, jobs: Vec<Job>) -> String {
    show(start_instance::<W>().activate(Activation { replaying, ..activation(jobs) }))
}

#[test]
fn p1_the_first_time_code_goes_the_newest_way_and_notes_it() {
    assert_eq!(
        first_task::<Decides>(false, Vec::new()),
        "patch p false, patch old true, version c 2, complete \"true 2\""
    );
}

#[test]
fn p2_on_replay_code_goes_the_way_that_was_noted() {
    let noted =
        vec![Job::NotifyPatch { patch_id: "p".into() }, Job::NotifyVersion { change_id: "c".into(), version: 1 }];
    assert_eq!(first_task::<Decides>(true, noted), "patch p false, version c 1, complete \"true 1\"");
    assert_eq!(first_task::<Decides>(true, Vec::new()), "complete \"false -1\"");
}

/// As [`first_task`], where new runs get version 1 and no patch.
fn first_task_of_cautious<W: Workflow<Definition = Definition>>(replaying: bool, jobs: Vec<Job>) -> String {
    let rollout = Rollout {
        patches: Some(Arc::new(|patch: &PatchActivation<'_>| patch.patch_id != "p")),
        versions: Some(Arc::new(|choice: &VersionChoice<'_>| choice.oldest.max(1))),
    };
    let environment = Environment { rollout, ..environment() };
    let mut instance = start::<W>(&environment, Box::new(initialize()), &activation(Vec::new()))
        .unwrap_or_else(|_| panic!("it starts"));
    show(instance.activate(Activation { replaying, ..activation(jobs) }))
}

#[test]
fn a_rollout_decides_for_runs_that_come_to_a_change_for_the_first_time_only() {
    assert_eq!(
        first_task_of_cautious::<Decides>(false, Vec::new()),
        "patch old true, version c 1, complete \"false 1\""
    );
    let noted =
        vec![Job::NotifyPatch { patch_id: "p".into() }, Job::NotifyVersion { change_id: "c".into(), version: 2 }];
    for replaying in [true, false] {
        let outcome = first_task_of_cautious::<Decides>(replaying, noted.clone());
        assert!(outcome.ends_with("version c 2, complete \"true 2\""), "{outcome}");
    }
    assert_eq!(first_task_of_cautious::<Decides>(true, Vec::new()), "complete \"false -1\"");
}

workflow!(ForgotVersion, |context, _input| {
    context.version("c", 2, 3);
    Ok(String::new())
});

#[test]
fn a_version_that_code_does_not_know_any_more_fails_the_task() {
    let noted = vec![Job::NotifyVersion { change_id: "c".into(), version: 1 }];
    assert_eq!(
        first_task::<ForgotVersion>(true, noted),
        "task fails: Panic: run panicked: this run follows version 1 of change \"c\", and this code knows the versions 2 \
         to 3; bring the code of that version back, or let the run end on a worker that has it"
    );
}

workflow!(TakesValues, |context, input| {
    let first: String = context.side_effect(|| input.clone())?;
    let second: String = context.side_effect(|| "second".to_owned())?;
    Ok(first + " " + &second)
});

#[test]
fn a_side_effect_is_noted_and_told_on_replay() {
    assert_eq!(
        first_task::<TakesValues>(false, Vec::new()),
        "side effect 1 \"input\", side effect 2 \"second\", complete \"input second\""
    );
    let noted = vec![
        Job::NotifySideEffect { sequence: 1, value: payload("one") },
        Job::NotifySideEffect { sequence: 2, value: payload("two") },
    ];
    assert_eq!(
        first_task::<TakesValues>(true, noted),
        "side effect 1 \"one\", side effect 2 \"two\", complete \"one two\""
    );
}

/// Takes a value before its future is polled, as only an implementation by hand can.
struct TakesAValueAtOnce;

impl Workflow for TakesAValueAtOnce {
    type Definition = Definition;
    fn init(_info: &WorkflowInfo, _input: &String) -> Self {
        Self
    }
    fn run(
        context: WorkflowContext<Self>,
        input: String,
    ) -> impl Future<Output = Result<String, WorkflowError>> + 'static {
        let value: Result<String, _> = context.side_effect(|| input);
        async move { Ok(value?) }
    }
}

#[test]
fn a_side_effect_that_is_taken_before_the_future_of_run_is_told_on_replay_too() {
    assert_eq!(first_task::<TakesAValueAtOnce>(false, Vec::new()), "side effect 1 \"input\", complete \"input\"");
    let noted = vec![Job::NotifySideEffect { sequence: 1, value: payload("noted") }];
    assert_eq!(first_task::<TakesAValueAtOnce>(true, noted), "side effect 1 \"noted\", complete \"noted\"");
}

workflow!(AsksForLimit, |context, _input| {
    let mut limits = ["ten", "ten", "20", "TWENTY", "ten"].into_iter();
    let mut limit = || context.mutable_side_effect("limit", || limits.next().map_or_else(String::new, str::to_owned));
    let seen = [limit()?, limit()?, limit()?];
    let by_length = |last: &String, new: &String| last.len() == new.len();
    let price = [
        context.mutable_side_effect_by("price", || "low".to_owned(), by_length)?,
        context.mutable_side_effect_by("price", || "up!".to_owned(), by_length)?,
    ];
    Ok(format!("{} {}", seen.join(" "), price.join(" ")))
});

#[test]
fn a_mutable_side_effect_is_noted_when_it_changes_and_is_the_same_on_replay() {
    assert_eq!(
        first_task::<AsksForLimit>(false, Vec::new()),
        "side effect limit 1 \"ten\", side effect limit 3 \"20\", side effect price 1 \"low\", \
         complete \"ten ten 20 low low\""
    );
    let noted = |id: &str, call, value| Job::NotifyMutableSideEffect { id: id.into(), call, value: payload(value) };
    // As it was then, whatever it would be now.
    assert_eq!(
        first_task::<AsksForLimit>(true, vec![noted("limit", 1, "a"), noted("limit", 2, "b"), noted("price", 1, "c")]),
        "side effect limit 1 \"a\", side effect limit 2 \"b\", side effect price 1 \"c\", complete \"a b b c c\""
    );
}

workflow!(Groups, |context, input| {
    let outer = context.in_event_group(EventGroup::new("payment").id("p"));
    let activity = outer.execute_activity(Echo, input, options());
    let inner = outer.in_event_group(EventGroup::new("order").id("o"));
    let timer = inner.sleep(Duration::from_secs(1));
    let _: String = inner.side_effect(|| "noted".to_owned())?;
    let detached = inner.detached().sleep(Duration::from_secs(2));
    // The same id is the same group; and whoever is in none marks nothing.
    let again = inner.in_event_group(EventGroup::new("again").id("p")).sleep(Duration::from_secs(3));
    let outside = context.sleep(Duration::from_secs(4));
    let _ = (activity, timer, detached, again, outside);
    let derived = context.in_event_group("by its label").sleep(Duration::from_secs(5));
    let same = context.in_event_group(String::from("by its label")).sleep(Duration::from_secs(6));
    let _ = (derived, same);
    Ok(String::new())
});

#[test]
fn what_is_started_is_marked_with_its_event_groups() {
    let commands = first_task::<Groups>(false, Vec::new());
    let (marked, derived) = commands.split_at(commands.find("start timer 5").expect("timer 5"));
    assert_eq!(
        marked,
        "schedule echo 1 in p=\"payment\", start timer 1 in p=\"payment\" and o=\"order\", \
         side effect 1 \"noted\" in p=\"payment\" and o=\"order\", start timer 2 in p=\"payment\" and o=\"order\", \
         start timer 3 in o=\"order\" and p=\"again\", start timer 4, "
    );
    let id = "79d1fa97201ff8490ac26d5806c60248";
    assert_eq!(
        derived,
        format!("start timer 5 in {id}=\"by its label\", start timer 6 in {id}=\"by its label\", complete \"\"",),
        "the same on every replay, so it never changes"
    );
}

workflow!(Summarises, |context, _input| {
    let other = context.external_workflow_untyped("other", None);
    let signal = other.signal_untyped_with("go", Vec::new(), SignalOptions::new().summary("now"));
    let limit = TimeLimit::new(Duration::from_secs(60)).summary("time to approve");
    let holds = context.wait_condition_with_timeout(limit, |state| !state.words.is_empty()).await?;
    let _ = (holds, signal);
    Ok(String::new())
});

#[test]
fn signals_and_timeouts_have_summaries() {
    let mut instance = start_instance::<Summarises>();
    let commands = instance.activate(activation(Vec::new())).unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    let [Command::SignalExternalWorkflow(signal), Command::StartTimer(timer)] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    assert_eq!(
        (text(signal.summary.as_ref()), text(timer.summary.as_ref())),
        ("\"now\"".into(), "\"time to approve\"".into())
    );
}

workflow!(ChangesProperties, |context, _input| {
    context.upsert_memo(MemoChanges::new().set("progress", 7_u32).remove("coupon"))?;
    let tier = SearchAttributeValue::Keyword("gold".into());
    context.upsert_search_attributes(SearchAttributeChanges::new().set("Tier", tier).remove("Coupon"))?;
    context.upsert_memo(MemoChanges::new())?;
    let memo = context.memo().fields.into_keys().collect::<Vec<_>>();
    let attributes = context.search_attributes().indexed_fields.into_keys().collect::<Vec<_>>();
    Ok(format!("{memo:?} {attributes:?}"))
});

#[test]
fn properties_are_changed_and_seen() {
    assert_eq!(
        run::<ChangesProperties>(Vec::new()),
        ["memo {\"coupon\": \"\", \"progress\": \"7\"}, attributes {\"Coupon\": \"\", \"Tier\": \"\\\"gold\\\"\"}, \
          complete \"[\\\"progress\\\"] [\\\"Tier\\\"]\""]
    );
}

workflow!(ContinuesElsewhere, |context, input| {
    let options = ContinueAsNewOptions::new().workflow_type("next").task_queue("elsewhere").memo("round", 2_u32);
    Err(context.continue_as_new_with(input, options))
});

#[test]
fn continue_as_new_takes_what_is_said() {
    let mut instance = start_instance::<ContinuesElsewhere>();
    let commands = instance.activate(activation(Vec::new())).expect("commands");
    let [Command::ContinueAsNew(next)] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((next.workflow_type.as_str(), next.task_queue.as_str()), ("next", "elsewhere"));
    assert_eq!(next.memo.as_ref().map(|memo| memo.fields.len()), Some(1));
    assert_eq!(next.search_attributes, None, "as in this run");
}
