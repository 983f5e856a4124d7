//! Which partitions are ours, and what is still to be answered: decisions without I/O.
//!
//! ```text
//! group: assign ─▶ Assign ─(start positions found)─▶ owned ─▶ event Assigned
//! group: revoke ─▶ event Revoked ─ worker drains, commits, releases ─▶ Unassign (the answer)
//! group: lost   ─▶ event Lost ──── worker drops state, releases ────▶ Unassign (the answer)
//! offset out of range ─▶ event Lost ─ worker releases ─▶ Restart ─▶ events Assigned, Began
//! ```
//!
//! Every question of the group is answered exactly once, also one about nothing; the group waits
//! for ever otherwise.

use std::collections::{BTreeMap, BTreeSet};

use crate::kafka::TopicPartition;
use crate::source::{Began, Partition, SourceEvent};

/// What the source is to do next, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Tell the worker.
    Say(SourceEvent),
    /// Answer the group: these go back.
    Unassign(Vec<Partition>),
    /// Read these again from another offset.
    Restart(Vec<(Partition, i64)>),
}

/// A partition of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    /// Where reading began.
    pub from: i64,
    /// The watermark that was committed last, else where reading began.
    pub done: i64,
    /// The watermark that a transaction is about to commit.
    pub enlisted: Option<i64>,
}

impl Owned {
    fn at(offset: i64) -> Self {
        Self { from: offset, done: offset, enlisted: None }
    }
}

/// How partitions leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// In good order: there is time to drain.
    Revoked,
    /// They may belong to somebody else already.
    Lost,
}

/// The partitions of one member.
#[derive(Debug, Default)]
pub(super) struct Membership {
    owned: BTreeMap<Partition, Owned>,
    /// Assigned by the group; their start positions are not known yet.
    asked: Option<Vec<Partition>>,
    leaving: Option<Leaving>,
    /// Out of range; where they go on once the worker has let go of them.
    resetting: BTreeMap<Partition, i64>,
}

/// An open question of the group.
#[derive(Debug, Default)]
struct Leaving {
    /// The answer.
    all: BTreeSet<Partition>,
    /// What the worker has not released yet.
    waiting: BTreeSet<Partition>,
}

impl Membership {
    /// The partitions that are ours.
    pub(super) fn owned(&self) -> &BTreeMap<Partition, Owned> {
        &self.owned
    }

    /// The group assigns partitions. They are ours once [`Membership::begin`] says where they
    /// begin.
    pub(super) fn assign(&mut self, partitions: Vec<Partition>) {
        self.asked.get_or_insert_default().extend(partitions);
    }

    /// What waits for its start positions; nothing may be among it, and must be answered as well.
    pub(super) fn asked(&self) -> Option<&[Partition]> {
        self.asked.as_deref()
    }

    /// The partitions that were asked for begin here, and the group has its answer.
    pub(super) fn begin(&mut self, positions: &[(Partition, i64)]) -> Step {
        self.asked = None;
        for (partition, offset) in positions {
            let owned = Owned::at(*offset);
            self.owned.insert(partition.clone(), owned);
        }
        Step::Say(SourceEvent::Assigned(positions.iter().map(|(name, _)| name.clone()).collect()))
    }

    /// Partitions that are ours are read from here now.
    pub(super) fn begins_at(&mut self, positions: &[(Partition, i64)]) {
        for (partition, offset) in positions {
            if let Some(owned) = self.owned.get_mut(partition) {
                owned.from = *offset;
            }
        }
    }

