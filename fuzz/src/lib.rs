//! What the fuzz targets share: records, rules, and the event of a record as plain JSON.
//!
//! The targets hold Ouzel against something that is not the code under test (`serde_json`, the
//! naive evaluator, another level of validation, the text printed back); a panic is a finding in
//! any of them.

pub mod choices;

use std::collections::BTreeMap;
use std::sync::Arc;

use ouzel::event::{Event, Value};
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use ouzel::rule::{self, Found, RuleSet, RuleText};
use serde_json::{Map, Number, Value as Json};

/// 2026-01-01T00:00:00Z: when every record is judged.
pub const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The rule of the main job, and two whose queries have several literals.
const RULES: [&str; 3] = [
    include_str!("../../config/rules/okta/attempt_to_reset_mfa_factors.toml"),
    include_str!("../../config/rules/okta/policy_or_zone_changed.toml"),
    include_str!("../../config/rules/okta/mfa_bypass_attempt.toml"),
];

/// A record with that payload.
#[must_use]
pub fn record(payload: &[u8]) -> Record<'_> {
    Record {
        payload: Some(payload),
        key: None,
        headers: &NoHeaders,
        position: Position { topic: "okta", partition: 0, offset: 7 },
        timestamp: Some(NOW),
        received: NOW,
    }
}

/// Some of the shipped rules.
#[must_use]
pub fn shipped_rules() -> Arc<RuleSet> {
    load(&RULES)
}

/// A rule that asks `query`.
#[must_use]
pub fn rule_of(query: &str) -> Arc<RuleSet> {
    rules_of(&[query])
}

/// A rule for each of `queries`, in their order.
#[must_use]
pub fn rules_of(queries: &[&str]) -> Arc<RuleSet> {
    let texts: Vec<String> =
        (0..).zip(queries).map(|(number, query)| text_of(number, query)).collect();
    load(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A rule whose id begins with its number: rule sets are in the order of ids.
fn text_of(number: u32, query: &str) -> String {
    let mut text =
        format!("[rule]\nrule_id = \"{number:04}\"\nname = \"r\"\ndescription = \"r\"\n");
    text.push_str("type = \"query\"\nlanguage = \"kuery\"\nseverity = \"low\"\nrisk_score = 1\n");
    // A JSON string is a TOML string but for DEL, which TOML wants escaped.
    let quoted = Json::from(query).to_string().replace('\u{7f}', "\\u007f");
    text.push_str(&format!("query = {quoted}\n"));
    text
}

fn load(texts: &[&str]) -> Arc<RuleSet> {
    let texts: Vec<RuleText> = texts
        .iter()
        .map(|text| RuleText {
            origin: "rule.toml".to_owned(),
            text: (*text).to_owned(),
            found: Found::Named,
        })
        .collect();
    let loaded = rule::load(&texts, &BTreeMap::new());
    Arc::new(loaded.unwrap_or_else(|faults| panic!("{}\n{texts:#?}", faults[0])))
}

/// What an event says, as the naive evaluator takes it.
#[must_use]
pub fn json_of(event: &Event<'_>) -> Json {
    json(Value::Object(event.fields))
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(is) => Json::Bool(is),
        Value::Int(number) => Json::from(number),
        Value::Uint(number) => Json::from(number),
        Value::Float(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        Value::Text(text) => Json::from(text),
        Value::Array(items) => items.iter().map(|item| json(*item)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|member| (member.name.to_owned(), json(member.value)));
            Json::Object(Map::from_iter(members))
        }
    }
}
