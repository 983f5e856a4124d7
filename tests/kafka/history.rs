//! Reads what went in, what came out and what was committed, and lets [`super::checker`] decide.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::message::{BorrowedMessage, Headers, Message};
use sha2::{Digest, Sha256};

use super::checker::{Commits, Findings, History, Input, Kind, Output, check};
use super::{client, feed, java};

const RULE_ID: &str = "729aa18d-06a6-41c7-b175-b65b739b1181";
/// The action that the rule of this suite looks for.
const ACTION: &str = "user.mfa.factor.reset_all";

/// The header with an event's id, where its payload is not to be trusted with it.
pub const UUID: &str = "uuid";

/// The topics of one test.
#[derive(Clone, Debug)]
pub struct Topics<'a> {
    pub brokers: &'a str,
    /// Those of the outputs.
    pub output_brokers: &'a str,
    pub input: &'a str,
    pub alerts: &'a str,
    pub dead_letters: &'a str,
}

impl Topics<'_> {
    /// Everything that stands in them now.
    pub fn history(&self, commits: Vec<Commits>) -> Result<History, String> {
        let (records, inputs) = inputs(self.brokers, self.input)?;
        let mut outputs = alerts(self.output_brokers, self.alerts)?;
        outputs.extend(dead_letters(self.output_brokers, self.dead_letters)?);
        Ok(History { topic: self.input.to_owned(), records, inputs, outputs, commits })
    }

    /// The offsets that `group` has committed, and then where the outputs end: what is committed
    /// by now must stand before these ends.
    pub fn commits(&self, group: &str, at_rest: AtRest) -> Result<Commits, String> {
        let committed = client::committed(self.brokers, group, self.input)?;
        let mut ends = BTreeMap::new();
        for (kind, topic) in [(Kind::Alert, self.alerts), (Kind::DeadLetter, self.dead_letters)] {
            for (partition, end) in client::log_ends(self.output_brokers, topic)? {
                ends.insert((kind, partition), end);
            }
        }
        Ok(Commits { committed, ends, is_at_rest: at_rest == AtRest::Yes })
    }
}

/// Whether no stage was running while offsets were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRest {
    Yes,
    No,
}

/// How many records `topic` holds, and what must come of them, by the id of the output.
fn inputs(brokers: &str, topic: &str) -> Result<(usize, BTreeMap<String, Input>), String> {
    let mut found = BTreeMap::new();
    let finder = memchr::memmem::Finder::new(ACTION);
    let mut records = 0;
    let mut fault = None;
    client::read(brokers, topic, |message| {
        records += 1;
        let payload = message.payload().unwrap_or_default();
        let expected = text_header(message, feed::EXPECTED);
        let id = match expected.as_deref() {
            Some(feed::CLEAN) => return,
            Some(feed::ALERT) => match text_header(message, UUID) {
                Some(uuid) => Some(id_of(&uuid)),
                None => alert_id(payload),
            },
            Some(_) => Some(letter_id(message.partition(), message.offset())),
            None if finder.find(payload).is_some() => alert_id(payload),
            None => return,
        };
        let Some(id) = id else {
            // Somebody else broke this reset: then it is a dead letter's business.
            return;
        };
        let input = Input {
            partition: message.partition(),
            offset: message.offset(),
            sha256: hash(payload),
            bytes: payload.len(),
        };
        if found.insert(id.clone(), input).is_some() {
            fault = Some(format!("{id} stands twice in the input"));
        }
    })?;
    fault.map_or(Ok((records, found)), Err)
}

/// The id that the alert of this event must have, computed from the input alone.
pub fn alert_id(payload: &[u8]) -> Option<String> {
    let event = serde_json::from_slice::<serde_json::Value>(payload).ok()?;
    Some(id_of(event.get("uuid")?.as_str()?))
}

fn id_of(uuid: &str) -> String {
    hash(format!("ouzel-alert-1\0{RULE_ID}\0okta\0{uuid}").as_bytes())
}

