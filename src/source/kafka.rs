//! Records from Kafka.
//!
//! One consumer, driven by one worker thread. Payload, key and headers are lent straight from the
//! client library's buffers. Offsets move only by [`Source::commit`]: the library commits and
//! stores nothing by itself, and an offset that does not exist is reported, never silently reset.
//!
//! What must never happen here: a wait inside a callback, a question of the group left without an
//! answer, a list of the client library that outlives the consumer (that blocks its end).

mod membership;
mod start;
mod status;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode as ClientMode, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Headers as _, Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{CommitMode, Partition, Source, SourceError, SourceEvent};
use crate::clock::Clock;
use crate::config::settings::{ClusterSettings, Start};
use crate::kafka::context::{CommitOutcome, Rebalance};
use crate::kafka::{ConsumerCallbacks, TopicPartition};
use crate::record::{Header, Headers, Position, Record, Timestamp};
use membership::{Leave, Membership, Step};
pub use status::SourceStatus;

/// How long a synchronous commit is waited for; what it would have saved is read again.
const COMMIT_WAIT: Duration = Duration::from_secs(5);

/// How long until a question that the cluster did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What a source is opened with.
#[derive(Clone, Debug)]
pub struct KafkaSourceOptions {
    /// The name of the client in logs.
    pub name: String,
    /// The consumer's configuration.
    pub config: ClientConfig,
    /// The cluster, for what cannot be configured (tokens).
    pub cluster: ClusterSettings,
    /// Topic names; one that starts with `^` is a regular expression.
    pub topics: Vec<String>,
    /// Where a group without offsets begins.
    pub start: Start,
}

/// A member of a consumer group.
pub struct KafkaSource {
    /// `None` once closed.
    consumer: Option<BaseConsumer<ConsumerCallbacks>>,
    clock: Arc<dyn Clock>,
    start: Start,
    membership: Membership,
    events: VecDeque<SourceEvent>,
    status: Arc<SourceStatus>,
    statistics_seen: u64,
    flow: Flow,
    brokers_down: bool,
    /// Commits whose outcome is not known yet.
    commits_open: usize,
    /// Start positions that no commit has confirmed yet.
    unconfirmed: start::Offsets,
    /// Some offset is out of range; which one is to be found out.
    out_of_range: bool,
    /// When the cluster is asked again, on the monotonic clock.
    ask_at: Duration,
    /// Records that came while a commit was waited for. The partitions are paused then, so there
    /// is at most what was on its way.
    stash: VecDeque<OwnedMessage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Running,
    Paused,
}

impl KafkaSource {
    /// Opens a consumer and joins its group; partitions come later, as events.
    ///
    /// # Errors
    /// When the client library does not take the configuration or the topics.
    pub fn open(options: KafkaSourceOptions, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let callbacks = ConsumerCallbacks::new(&options.name, &options.cluster);
        let consumer: BaseConsumer<ConsumerCallbacks> =
            configured(options.config).create_with_context(callbacks).map_err(client_error)?;
        let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(client_error)?;
        Ok(Self {
            consumer: Some(consumer),
            clock,
            start: options.start,
            membership: Membership::default(),
            events: VecDeque::new(),
            status: Arc::default(),
            statistics_seen: 0,
            flow: Flow::Running,
            brokers_down: false,
            commits_open: 0,
            unconfirmed: start::Offsets::new(),
            out_of_range: false,
            ask_at: Duration::ZERO,
            stash: VecDeque::new(),
        })
    }

    /// Figures of this source, for whoever watches it from another thread.
    #[must_use]
    pub fn status(&self) -> Arc<SourceStatus> {
        Arc::clone(&self.status)
    }

    fn consumer(&self) -> Result<&BaseConsumer<ConsumerCallbacks>, SourceError> {
        self.consumer
            .as_ref()
            .ok_or_else(|| SourceError::Client("the consumer is closed".to_owned()))
    }

    /// Takes note of what the callbacks noted, and asks what is to be asked.
    fn serve(&mut self) -> Result<(), SourceError> {
        let callbacks = Arc::clone(self.consumer()?.context());
        for outcome in callbacks.take_commits() {
            self.committed(outcome);
        }
        for rebalance in callbacks.take_rebalances() {
            let step = match rebalance {
                Rebalance::Assign(partitions) => {
                    self.membership.assign(self.names(partitions));
                    self.ask_at = Duration::ZERO;
                    None
                }
                Rebalance::Revoke(partitions) => {
                    self.membership.leave(Leave::Revoked, &self.names(partitions))
                }
                Rebalance::Lost(partitions) => {
                    self.status.left();
                    self.membership.leave(Leave::Lost, &self.names(partitions))
                }
            };
            self.take_steps(step)?;
        }
        self.watch_connection(&callbacks);
        self.ask()?;
        if let Some(figures) = callbacks.figures_since(&mut self.statistics_seen) {
            self.status.update(&figures, self.membership.owned());
        }
        Ok(())
    }

