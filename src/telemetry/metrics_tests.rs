//! Tests of `metrics.rs`: what a scrape shows.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::telemetry::table::TABLE;
use crate::telemetry::{Holds, WorkerStatus};

fn rule(id: &str, severities: &[&str]) -> RuleInfo {
    RuleInfo {
        id: id.to_owned(),
        name: format!("Rule \"{id}\""),
        version: "3".to_owned(),
        sha256: "ab".repeat(32),
        severities: severities.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn metrics() -> Metrics {
    let metrics = Metrics::new(&Known {
        version: "1.2.3",
        commit: "abc",
        started_ms: 1_500,
        topics: vec!["okta"],
        shapes: vec!["raw", "agent"],
        dispositions: vec!["published", "repeated"],
        dead_letters: vec![("processing", "truncated"), ("receiving", "too_large")],
        skip_reasons: vec!["tombstone"],
    });
    metrics.rule_set_loaded("cd", 2_000, &[rule("r1", &["low", "high"])]);
    metrics.exceptions_loaded(["desk"]);
    metrics
}

/// The samples of a scrape, without comments.
fn samples(metrics: &Metrics) -> BTreeSet<String> {
    let text = metrics.render(&Health::new(1, Duration::ZERO));
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn check(metrics: &Metrics, sample: &str) {
    let samples = samples(metrics);
    let family = sample.split(['{', ' ']).next().expect("a sample has a name");
    let near: Vec<_> = samples.iter().filter(|line| line.starts_with(family)).collect();
    assert!(samples.contains(sample), "no {sample} in {near:#?}");
}

fn check_gone(metrics: &Metrics, start: &str) {
    let samples = samples(metrics);
    let found: Vec<_> = samples.iter().filter(|line| line.starts_with(start)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn what_is_registered_is_the_table() {
    let metrics = metrics();
    metrics.assigned("okta", 0);
    metrics.consumer_lag("okta", 0, 1);
    metrics.watermark("okta", 0, 1);
    let text = metrics.render(&Health::new(1, Duration::ZERO));
    let found: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" ouzel_"))
        .map(str::to_owned)
        .collect();
    let mut expected = BTreeSet::new();
    for row in TABLE {
        expected.insert(format!("HELP {} {}", row.name, row.help));
        expected.insert(format!("TYPE {} {}", row.name, row.kind.name()));
    }
    assert_eq!(found, expected);
}

#[test]
fn every_label_set_that_can_be_known_is_there_at_0() {
    let metrics = metrics();
    for sample in [
        "ouzel_records_total{outcome=\"clean\",topic=\"okta\"} 0",
        "ouzel_records_total{outcome=\"hit\",topic=\"okta\"} 0",
        "ouzel_records_total{outcome=\"unreadable\",topic=\"okta\"} 0",
        "ouzel_records_total{outcome=\"skipped\",topic=\"okta\"} 0",
        "ouzel_payload_bytes_total{topic=\"okta\"} 0",
        "ouzel_decoded_events_total{shape=\"agent\"} 0",
        "ouzel_candidates_total 0",
        "ouzel_alerts_total{rule_id=\"r1\",severity=\"low\"} 0",
        "ouzel_alerts_total{rule_id=\"r1\",severity=\"high\"} 0",
        "ouzel_hits_total{disposition=\"published\",rule_id=\"r1\"} 0",
        "ouzel_hits_total{disposition=\"repeated\",rule_id=\"r1\"} 0",
        "ouzel_exceptions_total{exception_id=\"desk\"} 0",
        "ouzel_expired_exceptions 0",
        "ouzel_suppression_groups 0",
        "ouzel_dead_letters_total{reason=\"truncated\",stage=\"processing\"} 0",
        "ouzel_skipped_total{reason=\"tombstone\"} 0",
        "ouzel_rule_last_hit_timestamp_seconds{rule_id=\"r1\"} 0",
        "ouzel_last_record_timestamp_seconds{topic=\"okta\"} 0",
        "ouzel_event_to_alert_seconds_count 0",
        "ouzel_record_to_alert_seconds_bucket{le=\"21600\"} 0",
        "ouzel_in_flight_outputs 0",
        "ouzel_held{cause=\"back_pressure\"} 0",
        "ouzel_held{cause=\"output_unavailable\"} 0",
        "ouzel_held{cause=\"brokers_down\"} 0",
        "ouzel_producer_queue_records 0",
        "ouzel_consumer_queue_bytes 0",
        "ouzel_commits_total 0",
        "ouzel_commit_failures_total 0",
        "ouzel_rebalances_total{kind=\"lost\"} 0",
        "ouzel_assigned_partitions 0",
    ] {
        check(&metrics, sample);
    }
}

#[test]
fn what_was_built_started_and_loaded_is_shown() {
    let metrics = metrics();
    check(&metrics, "ouzel_build_info{commit=\"abc\",version=\"1.2.3\"} 1");
    check(&metrics, "ouzel_start_time_seconds 1.5");
    check(&metrics, "ouzel_rule_set_info{sha256=\"cd\"} 1");
    check(&metrics, "ouzel_rule_set_loaded_timestamp_seconds 2");
    let labels = format!("name=\"Rule \\\"r1\\\"\",rule_id=\"r1\",sha256=\"{}\"", "ab".repeat(32));
    check(&metrics, &format!("ouzel_rule_info{{{labels},version=\"3\"}} 1"));
}

#[test]
fn another_rule_set_takes_the_place_of_the_first() {
    let metrics = metrics();
    metrics.alerts_delivered("r1", "low", 2);
    metrics.rule_set_loaded("ef", 3_000, &[rule("r2", &["low"])]);
    check_gone(&metrics, "ouzel_rule_set_info{sha256=\"cd\"}");
    check(&metrics, "ouzel_rule_set_info{sha256=\"ef\"} 1");
    check(&metrics, "ouzel_alerts_total{rule_id=\"r2\",severity=\"low\"} 0");
    check(&metrics, "ouzel_alerts_total{rule_id=\"r1\",severity=\"low\"} 2");
    let infos = samples(&metrics);
    assert_eq!(infos.iter().filter(|line| line.starts_with("ouzel_rule_info")).count(), 1);
}

#[test]
fn counts_add_up() {
    let metrics = metrics();
    let counts = RecordCounts { clean: 5, hit: 1, unreadable: 2, skipped: 3, payload_bytes: 700 };
    metrics.records("okta", &counts);
    metrics.records("okta", &counts);
    metrics.candidates(4);
    metrics.hits("r1", "published", 2);
    metrics.excepted("desk", 3);
    metrics.decoded_events("raw", 9);
    metrics.dead_letters("processing", "truncated", 2);
    metrics.skipped("tombstone", 3);
    metrics.commits(1);
    metrics.commit_failures(1);
    metrics.rebalance(Rebalance::Assign);
    for sample in [
        "ouzel_records_total{outcome=\"clean\",topic=\"okta\"} 10",
        "ouzel_records_total{outcome=\"skipped\",topic=\"okta\"} 6",
        "ouzel_payload_bytes_total{topic=\"okta\"} 1400",
        "ouzel_candidates_total 4",
        "ouzel_hits_total{disposition=\"published\",rule_id=\"r1\"} 2",
        "ouzel_exceptions_total{exception_id=\"desk\"} 3",
        "ouzel_decoded_events_total{shape=\"raw\"} 9",
        "ouzel_dead_letters_total{reason=\"truncated\",stage=\"processing\"} 2",
        "ouzel_skipped_total{reason=\"tombstone\"} 3",
        "ouzel_commits_total 1",
        "ouzel_commit_failures_total 1",
        "ouzel_rebalances_total{kind=\"assign\"} 1",
    ] {
        check(&metrics, sample);
    }
}

#[test]
fn series_of_a_partition_vanish_with_its_last_reader() {
    let metrics = metrics();
    let lag = "ouzel_consumer_lag{partition=\"3\",topic=\"okta\"}";
    metrics.consumer_lag("okta", 3, 7);
    check_gone(&metrics, lag);
    metrics.assigned("okta", 3);
    metrics.consumer_lag("okta", 3, 7);
    metrics.watermark("okta", 3, 1_500);
    check(&metrics, &format!("{lag} 7"));
    check(&metrics, "ouzel_watermark_timestamp_seconds{partition=\"3\",topic=\"okta\"} 1.5");
    check(&metrics, "ouzel_assigned_partitions 1");
    // The next worker is assigned it before the first one hears that it is gone.
    metrics.assigned("okta", 3);
    metrics.revoked("okta", 3);
    metrics.consumer_lag("okta", 3, 8);
    check(&metrics, &format!("{lag} 8"));
    metrics.revoked("okta", 3);
    metrics.consumer_lag("okta", 3, 9);
    check_gone(&metrics, lag);
    check_gone(&metrics, "ouzel_watermark_timestamp_seconds");
    check(&metrics, "ouzel_assigned_partitions 0");
    metrics.revoked("okta", 3);
    check(&metrics, "ouzel_assigned_partitions 0");
}

#[test]
fn a_topic_that_a_pattern_found_is_there_at_0_once_it_is_assigned() {
    let metrics = metrics();
    check_gone(&metrics, "ouzel_payload_bytes_total{topic=\"okta-eu\"}");
    metrics.assigned("okta-eu", 0);
    check(&metrics, "ouzel_payload_bytes_total{topic=\"okta-eu\"} 0");
}

#[test]
fn lag_and_latency_are_never_negative() {
    let metrics = metrics();
    metrics.assigned("okta", 0);
    metrics.consumer_lag("okta", 0, -4);
    metrics.event_to_alert(-5_000);
    metrics.record_to_alert(20);
    check(&metrics, "ouzel_consumer_lag{partition=\"0\",topic=\"okta\"} 0");
    check(&metrics, "ouzel_event_to_alert_seconds_sum 0");
    check(&metrics, "ouzel_event_to_alert_seconds_bucket{le=\"0.001\"} 1");
    check(&metrics, "ouzel_record_to_alert_seconds_bucket{le=\"0.01\"} 0");
    check(&metrics, "ouzel_record_to_alert_seconds_bucket{le=\"0.025\"} 1");
}

#[test]
fn the_state_of_the_workers_is_summed_at_the_scrape() {
    let metrics = metrics();
    let health = Health::new(2, Duration::ZERO);
    let status = WorkerStatus {
        holds: Holds::default().with(Hold::BackPressure),
        in_flight_outputs: 3,
        producer_queue_records: 4,
        consumer_queue_bytes: 500,
        ..WorkerStatus::default()
    };
    health.report(0, Duration::ZERO, &status);
    health.report(1, Duration::ZERO, &WorkerStatus { holds: Holds::default(), ..status });
    let text = metrics.render(&health);
    for sample in [
        "\nouzel_in_flight_outputs 6\n",
        "\nouzel_producer_queue_records 8\n",
        "\nouzel_consumer_queue_bytes 1000\n",
        "\nouzel_held{cause=\"back_pressure\"} 1\n",
    ] {
        assert!(text.contains(sample), "no {sample} in {text}");
    }
    // The next scrape asks again: of workers that hold nothing, here.
    check(&metrics, "ouzel_held{cause=\"back_pressure\"} 0");
}

#[test]
fn rules_are_shown_as_json() {
    let metrics = metrics();
    let rules = || -> serde_json::Value {
        serde_json::from_str(&metrics.rules_json()).expect("/rules is JSON")
    };
    let mut expected = serde_json::json!([{
        "id": "r1",
        "name": "Rule \"r1\"",
        "version": "3",
        "sha256": "ab".repeat(32),
        "state": "active",
        "loaded_at": "1970-01-01T00:00:02.000Z",
        "last_hit": null,
    }]);
    assert_eq!(rules(), expected);
    metrics.last_hit("r1", 1_700_000_000_123);
    expected[0]["last_hit"] = "2023-11-14T22:13:20.123Z".into();
    assert_eq!(rules(), expected);
    check(&metrics, "ouzel_rule_last_hit_timestamp_seconds{rule_id=\"r1\"} 1700000000.123");
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_measured_under_the_usual_names() {
    let samples = samples(&metrics());
    for name in
        ["process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_open_fds "]
    {
        assert!(samples.iter().any(|line| line.starts_with(name)), "no {name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn cpu_time_is_told_in_fractions_of_a_second() {
    let metrics = metrics();
    let seconds = || {
        let samples = samples(&metrics);
        let mut found =
            samples.iter().filter_map(|it| it.strip_prefix("process_cpu_seconds_total "));
        found.next().and_then(|value| value.parse::<f64>().ok()).expect("CPU time is a number")
    };
    let (before, mut after) = (seconds(), 0.0);
    while after <= before {
        after = seconds();
    }
    assert!(after - before < 0.5, "{before} was followed by {after}");
}
