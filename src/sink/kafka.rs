//! Outputs to Kafka.
//!
//! One producer per worker: no lock and no token is shared between workers, and a worker's outputs
//! are acknowledged to the worker that waits for them. A producer costs a few threads of the
//! client library and the memory of what is in its queue, which the configuration bounds: with its
//! consumer, an idle worker took 18 MB and 8 threads (one broker, 1, 2 and 4 workers, 2026-11-25).
//!
//! Taken is not delivered: only the broker's confirmation is, and it comes back from
//! [`Sink::poll`]. `flush` of the client library is not used: it waits 100 ms whenever anything
//! is in flight.

mod class;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{Delivery, DeliveryFault, Output, SendError, Sink, Target, Token};
use crate::clock::Clock;
use crate::config::settings::{ClusterSettings, OutputSettings};
use crate::kafka::ProducerCallbacks;
use crate::kafka::context::{Delivered, Failure};

/// How long the client library is waited for at a time: its own wait does not end early.
const POLL: Duration = Duration::from_millis(1);

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
}

/// A producer.
pub struct KafkaSink {
    producer: BaseProducer<ProducerCallbacks>,
    clock: Arc<dyn Clock>,
    topics: Topics,
    /// Sent and not reported yet.
    in_flight: usize,
    /// For targets that are discarded: taken, and reported at the next poll.
    discarded: Vec<Token>,
    /// Used again and again.
    delivered: Vec<Delivered>,
}

impl KafkaSink {
    /// Opens a producer and fetches the topics' metadata, so that the first alert does not wait
    /// for it.
    ///
    /// # Errors
    /// When the client library does not take the configuration, or the topics cannot be asked for.
    pub fn open(options: KafkaSinkOptions, clock: Arc<dyn Clock>) -> Result<Self, SendError> {
        let callbacks = ProducerCallbacks::new(&options.name, &options.cluster);
        let producer: BaseProducer<ProducerCallbacks> =
            options.config.create_with_context(callbacks).map_err(refused)?;
        // Tokens are asked for inside `poll` only.
        producer.poll(POLL);
        for topic in options.topics.names() {
            producer.client().fetch_metadata(Some(topic), METADATA).map_err(refused)?;
        }
        Ok(Self {
            producer,
            clock,
            topics: options.topics,
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
        for Delivered { token, failure } in self.delivered.drain(..) {
            let delivery = match failure {
                None => Delivery::Delivered,
                Some(failure) => Delivery::Failed(fault(&self.producer, failure)),
            };
            done(token as Token, delivery);
        }
        count
    }
}

impl Sink for KafkaSink {
    fn send(&mut self, output: &Output<'_>, token: Token) -> Result<(), SendError> {
        let Some(topic) = self.topics.of_target(output.target) else {
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
                self.in_flight += 1;
                Ok(())
            }
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Err(SendError::QueueFull),
            Err((fault, _)) => Err(self.refusal(topic, &fault)),
        }
    }

    fn poll(&mut self, wait: Duration, done: &mut impl FnMut(Token, Delivery)) {
        let until = self.clock.monotonic() + wait;
        // One call serves one event of the client library; each event may hold many deliveries.
        self.producer.poll(Duration::ZERO);
        loop {
            let reported = self.report(done);
            let left = until.saturating_sub(self.clock.monotonic());
            if reported > 0 {
                // More may be at hand, and costs no wait.
                self.producer.poll(Duration::ZERO);
                if self.report(done) == 0 || left.is_zero() {
                    break;
                }
            } else if self.in_flight == 0 || left.is_zero() {
                break;
            } else {
                self.producer.poll(left.min(POLL));
            }
        }
    }
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
fn fault(producer: &BaseProducer<ProducerCallbacks>, failure: Failure) -> DeliveryFault {
    match producer.client().fatal_error() {
        Some((_, text)) => DeliveryFault::fatal(format!("the producer cannot go on: {text}")),
        None => DeliveryFault { class: class::of(failure.code), why: failure.why },
    }
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KafkaSink").field("topics", &self.topics).finish_non_exhaustive()
    }
}

fn headers(headers: &[(String, Option<Vec<u8>>)]) -> Option<OwnedHeaders> {
    if headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(headers.len());
    Some(
        headers
            .iter()
            .fold(empty, |owned, (key, value)| owned.insert(Header { key, value: value.as_ref() })),
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
