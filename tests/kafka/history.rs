//! Holds what came out against what went in: which alerts there must be, and which there are.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::message::Message;
use sha2::{Digest, Sha256};

use super::{client, java};

const RULE_ID: &str = "729aa18d-06a6-41c7-b175-b65b739b1181";
/// The action that the rule of this suite looks for.
const ACTION: &str = "user.mfa.factor.reset_all";

/// Where a record with a reset stands, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    pub partition: i32,
    pub offset: i64,
    pub sha256: String,
    pub bytes: usize,
}

/// Every reset of `topic` by the id that its alert must have, computed from the input alone.
pub fn resets(brokers: &str, topic: &str) -> Result<BTreeMap<String, Reset>, String> {
    let mut found = BTreeMap::new();
    let finder = memchr::memmem::Finder::new(ACTION);
    let mut fault = None;
    client::read(brokers, topic, |message| {
        let payload = message.payload().unwrap_or_default();
        if finder.find(payload).is_none() {
            return;
        }
        let Ok(event) = serde_json::from_slice::<serde_json::Value>(payload) else { return };
        let Some(uuid) = event.get("uuid").and_then(|uuid| uuid.as_str()) else {
            fault = Some(format!("no uuid in {event}"));
            return;
        };
        let reset = Reset {
            partition: message.partition(),
            offset: message.offset(),
            sha256: hex(&Sha256::digest(payload)),
            bytes: payload.len(),
        };
        let id = hex(&Sha256::digest(format!("ouzel-alert-1\0{RULE_ID}\0okta\0{uuid}")));
        if found.insert(id, reset).is_some() {
            fault = Some(format!("uuid {uuid} stands twice in the input"));
        }
    })?;
    fault.map_or(Ok(found), Err)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every alert of `topic` as Kafka's own console consumer prints it: key and document.
pub fn alerts(brokers: &str, topic: &str) -> Result<Vec<(String, serde_json::Value)>, String> {
    let count = client::count(brokers, topic)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let printed = java::run(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        &[
            "--bootstrap-server",
            brokers,
            "--topic",
            topic,
            "--from-beginning",
            "--max-messages",
            &count.to_string(),
            "--timeout-ms",
            "20000",
            "--isolation-level",
            "read_committed",
            "--formatter-property",
            "print.key=true",
            "--formatter-property",
            "key.separator=\t",
        ],
    )?;
    let text = String::from_utf8(printed).map_err(|fault| fault.to_string())?;
    let parsed: Result<Vec<_>, String> = text
        .lines()
        .map(|line| {
            let (key, value) = line.split_once('\t').ok_or_else(|| format!("no key in {line}"))?;
            let value = serde_json::from_str(value).map_err(|fault| format!("{fault}: {value}"))?;
            Ok((key.to_owned(), value))
        })
        .collect();
    let parsed = parsed?;
    if parsed.len() == count {
        return Ok(parsed);
    }
    Err(format!("the console consumer printed {} of {count} alerts", parsed.len()))
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Resets without an alert.
    pub lost: Vec<String>,
    /// Alerts past the first of an id.
    pub repeated: Vec<String>,
    /// Alerts that no reset accounts for.
    pub invented: Vec<String>,
    /// Alerts whose position, hash or key is not that of their record.
    pub wrong: Vec<String>,
}

/// Compares resets with alerts.
pub fn compare(
    topic: &str,
    resets: &BTreeMap<String, Reset>,
    alerts: &[(String, serde_json::Value)],
) -> Findings {
    let mut findings = Findings::default();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, alert) in alerts {
        let id = alert.get("kibana.alert.uuid").and_then(|id| id.as_str()).unwrap_or_default();
        let times = seen.entry(id).or_default();
        *times += 1;
        if *times > 1 {
            findings.repeated.push(id.to_owned());
        }
        let Some(reset) = resets.get(id) else {
            findings.invented.push(id.to_owned());
            continue;
        };
        let at = |pointer: &str| alert.pointer(pointer).cloned().unwrap_or_default();
        let is_right = key == id
            && at("/ouzel/source/topic") == topic
            && at("/ouzel/source/partition") == reset.partition
            && at("/ouzel/source/offset") == reset.offset
            && at("/ouzel/payload/sha256") == reset.sha256.as_str()
            && at("/ouzel/payload/bytes") == reset.bytes;
        if !is_right {
            findings.wrong.push(format!("{id}: {} for {reset:?}", at("/ouzel")));
        }
    }
    findings.lost = resets.keys().filter(|id| !seen.contains_key(id.as_str())).cloned().collect();
    findings
}

