//! What does `ouzel run`, as shipped with one rule, cost beside the program that somebody would
//! write by hand (Kafka's own Java client, Jackson's streaming parser, a producer for the hits), and
//! beside rsyslog with its modules for Kafka and JSON? All read the same topic of a real Apache Kafka
//! on the same cores, in turn, and must write an alert for the same events: otherwise this fails.
//!
//! The Java program (benches/peers/KafkaFilter.java) runs twice: it reads each event to its end, as
//! Ouzel's `envelope` check does, or it stops at the field that it looks for. rsyslog
//! (benches/peers/rsyslog.conf) runs twice as well: it parses each event, or those that hold the wanted
//! text; where it is not installed, it is left out. Two figures are given of
//! each program: of the whole process, its start in it, and of what comes after so many events, when
//! Java's compilers have done their work. The broker's CPU time is given beside both.
//!
//! `cargo bench --bench peers_kafka [-- --events N --warm N --runs N --compression none|lz4|zstd]`

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
mod peers {
    pub mod rsyslog;
    pub mod sides;
}
#[path = "../tests/kafka/proxy.rs"]
mod proxy;
mod support;

use std::fs;
use std::process::exit;

use memchr::memmem;
use rdkafka::Message;

use broker::Broker;
use peers::rsyslog::{EVENTS_PER_HIT, Parsed, Rsyslog};
use peers::sides::{Filter, Outcome, Stage, Task};
use support::{fill, median, number, option};

/// The broker's virtual machine, as Kafka's own start script has it: all compilers, the G1 collector.
const MACHINE: [&str; 3] = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"];

const ACTION: &str = "user.mfa.factor.reset_all";
/// What stands before an event's uuid: in an alert of ours, and in the event itself.
const IN_ALERT: &[u8] = b"\"kibana.alert.ancestors\":[{\"id\":\"";
const IN_EVENT: &[u8] = b"\"uuid\":\"";
/// What Ouzel says once of a rule that is over its limit; its alerts go on.
const NOTICE: &[u8] = b"\"ouzel\":{\"notice\":";

