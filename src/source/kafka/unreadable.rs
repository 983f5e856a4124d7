//! Batches that the client library cannot unpack: which partition stands before one, and where.
//!
//! A compressed batch that unpacks to more than the library takes, or not at all, stops its
//! partition for ever: the library says so again and again, but not of which partition. What it
//! says of a consumer that reads one partition alone is certain, so a scout is sent to each
//! partition that does not move although there is more. No record is left out here: the partition
//! waits until an operator has decided, and all others go on.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::start::{self, Offsets};
use crate::config::settings::ClusterSettings;
use crate::kafka::{ConsumerCallbacks, TopicPartition};
use crate::source::Partition;

/// The library says it at least so often while a partition stands before such a batch.
const SAID_AGAIN: Duration = Duration::from_secs(5);

/// How often it is looked which partitions move.
const LOOK: Duration = Duration::from_secs(1);

/// How long a scout may take to hear anything.
const SCOUT: Duration = Duration::from_secs(15);

/// What scouts are opened with.
#[derive(Clone, Debug)]
pub(super) struct ScoutOptions {
    /// The name of the source's client in logs.
    pub name: String,
    /// The configuration of the source's client.
    pub config: ClientConfig,
    /// The cluster, for what cannot be configured (tokens).
    pub cluster: ClusterSettings,
}

/// What is known of such batches.
pub(super) struct Unreadable {
    options: ScoutOptions,
    /// When the library said last that it cannot unpack a batch, on the monotonic clock.
    heard: Option<Duration>,
    look_at: Duration,
    /// Where each partition stood when it was looked last.
    stood: Offsets,
    scout: Option<Scout>,
    /// The offsets before which partitions stand.
    found: Offsets,
    count: u64,
}

/// A consumer of one partition, without a group.
struct Scout {
    consumer: BaseConsumer<ConsumerCallbacks>,
    partition: Partition,
    offset: i64,
    until: Duration,
}

/// Whether the library says that it cannot unpack a batch.
pub(super) const fn is_of_a_batch(code: Code) -> bool {
    matches!(code, Code::BadCompression | Code::NotImplemented | Code::MessageSizeTooLarge)
}

impl Unreadable {
    pub(super) const fn new(options: ScoutOptions) -> Self {
        Self {
            options,
            heard: None,
            look_at: Duration::ZERO,
            stood: Offsets::new(),
            scout: None,
            found: Offsets::new(),
            count: 0,
        }
    }

    /// The library said that it cannot unpack a batch.
    pub(super) const fn hear(&mut self, now: Duration) {
        self.heard = Some(now);
    }

    /// How many partitions stand before such a batch now.
    pub(super) fn partitions(&self) -> usize {
        self.found.len()
    }

    /// How many such batches were met.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// These partitions are not read here any more.
    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        self.found.retain(|partition, _| !partitions.contains(partition));
        self.stood.retain(|partition, _| !partitions.contains(partition));
        let is_gone = |scout: &mut Scout| partitions.contains(&scout.partition);
        if let Some(scout) = self.scout.take_if(is_gone) {
            scout.close();
        }
    }

    /// Whether there is anything to do at `now`.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let was_heard = self.heard.is_some_and(|heard| now < heard + SAID_AGAIN);
        self.scout.is_some() || ((was_heard || !self.found.is_empty()) && now >= self.look_at)
    }

    /// Looks where the partitions stand (`at`: the offset after the last record lent), asks the
    /// scout, and sends one to the next partition that does not move.
    pub(super) fn look(&mut self, at: Offsets, ends: &[(TopicPartition, i64)], now: Duration) {
        self.ask_scout(now);
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK;
        self.found.retain(|Partition { topic, partition }, offset| {
            let name = Partition { topic: topic.clone(), partition: *partition };
            let stands = at.get(&name).is_none_or(|at| at == offset);
            if !stands {
                tracing::info!(
                    topic = &**topic,
                    partition,
                    offset,
                    "the partition goes on behind a batch that could not be unpacked"
                );
            }
            stands
        });
        let suspect = suspects(&self.stood, &at, ends).find(|it| !self.found.contains_key(it.0));
        if self.scout.is_none()
            && let Some((partition, offset)) = suspect
        {
            match Scout::send(&self.options, partition, offset, now + SCOUT) {
                Ok(scout) => self.scout = Some(scout),
                Err(fault) => tracing::warn!(%fault, "a stopped partition cannot be looked into"),
            }
        }
        self.stood = at;
    }

    fn ask_scout(&mut self, now: Duration) {
        let Some(scout) = &self.scout else { return };
        let code = match scout.consumer.poll(Duration::ZERO) {
            Some(Err(KafkaError::MessageConsumption(code))) if is_of_a_batch(code) => Some(code),
            Some(Ok(_)) => None,
            _ if now < scout.until => return,
            _ => None,
        };
        let Some(scout) = self.scout.take() else { return };
        if let Some(code) = code {
            let Partition { topic, partition } = &scout.partition;
            let offset = scout.offset;
            tracing::error!(
                topic = &**topic,
                partition,
                offset,
                cause = %code,
                "a batch of records cannot be unpacked: the partition waits before it. Raise \
                 receive.message.max.bytes in [kafka.librdkafka] to three times what the batch \
                 unpacks to and restart, or set the group's offset behind the batch while the \
                 group is stopped"
            );
            self.count += 1;
            self.found.insert(scout.partition.clone(), offset);
        }
        scout.close();
    }
}

