//! What the two sides call each other by.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use timewright::converter::{Multiple, RawValue};
use timewright::definition::{ActivityDefinition, QueryDefinition, SignalDefinition, WorkflowDefinition};

// --- Values that both sides have

/// Which activity to call, how, and what to do with its failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RelayInput {
    pub(crate) activity: String,
    pub(crate) arguments: Vec<Value>,
    pub(crate) task_queue: String,
    /// Whether a failure is the workflow's result, instead of its failure.
    pub(crate) report: bool,
    /// 0: any number.
    pub(crate) attempts: i32,
    /// In seconds.
    pub(crate) start_to_close: f64,
    /// In seconds.
    pub(crate) heartbeat: Option<f64>,
}

impl RelayInput {
    pub(crate) fn new(activity: &str, arguments: Value, task_queue: &str) -> Self {
        Self {
            activity: activity.to_owned(),
            arguments: arguments.as_array().expect("a list").clone(),
            task_queue: task_queue.to_owned(),
            report: false,
            attempts: 0,
            start_to_close: 30.0,
            heartbeat: None,
        }
    }
}

/// A value as contracts have them: nested, with things that may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) customer: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) items: Vec<Item>,
    #[serde(default)]
    pub(crate) note: Option<String>,
}

/// A part of an Order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) price: f64,
}

// --- Ours

/// Calls an activity and gives its result. Where it fails: fails likewise, or, with `report`, gives what it saw.
pub(crate) struct OurRelay;
impl WorkflowDefinition for OurRelay {
    const NAME: &'static str = "our_relay";
    type Input = RelayInput;
    type Output = Value;
}

/// The activity has begun.
pub(crate) struct Begun;
impl SignalDefinition for Begun {
    const NAME: &'static str = "begun";
    type Workflow = OurRelay;
    type Input = String;
}

/// Whether the activity has begun.
pub(crate) struct IsBegun;
impl QueryDefinition for IsBegun {
    const NAME: &'static str = "is_begun";
    type Workflow = OurRelay;
    type Input = ();
    type Output = bool;
}

/// Gives its arguments back once it has been told to finish.
pub(crate) struct OurValues;
impl WorkflowDefinition for OurValues {
    const NAME: &'static str = "our_values";
    type Input = Multiple<(Value, Option<String>, Option<u32>)>;
    type Output = Vec<Value>;
}

/// Takes a note; the note `finish` ends the workflow.
pub(crate) struct Note;
impl SignalDefinition for Note {
    const NAME: &'static str = "note";
    type Workflow = OurValues;
    type Input = Multiple<(String, Option<Value>)>;
}

/// The value of a note, by its number; what to say where there is none can be left out.
pub(crate) struct Noted;
impl QueryDefinition for Noted {
    const NAME: &'static str = "noted";
    type Workflow = OurValues;
    type Input = Multiple<(usize, Option<String>)>;
    type Output = Value;
}

/// Calls activities of Python's with values of every kind, on this Task Queue; what came back.
pub(crate) struct OurCalls;
impl WorkflowDefinition for OurCalls {
    const NAME: &'static str = "our_calls";
    type Input = String;
    type Output = Vec<Value>;
}

/// Calls a failing activity of Python's on this Task Queue, and fails with an error of its own that has that one as its
/// cause: an error type, or else an application failure.
pub(crate) struct OurWrapping;
impl WorkflowDefinition for OurWrapping {
    const NAME: &'static str = "our_wrapping";
    type Input = Multiple<(String, bool)>;
    type Output = ();
}

/// A failing activity of Python's.
pub(crate) struct FailWithDetails;
impl ActivityDefinition for FailWithDetails {
    const NAME: &'static str = "fail_with_details";
    type Input = String;
    type Output = ();
}

/// Gives bytes back, the last one first.
pub(crate) struct OurBytes;
impl WorkflowDefinition for OurBytes {
    const NAME: &'static str = "our_bytes";
    type Input = Vec<u8>;
    type Output = Vec<u8>;
}

/// Takes whatever comes and gives nothing.
pub(crate) struct OurNothing;
impl WorkflowDefinition for OurNothing {
    const NAME: &'static str = "our_nothing";
    type Input = ();
    type Output = ();
}

