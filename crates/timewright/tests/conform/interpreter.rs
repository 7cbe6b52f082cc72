//! The workflow that does what a program says.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use timewright::converter::{ApplicationFailure, Multiple};
use timewright::workflow::{Cancelled, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};

use crate::branches::{Branch, Branches, Scope};
use crate::definitions::{Acting, Change, Conform, Heard, Input, Note};
use crate::operations::{
    LONG, do_child, do_nexus, do_nexus_workflow, leave_child, leave_note, nexus_text, nexus_that_goes_on, options,
    outcome_text, start, start_locally, stopped, tell_nobody, time, within,
};
use crate::program::{Action, Activity, End, OnCancel, Program, Run, Step, Update};

/// What a run has heard.
pub(crate) struct Interpreter {
    pub(crate) input: (u64, u64, Option<usize>, usize, u64),
    signals: u32,
    pub(crate) heard: Vec<String>,
}

impl Workflow for Interpreter {
    type Definition = Conform;

    fn init(_: &WorkflowInfo, input: &Input) -> Self {
        Self { input: input.0, signals: 0, heard: Vec::new() }
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Note, |state, ()| {
            state.signals += 1;
            state.heard.push(format!("signal {}", state.signals));
        });
        handlers.validate_update(Change, |_, update| match update {
            Update::Refused => Err(ApplicationFailure::new("not like this").into()),
            Update::Quick | Update::Fails | Update::Slow => Ok(()),
        });
        handlers.update_async(Change, async |context, update| {
            if update == Update::Slow {
                context.detached().sleep(time(&context, 1)).await?;
            }
            context.state_mut(|state| state.heard.push(format!("update {update:?}")));
            match update {
                Update::Fails => Err(ApplicationFailure::new("as planned").into()),
                _ => Ok(format!("{update:?}")),
            }
        });
        handlers.query(Heard, |state, ()| Ok(state.heard.clone()));
    }

    async fn run(
        context: WorkflowContext<Self>,
        Multiple((seed, index, child, number, slot)): Input,
    ) -> Result<Vec<String>, WorkflowError> {
        let program = Program::generate(seed, index);
        let run = child.map_or(program.runs.get(number), |child| program.children.get(child));
        let Run { main, on_cancel, fails } = run.cloned().ok_or_else(|| ApplicationFailure::new("no such program"))?;
        let main_context = if on_cancel == OnCancel::Ignore { context.detached() } else { context.clone() };
        if do_steps(&main_context, &Scope::default(), &main).await.is_err() {
            if let OnCancel::CleanUp(steps) = on_cancel {
                // What is not cancelled does not stop.
                let _ = do_steps(&context.detached(), &Scope::default(), &steps).await;
            }
            return Err(Cancelled { reason: context.cancellation().unwrap_or_default() }.into());
        }
        if child.is_none() && number + 1 < program.runs.len() {
            return Err(context.continue_as_new(Multiple((seed, index, None, number + 1, slot))));
        }
        if fails {
            return Err(ApplicationFailure::new("this child fails").with_type("Planned").into());
        }
        match program.end {
            End::Fail(_) if child.is_none() => {
                let heard = context.state(|state| state.heard.join(", "));
                Err(ApplicationFailure::new(heard).with_type("Planned").into())
            }
            _ => Ok(context.state(|state| state.heard.clone())),
        }
    }
}

/// The workflow, or what is in this scope, was cancelled.
pub(crate) struct Stop;

pub(crate) type Context = WorkflowContext<Interpreter>;

async fn do_steps(context: &Context, scope: &Scope, steps: &[Step]) -> Result<(), Stop> {
    for step in steps {
        if scope.is_cancelled() {
            return Err(Stop);
        }
        do_step(context, scope, step).await?;
    }
    Ok(())
}

/// A branch of its own, which owns what it needs.
fn branch(context: &Context, scope: &Scope, steps: &[Step]) -> Branch<Result<(), Stop>> {
    let (context, scope, steps) = (context.clone(), scope.clone(), steps.to_vec());
    Box::pin(async move { do_steps(&context, &scope, &steps).await })
}

async fn do_step(context: &Context, scope: &Scope, step: &Step) -> Result<(), Stop> {
    let hear = |text: String| context.state_mut(|state| state.heard.push(text));
    match step {
        Step::Timer(duration) => {
            let fired = within(scope, context.sleep(time(context, *duration))).await;
            hear(format!("timer {duration} {}", if fired.is_ok() { "fired" } else { "cancelled" }));
            fired.map_err(|_| Stop)
        }
        Step::CancelTimer(inner) => {
            let timer = context.sleep(LONG);
            let done = branch(context, scope, inner).await;
            timer.cancel();
            hear(format!("timer cancelled: {}", timer.await.is_err()));
            done
        }
        Step::Activity(activity) => {
            let handle = start(context, activity);
            let outcome = within(scope, handle).await;
            hear(outcome_text(&outcome));
            stopped(context, scope, &outcome)
        }
        Step::CancelActivity(activity, inner) => {
            let handle = start(context, activity);
            let done = branch(context, scope, inner).await;
            handle.cancel();
            hear(outcome_text(&handle.await));
            done
        }
        Step::Act(action, duration) => {
            let activity = Activity { attempts: 1, ..Activity::default() };
            let input = Multiple((*action, time(context, *duration).as_millis() as u64));
            let outcome = within(scope, context.execute_activity(Acting, input, options(context, &activity))).await;
            hear(outcome_text(&outcome));
            if *action == Action::Terminate {
                std::future::pending::<()>().await;
            }
            stopped(context, scope, &outcome)
        }
        Step::LocalActivity(activity) => {
            let outcome = within(scope, start_locally(context, activity)).await;
            hear(outcome_text(&outcome));
            stopped(context, scope, &outcome)
        }
        Step::Child(number, to_child) => {
            hear(do_child(context, *number, *to_child).await);
            Ok(())
        }
        Step::LeaveChild(number, policy) => {
            hear(leave_child(context, *number, *policy).await);
            Ok(())
        }
        Step::Nexus(operation) => {
            hear(do_nexus(context, operation).await);
            Ok(())
        }
        Step::NexusWorkflow(slots) => {
            hear(do_nexus_workflow(context, *slots).await);
            Ok(())
        }
        Step::CancelNexus(cancellation, inner) => {
            let operation = nexus_that_goes_on(context, *cancellation).await;
            let done = branch(context, scope, inner).await;
            operation.cancel();
            hear(nexus_text(&operation.await));
            done
        }
        Step::Note(note) => {
            hear(leave_note(context, *note));
            Ok(())
        }
        Step::TellNobody { cancel } => {
            hear(tell_nobody(context, *cancel).await);
            Ok(())
        }
        Step::WaitSignals(count) => {
            let count = *count;
            let mut waiting = pin!(context.wait_condition(move |state| state.signals >= count));
            poll_fn(|task| match waiting.as_mut().poll(task) {
                Poll::Pending if scope.is_cancelled() => Poll::Ready(Err(Stop)),
                polled => polled.map_err(|_| Stop),
            })
            .await
        }
        Step::Join(branches) => {
            let branches = Branches::new(branches.iter().map(|steps| branch(context, scope, steps)));
            branches.all().await.into_iter().collect()
        }
        Step::Race(branches) => {
            let inner = scope.inner();
            let mut branches = Branches::new(branches.iter().map(|steps| branch(context, &inner, steps)));
            let first = branches.first().await;
            hear(format!("branch {first} is first"));
            inner.cancel();
            let ends = branches.all().await;
            ends.into_iter().nth(first).unwrap_or(Ok(()))
        }
    }
}