    /// One allocation of each topic's name, however many partitions it has.
    fn names(&self, partitions: Vec<TopicPartition>) -> Vec<Partition> {
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut name = |topic: &str| match names.iter().find(|known| &***known == topic) {
            Some(known) => Arc::clone(known),
            None => {
                names.push(topic.into());
                topic.into()
            }
        };
        partitions
            .into_iter()
            .map(|TopicPartition { topic, partition }| Partition { topic: name(&topic), partition })
            .collect()
    }

    fn take_steps(&mut self, steps: impl IntoIterator<Item = Step>) -> Result<(), SourceError> {
        for step in steps {
            match step {
                Step::Say(event) => self.events.push_back(event),
                Step::Unassign(partitions) => self.unassign(&partitions)?,
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

    /// Asks the cluster what is open, when it is time to.
    fn ask(&mut self) -> Result<(), SourceError> {
        let now = self.clock.monotonic();
        if now < self.ask_at {
            return Ok(());
        }
        let asked = self.membership.asked().is_some() || self.out_of_range;
        if asked || !self.unconfirmed.is_empty() {
            self.ask_at = now + ASK_AGAIN;
        }
        self.begin_asked()?;
        self.find_out_of_range()?;
        self.confirm_starts()
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
        for (partition, offset) in &positions.begin {
            let Partition { topic, partition } = partition;
            tracing::info!(topic = &**topic, partition, offset, "a partition begins");
        }
        self.assign(&positions.begin)?;
        self.status.joined();
        self.unconfirmed.extend(positions.commit);
        self.ask_at = Duration::ZERO;
        let step = self.membership.begin(&positions.begin);
        self.take_steps([step])?;
        self.confirm_starts()
    }

    /// Commits start positions that are not confirmed. Those of other members are tried once:
    /// later, they would undo what their owner has committed in the meantime.
    fn confirm_starts(&mut self) -> Result<(), SourceError> {
        if self.unconfirmed.is_empty() || self.commits_open > 0 {
            return Ok(());
        }
        let starts: Vec<_> = self.unconfirmed.clone().into_iter().collect();
        let owned = self.membership.owned();
        self.unconfirmed.retain(|partition, _| owned.contains_key(partition));
        self.commit_now(&starts)
    }

    fn commit_now(&mut self, watermarks: &[(Partition, i64)]) -> Result<(), SourceError> {
        let list = start::list_at(watermarks).map_err(client_error)?;
        match self.consumer()?.commit(&list, ClientMode::Async) {
            Ok(()) => self.commits_open += 1,
            Err(fault) => self.commit_failed(fault.rdkafka_error_code()),
        }
        Ok(())
    }

    fn committed(&mut self, outcome: CommitOutcome) {
        self.commits_open = self.commits_open.saturating_sub(1);
        for (TopicPartition { topic, partition }, offset) in outcome.taken {
            let partition = Partition { topic: topic.into(), partition };
            self.unconfirmed.retain(|name, start| *name != partition || *start > offset);
        }
        match outcome.fault {
            None => self.status.commit(),
            code => self.commit_failed(code),
        }
    }

    fn commit_failed(&self, code: Option<Code>) {
        let reason = code.map_or_else(|| "unknown".to_owned(), |code| code.to_string());
        if code.is_some_and(is_lost_race) {
            tracing::debug!(reason, "a commit came too late; its records are read again");
        } else {
            self.status.commit_failure();
            tracing::warn!(reason, "a commit failed; it is made again");
        }
    }

    fn watch_connection(&mut self, callbacks: &ConsumerCallbacks) {
        let down = callbacks.brokers_down();
        if down != self.brokers_down {
            self.brokers_down = down;
            self.events.push_back(SourceEvent::BrokersDown(down));
        }
    }

    /// Finds the partitions whose offset does not exist (any more), and resets them to the oldest
    /// record there is: what is missing is lost already, what is there must not be.
    fn find_out_of_range(&mut self) -> Result<(), SourceError> {
        if !self.out_of_range {
            return Ok(());
        }
        let owned: Vec<_> = self.membership.owned().keys().cloned().collect();
        let consumer = self.consumer()?;
        let asked =
            start::reader(consumer).and_then(|at| Ok((at, start::bounds(consumer, &owned)?)));
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
            self.status.offset_reset();
            resets.push((partition.clone(), *first));
        }
        self.out_of_range = false;
        if resets.is_empty() {
            // The client library has stopped reading some partition, and does not say which. They
            // all go on where they stand.
            return self.take_steps([Step::Restart(standing)]);
        }
        let step = self.membership.reset(resets);
        self.take_steps(step)
    }

    fn assign(&self, positions: &[(Partition, i64)]) -> Result<(), SourceError> {
        let consumer = self.consumer()?;
        let list = start::list_at(positions).map_err(client_error)?;
        let answer = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(&list),
        };
        answer.map_err(|fault| SourceError::Client(format!("take partitions over: {fault}")))?;
        if positions.is_empty() {
            return Ok(());
        }
        // A pause belongs to the partition, not to its assignment, and may be an old one.
        match self.flow {
            Flow::Running => consumer.resume(&list),
            Flow::Paused => consumer.pause(&list),
        }
        .map_err(client_error)
    }

    fn unassign(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        self.unconfirmed.retain(|partition, _| !partitions.contains(partition));
        self.stash.retain(|message| {
            !partitions.iter().any(|partition| {
                partition.partition == message.partition() && &*partition.topic == message.topic()
            })
        });
        let list = start::list(partitions, Offset::Invalid).map_err(client_error)?;
        let consumer = self.consumer()?;
        let answer = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(&list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        };
        answer.map_err(|fault| SourceError::Client(format!("give partitions back: {fault}")))
    }

    /// Sorts a fault of the client: one to act on, one to end with, or one that passes by itself
    /// (the callbacks have logged it).
    fn note(&mut self, fault: &KafkaError) -> Result<(), SourceError> {
        let code = fault.rdkafka_error_code();
        let is_forbidden = matches!(
            code,
            Some(
                Code::GroupAuthorizationFailed
                    | Code::TopicAuthorizationFailed
                    | Code::ClusterAuthorizationFailed
            )
        );
        match (fault, code) {
            (KafkaError::MessageConsumptionFatal(_), _) => {
                let told = self.consumer()?.client().fatal_error();
                let text = told.map_or_else(|| fault.to_string(), |(_, text)| text);
                Err(SourceError::Client(format!("the consumer cannot go on: {text}")))
            }
            (_, Some(code)) if is_forbidden && !self.status.is_joined() => {
                Err(SourceError::Client(format!("join the consumer group: {code}")))
            }
            (_, Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)) => {
                self.out_of_range = true;
                self.ask_at = Duration::ZERO;
                Ok(())
            }
            _ => {
                tracing::debug!(%fault, "the consumer met a fault that passes by itself");
                Ok(())
            }
        }
    }

