//! The worker between a source and a sink in memory: rebalances, failures, crashes. Nothing lost.

mod histories;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ouzel::config::Settings;
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Bounds, Ending, Judge, Step, Worker, WorkerOptions};
use ouzel::record::Timestamp;
use ouzel::sink::memory::{Fate, MemoryOutput, MemorySink};
use ouzel::sink::{DeliveryFault, Refusal, Target};
use ouzel::source::memory::{MemoryRecord, MemorySource};
use ouzel::source::{Partition, SourceEvent};

use crate::support::okta;

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

fn judge() -> Arc<Judge> {
    Arc::new(setup::judge(&Settings::default(), okta::rules(), JudgeOptions::default()))
}

fn partition(number: i32) -> Partition {
    Partition { topic: "okta".into(), partition: number }
}

/// A worker with a clock of its own.
struct Bench {
    worker: Worker<MemorySource, MemorySink>,
    now: Duration,
}

impl Bench {
    fn new(source: MemorySource, sink: MemorySink) -> Self {
        Self { worker: Worker::new(source, sink, judge(), OPTIONS), now: Duration::ZERO }
    }

    fn step(&mut self) -> Step {
        self.step_after(100)
    }

    /// A step so many milliseconds after the last one.
    fn step_after(&mut self, ms: u64) -> Step {
        self.now += Duration::from_millis(ms);
        self.worker.step(self.now)
    }

    fn steps(&mut self, count: usize) {
        self.steps_each(100, count);
    }

    /// So many steps, one every `ms` milliseconds.
    fn steps_each(&mut self, ms: u64, count: usize) {
        for _ in 0..count {
            self.step_after(ms);
        }
    }

    /// Steps until the end, which must come.
    fn end(&mut self) -> Ending {
        for _ in 0..1000 {
            if let Step::Ended(ending) = self.step() {
                return ending;
            }
        }
        panic!("the worker does not end");
    }

    fn alerts(&mut self) -> Vec<String> {
        ids(self.worker.sink().delivered())
    }
}

/// The ids of the alerts among `outputs`.
fn ids(outputs: &[MemoryOutput]) -> Vec<String> {
    let named = |output: &MemoryOutput| {
        let (_, id) = output.headers.iter().find(|(name, _)| name == "ouzel.alert.id")?;
        Some(String::from_utf8(id.clone()?).expect("ids are hex"))
    };
    outputs
        .iter()
        .filter(|output| output.target != Target::DeadLetters)
        .filter(|output| !output.headers.iter().any(|(name, _)| name.contains("notice")))
        .filter_map(named)
        .collect()
}

fn source_of(payloads: &[String]) -> MemorySource {
    let mut source = MemorySource::new();
    for payload in payloads {
        source.push(&partition(0), MemoryRecord::of(payload.as_bytes()));
    }
    source.assign(&[partition(0)]);
    source
}

#[test]
fn the_watermark_waits_for_the_delivery() {
    let payloads = [okta::clean("c1"), okta::hit("h1"), okta::clean("c2")];
    let mut bench = Bench::new(source_of(&payloads), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(30);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
    assert_eq!(bench.worker.in_flight(), 1);
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(30);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(3));
    assert_eq!(bench.alerts(), [okta::alert_id("h1")]);
}

#[test]
fn a_tally_counts_each_record_once() {
    let page = format!("[{},{}]", okta::hit("p1"), okta::clean("p2"));
    let payloads = [okta::clean("c1"), okta::hit("h1"), page, String::new(), "{\"a\":".to_owned()];
    let mut source = source_of(&payloads);
    source.set_received(Timestamp::from_millis(1_767_225_600_000));
    source.end();
    let mut bench = Bench::new(source, MemorySink::default());
    assert_eq!(bench.end(), Ending::Exhausted);
    let tally = bench.worker.tally();
    let topic = &tally.topics[0];
    assert_eq!((topic.clean, topic.hit, topic.unreadable, topic.skipped), (1, 2, 1, 1));
    let bytes: usize = payloads.iter().map(String::len).sum();
    assert_eq!(topic.payload_bytes, bytes as u64);
    assert_eq!(tally.delivered.len(), 2);
    assert_eq!(tally.hits.iter().map(|(.., hits)| hits).sum::<u64>(), 2);
    assert_eq!(tally.dead_letters.iter().sum::<u64>(), 1);
    assert_eq!(tally.skipped.iter().sum::<u64>(), 1);
    assert!(tally.candidates >= 2);
    assert!(tally.commits >= 1);
}

