//! How long does it take from an event to its alert? 20,000 events a second go into a topic of a
//! real Apache Kafka, `ouzel run` as shipped judges them, and a consumer of the alerts notes when
//! each arrives. Counted from the moment at which the event was handed to its producer, which does
//! not wait for more, to the moment at which the alert was handed to the consumer.
//!
//! With `--witness` a plain consumer reads the events' topic beside it: how late it sees an event is
//! the sender's and the broker's share, how much later than that the alert comes is what the stage,
//! and writing and reading one more record, add. It asks as much of the broker as the stage does, so
//! that on few cores everything is later with it.
//!
//! Wall time, the one bench that measures it: on a machine with other work it says little, so it
//! prints the load with the figures. The broker gets the virtual machine that Kafka's own script
//! gives it, and the time to compile itself and to get its memory into order: what comes within the
//! first minute does not count.
//!
//! `cargo bench --bench latency [-- --seconds N --rate N --permille N --warm SECONDS --witness
//! --compression none|lz4|zstd --linger MS --away MS]`
//!
//! `--away` puts the broker that takes the alerts at the end of a longer line: what the stage sends
//! it, and what it answers, comes so much later. The stage's CPU time is printed beside, so that
//! what it does while it waits is seen.
//!
//! `--linger` lets the sender of the events wait for more, as senders do by default (5 ms in Kafka's
//! clients): fewer and larger requests for the broker. That time counts as well.

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
use proxy::Fault;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use broker::Broker;
use support::{number, option};

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
const LITERAL: &[u8] = b"user.mfa.factor.reset_all";
const WITHIN: Duration = Duration::from_secs(60);

/// What Linux counts times in, as far as programs see it.
const TICKS_PER_SECOND: f64 = 100.0;

/// As `bin/kafka-server-start.sh` and `bin/kafka-run-class.sh` start a broker.
const MACHINE: [&str; 5] = [
    "-Xms1g",
    "-Xmx1g",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
];

/// When one event was sent, seen by a plain consumer of its topic, and when its alert came.
#[derive(Clone, Copy)]
struct Times {
    sent: Instant,
    seen: Option<Instant>,
    alerted: Option<Instant>,
}

/// The events that are to alert, by their uuid.
type Log = Arc<Mutex<HashMap<Vec<u8>, Times>>>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let seconds = number(&arguments, "--seconds", 60);
    let rate = number(&arguments, "--rate", 20_000);
    let warm = number(&arguments, "--warm", 60);
    let compression = option(&arguments, "--compression").unwrap_or_else(|| "none".to_owned());
    let permille = u32::try_from(number(&arguments, "--permille", 5)).expect("a small number");
    if let Some(missing) = java::what_is_missing() {
        println!("{missing}");
        exit(1);
    }
    let broker = Broker::start_with(&MACHINE).expect("the broker starts");
    let brokers = broker.plaintext();
    client::create_topics(&brokers, &[("okta", 1), ("alerts", 1), ("dead-letters", 1)])
        .expect("topics can be created");
    let away = Duration::from_millis(number(&arguments, "--away", 0));
    let _line = broker.proxy.put(Fault::Delay(away));
    let output = if away.is_zero() { brokers.clone() } else { broker.proxied() };
    let mut stage = start(&brokers, &output);
    let (log, is_over) = (Log::default(), Arc::new(AtomicBool::new(false)));
    let witness = arguments.iter().any(|argument| argument == "--witness");
    let readers = READERS.into_iter().filter(|reader| witness || reader.topic == "alerts");
    let readers = readers.map(|reader| {
        let (address, log, over) = (brokers.clone(), Arc::clone(&log), Arc::clone(&is_over));
        std::thread::spawn(move || reader.receive(&address, &log, &over))
    });
    let readers: Vec<_> = readers.collect();
    // The group is joined, and everybody's caches are warm, before anything counts.
    let options = Options { hits_permille: permille, ..Options::default() };
    let mut generator = Generator::new(options);
    let sender = sender(&brokers, &compression, number(&arguments, "--linger", 0));
    send(&sender, &mut generator, (rate / 10, 8), None);
    send(&sender, &mut generator, (rate, warm), None);
    let cpu = cpu_seconds(&stage);
    let late = send(&sender, &mut generator, (rate, seconds), Some(&log));
    std::thread::sleep(Duration::from_secs(2));
    let cpu = cpu_seconds(&stage) - cpu;
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().expect("a reader does not panic");
    }
    let id = i32::try_from(stage.id()).expect("process ids fit");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("the child is there");
    stage.wait().expect("a child can be waited for");
    let times: Vec<Times> =
        log.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect();
    println!(
        "{rate} events/s for {seconds} s, {permille} hits in a thousand, compression {compression}, a real Apache Kafka on the same cores, load {}",
        fs::read_to_string("/proc/loadavg").unwrap_or_default().trim()
    );
    let without = times.iter().filter(|times| times.alerted.is_none()).count();
    println!(
        "  {} events that alert, {without} left without one; sender late by at most {late:?}",
        times.len()
    );
    println!("  the stage took {cpu:.2} s of CPU time; the alerts' broker is {away:?} away");
    println!("  {:<42} {:>9} {:>9} {:>9} {:>9}", "ms", "p50", "p90", "p99", "max");
    let alert = |times: &Times| Some(times.alerted? - times.sent);
    print("event to alert", times.iter().filter_map(alert));
    if witness {
        let seen = |times: &Times| Some(times.seen? - times.sent);
        print("event to a plain consumer of its topic", times.iter().filter_map(seen));
        let added = |times: &Times| Some(times.alerted?.saturating_duration_since(times.seen?));
        print("from there to the alert", times.iter().filter_map(added));
    }
    if without > 0 || times.is_empty() {
        exit(1);
    }
}

