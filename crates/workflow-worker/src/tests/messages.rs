//! Signals, Queries and Updates: handlers that take time, dynamic ones, ones that are registered later.

use timewright_converter::{RawArguments, RawValue};
use timewright_protocol::workflow::Update;

use super::*;
use crate::{
    AnyQuery, AnySignal, AnyUpdate, AnyWorkflow, HandlerUnfinishedPolicy, NamedQuery, NamedSignal, NamedUpdate,
};

/// Defines a workflow with these handlers; `words` is its state.
macro_rules! handling {
    ($name:ident, |$context:ident, $input:ident| $run:expr, |$handlers:ident| $register:expr) => {
        #[allow(dead_code, reason = "not each of them has a use for its state")]
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
            fn handlers($handlers: &mut Handlers<Self>) {
                $register
            }
        }
    };
}

fn named(name: &str, word: &str) -> Job {
    Job::Signal { name: name.into(), input: vec![payload(word)], header: Default::default(), identity: String::new() }
}

fn update(id: &str, name: &str, word: &str) -> Job {
    Job::Update(Box::new(Update {
        protocol_instance_id: id.into(),
        id: format!("id of {id}"),
        name: name.into(),
        input: vec![payload(word)],
        run_validator: true,
        ..Update::default()
    }))
}

fn asked(name: &str, word: &str) -> Job {
    Job::Query(Query { id: "q".into(), name: name.into(), input: vec![payload(word)], ..Query::default() })
}

/// What was answered to the last of these Activations, the first of which starts the workflow.
fn last<W: Workflow<Definition = Definition>>(activations: Vec<Vec<Job>>) -> String {
    run::<W>(activations).pop().expect("an answer")
}

handling!(
    WaitsForEnd,
    |context, _input| {
        context.wait_condition(|state| state.words.iter().any(|word| word == "end")).await?;
        context.wait_condition(|_| context.all_handlers_finished()).await?;
        Ok(context.state(|state| state.words.join(" ")))
    },
    |handlers| {
        handlers.signal_async(Add, |context, word| async move {
            if word != "end" {
                context.execute_activity(Echo, word.clone(), options()).await?;
            }
            assert!(context.current_update().is_none());
            context.state_mut(|state| state.words.push(word));
            Ok(())
        });
        handlers.signal_async(NamedSignal::new("now"), |context, word: String| async move {
            context.state_mut(|state| state.words.push(word));
        });
    }
);

#[test]
fn signals_that_take_time_begin_at_once_in_order_and_count_as_running() {
    let lines = run::<WaitsForEnd>(vec![
        vec![signal("a"), named("now", "b"), signal("c"), signal("end")],
        vec![completed(2, "")],
        vec![completed(1, "")],
    ]);
    assert_eq!(lines, ["-", "schedule echo 1, schedule echo 2", "-", "complete \"b end c a\""]);
}

#[test]
fn z10_the_handler_of_a_signal_that_ends_with_the_cancellation_leaves_the_end_to_run() {
    handling!(
        CleansUpLater,
        |context, _input| {
            context.cancelled().await;
            context.detached().execute_activity(Echo, "clean".into(), options()).await?;
            Ok("cleaned up".into())
        },
        |handlers| {
            handlers
                .signal_async(Add, |context, _word| async move { Ok(context.sleep(Duration::from_secs(1)).await?) });
        }
    );
    let lines = run::<CleansUpLater>(vec![vec![signal("a")], vec![cancel_workflow()], vec![completed(1, "")]]);
    assert_eq!(lines, ["-", "start timer 1", "cancel timer 1, schedule echo 1", "complete \"cleaned up\""]);
}

handling!(
    FailsInHandlers,
    |context, _input| {
        context.wait_condition(|state| !state.words.is_empty()).await?;
        Ok("run has ended".into())
    },
    |handlers| {
        let declined = || ApplicationFailure::new("declined").with_type("CardDeclined");
        handlers.signal(Add, move |state, word| {
            state.words.push(word.clone());
            if word == "bad" {
                return Err(declined().into());
            }
            assert!(word != "crash", "no such word");
            Ok(())
        });
        handlers.signal_async(NamedSignal::new("later"), move |context, word: String| async move {
            context.execute_activity(Echo, word.clone(), options()).await?;
            match word.as_str() {
                "again" => Err(context.continue_as_new(word)),
                _ => Err(declined().into()),
            }
        });
        handlers.update(Rename, |_state, word| Ok(word));
    }
);

