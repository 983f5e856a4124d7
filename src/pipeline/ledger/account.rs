//! One partition of a member's ledger: what is finished, and what is noted ahead of it.
//!
//! ```text
//!  offsets   … 90 ─────────── watermark ────────────▶
//!  page      finished [… , watermark)   │ noted: 97 skipped, 103 dead letter
//!                                       └ become part of the page when the watermark has passed
//! ```
//!
//! What must never happen here: that the page says more than the watermark. A note is made when a
//! record is judged, and waits.

use super::document::{Page, What};
use super::ranges::Range;
use crate::limits::LEDGER_RANGES_MAX;

/// Records next to each other of which the same is noted.
#[derive(Clone, Copy, Debug)]
struct Note {
    range: Range,
    what: What,
}

/// Notes for which there was no room: how many, and until which offset.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    what: What,
    records: u64,
    last: i64,
}

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Whether the member reads it.
    pub reads: bool,
    /// What was done within the hour.
    pub page: Page,
    /// Up to where it is finished; `None` before it was read.
    reached: Option<i64>,
    /// Records of this reading that the pages have counted.
    counted: u64,
    /// Ascending, apart; at or after `reached`.
    notes: Vec<Note>,
    crowds: Vec<Crowd>,
}

impl Account {
    /// Reading begins at `offset`; what was noted and not finished is judged again by whoever
    /// reads it next.
    pub fn begin(&mut self, offset: i64) {
        self.reads = true;
        self.reached = Some(offset);
        self.counted = 0;
        self.notes.clear();
        self.crowds.clear();
    }

    /// Reading begins at `offset` because the offset that was due does not exist (any more).
    pub fn reset(&mut self, offset: i64) {
        match self.reached {
            Some(reached) if reached < offset => self.page.lose(Range::new(reached, offset)),
            Some(reached) if reached > offset => self.page.restarts += 1,
            _ => {}
        }
        self.begin(offset);
    }

    /// Nothing more is read.
    pub fn release(&mut self) {
        self.reads = false;
        self.notes.clear();
        self.crowds.clear();
    }

    /// This became of the record at `offset`, once it is finished. Of two notes on one record the
    /// first one stands.
    pub fn note(&mut self, offset: i64, what: What) {
        if self.reached.is_none_or(|reached| offset < reached) {
            return;
        }
        if let Some(last) = self.notes.last_mut()
            && last.what == what
            && last.range.to == offset
        {
            last.range.to = offset.saturating_add(1);
            return;
        }
        let at = self.notes.partition_point(|note| note.range.to <= offset);
        if self.notes.get(at).is_some_and(|note| note.range.from <= offset) {
            return;
        }
        if self.notes.len() < LEDGER_RANGES_MAX {
            self.notes.insert(at, Note { range: Range::one(offset), what });
        } else {
            self.crowd(offset, what);
        }
    }

    fn crowd(&mut self, offset: i64, what: What) {
        match self.crowds.iter_mut().find(|crowd| crowd.what == what) {
            Some(crowd) => {
                crowd.records += 1;
                crowd.last = crowd.last.max(offset);
            }
            None => self.crowds.push(Crowd { what, records: 1, last: offset }),
        }
    }

    /// Everything before `watermark` is finished: so many records of this reading.
    pub fn settle(&mut self, watermark: i64, records: u64) {
        let Some(reached) = self.reached.filter(|reached| watermark > *reached) else { return };
        self.page.finish(Range::new(reached, watermark), records.saturating_sub(self.counted));
        self.reached = Some(watermark);
        self.counted = records;
        let passed = self.notes.partition_point(|note| note.range.to <= watermark);
        for note in self.notes.drain(..passed) {
            self.page.mark(note.what, note.range);
        }
        if let Some(note) = self.notes.first_mut()
            && note.range.from < watermark
        {
            self.page.mark(note.what, Range::new(note.range.from, watermark));
            note.range.from = watermark;
        }
        let page = &mut self.page;
        self.crowds.retain(|crowd| {
            let is_open = crowd.last >= watermark;
            if !is_open {
                page.count(crowd.what, crowd.records);
            }
            is_open
        });
    }
}
