//! Which service executes which activity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use timewright_protocol::activity::ActivityOutcome;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt, service_fn};

use crate::failures::{self, unknown_type};
use crate::{ActivityRequest, ActivityService};

/// The activities that a worker has.
#[derive(Default)]
pub(crate) struct Router {
    pub(crate) by_name: BTreeMap<String, ActivityService>,
    /// For all others.
    pub(crate) fallback: Option<ActivityService>,
}

/// The types of the activities that a worker has.
#[derive(Debug, Default)]
pub(crate) struct KnownTypes {
    pub(crate) names: BTreeSet<String>,
    /// Whether all others are executed, too.
    pub(crate) has_fallback: bool,
}

impl Router {
    pub(crate) fn known_types(&self) -> KnownTypes {
        KnownTypes { names: self.by_name.keys().cloned().collect(), has_fallback: self.fallback.is_some() }
    }

    /// One service that hands each request to the right one.
    pub(crate) fn into_service(self) -> ActivityService {
        let router = Arc::new(self);
        BoxCloneSyncService::new(service_fn(move |request: ActivityRequest| {
            let router = Arc::clone(&router);
            async move { router.route(request).await }
        }))
    }

    async fn route(&self, request: ActivityRequest) -> Result<ActivityOutcome, BoxError> {
        let info = request.context.info();
        match self.by_name.get(&info.activity_type).or(self.fallback.as_ref()) {
            // A clone, because a service is called by whoever has it alone.
            Some(service) => service.clone().oneshot(request).await,
            None => {
                let known = self.by_name.keys().map(String::as_str);
                Ok(failures::outcome(unknown_type(&info.activity_type, &info.task_queue, known)))
            }
        }
    }
}
