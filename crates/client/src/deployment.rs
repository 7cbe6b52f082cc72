//! Worker Deployments: which version of its code a worker runs, and which version the server gives new work to.

use crate::client::Client;
use crate::rpc_error::RpcError;
use timewright_definition::VersioningBehavior;
use timewright_proto::enums::WorkerVersioningMode;
use timewright_proto::temporal::api::deployment::v1::{self as proto, WorkerDeploymentInfo};
use timewright_proto::workflow_service::{
    DescribeWorkerDeploymentRequest, SetWorkerDeploymentCurrentVersionRequest, SetWorkerDeploymentRampingVersionRequest,
};

/// Which Worker Deployment a worker belongs to, and which version of it. Give it to the worker's builder.
///
/// <https://docs.temporal.io/worker-versioning>
///
/// ```
/// use timewright_client::{VersioningBehavior, WorkerDeployment};
///
/// let deployment = WorkerDeployment::versioned("orders", env!("CARGO_PKG_VERSION"))
///     .default_versioning_behavior(VersioningBehavior::Pinned);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct WorkerDeployment {
    name: String,
    build_id: String,
    is_versioned: bool,
    default_versioning_behavior: Option<VersioningBehavior>,
}

/// A version that no worker can be of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWorkerDeployment {
    /// One of its two names is empty.
    #[error("a Worker Deployment needs a name and a build id, and these are {name:?} and {build_id:?}")]
    Empty {
        /// The deployment's name.
        name: String,
        /// The build id.
        build_id: String,
    },
    /// The name has a character in it that separates names.
    #[error(
        "{name:?} cannot be the name of a Worker Deployment: `.` and `:` separate it from the build id; leave them out"
    )]
    Separator {
        /// The deployment's name.
        name: String,
    },
}

impl WorkerDeployment {
    /// A worker that takes part in versioning: it gets the work of its version only, and new work when the version is made
    /// [current](WorkerDeploymentHandle::set_current_version) or [ramping](WorkerDeploymentHandle::set_ramping_version).
    ///
    /// Each workflow that it executes must be [pinned or auto-upgraded](VersioningBehavior), by its own definition or by
    /// [default](Self::default_versioning_behavior).
    pub fn versioned(name: impl Into<String>, build_id: impl Into<String>) -> Self {
        Self { name: name.into(), build_id: build_id.into(), is_versioned: true, default_versioning_behavior: None }
    }

    /// A worker that only says which build it is, for whoever looks at it; the server gives it work as ever.
    pub fn unversioned(name: impl Into<String>, build_id: impl Into<String>) -> Self {
        Self { is_versioned: false, ..Self::versioned(name, build_id) }
    }

    /// How workflows behave that do not say so themselves.
    pub const fn default_versioning_behavior(mut self, behavior: VersioningBehavior) -> Self {
        self.default_versioning_behavior = Some(behavior);
        self
    }

    /// The deployment's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version.
    #[must_use]
    pub fn build_id(&self) -> &str {
        &self.build_id
    }

    /// Whether the worker takes part in versioning.
    #[must_use]
    pub const fn is_versioned(&self) -> bool {
        self.is_versioned
    }

    /// How workflows behave that do not say so themselves.
    #[must_use]
    pub const fn default_behavior(&self) -> Option<VersioningBehavior> {
        self.default_versioning_behavior
    }

    /// What polls and answers say.
    #[must_use]
    pub fn to_proto(&self) -> proto::WorkerDeploymentOptions {
        let mode = if self.is_versioned { WorkerVersioningMode::Versioned } else { WorkerVersioningMode::Unversioned };
        proto::WorkerDeploymentOptions {
            deployment_name: self.name.clone(),
            build_id: self.build_id.clone(),
            worker_versioning_mode: mode.into(),
        }
    }

    /// Its version, as the server names it.
    #[must_use]
    pub fn version(&self) -> proto::WorkerDeploymentVersion {
        proto::WorkerDeploymentVersion { deployment_name: self.name.clone(), build_id: self.build_id.clone() }
    }

    /// Checks the names.
    ///
    /// # Errors
    /// If the server would refuse them, which workers would see only as polls that fail.
    pub fn check(&self) -> Result<(), InvalidWorkerDeployment> {
        if self.name.is_empty() || self.build_id.is_empty() {
            return Err(InvalidWorkerDeployment::Empty { name: self.name.clone(), build_id: self.build_id.clone() });
        }
        if self.name.contains(['.', ':']) {
            return Err(InvalidWorkerDeployment::Separator { name: self.name.clone() });
        }
        Ok(())
    }
}

