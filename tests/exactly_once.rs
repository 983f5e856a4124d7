//! The worker with exactly-once between a source and a sink in memory: what is visible is what the
//! committed records owe, each output once, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ouzel::config::Settings;
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Bounds, Ending, Judge, Step, TransactionBounds, Worker, WorkerOptions};
use ouzel::sink::memory::{CommitFate, Fate, MemoryOutput, MemorySink};
use ouzel::sink::{DeliveryFault, Refusal, Target};
use ouzel::source::Partition;
use ouzel::source::memory::{MemoryRecord, MemorySource};
use proptest::prelude::*;

use crate::support::okta;

const OPTIONS: WorkerOptions = WorkerOptions {
    bounds: Bounds {
        in_flight_max: 8,
        revoke_drain: Duration::from_secs(10),
        shutdown_drain: Duration::from_secs(20),
        commit_interval: Duration::from_secs(1),
        delivery_timeout: Duration::from_secs(300),
        transactions: Some(TransactionBounds { interval: Duration::from_secs(1), records_max: 40 }),
    },
    records_max: 16,
    idle_wait: Duration::ZERO,
    busy_wait: Duration::ZERO,
};

fn judge() -> Arc<Judge> {
    Arc::new(setup::judge(&Settings::default(), okta::rules(), JudgeOptions::default()))
}

fn partition(number: i32) -> Partition {
    Partition { topic: "okta".into(), partition: number }
}

/// A worker with a clock of its own; the broker's part of a commit is done after each step.
struct Bench {
    worker: Worker<MemorySource, MemorySink>,
    now: Duration,
}

impl Bench {
    fn new(source: MemorySource, sink: MemorySink) -> Self {
        Self { worker: Worker::new(source, sink, judge(), OPTIONS), now: Duration::ZERO }
    }

    fn of(payloads: &[String]) -> Self {
        let mut source = MemorySource::new();
        for payload in payloads {
            source.push(&partition(0), MemoryRecord::of(payload.as_bytes()));
        }
        source.assign(&[partition(0)]);
        Self::new(source, MemorySink::default().with_transactions())
    }

    fn step(&mut self) -> Step {
        self.now += Duration::from_millis(100);
        let step = self.worker.step(self.now);
        self.land();
        step
    }

    /// The broker's part of a commit: its offsets.
    fn land(&mut self) {
        let landed = self.worker.sink().take_landed();
        self.worker.source().land(&landed);
    }

