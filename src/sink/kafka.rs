//! Outputs to Kafka.
//!
//! One producer per worker: no lock and no token is shared between workers, and a worker's outputs
//! are acknowledged to the worker that waits for them. A producer costs a few threads of the
//! client library and the memory of what is in its queue, which the configuration bounds: with its
//! consumer, an idle worker took 18 MB and 8 threads (one broker, 1, 2 and 4 workers, 2026-11-25).
//!
//! With a transactional id, outputs are sent in transactions; see [`transactor`].
//!
//! Taken is not delivered: only the broker's confirmation is, and it comes back from
//! [`Sink::poll`]. `flush` of the client library is not used: it waits 100 ms whenever anything
//! is in flight.
//!
//! Outputs that are recalled are taken out of the library's queue again. That tears a gap into the
//! sequence that an idempotent producer numbers its records by, so once nothing is in flight
//! another producer takes its place.

mod class;
mod gathering;
mod transactor;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use super::{
    Delivery, DeliveryFault, FaultClass, Output, SendError, Settled, Sink, Target, Token,
    TransactionFault,
};
use crate::clock::Clock;
use crate::config::settings::{ClusterSettings, OutputSettings};
use crate::kafka::context::{Delivered, Failure};
use crate::kafka::{Enlisted, ProducerCallbacks};
use crate::record::OutputHeader;
use gathering::Gathering;
use transactor::{Done, EndBy, Transactor};

/// How long the client library is waited for at a time: its own wait does not end early.
const POLL: Duration = Duration::from_millis(1);

/// How often the queue is emptied while outputs are recalled: what was on its way may come back to
/// it, and each time costs every broker's thread a little.
const PURGE_EVERY: Duration = Duration::from_millis(10);

/// After so long without a report, a transaction is asked whether it has failed: one that has may
/// leave its outputs where they are, and reports nothing.
const SILENCE: Duration = Duration::from_millis(200);

/// How long the topics' metadata may take at the start.
const METADATA: Duration = Duration::from_secs(5);

/// Topic names by target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    /// The alert topic.
    pub alerts: String,
    /// The overflow topic; `None`: the alert topic.
    pub overflow: Option<String>,
    /// The dead-letter topic; `None`: discarded.
    pub dead_letters: Option<String>,
    /// The audit topic; `None`: discarded.
    pub audit: Option<String>,
}

impl Topics {
    /// The topics that the configuration names.
    #[must_use]
    pub fn of(output: &OutputSettings) -> Self {
        Self {
            alerts: output.alerts.clone(),
            overflow: output.overflow.clone(),
            dead_letters: output.dead_letters.clone(),
            audit: output.audit.clone(),
        }
    }

    /// Every topic, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let others = [&self.overflow, &self.dead_letters, &self.audit];
        let mut names = vec![&*self.alerts];
        names.extend(others.into_iter().flatten().map(String::as_str));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn of_target(&self, target: Target) -> Option<&str> {
        match target {
            Target::Alerts => Some(&self.alerts),
            Target::Overflow => Some(self.overflow.as_deref().unwrap_or(&self.alerts)),
            Target::DeadLetters => self.dead_letters.as_deref(),
            Target::Audit => self.audit.as_deref(),
        }
    }
}

/// What a sink is opened with.
#[derive(Clone, Debug)]
pub struct KafkaSinkOptions {
    /// The name of the client in logs.
    pub name: String,
    /// The producer's configuration.
    pub config: ClientConfig,
    /// The cluster, for what cannot be configured (tokens).
    pub cluster: ClusterSettings,
    /// Where outputs go.
    pub topics: Topics,
    /// Whether alerts spread over all partitions of their topic, as their ids do.
    pub alerts_spread: bool,
}

type Client = BaseProducer<ProducerCallbacks>;

/// A producer.
pub struct KafkaSink {
    producer: Arc<Client>,
    /// Where the configuration names a transactional id.
    transactions: Option<Transactions>,
    options: KafkaSinkOptions,
    clock: Arc<dyn Clock>,
    /// While outputs are recalled: when the queue is emptied next, on the monotonic clock.
    recalled: Option<Duration>,
    gathering: Gathering,
    /// Sent and not reported yet.
    in_flight: usize,
    /// For targets that are discarded: taken, and reported at the next poll.
    discarded: Vec<Token>,
    /// Used again and again.
    delivered: Vec<Delivered>,
}

