//! Waiting for several things at once, coroutines, channels, locks: always in the same order.

use super::*;
use crate::sync::{Mutex, Semaphore, TryReceiveError, TrySendError, channel, unbounded_channel};
use crate::{TimeoutError, join, join_all, race, select, try_join, try_join_all};

workflow!(Selects, |context, _input| {
    let mut slow = context.sleep(Duration::from_secs(9));
    let mut fast = context.sleep(Duration::from_secs(1));
    let first = select! {
        fired = &mut slow => { fired?; "slow" }
        fired = &mut fast => {
            fired?;
            slow.cancel(); // the arm may use what lost
            "fast"
        }
    };
    Ok(first.to_owned())
});

#[test]
fn select_takes_what_is_written_first_of_what_is_ready_at_once() {
    assert_eq!(run::<Selects>(vec![vec![fired(2), fired(1)]])[1], "complete \"slow\"");
    assert_eq!(run::<Selects>(vec![vec![fired(2)]])[1], "cancel timer 1, complete \"fast\"");
}

workflow!(SelectsWithConditions, |context, _input| {
    let mut timer = context.sleep(Duration::from_secs(1));
    let mut has_fired = false;
    let mut seen = Vec::new();
    let mut counted = 0;
    loop {
        select! {
            () = async { panic!("not even made") }, if false => unreachable!(),
            fired = &mut timer, if !has_fired => {
                fired?;
                has_fired = true;
                seen.push("timer".to_owned());
            }
            held = context.wait_condition(|state| state.words.len() > counted) => {
                held?;
                counted += 1;
                seen.push(context.state(|state| state.words[counted - 1].clone()));
            },
        }
        if seen.len() == 3 {
            break;
        }
    }
    let none = select! {
        _ = context.wait_condition(|_| false) => "some",
        default => "none",
    };
    seen.push(none.to_owned());
    Ok(seen.join(" "))
});

#[test]
fn select_has_conditions_and_a_default() {
    assert_eq!(
        run::<SelectsWithConditions>(vec![vec![signal("a")], vec![fired(1)], vec![signal("b")]]),
        ["start timer 1", "-", "-", "complete \"a timer b none\""],
    );
}

workflow!(SelectsNothing, |context, _input| {
    let never = context.state(|state| !state.words.is_empty());
    select! {
        _ = context.sleep(Duration::from_secs(1)), if never => {}
    }
    Ok(String::new())
});

#[test]
fn select_without_anything_to_wait_for_says_so() {
    let lines = run::<SelectsNothing>(Vec::new());
    assert!(lines[0].contains("select!: no condition holds, so there is nothing to wait for"), "{lines:?}");
}

workflow!(SelectsFused, |context, _input| {
    use futures::FutureExt;
    let (mut timer, mut activity) =
        (context.sleep(Duration::from_secs(1)), context.execute_activity(Echo, "x".into(), options()));
    let mut condition = context.wait_condition(|state| !state.words.is_empty()).fuse();
    let mut seen = Vec::new();
    loop {
        futures::select_biased! {
            fired = timer => seen.push(format!("{fired:?}")),
            echoed = activity => seen.push(echoed?),
            held = condition => seen.push(format!("{held:?}")),
            complete => break,
        }
        timer.cancel();
        activity.cancel();
    }
    Ok(seen.join(" "))
});

#[test]
fn z3_handles_are_fused_and_cancelling_what_is_done_does_nothing() {
    assert_eq!(
        run::<SelectsFused>(vec![vec![fired(1), completed(1, "x"), signal("a")]])[1],
        "complete \"Ok(()) x Ok(())\""
    );
}

workflow!(Joins, |context, input| {
    let (timer, echoed) =
        join!(context.sleep(Duration::from_secs(1)), context.execute_activity(Echo, input, options()));
    timer?;
    Ok(echoed?)
});

#[test]
fn join_waits_for_all() {
    assert_eq!(
        run::<Joins>(vec![vec![completed(1, "x")], vec![fired(1)]]),
        ["start timer 1, schedule echo 1", "-", "complete \"x\""]
    );
}

workflow!(TriesToJoin, |context, _input| {
    let first = async {
        context.sleep(Duration::from_secs(1)).await?;
        Err::<(), _>(WorkflowError::from(ApplicationFailure::new("first")))
    };
    let second = async {
        context.sleep(Duration::from_secs(2)).await?;
        Err::<(), _>(WorkflowError::from(ApplicationFailure::new("second")))
    };
    try_join!(first, second)?;
    Ok(String::new())
});

#[test]
fn try_join_ends_with_the_first_failure_and_of_several_with_the_one_written_first() {
    assert_eq!(run::<TriesToJoin>(vec![vec![fired(2)]])[1], "fail second");
    assert_eq!(run::<TriesToJoin>(vec![vec![fired(2), fired(1)]])[1], "fail first");
}

