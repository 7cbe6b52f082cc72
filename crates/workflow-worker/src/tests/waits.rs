//! What workflow code may wait for, and what is found when it waits for something else.

use std::sync::mpsc;

use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;

use super::*;

/// The text of TMPRL1100, up to its advice.
fn found(what: &str) -> String {
    format!(
        "task fails: ForeignWait: [TMPRL1100] run of workflow \"tested\" (id \"id\") {what}. On a replay that would happen at \
         another time, or not at all. Wait for what the WorkflowContext gives, such as sleep, execute_activity and \
         wait_condition with a signal; do everything that needs the outside world in activities. \
         (WorkflowWorkerBuilder::detect_foreign_waits(false) turns this check off.)"
    )
}

const NOT_ITS_OWN: &str = "waits for something that is not the workflow's own: a channel, lock, timer, task or connection of \
                           tokio or of another library";

thread_local! {
    /// What a test keeps for its workflow.
    static SENDERS: RefCell<Vec<oneshot::Sender<()>>> = const { RefCell::new(Vec::new()) };
}

fn channel() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    SENDERS.with_borrow_mut(|senders| senders.push(sender));
    receiver
}

#[test]
fn d5_a_channel_of_tokio_is_found_at_once() {
    workflow!(Waits, |_context, input| {
        let _ = channel().await;
        Ok(input)
    });
    assert_eq!(run::<Waits>(vec![]), [found(NOT_ITS_OWN)]);
}

#[test]
fn d5_a_channel_of_tokio_beside_a_timer_is_found_at_once() {
    workflow!(Waits, |context, input| {
        context.sleep(Duration::from_secs(1)).await?;
        select(channel(), context.sleep(Duration::from_secs(1))).await;
        Ok(input)
    });
    assert_eq!(
        run::<Waits>(vec![vec![Job::FireTimer { sequence: 1 }]]),
        ["start timer 1".to_owned(), found(NOT_ITS_OWN)]
    );
}

#[test]
fn z12_a_future_that_nothing_can_wake_is_found_at_once() {
    workflow!(Waits, |context, input| {
        // As an interceptor that forgets what is inside.
        let _forgotten = context.sleep(Duration::from_secs(1));
        std::future::pending::<()>().await;
        Ok(input)
    });
    assert_eq!(run::<Waits>(vec![]), [found("waits, and nothing that the workflow has started can ever wake it")]);
}

#[test]
fn d6_a_waker_that_is_used_by_another_thread_is_found() {
    workflow!(Waits, |context, input| {
        // Behind a combinator that has wakers of its own nobody sees what it waits for.
        let both: FuturesUnordered<_> = [
            Either::Left(async { drop(context.sleep(Duration::from_secs(1)).await) }),
            Either::Right(async { drop(channel().await) }),
        ]
        .into_iter()
        .collect();
        both.collect::<Vec<()>>().await;
        Ok(input)
    });
    let mut instance = start_instance::<Waits>();
    assert_eq!(show(instance.activate(activation(Vec::new()))), "start timer 1");
    let senders = SENDERS.take();
    std::thread::spawn(|| {
        senders.into_iter().for_each(|sender| {
            sender.send(()).ok();
        })
    })
    .join()
    .expect("it does not panic");
    assert_eq!(
        show(instance.activate(activation(vec![Job::FireTimer { sequence: 1 }]))),
        found("was woken from outside its Workflow Task, by another thread or by another workflow")
    );
}

#[test]
fn d6_a_waker_that_is_used_after_its_workflow_has_gone_does_no_harm() {
    workflow!(Waits, |_context, input| {
        let _ = channel().await;
        Ok(input)
    });
    let mut instance = start_instance::<Waits>();
    assert!(instance.activate(activation(Vec::new())).is_err());
    let (wakers, kept) = mpsc::channel();
    instance.close();
    for sender in SENDERS.take() {
        wakers.send(sender.is_closed()).expect("it is kept");
    }
    assert_eq!(kept.try_iter().collect::<Vec<_>>(), [true]);
}

#[test]
fn z4_many_channels_of_tokio_that_are_ready_do_not_spin() {
    workflow!(Waits, |context, input| {
        for _ in 0..1000 {
            let (sender, receiver) = oneshot::channel();
            sender.send(()).ok();
            receiver.await.ok();
        }
        context.sleep(Duration::from_secs(1)).await?;
        Ok(input)
    });
    assert_eq!(run::<Waits>(vec![]), ["start timer 1"]);
}

#[test]
fn z5_results_that_are_shared_are_the_workflows_own() {
    use futures::FutureExt;
    workflow!(Waits, |context, input| {
        let timer = context.sleep(Duration::from_secs(1)).map(|fired| fired.is_ok()).shared();
        let conditions = context.wait_condition(|state| !state.words.is_empty());
        let _ = select(timer.clone(), conditions).await;
        timer.clone().await;
        context.sleep(Duration::from_secs(2)).await?;
        Ok(format!("{input} {}", timer.await))
    });
    let add = Job::Signal {
        name: "add".into(),
        input: vec![payload("x")],
        header: Default::default(),
        identity: String::new(),
    };
    assert_eq!(
        run::<Waits>(vec![vec![add], vec![Job::FireTimer { sequence: 1 }], vec![Job::FireTimer { sequence: 2 }],]),
        ["start timer 1", "-", "start timer 2", "complete \"input true\""]
    );
}

/// It has kept a waker, and nobody waits for it.
#[test]
fn a_combinator_that_is_through_does_not_count() {
    workflow!(Waits, |context, input| {
        let mut done: FuturesUnordered<_> = (1..3).map(std::future::ready).collect();
        while done.next().await.is_some() {}
        context.sleep(Duration::from_secs(1)).await?;
        context.wait_condition(|state| !state.words.is_empty()).await?;
        drop(done);
        Ok(input)
    });
    assert_eq!(run::<Waits>(vec![vec![Job::FireTimer { sequence: 1 }]]), ["start timer 1", "-"]);
}

/// A loop over a condition and timers keeps one waker, however often it is polled.
#[test]
fn wakers_do_not_pile_up() {
    workflow!(Waits, |context, input| {
        let condition = context.wait_condition(|state| !state.words.is_empty());
        let mut condition = std::pin::pin!(condition);
        for _ in 0..100 {
            let _ = select(condition.as_mut(), context.sleep(Duration::from_secs(1))).await;
        }
        Ok(input)
    });
    let timers = (1..=100).map(|sequence| vec![Job::FireTimer { sequence }]).collect();
    let answers = run::<Waits>(timers);
    assert_eq!(answers.last().map(String::as_str), Some("complete \"input\""));
}
