//! The ledger of coverage: what a worker says of its records, and what `coverage` makes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ouzel::config::Settings;
use ouzel::pipeline::ledger::document::Page;
use ouzel::pipeline::ledger::ranges::{Range, Ranges};
use ouzel::pipeline::ledger::survey::{self, Cause, Log, Period, Place};
use ouzel::pipeline::ledger::{About, Document, Hour, Ledger};
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Bounds, Step, TransactionBounds, Worker, WorkerOptions};
use ouzel::record::Timestamp;
use ouzel::sink::DeliveryFault;
use ouzel::sink::memory::{CommitFate, Fate, MemorySink};
use ouzel::source::Partition;
use ouzel::source::memory::{MemoryRecord, MemorySource};
use serde_json::Value;

use crate::support::{okta, program, source};

const NOON: i64 = 1_767_225_600_000;

const OPTIONS: WorkerOptions = WorkerOptions {
    bounds: Bounds {
        in_flight_max: 8,
        revoke_drain: Duration::from_secs(10),
        shutdown_drain: Duration::from_secs(20),
        commit_interval: Duration::from_secs(1),
        delivery_timeout: Duration::from_secs(300),
        transactions: None,
    },
    records_max: 16,
    idle_wait: Duration::ZERO,
    busy_wait: Duration::ZERO,
};

fn one() -> Partition {
    Partition { topic: "okta".into(), partition: 0 }
}
fn ranges(pairs: &[(i64, i64)]) -> Ranges {
    pairs.iter().map(|pair| Range::from(*pair)).collect()
}

/// A worker that keeps a ledger, with a clock of its own.
struct Bench {
    worker: Worker<MemorySource, MemorySink>,
    now: Duration,
}

impl Bench {
    fn new(member: &str, source: MemorySource) -> Self {
        Self::with(member, source, MemorySink::default(), OPTIONS)
    }

    /// With exactly-once, a transaction a second.
    fn exactly_once(member: &str, source: MemorySource) -> Self {
        let transactions =
            Some(TransactionBounds { interval: Duration::from_secs(1), records_max: 40 });
        let bounds = Bounds { transactions, ..OPTIONS.bounds };
        let sink = MemorySink::default().with_transactions();
        Self::with(member, source, sink, WorkerOptions { bounds, ..OPTIONS })
    }

    fn with(member: &str, source: MemorySource, sink: MemorySink, options: WorkerOptions) -> Self {
        let judge = setup::judge(&Settings::default(), okta::rules(), JudgeOptions::default());
        let about =
            About { cluster: "c".to_owned(), group: "ouzel".to_owned(), member: member.to_owned() };
        let worker =
            Worker::new(source, sink, Arc::new(judge), options).with_ledger(Ledger::new(about));
        Self { worker, now: Duration::ZERO }
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.now += Duration::from_millis(100);
            let millis = i64::try_from(self.now.as_millis()).expect("a short time");
            self.worker.set_wall(Timestamp::from_millis(NOON + millis));
            let step = self.worker.step(self.now);
            assert!(matches!(step, Step::Went(_) | Step::Ended(_)));
            // The broker's part of a commit: its offsets.
            let landed = self.worker.sink().take_landed();
            self.worker.source().land(&landed);
        }
    }

    fn page(&mut self) -> Page {
        let [document] = &self.worker.documents()[..] else { panic!("one partition") };
        document.page.clone()
    }
}

fn source_of(payloads: &[Option<String>]) -> MemorySource {
    let mut source = MemorySource::new();
    for payload in payloads {
        let payload = payload.as_ref().map(|text| text.as_bytes().to_vec());
        source.push(&one(), MemoryRecord { payload, ..MemoryRecord::default() });
    }
    source.assign(&[one()]);
    source
}

fn clean(count: usize) -> Vec<Option<String>> {
    (0..count).map(|number| Some(okta::clean(&format!("c{number}")))).collect()
}

#[test]
fn each_record_is_said_once_with_what_became_of_it() {
    let payloads = [
        Some(okta::clean("c1")),
        None,
        Some("{\"cut\": \"off".to_owned()),
        Some(okta::hit("h1")),
        Some(String::new()),
        Some(okta::clean("c2")),
    ];
    let mut bench = Bench::new("a", source_of(&payloads));
    bench.steps(30);
    let page = bench.page();
    assert_eq!((page.records, page.judged()), (6, 3));
    assert_eq!(page.finished, ranges(&[(0, 6)]));
    assert_eq!(page.dead_lettered["truncated"].ranges, ranges(&[(2, 3)]));
    assert_eq!(page.skipped["tombstone"].ranges, ranges(&[(1, 2)]));
    assert_eq!(page.skipped["empty"].ranges, ranges(&[(4, 5)]));
}

