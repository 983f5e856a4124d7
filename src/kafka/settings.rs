//! Typed settings → `ClientConfig`: every client of the program is configured here.
//!
//! What a promise rests on (no automatic commit, no automatic reset of offsets, idempotence, all
//! acknowledgements) and what was measured (queues, back-offs, linger) is set here and cannot be
//! overridden: the configuration refuses those names among raw keys ([`crate::config::librdkafka`]).
//! A `ClientConfig` holds secrets: it must never be printed other than by its `Debug`, which leaves
//! them out.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::config::librdkafka::{Side, side};
use crate::config::settings::{ClusterSettings, GroupProtocol, Guarantee, SaslSettings, Settings};
use crate::limits;

/// How often the client reports its statistics, in ms: lag and queue lengths come from them.
const STATISTICS_INTERVAL_MS: u32 = 5_000;

/// Topics that a regular expression matches, and new partitions, are seen after at most this long.
const METADATA_REFRESH_MS: u32 = 30_000;

/// A consumer whose queue was full for a moment asks for more after this long. The library's 1000
/// stalls it for a second each time: 84,000 to 250,000 records a second instead of 625,000.
const FETCH_QUEUE_BACKOFF_MS: u32 = 5;

/// Asked for from one partition at once: 8 MiB cost 30 % of throughput.
const FETCH_BYTES: u32 = 1 << 20;

/// Asked for from one broker at once, of all its partitions. The library's 50 MB are what many
/// partitions cost in memory; less than this is felt where a broker is 20 ms away. It can be set.
const FETCH_ALL_BYTES: u32 = 2 << 20;

/// Records fetched ahead by one consumer, in KiB: they stay in the processor's cache, and the
/// resident set stays the same whatever the number of partitions.
const FETCHED_AHEAD_KIB: u32 = 8 << 10;

/// Outputs that wait in the producer, in KiB: two dead letters of the largest payload.
const PRODUCER_QUEUE_KIB: usize = 2 * (limits::PAYLOAD_BYTES_MAX >> 10) + 1024;

/// Outputs that wait in the producer; the workers' own bound is lower.
const PRODUCER_QUEUE_RECORDS: usize = 200_000;

/// The consumer of worker `worker`, counted from 0.
#[must_use]
pub fn consumer(settings: &Settings, worker: usize) -> ClientConfig {
    let (cluster, input) = (&settings.kafka, &settings.input);
    let mut config = client(cluster);
    config
        .set("group.id", &input.group)
        // Offsets move when outputs are delivered, and only then.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Where to begin, and what to do about lost offsets, is decided by the source.
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "false")
        .set("fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS.to_string())
        .set("fetch.message.max.bytes", FETCH_BYTES.to_string())
        .set("fetch.max.bytes", FETCH_ALL_BYTES.to_string())
        .set("queued.max.messages.kbytes", FETCHED_AHEAD_KIB.to_string());
    match input.protocol {
        GroupProtocol::Classic => config
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", assignment(settings.delivery.guarantee))
            .set("session.timeout.ms", input.session_timeout_ms.to_string())
            // A rebalance is learned of at a heartbeat: the default of 3 s is how long each of its
            // two rounds would take.
            .set("heartbeat.interval.ms", (input.session_timeout_ms / 3).min(1000).to_string()),
        // The broker decides on sessions and assignment; the client refuses to be told.
        GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
    };
    if let Some(id) = &input.instance_id {
        config.set("group.instance.id", format!("{id}-{worker}"));
    }
    raw_keys(&mut config, cluster, Side::Consumer);
    if let Some(hidden) = hidden_topics(settings) {
        config.set("topic.blacklist", hidden);
    }
    config
}

/// How partitions are shared out. A transaction ends with the assignment it was begun under, so
/// exactly-once needs members that give everything back before each rebalance; without it, what is
/// kept goes on through one. The two kinds of members cannot join the same group.
const fn assignment(guarantee: Guarantee) -> &'static str {
    match guarantee {
        Guarantee::AtLeastOnce => "cooperative-sticky",
        Guarantee::ExactlyOnce => "range,roundrobin",
    }
}

/// The transactional id of worker `worker` of this instance: the same after a restart, which shuts
/// out whatever is left of the one before.
#[must_use]
pub fn transactional_id(settings: &Settings, worker: usize) -> String {
    let prefix = &settings.delivery.transactional_id_prefix;
    let instance = settings.input.instance_id.as_deref().unwrap_or_default();
    format!("{prefix}-{}-{instance}-{worker}", settings.input.group)
}

/// Where a regular expression subscribes: the topics that it must not match, because the program
/// writes them itself. It would alert on its own alerts, for ever.
fn hidden_topics(settings: &Settings) -> Option<String> {
    let has_expression = settings.input.topics.iter().any(|topic| topic.starts_with('^'));
    if !has_expression || settings.output.kafka.is_some() {
        return None;
    }
    let output = &settings.output;
    let own = [
        Some(&output.alerts),
        output.dead_letters.as_ref(),
        output.overflow.as_ref(),
        output.audit.as_ref(),
    ];
    let own = own.into_iter().flatten().map(String::as_str).chain(settings.coverage.topic());
    // The legal characters of a topic name: only the dot means something in an expression.
    let own = own.map(|topic| format!("^{}$", topic.replace('.', "\\.")));
    let configured = settings.kafka.librdkafka.get("topic.blacklist").cloned();
    Some(configured.into_iter().chain(own).collect::<Vec<_>>().join(","))
}

