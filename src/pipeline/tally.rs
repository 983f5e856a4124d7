//! What a worker counted since its caller looked last.
//!
//! The record path adds to plain integers here; the caller turns them into metrics once per step
//! and calls [`Tally::clear`]. Nothing here locks, formats or names a metric. The memory is bounded
//! by the topics ever assigned, the rules, and the outputs of one step.

use std::sync::Arc;

use super::input::Untaken;
use super::note::LetterCause;
use crate::detect::Outcome;
use crate::disposition::Disposition;
use crate::event::{DecodeFault, Shape, SkipReason};
use crate::record::Timestamp;
use crate::rule::{Rule, RuleIndex, RuleSet};
use crate::sink::Refusal;

/// Most lines that are kept for the log between two clears.
pub const LINES_MAX: usize = 20;

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// Records, by topic; a topic keeps its place for ever.
    pub topics: Vec<TopicTally>,
    /// Records that the prefilter could not exclude.
    pub candidates: u64,
    /// Decoded events, by shape, as in [`Shape::ALL`].
    pub decoded: [u64; Shape::ALL.len()],
    /// Hits, by rule and disposition.
    pub hits: HitCounts,
    /// The exception of each hit that one hid.
    pub exceptions: Vec<Arc<str>>,
    /// Closing updates of alerts that were delivered.
    pub updates: u64,
    /// Alerts that were delivered.
    pub delivered: Vec<DeliveredAlert>,
    /// Notices (a rule passed its limit) that were delivered.
    pub notices: u64,
    /// Dead letters of records that could not be judged, delivered, or discarded because the
    /// configuration says so; by fault, as in [`DecodeFault::ALL`].
    pub dead_letters: [u64; DecodeFault::ALL.len()],
    /// The same of records whose output was refused, by refusal, as in [`Refusal::ALL`].
    pub unsent: [u64; Refusal::ALL.len()],
    /// Outputs that were refused; why, one line each, of the first [`LINES_MAX`].
    pub refusals: Vec<String>,
    /// Why outputs cannot be delivered now: one line for the first that came back.
    pub trouble: Option<String>,
    /// Skipped records, by reason, as in [`SkipReason::ALL`].
    pub skipped: [u64; SkipReason::ALL.len()],
    /// Commits that the source confirmed.
    pub commits: u64,
    /// Commits that failed, each with its reason in one line.
    pub commit_failures: Vec<String>,
    /// What happened to the assignment, in order.
    pub rebalances: Vec<Rebalance>,
    /// Records that were lent of a partition that is not (or no longer) ours, and not judged.
    pub not_owned: u64,
    /// Records that were lent once more right after they had been judged, and not judged again.
    pub repeated: u64,
    /// Records that stood before one taken earlier: their partition was read again from there.
    pub rewinds: u64,
}

/// One event of the assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebalance {
    /// What happened.
    pub kind: RebalanceKind,
    /// To which partitions.
    pub partitions: Vec<crate::source::Partition>,
}

/// What can happen to an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceKind {
    /// Partitions were assigned.
    Assigned,
    /// Partitions are to be given back; their drain begins.
    Revoked,
    /// Partitions were gone before they could be given back.
    Lost,
    /// Partitions that were revoked or lost have been given back.
    Released,
}

/// Records of one topic.
#[derive(Clone, Debug)]
pub struct TopicTally {
    /// The topic.
    pub topic: Arc<str>,
    /// Judged; no rule holds.
    pub clean: u64,
    /// Judged; at least one rule holds.
    pub hit: u64,
    /// Could not be judged (wholly).
    pub unreadable: u64,
    /// Hold no event.
    pub skipped: u64,
    /// Payload bytes of all of them.
    pub payload_bytes: u64,
    /// The time stamp of the last record, else its arrival; `None` since the last clear.
    pub last_record: Option<Timestamp>,
}

