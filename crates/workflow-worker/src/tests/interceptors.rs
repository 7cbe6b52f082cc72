//! What interceptors see and change, and what becomes of those that go wrong.

use std::sync::{Arc, Mutex};

use timewright_definition::{ContextPropagators, PropagatedValue};
use timewright_proto::common::Header;
use timewright_protocol::workflow::{
    Backoff, LocalActivityResolution, NexusOperationStart, Query, ScheduleLocalActivity, Update,
};

use super::*;
use crate::interceptor::{Hooks, Interceptors, intercept_outbound, note_started};
use crate::mailbox::{Mailbox, Operation};
use crate::{
    Handling, InboundCall, InboundKind, InterceptorContext, OutboundCall, StartedOperation, WorkflowInterceptor,
};

/// Answers to Activations, with these interceptors.
fn run_with<W: Workflow<Definition = Definition>>(
    interceptors: Interceptors,
    header: Header,
    activations: Vec<Vec<Job>>,
) -> Vec<Result<Vec<Command>, crate::instance::TaskProblem>> {
    let environment = Environment { interceptors, ..environment() };
    let initialize = Initialize { header, ..initialize() };
    let first = activation(Vec::new());
    match start::<W>(&environment, Box::new(initialize), &first) {
        Ok(mut instance) => {
            let first = vec![Vec::new()];
            first.into_iter().chain(activations).map(|jobs| instance.activate(activation(jobs))).collect()
        }
        Err(problem) => vec![Err(problem)],
    }
}

fn shown<W: Workflow<Definition = Definition>>(
    interceptor: impl WorkflowInterceptor,
    activations: Vec<Vec<Job>>,
) -> Vec<String> {
    let mut interceptors = Interceptors::default();
    interceptors.push(interceptor);
    run_with::<W>(interceptors, Header::default(), activations).into_iter().map(show).collect()
}

fn update(name: &str, word: &str, run_validator: bool) -> Job {
    Job::Update(Box::new(Update {
        protocol_instance_id: "u".into(),
        id: "update-id".into(),
        name: name.into(),
        input: vec![payload(word)],
        run_validator,
        ..Update::default()
    }))
}

fn query() -> Job {
    Job::Query(Query { name: "words".into(), ..Query::default() })
}

workflow!(Echoes, |context, input| {
    let echoed = context.execute_activity(Echo, input, options()).await?;
    context.sleep(Duration::from_secs(1)).await?;
    Ok(echoed)
});

/// Writes all down, with its name.
struct Log(&'static str, Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, text: String) {
        self.1.lock().unwrap().push(format!("{} {text}", self.0));
    }
}

impl WorkflowInterceptor for Log {
    fn inbound(&self, context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
        let arguments: Vec<_> = call.arguments.iter().map(|argument| text(Some(argument))).collect();
        self.note(format!("{:?} {} {arguments:?} {:?}", call.kind(), call.name(), context.call_number()));
        Ok(())
    }

    fn around(&self, _context: &InterceptorContext, call: &InboundCall, handling: Handling) -> Handling {
        let (log, of) = (Self(self.0, Arc::clone(&self.1)), format!("{:?}", call.kind()));
        Box::pin(async move {
            log.note(format!("begins {of}"));
            let result = handling.await;
            log.note(format!("ends {of} {}", text(result.as_ref().ok().and_then(Option::as_ref))));
            result
        })
    }

    fn outbound(&self, context: &InterceptorContext, call: &mut OutboundCall<'_>) -> Result<(), WorkflowError> {
        self.note(format!("asks for {:?} {} {:?}", call.kind(), call.name(), context.call_number()));
        Ok(())
    }

    fn resolved(&self, _context: &InterceptorContext, operation: &StartedOperation, resolution: &mut Resolution) {
        let Resolution::Completed(result) = resolution else { panic!("{resolution:?}") };
        self.note(format!("got {} {}", operation.name, text(result.as_ref())));
    }
}

