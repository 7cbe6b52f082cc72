//! Conversations with a real Temporal Server, held with the model instead.
//!
//! `scenarios/*.txt` hold them: a line at the margin is what is asked, the indented lines below it are what a real server
//! (1.32.0) answered, with ids replaced by names. `## ` begins another scenario. The model must answer the same.
//! `scenarios/record.py` writes down what a server answers, and compares another server with that.
//!
//! | line | meaning |
//! |--|--|
//! | `start [ID] [attempts=2] [initial=1s] [run-timeout=1s] …` | starts a workflow: `w` unless it says another |
//! | `signal NAME`, `cancel`, `terminate`, `query NAME`, `await NAME` | what clients do; `await` shows the Query's answer |
//! | `update ID [wait=accepted] …`, `poll-update ID`, `await-update ID` | the same with Updates; `nothing`: no answer yet |
//! | `reset EVENT [reapply=…] [exclude=…]`, `options [priority=4]` | what operators do |
//! | `… [on=ID] [run=run-1]` | of all these: which workflow is meant |
//! | `sticky-worker` | a worker polls the sticky queue, and gets nothing |
//! | `poll [sticky] [queue=NAME] [as=NAME]` | polls for a Workflow Task |
//! | `complete [sticky] [new] [force] [answer=X]: COMMAND; …` | answers the task; `new`: wants the next one back |
//! | `complete [discard] [metadata] [page=1] [intermediate]: accept ID; respond ID; reject ID; …` | more of that; what names an
//! Update is a message and, unless it says `no-command` or rejects, the Command that gives it its place |
//! | `fail-task [cause=…]`, `answer X [failed]` | fails the task, answers the Query |
//! | `poll-activity [ID]`, `complete-activity ID`, `fail-activity ID`, `cancel-activity-task ID`, `heartbeat ID` | |
//! | `endpoint`, `delete-endpoint` | creates and deletes the Nexus endpoint `endpoint` |
//! | `poll-nexus OPERATION [as=NAME]` | polls for a Nexus Task |
//! | `nexus-started OPERATION`, `nexus-result …`, `nexus-failed … [canceled] [old]` | answers it: the operation goes on, succeeds, does not |
//! | `nexus-error … [type=T] [retry=B] [old]`, `nexus-cancel-taken …` | answers it: the handler failed, the request to cancel was taken |
//! | `nexus-callback OPERATION [failed] [canceled] …` | the workflow that handles an operation ends |
//! | `advance 1s` | time passes; after `0s`, what went on between workflows has arrived |
//! | `history [run-1] [on=ID]` | what is new in the history since it was shown |
//!
//! The Commands to other workflows stand in `scenarios/other_workflows.rs`. `summary=TEXT` goes with every Command.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "scenarios/nexus.rs"]
mod nexus;
#[path = "scenarios/other_workflows.rs"]
mod other_workflows;
#[path = "scenarios/updates.rs"]
mod updates;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use timewright_model_server::{QueryId, Server, ServerError, ServerOptions, UpdateCallId, history_lines};
use timewright_proto::Bytes;
use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    CancelTimerCommandAttributes, CancelWorkflowExecutionCommandAttributes, Command,
    CompleteWorkflowExecutionCommandAttributes, ContinueAsNewWorkflowExecutionCommandAttributes,
    FailWorkflowExecutionCommandAttributes, ModifyWorkflowPropertiesCommandAttributes,
    ProtocolMessageCommandAttributes, RecordMarkerCommandAttributes, RequestCancelActivityTaskCommandAttributes,
    ScheduleActivityTaskCommandAttributes, StartTimerCommandAttributes,
    UpsertWorkflowSearchAttributesCommandAttributes,
};
use timewright_proto::common::{
    ActivityType, Memo, MeteringMetadata, Payload, Payloads, RetryPolicy, SearchAttributes, WorkflowExecution,
    WorkflowType,
};
use timewright_proto::enums::{
    CommandType, QueryResultType, TaskQueueKind, VersioningBehavior, WorkerVersioningMode, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy, WorkflowTaskFailedCause,
};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};
use timewright_proto::prost_types;
use timewright_proto::query::{WorkflowQuery, WorkflowQueryResult};
use timewright_proto::task_queue::{StickyExecutionAttributes, TaskQueue};
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use timewright_proto::temporal::api::sdk::v1::WorkflowTaskCompletedMetadata;
use timewright_proto::workflow_service::respond_workflow_task_completed_request::Capabilities;
use timewright_proto::workflow_service::{
    GetWorkflowExecutionHistoryRequest, PollActivityTaskQueueRequest, PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse, QueryWorkflowRequest, RecordActivityTaskHeartbeatRequest,
    RequestCancelWorkflowExecutionRequest, RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest, RespondQueryTaskCompletedRequest, RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest, SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
};