/// What is kept of transactions.
struct Transactions {
    transactor: Transactor,
    /// Whether a commit or an abort is under way.
    is_settling: bool,
    /// Whether an output of the transaction failed.
    has_failed: bool,
    /// When something was sent or reported last, or asked for, on the monotonic clock.
    heard_at: Duration,
}

impl KafkaSink {
    /// Opens a producer, takes it in where it has a transactional id, and fetches the topics' metadata, so that the first alert does not wait
    /// for it.
    ///
    /// # Errors
    /// When the client library does not take the configuration, or the topics cannot be asked for.
    pub fn open(options: KafkaSinkOptions, clock: Arc<dyn Clock>) -> Result<Self, SendError> {
        let producer = producer(&options)?;
        let mut partitions = 0;
        for name in options.topics.names() {
            let found = producer.client().fetch_metadata(Some(name), METADATA).map_err(refused)?;
            let topic = found.topics().iter().find(|topic| topic.name() == options.topics.alerts);
            partitions = topic.map_or(partitions, |topic| topic.partitions().len());
        }
        let transactions = match options.config.get("transactional.id") {
            None => None,
            Some(_) => {
                transactor::take_in(&producer, &options, &*clock)?;
                let transactor =
                    Transactor::start(options.clone(), Arc::clone(&clock)).map_err(refused)?;
                let heard_at = clock.monotonic();
                Some(Transactions { transactor, is_settling: false, has_failed: false, heard_at })
            }
        };
        let linger = options.config.get("linger.ms").and_then(|ms| ms.parse().ok());
        let linger = Duration::from_millis(linger.unwrap_or_default());
        let spread = if options.alerts_spread { partitions } else { 1 };
        Ok(Self {
            producer: Arc::new(producer),
            transactions,
            options,
            clock,
            recalled: None,
            gathering: Gathering::new(linger, spread),
            in_flight: 0,
            discarded: Vec::new(),
            delivered: Vec::new(),
        })
    }

    /// Records in the producer's queue or on their way.
    #[must_use]
    pub fn queued(&self) -> u64 {
        u64::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }

    /// Whether no broker of the output cluster can be reached.
    #[must_use]
    pub fn brokers_down(&self) -> bool {
        self.producer.context().brokers_down()
    }

    /// Reports what has come back; says how much that was.
    fn report(&mut self, done: &mut impl FnMut(Token, Delivery)) -> usize {
        let mut count = self.discarded.len();
        for token in self.discarded.drain(..) {
            done(token, Delivery::Delivered);
        }
        self.producer.context().take_delivered(&mut self.delivered);
        count += self.delivered.len();
        self.in_flight = self.in_flight.saturating_sub(self.delivered.len());
        if let Some(transactions) = &mut self.transactions
            && count > 0
        {
            transactions.heard_at = self.clock.monotonic();
            transactions.has_failed |= self.delivered.iter().any(|it| it.failure.is_some());
        }
        for Delivered { token, failure } in self.delivered.drain(..) {
            let is_purged = failure.as_ref().is_some_and(|it| it.code == Some(Code::PurgeQueue));
            let delivery = match failure.map(|failure| fault(&self.producer, failure)) {
                None => Delivery::Delivered,
                Some(_) if is_purged => Delivery::Recalled,
                // Another producer sends it again, whatever this one cannot go on for.
                Some(fault) if self.recalled.is_some() && fault.class == FaultClass::Fatal => {
                    Delivery::Recalled
                }
                Some(fault) => Delivery::Failed(fault),
            };
            done(token as Token, delivery);
        }
        count
    }

    /// While outputs are recalled: empties the queue, again and again, because what was on its way
    /// may come back to it.
    fn purge(&mut self) {
        let Some(due) = self.recalled else { return };
        let now = self.clock.monotonic();
        if self.in_flight > 0 && now >= due {
            self.recalled = Some(now + PURGE_EVERY);
            self.producer.purge(PurgeConfig::default().queue().non_blocking());
        }
    }