/// The partitions that stand where they stood, with more behind, and where that is.
fn suspects<'a>(
    stood: &'a Offsets,
    at: &'a Offsets,
    ends: &'a [(TopicPartition, i64)],
) -> impl Iterator<Item = (&'a Partition, i64)> {
    let ends: BTreeMap<(&str, i32), i64> =
        ends.iter().map(|(name, end)| ((&*name.topic, name.partition), *end)).collect();
    at.iter().filter_map(move |(partition, offset)| {
        let has_stopped = stood.get(partition) == Some(offset);
        let end = ends.get(&(&*partition.topic, partition.partition));
        (has_stopped && end.is_some_and(|end| end > offset)).then_some((partition, *offset))
    })
}

impl Scout {
    fn send(
        options: &ScoutOptions,
        partition: &Partition,
        offset: i64,
        until: Duration,
    ) -> KafkaResult<Self> {
        let callbacks = ConsumerCallbacks::new(&options.name, &options.cluster);
        callbacks.close();
        let mut config = options.config.clone();
        // It joins no group, and needs none of its partition's records but the first.
        config.remove("group.instance.id");
        config.set("queued.max.messages.kbytes", "1");
        let consumer: BaseConsumer<ConsumerCallbacks> = config.create_with_context(callbacks)?;
        consumer.assign(&start::list_at(&[(partition.clone(), offset)])?)?;
        Ok(Self { consumer, partition: partition.clone(), offset, until })
    }

    /// Closing may wait for a broker; nobody waits for that.
    fn close(self) {
        let Self { consumer, .. } = self;
        drop(std::thread::Builder::new().spawn(move || drop(consumer)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32) -> Partition {
        Partition { topic: "okta".into(), partition }
    }

    /// Per line: where a partition stood, where it stands, the end of its log, whether a scout goes.
    fn check(lines: &[(Option<i64>, i64, Option<i64>, bool)]) {
        for (stood, stands, end, expected) in lines {
            let stood = stood.map(|offset| (at(0), offset)).into_iter().collect();
            let stands = Offsets::from([(at(0), *stands)]);
            let name = TopicPartition { topic: "okta".to_owned(), partition: 0 };
            let ends: Vec<_> = end.map(|end| (name, end)).into_iter().collect();
            let found = suspects(&stood, &stands, &ends).count() == 1;
            assert_eq!(found, *expected, "{stood:?} {stands:?} {ends:?}");
        }
    }

    #[test]
    fn a_partition_is_looked_into_where_it_stands_still_before_more() {
        check(&[
            (Some(5), 5, Some(9), true),
            (Some(4), 5, Some(9), false),
            (Some(5), 5, Some(5), false),
            (Some(5), 5, None, false),
            (None, 5, Some(9), false),
        ]);
    }
}