    /// The group takes partitions away.
    pub(super) fn leave(&mut self, how: Leave, partitions: &[Partition]) -> Option<Step> {
        // What has not begun needs no drain.
        if let Some(asked) = &mut self.asked {
            asked.retain(|partition| !partitions.contains(partition));
            if asked.is_empty() {
                self.asked = None;
            }
        }
        let ours = partitions.iter().filter(|partition| self.owned.contains_key(*partition));
        let ours: Vec<Partition> = ours.cloned().collect();
        let open = self.leaving.get_or_insert_default();
        open.all.extend(ours.iter().cloned());
        open.waiting.extend(ours.iter().cloned());
        if ours.is_empty() {
            return self.answer();
        }
        Some(Step::Say(match how {
            Leave::Revoked => SourceEvent::Revoked(ours),
            Leave::Lost => SourceEvent::Lost(ours),
        }))
    }

    /// The worker has let go of partitions.
    pub(super) fn release(&mut self, partitions: &[Partition]) -> Vec<Step> {
        let mut restart = Vec::new();
        for partition in partitions {
            let is_leaving =
                self.leaving.as_ref().is_some_and(|leaving| leaving.all.contains(partition));
            match self.resetting.remove(partition) {
                Some(offset) if !is_leaving => restart.push((partition.clone(), offset)),
                // It leaves as well: the worker will release it once more for that.
                Some(_) => {}
                None => self.let_go(partition),
            }
        }
        let mut steps = Vec::new();
        if !restart.is_empty() {
            for (partition, offset) in &restart {
                let owned = Owned::at(*offset);
                self.owned.insert(partition.clone(), owned);
            }
            let names = restart.iter().map(|(partition, _)| partition.clone()).collect();
            steps.push(Step::Restart(restart.clone()));
            steps.push(Step::Say(SourceEvent::Assigned(names)));
            steps.push(Step::Say(SourceEvent::Began(restart, Began::Reset)));
        }
        steps.extend(self.answer());
        steps
    }

    fn let_go(&mut self, partition: &Partition) {
        if let Some(leaving) = &mut self.leaving
            && leaving.waiting.remove(partition)
        {
            self.owned.remove(partition);
        }
    }

    /// The answer to the open question, once nothing waits any more.
    fn answer(&mut self) -> Option<Step> {
        let leaving = self.leaving.take_if(|leaving| leaving.waiting.is_empty())?;
        Some(Step::Unassign(leaving.all.into_iter().collect()))
    }

    /// The offsets of these partitions do not exist any more; they go on at the ones given.
    pub(super) fn reset(&mut self, partitions: Vec<(Partition, i64)>) -> Option<Step> {
        let mut lost = Vec::new();
        for (partition, offset) in partitions {
            if self.owned.contains_key(&partition) {
                lost.push(partition.clone());
                self.resetting.insert(partition, offset);
            }
        }
        (!lost.is_empty()).then_some(Step::Say(SourceEvent::Lost(lost)))
    }

    /// Whether the partition waits for a reset.
    pub(super) fn is_resetting(&self, partition: &Partition) -> bool {
        self.resetting.contains_key(partition)
    }

    /// A watermark was committed.
    pub(super) fn done(&mut self, partition: &Partition, watermark: i64) {
        if let Some(owned) = self.owned.get_mut(partition) {
            owned.done = watermark;
        }
    }

    /// Whether the group waits for partitions.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// A transaction is about to commit these watermarks.
    pub(super) fn enlist(&mut self, watermarks: &[(Partition, i64)]) {
        self.owned.values_mut().for_each(|owned| owned.enlisted = None);
        for (partition, watermark) in watermarks {
            if let Some(owned) = self.owned.get_mut(partition) {
                owned.enlisted = Some(*watermark);
            }
        }
    }

    /// It has.
    pub(super) fn transacted(&mut self) {
        for owned in self.owned.values_mut() {
            owned.done = owned.enlisted.take().unwrap_or(owned.done);
        }
    }

    /// It was aborted: where each partition goes on. With what the cluster has `committed`, where
    /// only that tells whether the transaction went through; an offset that is neither the one from
    /// before nor the one from after is not of this log.
    pub(super) fn go_back(
        &mut self,
        committed: Option<&BTreeMap<Partition, i64>>,
    ) -> Vec<(Partition, i64)> {
        for (partition, owned) in &mut self.owned {
            let found = committed.and_then(|committed| committed.get(partition)).copied();
            let enlisted = owned.enlisted.take();
            if found.is_some() && found == enlisted {
                owned.done = enlisted.unwrap_or(owned.done);
            }
        }
        self.owned.iter().map(|(partition, owned)| (partition.clone(), owned.done)).collect()
    }

