//! What a source says besides records: partitions come and go, commits end, things break.

use std::sync::Arc;

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

/// Why the reading of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Began {
    /// It was assigned: it begins where the group stands.
    Assigned,
    /// The offset that was due does not exist (any more): it begins at another one.
    Reset,
}

/// What a source says besides records.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceEvent {
    /// These partitions may be taken from; the source has begun to. An empty list says that the
    /// group was joined and that there is nothing to take (yet).
    Assigned(Vec<Partition>),
    /// Partitions that were assigned just now begin at these offsets, whether or not a record stands
    /// there. A source that does not know says nothing.
    Began(Vec<(Partition, i64)>, Began),
    /// These partitions are to be given back: the source lends no more of them and keeps them
    /// until [`Source::release`](super::Source::release), so that their outputs can be drained and committed before.
    Revoked(Vec<Partition>),
    /// These partitions are gone already: drop their state, commit nothing, then release.
    Lost(Vec<Partition>),
    /// How a [`CommitMode::Async`] commit ended; the error says why, in one line.
    Committed(Result<(), String>),
    /// A commit lost a race with a rebalance. That is no fault, but what is still owned has not
    /// been committed: it has to be committed again.
    CommitOutrun,
    /// Every partition goes on at its committed offset, as [`Source::rewind`](super::Source::rewind)
    /// asked.
    Rewound,
    /// There will be no more records (files, a closed pipe).
    Ended,
    /// No broker can be reached.
    BrokersDown,
    /// A broker can be reached again.
    BrokersUp,
}

/// Whether a commit waits for the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitMode {
    /// Returns at once; how it ended comes as a [`SourceEvent::Committed`].
    Async,
    /// Returns when the broker has answered.
    Sync,
}

/// Whether it is known what the last transaction has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewind {
    /// It committed nothing.
    Known,
    /// It may have been committed: the cluster has to be asked.
    Ask,
}

/// What a source cannot recover from by itself.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Reading a file or a pipe failed.
    #[error("read {name}: {cause}")]
    Read {
        /// The file's name.
        name: String,
        /// Why.
        cause: std::io::Error,
    },
    /// It has no offsets that a transaction could hold.
    #[error("this source takes no part in transactions")]
    NoTransactions,
    /// The Kafka client says that it cannot go on.
    #[error("{0}")]
    Client(String),
}
