//! The contract that callers and implementers share: what workflows, activities, signals, queries and updates are called, what
//! they take and what they give.
//!
//! # Why definitions stand apart
//!
//! Whoever calls an activity (a workflow, mostly) and whoever implements it are often different programs: activities that need
//! a GPU, a licence or a database run in a fleet of their own, which should not even contain workflow code, and the other way
//! round. What both must agree on is a name, the type of the input and the type of the output. A definition is that and nothing
//! else: a struct without fields that names the three. Callers are typed by it, implementers implement it, and neither sees the
//! other. Rename a field, and both sides stop compiling instead of failing at three in the morning.
//!
//! # A crate of their own
//!
//! A team keeps its definitions in a small crate that depends on this one and on serde. Workers and clients depend on that
//! crate, not on each other:
//!
//! ```text
//!   greeting-workflow-worker ──▶ greeting-definitions ◀── greeting-activity-worker
//!                                        ▲
//!                                 any client program
//! ```
//!
//! It holds the definitions and the types in their signatures:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use timewright_definition::{ActivityDefinition, QueryDefinition, SignalDefinition, WorkflowDefinition};
//!
//! #[derive(Debug, Clone, Serialize, Deserialize)]
//! pub struct GreetingInput {
//!     pub name: String,
//! }
//!
//! /// Greets somebody, and waits until somebody has approved the text.
//! pub struct Greeting;
//!
//! impl WorkflowDefinition for Greeting {
//!     const NAME: &'static str = "Greeting";
//!     type Input = GreetingInput;
//!     type Output = String;
//! }
//!
//! /// Approves the text.
//! pub struct Approve;
//!
//! impl SignalDefinition for Approve {
//!     const NAME: &'static str = "approve";
//!     type Workflow = Greeting;
//!     type Input = ();
//! }
//!
//! /// The text so far.
//! pub struct CurrentText;
//!
//! impl QueryDefinition for CurrentText {
//!     const NAME: &'static str = "current_text";
//!     type Workflow = Greeting;
//!     type Input = ();
//!     type Output = Option<String>;
//! }
//!
//! /// Finds the words.
//! pub struct ComposeGreeting;
//!
//! impl ActivityDefinition for ComposeGreeting {
//!     const NAME: &'static str = "ComposeGreeting";
//!     type Input = GreetingInput;
//!     type Output = String;
//! }
//! ```
//!
//! Input and output are structs where possible: a struct can grow fields (with `#[serde(default)]`) while workflows that were
//! started with the old one still run. Contracts with several arguments, such as those of other languages, use
//! [`Multiple`].
//!
//! # Shorter
//!
//! With the feature `macros` attributes write the same implementations: `#[workflow_definition(input = GreetingInput, output =
//! String)] pub struct Greeting;`, and likewise `activity_definition`, `signal_definition`, `query_definition`,
//! `update_definition`. They need no other dependency.
//!
//! # What the compiler refuses
//!
//! A type that cannot travel in a Payload:
//!
//! ```compile_fail,E0277
//! # use timewright_definition::ActivityDefinition;
//! struct Connection(std::net::TcpStream);
//!
//! struct Send;
//! impl ActivityDefinition for Send {
//!     const NAME: &'static str = "Send";
//!     type Input = Connection; // `Connection` cannot be the arguments of a call
//!     type Output = ();
//! }
//! ```
//!
//! An output that is borrowed (a text that travels is a `String`):
//!
//! ```compile_fail,E0277
//! # use timewright_definition::ActivityDefinition;
//! struct Send;
//! impl ActivityDefinition for Send {
//!     const NAME: &'static str = "Send";
//!     type Input = ();
//!     type Output = &'static str;
//! }
//! ```
//!
//! Several arguments where one result is due:
//!
//! ```compile_fail,E0277
//! # use timewright_definition::ActivityDefinition;
//! # use timewright_converter::Multiple;
//! struct Send;
//! impl ActivityDefinition for Send {
//!     const NAME: &'static str = "Send";
//!     type Input = ();
//!     type Output = Multiple<(u32, u32)>;
//! }
//! ```
//!
//! A signal, query or update of something that is no workflow:
//!
//! ```compile_fail,E0277
//! # use timewright_definition::SignalDefinition;
//! struct Approve;
//! impl SignalDefinition for Approve {
//!     const NAME: &'static str = "approve";
//!     type Workflow = String;
//!     type Input = ();
//! }
//! ```
#![forbid(unsafe_code)]

