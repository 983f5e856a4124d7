//! Where records come from.
//!
//! A source is driven by one worker thread. It lends each record for the time of one call, so a
//! record that needs no output is judged without a copy.
//!
//! What a source must keep, because offsets rely on it: within one assignment of a partition the
//! offsets that it lends ascend (gaps are fine); it lends nothing of a partition before its
//! [`SourceEvent::Assigned`] was taken, and nothing at all while an event is waiting to be taken.

#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lines;
pub mod memory;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::record::Record;

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

/// What a source says besides records.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceEvent {
    /// These partitions may be taken from; the source has begun to. An empty list says that the
    /// group was joined and that there is nothing to take (yet).
    Assigned(Vec<Partition>),
    /// These partitions are to be given back: the source lends no more of them and keeps them
    /// until [`Source::release`], so that their outputs can be drained and committed before.
    Revoked(Vec<Partition>),
    /// These partitions are gone already: drop their state, commit nothing, then release.
    Lost(Vec<Partition>),
    /// How a [`CommitMode::Async`] commit ended; the error says why, in one line. A commit that
    /// lost a race with a rebalance ended well: repeats follow, no loss.
    Committed(Result<(), String>),
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

/// A source of records.
pub trait Source {
    /// Waits up to `wait` for a first record, then lends what is at hand, at most `records_max`,
    /// to `visit`, one after the other, until `visit` breaks: the record it broke at has been
    /// taken, the next one is lent by a later call. Returns how many were lent. Returns early, with
    /// what was lent so far, when an event is waiting. Also serves the client library's
    /// callbacks, so it must be called regularly, also while paused.
    ///
    /// # Errors
    /// What the client cannot recover from by itself.
    fn poll(
        &mut self,
        wait: Duration,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<usize, SourceError>;

    /// The next event, where one is waiting.
    fn event(&mut self) -> Option<SourceEvent>;

    /// Stops lending records of all partitions that are assigned now, without giving them back.
    /// Partitions that are assigned later need another call; a second call changes nothing.
    ///
    /// # Errors
    /// As the client says.
    fn pause(&mut self) -> Result<(), SourceError>;

    /// Lends records again.
    ///
    /// # Errors
    /// As the client says.
    fn resume(&mut self) -> Result<(), SourceError>;

    /// Commits the watermarks: for each partition, the first offset that is not finished.
    ///
    /// # Errors
    /// As the client says; a commit that lost a race with a rebalance is no error. A failed commit
    /// loses nothing: the same or a later watermark is committed again.
    fn commit(
        &mut self,
        watermarks: &[(Partition, i64)],
        mode: CommitMode,
    ) -> Result<(), SourceError>;

    /// Gives partitions back after a [`SourceEvent::Revoked`] or [`SourceEvent::Lost`]: all of
    /// one event together, in the order of the events.
    ///
    /// # Errors
    /// As the client says.
    fn release(&mut self, partitions: &[Partition]) -> Result<(), SourceError>;

    /// Leaves the group and closes the client.
    fn close(&mut self);
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
    /// The Kafka client says that it cannot go on.
    #[error("{0}")]
    Client(String),
}
