//! All documents together → was every event looked at, and where not, why.
//!
//! ```text
//!  log        since ├──────────────────────────────────────┤ end
//!  documents        ├── member a ──┤  ├──── member b ───┤
//!  missing                          ▲▲                    ▲▲ pending, or not assigned
//!                                   └ not recorded
//! ```
//!
//! Every member says only what it did itself; what partitions have behind them is the union. What
//! is missing from the union is a gap, unless it is shown that no record stands there
//! ([`Log::empty`]) or a member is on its way to it. No I/O: the documents and what is known of the
//! log are handed in.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{ByReason, Document, Hour};
use super::ranges::{Range, Ranges};
use crate::record::Timestamp;

/// A topic and a partition.
pub type Place = (String, i32);

/// Of what time coverage is asked.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// From here: documents of this hour and later ones, records from this time on.
    pub since: Timestamp,
    /// It is now.
    pub now: Timestamp,
    /// A member that has said nothing for longer than this, in ms, reads no more; nor does one
    /// whose clock is further ahead than this.
    pub silence_ms: u64,
}

/// What is known of the log of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The first offset that is as young as the period; the end where there is none.
    pub since: i64,
    /// The first offset that there is (still).
    pub first: i64,
    /// The offset after the last record that a reader may see.
    pub end: i64,
    /// Offsets that were looked at and hold no record.
    pub empty: Ranges,
}

/// Why records were not looked at, or not wholly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// They were gone from the topic before they were judged.
    RetentionLoss,
    /// They could not be read.
    Unreadable,
    /// They, or what came of them, were too large.
    Oversize,
    /// What came of them was refused for another reason.
    Refused,
    /// Nobody has read them.
    NotAssigned,
    /// Records before and after them are finished, and no document says anything of these.
    NotRecorded,
    /// The topic was recreated: documents of the old one and the new one cannot be told apart.
    Recreated,
}

impl Cause {
    /// Every cause, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::RetentionLoss,
        Self::Unreadable,
        Self::Oversize,
        Self::Refused,
        Self::NotAssigned,
        Self::NotRecorded,
        Self::Recreated,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RetentionLoss => "retention_loss",
            Self::Unreadable => "unreadable",
            Self::Oversize => "oversize",
            Self::Refused => "refused",
            Self::NotAssigned => "not_assigned",
            Self::NotRecorded => "not_recorded",
            Self::Recreated => "recreated",
        }
    }

    /// The cause that a dead letter's reason stands for.
    fn of_reason(reason: &str) -> Self {
        match reason {
            "too large" | "too many events" | "output too large" => Self::Oversize,
            _ if reason.starts_with("output ") => Self::Refused,
            _ => Self::Unreadable,
        }
    }
}

/// Records that were not looked at, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub cause: Cause,
    /// The reason of dead letters; empty for other causes.
    pub reason: String,
    /// How many: records of dead letters, offsets otherwise (some may hold no record).
    pub count: u64,
    /// Where. Empty where only their number is known.
    pub ranges: Ranges,
}

/// The coverage of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The offsets that were asked for.
    pub asked: Option<Range>,
    /// Those that are finished.
    pub finished: Ranges,
    /// Records that were judged.
    pub judged: u64,
    /// Records that hold no event, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Offsets that more than one reading finished: records judged again after a fault.
    pub again: u64,
    /// Offsets that a member has before it.
    pub pending: Ranges,
    /// What is missing.
    pub gaps: Vec<Gap>,
}

/// What is missing from the documents within the log: whether records stand there can be looked
/// at, and is worth it.
#[must_use]
pub fn questions(
    documents: &[Document],
    logs: &BTreeMap<Place, Log>,
    period: Period,
) -> BTreeMap<Place, Ranges> {
    let mut open = BTreeMap::new();
    for (place, documents) in by_place(documents, logs) {
        let Some(log) = logs.get(&place) else { continue };
        let union = Union::of(&documents, period);
        let missing = union.missing(union.asked(Some(log)), Some(log));
        let there = missing.within(Range::new(log.first, log.end));
        if !there.is_empty() {
            open.insert(place, there);
        }
    }
    open
}

