//! The suite's own Kafka client: topics, records in and out, offsets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::admin::{Admin, Topic};

const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A record as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

fn configuration(brokers: &str) -> ClientConfig {
    let mut configuration = ClientConfig::new();
    configuration.set("bootstrap.servers", brokers);
    configuration
}

/// Whether the brokers answer a metadata request within two seconds.
pub fn brokers_answer(brokers: &str) -> Result<(), String> {
    let consumer = consumer(brokers, "ouzel-suite")?;
    consumer
        .fetch_metadata(None, Duration::from_secs(2))
        .map(drop)
        .map_err(|fault| format!("ask {brokers} for metadata: {fault}"))
}

fn consumer(brokers: &str, group: &str) -> Result<BaseConsumer, String> {
    consumer_with(brokers, group, &[])
}

fn consumer_with(
    brokers: &str,
    group: &str,
    more: &[(&str, &str)],
) -> Result<BaseConsumer, String> {
    let mut configuration = configuration(brokers);
    for (key, value) in more {
        configuration.set(*key, *value);
    }
    configuration
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        // The suite also reads what the program under test is not to unpack.
        .set("receive.message.max.bytes", "400000000")
        .set("log_level", "2")
        .create()
        .map_err(|fault| fault.to_string())
}

/// Creates topics with so many partitions each, and waits until they can be used.
pub fn create_topics(brokers: &str, topics: &[(&str, i32)]) -> Result<(), String> {
    let topics: Vec<_> =
        topics.iter().map(|(name, partitions)| Topic::new(name, *partitions)).collect();
    Admin::of(brokers)?.create(&topics)
}

/// Waits until each partition of a topic has a leader.
pub fn wait_for_leaders(brokers: &str, topic: &str, partitions: i32) -> Result<(), String> {
    wait_until(&format!("topic {topic} has its leaders"), ANSWERS_WITHIN, || {
        let about = consumer(brokers, "ouzel-suite")?
            .fetch_metadata(Some(topic), Duration::from_secs(5))
            .map_err(|fault| fault.to_string())?;
        let partition = about.topics().iter().flat_map(|topic| topic.partitions());
        let with_leader = partition.filter(|partition| partition.leader() >= 0).count();
        Ok((i32::try_from(with_leader) == Ok(partitions)).then_some(()))
    })
}

/// The log end of each partition of `topic`.
pub fn log_ends(brokers: &str, topic: &str) -> Result<BTreeMap<i32, i64>, String> {
    // The end of the log, not of what a reader of committed records may see of it.
    let more = [("isolation.level", "read_uncommitted")];
    let consumer = consumer_with(brokers, "ouzel-suite", &more)?;
    let about =
        consumer.fetch_metadata(Some(topic), ANSWERS_WITHIN).map_err(|fault| fault.to_string())?;
    let mut ends = BTreeMap::new();
    for partition in about.topics().iter().flat_map(|topic| topic.partitions()) {
        let (_, end) = consumer
            .fetch_watermarks(topic, partition.id(), ANSWERS_WITHIN)
            .map_err(|fault| fault.to_string())?;
        ends.insert(partition.id(), end);
    }
    Ok(ends)
}

/// How many records `topic` has ever got.
pub fn count(brokers: &str, topic: &str) -> Result<usize, String> {
    let total: i64 = log_ends(brokers, topic)?.values().sum();
    usize::try_from(total).map_err(|fault| fault.to_string())
}

/// The committed offset of each partition that has one.
pub fn committed(brokers: &str, group: &str, topic: &str) -> Result<BTreeMap<i32, i64>, String> {
    // What is committed now: not what an open transaction would commit, and no wait for its end.
    let consumer = consumer_with(brokers, group, &[("isolation.level", "read_uncommitted")])?;
    let mut wanted = TopicPartitionList::new();
    for partition in log_ends(brokers, topic)?.keys() {
        wanted.add_partition(topic, *partition);
    }
    let answer = consumer
        .committed_offsets(wanted, ANSWERS_WITHIN)
        .map_err(|fault| format!("ask for committed offsets: {fault}"))?;
    let found = answer
        .elements()
        .iter()
        .filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), offset)),
            _ => None,
        })
        .collect();
    Ok(found)
}

