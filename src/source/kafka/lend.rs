//! Taking records and lending them: from the client library's memory, and from what was kept while a
//! commit was waited for.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rdkafka::client::ClientContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Headers as _, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{Flow, KafkaSource, client_error, start};
use crate::kafka::{ConsumerCallbacks, Lent, PartitionFault, RecordQueue, Size};
use crate::record::{Header, Headers, Position, Record, Timestamp};
use crate::source::{Partition, SourceError};

/// Owned partitions are claimed again so often: the library takes a claim away when it stops a
/// partition's fetcher, and then its records wait for the next one.
const CLAIM_EVERY: Duration = Duration::from_millis(250);

/// The same while an assignment is new, which may have stopped and begun a partition at once.
const CLAIM_OFTEN: Duration = Duration::from_millis(10);

/// How long an assignment is new.
const CLAIM_OFTEN_FOR: Duration = Duration::from_secs(2);

/// So many records share one reading of the clock: it costs a tenth of a clean record, and the last of
/// a batch that is slow to judge may not have been written yet when the first one came.
const RECORDS_PER_READING: usize = 32;

/// Most faults of the client that one poll looks at: a client that has nothing else to tell must
/// not keep the worker from its other duties.
const FAULTS_MAX: usize = 16;

/// So long after the last fault of a partition, records are taken in batches again.
const CALM_AFTER: Duration = Duration::from_secs(30);

/// When the owned partitions' queues are claimed again, on the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Claims {
    next: Duration,
    /// Until then the library may be stopping a fetcher that was asked to begin again.
    often_until: Duration,
}

/// Where a partition stands that the library has further, because of a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stands {
    /// The first offset that was not lent.
    pub at: i64,
    /// Where the library has it.
    counted: Offset,
}

/// What one poll took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Records lent.
    pub count: usize,
    /// What the client said beside them.
    pub faults: Vec<KafkaError>,
}

impl Taken {
    fn is_full(&self, records_max: usize) -> bool {
        self.count >= records_max || self.faults.len() >= FAULTS_MAX
    }
}

