//! How long does the stage take from its start to its first alert on a broker that runs, beyond what
//! joining a group takes anybody?
//!
//! A topic of a real Apache Kafka holds one event, which hits. `ouzel run` as shipped starts in a
//! group of its own; a consumer that already reads the alerts notes when the alert comes. In turn
//! with it, a program that is only the stage's own consumer with the same settings starts, and notes
//! when the group gives it its partition and when it has the record.
//!
//! The broker of this bench lets a group begin at once (`group.initial.rebalance.delay.ms = 0`); one
//! as Kafka ships it waits 3 s for more members of an empty group, which is part of the join.
//!
//! Wall time: on a machine with other work it says little, so it prints the load with the figures.
//!
//! `cargo bench --bench start [-- --runs N]`

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
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio, exit};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ouzel::clock::{Clock, SystemClock};
use ouzel::config::Settings;
use ouzel::source::kafka::{KafkaSource, KafkaSourceOptions};
use ouzel::source::{Source, SourceEvent};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use broker::Broker;
use support::{load, median, number, option};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
const WITHIN: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(brokers) = option(&arguments, "--bare") {
        let group = option(&arguments, "--group").expect("the parent names it");
        return consume_one(&brokers, &group);
    }
    let runs = usize::try_from(number(&arguments, "--runs", 9)).expect("a small number");
    if let Some(missing) = java::what_is_missing() {
        println!("{missing}");
        exit(1);
    }
    let broker = Broker::start().expect("the broker starts");
    let brokers = broker.plaintext();
    client::create_topics(&brokers, &[("okta", 1), ("alerts", 1), ("dead-letters", 1)])
        .expect("topics can be created");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["generate", "-q", "--count", "1", "--hits-permille", "1000"]);
    let status = command.args(["--brokers", &brokers, "--topic", "okta"]).status();
    assert!(status.expect("the generator starts").success(), "the generator ends well");
    let alerts = reader(&brokers, "alerts");
    // The first run pays for what the broker loads and compiles for its first group.
    let (mut bare, mut stage) = (Vec::new(), Vec::new());
    for run in 0..=runs {
        let (own, whole) = (start_bare(&brokers, run), start_stage(&brokers, run, &alerts));
        if run > 0 {
            bare.push(own);
            stage.push(whole);
        }
    }
    println!("start, {runs} runs, in turn, medians; a real Apache Kafka; load {}", load());
    let row = |what: &str, of: &mut dyn Iterator<Item = Duration>| {
        let times: Vec<f64> = of.map(|time| time.as_secs_f64() * 1e3).collect();
        let most = times.iter().copied().fold(0.0, f64::max);
        println!("  {what:<52} {:>6.0} ms (at most {most:.0})", median(times.into_iter()));
    };
    row("the consumer alone: its partition is given to it", &mut bare.iter().map(|it| it.0));
    row("the consumer alone: it has the record", &mut bare.iter().map(|it| it.1));
    row("the stage: it says that it starts", &mut stage.iter().map(|it| it.0));
    row("the stage: its first alert is delivered and read", &mut stage.iter().map(|it| it.1));
    let beyond = stage.iter().zip(&bare).map(|(stage, bare)| stage.1.saturating_sub(bare.0));
    row("the alert, beyond the join of the consumer alone", &mut beyond.into_iter());
}

/// A consumer of the whole of one partition, who has asked for it already.
fn reader(brokers: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "start-reader")
        .set("fetch.wait.max.ms", "5000")
        .create()
        .expect("these settings are valid");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).expect("a partition may be listed");
    consumer.assign(&list).expect("the topic is there");
    assert!(consumer.poll(Duration::from_secs(1)).is_none(), "there is no alert yet");
    consumer
}

/// The lines that a child prints, with the moment at which each came.
fn lines(out: impl std::io::Read + Send + 'static) -> Receiver<(Instant, String)> {
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if tell.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    lines
}

/// When the line came that says so.
fn when(lines: &Receiver<(Instant, String)>, says: &str) -> Instant {
    loop {
        let (at, line) = lines.recv_timeout(WITHIN).expect("the child says something");
        if line.contains(says) {
            return at;
        }
    }
}

/// Until its partition is given to it, and until it has the record.
fn start_bare(brokers: &str, run: usize) -> (Duration, Duration) {
    let program = std::env::current_exe().expect("a running program has a path");
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(["--bare", brokers, "--group", &format!("bare-{run}")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child can be started");
    let lines = lines(child.stdout.take().expect("it is piped"));
    let (assigned, record) = (when(&lines, "assigned"), when(&lines, "record"));
    child.wait().expect("a child can be waited for");
    (assigned - began, record - began)
}

/// The stage's own consumer, and nothing else.
fn consume_one(brokers: &str, group: &str) {
    let mut settings = Settings::default();
    settings.kafka.brokers = brokers.to_owned();
    settings.input.topics = vec!["okta".to_owned()];
    settings.input.group = group.to_owned();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options = KafkaSourceOptions::of_worker(&settings, 0);
    let mut source = KafkaSource::open(options, clock).expect("these settings are valid");
    let mut seen = 0;
    while seen == 0 {
        while let Some(event) = source.event() {
            if matches!(event, SourceEvent::Assigned(_)) {
                println!("assigned");
            }
        }
        let lent = source
            .poll(Duration::from_millis(100), 1, &mut |_record| ControlFlow::Continue(()))
            .expect("the broker is up");
        seen += lent;
    }
    println!("record");
    source.close();
}

/// Until it says that it starts, and until its alert is read.
fn start_stage(brokers: &str, run: usize, alerts: &BaseConsumer) -> (Duration, Duration) {
    let file = configuration(brokers, run);
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["run", "-c"]).arg(&file).stderr(Stdio::piped());
    let mut child: Child = command.spawn().expect("the stage can be started");
    let lines = lines(child.stderr.take().expect("it is piped"));
    // The client returns with nothing where it had something else to do.
    let polls = std::iter::repeat_with(|| alerts.poll(Duration::from_secs(1)));
    let alert = polls.take_while(|_| began.elapsed() < WITHIN).flatten().next();
    let alerted = Instant::now();
    drop(alert.expect("an alert comes").expect("the broker is up"));
    let started = when(&lines, "the stage starts");
    let id = i32::try_from(child.id()).expect("process ids fit");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("the child is there");
    let status = child.wait().expect("a child can be waited for");
    assert!(status.success(), "the stage ended with {status}");
    (started - began, alerted - began)
}

fn configuration(brokers: &str, run: usize) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/configuration");
    fs::create_dir_all(&folder).expect("target/ can be written");
    let file = folder.join("start.toml");
    let text = format!(
        "rules = [{RULE:?}]\n[kafka]\nbrokers = {brokers:?}\n[input]\ntopics = [\"okta\"]\ngroup = \"start-{run}\"\n\
         [output]\nalerts = \"alerts\"\ndead_letters = \"dead-letters\"\n[http]\nlisten = \"off\"\n"
    );
    fs::write(&file, text).expect("target/ can be written");
    file
}
