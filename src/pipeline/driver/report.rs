//! A worker's counts → metrics and health: the only place that knows both.

use super::{KafkaWorker, Stage};
use crate::alert::Stage as Failing;
use crate::disposition::{Disposition, Exceptions};
use crate::event::{DecodeFault, Shape, SkipReason};
use crate::pipeline::tally::{DeliveredAlert, RebalanceKind, TopicTally};
use crate::pipeline::{Judge, Tally};
use crate::record::Timestamp;
use crate::rule::{Rule, RuleSet};
use crate::sink::Refusal;
use crate::telemetry::{
    Hold, Holds, Known, Membership, Metrics, Outputs, Rebalance, RecordCounts, RuleInfo,
    WorkerStatus,
};

/// The metrics of a stage, with every series that can be known at 0.
pub(super) fn metrics(stage: &Stage) -> Metrics {
    let topics = stage.settings.input.topics.iter().map(String::as_str);
    let unreadable =
        DecodeFault::ALL.map(|fault| (Failing::Processing.name(), fault.reason())).into_iter();
    let unsent = Refusal::ALL.map(|refusal| (Failing::Sending.name(), refusal.reason()));
    let now = stage.clock.wall();
    let metrics = Metrics::new(&Known {
        version: stage.version,
        commit: stage.commit,
        started_ms: now.as_millis(),
        topics: topics.filter(|topic| !topic.starts_with('^')).collect(),
        shapes: Shape::ALL.map(Shape::name).to_vec(),
        dispositions: Disposition::ALL.map(Disposition::name).to_vec(),
        dead_letters: unreadable.chain(unsent).collect(),
        skip_reasons: SkipReason::ALL.map(SkipReason::name).to_vec(),
    });
    loaded(&metrics, &stage.rules, &stage.exceptions, now);
    metrics
}

/// These rules and exceptions are in force.
pub(super) fn loaded(metrics: &Metrics, rules: &RuleSet, exceptions: &Exceptions, now: Timestamp) {
    let about: Vec<RuleInfo> = rules.rules().iter().map(rule_info).collect();
    metrics.rule_set_loaded(rules.sha256(), now.as_millis(), &about);
    metrics.exceptions_loaded(exceptions.list().iter().map(|exception| &*exception.id));
    metrics.expired_exceptions(exceptions.expired(now).count());
}

fn rule_info(rule: &Rule) -> RuleInfo {
    RuleInfo {
        id: rule.id.clone(),
        name: rule.name.clone(),
        version: rule.version.to_string(),
        sha256: rule.sha256.clone(),
        severities: vec![rule.severity.name().to_owned()],
    }
}

/// Adds what was counted since the tally was cleared last, but for [`alerts`].
pub(super) fn counts(metrics: &Metrics, tally: &Tally, judge: &Judge, now: Timestamp) {
    rebalances(metrics, tally);
    tally.topics.iter().for_each(|topic| records(metrics, topic));
    metrics.candidates(tally.candidates);
    for (shape, count) in Shape::ALL.into_iter().zip(tally.decoded) {
        nonzero(count, |count| metrics.decoded_events(shape.name(), count));
    }
    for (fault, count) in DecodeFault::ALL.into_iter().zip(tally.dead_letters) {
        let stage = Failing::Processing.name();
        nonzero(count, |count| metrics.dead_letters(stage, fault.reason(), count));
    }
    for (refusal, count) in Refusal::ALL.into_iter().zip(tally.unsent) {
        let stage = Failing::Sending.name();
        nonzero(count, |count| metrics.dead_letters(stage, refusal.reason(), count));
    }
    for (reason, count) in SkipReason::ALL.into_iter().zip(tally.skipped) {
        nonzero(count, |count| metrics.skipped(reason.name(), count));
    }
    for (rule, disposition, count) in tally.hits.iter() {
        let Some(rule) = judge.rules().get(rule) else { continue };
        metrics.hits(&rule.id, disposition.name(), count);
        metrics.last_hit(&rule.id, now.as_millis());
    }
    tally.exceptions.iter().for_each(|exception| metrics.excepted(exception, 1));
    metrics.suppression_groups(judge.open_groups());
    metrics.commits(tally.commits);
    metrics.commit_failures(tally.commit_failures.len() as u64);
    for reason in &tally.commit_failures {
        tracing::warn!(reason, "a commit failed; the next one covers the same records");
    }
    for reason in &tally.refusals {
        tracing::warn!(reason, "an output was refused; another form of it is sent");
    }
    if let Some(reason) = &tally.trouble {
        tracing::error!(reason, "outputs cannot be delivered; they are sent again, and held");
    }
    if tally.not_owned > 0 {
        tracing::debug!(records = tally.not_owned, "records came of partitions given back");
    }
    if tally.repeated > 0 {
        tracing::debug!(records = tally.repeated, "records came twice and were judged once");
    }
}

