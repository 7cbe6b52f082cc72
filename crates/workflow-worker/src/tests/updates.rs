//! Updates: taken, rejected, handled, in their order.

use timewright_protocol::workflow::Update;

use super::*;

pub(super) fn update(id: &str, name: &str, word: &str) -> Job {
    Job::Update(Box::new(Update {
        protocol_instance_id: id.into(),
        id: format!("id of {id}"),
        name: name.into(),
        input: vec![payload(word)],
        run_validator: true,
        ..Update::default()
    }))
}

fn accepted_before(id: &str, name: &str, word: &str) -> Job {
    let Job::Update(update) = update(id, name, word) else { unreachable!("it was just made") };
    Job::Update(Box::new(Update { run_validator: false, ..*update }))
}

workflow!(WaitsForWord, |context, _input| {
    context.wait_condition(|state| state.words.iter().any(|word| word == "end")).await?;
    Ok(context.state(|state| state.words.join(" ")))
});

fn answers(jobs: Vec<Job>) -> String {
    run::<WaitsForWord>(vec![jobs]).remove(1)
}

#[test]
fn u1_an_update_is_accepted_handled_and_answered() {
    assert_eq!(answers(vec![update("u", "rename", "a")]), "accept u, complete u \"a!\"");
}

#[test]
fn u2_what_a_validator_refuses_leaves_nothing() {
    let lines = run::<WaitsForWord>(vec![vec![update("u", "rename", "known")], vec![update("v", "rename", "end")]]);
    assert_eq!(lines, ["-", "reject u: it is called that already", "accept v, complete v \"end!\", complete \"end\""]);
}

#[test]
fn u3_a_validator_that_panics_rejects() {
    assert_eq!(
        answers(vec![update("u", "rename", "panic")]),
        "reject u: the validator of update \"rename\" panicked: no such word"
    );
}

#[test]
fn u4_a_handler_that_fails_fails_the_update_and_one_that_panics_the_task() {
    assert_eq!(answers(vec![update("u", "rename", "fail")]), "accept u, fail u: it stays as it is");
    assert_eq!(
        answers(vec![update("u", "rename", "crash")]),
        "task fails: Panic: the handler of update \"rename\" panicked: the handler is broken"
    );
}

#[test]
fn u5_an_unknown_update_is_rejected_with_the_known_ones() {
    assert_eq!(
        answers(vec![update("u", "colour", "red")]),
        "reject u: workflow \"tested\" (id \"id\") has no handler for update \"colour\"; it has [\"rename\", \"slow\"]"
    );
    assert_eq!(
        answers(vec![accepted_before("u", "colour", "red")]),
        "task fails: UnknownUpdate: workflow \"tested\" (id \"id\") has no handler for update \"colour\"; it has \
         [\"rename\", \"slow\"]",
        "what was accepted cannot be rejected any more"
    );
}

#[test]
fn u6_input_that_cannot_be_read_rejects() {
    let Job::Update(mut number) = update("u", "rename", "") else { unreachable!("it was just made") };
    number.input = vec![7_u32.to_payload().expect("a number")];
    let answer = answers(vec![Job::Update(number)]);
    assert!(
        answer.starts_with("reject u: the input of update \"rename\" of workflow \"tested\" (id \"id\"): "),
        "{answer}"
    );
}

#[test]
fn u7_signals_and_updates_are_handled_in_their_order_before_run_goes_on() {
    assert_eq!(
        answers(vec![signal("a"), update("u", "rename", "b"), signal("end"), update("v", "rename", "c")]),
        "accept u, complete u \"b!\", accept v, complete v \"c!\", complete \"a b end c\""
    );
}

#[test]
fn u8_handlers_that_take_time_run_beside_each_other() {
    let lines = run::<WaitsForWord>(vec![
        vec![update("u", "slow", "x"), update("v", "slow", "y")],
        vec![completed(2, "second")],
        vec![completed(1, "end")],
    ]);
    assert_eq!(
        lines,
        [
            "-",
            "accept u, schedule echo 1, accept v, schedule echo 2",
            "complete v \"id of v: second\"",
            "complete u \"id of u: end\", complete \"second end\"",
        ]
    );
}

#[test]
fn u9_a_replay_does_not_validate() {
    assert_eq!(answers(vec![accepted_before("u", "rename", "known")]), "accept u, complete u \"known!\"");
}

workflow!(WaitsForHandlers, |context, _input| {
    context.wait_condition(|state| !state.words.is_empty()).await?;
    context.wait_condition(|_| context.all_handlers_finished()).await?;
    Ok("done".into())
});

#[test]
fn u10_a_workflow_can_wait_for_its_handlers() {
    let lines = run::<WaitsForHandlers>(vec![vec![update("u", "slow", "x"), signal("a")], vec![completed(1, "y")]]);
    assert_eq!(lines[1..], ["accept u, schedule echo 1", "complete u \"id of u: y\", complete \"done\""]);
}

workflow!(EndsAtOnce, |context, _input| {
    context.state_mut(|state| state.words.push("end".into()));
    Ok(String::new())
});

#[test]
fn u11_an_update_of_the_first_task_is_answered_before_the_end() {
    let mut instance = start_instance::<EndsAtOnce>();
    assert_eq!(
        show(instance.activate(activation(vec![update("u", "rename", "a")]))),
        "accept u, complete u \"a!\", complete \"\""
    );
}