#[test]
fn an_unreadable_record_is_a_dead_letter_byte_for_byte() {
    let mut source = MemorySource::new();
    let record = MemoryRecord {
        key: Some(b"key".to_vec()),
        payload: Some(b"{\"cut\": \"off".to_vec()),
        headers: vec![("h".to_owned(), Some(b"v".to_vec()))],
        ..MemoryRecord::default()
    };
    source.push(&partition(0), record.clone());
    source.assign(&[partition(0)]);
    source.end();
    let mut bench = Bench::new(source, MemorySink::default());
    assert_eq!(bench.end(), Ending::Exhausted);
    let [letter] = bench.worker.sink().delivered() else { panic!("one dead letter") };
    assert_eq!(letter.target, Target::DeadLetters);
    assert_eq!((&letter.key, &letter.value), (&record.key, &record.payload));
    assert_eq!(letter.headers.first(), record.headers.first());
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
}

#[test]
fn a_repeat_is_left_out_once_its_alert_is_delivered_and_not_before() {
    let payloads: Vec<String> = (0..3).map(|_| okta::hit("same")).collect();
    let mut bench = Bench::new(source_of(&payloads), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(2);
    // In flight is not delivered: all of them are published.
    assert_eq!(bench.worker.in_flight(), 3);
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(2);
    bench.worker.source().push(&partition(0), MemoryRecord::of(okta::hit("same")));
    bench.steps(20);
    assert_eq!(bench.alerts().len(), 3);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(4));
}

#[test]
fn a_sink_that_cannot_go_on_ends_the_worker_and_loses_nothing() {
    let payloads = [okta::clean("c"), okta::hit("h1"), okta::hit("h2"), okta::clean("c")];
    let mut bench = Bench::new(source_of(&payloads), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(1);
    bench.worker.sink().set_fate(Fate::FailOldest(DeliveryFault::fatal("it gave up")));
    bench.steps(1);
    bench.worker.sink().set_fate(Fate::Deliver);
    let Ending::Failed(why) = bench.end() else { panic!("it must say that it failed") };
    assert_eq!(why, "deliver the alert of okta[0]@1: it gave up");
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
    assert!(!bench.alerts().contains(&okta::alert_id("h1")));

    // Started again, nothing is missing: the failed alert was not remembered as delivered.
    let (mut source, sink) = bench.worker.abandon();
    source.crash();
    source.assign(&[partition(0)]);
    source.end();
    let mut bench = Bench::new(source, sink);
    assert_eq!(bench.end(), Ending::Exhausted);
    assert!(bench.alerts().contains(&okta::alert_id("h1")));
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(4));
}

#[test]
fn an_output_whose_target_takes_nothing_is_held_and_sent_again_until_it_is_taken() {
    let payloads = [okta::clean("c"), okta::hit("h1"), okta::hit("h2"), okta::clean("c")];
    let mut bench = Bench::new(source_of(&payloads), MemorySink::default());
    bench.worker.sink().set_fate(Fate::FailAll(DeliveryFault::unavailable("no permission")));
    bench.steps(6000);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
    assert!(bench.worker.holds().output_unavailable);
    let told = bench.worker.tally().trouble.clone();
    assert_eq!(told.as_deref(), Some("deliver the alert of okta[0]@1: no permission"));
    // Nothing is taken meanwhile.
    bench.worker.source().push(&partition(0), MemoryRecord::of(okta::hit("h3")));
    bench.steps(100);
    assert!(bench.worker.in_flight() <= 2);
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(130);
    assert!(!bench.worker.holds().output_unavailable);
    assert_eq!(bench.alerts(), ["h1", "h2", "h3"].map(okta::alert_id));
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(5));
}