#[test]
fn nothing_is_said_past_a_record_that_is_not_delivered() {
    let payloads =
        [Some(okta::clean("c1")), Some("{\"cut\": \"off".to_owned()), Some(okta::clean("c2"))];
    let mut bench = Bench::new("a", source_of(&payloads));
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(30);
    let page = bench.page();
    assert_eq!((page.finished.clone(), page.records), (ranges(&[(0, 1)]), 1));
    assert!(page.dead_lettered.is_empty());
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(30);
    let page = bench.page();
    assert_eq!((page.finished.clone(), page.records), (ranges(&[(0, 3)]), 3));
    assert_eq!(page.dead_lettered["truncated"].records, 1);
}

#[test]
fn with_exactly_once_nothing_is_said_before_the_commit_and_an_abort_is_never_said() {
    let payloads =
        [Some(okta::clean("c1")), Some("{\"cut\": \"off".to_owned()), Some(okta::hit("h1"))];
    for fate in [CommitFate::Fail, CommitFate::Outrun, CommitFate::ShutOut] {
        let mut bench = Bench::exactly_once("a", source_of(&payloads));
        bench.worker.sink().set_commit_fate(fate);
        bench.steps(9);
        assert!(bench.page().is_empty(), "{fate:?}: the transaction is open");
        bench.steps(2);
        assert!(bench.page().is_empty(), "{fate:?}: the transaction is aborted");
        bench.worker.sink().set_commit_fate(CommitFate::Commit);
        bench.steps(60);
        assert_eq!(bench.worker.source().committed(&one()), Some(3), "{fate:?}");
        let page = bench.page();
        assert_eq!((page.records, page.judged()), (3, 2), "{fate:?}");
        assert_eq!(page.finished, ranges(&[(0, 3)]));
        assert_eq!(page.dead_lettered["truncated"].ranges, ranges(&[(1, 2)]));
    }
}

#[test]
fn an_alert_that_no_form_gets_through_is_a_dead_letter_of_the_ledger() {
    let mut bench = Bench::new("a", source_of(&[Some(okta::hit("h1")), Some(okta::clean("c1"))]));
    bench.worker.sink().set_fate(Fate::Limit(500));
    bench.steps(60);
    let page = bench.page();
    assert_eq!(page.dead_lettered["output too large"].ranges, ranges(&[(0, 1)]));
    assert_eq!((page.records, page.judged()), (2, 1));
}

#[test]
fn offsets_without_a_record_are_no_gap_and_no_records() {
    let mut source = MemorySource::new();
    for gap in [3, 0, 5] {
        let payload = Some(okta::clean("c").into_bytes());
        source.push(&one(), MemoryRecord { payload, gap, ..MemoryRecord::default() });
    }
    source.assign(&[one()]);
    let mut bench = Bench::new("a", source);
    bench.steps(30);
    let page = bench.page();
    assert_eq!((page.finished.clone(), page.records), (ranges(&[(0, 11)]), 3));
}

#[test]
fn records_deleted_ahead_of_the_reader_are_lost_from_where_to_where() {
    let mut bench = Bench::new("a", source_of(&clean(100)));
    bench.steps(2);
    let committed = bench.page().finished.count();
    assert!((1..90).contains(&committed), "{committed}: that is not the middle");
    bench.worker.source().delete_before(&one(), 90);
    bench.steps(30);
    let page = bench.page();
    let stood = i64::try_from(committed).expect("a small number");
    assert_eq!(page.lost, ranges(&[(stood, 90)]));
    assert_eq!(page.finished, ranges(&[(0, stood), (90, 100)]));
    assert_eq!(page.records, committed + 10);
}