/// How many members the group has, as its coordinator knows them.
pub fn members(brokers: &str, group: &str) -> Result<usize, String> {
    let consumer = consumer_with(brokers, "ouzel-suite", &[])?;
    let answer = consumer
        .fetch_group_list(Some(group), ANSWERS_WITHIN)
        .map_err(|fault| format!("ask for the group's members: {fault}"))?;
    Ok(answer.groups().iter().map(|group| group.members().len()).sum())
}

/// What a reader sees of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the first open one, and nothing of aborted ones.
    Committed,
    /// Everything.
    Uncommitted,
}

/// Lends every record of `topic` up to its end of now, as a reader of committed records sees it.
pub fn read(
    brokers: &str,
    topic: &str,
    visit: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), String> {
    read_with(brokers, topic, Isolation::Committed, visit)
}

/// Lends every record of `topic` up to its end of now.
pub fn read_with(
    brokers: &str,
    topic: &str,
    isolation: Isolation,
    mut visit: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), String> {
    let level = match isolation {
        Isolation::Committed => "read_committed",
        Isolation::Uncommitted => "read_uncommitted",
    };
    let more = [("isolation.level", level), ("enable.partition.eof", "true")];
    let consumer = consumer_with(brokers, "ouzel-suite", &more)?;
    let mut open: BTreeMap<i32, i64> =
        log_ends(brokers, topic)?.into_iter().filter(|(_, end)| *end > 0).collect();
    let mut list = TopicPartitionList::new();
    for partition in open.keys() {
        list.add_partition_offset(topic, *partition, Offset::Beginning)
            .map_err(|fault| fault.to_string())?;
    }
    consumer.assign(&list).map_err(|fault| fault.to_string())?;
    let mut quiet_since = Instant::now();
    while !open.is_empty() {
        let Some(message) = consumer.poll(Duration::from_millis(500)) else {
            if quiet_since.elapsed() > ANSWERS_WITHIN {
                return Err(format!("read {topic}: nothing comes any more, still open: {open:?}"));
            }
            continue;
        };
        quiet_since = Instant::now();
        let message = match message {
            Ok(message) => message,
            // The last places may hold no record: transactions end with a marker.
            Err(KafkaError::PartitionEOF(partition)) => {
                open.remove(&partition);
                continue;
            }
            Err(fault) => return Err(fault.to_string()),
        };
        visit(&message);
        if open.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
            open.remove(&message.partition());
        }
    }
    Ok(())
}

/// Lends the records of `topic` as they become visible to a reader of committed records, from its
/// beginning until `stop` is set and nothing more comes for a second.
pub fn follow(
    brokers: &str,
    topic: &str,
    stop: &AtomicBool,
    mut visit: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), String> {
    let consumer = consumer_with(brokers, "ouzel-suite", &[("isolation.level", "read_committed")])?;
    let mut list = TopicPartitionList::new();
    for partition in log_ends(brokers, topic)?.keys() {
        list.add_partition_offset(topic, *partition, Offset::Beginning)
            .map_err(|fault| fault.to_string())?;
    }
    consumer.assign(&list).map_err(|fault| fault.to_string())?;
    loop {
        match consumer.poll(Duration::from_secs(1)) {
            Some(message) => visit(&message.map_err(|fault| fault.to_string())?),
            None if stop.load(Ordering::Relaxed) => return Ok(()),
            None => {}
        }
    }
}

/// Every record of `topic`, copied.
pub fn read_all(brokers: &str, topic: &str) -> Result<Vec<Stored>, String> {
    let mut records = Vec::new();
    read(brokers, topic, |message| {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect()
        });
        records.push(Stored {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers,
        });
    })?;
    Ok(records)
}

/// Asks again and again until there is an answer; `what` completes "until".
pub fn wait_until<T>(
    what: &str,
    within: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + within;
    loop {
        let answer = ask();
        match answer {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if Instant::now() > deadline => {
                return Err(format!("waited {within:?} until {what}"));
            }
            Err(fault) if Instant::now() > deadline => {
                return Err(format!("waited {within:?} until {what}: {fault}"));
            }
            // The conditions are states of other processes: nothing here can be woken by them.
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