    /// Waits until every commit has its outcome, at most [`COMMIT_WAIT`].
    fn wait_for_commits(&mut self) -> Result<(), SourceError> {
        let until = self.clock.monotonic() + COMMIT_WAIT;
        let owned: Vec<_> = self.membership.owned().keys().cloned().collect();
        let list = start::list(&owned, Offset::Invalid).map_err(client_error)?;
        if self.flow == Flow::Running {
            self.consumer()?.pause(&list).map_err(client_error)?;
        }
        while self.commits_open > 0 && self.clock.monotonic() < until {
            let consumer = self.consumer()?;
            let polled = consumer.poll(Duration::from_millis(10));
            let outcomes = consumer.context().take_commits();
            let fault = match polled {
                Some(Ok(message)) => {
                    self.stash.push_back(message.detach());
                    None
                }
                Some(Err(fault)) => Some(fault),
                None => None,
            };
            if let Some(fault) = fault {
                self.note(&fault)?;
            }
            for outcome in outcomes {
                self.committed(outcome);
            }
        }
        if self.commits_open > 0 {
            self.status.commit_failure();
            tracing::warn!("a commit was not confirmed in time; its records may be read again");
            self.commits_open = 0;
        }
        if self.flow == Flow::Running {
            self.consumer()?.resume(&list).map_err(client_error)?;
        }
        Ok(())
    }