fn nonzero(count: u64, publish: impl FnOnce(u64)) {
    if count > 0 {
        publish(count);
    }
}

fn records(metrics: &Metrics, topic: &TopicTally) {
    if topic.records() == 0 {
        return;
    }
    let counts = RecordCounts {
        clean: topic.clean,
        hit: topic.hit,
        unreadable: topic.unreadable,
        skipped: topic.skipped,
        payload_bytes: topic.payload_bytes,
    };
    metrics.records(&topic.topic, &counts);
    if let Some(time) = topic.last_record {
        metrics.last_record(&topic.topic, time.as_millis());
    }
}

/// Adds alerts that were delivered just `now`.
pub(super) fn alerts(metrics: &Metrics, delivered: &[DeliveredAlert], now: Timestamp) {
    let age = |time: Timestamp| now.as_millis().saturating_sub(time.as_millis());
    for alert in delivered {
        if let Some(rule) = alert.rule() {
            metrics.alerts_delivered(&rule.id, rule.severity.name(), 1);
        }
        metrics.record_to_alert(age(alert.record_time));
        if let Some(time) = alert.event_time {
            metrics.event_to_alert(age(time));
        }
    }
}

fn rebalances(metrics: &Metrics, tally: &Tally) {
    for rebalance in &tally.rebalances {
        let partitions = rebalance.partitions.iter();
        match rebalance.kind {
            RebalanceKind::Assigned => {
                partitions.for_each(|one| metrics.assigned(&one.topic, one.partition));
                metrics.rebalance(Rebalance::Assign);
            }
            RebalanceKind::Revoked => metrics.rebalance(Rebalance::Revoke),
            RebalanceKind::Lost => metrics.rebalance(Rebalance::Lost),
            RebalanceKind::Released => {
                partitions.for_each(|one| metrics.revoked(&one.topic, one.partition));
            }
        }
    }
}

/// Lag and watermark of each partition.
pub(super) fn partitions(metrics: &Metrics, worker: &mut KafkaWorker) {
    for (partition, records) in worker.source().lags() {
        metrics.consumer_lag(&partition.topic, partition.partition, records);
    }
    for view in worker.partitions() {
        if let Some(time) = view.watermark_timestamp {
            let millis = time.as_millis();
            metrics.watermark(&view.partition.topic, view.partition.partition, millis);
        }
    }
}

/// What a worker says of itself.
pub(super) fn status(worker: &mut KafkaWorker) -> WorkerStatus {
    let held = worker.holds();
    let outputs_down = worker.sink().brokers_down();
    let holds = [
        (Hold::BackPressure, held.back_pressure),
        (Hold::OutputUnavailable, held.output_unavailable || outputs_down),
        (Hold::BrokersDown, held.brokers_down),
        (Hold::InputUnreadable, worker.source().unreadable_partitions() > 0),
        (Hold::InputForbidden, worker.source().forbidden_topics() > 0),
        (Hold::InputUnreachable, worker.source().unreached_partitions() > 0),
    ];
    let holds: Holds = holds.into_iter().filter_map(|(hold, on)| on.then_some(hold)).collect();
    let joined = worker.source().is_joined();
    WorkerStatus {
        oldest_open_since: worker.open_since(),
        holds,
        membership: if joined { Membership::Joined } else { Membership::Joining },
        outputs: if outputs_down || held.output_unavailable {
            Outputs::Unreachable
        } else {
            Outputs::Reachable
        },
        in_flight_outputs: worker.in_flight() as u64,
        producer_queue_records: worker.sink().queued(),
        consumer_queue_bytes: worker.source().fetched_bytes(),
    }
}
