//! The groups over which a server wants the polls of a Task Queue to be spread.

use super::backoff::Jitter;
use super::slots::QueueKind;
use std::collections::BTreeMap;
use std::sync::Arc;
use timewright_proto::task_queue::{PollerGroupInfo, PollerGroupsInfo};

/// The poller groups of a server, which say in its frontend where a poll is to go, so that each part of a server finds polls
/// to give its tasks to.
///
/// They come with the description of a namespace and with the answers to polls. Of two, the one with the higher version counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollerGroups {
    version: i64,
    groups: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq)]
struct Group {
    id: Arc<str>,
    weight: f64,
}

impl PollerGroups {
    /// What a server says; `None` if it says nothing. `unversioned` is how a server says it that knows no versions.
    #[must_use]
    pub fn read(info: Option<PollerGroupsInfo>, unversioned: Vec<PollerGroupInfo>) -> Option<Self> {
        let (version, groups) = match info {
            Some(PollerGroupsInfo { version, poller_groups }) => (version, poller_groups),
            None if unversioned.is_empty() => return None,
            None => (0, unversioned),
        };
        let groups = groups.into_iter().filter(|group| !group.id.is_empty());
        let groups = groups.map(|PollerGroupInfo { id, weight }| Group {
            id: id.into(),
            // Whatever is no weight is none.
            weight: if weight.is_finite() { f64::from(weight).max(0.0) } else { 0.0 },
        });
        Some(Self { version, groups: groups.collect() })
    }
}

/// Which group each open poll is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    known: Option<PollerGroups>,
    open: BTreeMap<(QueueKind, Arc<str>), usize>,
}

impl Spread {
    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.known.as_ref().map_or(0, |known| known.groups.len())
    }

    pub(super) fn handle_groups(&mut self, groups: PollerGroups) {
        let is_newer = |known: &PollerGroups| groups.version > known.version || groups.version == 0;
        if self.known.as_ref().is_none_or(is_newer) {
            self.known = Some(groups);
        }
    }

    /// The group of a poll that is opened now: one that has no poll of this kind, else by weight, at random.
    pub(super) fn take(&mut self, queue: QueueKind, jitter: &mut Jitter) -> Option<Arc<str>> {
        let groups = &self.known.as_ref()?.groups;
        let is_open = |group: &&Group| self.open.contains_key(&(queue, Arc::clone(&group.id)));
        let mut candidates: Vec<&Group> = groups.iter().filter(|group| !is_open(group)).collect();
        if candidates.is_empty() {
            candidates = groups.iter().collect();
        }
        let id = Arc::clone(&choose(&candidates, jitter.fraction())?.id);
        *self.open.entry((queue, Arc::clone(&id))).or_default() += 1;
        Some(id)
    }

    pub(super) fn give_back(&mut self, queue: QueueKind, group: Option<Arc<str>>) {
        let Some(key) = group.map(|group| (queue, group)) else { return };
        if let Some(open) = self.open.get_mut(&key) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&key);
            }
        }
    }
}

/// Each has a share of the way from 0 to 1 that is as long as its weight; all the same if none has any.
fn choose<'a>(groups: &[&'a Group], at: f64) -> Option<&'a Group> {
    let total: f64 = groups.iter().map(|group| group.weight).sum();
    let share = |group: &Group| if total > 0.0 { group.weight / total } else { 1.0 / groups.len() as f64 };
    let mut left = at;
    for group in groups {
        left -= share(group);
        if left < 0.0 {
            return Some(group);
        }
    }
    // Nothing but rounding is left.
    groups.iter().rev().find(|group| share(group) > 0.0).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(version: i64, groups: &[(&str, f32)]) -> PollerGroups {
        let poller_groups = groups.iter().map(|(id, weight)| PollerGroupInfo { id: (*id).into(), weight: *weight });
        PollerGroups::read(Some(PollerGroupsInfo { version, poller_groups: poller_groups.collect() }), Vec::new())
            .unwrap()
    }

    fn take(spread: &mut Spread, count: usize) -> BTreeMap<String, usize> {
        let mut jitter = Jitter::new(7);
        let mut taken = BTreeMap::new();
        for _ in 0..count {
            *taken.entry(spread.take(QueueKind::Normal, &mut jitter).unwrap().to_string()).or_default() += 1;
        }
        taken
    }

    #[test]
    fn without_groups_polls_have_none() {
        assert_eq!(Spread::default().take(QueueKind::Normal, &mut Jitter::none()), None);
        assert_eq!(PollerGroups::read(None, Vec::new()), None);
        let unversioned = PollerGroups::read(None, vec![PollerGroupInfo { id: "a".into(), weight: 1.0 }]).unwrap();
        assert_eq!(unversioned, groups(0, &[("a", 1.0), ("", 7.0)]), "and one without an id is none");
    }

    #[test]
    fn each_group_has_a_poll_before_any_has_two_and_then_weights_count() {
        let mut spread = Spread::default();
        spread.handle_groups(groups(1, &[("a", 1.0), ("b", 9.0), ("c", 0.0)]));
        assert_eq!(take(&mut spread, 3).into_values().collect::<Vec<_>>(), [1, 1, 1]);
        let more = take(&mut spread, 1000);
        assert!((850..950).contains(&more["b"]) && more["a"] + more["b"] == 1000, "{more:?}");
        // What is free of polls comes first, whatever its weight.
        spread.give_back(QueueKind::Normal, Some("c".into()));
        assert_eq!(take(&mut spread, 1)["c"], 1);
        // Sticky polls are counted for themselves.
        assert!(spread.take(QueueKind::Sticky, &mut Jitter::new(1)).is_some());
    }

    #[test]
    fn without_any_weight_all_are_the_same() {
        let mut spread = Spread::default();
        spread.handle_groups(groups(1, &[("a", 0.0), ("b", -3.0), ("c", f32::NAN)]));
        let taken = take(&mut spread, 3000);
        assert!(taken.values().all(|count| (900..1100).contains(count)), "{taken:?}");
    }

    #[test]
    fn an_older_version_is_not_heard() {
        let mut spread = Spread::default();
        spread.handle_groups(groups(5, &[("new", 1.0)]));
        spread.handle_groups(groups(4, &[("old", 1.0)]));
        assert_eq!(take(&mut spread, 1)["new"], 1);
        spread.handle_groups(groups(6, &[("newest", 1.0)]));
        assert_eq!(take(&mut spread, 2)["newest"], 2);
        // A poll of a group that is gone may still end.
        spread.give_back(QueueKind::Normal, Some("new".into()));
        spread.handle_groups(groups(7, &[]));
        assert_eq!((spread.len(), spread.take(QueueKind::Normal, &mut Jitter::none())), (0, None));
    }
}
