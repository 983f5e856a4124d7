//! `[kafka.librdkafka]`: which raw keys of the client library may be passed on.
//!
//! An allow-list: what is not on it is refused, with the reason where there is a particular one
//! (the program sets the key itself, or it would undo a promise, run a command, load a library or
//! switch a check off). The list is of librdkafka 2.12.

use super::schema::nearest;

/// Which clients a key means something to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Consumers only.
    Consumer,
    /// Producers only.
    Producer,
    /// Every client.
    Both,
}

/// The keys that may be passed on.
pub const ALLOWED: &[(&str, Side)] = &[
    ("api.version.request.timeout.ms", Side::Both),
    ("batch.num.messages", Side::Producer),
    ("batch.size", Side::Producer),
    ("broker.address.family", Side::Both),
    ("broker.address.ttl", Side::Both),
    ("client.dns.lookup", Side::Both),
    ("client.rack", Side::Both),
    ("compression.level", Side::Producer),
    ("connections.max.idle.ms", Side::Both),
    ("coordinator.query.interval.ms", Side::Consumer),
    ("debug", Side::Both),
    ("enable.metrics.push", Side::Both),
    ("fetch.error.backoff.ms", Side::Consumer),
    ("fetch.max.bytes", Side::Consumer),
    ("fetch.min.bytes", Side::Consumer),
    ("fetch.wait.max.ms", Side::Consumer),
    ("group.remote.assignor", Side::Consumer),
    ("heartbeat.interval.ms", Side::Consumer),
    ("log.connection.close", Side::Both),
    ("max.poll.interval.ms", Side::Consumer),
    ("message.copy.max.bytes", Side::Both),
    ("metadata.max.age.ms", Side::Both),
    ("metadata.recovery.rebootstrap.trigger.ms", Side::Both),
    ("metadata.recovery.strategy", Side::Both),
    ("queue.buffering.backpressure.threshold", Side::Producer),
    ("queued.min.messages", Side::Consumer),
    ("receive.message.max.bytes", Side::Both),
    ("reconnect.backoff.max.ms", Side::Both),
    ("reconnect.backoff.ms", Side::Both),
    ("request.timeout.ms", Side::Producer),
    ("retry.backoff.max.ms", Side::Both),
    ("retry.backoff.ms", Side::Both),
    ("socket.connection.setup.timeout.ms", Side::Both),
    ("socket.keepalive.enable", Side::Both),
    ("socket.nagle.disable", Side::Both),
    ("socket.receive.buffer.bytes", Side::Both),
    ("socket.send.buffer.bytes", Side::Both),
    ("socket.timeout.ms", Side::Both),
    ("ssl.cipher.suites", Side::Both),
    ("ssl.crl.location", Side::Both),
    ("ssl.curves.list", Side::Both),
    ("ssl.sigalgs.list", Side::Both),
    ("sticky.partitioning.linger.ms", Side::Producer),
    ("topic.blacklist", Side::Consumer),
    ("topic.metadata.propagation.max.ms", Side::Both),
    ("topic.metadata.refresh.fast.interval.ms", Side::Both),
    ("topic.metadata.refresh.interval.ms", Side::Both),
    ("topic.metadata.refresh.sparse", Side::Both),
];

/// Keys with a reason of their own to be refused: those that the program sets, …
const OWN: &[(&str, &str)] = &[
    ("acks", "an output counts as delivered when all replicas have it"),
    ("request.required.acks", "an output counts as delivered when all replicas have it"),
    ("allow.auto.create.topics", "use output.create_topics"),
    ("auto.commit.enable", "offsets move when outputs are delivered"),
    ("auto.commit.interval.ms", "use delivery.commit_interval_ms"),
    ("auto.offset.reset", "use input.start"),
    ("check.crcs", "the client leaves out what fails the check, and no record may be left out"),
    ("bootstrap.servers", "use kafka.brokers"),
    ("metadata.broker.list", "use kafka.brokers"),
    ("client.id", "use kafka.client_id"),
    ("compression.codec", "use output.compression"),
    ("compression.type", "use output.compression"),
    ("delivery.report.only.error", "deliveries are what offsets wait for"),
    ("delivery.timeout.ms", "use delivery.message_timeout_ms"),
    ("message.timeout.ms", "use delivery.message_timeout_ms"),
    ("enable.auto.commit", "offsets move when outputs are delivered"),
    ("enable.auto.offset.store", "offsets move when outputs are delivered"),
    ("enable.gapless.guarantee", "it would stop the producer at the first fault"),
    ("enable.idempotence", "without it, a retry could publish twice or out of order"),
    ("enable.partition.eof", "the source relies on its default"),
    ("fetch.message.max.bytes", "it is set to the measured best"),
    ("max.partition.fetch.bytes", "it is set to the measured best"),
    ("fetch.queue.backoff.ms", "it is set to the measured best"),
    ("queued.max.messages.kbytes", "it bounds the memory, and is set to the measured best"),
    ("group.id", "use input.group"),
    ("group.instance.id", "use input.instance_id"),
    ("group.protocol", "use input.protocol"),
    ("group.protocol.type", "there is one type only"),
    ("isolation.level", "records of aborted transactions are no records"),
    ("linger.ms", "use output.linger_ms"),
    ("queue.buffering.max.ms", "use output.linger_ms"),
    ("max.in.flight", "idempotence decides on it"),
    ("max.in.flight.requests.per.connection", "idempotence decides on it"),
    ("message.max.bytes", "what is too large is the broker's to say"),
    ("message.send.max.retries", "use delivery.message_timeout_ms, which bounds retries"),
    ("retries", "use delivery.message_timeout_ms, which bounds retries"),
    ("partition.assignment.strategy", "it follows from input.protocol and delivery.guarantee"),
    ("partitioner", "keys go where Java clients would put them"),
    ("queue.buffering.max.kbytes", "use delivery.in_flight_max, which bounds the queue"),
    ("queue.buffering.max.messages", "use delivery.in_flight_max, which bounds the queue"),
    ("sasl.mechanism", "use kafka.sasl.mechanism"),
    ("sasl.mechanisms", "use kafka.sasl.mechanism"),
    ("sasl.password", "use kafka.sasl.password, which names where the secret is"),
    ("sasl.username", "use kafka.sasl.username"),
    ("security.protocol", "use kafka.tls and kafka.sasl"),
    ("session.timeout.ms", "use input.session_timeout_ms"),
    ("ssl.ca.location", "use kafka.tls.ca_file"),
    ("ssl.ca.pem", "use kafka.tls.ca_file"),
    ("ssl.certificate.location", "use kafka.tls.certificate_file"),
    ("ssl.certificate.pem", "use kafka.tls.certificate_file"),
    ("ssl.key.location", "use kafka.tls.key_file"),
    ("ssl.key.password", "use kafka.tls.key_password, which names where the secret is"),
    ("ssl.key.pem", "use kafka.tls.key_file"),
    ("statistics.interval.ms", "lag and queue lengths come from it"),
    ("transaction.timeout.ms", "use delivery.transaction_timeout_ms"),
    ("transactional.id", "use delivery.transactional_id_prefix and input.instance_id"),
];