#[test]
fn a_signal_handler_that_fails_fails_the_workflow_behind_all_that_was_to_be_handled() {
    assert_eq!(
        last::<FailsInHandlers>(vec![vec![signal("bad"), update("u", "rename", "a")]]),
        "accept u, complete u \"a\", fail declined",
        "it fails before `run` could have ended"
    );
    let mut instance = start_instance::<FailsInHandlers>();
    instance.activate(activation(vec![named("later", "x")])).expect("begun");
    let commands = instance.activate(activation(vec![completed(1, "")])).expect("an end");
    let [Command::FailWorkflow { failure }] = commands.as_slice() else { panic!("{commands:?}") };
    let kind = format!("{:?}", failure.failure_info);
    assert!(kind.contains("CardDeclined"), "{kind}");
}

#[test]
fn a_signal_handler_that_panics_or_wants_what_it_cannot_fails_the_task() {
    assert_eq!(
        last::<FailsInHandlers>(vec![vec![signal("crash")]]),
        "task fails: Panic: the handler of signal \"add\" panicked: no such word"
    );
    assert_eq!(
        last::<FailsInHandlers>(vec![vec![named("later", "again")], vec![completed(1, "")]]),
        "task fails: ContinueAsNew: the handler of signal \"later\" cannot continue the workflow as new; let `run` do it"
    );
    let Job::Signal { name, header, identity, .. } = signal("") else { unreachable!("it was just made") };
    let number = Job::Signal { name, header, identity, input: vec![7_u32.to_payload().expect("a number")] };
    let line = last::<FailsInHandlers>(vec![vec![number]]);
    assert!(
        line.starts_with(
            "task fails: ConversionError: signal \"add\" of workflow \"tested\" (id \"id\"): argument 1: "
        ),
        "the signal is not lost: mended code gets it, {line}"
    );
}

handling!(
    Dynamic,
    |context, _input| {
        context.wait_condition(|state| state.words.len() >= 4).await?;
        Ok(context.state(|state| state.words.join(", ")))
    },
    |handlers| {
        handlers.signal(Add, |state, word| state.words.push(word));
        handlers.signal_async(AnySignal, |context, signal| async move {
            let name = signal.name.clone();
            let word: String = signal.read()?;
            context.state_mut(|state| state.words.push(format!("{name} {word}")));
            Ok(())
        });
        handlers.query(Words, |state, ()| Ok(state.words.clone()));
        handlers.query(AnyQuery, |state, query| {
            let (count, name) = (state.words.len(), query.name.clone());
            let word: String = query.read()?;
            Ok(RawValue(format!("{name} {word} {count}").to_payload()?))
        });
        handlers.validate_update(AnyUpdate, |_state, update| match update.name.as_str() {
            "rename" => panic!("a dynamic validator is not for updates with handlers of their own"),
            "never" => Err(ApplicationFailure::new("never").with_type("Never").into()),
            _ => Ok(()),
        });
        handlers.update(Rename, |_state, word| Ok(word));
        handlers.update_async(AnyUpdate, |context, update| async move {
            let name = update.name.clone();
            let word: String = update.read()?;
            context.state_mut(|state| state.words.push(format!("{name} {word}")));
            Ok(RawValue(name.to_payload()?))
        });
    }
);

#[test]
fn dynamic_handlers_get_what_no_other_is_for() {
    let lines = run::<Dynamic>(vec![
        vec![signal("a"), named("colour", "red"), update("u", "paint", "b"), update("v", "never", "c")],
        vec![asked("height", "x")],
        vec![asked("words", "x")],
        vec![asked("__temporal_unknown", "x")],
        vec![update("w", "rename", "d"), named("colour", "blue")],
    ]);
    assert_eq!(lines[1], "accept u, complete u \"paint\", reject v: never");
    assert_eq!(lines[2], "answer \"height x 3\"");
    assert_eq!(lines[3], "answer [\"a\",\"colour red\",\"paint b\"]");
    assert!(lines[4].contains("has no handler for query \"__temporal_unknown\""), "{}", lines[4]);
    assert_eq!(lines[5], "accept w, complete w \"d\", complete \"a, colour red, paint b, colour blue\"");
}