#[test]
fn workflow_tasks() {
    check("workflow_task.txt");
}

#[test]
fn sticky_queues() {
    check("sticky.txt");
}

#[test]
fn timers() {
    check("timer.txt");
}

#[test]
fn activities() {
    check("activity.txt");
}

#[test]
fn ends_of_runs() {
    check("close.txt");
}

#[test]
fn recorded_commands() {
    check("record.txt");
}

#[test]
fn starts() {
    check("start.txt");
}

#[test]
fn runs_that_continue_as_new() {
    check("continue_as_new.txt");
}

#[test]
fn children() {
    check("child.txt");
}

#[test]
fn close_policies() {
    check("close_policy.txt");
}

#[test]
fn signals_and_cancellations_to_other_workflows() {
    check("external.txt");
}

#[test]
fn resets() {
    check("reset.txt");
}

#[test]
fn changes_of_options() {
    check("options.txt");
}

#[test]
fn queries() {
    check("query.txt");
}

#[test]
fn nexus_operations() {
    check("nexus.txt");
}

#[test]
fn nexus_operations_of_workflows_that_are_reset_or_updated() {
    check("mixed_nexus.txt");
}

#[test]
fn values_and_options() {
    check("values.txt");
}

#[test]
fn updates() {
    check("update.txt");
}

#[test]
fn updates_of_workflows_that_have_children_or_are_reset() {
    check("mixed.txt");
}

#[test]
fn speculative_workflow_tasks() {
    check("speculative.txt");
}

#[test]
fn completions() {
    check("completion.txt");
}

#[test]
fn completions_in_pages() {
    check_with("completion_pages.txt", ServerOptions { workflow_task_completion_pages: true, ..options() });
}

#[test]
fn prolonged_workflow_tasks() {
    let workflow_task_heartbeat_timeout = Duration::from_secs(3);
    check_with("heartbeat.txt", ServerOptions { workflow_task_heartbeat_timeout, ..options() });
}

fn check(file: &str) {
    check_with(file, options());
}

fn options() -> ServerOptions {
    let mut options = ServerOptions::default();
    options.search_attributes.insert("ModelServerKeyword".into(), "Keyword".into());
    options
}

/// Holds all conversations of a file with the model, and compares.
fn check_with(file: &str, options: ServerOptions) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(file);
    let recorded = std::fs::read_to_string(path).unwrap();
    let mut differences = String::new();
    let mut count = 0;
    for scenario in recorded.split("\n## ").skip(1) {
        let mut conversation = Conversation::new(options.clone());
        let mut answered = Vec::new();
        for line in scenario.lines().filter(|line| !line.starts_with("  ")) {
            answered.push(line.to_owned());
            if answered.len() > 1 && !line.is_empty() {
                answered.extend(conversation.ask(line).into_iter().map(|answer| format!("  {answer}")));
            }
        }
        let expected: Vec<&str> = scenario.lines().collect();
        count += 1;
        if answered != expected {
            let different = answered.iter().zip(&expected).position(|(answer, line)| answer != line);
            let different = different.unwrap_or(answered.len().min(expected.len()));
            let line = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
            writeln!(
                differences,
                "\n## {}\n  server: {}\n  model:  {}\n{}",
                expected[0],
                line(expected.get(different).copied()),
                line(answered.get(different).map(String::as_str)),
                answered.join("\n")
            )
            .unwrap();
        }
    }
    assert!(count > 3, "{file} holds {count} scenarios only");
    assert!(differences.is_empty(), "{differences}");
}

