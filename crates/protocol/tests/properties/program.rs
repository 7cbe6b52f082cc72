//! A small language of workflows.

/// What a workflow does.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Step by step.
    pub main: Vec<Step>,
    /// What each signal starts, beside everything else that goes on.
    pub on_signal: [Vec<Step>; SIGNALS],
    /// What each Update starts, likewise.
    pub on_update: [OnUpdate; UPDATES],
    /// What to do when somebody asks it to cancel itself.
    pub on_cancel: OnCancel,
    /// How it ends.
    pub end: End,
    /// What the handlers of signals and Updates still want to do goes on after `main` has ended, in the same Activation.
    pub handlers_run_on: bool,
    /// What its Child Workflows do.
    pub children: Vec<Program>,
    /// How far its changes have come.
    pub era: Era,
}

impl Default for Program {
    /// One that ends at once.
    fn default() -> Self {
        Self {
            main: Vec::new(),
            on_signal: [Vec::new(), Vec::new()],
            on_update: [OnUpdate::default(), OnUpdate::default()],
            on_cancel: OnCancel::Ignore,
            end: End::Complete,
            handlers_run_on: false,
            children: Vec::new(),
            era: Era::Patched,
        }
    }
}

impl Program {
    /// The same with changes that have come so far.
    pub fn in_era(&self, era: Era) -> Self {
        Self { era, children: self.children.iter().map(|child| child.in_era(era)).collect(), ..self.clone() }
    }

    /// What a workflow of this type does.
    pub fn of_type(&self, workflow_type: &str) -> Self {
        match child_number(workflow_type) {
            None => self.clone(),
            Some(number) => self.children.get(number).cloned().unwrap_or_default(),
        }
    }
}

/// Which child this is; `None` for no child.
pub fn child_number(workflow_type: &str) -> Option<usize> {
    workflow_type.strip_prefix("child-").map(|number| number.parse().expect("children are numbered"))
}

/// How many signals there are. They are named by their numbers.
pub const SIGNALS: usize = 2;

/// How many Updates there are. They are named by their numbers.
pub const UPDATES: usize = 2;

/// The life of a change to a workflow's code: of a patch, or of an integer version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// The old code, which does not know that there will be a change.
    Before,
    /// The code asks whether it has the change.
    Patched,
    /// Only the new code is there, which still notes a patch. Versions are asked for as before.
    Deprecated,
    /// Only the new code is there. Versions are asked for as before.
    Removed,
}

/// One step. It ends before the next begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Schedules an activity and waits for its outcome.
    Activity(Activity),
    /// Schedules an activity, does something else, cancels the activity, waits for its outcome.
    CancelActivity(Activity, Vec<Step>),
    /// Schedules a Local Activity and waits for its outcome, over all durable timers.
    LocalActivity(LocalActivity),
    /// Schedules a Local Activity, does something else, cancels the Local Activity, waits for its outcome.
    CancelLocalActivity(LocalActivity, Vec<Step>),
    /// Waits so many seconds.
    Timer(u64),
    /// Starts a timer, does something else, cancels the timer.
    CancelTimer(u64, Vec<Step>),
    /// Waits for a signal that nobody has waited for before.
    WaitSignal(usize),
    /// Waits until [`Step::Count`] was done so many times, by whomever.
    WaitCount(u32),
    /// Counts.
    Count,
    /// Does the one or the other: the code from before and the code from behind a patch.
    Patched(u8, Vec<Step>, Vec<Step>),
    /// Likewise, with an integer version.
    Versioned(u8, Vec<Step>, Vec<Step>),
    /// Takes a value from outside.
    SideEffect,
    /// Takes the value of one of so many things outside, each of which changes now and then.
    MutableSideEffect(u8),
    /// Changes a search attribute; without a value, removes it.
    UpsertSearchAttribute(u8, Option<u8>),
    /// Changes a field of the memo; without a value, removes it.
    UpsertMemo(u8, Option<u8>),
    /// Starts a Child Workflow and waits for its outcome.
    Child(Child),
    /// Starts a Child Workflow, does something else, cancels it, waits for its outcome.
    CancelChild(Child, Vec<Step>),
    /// Signals another workflow, and waits until that has arrived or not.
    SignalWorkflow(Target, usize),
    /// Signals another workflow, does something else, takes the signal back, waits for its outcome.
    TakeBackSignal(Target, usize, Vec<Step>),
    /// Asks another workflow to cancel itself, and waits until that has arrived or not.
    CancelWorkflow(Target),
    /// Schedules a Nexus operation and waits for its outcome.
    Nexus(Nexus),
    /// Schedules a Nexus operation, does something else, cancels it, waits for its outcome.
    CancelNexus(Nexus, Vec<Step>),
    /// Does all of these at the same time, and waits for all.
    Join(Vec<Vec<Step>>),
    /// Does all of these at the same time, waits for the first, and cancels what the others have under way.
    Race(Vec<Vec<Step>>),
}

