//! Activities, as a client sees them: those that somebody outside completes, those that clients start, those of workflows.

mod completion;
mod description;
mod handle;
mod list;
mod operations;
mod start;

pub use completion::{
    ActivityCompletionError, ActivityCompletionHandle, ActivityReference, HeartbeatResponse,
    UntypedActivityCompletionHandle,
};
pub use description::ActivityDescription;
pub use handle::{ActivityHandle, ActivityResultError, UntypedActivityHandle};
pub use list::{ActivityCount, ActivityCountGroup, ActivityPages, ListActivitiesError, ListedActivity};
pub use operations::{ActivityRequestError, ResetActivityOptions, UpdateActivityOptions, WorkflowActivityHandle};
pub use start::{
    ActivityIdConflictPolicy, ActivityIdReusePolicy, ExecuteActivityError, StartActivityError, StartActivityOptions,
};
