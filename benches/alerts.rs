//! What does an alert cost? The whole stage but Kafka (source of lines, worker, judge, encoder, a
//! sink that drops) over the same number of events at several hit rates; CPU time, interleaved,
//! medians. The difference between two rates, by hit, is the cost of one alert from candidate to
//! bytes; what the SHA-256 of its payload takes of that is measured apart.
//!
//! `cargo bench --bench alerts [-- --megabytes N --runs N]`; `--profile` runs the storm alone, for
//! a profiler to look at.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ouzel::clock::SystemClock;
use ouzel::config::Settings;
use ouzel::generate::Options;
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Judge, Step, Worker, WorkerOptions};
use ouzel::rule::{self, Found, RuleText};
use ouzel::sink::lines::{Flush, LinesOutput, LinesSink};
use ouzel::source::lines::{LinesInput, LinesSource, Terminator};
use sha2::{Digest, Sha256};
use support::{Corpus, Plan, corpus, median, thread_seconds};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
const RATES: [u16; 5] = [0, 1, 10, 100, 1000];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plan = Plan::from(&arguments);
    if arguments.iter().any(|argument| argument == "--profile") {
        return profile(&plan);
    }
    let corpora = RATES.map(|permille| {
        corpus(&Options { hits_permille: permille.into(), ..Options::default() }, plan.megabytes)
    });
    let mut spent = vec![Vec::new(); RATES.len()];
    let mut digests = Vec::new();
    for _ in 0..plan.runs {
        for (corpus, spent) in corpora.iter().zip(&mut spent) {
            spent.push(stage(corpus));
        }
        digests.push(digest());
    }
    println!("the stage at hit rates, {} runs, interleaved, medians of CPU time", plan.runs);
    let none = spent.first().cloned().unwrap_or_default();
    for ((permille, own), corpus) in RATES.iter().zip(&spent).zip(&corpora) {
        let ratio = median(own.iter().zip(&none).map(|(own, none)| own / none));
        let by_event = median(own.iter().copied());
        let rate = f64::from(*permille) / 1000.0;
        let by_alert = median(own.iter().zip(&none).map(|(own, none)| own - none)) / rate;
        println!(
            "  {:>5.1} %   {:>6.2} us an event   {ratio:.2} of none   {by_alert:>6.2} us an alert   ({} events)",
            f64::from(*permille) / 10.0,
            by_event,
            corpus.events
        );
    }
    let storm = spent.last().cloned().unwrap_or_default();
    println!("  storm: {:.0} k alerts a CPU-second", 1e3 / median(storm.into_iter()));
    println!("  SHA-256 of 2.8 KB: {:.2} us", median(digests.into_iter()));
}

/// The storm, again and again.
fn profile(plan: &Plan) {
    let storm = Options { hits_permille: 1000, ..Options::default() };
    let corpus = corpus(&storm, plan.megabytes);
    for _ in 0..plan.runs {
        println!("  storm: {:.2} us an event", stage(&corpus));
    }
}

/// Microseconds of one digest of a payload.
fn digest() -> f64 {
    let payload = vec![b'x'; 2800];
    let before = thread_seconds();
    for _ in 0..10_000 {
        black_box(Sha256::digest(black_box(&payload)));
    }
    (thread_seconds() - before) * 1e6 / 10_000.0
}

fn judge() -> Arc<Judge> {
    let text = std::fs::read_to_string(RULE).expect("the rule is there");
    let text = RuleText { origin: RULE.to_owned(), text, found: Found::Named };
    let rules = Arc::new(rule::load(&[text], &BTreeMap::new()).expect("the rule is right"));
    Arc::new(setup::judge(&Settings::default(), rules, JudgeOptions::default()))
}

/// Microseconds an event of the whole stage.
fn stage(corpus: &Corpus) -> f64 {
    let input = LinesInput::file(Path::new(&corpus.path));
    let source =
        LinesSource::new(vec![input], Terminator::Newline, Arc::new(SystemClock::default()));
    let alerts = LinesOutput::new("nowhere", Box::new(io::sink()));
    let settings = Settings::default();
    let options = WorkerOptions {
        bounds: setup::bounds(&settings.delivery),
        records_max: 4096,
        idle_wait: Duration::ZERO,
        busy_wait: Duration::ZERO,
    };
    let sink = LinesSink::new(alerts, None, Flush::WhenFull);
    let mut worker = Worker::new(source, sink, judge(), options);
    let before = thread_seconds();
    while let Step::Went(_) = worker.step(Duration::from_millis(1)) {
        worker.tally().clear();
    }
    (thread_seconds() - before) * 1e6 / corpus.events as f64
}