mod context_values;
mod priority;
mod retry_policy;
mod search_attribute;
mod search_attribute_key;
#[doc(hidden)]
pub mod session;
mod versioning_behavior;
mod versioning_override;

pub use context_values::{ContextPropagator, ContextPropagators, ContextValues, PropagatedValue};
pub use priority::Priority;
pub use retry_policy::RetryPolicy;
pub use search_attribute::SearchAttributeValue;
pub use search_attribute_key::{SearchAttributeKey, SearchAttributeKind, search_attribute_kind};
/// Several arguments, for contracts with other languages.
pub use timewright_converter::Multiple;
use timewright_converter::{Arguments, Value};
#[cfg(feature = "macros")]
pub use timewright_macros::{
    activity_definition_of_definition_crate as activity_definition,
    query_definition_of_definition_crate as query_definition,
    signal_definition_of_definition_crate as signal_definition,
    update_definition_of_definition_crate as update_definition,
    workflow_definition_of_definition_crate as workflow_definition,
};
pub use versioning_behavior::VersioningBehavior;
pub use versioning_override::VersioningOverride;

/// A Workflow Type: its name, what it takes and what it gives. <https://docs.temporal.io/workflow-definition>
///
/// ```
/// use timewright_definition::WorkflowDefinition;
///
/// struct Transfer;
/// impl WorkflowDefinition for Transfer {
///     const NAME: &'static str = "Transfer";
///     type Input = u64;
///     type Output = ();
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the definition of a workflow",
    note = "`#[workflow]` and `#[workflow_definition]` make one; by hand, implement `WorkflowDefinition` for it: its name, input and output"
)]
pub trait WorkflowDefinition: Send + Sync + 'static {
    /// The Workflow Type's name, which histories record; renaming it makes a new type.
    const NAME: &'static str;
    /// What starting one takes.
    type Input: Arguments;
    /// What it gives when it completes.
    type Output: Value;
}

/// An Activity Type: its name, what it takes and what it gives. <https://docs.temporal.io/activity-definition>
///
/// ```
/// use timewright_definition::ActivityDefinition;
///
/// struct Charge;
/// impl ActivityDefinition for Charge {
///     const NAME: &'static str = "Charge";
///     type Input = u64;
///     type Output = String;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the definition of an activity",
    note = "`#[activity]` and `#[activity_definition]` make one; by hand, implement `ActivityDefinition` for it: its name, input and output"
)]
pub trait ActivityDefinition: Send + Sync + 'static {
    /// The Activity Type's name, which histories record; renaming it makes a new type.
    const NAME: &'static str;
    /// What executing one takes.
    type Input: Arguments;
    /// What it gives when it completes.
    type Output: Value;
}

/// A Signal of one Workflow Type: its name and what it takes. <https://docs.temporal.io/encyclopedia/workflow-message-passing>
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the definition of a signal",
    note = "`#[signal]` and `#[signal_definition]` make one; by hand, implement `SignalDefinition` for it: its name, workflow and input"
)]
pub trait SignalDefinition: Send + Sync + 'static {
    /// The Signal's name.
    const NAME: &'static str;
    /// The workflow that it is for.
    type Workflow: WorkflowDefinition;
    /// What it takes.
    type Input: Arguments;
}

/// A Query of one Workflow Type: its name, what it takes and what it gives.
/// <https://docs.temporal.io/encyclopedia/workflow-message-passing>
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the definition of a query",
    note = "`#[query]` and `#[query_definition]` make one; by hand, implement `QueryDefinition` for it: its name, workflow, input and output"
)]
pub trait QueryDefinition: Send + Sync + 'static {
    /// The Query's name.
    const NAME: &'static str;
    /// The workflow that it is for.
    type Workflow: WorkflowDefinition;
    /// What it takes.
    type Input: Arguments;
    /// What it answers.
    type Output: Value;
}

/// An Update of one Workflow Type: its name, what it takes and what it gives.
/// <https://docs.temporal.io/encyclopedia/workflow-message-passing>
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the definition of an update",
    note = "`#[update]` and `#[update_definition]` make one; by hand, implement `UpdateDefinition` for it: its name, workflow, input and output"
)]
pub trait UpdateDefinition: Send + Sync + 'static {
    /// The Update's name.
    const NAME: &'static str;
    /// The workflow that it is for.
    type Workflow: WorkflowDefinition;
    /// What it takes.
    type Input: Arguments;
    /// What it gives when it is done.
    type Output: Value;
}