    fn lend_stash(&mut self, records_max: usize, visit: &mut impl FnMut(&Record<'_>)) -> usize {
        let received = self.clock.wall();
        let count = self.stash.len().min(records_max);
        for message in self.stash.drain(..count) {
            lend(&message, received, visit);
        }
        count
    }

    fn owned_list(&self) -> Result<TopicPartitionList, SourceError> {
        let owned: Vec<_> = self.membership.owned().keys().cloned().collect();
        start::list(&owned, Offset::Invalid).map_err(client_error)
    }
}

impl Source for KafkaSource {
    fn poll(
        &mut self,
        wait: Duration,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>),
    ) -> Result<usize, SourceError> {
        if !self.stash.is_empty() && self.flow == Flow::Running {
            let count = self.lend_stash(records_max, visit);
            self.serve()?;
            return Ok(count);
        }
        let consumer = self.consumer()?;
        let mut faults = Vec::new();
        let mut received = None;
        let mut count = 0;
        let mut wait = wait;
        // The second bound is for a client that has nothing but faults to tell.
        while count < records_max && faults.len() < 16 {
            match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let received = *received.get_or_insert_with(|| self.clock.wall());
                    lend(&message, received, visit);
                    count += 1;
                }
                Some(Err(fault)) => faults.push(fault),
            }
            wait = Duration::ZERO;
        }
        for fault in &faults {
            self.note(fault)?;
        }
        self.serve()?;
        Ok(count)
    }

    fn event(&mut self) -> Option<SourceEvent> {
        self.events.pop_front()
    }

    fn pause(&mut self) -> Result<(), SourceError> {
        self.flow = Flow::Paused;
        self.consumer()?.pause(&self.owned_list()?).map_err(client_error)
    }

    fn resume(&mut self) -> Result<(), SourceError> {
        self.flow = Flow::Running;
        self.consumer()?.resume(&self.owned_list()?).map_err(client_error)
    }

    fn commit(
        &mut self,
        watermarks: &[(Partition, i64)],
        mode: CommitMode,
    ) -> Result<(), SourceError> {
        if !watermarks.is_empty() {
            for (partition, watermark) in watermarks {
                self.membership.done(partition, *watermark);
                self.unconfirmed.remove(partition);
            }
            self.commit_now(watermarks)?;
        }
        match mode {
            CommitMode::Async => Ok(()),
            CommitMode::Sync => self.wait_for_commits(),
        }
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        let steps = self.membership.release(partitions);
        self.take_steps(steps)
    }

    fn close(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        let callbacks = Arc::clone(consumer.context());
        callbacks.close();
        self.stash.clear();
        self.events.clear();
        // The group may wait for an answer that nobody would give any more; closing would wait
        // with it. What is refused here was no open question.
        let answer = |given: rdkafka::error::KafkaResult<()>| {
            if let Err(fault) = given {
                tracing::debug!(%fault, "an answer to the group was not needed");
            }
        };
        if let Some(partitions) = self.membership.close()
            && let Ok(list) = start::list(&partitions, Offset::Invalid)
        {
            answer(consumer.incremental_unassign(&list));
        }
        let unanswered = callbacks.take_rebalances();
        if self.membership.asked().is_some() || !unanswered.is_empty() {
            answer(consumer.incremental_assign(&TopicPartitionList::new()));
            answer(consumer.incremental_unassign(&TopicPartitionList::new()));
        }
        // Leaves the group; the callbacks give the partitions back.
        drop(consumer);
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KafkaSource")
            .field("membership", &self.membership)
            .finish_non_exhaustive()
    }
}

/// What this source relies on, whatever else is configured.
fn configured(mut config: ClientConfig) -> ClientConfig {
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "false");
    if config.get("statistics.interval.ms").is_none() {
        config.set("statistics.interval.ms", "1000");
    }
    config
}

/// A commit that met a rebalance: its records are read again by whoever owns them now.
fn is_lost_race(code: Code) -> bool {
    matches!(
        code,
        Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::StaleMemberEpoch
            | Code::AssignmentLost
            | Code::NoOffset
    )
}

fn client_error(fault: KafkaError) -> SourceError {
    SourceError::Client(fault.to_string())
}

/// Lends one record.
fn lend<M: Message>(message: &M, received: Timestamp, visit: &mut impl FnMut(&Record<'_>)) {
    visit(&Record {
        payload: message.payload(),
        key: message.key(),
        headers: &MessageHeaders(message),
        position: Position {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
        },
        timestamp: message.timestamp().to_millis().map(Timestamp::from_millis),
        received,
    });
}

/// Headers are parsed by the client library when they are first asked for, so a record that needs
/// no output pays nothing for them.
struct MessageHeaders<'a, M>(&'a M);

impl<M: Message> Headers for MessageHeaders<'_, M> {
    fn count(&self) -> usize {
        self.0.headers().map_or(0, rdkafka::message::Headers::count)
    }

    fn at(&self, index: usize) -> Option<Header<'_>> {
        let headers = self.0.headers()?;
        // The client library panics on a name that is not UTF-8, which any producer can send. The
        // name cannot be had then, nor the value; the record must not be lost over it.
        let found = catch_unwind(AssertUnwindSafe(|| headers.try_get(index)));
        match found {
            Ok(header) => header.map(|header| Header { name: header.key, value: header.value }),
            Err(_) => Some(Header { name: "ouzel.unreadable-header-name", value: None }),
        }
    }
}
