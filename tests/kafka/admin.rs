//! What an operator does to a cluster: topics, partitions, settings, records, access lists.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::{client, java};

const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// An administrator of one cluster.
pub struct Admin {
    client: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
    brokers: String,
}

/// A topic that is to be.
#[derive(Clone, Copy, Debug)]
pub struct Topic<'a> {
    pub name: &'a str,
    pub partitions: i32,
    pub replicas: i32,
    /// Keys and values of its configuration.
    pub settings: &'a [(&'a str, &'a str)],
}

impl<'a> Topic<'a> {
    /// On one node, with the broker's settings.
    pub const fn new(name: &'a str, partitions: i32) -> Self {
        Self { name, partitions, replicas: 1, settings: &[] }
    }
}

impl Admin {
    pub fn of(brokers: &str) -> Result<Self, String> {
        let client = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("log_level", "2")
            .create()
            .map_err(text)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|fault| fault.to_string())?;
        Ok(Self { client, runtime, brokers: brokers.to_owned() })
    }

    fn run<T, E: ToString>(
        &self,
        asked: impl Future<Output = KafkaResult<Vec<Result<T, (E, RDKafkaErrorCode)>>>>,
    ) -> Result<(), String> {
        for answer in self.runtime.block_on(asked).map_err(text)? {
            answer.map_err(|(what, code)| format!("{}: {code}", what.to_string()))?;
        }
        Ok(())
    }

    /// Creates topics and waits until they can be used.
    pub fn create(&self, topics: &[Topic<'_>]) -> Result<(), String> {
        let wanted: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|topic| {
                let replicas = TopicReplication::Fixed(topic.replicas);
                let plain = NewTopic::new(topic.name, topic.partitions, replicas);
                topic.settings.iter().fold(plain, |topic, (key, value)| topic.set(key, value))
            })
            .collect();
        self.run(self.client.create_topics(&wanted, &options()))?;
        for topic in topics {
            client::wait_for_leaders(&self.brokers, topic.name, topic.partitions)?;
        }
        Ok(())
    }

    /// Deletes a topic and waits until it is gone.
    pub fn delete(&self, topic: &str) -> Result<(), String> {
        self.run(self.client.delete_topics(&[topic], &options()))?;
        client::wait_until("the topic is gone", ANSWERS_WITHIN, || {
            Ok(client::log_ends(&self.brokers, topic)?.is_empty().then_some(()))
        })
    }

    /// Gives a topic more partitions.
    pub fn grow(&self, topic: &str, partitions: i32) -> Result<(), String> {
        let count = usize::try_from(partitions).map_err(|fault| fault.to_string())?;
        self.run(self.client.create_partitions(&[NewPartitions::new(topic, count)], &options()))?;
        client::wait_for_leaders(&self.brokers, topic, partitions)
    }

    /// Deletes the records of a topic's partitions before these offsets, as retention does.
    pub fn delete_records(&self, topic: &str, before: &[(i32, i64)]) -> Result<(), String> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in before {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).map_err(text)?;
        }
        let asked = self.client.delete_records(&list, &options());
        let answer = self.runtime.block_on(asked).map_err(text)?;
        answer.elements().iter().try_for_each(|element| element.error().map_err(text))
    }

    /// `--add` or `--remove` and so on of Kafka's own tool for access lists.
    pub fn access(&self, arguments: &[&str]) -> Result<(), String> {
        let head = ["--bootstrap-server", &self.brokers];
        java::run("org.apache.kafka.tools.AclCommand", &[&head, arguments].concat()).map(drop)
    }

    /// Kafka's own tool for quotas, users and the like.
    pub fn alter(&self, arguments: &[&str]) -> Result<(), String> {
        let head = ["--bootstrap-server", &self.brokers, "--alter"];
        java::run("org.apache.kafka.tools.ConfigCommand", &[&head, arguments].concat()).map(drop)
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWERS_WITHIN))
}

fn text(fault: impl ToString) -> String {
    fault.to_string()
}