handling!(
    RegistersLater,
    |context, _input| {
        context.sleep(Duration::from_secs(1)).await?;
        context.register_handlers(|handlers| {
            handlers.signal(Add, |state, word| state.words.push(word));
            handlers.signal_async(NamedSignal::new("slow"), |context, word: String| async move {
                context.execute_activity(Echo, word.clone(), options()).await?;
                context.state_mut(|state| state.words.push(word));
                Ok(())
            });
            handlers.query(NamedQuery::new("count"), |state, ()| Ok(state.words.len()));
        });
        context.state_mut(|state| state.words.push("registered".into()));
        context.wait_condition(|state| state.words.len() >= 5).await?;
        Ok(context.state(|state| state.words.join(" ")))
    },
    |_handlers| ()
);

#[test]
fn w20_signals_wait_in_their_order_until_there_is_a_handler() {
    let lines = run::<RegistersLater>(vec![
        vec![signal("a"), named("slow", "b"), named("other", "x")],
        vec![asked("count", "")],
        vec![signal("c")],
        vec![fired(1)],
        vec![query("count")],
        vec![completed(1, ""), signal("d")],
    ]);
    assert!(lines[2].ends_with("has no handler for query \"count\"; it has []"), "{}", lines[2]);
    assert_eq!(lines[4], "schedule echo 1", "the slow one has begun, in its turn");
    assert_eq!(lines[5], "answer 3", "the others were handled before `register_handlers` returned");
    assert_eq!(lines[6], "complete \"a c registered d b\"");
}

handling!(
    RegistersFirst,
    |context, _input| {
        context.register_handlers(|handlers| {
            handlers.update(NamedUpdate::new("early"), |state, word: String| {
                state.words.push(word.clone());
                Ok(word)
            });
        });
        context.wait_condition(|state| !state.words.is_empty()).await?;
        Ok("end".into())
    },
    |_handlers| ()
);

#[test]
fn u6_an_update_of_the_first_task_waits_for_the_handler_that_run_registers() {
    let mut instance = start_instance::<RegistersFirst>();
    assert_eq!(
        show(instance.activate(activation(vec![update("u", "early", "a"), update("v", "never", "b")]))),
        "accept u, complete u \"a\", reject v: workflow \"tested\" (id \"id\") has no handler for update \"never\"; it has \
         [\"early\"], complete \"end\""
    );
}

handling!(
    RegistersEverywhere,
    |context, _input| {
        let inner = context.clone();
        context.state_mut(|_| inner.register_handlers(|_| ()));
        Ok(String::new())
    },
    |_handlers| ()
);

#[test]
fn registering_where_it_is_not_possible_says_what_to_do() {
    let line = last::<RegistersEverywhere>(Vec::new());
    assert!(line.contains("register_handlers() was called inside state() or state_mut()"), "{line}");
    handling!(
        RegistersReserved,
        |context, _input| {
            context.register_handlers(|handlers| {
                handlers.query(NamedQuery::new("__stack_trace"), |_, ()| Ok(String::new()));
            });
            Ok(String::new())
        },
        |_handlers| ()
    );
    let line = last::<RegistersReserved>(Vec::new());
    assert!(line.contains("query \"__stack_trace\": this name is reserved for Temporal itself"), "{line}");
}

#[test]
fn a_handler_that_was_registered_later_may_hold_the_context_and_leaves_nothing_behind() {
    thread_local! {
        static ALIVE: Rc<()> = Rc::new(());
    }
    handling!(
        HoldsItself,
        |context, _input| {
            let (inner, alive) = (context.clone(), ALIVE.with(Rc::clone));
            context.register_handlers(|handlers| {
                handlers.signal(Add, move |_state, _word| {
                    let _ = (&inner, &alive);
                });
            });
            context.wait_condition(|_| false).await?;
            Ok(String::new())
        },
        |_handlers| ()
    );
    let mut instance = start_instance::<HoldsItself>();
    assert_eq!(show(instance.activate(activation(Vec::new()))), "-");
    assert_eq!(ALIVE.with(Rc::strong_count), 2);
    instance.close();
    assert_eq!(ALIVE.with(Rc::strong_count), 1);
}