/// A Worker Deployment, on the server: [`Client::worker_deployment`]. It is there when a versioned worker has polled for it.
#[derive(Clone, Debug)]
pub struct WorkerDeploymentHandle {
    client: Client,
    name: String,
}

/// A Worker Deployment that could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Worker Deployment `{name}`: {source}")]
pub struct WorkerDeploymentError {
    /// Its name.
    pub name: String,
    /// What the server said.
    pub source: RpcError,
}

impl Client {
    /// The handle of a Worker Deployment, which says what version new work goes to.
    ///
    /// ```no_run
    /// # async fn roll_out(client: timewright_client::Client) -> Result<(), timewright_client::WorkerDeploymentError> {
    /// let orders = client.worker_deployment("orders");
    /// orders.set_ramping_version(Some("1.4.0"), 10.0).await?; // a tenth of new work, first
    /// orders.set_current_version(Some("1.4.0")).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn worker_deployment(&self, name: impl Into<String>) -> WorkerDeploymentHandle {
        WorkerDeploymentHandle { client: self.clone(), name: name.into() }
    }
}

impl WorkerDeploymentHandle {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the server knows of it: its versions, and what work goes where.
    ///
    /// # Errors
    /// If it is not there yet: no versioned worker has polled for it.
    pub async fn describe(&self) -> Result<WorkerDeploymentInfo, WorkerDeploymentError> {
        let request = DescribeWorkerDeploymentRequest {
            namespace: self.client.namespace().to_owned(),
            deployment_name: self.name.clone(),
        };
        let response = self.client.workflow_service().describe_worker_deployment(request).await;
        let response = response.map_err(|status| self.error(status))?;
        Ok(response.into_inner().worker_deployment_info.unwrap_or_default())
    }

    /// Gives new workflows, and the next tasks of those that are auto-upgraded, to this version; `None` stands for workers that
    /// take no part in versioning.
    ///
    /// # Errors
    /// If no worker of that version polls all Task Queues of the version before, or none is known.
    pub async fn set_current_version(&self, build_id: Option<&str>) -> Result<(), WorkerDeploymentError> {
        let request = SetWorkerDeploymentCurrentVersionRequest {
            namespace: self.client.namespace().to_owned(),
            deployment_name: self.name.clone(),
            build_id: build_id.unwrap_or_default().to_owned(),
            identity: self.client.identity().to_owned(),
            ..SetWorkerDeploymentCurrentVersionRequest::default()
        };
        let response = self.client.workflow_service().set_worker_deployment_current_version(request).await;
        response.map(drop).map_err(|status| self.error(status))
    }

    /// Gives this part of new work, in percent, to this version, and the rest to the current one; `None` with 0 % ends it.
    ///
    /// # Errors
    /// If no worker of that version is known, or it is the current one.
    pub async fn set_ramping_version(
        &self,
        build_id: Option<&str>,
        percentage: f32,
    ) -> Result<(), WorkerDeploymentError> {
        let request = SetWorkerDeploymentRampingVersionRequest {
            namespace: self.client.namespace().to_owned(),
            deployment_name: self.name.clone(),
            build_id: build_id.unwrap_or_default().to_owned(),
            percentage,
            identity: self.client.identity().to_owned(),
            ..SetWorkerDeploymentRampingVersionRequest::default()
        };
        let response = self.client.workflow_service().set_worker_deployment_ramping_version(request).await;
        response.map(drop).map_err(|status| self.error(status))
    }

    fn error(&self, status: tonic::Status) -> WorkerDeploymentError {
        WorkerDeploymentError { name: self.name.clone(), source: status.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_cannot_be_are_refused_with_the_reason() {
        WorkerDeployment::versioned("orders", "1.4.0").check().unwrap();
        let error = |name, build_id| WorkerDeployment::versioned(name, build_id).check().unwrap_err().to_string();
        assert_eq!(error("", "1"), "a Worker Deployment needs a name and a build id, and these are \"\" and \"1\"");
        assert_eq!(
            error("or.ders", "1"),
            "\"or.ders\" cannot be the name of a Worker Deployment: `.` and `:` separate it from the build id; leave them out"
        );
    }
}
