//! A broker in this process (librdkafka's mock cluster): for `demo` and quick tests only.
//!
//! It keeps 5 MiB per partition, forgets everything with the process and makes no promise; nothing
//! about load or delivery may be claimed from it. Groups join it quickly with the `consumer`
//! protocol; the `classic` one makes every first member wait for three seconds.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// Bytes that the embedded broker keeps per partition; what is older vanishes.
pub const BYTES_PER_PARTITION: usize = 5 << 20;

/// A running embedded broker; ends when it is dropped.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

/// Why the embedded broker does not do as it is told.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct EmbeddedFault {
    what: String,
    cause: rdkafka::error::KafkaError,
}

impl EmbeddedBroker {
    /// Starts one on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no port or no thread left.
    pub fn start() -> Result<Self, EmbeddedFault> {
        match MockCluster::new(1) {
            Ok(cluster) => Ok(Self { cluster }),
            Err(cause) => {
                Err(EmbeddedFault { what: "start the embedded broker".to_owned(), cause })
            }
        }
    }

    /// Where it listens, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// When the topic exists.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), EmbeddedFault> {
        let created = self.cluster.create_topic(name, partitions, 1);
        let fault = |cause| EmbeddedFault { what: format!("create the topic {name:?}"), cause };
        created.map_err(fault)
    }

    /// Cuts the broker off, or lets it be reached again.
    ///
    /// # Errors
    /// As the library says.
    pub fn reachable(&self, reachable: Reachable) -> Result<(), EmbeddedFault> {
        let done = match reachable {
            Reachable::Yes => self.cluster.broker_up(-1),
            Reachable::No => self.cluster.broker_down(-1),
        };
        done.map_err(|cause| EmbeddedFault {
            what: "cut off the embedded broker".to_owned(),
            cause,
        })
    }
}

/// Whether the embedded broker takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reachable {
    /// It does.
    Yes,
    /// It drops every connection and takes no new one.
    No,
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("EmbeddedBroker").field("address", &self.address()).finish()
    }
}