/// The producer of worker `worker`: with exactly-once one that takes part in transactions.
#[must_use]
pub fn worker_producer(settings: &Settings, worker: usize) -> ClientConfig {
    let mut config = producer(settings);
    if settings.delivery.guarantee == Guarantee::ExactlyOnce {
        config
            .set("transactional.id", transactional_id(settings, worker))
            .set("transaction.timeout.ms", settings.delivery.transaction_timeout_ms.to_string());
    }
    config
}

/// A producer on the output cluster.
#[must_use]
pub fn producer(settings: &Settings) -> ClientConfig {
    let cluster = settings.output_cluster();
    let mut config = client(cluster);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("compression.type", &settings.output.compression)
        .set("linger.ms", settings.output.linger_ms.to_string())
        .set("message.timeout.ms", settings.delivery.message_timeout_ms.to_string())
        .set("queue.buffering.max.messages", PRODUCER_QUEUE_RECORDS.to_string())
        .set("queue.buffering.max.kbytes", PRODUCER_QUEUE_KIB.to_string())
        // Whether a dead letter is too large is the broker's to say.
        .set("message.max.bytes", (limits::PAYLOAD_BYTES_MAX + (1 << 20)).to_string());
    raw_keys(&mut config, cluster, Side::Producer);
    config
}

/// A client without a group: asks for metadata, creates topics.
#[must_use]
pub fn admin(cluster: &ClusterSettings) -> ClientConfig {
    let mut config = client(cluster);
    raw_keys(&mut config, cluster, Side::Both);
    config
}

/// What the client library says of raw keys whose value it does not take.
#[must_use]
pub fn refused(settings: &Settings) -> Vec<String> {
    let output = if settings.output.kafka.is_some() { "output.kafka" } else { "kafka" };
    let clients = [
        ("kafka", &settings.kafka, consumer(settings, 0)),
        (output, settings.output_cluster(), producer(settings)),
    ];
    let mut faults = Vec::new();
    for (table, cluster, config) in clients {
        // One key at a time: the library stops at the first fault.
        for key in cluster.librdkafka.keys() {
            let Some(value) = config.get(key) else { continue };
            let alone = ClientConfig::new().set(key, value).create_native_config();
            let fault = match alone {
                Err(KafkaError::ClientConfig(_, reason, _, _)) => {
                    format!("{table}.librdkafka.{key:?}: {reason}")
                }
                Err(other) => format!("{table}.librdkafka.{key:?}: {other}"),
                Ok(_) => continue,
            };
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    faults
}

/// What all clients of a cluster have in common.
fn client(cluster: &ClusterSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    // The library's own events; which of them are shown is the log's to decide.
    config.set_log_level(RDKafkaLogLevel::Info);
    config
        .set("bootstrap.servers", &cluster.brokers)
        .set("client.id", &cluster.client_id)
        // A topic that is missing is a fault that somebody must hear of.
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.refresh.interval.ms", METADATA_REFRESH_MS.to_string())
        .set("statistics.interval.ms", STATISTICS_INTERVAL_MS.to_string());
    security(&mut config, cluster);
    config
}

fn security(config: &mut ClientConfig, cluster: &ClusterSettings) {
    let protocol = match (&cluster.tls, &cluster.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = &cluster.tls {
        // The authorities' file of the system is looked for: the linked OpenSSL does not know it.
        let authorities =
            tls.ca_file.as_ref().map_or("probe".to_owned(), |path| path.display().to_string());
        config.set("ssl.ca.location", authorities);
        if let Some(path) = &tls.certificate_file {
            config.set("ssl.certificate.location", path.display().to_string());
        }
        if let Some(path) = &tls.key_file {
            config.set("ssl.key.location", path.display().to_string());
        }
        if let Some(password) = &tls.key_password {
            config.set("ssl.key.password", password.expose());
        }
    }
    match &cluster.sasl {
        None => {}
        Some(SaslSettings::Password { mechanism, username, password }) => {
            config
                .set("sasl.mechanisms", mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.expose());
        }
        // The token itself is handed over by the client's refresh callback.
        Some(SaslSettings::TokenFile { .. }) => {
            config.set("sasl.mechanisms", "OAUTHBEARER");
        }
    }
}

/// Adds the raw keys that this side of the client knows; the other side would warn of them.
fn raw_keys(config: &mut ClientConfig, cluster: &ClusterSettings, of: Side) {
    for (key, value) in &cluster.librdkafka {
        match side(key) {
            Some(known) if known == Side::Both || known == of => {
                config.set(key, value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