handling!(
    RegistersWhileHandling,
    |context, _input| {
        context.wait_condition(|state| state.words.len() >= 3).await?;
        Ok(context.state(|state| state.words.join(" ")))
    },
    |handlers| {
        handlers.signal_async(Add, |context, word| async move {
            context.register_handlers(|handlers| {
                handlers.signal_async(NamedSignal::new("inner"), |context, word: String| async move {
                    context.state_mut(|state| state.words.push(format!("inner {word}")));
                });
            });
            context.state_mut(|state| state.words.push(word));
        });
    }
);

#[test]
fn handlers_register_handlers_whose_signals_have_waited() {
    let line = last::<RegistersWhileHandling>(vec![vec![named("inner", "1"), signal("a"), named("inner", "2")]]);
    assert_eq!(line, "complete \"inner 1 a inner 2\"");
}

handling!(
    Chains,
    |context, _input| {
        context.wait_condition(|state| state.words.iter().any(|word| word == "2")).await?;
        context.state_mut(|state| state.words.push("3".into()));
        context.wait_condition(|_| context.all_handlers_finished()).await?;
        Ok(context.state(|state| state.words.join(" ")))
    },
    |handlers| {
        handlers.signal_async(Add, |context, word| async move {
            let number: u32 = word.parse()?;
            context.wait_condition(|state| state.words.contains(&(number - 1).to_string())).await?;
            context.state_mut(|state| state.words.push(word));
            Ok(())
        });
        handlers.update_async(Slow, |context, word| async move {
            let number: u32 = word.parse()?;
            context.wait_condition(|state| state.words.contains(&(number - 1).to_string())).await?;
            context.state_mut(|state| state.words.push(word.clone()));
            Ok(word)
        });
        handlers.signal(NamedSignal::new("start"), |state, word: String| state.words.push(word));
    }
);

#[test]
fn z1_chains_of_handlers_and_run_come_to_their_end_in_one_activation() {
    let line = last::<Chains>(vec![vec![
        update("u", "slow", "6"),
        signal("5"),
        update("v", "slow", "4"),
        signal("2"),
        update("w", "slow", "1"),
        named("start", "0"),
    ]]);
    assert_eq!(
        line,
        "accept u, accept v, accept w, complete w \"1\", complete v \"4\", complete u \"6\", complete \"0 1 2 3 4 5 6\""
    );
}

#[test]
fn u7_a_condition_that_a_signal_fulfils_does_not_overtake_an_update_of_the_same_task() {
    handling!(
        EndsOnSignal,
        |context, _input| {
            context.wait_condition(|state| !state.words.is_empty()).await?;
            Ok("end".into())
        },
        |handlers| {
            handlers.signal(Add, |state, word| state.words.push(word));
            handlers.update_async(Slow, |context, word| async move {
                context.wait_condition(|state| !state.words.is_empty()).await?;
                Ok(word)
            });
        }
    );
    let line = last::<EndsOnSignal>(vec![vec![signal("a"), update("u", "slow", "b")]]);
    assert_eq!(line, "accept u, complete u \"b\", complete \"end\"");
}

#[test]
fn z11_a_rejected_update_is_no_running_handler() {
    handling!(
        WaitsForAll,
        |context, _input| {
            context.wait_condition(|state| !state.words.is_empty()).await?;
            context.wait_condition(|_| context.all_handlers_finished()).await?;
            Ok("end".into())
        },
        |handlers| {
            handlers.signal(Add, |state, word| state.words.push(word));
            handlers.validate_update(Slow, |_state, _word| Err(ApplicationFailure::new("no").into()));
            handlers.update_async(Slow, |_context, word| async move { Ok(word) });
        }
    );
    let lines =
        run::<WaitsForAll>(vec![vec![update("u", "slow", "a"), update("v", "unknown", "a")], vec![signal("a")]]);
    assert!(lines[1].starts_with("reject u: no, reject v: workflow"), "{lines:?}");
    assert_eq!(lines[2], "complete \"end\"");
}

