//! The steps of a program, as user code would write them.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{Command, ContinueAsNew, Update};

use super::operations::{Operation, ScheduledActivity, ScheduledLocalActivity, StartedTimer, until};
use super::shared::{Kind, Shared, payload};
use crate::program::{Child, End, Era, Nexus, OnCancel, Program, Step, Target};

/// The whole workflow.
pub(super) async fn main(shared: Rc<RefCell<Shared>>, program: Rc<Program>) {
    let work = run(shared.clone(), program.main.clone(), Place { era: program.era, handles_signal: false });
    let cancelled = match &program.on_cancel {
        OnCancel::Ignore => {
            work.await;
            None
        }
        OnCancel::CleanUp(steps) => {
            let mut work = Some(work);
            let is_cancelled = poll_fn(|context| {
                if shared.borrow().cancel_requested {
                    return Poll::Ready(true);
                }
                let work = work.as_mut().expect("polled until it is ready");
                work.as_mut().poll(context).map(|()| false)
            })
            .await;
            drop(work);
            is_cancelled.then_some(steps)
        }
    };
    if let Some(clean_up) = cancelled {
        run(shared.clone(), clean_up.clone(), Place { era: program.era, handles_signal: false }).await;
        shared.borrow_mut().ask(Command::CancelWorkflow { details: Vec::new() });
        return;
    }
    let mut shared = shared.borrow_mut();
    let digest = shared.digest.to_string();
    let command = match program.end {
        End::ContinueAsNew(last) if shared.number < last => Command::ContinueAsNew(Box::new(ContinueAsNew {
            arguments: vec![payload(&(shared.number + 1).to_string())],
            ..ContinueAsNew::default()
        })),
        End::Complete | End::ContinueAsNew(_) => Command::CompleteWorkflow { result: Some(payload(&digest)) },
        End::Fail => Command::FailWorkflow { failure: Box::new(Failure { message: digest, ..Failure::default() }) },
    };
    shared.ask(command);
}

/// An Update, from its validator on. One that is rejected leaves no trace.
pub(super) async fn handle_update(shared: Rc<RefCell<Shared>>, program: Rc<Program>, update: Update) {
    let Update { protocol_instance_id, name, run_validator, .. } = update;
    let number: usize = name.parse().expect("Updates are named by numbers");
    let handler = &program.on_update[number];
    if run_validator && shared.borrow().count < handler.valid_from {
        let failure = Box::new(Failure { message: "not yet".into(), ..Failure::default() });
        shared.borrow_mut().commands.push(Command::RejectUpdate { protocol_instance_id, failure });
        return;
    }
    shared.borrow_mut().note(&format!("update {number} {protocol_instance_id}"));
    shared.borrow_mut().ask(Command::AcceptUpdate { protocol_instance_id: protocol_instance_id.clone() });
    run(shared.clone(), handler.steps.clone(), Place { era: program.era, handles_signal: false }).await;
    let digest = shared.borrow().digest.to_string();
    let outcome = match handler.fails {
        true => Err(Box::new(Failure { message: digest, ..Failure::default() })),
        false => Ok(Some(payload(&digest))),
    };
    shared.borrow_mut().ask(Command::CompleteUpdate { protocol_instance_id, outcome });
}

/// Where a step stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) era: Era,
    /// Signals must not bring about signals, or there would be no end.
    pub(super) handles_signal: bool,
}

/// One step after the other.
pub(super) fn run(shared: Rc<RefCell<Shared>>, steps: Vec<Step>, place: Place) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        for step in steps {
            do_step(shared.clone(), step, place).await;
        }
    })
}

