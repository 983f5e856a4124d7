//! Where reading begins: the plan, and what is asked of the cluster for it.
//!
//! A committed offset counts. A partition without one begins at its beginning where the group has
//! an offset for any partition of the topic (the partition was added later: nothing in it may be
//! skipped), and at `start` where it has none. On a fresh group the start of **every** partition
//! of the topic is committed in one commit, whoever owns it: a worker that joins later then finds
//! an offset and does not apply `latest` to what came in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::config::settings::Start;
use crate::kafka::ConsumerCallbacks;
use crate::source::Partition;

/// How long the cluster may take for one question. It is asked again when it does not answer.
const ANSWER: Duration = Duration::from_secs(5);

type Consumers = BaseConsumer<ConsumerCallbacks>;

/// Offsets by partition.
pub(super) type Offsets = BTreeMap<Partition, i64>;

/// Where partitions begin.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Positions {
    /// Where the assigned partitions begin.
    pub begin: Vec<(Partition, i64)>,
    /// What is to be committed at once.
    pub commit: Vec<(Partition, i64)>,
}

/// What is to be looked up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Assigned, without an offset, of a topic for which the group has offsets.
    beginning: Vec<Partition>,
    /// Every partition of the topics for which the group has none.
    fresh: Vec<Partition>,
}

fn plan(assigned: &[Partition], every: &[Partition], committed: &Offsets) -> Plan {
    let known: BTreeSet<&str> = committed.keys().map(|partition| &*partition.topic).collect();
    let is_known = |partition: &&Partition| known.contains(&*partition.topic);
    let is_open = |partition: &&Partition| !committed.contains_key(*partition);
    Plan {
        beginning: assigned.iter().filter(is_known).filter(is_open).cloned().collect(),
        fresh: every.iter().filter(|partition| !is_known(partition)).cloned().collect(),
    }
}

/// Finds where the assigned partitions begin.
pub(super) fn positions(
    consumer: &Consumers,
    assigned: &[Partition],
    start: Start,
) -> KafkaResult<Positions> {
    if assigned.is_empty() {
        return Ok(Positions::default());
    }
    let every = every_partition(consumer, assigned)?;
    let committed = committed(consumer, &every)?;
    let plan = plan(assigned, &every, &committed);
    let mut found = look_up(consumer, &plan.beginning, Offset::Beginning)?;
    found.extend(starts(consumer, &plan.fresh, start)?);
    let mut begin = Vec::with_capacity(assigned.len());
    for partition in assigned {
        let offset = committed.get(partition).or_else(|| found.get(partition));
        // The cluster answered without it: that is an answer to ask for again.
        let offset = offset.ok_or(KafkaError::Canceled)?;
        begin.push((partition.clone(), *offset));
    }
    Ok(Positions { begin, commit: found.into_iter().collect() })
}

fn starts(consumer: &Consumers, fresh: &[Partition], start: Start) -> KafkaResult<Offsets> {
    match start {
        Start::Earliest => look_up(consumer, fresh, Offset::Beginning),
        Start::Latest => look_up(consumer, fresh, Offset::End),
        Start::Timestamp(millis) => {
            let mut found = look_up(consumer, fresh, Offset::Offset(millis.max(0)))?;
            // Nothing is that young yet: what comes from now on is.
            let young: Vec<_> =
                fresh.iter().filter(|partition| !found.contains_key(*partition)).cloned().collect();
            found.extend(look_up(consumer, &young, Offset::End)?);
            Ok(found)
        }
    }
}

/// The first and the end offset of each partition.
pub(super) fn bounds(
    consumer: &Consumers,
    partitions: &[Partition],
) -> KafkaResult<(Offsets, Offsets)> {
    let first = look_up(consumer, partitions, Offset::Beginning)?;
    let end = look_up(consumer, partitions, Offset::End)?;
    Ok((first, end))
}

