//! Did the hot path become dearer? Instructions an event, counted by callgrind, against a baseline
//! that is checked in: they are the same on a busy machine, so that three parts in a hundred show.
//!
//! Each scenario runs twice in a child, over some events and over as many again; the difference is
//! what the events cost, without the start. Callgrind knows neither AVX-512 nor the processor's
//! SHA-256, so the pass is counted on AVX2 and on the portable level, and hashes are dear: of an
//! alert's instructions more than half are theirs. Another compiler or C library counts otherwise;
//! then a new baseline is written from the commit before, and only the step after it is judged.
//!
//! The profile `counts` is built in two minutes and without librdkafka, so that the tests can have
//! it: `make instructions`. Where a processor has no AVX2, only the portable level is judged.
//!
//! `cargo bench --profile counts --no-default-features --bench instructions [-- --write]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::sync::Arc;

use ouzel::config::Settings;
use ouzel::detect::Scratch;
use ouzel::detect::kernel::{Kernel, Look};
use ouzel::event::TopicProfile;
use ouzel::generate::{Generator, Options};
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Judge, Tally};
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use ouzel::rule::{self, Found, RuleText};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
const LITERAL: &str = "user.mfa.factor.reset_all";

/// More than this is a regression; less by as much asks for a new baseline.
const TOLERANCE: f64 = 0.03;

/// Events of one measurement.
const EVENTS: usize = 400;

#[derive(Clone, Copy)]
enum Scenario {
    /// The pass, on the best or on the portable level.
    Pass(Look, Level),
    /// A clean record, inspected as shipped.
    Clean,
    /// A hit, decoded and evaluated.
    Candidate,
    /// The same, up to the bytes of its alert.
    Alert,
}

#[derive(Clone, Copy)]
enum Level {
    Best,
    Portable,
}

const SCENARIOS: [(&str, Scenario); 7] = [
    ("filter, AVX2", Scenario::Pass(Look::Filter, Level::Best)),
    ("filter, portable", Scenario::Pass(Look::Filter, Level::Portable)),
    ("filter and envelope, AVX2", Scenario::Pass(Look::FilterAndEnvelope, Level::Best)),
    ("filter and envelope, portable", Scenario::Pass(Look::FilterAndEnvelope, Level::Portable)),
    ("clean record, as shipped", Scenario::Clean),
    ("candidate, decoded and evaluated", Scenario::Candidate),
    ("alert, from record to bytes", Scenario::Alert),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let behind = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    if let Some(wanted) = behind("--scenario") {
        let rounds = behind("--rounds").and_then(|text| text.parse().ok()).unwrap_or(1);
        return run(&wanted, rounds);
    }
    let counts: Vec<(&str, f64)> = SCENARIOS
        .into_iter()
        .filter(|(_, scenario)| can_be_judged(*scenario))
        .map(|(name, _)| (name, (counted(name, 2) - counted(name, 1)) / EVENTS as f64))
        .collect();
    if arguments.iter().any(|argument| argument == "--write") {
        let lines: String =
            counts.iter().map(|(name, count)| format!("{name}: {count:.0}\n")).collect();
        fs::write(BASELINE, &lines).expect("the baseline can be written");
        print!("{lines}");
        return;
    }
    if !compare(&counts) {
        println!(
            "the hot path became dearer than {BASELINE} says: find out why, or where it has to be, \
             write a new baseline with --write and say in the commit what it buys"
        );
        exit(1);
    }
}

/// The baseline of all but the portable level is of a processor with AVX2.
fn can_be_judged(scenario: Scenario) -> bool {
    #[cfg(target_arch = "x86_64")]
    let has_avx2 = std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let has_avx2 = false;
    has_avx2 || matches!(scenario, Scenario::Pass(_, Level::Portable))
}

/// Prints the counts beside the baseline; whether none is a regression.
fn compare(counts: &[(&str, f64)]) -> bool {
    let text = fs::read_to_string(BASELINE).expect("the baseline is checked in");
    let line = |line: &str| {
        let (name, count) = line.rsplit_once(": ")?;
        Some((name.to_owned(), count.parse::<f64>().ok()?))
    };
    let baseline: BTreeMap<String, f64> = text.lines().filter_map(line).collect();
    println!("instructions an event, of the baseline");
    let mut is_fine = true;
    for (name, count) in counts {
        let Some(before) = baseline.get(*name) else {
            println!("  {name:<34} {count:>8.0}   not in the baseline: --write makes a new one");
            is_fine = false;
            continue;
        };
        let ratio = count / before;
        let verdict = match ratio {
            _ if ratio > 1.0 + TOLERANCE => "DEARER",
            _ if ratio < 1.0 - TOLERANCE => "cheaper: --write makes a new baseline",
            _ => "",
        };
        is_fine &= ratio <= 1.0 + TOLERANCE;
        println!("  {name:<34} {count:>8.0}   {ratio:.3}   {verdict}");
    }
    is_fine
}