    fn set_commit_fate(&mut self, fate: CommitFate) {
        self.worker.sink().set_commit_fate(fate);
        self.land();
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    fn end(&mut self) -> Ending {
        for _ in 0..2000 {
            if let Step::Ended(ending) = self.step() {
                return ending;
            }
        }
        panic!("the worker does not end");
    }

    /// What a reader of committed records sees: alert ids, and the bytes of dead letters.
    fn visible(&mut self) -> Vec<String> {
        self.worker.sink().delivered().iter().filter_map(name).collect()
    }

    fn committed(&mut self) -> Option<i64> {
        self.worker.source().committed(&partition(0))
    }
}

fn name(output: &MemoryOutput) -> Option<String> {
    let header = |name: &str| {
        let (_, value) = output.headers.iter().find(|(known, _)| known == name)?;
        String::from_utf8(value.clone()?).ok()
    };
    if output.target == Target::DeadLetters {
        return header("ouzel.source.offset").map(|offset| {
            let partition = header("ouzel.source.partition").unwrap_or_default();
            format!("letter {partition}@{offset}")
        });
    }
    header("ouzel.alert.id")
}

#[test]
fn an_alert_is_visible_with_its_offset_and_not_before() {
    let mut bench = Bench::of(&[okta::clean("c"), okta::hit("h1"), okta::clean("c")]);
    bench.steps(9);
    assert_eq!((bench.visible(), bench.committed()), (vec![], None));
    assert_eq!(bench.worker.tally().delivered.len(), 0, "delivered is not visible");
    bench.steps(3);
    assert_eq!((bench.visible(), bench.committed()), (vec![okta::alert_id("h1")], Some(3)));
    assert_eq!(bench.worker.tally().delivered.len(), 1);
    assert_eq!(bench.worker.tally().commits, 1);
}

#[test]
fn clean_records_are_committed_as_well() {
    let mut bench = Bench::of(&[okta::clean("c")]);
    bench.steps(12);
    assert_eq!(bench.committed(), Some(1));
    bench.steps(50);
    assert_eq!(bench.worker.source().commits(&partition(0)), [1], "once");
}

/// The id of an alert whose transaction was aborted is not known: it is published again.
#[test]
fn an_aborted_transaction_is_judged_again_and_shows_once() {
    for fate in [CommitFate::Fail, CommitFate::Outrun, CommitFate::ShutOut] {
        let mut bench = Bench::of(&[okta::hit("h1"), okta::clean("c"), okta::hit("h2")]);
        bench.set_commit_fate(fate);
        bench.steps(11);
        assert_eq!((bench.visible(), bench.committed()), (vec![], None), "{fate:?}");
        bench.set_commit_fate(CommitFate::Commit);
        bench.steps(60);
        assert_eq!(bench.visible(), ["h1", "h2"].map(okta::alert_id), "{fate:?}");
        assert_eq!(bench.committed(), Some(3));
        assert!(!bench.worker.holds().output_unavailable);
        assert_eq!(bench.worker.tally().delivered.len(), 2);
    }
}

#[test]
fn a_commit_that_nobody_heard_of_is_not_made_twice() {
    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.set_commit_fate(CommitFate::CommitUnheard);
    bench.steps(11);
    assert_eq!((bench.visible(), bench.committed()), (vec![okta::alert_id("h1")], Some(1)));
    bench.set_commit_fate(CommitFate::Commit);
    bench.worker.source().push(&partition(0), MemoryRecord::of(okta::hit("h2")));
    bench.steps(60);
    assert_eq!(bench.visible(), ["h1", "h2"].map(okta::alert_id));
}

#[test]
fn a_producer_that_cannot_be_replaced_ends_the_worker_with_its_reason() {
    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.set_commit_fate(CommitFate::Die);
    assert_eq!(bench.end(), Ending::Failed("shut out for good".to_owned()));
    assert_eq!((bench.visible(), bench.committed()), (vec![], None));
}

#[test]
fn a_revoke_commits_first_and_a_loss_aborts() {
    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.steps(2);
    bench.worker.source().revoke(&[partition(0)]);
    bench.steps(3);
    assert_eq!(bench.worker.source().released(), [partition(0)]);
    assert_eq!((bench.visible(), bench.committed()), (vec![okta::alert_id("h1")], Some(1)));

    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.steps(2);
    bench.worker.source().lose(&[partition(0)]);
    bench.steps(30);
    assert_eq!((bench.visible(), bench.committed()), (vec![], None));
}

#[test]
fn a_drain_that_takes_too_long_aborts() {
    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(2);
    bench.worker.source().revoke(&[partition(0)]);
    bench.steps(99);
    assert_eq!(bench.worker.source().released(), []);
    bench.steps(2);
    assert_eq!(bench.worker.source().released(), [partition(0)]);
    assert_eq!((bench.visible(), bench.committed()), (vec![], None));
}

#[test]
fn a_member_that_the_group_left_behind_commits_nothing() {
    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.steps(2);
    bench.worker.source().outrun();
    bench.steps(100);
    assert_eq!((bench.visible(), bench.committed()), (vec![], None));
}

#[test]
fn a_stop_commits_and_one_that_cannot_says_so() {
    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.steps(2);
    bench.worker.stop();
    assert_eq!(bench.end(), Ending::Stopped);
    assert_eq!((bench.visible(), bench.committed()), (vec![okta::alert_id("h1")], Some(1)));

    let mut bench = Bench::of(&[okta::hit("h1")]);
    bench.set_commit_fate(CommitFate::Hold);
    bench.steps(2);
    bench.worker.stop();
    assert_eq!(bench.end(), Ending::Uncommitted);
    assert!(bench.now <= Duration::from_secs(21), "in time");
}

#[test]
fn a_failed_delivery_aborts_rests_and_goes_on() {
    let mut bench = Bench::of(&[okta::hit("h1"), okta::hit("h2")]);
    bench.worker.sink().set_fate(Fate::FailOldest(DeliveryFault::unavailable("no right")));
    bench.steps(40);
    assert!(bench.worker.holds().output_unavailable);
    assert!(bench.worker.tally().trouble.is_some());
    assert_eq!((bench.visible(), bench.committed()), (vec![], None));
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(200);
    assert_eq!(bench.visible(), ["h1", "h2"].map(okta::alert_id));
    assert!(!bench.worker.holds().output_unavailable);
}

/// A hit with a long field that no reduced alert carries.
fn large_hit(uuid: &str) -> String {
    let event = okta::hit(uuid);
    let rest = event.strip_prefix('{').expect("an event is an object");
    format!("{{\"displayMessage\":\"{}\",{rest}", "x".repeat(20_000))
}

#[test]
fn what_is_refused_goes_out_in_another_form_once() {
    let payloads = [okta::hit("h1"), large_hit("big"), large_hit("huge"), okta::hit("h2")];
    let mut bench = Bench::of(&payloads);
    bench.worker.sink().set_fate(Fate::Limit(15_000));
    bench.steps(200);
    let mut found = bench.visible();
    found.sort_unstable();
    let mut expected = ["h1", "big", "huge", "h2"].map(okta::alert_id);
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(bench.committed(), Some(4));
    assert!(!bench.worker.holds().output_unavailable, "a refusal is no outage");

    let mut bench = Bench::of(&payloads);
    bench.worker.sink().set_fate(Fate::Limit(100));
    bench.steps(400);
    let letters: Vec<String> = (0..4).map(|offset| format!("letter 0@{offset}")).collect();
    assert_eq!(bench.visible(), letters);
    assert_eq!(bench.committed(), Some(4));
}

/// Whoever keeps books hears of what is committed, and of nothing twice.
#[test]
fn what_is_finished_is_what_is_committed() {
    let mut bench = Bench::of(&[okta::clean("c"), okta::hit("h1"), okta::clean("c")]);
    let finished = |bench: &Bench| {
        let view = bench.worker.partitions().next().expect("it has one partition");
        (view.watermark, view.finished)
    };
    bench.set_commit_fate(CommitFate::Fail);
    bench.steps(9);
    assert_eq!(finished(&bench), (None, 0));
    bench.steps(40);
    assert_eq!(finished(&bench), (None, 0), "it was judged more than once");
    bench.set_commit_fate(CommitFate::Commit);
    bench.steps(200);
    assert_eq!(finished(&bench), (Some(3), 3));
    bench.worker.source().push(&partition(0), MemoryRecord::of(okta::hit("h2")));
    bench.steps(20);
    assert_eq!(finished(&bench), (Some(4), 4));
}

/// A limit counts what was published: hits of an aborted transaction count once.
#[test]
fn an_abort_does_not_use_up_a_rules_limit() {
    let payloads: Vec<String> = (0..60).map(|number| okta::hit(&format!("h{number}"))).collect();
    let mut bench = Bench::of(&payloads);
    bench.set_commit_fate(CommitFate::Fail);
    bench.steps(100);
    bench.set_commit_fate(CommitFate::Commit);
    bench.steps(300);
    let outputs = bench.worker.sink().delivered();
    assert_eq!(outputs.len(), 60, "no notice");
    assert!(outputs.iter().all(|output| output.target == Target::Alerts), "none is over the limit");
}

/// What happens between steps of a generated run.
#[derive(Clone, Debug)]
enum Act {
    Steps(usize),
    Assign(i32),
    /// All at once, as eager members give partitions back.
    Revoke,
    Lose,
    Fate(Fate),
    Commits(CommitFate),
    Outrun,
    /// The process is killed and another one started under the same name.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    let fates = [
        CommitFate::Commit,
        CommitFate::Commit,
        CommitFate::Hold,
        CommitFate::Fail,
        CommitFate::Outrun,
        CommitFate::CommitUnheard,
        CommitFate::ShutOut,
    ];
    prop_oneof![
        8 => (1..25_usize).prop_map(Act::Steps),
        3 => (0..3).prop_map(Act::Assign),
        1 => Just(Act::Revoke),
        1 => Just(Act::Lose),
        3 => Just(Act::Fate(Fate::Deliver)),
        2 => (1..4_usize).prop_map(|most| Act::Fate(Fate::DeliverLatest(most))),
        1 => Just(Act::Fate(Fate::Hold)),
        1 => Just(Act::Fate(Fate::FailOldest(DeliveryFault::unavailable("timed out")))),
        1 => Just(Act::Fate(Fate::FailOldest(DeliveryFault::fatal("shut out")))),
        1 => Just(Act::Fate(Fate::FailOldest(DeliveryFault::refused(Refusal::Invalid, "no")))),
        4 => prop::sample::select(fates.to_vec()).prop_map(Act::Commits),
        1 => Just(Act::Outrun),
        1 => Just(Act::Crash),
    ]
}

