//! How many events does `pipe`, as shipped, judge in a CPU-second, against another program that
//! judges the same file by the same rules? A comparison counts only where both find the same hits,
//! each rule in the same events: otherwise this fails.
//!
//! The other program is rsigma, which evaluates Sigma rules; `make bench-peers` builds the version
//! that is compared with. It runs in its two ways: `engine eval`, which is its command for files, and
//! `engine daemon`, its service, which reads its standard input and ends with it. The daemon gets one
//! thread of each kind: with more it is done sooner and costs more. The rules are written for both
//! from one table. What is timed is written to nowhere, since how much is said of a hit differs;
//! which events are hit is compared before, from files.
//!
//! `cargo bench --bench peers [-- --megabytes N --runs N --peer RSIGMA]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod peers {
    pub mod rules;
}
#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};

use ouzel::generate::Options;
use peers::rules::{self, Written};
use serde_json::Value;
use support::{Corpus, Cost, corpus, cost_of, median, number, option, print_row};

/// Of which the rules of a set that no usual event hits are compared.
const NOISY_MEGABYTES: u64 = 20;

/// How often each rule (by its name) hit each event (by its uuid).
type Hits = BTreeMap<(String, String), u32>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/rsigma");
    let peer = option(&arguments, "--peer").map_or(built, PathBuf::from);
    if !peer.exists() {
        println!("{} is not there: make bench-peers builds it", peer.display());
        exit(1);
    }
    let megabytes = number(&arguments, "--megabytes", 200);
    let runs = usize::try_from(number(&arguments, "--runs", 7)).expect("a small number");
    println!(
        "ouzel pipe and {}: {megabytes} MB, {runs} runs, in turn, medians; load {}",
        version(&peer),
        fs::read_to_string("/proc/loadavg").unwrap_or_default().trim()
    );
    let noisy = Options { noise_hits: true, ..Options::default() };
    let noisy = corpus(&noisy, NOISY_MEGABYTES);
    for (name, rules, hits_permille) in [
        ("one rule, 0.1 % hits", rules::one(), 1),
        ("21 rules, 0.1 % hits", rules::plain(), 1),
        ("21 rules, two look further into usual events, 0.1 % hits", rules::mixed(), 1),
        ("one rule, 25 % hits", rules::one(), 250),
    ] {
        let rules = rules::write(&folder(), &rules);
        let options = Options { hits_permille, ..Options::default() };
        let corpus = corpus(&options, megabytes);
        println!("\n{name}: {} events", corpus.events);
        for corpus in [&noisy, &corpus] {
            same_hits(&rules, corpus, &peer);
        }
        compare(&rules, &corpus, &peer, runs);
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/peers")
}

fn version(peer: &Path) -> String {
    let output = Command::new(peer).arg("--version").output().expect("it was just found");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

fn our_command(rules: &Written, corpus: &Corpus) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["pipe", "-q", "-r"]).arg(&rules.ours).arg(&corpus.path);
    command
}

/// The ways in which rsigma judges a file.
#[derive(Clone, Copy)]
enum Way {
    Eval,
    Daemon,
}

impl Way {
    const ALL: [Self; 2] = [Self::Eval, Self::Daemon];

    const fn name(self) -> &'static str {
        match self {
            Self::Eval => "rsigma eval",
            Self::Daemon => "rsigma daemon",
        }
    }

    /// No guess at the format, one JSON line a hit, no summary.
    fn command(self, rules: &Written, corpus: &Corpus, peer: &Path) -> Command {
        let mut command = Command::new(peer);
        match self {
            Self::Eval => {
                command.args(["--quiet", "--output-format", "ndjson", "engine", "eval"]);
                command.arg("-e").arg(format!("@{}", corpus.path.display()));
            }
            Self::Daemon => {
                command.args(["engine", "daemon", "--api-addr", "127.0.0.1:0"]);
                command.env("RAYON_NUM_THREADS", "1").env("TOKIO_WORKER_THREADS", "1");
                command.stdin(File::open(&corpus.path).expect("the corpus was just made"));
            }
        }
        command.args(["--input-format", "json", "-r"]).arg(&rules.theirs);
        command
    }
}