#[test]
fn a_hand_over_leaves_no_gap_and_counts_nothing_twice() {
    let mut first = Bench::new("a", source_of(&clean(100)));
    first.steps(3);
    first.worker.source().revoke(&[one()]);
    first.steps(3);
    let documents = first.worker.last_documents();
    let stood = documents[0].page.finished.hull().expect("some records").to;
    assert!((1..100).contains(&stood), "{stood}: that is not the middle");
    assert!(!documents[0].reads);
    let (mut source, _) = first.worker.abandon();
    assert_eq!(source.committed(&one()), Some(stood));
    source.assign(&[one()]);
    let mut second = Bench::new("b", source);
    second.steps(30);
    let all: Vec<Document> = documents.into_iter().chain(second.worker.documents()).collect();
    assert_ne!(all[0].key(), all[1].key());
    let log = Log { since: 0, first: 0, end: 100, empty: Ranges::default() };
    let found = look(&all, log);
    assert_eq!((found.judged, found.again, found.gaps.len()), (100, 0, 0));
    assert_eq!(found.finished, ranges(&[(0, 100)]));
}

#[test]
fn a_crash_leaves_a_gap_only_where_nothing_was_said() {
    let mut first = Bench::new("a", source_of(&clean(100)));
    first.steps(1);
    let said = first.worker.documents();
    first.steps(2);
    first.worker.source().crash();
    let (mut source, _) = first.worker.abandon();
    let committed = source.committed(&one()).unwrap_or_default();
    source.assign(&[one()]);
    let mut second = Bench::new("b", source);
    second.steps(30);
    let stood = said[0].page.finished.hull().expect("some records").to;
    let all: Vec<Document> = said.into_iter().chain(second.worker.documents()).collect();
    let log = Log { since: 0, first: 0, end: 100, empty: Ranges::default() };
    let found = look(&all, log);
    let expected: Vec<(Cause, Ranges)> = match stood < committed {
        true => vec![(Cause::NotRecorded, ranges(&[(stood, committed)]))],
        false => Vec::new(),
    };
    let gaps: Vec<_> = found.gaps.iter().map(|gap| (gap.cause, gap.ranges.clone())).collect();
    assert_eq!(gaps, expected);
    assert_eq!(found.again, u64::try_from((stood - committed).max(0)).expect("a small number"));
}

#[test]
fn a_worker_that_fails_says_what_it_has_finished() {
    let payloads = [Some(okta::clean("c1")), Some(okta::hit("h1")), Some(okta::clean("c2"))];
    let mut bench = Bench::new("a", source_of(&payloads));
    bench.worker.sink().set_fate(Fate::FailAll(DeliveryFault::fatal("it is over")));
    bench.steps(5);
    let [document] = &bench.worker.last_documents()[..] else { panic!("one partition") };
    assert_eq!((document.reads, &document.page.finished), (false, &ranges(&[(0, 1)])));
}

fn look(documents: &[Document], log: Log) -> survey::Coverage {
    let place: Place = ("okta".to_owned(), 0);
    let now = Timestamp::from_millis(NOON + 10_000);
    let since = Timestamp::from_millis(NOON - 86_400_000);
    let period = Period { since, now, silence_ms: 180_000 };
    survey::survey(documents, &BTreeMap::from([(place.clone(), log)]), period)
        .remove(&place)
        .expect("the partition")
}

/// A document of this hour, of the group of the default configuration.
fn said(partition: i32, member: &str, page: Page) -> Document {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_millis()).expect("before the year 292e6");
    let updated = Timestamp::from_millis(now);
    Document {
        version: 1,
        cluster: "c".to_owned(),
        group: "ouzel".to_owned(),
        topic: "okta".to_owned(),
        partition,
        hour: Hour::of(updated),
        member: member.to_owned(),
        updated,
        reads: true,
        page,
    }
}

fn page(finished: &[(i64, i64)]) -> Page {
    let finished = ranges(finished);
    Page { records: finished.count(), finished, ..Page::default() }
}

fn folder_with(name: &str, documents: &[Document]) -> PathBuf {
    let folder = program::folder(name);
    let lines: Vec<String> = documents.iter().map(|document| document.encode() + "\n").collect();
    program::write(&folder, "ledger.ndjson", lines.concat());
    program::write(&folder, "ouzel.toml", "[coverage]\nfile = \"ledger.ndjson\"\n");
    folder
}

fn coverage(folder: &Path, arguments: &[&str]) -> program::Ran {
    program::run(folder, &[&["coverage", "--offline"], arguments].concat(), b"")
}