#[test]
fn all_that_comes_in_and_goes_out_is_seen_in_the_order_of_an_onion() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut interceptors = Interceptors::default();
    interceptors.push(Log("outer", Arc::clone(&log)));
    interceptors.push(Log("inner", Arc::clone(&log)));
    let activations = vec![
        vec![signal("word")],
        vec![update("rename", "new", true)],
        vec![query()],
        vec![completed(1, "echoed")],
        vec![fired(1)],
    ];
    let answers = run_with::<Echoes>(interceptors, Header::default(), activations);
    assert_eq!(
        answers.into_iter().map(show).collect::<Vec<_>>(),
        [
            "schedule echo 1",
            "-",
            "accept u, complete u \"new!\"",
            "answer [\"word\",\"new\"]",
            "start timer 1",
            "complete \"echoed\"",
        ]
    );
    let log = log.lock().unwrap();
    let expected = "outer Workflow tested [\"\\\"input\\\"\"] Some(1)
inner Workflow tested [\"\\\"input\\\"\"] Some(1)
outer begins Workflow
inner begins Workflow
inner asks for Activity echo Some(1)
outer asks for Activity echo Some(1)
outer Signal add [\"\\\"word\\\"\"] Some(2)
inner Signal add [\"\\\"word\\\"\"] Some(2)
outer begins Signal
inner begins Signal
inner ends Signal \n\
outer ends Signal \n\
outer ValidateUpdate rename [\"\\\"new\\\"\"] None
inner ValidateUpdate rename [\"\\\"new\\\"\"] None
outer Update rename [\"\\\"new\\\"\"] Some(3)
inner Update rename [\"\\\"new\\\"\"] Some(3)
outer begins Update
inner begins Update
inner ends Update \"new!\"
outer ends Update \"new!\"
outer Query words [] None
inner Query words [] None
outer got echo \"echoed\"
inner got echo \"echoed\"
inner asks for Timer  Some(2)
outer asks for Timer  Some(2)
inner ends Workflow \"echoed\"
outer ends Workflow \"echoed\"";
    assert_eq!(log.join("\n"), expected);
}

type Inbound = fn(&mut InboundCall) -> Result<(), WorkflowError>;
type Outbound = fn(&mut OutboundCall<'_>) -> Result<(), WorkflowError>;

/// Does what each field says, where there is something.
#[derive(Default)]
struct Changes {
    inbound: Option<Inbound>,
    outbound: Option<Outbound>,
    around: Option<fn(&InterceptorContext, Handling) -> Handling>,
    resolved: Option<fn(&mut Resolution)>,
}

impl WorkflowInterceptor for Changes {
    fn inbound(&self, _context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
        self.inbound.map_or(Ok(()), |change| change(call))
    }

    fn around(&self, context: &InterceptorContext, _call: &InboundCall, handling: Handling) -> Handling {
        match self.around {
            Some(around) => around(context, handling),
            None => handling,
        }
    }

    fn outbound(&self, _context: &InterceptorContext, call: &mut OutboundCall<'_>) -> Result<(), WorkflowError> {
        self.outbound.map_or(Ok(()), |change| change(call))
    }

    fn resolved(&self, _context: &InterceptorContext, _operation: &StartedOperation, resolution: &mut Resolution) {
        if let Some(change) = self.resolved {
            change(resolution);
        }
    }
}

#[test]
fn arguments_headers_and_results_can_be_changed() {
    let changes = Changes {
        inbound: Some(|call| {
            if !call.arguments.is_empty() {
                call.arguments = vec![payload("changed")];
            }
            Ok(())
        }),
        outbound: Some(|call| {
            if let Some(header) = call.header_mut() {
                header.fields.insert("tenant".into(), payload("acme"));
            }
            if let OutboundCall::Timer(timer) = call {
                timer.duration = Duration::from_secs(7);
            }
            Ok(())
        }),
        resolved: Some(|resolution| *resolution = Resolution::Completed(Some(payload("changed, too")))),
        ..Changes::default()
    };
    let mut interceptors = Interceptors::default();
    interceptors.push(changes);
    let activations = vec![vec![signal("word")], vec![query()], vec![completed(1, "echoed")], vec![fired(1)]];
    let answers = run_with::<Echoes>(interceptors, Header::default(), activations);
    let commands: Vec<_> = answers.into_iter().flat_map(|answer| answer.expect("done")).collect();
    let Command::ScheduleActivity(activity) = &commands[0] else { panic!("{commands:?}") };
    assert_eq!(text(activity.arguments.first()), "\"changed\"");
    assert_eq!(texts(&activity.header.fields), BTreeMap::from([("tenant", "\"acme\"".to_owned())]));
    assert_eq!(show_command(&commands[1]), "answer [\"changed\"]");
    assert!(matches!(&commands[2], Command::StartTimer(timer) if timer.duration == Duration::from_secs(7)));
    assert_eq!(show_command(&commands[3]), "complete \"changed, too\"");
}

#[test]
fn what_comes_in_can_be_refused() {
    let refusing = |kind| {
        let refuse: Inbound = match kind {
            InboundKind::Workflow => {
                |call| if call.kind() == InboundKind::Workflow { Err("no".into()) } else { Ok(()) }
            }
            InboundKind::Signal => |call| if call.kind() == InboundKind::Signal { Err("no".into()) } else { Ok(()) },
            InboundKind::Query => |call| if call.kind() == InboundKind::Query { Err("no".into()) } else { Ok(()) },
            InboundKind::Update => |call| if call.kind() == InboundKind::Update { Err("no".into()) } else { Ok(()) },
            _ => |call| if call.kind() == InboundKind::ValidateUpdate { Err("no".into()) } else { Ok(()) },
        };
        let activations = vec![vec![update("rename", "new", true)], vec![query()], vec![signal("word")]];
        shown::<Echoes>(Changes { inbound: Some(refuse), ..Changes::default() }, activations)
    };
    let (taken, answer) = ("accept u, complete u \"new!\"", "answer [\"new\"]");
    assert_eq!(refusing(InboundKind::Workflow)[0], "fail no");
    assert_eq!(refusing(InboundKind::Update), ["schedule echo 1", "accept u, fail u: no", "answer []", "-"]);
    assert_eq!(refusing(InboundKind::ValidateUpdate), ["schedule echo 1", "reject u: no", "answer []", "-"]);
    assert_eq!(refusing(InboundKind::Query), ["schedule echo 1", taken, "no answer: no", "-"]);
    assert_eq!(refusing(InboundKind::Signal), ["schedule echo 1", taken, answer, "fail no"]);
}

/// Nobody knows what a refused start was to take.
#[test]
fn a_start_that_is_refused_is_not_read_and_has_something_around_it() {
    let changes = Changes {
        inbound: Some(|call| match call.kind() {
            InboundKind::Workflow => {
                call.arguments.clear();
                Err("no".into())
            }
            _ => Ok(()),
        }),
        around: Some(|context, handling| {
            let context = context.clone();
            Box::pin(async move {
                context.sleep(Duration::from_secs(1)).await?;
                handling.await
            })
        }),
        ..Changes::default()
    };
    assert_eq!(shown::<Echoes>(changes, vec![vec![fired(1)]]), ["start timer 1", "fail no"]);
}

workflow!(Renamed, |context, input| {
    let nexus = crate::NexusOperationOptions::new("endpoint", "service", "operation");
    let operation: String = context.execute_nexus_operation(nexus, input.clone()).await?;
    Ok(context.execute_activity(Echo, operation, options()).await?)
});

#[test]
fn outcomes_have_the_names_that_interceptors_gave() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut interceptors = Interceptors::default();
    interceptors.push(Log("log", Arc::clone(&log)));
    interceptors.push(Changes {
        outbound: Some(|call| {
            match call {
                OutboundCall::Activity(activity) => activity.activity_type = "another".into(),
                OutboundCall::NexusOperation(nexus) => nexus.operation = "other".into(),
                _ => (),
            }
            Ok(())
        }),
        ..Changes::default()
    });
    let start = NexusOperationStart::Started { operation_token: None };
    let completed_operation =
        Job::ResolveNexusOperation { sequence: 1, resolution: Resolution::Completed(Some(payload("operated"))) };
    let activations = vec![
        vec![Job::ResolveNexusOperationStart { sequence: 1, start }, completed_operation],
        vec![completed(1, "echoed")],
    ];
    run_with::<Renamed>(interceptors, Header::default(), activations)
        .into_iter()
        .for_each(|answer| drop(answer.expect("done")));
    let log = log.lock().unwrap();
    let outcomes: Vec<_> = log.iter().filter(|line| line.contains("got")).collect();
    assert_eq!(outcomes, ["log got service/other \"operated\"", "log got another \"echoed\""]);
}

/// What is rejected leaves nothing in the history, so that a replay could not count it.
#[test]
fn an_update_that_cannot_be_read_does_not_count() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut interceptors = Interceptors::default();
    interceptors.push(Log("log", Arc::clone(&log)));
    let unreadable = Job::Update(Box::new(Update {
        protocol_instance_id: "u".into(),
        name: "slow".into(),
        input: vec![7_u32.to_payload().expect("a number")],
        run_validator: true,
        ..Update::default()
    }));
    let activations = vec![vec![unreadable], vec![update("slow", "word", true)]];
    let answers: Vec<_> =
        run_with::<Echoes>(interceptors, Header::default(), activations).into_iter().map(show).collect();
    assert!(answers[1].starts_with("reject u: "), "{answers:?}");
    let log = log.lock().unwrap();
    let updates: Vec<_> = log.iter().filter(|line| line.contains("Update slow")).collect();
    let expected = [
        "log ValidateUpdate slow [\"7\"] None",
        "log ValidateUpdate slow [\"\\\"word\\\"\"] None",
        "log Update slow [\"\\\"word\\\"\"] Some(2)",
    ];
    assert_eq!(updates, expected);
}

#[test]
fn a_local_activity_that_is_cancelled_between_two_attempts_is_forgotten() {
    let mut interceptors = Interceptors::default();
    interceptors.push(Changes::default());
    let info = Rc::new(WorkflowInfo::new(&environment(), &mut initialize()));
    let hooks = Hooks::new(&interceptors, &info).expect("there are some");
    let mailbox = Rc::new(RefCell::new(Mailbox::new(Default::default(), None)));
    mailbox.borrow_mut().set_hooks(Some(Rc::clone(&hooks)));
    let scope = mailbox.borrow().workflow_scope().clone();
    let mut schedule = ScheduleLocalActivity { activity_type: "echo".into(), ..ScheduleLocalActivity::default() };
    let started = intercept_outbound(&mailbox, &scope, OutboundCall::LocalActivity(&mut schedule));
    let first = mailbox.borrow_mut().schedule_local_activity(&scope, schedule);
    note_started(&mailbox, &scope, started, first);
    assert_eq!(hooks.under_way(), 1);
    let backoff = Backoff { attempt: 2, delay: Duration::from_secs(9), original_schedule_time: SystemTime::UNIX_EPOCH };
    let resolution = LocalActivityResolution::Backoff(backoff);
    let mut job = Job::ResolveLocalActivity { sequence: 1, resolution };
    hooks.resolved(&mailbox, &mut job).unwrap_or_else(|problem| panic!("{:#}", problem.failure));
    mailbox.borrow_mut().take_in(job).expect("a job of the mailbox");
    let _ = mailbox.borrow_mut().cancel(Operation::LocalActivity(1), "enough");
    assert_eq!(hooks.under_way(), 0, "nobody will ever tell of it");
}

#[test]
fn an_update_that_is_replayed_is_not_validated_again() {
    let changes = Changes {
        inbound: Some(|call| match call.kind() {
            InboundKind::ValidateUpdate => Err("no".into()),
            _ => Ok(()),
        }),
        ..Changes::default()
    };
    let answers = shown::<Echoes>(changes, vec![vec![update("rename", "new", false)]]);
    assert_eq!(answers, ["schedule echo 1", "accept u, complete u \"new!\""]);
}

#[test]
fn what_goes_out_can_be_refused_which_fails_the_workflow_task() {
    let changes = Changes { outbound: Some(|_| Err("not on Sundays".into())), ..Changes::default() };
    assert_eq!(
        shown::<Echoes>(changes, vec![]),
        ["task fails: Error: an interceptor refused Activity \"echo\": not on Sundays"]
    );
}

#[test]
fn panics_of_interceptors_are_kept_in() {
    let inbound = Changes { inbound: Some(|_| panic!("broken")), ..Changes::default() };
    assert_eq!(
        shown::<Echoes>(inbound, vec![]),
        ["task fails: Panic: an interceptor of Workflow \"tested\" panicked: broken"]
    );
    let outbound = Changes { outbound: Some(|_| panic!("broken")), ..Changes::default() };
    assert_eq!(shown::<Echoes>(outbound, vec![]), ["task fails: Panic: run panicked: broken"]);
    let resolved = Changes { resolved: Some(|_| panic!("broken")), ..Changes::default() };
    assert_eq!(
        shown::<Echoes>(resolved, vec![vec![completed(1, "echoed")]])[1],
        "task fails: Panic: an interceptor of an outcome panicked: broken"
    );
    let around = Changes { around: Some(|_, _| Box::pin(async { panic!("broken") })), ..Changes::default() };
    assert_eq!(shown::<Echoes>(around, vec![]), ["task fails: Panic: run panicked: broken"]);
}

#[test]
fn an_interceptor_may_wait_for_timers_of_the_workflow() {
    let changes = Changes {
        around: Some(|context, handling| {
            let context = context.clone();
            Box::pin(async move {
                context.sleep(Duration::from_secs(1)).await?;
                handling.await
            })
        }),
        ..Changes::default()
    };
    let activations = vec![vec![fired(1)], vec![signal("word")], vec![query()], vec![fired(2)], vec![query()]];
    assert_eq!(
        shown::<Echoes>(changes, activations),
        ["start timer 1", "schedule echo 1", "start timer 2", "answer []", "-", "answer [\"word\"]"]
    );
}

#[test]
fn z12_an_interceptor_that_waits_for_nothing_or_for_something_foreign_is_found_at_once() {
    let pending = Changes { around: Some(|_, _| Box::pin(std::future::pending())), ..Changes::default() };
    let [found] = shown::<Echoes>(pending, vec![]).try_into().expect("one answer");
    assert!(found.contains("[TMPRL1100] run of workflow \"tested\" (id \"id\") waits"), "{found}");
    assert!(found.contains("nothing"), "{found}");
    let foreign = Changes {
        around: Some(|_, handling| {
            Box::pin(async move {
                let (_sender, receiver) = tokio::sync::oneshot::channel::<()>();
                let _ = receiver.await;
                handling.await
            })
        }),
        ..Changes::default()
    };
    let [found] = shown::<Echoes>(foreign, vec![]).try_into().expect("one answer");
    assert!(found.contains("[TMPRL1100]") && found.contains("tokio"), "{found}");
}

workflow!(OfTenants, |context, input| {
    let tenant = context.value::<String>().cloned().unwrap_or_default();
    let mine = context.execute_activity(Echo, tenant, options());
    let other = context.with_value("other".to_owned());
    let detached = other.detached().child_scope().execute_activity(Echo, input, options());
    context.wait_condition(|state| !state.words.is_empty()).await?;
    let _ = (mine, detached);
    Err(other.continue_as_new("again".to_owned()))
});

#[test]
fn values_come_with_headers_and_go_on_with_whoever_has_them() {
    let mut propagators = ContextPropagators::default();
    propagators.push(PropagatedValue::<String>::new("tenant"));
    let header = |tenant: &str| Header { fields: BTreeMap::from([("tenant".to_owned(), payload(tenant))]) };
    let slow = Job::Update(Box::new(Update {
        protocol_instance_id: "u".into(),
        name: "slow".into(),
        input: vec![payload("of the update")],
        header: header("update's"),
        ..Update::default()
    }));
    let interceptors = Interceptors::default().with_propagators(&propagators);
    let answers = run_with::<OfTenants>(interceptors, header("acme"), vec![vec![slow], vec![signal("go")]]);
    let commands: Vec<_> = answers.into_iter().flat_map(|answer| answer.expect("done")).collect();
    let seen: Vec<_> = commands
        .iter()
        .filter_map(|command| match command {
            Command::ScheduleActivity(activity) => {
                Some((text(activity.arguments.first()), text(activity.header.fields.get("tenant"))))
            }
            Command::ContinueAsNew(next) => {
                let header = next.header.clone().unwrap_or_default();
                Some((text(next.arguments.first()), text(header.fields.get("tenant"))))
            }
            _ => None,
        })
        .collect();
    let expected = [
        ("\"acme\"", "\"acme\""),
        ("\"input\"", "\"other\""),
        ("\"of the update\"", "\"update's\""),
        ("\"again\"", "\"other\""),
    ];
    assert_eq!(seen, expected.map(|(argument, tenant)| (argument.to_owned(), tenant.to_owned())));
}

workflow!(GoesOnThoughCancelled, |context, _input| {
    let cancelled = context.sleep(Duration::from_secs(1)).await;
    assert!(cancelled.is_err(), "nothing else ends this");
    Err(context.continue_as_new("again".to_owned()))
});

#[test]
fn a_cancelled_workflow_goes_on_with_its_values() {
    let mut propagators = ContextPropagators::default();
    propagators.push(PropagatedValue::<String>::new("tenant"));
    let header = Header { fields: BTreeMap::from([("tenant".to_owned(), payload("acme"))]) };
    let interceptors = Interceptors::default().with_propagators(&propagators);
    let mut answers = run_with::<GoesOnThoughCancelled>(interceptors, header.clone(), vec![vec![cancel_workflow()]]);
    match answers.remove(1).expect("done").pop() {
        Some(Command::ContinueAsNew(next)) => assert_eq!(next.header, Some(header)),
        other => panic!("{other:?}"),
    }
}

workflow!(CallsNexus, |context, input| {
    let options = crate::NexusOperationOptions::new("endpoint", "service", "operation").header("Other", "stays");
    Ok(context.execute_nexus_operation(options, input).await?)
});

#[test]
fn values_go_to_nexus_handlers_as_text_where_that_was_asked_for() {
    let called_with = |propagator: PropagatedValue<String>| {
        let mut propagators = ContextPropagators::default();
        propagators.push(propagator);
        let header = Header { fields: BTreeMap::from([("tenant".to_owned(), payload("acme"))]) };
        let interceptors = Interceptors::default().with_propagators(&propagators);
        let mut answers = run_with::<CallsNexus>(interceptors, header, vec![]);
        match answers.remove(0).expect("done").remove(0) {
            Command::ScheduleNexusOperation(schedule) => schedule.header,
            other => panic!("{other:?}"),
        }
    };
    let stays = ("Other".to_owned(), "stays".to_owned());
    assert_eq!(called_with(PropagatedValue::new("tenant")), BTreeMap::from([stays.clone()]));
    let goes = ("tenant".to_owned(), "\"acme\"".to_owned());
    assert_eq!(called_with(PropagatedValue::new("tenant").through_nexus()), BTreeMap::from([stays, goes]));
}

#[test]
fn a_value_that_cannot_be_read_fails_the_workflow_task_and_says_which() {
    let mut propagators = ContextPropagators::default();
    propagators.push(PropagatedValue::<u64>::new("tenant"));
    let header = Header { fields: BTreeMap::from([("tenant".to_owned(), payload("acme"))]) };
    let interceptors = Interceptors::default().with_propagators(&propagators);
    let [answer] = run_with::<OfTenants>(interceptors, header, vec![]).try_into().expect("one answer");
    let found = show(answer);
    assert!(found.contains("the header of Workflow \"tested\", for workflow \"tested\" (id \"id\")"), "{found}");
}