workflow!(JoinsMany, |context, _input| {
    let echoes = (0..300).map(|number| context.execute_activity(Echo, number.to_string(), options()));
    let echoes = try_join_all(echoes).await?;
    let first = race([context.sleep(Duration::from_secs(9)), context.sleep(Duration::from_secs(1))]).await;
    first.1?;
    let all = join_all((0..3).map(async |number| number)).await;
    Ok(format!("{} {} {} {all:?}", echoes.len(), echoes[299], first.0))
});

#[test]
fn z4_any_number_is_joined_in_the_order_of_the_list_and_raced() {
    let halves =
        [1..=150, 151..=300].map(|half| half.rev().map(|number| completed(number, &number.to_string())).collect());
    let [first, second] = halves;
    let lines = run::<JoinsMany>(vec![second, first, vec![fired(2), fired(1)]]);
    assert_eq!(lines[1..], ["-", "start timer 1, start timer 2", "complete \"300 300 0 [0, 1, 2]\""]);
}

workflow!(RacesNothing, |_context, _input| {
    race(Vec::<std::future::Ready<()>>::new()).await;
    Ok(String::new())
});

#[test]
fn a_race_of_nothing_says_so() {
    assert!(run::<RacesNothing>(Vec::new())[0].contains("race() was called with nothing"));
}

workflow!(SharesResult, |context, input| {
    use futures::FutureExt;
    let shared = context.execute_activity(Echo, input, options()).map(|echoed| echoed.map_err(|_| ())).shared();
    let (a, b) = join!(shared.clone(), shared);
    context.sleep(Duration::from_secs(1)).await?;
    Ok(format!("{a:?} {b:?}"))
});

#[test]
fn z5_a_shared_result_goes_on_after_it_was_given() {
    let lines = run::<SharesResult>(vec![vec![completed(1, "x")], vec![fired(1)]]);
    assert_eq!(lines[2], "complete \"Ok(\\\"x\\\") Ok(\\\"x\\\")\"");
}

workflow!(WaitsForAWhile, |context, _input| {
    let holds = context.wait_condition_with_timeout(Duration::from_secs(60), |state| !state.words.is_empty()).await?;
    context.sleep(Duration::from_secs(1)).await?;
    Ok(holds.to_string())
});

#[test]
fn t5_the_timer_of_a_condition_that_holds_is_cancelled() {
    assert_eq!(
        run::<WaitsForAWhile>(vec![vec![signal("a")], vec![fired(2)]]),
        ["start timer 1", "cancel timer 1, start timer 2", "complete \"true\""]
    );
    assert_eq!(
        run::<WaitsForAWhile>(vec![vec![fired(1)], vec![fired(2)]]),
        ["start timer 1", "start timer 2", "complete \"false\""]
    );
    assert_eq!(
        run::<WaitsForAWhile>(vec![vec![signal("a"), fired(1)], vec![fired(2)]])[1..],
        ["start timer 2", "complete \"true\""],
        "what holds when time is over holds",
    );
    assert_eq!(run::<WaitsForAWhile>(vec![vec![cancel_workflow()]])[1], "cancel timer 1, cancelled");
}

workflow!(TimesOut, |context, input| {
    let echoed = context.execute_activity(Echo, input, options());
    match context.timeout(Duration::from_secs(60), echoed).await {
        Ok(echoed) => Ok(echoed?),
        Err(TimeoutError::TimedOut { after }) if after > Duration::from_secs(60) => unreachable!(),
        Err(error) => Err(error.into()),
    }
});

#[test]
fn a_timeout_ends_the_wait_and_nothing_else() {
    assert_eq!(run::<TimesOut>(vec![vec![fired(1)]]), ["schedule echo 1, start timer 1", "fail timed out after 60s"]);
    assert_eq!(run::<TimesOut>(vec![vec![completed(1, "x")]])[1], "cancel timer 1, complete \"x\"");
    assert_eq!(run::<TimesOut>(vec![vec![cancel_workflow()]])[1], "cancel activity 1, cancel timer 1, cancelled");
}

workflow!(AbandonsATimeout, |context, _input| {
    let mut word = context.wait_condition(|state| !state.words.is_empty());
    select! {
        _ = context.timeout(Duration::from_secs(60), std::future::pending::<()>()) => {}
        held = &mut word => held?,
    }
    context.sleep(Duration::from_secs(1)).await?;
    Ok(String::new())
});

#[test]
fn a_timer_that_nobody_else_can_cancel_is_cancelled_with_what_started_it() {
    let mut instance = start_instance::<AbandonsATimeout>();
    assert_eq!(show(instance.activate(activation(Vec::new()))), "start timer 1");
    assert_eq!(show(instance.activate(activation(vec![signal("a")]))), "cancel timer 1, start timer 2");
    drop(instance); // and leads to nothing while a Run is dropped
}

