//! The Kafka client: settings, callbacks, what is asked of a cluster at start, and the embedded
//! broker.
//!
//! ```text
//! Settings ── settings ──▶ ClientConfig ──▶ consumer, producer ◀── context: callbacks → events
//!                               └─────────▶ preflight: reachable? topics? rights?
//! ```
//!
//! Nothing here judges, and nothing here decides what a worker does next: callbacks only note what
//! happened. Secrets go to the client library and nowhere else.

pub mod settings;
pub mod context;
pub mod commit_queue;
pub(crate) mod record_queue;
pub mod statistics;
pub mod token;
pub mod preflight;
pub mod reader;
pub mod embedded;

pub use commit_queue::{CommitOutcome, CommitQueue, generation, is_member};
pub use context::{ConsumerCallbacks, ProducerCallbacks};
pub(crate) use record_queue::{Lent, PartitionFault, RecordQueue, Size};

/// What a producer's transaction commits for a member of a group.
pub struct Enlisted {
    /// The watermarks.
    pub offsets: rdkafka::TopicPartitionList,
    /// Who commits them, in which generation of the group.
    pub group: rdkafka::consumer::ConsumerGroupMetadata,
}

impl std::fmt::Debug for Enlisted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Enlisted").field("offsets", &self.offsets).finish_non_exhaustive()
    }
}

/// One partition of one topic, as the client names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}