/// One record of a generated log, and the outputs that it owes.
fn record(partition: i32, number: usize, kind: u8) -> (String, Vec<String>) {
    let uuid = |event: usize| format!("{partition}-{number}-{event}");
    match kind {
        0..=5 => (okta::clean(&uuid(0)), Vec::new()),
        6..=8 => (okta::hit(&uuid(0)), vec![okta::alert_id(&uuid(0))]),
        9 => {
            let events = [okta::hit(&uuid(0)), okta::clean(&uuid(1)), okta::hit(&uuid(2))];
            let owed = vec![okta::alert_id(&uuid(0)), okta::alert_id(&uuid(2))];
            (format!("[{}]", events.join(",")), owed)
        }
        _ => {
            let text = format!("{{\"cut off\": \"{}", uuid(0));
            (text, vec![format!("letter {partition}@{number}")])
        }
    }
}

/// What each record of each partition owes, by offset.
type Owed = BTreeMap<Partition, Vec<Vec<String>>>;

fn log(kinds: &[Vec<u8>]) -> (MemorySource, Owed) {
    let mut source = MemorySource::new();
    let mut owed = Owed::new();
    for (number, kinds) in kinds.iter().enumerate() {
        let name = partition(i32::try_from(number).expect("it is small"));
        for (at, kind) in kinds.iter().enumerate() {
            let (payload, outputs) = record(name.partition, at, *kind);
            source.push(&name, MemoryRecord::of(payload));
            owed.entry(name.clone()).or_default().push(outputs);
        }
    }
    (source, owed)
}

