//! A sink in memory, for tests and benches of the pipeline.
//!
//! What becomes of what it took is decided by its [`Fate`], which a test may change between two
//! steps. Deterministic: nothing is delivered but by a poll, and no call waits.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Delivery, DeliveryFault, Output, Refusal, SendError, Settled, Sink, Target, Token,
    TransactionFault, TransactionFaultClass,
};
use crate::record::OutputHeader;

/// One output, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryOutput {
    /// Which target.
    pub target: Target,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The time stamp, in ms since the epoch.
    pub timestamp_ms: i64,
}

fn owned((name, value): OutputHeader) -> (String, Option<Vec<u8>>) {
    (name.into_owned(), value.map(Cow::into_owned))
}

/// What a poll does with what is in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Everything is delivered, the oldest first.
    #[default]
    Deliver,
    /// So many are delivered, the latest first.
    DeliverLatest(usize),
    /// Nothing happens.
    Hold,
    /// The oldest fails, the others are held.
    FailOldest(DeliveryFault),
    /// Everything fails.
    FailAll(DeliveryFault),
    /// Everything is delivered but what has more bytes in its value than this.
    Limit(usize),
}

/// What becomes of a commit, and of the abort after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitFate {
    /// It is committed.
    #[default]
    Commit,
    /// Nothing is known until this changes.
    Hold,
    /// The broker does not take it.
    Fail,
    /// The group has moved on.
    Outrun,
    /// It is committed, but the client is shut out before it hears of it, and is replaced.
    CommitUnheard,
    /// It is not committed: the client is shut out, and is replaced.
    ShutOut,
    /// It is not committed, and the client cannot be replaced.
    Die,
}

/// What a transaction commits: topic, partition, watermark.
type Offsets = Vec<(Arc<str>, i32, i64)>;

/// A transaction: its outputs are visible when it is committed.
#[derive(Debug, Default)]
struct Transaction {
    is_open: bool,
    delivered: Vec<MemoryOutput>,
    /// The commit or the abort that is under way.
    settling: Option<Settling>,
    is_shut_out: bool,
    fate: CommitFate,
    /// Offsets that a commit has taken along.
    landed: Offsets,
}

#[derive(Debug)]
enum Settling {
    Commit(Offsets),
    Settled(Settled),
}

/// The sink.
#[derive(Debug)]
pub struct MemorySink {
    /// `None`: what is delivered is visible at once.
    transaction: Option<Transaction>,
    capacity: usize,
    /// With so many in flight it is busy.
    busy_at: usize,
    fate: Fate,
    refusal: Option<DeliveryFault>,
    in_flight: VecDeque<(Token, MemoryOutput)>,
    /// Whether what is in flight was asked back.
    recalled: bool,
    delivered: Vec<MemoryOutput>,
}

impl MemorySink {
    /// A sink that takes at most `capacity` outputs before they are delivered.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            transaction: None,
            capacity,
            busy_at: usize::MAX,
            fate: Fate::default(),
            refusal: None,
            in_flight: VecDeque::new(),
            recalled: false,
            delivered: Vec::new(),
        }
    }

    /// The same with transactions.
    #[must_use]
    pub fn with_transactions(self) -> Self {
        Self { transaction: Some(Transaction::default()), ..self }
    }

    /// The same, busy with so many outputs in flight.
    #[must_use]
    pub fn busy_at(self, busy_at: usize) -> Self {
        Self { busy_at, ..self }
    }

    /// Decides what becomes of commits.
    pub fn set_commit_fate(&mut self, fate: CommitFate) {
        let Some(transaction) = &mut self.transaction else { return };
        transaction.fate = fate;
        if let Some(Settling::Commit(offsets)) = &mut transaction.settling {
            let offsets = std::mem::take(offsets);
            self.end_commit(offsets);
        }
    }

    /// The offsets that commits have taken along since the last call.
    pub fn take_landed(&mut self) -> Vec<(Arc<str>, i32, i64)> {
        self.transaction.as_mut().map(|it| std::mem::take(&mut it.landed)).unwrap_or_default()
    }

    fn end_commit(&mut self, offsets: Offsets) {
        let Some(transaction) = &mut self.transaction else { return };
        let must_abort =
            |class, why: &str| Settled::MustAbort(TransactionFault { class, why: why.to_owned() });
        let unavailable = TransactionFaultClass::Unavailable;
        let fate = transaction.fate;
        let settled = match fate {
            CommitFate::Hold => return transaction.settling = Some(Settling::Commit(offsets)),
            CommitFate::Commit => Settled::Committed,
            CommitFate::Fail => must_abort(unavailable, "the broker said no"),
            CommitFate::Outrun => must_abort(TransactionFaultClass::Outrun, "another generation"),
            CommitFate::CommitUnheard | CommitFate::ShutOut => must_abort(unavailable, "shut out"),
            CommitFate::Die => Settled::Failed("shut out for good".to_owned()),
        };
        transaction.is_shut_out = matches!(fate, CommitFate::CommitUnheard | CommitFate::ShutOut);
        if matches!(fate, CommitFate::Commit | CommitFate::CommitUnheard) {
            self.delivered.append(&mut transaction.delivered);
            transaction.landed.extend(offsets);
        }
        transaction.is_open = settled != Settled::Committed;
        transaction.settling = Some(Settling::Settled(settled));
    }

    /// Where what was delivered goes.
    fn arrives(&mut self, output: MemoryOutput) {
        match &mut self.transaction {
            None => self.delivered.push(output),
            Some(transaction) => transaction.delivered.push(output),
        }
    }

    /// Decides what the next polls do.
    pub fn set_fate(&mut self, fate: Fate) {
        self.fate = fate;
    }

    /// Refuses the next output.
    pub fn refuse(&mut self, fault: DeliveryFault) {
        self.refusal = Some(fault);
    }

    /// The client dies: what is in flight may have arrived or not; here every second one has.
    pub fn crash(&mut self) {
        if self.transaction.is_some() {
            // Whoever comes under the same name ends the transaction.
            self.in_flight.clear();
            self.transaction = Some(Transaction::default());
            return;
        }
        let in_flight = self.in_flight.drain(..).map(|(_, output)| output);
        self.delivered.extend(in_flight.step_by(2));
    }

    /// What was delivered, in order.
    #[must_use]
    pub fn delivered(&self) -> &[MemoryOutput] {
        &self.delivered
    }

    /// How many outputs are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