/// A client, a workflow worker and an activity worker, in one.
struct Conversation {
    server: Server,
    tasks: BTreeMap<String, PollWorkflowTaskQueueResponse>,
    activities: BTreeMap<String, Bytes>,
    /// Activity Tasks that were polled before somebody asked for them.
    fetched: BTreeMap<String, (Bytes, String)>,
    queries: BTreeMap<String, Result<QueryId, ServerError>>,
    updates: BTreeMap<String, Result<UpdateCallId, ServerError>>,
    nexus: nexus::Handler,
    runs: Vec<String>,
    /// Histories as they were shown last.
    shown: BTreeMap<String, Vec<String>>,
}

/// A line's words.
struct Words<'a> {
    verb: &'a str,
    /// Those without `=`.
    plain: Vec<&'a str>,
    /// Those with.
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let (options, plain): (Vec<_>, Vec<_>) = words.partition(|word| word.contains('='));
        Self { verb, plain, options: options.iter().filter_map(|option| option.split_once('=')).collect() }
    }

    fn has(&self, word: &str) -> bool {
        self.plain.contains(&word)
    }

    fn first(&self) -> &'a str {
        self.plain.first().copied().unwrap_or_default()
    }

    fn option(&self, key: &str) -> Option<&'a str> {
        self.options.get(key).copied()
    }

    fn duration(&self, key: &str) -> Option<prost_types::Duration> {
        self.option(key).map(wire_duration)
    }
}

impl Conversation {
    fn new(options: ServerOptions) -> Self {
        Self {
            server: Server::new(options),
            tasks: BTreeMap::new(),
            activities: BTreeMap::new(),
            fetched: BTreeMap::new(),
            queries: BTreeMap::new(),
            updates: BTreeMap::new(),
            nexus: nexus::Handler::default(),
            runs: Vec::new(),
            shown: BTreeMap::new(),
        }
    }

    fn ask(&mut self, line: &str) -> Vec<String> {
        let (head, commands) = line.split_once(':').unwrap_or((line, ""));
        let answer = match self.do_it(&Words::of(head), commands) {
            Ok(lines) => lines,
            Err(error) => vec![error.to_string()],
        };
        answer.into_iter().map(|line| self.with_names(line)).collect()
    }

    fn do_it(&mut self, words: &Words<'_>, commands: &str) -> Result<Vec<String>, ServerError> {
        let identity = "client".to_owned();
        let workflow_execution = Some(self.execution(words));
        match words.verb {
            "start" => return self.start(words),
            "reset" => return self.reset(words),
            "options" => return self.update_options(words),
            "signal" => self.server.signal(SignalWorkflowExecutionRequest {
                workflow_execution,
                signal_name: words.first().into(),
                input: payloads("s"),
                identity,
                request_id: words.option("request").unwrap_or_default().into(),
                ..Default::default()
            })?,
            "cancel" => self.server.request_cancel(RequestCancelWorkflowExecutionRequest {
                workflow_execution,
                reason: "why".into(),
                identity,
                ..Default::default()
            })?,
            "terminate" => self.server.terminate(TerminateWorkflowExecutionRequest {
                workflow_execution,
                reason: "stop".into(),
                identity,
                ..Default::default()
            })?,
            "query" => {
                let query = Some(WorkflowQuery { query_type: words.first().into(), ..Default::default() });
                let id = self.server.query(QueryWorkflowRequest {
                    execution: workflow_execution,
                    query,
                    ..Default::default()
                });
                self.queries.insert(words.first().into(), id);
            }
            "await" => {
                let id = self.queries[words.first()].clone()?;
                let answer = self.server.query_answer(id).expect("an answer").clone()?;
                return Ok(vec![format!("answer {}", payloads_text(answer.query_result.as_ref()))]);
            }
            "update" | "poll-update" => self.call_update(words),
            "await-update" => return self.await_update(words),
            "sticky-worker" => {
                assert_eq!(self.poll(&Words::of("poll sticky")), ["nothing"]);
            }
            "poll" => {
                // A real poll waits for what is on its way between workflows.
                self.server.handle_timeout(self.server.now());
                return Ok(self.poll(words));
            }
            "complete" => return self.complete(words, commands),
            "fail-task" => {
                let cause = words.option("cause").unwrap_or("workflow-worker-unhandled-failure");
                let cause = format!("WORKFLOW_TASK_FAILED_CAUSE_{}", upper_case(cause));
                self.server.handle_workflow_task_failed(RespondWorkflowTaskFailedRequest {
                    task_token: self.task(words).task_token.clone(),
                    cause: WorkflowTaskFailedCause::from_str_name(&cause).expect("a cause").into(),
                    failure: Some(failure("boom")),
                    identity: "worker".into(),
                    ..Default::default()
                })?;
            }
            "answer" => {
                let failed = words.has("failed");
                let result_type = if failed { QueryResultType::Failed } else { QueryResultType::Answered };
                self.server.handle_query_task_completed(RespondQueryTaskCompletedRequest {
                    task_token: self.task(words).task_token.clone(),
                    completed_type: result_type.into(),
                    query_result: payloads(words.first()),
                    error_message: if failed { words.first().into() } else { String::new() },
                    ..Default::default()
                })?;
            }
            "advance" => {
                let time = self.server.now() + duration(words.first());
                self.server.handle_timeout(time);
            }
            "history" => return self.history(words),
            verb if nexus::is_verb(verb) => return self.nexus(words),
            _ => return self.activity(words),
        }
        Ok(Vec::new())
    }

