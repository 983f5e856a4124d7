//! `ouzel explain`: for each event and rule, does it hold, clause by clause, and on which values.
//!
//! An alert is explained as the event that it carries: what the alert replaced is put back from
//! `kibana.alert.original_*`, and its own rule is the one that is asked.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::args::{ExplainArguments, ExplainOutput, Shared};
use super::exit::{Exit, Failure};
use super::terminal::{self, Color, Paint};
use super::test::marked;
use super::{configuration, rules};
use crate::clock::Clock;
use crate::detect::explain::{Explanation, explain};
use crate::event::{DecodeFault, Event, FieldTypes, Scratch, TopicProfile, decode};
use crate::pipeline::setup;
use crate::record::{NoHeaders, Position, Record, Timestamp};
use crate::rule::{Rule, RuleSet};
use crate::text::escaped;

/// Explains.
///
/// # Errors
/// Wrong configuration or an unknown rule id (3), wrong rules (2), input that cannot be read (4).
pub fn run(
    arguments: &ExplainArguments,
    shared: &Shared,
    clock: &dyn Clock,
) -> Result<Exit, Failure> {
    let settings = configuration::load_offline(shared)?.settings;
    let set = rules::load(&settings, shared)?;
    if set.rules().is_empty() {
        let count = set.skipped().len();
        let fault = format!("no rule judges: all {count} are skipped; `ouzel check` says why");
        return Err(Failure::new(Exit::Rules, fault));
    }
    if let Some(id) = &arguments.rule {
        asked_for(&set, id)?;
    }
    let bytes = read(arguments.file.as_deref())?;
    let mut explainer = Explainer {
        types: setup::field_types(&settings, &set),
        rules: set,
        asked: arguments.rule.clone(),
        now: clock.wall(),
        paint: Paint::stdout(shared.color),
        output: arguments.output,
        scratch: Scratch::default(),
    };
    let mut exit = Exit::Fine;
    for (number, payload) in records(&bytes).enumerate() {
        let (text, fault) = explainer.record(number, payload);
        if fault.is_some() {
            exit = Exit::Findings;
        }
        let printed = match arguments.output {
            ExplainOutput::Text => terminal::print(&text, explainer.paint),
            ExplainOutput::Json => terminal::print_json(&text),
        };
        printed.map_err(|fault| Failure::new(Exit::Unavailable, format!("write: {fault}")))?;
    }
    Ok(exit)
}

/// That the rule is loaded, or why it is not.
fn asked_for(set: &RuleSet, id: &str) -> Result<(), Failure> {
    if set.find(id).is_some() {
        return Ok(());
    }
    let why = match set.skipped().iter().find(|skipped| skipped.id == id) {
        Some(skipped) => format!("rule {id} ({}) is skipped: {}", skipped.origin, skipped.reason),
        None => format!("no loaded rule has the id {id}; `ouzel check` lists them"),
    };
    Err(Failure::new(Exit::Configuration, why))
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let stdin = PathBuf::from("-");
    let path = file.unwrap_or(&stdin);
    let mut bytes = Vec::new();
    let outcome = if path == stdin {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    let failed =
        |fault| Failure::new(Exit::Unavailable, format!("read {}: {fault}", path.display()));
    outcome.map_err(failed)?;
    Ok(bytes)
}

/// A whole file that is one JSON value is one record; else each line that is not blank is one.
fn records(bytes: &[u8]) -> Box<dyn Iterator<Item = &[u8]> + '_> {
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        return Box::new(std::iter::once(bytes));
    }
    let lines = bytes.split(|byte| *byte == b'\n');
    Box::new(lines.filter(|line| !line.trim_ascii().is_empty()))
}

struct Explainer {
    rules: Arc<RuleSet>,
    types: FieldTypes,
    /// The rule that was asked for; `None`: every rule.
    asked: Option<String>,
    now: Timestamp,
    paint: Paint,
    output: ExplainOutput,
    scratch: Scratch,
}

