//! `[kafka.librdkafka]`: which raw keys of the client library may be passed on.
//!
//! An allow-list: what is not on it is refused, with the reason where there is a particular one
//! (the program sets the key itself, or it would undo a promise, run a command, load a library or
//! switch a check off). The list is of librdkafka 2.12.

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
    ("check.crcs", Side::Consumer),
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
    ("topic.blacklist", Side::Both),
    ("topic.metadata.propagation.max.ms", Side::Both),
    ("topic.metadata.refresh.fast.interval.ms", Side::Both),
    ("topic.metadata.refresh.interval.ms", Side::Both),
    ("topic.metadata.refresh.sparse", Side::Both),
];

/// Which clients `key` means something to; `None` where it may not be passed on.
#[must_use]
pub fn side(key: &str) -> Option<Side> {
    ALLOWED.iter().find(|(name, _)| *name == key).map(|(_, side)| *side)
}