/// Ends the bench where one of the two finds something that the other does not.
fn same_hits(rules: &Written, corpus: &Corpus, peer: &Path) {
    let ours = hits(our_command(rules, corpus), |alert| {
        let event = alert.get("kibana.alert.ancestors")?.get(0)?.get("id")?;
        Some((alert.get("kibana.alert.rule.name")?, event))
    });
    for way in Way::ALL {
        let mut command = way.command(rules, corpus, peer);
        command.arg("--include-event");
        let theirs =
            hits(command, |hit| Some((hit.get("rule_title")?, hit.get("event")?.get("uuid")?)));
        if ours != theirs || ours.is_empty() {
            let missing = |of: &Hits, other: &Hits| -> Vec<(String, String)> {
                let differs = of.iter().filter(|(hit, count)| other.get(hit) != Some(count));
                differs.take(3).map(|(hit, _)| hit.clone()).collect()
            };
            println!(
                "  {}: not the same hits, so this says nothing: {} and {}; only ouzel {:?}, only it {:?}",
                way.name(),
                ours.len(),
                theirs.len(),
                missing(&ours, &theirs),
                missing(&theirs, &ours)
            );
            exit(1);
        }
    }
    let rules: BTreeSet<&String> = ours.keys().map(|(rule, _)| rule).collect();
    println!(
        "  the same hits: {} by {} rules in {} events",
        ours.values().sum::<u32>(),
        rules.len(),
        corpus.events
    );
}

/// What a program finds, by the names of rule and event in each line that it writes.
fn hits(mut command: Command, names: impl Fn(&Value) -> Option<(&Value, &Value)>) -> Hits {
    let path = folder().join("found.ndjson");
    command.stdout(File::create(&path).expect("target/ can be written")).stderr(Stdio::null());
    cost_of(command);
    let mut found = Hits::new();
    for line in BufReader::new(File::open(path).expect("it was just written")).lines() {
        let line: Value =
            serde_json::from_str(&line.expect("both write text")).expect("a JSON line");
        // Ouzel also says once that a rule is over its limit; its alerts go on.
        if line.pointer("/ouzel/notice").is_some() {
            continue;
        }
        let (rule, event) = names(&line).expect("a hit names its rule and its event");
        let text = |name: &Value| name.as_str().expect("names are texts").to_owned();
        *found.entry((text(rule), text(event))).or_default() += 1;
    }
    found
}

fn compare(rules: &Written, corpus: &Corpus, peer: &Path, runs: usize) {
    let mut ours = Vec::new();
    let mut theirs = Way::ALL.map(|way| (way, Vec::new()));
    for _ in 0..runs {
        ours.push(cost(our_command(rules, corpus)));
        for (way, costs) in &mut theirs {
            costs.push(cost(way.command(rules, corpus, peer)));
        }
    }
    print_costs("ouzel pipe", corpus, &ours);
    for (way, costs) in &theirs {
        print_costs(way.name(), corpus, costs);
    }
    for (way, costs) in &theirs {
        let ratio = |of: fn(&Cost) -> f64| {
            median(ours.iter().zip(costs).map(|(own, other)| of(other) / of(own)))
        };
        println!(
            "  pipe : {} = {:.1} in events a CPU-second, {:.1} on the clock",
            way.name(),
            ratio(|cost| cost.cpu_seconds),
            ratio(|cost| cost.wall_seconds)
        );
    }
}

fn print_costs(what: &str, corpus: &Corpus, costs: &[Cost]) {
    let rate = corpus.events as f64 / median(costs.iter().map(|cost| cost.cpu_seconds));
    print_row(what, rate, costs);
    println!("  {:<18} {:>10.2} CPU-seconds a million events", "", 1e6 / rate);
}

fn cost(mut command: Command) -> Cost {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    cost_of(command)
}
