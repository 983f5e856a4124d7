//! A clean record allocates nothing: not while it is inspected, not on its way through the worker.
//! (With `validate = "full"`, the check of the grammar keeps a stack: one allocation a record.)
//!
//! A target of its own, because the allocator that counts serves the whole program, and without the
//! usual runner, whose threads allocate as well. Relies on nothing running beside `main`.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: this target has a runner of its own, which the lints do not recognise"
)]

use std::alloc::System;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ouzel::clock::SystemClock;
use ouzel::config::Settings;
use ouzel::detect::{Detector, Outcome, Scratch, Validate};
use ouzel::event::{FieldTypes, TopicProfile};
use ouzel::generate::{Generator, Options, Shape};
use ouzel::pipeline::ledger::{About, Ledger};
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Step, Worker, WorkerOptions};
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use ouzel::rule::{self, Found, RuleSet, RuleText};
use ouzel::sink::lines::{Flush, LinesOutput, LinesSink};
use ouzel::source::lines::{LinesInput, LinesSource, Terminator};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[expect(dead_code, reason = "the other suite uses the rest")]
#[path = "support/okta.rs"]
mod okta;
#[expect(dead_code, reason = "the other suite uses the rest")]
#[path = "support/source.rs"]
mod source;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const EVENTS: usize = 2000;

fn main() {
    for shape in [Shape::Raw, Shape::Agent, Shape::Ecs] {
        let events = events(shape);
        for validate in [Validate::Candidates, Validate::Envelope] {
            inspecting(&events, okta::rules(), validate, Decoded::None);
        }
        inspecting(&events, extraction(), Validate::Envelope, Decoded::All);
        the_worker(&events);
    }
}

/// Clean events, more than one of each type.
fn events(shape: Shape) -> Vec<Vec<u8>> {
    let mut generator = Generator::new(Options { shape, hits_permille: 0, ..Options::default() });
    let event = || {
        let mut event = Vec::new();
        generator.next_into(&mut event);
        event
    };
    std::iter::repeat_with(event).take(EVENTS).collect()
}

/// A rule that no literal can exclude records for, and that never holds.
fn extraction() -> Arc<RuleSet> {
    let text = "[rule]\nrule_id = \"r-1\"\nname = \"n\"\ntype = \"query\"\nlanguage = \"kuery\"\n\
                description = \"d\"\nseverity = \"low\"\nrisk_score = 21\n\
                query = 'not event.action:* or okta.uuid:(a* and b*) or user.name:none*such'\n";
    let text = RuleText { origin: "r.toml".into(), text: text.into(), found: Found::Named };
    let set = rule::load(&[text], &BTreeMap::new());
    Arc::new(set.unwrap_or_else(|faults| panic!("{faults:?}")))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decoded {
    None,
    All,
}

/// How many allocations `work` makes.
fn allocations(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

fn inspecting(events: &[Vec<u8>], rules: Arc<RuleSet>, validate: Validate, decoded: Decoded) {
    let detector = Detector::new(rules, &FieldTypes::builtin(), validate);
    let profile = TopicProfile::default();
    let mut scratch = Scratch::default();
    let mut round = || {
        for payload in events {
            let record = Record {
                payload: Some(payload),
                key: None,
                headers: &NoHeaders,
                position: Position { topic: "okta", partition: 0, offset: 0 },
                timestamp: None,
                received: Timestamp::from_millis(1_767_225_600_000),
            };
            let verdict = detector.inspect(&record, &profile, &mut scratch);
            assert_eq!(verdict.outcome, Outcome::Clean);
            assert_eq!(verdict.candidate, decoded == Decoded::All);
        }
    };
    // The first round is what warms the scratch.
    round();
    assert_eq!(allocations(round), 0, "{validate:?}, decoded: {decoded:?}");
}

/// The same lines for ever.
struct Again {
    lines: Vec<u8>,
    at: usize,
}

impl Read for Again {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = &self.lines[self.at..];
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.at = (self.at + length) % self.lines.len();
        Ok(length)
    }
}

fn the_worker(events: &[Vec<u8>]) {
    let mut lines = events.join(&b'\n');
    lines.push(b'\n');
    let input = LinesInput::reader("okta", Box::new(Again { lines, at: 0 }));
    let clock = Arc::new(SystemClock::default());
    let source = LinesSource::new(vec![input], Terminator::Newline, clock);
    let alerts = LinesOutput::new("nowhere", Box::new(io::sink()));
    let sink = LinesSink::new(alerts, None, Flush::WhenFull);
    let settings = Settings::default();
    let judge = Arc::new(setup::judge(&settings, okta::rules(), JudgeOptions::default()));
    let options = WorkerOptions {
        bounds: setup::bounds(&settings.delivery),
        records_max: EVENTS,
        idle_wait: Duration::ZERO,
        busy_wait: Duration::ZERO,
    };
    let about = About { member: "m".to_owned(), ..About::default() };
    let ledger = Ledger::new(about);
    let mut worker = Worker::new(source, sink, judge, options).with_ledger(ledger);
    let mut taken = 0;
    // Time stands still: what is done once a second or once a commit is no cost of a record.
    let mut steps = || {
        for _ in 0..200 {
            if let Step::Went(records) = worker.step(Duration::from_millis(1)) {
                taken += records;
            }
            worker.tally().clear();
        }
    };
    steps();
    let allocations = allocations(steps);
    assert!(taken > 10 * EVENTS, "{taken} records were taken");
    assert_eq!(allocations, 0, "the worker, {taken} records");
    let [document] = &worker.documents()[..] else { panic!("one partition") };
    assert_eq!(document.page.records, taken as u64);
}