    /// Puts another producer in the place of one whose outputs were recalled.
    fn replace(&mut self) -> Result<(), SendError> {
        let new = producer(&self.options)?;
        self.recalled = None;
        self.install(Arc::new(new));
        Ok(())
    }

    fn install(&mut self, new: Arc<Client>) {
        let old = std::mem::replace(&mut self.producer, new);
        // Closing may wait for a broker that does not answer. Nothing that matters is in it any
        // more, so nobody waits for that; where no thread is to be had, it is closed here.
        drop(std::thread::Builder::new().spawn(move || drop(old)));
    }
}

impl Sink for KafkaSink {
    type Enlisted = Enlisted;

    fn send(&mut self, output: &Output<'_>, token: Token) -> Result<(), SendError> {
        if self.recalled.is_some() {
            if self.in_flight > 0 {
                return Err(SendError::QueueFull);
            }
            self.replace()?;
        }
        let Some(topic) = self.options.topics.of_target(output.target) else {
            self.discarded.push(token);
            return Ok(());
        };
        let opaque = usize::try_from(token)
            .map_err(|_| refused("this machine has no room for the token"))?;
        let record = BaseRecord::<[u8], [u8], usize> {
            topic,
            partition: None,
            payload: output.value,
            key: output.key,
            timestamp: Some(output.timestamp_ms),
            headers: headers(output.headers),
            delivery_opaque: opaque,
        };
        match self.producer.send(record) {
            Ok(()) => {
                if self.in_flight == 0 {
                    self.heard();
                }
                self.in_flight += 1;
                self.gathering.sent(self.clock.monotonic());
                Ok(())
            }
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Err(SendError::QueueFull),
            // The transaction has failed; a report, or else silence, tells why.
            Err((KafkaError::MessageProduction(Code::State), _)) if self.transactions.is_some() => {
                Err(SendError::QueueFull)
            }
            Err((fault, _)) => Err(self.refusal(topic, &fault)),
        }
    }

