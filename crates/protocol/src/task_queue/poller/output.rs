//! What a poller is told of polls, and what it says.

use super::super::error_class::ErrorClass;
use super::super::groups::PollerGroups;
use super::super::slots::{QueueKind, SlotId};
use std::sync::Arc;
use std::time::Duration;
use timewright_proto::task_queue::{PollerGroupInfo, PollerGroupsInfo, PollerScalingDecision};

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// With a task, which now holds the poll's slot until [`Poller::handle_slot_released`](super::Poller::handle_slot_released).
    Task,
    /// With nothing: there was no task in all that time.
    Empty,
    /// With an error.
    Failed(ErrorClass),
    /// It was dropped by whoever drives the poller.
    Dropped,
}

/// What a poll's answer says of polls, beside its task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollHints {
    /// How many more polls the server would like to be open on this kind of queue; less than none: fewer.
    pub delta: Option<i32>,
    /// Over which groups polls are to be spread.
    pub groups: Option<PollerGroups>,
}

impl PollHints {
    /// Reads what a server says. `unversioned` are the groups as a server sends them that knows no versions of them.
    #[must_use]
    pub fn read(
        decision: Option<PollerScalingDecision>,
        groups: Option<PollerGroupsInfo>,
        unversioned: Vec<PollerGroupInfo>,
    ) -> Self {
        let delta = decision.map(|decision| decision.poll_request_delta_suggestion);
        Self { delta, groups: PollerGroups::read(groups, unversioned) }
    }
}

/// What a server says of polls before the first one: with the description of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollSupport {
    /// It gives hints how many polls to open.
    pub autoscaling: bool,
    /// It asks workers to follow these hints if they were not set up otherwise.
    pub autoscaling_by_default: bool,
    /// Over which groups polls are to be spread.
    pub groups: Option<PollerGroups>,
}

/// What whoever drives a [`Poller`](super::Poller) has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollerOutput {
    /// Open a poll, now, and report its end with [`Poller::handle_poll_result`](super::Poller::handle_poll_result).
    Open {
        /// The slot that the poll holds, and its name.
        slot: SlotId,
        /// What to poll.
        queue: QueueKind,
        /// The poller group that is to be asked for; `None` where the server has none.
        group: Option<Arc<str>>,
    },
    /// Ask for a slot, and report with [`Poller::handle_reserved`](super::Poller::handle_reserved) or [`Poller::handle_not_reserved`](super::Poller::handle_not_reserved). Only where slots are
    /// [supplied](super::PollerOptions::supplied).
    Reserve {
        /// The slot's name.
        slot: SlotId,
        /// For which kind of queue it is wanted. It may be used for the other, if that needs it more when it comes.
        queue: QueueKind,
        /// How many slots that kind of queue has.
        held: usize,
    },
    /// Give a slot back that was asked for, or ask for it no longer. Only where slots are supplied.
    Release {
        /// Which.
        slot: SlotId,
    },
    /// Tell people that polls keep failing.
    Warn(PollWarning),
    /// Tell people that polls work again, after a warning.
    Recovered {
        /// Which polls.
        queue: QueueKind,
    },
    /// Stop with an error: polls have failed for longer than the grace period with errors that waiting does not cure.
    /// No poll is opened any more; [`End`](Self::End) follows.
    Fail(PollFailure),
    /// Drop all polls that are open, and report each as [`PollResult::Dropped`], or as what it was if it had just ended.
    DropPolls,
    /// No poll is open, and none will be. Said once.
    End,
}

/// Polls keep failing. Said after 1, 3, 7, 15, 30, 45… minutes, and at once of an error that waiting does not cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollWarning {
    /// Which polls.
    pub queue: QueueKind,
    /// The last error.
    pub class: ErrorClass,
    /// Since the first failure after the last success.
    pub failing_for: Duration,
    /// Failed polls in that time.
    pub failures: u64,
    /// How long the last of them had been open. If that is some tens of seconds, a proxy cuts polls which it should
    /// leave open for 70 s.
    pub open_for: Duration,
    /// When it will be given up, if nothing changes.
    pub ends_in: Option<Duration>,
}

/// Why polling was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollFailure {
    /// Which polls failed.
    pub queue: QueueKind,
    /// Since the first failure after the last success.
    pub failing_for: Duration,
    /// Failed polls in that time.
    pub failures: u64,
}
