//! The metrics of a running stage: typed methods over the rows of [`super::table`].
//!
//! Every label set that can be known exists at 0 from the start, else `increase()` would miss a
//! rule's first alert. Series of a partition vanish when it is given back. Methods may be called
//! from any thread, once per batch: nothing here belongs on the path of a single record. Label
//! values come from rules, configuration and the fixed vocabulary, never from events.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{GaugeVec, Histogram, IntCounterVec, Registry, TextEncoder};

use super::given::{Budget, Known, Rebalance, RecordCounts, RuleInfo};
use super::health::{Health, Hold};
use super::register;
use super::table::{self, Row};

/// The rules that judge, and when they were loaded.
#[derive(Clone, Debug, Default)]
struct Rules {
    loaded_ms: i64,
    rules: Vec<RuleInfo>,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    records: IntCounterVec,
    payload_bytes: IntCounterVec,
    decoded_events: IntCounterVec,
    candidates: IntCounterVec,
    hits: IntCounterVec,
    exceptions: IntCounterVec,
    expired_exceptions: GaugeVec,
    suppression_groups: GaugeVec,
    alerts: IntCounterVec,
    dead_letters: IntCounterVec,
    dead_letter_budget: GaugeVec,
    skipped: IntCounterVec,
    rule_info: GaugeVec,
    rule_last_hit: GaugeVec,
    rule_set_info: GaugeVec,
    rule_set_reload_failures: IntCounterVec,
    rule_set_loaded: GaugeVec,
    consumer_lag: GaugeVec,
    watermark: GaugeVec,
    last_record: GaugeVec,
    event_to_alert: Histogram,
    record_to_alert: Histogram,
    in_flight_outputs: GaugeVec,
    held: GaugeVec,
    producer_queue_records: GaugeVec,
    consumer_queue_bytes: GaugeVec,
    commits: IntCounterVec,
    commit_failures: IntCounterVec,
    rebalances: IntCounterVec,
    offset_resets: IntCounterVec,
    unreadable_batches: IntCounterVec,
    coverage_documents: IntCounterVec,
    coverage_failures: IntCounterVec,
    coverage_waiting: GaugeVec,
    assigned_partitions: GaugeVec,
    dispositions: Vec<String>,
    rules: Mutex<Rules>,
    /// How many workers read a partition: two for a moment, where one worker hears of its loss
    /// after the other was assigned it.
    assigned: Mutex<HashMap<(String, i32), u32>>,
}

const NO_LABELS: &[&str] = &[];

impl Metrics {
    /// All metrics at 0, with every label set that `known` names.
    #[must_use]
    pub fn new(known: &Known<'_>) -> Self {
        let metrics = Self::registered(known);
        for topic in &known.topics {
            metrics.topic(topic);
        }
        for shape in &known.shapes {
            metrics.decoded_events(shape, 0);
        }
        for (stage, reason) in &known.dead_letters {
            metrics.dead_letters(stage, reason, 0);
        }
        for reason in &known.skip_reasons {
            metrics.skipped(reason, 0);
        }
        for kind in Rebalance::ALL {
            metrics.rebalances.with_label_values(&[kind.name()]);
        }
        let unlabelled = [
            &metrics.candidates,
            &metrics.commits,
            &metrics.commit_failures,
            &metrics.offset_resets,
            &metrics.unreadable_batches,
            &metrics.coverage_documents,
            &metrics.coverage_failures,
        ];
        for counter in unlabelled {
            counter.with_label_values(NO_LABELS);
        }
        metrics.expired_exceptions(0);
        metrics.dead_letter_budget(Budget::Within);
        metrics.rule_set_reload_failures.with_label_values(NO_LABELS);
        metrics.suppression_groups(0);
        metrics.coverage_waiting(0);
        metrics
    }

