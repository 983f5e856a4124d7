//! What a configuration means: typed, complete, every default filled in.
//!
//! A value of these types has been validated; secrets have been read and print as `***`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// The effective configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Rule files and folders; empty: the rules built into the binary.
    pub rules: Vec<PathBuf>,
    /// Exception files and folders.
    pub exceptions: Vec<PathBuf>,
    /// Overrides by rule id.
    pub rule_overrides: BTreeMap<String, RuleOverride>,
    /// Field types declared over the built-in table, by Elastic's type name.
    pub field_types: BTreeMap<String, String>,
    /// The input cluster.
    pub kafka: ClusterSettings,
    /// What is read, and how.
    pub input: InputSettings,
    /// Where outputs go.
    pub output: OutputSettings,
    /// The guarantee and its bounds.
    pub delivery: DeliverySettings,
    /// The ledger of coverage.
    pub coverage: CoverageSettings,
    /// The telemetry endpoint.
    pub http: HttpSettings,
    /// Logs.
    pub log: LogSettings,
}

impl Settings {
    /// The cluster that outputs go to.
    #[must_use]
    pub fn output_cluster(&self) -> &ClusterSettings {
        self.output.kafka.as_ref().unwrap_or(&self.kafka)
    }
}

/// `[rule."<rule_id>"]`: tunes a rule without editing its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleOverride {
    /// Switches the rule on (also a deprecated or disabled one) or off.
    pub enabled: Option<bool>,
    /// Replaces the severity: `low`, `medium`, `high` or `critical`.
    pub severity: Option<String>,
    /// Replaces the risk score, 0 to 100.
    pub risk_score: Option<u8>,
    /// Replaces the limit; 0 switches it off.
    pub max_signals: Option<u32>,
    /// Replaces the interval, such as `5m`.
    pub interval: Option<String>,
}

/// How a Kafka cluster is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSettings {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// The client id.
    pub client_id: String,
    /// TLS, where the connection is encrypted.
    pub tls: Option<TlsSettings>,
    /// SASL, where the client logs in.
    pub sasl: Option<SaslSettings>,
    /// Raw librdkafka keys that passed the allow-list.
    pub librdkafka: BTreeMap<String, String>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            client_id: "ouzel".to_owned(),
            tls: None,
            sasl: None,
            librdkafka: BTreeMap::new(),
        }
    }
}

/// TLS of a cluster connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsSettings {
    /// PEM file of the authorities to trust; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate (mTLS).
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the client key (mTLS).
    pub key_file: Option<PathBuf>,
    /// The key's password.
    pub key_password: Option<Secret>,
}

/// SASL of a cluster connection.
#[derive(Clone, Debug, PartialEq)]
pub enum SaslSettings {
    /// PLAIN or SCRAM with a user and a password.
    Password {
        /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        mechanism: String,
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// OAUTHBEARER with a token from a file that is read again at each refresh.
    TokenFile {
        /// The file that holds the token (a JWT).
        token_file: PathBuf,
    },
}

/// A secret: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The secret itself, for the client library only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// `[input]`.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSettings {
    /// Topic names; one that starts with `^` is a regular expression.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// The group protocol.
    pub protocol: GroupProtocol,
    /// Static membership: worker *i* is `<id>-<i>`.
    pub instance_id: Option<String>,
    /// Where a group without offsets begins.
    pub start: Start,
    /// What is checked on records that no rule can match.
    pub validate: ValidateLevel,
    /// Consumers, one thread each; `None`: one per core, at most the number of partitions.
    pub workers: Option<usize>,
    /// Per topic: index name, labels, whether all of it is Okta's.
    pub topic: BTreeMap<String, TopicSettings>,
    /// How long a session lasts without a heartbeat, in ms (classic protocol only).
    pub session_timeout_ms: u32,
}

impl Default for InputSettings {
    fn default() -> Self {
        Self {
            topics: vec!["okta".to_owned()],
            group: "ouzel".to_owned(),
            protocol: GroupProtocol::default(),
            instance_id: None,
            start: Start::default(),
            validate: ValidateLevel::default(),
            workers: None,
            topic: BTreeMap::new(),
            session_timeout_ms: 45_000,
        }
    }
}

/// `[input.topic."<name>"]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicSettings {
    /// The index name that rules are scoped by.
    pub index: Option<String>,
    /// Labels added to each event.
    pub labels: BTreeMap<String, String>,
    /// `event.dataset` is `okta.system` for every event, whatever its shape.
    pub okta: bool,
}

/// The consumer group protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupProtocol {
    /// The classic protocol: cooperative-sticky, and eager with exactly-once.
    #[default]
    Classic,
    /// KIP-848.
    Consumer,
}

/// Where a group without offsets begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// The oldest record there is.
    #[default]
    Earliest,
    /// Only what comes from now on.
    Latest,
    /// The first record at or after this time, in ms since the epoch.
    Timestamp(i64),
}

/// What is checked on records that no rule can match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValidateLevel {
    /// Only candidates are read.
    Candidates,
    /// Quotes, brackets, control bytes, UTF-8.
    #[default]
    Envelope,
    /// The whole grammar.
    Full,
}