    fn start(&mut self, words: &Words<'_>) -> Result<Vec<String>, ServerError> {
        let policy = words.option("policy").unwrap_or("unspecified");
        let policy = format!("WORKFLOW_ID_REUSE_POLICY_{}", upper_case(policy));
        let conflict = words.option("conflict").unwrap_or("unspecified");
        let conflict = format!("WORKFLOW_ID_CONFLICT_POLICY_{}", upper_case(conflict));
        let started = self.server.start_workflow(StartWorkflowExecutionRequest {
            workflow_id: words.plain.first().copied().unwrap_or("w").into(),
            workflow_type: Some(WorkflowType { name: "W".into() }),
            task_queue: task_queue(words.option("queue").unwrap_or("normal"), TaskQueueKind::Normal),
            input: payloads("in"),
            identity: "client".into(),
            workflow_run_timeout: words.duration("run-timeout"),
            workflow_execution_timeout: words.duration("execution-timeout"),
            workflow_task_timeout: words.duration("task-timeout"),
            workflow_start_delay: words.duration("delay"),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::from_str_name(&policy).expect("a policy").into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::from_str_name(&conflict).expect("a policy").into(),
            retry_policy: words.retry_policy(),
            memo: words.memo(),
            header: words.header(),
            search_attributes: words.search_attributes(),
            priority: words.priority(),
            user_metadata: words.user_metadata(),
            ..Default::default()
        })?;
        let already = if started.started { "" } else { " already" };
        Ok(vec![format!("{}{already}", started.run_id)])
    }

    fn poll(&mut self, words: &Words<'_>) -> Vec<String> {
        let task_queue = if words.has("sticky") {
            task_queue("sticky", TaskQueueKind::Sticky)
        } else {
            task_queue(words.option("queue").unwrap_or("normal"), TaskQueueKind::Normal)
        };
        let request = PollWorkflowTaskQueueRequest { task_queue, identity: "worker".into(), ..Default::default() };
        let Some(task) = self.server.poll_workflow_task(&request) else { return vec!["nothing".into()] };
        let text = task_text(&task);
        self.tasks.insert(words.option("as").unwrap_or("task").into(), task);
        vec![text]
    }

