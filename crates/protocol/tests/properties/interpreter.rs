//! Plays the part of user code: a program, executed by polling futures to a fixed point.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use timewright_proto::common::{Payload, RetryPolicy};
use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{
    Activation, ActivityCancellationType, Command, ContinueAsNew, Job, QueryAnswer, Resolution, ScheduleActivity,
    StartTimer,
};

use crate::program::{Activity, End, OnCancel, Program, SIGNALS, Step};

/// The Task Queue on which activities are scheduled.
pub const ACTIVITIES: &str = "activities";

/// User code's state of one Run.
///
/// Within an Activation the handlers of signals go on first, in the order in which they came, then the main part, until
/// nothing changes any more. The same Activations always give the same Commands.
pub struct Interpreter {
    shared: Rc<RefCell<Shared>>,
    program: Rc<Program>,
    main: Option<Pin<Box<dyn Future<Output = ()>>>>,
    handlers: Vec<Pin<Box<dyn Future<Output = ()>>>>,
}

/// What all parts of a program share.
struct Shared {
    commands: Vec<Command>,
    timers: u32,
    activities: u32,
    fired: BTreeMap<u32, bool>,
    cancelled_timers: BTreeSet<u32>,
    outcomes: BTreeMap<u32, Option<u64>>,
    /// Signals that nobody has waited for.
    signals: [u32; SIGNALS],
    /// Signals whose handlers have not begun.
    unhandled: Vec<usize>,
    count: u32,
    cancel_requested: bool,
    /// Which run this is.
    number: u32,
    /// Depends on all that was heard and done, and on the order.
    digest: u64,
    /// Nothing may be asked for any more.
    closed: bool,
}

impl Interpreter {
    pub fn new(program: Rc<Program>) -> Self {
        let shared = Rc::new(RefCell::new(Shared {
            commands: Vec::new(),
            timers: 0,
            activities: 0,
            fired: BTreeMap::new(),
            cancelled_timers: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            signals: [0; SIGNALS],
            unhandled: Vec::new(),
            count: 0,
            cancel_requested: false,
            number: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            closed: false,
        }));
        let main = Box::pin(main(shared.clone(), program.clone()));
        Self { shared, program, main: Some(main), handlers: Vec::new() }
    }

    /// Takes in the jobs, goes on as far as possible, and says what to ask for.
    pub fn activate(&mut self, activation: &Activation) -> Vec<Command> {
        if let [Job::Query(query)] = activation.jobs.as_slice() {
            let digest = self.shared.borrow().digest;
            let answer = QueryAnswer::Succeeded(Some(payload(&digest.to_string())));
            return vec![Command::AnswerQuery { id: query.id.clone(), answer }];
        }
        for job in &activation.jobs {
            self.shared.borrow_mut().hear(job);
        }
        self.go_on();
        std::mem::take(&mut self.shared.borrow_mut().commands)
    }

    fn go_on(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let before = self.shared.borrow().digest;
            let unhandled = std::mem::take(&mut self.shared.borrow_mut().unhandled);
            for signal in unhandled {
                let steps = self.program.on_signal[signal].clone();
                self.handlers.push(Box::pin(run(self.shared.clone(), steps)));
            }
            self.handlers.retain_mut(|handler| handler.as_mut().poll(&mut context).is_pending());
            let main_goes_on = match &mut self.main {
                Some(main) => main.as_mut().poll(&mut context).is_pending(),
                None => false,
            };
            if !main_goes_on && self.main.take().is_some() {
                if self.program.handlers_run_on {
                    self.handlers.retain_mut(|handler| handler.as_mut().poll(&mut context).is_pending());
                }
                break;
            }
            if self.main.is_none() || self.shared.borrow().digest == before {
                break;
            }
        }
        if self.main.is_none() {
            self.shared.borrow_mut().closed = true;
            self.handlers.clear();
        }
    }
}

impl Drop for Interpreter {
    /// Eviction: what is dropped now asks for nothing.
    fn drop(&mut self) {
        self.shared.borrow_mut().closed = true;
    }
}

impl Shared {
    fn hear(&mut self, job: &Job) {
        match job {
            Job::Initialize(initialize) => {
                let number = initialize.arguments.first().map(|argument| String::from_utf8_lossy(&argument.data));
                self.number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
                self.note(&format!("initialize {} {}", initialize.workflow_type, initialize.random_seed));
            }
            Job::Signal { name, .. } => {
                let signal: usize = name.parse().expect("signals are named by numbers");
                self.signals[signal] += 1;
                self.unhandled.push(signal);
                self.note(&format!("signal {signal}"));
            }
            Job::RequestCancellation { .. } => {
                self.cancel_requested = true;
                self.note("cancel");
            }
            Job::FireTimer { sequence } => {
                assert!(!self.cancelled_timers.contains(sequence), "timer {sequence} fired although it was cancelled");
                let fired = self.fired.get_mut(sequence).expect("a timer that fires was started");
                assert!(!std::mem::replace(fired, true), "timer {sequence} fired twice");
                self.note(&format!("fired {sequence}"));
            }
            Job::ResolveActivity { sequence, resolution } => {
                let text = match resolution {
                    Resolution::Completed(result) => format!("completed {result:?}"),
                    Resolution::Failed(failure) => format!("failed {failure:?}"),
                    Resolution::Cancelled(failure) => format!("cancelled {failure:?}"),
                };
                let outcome = self.outcomes.get_mut(sequence).expect("an activity with an outcome was scheduled");
                assert!(outcome.is_none(), "activity {sequence} was resolved twice");
                *outcome = Some(hash(0, &text));
                self.note(&format!("resolved {sequence} {text}"));
            }
            other => panic!("a job that these programs do not expect: {other:?}"),
        }
    }