    /// Records between each partition's watermark and the end of its log, where that is known.
    pub(super) fn lags(
        &self,
        ends: &[(TopicPartition, i64)],
    ) -> impl Iterator<Item = (&Partition, i64)> {
        self.owned.iter().filter_map(|(partition, owned)| {
            let is_it = |(name, _): &&(TopicPartition, i64)| {
                name.partition == partition.partition && name.topic == *partition.topic
            };
            let (_, end) = ends.iter().find(is_it)?;
            // A watermark is newer than the statistics that tell the end.
            Some((partition, (end - owned.done).max(0)))
        })
    }

    /// What is still to be given back when the client is closed: the open question's answer.
    pub(super) fn close(&mut self) -> Option<Vec<Partition>> {
        self.owned.clear();
        self.leaving.take().map(|leaving| leaving.all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32) -> Partition {
        Partition { topic: "okta".into(), partition }
    }
    fn all(partitions: &[i32]) -> Vec<Partition> {
        partitions.iter().map(|partition| at(*partition)).collect()
    }
    /// A member that reads these partitions from offset 10.
    fn member(partitions: &[i32]) -> Membership {
        let mut member = Membership::default();
        member.assign(all(partitions));
        let positions: Vec<_> = partitions.iter().map(|partition| (at(*partition), 10)).collect();
        member.begin(&positions);
        member
    }
    fn assigned(partitions: &[i32]) -> Step {
        Step::Say(SourceEvent::Assigned(all(partitions)))
    }
    fn lost(partitions: &[i32]) -> Step {
        Step::Say(SourceEvent::Lost(all(partitions)))
    }
    fn revoked(partitions: &[i32]) -> Step {
        Step::Say(SourceEvent::Revoked(all(partitions)))
    }
    fn unassign(partitions: &[i32]) -> Step {
        Step::Unassign(all(partitions))
    }

    #[test]
    fn an_assignment_of_nothing_is_answered() {
        let mut member = Membership::default();
        assert_eq!(member.asked(), None);
        member.assign(Vec::new());
        assert_eq!(member.asked(), Some(&[][..]));
        assert_eq!(member.begin(&[]), assigned(&[]));
        assert_eq!(member.asked(), None);
    }

    #[test]
    fn a_revocation_is_answered_when_all_of_it_is_released() {
        let mut member = member(&[0, 1, 2]);
        assert_eq!(member.leave(Leave::Revoked, &all(&[0, 1])), Some(revoked(&[0, 1])));
        assert_eq!(member.release(&all(&[0])), []);
        assert_eq!(member.release(&all(&[1])), [unassign(&[0, 1])]);
        assert_eq!(member.owned().keys().cloned().collect::<Vec<_>>(), all(&[2]));
    }

    #[test]
    fn what_has_not_begun_is_given_back_without_a_drain() {
        let mut member = member(&[0]);
        member.assign(all(&[1]));
        assert_eq!(member.leave(Leave::Revoked, &all(&[1])), Some(unassign(&[])));
        assert_eq!(member.asked(), None);
        assert_eq!(Membership::default().leave(Leave::Lost, &all(&[7])), Some(unassign(&[])));
    }

    #[test]
    fn losing_what_is_being_revoked_needs_both_releases() {
        let mut member = member(&[0, 1]);
        assert_eq!(member.leave(Leave::Revoked, &all(&[0])), Some(revoked(&[0])));
        assert_eq!(member.leave(Leave::Lost, &all(&[0, 1])), Some(lost(&[0, 1])));
        assert_eq!(member.release(&all(&[0])), []);
        assert_eq!(member.release(&all(&[0, 1])), [unassign(&[0, 1])]);
    }

    #[test]
    fn a_reset_goes_through_lost_and_assigned() {
        let mut member = member(&[0, 1]);
        assert_eq!(member.reset(vec![(at(1), 55), (at(9), 1)]), Some(lost(&[1])));
        assert!(member.is_resetting(&at(1)) && !member.is_resetting(&at(0)));
        let steps = member.release(&all(&[1]));
        let began = Step::Say(SourceEvent::Began(vec![(at(1), 55)], Began::Reset));
        assert_eq!(steps, [Step::Restart(vec![(at(1), 55)]), assigned(&[1]), began]);
        assert_eq!(member.owned().get(&at(1)), Some(&Owned::at(55)));
        assert_eq!(member.release(&all(&[1])), [], "a second release changes nothing");
    }

    #[test]
    fn a_partition_that_leaves_during_its_reset_leaves() {
        let mut member = member(&[0]);
        assert_eq!(member.reset(vec![(at(0), 5)]), Some(lost(&[0])));
        assert_eq!(member.leave(Leave::Revoked, &all(&[0])), Some(revoked(&[0])));
        assert_eq!(member.release(&all(&[0])), [], "that was the reset's release");
        assert_eq!(member.release(&all(&[0])), [unassign(&[0])]);
        assert!(member.owned().is_empty());
    }

    /// A partition that is quiet after a restart has no position in the client library: then this is
    /// where it stands.
    #[test]
    fn where_reading_begins_moves_with_a_restart_in_place() {
        let mut membership = Membership::default();
        membership.begin(&[(at(0), 10), (at(1), 10)]);
        membership.begins_at(&[(at(0), 70), (at(2), 5)]);
        let from: Vec<_> = membership.owned().values().map(|owned| owned.from).collect();
        assert_eq!(from, [70, 10], "and what is not ours does not begin");
    }

    #[test]
    fn lag_counts_from_the_watermark_and_is_never_negative() {
        let mut member = member(&[0, 1, 2]);
        member.done(&at(0), 90);
        member.done(&at(1), 100);
        let end = |partition, end| (TopicPartition { topic: "okta".to_owned(), partition }, end);
        let ends = [end(0, 100), end(1, 99), end(7, 1)];
        let found: Vec<_> = member.lags(&ends).map(|(name, lag)| (name.clone(), lag)).collect();
        assert_eq!(found, [(at(0), 10), (at(1), 0)]);
    }

    #[test]
    fn an_aborted_transaction_goes_back_to_what_was_committed_before() {
        let mut member = member(&[0, 1, 2]);
        member.enlist(&[(at(0), 20), (at(1), 21)]);
        member.transacted();
        member.enlist(&[(at(0), 30), (at(2), 32)]);
        let all = |offsets: [i64; 3]| (0..3).map(at).zip(offsets).collect::<Vec<_>>();
        assert_eq!(member.go_back(None), all([20, 21, 10]));
        member.transacted();
        assert_eq!(member.go_back(None), all([20, 21, 10]), "it was forgotten");
    }

    #[test]
    fn where_nobody_knows_the_cluster_says_whether_it_went_through() {
        let went = |committed: i64| {
            let mut member = member(&[0]);
            member.enlist(&[(at(0), 30)]);
            member.go_back(Some(&[(at(0), committed)].into()))
        };
        assert_eq!(went(30), [(at(0), 30)]);
        assert_eq!(went(10), [(at(0), 10)]);
        assert_eq!(went(9_999), [(at(0), 10)], "left from a topic of the same name");
    }

    #[test]
    fn closing_answers_what_is_open() {
        let mut member = member(&[0, 1]);
        assert_eq!(member.close(), None);
        let mut member = self::member(&[0, 1]);
        member.leave(Leave::Revoked, &all(&[1]));
        assert_eq!(member.close(), Some(all(&[1])));
    }
}
