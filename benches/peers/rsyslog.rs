//! rsyslog as the other program: whether it is here, how far it is, how it is ended. What it is told
//! to do stands in rsyslog.conf.
//!
//! It does not say in time how much it has judged: its own statistics come once a second at most, and
//! an offset is committed before the event is judged. But of the events that the benches publish the
//! last one of each thousand is a hit, and rsyslog takes, judges and sends them in one thread, in
//! order: where so many hits have arrived, a thousand times as many events were judged.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::sides::{LOOK_EVERY, Outcome, Point, Task, WITHIN, ended_with_us, outcome};
use crate::client;

/// Where its packages install it, which is not in everybody's path.
const PROGRAM: &str = "/usr/sbin/rsyslogd";
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/rsyslog.conf");
/// The last of so many events is a hit.
pub const EVENTS_PER_HIT: u64 = 1000;

/// Which events are parsed, by the name of the rule set.
#[derive(Clone, Copy)]
pub enum Parsed {
    /// Each.
    Each,
    /// Those that hold the wanted text anywhere.
    WithText,
}

/// `rsyslogd` with its input and its output for Kafka.
pub struct Rsyslog;

impl Rsyslog {
    /// What this machine lacks for it, with the command that installs it.
    pub fn what_is_missing() -> Option<String> {
        let install = "apt-get install rsyslog rsyslog-kafka";
        let mut command = Command::new(PROGRAM);
        command.arg("-N1");
        configure(&mut command, ["127.0.0.1:9092", "check", "check", "check"], Parsed::Each);
        let said = match command.output() {
            Ok(Output { status, .. }) if status.success() => return None,
            // The first fault is that of a module that is not there; others follow from it.
            Ok(Output { stderr, .. }) => {
                String::from_utf8_lossy(&stderr).lines().take(2).collect::<Vec<_>>().join("\n")
            }
            Err(fault) => format!("{PROGRAM}: {fault}"),
        };
        Some(format!("rsyslog is left out; {install}\n{said}"))
    }

    /// Its name and version.
    pub fn version() -> String {
        let output = Command::new(PROGRAM).arg("-v").output().expect("it was just there");
        let said = String::from_utf8_lossy(&output.stdout);
        said.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Reads the task's topic; hits go to `output`.
    pub fn run(task: &Task<'_>, output: &str, parsed: Parsed) -> Outcome {
        let brokers = task.broker.plaintext();
        let mut command = ended_with_us(PROGRAM);
        command.arg("-n");
        configure(&mut command, [&brokers, task.topic, output, task.action], parsed);
        let hits = Hits::of(&brokers, output);
        let outcome = outcome(task, command, |_, id| {
            let from = hits.point(task, id, task.warm);
            let to = hits.point(task, id, task.events);
            kill(id, Signal::SIGTERM).expect("it is there");
            (from, to)
        });
        let committed =
            client::committed(&brokers, output, task.topic).expect("the broker answers");
        let committed: i64 = committed.values().sum();
        assert_eq!(u64::try_from(committed), Ok(task.events), "the group is at the end");
        outcome
    }
}

/// All that it is told beside what it has to do.
fn configure(command: &mut Command, [brokers, input, output, wanted]: [&str; 4], parsed: Parsed) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench/rsyslog");
    fs::create_dir_all(&folder).expect("target/ can be written");
    let log = folder.join("rsyslog.log");
    let rule_set = match parsed {
        Parsed::Each => "each",
        Parsed::WithText => "text",
    };
    command.args(["-f", CONFIGURATION, "-i"]).arg(folder.join("process"));
    command.env("FOLDER", &folder).env("LOG", log).env("RULESET", rule_set);
    command.env("BROKERS", brokers).env("INPUT", input).env("OUTPUT", output).env("WANTED", wanted);
}

/// The topic that hits come to.
struct Hits<'a> {
    consumer: BaseConsumer,
    topic: &'a str,
}

impl<'a> Hits<'a> {
    fn of(brokers: &str, topic: &'a str) -> Self {
        let consumer = ClientConfig::new().set("bootstrap.servers", brokers).create();
        Self { consumer: consumer.expect("these settings are valid"), topic }
    }

    /// The first look that finds the hits of so many events.
    fn point(&self, task: &Task<'_>, id: Pid, events: u64) -> Point {
        let deadline = Instant::now() + WITHIN;
        loop {
            let judged = self.count() * EVENTS_PER_HIT;
            if judged >= events {
                return task.point(id, judged);
            }
            assert!(Instant::now() < deadline, "{judged} of {events} events after {WITHIN:?}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn count(&self) -> u64 {
        let ends = self.consumer.fetch_watermarks(self.topic, 0, Duration::from_secs(10));
        let (_, end) = ends.expect("the broker answers");
        u64::try_from(end).expect("a topic ends at 0 or later")
    }
}