/// Where the reader stands in each partition: the offset after the last one that was lent.
pub(super) fn reader(consumer: &Consumers) -> KafkaResult<Offsets> {
    Ok(offsets(&consumer.position()?))
}

/// Every partition of the topics that occur in `assigned`.
fn every_partition(consumer: &Consumers, assigned: &[Partition]) -> KafkaResult<Vec<Partition>> {
    let mut every: BTreeSet<Partition> = assigned.iter().cloned().collect();
    let topics: BTreeSet<_> = assigned.iter().map(|partition| partition.topic.clone()).collect();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(&topic), ANSWER)?;
        for found in metadata.topics() {
            every.extend(
                found
                    .partitions()
                    .iter()
                    .map(|about| Partition { topic: topic.clone(), partition: about.id() }),
            );
        }
    }
    Ok(every.into_iter().collect())
}

/// The committed offset of each partition that has one.
pub(super) fn committed(consumer: &Consumers, partitions: &[Partition]) -> KafkaResult<Offsets> {
    if partitions.is_empty() {
        return Ok(Offsets::new());
    }
    let list = list(partitions, Offset::Invalid)?;
    // The list ends with this function: one that outlives its consumer blocks the consumer's end.
    let found = consumer.committed_offsets(list, ANSWER)?;
    for element in found.elements() {
        element.error()?;
    }
    Ok(offsets(&found))
}

/// Asks for offsets by time; Kafka's special times for both ends of a log are the client library's
/// numbers for `Beginning` and `End` (protocol, `ListOffsets`). A time after the last record has
/// no offset.
fn look_up(consumer: &Consumers, partitions: &[Partition], time: Offset) -> KafkaResult<Offsets> {
    if partitions.is_empty() {
        return Ok(Offsets::new());
    }
    let found = consumer.offsets_for_times(list(partitions, time)?, ANSWER)?;
    for element in found.elements() {
        element.error()?;
    }
    Ok(offsets(&found))
}

/// The list that the client library wants.
pub(super) fn list(partitions: &[Partition], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(&partition.topic, partition.partition, offset)?;
    }
    Ok(list)
}

/// The same with an offset for each.
pub(super) fn list_at(positions: &[(Partition, i64)]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (partition, offset) in positions {
        list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

fn offsets(list: &TopicPartitionList) -> Offsets {
    let elements = list.elements();
    let known = elements.iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) => {
            let topic = element.topic().into();
            Some((Partition { topic, partition: element.partition() }, offset))
        }
        _ => None,
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> Partition {
        let (topic, partition) = name.split_once('/').expect("topic/partition");
        Partition { topic: topic.into(), partition: partition.parse().expect("a number") }
    }
    fn all(names: &[&str]) -> Vec<Partition> {
        names.iter().map(|name| at(name)).collect()
    }
    fn check(assigned: &[&str], every: &[&str], committed: &[&str], expected: (&[&str], &[&str])) {
        let committed = committed.iter().map(|name| (at(name), 5)).collect();
        let (beginning, fresh) = (all(expected.0), all(expected.1));
        let found = plan(&all(assigned), &all(every), &committed);
        assert_eq!(found, Plan { beginning, fresh });
    }

    #[test]
    fn a_committed_offset_needs_no_question() {
        check(&["a/0"], &["a/0", "a/1"], &["a/0", "a/1"], (&[], &[]));
    }

    #[test]
    fn an_added_partition_begins_at_its_beginning() {
        check(&["a/0", "a/1"], &["a/0", "a/1"], &["a/0"], (&["a/1"], &[]));
        check(&["a/1"], &["a/0", "a/1"], &["a/0"], (&["a/1"], &[]));
    }

    #[test]
    fn a_fresh_topic_starts_for_all_of_its_partitions() {
        check(&["a/0"], &["a/0", "a/1"], &[], (&[], &["a/0", "a/1"]));
        check(&["a/0", "b/0"], &["a/0", "b/0", "b/1"], &["a/0"], (&[], &["b/0", "b/1"]));
    }
}
