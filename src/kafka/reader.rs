//! Reads a topic as it stands, without being a member of a group: for questions about what is in
//! it. Commits nothing, creates nothing, and gives up within a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{ConsumerCallbacks, settings};
use crate::config::settings::ClusterSettings;
use crate::record::Timestamp;

/// How long the cluster may take for one question.
const ANSWER: Duration = Duration::from_secs(5);

/// How long nothing may come while there is something to read.
const SILENCE: Duration = Duration::from_secs(20);

/// How long a broker holds an answer back that has nothing in it.
const HELD_BACK_MS: u32 = 20;

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The client library says no.
    #[error("read the topic {topic:?} at {brokers}: {cause}")]
    Client {
        /// The topic.
        topic: String,
        /// The cluster.
        brokers: String,
        /// What it says.
        cause: String,
    },
    /// Nothing comes any more, and the end was not reached.
    #[error("read the topic {topic:?} at {brokers}: nothing came for {} s", SILENCE.as_secs())]
    Silent {
        /// The topic.
        topic: String,
        /// The cluster.
        brokers: String,
    },
}

/// Where the log of a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// The first record that is not older than was asked; the end where there is none.
    pub since: i64,
    /// The first record.
    pub first: i64,
    /// The offset after the last record that a reader of committed records may see.
    pub end: i64,
}

/// A reader.
pub struct Reader {
    consumer: BaseConsumer<ConsumerCallbacks>,
    brokers: String,
}

impl Reader {
    /// A reader of the cluster; `group` is only a name for it, it is never joined.
    ///
    /// # Errors
    /// When the client library does not take the configuration.
    pub fn open(cluster: &ClusterSettings, group: &str) -> Result<Self, ReadFault> {
        let brokers = cluster.brokers.clone();
        let callbacks = ConsumerCallbacks::new("reader", cluster);
        let consumer = settings::admin(cluster)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", HELD_BACK_MS.to_string())
            .create_with_context(callbacks);
        match consumer {
            Ok(consumer) => Ok(Self { consumer, brokers }),
            Err(cause) => {
                let cause = cause.to_string();
                Err(ReadFault::Client { topic: String::new(), brokers, cause })
            }
        }
    }

    fn fault(&self, topic: &str, cause: KafkaError) -> ReadFault {
        let (topic, brokers, cause) = (topic.to_owned(), self.brokers.clone(), cause.to_string());
        ReadFault::Client { topic, brokers, cause }
    }

    fn partitions(&self, topic: &str) -> Result<Vec<i32>, ReadFault> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), ANSWER)
            .map_err(|cause| self.fault(topic, cause))?;
        let found = metadata.topics().iter().flat_map(|topic| topic.partitions());
        Ok(found.map(|partition| partition.id()).collect())
    }

    /// Lends key and value of every record up to the end of the topic, partition by partition in
    /// their order.
    ///
    /// # Errors
    /// When the cluster says no, or nothing any more.
    pub fn read_all(
        &self,
        topic: &str,
        mut visit: impl FnMut(Option<&[u8]>, Option<&[u8]>),
    ) -> Result<(), ReadFault> {
        let mut open: BTreeSet<i32> = self.partitions(topic)?.into_iter().collect();
        let begin: Vec<(i32, Offset)> = open.iter().map(|it| (*it, Offset::Beginning)).collect();
        self.assign(topic, &begin)?;
        let mut heard = Instant::now();
        while !open.is_empty() {
            match self.consumer.poll(Duration::from_millis(100)) {
                None if heard.elapsed() > SILENCE => {
                    let (topic, brokers) = (topic.to_owned(), self.brokers.clone());
                    return Err(ReadFault::Silent { topic, brokers });
                }
                None => continue,
                Some(Ok(record)) => visit(record.key(), record.payload()),
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
                Some(Err(cause)) if passes(&cause) => continue,
                Some(Err(cause)) => return Err(self.fault(topic, cause)),
            }
            heard = Instant::now();
        }
        Ok(())
    }

    /// Where each partition of `topic` begins and ends now; none where the topic does not exist.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn bounds(
        &self,
        topic: &str,
        since: Timestamp,
    ) -> Result<BTreeMap<i32, LogBounds>, ReadFault> {
        let partitions = self.partitions(topic)?;
        let first = self.look_up(topic, &partitions, Offset::Beginning)?;
        let young = Offset::Offset(since.as_millis().max(0));
        let young = self.look_up(topic, &partitions, young)?;
        // Last, so that what a reader has finished by now is before it.
        let end = self.look_up(topic, &partitions, Offset::End)?;
        let bounds = partitions.into_iter().filter_map(|partition| {
            let (first, end) = (*first.get(&partition)?, *end.get(&partition)?);
            let since = young.get(&partition).copied().unwrap_or(end);
            Some((partition, LogBounds { since, first, end }))
        });
        Ok(bounds.collect())
    }

    /// The offset of the first record of a partition at `from` or after it; `None` where there is
    /// none up to the end.
    ///
    /// # Errors
    /// When the cluster says no, or nothing: then nothing is known.
    pub fn first_at(
        &self,
        topic: &str,
        partition: i32,
        from: i64,
    ) -> Result<Option<i64>, ReadFault> {
        self.assign(topic, &[(partition, Offset::Offset(from))])?;
        let asked = Instant::now();
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) if record.partition() == partition => {
                    return Ok(Some(record.offset()));
                }
                Some(Err(KafkaError::PartitionEOF(found))) if found == partition => {
                    return Ok(None);
                }
                Some(Err(cause)) if !passes(&cause) => return Err(self.fault(topic, cause)),
                _ if asked.elapsed() > SILENCE => {
                    let (topic, brokers) = (topic.to_owned(), self.brokers.clone());
                    return Err(ReadFault::Silent { topic, brokers });
                }
                _ => {}
            }
        }
    }

    fn assign(&self, topic: &str, positions: &[(i32, Offset)]) -> Result<(), ReadFault> {
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for (partition, offset) in positions {
            list.add_partition_offset(topic, *partition, *offset)
                .map_err(|cause| self.fault(topic, cause))?;
        }
        self.consumer.assign(&list).map_err(|cause| self.fault(topic, cause))
    }

    fn look_up(
        &self,
        topic: &str,
        partitions: &[i32],
        time: Offset,
    ) -> Result<BTreeMap<i32, i64>, ReadFault> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let fault = |cause| self.fault(topic, cause);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(topic, *partition, time).map_err(fault)?;
        }
        let found = self.consumer.offsets_for_times(list, ANSWER).map_err(fault)?;
        let mut offsets = BTreeMap::new();
        for element in found.elements() {
            element.error().map_err(fault)?;
            if let Offset::Offset(offset) = element.offset() {
                offsets.insert(element.partition(), offset);
            }
        }
        Ok(offsets)
    }
}

/// Whether the client library gets over it by itself: lost connections, leaders that moved.
fn passes(cause: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(
        cause.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::Resolve
        )
    )
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reader").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}
