//! How long does it take from an event to its alert? 20,000 events a second go into a topic of a
//! real Apache Kafka, `ouzel run` as shipped judges them, and a consumer of the alerts notes when
//! each arrives. Counted from the moment at which the event was handed to its producer, which does
//! not wait for more, to the moment at which the alert was handed to the consumer.
//!
//! Wall time, the one bench that measures it: on a machine with other work it says little, so it
//! prints the load with the figures.
//!
//! `cargo bench --bench latency [-- --seconds N --rate N --permille N]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(dead_code, reason = "the suite and the other benches need more of what is shared")]
#![expect(
    clippy::indexing_slicing,
    reason = "what is shared with the suite slices its own buffers"
)]

#[path = "../tests/kafka/admin.rs"]
mod admin;
#[path = "../tests/kafka/broker.rs"]
mod broker;
#[path = "../tests/kafka/certificates.rs"]
mod certificates;
#[path = "../tests/kafka/client.rs"]
mod client;
#[path = "../tests/kafka/java.rs"]
mod java;
#[path = "../tests/kafka/node.rs"]
mod node;
#[path = "../tests/kafka/proxy.rs"]
mod proxy;
mod support;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use memchr::memmem;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ouzel::generate::{Generator, Options};
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use broker::Broker;
use support::number;

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
const LITERAL: &[u8] = b"user.mfa.factor.reset_all";
const WITHIN: Duration = Duration::from_secs(60);

/// When the event of each uuid was sent.
type Sent = Arc<Mutex<HashMap<Vec<u8>, Instant>>>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let seconds = number(&arguments, "--seconds", 30);
    let rate = number(&arguments, "--rate", 20_000);
    let permille = u32::try_from(number(&arguments, "--permille", 5)).expect("a small number");
    if let Some(missing) = java::what_is_missing() {
        println!("{missing}");
        exit(1);
    }
    let broker = Broker::start().expect("the broker starts");
    let brokers = broker.plaintext();
    client::create_topics(&brokers, &[("okta", 1), ("alerts", 1), ("dead-letters", 1)])
        .expect("topics can be created");
    let mut stage = start(&brokers);
    let (sent, is_over) = (Sent::default(), Arc::new(AtomicBool::new(false)));
    let (own, over) = (Arc::clone(&sent), Arc::clone(&is_over));
    let address = brokers.clone();
    let arrivals = std::thread::spawn(move || receive(&address, &own, &over));
    // The group is joined, and everybody's caches are warm, before anything counts.
    let options = Options { hits_permille: permille, ..Options::default() };
    let mut generator = Generator::new(options);
    send(&brokers, &mut generator, (rate / 10, 8), None);
    send(&brokers, &mut generator, (rate, 3), None);
    let late = send(&brokers, &mut generator, (rate, seconds), Some(&sent));
    std::thread::sleep(Duration::from_secs(2));
    is_over.store(true, Ordering::Relaxed);
    let mut latencies = arrivals.join().expect("the receiver does not panic");
    let id = i32::try_from(stage.id()).expect("process ids fit");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("the child is there");
    stage.wait().expect("a child can be waited for");
    latencies.sort_unstable();
    let expected = sent.lock().unwrap_or_else(PoisonError::into_inner).len();
    println!(
        "{rate} events/s for {seconds} s, {permille} hits in a thousand, a real Apache Kafka on the same cores, load {}",
        fs::read_to_string("/proc/loadavg").unwrap_or_default().trim()
    );
    println!(
        "  {} alerts, {expected} left without one; sender late by at most {late:?}",
        latencies.len()
    );
    for (name, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let at = ((latencies.len() as f64 * part) as usize).min(latencies.len().saturating_sub(1));
        println!("  {name} {:?}", latencies.get(at).copied().unwrap_or_default());
    }
    if expected > 0 || latencies.is_empty() {
        exit(1);
    }
}

fn start(brokers: &str) -> Child {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/configuration");
    fs::create_dir_all(&folder).expect("target/ can be written");
    let file = folder.join("latency.toml");
    let text = format!(
        "rules = [{RULE:?}]\n[kafka]\nbrokers = {brokers:?}\n[input]\ntopics = [\"okta\"]\ngroup = \"latency\"\n\
         workers = 1\n[output]\nalerts = \"alerts\"\ndead_letters = \"dead-letters\"\n\
         [http]\nlisten = \"off\"\n[log]\nlevel = \"warn\"\n"
    );
    fs::write(&file, text).expect("target/ can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["run", "-c"]).arg(&file).spawn().expect("the stage can be started")
}

/// Sends `rate` events a second for so many seconds, a few each millisecond; how much it was late.
fn send(
    brokers: &str,
    generator: &mut Generator,
    (rate, seconds): (u64, u64),
    sent: Option<&Sent>,
) -> Duration {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "0")
        .create()
        .expect("these settings are valid");
    let (began, mut late) = (Instant::now(), Duration::ZERO);
    let mut event = Vec::new();
    for number in 0..rate * seconds {
        let due = Duration::from_micros(number * 1_000_000 / rate);
        let now = began.elapsed();
        match due.checked_sub(now) {
            Some(early) if early > Duration::from_micros(500) => std::thread::sleep(early),
            Some(_) => {}
            None => late = late.max(now - due),
        }
        event.clear();
        generator.next_into(&mut event);
        if let Some(sent) = sent
            && memmem::find(&event, LITERAL).is_some()
        {
            let uuid = uuid(&event, b"\"uuid\":\"").expect("an event has a uuid");
            sent.lock().unwrap_or_else(PoisonError::into_inner).insert(uuid, Instant::now());
        }
        while producer.send(BaseRecord::<(), [u8]>::to("okta").payload(&event)).is_err() {
            producer.poll(Duration::from_millis(1));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(WITHIN).expect("the broker takes them");
    late
}

/// The 36 characters behind `before`.
fn uuid(text: &[u8], before: &[u8]) -> Option<Vec<u8>> {
    let at = memmem::find(text, before)? + before.len();
    text.get(at..at + 36).map(<[u8]>::to_vec)
}

/// Takes the alerts in, until it is over; the time that each took.
fn receive(brokers: &str, sent: &Sent, is_over: &AtomicBool) -> Vec<Duration> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "latency-alerts")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("these settings are valid");
    consumer.subscribe(&["alerts"]).expect("the topic is there");
    let mut latencies = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let now = Instant::now();
        let alert = message.payload().unwrap_or_default();
        let Some(uuid) = uuid(alert, b"\"kibana.alert.ancestors\":[{\"id\":\"") else { continue };
        let began = sent.lock().unwrap_or_else(PoisonError::into_inner).remove(&uuid);
        latencies.extend(began.map(|began| now - began));
    }
    latencies
}