/// Fails unless nothing was lost, invented or wrong; returns the number of repeats.
pub fn nothing_lost(
    brokers: &str,
    topic: &str,
    alert_topic: &str,
) -> Result<(usize, usize), String> {
    let resets = resets(brokers, topic)?;
    if resets.is_empty() {
        return Err("the input holds no reset: this shows nothing".to_owned());
    }
    let alerts = alerts(brokers, alert_topic)?;
    let findings = compare(topic, &resets, &alerts);
    let is_fine =
        findings.lost.is_empty() && findings.invented.is_empty() && findings.wrong.is_empty();
    if is_fine {
        return Ok((resets.len(), findings.repeated.len()));
    }
    Err(format!(
        "of {} resets: {} lost, {} invented, {} wrong, {} repeated; first: {:?} {:?} {:?}",
        resets.len(),
        findings.lost.len(),
        findings.invented.len(),
        findings.wrong.len(),
        findings.repeated.len(),
        findings.lost.first(),
        findings.invented.first(),
        findings.wrong.first()
    ))
}

/// Waits until the group has committed the log end of every partition of `topic`.
pub fn wait_for_end(
    brokers: &str,
    group: &str,
    topic: &str,
    within: Duration,
) -> Result<BTreeMap<i32, i64>, String> {
    client::wait_until("the group has committed the log end", within, || {
        let ends = client::log_ends(brokers, topic)?;
        let committed = client::committed(brokers, group, topic)?;
        let is_at_end = ends.iter().all(|(partition, end)| {
            *end == 0 || committed.get(partition).is_some_and(|offset| offset == end)
        });
        Ok(is_at_end.then_some(committed))
    })
}

/// A comparison that finds nothing wrong in anything would be worth nothing: each kind of fault,
/// put into a history on purpose, is found.
pub fn doctored_histories_are_found(_: &super::broker::Broker) -> Result<(), String> {
    let reset = |offset| Reset { partition: 0, offset, sha256: format!("{offset:064x}"), bytes: 9 };
    let alert = |id: &str, offset: i64| {
        let document = serde_json::json!({
            "kibana.alert.uuid": id,
            "ouzel": {
                "source": {"topic": "t", "partition": 0, "offset": offset},
                "payload": {"sha256": format!("{offset:064x}"), "bytes": 9},
            },
        });
        (id.to_owned(), document)
    };
    let resets = BTreeMap::from([("a".to_owned(), reset(1)), ("b".to_owned(), reset(2))]);
    let good = vec![alert("a", 1), alert("b", 2)];
    let check = |name: &str, alerts: &[(String, serde_json::Value)], expected: Findings| {
        let found = compare("t", &resets, alerts);
        let shape = |findings: &Findings| {
            [&findings.lost, &findings.repeated, &findings.invented, &findings.wrong].map(Vec::len)
        };
        let is_equal = shape(&found) == shape(&expected);
        if is_equal { Ok(()) } else { Err(format!("{name}: found {found:?}, not {expected:?}")) }
    };
    let one = || vec![String::new()];
    check("a true history", &good, Findings::default())?;
    check("a lost alert", &[alert("a", 1)], Findings { lost: one(), ..Findings::default() })?;
    let repeated = [good.clone(), vec![alert("a", 1)]].concat();
    check("a repeat", &repeated, Findings { repeated: one(), ..Findings::default() })?;
    let invented = [good.clone(), vec![alert("c", 3)]].concat();
    check("an invention", &invented, Findings { invented: one(), ..Findings::default() })?;
    let moved = vec![alert("a", 1), alert("b", 3)];
    check("a wrong position", &moved, Findings { wrong: one(), ..Findings::default() })
}
