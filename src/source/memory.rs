//! A source in memory: a small log of partitions, for tests and benches of the pipeline.
//!
//! It keeps what a broker would keep (records, committed offsets) and what a client would keep (what
//! is assigned, where it stands), and goes through rebalances when told to. Deterministic: nothing
//! happens but by a call, and no call waits.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::{Began, CommitMode, Partition, Rewind, Source, SourceError, SourceEvent};
use crate::record::{Header, Headers, Position, Record, Timestamp};

/// One record, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryRecord {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub payload: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The time stamp.
    pub timestamp: Option<Timestamp>,
    /// Offsets left out before it, as transactions and compaction do.
    pub gap: i64,
}

impl MemoryRecord {
    /// A record that has only a value.
    #[must_use]
    pub fn of(payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: Some(payload.into()), ..Self::default() }
    }
}

impl Headers for Vec<(String, Option<Vec<u8>>)> {
    fn count(&self) -> usize {
        self.len()
    }
    fn at(&self, index: usize) -> Option<Header<'_>> {
        let (name, value) = self.get(index)?;
        Some(Header { name, value: value.as_deref() })
    }
}

/// One partition of the log.
#[derive(Debug, Default)]
struct Log {
    /// Ascending by offset.
    records: Vec<(i64, MemoryRecord)>,
    end: i64,
    committed: Option<i64>,
    /// What the client knows of that.
    known: Option<i64>,
    /// Every commit that was asked for, in order.
    commits: Vec<i64>,
}

/// What the client holds of an assigned partition.
#[derive(Debug)]
struct Assigned {
    position: i64,
    lends: Lends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lends {
    Yes,
    Paused,
    /// Revoked, and not released yet.
    No,
}

/// The source.
#[derive(Debug, Default)]
pub struct MemorySource {
    logs: BTreeMap<Partition, Log>,
    assigned: BTreeMap<Partition, Assigned>,
    events: VecDeque<SourceEvent>,
    received: Timestamp,
    commits_to_fail: usize,
    commits_to_outrun: usize,
    fault: Option<String>,
    ends: bool,
    ended: bool,
    released: Vec<Partition>,
    /// Where partitions go on once they are released: their records were deleted.
    resetting: BTreeMap<Partition, i64>,
    enlisted: Vec<(Partition, i64)>,
    membership: Membership,
}

/// Whether the group takes offsets from this client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Membership {
    #[default]
    Member,
    /// The group has moved on, and the client has not heard of it.
    Outrun,
}

/// What a memory sink's transaction commits: topic, partition, watermark.
pub type MemoryOffsets = Vec<(Arc<str>, i32, i64)>;

impl MemorySource {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record; returns its offset.
    pub fn push(&mut self, partition: &Partition, record: MemoryRecord) -> i64 {
        let log = self.logs.entry(partition.clone()).or_default();
        let offset = log.end + record.gap;
        log.end = offset + 1;
        log.records.push((offset, record));
        offset
    }

    /// Empties a partition, so that its offsets begin at 0 again, as when a topic is recreated.
    pub fn recreate(&mut self, partition: &Partition) {
        self.logs.insert(partition.clone(), Log::default());
        if let Some(assigned) = self.assigned.get_mut(partition) {
            assigned.position = 0;
        }
    }

    /// Lends the `count` records lent last once more, as librdkafka does where its pause of a partition
    /// meets a batch that is on its way.
    pub fn repeat(&mut self, partition: &Partition, count: usize) {
        if let (Some(assigned), Some(log)) =
            (self.assigned.get_mut(partition), self.logs.get(partition))
        {
            let lent = log.records.iter().rev().filter(|(offset, _)| *offset < assigned.position);
            let first = lent.take(count).last();
            assigned.position = first.map_or(assigned.position, |(offset, _)| *offset);
        }
    }

    /// Deletes the records of a partition before `first`, as retention does. A reader that is not
    /// there yet loses the partition, and reads on at `first` once it has let go of it.
    pub fn delete_before(&mut self, partition: &Partition, first: i64) {
        if let Some(log) = self.logs.get_mut(partition) {
            log.records.retain(|(offset, _)| *offset >= first);
            log.end = log.end.max(first);
        }
        if self.assigned.get(partition).is_some_and(|reader| reader.position < first) {
            self.lose(std::slice::from_ref(partition));
            self.resetting.insert(partition.clone(), first);
        }
    }

