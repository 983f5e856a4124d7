//! Input for fault tests: seeded events with what each must lead to, sent while the test goes on.
//!
//! Each record says in its headers which number it has and what is expected of it, so that the
//! checker need not trust the program under test about anything. The feed goes straight to the
//! brokers, never through the fault proxy, and waits out brokers that are down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ouzel::generate::{Generator, Options};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// The header with the record's number.
pub const NUMBER: &str = "number";
/// The header with what is expected: [`CLEAN`], [`ALERT`], or the reason of a dead letter.
pub const EXPECTED: &str = "expected";
pub use crate::malformed_records::{ALERT, CLEAN};

/// What is fed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub brokers: String,
    pub topic: String,
    pub records: u64,
    /// Resets in a thousand.
    pub hits_permille: u32,
    /// Records that cannot be read, in a thousand.
    pub broken_permille: u64,
    /// Records a second; 0: as fast as it goes.
    pub rate: u64,
    pub seed: u64,
}

impl Plan {
    /// 2 % resets and 0.2 % broken records.
    pub fn new(brokers: &str, topic: &str, records: u64) -> Self {
        Self {
            brokers: brokers.to_owned(),
            topic: topic.to_owned(),
            records,
            hits_permille: 20,
            broken_permille: 2,
            rate: 0,
            seed: super::seed::seed(),
        }
    }

    /// At so many records a second.
    pub fn at_rate(self, rate: u64) -> Self {
        Self { rate, ..self }
    }

    /// With other events.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Sends everything and waits for it.
    pub fn send(self) -> Result<u64, String> {
        self.start().finish()
    }

    /// Begins to send.
    pub fn start(self) -> Feed {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || feed(&self, &stopped));
        Feed { thread: Some(thread), stop }
    }
}

/// A feed at work; stops when dropped.
pub struct Feed {
    thread: Option<JoinHandle<Result<u64, String>>>,
    stop: Arc<AtomicBool>,
}

impl Feed {
    /// Waits until everything is delivered; says how much that is.
    pub fn finish(mut self) -> Result<u64, String> {
        let thread = self.thread.take().ok_or("the feed has ended")?;
        thread.join().map_err(|_| "the feed panicked".to_owned())?
    }

    /// Ends it early: nothing more is sent, what was sent is delivered.
    pub fn stop(self) -> Result<u64, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.finish()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn feed(plan: &Plan, stop: &AtomicBool) -> Result<u64, String> {
    let producer = producer(&plan.brokers)?;
    let options =
        Options { seed: plan.seed, hits_permille: plan.hits_permille, ..Options::default() };
    let mut generator = Generator::new(options);
    let started = Instant::now();
    let mut payload = Vec::with_capacity(8 << 10);
    let mut number = 0;
    while number < plan.records && !stop.load(Ordering::Relaxed) {
        payload.clear();
        let hit = generator.next_into(&mut payload).hit;
        let mut expected = if hit { ALERT } else { CLEAN };
        if !hit && is_broken(plan, number) {
            expected = break_event(&mut payload, number);
        }
        // An account's events follow each other in one partition.
        let key = format!("account-{}", number % 97);
        send(&producer, plan, number, &key, (expected, &payload))?;
        number += 1;
        wait_for_pace(&producer, plan.rate, number, started);
    }
    producer.flush(Duration::from_secs(300)).map_err(|fault| fault.to_string())?;
    Ok(number)
}

fn is_broken(plan: &Plan, number: u64) -> bool {
    plan.broken_permille > 0 && number % (1000 / plan.broken_permille) == 7
}

/// Breaks an event in one of three ways; the reason that its dead letter must give.
pub fn break_event(event: &mut Vec<u8>, number: u64) -> &'static str {
    let quote = event.iter().position(|byte| *byte == b'"').unwrap_or_default();
    match number % 3 {
        0 => {
            event.truncate(event.len() / 2);
            "truncated"
        }
        1 => {
            event.insert(quote + 1, 0x01);
            "control byte"
        }
        _ => {
            event.splice(quote + 1..quote + 1, [0xc3, 0x28]);
            "not UTF-8"
        }
    }
}

/// Sends one record, and waits while the queue is full.
fn send(
    producer: &BaseProducer,
    plan: &Plan,
    number: u64,
    key: &str,
    (expected, payload): (&str, &[u8]),
) -> Result<(), String> {
    let number = number.to_string();
    loop {
        let headers = OwnedHeaders::new()
            .insert(Header { key: NUMBER, value: Some(&number) })
            .insert(Header { key: EXPECTED, value: Some(expected) });
        let record = BaseRecord::to(&plan.topic).key(key).payload(payload).headers(headers);
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(20));
            }
            Err((fault, _)) => return Err(format!("feed {}: {fault}", plan.topic)),
        }
    }
}

/// Lets time pass until the next record is due.
fn wait_for_pace(producer: &BaseProducer, rate: u64, number: u64, started: Instant) {
    if number.is_multiple_of(128) {
        producer.poll(Duration::ZERO);
    }
    if rate == 0 {
        return;
    }
    let due = Duration::from_secs_f64(number as f64 / rate as f64);
    let ahead = due.saturating_sub(started.elapsed());
    if ahead > Duration::from_millis(2) {
        producer.poll(ahead);
    }
}

/// A producer that gives up on nothing and repeats nothing.
pub fn producer(brokers: &str) -> Result<BaseProducer, String> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("client.id", "ouzel-suite-feed")
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "0")
        .set("linger.ms", "5")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "50000")
        .set("queue.buffering.max.kbytes", "131072")
        .set("log_level", "2")
        .create()
        .map_err(|fault| fault.to_string())
}
