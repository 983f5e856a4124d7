//! Records from Kafka.
//!
//! One consumer, driven by one worker thread. Payload, key and headers are lent straight from the
//! client library's buffers, which hands them out in batches ([`RecordQueue`]). Offsets move only by
//! [`Source::commit`]: the library commits and stores nothing by itself, and an offset that does not
//! exist is reported, never silently reset.
//!
//! What must never happen here: a wait inside a callback, a question of the group left without an
//! answer, a list of the client library that outlives the consumer (that blocks its end).

mod commits;
mod forbidden;
mod group;
mod lend;
mod membership;
mod reach;
mod start;
mod transaction;
mod unreadable;

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::OwnedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{CommitMode, Partition, Rewind, Source, SourceError, SourceEvent};
use crate::clock::Clock;
use crate::config::settings::{ClusterSettings, Guarantee, Settings, Start};
use crate::kafka::settings::consumer;
use crate::kafka::statistics::Figures;
use crate::kafka::{CommitQueue, ConsumerCallbacks, Enlisted, RecordQueue};
use crate::record::Record;
use forbidden::Forbidden;
use lend::{Claims, Stands};
use membership::Membership;
use reach::Reach;
use unreadable::{ScoutOptions, Unreadable};

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
    /// With exactly-once, offsets are committed by the sink's transactions.
    pub guarantee: Guarantee,
}

impl KafkaSourceOptions {
    /// What the source of worker `worker`, counted from 0, is opened with.
    #[must_use]
    pub fn of_worker(settings: &Settings, worker: usize) -> Self {
        Self {
            name: format!("consumer {worker}"),
            config: consumer(settings, worker),
            cluster: settings.kafka.clone(),
            topics: settings.input.topics.clone(),
            start: settings.input.start,
            guarantee: settings.delivery.guarantee,
        }
    }
}

/// A member of a consumer group.
pub struct KafkaSource {
    /// `None` once closed.
    consumer: Option<BaseConsumer<ConsumerCallbacks>>,
    /// `None` once closed; dropped before the consumer.
    commits: Option<CommitQueue>,
    /// `None` once closed; dropped before the consumer.
    records: Option<RecordQueue>,
    claims: Claims,
    /// Where a partition stands that the library has further, because of a fault.
    stands: BTreeMap<Partition, Stands>,
    /// Until then records are taken one by one, on the monotonic clock.
    calm_from: Option<Duration>,
    clock: Arc<dyn Clock>,
    start: Start,
    guarantee: Guarantee,
    membership: Membership,
    events: VecDeque<SourceEvent>,
    joined: bool,
    /// Whether it was a member once: from then on what it may not do is waited out.
    was_joined: bool,
    /// Every topic is a regular expression: none of them need exist.
    waits_for_match: bool,
    /// Whether a member may well have nothing to be assigned, and no assignment says so.
    may_idle: bool,
    /// Whether the library has to be told to leave the group where no partition is owned.
    must_leave: bool,
    flow: Flow,
    brokers_down: bool,
    figures: Figures,
    figures_seen: u64,
    offset_resets: u64,
    /// Commits whose outcome is not known yet.
    commits_open: usize,
    /// Start positions that no commit has confirmed yet.
    unconfirmed: start::Offsets,
    /// The committed offsets are to be found out, to go back to them.
    goes_back: bool,
    /// Some offset is out of range; which one is to be found out.
    out_of_range: bool,
    /// Batches that cannot be unpacked.
    unreadable: Unreadable,
    /// Topics that may not be read any more.
    forbidden: Forbidden,
    /// Partitions whose broker cannot be reached.
    reach: Reach,
    /// Topics that were asked for by their names, each with its first partition.
    named: Vec<Partition>,
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
            options.config.create_with_context(callbacks).map_err(client_error)?;
        let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(client_error)?;
        let no_memory = || SourceError::Client("no memory for a queue".to_owned());
        let commits = CommitQueue::of(&consumer).ok_or_else(no_memory)?;
        let records = RecordQueue::of(&consumer).ok_or_else(no_memory)?;
        let may_idle = options.config.get("group.protocol") == Some("consumer");
        // A static member stays when it ends: it is to find its partitions again.
        let must_leave = !may_idle && options.config.get("group.instance.id").is_none();
        let waits_for_match = topics.iter().all(|topic| topic.starts_with('^'));
        let named = topics.iter().filter(|topic| !topic.starts_with('^'));
        let named = named.map(|topic| Partition { topic: (*topic).into(), partition: 0 }).collect();
        let KafkaSourceOptions { name, config, cluster, start, guarantee, .. } = options;
        let scouts = ScoutOptions { name, config, cluster };
        Ok(Self {
            consumer: Some(consumer),
            commits: Some(commits),
            records: Some(records),
            claims: Claims::default(),
            stands: BTreeMap::new(),
            calm_from: None,
            clock,
            start,
            guarantee,
            membership: Membership::default(),
            events: VecDeque::new(),
            joined: false,
            was_joined: false,
            // With the `consumer` protocol, a member is told of an assignment only where there is one.
            may_idle,
            must_leave,
            waits_for_match,
            flow: Flow::Running,
            brokers_down: false,
            figures: Figures::default(),
            figures_seen: 0,
            offset_resets: 0,
            commits_open: 0,
            unconfirmed: start::Offsets::new(),
            goes_back: false,
            out_of_range: false,
            unreadable: Unreadable::new(scouts.clone()),
            forbidden: Forbidden::new(scouts),
            reach: Reach::default(),
            named,
            ask_at: Duration::ZERO,
            stash: VecDeque::new(),
        })
    }

    /// Whether it is a member of its group, with or without partitions, or waits for a topic to
    /// match.
    #[must_use]
    pub const fn is_joined(&self) -> bool {
        self.joined || (self.may_idle && self.figures.idle)
    }

    /// Bytes fetched and not lent yet, as the client library last said.
    #[must_use]
    pub const fn fetched_bytes(&self) -> u64 {
        self.figures.fetched_bytes
    }

    /// How often the offset of a partition did not exist any more.
    #[must_use]
    pub const fn offset_resets(&self) -> u64 {
        self.offset_resets
    }

    /// How many batches that cannot be unpacked were met, each once.
    #[must_use]
    pub const fn unreadable_batches(&self) -> u64 {
        self.unreadable.count()
    }

    /// How many partitions stand before such a batch now.
    #[must_use]
    pub fn unreadable_partitions(&self) -> usize {
        self.unreadable.partitions()
    }

    /// How many topics may not be read any more.
    #[must_use]
    pub fn forbidden_topics(&self) -> usize {
        self.forbidden.topics()
    }

    /// How many owned partitions cannot be read because their broker has not been reached for a
    /// while, though others are.
    #[must_use]
    pub fn unreached_partitions(&self) -> usize {
        self.reach.partitions()
    }

    /// Per owned partition: records between the last watermark that was committed and the end of
    /// the log, as the client library last said where that is.
    pub fn lags(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.membership.lags(&self.figures.log_ends)
    }

    fn consumer(&self) -> Result<&BaseConsumer<ConsumerCallbacks>, SourceError> {
        self.consumer
            .as_ref()
            .ok_or_else(|| SourceError::Client("the consumer is closed".to_owned()))
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
            (_, Some(code)) if is_forbidden && !self.was_joined => {
                Err(SourceError::Client(format!("join the consumer group: {code}")))
            }
            (_, Some(Code::InconsistentGroupProtocol)) => {
                Err(SourceError::Client(OTHER_MEMBERS.to_owned()))
            }
            // Nothing matches the expression (yet). The client joins its group when something does;
            // until then it has what it can have.
            (_, Some(Code::UnknownTopicOrPartition)) if self.waits_for_match => {
                if !std::mem::replace(&mut self.joined, true) {
                    tracing::info!("no topic matches yet; waiting for one");
                }
                Ok(())
            }
            (_, Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)) => {
                self.out_of_range = true;
                self.ask_at = Duration::ZERO;
                Ok(())
            }
            // It does not say which topic.
            (_, Some(Code::TopicAuthorizationFailed)) => {
                self.named.iter().for_each(|named| self.forbidden.hear(&named.topic));
                Ok(())
            }
            (_, Some(code)) if unreadable::is_of_a_batch(code) => {
                self.unreadable.hear(self.clock.monotonic());
                Ok(())
            }
            _ => {
                tracing::debug!(%fault, "the consumer met a fault that passes by itself");
                Ok(())
            }
        }
    }

    fn owned_list(&self) -> Result<TopicPartitionList, SourceError> {
        let owned: Vec<_> = self.membership.owned().keys().cloned().collect();
        start::list(&owned, Offset::Invalid).map_err(client_error)
    }
}

