//! Which version of a worker's deployment executes a workflow, whatever else would apply.

use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_proto::temporal::api::workflow::v1::VersioningOverride as Wire;
use timewright_proto::temporal::api::workflow::v1::versioning_override::{
    OneTimeOverride, Override, PinnedOverride, PinnedOverrideBehavior,
};

/// Which version of a worker's deployment executes a workflow, whatever its type says and whichever version is the current one. It
/// stands for the whole run, and its children inherit a version that they are pinned to.
/// <https://docs.temporal.io/worker-versioning>
///
/// ```
/// use timewright_definition::VersioningOverride;
///
/// let on_the_old_code = VersioningOverride::pinned("orders", "1.4.0");
/// assert_ne!(on_the_old_code, VersioningOverride::AutoUpgrade);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersioningOverride {
    /// It stays on this version.
    Pinned {
        /// The deployment's name.
        deployment_name: String,
        /// Its build.
        build_id: String,
    },
    /// It goes along with the current version of its Task Queue's deployment.
    AutoUpgrade,
    /// It goes over to this version once, and from then on does as its type says. For servers from 1.32 on.
    OneTime {
        /// The deployment's name.
        deployment_name: String,
        /// Its build.
        build_id: String,
    },
}

impl VersioningOverride {
    /// It stays on this version of this deployment.
    pub fn pinned(deployment_name: impl Into<String>, build_id: impl Into<String>) -> Self {
        Self::Pinned { deployment_name: deployment_name.into(), build_id: build_id.into() }
    }

    /// It goes over to this version of this deployment once.
    pub fn one_time(deployment_name: impl Into<String>, build_id: impl Into<String>) -> Self {
        Self::OneTime { deployment_name: deployment_name.into(), build_id: build_id.into() }
    }
}

impl From<VersioningOverride> for Wire {
    fn from(versioning_override: VersioningOverride) -> Self {
        let version = |deployment_name, build_id| Some(WorkerDeploymentVersion { deployment_name, build_id });
        let said = match versioning_override {
            VersioningOverride::Pinned { deployment_name, build_id } => Override::Pinned(PinnedOverride {
                behavior: PinnedOverrideBehavior::Pinned.into(),
                version: version(deployment_name, build_id),
            }),
            VersioningOverride::AutoUpgrade => Override::AutoUpgrade(true),
            VersioningOverride::OneTime { deployment_name, build_id } => {
                Override::OneTime(OneTimeOverride { target_deployment_version: version(deployment_name, build_id) })
            }
        };
        Self { r#override: Some(said), ..Self::default() }
    }
}