/// What was sent after an output that came back is asked back, and a retry begins with one output.
#[test]
fn nothing_overtakes_an_output_that_rests() {
    let uuids: Vec<String> = (0..6).map(|number| format!("h{number}")).collect();
    let payloads: Vec<String> = uuids.iter().map(|uuid| okta::hit(uuid)).collect();
    let expected: Vec<String> = uuids.iter().map(|uuid| okta::alert_id(uuid)).collect();
    let mut bench = Bench::new(source_of(&payloads), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(3);
    bench.worker.sink().set_fate(Fate::FailOldest(DeliveryFault::unavailable("no permission")));
    bench.steps(1);
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(20);
    assert_eq!(bench.worker.sink().in_flight(), 1, "one finds out whether the others may go");
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(30);
    assert_eq!(bench.alerts(), expected);
    assert!(!bench.worker.holds().output_unavailable);
}

/// Local refusals (a topic that the client does not know) take the same way.
#[test]
fn an_output_that_is_not_even_taken_is_held_as_well() {
    let mut bench = Bench::new(source_of(&[okta::hit("h1")]), MemorySink::default());
    bench.worker.sink().refuse(DeliveryFault::unavailable("no such topic"));
    bench.steps(1);
    assert!(bench.worker.holds().output_unavailable);
    assert_eq!(bench.worker.source().committed(&partition(0)), None);
    bench.steps(30);
    assert_eq!(bench.alerts(), [okta::alert_id("h1")]);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
}

#[test]
fn an_alert_whose_delivery_failed_is_published_again_when_its_record_comes_again() {
    let mut bench = Bench::new(source_of(&[okta::hit("h1")]), MemorySink::default());
    bench.worker.sink().set_fate(Fate::FailAll(DeliveryFault::unavailable("no permission")));
    bench.steps(2);
    // The partition is taken away and comes back: the id was seen, and never delivered.
    bench.worker.source().revoke(&[partition(0)]);
    bench.steps(110);
    assert_eq!(bench.worker.source().released(), [partition(0)]);
    bench.worker.source().assign(&[partition(0)]);
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(130);
    assert!(bench.alerts().contains(&okta::alert_id("h1")));
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
}

/// A hit with a long field that no reduced alert carries.
fn large_hit(uuid: &str) -> String {
    let event = okta::hit(uuid);
    let rest = event.strip_prefix('{').expect("an event is an object");
    format!("{{\"displayMessage\":\"{}\",{rest}", "x".repeat(20_000))
}

fn is_reduced(output: &MemoryOutput) -> bool {
    let value = output.value.as_deref().unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(value).unwrap_or_default();
    json["ouzel"]["reduced"] == true
}

fn header(output: &MemoryOutput, name: &str) -> String {
    let found = output.headers.iter().find(|(known, _)| known == name);
    let value = found.and_then(|(_, value)| value.clone()).unwrap_or_default();
    String::from_utf8(value).expect("our headers are text")
}

fn worker_with_limit(payloads: &[String], bytes_max: usize) -> Bench {
    let mut source = source_of(payloads);
    source.end();
    let mut bench = Bench::new(source, MemorySink::default());
    bench.worker.sink().set_fate(Fate::Limit(bytes_max));
    assert_eq!(bench.end(), Ending::Exhausted);
    let records = i64::try_from(payloads.len()).expect("they are few");
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(records));
    bench
}

#[test]
fn an_alert_that_is_too_large_goes_without_the_events_fields() {
    let payloads = [large_hit("big"), okta::hit("small"), okta::clean("c")];
    let mut bench = worker_with_limit(&payloads, 15_000);
    let mut found: Vec<(String, bool)> = bench
        .worker
        .sink()
        .delivered()
        .iter()
        .map(|output| (header(output, "ouzel.alert.id"), is_reduced(output)))
        .collect();
    found.sort_unstable();
    let mut expected = [(okta::alert_id("big"), true), (okta::alert_id("small"), false)];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(bench.worker.tally().refusals, ["deliver the alert of okta[0]@0: too large"]);
}

/// Alerts may have a key in common: they are not to overtake each other.
#[test]
fn alerts_that_are_all_too_large_stay_in_order() {
    let uuids: Vec<String> = (0..30).map(|number| format!("big-{number}")).collect();
    let payloads: Vec<String> = uuids.iter().map(|uuid| large_hit(uuid)).collect();
    let mut bench = worker_with_limit(&payloads, 15_000);
    let expected: Vec<String> = uuids.iter().map(|uuid| okta::alert_id(uuid)).collect();
    assert_eq!(bench.alerts(), expected);
}

#[test]
fn an_alert_that_is_too_large_in_every_form_is_a_dead_letter() {
    let payload = okta::hit("h1");
    let bench = worker_with_limit(std::slice::from_ref(&payload), payload.len());
    let (_, sink) = bench.worker.abandon();
    let [letter] = sink.delivered() else { panic!("one dead letter") };
    assert_eq!(letter.target, Target::DeadLetters);
    assert_eq!(letter.value.as_deref(), Some(payload.as_bytes()));
    assert_eq!(header(letter, "ouzel.error.stage"), "sending");
    assert_eq!(header(letter, "ouzel.error.reason"), "output too large");
    assert_eq!(header(letter, "ouzel.source.offset"), "0");
}