    fn complete(&mut self, words: &Words<'_>, commands: &str) -> Result<Vec<String>, ServerError> {
        let task = self.task(words);
        let answers = words.option("answer").into_iter().flat_map(|answer| {
            let result = WorkflowQueryResult {
                result_type: QueryResultType::Answered.into(),
                answer: payloads(answer),
                ..Default::default()
            };
            task.queries.keys().map(move |key| (key.clone(), result.clone()))
        });
        let texts: Vec<&str> = commands.split(';').map(str::trim).filter(|text| !text.is_empty()).collect();
        let mut request = RespondWorkflowTaskCompletedRequest {
            task_token: task.task_token.clone(),
            identity: "worker".into(),
            commands: texts
                .iter()
                .filter(|text| !updates::is_message_only(text))
                .map(|text| command(&self.with_run_ids(text)))
                .collect(),
            messages: texts.iter().filter_map(|text| updates::message(task, text)).collect(),
            query_results: answers.collect(),
            sticky_attributes: words.has("sticky").then(|| StickyExecutionAttributes {
                worker_task_queue: task_queue("sticky", TaskQueueKind::Sticky),
                schedule_to_start_timeout: Some(wire_duration(words.option("schedule-to-start").unwrap_or("10s"))),
            }),
            return_new_workflow_task: words.has("new"),
            force_create_new_workflow_task: words.has("force"),
            page_number: words.option("page").map_or(0, |page| page.parse().unwrap()),
            intermediate_page: words.has("intermediate"),
            ..Default::default()
        };
        say_of_the_worker(&mut request, words);
        let answer = self.server.handle_workflow_task_completed(request)?;
        let mut lines = Vec::new();
        if answer.reset_history_event_id != 0 {
            lines.push(format!("reset {}", answer.reset_history_event_id));
        }
        if let Some(next) = answer.workflow_task {
            lines.push(format!("new {}", task_text(&next)));
            self.tasks.insert("task".into(), next);
        }
        Ok(lines)
    }

    fn activity(&mut self, words: &Words<'_>) -> Result<Vec<String>, ServerError> {
        let identity = "activity-worker".to_owned();
        if words.verb == "poll-activity" {
            return Ok(vec![self.poll_activity(words.first())]);
        }
        let task_token = self.activities[words.first()].clone();
        match words.verb {
            "complete-activity" => {
                let result = payloads("r");
                let completed =
                    RespondActivityTaskCompletedRequest { task_token, result, identity, ..Default::default() };
                self.server.handle_activity_task_completed(completed)?;
            }
            "fail-activity" => {
                let mut failure = failure("oops");
                if let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut failure.failure_info {
                    info.non_retryable = words.has("non-retryable");
                    info.next_retry_delay = words.duration("delay");
                }
                let failure = Some(failure);
                let failed = RespondActivityTaskFailedRequest { task_token, failure, identity, ..Default::default() };
                self.server.handle_activity_task_failed(failed)?;
            }
            "cancel-activity-task" => {
                let details = payloads("bye");
                let cancelled =
                    RespondActivityTaskCanceledRequest { task_token, details, identity, ..Default::default() };
                self.server.handle_activity_task_canceled(cancelled)?;
            }
            "heartbeat" => {
                let details = payloads("beat");
                let beat = RecordActivityTaskHeartbeatRequest { task_token, details, identity, ..Default::default() };
                let answer = self.server.handle_activity_task_heartbeat(beat)?;
                return Ok(vec![format!("cancel-requested={}", answer.cancel_requested)]);
            }
            verb => panic!("what is {verb:?}?"),
        }
        Ok(Vec::new())
    }

    /// Polls until the activity comes; time passes as needed, as it does for a real poll.
    fn poll_activity(&mut self, id: &str) -> String {
        let request = PollActivityTaskQueueRequest {
            task_queue: task_queue("activities", TaskQueueKind::Normal),
            identity: "activity-worker".into(),
            ..Default::default()
        };
        let mut waited = Duration::ZERO;
        loop {
            while let Some(task) = self.server.poll_activity_task(&request) {
                let mut text = format!(
                    "activity {} type={} attempt={}",
                    task.activity_id,
                    task.activity_type.unwrap_or_default().name,
                    task.attempt
                );
                if task.heartbeat_details.is_some() {
                    write!(text, " heartbeat={}", payloads_text(task.heartbeat_details.as_ref())).unwrap();
                }
                let priority = task.priority.map_or(0, |priority| priority.priority_key);
                if priority != 0 {
                    write!(text, " priority={priority}").unwrap();
                }
                self.fetched.insert(task.activity_id, (task.task_token, text));
            }
            if let Some((token, text)) = self.fetched.remove(id) {
                self.activities.insert(id.into(), token);
                return text;
            }
            let next = self.server.poll_timeout().filter(|_| !id.is_empty());
            let Some(next) = next.filter(|_| waited < Duration::from_secs(70)) else { return "nothing".into() };
            waited += next - self.server.now();
            self.server.handle_timeout(next);
        }
    }

