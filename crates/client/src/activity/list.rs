//! Which activities there are that clients started.

use crate::client::Client;
use crate::description::time;
use crate::rpc_error::RpcError;
use bytes::Bytes;
use std::time::SystemTime;
use timewright_converter::{ConversionError, Payload, Value};
use timewright_proto::enums::ActivityExecutionStatus;
use timewright_proto::temporal::api::activity::v1::ActivityExecutionListInfo;
use timewright_proto::workflow_service::{CountActivityExecutionsRequest, ListActivityExecutionsRequest};

/// Activities that were not listed or counted: the server does not understand the query, or could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("activities by query `{query}`: {source}")]
pub struct ListActivitiesError {
    /// The List Filter.
    pub query: String,
    /// What failed.
    pub source: RpcError,
}

/// The pages of a list of activities, one with each [`next`](Self::next), the newest activities first.
///
/// ```no_run
/// # async fn example(client: timewright_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut pages = client.list_activities("ActivityType = 'SendMail' AND ExecutionStatus = 'Running'");
/// while let Some(activities) = pages.next().await? {
///     for activity in activities {
///         println!("{} {:?}", activity.activity_id(), activity.status());
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ActivityPages {
    client: Client,
    query: String,
    /// `None` at the end.
    token: Option<Bytes>,
}

/// One activity of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedActivity(ActivityExecutionListInfo);

/// How many activities there are.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ActivityCount {
    /// In all.
    pub count: u64,
    /// In each group, for a query with `GROUP BY`.
    pub groups: Vec<ActivityCountGroup>,
}

/// How many activities there are in one group.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ActivityCountGroup {
    /// So many.
    pub count: u64,
    /// What they have in common, as search attributes are written.
    pub values: Vec<Payload>,
}

impl Client {
    /// The activities that clients started and that this List Filter finds; an empty one finds all. What has just been started
    /// may take a moment to appear. <https://docs.temporal.io/list-filter>
    #[must_use]
    pub fn list_activities(&self, query: impl Into<String>) -> ActivityPages {
        ActivityPages { client: self.clone(), query: query.into(), token: Some(Bytes::new()) }
    }

    /// How many activities this List Filter finds, among those that clients started.
    ///
    /// # Errors
    /// If the server does not understand the query, or cannot be asked.
    pub async fn count_activities(&self, query: impl Into<String>) -> Result<ActivityCount, ListActivitiesError> {
        let query = query.into();
        let request = CountActivityExecutionsRequest { namespace: self.namespace().to_owned(), query: query.clone() };
        let response = self.workflow_service().count_activity_executions(request).await;
        let response = response.map_err(|status| ListActivitiesError { query, source: status.into() })?.into_inner();
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        let groups = response.groups.into_iter();
        Ok(ActivityCount {
            count: number(response.count),
            groups: groups
                .map(|group| ActivityCountGroup { count: number(group.count), values: group.group_values })
                .collect(),
        })
    }
}

impl ActivityPages {
    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// If the server does not understand the query, or cannot be asked. The same page may be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<ListedActivity>>, ListActivitiesError> {
        let Some(token) = self.token.clone() else { return Ok(None) };
        let request = ListActivityExecutionsRequest {
            namespace: self.client.namespace().to_owned(),
            next_page_token: token,
            query: self.query.clone(),
            ..ListActivityExecutionsRequest::default()
        };
        match self.client.workflow_service().list_activity_executions(request).await {
            Ok(response) => {
                let response = response.into_inner();
                self.token = Some(response.next_page_token).filter(|token| !token.is_empty());
                Ok(Some(response.executions.into_iter().map(ListedActivity).collect()))
            }
            Err(status) => Err(ListActivitiesError { query: self.query.clone(), source: status.into() }),
        }
    }
}

impl ListedActivity {
    /// The Activity Id.
    #[must_use]
    pub fn activity_id(&self) -> &str {
        &self.0.activity_id
    }

    /// The Run Id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.0.run_id
    }

    /// The Activity Type's name.
    #[must_use]
    pub fn activity_type(&self) -> &str {
        self.0.activity_type.as_ref().map_or("", |activity_type| &activity_type.name)
    }

    /// The Task Queue.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        &self.0.task_queue
    }

    /// Whether it runs, is paused, or how it was closed.
    #[must_use]
    pub fn status(&self) -> ActivityExecutionStatus {
        self.0.status()
    }

    /// When it was asked for, by the server's clock.
    #[must_use]
    pub fn schedule_time(&self) -> Option<SystemTime> {
        self.0.schedule_time.and_then(time)
    }

    /// When it was closed, by the server's clock; `None` while it is open.
    #[must_use]
    pub fn close_time(&self) -> Option<SystemTime> {
        self.0.close_time.and_then(time)
    }

    /// A search attribute; `None` if it has none by this name.
    ///
    /// # Errors
    /// If it is not such a value.
    pub fn search_attribute<T: Value>(&self, name: &str) -> Result<Option<T>, ConversionError> {
        let fields = self.0.search_attributes.as_ref().map(|attributes| &attributes.indexed_fields);
        fields.and_then(|fields| fields.get(name)).map(|payload| T::from_payload(payload.clone())).transpose()
    }

    /// Everything that the server said.
    #[must_use]
    pub const fn raw(&self) -> &ActivityExecutionListInfo {
        &self.0
    }
}
