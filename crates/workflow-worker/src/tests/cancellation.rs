//! Cancellation scopes and tokens.

use super::*;
use crate::{Cancelled, join, select};

workflow!(CancelsAGroup, |context, _input| {
    let outside = context.sleep(Duration::from_secs(1));
    let group = context.child_scope();
    let token = group.cancellation_token();
    let inside = (group.sleep(Duration::from_secs(2)), group.execute_activity(Echo, "x".into(), options()));
    let deeper = group.child_scope().sleep(Duration::from_secs(3));
    context.wait_condition(|state| !state.words.is_empty()).await?;
    token.cancel("enough");
    token.clone().cancel("a second time");
    let (timer, activity, deeper) = join!(inside.0, inside.1, deeper);
    assert_eq!(
        (timer, deeper),
        (Err(Cancelled { reason: "enough".into() }), Err(Cancelled { reason: "enough".into() }))
    );
    assert!(matches!(activity, Err(ActivityFailure::Cancelled(_))));
    assert!(token.is_cancelled() && group.cancellation() == Some("enough".into()) && context.cancellation().is_none());
    let late = group.sleep(Duration::from_secs(4)).await.expect_err("ends at once");
    outside.await?;
    Ok(late.reason)
});

#[test]
fn a_scope_is_cancelled_alone_with_what_is_in_it_in_the_order_of_its_start() {
    let lines = run::<CancelsAGroup>(vec![vec![signal("a")], vec![cancelled(1)], vec![fired(1)]]);
    assert_eq!(
        lines,
        [
            "start timer 1, start timer 2, schedule echo 1, start timer 3",
            "cancel timer 2, cancel activity 1, cancel timer 3",
            "-",
            "complete \"enough\"",
        ]
    );
}

workflow!(Nests, |context, _input| {
    let child = context.child_scope();
    let first = child.sleep(Duration::from_secs(1));
    let second = context.sleep(Duration::from_secs(2));
    let detached = context.detached();
    let third = detached.child_scope().sleep(Duration::from_secs(3));
    let fourth = child.child_scope().sleep(Duration::from_secs(4));
    let (first, second, third, fourth) = join!(first, second, third, fourth);
    assert!(first.is_err() && second.is_err() && fourth.is_err() && third.is_ok());
    assert_eq!(child.cancellation().as_deref(), Some("closing time"));
    assert!(detached.cancellation().is_none());
    first?;
    Ok(String::new())
});

#[test]
fn c15_scopes_below_are_cancelled_with_the_workflow_in_one_order_and_detached_ones_are_not() {
    assert_eq!(
        run::<Nests>(vec![vec![cancel_workflow()], vec![fired(3)]]),
        [
            "start timer 1, start timer 2, start timer 3, start timer 4",
            "cancel timer 1, cancel timer 2, cancel timer 4",
            "cancelled",
        ]
    );
}

workflow!(CancelsOwnScopeThenAsks, |context, input| {
    let scope = if input == "input" { context.child_scope() } else { context.clone() };
    scope.cancellation_token().cancel("by the workflow itself");
    scope.sleep(Duration::from_secs(1)).await?;
    Ok(String::new())
});

#[test]
fn z10_only_a_workflow_that_was_asked_to_ends_as_cancelled() {
    assert_eq!(run::<CancelsOwnScopeThenAsks>(Vec::new()), ["fail cancelled: by the workflow itself"]);
}

workflow!(CancelsTwice, |context, _input| {
    let child = context.child_scope();
    let activity = child.execute_activity(Echo, "x".into(), options());
    context.wait_condition(|state| !state.words.is_empty()).await?;
    child.cancellation_token().cancel("first");
    activity.await?;
    Ok(String::new())
});

#[test]
fn an_operation_is_asked_once_to_cancel_however_many_scopes_around_it_are() {
    assert_eq!(
        run::<CancelsTwice>(vec![vec![signal("a")], vec![cancel_workflow()], vec![cancelled(1)]]),
        ["schedule echo 1", "cancel activity 1", "-", "cancelled"],
    );
}

workflow!(TokensTell, |context, _input| {
    let token = context.cancellation_token().child();
    let scoped = context.with_cancellation_token(&token);
    let reason = token.cancelled();
    let waiting = scoped.wait_condition(|_| false);
    context.wait_condition(|state| !state.words.is_empty()).await?;
    token.cancel("told");
    let (reason, waiting) = join!(reason, waiting);
    Ok(format!("{reason}, {}", waiting.expect_err("cancelled").reason))
});

#[test]
fn whoever_waits_for_a_token_or_a_condition_of_its_scope_is_told() {
    assert_eq!(run::<TokensTell>(vec![vec![signal("a")]]), ["-", "complete \"told, told\""]);
}

workflow!(WaitsCancellably, |context, _input| {
    let (sender, receiver) = crate::sync::unbounded_channel::<String>();
    let received = context.cancellable(receiver.receive()).await;
    drop(sender);
    Ok(received?.unwrap_or_default())
});

#[test]
fn what_knows_nothing_of_cancellation_is_waited_for_until_then() {
    assert_eq!(run::<WaitsCancellably>(vec![vec![cancel_workflow()]]), ["-", "cancelled"]);
}

workflow!(WorksInTime, |context, _input| {
    let (done, cleaned) = context
        .scope_with_timeout(Duration::from_secs(60), async |scope| {
            let done = scope.execute_activity(Echo, "x".into(), options()).await;
            // What must be done all the same.
            (done, scope.detached().sleep(Duration::from_secs(1)).await)
        })
        .await;
    cleaned?;
    match done {
        Ok(done) => Ok(done),
        Err(failure) => Ok(failure.to_string()),
    }
});

#[test]
fn a_scope_with_a_timeout_is_cancelled_when_time_is_over_and_waited_for() {
    assert_eq!(
        run::<WorksInTime>(vec![vec![fired(1)], vec![cancelled(1)], vec![fired(2)]]),
        ["start timer 1, schedule echo 1", "cancel activity 1", "start timer 2", "complete \"stopped\""]
    );
    assert_eq!(
        run::<WorksInTime>(vec![vec![completed(1, "in time")], vec![fired(2)]]),
        ["start timer 1, schedule echo 1", "start timer 2", "cancel timer 1, complete \"in time\""]
    );
}

#[test]
fn a_scope_with_a_timeout_is_cancelled_with_the_one_around_it() {
    assert_eq!(
        run::<WorksInTime>(vec![vec![cancel_workflow()], vec![cancelled(1)], vec![fired(2)]]),
        [
            "start timer 1, schedule echo 1",
            "cancel timer 1, cancel activity 1",
            "start timer 2",
            "complete \"stopped\""
        ]
    );
}

workflow!(DropsInRace, |context, _input| {
    select! {
        _ = context.sleep(Duration::from_secs(5)) => {}
        _ = context.execute_activity(Echo, "x".into(), options()) => {}
    }
    context.sleep(Duration::from_secs(1)).await?;
    Ok(String::new())
});

#[test]
fn what_a_race_drops_goes_on_and_still_ends_with_the_workflow() {
    assert_eq!(
        run::<DropsInRace>(vec![vec![fired(1)], vec![cancel_workflow()]]),
        ["start timer 1, schedule echo 1", "start timer 2", "cancel activity 1, cancel timer 2, cancelled"],
    );
}
