//! What is asked of a cluster before the first record: can it be reached, may we, is it all there.
//!
//! The client library itself never gives up: a wrong password is tried again for ever. Here the
//! stage gives up by itself, within a bound, with a plain message that holds no secret. The client
//! used here never joins a group and never creates a topic by asking for it.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::{Metadata, MetadataTopic};

use super::ConsumerCallbacks;
use crate::config::settings::{ClusterSettings, SaslSettings};

/// How long one request may take while there is time for more of them.
const REQUEST: Duration = Duration::from_millis(500);

/// How long a refusal may stand before it is believed: another broker may still answer.
const REFUSAL: Duration = Duration::from_secs(2);

/// How long the cluster may take for one question once it has been reached.
const ANSWER: Duration = Duration::from_secs(5);

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterFault {
    /// The client library does not take its configuration.
    #[error("set up the Kafka client: {0}")]
    Client(String),
    /// Nobody answers.
    #[error("reach a broker at {brokers} within {} s: {reason}; check `kafka.brokers`, `kafka.tls` and the network", within.as_secs())]
    Unreachable {
        /// The brokers that were tried.
        brokers: String,
        /// What the client library says.
        reason: String,
        /// How long it was tried.
        within: Duration,
    },
    /// The cluster, or the certificate check, says no.
    #[error("log in at {brokers}: {reason}; check `kafka.sasl` and `kafka.tls`")]
    Refused {
        /// The brokers that were tried.
        brokers: String,
        /// What the client library says.
        reason: String,
    },
    /// A topic is not there, or not for us.
    #[error("use the topic {topic:?} at {brokers}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// The cluster.
        brokers: String,
        /// Why not, and what to do.
        reason: String,
    },
}

/// What is known of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It exists, with so many partitions.
    Exists(usize),
    /// It does not exist.
    Missing,
    /// The cluster does not tell this user.
    Forbidden,
    /// The cluster cannot say at the moment.
    Unknown(RDKafkaErrorCode),
}

/// A cluster that has answered.
pub struct Cluster {
    client: BaseConsumer<ConsumerCallbacks>,
    config: ClientConfig,
    brokers: String,
    may_create: MayCreate,
    topics: Vec<(String, TopicState)>,
}

/// Whether topics can be created through the client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MayCreate {
    Yes,
    /// Its administrative client never asks for a token.
    NotWithToken,
}

/// The shape of topics that are to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTopicShape {
    /// Partitions.
    pub partitions: i32,
    /// Replicas; -1: the broker's default.
    pub replicas: i32,
    /// What becomes of its records.
    pub cleanup: Cleanup,
}

/// What becomes of the records of a topic that is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleanup {
    /// What the broker does by default.
    #[default]
    Default,
    /// The last one of each key is kept.
    Compact,
}

impl Cluster {
    /// Waits until the cluster answers, at most `within`. `config` is that of a client without a
    /// group.
    ///
    /// # Errors
    /// When nobody answers, or the cluster refuses the client.
    pub fn reach(
        config: &ClientConfig,
        settings: &ClusterSettings,
        within: Duration,
    ) -> Result<Self, ClusterFault> {
        let callbacks = ConsumerCallbacks::new("preflight", settings);
        let client: BaseConsumer<ConsumerCallbacks> = config
            .create_with_context(callbacks)
            .map_err(|fault| ClusterFault::Client(fault.to_string()))?;
        let metadata = answer(&client, &settings.brokers, within)?;
        let may_create = match settings.sasl {
            Some(SaslSettings::TokenFile { .. }) => MayCreate::NotWithToken,
            _ => MayCreate::Yes,
        };
        let topics = metadata.topics().iter();
        Ok(Self {
            topics: topics.map(|topic| (topic.name().to_owned(), state(topic))).collect(),
            client,
            config: config.clone(),
            brokers: settings.brokers.clone(),
            may_create,
        })
    }

    /// The cluster's id; empty where it has none.
    #[must_use]
    pub fn id(&self) -> String {
        self.client.client().fetch_cluster_id(REQUEST).unwrap_or_default()
    }

