//! What does judging cost a consumer? CPU time of `ouzel run` over a topic, against the same
//! consumer with the same settings that drops each record. A real Apache Kafka on the same cores
//! serves both; only the CPU time of the two programs counts.
//!
//! Each program starts, joins its group, reads all and ends; the more events, the less of that is in
//! the ratio.
//!
//! `cargo bench --bench consume [-- --events N --runs N --compression none|lz4|zstd]`

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

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ouzel::clock::{Clock, SystemClock};
use ouzel::config::Settings;
use ouzel::generate::{Generator, Options};
use ouzel::source::Source;
use ouzel::source::kafka::{KafkaSource, KafkaSourceOptions};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use broker::Broker;
use support::{Cost, cost_of_child, median, number, option, print_row};

/// As in the product: with another allocator, the yardstick would pay more for each buffer that
/// librdkafka unpacks than the stage pays for all of its work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
const WITHIN: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(brokers) = option(&arguments, "--drop") {
        let text = |name| option(&arguments, name).expect("the parent names it");
        return drop_records(
            &brokers,
            &text("--topic"),
            &text("--group"),
            number(&arguments, "--events", 0),
        );
    }
    let events = number(&arguments, "--events", 1_200_000);
    let runs = usize::try_from(number(&arguments, "--runs", 7)).expect("a small number");
    if let Some(missing) = java::what_is_missing() {
        println!("{missing}");
        std::process::exit(1);
    }
    let broker = Broker::start().expect("the broker starts");
    println!(
        "{events} raw events, 1 partition, 0.1 % hits, {runs} runs, interleaved, medians; the broker shares the cores"
    );
    client::create_topics(&broker.plaintext(), &[("alerts", 1), ("dead-letters", 1)])
        .expect("topics can be created");
    let only = option(&arguments, "--compression");
    for compression in ["none", "lz4", "zstd"] {
        if only.as_deref().is_some_and(|only| only != compression) {
            continue;
        }
        let topic = format!("in-{compression}");
        client::create_topics(&broker.plaintext(), &[(topic.as_str(), 1)])
            .expect("topics can be created");
        publish(&broker.plaintext(), &topic, compression, events);
        compare(&broker, &topic, events, runs);
    }
}

fn publish(brokers: &str, topic: &str, compression: &str, events: u64) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("compression.type", compression)
        .set("linger.ms", "20")
        .set("batch.size", "524288")
        .create()
        .expect("these settings are valid");
    let mut generator = Generator::new(Options::default());
    let mut event = Vec::new();
    for _ in 0..events {
        event.clear();
        generator.next_into(&mut event);
        while producer.send(BaseRecord::<(), [u8]>::to(topic).payload(&event)).is_err() {
            producer.poll(Duration::from_millis(20));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(WITHIN).expect("the broker takes them");
}

fn compare(broker: &Broker, topic: &str, events: u64, runs: usize) {
    let mut dropped = Vec::new();
    let mut candidates = Vec::new();
    let mut shipped = Vec::new();
    for run in 0..runs {
        dropped.push(drop_cost(broker, topic, &format!("{topic}-drop-{run}"), events));
        candidates.push(run_cost(
            broker,
            topic,
            &format!("{topic}-candidates-{run}"),
            "candidates",
            events,
        ));
        shipped.push(run_cost(
            broker,
            topic,
            &format!("{topic}-envelope-{run}"),
            "envelope",
            events,
        ));
    }
    println!("\n{topic}");
    for (what, costs) in [
        ("consume + drop", &dropped),
        ("run, candidates", &candidates),
        ("run, as shipped", &shipped),
    ] {
        let rate = events as f64 / median(costs.iter().map(|cost| cost.cpu_seconds));
        print_row(what, rate, costs);
    }
    let ratio = |own: &[Cost]| {
        median(own.iter().zip(&dropped).map(|(own, dropped)| own.cpu_seconds / dropped.cpu_seconds))
    };
    println!(
        "  CPU, run : consume + drop = {:.2} (candidates), {:.2} (as shipped)",
        ratio(&candidates),
        ratio(&shipped)
    );
}

fn drop_cost(broker: &Broker, topic: &str, group: &str, events: u64) -> Cost {
    let program: PathBuf = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.args(["--drop", &broker.plaintext(), "--topic", topic, "--group", group]);
    command.args(["--events", &events.to_string()]).stdout(Stdio::null());
    support::cost_of(command)
}

/// The yardstick: the product's own source with the product's own settings, and nothing else.
fn drop_records(brokers: &str, topic: &str, group: &str, events: u64) {
    let mut settings = Settings::default();
    settings.kafka.brokers = brokers.to_owned();
    settings.input.topics = vec![topic.to_owned()];
    settings.input.group = group.to_owned();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options = KafkaSourceOptions {
        name: "drop".to_owned(),
        config: ouzel::kafka::settings::consumer(&settings, 0),
        cluster: settings.kafka.clone(),
        topics: settings.input.topics.clone(),
        start: settings.input.start,
        guarantee: settings.delivery.guarantee,
    };
    let mut source = KafkaSource::open(options, clock).expect("these settings are valid");
    let mut seen = 0;
    while seen < events {
        while source.event().is_some() {}
        let lent = source.poll(Duration::from_millis(100), 1024, &mut |_record| {
            std::ops::ControlFlow::Continue(())
        });
        seen += lent.expect("the broker is up") as u64;
    }
    source.close();
}

fn run_cost(broker: &Broker, topic: &str, group: &str, validate: &str, events: u64) -> Cost {
    let folder = broker.folder_for("bench").expect("target/ can be written");
    let file = folder.join(format!("{group}.toml"));
    let brokers = broker.plaintext();
    let text = format!(
        "rules = [{RULE:?}]\n[kafka]\nbrokers = {brokers:?}\n[input]\ntopics = [{topic:?}]\ngroup = {group:?}\n\
         validate = {validate:?}\nworkers = 1\n[output]\nalerts = \"alerts\"\ndead_letters = \"dead-letters\"\n\
         [http]\nlisten = \"off\"\n[log]\nlevel = \"warn\"\n"
    );
    fs::write(&file, text).expect("target/ can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["run", "-c"]).arg(&file);
    cost_of_child(command, |child| {
        client::wait_until("the group is at the end", WITHIN, || {
            let committed: i64 = client::committed(&brokers, group, topic)?.values().sum();
            Ok((u64::try_from(committed) == Ok(events)).then_some(()))
        })
        .expect("the stage gets to the end");
        let id = i32::try_from(child.id()).expect("process ids fit");
        kill(Pid::from_raw(id), Signal::SIGTERM).expect("the child is there");
    })
}
