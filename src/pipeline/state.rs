//! The decisions of a worker: what is owned, what may be committed, when to pause, how it ends.
//!
//! ```text
//!             ┌────────────────────── one partition ──────────────────────┐
//!  Assigned ─▶ owned ── Revoked ──▶ draining ── drained, or deadline ──▶ commit, release
//!                └───── Lost ─────────────────────────────────────────▶ release, no commit
//!
//!             ┌──────────────────── the worker ───────────────────────────┐
//!  running ◀─▶ paused (too much in flight, the sink's queue is full, or outputs came back)
//!     └─ Exhausted, Stop, Failed ─▶ ending: nothing taken ── drained, or deadline ──▶ commit, End
//! ```
//!
//! [`State::apply`] is synchronous: inputs come in, effects go out, and time is an input
//! ([`Input::Tick`]). It opens no socket, reads no clock and knows no client library, so that
//! generated histories can drive it. With exactly-once the transaction takes the place of the
//! commits in this picture: [`exactly_once`]. What it must never do: commit past a record whose outputs are
//! not delivered, take a record of a partition that was revoked, or drain for ever.

mod exactly_once;

use std::time::Duration;

pub use super::input::{
    Bounds, Doom, Effect, Ending, Holds, Input, Owner, PartitionView, Ticket, TransactionBounds,
    Untaken,
};
use super::ledger::Closed;
use super::offsets::{Offsets, Progress};
use super::partitions::{Finish, Partitions};
use super::trouble::Trouble;
use crate::limits::{OUTPUT_REPORT_SLACK, OUTPUT_SLOW};
use crate::record::{Position, Timestamp};
use crate::source::{CommitMode, Partition};
use exactly_once::Transaction;

/// Partitions that are given back together.
#[derive(Debug)]
struct Drain {
    partitions: Vec<Partition>,
    deadline: Duration,
}

#[derive(Debug)]
enum Phase {
    Running,
    Ending(Ending),
    Ended,
}

/// The state of one worker.
#[derive(Debug)]
pub struct State {
    bounds: Bounds,
    now: Duration,
    committed_at: Duration,
    partitions: Partitions,
    drains: Vec<Drain>,
    phase: Phase,
    /// When the end comes at the latest, once it has begun.
    ends_by: Option<Duration>,
    /// Outputs that are neither delivered nor failed, of partitions that are gone as well.
    in_flight: usize,
    /// Hysteresis: set at `in_flight_max`, cleared at half of it.
    too_much: bool,
    queue_full: bool,
    brokers_down: bool,
    trouble: Trouble,
    paused: bool,
    rewinds: u64,
    /// `None`: at least once.
    transaction: Option<Transaction>,
}

