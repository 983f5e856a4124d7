//! The wall clock jumps by an hour, forward and back, while records are judged: nothing is lost,
//! and what counts time counts the monotonic one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ouzel::config::Settings;
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Bounds, Ending, Step, Worker, WorkerOptions};
use ouzel::record::Timestamp;
use ouzel::rule::{self, Found, RuleText};
use ouzel::sink::memory::MemorySink;
use ouzel::source::Partition;
use ouzel::source::memory::{MemoryRecord, MemorySource};

use crate::support::okta;

const RECORDS: u32 = 600;
/// What the monotonic clock gains from record to record.
const STEP: Duration = Duration::from_millis(100);
const HOUR_MS: i64 = 3_600_000;

const OPTIONS: WorkerOptions = WorkerOptions {
    bounds: Bounds {
        in_flight_max: 1000,
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

fn partition() -> Partition {
    Partition { topic: "okta".into(), partition: 0 }
}

fn worker() -> Worker<MemorySource, MemorySink> {
    let text = std::fs::read_to_string(okta::rule_file()).expect("the rule file is there");
    let text = text.replace("max_signals = 100\n", "max_signals = 1000\n");
    let text = RuleText { origin: "r.toml".to_owned(), text, found: Found::Named };
    let rules = rule::load(&[text], &BTreeMap::new());
    let rules = Arc::new(rules.unwrap_or_else(|faults| panic!("{faults:#?}")));
    let judge = setup::judge(&Settings::default(), rules, JudgeOptions::default());
    let mut source = MemorySource::new();
    source.assign(&[partition()]);
    Worker::new(source, MemorySink::default(), Arc::new(judge), OPTIONS)
}

/// The wall clock at step `number`: right, an hour ahead, an hour behind, and before its time began.
fn wall(number: u32) -> Timestamp {
    let right = 1_767_225_600_000 + i64::from(number) * 100;
    let millis = match number % 4 {
        0 => right,
        1 => right + HOUR_MS,
        2 => right - HOUR_MS,
        _ => -HOUR_MS,
    };
    Timestamp::from_millis(millis)
}

#[test]
fn a_wall_clock_that_jumps_loses_nothing_and_moves_no_timer() {
    let mut worker = worker();
    let mut commits = Vec::new();
    for number in 0..RECORDS {
        let mut record = MemoryRecord::of(okta::hit(&format!("{number:08}")));
        record.timestamp = Some(wall(number.wrapping_mul(7)));
        worker.source().push(&partition(), record);
        worker.source().set_received(wall(number));
        worker.set_wall(wall(number));
        assert!(matches!(worker.step(STEP * number), Step::Went(1)), "step {number}");
        let committed = worker.source().committed(&partition());
        if commits.last() != Some(&committed) {
            commits.push(committed);
        }
    }
    // A commit a second by the monotonic clock, whatever the wall clock said.
    let seconds = usize::try_from((STEP * RECORDS).as_secs()).expect("a minute");
    assert!((seconds - 1..=seconds + 1).contains(&commits.len()), "{} commits", commits.len());
    worker.stop();
    // A monotonic clock that stands still is no reason to wait.
    let ending = (0..100).find_map(|_| match worker.step(STEP * RECORDS) {
        Step::Ended(ending) => Some(ending),
        Step::Went(_) => None,
    });
    assert_eq!(ending, Some(Ending::Stopped));
    assert_eq!(worker.sink().delivered().len(), RECORDS as usize);
    assert_eq!(worker.source().committed(&partition()), Some(i64::from(RECORDS)));
}
