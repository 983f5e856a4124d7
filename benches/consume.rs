//! What does judging cost a consumer? `ouzel run` over a topic, against a consumer with the same
//! settings and allocator that drops each record.
//!
//! There are two such consumers. One polls record by record, as a program does that uses the client
//! library's wrapper: it is the yardstick. The other is the stage's own source, which takes records in
//! batches and so costs less: what is above that one is judging alone.
//!
//! With `--broker kafka` a real Apache Kafka on the same cores serves both, and only the CPU time of
//! the two programs counts. With `--broker canned` a small server replays batches as a producer
//! sent them: it takes so little that the events a second of one connection count as well.
//!
//! Each program starts, joins its group, reads all and ends; the more events, the less of that is in
//! the ratio. Where nothing hits, `run` matches and sends nothing: what is above that is the alerts.
//!
//! `cargo bench --bench consume [-- --broker kafka|canned --events N --runs N --permille HITS
//! --compression none|lz4|zstd] [--against OUZEL]`
//!
//! `--against` names the program of another state of the code, which runs in turn with this one's.

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
use ouzel::source::Source;
use ouzel::source::kafka::{KafkaSource, KafkaSourceOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};

use broker::Broker;
use support::canned::{Canned, Keeping};
use support::{Cost, cost_of_child, fill, median, number, option, print_row};

/// As in the product: with another allocator, the yardstick would pay more for each buffer that
/// librdkafka unpacks than the stage pays for all of its work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
/// What the rule looks for, and something like it that no event holds.
const ACTION: &str = "user.mfa.factor.reset_all";
const NO_ACTION: &str = "user.mfa.factor.reset_nil";
const WITHIN: Duration = Duration::from_secs(120);

/// Events that are generated at most; the canned broker repeats them.
const GENERATED_MAX: u64 = 50_000;

/// What serves both sides.
enum Server {
    Kafka(Box<Broker>),
    Canned(Canned),
}

impl Server {
    fn start(arguments: &[String]) -> Self {
        if option(arguments, "--broker").as_deref() == Some("canned") {
            return Self::Canned(Canned::start());
        }
        if let Some(missing) = java::what_is_missing() {
            println!("{missing}");
            std::process::exit(1);
        }
        Self::Kafka(Box::new(Broker::start().expect("the broker starts")))
    }

    fn address(&self) -> String {
        match self {
            Self::Kafka(broker) => broker.plaintext(),
            Self::Canned(canned) => canned.address(),
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "a real Apache Kafka on the same cores",
            Self::Canned(_) => "a server on the same cores that replays canned batches",
        }
    }

    fn create(&self, topic: &str, keeping: Keeping) {
        match self {
            Self::Kafka(broker) => client::create_topics(&broker.plaintext(), &[(topic, 1)])
                .expect("topics can be created"),
            Self::Canned(canned) => canned.create(topic, keeping),
        }
    }

    /// Fills the topic with (about) that many events; how many there are.
    fn fill(&self, topic: &str, compression: &str, (events, permille): (u64, u32)) -> u64 {
        match self {
            Self::Kafka(broker) => {
                fill::publish(&broker.plaintext(), topic, compression, (events, permille));
                events
            }
            Self::Canned(canned) => {
                let generated = (events.min(GENERATED_MAX), permille);
                fill::publish(&canned.address(), topic, compression, generated);
                let events = i64::try_from(events).expect("a small number");
                u64::try_from(canned.stretch(topic, events)).expect("a count")
            }
        }
    }

    fn committed(&self, group: &str, topic: &str) -> Result<i64, String> {
        match self {
            Self::Kafka(broker) => {
                Ok(client::committed(&broker.plaintext(), group, topic)?.values().sum())
            }
            Self::Canned(canned) => Ok(canned.committed(group, topic)),
        }
    }

    /// How long the last reader of the topic took to fetch it, where the server can say.
    fn reading_took(&self, topic: &str) -> Option<Duration> {
        match self {
            Self::Kafka(_) => None,
            Self::Canned(canned) => canned.reading_took(topic),
        }
    }

