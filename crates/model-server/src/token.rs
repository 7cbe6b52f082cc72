//! Tokens: what a worker must hand back, in a form that only the model reads.

use timewright_proto::Bytes;

use crate::error::ServerError;

/// Names a started Workflow Task. An answer counts only if all of it is still so, as on the real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkflowTaskToken {
    pub(crate) run_id: String,
    pub(crate) scheduled_event_id: i64,
    pub(crate) started_event_id: i64,
    pub(crate) attempt: i32,
    /// Which dispatch of a task it is; two attempts of a task can have the same Event ids.
    pub(crate) dispatch: u64,
}

impl WorkflowTaskToken {
    pub(crate) fn encode(&self) -> Bytes {
        let Self { run_id, scheduled_event_id, started_event_id, attempt, dispatch } = self;
        encode("workflow-task", &[run_id, scheduled_event_id, started_event_id, attempt, dispatch])
    }

    pub(crate) fn decode(token: &Bytes) -> Result<Self, ServerError> {
        let [run_id, scheduled, started, attempt, dispatch] = decode("workflow-task", token)?;
        Ok(Self {
            run_id: run_id.to_owned(),
            scheduled_event_id: number(scheduled)?,
            started_event_id: number(started)?,
            attempt: number(attempt)?,
            dispatch: number(dispatch)?,
        })
    }
}

/// Names an attempt of an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActivityTaskToken {
    pub(crate) run_id: String,
    pub(crate) scheduled_event_id: i64,
    pub(crate) attempt: i32,
}

impl ActivityTaskToken {
    pub(crate) fn encode(&self) -> Bytes {
        encode("activity-task", &[&self.run_id, &self.scheduled_event_id, &self.attempt])
    }

    pub(crate) fn decode(token: &Bytes) -> Result<Self, ServerError> {
        let [run_id, scheduled, attempt] = decode("activity-task", token)?;
        Ok(Self { run_id: run_id.to_owned(), scheduled_event_id: number(scheduled)?, attempt: number(attempt)? })
    }
}

/// Names a Query that has a task of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueryToken {
    pub(crate) query: u64,
}

impl QueryToken {
    pub(crate) fn encode(&self) -> Bytes {
        encode("query", &[&self.query])
    }

    pub(crate) fn decode(token: &Bytes) -> Result<Self, ServerError> {
        let [query] = decode("query", token)?;
        Ok(Self { query: number(query)? })
    }
}

/// Names a request to a Nexus endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NexusTaskToken {
    pub(crate) request: u64,
}

impl NexusTaskToken {
    pub(crate) fn encode(&self) -> Bytes {
        encode("nexus-task", &[&self.request])
    }

    pub(crate) fn decode(token: &Bytes) -> Result<Self, ServerError> {
        let [request] = decode("nexus-task", token)?;
        Ok(Self { request: number(request)? })
    }
}

/// Names the Nexus operation for which somebody calls back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NexusCallbackToken {
    pub(crate) run_id: String,
    pub(crate) scheduled_event_id: i64,
    /// Other runs of the workflow can have another operation of the same Event.
    pub(crate) request_id: String,
}

impl NexusCallbackToken {
    /// A text, for it travels in a header.
    pub(crate) fn encode(&self) -> String {
        format!("{}|{}|{}", self.run_id, self.scheduled_event_id, self.request_id)
    }

    pub(crate) fn decode(token: &str) -> Result<Self, ServerError> {
        let mut parts = token.split('|');
        let (Some(run_id), Some(scheduled), Some(request_id)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unreadable());
        };
        Ok(Self {
            run_id: run_id.to_owned(),
            scheduled_event_id: number(scheduled)?,
            request_id: request_id.to_owned(),
        })
    }
}

/// Names a page of a delivered history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageToken {
    pub(crate) delivery: u64,
    /// How many Events were delivered before.
    pub(crate) position: usize,
    /// How many pages were delivered before.
    pub(crate) page: u64,
}

impl PageToken {
    pub(crate) fn encode(&self) -> Bytes {
        encode("page", &[&self.delivery, &self.position, &self.page])
    }

    pub(crate) fn decode(token: &Bytes) -> Result<Self, ServerError> {
        let [delivery, position, page] = decode("page", token)?;
        Ok(Self { delivery: number(delivery)?, position: number(position)?, page: number(page)? })
    }
}

fn encode(kind: &str, parts: &[&dyn std::fmt::Display]) -> Bytes {
    let mut text = kind.to_owned();
    for part in parts {
        text.push('|');
        text.push_str(&part.to_string());
    }
    text.into()
}

fn decode<'a, const N: usize>(kind: &str, token: &'a Bytes) -> Result<[&'a str; N], ServerError> {
    let text = std::str::from_utf8(token).map_err(|_| unreadable())?;
    let mut parts = text.split('|');
    if parts.next() != Some(kind) {
        return Err(unreadable());
    }
    parts.collect::<Vec<_>>().try_into().map_err(|_| unreadable())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, ServerError> {
    text.parse().map_err(|_| unreadable())
}

fn unreadable() -> ServerError {
    ServerError::InvalidArgument("Error deserializing task token.".into())
}
