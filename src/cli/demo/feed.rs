//! Publishes generated events from a thread of its own, never far ahead of the stage: the embedded
//! broker keeps little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::generate::{Generator, Options};

/// Events that may be published and not judged: 2.8 KB each, over four partitions, well below what
/// the embedded broker keeps.
const AHEAD: u64 = 2_000;
const FLUSH: Duration = Duration::from_secs(30);

/// The publishing thread.
pub(super) struct Feed {
    total: u64,
    judged: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), KafkaError>>,
}

impl Feed {
    /// Begins to publish `total` events to `topic`.
    pub(super) fn start(
        brokers: &str,
        topic: &str,
        options: Options,
        total: u64,
    ) -> Result<Self, KafkaError> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("client.id", "ouzel-demo-feed")
            .set("linger.ms", "2")
            .set("compression.type", "lz4")
            .set("partitioner", "murmur2_random")
            .set("sticky.partitioning.linger.ms", "0")
            .create()?;
        let judged = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&judged);
        let topic = topic.to_owned();
        let thread = std::thread::spawn(move || {
            publish(&producer, &topic, Generator::new(options), total, &seen)
        });
        Ok(Self { total, judged, thread })
    }

    /// How many events there will be.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Says how many the stage has judged.
    pub(super) fn judged(&self, count: u64) {
        self.judged.store(count, Ordering::Relaxed);
    }

    /// Waits until everything is published.
    pub(super) fn finish(self) -> Result<(), KafkaError> {
        self.judged.store(u64::MAX / 2, Ordering::Relaxed);
        self.thread.join().unwrap_or(Err(KafkaError::Canceled))
    }
}

fn publish(
    producer: &BaseProducer,
    topic: &str,
    mut generator: Generator,
    total: u64,
    judged: &AtomicU64,
) -> Result<(), KafkaError> {
    let mut event = Vec::with_capacity(8 << 10);
    for number in 0..total {
        while number > judged.load(Ordering::Relaxed) + AHEAD {
            producer.poll(Duration::from_millis(2));
        }
        event.clear();
        generator.next_into(&mut event);
        send(producer, topic, &event)?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(FLUSH)
}

fn send(producer: &BaseProducer, topic: &str, event: &[u8]) -> Result<(), KafkaError> {
    let mut record = BaseRecord::<(), [u8]>::to(topic).payload(event);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(10));
                record = back;
            }
            Err((fault, _)) => return Err(fault),
        }
    }
}
