//! What goes into the state machine, and what comes out of it. Plain values; nothing is decided
//! here.

use std::time::Duration;

use crate::record::Timestamp;
use crate::source::{CommitMode, Partition, Rewind};

/// The bounds that the state keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Outputs in flight at which the input is paused; it resumes at half of it.
    pub in_flight_max: usize,
    /// Longest drain of revoked partitions.
    pub revoke_drain: Duration,
    /// Longest drain before the end.
    pub shutdown_drain: Duration,
    /// Time between two commits.
    pub commit_interval: Duration,
    /// How long the sink tries to deliver one output before it says that it failed.
    pub delivery_timeout: Duration,
    /// With exactly-once: how long transactions are; `None`: at least once.
    pub transactions: Option<TransactionBounds>,
}

/// How long a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionBounds {
    /// Time between two commits.
    pub interval: Duration,
    /// Records at which it is committed earlier.
    pub records_max: u64,
}

/// One assignment of one partition. A partition that comes back is another owner, so what was in
/// flight before cannot finish what was taken after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    pub(super) slot: u32,
    pub(super) epoch: u32,
}

impl Owner {
    /// The place of the partition: small numbers, used again when a partition has gone.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

/// One record that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The assignment that it was taken under.
    pub owner: Owner,
    /// Its offset.
    pub offset: i64,
}

/// Why a record that was lent is not to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// Its partition is not (or no longer) ours.
    NotOwned,
    /// It was one of the last ones taken of its partition.
    Repeated,
}

/// What happens to a worker.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The monotonic time is now this. Comes before everything else that happens now.
    Tick(Duration),
    /// As [`crate::source::SourceEvent::Assigned`].
    Assigned(&'a [Partition]),
    /// As [`crate::source::SourceEvent::Revoked`].
    Revoked(&'a [Partition]),
    /// As [`crate::source::SourceEvent::Lost`].
    Lost(&'a [Partition]),
    /// The record has no outputs: it is finished.
    Clean(Ticket, Option<Timestamp>),
    /// The record has so many outputs (at least 1), each of which will be delivered or fail.
    Opened(Ticket, u32, Option<Timestamp>),
    /// One output of the record was delivered.
    Delivered(Ticket),
    /// The sink cannot go on, and this output of the record is not delivered: the worker ends.
    Failed(Ticket, &'a str),
    /// One output came back because its target takes nothing now. It rests, its offset is held,
    /// and it is sent again with the next [`Effect::Retry`].
    Held,
    /// One output that had been sent again came back again.
    HeldAgain,
    /// One output that had been sent again came back for another reason, or was delivered. If it
    /// was, [`Input::Delivered`] follows.
    Recovered,
    /// The sink's queue is full.
    QueueFull,
    /// The sink took everything that had been waiting for it.
    QueueFree,
    /// A commit failed; the same or later watermarks are committed again in their time.
    CommitFailed,
    /// No broker can be reached.
    BrokersDown,
    /// A broker can be reached again.
    BrokersUp,
    /// There will be no more records.
    Exhausted,
    /// The worker is to end.
    Stop,
    /// The source cannot go on.
    Broken(&'a str),
    /// So many records were taken; only told with exactly-once.
    Taken(u64),
    /// So many outputs that no record owes are to be sent.
    Posted(usize),
    /// One of them was delivered, or is given up.
    PostSettled,
    /// The transaction cannot be committed any more.
    Doomed(Doom),
    /// The transaction is committed, as [`Effect::CommitTransaction`] asked.
    Committed,
    /// The transaction is aborted, as [`Effect::Abort`] asked.
    Aborted(Rewind),
    /// The source goes on at the committed offsets, as [`Effect::Rewind`] asked.
    Rewound,
    /// The sink can neither commit nor abort any more: the worker ends; why, in one line.
    Dead(&'a str),
}

/// Why a transaction has to be aborted: what follows differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doom {
    /// The group has given the partitions to others, or is about to: no fault.
    Outrun,
    /// An output was refused: it takes another form the next time.
    Refused,
    /// A target, or the broker, takes nothing now: the next try waits a little.
    Unavailable,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Stop lending records.
    Pause,
    /// Lend records again.
    Resume,
    /// Send again what rests.
    Retry,
    /// Commit these watermarks (never empty).
    Commit(Vec<(Partition, i64)>, CommitMode),
    /// Give these partitions back.
    Release(Vec<Partition>),
    /// Begin a transaction.
    Begin,
    /// Commit the transaction, with these watermarks in it.
    CommitTransaction(Vec<(Partition, i64)>),
    /// Abort the transaction and forget every output in it.
    Abort,
    /// Read every partition that is still owned from its committed offset again.
    Rewind(Rewind),
    /// That was all: nothing comes after it.
    End(Ending),
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There are no more records; every output is delivered.
    Exhausted,
    /// It was told to stop; every output is delivered.
    Stopped,
    /// The drain took too long: so many outputs are not delivered. Their records are not
    /// committed, so nothing is lost: they are judged again.
    Undelivered(usize),
    /// The last transaction was aborted, or not confirmed in time. Its records are judged again.
    Uncommitted,
    /// The sink or the source cannot go on; why, in one line. The records concerned are not
    /// committed.
    Failed(String),
}

/// Why a worker does not go on, by its own decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Too many outputs are in flight, or the sink's queue is full.
    pub back_pressure: bool,
    /// A target takes nothing now, or takes very long.
    pub output_unavailable: bool,
    /// No broker can be reached.
    pub brokers_down: bool,
}

/// What is known of one owned partition.
#[derive(Clone, Copy, Debug)]
pub struct PartitionView<'a> {
    /// Which one.
    pub partition: &'a Partition,
    /// The first unfinished offset, once a record was taken.
    pub watermark: Option<i64>,
    /// The time stamp of the record at the watermark, or of the last one where all are finished.
    pub watermark_timestamp: Option<Timestamp>,
    /// Records before the watermark that were finished since the partition was assigned.
    pub finished: u64,
}
