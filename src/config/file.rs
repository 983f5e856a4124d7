//! What may be written: the tables and keys of the configuration file.
//!
//! Every key is optional, unknown keys are faults, and a secret can only be named, never written.
//! The texts of these types are the descriptions of the JSON Schema that `check --schema` prints;
//! the defaults are in [`super::settings`] and, in words, in `config/ouzel.toml`.
//!
//! A new key stands in four places: here, in [`super::settings`] with its default, in
//! [`super::validate`] with what may be wrong with it, and in `config/ouzel.toml` with what it does.
//! Tests fail where one of them is missing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::settings::{GroupProtocol, Guarantee, LogFormat, OnBudget, ValidateLevel};

/// Configuration of Ouzel.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// Rule files or folders; empty: the Okta rules built into the binary.
    pub rules: Option<Vec<FilePath>>,
    /// Exception files or folders.
    pub exceptions: Option<Vec<FilePath>>,
    /// The cluster that is read, and written unless [output.kafka] names another.
    pub kafka: ClusterTable,
    /// What is read, and how.
    pub input: InputTable,
    /// What is published, and how.
    pub output: OutputTable,
    /// The guarantee and its bounds.
    pub delivery: DeliveryTable,
    /// The ledger of coverage: which records were finished, and which were not.
    pub coverage: CoverageTable,
    /// The endpoint of metrics and health.
    pub http: HttpTable,
    /// Logs.
    pub log: LogTable,
    /// Tunes rules, by rule_id, without editing their files.
    pub rule: BTreeMap<String, RuleTable>,
    /// Types of fields over the built-in table, by Elasticsearch's name of the type.
    pub field_types: BTreeMap<String, FieldTypeName>,
}

/// A Kafka cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterTable {
    /// Brokers to begin with: host:port, separated by commas.
    pub brokers: Option<String>,
    /// The client id that brokers show in their logs and quotas.
    pub client_id: Option<String>,
    /// Whether credentials may go over a connection that is not encrypted.
    pub allow_plaintext_credentials: Option<bool>,
    /// Encrypts the connection; the table may be empty.
    pub tls: Option<TlsTable>,
    /// Logs in.
    pub sasl: Option<SaslTable>,
    /// Keys of librdkafka that are passed on as they are. Those that Ouzel sets itself, and those
    /// that would weaken it, are refused.
    pub librdkafka: BTreeMap<String, RawValue>,
}

/// TLS.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsTable {
    /// PEM file with the authorities to trust; without it, the system's.
    pub ca_file: Option<FilePath>,
    /// PEM file with the client's certificate, for mutual TLS.
    pub certificate_file: Option<FilePath>,
    /// PEM file with the client's key, for mutual TLS.
    pub key_file: Option<FilePath>,
    /// The password of that key.
    pub key_password: Option<SecretReference>,
}

/// SASL.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SaslTable {
    /// How to log in.
    #[schemars(extend("enum" = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]))]
    pub mechanism: Option<String>,
    /// The user, for PLAIN and SCRAM.
    pub username: Option<String>,
    /// The password, for PLAIN and SCRAM.
    pub password: Option<SecretReference>,
    /// The file with the token, for OAUTHBEARER; read again at each refresh.
    pub token_file: Option<FilePath>,
}

/// Where a secret is: an environment variable or a file. One of the two.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-secret" = true))]
pub struct SecretReference {
    /// The environment variable that holds it.
    pub env: Option<String>,
    /// The file that holds it; a line break at its end does not count.
    pub file: Option<FilePath>,
}

/// What is read, and how.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputTable {
    /// Topics; one that begins with ^ is a regular expression.
    pub topics: Option<Vec<String>>,
    /// The consumer group.
    pub group: Option<String>,
    /// The group protocol: classic or consumer (KIP-848).
    pub protocol: Option<GroupProtocol>,
    /// Static membership: worker i of this instance is `<instance_id>-<i>`.
    pub instance_id: Option<String>,
    /// Where a group without offsets begins: earliest, latest or a time (RFC 3339).
    pub start: Option<String>,
    /// What is checked on records that no rule can match.
    pub validate: Option<ValidateLevel>,
    /// Consumers, a thread each; 0: one per core, at most as many as there are partitions.
    pub workers: Option<i64>,
    /// How long a member may be silent before the group goes on without it, in ms (classic only).
    pub session_timeout_ms: Option<i64>,
    /// What is known of single topics, by name.
    pub topic: BTreeMap<String, TopicTable>,
}

/// What is known of a topic.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TopicTable {
    /// The name of the index the topic stands for: rules judge it only where they are scoped so.
    pub index: Option<String>,
    /// Labels that each of its events carries.
    pub labels: BTreeMap<String, String>,
    /// Whether each of its events is Okta's, whatever its shape.
    pub okta: Option<bool>,
}