#[test]
fn a_dead_letter_that_is_too_large_goes_without_its_value() {
    let unreadable = format!("{{\"cut off\": \"{}", "x".repeat(5000));
    let mut bench = worker_with_limit(&[large_hit("big"), unreadable], 100);
    let sink = bench.worker.sink();
    let reasons: Vec<[String; 3]> = sink
        .delivered()
        .iter()
        .map(|letter| {
            assert_eq!(
                (letter.target, letter.value.as_deref()),
                (Target::DeadLetters, Some(&[][..]))
            );
            let names = ["ouzel.error.stage", "ouzel.error.reason", "ouzel.payload.bytes"];
            names.map(|name| header(letter, name))
        })
        .collect();
    assert_eq!(reasons.len(), 2);
    let unread = ["processing", "truncated", "5013"].map(str::to_owned);
    assert!(reasons.contains(&unread), "{reasons:?}");
    let big = large_hit("big").len().to_string();
    assert!(reasons.contains(&["sending", "output too large", &big].map(str::to_owned)));
    let tally = bench.worker.tally();
    let at = Refusal::TooLarge as usize;
    assert_eq!((tally.unsent[at], tally.dead_letters.iter().sum::<u64>()), (1, 1));
}

#[test]
fn a_full_queue_pauses_and_drops_nothing() {
    let payloads: Vec<String> = (0..100).map(|number| okta::hit(&format!("h{number}"))).collect();
    let mut source = source_of(&payloads);
    source.end();
    let mut bench = Bench::new(source, MemorySink::new(3));
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(20);
    assert_eq!(bench.worker.sink().in_flight(), 3);
    assert!(bench.worker.in_flight() <= 4, "one record waits, no more are taken");
    assert!(bench.worker.holds().back_pressure);
    bench.worker.sink().set_fate(Fate::DeliverLatest(2));
    assert_eq!(bench.end(), Ending::Exhausted);
    let expected: BTreeSet<String> =
        (0..100).map(|number| okta::alert_id(&format!("h{number}"))).collect();
    assert_eq!(bench.alerts().into_iter().collect::<BTreeSet<_>>(), expected);
    assert!(!bench.worker.holds().back_pressure);
}

#[test]
fn a_revoke_drains_commits_and_releases() {
    let mut bench = Bench::new(source_of(&[okta::hit("h1")]), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(2);
    bench.worker.source().revoke(&[partition(0)]);
    bench.steps(5);
    assert_eq!(bench.worker.source().released(), []);
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(2);
    assert_eq!(bench.worker.source().released(), [partition(0)]);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
}

#[test]
fn a_drain_that_takes_too_long_commits_less_and_loses_nothing() {
    let mut bench = Bench::new(source_of(&[okta::hit("h1")]), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(2);
    bench.worker.source().revoke(&[partition(0)]);
    bench.steps(101);
    assert_eq!(bench.worker.source().released(), [partition(0)]);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(0));
}

#[test]
fn a_record_that_comes_once_more_is_judged_once_and_what_is_open_before_it_stays_open() {
    let mut source = source_of(&[]);
    for (payload, time) in [(okta::hit("h1"), 7), (okta::hit("h2"), 7), (okta::clean("c"), 8)] {
        let timestamp = Some(Timestamp::from_millis(time));
        source.push(&partition(0), MemoryRecord { timestamp, ..MemoryRecord::of(payload) });
    }
    let mut bench = Bench::new(source, MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(2);
    bench.worker.source().repeat(&partition(0), 3);
    bench.worker.source().push(&partition(0), MemoryRecord::of(okta::clean("d")));
    bench.steps(20);
    assert_eq!((bench.worker.tally().repeated, bench.worker.tally().rewinds), (3, 0));
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(0), "h1 is not delivered");
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(20);
    assert_eq!(bench.alerts().len(), 2);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(4));
}

/// Without a time stamp, a record that comes once more is told from one of a topic that was made anew
/// only where it is the last one.
#[test]
fn a_last_record_without_a_time_that_comes_once_more_is_judged_once() {
    let mut bench =
        Bench::new(source_of(&[okta::hit("h1"), okta::hit("h2")]), MemorySink::default());
    bench.steps(2);
    bench.worker.source().repeat(&partition(0), 1);
    bench.steps(20);
    assert_eq!((bench.worker.tally().repeated, bench.worker.tally().rewinds), (1, 0));
    assert_eq!(bench.alerts().len(), 2);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(2));
}

#[test]
fn a_topic_made_anew_is_judged_from_its_beginning() {
    let mut bench =
        Bench::new(source_of(&[okta::clean("c"), okta::hit("h1")]), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(2);
    bench.worker.source().recreate(&partition(0));
    for uuid in ["n1", "n2", "n3"] {
        bench.worker.source().push(&partition(0), MemoryRecord::of(okta::hit(uuid)));
    }
    bench.steps(1);
    assert_eq!(bench.worker.tally().rewinds, 1);
    // The new alerts are delivered, the old one is not: it holds nothing of the new topic.
    bench.worker.sink().set_fate(Fate::DeliverLatest(3));
    bench.steps(1);
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(20);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(3));
    bench.worker.sink().set_fate(Fate::Deliver);
    bench.steps(20);
    assert_eq!(bench.alerts().len(), 4);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(3));
}