impl Default for MemorySink {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Sink for MemorySink {
    type Enlisted = Vec<(Arc<str>, i32, i64)>;

    fn send(&mut self, output: &Output<'_>, token: Token) -> Result<(), SendError> {
        if let Some(why) = self.refusal.take() {
            return Err(SendError::Refused(why));
        }
        if self.transaction.as_ref().is_some_and(|it| !it.is_open || it.settling.is_some()) {
            return Err(SendError::Refused(DeliveryFault::fatal("there is no transaction")));
        }
        if self.in_flight.len() >= self.capacity {
            return Err(SendError::QueueFull);
        }
        let owned = MemoryOutput {
            target: output.target,
            key: output.key.map(<[u8]>::to_vec),
            value: output.value.map(<[u8]>::to_vec),
            headers: output.headers.iter().cloned().map(owned).collect(),
            timestamp_ms: output.timestamp_ms,
        };
        self.in_flight.push_back((token, owned));
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.in_flight.len() >= self.busy_at
    }

    fn recall(&mut self) {
        self.recalled = true;
    }

    fn poll(&mut self, _wait: Duration, done: &mut impl FnMut(Token, Delivery)) {
        if std::mem::take(&mut self.recalled) {
            self.in_flight.drain(..).for_each(|(token, _)| done(token, Delivery::Recalled));
            return;
        }
        match &self.fate {
            Fate::Hold => {}
            Fate::Deliver => {
                for (token, output) in std::mem::take(&mut self.in_flight) {
                    self.arrives(output);
                    done(token, Delivery::Delivered);
                }
            }
            Fate::DeliverLatest(count) => {
                for _ in 0..*count {
                    let Some((token, output)) = self.in_flight.pop_back() else { break };
                    self.arrives(output);
                    done(token, Delivery::Delivered);
                }
            }
            Fate::FailOldest(fault) => {
                if let Some((token, _)) = self.in_flight.pop_front() {
                    done(token, Delivery::Failed(fault.clone()));
                }
            }
            Fate::FailAll(fault) => {
                for (token, _) in self.in_flight.drain(..) {
                    done(token, Delivery::Failed(fault.clone()));
                }
            }
            Fate::Limit(bytes_max) => {
                let bytes_max = *bytes_max;
                for (token, output) in std::mem::take(&mut self.in_flight) {
                    if output.value.as_ref().map_or(0, Vec::len) <= bytes_max {
                        self.arrives(output);
                        done(token, Delivery::Delivered);
                    } else {
                        let fault = DeliveryFault::refused(Refusal::TooLarge, "too large");
                        done(token, Delivery::Failed(fault));
                    }
                }
            }
        }
    }

    fn begin(&mut self) -> Result<(), TransactionFault> {
        match &mut self.transaction {
            Some(transaction) if !transaction.is_open && transaction.settling.is_none() => {
                transaction.is_open = true;
                Ok(())
            }
            _ => Err(TransactionFault {
                class: TransactionFaultClass::Unavailable,
                why: "a transaction cannot begin here".to_owned(),
            }),
        }
    }

    fn commit(&mut self, enlisted: Self::Enlisted) {
        debug_assert!(
            self.in_flight.is_empty(),
            "what is in a transaction is delivered before its end"
        );
        self.end_commit(enlisted);
    }

    fn abort(&mut self) {
        self.in_flight.clear();
        let Some(transaction) = &mut self.transaction else { return };
        transaction.delivered.clear();
        transaction.is_open = false;
        let settled = match std::mem::take(&mut transaction.is_shut_out) {
            true => Settled::Replaced,
            false => Settled::Aborted,
        };
        transaction.settling = Some(Settling::Settled(settled));
    }

    fn settled(&mut self) -> Option<Settled> {
        let transaction = self.transaction.as_mut()?;
        match transaction.settling.take()? {
            Settling::Settled(settled) => Some(settled),
            held @ Settling::Commit(_) => {
                transaction.settling = Some(held);
                None
            }
        }
    }
}