/// What is published, and how.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutputTable {
    /// The topic of alerts.
    pub alerts: Option<String>,
    /// The topic of records that could not be judged, or "discard".
    pub dead_letters: Option<String>,
    /// Dead letters among a hundred records that are still no reason for alarm.
    pub dead_letter_percent_max: Option<i64>,
    /// The time over which dead letters are compared with records, in ms.
    pub dead_letter_window_ms: Option<i64>,
    /// Fewer records than this in that time decide nothing.
    pub dead_letter_records_min: Option<i64>,
    /// What happens when there are too many dead letters.
    pub on_budget: Option<OnBudget>,
    /// The topic of alerts past a rule's limit; without it, the alert topic, marked.
    pub overflow: Option<String>,
    /// The topic of hits that an exception hides; without it, they are only counted.
    pub audit: Option<String>,
    /// The value of event.kind in alerts.
    #[schemars(extend("enum" = ["alert", "signal"]))]
    pub event_kind: Option<String>,
    /// The event field that becomes the record key of its alert; without it, the alert id.
    pub key_field: Option<String>,
    /// Headers of the input record that its alerts carry as well.
    pub pass_headers: Option<Vec<String>>,
    /// Whether alerts carry the event's original text in event.original.
    pub include_original: Option<bool>,
    /// How outputs are compressed.
    #[schemars(extend("enum" = ["none", "gzip", "snappy", "lz4", "zstd"]))]
    pub compression: Option<String>,
    /// How long an output waits for others to travel with, in ms.
    pub linger_ms: Option<i64>,
    /// Whether missing output topics are created at the start.
    pub create_topics: Option<bool>,
    /// Partitions of topics that are created; -1: as many as the broker sees fit.
    pub create_partitions: Option<i64>,
    /// Replicas of topics that are created; -1: as many as the broker sees fit.
    pub create_replicas: Option<i64>,
    /// Another cluster for the outputs.
    pub kafka: Option<ClusterTable>,
}

/// The guarantee and its bounds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryTable {
    /// The guarantee.
    pub guarantee: Option<Guarantee>,
    /// How often offsets are committed, in ms.
    pub commit_interval_ms: Option<i64>,
    /// How long a partition that is taken away may hold the group up, in ms.
    pub revoke_drain_ms: Option<i64>,
    /// How long the end may take, in ms.
    pub shutdown_drain_ms: Option<i64>,
    /// Outputs of one worker that may be on their way before it stops reading.
    pub in_flight_max: Option<i64>,
    /// How long the delivery of one output is tried, in ms.
    pub message_timeout_ms: Option<i64>,
    /// With exactly-once: how often a transaction is committed, in ms.
    pub transaction_interval_ms: Option<i64>,
    /// With exactly-once: records of one worker at which its transaction is committed earlier.
    pub transaction_records_max: Option<i64>,
    /// With exactly-once: when the broker gives up on a transaction that nobody ends, in ms.
    pub transaction_timeout_ms: Option<i64>,
    /// With exactly-once: what the transactional ids begin with.
    pub transactional_id_prefix: Option<String>,
}

/// The ledger of coverage: which records were finished, and which were not.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CoverageTable {
    /// The topic that it goes to (compacted); without it, and without a file, none is kept.
    pub topic: Option<String>,
    /// The file that it goes to instead.
    pub file: Option<FilePath>,
    /// How often it is published, in ms.
    pub interval_ms: Option<i64>,
}

/// The endpoint of metrics and health.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpTable {
    /// The address and port to listen on, or "off".
    pub listen: Option<String>,
}

/// Logs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogTable {
    /// The least important lines that are still written.
    #[schemars(extend("enum" = ["error", "warn", "info", "debug"]))]
    pub level: Option<String>,
    /// How lines are written.
    pub format: Option<LogFormat>,
}

/// What is tuned of a rule.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleTable {
    /// Whether the rule judges.
    pub enabled: Option<bool>,
    /// Its severity.
    #[schemars(extend("enum" = ["low", "medium", "high", "critical"]))]
    pub severity: Option<String>,
    /// Its risk score, 0 to 100.
    pub risk_score: Option<i64>,
    /// Its limit of alerts in an interval; 0: none.
    pub max_signals: Option<i64>,
    /// Its interval, such as 5m.
    pub interval: Option<String>,
}

/// A path. Relative to the file that names it; on the command line to the working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl JsonSchema for FilePath {
    fn schema_name() -> Cow<'static, str> {
        "FilePath".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "path" })
    }
}

/// The value of a raw key, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RawValue(String);

impl RawValue {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl JsonSchema for RawValue {
    fn schema_name() -> Cow<'static, str> {
        "RawValue".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}

/// Elasticsearch's name of a field type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct FieldTypeName(String);

impl FieldTypeName {
    /// The names that may be written.
    pub const ALL: [&str; 20] = [
        "keyword",
        "constant_keyword",
        "wildcard",
        "text",
        "match_only_text",
        "number",
        "long",
        "integer",
        "short",
        "byte",
        "double",
        "float",
        "half_float",
        "scaled_float",
        "unsigned_long",
        "boolean",
        "ip",
        "date",
        "date_nanos",
        "flattened",
    ];

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl JsonSchema for FieldTypeName {
    fn schema_name() -> Cow<'static, str> {
        "FieldTypeName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Self::ALL })
    }
}