#[cfg(feature = "kafka")]
#[test]
fn the_command_says_that_nothing_is_missing() {
    let documents = [said(0, "a", page(&[(0, 60)])), said(0, "b", page(&[(60, 100)]))];
    let folder = folder_with("coverage-whole", &documents);
    let ran = coverage(&folder, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.text());
    assert!(ran.stdout.contains("Every event was looked at."), "{}", ran.text());
    assert!(ran.stdout.lines().any(|line| line.starts_with("okta[0]    0-99")), "{}", ran.text());
}

#[cfg(feature = "kafka")]
#[test]
fn the_command_names_each_gap_and_ends_with_1() {
    let mut first = page(&[(0, 50)]);
    first.lost = ranges(&[(50, 80)]);
    first.finished.insert(Range::new(80, 100));
    let mut text = said(0, "a", first).encode();
    let letter = r#""dead_lettered":{"truncated":{"records":2,"ranges":[[3,4],[7,8]]},"bad\u001b[31m":{"records":1,"ranges":[[9,10]]}}"#;
    text = text.replace(r#""dead_lettered":{}"#, letter);
    let marked = Document::decode(text.as_bytes()).expect("a document");
    let documents = [marked, said(1, "a", page(&[(0, 10), (20, 30)]))];
    let folder = folder_with("coverage-gaps", &documents);
    let ran = coverage(&folder, &["--since", "2h"]);
    assert_eq!(ran.code, Some(1), "{}", ran.text());
    for line in [
        "okta[0]: retention_loss, 30 offsets at 50-79",
        "okta[0]: unreadable (truncated), 2 records at 3, 7",
        "okta[0]: unreadable (bad\\u{1b}[31m), 1 records at 9",
        "okta[1]: not_recorded, 10 offsets at 10-19",
        "Not every event was looked at: 4 gaps, in 2 of 2 partitions.",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.text());
    }
    let ran = coverage(&folder, &["--output", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.text());
    let answer: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert_eq!(answer["complete"], false);
    assert_eq!(answer["partitions"][0]["gaps"][0]["cause"], "retention_loss");
    assert_eq!(answer["partitions"][0]["gaps"][0]["ranges"], serde_json::json!([[50, 80]]));
    assert_eq!(answer["partitions"][1]["finished"], serde_json::json!([[0, 10], [20, 30]]));
}

#[cfg(feature = "kafka")]
#[test]
fn the_command_reads_its_own_group_and_the_last_of_each_key() {
    let mut other = said(0, "x", page(&[(0, 5), (9, 10)]));
    other.group = "other".to_owned();
    let documents = [other, said(0, "a", page(&[(0, 5)])), said(0, "a", page(&[(0, 9)]))];
    let folder = folder_with("coverage-group", &documents);
    let ran = coverage(&folder, &["--output", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text());
    let answer: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert_eq!((&answer["judged"], &answer["documents"]), (&9.into(), &1.into()));
}

#[cfg(feature = "kafka")]
#[test]
fn what_the_command_cannot_do_has_its_exit_code() {
    let folder = program::folder("coverage-usage");
    let check = |arguments: &[&str], code: i32, part: &str| {
        let ran = program::run(&folder, &[&["coverage"], arguments].concat(), b"");
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.text());
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.text());
    };
    check(&[], 3, "coverage.topic");
    check(&["--since", "yesterday"], 3, "24h");
    check(&["--offline", "--set", "coverage.topic=c"], 3, "coverage.file");
    check(&["--offline", "--set", "coverage.file=none.ndjson"], 4, "none.ndjson");
    let file = "coverage.file=none.ndjson";
    program::write(&folder, "none.ndjson", "");
    check(&["--set", file, "--set", "kafka.brokers=127.0.0.1:1"], 4, "127.0.0.1:1");
}

#[test]
fn documents_keep_to_their_schema() {
    let path = source::root().join("docs/coverage.schema.json");
    let text = std::fs::read_to_string(path).expect("the schema is there");
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let mut bench =
        Bench::new("a", source_of(&[None, Some("{".to_owned()), Some("{}".to_owned())]));
    bench.steps(30);
    let mut full = bench.page();
    full.lost = ranges(&[(5, 9)]);
    for document in [said(0, "a", full), said(1, "b", Page::default())] {
        let value: Value = serde_json::from_str(&document.encode()).expect("JSON");
        let faults: Vec<String> =
            validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}\n{value}");
        // The schema says every field, and nothing but them.
        let fields = value.as_object().expect("an object").keys();
        let known = schema["properties"].as_object().expect("an object");
        assert_eq!(fields.collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
    }
}
