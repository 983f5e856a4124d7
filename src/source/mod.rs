//! Where records come from.
//!
//! A source is driven by one worker thread. It lends each record for the time of one call, so a
//! record that needs no output is judged without a copy.
//!
//! What a source must keep, because offsets rely on it: within one assignment of a partition the
//! offsets that it lends ascend (gaps are fine); it lends nothing of a partition before its
//! [`SourceEvent::Assigned`] was taken, and nothing at all while an event is waiting to be taken.

pub mod event;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lines;
pub mod memory;

use std::ops::ControlFlow;
use std::time::Duration;

pub use event::{Began, CommitMode, Partition, Rewind, SourceError, SourceEvent};

use crate::record::Record;

/// A source of records.
pub trait Source {
    /// What the sink's transaction needs to commit offsets for this member of its group.
    type Enlisted;

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

    /// These watermarks are about to be committed by the sink's transaction. `None` where this is
    /// no member of its group any more, or never was one: then the transaction has to be aborted.
    fn enlist(&mut self, watermarks: &[(Partition, i64)]) -> Option<Self::Enlisted> {
        let _ = watermarks;
        None
    }

    /// What was enlisted last is committed.
    fn transacted(&mut self) {}

    /// Goes back: every owned partition is read from its committed offset again. Called while
    /// paused; [`SourceEvent::Rewound`] follows when it is so.
    ///
    /// # Errors
    /// As the client says.
    fn rewind(&mut self, known: Rewind) -> Result<(), SourceError> {
        let _ = known;
        Err(SourceError::NoTransactions)
    }

    /// Leaves the group and closes the client.
    fn close(&mut self);
}
