//! Partitions whose broker cannot be reached while others can.
//!
//! The client library waits for such a partition without a word: no fault comes, and what it knows of
//! the partition stands still, so that it looks like one that is empty. Its statistics tell where it
//! reads from and which brokers are up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::kafka::TopicPartition;
use crate::source::Partition;

/// So long is waited before it counts: leaders change, and connections are made again, within less.
/// It is looked at whenever statistics come.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is known of such partitions.
#[derive(Debug, Default)]
pub(super) struct Reach {
    lost: BTreeMap<Partition, Lost>,
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    /// When it was first seen so, on the monotonic clock.
    since: Duration,
    counts: bool,
}

impl Reach {
    /// Partitions that have not been reached for a while.
    pub(super) fn partitions(&self) -> usize {
        self.lost.values().filter(|lost| lost.counts).count()
    }

    /// At `now`, these of the partitions that are read are `unreached`.
    pub(super) fn see(&mut self, unreached: impl Iterator<Item = Partition>, now: Duration) {
        let mut before = std::mem::take(&mut self.lost);
        for partition in unreached {
            let known = before.remove(&partition);
            let mut lost = known.unwrap_or(Lost { since: now, counts: false });
            if !lost.counts && now >= lost.since + PATIENCE {
                lost.counts = true;
                let Partition { topic, partition } = &partition;
                tracing::error!(
                    topic = &**topic,
                    partition,
                    "a partition cannot be read: it has no leader, or its broker cannot be reached \
                     from here. It goes on by itself when that ends"
                );
            }
            self.lost.insert(partition, lost);
        }
        for Partition { topic, partition } in
            before.into_iter().filter(|(_, lost)| lost.counts).map(|(partition, _)| partition)
        {
            tracing::info!(topic = &*topic, partition, "the partition is read again, or not here");
        }
    }
}

/// Those of `unreached` that are owned.
pub(super) fn of_owned<'a>(
    unreached: &'a [TopicPartition],
    owned: impl Fn(&Partition) -> bool + 'a,
) -> impl Iterator<Item = Partition> + 'a {
    let name =
        |it: &TopicPartition| Partition { topic: (&*it.topic).into(), partition: it.partition };
    unreached.iter().map(name).filter(move |partition| owned(partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn of(numbers: &[i32]) -> impl Iterator<Item = Partition> {
        numbers.iter().map(|number| Partition { topic: "okta".into(), partition: *number })
    }

    /// Per line: the second, what is unreached then, how many count.
    fn check(lines: &[(u32, &[i32], usize)]) {
        let mut reach = Reach::default();
        for (second, unreached, expected) in lines {
            reach.see(of(unreached), SECOND * *second);
            assert_eq!(reach.partitions(), *expected, "second {second} of {lines:?}");
        }
    }

    #[test]
    fn what_is_not_reached_for_a_while_counts_until_it_is() {
        check(&[(5, &[0], 0), (10, &[0], 0), (19, &[0, 1], 0), (20, &[0, 1], 1), (25, &[1], 0)]);
        check(&[(5, &[0], 0), (15, &[], 0), (20, &[0], 0), (34, &[0], 0), (35, &[0], 1)]);
        check(&[(0, &[0, 1], 0), (15, &[0, 1], 2), (20, &[1], 1), (25, &[], 0)]);
    }

    #[test]
    fn only_what_is_owned_is_looked_at() {
        let at = |partition| TopicPartition { topic: "okta".to_owned(), partition };
        let unreached = [at(0), at(1), at(2)];
        let found = of_owned(&unreached, |it| it.partition != 1);
        assert_eq!(found.map(|it| it.partition).collect::<Vec<_>>(), [0, 2]);
    }
}