    fn history(&mut self, words: &Words<'_>) -> Result<Vec<String>, ServerError> {
        let run_id = self.run_id(words.first());
        let execution = Some(WorkflowExecution { run_id, ..self.execution(words) });
        let request = GetWorkflowExecutionHistoryRequest { execution, ..Default::default() };
        let page = self.server.history_page(&request)?;
        let events = page.history.unwrap_or_default().events;
        let lines = history_lines(&events);
        // The first line names the run.
        let shown = self.shown.insert(lines[0].clone(), lines.clone()).unwrap_or_default();
        let known = lines.iter().zip(&shown).take_while(|(line, shown)| line == shown).count();
        Ok(lines[known..].to_vec())
    }

    fn task(&self, words: &Words<'_>) -> &PollWorkflowTaskQueueResponse {
        &self.tasks[words.option("as").unwrap_or("task")]
    }

    /// Replaces Run Ids by names in the order in which they appear.
    fn with_names(&mut self, line: String) -> String {
        let mut named = line.clone();
        for word in line.split([' ', '=', ',', '/']) {
            let word = word.trim_end_matches('.');
            let is_run_id = word.len() == 36 && word.matches('-').count() == 4;
            if is_run_id && !self.runs.iter().any(|run| run == word) {
                self.runs.push(word.to_owned());
            }
        }
        for (index, run) in self.runs.iter().enumerate() {
            named = named.replace(run, &format!("run-{}", index + 1));
        }
        named
    }
}

fn task_text(task: &PollWorkflowTaskQueueResponse) -> String {
    let mut text = match &task.query {
        None => "task".to_owned(),
        Some(query) => format!("query task {}", query.query_type),
    };
    let (previous, started) = (task.previous_started_event_id, task.started_event_id);
    write!(text, " attempt={} previous={previous} started={started}", task.attempt).unwrap();
    let events = task.history.as_ref().map(|history| history.events.as_slice()).unwrap_or_default();
    match (events.first(), events.last()) {
        (Some(first), Some(last)) => {
            let types: Vec<String> = events[events.len().saturating_sub(2)..]
                .iter()
                .map(|event| format!("{:?}", event.event_type()))
                .collect();
            write!(text, " events={}-{} last={}", first.event_id, last.event_id, types.join(",")).unwrap();
        }
        _ => text.push_str(" events=none"),
    }
    if !task.queries.is_empty() {
        let mut names: Vec<&str> = task.queries.values().map(|query| query.query_type.as_str()).collect();
        names.sort_unstable();
        write!(text, " queries={}", names.join(",")).unwrap();
    }
    if !task.messages.is_empty() {
        let texts: Vec<String> = task.messages.iter().map(updates::message_text).collect();
        write!(text, " messages={}", texts.join(",")).unwrap();
    }
    text
}

fn say_of_the_worker(request: &mut RespondWorkflowTaskCompletedRequest, words: &Words<'_>) {
    if words.has("discard") {
        let discard_speculative_workflow_task_with_events = true;
        request.capabilities = Some(Capabilities { discard_speculative_workflow_task_with_events });
    }
    if words.has("metadata") {
        request.sdk_metadata = Some(WorkflowTaskCompletedMetadata {
            lang_used_flags: vec![3],
            sdk_name: "sdk".into(),
            sdk_version: "1.0".into(),
            ..Default::default()
        });
        request.metering_metadata = Some(MeteringMetadata { nonfirst_local_activity_execution_attempts: 2 });
    }
    if let Some(mode) = words.option("mode") {
        let mode = format!("WORKER_VERSIONING_MODE_{}", upper_case(mode));
        request.deployment_options = Some(WorkerDeploymentOptions {
            deployment_name: "d".into(),
            build_id: "b".into(),
            worker_versioning_mode: WorkerVersioningMode::from_str_name(&mode).expect("a mode").into(),
        });
    }
    if let Some(behavior) = words.option("behavior") {
        let behavior = format!("VERSIONING_BEHAVIOR_{}", upper_case(behavior));
        request.versioning_behavior = VersioningBehavior::from_str_name(&behavior).expect("a behavior").into();
    }
}