/// Why a group does not take this member in.
const OTHER_MEMBERS: &str = "join the consumer group: its members share partitions out in another \
     way; after a change of delivery.guarantee or input.protocol all instances of the group have \
     to be stopped before the first one starts again";

impl Source for KafkaSource {
    type Enlisted = Enlisted;

    fn poll(
        &mut self,
        wait: Duration,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<usize, SourceError> {
        if !self.events.is_empty() {
            return Ok(0);
        }
        if !self.stash.is_empty() && self.flow == Flow::Running {
            return Ok(self.lend_stash(records_max, visit));
        }
        let wait = wait.min(self.claim_again()?);
        let taken = self.take(wait, records_max, visit)?;
        for fault in &taken.faults {
            self.note(fault)?;
        }
        self.serve()?;
        Ok(taken.count)
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
        for (partition, watermark) in watermarks {
            self.membership.done(partition, *watermark);
            self.unconfirmed.remove(partition);
        }
        self.commit_now(watermarks)?;
        match mode {
            CommitMode::Async => Ok(()),
            CommitMode::Sync => self.wait_for_commits(watermarks),
        }
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        let steps = self.membership.release(partitions);
        self.take_steps(steps)
    }

    fn enlist(&mut self, watermarks: &[(Partition, i64)]) -> Option<Enlisted> {
        self.enlist_watermarks(watermarks)
    }

    fn transacted(&mut self) {
        self.membership.transacted();
    }

    fn rewind(&mut self, known: Rewind) -> Result<(), SourceError> {
        self.go_back(known)
    }

    fn close(&mut self) {
        self.leave();
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.leave();
    }
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KafkaSource")
            .field("membership", &self.membership)
            .finish_non_exhaustive()
    }
}

fn client_error(fault: KafkaError) -> SourceError {
    SourceError::Client(fault.to_string())
}