/// What came in, and what was left out.
pub(crate) struct OurThree;
impl ActivityDefinition for OurThree {
    const NAME: &'static str = "our_three";
    type Input = Multiple<(String, Option<String>, Option<i64>)>;
    type Output = Vec<Value>;
}

/// Whatever came in.
pub(crate) struct OurEcho;
impl ActivityDefinition for OurEcho {
    const NAME: &'static str = "our_echo";
    type Input = RawValue;
    type Output = RawValue;
}

/// The bytes that came in, the last one first, if any came in.
pub(crate) struct OurOptionalBytes;
impl ActivityDefinition for OurOptionalBytes {
    const NAME: &'static str = "our_optional_bytes";
    type Input = Option<Vec<u8>>;
    type Output = Option<Vec<u8>>;
}

/// Takes nothing and gives nothing.
pub(crate) struct OurNoOperation;
impl ActivityDefinition for OurNoOperation {
    const NAME: &'static str = "our_no_operation";
    type Input = ();
    type Output = ();
}

/// The cheapest item, if there is any.
pub(crate) struct OurCheapest;
impl ActivityDefinition for OurCheapest {
    const NAME: &'static str = "our_cheapest";
    type Input = Order;
    type Output = Option<Item>;
}

/// Fails with everything that a failure can carry across.
pub(crate) struct OurFailure;
impl ActivityDefinition for OurFailure {
    const NAME: &'static str = "our_failure";
    type Input = String;
    type Output = ();
}

/// Fails with an error that knows nothing of Temporal.
pub(crate) struct OurError;
impl ActivityDefinition for OurError {
    const NAME: &'static str = "our_error";
    type Input = String;
    type Output = ();
}

/// Heartbeats once, and then never again.
pub(crate) struct OurStall;
impl ActivityDefinition for OurStall {
    const NAME: &'static str = "our_stall";
    type Input = ();
    type Output = ();
}

/// Says to its workflow that it has begun, and heartbeats until it is cancelled.
pub(crate) struct OurWork;
impl ActivityDefinition for OurWork {
    const NAME: &'static str = "our_work";
    type Input = String;
    type Output = ();
}

// --- Python's

/// Gives its arguments back once it has been told how.
pub(crate) struct PythonValues;
impl WorkflowDefinition for PythonValues {
    const NAME: &'static str = "PythonValues";
    type Input = Multiple<(Value, Option<String>)>;
    type Output = RawValue;
}

/// Takes a note; the note `finish` ends the workflow with one of its arguments, or with all.
pub(crate) struct PythonNote;
impl SignalDefinition for PythonNote {
    const NAME: &'static str = "note";
    type Workflow = PythonValues;
    type Input = Multiple<(String, Option<Value>)>;
}

/// A note without a value.
pub(crate) struct PythonShortNote;
impl SignalDefinition for PythonShortNote {
    const NAME: &'static str = "note";
    type Workflow = PythonValues;
    type Input = String;
}

/// The value of a note, by its number.
pub(crate) struct PythonNoted;
impl QueryDefinition for PythonNoted {
    const NAME: &'static str = "noted";
    type Workflow = PythonValues;
    type Input = usize;
    type Output = Option<Value>;
}

/// What came in, and what was left out.
pub(crate) struct Three;
impl ActivityDefinition for Three {
    const NAME: &'static str = "three";
    type Input = Multiple<(String, Option<String>)>;
    type Output = Vec<Value>;
}

/// How many bytes came in.
pub(crate) struct Length;
impl ActivityDefinition for Length {
    const NAME: &'static str = "length";
    type Input = Vec<u8>;
    type Output = usize;
}

/// Takes nothing and gives nothing.
pub(crate) struct Nothing;
impl ActivityDefinition for Nothing {
    const NAME: &'static str = "nothing";
    type Input = ();
    type Output = ();
}

/// The cheapest item, if there is any.
pub(crate) struct Cheapest;
impl ActivityDefinition for Cheapest {
    const NAME: &'static str = "cheapest";
    type Input = Order;
    type Output = Option<Item>;
}
