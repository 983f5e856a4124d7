//! How does the stage grow? `ouzel run` over a topic of four partitions with 1, 2 and 4 workers, and
//! as two instances of one group with a worker each.
//!
//! A server in this process replays what was sent once (`support/canned.rs`), so that next to nothing
//! of the two sides is a broker; how much of the cores it took nevertheless is printed. Twice: with
//! one rule that has a literal, where the client library's fetching is most of the work and a worker
//! is two busy threads, and with one that has none, where each event is decoded and a worker is one.
//!
//! Events a second are counted from the first request for the beginning of the topic to the last one
//! behind its end, CPU time is that of the processes from start to end.
//!
//! `cargo bench --bench workers [-- --runs N --events N --decoded N]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "support/growth.rs"]
mod growth;
#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use growth::{Group, Rule, cores, medians};
use support::canned::Canned;
use support::{load, number};

const PARTITIONS: i32 = 4;

const GROUPS: [Group; 4] = [
    Group { instances: 1, workers: 1 },
    Group { instances: 1, workers: 2 },
    Group { instances: 1, workers: 4 },
    Group { instances: 2, workers: 1 },
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runs = usize::try_from(number(&arguments, "--runs", 7)).expect("a small number");
    let (cores, load) = (cores(), load());
    println!(
        "{PARTITIONS} partitions, lz4, {runs} runs, in turn, medians; {cores} cores; load {load}"
    );
    let server = growth::server();
    measure(&server, Rule::Literal, number(&arguments, "--events", 1_200_000), runs);
    measure(&server, Rule::Decoded, number(&arguments, "--decoded", 200_000), runs);
}

fn measure(server: &Canned, rule: Rule, events: u64, runs: usize) {
    let topic = growth::topic(server, rule, PARTITIONS, events);
    let mut readings = GROUPS.map(|_| Vec::new());
    for run in 0..runs {
        for (readings, group) in readings.iter_mut().zip(GROUPS) {
            readings.push(topic.read(server, group, run));
        }
    }
    let what = match rule {
        Rule::Literal | Rule::Clean => "one rule with a literal, 0.1 % hits",
        Rule::Decoded => "one rule without a literal, every event decoded",
    };
    let events = topic.events as f64;
    println!("\n{what}: {events} events");
    let alone = readings.first().map_or(1.0, |alone| medians(alone).seconds);
    for (Group { instances, workers }, readings) in GROUPS.iter().zip(&readings) {
        let reading = medians(readings);
        println!(
            "  {instances} x {workers} workers   {:>5.0} k events/s ({:.2} of one worker)   {:>5.0} k events a CPU-second   the server took {:.0} % of the cores",
            events / reading.seconds / 1e3,
            alone / reading.seconds,
            events / reading.cpu_seconds / 1e3,
            reading.server_share * 100.0
        );
    }
}
