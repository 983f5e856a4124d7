//! The group's questions, and what is asked of the cluster to answer them.
//!
//! What the cluster does not answer is asked again a second later; the client is polled meanwhile,
//! and librdkafka keeps the partitions paused until there is an answer.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::membership::{Leave, Step};
use super::reach::{self, Reach};
use super::{Flow, KafkaSource, client_error, start};
use crate::config::settings::Guarantee;
use crate::kafka::context::Rebalance;
use crate::kafka::{TopicPartition, is_member};
use crate::record::Position;
use crate::source::{Began, Partition, SourceError, SourceEvent};

/// How long until a question that the cluster did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How long a member that owns nothing may take to leave: as long as others may take to hear of a
/// rebalance, which is a heartbeat.
const LEAVE_WAIT: Duration = Duration::from_secs(3);

impl KafkaSource {
    /// Takes note of what the callbacks noted, and asks what is to be asked.
    pub(super) fn serve(&mut self) -> Result<(), SourceError> {
        self.serve_commits()?;
        let callbacks = Arc::clone(self.consumer()?.context());
        for rebalance in callbacks.take_rebalances() {
            self.rebalance(rebalance)?;
        }
        let down = callbacks.brokers_down();
        if down != std::mem::replace(&mut self.brokers_down, down) {
            let event = if down { SourceEvent::BrokersDown } else { SourceEvent::BrokersUp };
            self.events.push_back(event);
        }
        if let Some(figures) = callbacks.figures_since(&mut self.figures_seen) {
            self.figures = figures;
            if self.figures.any_broker_up {
                let owned = |partition: &_| self.membership.owned().contains_key(partition);
                let unreached = reach::of_owned(&self.figures.unreached, owned);
                self.reach.see(unreached, self.clock.monotonic());
            } else {
                // That is told instead; the first broker that is back is not always the right one.
                self.reach = Reach::default();
            }
        }
        self.was_joined |= self.is_joined();
        let now = self.clock.monotonic();
        self.look_for_unreadable(now)?;
        if self.forbidden.is_due(now) {
            let read = self.membership.owned().keys().chain(&self.named).cloned();
            self.forbidden.look(read, now);
        }
        self.ask()
    }

    fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), SourceError> {
        let step = match rebalance {
            Rebalance::Assign(partitions) => {
                self.membership.assign(names(partitions));
                self.ask_at = Duration::ZERO;
                None
            }
            Rebalance::Revoke(partitions) => self.give_up(Leave::Revoked, partitions),
            Rebalance::Lost(partitions) => {
                self.joined = false;
                self.give_up(Leave::Lost, partitions)
            }
        };
        self.take_steps(step)
    }

    fn give_up(&mut self, why: Leave, partitions: Vec<TopicPartition>) -> Option<Step> {
        let partitions = names(partitions);
        // Nobody takes them any more, and whoever is next reads them again.
        self.forget_fetched(&partitions);
        self.membership.leave(why, &partitions)
    }

    pub(super) fn take_steps(
        &mut self,
        steps: impl IntoIterator<Item = Step>,
    ) -> Result<(), SourceError> {
        for step in steps {
            match step {
                Step::Say(event) => self.events.push_back(event),
                Step::Unassign(partitions) => self.unassign(&partitions)?,
                Step::Restart(positions) if self.guarantee == Guarantee::ExactlyOnce => {
                    self.restart_eagerly(&positions)?;
                }
                Step::Restart(positions) => {
                    let partitions: Vec<_> =
                        positions.iter().map(|(partition, _)| partition.clone()).collect();
                    self.unassign(&partitions)?;
                    self.assign(&positions)?;
                }
            }
        }
        Ok(())
    }

    /// Finds out which partitions stand before a batch that cannot be unpacked.
    fn look_for_unreadable(&mut self, now: Duration) -> Result<(), SourceError> {
        if !self.unreadable.is_due(now) {
            return Ok(());
        }
        let lent = self.reader().map_err(client_error)?;
        let owned = self.membership.owned().iter();
        let at = owned.map(|(partition, owned)| {
            (partition.clone(), lent.get(partition).copied().unwrap_or(owned.from))
        });
        self.unreadable.look(at.collect(), &self.figures.log_ends, now);
        Ok(())
    }

    /// Asks the cluster what is open, when it is time to.
    fn ask(&mut self) -> Result<(), SourceError> {
        let is_open = self.membership.asked().is_some()
            || self.out_of_range
            || self.goes_back
            || !self.unconfirmed.is_empty();
        if !is_open || self.clock.monotonic() < self.ask_at {
            return Ok(());
        }
        self.begin_asked()?;
        self.find_out_of_range()?;
        self.ask_where_to_go_back()?;
        self.confirm_starts()?;
        self.ask_at = self.clock.monotonic() + ASK_AGAIN;
        Ok(())
    }

    /// Begins what the group has assigned.
    fn begin_asked(&mut self) -> Result<(), SourceError> {
        let Some(asked) = self.membership.asked() else { return Ok(()) };
        let positions = match start::positions(self.consumer()?, asked, self.start) {
            Ok(positions) => positions,
            Err(cause) => {
                tracing::warn!(%cause, "start positions are not known yet; the cluster is asked again");
                return Ok(());
            }
        };
        if self.guarantee == Guarantee::ExactlyOnce {
            let ours = asked.to_vec();
            if let Err(cause) = self.commit_starts(&positions.commit, &ours) {
                tracing::warn!(%cause, "start positions are not committed yet; it is tried again");
                return Ok(());
            }
        }
        for (Partition { topic, partition }, offset) in &positions.begin {
            tracing::info!(topic = &**topic, partition, offset, "a partition begins");
        }
        self.assign(&positions.begin)?;
        self.joined = true;
        if self.guarantee == Guarantee::AtLeastOnce {
            self.unconfirmed.extend(positions.commit);
        }
        let step = self.membership.begin(&positions.begin);
        let began = SourceEvent::Began(positions.begin, Began::Assigned);
        self.take_steps([step, Step::Say(began)])
    }

    /// Finds the partitions whose offset does not exist (any more), and resets them to the oldest
    /// record there is: what is missing is lost already, what is there must not be.
    fn find_out_of_range(&mut self) -> Result<(), SourceError> {
        if !self.out_of_range {
            return Ok(());
        }
        let owned: Vec<_> = self.membership.owned().keys().cloned().collect();
        let consumer = self.consumer()?;
        let asked = self.reader().and_then(|at| Ok((at, start::bounds(consumer, &owned)?)));
        let (at, (first, end)) = match asked {
            Ok(found) => found,
            Err(cause) => {
                tracing::warn!(%cause, "the bounds of a log are not known yet; the cluster is asked again");
                return Ok(());
            }
        };
        let mut resets = Vec::new();
        let mut standing = Vec::new();
        for (partition, owned) in self.membership.owned() {
            let from = at.get(partition).copied().unwrap_or(owned.from);
            let (Some(first), Some(end)) = (first.get(partition), end.get(partition)) else {
                continue;
            };
            if (*first..=*end).contains(&from) || self.membership.is_resetting(partition) {
                standing.push((partition.clone(), from));
                continue;
            }
            let Partition { topic, partition: number } = partition;
            tracing::error!(
                topic = &**topic,
                partition = number,
                from,
                to = first,
                end,
                "records are gone from the topic before they were judged"
            );
            resets.push((partition.clone(), *first));
        }
        self.out_of_range = false;
        if resets.is_empty() {
            // The client library has stopped reading some partition, and does not say which. They
            // all go on where they stand.
            return self.take_steps([Step::Restart(standing)]);
        }
        self.offset_resets += resets.len() as u64;
        let step = self.membership.reset(resets);
        self.take_steps(step)
    }

    /// Where the reader of each partition stands: at the first record that was not lent. The client
    /// library counts what was stashed, and what was fetched, as lent.
    pub(super) fn reader(&self) -> KafkaResult<start::Offsets> {
        let consumer = self.consumer.as_ref().ok_or(KafkaError::Canceled)?;
        let mut at = start::reader(consumer)?;
        // What is behind them was not lent, wherever the library has them.
        at.extend(self.stands.iter().map(|(name, stands)| (name.clone(), stands.at)));
        let mut stands_at = |topic: &str, partition, offset| {
            at.insert(Partition { topic: topic.into(), partition }, offset);
        };
        // The first of each partition comes last.
        for record in self.records.iter().flat_map(|records| records.waiting().rev()) {
            let Position { topic, partition, offset } = record.position();
            stands_at(topic, partition, offset);
        }
        for message in self.stash.iter().rev() {
            stands_at(message.topic(), message.partition(), message.offset());
        }
        Ok(at)
    }

    pub(super) fn assign(&mut self, positions: &[(Partition, i64)]) -> Result<(), SourceError> {
        let consumer = self.consumer()?;
        let list = start::list_at(positions).map_err(client_error)?;
        let answer = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(&list),
        };
        answer.map_err(|fault| SourceError::Client(format!("take partitions over: {fault}")))?;
        self.membership.begins_at(positions);
        self.claim_new(positions);
        if positions.is_empty() {
            return Ok(());
        }
        let consumer = self.consumer()?;
        // A pause belongs to the partition, not to its assignment, and may be an old one.
        match self.flow {
            Flow::Running => consumer.resume(&list),
            Flow::Paused => consumer.pause(&list),
        }
        .map_err(client_error)
    }

    fn unassign(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        self.unconfirmed.retain(|partition, _| !partitions.contains(partition));
        self.unreadable.forget(partitions);
        self.forget_fetched(partitions);
        let list = start::list(partitions, Offset::Invalid).map_err(client_error)?;
        let consumer = self.consumer()?;
        let answer = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(&list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        };
        answer.map_err(|fault| SourceError::Client(format!("give partitions back: {fault}")))
    }

    /// Leaves the group and closes the client.
    pub(super) fn leave(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        // Dropped before it, whatever happens here.
        let queues = (self.commits.take(), self.records.take());
        let callbacks = Arc::clone(consumer.context());
        callbacks.close();
        self.forget_all_fetched();
        self.events.clear();
        self.joined = false;
        // The group may wait for an answer that nobody would give any more, and closing would wait
        // with it. What is refused here was no open question.
        let answer = |given: KafkaResult<()>| {
            if let Err(fault) = given {
                tracing::debug!(%fault, "an answer to the group was not needed");
            }
        };
        let nothing = TopicPartitionList::new();
        let is_asked = self.membership.asked().is_some();
        let is_idle = self.membership.owned().is_empty();
        if let Some(partitions) = self.membership.close()
            && let Ok(list) = start::list(&partitions, Offset::Invalid)
        {
            answer(consumer.incremental_unassign(&list));
        }
        if is_asked || !callbacks.take_rebalances().is_empty() {
            answer(consumer.incremental_assign(&nothing));
            answer(consumer.incremental_unassign(&nothing));
        }
        if is_idle && self.must_leave {
            // Of the members of a cooperative group, librdkafka 2.12 has only those with partitions
            // leave when they are closed. For any other one the group would wait, at its next
            // rebalance, as long as a session lasts; and behind a rebalance all of its members'
            // commits wait. While a member is just joining, it leaves when it has joined.
            consumer.unsubscribe();
            let until = self.clock.monotonic() + LEAVE_WAIT;
            while is_member(&consumer) && self.clock.monotonic() < until {
                consumer.poll(Duration::from_millis(10));
            }
        }
        drop(queues);
        // Leaves the group; the callbacks give the partitions back.
        drop(consumer);
    }
}

/// The names, with one allocation for each topic, however many partitions it has.
fn names(partitions: Vec<TopicPartition>) -> Vec<Partition> {
    let mut topics: Vec<Arc<str>> = Vec::new();
    let mut name = |topic: String| match topics.iter().find(|known| ***known == *topic) {
        Some(known) => Arc::clone(known),
        None => {
            topics.push(topic.into());
            topics.last().map(Arc::clone).unwrap_or_default()
        }
    };
    let named = partitions.into_iter();
    named
        .map(|TopicPartition { topic, partition }| Partition { topic: name(topic), partition })
        .collect()
}