fn command(text: &str) -> Command {
    let words = Words::of(text);
    let (command_type, attributes) = match words.verb {
        verb if updates::VERBS.contains(&verb) => (
            CommandType::ProtocolMessage,
            Attributes::ProtocolMessageCommandAttributes(
                ProtocolMessageCommandAttributes { message_id: updates::message_id(&words) }.into(),
            ),
        ),
        "timer" => (
            CommandType::StartTimer,
            Attributes::StartTimerCommandAttributes(
                StartTimerCommandAttributes {
                    timer_id: id(words.first()),
                    start_to_fire_timeout: words.plain.get(1).map(|text| wire_duration(text)),
                }
                .into(),
            ),
        ),
        "child" | "signal-external" | "cancel-external" => other_workflows::command(&words),
        "cancel-timer" => (
            CommandType::CancelTimer,
            Attributes::CancelTimerCommandAttributes(
                CancelTimerCommandAttributes { timer_id: id(words.first()) }.into(),
            ),
        ),
        "activity" => (
            CommandType::ScheduleActivityTask,
            Attributes::ScheduleActivityTaskCommandAttributes(activity_command(&words).into()),
        ),
        "cancel-activity" => (
            CommandType::RequestCancelActivityTask,
            Attributes::RequestCancelActivityTaskCommandAttributes(
                RequestCancelActivityTaskCommandAttributes { scheduled_event_id: words.first().parse().unwrap() }
                    .into(),
            ),
        ),
        "nexus" | "cancel-nexus" => nexus::command(&words),
        "marker" => (
            CommandType::RecordMarker,
            Attributes::RecordMarkerCommandAttributes(
                RecordMarkerCommandAttributes {
                    marker_name: id(words.first()),
                    details: BTreeMap::from([("d".into(), payloads("x").unwrap())]),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "upsert" => (
            CommandType::UpsertWorkflowSearchAttributes,
            Attributes::UpsertWorkflowSearchAttributesCommandAttributes(
                UpsertWorkflowSearchAttributesCommandAttributes {
                    search_attributes: Some(SearchAttributes { indexed_fields: fields(words.first(), value(&words)) }),
                }
                .into(),
            ),
        ),
        "memo" => (
            CommandType::ModifyWorkflowProperties,
            Attributes::ModifyWorkflowPropertiesCommandAttributes(
                ModifyWorkflowPropertiesCommandAttributes {
                    upserted_memo: Some(Memo { fields: fields(words.first(), value(&words)) }),
                }
                .into(),
            ),
        ),
        "done" => (
            CommandType::CompleteWorkflowExecution,
            Attributes::CompleteWorkflowExecutionCommandAttributes(
                CompleteWorkflowExecutionCommandAttributes {
                    result: words.plain.first().and_then(|text| payloads(text)),
                }
                .into(),
            ),
        ),
        "fail" => (
            CommandType::FailWorkflowExecution,
            Attributes::FailWorkflowExecutionCommandAttributes(
                FailWorkflowExecutionCommandAttributes {
                    failure: words.plain.first().map(|text| {
                        let mut failure = failure(text);
                        if let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut failure.failure_info {
                            info.non_retryable = words.has("non-retryable");
                        }
                        failure
                    }),
                }
                .into(),
            ),
        ),
        "cancelled" => (
            CommandType::CancelWorkflowExecution,
            Attributes::CancelWorkflowExecutionCommandAttributes(
                CancelWorkflowExecutionCommandAttributes::default().into(),
            ),
        ),
        "continue-as-new" => (
            CommandType::ContinueAsNewWorkflowExecution,
            Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(
                ContinueAsNewWorkflowExecutionCommandAttributes {
                    input: words.plain.first().and_then(|text| payloads(text)),
                    workflow_type: words.option("type").map(|name| WorkflowType { name: name.into() }),
                    ..other_workflows::continue_as_new(&words)
                }
                .into(),
            ),
        ),
        "no-attributes" => {
            let name = format!("COMMAND_TYPE_{}", upper_case(words.first()));
            let command_type = CommandType::from_str_name(&name).expect("a Command");
            return Command { command_type: command_type.into(), ..Default::default() };
        }
        verb => panic!("what is {verb:?}?"),
    };
    Command {
        command_type: command_type.into(),
        attributes: Some(attributes),
        user_metadata: words.user_metadata().map(Box::new),
        ..Default::default()
    }
}

fn activity_command(words: &Words<'_>) -> ScheduleActivityTaskCommandAttributes {
    let activity_type = words.option("type").unwrap_or("A");
    let is_timeless = words.has("no-timeouts") || words.option("schedule-to-close").is_some();
    let has_policy = ["attempts", "initial", "maximum", "coefficient"].iter().any(|key| words.option(key).is_some());
    ScheduleActivityTaskCommandAttributes {
        activity_id: id(words.first()),
        activity_type: (activity_type != "-").then(|| ActivityType { name: activity_type.into() }),
        task_queue: words.option("queue").map_or_else(|| task_queue("activities", TaskQueueKind::Normal), |_| None),
        schedule_to_close_timeout: words.duration("schedule-to-close"),
        schedule_to_start_timeout: words.duration("schedule-to-start"),
        start_to_close_timeout: words
            .duration("start-to-close")
            .or_else(|| (!is_timeless).then(|| wire_duration("30s"))),
        heartbeat_timeout: words.duration("heartbeat"),
        retry_policy: has_policy.then(|| RetryPolicy {
            initial_interval: words.duration("initial"),
            maximum_interval: words.duration("maximum"),
            backoff_coefficient: words.option("coefficient").map_or(0.0, |text| text.parse().unwrap()),
            maximum_attempts: words.option("attempts").map_or(0, |text| text.parse().unwrap()),
            ..Default::default()
        }),
        priority: words.priority(),
        ..Default::default()
    }
}

/// `-` is none.
fn id(text: &str) -> String {
    if text == "-" { String::new() } else { text.into() }
}

/// A search attribute, or a field of a memo or of a header. `-` is none.
fn fields(key: &str, value: Payload) -> BTreeMap<String, Payload> {
    (key != "-").then(|| (key.to_owned(), value)).into_iter().collect()
}

/// Of a search attribute or a field: `v` unless the words say another.
fn value(words: &Words<'_>) -> Payload {
    let encoding = if words.has("null") { "binary/null" } else { "json/plain" };
    let data = match (words.option("size"), words.option("value")) {
        _ if words.has("null") => String::new(),
        (Some(size), _) => format!("[\"{}\"]", "x".repeat(size.parse::<usize>().unwrap() - 4)),
        (None, value) => value.unwrap_or("\"v\"").into(),
    };
    let metadata = BTreeMap::from([("encoding".to_owned(), encoding.into())]);
    Payload { metadata, data: data.into(), ..Default::default() }
}

fn task_queue(name: &str, kind: TaskQueueKind) -> Option<TaskQueue> {
    let normal_name = if kind == TaskQueueKind::Sticky { "normal".into() } else { String::new() };
    Some(TaskQueue { name: name.into(), kind: kind.into(), normal_name })
}

fn failure(message: &str) -> Failure {
    Failure {
        message: message.into(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: "T".into(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn payloads(text: &str) -> Option<Payloads> {
    let metadata = BTreeMap::from([("encoding".to_owned(), "json/plain".into())]);
    let payload = Payload { metadata, data: format!("{text:?}").into(), ..Default::default() };
    Some(Payloads { payloads: vec![payload] })
}

fn payloads_text(payloads: Option<&Payloads>) -> String {
    let payloads = payloads.iter().flat_map(|payloads| &payloads.payloads);
    let texts: Vec<String> =
        payloads.map(|payload| String::from_utf8_lossy(&payload.data).trim_matches('"').to_owned()).collect();
    texts.join(",")
}

/// `1s`, `-1s`, `500ms`, `2m`.
fn milliseconds(text: &str) -> i64 {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit() || character == '-');
    let number: i64 = text[..text.len() - unit.len()].parse().unwrap();
    number
        * i64::from(match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            unit => panic!("what is {unit:?}?"),
        })
}

fn duration(text: &str) -> Duration {
    Duration::from_millis(milliseconds(text).try_into().unwrap())
}

fn wire_duration(text: &str) -> prost_types::Duration {
    let milliseconds = milliseconds(text);
    prost_types::Duration {
        seconds: milliseconds / 1_000,
        nanos: i32::try_from(milliseconds % 1_000 * 1_000_000).unwrap(),
    }
}

fn upper_case(text: &str) -> String {
    text.to_uppercase().replace('-', "_")
}