    fn registered(known: &Known<'_>) -> Self {
        let registry = Registry::new();
        let counter = |row: &Row| register::counter(&registry, row);
        let gauge = |row: &Row| register::gauge(&registry, row);
        gauge(&table::BUILD_INFO).with_label_values(&[known.version, known.commit]).set(1.0);
        gauge(&table::START_TIME).with_label_values(NO_LABELS).set(seconds(known.started_ms));
        register::process(&registry);
        Self {
            records: counter(&table::RECORDS),
            payload_bytes: counter(&table::PAYLOAD_BYTES),
            decoded_events: counter(&table::DECODED_EVENTS),
            candidates: counter(&table::CANDIDATES),
            hits: counter(&table::HITS),
            exceptions: counter(&table::EXCEPTIONS),
            expired_exceptions: gauge(&table::EXPIRED_EXCEPTIONS),
            suppression_groups: gauge(&table::SUPPRESSION_GROUPS),
            alerts: counter(&table::ALERTS),
            dead_letters: counter(&table::DEAD_LETTERS),
            dead_letter_budget: gauge(&table::DEAD_LETTER_BUDGET),
            skipped: counter(&table::SKIPPED),
            rule_info: gauge(&table::RULE_INFO),
            rule_last_hit: gauge(&table::RULE_LAST_HIT),
            rule_set_info: gauge(&table::RULE_SET_INFO),
            rule_set_reload_failures: counter(&table::RULE_SET_RELOAD_FAILURES),
            rule_set_loaded: gauge(&table::RULE_SET_LOADED),
            consumer_lag: gauge(&table::CONSUMER_LAG),
            watermark: gauge(&table::WATERMARK),
            last_record: gauge(&table::LAST_RECORD),
            event_to_alert: register::histogram(&registry, &table::EVENT_TO_ALERT),
            record_to_alert: register::histogram(&registry, &table::RECORD_TO_ALERT),
            in_flight_outputs: gauge(&table::IN_FLIGHT_OUTPUTS),
            held: gauge(&table::HELD),
            producer_queue_records: gauge(&table::PRODUCER_QUEUE_RECORDS),
            consumer_queue_bytes: gauge(&table::CONSUMER_QUEUE_BYTES),
            commits: counter(&table::COMMITS),
            commit_failures: counter(&table::COMMIT_FAILURES),
            rebalances: counter(&table::REBALANCES),
            offset_resets: counter(&table::OFFSET_RESETS),
            unreadable_batches: counter(&table::UNREADABLE_BATCHES),
            coverage_documents: counter(&table::COVERAGE_DOCUMENTS),
            coverage_failures: counter(&table::COVERAGE_FAILURES),
            coverage_waiting: gauge(&table::COVERAGE_WAITING),
            assigned_partitions: gauge(&table::ASSIGNED_PARTITIONS),
            dispositions: known.dispositions.iter().map(|name| (*name).to_owned()).collect(),
            rules: Mutex::default(),
            assigned: Mutex::default(),
            registry,
        }
    }

    /// These rules judge from now on; their series exist at 0, those of rules that are gone keep
    /// their counts.
    pub fn rule_set_loaded(&self, sha256: &str, loaded_ms: i64, rules: &[RuleInfo]) {
        self.rule_info.reset();
        self.rule_set_info.reset();
        self.rule_set_info.with_label_values(&[sha256]).set(1.0);
        self.rule_set_loaded.with_label_values(NO_LABELS).set(seconds(loaded_ms));
        for rule in rules {
            let labels = [&*rule.id, &*rule.name, &*rule.version, &*rule.sha256];
            self.rule_info.with_label_values(&labels).set(1.0);
            self.rule_last_hit.with_label_values(&[&*rule.id]);
            for disposition in &self.dispositions {
                self.hits(&rule.id, disposition, 0);
            }
            for severity in &rule.severities {
                self.alerts_delivered(&rule.id, severity, 0);
            }
        }
        *lock(&self.rules) = Rules { loaded_ms, rules: rules.to_vec() };
    }

    /// Rules and exceptions were read again and had faults: the old ones stay.
    pub fn reload_failed(&self) {
        self.rule_set_reload_failures.with_label_values(NO_LABELS).inc();
    }

    /// A topic is read (a pattern has matched it, say): its series exist at 0.
    pub fn topic(&self, topic: &str) {
        self.records(topic, &RecordCounts::default());
        self.last_record.with_label_values(&[topic]);
    }

    /// Records of `topic` were judged.
    pub fn records(&self, topic: &str, counts: &RecordCounts) {
        let outcomes = [
            ("clean", counts.clean),
            ("hit", counts.hit),
            ("unreadable", counts.unreadable),
            ("skipped", counts.skipped),
        ];
        for (outcome, count) in outcomes {
            self.records.with_label_values(&[topic, outcome]).inc_by(count);
        }
        self.payload_bytes.with_label_values(&[topic]).inc_by(counts.payload_bytes);
    }

