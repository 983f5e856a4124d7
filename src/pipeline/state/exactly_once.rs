//! Exactly-once: the worker's transaction, as a part of its state.
//!
//! ```text
//!  idle ── Begin ──▶ open ── due ──▶ closing ── all delivered ──▶ committing ── Committed ──▶ open
//!                     └────── an output failed, ───┴──────── Doomed ────┤
//!                             partitions lost                           ▼
//!        open ◀── (pause) ◀── Rewound ── rewinding ◀── Aborted ── aborting
//! ```
//!
//! Records are taken in the stage *open* only. A transaction is closed when it is due, when
//! partitions are to be given back, and at the end; it is committed when everything that was sent
//! in it is delivered, with the watermark of every partition. So what is committed and what is
//! visible are always the same records. What must never happen here: a release of partitions
//! between the first output of a transaction and its end, other than past the drain's deadline;
//! then the transaction is aborted, or, where its commit is under way, the group's generation
//! decides.

use std::time::Duration;

use super::super::input::{Doom, Effect, Ending, TransactionBounds};
use super::super::partitions::Partitions;
use super::{Phase, State};
use crate::limits::{OUTPUT_RETRY_MAX, OUTPUT_RETRY_MIN, OUTPUT_SLOW, TRANSACTION_HELD_UNPAUSED};
use crate::source::{Partition, Rewind};

/// The transaction of one worker.
#[derive(Debug)]
pub(super) struct Transaction {
    bounds: TransactionBounds,
    stage: Stage,
    /// Since when records are not taken.
    held_since: Option<Duration>,
    /// When the last one was closed: intervals are counted from there, so that the time of a commit
    /// does not make them longer.
    closed_at: Duration,
    /// Records taken in this one.
    records: u64,
    /// Whether anything was sent in this one.
    has_outputs: bool,
    /// Outputs that no record owes and that have not come back.
    posted: usize,
    /// Aborts in a row because something takes nothing now.
    failures: u32,
    /// Whether one was aborted since the end began, other than for the group's sake.
    is_incomplete: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// None was begun yet.
    Idle,
    /// Records are taken.
    Open,
    /// Nothing more is taken; what was sent is waited for.
    Closing,
    /// The commit is under way.
    Committing,
    /// The abort is under way.
    Aborting(Doom),
    /// The source goes back.
    Rewinding(Doom),
    /// The next one is begun then.
    Resting(Duration),
    /// The sink cannot go on.
    Dead,
}

impl Transaction {
    pub(super) fn new(bounds: TransactionBounds) -> Self {
        Self {
            bounds,
            stage: Stage::Idle,
            held_since: None,
            closed_at: Duration::ZERO,
            records: 0,
            has_outputs: false,
            posted: 0,
            failures: 0,
            is_incomplete: false,
        }
    }

    /// Whether there is anything that only a commit makes good.
    fn is_dirty(&self, partitions: &Partitions) -> bool {
        self.has_outputs || self.posted > 0 || partitions.has_due()
    }

    /// Whether nothing would be lost by the end, or could be saved by waiting.
    fn is_over(&self, partitions: &Partitions) -> bool {
        match self.stage {
            Stage::Idle | Stage::Open => !self.is_dirty(partitions),
            Stage::Closing | Stage::Committing | Stage::Aborting(_) => false,
            Stage::Rewinding(_) | Stage::Resting(_) | Stage::Dead => true,
        }
    }

    /// Whether partitions may be given back now.
    fn may_release(&self, partitions: &Partitions) -> bool {
        match self.stage {
            Stage::Idle | Stage::Open => !self.is_dirty(partitions),
            Stage::Closing | Stage::Committing => false,
            // What they held is forgotten already.
            Stage::Aborting(_) | Stage::Rewinding(_) | Stage::Resting(_) | Stage::Dead => true,
        }
    }

    fn open(&mut self, effects: &mut Vec<Effect>) {
        self.stage = Stage::Open;
        self.held_since = None;
        self.records = 0;
        self.has_outputs = false;
        effects.push(Effect::Begin);
    }