/// What is visible is what the committed records owe, each once. An output that was refused as a
/// whole stands as its record's dead letter.
fn check(bench: &mut Bench, owed: &Owed) {
    let mut found = BTreeSet::new();
    for name in bench.visible() {
        assert!(found.insert(name.clone()) || name.starts_with("letter"), "{name} is there twice");
    }
    let mut expected = BTreeSet::new();
    for (partition, owed) in owed {
        let committed = bench.worker.source().committed(partition).unwrap_or_default();
        let committed = usize::try_from(committed).expect("from 0");
        for (offset, outputs) in owed.iter().take(committed).enumerate() {
            let letter = format!("letter {}@{offset}", partition.partition);
            for output in outputs {
                let is_there = found.contains(output);
                assert!(is_there || found.contains(&letter), "{output} is missing");
                expected.insert(if is_there { output.clone() } else { letter.clone() });
                if found.contains(&letter) {
                    expected.insert(letter.clone());
                }
            }
        }
    }
    assert_eq!(found, expected, "nothing else is visible");
}

fn run_history(kinds: &[Vec<u8>], acts: &[Act]) {
    let (source, owed) = log(kinds);
    let mut held = BTreeSet::new();
    let mut bench = Bench::new(source, MemorySink::new(5).busy_at(2).with_transactions());
    for act in acts {
        match act {
            Act::Steps(count) => bench.steps(*count),
            Act::Assign(number) => {
                if held.insert(*number) {
                    bench.worker.source().assign(&[partition(*number)]);
                }
            }
            Act::Revoke | Act::Lose => {
                let gone: Vec<_> = std::mem::take(&mut held).into_iter().map(partition).collect();
                match act {
                    Act::Revoke => bench.worker.source().revoke(&gone),
                    _ => bench.worker.source().lose(&gone),
                }
                // The source assigns nothing again before it was released, nor before a commit
                // that is under way has ended.
                bench.set_commit_fate(CommitFate::Commit);
                bench.steps(110);
            }
            Act::Fate(fate) => bench.worker.sink().set_fate(fate.clone()),
            Act::Commits(fate) => bench.set_commit_fate(*fate),
            Act::Outrun => bench.worker.source().outrun(),
            Act::Crash => {
                let (mut source, mut sink) = bench.worker.abandon();
                source.land(&sink.take_landed());
                source.crash();
                sink.crash();
                held.clear();
                bench = Bench::new(source, sink);
            }
        }
        check(&mut bench, &owed);
    }
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.set_commit_fate(CommitFate::Commit);
    let rest: Vec<_> = (0..3).filter(|number| !held.contains(number)).map(partition).collect();
    bench.worker.source().assign(&rest);
    bench.steps(400);
    bench.worker.source().end();
    assert_eq!(bench.end(), Ending::Exhausted);
    check(&mut bench, &owed);
    for (name, owed) in &owed {
        let end = i64::try_from(owed.len()).expect("it is small");
        assert_eq!(bench.worker.source().committed(name).unwrap_or_default(), end);
    }
}

/// `OUZEL_HISTORIES=20000 cargo test --test main exactly_once` is the long form.
fn histories() -> u32 {
    std::env::var("OUZEL_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(250)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: histories(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_output_is_visible_once_with_its_offset_whatever_happens(
        kinds in prop::collection::vec(prop::collection::vec(0..12_u8, 0..60), 3),
        acts in prop::collection::vec(act(), 0..40),
    ) {
        run_history(&kinds, &acts);
    }
}
