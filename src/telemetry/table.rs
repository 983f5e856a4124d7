//! The table of metrics: the one origin of names, types, labels, HELP texts and documents.
//!
//! A metric that is not in here does not exist: [`super::metrics::Metrics`] registers rows of this
//! table and nothing else, and a test holds docs/OPERATIONS.md, the alarms and the dashboard
//! against it. Names follow Prometheus' rules: base units, `_total` on counters.

/// What kind of metric a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever goes up; 0 after a restart.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets ([`LATENCY_BUCKETS`]).
    Histogram,
}

impl Kind {
    /// The name in the exposition format and in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The full name.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// The labels, in order.
    pub labels: &'static [&'static str],
    /// The HELP text, which is also the text of the documents.
    pub help: &'static str,
}

/// Upper bounds of the latency histograms, in seconds: 1 ms to 6 h. Okta's own delay has no bound,
/// and 300 s is the schedule that the stage competes with.
pub const LATENCY_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 900.0, 3600.0, 21600.0,
];

macro_rules! table {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) const $constant: Row =
            Row { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*
        /// Every metric of the stage, in the order of the documents.
        pub const TABLE: &[Row] = &[$($constant),*];
    };
}

table! {
    RECORDS = Counter "ouzel_records_total" ["topic", "outcome"]
        "Records judged, each once: clean, hit, unreadable or skipped.";
    PAYLOAD_BYTES = Counter "ouzel_payload_bytes_total" ["topic"]
        "Payload bytes of the records judged.";
    DECODED_EVENTS = Counter "ouzel_decoded_events_total" ["shape"]
        "Events that had to be decoded; records that the prefilter excluded have no known shape.";
    CANDIDATES = Counter "ouzel_candidates_total" []
        "Records that the prefilter could not exclude.";
    HITS = Counter "ouzel_hits_total" ["rule_id", "disposition"]
        "Hits by what became of them: published, excepted, repeated, suppressed or over_limit.";
    EXCEPTIONS = Counter "ouzel_exceptions_total" ["exception_id"]
        "Hits that the exception hid.";
    EXPIRED_EXCEPTIONS = Gauge "ouzel_expired_exceptions" []
        "Loaded exceptions that are past their end and hide nothing.";
    SUPPRESSION_GROUPS = Gauge "ouzel_suppression_groups" []
        "Open groups of hits that are held back behind one alert.";
    ALERTS = Counter "ouzel_alerts_total" ["rule_id", "severity"]
        "Alerts delivered, that is: confirmed by the broker.";
    DEAD_LETTERS = Counter "ouzel_dead_letters_total" ["stage", "reason"]
        "Records that could not be judged, by stage and reason.";
    DEAD_LETTER_BUDGET = Gauge "ouzel_dead_letter_budget_spent" []
        "Whether too large a share of the latest records became dead letters: 1 if so, else 0.";
    SKIPPED = Counter "ouzel_skipped_total" ["reason"]
        "Records that hold no event, by reason.";
    RULE_INFO = Gauge "ouzel_rule_info" ["rule_id", "name", "version", "sha256"]
        "1 for each loaded rule.";
    RULE_LAST_HIT = Gauge "ouzel_rule_last_hit_timestamp_seconds" ["rule_id"]
        "When the rule last held for an event, as Unix time; 0 where it has not since the start.";
    RULE_SET_INFO = Gauge "ouzel_rule_set_info" ["sha256"]
        "1 for the rule set that judges.";
    RULE_SET_LOADED = Gauge "ouzel_rule_set_loaded_timestamp_seconds" []
        "When the rule set that judges was loaded, as Unix time.";
    RULE_SET_RELOAD_FAILURES = Counter "ouzel_rule_set_reload_failures_total" []
        "Times that rules and exceptions were read again and had faults, so that the old ones stayed.";
    CONSUMER_LAG = Gauge "ouzel_consumer_lag" ["topic", "partition"]
        "Records between the watermark and the end of the log that a reader may see.";
    WATERMARK = Gauge "ouzel_watermark_timestamp_seconds" ["topic", "partition"]
        "Time stamp of the last record before the watermark, as Unix time.";
    LAST_RECORD = Gauge "ouzel_last_record_timestamp_seconds" ["topic"]
        "When a record of the topic was last received, as Unix time; 0 where none was yet.";
    EVENT_TO_ALERT = Histogram "ouzel_event_to_alert_seconds" []
        "Time from the event as its producer stamped it to the delivered alert.";
    RECORD_TO_ALERT = Histogram "ouzel_record_to_alert_seconds" []
        "Time from the record's own time stamp to the delivered alert.";
    IN_FLIGHT_OUTPUTS = Gauge "ouzel_in_flight_outputs" []
        "Outputs that are owed and not yet delivered, with the producer or kept back from it.";
    HELD = Gauge "ouzel_held" ["cause"]
        "Workers that do not go on for this cause, by their own decision.";
    PRODUCER_QUEUE_RECORDS = Gauge "ouzel_producer_queue_records" []
        "Records in the producers' queues.";
    CONSUMER_QUEUE_BYTES = Gauge "ouzel_consumer_queue_bytes" []
        "Bytes fetched from the brokers and not yet judged.";
    COMMITS = Counter "ouzel_commits_total" []
        "Commits of watermarks that the broker confirmed.";
    COMMIT_FAILURES = Counter "ouzel_commit_failures_total" []
        "Commits that failed; the next one covers the same records.";
    REBALANCES = Counter "ouzel_rebalances_total" ["kind"]
        "Rebalances of the consumer group as this instance saw them: assign, revoke or lost.";
    OFFSET_RESETS = Counter "ouzel_offset_resets_total" []
        "Partitions whose next record was gone from the topic; reading went on at the oldest one.";
    UNREADABLE_BATCHES = Counter "ouzel_unreadable_batches_total" []
        "Batches of records that the client cannot unpack, and before which a partition waits.";
    COVERAGE_DOCUMENTS = Counter "ouzel_coverage_documents_total" []
        "Documents of the ledger of coverage that were published.";
    COVERAGE_FAILURES = Counter "ouzel_coverage_failures_total" []
        "Documents of the ledger of coverage that could not be published; their latest is tried again.";
    COVERAGE_WAITING = Gauge "ouzel_coverage_waiting_documents" []
        "Documents of the ledger of coverage that wait because their target takes nothing.";
    ASSIGNED_PARTITIONS = Gauge "ouzel_assigned_partitions" []
        "Partitions that this instance reads.";
    BUILD_INFO = Gauge "ouzel_build_info" ["version", "commit"]
        "1, with the version and the commit of this program.";
    START_TIME = Gauge "ouzel_start_time_seconds" []
        "When this process started, as Unix time.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for row in TABLE {
            assert!(row.name.starts_with("ouzel_"), "{}", row.name);
            assert!(row.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", row.name);
            assert_eq!(row.name.ends_with("_total"), row.kind == Kind::Counter, "{}", row.name);
            assert_eq!(row.name.ends_with("_info"), row.help.starts_with('1'), "{}", row.name);
            assert!(row.help.ends_with('.') && !row.help.contains('\n'), "{}", row.name);
            assert!(!row.labels.contains(&"le"), "{}", row.name);
        }
        let mut names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len(), "a name stands twice");
    }

    #[test]
    fn buckets_rise_from_a_millisecond_to_six_hours() {
        assert!(LATENCY_BUCKETS.is_sorted_by(|left, right| left < right));
        assert_eq!(LATENCY_BUCKETS.first(), Some(&0.001));
        assert_eq!(LATENCY_BUCKETS.last(), Some(&21600.0));
    }
}