    fn poll(&mut self, wait: Duration, done: &mut impl FnMut(Token, Delivery)) {
        let until = self.clock.monotonic() + wait;
        self.purge();
        // One call serves one event of the client library; each event may hold many deliveries.
        self.producer.poll(Duration::ZERO);
        loop {
            if self.report(done) > 0 {
                // More may be at hand, and costs no wait.
                self.producer.poll(Duration::ZERO);
                while self.report(done) > 0 {
                    self.producer.poll(Duration::ZERO);
                }
                break;
            }
            let left = until.saturating_sub(self.clock.monotonic());
            if (self.in_flight == 0 && !self.is_settling()) || left.is_zero() {
                break;
            } else {
                self.producer.poll(left.min(POLL));
                if self.is_settling() {
                    // It may have ended meanwhile.
                    break;
                }
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.gathering.is_over(self.in_flight, || self.clock.monotonic())
    }

    fn recall(&mut self) {
        if self.in_flight > 0 && self.recalled.is_none() {
            self.recalled = Some(Duration::ZERO);
            self.purge();
        }
    }

    fn begin(&mut self) -> Result<(), TransactionFault> {
        if let Some(transactions) = &mut self.transactions {
            transactions.has_failed = false;
        }
        self.producer.begin_transaction().map_err(|fault| self.transaction_fault(&fault))
    }

    fn commit(&mut self, enlisted: Enlisted) {
        if let Some(transactions) = &mut self.transactions {
            transactions.is_settling = true;
            transactions.transactor.commit(&self.producer, enlisted);
        }
    }

    fn abort(&mut self) {
        self.discarded.clear();
        if let Some(transactions) = &mut self.transactions {
            transactions.is_settling = true;
            // An output that failed, or is still under way, leaves a gap in the numbers that the
            // broker expects of this producer; and the library may wait for it without end.
            let by = match self.in_flight > 0 || transactions.has_failed {
                true => EndBy::AnotherProducer,
                false => EndBy::Abort,
            };
            transactions.transactor.abort(&self.producer, by);
        }
    }

    fn settled(&mut self) -> Option<Settled> {
        let transactions = self.transactions.as_mut()?;
        if !transactions.is_settling {
            return self.ask_the_silent();
        }
        let Done { settled, client } = transactions.transactor.settled()?;
        transactions.is_settling = false;
        if let Some(client) = client {
            self.install(client);
            self.in_flight = 0;
        }
        Some(settled)
    }
}

impl KafkaSink {
    fn is_settling(&self) -> bool {
        self.transactions.as_ref().is_some_and(|transactions| transactions.is_settling)
    }

    fn heard(&mut self) {
        if let Some(transactions) = &mut self.transactions {
            transactions.heard_at = self.clock.monotonic();
        }
    }

    fn transaction_fault(&self, fault: &KafkaError) -> TransactionFault {
        TransactionFault {
            class: transactor::class(fault),
            why: transactor::plain(fault, &self.options),
        }
    }

    /// Where outputs are under way and nothing is heard of them: whether the transaction has
    /// failed. Beginning another one is what the library refuses, with the reason.
    fn ask_the_silent(&mut self) -> Option<Settled> {
        let now = self.clock.monotonic();
        let heard_at = self.transactions.as_ref()?.heard_at;
        if self.in_flight == 0 || now < heard_at + SILENCE {
            return None;
        }
        self.heard();
        match self.producer.begin_transaction() {
            Err(KafkaError::Transaction(fault))
                if fault.txn_requires_abort() || fault.is_fatal() =>
            {
                let fault = KafkaError::Transaction(fault);
                Some(Settled::MustAbort(self.transaction_fault(&fault)))
            }
            _ => None,
        }
    }
}

fn producer(options: &KafkaSinkOptions) -> Result<Client, SendError> {
    let callbacks = ProducerCallbacks::new(&options.name, &options.cluster);
    let producer: Client = options.config.create_with_context(callbacks).map_err(refused)?;
    // Tokens are asked for inside `poll` only.
    producer.poll(POLL);
    Ok(producer)
}

impl KafkaSink {
    fn refusal(&self, topic: &str, error: &KafkaError) -> SendError {
        let code = error.rdkafka_error_code();
        let why = code.map_or_else(|| error.to_string(), |code| code.to_string());
        let failure = Failure { code, why: format!("topic {topic}: {why}") };
        SendError::Refused(fault(&self.producer, failure))
    }
}

/// The failure with its class. A producer with a fatal fault fails everything from then on, and
/// what it says then hides the cause.
fn fault(producer: &Client, failure: Failure) -> DeliveryFault {
    match producer.client().fatal_error() {
        Some((_, text)) => DeliveryFault::fatal(format!("the producer cannot go on: {text}")),
        None => DeliveryFault { class: class::of(failure.code), why: failure.why },
    }
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KafkaSink").field("topics", &self.options.topics).finish_non_exhaustive()
    }
}

fn headers(headers: &[OutputHeader]) -> Option<OwnedHeaders> {
    if headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(headers.len());
    Some(
        headers.iter().fold(empty, |owned, (key, value)| {
            owned.insert(Header { key, value: value.as_deref() })
        }),
    )
}

fn refused(why: impl ToString) -> SendError {
    SendError::Refused(DeliveryFault::fatal(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics { alerts: "alerts".to_owned(), ..Topics::default() }
    }

    #[test]
    fn overflow_falls_back_to_the_alert_topic() {
        assert_eq!(topics().of_target(Target::Overflow), Some("alerts"));
        let own = Topics { overflow: Some("more".to_owned()), ..topics() };
        assert_eq!(own.of_target(Target::Overflow), Some("more"));
        assert_eq!(own.names(), ["alerts", "more"]);
    }

    #[test]
    fn targets_without_a_topic_are_discarded() {
        assert_eq!(topics().of_target(Target::DeadLetters), None);
        assert_eq!(topics().of_target(Target::Audit), None);
        let shared = Topics { audit: Some("alerts".to_owned()), ..topics() };
        assert_eq!(shared.names(), ["alerts"]);
    }
}