#[test]
fn a_stop_ends_in_time_and_says_what_is_missing() {
    let mut bench = Bench::new(source_of(&[okta::hit("h1")]), MemorySink::default());
    bench.worker.sink().set_fate(Fate::Hold);
    bench.steps(2);
    bench.worker.stop();
    assert_eq!(bench.end(), Ending::Undelivered(1));
    assert!(bench.now <= Duration::from_secs(21));
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(0));
}

#[test]
fn what_the_source_says_shows() {
    let mut bench = Bench::new(source_of(&[okta::clean("c")]), MemorySink::default());
    bench.worker.source().say(SourceEvent::BrokersDown);
    bench.steps(1);
    assert!(bench.worker.holds().brokers_down);
    bench.worker.source().say(SourceEvent::BrokersUp);
    bench.worker.source().fail_commits(1);
    bench.steps(30);
    assert!(!bench.worker.holds().brokers_down);
    assert_eq!(bench.worker.tally().commit_failures.len(), 1);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
    bench.worker.source().fail_poll("the client gave up");
    assert_eq!(bench.end(), Ending::Failed("the client gave up".to_owned()));
}

/// A commit that met a rebalance failed as a whole: the partitions that are kept have to be
/// committed again although no record moves their watermark.
#[test]
fn a_commit_that_a_rebalance_outran_is_made_again_and_is_no_failure() {
    let mut bench = Bench::new(source_of(&[okta::clean("c")]), MemorySink::default());
    bench.worker.source().outrun_commits(1);
    bench.steps(30);
    assert_eq!(bench.worker.tally().commit_failures.len(), 0);
    assert_eq!(bench.worker.source().committed(&partition(0)), Some(1));
}

#[test]
fn a_worker_that_is_behind_hands_outputs_over_together() {
    let payload = |number: usize| match number % OPTIONS.records_max {
        0 => okta::hit(&format!("h{number}")),
        _ => okta::clean(&format!("c{number}")),
    };
    let payloads: Vec<String> = (0..8 * OPTIONS.records_max).map(payload).collect();
    let mut bench = Bench::new(source_of(&payloads), MemorySink::new(100));
    bench.worker.step(Duration::ZERO);
    // Each step takes 16 records, one of them a hit. The first one does not know yet that more wait;
    // the last one finds none.
    let steps = [(1, 1), (2, 1), (3, 1), (10, 1), (11, 5), (12, 5), (13, 5), (14, 8)];
    for (ms, delivered) in steps {
        bench.worker.step(Duration::from_millis(ms));
        assert_eq!(bench.alerts().len(), delivered, "after {ms} ms");
    }
}

#[test]
fn what_would_wait_in_a_busy_sink_goes_together_when_it_is_busy_no_more() {
    let uuids = ["a", "b", "c", "d", "e"];
    let delivered = |last_ms: u64| {
        let source = source_of(&uuids.map(okta::hit));
        let mut bench = Bench::new(source, MemorySink::new(100).busy_at(2));
        bench.worker.sink().set_fate(Fate::Hold);
        for ms in 1..=last_ms {
            bench.worker.step(Duration::from_millis(ms));
        }
        bench.worker.sink().set_fate(Fate::Deliver);
        [1, 2].map(|ms| {
            bench.worker.step(Duration::from_millis(last_ms + ms));
            bench.alerts()
        })
    };
    let all = uuids.map(okta::alert_id);
    assert_eq!(delivered(90), [all[..2].to_vec(), all.to_vec()], "it had no more");
    assert_eq!(delivered(110), [all.to_vec(), all.to_vec()], "without an answer they wait 100 ms");
}

#[test]
fn what_is_given_up_at_the_end_is_neither_sent_nor_counted_any_more() {
    let mut source = source_of(&[okta::hit("a")]);
    source.end();
    let mut bench = Bench::new(source, MemorySink::new(1));
    bench.worker.sink().set_fate(Fate::Hold);
    assert_eq!(bench.end(), Ending::Undelivered(1));
    bench.worker.sink().set_fate(Fate::Deliver);
    assert_eq!(bench.step(), Step::Ended(Ending::Undelivered(1)));
    assert_eq!((bench.alerts().len(), bench.worker.in_flight()), (0, 1));
}