    /// A record of `topic` was received at `wall_ms`.
    pub fn last_record(&self, topic: &str, wall_ms: i64) {
        self.last_record.with_label_values(&[topic]).set(seconds(wall_ms));
    }

    /// The prefilter could not exclude `count` records.
    pub fn candidates(&self, count: u64) {
        self.candidates.with_label_values(NO_LABELS).inc_by(count);
    }

    /// `count` events of `shape` were decoded.
    pub fn decoded_events(&self, shape: &str, count: u64) {
        self.decoded_events.with_label_values(&[shape]).inc_by(count);
    }

    /// This became of `count` hits of a rule.
    pub fn hits(&self, rule_id: &str, disposition: &str, count: u64) {
        self.hits.with_label_values(&[rule_id, disposition]).inc_by(count);
    }

    /// These exceptions are loaded: their series exist at 0.
    pub fn exceptions_loaded<'i>(&self, ids: impl IntoIterator<Item = &'i str>) {
        for id in ids {
            self.exceptions.with_label_values(&[id]);
        }
    }

    /// An exception hid `count` hits.
    pub fn excepted(&self, exception_id: &str, count: u64) {
        self.exceptions.with_label_values(&[exception_id]).inc_by(count);
    }

    /// So many exceptions are past their end.
    pub fn expired_exceptions(&self, count: usize) {
        self.expired_exceptions.with_label_values(NO_LABELS).set(count as f64);
    }

    /// How the budget of dead letters stands.
    pub fn dead_letter_budget(&self, budget: Budget) {
        let spent = f64::from(u8::from(budget == Budget::Spent));
        self.dead_letter_budget.with_label_values(NO_LABELS).set(spent);
    }

    /// So many suppression groups are open.
    pub fn suppression_groups(&self, count: usize) {
        self.suppression_groups.with_label_values(NO_LABELS).set(count as f64);
    }

    /// A rule held for an event at `wall_ms`.
    pub fn last_hit(&self, rule_id: &str, wall_ms: i64) {
        self.rule_last_hit.with_label_values(&[rule_id]).set(seconds(wall_ms));
    }

    /// `count` alerts of a rule were delivered.
    pub fn alerts_delivered(&self, rule_id: &str, severity: &str, count: u64) {
        self.alerts.with_label_values(&[rule_id, severity]).inc_by(count);
    }

    /// `count` records became dead letters.
    pub fn dead_letters(&self, stage: &str, reason: &str, count: u64) {
        self.dead_letters.with_label_values(&[stage, reason]).inc_by(count);
    }

    /// `count` records held no event.
    pub fn skipped(&self, reason: &str, count: u64) {
        self.skipped.with_label_values(&[reason]).inc_by(count);
    }

    /// An alert was delivered `age_ms` after its event; a clock that jumped gives 0, never less.
    pub fn event_to_alert(&self, age_ms: i64) {
        self.event_to_alert.observe(seconds(age_ms.max(0)));
    }

    /// An alert was delivered `age_ms` after its record; a clock that jumped gives 0, never less.
    pub fn record_to_alert(&self, age_ms: i64) {
        self.record_to_alert.observe(seconds(age_ms.max(0)));
    }

    /// `count` commits were confirmed.
    pub fn commits(&self, count: u64) {
        self.commits.with_label_values(NO_LABELS).inc_by(count);
    }

    /// `count` commits failed.
    pub fn commit_failures(&self, count: u64) {
        self.commit_failures.with_label_values(NO_LABELS).inc_by(count);
    }

    /// So many partitions were reset, because their next record was gone from the topic.
    pub fn offset_resets(&self, count: u64) {
        self.offset_resets.with_label_values(NO_LABELS).inc_by(count);
    }

    /// So many batches more cannot be unpacked.
    pub fn unreadable_batches(&self, count: u64) {
        self.unreadable_batches.with_label_values(NO_LABELS).inc_by(count);
    }

    /// `count` documents of the ledger of coverage were published.
    pub fn coverage_published(&self, count: u64) {
        self.coverage_documents.with_label_values(NO_LABELS).inc_by(count);
    }

    /// `count` documents of the ledger of coverage could not be published.
    pub fn coverage_failed(&self, count: u64) {
        self.coverage_failures.with_label_values(NO_LABELS).inc_by(count);
    }

    /// So many documents of the ledger of coverage wait.
    pub fn coverage_waiting(&self, count: usize) {
        self.coverage_waiting.with_label_values(NO_LABELS).set(count as f64);
    }

    /// A worker saw a rebalance of this kind.
    pub fn rebalance(&self, kind: Rebalance) {
        self.rebalances.with_label_values(&[kind.name()]).inc();
    }

    /// A worker begins to read a partition.
    pub fn assigned(&self, topic: &str, partition: i32) {
        self.topic(topic);
        *lock(&self.assigned).entry((topic.to_owned(), partition)).or_default() += 1;
    }

    /// A worker has given a partition back (or lost it): its series vanish with its last reader.
    pub fn revoked(&self, topic: &str, partition: i32) {
        let mut assigned = lock(&self.assigned);
        let key = (topic.to_owned(), partition);
        let readers = assigned.get(&key).copied().unwrap_or_default();
        if readers > 1 {
            assigned.insert(key, readers - 1);
            return;
        }
        assigned.remove(&key);
        for family in [&self.consumer_lag, &self.watermark] {
            // A partition that was never measured has no series to remove.
            drop(family.remove_label_values(&[topic, &partition.to_string()]));
        }
    }

    /// The lag of a partition; without effect on one that is not read (any more).
    pub fn consumer_lag(&self, topic: &str, partition: i32, records: i64) {
        self.set(&self.consumer_lag, topic, partition, records.max(0) as f64);
    }

    /// The time stamp of the last record before a partition's watermark; without effect on one
    /// that is not read (any more).
    pub fn watermark(&self, topic: &str, partition: i32, wall_ms: i64) {
        self.set(&self.watermark, topic, partition, seconds(wall_ms));
    }

    fn set(&self, family: &GaugeVec, topic: &str, partition: i32, value: f64) {
        // Statistics of a client come late: without this, they would bring series back. The lock
        // is kept until the value is set, so that a revoke cannot come between.
        let assigned = lock(&self.assigned);
        if assigned.contains_key(&(topic.to_owned(), partition)) {
            family.with_label_values(&[topic, &partition.to_string()]).set(value);
        }
    }

    /// Everything in Prometheus' text format 0.0.4; the state of the workers is that of `health`.
    #[must_use]
    pub fn render(&self, health: &Health) -> String {
        self.take_over(health);
        let mut text = String::new();
        let encoded = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        debug_assert!(encoded.is_ok(), "families of this table always have a text form");
        text
    }

    fn take_over(&self, health: &Health) {
        let workers = health.statuses();
        let sum = |of: fn(&super::WorkerStatus) -> u64| workers.iter().map(of).sum::<u64>() as f64;
        let set = |family: &GaugeVec, value| family.with_label_values(NO_LABELS).set(value);
        set(&self.in_flight_outputs, sum(|worker| worker.in_flight_outputs));
        set(&self.producer_queue_records, sum(|worker| worker.producer_queue_records));
        set(&self.consumer_queue_bytes, sum(|worker| worker.consumer_queue_bytes));
        for hold in Hold::ALL {
            let held = workers.iter().filter(|worker| worker.holds.contains(hold)).count();
            self.held.with_label_values(&[hold.name()]).set(held as f64);
        }
        let partitions: u32 = lock(&self.assigned).values().sum();
        set(&self.assigned_partitions, f64::from(partitions));
    }

    /// The rules that judge as a JSON array: id, name, version, sha256, state, loaded_at and
    /// last_hit (null where the rule has not held since the start).
    #[must_use]
    pub fn rules_json(&self) -> String {
        let rules = lock(&self.rules);
        let loaded_at = super::rfc3339(rules.loaded_ms);
        let rows = rules.rules.iter().map(|rule| {
            let last_hit = self.rule_last_hit.with_label_values(&[&*rule.id]).get();
            let last_hit = (last_hit > 0.0).then(|| super::rfc3339((last_hit * 1e3) as i64));
            serde_json::json!({
                "id": rule.id,
                "name": rule.name,
                "version": rule.version,
                "sha256": rule.sha256,
                "state": "active",
                "loaded_at": loaded_at,
                "last_hit": last_hit,
            })
        });
        serde_json::Value::Array(rows.collect()).to_string()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is complete in itself, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1e3
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
