//! The watermark of one partition: the first offset that is not finished.
//!
//! ```text
//! offset     5     6     7     8     9    10
//!          clean  hit  clean  hit  clean
//! open             2            1                next = 10, watermark = 6
//!                  └ delivered, delivered ─▶     watermark = 8
//!                               └ delivered ─▶   watermark = 10 = next
//! ```
//!
//! Only records with open outputs have an entry. A record without outputs is finished when it is
//! taken, so it needs none, wherever it stands: the watermark is the offset of the first entry, or
//! `next` where there is none. So a clean record costs one store, and the memory is bounded by the
//! outputs in flight. Offsets may have gaps (transactions, compaction). No I/O, no time of its own.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::RECORDS_PER_FETCH_MAX;
use crate::record::Timestamp;

/// One record with open outputs.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: i64,
    /// Outputs that are not delivered yet, at least 1.
    outputs: u32,
    /// When it was opened, on the monotonic clock.
    opened: Duration,
    timestamp: Option<Timestamp>,
    /// Records that were taken before it.
    before: u64,
}

/// What a delivery did to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The record has other outputs open.
    Open,
    /// That was its last one: the record is finished.
    Finished,
    /// No such record is open.
    Unknown,
}

/// The last records that were taken: offset and time stamp.
#[derive(Debug)]
struct Recent {
    records: [Option<(i64, Option<Timestamp>)>; RECORDS_PER_FETCH_MAX],
    /// Where the next one goes: the oldest one's place.
    next: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { records: [None; RECORDS_PER_FETCH_MAX], next: 0 }
    }
}

impl Recent {
    fn push(&mut self, offset: i64, timestamp: Option<Timestamp>) {
        if let Some(place) = self.records.get_mut(self.next) {
            *place = Some((offset, timestamp));
        }
        self.next = (self.next + 1) % RECORDS_PER_FETCH_MAX;
    }

    fn has(&self, offset: i64, timestamp: Option<Timestamp>) -> bool {
        self.records.contains(&Some((offset, timestamp)))
    }

    fn last(&self) -> Option<Timestamp> {
        let last = (self.next + RECORDS_PER_FETCH_MAX - 1) % RECORDS_PER_FETCH_MAX;
        self.records.get(last).copied().flatten().and_then(|(_, timestamp)| timestamp)
    }
}

/// The offsets of one assignment of one partition.
#[derive(Debug, Default)]
pub struct Offsets {
    /// The first offset after the last record that was taken.
    next: Option<i64>,
    recent: Recent,
    /// Records that were taken.
    taken: u64,
    /// Ascending by offset.
    open: VecDeque<Entry>,
}

impl Offsets {
    /// Whether `offset` stands after everything taken so far.
    #[must_use]
    pub fn is_ahead(&self, offset: i64) -> bool {
        self.next.is_none_or(|next| offset >= next)
    }

    /// Whether the record at `offset` with this time stamp is one of the last that were taken: as
    /// many are known as a source may hand out once more. Without a time stamp only the very last
    /// one is known: any other may as well be one of a topic that was made anew.
    #[must_use]
    pub fn was_recent(&self, offset: i64, timestamp: Option<Timestamp>) -> bool {
        match timestamp {
            Some(_) => self.recent.has(offset, timestamp),
            None => self.next == offset.checked_add(1) && self.recent.last().is_none(),
        }
    }

    /// A record without outputs was taken: it is finished.
    pub fn clean(&mut self, offset: i64, timestamp: Option<Timestamp>) {
        debug_assert!(self.is_ahead(offset), "offsets ascend");
        self.next = Some(offset.saturating_add(1));
        self.recent.push(offset, timestamp);
        self.taken += 1;
    }

    /// A record with `outputs` (at least 1) was taken at `now`.
    pub fn open(&mut self, offset: i64, outputs: u32, timestamp: Option<Timestamp>, now: Duration) {
        let before = self.taken;
        self.clean(offset, timestamp);
        self.open.push_back(Entry { offset, outputs, opened: now, timestamp, before });
    }

    /// One output of the record at `offset` was delivered.
    pub fn delivered(&mut self, offset: i64) -> Progress {
        let Ok(at) = self.open.binary_search_by_key(&offset, |entry| entry.offset) else {
            return Progress::Unknown;
        };
        let Some(entry) = self.open.get_mut(at) else { return Progress::Unknown };
        entry.outputs = entry.outputs.saturating_sub(1);
        if entry.outputs > 0 {
            return Progress::Open;
        }
        // Deliveries come almost in order, so this removes at or near the front.
        self.open.remove(at);
        Progress::Finished
    }

    /// The first unfinished offset: what may be committed. `None` before the first record.
    #[must_use]
    pub fn watermark(&self) -> Option<i64> {
        self.open.front().map(|entry| entry.offset).or(self.next)
    }