    fn close(&mut self, now: Duration) {
        self.stage = Stage::Closing;
        self.closed_at = now;
        self.held_since = Some(now);
    }

    pub(super) fn opened(&mut self) {
        self.has_outputs = true;
    }

    pub(super) fn taken(&mut self, records: u64) {
        self.records = self.records.saturating_add(records);
    }

    pub(super) fn posted(&mut self, outputs: usize, effects: &mut Vec<Effect>) {
        self.posted += outputs;
        if outputs > 0 && self.stage == Stage::Idle {
            self.open(effects);
        }
    }

    pub(super) fn post_settled(&mut self) {
        self.posted = self.posted.saturating_sub(1);
        self.has_outputs = true;
    }

    /// Whether outputs may be sent in the transaction.
    pub(super) fn may_send(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Closing)
    }

    /// Whether records may be taken. Before the first partition comes there are none to take.
    pub(super) fn may_take(&self) -> bool {
        matches!(self.stage, Stage::Idle | Stage::Open)
    }

    /// Whether the source is to be paused for it: a commit is mostly faster than that.
    pub(super) fn pauses(&self, now: Duration) -> bool {
        self.held_since.is_some_and(|since| now >= since + TRANSACTION_HELD_UNPAUSED)
    }

    /// Whether the broker takes nothing now, or takes very long.
    pub(super) fn is_unavailable(&self, now: Duration) -> bool {
        self.failures > 0 || self.held_since.is_some_and(|since| now >= since + OUTPUT_SLOW)
    }
}

impl State {
    /// Whether records may be taken now, as far as a transaction is concerned.
    #[must_use]
    pub fn may_take(&self) -> bool {
        self.transaction.as_ref().is_none_or(Transaction::may_take)
    }

