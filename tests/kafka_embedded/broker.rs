//! The embedded broker with a client beside it: records in, records out, offsets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ouzel::kafka::embedded::{EmbeddedBroker, Reachable};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::DEADLINE;

/// The group of every stage in these tests; each test has a broker of its own.
pub const GROUP: &str = "ouzel";

const ANSWER: Duration = Duration::from_secs(20);

/// A broker, with a producer.
pub struct Broker {
    broker: EmbeddedBroker,
    producer: BaseProducer,
}

/// A record as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Stored {
    /// The value of the last header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().rev().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.as_deref())
    }
}

impl Broker {
    pub fn start() -> Self {
        let broker = EmbeddedBroker::start().expect("an embedded broker");
        let producer = producer(&broker);
        Self { broker, producer }
    }

    pub fn address(&self) -> String {
        self.broker.address()
    }

    pub fn topic(&self, name: &str, partitions: i32) {
        self.broker.create_topic(name, partitions).expect("a new topic");
    }

    pub fn cut_off(&self) {
        self.broker.reachable(Reachable::No).expect("the broker obeys");
    }

    pub fn bring_back(&mut self) {
        self.broker.reachable(Reachable::Yes).expect("the broker obeys");
        self.producer = producer(&self.broker);
    }

    /// Publishes payloads, keyed so that they spread, and waits for them.
    pub fn produce(&self, topic: &str, payloads: &[Vec<u8>]) {
        for (number, payload) in payloads.iter().enumerate() {
            let key = number.to_string();
            self.produce_one(topic, Some(key.as_bytes()), payload, &[]);
        }
        self.producer.flush(DEADLINE).expect("everything is delivered");
    }

    pub fn produce_one(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        payload: &[u8],
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let headers = headers.iter().fold(OwnedHeaders::new(), |owned, (key, value)| {
            owned.insert(Header { key, value: *value })
        });
        let record = BaseRecord::<[u8], [u8], ()> {
            topic,
            partition: None,
            payload: Some(payload),
            key,
            timestamp: None,
            headers: Some(headers),
            delivery_opaque: (),
        };
        self.producer.send(record).map_err(|(fault, _)| fault).expect("there is room");
        self.producer.poll(Duration::ZERO);
    }

    /// Reads a topic from its beginning until `count` records came; what comes a moment later
    /// counts as well, so that there are not too many either.
    pub fn read(&self, topic: &str, count: usize) -> Vec<Stored> {
        let consumer = self.consumer("reader");
        let partitions = partitions(&consumer, topic);
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("an assignment");
        let started = Instant::now();
        let mut found = Vec::new();
        loop {
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => found.push(stored(&message)),
                Some(Err(fault)) => panic!("read {topic}: {fault}"),
                None if found.len() >= count => return found,
                None => {}
            }
            let waited = started.elapsed();
            assert!(waited < DEADLINE, "{} of {count} records in {topic}", found.len());
        }
    }

    /// The sum of the committed offsets of a topic.
    pub fn committed(&self, topic: &str) -> i64 {
        self.committed_by_partition(topic).values().sum()
    }

    pub fn wait_for_committed(&self, topic: &str, sum: i64) {
        let started = Instant::now();
        while self.committed(topic) != sum {
            let waited = started.elapsed();
            assert!(waited < DEADLINE, "{:?}", self.committed_by_partition(topic));
        }
    }

    fn committed_by_partition(&self, topic: &str) -> BTreeMap<i32, i64> {
        let consumer = self.consumer(GROUP);
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions(&consumer, topic) - 1);
        let found = consumer.committed_offsets(list, ANSWER).expect("the broker answers");
        let elements = found.elements();
        let known = elements.iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), offset)),
            _ => None,
        });
        known.collect()
    }

    /// Commits an offset for the group of the stages, which must have no member.
    pub fn commit(&self, topic: &str, partition: i32, offset: i64) {
        let consumer = self.consumer(GROUP);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
        consumer.commit(&list, CommitMode::Sync).expect("the broker takes it");
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", self.address())
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer")
    }
}

fn producer(broker: &EmbeddedBroker) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .set("partitioner", "murmur2_random")
        .create()
        .expect("a producer")
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> i32 {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER).expect("the broker answers");
    let count = metadata.topics().iter().map(|topic| topic.partitions().len()).sum::<usize>();
    i32::try_from(count).expect("few partitions")
}

fn stored(message: &impl Message) -> Stored {
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    });
    Stored {
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}