    /// How many records before the watermark were taken: all of them are finished.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.open.front().map_or(self.taken, |entry| entry.before)
    }

    /// The time stamp of the record at the watermark, or of the last one where all are finished.
    #[must_use]
    pub fn watermark_timestamp(&self) -> Option<Timestamp> {
        match self.open.front() {
            Some(entry) => entry.timestamp,
            None => self.recent.last(),
        }
    }

    /// How many records have open outputs.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Since when the oldest open record is open. Records are taken in the order of offsets, so
    /// the first entry is the oldest.
    #[must_use]
    pub fn open_since(&self) -> Option<Duration> {
        self.open.front().map(|entry| entry.opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        Clean(i64),
        Open(i64, u32),
        Delivered(i64, Progress),
    }
    use Step::{Clean, Delivered, Open};

    fn check(steps: &[Step], watermark: Option<i64>, open: usize) {
        let mut offsets = Offsets::default();
        for step in steps {
            match *step {
                Clean(offset) => offsets.clean(offset, Some(Timestamp::from_millis(offset))),
                Open(offset, outputs) => {
                    let time = Some(Timestamp::from_millis(offset));
                    offsets.open(offset, outputs, time, Duration::from_secs(offset as u64));
                }
                Delivered(offset, progress) => assert_eq!(offsets.delivered(offset), progress),
            }
        }
        assert_eq!(offsets.watermark(), watermark);
        assert_eq!(offsets.open_count(), open);
    }

    #[test]
    fn clean_records_move_the_watermark_at_once() {
        check(&[], None, 0);
        check(&[Clean(0)], Some(1), 0);
        check(&[Clean(5), Clean(6)], Some(7), 0);
        check(&[Clean(5), Clean(900)], Some(901), 0);
        check(&[Clean(i64::MAX)], Some(i64::MAX), 0);
    }

    #[test]
    fn an_open_record_holds_the_watermark() {
        check(&[Open(3, 1)], Some(3), 1);
        check(&[Open(3, 1), Clean(4), Clean(9)], Some(3), 1);
        check(&[Open(3, 2), Delivered(3, Progress::Open)], Some(3), 1);
        let finished = Delivered(3, Progress::Finished);
        check(&[Open(3, 1), Clean(4), finished], Some(5), 0);
    }

    #[test]
    fn the_watermark_is_never_the_highest_delivered() {
        use Progress::Finished;
        check(&[Open(1, 1), Open(2, 1), Open(3, 1), Delivered(3, Finished)], Some(1), 2);
        check(&[Open(1, 1), Open(2, 1), Delivered(2, Finished), Clean(7)], Some(1), 1);
        check(&[Open(1, 1), Open(5, 1), Clean(7), Delivered(1, Finished)], Some(5), 1);
    }

    #[test]
    fn records_are_counted_up_to_the_watermark_and_not_beyond() {
        let mut offsets = Offsets::default();
        let finished = |offsets: &Offsets| (offsets.watermark(), offsets.finished());
        assert_eq!(finished(&offsets), (None, 0));
        offsets.clean(4, None);
        offsets.clean(9, None);
        assert_eq!(finished(&offsets), (Some(10), 2));
        offsets.open(12, 1, None, Duration::ZERO);
        offsets.clean(13, None);
        offsets.open(14, 1, None, Duration::ZERO);
        offsets.clean(15, None);
        assert_eq!(finished(&offsets), (Some(12), 2));
        offsets.delivered(14);
        assert_eq!(finished(&offsets), (Some(12), 2));
        offsets.delivered(12);
        assert_eq!(finished(&offsets), (Some(16), 6));
    }

    #[test]
    fn nothing_is_finished_twice() {
        check(&[Delivered(1, Progress::Unknown)], None, 0);
        let finished = Delivered(1, Progress::Finished);
        check(&[Open(1, 1), finished, Delivered(1, Progress::Unknown)], Some(2), 0);
        check(&[Clean(1), Delivered(1, Progress::Unknown)], Some(2), 0);
    }

    #[test]
    fn the_oldest_open_record_says_since_when() {
        let mut offsets = Offsets::default();
        offsets.open(1, 1, None, Duration::from_secs(10));
        offsets.open(2, 1, Some(Timestamp::from_millis(2)), Duration::from_secs(20));
        assert_eq!(offsets.open_since(), Some(Duration::from_secs(10)));
        offsets.delivered(1);
        assert_eq!(offsets.open_since(), Some(Duration::from_secs(20)));
        assert_eq!(offsets.watermark_timestamp(), Some(Timestamp::from_millis(2)));
        offsets.delivered(2);
        assert_eq!(offsets.finished(), 2);
        assert_eq!(offsets.open_since(), None);
    }
}
