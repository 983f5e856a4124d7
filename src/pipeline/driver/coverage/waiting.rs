//! Documents on their way: of each key the latest, until it is published.
//!
//! A document says everything that the earlier ones of its key said, so a newer one takes the place
//! of one that waits, and one that could not be published comes back only where nothing newer has
//! come meanwhile. Bounded; no thread, no I/O.

use std::collections::BTreeMap;

use crate::limits::LEDGER_DOCUMENTS_MAX;
use crate::pipeline::ledger::{Document, Hour};

/// A document, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub value: String,
    /// When it was said, in ms since the epoch.
    pub updated_ms: i64,
    hour: Hour,
}

impl Encoded {
    fn of(document: &Document) -> Self {
        Self {
            key: document.key(),
            value: document.encode(),
            updated_ms: document.updated.as_millis(),
            hour: document.hour,
        }
    }
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_key: BTreeMap<String, Encoded>,
}

impl Waiting {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Adds documents; says how many of the oldest hours had to be given up for them.
    pub fn add(&mut self, documents: &[Document]) -> usize {
        for document in documents {
            let encoded = Encoded::of(document);
            self.by_key.insert(encoded.key.clone(), encoded);
        }
        self.keep_within_bounds()
    }

    /// Takes everything out.
    pub fn take(&mut self) -> Vec<Encoded> {
        std::mem::take(&mut self.by_key).into_values().collect()
    }

    /// What could not be published waits again, unless something newer of its key does.
    pub fn give_back(&mut self, failed: Vec<Encoded>) -> usize {
        for encoded in failed {
            self.by_key.entry(encoded.key.clone()).or_insert(encoded);
        }
        self.keep_within_bounds()
    }

    fn keep_within_bounds(&mut self) -> usize {
        let mut given_up = 0;
        while self.by_key.len() > LEDGER_DOCUMENTS_MAX {
            let oldest = self.by_key.values().min_by_key(|encoded| encoded.hour);
            let Some(key) = oldest.map(|encoded| encoded.key.clone()) else { break };
            self.by_key.remove(&key);
            given_up += 1;
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::ledger::document::{Page, VERSION};
    use crate::record::Timestamp;

    fn said(partition: i32, hour: i64, records: u64) -> Document {
        let time = Timestamp::from_millis(hour * 3_600_000);
        Document {
            version: VERSION,
            cluster: String::new(),
            group: "g".to_owned(),
            topic: "okta".to_owned(),
            partition,
            hour: Hour::of(time),
            member: "m".to_owned(),
            updated: time,
            reads: true,
            page: Page { records, ..Page::default() },
        }
    }
    fn values(waiting: &mut Waiting) -> Vec<String> {
        waiting.take().into_iter().map(|encoded| encoded.value).collect()
    }

    #[test]
    fn a_newer_one_takes_the_place_of_one_that_waits() {
        let mut waiting = Waiting::default();
        waiting.add(&[said(0, 1, 5), said(1, 1, 7)]);
        waiting.add(&[said(0, 1, 6), said(0, 2, 1)]);
        let expected = [said(0, 1, 6), said(0, 2, 1), said(1, 1, 7)].map(|it| it.encode());
        assert_eq!(values(&mut waiting), expected);
        assert!(waiting.is_empty());
    }

    #[test]
    fn what_failed_comes_back_only_where_nothing_newer_came() {
        let mut waiting = Waiting::default();
        waiting.add(&[said(0, 1, 5), said(1, 1, 7)]);
        let failed = waiting.take();
        waiting.add(&[said(0, 1, 6)]);
        assert_eq!(waiting.give_back(failed), 0);
        assert_eq!(values(&mut waiting), [said(0, 1, 6), said(1, 1, 7)].map(|it| it.encode()));
    }

    #[test]
    fn past_the_bound_the_oldest_hours_are_given_up() {
        let mut waiting = Waiting::default();
        let most = i32::try_from(LEDGER_DOCUMENTS_MAX).expect("a small number");
        let newer: Vec<Document> = (0..most - 1).map(|partition| said(partition, 5, 1)).collect();
        assert_eq!(waiting.add(&newer), 0);
        assert_eq!(waiting.add(&[said(0, 3, 1), said(1, 4, 1)]), 1);
        assert_eq!(waiting.len(), LEDGER_DOCUMENTS_MAX);
        assert!(!waiting.by_key.contains_key(&said(0, 3, 1).key()));
        assert!(waiting.by_key.contains_key(&said(1, 4, 1).key()));
    }
}