/// What is compared.
enum Program {
    Ouzel,
    /// The filter, and how much of an event it reads.
    Java(Filter, &'static str),
    Rsyslog(Parsed),
}

impl Program {
    fn run(&self, task: &Task<'_>, output: &str) -> Outcome {
        match self {
            Self::Ouzel => Stage::run(task, output),
            Self::Java(filter, reading) => filter.run(task, output, reading),
            Self::Rsyslog(parsed) => Rsyslog::run(task, output, *parsed),
        }
    }
}

/// A program of the comparison, and what it did in each run.
struct Side {
    name: &'static str,
    /// The part of its topics' names.
    short: &'static str,
    before_uuid: &'static [u8],
    program: Program,
    outcomes: Vec<Outcome>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(missing) = java::what_is_missing() {
        println!("{missing}");
        exit(1);
    }
    let filter = Filter::compile().unwrap_or_else(|fault| {
        println!("{fault}");
        exit(1);
    });
    let compression = option(&arguments, "--compression").unwrap_or_else(|| "none".to_owned());
    let count = |name, default| number(&arguments, name, default).next_multiple_of(EVENTS_PER_HIT);
    let (events, warm) = (count("--events", 600_000), count("--warm", 200_000));
    let runs = usize::try_from(number(&arguments, "--runs", 7)).expect("a small number");
    let broker = Broker::start_with(&MACHINE).expect("the broker starts");
    client::create_topics(&broker.plaintext(), &[("events", 1), ("dead-letters", 1)])
        .expect("topics can be created");
    fill::publish(&broker.plaintext(), "events", &compression, (events, 1));
    // The kernel writes the topic to the disk for half a minute: meanwhile a fetch costs up to
    // twice as much.
    nix::unistd::sync();
    println!(
        "{events} raw events, 1 partition, compression {compression}, 0.1 % hits, {runs} runs, in turn, \
         medians; a real Apache Kafka on the same cores; {}; load {}",
        Filter::version(),
        fs::read_to_string("/proc/loadavg").unwrap_or_default().trim()
    );
    let task = Task { broker: &broker, topic: "events", action: ACTION, events, warm };
    let mut sides = sides(filter);
    sides.extend(rsyslog());
    for run in 0..runs {
        one_run(&task, &mut sides, run);
    }
    report(&sides, warm);
}

fn sides(filter: Filter) -> Vec<Side> {
    let side = |name, short, before_uuid, program| {
        let outcomes = Vec::new();
        Side { name, short, before_uuid, program, outcomes }
    };
    let (all, first) = (Program::Java(filter.clone(), "all"), Program::Java(filter, "first"));
    vec![
        side("ouzel run", "ouzel", IN_ALERT, Program::Ouzel),
        side("java, whole event", "java-all", IN_EVENT, all),
        side("java, up to field", "java-first", IN_EVENT, first),
    ]
}

/// rsyslog's sides, where it is installed.
fn rsyslog() -> Vec<Side> {
    if let Some(missing) = Rsyslog::what_is_missing() {
        println!("{missing}");
        return Vec::new();
    }
    println!("{}", Rsyslog::version());
    let side = |name, short, parsed| {
        let (before_uuid, program) = (IN_EVENT, Program::Rsyslog(parsed));
        Side { name, short, before_uuid, program, outcomes: Vec::new() }
    };
    vec![
        side("rsyslog, each parsed", "rsyslog-each", Parsed::Each),
        side("rsyslog, text first", "rsyslog-text", Parsed::WithText),
    ]
}

/// Each side once, into a topic of its own; ends the bench where one found something else.
fn one_run(task: &Task<'_>, sides: &mut [Side], run: usize) {
    let brokers = task.broker.plaintext();
    let mut found: Vec<Vec<Vec<u8>>> = Vec::new();
    for side in sides {
        let output = format!("alerts-{}-{run}", side.short);
        client::create_topics(&brokers, &[(&output, 1)]).expect("topics can be created");
        side.outcomes.push(side.program.run(task, &output));
        let mut uuids = Vec::new();
        client::read(&brokers, &output, |message| {
            let alert = message.payload().unwrap_or_default();
            if memmem::find(alert, NOTICE).is_none() {
                uuids.push(uuid(alert, side.before_uuid).expect("an alert names its event"));
            }
        })
        .expect("the alerts can be read");
        uuids.sort_unstable();
        found.push(uuids);
    }
    let counts: Vec<usize> = found.iter().map(Vec::len).collect();
    if counts.contains(&0) || found.windows(2).any(|pair| pair.first() != pair.last()) {
        println!("not the same events were hit, so this says nothing: {counts:?} alerts");
        exit(1);
    }
    if run == 0 {
        println!("alerts of each: {counts:?}, for the same events, in this and in each other run");
    }
}

/// The 36 characters behind `before`.
fn uuid(text: &[u8], before: &[u8]) -> Option<Vec<u8>> {
    let at = memmem::find(text, before)? + before.len();
    text.get(at..at + 36).map(<[u8]>::to_vec)
}

fn report(sides: &[Side], warm: u64) {
    let of = |side: &Side, figure: fn(&Outcome) -> f64| median(side.outcomes.iter().map(figure));
    println!("behind the first {warm} events:");
    for side in sides {
        let own = of(side, Outcome::cpu_per_million);
        println!(
            "  {:<20} {own:>7.2} CPU-s a million events ({:.0} k events a CPU-s)   {:.0} k events/s on the clock   broker {:.2} CPU-s a million, {:.0} % of both",
            side.name,
            1e3 / own,
            of(side, Outcome::events_per_second) / 1e3,
            of(side, Outcome::broker_per_million),
            100.0 * of(side, Outcome::broker_share),
        );
    }
    println!("the whole process, from start to end:");
    for side in sides {
        println!(
            "  {:<20} {:>7.2} CPU-s a million events   {:.2} CPU-s   {:.2} s on the clock   broker {:.2} CPU-s   at most {:.0} MB resident",
            side.name,
            of(side, Outcome::whole_per_million),
            of(side, |it| it.whole.cpu_seconds),
            of(side, |it| it.whole.wall_seconds),
            of(side, |it| it.broker_seconds),
            of(side, |it| it.whole.resident_megabytes),
        );
    }
    let Some((own, others)) = sides.split_first() else { return };
    for side in others {
        let ratio = |figure: fn(&Outcome) -> f64| {
            let pairs = own.outcomes.iter().zip(&side.outcomes);
            median(pairs.map(|(own, other)| figure(other) / figure(own)))
        };
        println!(
            "  {} : ouzel run = {:.1} in CPU time, {:.1} with start and end; {:.1} in events/s on the clock",
            side.name,
            ratio(Outcome::cpu_per_million),
            ratio(Outcome::whole_per_million),
            1.0 / ratio(Outcome::events_per_second),
        );
    }
}