    /// A place for configuration files.
    fn folder(&self) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench/configuration");
        fs::create_dir_all(&folder).expect("target/ can be written");
        folder
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(brokers) = option(&arguments, "--drop") {
        let text = |name| option(&arguments, name).expect("the parent names it");
        let mut settings = Settings::default();
        settings.kafka.brokers = brokers;
        settings.input.topics = vec![text("--topic")];
        settings.input.group = text("--group");
        let events = number(&arguments, "--events", 0);
        return match text("--by").as_str() {
            BY_POLL => drop_by_poll(&settings, events),
            _ => drop_by_source(&settings, events),
        };
    }
    let events = number(&arguments, "--events", 1_200_000);
    let runs = usize::try_from(number(&arguments, "--runs", 7)).expect("a small number");
    let permille = u32::try_from(number(&arguments, "--permille", 1)).expect("a small number");
    let server = Server::start(&arguments);
    println!(
        "{events} raw events, 1 partition, {permille} hits in a thousand, {runs} runs, interleaved, medians; {}",
        server.about()
    );
    for topic in ["alerts", "dead-letters"] {
        server.create(topic, Keeping::Counted);
    }
    let only = option(&arguments, "--compression");
    let against = option(&arguments, "--against");
    for compression in ["none", "lz4", "zstd"] {
        if only.as_deref().is_some_and(|only| only != compression) {
            continue;
        }
        let topic = format!("in-{compression}");
        server.create(&topic, Keeping::Replayed);
        let events = server.fill(&topic, compression, (events, permille));
        // The kernel writes the topic to the disk for half a minute: meanwhile a fetch costs up to
        // twice as much.
        nix::unistd::sync();
        compare(&server, &topic, events, runs, against.as_deref());
    }
}

fn compare(server: &Server, topic: &str, events: u64, runs: usize, against: Option<&str>) {
    let (mut dropped, mut candidates, mut shipped) = (Vec::new(), Vec::new(), Vec::new());
    let (mut without, mut unchecked, mut other) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken = Vec::new();
    // Seconds from the first fetch to the end of the log, in the order of the runs.
    let mut reading = [Vec::new(), Vec::new(), Vec::new()];
    let mut note = |side: usize| {
        let seconds = server.reading_took(topic).map(|took| took.as_secs_f64());
        if let Some(side) = reading.get_mut(side) {
            side.extend(seconds);
        }
    };
    let own = env!("CARGO_BIN_EXE_ouzel");
    let no_hit = server.folder().join("no-hit.toml");
    let rule = fs::read_to_string(RULE).expect("the rule is there").replace(ACTION, NO_ACTION);
    fs::write(&no_hit, rule).expect("target/ can be written");
    let no_hit = no_hit.display().to_string();
    for run in 0..runs {
        let group = |what: &str| format!("{topic}-{what}-{run}");
        dropped.push(drop_cost(server, topic, &group("drop"), events, BY_POLL));
        note(0);
        let run = |costs: &mut Vec<Cost>, what, program, validate, rule| {
            let run = Run { program, validate, rule };
            costs.push(run_cost(server, topic, &group(what), &run, events));
        };
        run(&mut candidates, "candidates", own, "candidates", RULE);
        note(1);
        run(&mut shipped, "envelope", own, "envelope", RULE);
        note(2);
        run(&mut without, "no-hit", own, "envelope", &no_hit);
        run(&mut unchecked, "no-hit-candidates", own, "candidates", &no_hit);
        taken.push(drop_cost(server, topic, &group("source"), events, BY_SOURCE));
        if let Some(program) = against {
            run(&mut other, "other", program, "envelope", RULE);
        }
    }
    println!("\n{topic}");
    for (what, costs) in [
        ("consume + drop", &dropped),
        ("the source + drop", &taken),
        ("run, candidates", &candidates),
        ("run, as shipped", &shipped),
        ("as shipped, no hit", &without),
        ("candidates, no hit", &unchecked),
    ] {
        let rate = events as f64 / median(costs.iter().map(|cost| cost.cpu_seconds));
        print_row(what, rate, costs);
    }
    let of = |own: &[Cost], yardstick: &[Cost]| {
        let sides = own.iter().zip(yardstick);
        median(sides.map(|(own, yardstick)| own.cpu_seconds / yardstick.cpu_seconds))
    };
    for (what, yardstick) in [("consume", &dropped), ("the source", &taken)] {
        println!(
            "  CPU, run : {what} + drop = {:.2} (candidates), {:.2} (as shipped); {:.2} and {:.2} where nothing hits",
            of(&candidates, yardstick),
            of(&shipped, yardstick),
            of(&unchecked, yardstick),
            of(&without, yardstick)
        );
    }
    let alerts = shipped.iter().zip(&without).map(|(own, none)| own.cpu_seconds / none.cpu_seconds);
    println!("  CPU, as shipped, with its alerts : where nothing hits = {:.2}", median(alerts));
    if !other.is_empty() {
        print_row(
            "the other, as shipped",
            events as f64 / median(other.iter().map(|cost| cost.cpu_seconds)),
            &other,
        );
        println!("  CPU, the other : consume + drop = {:.2}", of(&other, &dropped));
    }
    print_connection(events, &reading);
}