    /// Sets the time at which the next records are received.
    pub const fn set_received(&mut self, time: Timestamp) {
        self.received = time;
    }

    /// Assigns partitions: they begin at what was committed.
    pub fn assign(&mut self, partitions: &[Partition]) {
        self.membership = Membership::Member;
        let mut begin = Vec::new();
        for partition in partitions {
            let log = self.logs.entry(partition.clone()).or_default();
            log.known = log.committed;
            let position = log.committed.unwrap_or_default();
            self.assigned.insert(partition.clone(), Assigned { position, lends: Lends::Yes });
            begin.push((partition.clone(), position));
        }
        self.events.push_back(SourceEvent::Assigned(partitions.to_vec()));
        self.events.push_back(SourceEvent::Began(begin, Began::Assigned));
    }

    /// Revokes partitions: they wait for their release.
    pub fn revoke(&mut self, partitions: &[Partition]) {
        self.withdraw(partitions);
        self.events.push_back(SourceEvent::Revoked(partitions.to_vec()));
    }

    /// Takes partitions away at once.
    pub fn lose(&mut self, partitions: &[Partition]) {
        self.withdraw(partitions);
        self.events.push_back(SourceEvent::Lost(partitions.to_vec()));
    }

    fn withdraw(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(assigned) = self.assigned.get_mut(partition) {
                assigned.lends = Lends::No;
            }
        }
    }

    /// The client dies: nothing is assigned any more, and nobody is told.
    pub fn crash(&mut self) {
        self.assigned.clear();
        self.events.clear();
    }

    /// The group has moved on: offsets of this client are refused until partitions are assigned.
    pub const fn outrun(&mut self) {
        self.membership = Membership::Outrun;
    }

    /// The broker takes the offsets of a transaction.
    pub fn land(&mut self, offsets: &MemoryOffsets) {
        for (topic, partition, watermark) in offsets {
            let partition = Partition { topic: Arc::clone(topic), partition: *partition };
            let log = self.logs.entry(partition).or_default();
            log.committed = Some(*watermark);
            log.commits.push(*watermark);
        }
    }

    /// Lets the next commits fail.
    pub const fn fail_commits(&mut self, count: usize) {
        self.commits_to_fail = count;
    }

    /// Lets the next asynchronous commits lose a race with a rebalance.
    pub const fn outrun_commits(&mut self, count: usize) {
        self.commits_to_outrun = count;
    }

    /// Lets the next poll fail.
    pub fn fail_poll(&mut self, why: &str) {
        self.fault = Some(why.to_owned());
    }

    /// Says that brokers are out of reach, or back.
    pub fn say(&mut self, event: SourceEvent) {
        self.events.push_back(event);
    }

    /// Ends when everything was lent.
    pub const fn end(&mut self) {
        self.ends = true;
    }

    /// What was committed for `partition`.
    #[must_use]
    pub fn committed(&self, partition: &Partition) -> Option<i64> {
        self.logs.get(partition)?.committed
    }

    /// Every commit of `partition`, in order.
    #[must_use]
    pub fn commits(&self, partition: &Partition) -> &[i64] {
        self.logs.get(partition).map_or(&[], |log| &log.commits)
    }

    /// The offset after the last record of `partition`.
    #[must_use]
    pub fn log_end(&self, partition: &Partition) -> i64 {
        self.logs.get(partition).map_or(0, |log| log.end)
    }

    /// What was given back, in order.
    #[must_use]
    pub fn released(&self) -> &[Partition] {
        &self.released
    }

    /// Whether everything that may be lent was lent.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.assigned.iter().all(|(partition, assigned)| {
            self.logs.get(partition).is_none_or(|log| assigned.position >= log.end)
        })
    }
}

/// Records of one partition lent in one run, before the next partition has its turn.
const RUN: usize = 8;

impl Source for MemorySource {
    type Enlisted = MemoryOffsets;

