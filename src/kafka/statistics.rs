//! The client's statistics → the few figures that the stage shows.
//!
//! librdkafka sends one JSON document an interval; only what is read here is deserialised.

use std::collections::HashMap;

use super::TopicPartition;

/// Figures of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Whether a connection to any broker is up.
    pub any_broker_up: bool,
    /// Whether the group's coordinator is there and has nothing for this member.
    pub idle: bool,
    /// Bytes fetched and not yet handed over.
    pub fetched_bytes: u64,
    /// The end of each partition's log, as this reader's isolation level sees it.
    pub log_ends: Vec<(TopicPartition, i64)>,
    /// Partitions that have no leader, or whose broker is needed and has no connection that is up.
    pub unreached: Vec<TopicPartition>,
}

/// Reads a statistics document; one that cannot be read is `None`.
#[must_use]
pub fn parse(document: &[u8]) -> Option<Figures> {
    let document: Document = serde_json::from_slice(document).ok()?;
    let any_broker_up = document.brokers.values().any(|broker| broker.state == "UP");
    let reached: Vec<i32> = document.brokers.values().filter_map(Broker::reached).collect();
    // A member that has nothing to join for (no topic matches yet) goes back and forth between
    // these two.
    let idle = document.cgrp.is_some_and(|group| {
        group.state == "up" && matches!(&*group.join_state, "init" | "wait-metadata")
    });
    let mut figures = Figures { any_broker_up, idle, ..Figures::default() };
    for (topic, about) in document.topics {
        for (partition, about) in about.partitions {
            figures.fetched_bytes += about.fetchq_size;
            // -1 is the partition that stands for "not yet known".
            let Some(partition) = partition.parse().ok().filter(|number| *number >= 0) else {
                continue;
            };
            let name = || TopicPartition { topic: topic.clone(), partition };
            if about.leader < 0 || !reached.contains(&about.broker) {
                figures.unreached.push(name());
            }
            if let Some(end) = about.end() {
                figures.log_ends.push((name(), end));
            }
        }
    }
    Some(figures)
}

#[derive(serde::Deserialize)]
struct Document {
    #[serde(default)]
    brokers: HashMap<String, Broker>,
    #[serde(default)]
    topics: HashMap<String, Topic>,
    cgrp: Option<Group>,
}

#[derive(serde::Deserialize)]
struct Broker {
    #[serde(default)]
    nodeid: i32,
    /// How it is known; `logical` is another connection to one that is known already.
    #[serde(default)]
    source: String,
    #[serde(default)]
    state: String,
}

impl Broker {
    /// Its node, where what is read from it can be had. In `INIT` nothing is asked of it: it was
    /// disconnected while every partition of it was paused, and is connected when one goes on.
    fn reached(&self) -> Option<i32> {
        let is_reached = matches!(&*self.state, "UP" | "INIT") && self.source != "logical";
        (is_reached && self.nodeid >= 0).then_some(self.nodeid)
    }
}

#[derive(serde::Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: HashMap<String, Partition>,
}

#[derive(serde::Deserialize)]
struct Partition {
    #[serde(default)]
    fetchq_size: u64,
    /// The node that leads it, -1: none.
    #[serde(default)]
    leader: i32,
    /// The node that it is read from, which may be a follower.
    #[serde(default)]
    broker: i32,
    #[serde(default = "unknown")]
    ls_offset: i64,
    #[serde(default = "unknown")]
    hi_offset: i64,
}

impl Partition {
    /// The last stable offset, which is where a `read_committed` reader's log ends; brokers that
    /// do not know it have no transactions, and their log ends at the high watermark.
    fn end(&self) -> Option<i64> {
        [self.ls_offset, self.hi_offset].into_iter().find(|offset| *offset >= 0)
    }
}

const fn unknown() -> i64 {
    -1001
}

#[derive(serde::Deserialize)]
struct Group {
    #[serde(default)]
    state: String,
    #[serde(default)]
    join_state: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_brokers_topics_and_group() {
        let document = br#"{
            "name": "rdkafka#consumer-1",
            "brokers": {"a:1/1": {"state": "DOWN"}, "b:1/2": {"nodeid": 2, "state": "UP"}},
            "topics": {"okta": {"partitions": {
                "0": {"fetchq_size": 5, "ls_offset": 90, "hi_offset": 100, "leader": 2, "broker": 2},
                "1": {"leader": -1, "fetchq_size": 7, "ls_offset": -1001, "hi_offset": 8},
                "2": {"fetchq_size": 0, "ls_offset": -1001, "hi_offset": -1001},
                "-1": {"fetchq_size": 0, "ls_offset": 3, "hi_offset": 3}}}},
            "cgrp": {"state": "up", "join_state": "init"}}"#;
        let mut figures = parse(document).expect("it is a document");
        figures.log_ends.sort();
        figures.unreached.sort();
        let at = |partition| TopicPartition { topic: "okta".to_owned(), partition };
        assert_eq!(
            figures,
            Figures {
                any_broker_up: true,
                idle: true,
                fetched_bytes: 12,
                log_ends: vec![(at(0), 90), (at(1), 8)],
                unreached: vec![at(1), at(2)],
            }
        );
    }

    #[test]
    fn a_partition_is_reached_where_the_broker_that_it_is_read_from_is_up() {
        let unreached = |about: &str| {
            let document = format!(
                r#"{{"brokers": {{
                    "a:1/1": {{"nodeid": 1, "source": "learned", "state": "UP"}},
                    "b:1/2": {{"nodeid": 2, "source": "learned", "state": "TRY_CONNECT"}},
                    "c:1/3": {{"nodeid": 3, "source": "learned", "state": "INIT"}},
                    "d:1/bootstrap": {{"nodeid": -1, "source": "configured", "state": "UP"}},
                    "GroupCoordinator": {{"nodeid": 2, "source": "logical", "state": "UP"}}}},
                "topics": {{"okta": {{"partitions": {{"0": {{{about}}}}}}}}}}}"#
            );
            parse(document.as_bytes()).expect("it is a document").unreached.len()
        };
        assert_eq!(unreached(r#""leader": 1, "broker": 1"#), 0);
        assert_eq!(unreached(r#""leader": 2, "broker": 2"#), 1);
        assert_eq!(unreached(r#""leader": 2, "broker": 1"#), 0, "a follower");
        assert_eq!(unreached(r#""leader": 3, "broker": 3"#), 0, "nothing is asked of it");
        assert_eq!(unreached(r#""leader": -1, "broker": 1"#), 1, "no leader");
        assert_eq!(unreached(r#""leader": 1, "broker": -1"#), 1);
    }

    #[test]
    fn a_producer_has_no_group_and_rubbish_no_figures() {
        assert_eq!(parse(br#"{"brokers": {}}"#), Some(Figures::default()));
        assert_eq!(parse(b"{"), None);
    }
}
