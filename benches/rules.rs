//! What do many rules cost against one, and what does the shape of the events?
//!
//! Two kinds of sets, each as 1 rule and as 1000: rules whose literals the pass looks for, on
//! values that no event has; and rules of which some have no literal, so that each event is decoded.
//! The detector alone, CPU time, interleaved, medians.
//!
//! `cargo bench --bench rules [-- --megabytes N --runs N]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use ouzel::detect::{Detector, Scratch, Validate};
use ouzel::event::{FieldTypes, TopicProfile};
use ouzel::generate::{Options, Shape};
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use ouzel::rule::{self, Found, RuleText};
use support::{Plan, corpus, median, thread_seconds};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plan = Plan::from(&arguments);
    println!("sets");
    let raw = read(Shape::Raw, &plan);
    let sets = [
        ("1 rule, one literal", detector(vec![action("none.such.one")])),
        ("1 rule of 9 values, by key", detector(vec![values(0, 9)])),
        ("1000 rules, by key", detector((0..1000).map(|number| values(number, 1)).collect())),
        ("1 rule, every event decoded", detector(vec![mixed(3)])),
        ("1000 rules, every event decoded", detector((0..1000).map(mixed).collect())),
    ];
    println!("many rules, clean raw events, {} runs, medians", plan.runs);
    let named: Vec<_> = sets.iter().map(|(name, detector)| (*name, detector, &raw)).collect();
    let spent = compare(&named, plan.runs);
    let ratio = |own: usize, one: usize| median(pairs(&spent, own, one));
    println!("  1000 rules : 1 rule = {:.2} (by key)", ratio(2, 1));
    println!("  1000 rules : 1 rule = {:.2} (every event decoded)", ratio(4, 3));

    let (agent, ecs) = (read(Shape::Agent, &plan), read(Shape::Ecs, &plan));
    let one = detector(vec![action("none.such.one")]);
    println!("\nshapes, clean, as shipped");
    let shapes = [("raw", &one, &raw), ("agent", &one, &agent), ("ecs", &one, &ecs)];
    let spent = compare(&shapes, plan.runs);
    // What was measured is seconds for a whole corpus.
    let per_byte = |own: usize, corpus: &Corpus| {
        median(pairs(&spent, own, 0)) * raw.bytes.len() as f64 / corpus.bytes.len() as f64
    };
    println!("  agent : raw, per byte = {:.2}", per_byte(1, &agent));
    println!("  ecs : raw, per byte = {:.2}", per_byte(2, &ecs));
}

/// Events in memory.
struct Corpus {
    bytes: Vec<u8>,
    events: u64,
}

impl Corpus {
    fn average(&self) -> f64 {
        self.bytes.len() as f64 / self.events as f64
    }
}

fn read(shape: Shape, plan: &Plan) -> Corpus {
    let options = Options { shape, hits_permille: 0, ..Options::default() };
    let corpus = corpus(&options, plan.megabytes);
    let bytes = std::fs::read(&corpus.path).expect("the corpus was just made");
    Corpus { bytes, events: corpus.events }
}

fn action(value: &str) -> String {
    format!("event.action:{value}")
}

/// Values that no event has, `count` of them from the `number`-th on.
fn values(number: usize, count: usize) -> String {
    let values: Vec<String> =
        (number..number + count).map(|number| format!("user.mfa.none.such_{number}")).collect();
    format!("event.action:({})", values.join(" or "))
}

/// The usual kinds of queries in turn: a value, a wildcard, a negation, a range.
fn mixed(number: usize) -> String {
    match number % 4 {
        0 => format!("event.dataset:okta.system and event.action:user.none.such_{number}"),
        1 => format!("event.dataset:okta.system and event.action:app{number}.none.*"),
        2 => format!(
            "event.dataset:okta.system and event.action:none.such_{number} and not user.name:a{number}"
        ),
        // Nothing of this one has a literal: every event is decoded.
        _ => format!(
            "event.dataset:okta.system and not event.outcome:success and source.as.number > {number} \
             and event.type:none_{number}"
        ),
    }
}

fn detector(queries: Vec<String>) -> Detector {
    let text = |(number, query): (usize, String)| RuleText {
        origin: format!("{number}.toml"),
        found: Found::Named,
        text: format!(
            "[rule]\nrule_id = \"r-{number}\"\nname = \"n\"\ntype = \"query\"\nlanguage = \"kuery\"\n\
             description = \"d\"\nseverity = \"low\"\nrisk_score = 21\nquery = '{query}'\n"
        ),
    };
    let texts: Vec<RuleText> = queries.into_iter().enumerate().map(text).collect();
    let set = rule::load(&texts, &BTreeMap::new()).expect("these rules are right");
    let detector = Detector::new(Arc::new(set), &FieldTypes::builtin(), Validate::default());
    println!("{} rules, {} without a literal", texts.len(), detector.needs_extraction().count());
    detector
}

/// Seconds of each run for each row; prints the medians by event.
fn compare(rows: &[(&str, &Detector, &Corpus)], runs: usize) -> Vec<Vec<f64>> {
    let mut spent = vec![Vec::new(); rows.len()];
    let mut scratch = Scratch::default();
    for _ in 0..runs {
        for ((_, detector, corpus), spent) in rows.iter().zip(&mut spent) {
            spent.push(seconds(detector, corpus, &mut scratch));
        }
    }
    for ((name, _, corpus), spent) in rows.iter().zip(&spent) {
        let nanoseconds = median(spent.iter().copied()) * 1e9 / corpus.events as f64;
        println!("  {name:<34} {nanoseconds:>7.0} ns an event of {:.0} bytes", corpus.average());
    }
    spent
}

fn pairs(spent: &[Vec<f64>], own: usize, other: usize) -> impl Iterator<Item = f64> {
    let row = |at: usize| spent.get(at).cloned().unwrap_or_default();
    row(own).into_iter().zip(row(other)).map(|(own, other)| own / other)
}

fn seconds(detector: &Detector, corpus: &Corpus, scratch: &mut Scratch) -> f64 {
    let profile = TopicProfile::default();
    let before = thread_seconds();
    let mut hits = 0;
    let mut rest = &corpus.bytes[..];
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (payload, behind) = rest.split_at(end);
        let record = Record {
            payload: Some(payload),
            key: None,
            headers: &NoHeaders,
            position: Position { topic: "okta", partition: 0, offset: 0 },
            timestamp: None,
            received: Timestamp::from_millis(1_767_225_600_000),
        };
        hits += detector.inspect(&record, &profile, scratch).hits.len();
        rest = behind.get(1..).unwrap_or_default();
    }
    assert_eq!(hits, 0, "no event has what the rules look for");
    thread_seconds() - before
}