    fn poll(
        &mut self,
        _wait: Duration,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<usize, SourceError> {
        if let Some(why) = self.fault.take() {
            return Err(SourceError::Client(why));
        }
        let mut lent = 0;
        if !self.events.is_empty() {
            return Ok(lent);
        }
        loop {
            let before = lent;
            for (partition, assigned) in &mut self.assigned {
                let Some(log) = self.logs.get(partition) else { continue };
                if assigned.lends != Lends::Yes {
                    continue;
                }
                let from = log.records.partition_point(|(offset, _)| *offset < assigned.position);
                let most = RUN.min(records_max - lent);
                for (offset, record) in log.records.iter().skip(from).take(most) {
                    assigned.position = offset + 1;
                    lent += 1;
                    if visit(&borrowed(partition, *offset, record, self.received)).is_break() {
                        return Ok(lent);
                    }
                }
            }
            if lent == before || lent >= records_max {
                break;
            }
        }
        if lent == 0 && self.ends && !self.ended && self.is_drained() {
            self.ended = true;
            self.events.push_back(SourceEvent::Ended);
        }
        Ok(lent)
    }

    fn event(&mut self) -> Option<SourceEvent> {
        self.events.pop_front()
    }

    fn pause(&mut self) -> Result<(), SourceError> {
        self.turn(Lends::Yes, Lends::Paused);
        Ok(())
    }

    fn resume(&mut self) -> Result<(), SourceError> {
        self.turn(Lends::Paused, Lends::Yes);
        Ok(())
    }

    fn commit(
        &mut self,
        watermarks: &[(Partition, i64)],
        mode: CommitMode,
    ) -> Result<(), SourceError> {
        if self.commits_to_outrun > 0 && mode == CommitMode::Async {
            self.commits_to_outrun -= 1;
            self.events.push_back(SourceEvent::CommitOutrun);
            return Ok(());
        }
        let fails = self.commits_to_fail > 0;
        self.commits_to_fail = self.commits_to_fail.saturating_sub(1);
        let outcome = if fails { Err("the broker said no".to_owned()) } else { Ok(()) };
        if !fails {
            for (partition, watermark) in watermarks {
                let log = self.logs.entry(partition.clone()).or_default();
                log.committed = Some(*watermark);
                log.commits.push(*watermark);
            }
        }
        match mode {
            CommitMode::Sync => outcome.map_err(SourceError::Client),
            CommitMode::Async => {
                self.events.push_back(SourceEvent::Committed(outcome));
                Ok(())
            }
        }
    }

    fn enlist(&mut self, watermarks: &[(Partition, i64)]) -> Option<MemoryOffsets> {
        watermarks.clone_into(&mut self.enlisted);
        let offset = |(partition, watermark): &(Partition, i64)| {
            (Arc::clone(&partition.topic), partition.partition, *watermark)
        };
        let is_member = self.membership == Membership::Member;
        is_member.then(|| watermarks.iter().map(offset).collect())
    }

    fn transacted(&mut self) {
        for (partition, watermark) in self.enlisted.drain(..) {
            self.logs.entry(partition).or_default().known = Some(watermark);
        }
    }

    fn rewind(&mut self, known: Rewind) -> Result<(), SourceError> {
        for (partition, assigned) in &mut self.assigned {
            let log = self.logs.entry(partition.clone()).or_default();
            if known == Rewind::Ask {
                log.known = log.committed;
            }
            assigned.position = log.known.unwrap_or_default();
        }
        self.events.push_back(SourceEvent::Rewound);
        Ok(())
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        for partition in partitions {
            self.assigned.remove(partition);
            if let Some(position) = self.resetting.remove(partition) {
                self.assigned.insert(partition.clone(), Assigned { position, lends: Lends::Yes });
                self.events.push_back(SourceEvent::Assigned(vec![partition.clone()]));
                let begin = vec![(partition.clone(), position)];
                self.events.push_back(SourceEvent::Began(begin, Began::Reset));
            }
        }
        self.released.extend_from_slice(partitions);
        Ok(())
    }

    fn close(&mut self) {
        self.assigned.clear();
    }
}

impl MemorySource {
    fn turn(&mut self, from: Lends, to: Lends) {
        for assigned in self.assigned.values_mut().filter(|assigned| assigned.lends == from) {
            assigned.lends = to;
        }
    }
}

fn borrowed<'a>(
    partition: &'a Partition,
    offset: i64,
    record: &'a MemoryRecord,
    received: Timestamp,
) -> Record<'a> {
    Record {
        payload: record.payload.as_deref(),
        key: record.key.as_deref(),
        headers: &record.headers,
        position: Position { topic: &partition.topic, partition: partition.partition, offset },
        timestamp: record.timestamp,
        received,
    }
}
