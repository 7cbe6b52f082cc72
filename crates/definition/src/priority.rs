//! Before which others a task is handed out.

use timewright_proto::common;

/// The place of a workflow or an activity in its Task Queue. What is not set is inherited: by an activity from its workflow, by a
/// Child Workflow from its parent, by the next run from this one.
/// <https://docs.temporal.io/develop/task-queue-priority-fairness>
///
/// ```
/// use timewright_definition::Priority;
///
/// let priority = Priority::new().priority_key(1).fairness_key("customer-17").fairness_weight(2.0);
/// assert_eq!(priority.fairness_key_text(), Some("customer-17"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Priority {
    priority_key: Option<u32>,
    fairness_key: Option<String>,
    fairness_weight: Option<f32>,
}

impl Priority {
    /// As inherited.
    pub const fn new() -> Self {
        Self { priority_key: None, fairness_key: None, fairness_weight: None }
    }

    /// From 1, the most urgent, up to what the server is set up for: 5 by default, and 3 is what it takes where none is set.
    pub const fn priority_key(mut self, key: u32) -> Self {
        self.priority_key = Some(key);
        self
    }

    /// Among tasks of the same priority, keys take turns, however many tasks each has. Up to 64 bytes.
    pub fn fairness_key(mut self, key: impl Into<String>) -> Self {
        self.fairness_key = Some(key.into());
        self
    }

    /// How large the share of the fairness key is, from 0.001 to 1000; 1 where none is set.
    pub const fn fairness_weight(mut self, weight: f32) -> Self {
        self.fairness_weight = Some(weight);
        self
    }

    /// The priority key, where one is set.
    #[must_use]
    pub const fn priority_key_number(&self) -> Option<u32> {
        self.priority_key
    }

    /// The fairness key, where one is set.
    #[must_use]
    pub fn fairness_key_text(&self) -> Option<&str> {
        self.fairness_key.as_deref()
    }

    /// The weight of the fairness key, where one is set.
    #[must_use]
    pub const fn fairness_weight_number(&self) -> Option<f32> {
        self.fairness_weight
    }
}

impl From<Priority> for common::Priority {
    fn from(priority: Priority) -> Self {
        Self {
            // The server refuses what is too large, and says so.
            priority_key: priority.priority_key.map_or(0, |key| i32::try_from(key).unwrap_or(i32::MAX)),
            fairness_key: priority.fairness_key.unwrap_or_default(),
            fairness_weight: priority.fairness_weight.unwrap_or_default(),
        }
    }
}

impl From<common::Priority> for Priority {
    fn from(priority: common::Priority) -> Self {
        let common::Priority { priority_key, fairness_key, fairness_weight } = priority;
        Self {
            priority_key: u32::try_from(priority_key).ok().filter(|key| *key != 0),
            fairness_key: Some(fairness_key).filter(|key| !key.is_empty()),
            fairness_weight: Some(fairness_weight).filter(|weight| *weight != 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_inherited() {
        assert_eq!(common::Priority::from(Priority::new()), common::Priority::default());
        let priority = Priority::new().priority_key(2).fairness_key("a").fairness_weight(0.5);
        let written = common::Priority { priority_key: 2, fairness_key: "a".into(), fairness_weight: 0.5 };
        assert_eq!(common::Priority::from(priority.clone()), written);
        assert_eq!(Priority::from(written), priority);
        assert_eq!(Priority::from(common::Priority::default()), Priority::new());
    }
}