fn note(context: &WorkflowContext<impl Noting>, word: &str) {
    context.state_mut(|state| state.words().push(word.to_owned()));
}

trait Noting: Workflow {
    fn words(&mut self) -> &mut Vec<String>;
}

macro_rules! noting {
    ($($name:ident)+) => {
        $(impl Noting for $name {
            fn words(&mut self) -> &mut Vec<String> {
                &mut self.words
            }
        })+
    };
}

noting!(Spawns ProtectsWithMutex LimitsWithSemaphore);

workflow!(Spawns, |context, _input| {
    let handles = ["a", "b"].map(|name| {
        let context = context.clone();
        context.clone().spawn(async move {
            note(&context, &format!("{name}1"));
            context.sleep(Duration::from_secs(1)).await?;
            note(&context, &format!("{name}2"));
            let inner = context.clone();
            context.spawn(async move { note(&inner, &format!("{name}3")) }).await;
            Ok::<_, WorkflowError>(name)
        })
    });
    note(&context, "run");
    let names = try_join_all(handles).await?;
    Ok(format!("{names:?} {}", context.state(|state| state.words.join(" "))))
});

#[test]
fn coroutines_are_polled_behind_run_in_the_order_of_their_start() {
    assert_eq!(
        run::<Spawns>(vec![vec![fired(2), fired(1)]]),
        ["start timer 1, start timer 2", "complete \"[\\\"a\\\", \\\"b\\\"] run a1 b1 a2 b2 a3 b3\""]
    );
}

#[test]
fn handlers_come_first_then_run_then_coroutines() {
    workflow!(Orders, |context, _input| {
        let inner = context.clone();
        let handle = context.spawn(async move {
            inner.wait_condition(|state| !state.words.is_empty()).await?;
            inner.state_mut(|state| state.words.push("coroutine".into()));
            Ok::<_, WorkflowError>(())
        });
        context.wait_condition(|state| !state.words.is_empty()).await?;
        context.state_mut(|state| state.words.push("run".into()));
        handle.await?;
        Ok(context.state(|state| state.words.join(" ")))
    });
    let lines = run::<Orders>(vec![vec![updates::update("u", "slow", "handler")], vec![completed(1, "handler")]]);
    assert_eq!(lines[2], "complete u \"id of u: handler\", complete \"handler run coroutine\"");
}

workflow!(SpawnsAndPanics, |context, _input| {
    let handle = context.spawn(async { panic!("the answer is {}", 42) });
    handle.await
});

#[test]
fn a_coroutine_that_panics_fails_the_task() {
    assert_eq!(run::<SpawnsAndPanics>(Vec::new()), ["task fails: Panic: a coroutine panicked: the answer is 42"]);
}

#[test]
fn coroutines_leave_nothing_behind() {
    thread_local! {
        static ALIVE: Rc<()> = Rc::new(());
    }
    workflow!(Forgets, |context, _input| {
        let inner = context.clone();
        let held = ALIVE.with(Rc::clone);
        drop(context.spawn(async move {
            inner.wait_condition(|_| false).await.ok();
            drop(held);
        }));
        Ok(String::new())
    });
    let mut instance = start_instance::<Forgets>();
    assert_eq!(show(instance.activate(activation(Vec::new()))), "complete \"\"");
    assert_eq!(ALIVE.with(Rc::strong_count), 2, "the workflow has ended, and its Run is still there");
    drop(instance);
    assert_eq!(ALIVE.with(Rc::strong_count), 1);
}

workflow!(SendsThroughChannels, |context, _input| {
    let (sender, receiver) = channel::<u32>(1);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let consumers: Vec<_> = ["x", "y"]
        .map(|name| {
            let (receiver, seen) = (receiver.clone(), Rc::clone(&seen));
            context.spawn(async move {
                while let Some(value) = receiver.receive().await {
                    seen.borrow_mut().push(format!("{name}{value}"));
                }
            })
        })
        .into();
    context.sleep(Duration::from_secs(1)).await?; // both wait
    for value in 1..=5 {
        sender.send(value).await.expect("somebody receives");
    }
    drop(sender);
    join_all(consumers).await;
    let seen = seen.borrow().join(" ");
    Ok(seen)
});

#[test]
fn w21_each_value_goes_to_the_consumer_that_has_waited_longest() {
    assert_eq!(run::<SendsThroughChannels>(vec![vec![fired(1)]])[1], "complete \"x1 x3 x4 y2 x5\"");
}