fn letter_id(partition: i32, offset: i64) -> String {
    format!("dead letter {partition}@{offset}")
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of a header, where there is one.
pub fn text_header(message: &BorrowedMessage<'_>, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == name)?;
    header.value.map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Every alert of `topic`, as the suite's own client reads it.
fn alerts(brokers: &str, topic: &str) -> Result<Vec<Output>, String> {
    let mut found = Vec::new();
    let mut fault = None;
    client::read(brokers, topic, |message| {
        let key = message.key().map(String::from_utf8_lossy).unwrap_or_default();
        let payload = message.payload().unwrap_or_default();
        match alert(&key, payload, (message.partition(), message.offset())) {
            Ok(output) => found.push(output),
            Err(why) => fault = Some(why),
        }
    })?;
    fault.map_or(Ok(found), Err)
}

fn alert(key: &str, document: &[u8], at: (i32, i64)) -> Result<Output, String> {
    let text = || String::from_utf8_lossy(document).into_owned();
    let alert: serde_json::Value =
        serde_json::from_slice(document).map_err(|fault| format!("{fault}: {}", text()))?;
    let get = |pointer: &str| alert.pointer(pointer).ok_or(format!("no {pointer} in {}", text()));
    let number = |pointer: &str| get(pointer)?.as_i64().ok_or(format!("{pointer} is no number"));
    let string = |pointer: &str| {
        let text = get(pointer)?.as_str().ok_or(format!("{pointer} is no text"))?;
        Ok::<_, String>(text.to_owned())
    };
    let id = string("/kibana.alert.uuid")?;
    Ok(Output {
        kind: Kind::Alert,
        has_right_key: key == id,
        id,
        at,
        topic: string("/ouzel/source/topic")?,
        partition: i32::try_from(number("/ouzel/source/partition")?).unwrap_or(-1),
        offset: number("/ouzel/source/offset")?,
        sha256: string("/ouzel/payload/sha256")?,
        bytes: usize::try_from(number("/ouzel/payload/bytes")?).unwrap_or_default(),
    })
}

/// Every dead letter of `topic`.
fn dead_letters(brokers: &str, topic: &str) -> Result<Vec<Output>, String> {
    let mut found = Vec::new();
    client::read(brokers, topic, |message| {
        let header = |name: &str| text_header(message, name).unwrap_or_default();
        let partition = header("ouzel.source.partition").parse().unwrap_or(-1);
        let offset = header("ouzel.source.offset").parse().unwrap_or(-1);
        let payload = message.payload().unwrap_or_default();
        let expected = text_header(message, feed::EXPECTED);
        found.push(Output {
            kind: Kind::DeadLetter,
            id: letter_id(partition, offset),
            at: (message.partition(), message.offset()),
            topic: header("ouzel.source.topic"),
            partition,
            offset,
            sha256: hash(payload),
            bytes: payload.len(),
            has_right_key: expected.is_none_or(|it| it == header("ouzel.error.reason")),
        });
    })?;
    Ok(found)
}

/// Every alert of `topic` as Kafka's own console consumer prints it.
fn alerts_on_the_console(brokers: &str, topic: &str) -> Result<Vec<Output>, String> {
    let count = client::count(brokers, topic)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let most = count.to_string();
    let mut arguments = vec!["--bootstrap-server", brokers, "--topic", topic, "--from-beginning"];
    arguments.extend(["--max-messages", &most, "--timeout-ms", "20000"]);
    arguments.extend(["--isolation-level", "read_committed"]);
    for property in ["print.partition=true", "print.offset=true", "print.key=true"] {
        arguments.extend(["--formatter-property", property]);
    }
    let printed = java::run("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments)?;
    let text = String::from_utf8(printed).map_err(|fault| fault.to_string())?;
    let alerts: Result<Vec<_>, String> = text.lines().map(console_line).collect();
    let alerts = alerts?;
    if alerts.len() == count {
        return Ok(alerts);
    }
    Err(format!("the console consumer printed {} of {count} alerts", alerts.len()))
}

/// `Partition:0 Offset:7 KEY VALUE`, with tabs between.
fn console_line(line: &str) -> Result<Output, String> {
    let fault = || format!("not as the console consumer prints it: {line}");
    let mut parts = line.splitn(4, '\t');
    let mut next = || parts.next().ok_or_else(fault);
    let number = |text: &str, label: &str| {
        text.strip_prefix(label).and_then(|number| number.parse::<i64>().ok()).ok_or_else(fault)
    };
    let partition = i32::try_from(number(next()?, "Partition:")?).unwrap_or(-1);
    let offset = number(next()?, "Offset:")?;
    alert(next()?, next()?.as_bytes(), (partition, offset))
}

/// Fails unless nothing was lost, invented or wrong, as Kafka's own console consumer reads the
/// alerts; returns the number of resets and that of repeats.
pub fn nothing_lost(
    brokers: &str,
    topic: &str,
    alert_topic: &str,
) -> Result<(usize, usize), String> {
    let (records, mut inputs) = inputs(brokers, topic)?;
    inputs.retain(|id, _| !id.starts_with("dead letter"));
    if inputs.is_empty() {
        return Err("the input holds no reset: this shows nothing".to_owned());
    }
    let outputs = alerts_on_the_console(brokers, alert_topic)?;
    let resets = inputs.len();
    let topic = topic.to_owned();
    let history = History { topic, records, inputs, outputs, commits: Vec::new() };
    let findings = check(&history);
    let repeats = findings.repeated.len();
    findings.nothing_but_repeats()?;
    Ok((resets, repeats))
}

/// Reads everything and fails unless all is as it must be but for repeats of what was not yet
/// committed; says what was seen.
pub fn only_repeats(topics: &Topics<'_>, commits: Vec<Commits>) -> Result<String, String> {
    let history = topics.history(commits)?;
    let findings = check(&history);
    findings.nothing_but_repeats()?;
    Ok(seen(&history, &findings))
}

/// As [`only_repeats`], and without repeats.
pub fn exactly_once(topics: &Topics<'_>, commits: Vec<Commits>) -> Result<String, String> {
    let history = topics.history(commits)?;
    let findings = check(&history);
    findings.nothing_but_repeats()?;
    match findings.repeated.first() {
        None => Ok(seen(&history, &findings)),
        Some(first) => Err(format!("{} repeated, such as {first}", findings.repeated.len())),
    }
}

fn seen(history: &History, findings: &Findings) -> String {
    let count = |kind| history.inputs.keys().filter(|id| Kind::of(id) == kind).count();
    format!(
        "{} records, {} alerts, {} dead letters: 0 lost, {} repeated",
        history.records,
        count(Kind::Alert),
        count(Kind::DeadLetter),
        findings.repeated.len()
    )
}

/// Waits until the group has committed the log end of every partition of `topic`.
pub fn wait_for_end(
    brokers: &str,
    group: &str,
    topic: &str,
    within: Duration,
) -> Result<BTreeMap<i32, i64>, String> {
    let mut last = String::new();
    let reached = client::wait_until("the group has committed the log end", within, || {
        let ends = client::log_ends(brokers, topic)?;
        let committed = client::committed(brokers, group, topic)?;
        let is_at_end = ends.iter().all(|(partition, end)| {
            *end == 0 || committed.get(partition).is_some_and(|offset| offset == end)
        });
        last = format!("ends {ends:?}, committed {committed:?}");
        Ok(is_at_end.then_some(committed))
    });
    reached.map_err(|fault| format!("{fault}; {last}"))
}
