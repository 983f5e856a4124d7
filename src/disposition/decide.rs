//! The decision about a hit, in the order of the module's essay.

use std::sync::Arc;

use super::suppression::Answer;
use super::{
    AlertId, ClosedGroup, Decision, Disposition, Draft, Exceptions, GroupKey, HiddenBy, Limit,
    RecentIds, Suppression, WindowState, time,
};
use crate::event::Event;
use crate::record::{Record, Timestamp};
use crate::rule::{RuleIndex, RuleSet};

/// One hit, with all that a decision looks at.
#[derive(Clone, Copy)]
pub struct HitContext<'a> {
    /// The id that the hit's alert has.
    pub id: AlertId,
    /// The rule that holds.
    pub rule: RuleIndex,
    /// The event that it holds for.
    pub event: &'a Event<'a>,
    /// The record that the event stands in.
    pub record: &'a Record<'a>,
    /// Wall-clock time of the verdict.
    pub judged: Timestamp,
}

/// All state that decides about hits. One per instance, behind a lock that hits take and clean
/// records do not.
#[derive(Debug)]
pub struct Dispositions {
    rules: Arc<RuleSet>,
    exceptions: Arc<Exceptions>,
    recent: RecentIds,
    limit: Limit,
    suppression: Suppression,
}

impl Dispositions {
    /// Empty state for `rules`, with a window of `recent_ids_max` delivered ids.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, recent_ids_max: usize) -> Self {
        Self {
            recent: RecentIds::new(recent_ids_max),
            limit: Limit::new(&rules),
            suppression: Suppression::new(&rules),
            exceptions: Arc::default(),
            rules,
        }
    }

    /// The same, with exceptions that were loaded for the same rules.
    #[must_use]
    pub fn with_exceptions(self, exceptions: Arc<Exceptions>) -> Self {
        Self { exceptions, ..self }
    }

    /// Takes over what was decided under other rules: ids that are known, and the counts of rules
    /// that are there in both. Suppression groups stay behind: their updates are the others' to send.
    pub fn inherit(&mut self, before: &Self) {
        self.recent = before.recent.clone();
        self.limit.inherit(&self.rules, (&before.limit, &before.rules));
        self.suppression.inherit(&before.suppression);
    }

    /// The exceptions.
    #[must_use]
    pub fn exceptions(&self) -> &Arc<Exceptions> {
        &self.exceptions
    }

    /// Decides about one hit and counts it.
    pub fn decide(&mut self, hit: &HitContext<'_>) -> Decision {
        if let Some(hidden) = self.hidden(hit) {
            return Decision { exception: Some(hidden), ..Decision::of(Disposition::Excepted) };
        }
        if self.recent.contains(&hit.id) {
            return Decision::of(Disposition::Repeated);
        }
        let Some(rule) = self.rules.get(hit.rule) else { return Decision::default() };
        let group = match self.suppression.decide(rule, hit) {
            Answer::Repeated => return Decision::of(Disposition::Repeated),
            Answer::Counted => return Decision::of(Disposition::Suppressed),
            Answer::First(group) => Some(group),
            Answer::Free => None,
        };
        let time = time::limit_time(rule, hit.event, hit.record);
        let (disposition, notice) = match self.limit.count(hit.rule, time) {
            WindowState::Within => (Disposition::Published, None),
            WindowState::FirstOver(notice) => (Disposition::OverLimit, Some(notice)),
            WindowState::Over => (Disposition::OverLimit, None),
        };
        Decision { disposition, notice, group, exception: None, counted: Some(time) }
    }

    fn hidden(&self, hit: &HitContext<'_>) -> Option<HiddenBy> {
        let index = self.exceptions.hides(hit)?;
        let exception = self.exceptions.get(index)?;
        Some(HiddenBy { index, id: exception.id.as_str().into() })
    }

    /// A hit of `rule` that was counted at `time` is judged again: it does not count twice.
    pub fn forget(&mut self, rule: RuleIndex, time: Timestamp) {
        self.limit.forget(rule, time);
    }

    /// Records that the alert `id` was delivered: from now on it is a repeat.
    pub fn delivered(&mut self, id: AlertId) {
        self.recent.delivered(id);
    }

    /// Keeps the closing update of an alert that opened a suppression group.
    pub fn keep(&mut self, group: GroupKey, draft: Draft) {
        self.suppression.keep(group, draft);
    }

    /// The suppression groups that are over at `now`, or had to close since last asked: an update
    /// of the alert of each is due.
    pub fn due(&mut self, now: Timestamp) -> Vec<ClosedGroup> {
        self.suppression.due(now)
    }

    /// Every suppression group, at shutdown.
    pub fn close_all(&mut self) -> Vec<ClosedGroup> {
        self.suppression.close_all()
    }

    /// How many suppression groups are open.
    #[must_use]
    pub fn open_groups(&self) -> usize {
        self.suppression.groups()
    }
}

impl Decision {
    fn of(disposition: Disposition) -> Self {
        Self { disposition, ..Self::default() }
    }
}