/// The coverage of every partition that a document or `logs` names. Without an entry in `logs`,
/// only what lies between documents can be missing.
#[must_use]
pub fn survey(
    documents: &[Document],
    logs: &BTreeMap<Place, Log>,
    period: Period,
) -> BTreeMap<Place, Coverage> {
    let of = |(place, documents): (Place, Vec<&Document>)| {
        let log = logs.get(&place);
        (place, coverage(&documents, log, period))
    };
    by_place(documents, logs).into_iter().map(of).collect()
}

fn by_place<'d>(
    documents: &'d [Document],
    logs: &BTreeMap<Place, Log>,
) -> BTreeMap<Place, Vec<&'d Document>> {
    let mut places: BTreeMap<Place, Vec<&Document>> =
        logs.keys().map(|place| (place.clone(), Vec::new())).collect();
    for document in documents {
        places.entry((document.topic.clone(), document.partition)).or_default().push(document);
    }
    places
}

/// The documents of a partition, put together.
struct Union<'d> {
    /// Of the period.
    within: Vec<&'d Document>,
    /// Of all documents, however old: what is finished stays finished.
    finished: Ranges,
    lost: Ranges,
    /// Whether a member reads the partition now.
    is_read: bool,
}

impl<'d> Union<'d> {
    fn of(documents: &[&'d Document], period: Period) -> Self {
        let since = Hour::of(period.since);
        let mut finished = Ranges::default();
        let mut lost = Ranges::default();
        for document in documents {
            finished.extend(&document.page.finished);
            lost.extend(&document.page.lost);
        }
        let is_read = is_read(documents, period);
        Self {
            within: documents.iter().filter(|document| document.hour >= since).copied().collect(),
            lost: lost.without(&finished),
            finished,
            is_read,
        }
    }

    /// From the first offset that the period has anything to do with to the last one.
    fn asked(&self, log: Option<&Log>) -> Range {
        let pages = self.within.iter().map(|document| &document.page);
        let hulls = pages.flat_map(|page| [page.finished.hull(), page.lost.hull()]).flatten();
        let log = log.map(|log| Range::new(log.since, log.end.max(log.since)));
        let all = hulls.chain(log);
        all.reduce(|one, other| Range::new(one.from.min(other.from), one.to.max(other.to)))
            .unwrap_or(Range::new(0, 0))
    }

    fn missing(&self, asked: Range, log: Option<&Log>) -> Ranges {
        let all: Ranges = [asked].into_iter().collect();
        let left = all.without(&self.finished).without(&self.lost);
        log.map_or(left.clone(), |log| left.without(&log.empty))
    }
}

/// What a member has said last of a partition.
#[derive(Clone, Copy, Debug)]
struct Speaker {
    updated: Timestamp,
    reads: bool,
    /// How far it has come; `None` where it has finished nothing.
    reached: Option<i64>,
}

/// Whether a member reads the partition now: it said so lately, and nobody who spoke after it has
/// come further. One that is killed said that it reads, too.
fn is_read(documents: &[&Document], period: Period) -> bool {
    let mut speakers: BTreeMap<&str, Speaker> = BTreeMap::new();
    for document in documents {
        let Document { updated, reads, .. } = **document;
        let reached = document.page.finished.hull().map(|hull| hull.to);
        let said = Speaker { updated, reads, reached };
        let speaker = speakers.entry(&document.member).or_insert(said);
        let reached = speaker.reached.max(reached);
        let latest = if said.updated >= speaker.updated { said } else { *speaker };
        *speaker = Speaker { reached, ..latest };
    }
    // Also by a clock that is ahead: else a member that died would be waited for that much longer.
    let is_late = |one: &Speaker| {
        let apart = period.now.as_millis().abs_diff(one.updated.as_millis());
        apart > period.silence_ms
    };
    speakers.values().any(|one| {
        let follows = |other: &Speaker| other.updated > one.updated && other.reached > one.reached;
        one.reads && !is_late(one) && !speakers.values().any(follows)
    })
}

fn coverage(documents: &[&Document], log: Option<&Log>, period: Period) -> Coverage {
    let union = Union::of(documents, period);
    let asked = union.asked(log);
    let mut coverage = Coverage {
        asked: (!asked.is_empty()).then_some(asked),
        finished: union.finished.within(asked),
        ..Coverage::default()
    };
    let mut several: u64 = 0;
    for document in &union.within {
        let page = &document.page;
        coverage.judged = coverage.judged.saturating_add(page.judged());
        several = several.saturating_add(page.finished.count()).saturating_add(page.left_off);
        for (reason, marked) in &page.skipped {
            *coverage.skipped.entry(reason.to_string()).or_default() += marked.records;
        }
    }
    let once: Ranges = union.within.iter().flat_map(|it| it.page.finished.iter()).collect();
    coverage.again = several.saturating_sub(once.count());
    coverage.gaps.extend(gap(Cause::RetentionLoss, union.lost.within(asked)));
    coverage.gaps.extend(dead_letters(&union.within));
    missing(&union, asked, log, &mut coverage);
    coverage.gaps.extend(recreated(&union, log));
    coverage.gaps.sort_by(|one, other| (one.cause, &one.reason).cmp(&(other.cause, &other.reason)));
    coverage
}

fn gap(cause: Cause, ranges: Ranges) -> Option<Gap> {
    let count = ranges.count();
    (count > 0).then_some(Gap { cause, reason: String::new(), count, ranges })
}

/// Dead letters by reason. A record that became one in two readings is one.
fn dead_letters(documents: &[&Document]) -> Vec<Gap> {
    let all: Vec<&ByReason> = documents.iter().map(|it| &it.page.dead_lettered).collect();
    let reasons: BTreeSet<&str> = all.iter().flat_map(|it| it.keys().map(|key| &**key)).collect();
    let of = |reason: &str| {
        let mut ranges = Ranges::default();
        let mut nameless: u64 = 0;
        for marked in all.iter().filter_map(|by_reason| by_reason.get(reason)) {
            nameless += marked.records.saturating_sub(marked.ranges.count());
            ranges.extend(&marked.ranges);
        }
        let count = ranges.count().saturating_add(nameless);
        Gap { cause: Cause::of_reason(reason), reason: reason.to_owned(), count, ranges }
    };
    reasons.into_iter().map(of).filter(|gap| gap.count > 0).collect()
}

/// Names what no document covers.
fn missing(union: &Union<'_>, asked: Range, log: Option<&Log>, coverage: &mut Coverage) {
    let known = union.finished.within(asked).hull();
    let (mut nobody, mut silent) = (Ranges::default(), Ranges::default());
    for run in union.missing(asked, log).iter() {
        let is_after = known.is_none_or(|known| run.from >= known.to);
        let is_before = known.is_some_and(|known| run.to <= known.from);
        match () {
            () if is_after && union.is_read => coverage.pending.insert(run),
            () if is_after || is_before => nobody.insert(run),
            () => silent.insert(run),
        }
    }
    coverage.gaps.extend(gap(Cause::NotAssigned, nobody));
    coverage.gaps.extend(gap(Cause::NotRecorded, silent));
}

/// Whether offsets of another topic of the same name are among the documents.
fn recreated(union: &Union<'_>, log: Option<&Log>) -> Option<Gap> {
    let restarts: u64 = union.within.iter().map(|document| document.page.restarts).sum();
    let last = union.within.iter().filter_map(|it| it.page.finished.hull()).map(|hull| hull.to);
    let beyond = match (last.max(), log) {
        (Some(last), Some(log)) if last > log.end => Range::new(log.end, last),
        _ => Range::new(0, 0),
    };
    let ranges: Ranges = [beyond].into_iter().collect();
    let is_one = restarts > 0 || !ranges.is_empty();
    is_one.then(|| Gap {
        cause: Cause::Recreated,
        reason: String::new(),
        count: ranges.count(),
        ranges,
    })
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