workflow!(DropsReceivers, |context, _input| {
    let (sender, receiver) = channel::<u32>(1);
    let mut first = receiver.receive();
    let mut second = receiver.receive();
    select! {
        _ = &mut first => unreachable!(),
        _ = &mut second => unreachable!(),
        default => {}
    }
    sender.try_send(1).expect("handed to the first");
    drop(first); // who goes away with it
    assert_eq!(second.await, Some(1));

    let mut third = receiver.receive();
    select! { _ = &mut third => unreachable!(), default => {} }
    sender.try_send(2).expect("handed to the third");
    sender.try_send(3).expect("there is room");
    assert_eq!(sender.try_send(4), Err(TrySendError::Full(4)));
    let mut fourth = sender.send(5);
    let mut given_up = sender.send(6);
    select! { _ = &mut fourth => unreachable!(), _ = &mut given_up => unreachable!(), default => {} }
    drop(given_up);
    drop(third);
    let mut received = Vec::new();
    for _ in 0..3 {
        received.push(receiver.try_receive());
    }
    assert_eq!(received, [Ok(2), Ok(3), Ok(5)]);
    fourth.await.expect("received");
    assert_eq!(receiver.try_receive(), Err(TryReceiveError::Empty));
    let last = sender.clone();
    drop(sender);
    last.try_send(7).expect("there is room");
    drop(last);
    assert_eq!((receiver.receive().await, receiver.receive().await), (Some(7), None), "what is left, then the end");
    let _ = context;
    Ok("in order".into())
});

#[test]
fn w21_no_value_is_lost_with_a_receiver_that_goes_away() {
    assert_eq!(run::<DropsReceivers>(Vec::new()), ["complete \"in order\""]);
}

workflow!(HandsOver, |context, _input| {
    let (sender, receiver) = channel::<u32>(0);
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)), "nobody holds out a hand");
    let sending = context.spawn({
        let sender = sender.clone();
        async move { sender.send(2).await }
    });
    let received = receiver.receive().await;
    let sent = sending.await;
    let (unbounded, ends) = unbounded_channel();
    unbounded.try_send(1).expect("always room");
    drop(ends);
    assert_eq!(unbounded.try_send(2), Err(TrySendError::Closed(2)));
    receiver.close();
    assert!(sender.send(3).await.is_err_and(|error| error.0 == 3));
    Ok(format!("{received:?} {sent:?}"))
});

#[test]
fn channels_without_room_hand_over_and_closed_ones_give_back() {
    assert_eq!(run::<HandsOver>(Vec::new()), ["complete \"Some(2) Ok(())\""]);
}

workflow!(ProtectsWithMutex, |context, _input| {
    let credit = Mutex::new(100);
    let handles = ["a", "b", "c"].map(|name| {
        let (context, credit) = (context.clone(), credit.clone());
        context.clone().spawn(async move {
            let mut left = credit.lock().await;
            context.sleep(Duration::from_secs(1)).await?;
            *left -= 30;
            note(&context, &format!("{name}{}", *left));
            Ok::<_, WorkflowError>(())
        })
    });
    assert!(!credit.is_locked());
    try_join_all(handles).await?;
    assert!(credit.try_lock().is_some_and(|left| *left == 10));
    Ok(context.state(|state| state.words.join(" ")))
});

#[test]
fn a_mutex_is_held_over_waits_and_served_in_order() {
    assert_eq!(
        run::<ProtectsWithMutex>(vec![vec![fired(1)], vec![fired(2)], vec![fired(3)]]),
        ["start timer 1", "start timer 2", "start timer 3", "complete \"a70 b40 c10\""]
    );
}

workflow!(LimitsWithSemaphore, |context, _input| {
    let at_once = Semaphore::new(2);
    let handles = [("a", 1), ("b", 2), ("c", 1)].map(|(name, permits)| {
        let (context, at_once) = (context.clone(), at_once.clone());
        context.clone().spawn(async move {
            let permit = at_once.acquire_many(permits).await;
            note(&context, name);
            context.sleep(Duration::from_secs(1)).await?;
            drop(permit);
            Ok::<_, WorkflowError>(())
        })
    });
    try_join_all(handles).await?;
    assert_eq!(at_once.available_permits(), 2);
    let mut too_many = at_once.acquire_many(3);
    let mut one = at_once.acquire();
    select! { _ = &mut too_many => unreachable!(), _ = &mut one => unreachable!(), default => {} }
    assert!(at_once.try_acquire().is_none(), "others wait");
    drop(too_many);
    one.await.forget();
    assert_eq!(at_once.available_permits(), 1, "whoever stood behind somebody who went away comes to their turn");
    Ok(context.state(|state| state.words.join(" ")))
});

#[test]
fn a_semaphore_lets_nobody_overtake() {
    assert_eq!(
        run::<LimitsWithSemaphore>(vec![vec![fired(1)], vec![fired(2)], vec![fired(3)]]),
        ["start timer 1", "start timer 2", "start timer 3", "complete \"a b c\""],
        "c would have had room beside a, and b came first",
    );
}
