//! Generated runs: rebalances, faults, crashes in any order. Nothing is lost, nothing overtakes.

use std::collections::{BTreeMap, BTreeSet};

use ouzel::pipeline::Ending;
use ouzel::sink::memory::{Fate, MemorySink};
use ouzel::sink::{DeliveryFault, Target};
use ouzel::source::Partition;
use ouzel::source::memory::{MemoryRecord, MemorySource};
use proptest::prelude::*;

use super::{Bench, ids, partition, source_of};
use crate::support::okta;

/// What happens between steps of a generated run.
#[derive(Clone, Debug)]
enum Act {
    /// So many, and the milliseconds from one to the next.
    Steps(usize, u64),
    Assign(i32),
    Revoke(i32),
    Lose(i32),
    Fate(Fate),
    FailCommits(usize),
    /// The process is killed and another one started; what was in flight may have arrived or not.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1..15_usize, pace()).prop_map(|(count, ms)| Act::Steps(count, ms)),
        3 => (0..3).prop_map(Act::Assign),
        1 => (0..3).prop_map(Act::Revoke),
        1 => (0..3).prop_map(Act::Lose),
        2 => Just(Act::Fate(Fate::Deliver)),
        2 => (1..4_usize).prop_map(|most| Act::Fate(Fate::DeliverLatest(most))),
        1 => Just(Act::Fate(Fate::Hold)),
        1 => Just(Act::Fate(Fate::FailAll(DeliveryFault::unavailable("no permission")))),
        1 => Just(Act::Fate(Fate::FailOldest(DeliveryFault::unavailable("timed out")))),
        1 => (1..3_usize).prop_map(Act::FailCommits),
        1 => Just(Act::Crash),
    ]
}

/// The milliseconds from one step to the next: outputs are kept back for 10, or for 100 from a busy
/// sink, so that they wait for several steps, for some, or for none.
fn pace() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1), 2..40_u64, Just(100)]
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
            (text.clone(), vec![text])
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

/// Everything that was delivered: alert ids, and the bytes of dead letters.
fn arrived(sink: &MemorySink) -> BTreeSet<String> {
    let letters = sink.delivered().iter().filter(|output| output.target == Target::DeadLetters);
    let letters = letters.filter_map(|output| String::from_utf8(output.value.clone()?).ok());
    letters.chain(ids(sink.delivered())).collect()
}

/// Nothing is committed whose outputs have not arrived.
fn check_committed(bench: &mut Bench, owed: &Owed) {
    let arrived = arrived(bench.worker.sink());
    for (name, owed) in owed {
        let committed = bench.worker.source().committed(name).unwrap_or_default();
        let finished = owed.iter().take(usize::try_from(committed).expect("from 0"));
        for output in finished.flatten() {
            assert!(arrived.contains(output), "{output} is missing below {committed}");
        }
    }
}

fn run_history(kinds: &[Vec<u8>], acts: &[Act], busy_at: usize) {
    let (source, owed) = log(kinds);
    let mut held = BTreeSet::new();
    let mut bench = Bench::new(source, MemorySink::new(5).busy_at(busy_at));
    for act in acts {
        match act {
            Act::Steps(count, ms) => bench.steps_each(*ms, *count),
            Act::Assign(number) => {
                if held.insert(*number) {
                    bench.worker.source().assign(&[partition(*number)]);
                }
            }
            Act::Revoke(number) | Act::Lose(number) if held.remove(number) => {
                let gone = [partition(*number)];
                match act {
                    Act::Revoke(_) => bench.worker.source().revoke(&gone),
                    _ => bench.worker.source().lose(&gone),
                }
                // The source assigns nothing again before it was released.
                bench.steps(110);
            }
            Act::Revoke(_) | Act::Lose(_) => {}
            Act::Fate(fate) => bench.worker.sink().set_fate(fate.clone()),
            Act::FailCommits(count) => bench.worker.source().fail_commits(*count),
            Act::Crash => {
                let (mut source, mut sink) = bench.worker.abandon();
                source.crash();
                sink.crash();
                held.clear();
                bench = Bench::new(source, sink);
            }
        }
        check_committed(&mut bench, &owed);
    }
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.worker.source().fail_commits(0);
    let rest: Vec<_> = (0..3).filter(|number| !held.contains(number)).map(partition).collect();
    bench.worker.source().assign(&rest);
    bench.worker.source().end();
    assert_eq!(bench.end(), Ending::Exhausted);
    check_committed(&mut bench, &owed);
    for (name, owed) in &owed {
        let end = i64::try_from(owed.len()).expect("it is small");
        assert_eq!(bench.worker.source().committed(name).unwrap_or_default(), end);
    }
    let all: BTreeSet<String> = owed.into_values().flatten().flatten().collect();
    assert_eq!(arrived(bench.worker.sink()), all, "everything owed arrives, and nothing else");
}

/// `OUZEL_HISTORIES=20000 cargo test --test main worker` is the long form.
fn histories() -> u32 {
    std::env::var("OUZEL_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(250)
}

/// Fates under which a target takes outputs in order or not at all.
fn orderly_fate() -> impl Strategy<Value = Option<Fate>> {
    let fault = || DeliveryFault::unavailable("no permission");
    prop_oneof![
        2 => Just(Some(Fate::Deliver)),
        2 => Just(Some(Fate::Hold)),
        3 => Just(Some(Fate::FailOldest(fault()))),
        1 => Just(Some(Fate::FailAll(fault()))),
        // The next one is not even taken.
        1 => Just(None),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: histories(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_is_lost_whatever_happens(
        kinds in prop::collection::vec(prop::collection::vec(0..12_u8, 0..60), 3),
        acts in prop::collection::vec(act(), 0..40),
        busy_at in 1..7_usize,
    ) {
        run_history(&kinds, &acts, busy_at);
    }

    #[test]
    fn outputs_arrive_in_order_however_often_their_target_takes_nothing(
        count in 1..40_usize,
        fates in prop::collection::vec((orderly_fate(), 1..30_usize, pace()), 0..30),
        capacity in 1..50_usize,
        busy_at in 1..60_usize,
    ) {
        let uuids: Vec<String> = (0..count).map(|number| format!("h{number}")).collect();
        let payloads: Vec<String> = uuids.iter().map(|uuid| okta::hit(uuid)).collect();
        let mut source = source_of(&payloads);
        source.end();
        let sink = MemorySink::new(capacity).busy_at(busy_at);
        let mut bench = Bench::new(source, sink);
        for (fate, steps, ms) in fates {
            match fate {
                Some(fate) => bench.worker.sink().set_fate(fate),
                None => bench.worker.sink().refuse(DeliveryFault::unavailable("no such topic")),
            }
            bench.steps_each(ms, steps);
        }
        bench.worker.sink().set_fate(Fate::Deliver);
        bench.steps(250);
        let expected: Vec<String> = uuids.iter().map(|uuid| okta::alert_id(uuid)).collect();
        // The end has a bound: what is not delivered by then is read again by another.
        let found = bench.alerts();
        prop_assert_eq!(&found[..], &expected[..found.len()]);
        prop_assert_eq!(found.len() + bench.worker.in_flight(), count);
    }
}
