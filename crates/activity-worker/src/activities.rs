//! Several activities that are registered at once.

use std::sync::Arc;

use crate::ActivityWorkerBuilder;

/// Something that has activities: [`ActivityWorkerBuilder::register`] takes them all.
///
/// The macros `activity` and `activities` of the umbrella crate implement it; by hand it is a list:
///
/// ```
/// use std::sync::Arc;
/// use timewright_activity_worker::{Activities, ActivityContext, ActivityError, ActivityWorkerBuilder};
/// use timewright_definition::ActivityDefinition;
///
/// struct Charge;
/// impl ActivityDefinition for Charge {
///     const NAME: &'static str = "charge";
///     type Input = u64;
///     type Output = String;
/// }
/// struct Refund;
/// impl ActivityDefinition for Refund {
///     const NAME: &'static str = "refund";
///     type Input = String;
///     type Output = ();
/// }
///
/// struct Billing { endpoint: String }
///
/// impl Billing {
///     async fn charge(self: Arc<Self>, _context: ActivityContext, amount: u64) -> Result<String, ActivityError> {
///         Ok(format!("{amount} charged at {}", self.endpoint))
///     }
///     async fn refund(self: Arc<Self>, _context: ActivityContext, _receipt: String) -> Result<(), ActivityError> {
///         Ok(())
///     }
/// }
///
/// impl Activities for Billing {
///     fn register(self: Arc<Self>, builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
///         builder
///             .activity_with_state(Charge, Arc::clone(&self), Self::charge)
///             .activity_with_state(Refund, self, Self::refund)
///     }
/// }
///
/// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
/// builder.register(Billing { endpoint: "https://billing.example".to_owned() })
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no activities to register",
    label = "neither a function's definition by `#[activity]` nor a type with `#[activities]`",
    note = "a function for a definition that stands elsewhere is registered with `.activity(Definition, function)`"
)]
pub trait Activities: Send + Sync + 'static {
    /// Registers them.
    fn register(self: Arc<Self>, builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder;
}

/// What is shared between several workers, or with other parts of the program.
impl<A: Activities> Activities for Arc<A> {
    fn register(self: Arc<Self>, builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
        A::register(Arc::clone(&self), builder)
    }
}

impl ActivityWorkerBuilder {
    /// Registers all activities of something: see [`Activities`].
    pub fn register(self, activities: impl Activities) -> Self {
        Activities::register(Arc::new(activities), self)
    }
}