impl KafkaSource {
    /// Takes what is at hand: whatever is no record first, and records that came before their
    /// partition's queue was claimed; what callbacks noted comes before any further record.
    pub(super) fn take(
        &mut self,
        wait: Duration,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<Taken, SourceError> {
        if self.flow == Flow::Paused {
            return self.take_others(wait, records_max, visit);
        }
        if self.records.as_ref().is_some_and(RecordQueue::has_other) {
            // Records may come meanwhile, and end no wait there.
            return self.take_others(Duration::ZERO, records_max, visit);
        }
        let mut taken = Taken::default();
        let mut received = Timestamp::default();
        let mut wait = wait;
        while !taken.is_full(records_max) && self.fetch(wait)? {
            let (Some(consumer), Some(records)) = (&self.consumer, &mut self.records) else {
                return Ok(taken);
            };
            while !taken.is_full(records_max)
                && let Some(fetched) = records.pop()
            {
                match fetched.record() {
                    Ok(record) => {
                        if taken.count % RECORDS_PER_READING == 0 {
                            received = self.clock.wall();
                        }
                        taken.count += 1;
                        if lend_fetched(record, received, visit).is_break() {
                            return Ok(taken);
                        }
                    }
                    Err(fault) if fault.code == Code::TopicAuthorizationFailed => {
                        self.forbidden.hear(&fault.topic);
                        told(consumer, fault);
                    }
                    Err(fault) => taken.faults.push(told(consumer, fault)),
                }
            }
            wait = Duration::ZERO;
        }
        Ok(taken)
    }

    /// Whether something is at hand. Nothing is lent before what a fault counted is put right.
    fn fetch(&mut self, wait: Duration) -> Result<bool, SourceError> {
        let Some(records) = &mut self.records else { return Ok(false) };
        let is_calm = self.calm_from.is_none_or(|from| self.clock.monotonic() >= from);
        let size = if is_calm { Size::Batch } else { Size::One };
        let is_some = records.fetch(size, wait);
        if !self.stands.is_empty() || records.faults().next().is_some() {
            self.stand_still()?;
        }
        Ok(is_some)
    }

    /// Puts the reader of a partition back to where it stands, where the library counts a fault as a
    /// record that was consumed: at its next pause it would go on behind a record that nobody got.
    /// Records are taken one by one for a while then: so taken, a fault counts nothing.
    fn stand_still(&mut self) -> Result<(), SourceError> {
        let (Some(consumer), Some(records)) = (&self.consumer, &self.records) else {
            return Ok(());
        };
        // What was waited for has come.
        self.stands.retain(|Partition { topic, partition }, stands| {
            records.behind_last(topic, *partition).is_none_or(|behind| behind <= stands.at)
        });
        let mut faults = records.faults().peekable();
        if faults.peek().is_none() {
            return Ok(());
        }
        self.calm_from = Some(self.clock.monotonic() + CALM_AFTER);
        let positions = consumer.position().map_err(client_error)?;
        for Position { topic, partition, offset } in faults {
            let is_its = |name: &Partition| name.partition == partition && *name.topic == *topic;
            let mut owned = self.membership.owned().iter();
            let Some((name, owned)) = owned.find(|(name, _)| is_its(name)) else { continue };
            let at = records.behind_last(topic, partition).unwrap_or(owned.from);
            // Both are one more than what the fault says: an offset, or that there is none.
            let counted = match offset {
                0.. => Offset::Offset(offset + 1),
                _ => Offset::Stored,
            };
            let found = positions.find_partition(topic, partition).map(|found| found.offset());
            if found == Some(counted) && counted != Offset::Offset(at) {
                self.stands.insert(name.clone(), Stands { at, counted });
            }
        }
        self.seek_back(&positions)
    }

    /// Seeks back to where partitions stand that the library still has further. Where a partition is
    /// not being fetched this is refused; where the library pauses it just then it may be lost: it is
    /// looked at again until it is right.
    fn seek_back(&self, positions: &TopicPartitionList) -> Result<(), SourceError> {
        let is_wrong = |(Partition { topic, partition }, stands): &(&Partition, &Stands)| {
            let found = positions.find_partition(topic, *partition);
            found.is_some_and(|found| found.offset() == stands.counted)
        };
        let wrong = self.stands.iter().filter(is_wrong);
        let back: Vec<_> = wrong.map(|(name, stands)| (name.clone(), stands.at)).collect();
        if back.is_empty() {
            return Ok(());
        }
        let list = start::list_at(&back).map_err(client_error)?;
        self.consumer()?.seek_partitions(list, Duration::ZERO).map_err(client_error)?;
        Ok(())
    }

    /// Serves the consumer's own queue. What is fetched stays where it is, and a record that comes
    /// while nothing is to be lent is kept.
    fn take_others(
        &mut self,
        wait: Duration,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<Taken, SourceError> {
        let mut taken = Taken::default();
        let (Some(consumer), Some(records)) = (&self.consumer, &mut self.records) else {
            return Ok(taken);
        };
        let mut wait = wait;
        while !taken.is_full(records_max) {
            match consumer.poll(wait) {
                // Nothing at hand, or a callback was served: what it noted comes first.
                None => break,
                Some(Ok(message)) if self.flow == Flow::Paused => {
                    self.stash.push_back(message.detach());
                }
                Some(Ok(message)) => {
                    taken.count += 1;
                    records.handed_out(position(&message));
                    if lend(&message, self.clock.wall(), visit).is_break() {
                        break;
                    }
                }
                Some(Err(fault)) => {
                    self.calm_from = Some(self.clock.monotonic() + CALM_AFTER);
                    taken.faults.push(fault);
                }
            }
            if !records.has_other() {
                break;
            }
            wait = Duration::ZERO;
        }
        Ok(taken)
    }

    /// Lends what came while a commit was waited for.
    pub(super) fn lend_stash(
        &mut self,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> usize {
        let received = self.clock.wall();
        let mut count = 0;
        while count < records_max
            && let Some(message) = self.stash.pop_front()
        {
            count += 1;
            if let Some(records) = &mut self.records {
                records.handed_out(position(&message));
            }
            if lend(&message, received, visit).is_break() {
                break;
            }
        }
        count
    }

    /// Forgets what was fetched and not lent of these partitions.
    pub(super) fn forget_fetched(&mut self, partitions: &[Partition]) {
        let is_gone = |name: Position<'_>| {
            let mut gone = partitions.iter();
            gone.any(|gone| gone.partition == name.partition && *gone.topic == *name.topic)
        };
        self.stands.retain(|name, _| !partitions.contains(name));
        self.stash.retain(|message| !is_gone(position(message)));
        if let Some(records) = &mut self.records {
            records.forget(is_gone);
        }
    }

    /// Forgets all that was fetched and not lent.
    pub(super) fn forget_all_fetched(&mut self) {
        self.stash.clear();
        self.stands.clear();
        if let Some(records) = &mut self.records {
            records.forget(|_| true);
        }
    }

    /// Claims the queues of partitions that begin.
    pub(super) fn claim_new(&mut self, positions: &[(Partition, i64)]) {
        let now = self.clock.monotonic();
        self.claims = Claims { next: now + CLAIM_OFTEN, often_until: now + CLAIM_OFTEN_FOR };
        self.claim(positions.iter().map(|(partition, _)| partition));
    }

    /// Claims the queues of owned partitions again, when it is time to; how long until the next time.
    ///
    /// # Errors
    /// As the client says.
    pub(super) fn claim_again(&mut self) -> Result<Duration, SourceError> {
        let now = self.clock.monotonic();
        if now >= self.claims.next {
            self.claim(self.membership.owned().keys());
            if !self.stands.is_empty() {
                self.seek_back(&self.consumer()?.position().map_err(client_error)?)?;
            }
            let often = now < self.claims.often_until;
            self.claims.next = now + if often { CLAIM_OFTEN } else { CLAIM_EVERY };
        }
        Ok(self.claims.next.saturating_sub(now))
    }

    fn claim<'a>(&self, partitions: impl IntoIterator<Item = &'a Partition>) {
        let (Some(consumer), Some(records)) = (&self.consumer, &self.records) else { return };
        for Partition { topic, partition } in partitions {
            records.claim(consumer, topic, *partition);
        }
    }
}

/// A fault of a partition, told as the wrapper tells those that come by the consumer's own queue.
fn told(consumer: &BaseConsumer<ConsumerCallbacks>, fault: PartitionFault) -> KafkaError {
    let PartitionFault { code, reason, .. } = fault;
    consumer.context().error(KafkaError::Global(code), &reason);
    KafkaError::MessageConsumption(code)
}

/// Stands for a header's name that is not UTF-8, which any producer can send; its value is left out.
const UNREADABLE: Header<'static> = Header { name: "ouzel.unreadable-header-name", value: None };

/// Lends one record from the library's memory.
fn lend_fetched(
    message: Lent<'_>,
    received: Timestamp,
    visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    visit(&Record {
        payload: message.payload(),
        key: message.key(),
        headers: &FetchedHeaders(message),
        position: message.position(),
        timestamp: message.timestamp().map(Timestamp::from_millis),
        received,
    })
}

/// Headers are parsed by the client library when they are first asked for, so a record that needs
/// no output pays nothing for them.
struct FetchedHeaders<'a>(Lent<'a>);

impl Headers for FetchedHeaders<'_> {
    fn count(&self) -> usize {
        self.0.headers()
    }

    fn at(&self, index: usize) -> Option<Header<'_>> {
        let (name, value) = self.0.header(index)?;
        Some(str::from_utf8(name).map_or(UNREADABLE, |name| Header { name, value }))
    }
}

fn position<M: Message>(message: &M) -> Position<'_> {
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    Position { topic, partition, offset }
}

/// Lends one record that the wrapper handed out.
fn lend<M: Message>(
    message: &M,
    received: Timestamp,
    visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    visit(&Record {
        payload: message.payload(),
        key: message.key(),
        headers: &MessageHeaders(message),
        position: position(message),
        timestamp: message.timestamp().to_millis().map(Timestamp::from_millis),
        received,
    })
}

/// Parsed when they are first asked for, as above.
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
            Err(_) => Some(UNREADABLE),
        }
    }
}
