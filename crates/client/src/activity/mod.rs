//! Activities, as a client sees them: those that somebody outside completes, those that clients start, those of workflows.

mod completion;

pub use completion::{
    ActivityCompletionError, ActivityCompletionHandle, ActivityReference, HeartbeatResponse,
    UntypedActivityCompletionHandle,
};
