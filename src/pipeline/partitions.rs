//! The partitions of a worker, each with its offsets.
//!
//! A partition lives in a slot: a small number that is found quickly and used again when the
//! partition has gone. The slot's epoch changes with each assignment, so an [`Owner`] of an earlier
//! one finds nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::input::{Owner, PartitionView};
use super::ledger::Closed;
use super::offsets::Offsets;
use crate::record::Position;
use crate::source::Partition;

/// Every partition that is owned or draining.
#[derive(Debug, Default)]
pub struct Partitions {
    slots: Vec<Slot>,
    /// Vacant slots.
    free: Vec<u32>,
    /// Topic, partition → slot; exactly the slots that are not vacant.
    index: HashMap<Arc<str>, HashMap<i32, u32>>,
    /// The slot found last: records come in runs of one partition.
    last: usize,
    /// Readings that ended, until somebody asks.
    closed: Vec<Closed>,
    finish: Finish,
}

/// When a record is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// When its outputs are delivered.
    #[default]
    Delivered,
    /// When its transaction is committed.
    Committed,
}

/// How far a partition is committed.
#[derive(Clone, Copy, Debug, Default)]
struct Committed {
    watermark: Option<i64>,
    /// Records before it that were taken since the partition was assigned.
    finished: u64,
    /// The same at the last time that what was taken was forgotten.
    finished_before: u64,
}

#[derive(Debug)]
struct Slot {
    partition: Partition,
    epoch: u32,
    stage: Stage,
    offsets: Offsets,
    /// The last watermark that a commit was asked for, unless that failed.
    requested: Option<i64>,
    committed: Committed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Owned,
    /// Nothing more is taken; outputs are still open.
    Draining,
    Vacant,
}

impl Partitions {
    /// None yet.
    #[must_use]
    pub fn new(finish: Finish) -> Self {
        Self { finish, ..Self::default() }
    }

    /// Owns `partition`. One that is owned already keeps its offsets: nothing open is forgotten.
    pub fn assign(&mut self, partition: &Partition) {
        if let Some(slot) = self.find(&partition.topic, partition.partition) {
            if let Some(known) = self.slots.get_mut(slot)
                && known.stage == Stage::Draining
            {
                self.closed.push(known.closed(self.finish, None));
                known.begin();
            }
            return;
        }
        let slot = self.vacant(partition);
        self.index
            .entry(Arc::clone(&partition.topic))
            .or_default()
            .insert(partition.partition, slot);
    }

    fn vacant(&mut self, partition: &Partition) -> u32 {
        if let Some(slot) = self.free.pop()
            && let Some(vacant) = self.slots.get_mut(slot as usize)
        {
            vacant.partition = partition.clone();
            vacant.begin();
            return slot;
        }
        self.slots.push(Slot {
            partition: partition.clone(),
            epoch: 0,
            stage: Stage::Owned,
            offsets: Offsets::default(),
            requested: None,
            committed: Committed::default(),
        });
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes nothing more of `partition`.
    pub fn withdraw(&mut self, partition: &Partition) {
        if let Some(slot) = self.slot_mut(partition) {
            slot.stage = Stage::Draining;
        }
    }

    /// Forgets `partition`.
    pub fn remove(&mut self, partition: &Partition) {
        let Some(partitions) = self.index.get_mut(&partition.topic) else { return };
        let Some(slot) = partitions.remove(&partition.partition) else { return };
        if partitions.is_empty() {
            self.index.remove(&partition.topic);
        }
        if let Some(gone) = self.slots.get_mut(slot as usize) {
            self.closed.push(gone.closed(self.finish, None));
            gone.begin();
            gone.stage = Stage::Vacant;
            self.free.push(slot);
        }
    }

    /// The owner and the offsets of the partition that `position` stands in, where it may be
    /// taken from.
    #[inline]
    pub fn owned(&mut self, position: &Position<'_>) -> Option<(Owner, &mut Offsets)> {
        let is_last = self.slots.get(self.last).is_some_and(|slot| {
            // A vacant slot still bears the name of a partition that may live elsewhere now.
            slot.stage != Stage::Vacant
                && slot.partition.partition == position.partition
                && *slot.partition.topic == *position.topic
        });
        if !is_last {
            self.last = self.find(position.topic, position.partition)?;
        }
        let slot = self.slots.get_mut(self.last)?;
        let owner = Owner { slot: u32::try_from(self.last).ok()?, epoch: slot.epoch };
        (slot.stage == Stage::Owned).then_some((owner, &mut slot.offsets))
    }

    /// Begins another assignment of the same partition, at `offset`: what is open is forgotten.
    pub fn restart(&mut self, owner: Owner, offset: i64) -> Owner {
        match self.slots.get_mut(owner.slot()) {
            Some(slot) if slot.epoch == owner.epoch => {
                self.closed.push(slot.closed(self.finish, Some(offset)));
                slot.begin();
                Owner { epoch: slot.epoch, ..owner }
            }
            _ => owner,
        }
    }

    /// The offsets of `owner`, unless its assignment is over.
    #[inline]
    pub fn offsets(&mut self, owner: Owner) -> Option<&mut Offsets> {
        let slot = self.slots.get_mut(owner.slot())?;
        (slot.epoch == owner.epoch).then_some(&mut slot.offsets)
    }

    /// The partition of `owner`, unless its assignment is over.
    #[must_use]
    pub fn name(&self, owner: Owner) -> Option<&Partition> {
        let slot = self.slots.get(owner.slot())?;
        (slot.epoch == owner.epoch).then_some(&slot.partition)
    }

    /// Whether `partition` has no open outputs.
    #[must_use]
    pub fn is_drained(&self, partition: &Partition) -> bool {
        let slot =
            self.find(&partition.topic, partition.partition).and_then(|slot| self.slots.get(slot));
        slot.is_none_or(|slot| slot.offsets.open_count() == 0)
    }

    /// The last watermarks of `partitions`, also where a commit was asked for already: it may still
    /// fail, and then nobody would ask again.
    pub fn last(&mut self, partitions: &[Partition]) -> Vec<(Partition, i64)> {
        let slot = |partition| {
            let slot = self.slot_mut(partition)?;
            slot.requested = None;
            slot.due()
        };
        partitions.iter().filter_map(slot).collect()
    }

    /// The watermarks that no commit was asked for yet; they count as asked for from now on.
    pub fn due_all(&mut self) -> Vec<(Partition, i64)> {
        self.slots.iter_mut().filter_map(Slot::due).collect()
    }

    /// Whether any watermark has moved since a commit was asked for.
    #[must_use]
    pub fn has_due(&self) -> bool {
        self.present().any(Slot::is_due)
    }

    /// Forgets what was taken since the last commit: nothing old finishes anything any more.
    pub fn forget_taken(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.stage != Stage::Vacant) {
            let (stage, committed) = (slot.stage, slot.committed);
            slot.begin();
            slot.stage = stage;
            slot.committed = Committed { finished_before: committed.finished, ..committed };
        }
    }

