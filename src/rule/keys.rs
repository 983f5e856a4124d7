//! The keys that rule files have.
//!
//! From the schema of github.com/elastic/detection-rules (`detection_rules/rule.py`), its files,
//! and Kibana's rule export. A key that is on no list is a fault: it is misspelled, or means
//! something that would silently not act.

/// The tables of a rule file.
pub(super) const TOP: &[&str] = &["metadata", "rule", "transform"];

/// Keys of `[metadata]`.
pub(super) const METADATA: &[&str] = &[
    "bypass_bbr_timing",
    "comments",
    "creation_date",
    "deprecated_reason",
    "deprecation_date",
    "extended",
    "integration",
    "maturity",
    "min_stack_comments",
    "min_stack_version",
    "os_type_list",
    "promotion",
    "query_schema_validation",
    "related_endpoint_rules",
    "updated_date",
];

/// Values of `maturity`.
pub(super) const MATURITIES: &[&str] =
    &["beta", "deprecated", "development", "experimental", "production"];

/// Keys of `[rule]`, whatever its type.
pub(super) const RULE: &[&str] = &[
    "actions",
    "alert_suppression",
    "anomaly_threshold",
    "author",
    "building_block_type",
    "concurrent_searches",
    "data_view_id",
    "description",
    "enabled",
    "event_category_override",
    "exceptions_list",
    "false_positives",
    "filters",
    "from",
    "index",
    "interval",
    "investigation_fields",
    "items_per_search",
    "language",
    "license",
    "machine_learning_job_id",
    "max_signals",
    "meta",
    "name",
    "new_terms",
    "note",
    "query",
    "references",
    "related_integrations",
    "required_fields",
    "response_actions",
    "revision",
    "risk_score",
    "risk_score_mapping",
    "rule_id",
    "rule_name_override",
    "setup",
    "severity",
    "severity_mapping",
    "tags",
    "threat",
    "threat_filters",
    "threat_index",
    "threat_indicator_path",
    "threat_language",
    "threat_mapping",
    "threat_mappings",
    "threat_query",
    "threshold",
    "throttle",
    "tiebreaker_field",
    "timeline_id",
    "timeline_title",
    "timestamp_field",
    "timestamp_override",
    "timestamp_override_fallback_disabled",
    "to",
    "type",
    "version",
];

/// Keys that only Kibana's export has.
pub(super) const EXPORT_ONLY: &[&str] = &[
    "alias_purpose",
    "alias_target_id",
    "created_at",
    "created_by",
    "execution_summary",
    "history_window_start",
    "id",
    "immutable",
    "namespace",
    "new_terms_fields",
    "outcome",
    "output_index",
    "rule_source",
    "saved_id",
    "updated_at",
    "updated_by",
];

/// Keys that have a field of their own in [`super::Rule`], and need not be kept in its `extra`.
pub(super) const TYPED: &[&str] = &[
    "author",
    "building_block_type",
    "description",
    "false_positives",
    "from",
    "index",
    "interval",
    "language",
    "license",
    "max_signals",
    "name",
    "note",
    "query",
    "references",
    "risk_score",
    "rule_id",
    "setup",
    "severity",
    "tags",
    "threat",
    "timestamp_override",
    "type",
    "version",
];

/// Keys of one `[[rule.threat]]`.
pub(super) const THREAT: &[&str] = &["framework", "tactic", "technique"];
/// Keys of a tactic or a sub-technique.
pub(super) const THREAT_ENTRY: &[&str] = &["id", "name", "reference"];
/// Keys of a technique.
pub(super) const TECHNIQUE: &[&str] = &["id", "name", "reference", "subtechnique"];
/// Keys of one `severity_mapping`.
pub(super) const SEVERITY_MAPPING: &[&str] = &["field", "operator", "severity", "value"];
/// Keys of one `risk_score_mapping`.
pub(super) const RISK_SCORE_MAPPING: &[&str] = &["field", "operator", "risk_score", "value"];
/// Keys of `alert_suppression`.
pub(super) const SUPPRESSION: &[&str] = &["duration", "group_by", "missing_fields_strategy"];
/// Keys of its `duration`.
pub(super) const DURATION: &[&str] = &["unit", "value"];
/// Keys of one `required_fields`.
pub(super) const REQUIRED_FIELD: &[&str] = &["ecs", "name", "type"];
/// Keys of `investigation_fields`.
pub(super) const INVESTIGATION_FIELDS: &[&str] = &["field_names"];
