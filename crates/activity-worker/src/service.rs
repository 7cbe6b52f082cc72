//! Activities as `tower` sees them.

use timewright_converter::Payload;
use timewright_protocol::activity::ActivityOutcome;
use tower::BoxError;
use tower::util::BoxCloneSyncService;

use crate::ActivityContext;

/// What an activity's service is called with: one attempt.
#[derive(Clone, Debug)]
pub struct ActivityRequest {
    /// What the attempt is, and its way to the server: information, heartbeats, cancellation, headers.
    pub context: ActivityContext,
    /// The arguments, decoded by all Payload Codecs, but not read yet. A layer may change them.
    pub input: Vec<Payload>,
}

/// An activity, or all activities of a worker with layers around them.
///
/// What it returns has not been through the Payload Codecs yet, and failures not through the Failure Converter, so that layers
/// can read them. An error is a failure of the layers, such as a timeout; the attempt fails with it, and may be tried again.
pub type ActivityService = BoxCloneSyncService<ActivityRequest, ActivityOutcome, BoxError>;
