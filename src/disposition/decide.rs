//! The decision about a hit, in the order of the module's essay.

use std::sync::Arc;

use super::{AlertId, Decision, Disposition, Limit, RecentIds, WindowState, time};
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
    recent: RecentIds,
    limit: Limit,
}

impl Dispositions {
    /// Empty state for `rules`, with a window of `recent_ids_max` delivered ids.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, recent_ids_max: usize) -> Self {
        let limit = Limit::new(&rules);
        Self { rules, recent: RecentIds::new(recent_ids_max), limit }
    }

    /// Decides about one hit and counts it.
    pub fn decide(&mut self, hit: &HitContext<'_>) -> Decision {
        if self.recent.contains(&hit.id) {
            return Decision { disposition: Disposition::Repeated, ..Decision::default() };
        }
        let Some(rule) = self.rules.get(hit.rule) else { return Decision::default() };
        let time = time::limit_time(rule, hit.event, hit.record);
        match self.limit.count(hit.rule, time) {
            WindowState::Within => Decision::default(),
            WindowState::FirstOver(notice) => {
                Decision { disposition: Disposition::OverLimit, notice: Some(notice) }
            }
            WindowState::Over => {
                Decision { disposition: Disposition::OverLimit, ..Decision::default() }
            }
        }
    }

    /// Records that the alert `id` was delivered: from now on it is a repeat.
    pub fn delivered(&mut self, id: AlertId) {
        self.recent.delivered(id);
    }
}