/// Instructions of a child that goes over the events so many times.
fn counted(scenario: &str, rounds: u32) -> f64 {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&out).expect("target/ can be written");
    let file: PathBuf = out.join("callgrind.out");
    let program = std::env::current_exe().expect("a running program has a path");
    let outcome = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", file.display())])
        .arg(program)
        .args(["--scenario", scenario, "--rounds", &rounds.to_string()])
        .output()
        .expect("valgrind can be started (apt-get install valgrind)");
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{said}");
    let line = said.lines().find_map(|line| line.split_once("Collected : "));
    line.and_then(|(_, count)| count.trim().parse().ok()).expect("callgrind says what it counted")
}

/// In the child: goes over the events.
fn run(wanted: &str, rounds: u32) {
    let found = SCENARIOS.iter().find(|(name, _)| *name == wanted);
    let (_, scenario) = found.expect("the parent names a scenario");
    match *scenario {
        Scenario::Pass(look, level) => pass(look, level, rounds),
        Scenario::Clean => judge_each(0, &Settings::default(), rounds, |_, _, _| {}),
        Scenario::Candidate => judge_each(1000, &Settings::default(), rounds, |_, _, _| {}),
        Scenario::Alert => {
            let mut tally = Tally::default();
            let mut prepared = Vec::new();
            judge_each(1000, &Settings::default(), rounds, |judge, record, verdict| {
                judge.prepare(record, verdict, &mut tally, &mut prepared);
                assert!(!prepared.is_empty(), "an alert, and where the limit is met a notice");
                black_box(&prepared);
                prepared.clear();
            });
        }
    }
}

fn events(hits_permille: u32) -> Vec<Vec<u8>> {
    let mut generator = Generator::new(Options { hits_permille, ..Options::default() });
    let one = |_| {
        let mut event = Vec::new();
        generator.next_into(&mut event);
        event
    };
    (0..EVENTS).map(one).collect()
}

fn pass(look: Look, level: Level, rounds: u32) {
    let hides =
        |byte: u8| LITERAL.bytes().chain(*b"\\u0123456789abcdefABCDEF").any(|own| own == byte);
    let best = Kernel::new(&[LITERAL.as_bytes()], hides).expect("the literal is ASCII");
    let kernel = match level {
        Level::Best => best,
        Level::Portable => best.on_every_level().last().expect("one level is everywhere"),
    };
    let events = events(0);
    for _ in 0..rounds {
        for event in &events {
            black_box(kernel.scan(black_box(event), look));
        }
    }
}

/// Inspects each event, and does `then` with its verdict.
fn judge_each(
    hits_permille: u32,
    settings: &Settings,
    rounds: u32,
    mut then: impl FnMut(&Judge, &Record<'_>, &ouzel::detect::Verdict<'_>),
) {
    let text = fs::read_to_string(RULE).expect("the rule is there");
    let text = RuleText { origin: RULE.to_owned(), text, found: Found::Named };
    let rules = Arc::new(rule::load(&[text], &BTreeMap::new()).expect("the rule is right"));
    let judge = setup::judge(settings, rules, JudgeOptions::default());
    let (profile, mut scratch) = (TopicProfile::default(), Scratch::default());
    let events = events(hits_permille);
    for round in 0..rounds {
        for (number, event) in events.iter().enumerate() {
            let offset = i64::from(round) * EVENTS as i64 + number as i64;
            let record = Record {
                payload: Some(event),
                key: None,
                headers: &NoHeaders,
                position: Position { topic: "okta", partition: 0, offset },
                timestamp: None,
                received: Timestamp::from_millis(1_767_225_600_000),
            };
            let verdict = judge.detector().inspect(&record, &profile, &mut scratch);
            then(&judge, &record, black_box(&verdict));
        }
    }
}