async fn do_step(shared: Rc<RefCell<Shared>>, step: Step, place: Place) {
    match step {
        Step::Child(_) | Step::CancelChild(..) | Step::SignalWorkflow(..) | Step::TakeBackSignal(..)
            if place.handles_signal => {}
        Step::Activity(activity) => ScheduledActivity::new(&shared, &activity).outcome().await,
        Step::CancelActivity(activity, between) => {
            let scheduled = ScheduledActivity::new(&shared, &activity);
            run(shared.clone(), between, place).await;
            scheduled.cancel();
            scheduled.outcome().await;
        }
        Step::LocalActivity(activity) => {
            let mut scheduled = ScheduledLocalActivity::new(&shared, activity);
            poll_fn(|_| scheduled.poll()).await;
        }
        Step::CancelLocalActivity(activity, between) => {
            let mut scheduled = ScheduledLocalActivity::new(&shared, activity);
            let mut between = run(shared.clone(), between, place);
            poll_fn(|context| {
                let _goes_on_beside = scheduled.poll();
                between.as_mut().poll(context)
            })
            .await;
            scheduled.cancel();
            poll_fn(|_| scheduled.poll()).await;
        }
        Step::Timer(seconds) => StartedTimer::new(&shared, Duration::from_secs(seconds)).fired().await,
        Step::CancelTimer(seconds, between) => {
            let timer = StartedTimer::new(&shared, Duration::from_secs(seconds));
            run(shared.clone(), between, place).await;
            drop(timer);
        }
        Step::WaitSignal(signal) => {
            until(&shared, |shared| {
                let waits = &mut shared.signals[signal];
                (*waits > 0).then(|| *waits -= 1)
            })
            .await;
        }
        Step::WaitCount(count) => until(&shared, |shared| (shared.count >= count).then_some(())).await,
        Step::Count => {
            shared.borrow_mut().count += 1;
            shared.borrow_mut().note("count");
        }
        Step::Patched(patch, old, new) => {
            let is_patched = is_patched(&mut shared.borrow_mut(), patch, place.era);
            run(shared.clone(), if is_patched { new } else { old }, place).await;
        }
        Step::Versioned(change, old, new) => {
            let is_new = place.era != Era::Before && shared.borrow_mut().version(change) >= 1;
            run(shared.clone(), if is_new { new } else { old }, place).await;
        }
        Step::SideEffect => shared.borrow_mut().side_effect(),
        Step::MutableSideEffect(thing) => shared.borrow_mut().mutable_side_effect(thing),
        Step::UpsertSearchAttribute(name, value) => shared.borrow_mut().upsert_search_attribute(name, value),
        Step::UpsertMemo(name, value) => shared.borrow_mut().upsert_memo(name, value),
        Step::Child(child) => {
            if let Some(child) = start_child(&shared, &child) {
                child.outcome().await;
            }
        }
        Step::CancelChild(child, between) => {
            let child = start_child(&shared, &child);
            run(shared.clone(), between, place).await;
            if let Some(child) = child {
                child.cancel();
                child.outcome().await;
            }
        }
        Step::SignalWorkflow(target, signal) => send_signal(&shared, target, signal).outcome().await,
        Step::TakeBackSignal(target, signal, between) => {
            let signal = send_signal(&shared, target, signal);
            run(shared.clone(), between, place).await;
            signal.cancel();
            signal.outcome().await;
        }
        Step::CancelWorkflow(target) => {
            let sequence = shared.borrow_mut().cancel_workflow(target);
            until(&shared, |shared| shared.outcome(Kind::Cancellation, sequence)).await;
        }
        Step::Nexus(nexus) => schedule_nexus(&shared, &nexus).outcome().await,
        Step::CancelNexus(nexus, between) => {
            let operation = schedule_nexus(&shared, &nexus);
            run(shared.clone(), between, place).await;
            operation.cancel();
            operation.outcome().await;
        }
        Step::Join(branches) => {
            let mut branches: Vec<_> =
                branches.into_iter().map(|steps| Some(run(shared.clone(), steps, place))).collect();
            poll_fn(|context| {
                for branch in &mut branches {
                    if branch.as_mut().is_some_and(|branch| branch.as_mut().poll(context).is_ready()) {
                        *branch = None;
                    }
                }
                if branches.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        Step::Race(branches) => {
            let mut branches: Vec<_> = branches.into_iter().map(|steps| run(shared.clone(), steps, place)).collect();
            poll_fn(|context| {
                let ready = branches.iter_mut().any(|branch| branch.as_mut().poll(context).is_ready());
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }
    shared.borrow_mut().note("step");
}

fn start_child(shared: &Rc<RefCell<Shared>>, child: &Child) -> Option<Operation> {
    let sequence = shared.borrow_mut().start_child(child)?;
    let cancel = |sequence| Command::CancelChildWorkflow { sequence, reason: format!("child {sequence}") };
    Some(Operation::new(shared, Kind::ChildStart, sequence, cancel))
}

fn send_signal(shared: &Rc<RefCell<Shared>>, target: Target, signal: usize) -> Operation {
    let sequence = shared.borrow_mut().signal_workflow(target, signal);
    Operation::new(shared, Kind::Signal, sequence, |sequence| Command::CancelSignalExternalWorkflow { sequence })
}

fn schedule_nexus(shared: &Rc<RefCell<Shared>>, nexus: &Nexus) -> Operation {
    let sequence = shared.borrow_mut().schedule_nexus(nexus);
    Operation::new(shared, Kind::NexusStart, sequence, |sequence| Command::RequestCancelNexusOperation { sequence })
}

fn is_patched(shared: &mut Shared, patch: u8, era: Era) -> bool {
    match era {
        Era::Before => false,
        Era::Patched => shared.patched(patch),
        Era::Deprecated => {
            shared.deprecate_patch(patch);
            true
        }
        Era::Removed => true,
    }
}
