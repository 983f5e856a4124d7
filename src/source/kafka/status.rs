//! Figures of a source, for whoever watches it from another thread. Counters only rise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::membership::Owned;
use crate::kafka::TopicPartition;
use crate::kafka::statistics::Figures;
use crate::source::Partition;

/// Figures of a source.
#[derive(Debug, Default)]
pub struct SourceStatus {
    joined: AtomicBool,
    commits: AtomicU64,
    commit_failures: AtomicU64,
    offset_resets: AtomicU64,
    fetched_bytes: AtomicU64,
    lags: Mutex<Vec<(Partition, i64)>>,
}

impl SourceStatus {
    /// Whether it is a member of its group, with or without partitions.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }
    /// Commits that the broker took.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
    /// Commits that failed; one that lost a race with a rebalance did not.
    #[must_use]
    pub fn commit_failures(&self) -> u64 {
        self.commit_failures.load(Ordering::Relaxed)
    }
    /// Partitions whose offset did not exist any more.
    #[must_use]
    pub fn offset_resets(&self) -> u64 {
        self.offset_resets.load(Ordering::Relaxed)
    }
    /// Bytes fetched and not yet lent, as the client library last said.
    #[must_use]
    pub fn fetched_bytes(&self) -> u64 {
        self.fetched_bytes.load(Ordering::Relaxed)
    }
    /// Per owned partition: records between the last watermark and the end of the log.
    #[must_use]
    pub fn lags(&self) -> Vec<(Partition, i64)> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn joined(&self) {
        self.joined.store(true, Ordering::Relaxed);
    }
    pub(super) fn left(&self) {
        self.joined.store(false, Ordering::Relaxed);
    }
    pub(super) fn commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
    pub(super) fn commit_failure(&self) {
        self.commit_failures.fetch_add(1, Ordering::Relaxed);
    }
    pub(super) fn offset_reset(&self) {
        self.offset_resets.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes over the client's statistics.
    pub(super) fn update(&self, figures: &Figures, owned: &BTreeMap<Partition, Owned>) {
        self.fetched_bytes.store(figures.fetched_bytes, Ordering::Relaxed);
        let lags = lags(&figures.log_ends, owned);
        *self.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
    }
}

fn lags(
    ends: &[(TopicPartition, i64)],
    owned: &BTreeMap<Partition, Owned>,
) -> Vec<(Partition, i64)> {
    let lag = |(partition, owned): (&Partition, &Owned)| {
        let is_it = |(name, _): &&(TopicPartition, i64)| {
            name.partition == partition.partition && name.topic == *partition.topic
        };
        let (_, end) = ends.iter().find(is_it)?;
        Some((partition.clone(), (end - owned.done).max(0)))
    };
    owned.iter().filter_map(lag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_from_the_watermark_and_is_never_negative() {
        let at = |partition| Partition { topic: "okta".into(), partition };
        let end = |partition, end| (TopicPartition { topic: "okta".to_owned(), partition }, end);
        let owned = [(0, 90), (1, 100), (2, 5)].map(|(n, done)| (at(n), Owned { from: 0, done }));
        let found = lags(&[end(0, 100), end(1, 99), end(7, 1)], &owned.into_iter().collect());
        assert_eq!(found, [(at(0), 10), (at(1), 0)]);
    }
}