impl TopicTally {
    fn new(topic: Arc<str>) -> Self {
        Self {
            topic,
            clean: 0,
            hit: 0,
            unreadable: 0,
            skipped: 0,
            payload_bytes: 0,
            last_record: None,
        }
    }

    /// How many records.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.clean + self.hit + self.unreadable + self.skipped
    }

    /// Counts one record.
    pub fn record(&mut self, outcome: Outcome, payload_bytes: usize, time: Timestamp) {
        match outcome {
            Outcome::Clean => self.clean += 1,
            Outcome::Hits => self.hit += 1,
            Outcome::Unreadable(_) => self.unreadable += 1,
            Outcome::Skipped(_) => self.skipped += 1,
        }
        self.payload_bytes += payload_bytes as u64;
        self.last_record = Some(time);
    }
}

/// One delivered alert: what its metrics are made of. How late it was is the caller's to say: the
/// time of delivery is now, minus these.
#[derive(Clone, Debug)]
pub struct DeliveredAlert {
    /// The rule set that it was judged by; with another judge in force now, an earlier one.
    pub rules: Arc<RuleSet>,
    /// The rule, of that set.
    pub rule: RuleIndex,
    /// What had been decided about it.
    pub disposition: Disposition,
    /// The event's own time, where it has one.
    pub event_time: Option<Timestamp>,
    /// The record's time stamp, else its arrival.
    pub record_time: Timestamp,
}

impl DeliveredAlert {
    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Option<&Rule> {
        self.rules.get(self.rule)
    }
}

/// Hits by rule and disposition; reading and clearing costs only what was touched.
#[derive(Debug, Default)]
pub struct HitCounts {
    counts: Vec<[u64; Disposition::ALL.len()]>,
    /// Rules with a count that is not 0, each once.
    touched: Vec<RuleIndex>,
}

impl HitCounts {
    /// Counts one hit.
    pub fn add(&mut self, rule: RuleIndex, disposition: Disposition) {
        let at = rule.0 as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, [0; Disposition::ALL.len()]);
        }
        let Some(counts) = self.counts.get_mut(at) else { return };
        if counts.iter().all(|count| *count == 0) {
            self.touched.push(rule);
        }
        if let Some(count) = counts.get_mut(place(disposition)) {
            *count += 1;
        }
    }

    /// What was counted: rule, disposition, and how many (never 0).
    pub fn iter(&self) -> impl Iterator<Item = (RuleIndex, Disposition, u64)> + '_ {
        self.touched.iter().flat_map(|rule| {
            let counts = self.counts.get(rule.0 as usize).copied().unwrap_or_default();
            Disposition::ALL
                .into_iter()
                .zip(counts)
                .filter(|(_, count)| *count > 0)
                .map(|(disposition, count)| (*rule, disposition, count))
        })
    }

    fn clear(&mut self) {
        for rule in self.touched.drain(..) {
            if let Some(counts) = self.counts.get_mut(rule.0 as usize) {
                *counts = Default::default();
            }
        }
    }
}

fn place(disposition: Disposition) -> usize {
    Disposition::ALL.iter().position(|known| *known == disposition).unwrap_or_default()
}

impl Tally {
    /// Where the counts of `topic` stand in `topics`.
    pub fn topic(&mut self, topic: &str) -> usize {
        match self.topics.iter().position(|known| *known.topic == *topic) {
            Some(at) => at,
            None => {
                self.topics.push(TopicTally::new(topic.into()));
                self.topics.len() - 1
            }
        }
    }

    /// Counts one decoded event.
    pub fn event(&mut self, shape: Shape) {
        // The variants stand in the order of `ALL`; a test holds them to it.
        if let Some(count) = self.decoded.get_mut(shape as usize) {
            *count += 1;
        }
    }