/// An activity and what cancelling it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its type.
    pub kind: u8,
    /// 0: try to cancel; 1: wait for the cancellation; 2: abandon.
    pub cancellation: u8,
    /// Attempts at most; 0 is without end.
    pub attempts: i32,
    /// Seconds, all attempts together.
    pub schedule_to_close: u64,
    /// Seconds between heartbeats; 0 is none.
    pub heartbeat: u64,
}

/// A Local Activity and what cancelling it means.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalActivity {
    /// Its type.
    pub kind: u8,
    /// As with activities.
    pub cancellation: u8,
    /// Attempts at most; 0 is without end.
    pub attempts: i32,
    /// Seconds, all attempts together; 0 is without end.
    pub schedule_to_close: u64,
    /// Seconds until the second attempt.
    pub interval: u64,
    /// Seconds: a longer delay is spent over a durable timer.
    pub threshold: u64,
}

/// A Child Workflow and what cancelling it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Which child. A child starts only others that come behind it.
    pub kind: usize,
    /// Its Workflow Id is that of another workflow, which runs.
    pub is_taken: bool,
    /// 0: abandon; 1: try to cancel; 2: wait for the end; 3: wait until it was asked.
    pub cancellation: u8,
    /// What becomes of it when its parent ends. 0: terminated; 1: abandoned; 2: asked to cancel itself.
    pub close_policy: u8,
    /// Seconds for one run; 0 is without end.
    pub run_timeout: u64,
}

/// How many kinds of children there are.
pub const CHILDREN: usize = 2;

/// Another workflow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The one that clients know.
    Root,
    /// The child that was started last, if there is one; the flag says that it must be one.
    LastChild(bool),
    /// There is no such workflow.
    Nobody,
}

/// A Nexus operation and what cancelling it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Nexus {
    /// Its name.
    pub operation: u8,
    /// As with Child Workflows.
    pub cancellation: u8,
    /// Seconds, from scheduling to its outcome; 0 is without end.
    pub schedule_to_close: u64,
    /// Seconds, from its start to its outcome; 0 is without end.
    pub start_to_close: u64,
}

/// What a workflow does when an Update comes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OnUpdate {
    /// It is accepted from this [`Step::Count`] on.
    pub valid_from: u32,
    /// What it starts. It is done when this is.
    pub steps: Vec<Step>,
    /// Its outcome is a failure.
    pub fails: bool,
}

/// What a workflow does when it is asked to cancel itself.
#[derive(Debug, Clone, PartialEq)]
pub enum OnCancel {
    /// Nothing.
    Ignore,
    /// Cancels what it has under way, does this, and ends as cancelled.
    CleanUp(Vec<Step>),
}

/// How a workflow ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// With a result that depends on all it has heard.
    Complete,
    /// With a failure.
    Fail,
    /// It goes on as a new run; the run of that number completes.
    ContinueAsNew(u32),
}