/// `[output]`.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputSettings {
    /// Another cluster for the outputs (`[output.kafka]`); `None`: the input's.
    pub kafka: Option<ClusterSettings>,
    /// The alert topic.
    pub alerts: String,
    /// The dead-letter topic; `None`: discarded, as the configuration says in so many words.
    pub dead_letters: Option<String>,
    /// The share of dead letters among the records that is still within the budget, in percent.
    pub dead_letter_percent_max: u32,
    /// The time that the share is taken over, in ms.
    pub dead_letter_window_ms: u32,
    /// Fewer records than this in that time decide nothing.
    pub dead_letter_records_min: u32,
    /// What happens when the budget is spent.
    pub on_budget: OnBudget,
    /// Where alerts past a rule's limit go; `None`: the alert topic, marked.
    pub overflow: Option<String>,
    /// Where hits that an exception hid go; `None`: nowhere, counted.
    pub audit: Option<String>,
    /// `alert` or `signal`.
    pub event_kind: String,
    /// The field whose value becomes the record key; `None`: the alert id.
    pub key_field: Option<String>,
    /// Input headers passed on.
    pub pass_headers: Vec<String>,
    /// Whether alerts carry `event.original`.
    pub include_original: bool,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Time the producer waits to fill a batch, in ms; with 0, outputs are not kept back from a busy
    /// producer either.
    pub linger_ms: u32,
    /// Whether missing output topics are created at start.
    pub create_topics: bool,
    /// Partitions of topics that are created; -1: the broker's default.
    pub create_partitions: i32,
    /// Replicas of topics that are created; -1: the broker's default.
    pub create_replicas: i32,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            kafka: None,
            alerts: "okta-alerts".to_owned(),
            dead_letters: Some("okta-dead-letters".to_owned()),
            dead_letter_percent_max: 50,
            dead_letter_window_ms: 300_000,
            dead_letter_records_min: 1_000,
            on_budget: OnBudget::default(),
            overflow: None,
            audit: None,
            event_kind: "alert".to_owned(),
            key_field: None,
            pass_headers: Vec::new(),
            include_original: false,
            compression: "none".to_owned(),
            linger_ms: 1,
            create_topics: false,
            create_partitions: -1,
            create_replicas: -1,
        }
    }
}

/// What happens when the budget of dead letters is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBudget {
    /// The stage is not ready, says so once, and goes on.
    #[default]
    GoOn,
    /// It ends as well, with 1.
    Stop,
}

/// `[delivery]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliverySettings {
    /// The guarantee.
    pub guarantee: Guarantee,
    /// How often watermarks are committed, in ms.
    pub commit_interval_ms: u32,
    /// Bound of the drain on revoke, in ms.
    pub revoke_drain_ms: u32,
    /// Bound of the drain at shutdown, in ms.
    pub shutdown_drain_ms: u32,
    /// Outputs in flight per worker above which the input is paused.
    pub in_flight_max: usize,
    /// How long a delivery is tried, in ms.
    pub message_timeout_ms: u32,
    /// How often a transaction is committed, in ms.
    pub transaction_interval_ms: u32,
    /// Records of one worker at which its transaction is committed earlier.
    pub transaction_records_max: u32,
    /// When the broker gives up on a transaction that nobody ends, in ms.
    pub transaction_timeout_ms: u32,
    /// What transactional ids begin with; the group, the instance and the worker follow.
    pub transactional_id_prefix: String,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            guarantee: Guarantee::default(),
            commit_interval_ms: 1_000,
            revoke_drain_ms: 10_000,
            shutdown_drain_ms: 20_000,
            in_flight_max: 10_000,
            message_timeout_ms: 300_000,
            transaction_interval_ms: 1_000,
            transaction_records_max: 1_000_000,
            transaction_timeout_ms: 60_000,
            transactional_id_prefix: "ouzel".to_owned(),
        }
    }
}

/// The guarantees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Every record judged; repeats carry the same alert id.
    #[default]
    AtLeastOnce,
    /// Outputs and offsets in one transaction of the broker.
    ExactlyOnce,
}

/// `[coverage]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CoverageSettings {
    /// Where the ledger goes; `None`: none is kept.
    pub target: Option<CoverageTarget>,
    /// How often it is published, in ms.
    pub interval_ms: u32,
}

impl Default for CoverageSettings {
    fn default() -> Self {
        Self { target: None, interval_ms: 60_000 }
    }
}

/// Where the ledger of coverage goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoverageTarget {
    /// A topic of the output cluster.
    Topic(String),
    /// A file.
    File(PathBuf),
}

impl CoverageSettings {
    /// The topic, where it goes to one.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        match &self.target {
            Some(CoverageTarget::Topic(topic)) => Some(topic),
            Some(CoverageTarget::File(_)) | None => None,
        }
    }
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSettings {
    /// Where the endpoint listens; `None`: nowhere (`listen = "off"`).
    pub listen: Option<SocketAddr>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9847))) }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// `error`, `warn`, `info` or `debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default() }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// One line of text per event.
    #[default]
    Text,
    /// One JSON object per event.
    Json,
}