#[test]
fn w21_each_signal_reaches_its_own_handler_and_one_that_waits_takes_nothing_from_others() {
    handling!(
        TwoConsumers,
        |context, _input| {
            context.wait_condition(|state| state.words.len() >= 4).await?;
            Ok(context.state(|state| state.words.join(" ")))
        },
        |handlers| {
            handlers.signal_async(Add, |context, word| async move {
                context.execute_activity(Echo, word.clone(), options()).await?;
                context.state_mut(|state| state.words.push(word));
                Ok(())
            });
            handlers.signal(NamedSignal::new("other"), |state, word: String| state.words.push(word));
        }
    );
    let lines = run::<TwoConsumers>(vec![
        vec![signal("a"), named("other", "b"), signal("c")],
        vec![named("other", "d"), completed(2, ""), completed(1, "")],
    ]);
    assert_eq!(lines[1..], ["schedule echo 1, schedule echo 2", "complete \"b d a c\""]);
}

#[test]
fn current_update_is_that_of_the_handler_in_every_future_that_it_makes() {
    handling!(
        Spawns,
        |context, _input| {
            assert!(context.current_update().is_none());
            context.wait_condition(|state| state.words.len() >= 4).await?;
            context.wait_condition(|_| context.all_handlers_finished()).await?;
            Ok(context.state(|state| state.words.join(", ")))
        },
        |handlers| {
            handlers.update_async(Slow, |context, word| async move {
                let parts = (0..2).map(|part| {
                    let context = context.clone();
                    async move {
                        context.execute_activity(Echo, String::new(), options()).await?;
                        let id = context.current_update().map(|update| update.id.clone()).unwrap_or_default();
                        context.state_mut(|state| state.words.push(format!("{part} of {id}")));
                        Ok::<(), WorkflowError>(())
                    }
                });
                futures::future::try_join_all(parts.collect::<Vec<_>>()).await?;
                Ok(word)
            });
        }
    );
    let lines = run::<Spawns>(vec![
        vec![update("u", "slow", "a"), update("v", "slow", "b")],
        vec![completed(4, ""), completed(1, ""), completed(3, ""), completed(2, "")],
    ]);
    assert_eq!(
        lines[2],
        "complete u \"a\", complete v \"b\", complete \"0 of id of u, 1 of id of u, 0 of id of v, 1 of id of v\""
    );
}

/// What is logged while this is alive, by this thread.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn logged(during: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, during);
    String::from_utf8(log.0.lock().expect("nobody panics here").clone()).expect("text")
}

handling!(
    EndsEarly,
    |context, _input| {
        context.wait_condition(|state| !state.words.is_empty()).await?;
        match context.state(|state| state.words[0].clone()).as_str() {
            "fail" => Err(ApplicationFailure::new("it fails").into()),
            "again" => Err(context.continue_as_new(String::new())),
            "wait" => Ok(context.cancelled().await),
            other => Ok(other.to_owned()),
        }
    },
    |handlers| {
        handlers.signal(Add, |state, word| state.words.push(word));
        handlers.signal_async(NamedSignal::new("slow"), |context, word: String| async move {
            context.execute_activity(Echo, word, options()).await?;
            Ok(())
        });
        handlers
            .signal_async(NamedSignal::new("careless"), |context, word: String| async move {
                context.execute_activity(Echo, word, options()).await?;
                Ok(())
            })
            .unfinished_policy(HandlerUnfinishedPolicy::Abandon);
        handlers.update_async(Slow, |context, word| async move {
            Ok(context.execute_activity(Echo, word, options()).await?)
        });
    }
);