/// What one connection carried, from the first fetch to the end of the log.
fn print_connection(events: u64, [dropped, candidates, shipped]: &[Vec<f64>; 3]) {
    if dropped.is_empty() {
        return;
    }
    let share = |own: &[f64]| median(own.iter().zip(dropped).map(|(own, dropped)| dropped / own));
    println!(
        "  events/s of the connection: {:.0} k dropped, {:.2} of that judged (candidates), {:.2} (as shipped)",
        events as f64 / median(dropped.iter().copied()) / 1e3,
        share(candidates),
        share(shipped)
    );
}

/// The ways to drop records.
const BY_POLL: &str = "poll";
const BY_SOURCE: &str = "source";

fn drop_cost(server: &Server, topic: &str, group: &str, events: u64, by: &str) -> Cost {
    let program: PathBuf = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.args(["--drop", &server.address(), "--topic", topic, "--group", group, "--by", by]);
    command.args(["--events", &events.to_string()]).stdout(Stdio::null());
    support::cost_of(command)
}

/// The yardstick: the wrapper's consumer with the product's own settings, and nothing else.
fn drop_by_poll(settings: &Settings, events: u64) {
    let mut config = ouzel::kafka::settings::consumer(settings, 0);
    // The stage finds out by itself where it begins.
    config.set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().expect("these settings are valid");
    let topics: Vec<&str> = settings.input.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).expect("the topic's name is valid");
    let mut seen = 0;
    while seen < events {
        let mut wait = Duration::from_millis(100);
        while let Some(record) = consumer.poll(wait) {
            record.expect("the broker is up");
            seen += 1;
            wait = Duration::ZERO;
        }
    }
}

/// The product's own source, and nothing else.
fn drop_by_source(settings: &Settings, events: u64) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options = KafkaSourceOptions::of_worker(settings, 0);
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

/// One way to run the stage.
struct Run<'a> {
    program: &'a str,
    validate: &'a str,
    rule: &'a str,
}

fn run_cost(server: &Server, topic: &str, group: &str, run: &Run<'_>, events: u64) -> Cost {
    let Run { program, validate, rule } = run;
    let file = server.folder().join(format!("{group}.toml"));
    let brokers = server.address();
    let text = format!(
        "rules = [{rule:?}]\n[kafka]\nbrokers = {brokers:?}\n[input]\ntopics = [{topic:?}]\ngroup = {group:?}\n\
         validate = {validate:?}\nworkers = 1\n[output]\nalerts = \"alerts\"\ndead_letters = \"dead-letters\"\n\
         [http]\nlisten = \"off\"\n[log]\nlevel = \"warn\"\n"
    );
    fs::write(&file, text).expect("target/ can be written");
    let mut command = Command::new(program);
    command.args(["run", "-c"]).arg(&file);
    cost_of_child(command, |child| {
        client::wait_until("the group is at the end", WITHIN, || {
            let committed = server.committed(group, topic)?;
            Ok((u64::try_from(committed) == Ok(events)).then_some(()))
        })
        .expect("the stage gets to the end");
        let id = i32::try_from(child.id()).expect("process ids fit");
        kill(Pid::from_raw(id), Signal::SIGTERM).expect("the child is there");
    })
}