    /// Whether outputs may be sent now, as far as a transaction is concerned.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.transaction.as_ref().is_none_or(Transaction::may_send)
    }

    /// Partitions have come: from now on there is a transaction.
    pub(super) fn begin_first(&mut self, effects: &mut Vec<Effect>) {
        if let Some(transaction) = &mut self.transaction
            && transaction.stage == Stage::Idle
        {
            transaction.open(effects);
        }
    }

    /// Time has moved on.
    pub(super) fn transaction_tick(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(transaction) = &mut self.transaction else { return };
        match transaction.stage {
            Stage::Open => {
                let is_due = now >= transaction.closed_at + transaction.bounds.interval
                    || transaction.records >= transaction.bounds.records_max;
                if is_due && transaction.is_dirty(&self.partitions) {
                    transaction.close(now);
                }
            }
            Stage::Resting(until) if now >= until && matches!(self.phase, Phase::Running) => {
                transaction.open(effects);
            }
            _ => {}
        }
    }

    /// The transaction cannot be committed any more.
    pub(super) fn doomed(&mut self, doom: Doom, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(transaction) = &mut self.transaction else { return };
        if !matches!(transaction.stage, Stage::Open | Stage::Closing | Stage::Committing) {
            return;
        }
        transaction.stage = Stage::Aborting(doom);
        transaction.held_since.get_or_insert(now);
        transaction.failures += u32::from(doom == Doom::Unavailable);
        let is_running = matches!(self.phase, Phase::Running);
        transaction.is_incomplete |= !is_running && doom != Doom::Outrun;
        // Everything that was taken since the last commit is taken again.
        self.partitions.forget_taken();
        self.in_flight = 0;
        self.too_much = false;
        self.queue_full = false;
        effects.push(Effect::Abort);
    }

    pub(super) fn committed(&mut self, effects: &mut Vec<Effect>) {
        let Some(transaction) = &mut self.transaction else { return };
        if transaction.stage == Stage::Committing {
            self.partitions.commit_taken();
            transaction.failures = 0;
            transaction.open(effects);
        }
    }

    pub(super) fn aborted(&mut self, known: Rewind, effects: &mut Vec<Effect>) {
        let Some(transaction) = &mut self.transaction else { return };
        if let Stage::Aborting(doom) = transaction.stage {
            transaction.stage = Stage::Rewinding(doom);
            effects.push(Effect::Rewind(known));
        }
    }

    pub(super) fn rewound(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(transaction) = &mut self.transaction else { return };
        let Stage::Rewinding(doom) = transaction.stage else { return };
        let wait = match doom {
            Doom::Refused => Duration::ZERO,
            Doom::Outrun => OUTPUT_RETRY_MIN,
            Doom::Unavailable => {
                let doublings = transaction.failures.saturating_sub(1).min(16);
                OUTPUT_RETRY_MIN.saturating_mul(1 << doublings).min(OUTPUT_RETRY_MAX)
            }
        };
        transaction.stage = Stage::Resting(now + wait);
        self.transaction_tick(effects);
    }

    /// The sink cannot go on: nothing is waited for any more.
    pub(super) fn transaction_dies(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.stage = Stage::Dead;
        }
    }

    /// Partitions were lost. Where anything was sent, some of it may be theirs: it must not become
    /// visible, because somebody else publishes it.
    pub(super) fn lost_in_transaction(&mut self, effects: &mut Vec<Effect>) {
        let is_sent = |transaction: &Transaction| {
            (transaction.has_outputs || transaction.posted > 0) && transaction.may_send()
        };
        if self.transaction.as_ref().is_some_and(is_sent) {
            self.doomed(Doom::Outrun, effects);
        }
    }

    /// What follows from where things stand now, with exactly-once.
    pub(super) fn follow_transaction(&mut self, effects: &mut Vec<Effect>) {
        self.close_transaction(effects);
        self.release_between_transactions(effects);
        let Some(transaction) = &self.transaction else { return };
        let Phase::Ending(ending) = &self.phase else { return };
        let is_late = self.ends_by.is_some_and(|by| self.now >= by);
        let is_over = transaction.is_over(&self.partitions);
        if !is_over && !is_late {
            return;
        }
        let is_complete = is_over && !transaction.is_incomplete;
        let ending = match ending {
            Ending::Stopped | Ending::Exhausted if self.in_flight > 0 => {
                Ending::Undelivered(self.in_flight)
            }
            Ending::Stopped | Ending::Exhausted if !is_complete => Ending::Uncommitted,
            ending => ending.clone(),
        };
        for drain in std::mem::take(&mut self.drains) {
            self.release(drain.partitions, effects);
        }
        effects.push(Effect::End(ending));
        self.phase = Phase::Ended;
    }

    /// Closes the transaction where somebody waits for its end, and commits it when all is
    /// delivered.
    fn close_transaction(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        let wants_end = matches!(self.phase, Phase::Ending(_));
        let Some(transaction) = &mut self.transaction else { return };
        let is_awaited = wants_end || !self.drains.is_empty();
        if transaction.stage == Stage::Open && is_awaited && transaction.is_dirty(&self.partitions)
        {
            transaction.close(now);
        }
        let is_delivered = self.in_flight == 0 && transaction.posted == 0;
        if transaction.stage == Stage::Closing && is_delivered {
            transaction.stage = Stage::Committing;
            effects.push(Effect::CommitTransaction(self.partitions.due_all()));
        }
    }

    /// Gives back what drains, once nothing of it is in an open transaction.
    fn release_between_transactions(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        let is_late = self.drains.iter().any(|drain| now >= drain.deadline);
        let Some(transaction) = &self.transaction else { return };
        if is_late && transaction.may_send() && transaction.is_dirty(&self.partitions) {
            self.doomed(Doom::Outrun, effects);
        }
        let Some(transaction) = &self.transaction else { return };
        let may_release = transaction.may_release(&self.partitions);
        let (ready, waiting) = std::mem::take(&mut self.drains)
            .into_iter()
            .partition(|drain| may_release || now >= drain.deadline);
        self.drains = waiting;
        for drain in ready {
            self.release(drain.partitions, effects);
        }
    }

    fn release(&mut self, gone: Vec<Partition>, effects: &mut Vec<Effect>) {
        gone.iter().for_each(|partition| self.partitions.remove(partition));
        effects.push(Effect::Release(gone));
    }
}