    /// Counts one skipped record.
    pub fn skip(&mut self, reason: SkipReason) {
        if let Some(count) = self.skipped.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Counts one record that was lent and not taken.
    pub const fn untaken(&mut self, why: Untaken) {
        match why {
            Untaken::NotOwned => self.not_owned += 1,
            Untaken::Repeated => self.repeated += 1,
        }
    }

    /// Counts one dead letter.
    pub fn dead_letter(&mut self, cause: LetterCause) {
        let count = match cause {
            LetterCause::Unreadable(fault) => self.dead_letters.get_mut(fault as usize),
            LetterCause::Unsent(refusal) => self.unsent.get_mut(refusal as usize),
        };
        if let Some(count) = count {
            *count += 1;
        }
    }

    /// All dead letters.
    #[must_use]
    pub fn dead_letters_all(&self) -> u64 {
        self.dead_letters.iter().chain(&self.unsent).sum()
    }

    /// Notes why an output was refused.
    pub fn refusal(&mut self, line: impl FnOnce() -> String) {
        if self.refusals.len() < LINES_MAX {
            self.refusals.push(line());
        }
    }

    /// Starts again at 0; topics keep their place.
    pub fn clear(&mut self) {
        for topic in &mut self.topics {
            *topic = TopicTally::new(Arc::clone(&topic.topic));
        }
        self.candidates = 0;
        self.decoded = Default::default();
        self.hits.clear();
        self.exceptions.clear();
        self.updates = 0;
        self.delivered.clear();
        self.notices = 0;
        self.dead_letters = Default::default();
        self.unsent = Default::default();
        self.refusals.clear();
        self.trouble = None;
        self.skipped = Default::default();
        self.commits = 0;
        self.commit_failures.clear();
        self.rebalances.clear();
        self.not_owned = 0;
        self.repeated = 0;
        self.rewinds = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_numbers() {
        assert!(Shape::ALL.into_iter().enumerate().all(|(at, shape)| shape as usize == at));
        assert!(SkipReason::ALL.into_iter().enumerate().all(|(at, reason)| reason as usize == at));
        assert!(DecodeFault::ALL.into_iter().enumerate().all(|(at, fault)| fault as usize == at));
        assert!(Refusal::ALL.into_iter().enumerate().all(|(at, one)| one as usize == at));
        for fault in DecodeFault::ALL {
            assert_eq!(fault.to_string(), fault.reason());
        }
    }

    #[test]
    fn hits_are_counted_by_rule_and_disposition_and_cleared() {
        let mut tally = Tally::default();
        tally.hits.add(RuleIndex(7), Disposition::Published);
        tally.hits.add(RuleIndex(7), Disposition::Published);
        tally.hits.add(RuleIndex(7), Disposition::OverLimit);
        tally.hits.add(RuleIndex(0), Disposition::Repeated);
        let found: Vec<_> = tally.hits.iter().collect();
        assert_eq!(
            found,
            [
                (RuleIndex(7), Disposition::Published, 2),
                (RuleIndex(7), Disposition::OverLimit, 1),
                (RuleIndex(0), Disposition::Repeated, 1),
            ]
        );
        tally.clear();
        assert_eq!(tally.hits.iter().count(), 0);
        tally.hits.add(RuleIndex(7), Disposition::Excepted);
        assert_eq!(tally.hits.iter().count(), 1);
    }

    #[test]
    fn a_topic_keeps_its_place_when_cleared() {
        let mut tally = Tally::default();
        assert_eq!((tally.topic("a"), tally.topic("b"), tally.topic("a")), (0, 1, 0));
        tally.topics[1].record(Outcome::Clean, 10, Timestamp::from_millis(5));
        tally.topics[1].record(Outcome::Hits, 20, Timestamp::from_millis(6));
        assert_eq!((tally.topics[1].records(), tally.topics[1].payload_bytes), (2, 30));
        tally.clear();
        assert_eq!((tally.topic("b"), tally.topics[1].records()), (1, 0));
        assert_eq!(tally.topics[1].last_record, None);
    }
}