impl Explainer {
    /// What is to be said of one record, and why it could not be read, where it could not.
    fn record(&mut self, number: usize, payload: &[u8]) -> (String, Option<DecodeFault>) {
        let alert = alerted(payload);
        let payload = alert.as_ref().map_or(payload, |alert| &alert.event);
        let record = Record {
            payload: Some(payload),
            key: None,
            headers: &NoHeaders,
            position: Position {
                topic: "stdin",
                partition: 0,
                offset: i64::try_from(number).unwrap_or(i64::MAX),
            },
            timestamp: None,
            received: self.now,
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let decoded = decode(&record, &TopicProfile::default(), &mut scratch);
        let mut text = String::new();
        for event in decoded.events {
            let rule_of_alert = alert.as_ref().map(|alert| alert.rule_id.as_str());
            text.push_str(&self.event(number, event, rule_of_alert));
        }
        let nothing = match (decoded.fault, decoded.skipped) {
            (Some(fault), _) => Some(("unreadable", fault.to_string())),
            (None, Some(reason)) => Some(("skipped", reason.name().to_owned())),
            (None, None) => None,
        };
        if let Some((kind, why)) = nothing {
            text.push_str(&match self.output {
                ExplainOutput::Text => format!("record {number}: {kind}: {why}\n"),
                ExplainOutput::Json => {
                    format!("{}\n", serde_json::json!({"record": number, kind: why}))
                }
            });
        }
        let fault = decoded.fault;
        self.scratch = scratch;
        (text, fault)
    }

    fn event(&self, number: usize, event: &Event<'_>, rule_of_alert: Option<&str>) -> String {
        let asked = self.asked.as_deref().or(rule_of_alert);
        let rules = self.rules.rules().iter().filter(|rule| asked.is_none_or(|id| rule.id == id));
        let mut text = String::new();
        for rule in rules {
            let explanation = explain(&rule.query, event, &self.types, self.now);
            text.push_str(&match self.output {
                ExplainOutput::Text => self.shown(number, event, rule, &explanation),
                ExplainOutput::Json => line(number, event, rule, &explanation),
            });
        }
        if text.is_empty() {
            let id = escaped(asked.unwrap_or_default());
            text = format!("record {number}: the rule of this alert, {id}, is not loaded\n");
        }
        text
    }

    fn shown(
        &self,
        number: usize,
        event: &Event<'_>,
        rule: &Rule,
        explanation: &Explanation,
    ) -> String {
        let (color, verdict) = match explanation.held {
            true => (Color::Green, "holds"),
            false => (Color::Red, "does not hold"),
        };
        let mut text = format!("record {number}, event {}", event.index);
        if let Some(uuid) = event.okta_uuid {
            let _ = write!(text, " ({})", escaped(uuid));
        }
        let name = self.paint.paint(Color::Bold, &escaped(&rule.name).to_string());
        let _ = writeln!(text, ": {name} {}", self.paint.paint(color, verdict));
        for line in explanation.render().lines() {
            let _ = writeln!(text, "  {}", marked(line, self.paint));
        }
        text.push('\n');
        text
    }
}

fn line(number: usize, event: &Event<'_>, rule: &Rule, explanation: &Explanation) -> String {
    let line = serde_json::json!({
        "record": number,
        "event": event.index,
        "okta_uuid": event.okta_uuid,
        "rule_id": rule.id,
        "rule": rule.name,
        "held": explanation.held,
        "explanation": explanation,
    });
    format!("{line}\n")
}

/// The event that an alert carries.
struct Alerted {
    rule_id: String,
    event: Vec<u8>,
}

const RULE_ID: &str = "kibana.alert.rule.rule_id";
const ORIGINAL_TIME: &str = "kibana.alert.original_time";
const ORIGINAL_EVENT: &str = "kibana.alert.original_event.";

/// Reads `payload` as an alert, where it is one.
fn alerted(payload: &[u8]) -> Option<Alerted> {
    let mut alert: Map<String, Json> = serde_json::from_slice(payload).ok()?;
    let rule_id = alert.get(RULE_ID)?.as_str()?.to_owned();
    let original_time = alert.get(ORIGINAL_TIME).cloned();
    let originals: Vec<(String, Json)> = alert
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(ORIGINAL_EVENT)?, value)))
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    alert.retain(|key, _| !key.starts_with("kibana.") && key != "ouzel");
    match original_time {
        Some(time) => drop(alert.insert("@timestamp".to_owned(), time)),
        None => drop(alert.remove("@timestamp")),
    }
    if let Some(Json::Object(event)) = alert.get_mut("event") {
        // `event.kind` of an alert says that it is one, not what the event was.
        event.remove("kind");
        event.extend(originals);
    }
    Some(Alerted { rule_id, event: Json::Object(alert).to_string().into_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_value_or_a_record_a_line() {
        let check = |bytes: &str, count: usize| {
            assert_eq!(records(bytes.as_bytes()).count(), count, "{bytes:?}");
        };
        check("{\n \"a\": 1\n}\n", 1);
        check("[{},\n{}]", 1);
        check("{}\n\n{}\n", 2);
        check("{}\nnot json\n", 2);
        check("\n", 0);
    }

    #[test]
    fn an_alert_becomes_the_event_that_it_carries() {
        let alert = br#"{"@timestamp":"2026-01-02T00:00:00.000Z","event":{"kind":"alert","action":"x"},
            "kibana.alert.rule.rule_id":"r","kibana.alert.original_time":"2026-01-01T00:00:00.000Z",
            "kibana.alert.original_event.kind":"event","kibana.alert.reason":"r","ouzel":{"revision":0},
            "user":{"name":"u"}}"#;
        let alerted = alerted(alert).expect("it is an alert");
        assert_eq!(alerted.rule_id, "r");
        let event: Json = serde_json::from_slice(&alerted.event).expect("it is JSON");
        let expected = serde_json::json!({
            "@timestamp": "2026-01-01T00:00:00.000Z",
            "event": {"action": "x", "kind": "event"},
            "user": {"name": "u"},
        });
        assert_eq!(event, expected);
        assert!(super::alerted(br#"{"event":{"action":"x"}}"#).is_none());
    }
}
