//! Where outputs go. Delivered means: confirmed by the target.

#[cfg(feature = "kafka")]
pub mod kafka;
pub mod fault;
pub mod lines;
pub mod memory;
pub mod transaction;

use std::time::Duration;

use crate::record::OutputHeader;

pub use fault::{DeliveryFault, FaultClass, Refusal};
pub use transaction::{Settled, TransactionFault, TransactionFaultClass};

/// Which target an output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The alert topic.
    Alerts,
    /// The overflow topic, else the alert topic.
    Overflow,
    /// The dead-letter topic.
    DeadLetters,
    /// The audit topic.
    Audit,
}

/// One output record, borrowed for the time of the call.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// Which target.
    pub target: Target,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a null value.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: &'a [OutputHeader],
    /// The record's time stamp, in ms since the epoch.
    pub timestamp_ms: i64,
}

/// Names one output; comes back once for each time that the output was sent.
pub type Token = u64;

/// Why a send was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The queue is full: poll, then send the same output again.
    #[error("the producer's queue is full")]
    QueueFull,
    /// It was not taken, for the same reasons for which a delivery fails.
    #[error("{0}")]
    Refused(DeliveryFault),
}

/// How one send ended. Every output that was taken comes back exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Confirmed by the target.
    Delivered,
    /// Not delivered, or not confirmed; the sink tries it no longer.
    Failed(DeliveryFault),
    /// Given back by [`Sink::recall`]: it was not delivered, and nothing speaks against it.
    Recalled,
}

/// A sink of outputs.
///
/// With exactly-once, outputs are sent between [`Sink::begin`] and [`Sink::commit`] only, and
/// become visible together. A commit or an abort that was begun ends by [`Sink::settled`]; nothing
/// else may be begun before.
pub trait Sink {
    /// What a source enlists; see [`Source::Enlisted`](trait@crate::source::Source).
    type Enlisted;

    /// Takes one output; how it ends comes back from [`Sink::poll`] under `token`.
    ///
    /// # Errors
    /// [`SendError`]; the output was not taken.
    fn send(&mut self, output: &Output<'_>, token: Token) -> Result<(), SendError>;

    /// Serves the client library, waiting up to `wait` for a first report while something is in
    /// flight, and reports what was delivered or failed since the last call. Must be called
    /// regularly, also while nothing is sent.
    fn poll(&mut self, wait: Duration, done: &mut impl FnMut(Token, Delivery));

    /// Whether what is sent now would only wait behind what is under way; it may be sent all the same.
    fn is_busy(&self) -> bool;

    /// Gives back what is not on its way yet, so that it does not overtake one that failed: until
    /// nothing is in flight any more, polls report such outputs as [`Delivery::Recalled`]. Nothing
    /// may be sent before that. A sink that keeps the order by itself has nothing to do.
    fn recall(&mut self) {}

    /// Begins a transaction.
    ///
    /// # Errors
    /// [`TransactionFault`]; it has to be aborted all the same.
    fn begin(&mut self) -> Result<(), TransactionFault> {
        let why = "this sink has no transactions".to_owned();
        Err(TransactionFault { class: TransactionFaultClass::Unavailable, why })
    }

    /// Begins to commit the transaction with the enlisted offsets. Its outputs must be delivered.
    fn commit(&mut self, enlisted: Self::Enlisted) {
        drop(enlisted);
    }

    /// Begins to abort the transaction. Outputs in it that have not come back need not.
    fn abort(&mut self) {}

    /// How a commit or an abort that was begun has ended, once it has; or that an open transaction
    /// has failed ([`Settled::MustAbort`]).
    fn settled(&mut self) -> Option<Settled> {
        Some(Settled::Failed("this sink has no transactions".to_owned()))
    }
}