impl State {
    /// A worker that owns nothing yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            now: Duration::ZERO,
            committed_at: Duration::ZERO,
            partitions: Partitions::new(match bounds.transactions {
                None => Finish::Delivered,
                Some(_) => Finish::Committed,
            }),
            drains: Vec::new(),
            phase: Phase::Running,
            ends_by: None,
            in_flight: 0,
            too_much: false,
            queue_full: false,
            brokers_down: false,
            trouble: Trouble::default(),
            paused: false,
            rewinds: 0,
            transaction: bounds.transactions.map(Transaction::new),
        }
    }

    /// Asks for the record at `position`, with its time stamp. One that stands before one taken
    /// earlier (the topic was cut off and filled again) begins another assignment, so that it is
    /// judged and nothing old can finish it.
    ///
    /// # Errors
    /// Why it is not to be taken. The last ones taken may be lent once more: while a group rebalances,
    /// librdkafka pauses what is kept, and what is on its way to us just then is fetched again. They
    /// have their verdicts, and what is open of them and of those before them must stay open.
    pub fn claim(
        &mut self,
        position: &Position<'_>,
        timestamp: Option<Timestamp>,
    ) -> Result<Ticket, Untaken> {
        if !matches!(self.phase, Phase::Running) {
            return Err(Untaken::NotOwned);
        }
        let (owner, offsets) = self.partitions.owned(position).ok_or(Untaken::NotOwned)?;
        let owner = if offsets.is_ahead(position.offset) {
            owner
        } else if offsets.was_recent(position.offset, timestamp) {
            return Err(Untaken::Repeated);
        } else {
            self.rewinds += 1;
            self.partitions.restart(owner, position.offset)
        };
        Ok(Ticket { owner, offset: position.offset })
    }

    /// Takes one input and appends what follows from it to `effects`. After the end nothing
    /// follows any more: the source is closed, which gives everything back.
    pub fn apply(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        match input {
            // Nothing follows from a clean record, so it pays for nothing else.
            Input::Clean(ticket, timestamp) => {
                if let Some(offsets) = self.partitions.offsets(ticket.owner) {
                    offsets.clean(ticket.offset, timestamp);
                }
                return;
            }
            Input::Tick(now) => self.tick(now, effects),
            Input::Assigned(partitions) => self.assigned(partitions, effects),
            Input::Revoked(partitions) => self.revoked(partitions, effects),
            Input::Lost(partitions) => self.lost(partitions, effects),
            Input::Opened(ticket, outputs, timestamp) => self.opened(ticket, outputs, timestamp),
            Input::Delivered(ticket) => self.delivered(ticket),
            Input::Failed(_, why) => {
                self.settled();
                self.end(Ending::Failed(why.to_owned()));
            }
            Input::Held => self.trouble.held(self.now),
            Input::HeldAgain => self.trouble.held_again(self.now),
            Input::Recovered => self.trouble.recovered(),
            Input::QueueFull => self.queue_full = true,
            Input::QueueFree => self.queue_full = false,
            Input::CommitFailed => self.partitions.forget_requests(),
            Input::BrokersDown => self.brokers_down = true,
            Input::BrokersUp => self.brokers_down = false,
            Input::Exhausted => self.end(Ending::Exhausted),
            Input::Stop => self.end(Ending::Stopped),
            Input::Broken(why) => self.end(Ending::Failed(why.to_owned())),
            Input::Doomed(doom) => self.doomed(doom, effects),
            Input::Committed => self.committed(effects),
            Input::Aborted(known) => self.aborted(known, effects),
            Input::Rewound => self.rewound(effects),
            Input::Dead(why) => {
                self.transaction_dies();
                self.end(Ending::Failed(why.to_owned()));
            }
            Input::Taken(_) | Input::Posted(_) | Input::PostSettled => {
                self.counted(input, effects);
            }
        }
        self.follow(effects);
    }

    /// What only a transaction counts.
    fn counted(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        let Some(transaction) = &mut self.transaction else { return };
        match input {
            Input::Taken(records) => transaction.taken(records),
            Input::Posted(outputs) => transaction.posted(outputs, effects),
            _ => transaction.post_settled(),
        }
    }

    fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        if self.transaction.is_some() {
            return self.transaction_tick(effects);
        }
        let due = self.committed_at + self.bounds.commit_interval;
        if self.now >= due && matches!(self.phase, Phase::Running) {
            self.committed_at = self.now;
            commit(self.partitions.due_all(), CommitMode::Async, effects);
        }
        // Also while it ends: what is delivered then need not be judged again.
        if self.trouble.retry(self.now) {
            effects.push(Effect::Retry);
        }
    }

    fn assigned(&mut self, partitions: &[Partition], effects: &mut Vec<Effect>) {
        if !partitions.is_empty() {
            self.begin_first(effects);
        }
        for partition in partitions {
            self.keep_from_release(partition);
            self.partitions.assign(partition);
        }
        // Whoever is new is not paused yet.
        self.paused = false;
    }

    fn revoked(&mut self, partitions: &[Partition], effects: &mut Vec<Effect>) {
        if partitions.is_empty() {
            return effects.push(Effect::Release(Vec::new()));
        }
        for gone in partitions {
            self.keep_from_release(gone);
            self.partitions.withdraw(gone);
        }
        let deadline = self.now + self.bounds.revoke_drain;
        self.drains.push(Drain { partitions: partitions.to_vec(), deadline });
    }

    fn lost(&mut self, partitions: &[Partition], effects: &mut Vec<Effect>) {
        self.lost_in_transaction(effects);
        for gone in partitions {
            self.keep_from_release(gone);
            self.partitions.remove(gone);
        }
        effects.push(Effect::Release(partitions.to_vec()));
    }

    /// A partition that is draining is given back once, by the latest event that names it.
    fn keep_from_release(&mut self, partition: &Partition) {
        self.drains.retain_mut(|drain| {
            drain.partitions.retain(|draining| draining != partition);
            !drain.partitions.is_empty()
        });
    }

    /// Commits and gives back what has drained, or has had its time.
    fn release_drained(&mut self, effects: &mut Vec<Effect>) {
        let (partitions, now) = (&mut self.partitions, self.now);
        self.drains.retain(|drain| {
            let drained = drain.partitions.iter().all(|partition| partitions.is_drained(partition));
            if !drained && now < drain.deadline {
                return true;
            }
            commit(partitions.last(&drain.partitions), CommitMode::Sync, effects);
            drain.partitions.iter().for_each(|partition| partitions.remove(partition));
            effects.push(Effect::Release(drain.partitions.clone()));
            false
        });
    }

    fn opened(&mut self, ticket: Ticket, outputs: u32, timestamp: Option<Timestamp>) {
        debug_assert!(outputs > 0, "a record without outputs is clean");
        self.in_flight += outputs as usize;
        self.too_much |= self.in_flight >= self.bounds.in_flight_max;
        let now = self.now;
        if let Some(offsets) = self.partitions.offsets(ticket.owner) {
            offsets.open(ticket.offset, outputs, timestamp, now);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.opened();
        }
    }

    fn delivered(&mut self, ticket: Ticket) {
        self.settled();
        if let Some(offsets) = self.partitions.offsets(ticket.owner) {
            let progress = offsets.delivered(ticket.offset);
            debug_assert_ne!(progress, Progress::Unknown, "each output is delivered once");
        }
    }

    /// One output is no longer in flight.
    fn settled(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight <= self.bounds.in_flight_max / 2 {
            self.too_much = false;
        }
    }

    /// Begins the end. The first failure outweighs what came before; nothing outweighs it.
    fn end(&mut self, ending: Ending) {
        match &mut self.phase {
            Phase::Running => {
                self.phase = Phase::Ending(ending);
                self.ends_by = Some(self.now + self.bounds.shutdown_drain);
            }
            Phase::Ending(before) => {
                if matches!(ending, Ending::Failed(_)) && !matches!(before, Ending::Failed(_)) {
                    *before = ending;
                }
            }
            Phase::Ended => {}
        }
    }

    /// What follows from where things stand now.
    fn follow(&mut self, effects: &mut Vec<Effect>) {
        match self.transaction {
            None => self.follow_deliveries(effects),
            Some(_) => self.follow_transaction(effects),
        }
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        let is_ending = !matches!(self.phase, Phase::Running);
        let is_held =
            self.transaction.as_ref().is_some_and(|transaction| transaction.pauses(self.now));
        let pause =
            self.too_much || self.queue_full || self.trouble.is_any() || is_ending || is_held;
        if pause != self.paused {
            self.paused = pause;
            effects.push(if pause { Effect::Pause } else { Effect::Resume });
        }
    }

    /// The same at least once: offsets follow deliveries.
    fn follow_deliveries(&mut self, effects: &mut Vec<Effect>) {
        let ending = match &self.phase {
            Phase::Running => None,
            Phase::Ending(ending) => {
                let is_late = self.ends_by.is_some_and(|by| self.now >= by);
                let over = self.in_flight == 0 || is_late;
                over.then(|| ending.clone())
            }
            Phase::Ended => return,
        };
        let Some(ending) = ending else { return self.release_drained(effects) };
        self.drains.iter_mut().for_each(|drain| drain.deadline = self.now);
        self.release_drained(effects);
        self.partitions.forget_requests();
        commit(self.partitions.due_all(), CommitMode::Sync, effects);
        effects.push(Effect::End(match ending {
            Ending::Exhausted | Ending::Stopped if self.in_flight > 0 => {
                Ending::Undelivered(self.in_flight)
            }
            ending => ending,
        }));
        self.phase = Phase::Ended;
    }

    /// Whether the source was told to lend nothing.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// When the end comes at the latest, on the monotonic clock, once it has begun.
    #[must_use]
    pub const fn ends_by(&self) -> Option<Duration> {
        self.ends_by
    }

    /// Outputs that are neither delivered nor failed.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Why nothing is taken, where nothing is.
    #[must_use]
    pub fn holds(&self) -> Holds {
        Holds {
            back_pressure: self.too_much || self.queue_full,
            output_unavailable: self.trouble.is_any()
                || self.is_slow()
                || self.transaction.as_ref().is_some_and(|it| it.is_unavailable(self.now)),
            brokers_down: self.brokers_down,
        }
    }

    /// Whether a record waits for its target, which the sink may still be trying.
    fn is_slow(&self) -> bool {
        let Some(since) = self.open_since() else { return false };
        let open = self.now.saturating_sub(since);
        open >= OUTPUT_SLOW && open < self.bounds.delivery_timeout + OUTPUT_REPORT_SLACK
    }

    /// Since when the oldest open record is open, on the monotonic clock.
    #[must_use]
    pub fn open_since(&self) -> Option<Duration> {
        self.partitions.all_offsets().filter_map(Offsets::open_since).min()
    }

    /// Records with open outputs, of the partitions that are owned or draining.
    #[must_use]
    pub fn open_records(&self) -> usize {
        self.partitions.all_offsets().map(Offsets::open_count).sum()
    }

    /// The place of a record, for messages.
    #[must_use]
    pub fn place(&self, ticket: Ticket) -> String {
        match self.partitions.name(ticket.owner) {
            Some(Partition { topic, partition }) => {
                format!("{topic}[{partition}]@{}", ticket.offset)
            }
            None => format!("offset {} of a partition that is gone", ticket.offset),
        }
    }

    /// Every partition that is owned or draining.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionView<'_>> {
        self.partitions.views()
    }

    /// The readings of partitions that have ended since this was asked last, in order.
    pub fn take_closed(&mut self) -> Vec<Closed> {
        self.partitions.take_closed()
    }

    /// The partition of `owner`, unless its assignment is over.
    #[must_use]
    pub fn partition(&self, owner: Owner) -> Option<&Partition> {
        self.partitions.name(owner)
    }

    /// How often a partition was read again from before what had been taken, since asked last.
    pub const fn take_rewinds(&mut self) -> u64 {
        std::mem::replace(&mut self.rewinds, 0)
    }
}

fn commit(watermarks: Vec<(Partition, i64)>, mode: CommitMode, effects: &mut Vec<Effect>) {
    if !watermarks.is_empty() {
        effects.push(Effect::Commit(watermarks, mode));
    }
}
