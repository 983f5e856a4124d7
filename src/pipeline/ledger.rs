//! The ledger of coverage: which offsets a member has finished, and how, hour by hour.
//!
//! ```text
//!  begin ─▶ [from …                                    one account per partition
//!  watermark moves ─▶ … finished, watermark)           dead letters and skips by exception
//!  reset from→to ─▶ lost [from, to)                    the only jump that is a gap
//!  hour over ─▶ its document is closed, the next one goes on where it ended
//! ```
//!
//! **Offsets without a record** (markers of transactions, what compaction removed) must not look
//! like gaps. Within one reading, the broker delivers every record that there is, in order: so
//! whatever stands between two delivered records holds none, and a run from where the reading began
//! up to the watermark says the truth. Only where a reading jumps can records have been missed: by a
//! reset because the offset was gone (noted here as lost), or between two readings (found by
//! whoever puts the documents of all members together, see [`survey`]).
//!
//! Nothing is claimed that is not finished: pages end at the watermark. No I/O, no
//! clock: time is an argument. Memory: per partition read within the hour a few words, and at most
//! [`crate::limits::LEDGER_RANGES_MAX`] ranges per list. A clean record costs it nothing.

mod account;
pub mod document;
pub mod ranges;
pub mod survey;
#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;

use std::collections::BTreeMap;

pub use document::{Document, Hour, What};

use crate::record::Timestamp;
use crate::source::{Began, Partition};
use account::Account;
use document::{Page, VERSION};

/// Whose ledger it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The id of the input cluster.
    pub cluster: String,
    /// The consumer group.
    pub group: String,
    /// The member. No two of them may ever share it, nor one before and after a restart: each
    /// says only what it did itself, under a key of its own.
    pub member: String,
}

/// Where the reading of a partition stood when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The partition.
    pub partition: Partition,
    /// The first offset that is not finished; `None` where no record was taken.
    pub watermark: Option<i64>,
    /// Records before it that were finished in this reading.
    pub finished: u64,
    /// Where reading goes on at once, where it does (the partition was read again from before).
    pub again_from: Option<i64>,
}

/// The ledger of one member.
#[derive(Debug)]
pub struct Ledger {
    about: About,
    /// Of the pages; it never goes back, whatever the clock does: a page would be begun anew under
    /// a key that has one already.
    hour: Hour,
    accounts: BTreeMap<Partition, Account>,
    /// Of hours that are over, and not handed out yet.
    over: Vec<Document>,
}

impl Ledger {
    /// An empty one.
    #[must_use]
    pub const fn new(about: About) -> Self {
        Self {
            about,
            hour: Hour::of(Timestamp::from_millis(0)),
            accounts: BTreeMap::new(),
            over: Vec::new(),
        }
    }

    /// It is `wall` now: where another hour has begun, the pages of the last one are closed.
    pub fn tick(&mut self, wall: Timestamp) {
        let hour = Hour::of(wall);
        if hour <= self.hour {
            return;
        }
        for (partition, account) in &mut self.accounts {
            if !account.page.is_empty() {
                let last = document(&self.about, self.hour, partition, account);
                self.over.push(Document { updated: wall, ..last });
            }
            account.page = Page::default();
        }
        self.hour = hour;
        self.accounts.retain(|_, account| account.reads);
    }

    /// The reading of `partition` begins at `offset`.
    pub fn begin(&mut self, partition: &Partition, offset: i64, began: Began) {
        let account = self.accounts.entry(partition.clone()).or_default();
        match began {
            // Assigned once more: what was being read is read on.
            Began::Assigned if account.reads => {}
            Began::Assigned => account.begin(offset),
            Began::Reset => account.reset(offset),
        }
    }

    /// This becomes of the record at `offset` when it is finished.
    pub fn note(&mut self, partition: &Partition, offset: i64, what: What) {
        if let Some(account) = self.accounts.get_mut(partition) {
            account.note(offset, what);
        }
    }

    /// Everything before `watermark` is finished: so many records since the reading began.
    pub fn settle(&mut self, partition: &Partition, watermark: Option<i64>, finished: u64) {
        if let Some(account) = self.accounts.get_mut(partition)
            && let Some(watermark) = watermark
        {
            account.settle(watermark, finished);
        }
    }

    /// The reading of a partition has ended.
    pub fn close(&mut self, closed: &Closed) {
        self.settle(&closed.partition, closed.watermark, closed.finished);
        let Some(account) = self.accounts.get_mut(&closed.partition) else { return };
        match closed.again_from {
            Some(offset) => account.reset(offset),
            None => account.release(),
        }
    }

    /// Every partition is given back.
    pub fn end(&mut self) {
        self.accounts.values_mut().for_each(Account::release);
    }

    /// What is to be published at `wall`: the hours that are over, each once, and what is known of
    /// the present one.
    pub fn documents(&mut self, wall: Timestamp) -> Vec<Document> {
        self.tick(wall);
        let mut documents = std::mem::take(&mut self.over);
        for (partition, account) in &self.accounts {
            let current = document(&self.about, self.hour, partition, account);
            documents.push(Document { updated: wall, ..current });
        }
        documents
    }
}

fn document(about: &About, hour: Hour, partition: &Partition, account: &Account) -> Document {
    Document {
        version: VERSION,
        cluster: about.cluster.clone(),
        group: about.group.clone(),
        topic: partition.topic.to_string(),
        partition: partition.partition,
        hour,
        member: about.member.clone(),
        updated: Timestamp::default(),
        reads: account.reads,
        page: account.page.clone(),
    }
}