fn print(what: &str, latencies: impl Iterator<Item = Duration>) {
    let mut latencies: Vec<Duration> = latencies.collect();
    latencies.sort_unstable();
    let at = |percent: usize| {
        let index = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    println!("  {what:<42} {:>9.2} {:>9.2} {:>9.2} {:>9.2}", at(50), at(90), at(99), at(100));
}

/// User and system time of a running child so far, in seconds.
fn cpu_seconds(child: &Child) -> f64 {
    let stat =
        fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("the child is there");
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|it| it.parse::<u32>().ok()).sum();
    f64::from(ticks) / TICKS_PER_SECOND
}

fn start(brokers: &str, output: &str) -> Child {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/configuration");
    fs::create_dir_all(&folder).expect("target/ can be written");
    let file = folder.join("latency.toml");
    let text = format!(
        "rules = [{RULE:?}]\n[kafka]\nbrokers = {brokers:?}\n[input]\ntopics = [\"okta\"]\ngroup = \"latency\"\n\
         workers = 1\n[output]\nalerts = \"alerts\"\ndead_letters = \"dead-letters\"\n\
         [output.kafka]\nbrokers = {output:?}\n\
         [http]\nlisten = \"off\"\n[log]\nlevel = \"warn\"\n"
    );
    fs::write(&file, text).expect("target/ can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["run", "-c"]).arg(&file).spawn().expect("the stage can be started")
}

/// A producer that waits so many milliseconds for more.
fn sender(brokers: &str, compression: &str, linger: u64) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", linger.to_string())
        .set("compression.type", compression)
        .create()
        .expect("these settings are valid")
}

/// Sends `rate` events a second for so many seconds, a few each millisecond; how much it was late.
fn send(
    producer: &BaseProducer,
    generator: &mut Generator,
    (rate, seconds): (u64, u64),
    log: Option<&Log>,
) -> Duration {
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
        if let Some(log) = log
            && memmem::find(&event, LITERAL).is_some()
        {
            let uuid = uuid(&event, b"\"uuid\":\"").expect("an event has a uuid");
            let times = Times { sent: Instant::now(), seen: None, alerted: None };
            log.lock().unwrap_or_else(PoisonError::into_inner).insert(uuid, times);
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

/// A consumer of one topic that notes when each event or alert came.
#[derive(Clone, Copy)]
struct Reader {
    topic: &'static str,
    /// What stands before the event's uuid.
    before: &'static [u8],
    came: fn(&mut Times) -> &mut Option<Instant>,
}

const READERS: [Reader; 2] = [
    Reader { topic: "okta", before: b"\"uuid\":\"", came: |times| &mut times.seen },
    Reader {
        topic: "alerts",
        before: b"\"kibana.alert.ancestors\":[{\"id\":\"",
        came: |times| &mut times.alerted,
    },
];

impl Reader {
    /// Takes in what comes, until it is over.
    fn receive(self, brokers: &str, log: &Log, is_over: &AtomicBool) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", format!("latency-{}", self.topic))
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("these settings are valid");
        consumer.subscribe(&[self.topic]).expect("the topic is there");
        while !is_over.load(Ordering::Relaxed) {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let now = Instant::now();
            let text = message.payload().unwrap_or_default();
            if memmem::find(text, LITERAL).is_none() {
                continue;
            }
            let Some(uuid) = uuid(text, self.before) else { continue };
            if let Some(times) = log.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&uuid) {
                (self.came)(times).get_or_insert(now);
            }
        }
    }
}
