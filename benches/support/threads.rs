//! CPU time by thread: where a record's path through `ouzel run` is paid.
//!
//! The stage's workers and the client library's threads have names. What a worker pays for taking a
//! record from the library is what a program pays in its one thread that takes records and drops
//! them; what is above that is the stage's own.

use std::fs;
use std::ops::ControlFlow;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ouzel::clock::{Clock, SystemClock};
use ouzel::config::Settings;
use ouzel::source::Source;
use ouzel::source::kafka::{KafkaSource, KafkaSourceOptions};

use super::growth::{self, Rule};
use super::support::canned::Canned;
use super::support::{median, number, option};

/// Nanoseconds a record.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The threads of the client library.
    pub library: f64,
    /// Taking a record from it.
    pub taking: f64,
    /// What else the worker does.
    pub judging: f64,
    /// All other threads, from the start of the process on.
    pub rest: f64,
}

/// Seconds of each thread of a process, `self` or a number, by name.
fn seconds(process: &str) -> Vec<(String, f64)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the process is there");
    let seconds_of = |task: std::path::PathBuf| {
        let name = fs::read_to_string(task.join("comm")).ok()?.trim().to_owned();
        let figures = fs::read_to_string(task.join("schedstat")).ok()?;
        let nanoseconds: f64 = figures.split(' ').next()?.parse().ok()?;
        Some((name, nanoseconds / 1e9))
    };
    tasks.flatten().filter_map(|task| seconds_of(task.path())).collect()
}

fn sum(threads: &[(String, f64)], is_one: impl Fn(&str) -> bool) -> f64 {
    threads.iter().filter(|(name, _)| is_one(name)).map(|(_, seconds)| seconds).sum()
}

/// The path of a clean record through `run` as shipped, medians.
pub fn path(server: &Canned, events: u64, runs: usize) -> Path {
    let topic = growth::topic(server, Rule::Clean, 1, events);
    let mut paths = Vec::new();
    for run in 0..runs {
        let taking = taking(server, &topic, &format!("drop-{run}"));
        let group = format!("path-{run}");
        let mut stage = topic.start(server, &group, (0, 1));
        topic.wait(server, &group);
        let threads = seconds(&stage.id().to_string());
        growth::end(&mut stage);
        let worker = sum(&threads, |name| name.starts_with("ouzel-worker"));
        let library = sum(&threads, |name| name.starts_with("rdk:"));
        let each = |seconds: f64| seconds * 1e9 / topic.events as f64;
        paths.push(Path {
            library: each(library),
            taking: each(taking),
            judging: each(worker - taking),
            rest: each(sum(&threads, |_| true) - worker - library),
        });
    }
    let of = |figure: fn(&Path) -> f64| median(paths.iter().map(figure));
    Path {
        library: of(|path| path.library),
        taking: of(|path| path.taking),
        judging: of(|path| path.judging),
        rest: of(|path| path.rest),
    }
}

/// Seconds of the one thread of a child that takes all records and drops them.
fn taking(server: &Canned, topic: &growth::Topic, group: &str) -> f64 {
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program)
        .args(["--drop", &server.address(), "--topic", &topic.name, "--group", group])
        .args(["--events", &topic.events.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("the child can be started");
    assert!(output.status.success(), "the child ended with {}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("it prints a number")
}

/// In the child: takes all records and drops them, and prints what its thread took. Whether there was
/// something to do.
pub fn drop_records(arguments: &[String]) -> bool {
    let Some(brokers) = option(arguments, "--drop") else { return false };
    let text = |name| option(arguments, name).expect("the parent names it");
    let mut settings = Settings::default();
    settings.kafka.brokers = brokers;
    settings.input.topics = vec![text("--topic")];
    settings.input.group = text("--group");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options = KafkaSourceOptions::of_worker(&settings, 0);
    let mut source = KafkaSource::open(options, clock).expect("these settings are valid");
    let (mut seen, events) = (0, number(arguments, "--events", 0));
    while seen < events {
        while source.event().is_some() {}
        let lent =
            source.poll(Duration::from_millis(100), 1024, &mut |_record| ControlFlow::Continue(()));
        seen += lent.expect("the broker is up") as u64;
    }
    let threads = seconds("self");
    println!("{}", sum(&threads, |name| !name.starts_with("rdk:")));
    source.close();
    true
}