#[test]
fn what_a_workflow_leaves_behind_is_said_however_it_ends() {
    let begun = || {
        let mut instance = start_instance::<EndsEarly>();
        let unknown = || named("unknown", "x");
        let jobs = vec![named("slow", "a"), named("careless", "b"), update("u", "slow", "c"), unknown(), unknown()];
        show(instance.activate(activation(jobs)));
        instance
    };
    for (word, end) in [("end", "complete \"end\""), ("fail", "fail it fails"), ("again", "continue as new \"\"")] {
        let log = logged(|| assert_eq!(show(begun().activate(activation(vec![signal(word)]))), end));
        let span = "workflow{workflow_type=\"tested\" workflow_id=\"id\" run_id=\"run\" namespace=\"default\" task_queue=\"queue\"}: ";
        let warnings: Vec<_> = log.lines().map(|line| line.replacen(span, "", 1)).collect();
        assert_eq!(
            warnings,
            [
                " WARN signals came that the workflow has no handlers for; they wait until it registers some \
                 workflow_type=\"tested\" workflow_id=\"id\" run_id=\"run\" signals=[\"unknown\", \"unknown\"] \
                 known=[\"add\", \"careless\", \"slow\"]",
                " WARN the workflow ended with signals that it had no handlers for; how many of each name \
                 workflow_type=\"tested\" workflow_id=\"id\" run_id=\"run\" signals={\"unknown\": 2}",
                " WARN [TMPRL1102] the workflow ended before these handlers, which are abandoned: what they had still to do is \
                 not done, and whoever waits for an update gets no answer. Wait for all_handlers_finished() before the end, \
                 or register them with HandlerUnfinishedPolicy::Abandon workflow_type=\"tested\" workflow_id=\"id\" \
                 run_id=\"run\" handlers=[\"signal slow\", \"update slow (id id of u)\"]",
            ]
        );
    }
    let log = logged(|| {
        let mut instance = begun();
        show(instance.activate(activation(vec![signal("wait")])));
        show(instance.activate(Activation { replaying: true, ..activation(vec![cancel_workflow()]) }));
    });
    assert_eq!(log.lines().count(), 1, "what was said before is not said again on replay: {log}");
}

/// Handles "register N" by registering a handler for "N", which notes what comes.
struct RegistersAsTold {
    noted: Vec<String>,
}

impl Workflow for RegistersAsTold {
    type Definition = Definition;
    fn init(_info: &WorkflowInfo, _input: &String) -> Self {
        Self { noted: Vec::new() }
    }
    async fn run(context: WorkflowContext<Self>, _input: String) -> Result<String, WorkflowError> {
        context.wait_condition(|state| state.noted.last().is_some_and(|last| last == "end")).await?;
        Ok(context.state(|state| state.noted.join(" ")))
    }
    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(NamedSignal::new("end"), |state, ()| state.noted.push("end".into()));
        handlers.signal_async(NamedSignal::new("register"), |context, name: String| async move {
            context.register_handlers(|handlers| {
                handlers.signal(NamedSignal::new(name), |state, word: String| state.noted.push(word));
            });
        });
    }
}

/// What comes to it: a Signal of one of a few names, or the word to register a handler for that name.
#[derive(Debug, Clone)]
struct Told {
    name: u8,
    registers: bool,
    /// Whether an Activation ends behind it.
    ends_activation: bool,
}

fn told() -> impl proptest::strategy::Strategy<Value = Vec<Told>> {
    use proptest::prelude::*;
    let one = (0..3_u8, any::<bool>(), any::<bool>());
    let one = one.prop_map(|(name, registers, ends_activation)| Told { name, registers, ends_activation });
    proptest::collection::vec(one, 0..30)
}

/// What a model says that it notes: what waits is handled at the moment of registration, all else at once.
fn noted(told: &[Told]) -> String {
    let mut registered = [false; 3];
    let mut waiting: Vec<(u8, String)> = Vec::new();
    let mut noted = Vec::new();
    for (index, Told { name, registers, .. }) in told.iter().enumerate() {
        if *registers {
            registered[usize::from(*name)] = true;
            let (now, later) = waiting.into_iter().partition(|(waits, _)| waits == name);
            waiting = later;
            let now: Vec<(u8, String)> = now;
            noted.extend(now.into_iter().map(|(_, word)| word));
        } else if registered[usize::from(*name)] {
            noted.push(index.to_string());
        } else {
            waiting.push((*name, index.to_string()));
        }
    }
    noted.push("end".into());
    noted.join(" ")
}

