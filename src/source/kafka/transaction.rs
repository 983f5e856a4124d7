//! The source's part in a transaction of the sink: who commits, and going back.
//!
//! Going back means to assign every owned partition anew at its committed offset: so nothing that
//! was fetched ahead is lent, wherever the client stood. Where nobody knows whether a commit went
//! through, the cluster is asked; with `read_committed` it answers when the transaction has ended.

use rdkafka::consumer::Consumer;

use super::{Flow, KafkaSource, start};
use crate::kafka::{Enlisted, generation};
use crate::source::{Partition, Rewind, SourceError, SourceEvent};

impl KafkaSource {
    pub(super) fn enlist_watermarks(
        &mut self,
        watermarks: &[(Partition, i64)],
    ) -> Option<Enlisted> {
        let consumer = self.consumer.as_ref()?;
        let group = consumer.group_metadata()?;
        // Asked after the membership was taken: the generation only changes when this source has
        // answered the group, and else it is gone.
        generation(consumer)?;
        let offsets = start::list_at(watermarks).ok()?;
        self.membership.enlist(watermarks);
        Some(Enlisted { offsets, group })
    }

    /// Begins to go back.
    pub(super) fn go_back(&mut self, known: Rewind) -> Result<(), SourceError> {
        self.forget_all_fetched();
        match known {
            Rewind::Known => self.gone_back(None),
            Rewind::Ask => {
                self.goes_back = true;
                self.ask_at = std::time::Duration::ZERO;
                Ok(())
            }
        }
    }

    /// Asks where to go back to, while that is open.
    pub(super) fn ask_where_to_go_back(&mut self) -> Result<(), SourceError> {
        if !self.goes_back {
            return Ok(());
        }
        let owned: Vec<_> = self.membership.owned().keys().cloned().collect();
        match start::committed(self.consumer()?, &owned) {
            Ok(committed) => self.gone_back(Some(&committed)),
            Err(cause) => {
                tracing::warn!(%cause, "committed offsets are not known yet; the cluster is asked again");
                Ok(())
            }
        }
    }

    fn gone_back(&mut self, committed: Option<&start::Offsets>) -> Result<(), SourceError> {
        self.goes_back = false;
        self.forget_all_fetched();
        let positions = self.membership.go_back(committed);
        // What the group is about to take away is read again by others.
        if !positions.is_empty() && !self.membership.is_leaving() {
            self.assign(&positions)?;
        }
        self.events.push_back(SourceEvent::Rewound);
        Ok(())
    }

    /// Reads `positions` from there; with eager members, an assignment is always all there is.
    pub(super) fn restart_eagerly(
        &mut self,
        positions: &[(Partition, i64)],
    ) -> Result<(), SourceError> {
        let at = self.reader().unwrap_or_default();
        self.forget_all_fetched();
        let mut all: start::Offsets = self
            .membership
            .owned()
            .iter()
            .map(|(name, owned)| (name.clone(), at.get(name).copied().unwrap_or(owned.from)))
            .collect();
        all.extend(positions.iter().cloned());
        let all: Vec<_> = all.into_iter().collect();
        self.assign(&all)
    }

    /// Commits where partitions begin that nobody has begun yet, and waits for it: later, such a
    /// commit could undo that of a transaction. Only for what is ours: for others, it could as well.
    pub(super) fn commit_starts(
        &mut self,
        starts: &[(Partition, i64)],
        ours: &[Partition],
    ) -> Result<(), SourceError> {
        let starts: Vec<_> =
            starts.iter().filter(|(name, _)| ours.contains(name)).cloned().collect();
        if starts.is_empty() {
            return Ok(());
        }
        debug_assert_eq!(self.flow, Flow::Running, "nothing is paused before it begins");
        self.commit_now(&starts)?;
        self.wait_for_commits(&starts)
    }
}