/// … and those that would undo its safety.
const DANGEROUS: &[(&str, &str)] = &[
    ("plugin.library.paths", "it would load code into the program"),
    ("ssl.engine.location", "it would load code into the program"),
    ("ssl.providers", "it would load code into the program"),
    ("sasl.kerberos.kinit.cmd", "it would run a command"),
    (
        "enable.ssl.certificate.verification",
        "whoever stands in the line could pose as the broker; name its authority with kafka.tls.ca_file",
    ),
    (
        "ssl.endpoint.identification.algorithm",
        "whoever has any certificate could pose as the broker; connect by a name that is in its certificate",
    ),
    ("enable.sasl.oauthbearer.unsecure.jwt", "anybody could make such a token"),
    ("ssl.keystore.password", "a secret is never written here"),
    ("sasl.oauthbearer.client.secret", "a secret is never written here"),
    ("sasl.oauthbearer.client.credentials.client.secret", "a secret is never written here"),
    ("sasl.oauthbearer.assertion.private.key.passphrase", "a secret is never written here"),
    ("sasl.oauthbearer.assertion.private.key.pem", "a secret is never written here"),
];

/// Which clients `key` means something to; `None` where it may not be passed on.
#[must_use]
pub fn side(key: &str) -> Option<Side> {
    ALLOWED.iter().find(|(name, _)| *name == key).map(|(_, side)| *side)
}

/// Whether `key` may be passed on.
///
/// # Errors
/// Why it may not, and what to do instead.
pub fn check(key: &str) -> Result<(), String> {
    let reason = |table: &[(&str, &'static str)]| {
        table.iter().find(|(name, _)| *name == key).map(|(_, reason)| *reason)
    };
    if side(key).is_some() {
        return Ok(());
    }
    if let Some(reason) = reason(OWN) {
        return Err(format!("Ouzel sets {key} itself: {reason}"));
    }
    if let Some(reason) = reason(DANGEROUS) {
        return Err(format!("{key} is refused: {reason}"));
    }
    if key.starts_with("sasl.kerberos.") {
        return Err(format!("{key} is refused: Kerberos is not part of this program"));
    }
    let near = nearest(key, ALLOWED.iter().map(|(name, _)| *name));
    let hint = near.map_or("config/ouzel.toml says which are".to_owned(), |near| {
        format!("did you mean {near}?")
    });
    Err(format!("{key} is not among the keys that may be passed on; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_passed_or_refused_with_its_reason() {
        let refused = |key: &str, part: &str| {
            let fault = check(key).unwrap_err();
            assert!(fault.contains(key) && fault.contains(part), "{fault}");
        };
        assert_eq!(check("socket.keepalive.enable"), Ok(()));
        refused("group.id", "use input.group");
        refused("enable.auto.commit", "Ouzel sets");
        refused("plugin.library.paths", "load code");
        refused("sasl.kerberos.kinit.cmd", "run a command");
        refused("sasl.kerberos.keytab", "Kerberos");
        refused("enable.ssl.certificate.verification", "pose as the broker");
        refused("ssl.endpoint.identification.algorithm", "pose as the broker");
        refused("sasl.password", "where the secret is");
        refused("socket.keepalive.enabled", "did you mean socket.keepalive.enable?");
        refused("whatever", "may be passed on");
    }

    #[test]
    fn no_key_is_in_two_lists() {
        let names = ALLOWED.iter().map(|(name, _)| *name);
        let mut all: Vec<&str> = names.chain(OWN.iter().chain(DANGEROUS).map(|it| it.0)).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