    /// Everything that was taken is committed.
    pub fn commit_taken(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.stage != Stage::Vacant) {
            let committed = &mut slot.committed;
            committed.watermark = slot.offsets.watermark().or(committed.watermark);
            committed.finished = committed.finished_before + slot.offsets.finished();
        }
    }

    /// A commit failed: every watermark is due again.
    pub fn forget_requests(&mut self) {
        for slot in &mut self.slots {
            slot.requested = None;
        }
    }

    /// The readings that have ended since this was asked last, in order.
    pub fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// Every partition that is owned or draining.
    pub fn views(&self) -> impl Iterator<Item = PartitionView<'_>> {
        self.present().map(|slot| {
            let (watermark, finished) = slot.finished(self.finish);
            PartitionView {
                partition: &slot.partition,
                watermark,
                watermark_timestamp: slot.offsets.watermark_timestamp(),
                finished,
            }
        })
    }

    /// The offsets of every partition that is owned or draining.
    pub fn all_offsets(&self) -> impl Iterator<Item = &Offsets> {
        self.present().map(|slot| &slot.offsets)
    }

    fn present(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.stage != Stage::Vacant)
    }

    fn find(&self, topic: &str, partition: i32) -> Option<usize> {
        self.index.get(topic)?.get(&partition).map(|slot| *slot as usize)
    }

    fn slot_mut(&mut self, partition: &Partition) -> Option<&mut Slot> {
        let slot = self.find(&partition.topic, partition.partition)?;
        self.slots.get_mut(slot)
    }
}

impl Slot {
    /// Begins an assignment.
    fn begin(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.stage = Stage::Owned;
        self.offsets = Offsets::default();
        self.requested = None;
        self.committed = Committed::default();
    }

    /// The first offset that is not finished, and how many records before it are.
    fn finished(&self, finish: Finish) -> (Option<i64>, u64) {
        match finish {
            Finish::Delivered => (self.offsets.watermark(), self.offsets.finished()),
            Finish::Committed => (self.committed.watermark, self.committed.finished),
        }
    }

    /// How the present reading ended.
    fn closed(&self, finish: Finish, again_from: Option<i64>) -> Closed {
        let (watermark, finished) = self.finished(finish);
        Closed { partition: self.partition.clone(), watermark, finished, again_from }
    }

    fn is_due(&self) -> bool {
        let watermark = self.offsets.watermark();
        watermark.is_some() && self.requested != watermark
    }

    fn due(&mut self) -> Option<(Partition, i64)> {
        if self.stage == Stage::Vacant || !self.is_due() {
            return None;
        }
        let watermark = self.offsets.watermark()?;
        self.requested = Some(watermark);
        Some((self.partition.clone(), watermark))
    }
}