proptest::proptest! {
    #[test]
    fn w20_each_signal_is_handled_once_in_order_whenever_its_handler_comes(told in told()) {
        let mut activations = vec![Vec::new()];
        for (index, Told { name, registers, ends_activation }) in told.iter().enumerate() {
            let job = match registers {
                true => named("register", &name.to_string()),
                false => named(&name.to_string(), &index.to_string()),
            };
            activations.last_mut().expect("there is one").push(job);
            if *ends_activation {
                activations.push(Vec::new());
            }
        }
        activations.last_mut().expect("there is one").push(named("end", ""));
        let lines = run::<RegistersAsTold>(activations);
        let expected = format!("complete {:?}", noted(&told));
        proptest::prop_assert_eq!(lines.last(), Some(&expected));
    }
}

struct Interpreter;
impl Workflow for Interpreter {
    type Definition = AnyWorkflow;
    fn init(_info: &WorkflowInfo, _arguments: &RawArguments) -> Self {
        Self
    }
    async fn run(context: WorkflowContext<Self>, arguments: RawArguments) -> Result<RawValue, WorkflowError> {
        let info = context.info();
        if info.workflow_type == "again" {
            return Err(context.continue_as_new(arguments));
        }
        let text = format!("{} {}", info.workflow_type, super::text(arguments.0.first()));
        Ok(RawValue(text.to_payload()?))
    }
}

#[test]
fn a_dynamic_workflow_sees_its_type_and_raw_arguments() {
    let mut registry = crate::registry::Registry::default();
    registry.add_dynamic::<Interpreter>();
    registry.add_named::<Dynamic>("known".into());
    let start = |workflow_type: &str| {
        let mut initialize = initialize();
        initialize.workflow_type = workflow_type.into();
        registry
            .start(&environment(), Box::new(initialize), &activation(Vec::new()))
            .map(|mut instance| show(instance.activate(activation(Vec::new()))))
    };
    assert_eq!(start("anything").expect("started"), "complete \"anything \\\"input\\\"\"");
    assert_eq!(start("known").expect("started"), "-");
    let mut initialize = initialize();
    initialize.workflow_type = "again".into();
    let mut instance = registry.start(&environment(), Box::new(initialize), &activation(Vec::new())).expect("started");
    let commands = instance.activate(activation(Vec::new())).expect("commands");
    let [Command::ContinueAsNew(next)] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(next.workflow_type, "again", "it goes on as what it was started as");
    assert_eq!(registry.names(), ["known", "(any other)"]);
    assert!(registry.problem().is_none());
}

#[test]
fn reserved_and_missing_names_are_found_when_the_worker_is_built() {
    handling!(Reserved, |_context, _input| Ok(String::new()), |handlers| {
        handlers.signal(NamedSignal::new("__temporal_mine"), |_state, ()| ());
        handlers.update(NamedUpdate::new(""), |_state, ()| Ok(()));
    });
    let problem = |register: fn(&mut crate::registry::Registry)| {
        let mut registry = crate::registry::Registry::default();
        register(&mut registry);
        format!("{:?}", registry.problem().expect("a problem"))
    };
    assert_eq!(
        problem(crate::registry::Registry::add::<Reserved>),
        "Invalid { workflow_type: \"tested\", problem: \"signal \\\"__temporal_mine\\\": this name is reserved for Temporal \
         itself; choose another; update \\\"\\\" has no name; for all that no other handler is for there is `AnyUpdate`\" }"
    );
    assert!(problem(|registry| registry.add_named::<Dynamic>("__temporal_x".into())).contains("reserved"));
    assert!(problem(|registry| registry.add_named::<Dynamic>(String::new())).contains("it has no name"));
    assert!(problem(|registry| registry.add::<Interpreter>()).contains("dynamic_workflow"));
    let twice = problem(|registry| {
        registry.add_dynamic::<Interpreter>();
        registry.add_dynamic::<Interpreter>();
    });
    assert_eq!(twice, "Twice { workflow_type: \"(dynamic)\" }");
}