    fn note(&mut self, text: &str) {
        self.digest = hash(self.digest, text);
    }

    fn ask(&mut self, command: Command) {
        if !self.closed {
            self.note(command.name());
            self.commands.push(command);
        }
    }

    fn start_timer(&mut self, seconds: u64) -> u32 {
        self.timers += 1;
        let sequence = self.timers;
        self.fired.insert(sequence, false);
        let duration = Duration::from_secs(seconds);
        self.ask(Command::StartTimer(StartTimer { sequence, duration, summary: None }));
        sequence
    }

    fn schedule(&mut self, activity: &Activity) -> u32 {
        self.activities += 1;
        let sequence = self.activities;
        self.outcomes.insert(sequence, None);
        let seconds = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        self.ask(Command::ScheduleActivity(Box::new(ScheduleActivity {
            sequence,
            activity_type: format!("kind-{}", activity.kind),
            task_queue: ACTIVITIES.into(),
            arguments: vec![payload(&self.digest.to_string())],
            schedule_to_close_timeout: seconds(activity.schedule_to_close),
            heartbeat_timeout: seconds(activity.heartbeat),
            retry_policy: Some(RetryPolicy { maximum_attempts: activity.attempts, ..RetryPolicy::default() }),
            cancellation_type: match activity.cancellation {
                0 => ActivityCancellationType::TryCancel,
                1 => ActivityCancellationType::WaitCancellationCompleted,
                _ => ActivityCancellationType::Abandon,
            },
            ..ScheduleActivity::default()
        })));
        sequence
    }
}

/// The whole workflow.
async fn main(shared: Rc<RefCell<Shared>>, program: Rc<Program>) {
    let cancelled = match &program.on_cancel {
        OnCancel::Ignore => {
            run(shared.clone(), program.main.clone()).await;
            None
        }
        OnCancel::CleanUp(steps) => {
            let mut work = Some(run(shared.clone(), program.main.clone()));
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
        run(shared.clone(), clean_up.clone()).await;
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

/// One step after the other.
fn run(shared: Rc<RefCell<Shared>>, steps: Vec<Step>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        for step in steps {
            do_step(shared.clone(), step).await;
        }
    })
}

async fn do_step(shared: Rc<RefCell<Shared>>, step: Step) {
    match step {
        Step::Activity(activity) => ScheduledActivity::new(&shared, &activity).outcome().await,
        Step::CancelActivity(activity, between) => {
            let scheduled = ScheduledActivity::new(&shared, &activity);
            run(shared.clone(), between).await;
            scheduled.cancel();
            scheduled.outcome().await;
        }
        Step::Timer(seconds) => StartedTimer::new(&shared, seconds).fired().await,
        Step::CancelTimer(seconds, between) => {
            let timer = StartedTimer::new(&shared, seconds);
            run(shared.clone(), between).await;
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
        Step::Join(branches) => {
            let mut branches: Vec<_> = branches.into_iter().map(|steps| Some(run(shared.clone(), steps))).collect();
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
            let mut branches: Vec<_> = branches.into_iter().map(|steps| run(shared.clone(), steps)).collect();
            poll_fn(|context| {
                let ready = branches.iter_mut().any(|branch| branch.as_mut().poll(context).is_ready());
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }
    shared.borrow_mut().note("step");
}

/// Waits for something to be there.
async fn until<T>(shared: &Rc<RefCell<Shared>>, mut take: impl FnMut(&mut Shared) -> Option<T>) -> T {
    poll_fn(|_| match take(&mut shared.borrow_mut()) {
        Some(value) => Poll::Ready(value),
        None => Poll::Pending,
    })
    .await
}

/// A timer; dropping it cancels it.
struct StartedTimer {
    shared: Rc<RefCell<Shared>>,
    sequence: u32,
}

impl StartedTimer {
    fn new(shared: &Rc<RefCell<Shared>>, seconds: u64) -> Self {
        let sequence = shared.borrow_mut().start_timer(seconds);
        Self { shared: shared.clone(), sequence }
    }

    async fn fired(&self) {
        until(&self.shared, |shared| shared.fired[&self.sequence].then_some(())).await;
    }
}

impl Drop for StartedTimer {
    fn drop(&mut self) {
        let mut shared = self.shared.borrow_mut();
        if !shared.fired[&self.sequence] {
            shared.cancelled_timers.insert(self.sequence);
            shared.ask(Command::CancelTimer { sequence: self.sequence });
        }
    }
}

/// An activity; dropping it cancels it.
struct ScheduledActivity {
    shared: Rc<RefCell<Shared>>,
    sequence: u32,
}

impl ScheduledActivity {
    fn new(shared: &Rc<RefCell<Shared>>, activity: &Activity) -> Self {
        let sequence = shared.borrow_mut().schedule(activity);
        Self { shared: shared.clone(), sequence }
    }

    fn cancel(&self) {
        self.shared.borrow_mut().ask(Command::RequestCancelActivity { sequence: self.sequence });
    }

    async fn outcome(&self) {
        let outcome = until(&self.shared, |shared| shared.outcomes[&self.sequence]).await;
        self.shared.borrow_mut().note(&format!("outcome {outcome}"));
    }
}

impl Drop for ScheduledActivity {
    fn drop(&mut self) {
        let is_open = self.shared.borrow().outcomes[&self.sequence].is_none();
        if is_open {
            self.cancel();
        }
    }
}

fn payload(text: &str) -> Payload {
    let metadata = BTreeMap::from([("encoding".to_owned(), "json/plain".into())]);
    Payload { metadata, data: text.to_owned().into(), ..Payload::default() }
}

/// FNV-1a.
fn hash(state: u64, text: &str) -> u64 {
    text.bytes().fold(state ^ 0xff, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