    /// What is known of a topic.
    #[must_use]
    pub fn topic(&self, name: &str) -> TopicState {
        if let Some((_, state @ TopicState::Exists(_))) =
            self.topics.iter().find(|(known, _)| known == name)
        {
            return *state;
        }
        // The list of all topics leaves out what the user may not see; asked by name, the cluster
        // says which of the two it is.
        match self.client.fetch_metadata(Some(name), ANSWER) {
            Ok(metadata) => metadata.topics().first().map_or(TopicState::Missing, state),
            Err(fault) => {
                TopicState::Unknown(fault.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))
            }
        }
    }

    /// How many partitions the topic has.
    ///
    /// # Errors
    /// When it does not exist, or this user may not see it; `what_to_do` ends the message.
    pub fn partitions(&self, name: &str, what_to_do: &str) -> Result<usize, ClusterFault> {
        let reason = match self.topic(name) {
            TopicState::Exists(partitions) => return Ok(partitions),
            TopicState::Missing => format!("it does not exist; {what_to_do}"),
            TopicState::Forbidden => {
                "this user is not authorised to see it; the access lists must grant READ on an \
                 input, WRITE on an output"
                    .to_owned()
            }
            TopicState::Unknown(code) => format!("the cluster does not say: {code}"),
        };
        Err(self.topic_fault(name, reason))
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// When the cluster refuses, or the way of logging in does not allow it.
    pub fn create(&self, name: &str, shape: NewTopicShape) -> Result<(), ClusterFault> {
        if self.may_create == MayCreate::NotWithToken {
            let reason = "it does not exist, and topics cannot be created with OAUTHBEARER; \
                          create it by hand";
            return Err(self.topic_fault(name, reason.to_owned()));
        }
        let admin: AdminClient<DefaultClientContext> =
            self.config.create().map_err(|fault| ClusterFault::Client(fault.to_string()))?;
        let replication = TopicReplication::Fixed(shape.replicas);
        let topic = NewTopic::new(name, shape.partitions, replication);
        let topic = match shape.cleanup {
            Cleanup::Default => topic,
            Cleanup::Compact => topic.set("cleanup.policy", "compact"),
        };
        let options =
            AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|fault| ClusterFault::Client(fault.to_string()))?;
        let outcome = runtime.block_on(admin.create_topics([&topic], &options));
        let refused = match outcome {
            Err(fault) => Some(fault.to_string()),
            Ok(results) => results.into_iter().find_map(|result| match result {
                // Another instance was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => None,
                Err((_, code)) => Some(code.to_string()),
            }),
        };
        match refused {
            None => Ok(()),
            Some(reason) => Err(self.topic_fault(name, format!("it cannot be created: {reason}"))),
        }
    }

    fn topic_fault(&self, topic: &str, reason: String) -> ClusterFault {
        ClusterFault::Topic { topic: topic.to_owned(), brokers: self.brokers.clone(), reason }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Cluster").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

/// Asks for all topics until somebody answers, somebody refuses, or the time is over.
fn answer(
    client: &BaseConsumer<ConsumerCallbacks>,
    brokers: &str,
    within: Duration,
) -> Result<Metadata, ClusterFault> {
    let started = Instant::now();
    loop {
        serve(client);
        if let Ok(metadata) = client.fetch_metadata(None, REQUEST) {
            return Ok(metadata);
        }
        serve(client);
        let connection = client.context().connection();
        let brokers = brokers.to_owned();
        match connection.refused {
            Some(reason) if started.elapsed() >= REFUSAL.min(within) => {
                return Err(ClusterFault::Refused { brokers, reason });
            }
            _ if started.elapsed() >= within => {
                let reason = connection.trouble.unwrap_or_else(|| "no answer".to_owned());
                return Err(ClusterFault::Unreachable { brokers, reason, within });
            }
            _ => {}
        }
    }
}

/// Serves the client's events: tokens are asked for and errors told only inside `poll`.
fn serve(client: &BaseConsumer<ConsumerCallbacks>) {
    // A failing connection brings a handful of events; the bound is for a client that never stops.
    for _ in 0..64 {
        if client.poll(Duration::from_millis(5)).is_none() {
            return;
        }
    }
}

fn state(topic: &MetadataTopic) -> TopicState {
    match topic.error().map(RDKafkaErrorCode::from) {
        None if topic.partitions().is_empty() => TopicState::Missing,
        None => TopicState::Exists(topic.partitions().len()),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::InvalidTopic,
        ) => TopicState::Missing,
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => TopicState::Forbidden,
        Some(code) => TopicState::Unknown(code),
    }
}
