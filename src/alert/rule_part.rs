//! What all alerts of one rule share, encoded once per rule set: `kibana.alert.rule.*` but for the
//! name (which `rule_name_override` may change) and the execution.

use super::headers::one_line;
use super::json::Json;
use crate::rule::Rule;

/// Keys of a rule file that Kibana keeps under a flat key of their own. Whatever else a file says
/// stands in `kibana.alert.rule.parameters`, as it does in Kibana.
const FLAT_KEYS: [&str; 6] = [
    "exceptions_list",
    "risk_score_mapping",
    "rule_name_override",
    "severity_mapping",
    "timeline_id",
    "timeline_title",
];

/// Keys that are written on their own, and not again among the parameters.
const WRITTEN: [&str; 4] = ["index", "language", "query", "to"];

/// The prepared members of one rule's alerts.
#[derive(Debug)]
pub(super) struct RulePart {
    /// Everything.
    pub(super) whole: Vec<u8>,
    /// Without the long texts: guide, setup, description and parameters.
    pub(super) reduced: Vec<u8>,
    /// The rule's id, fit for a header.
    pub(super) id_line: String,
}

impl RulePart {
    pub(super) fn new(rule: &Rule) -> Self {
        let mut whole = Json::default();
        short(&mut whole, rule);
        long(&mut whole, rule);
        let mut reduced = Json::default();
        short(&mut reduced, rule);
        let id_line = one_line(rule.id.as_bytes(), usize::MAX);
        Self { whole: whole.into_bytes(), reduced: reduced.into_bytes(), id_line }
    }
}

fn short(json: &mut Json, rule: &Rule) {
    json.text_member("kibana.alert.rule.rule_id", &rule.id);
    json.text_member("kibana.alert.rule.uuid", &rule.id);
    json.integer_member("kibana.alert.rule.version", rule.version.into());
    json.text_member("kibana.alert.rule.type", "query");
    json.text_member("kibana.alert.rule.category", "Custom Query Rule");
    json.text_member("kibana.alert.rule.consumer", "siem");
    json.text_member("kibana.alert.rule.producer", "siem");
    json.text_member("kibana.alert.rule.rule_type_id", "siem.queryRule");
    json.texts_member("kibana.alert.rule.author", &rule.author);
    if !rule.license.is_empty() {
        json.text_member("kibana.alert.rule.license", &rule.license);
    }
    json.text_member("kibana.alert.rule.severity", rule.severity.name());
    json.integer_member("kibana.alert.rule.risk_score", rule.risk_score.into());
    json.texts_member("kibana.alert.rule.tags", &rule.tags);
    json.key("kibana.alert.rule.threat");
    json.tree(&rule.threat);
    json.text_member("kibana.alert.rule.interval", &rule.interval);
    json.text_member("kibana.alert.rule.from", &rule.from);
    // Kibana's default.
    let to = rule.extra.get("to").and_then(serde_json::Value::as_str).unwrap_or("now");
    json.text_member("kibana.alert.rule.to", to);
    if let Some(max_signals) = rule.max_signals {
        json.integer_member("kibana.alert.rule.max_signals", max_signals.into());
    }
    if let Some(kind) = &rule.building_block_type {
        json.text_member("kibana.alert.rule.building_block_type", kind);
    }
}

fn long(json: &mut Json, rule: &Rule) {
    json.text_member("kibana.alert.rule.description", &rule.description);
    json.texts_member("kibana.alert.rule.references", &rule.references);
    json.texts_member("kibana.alert.rule.false_positives", &rule.false_positives);
    for (name, text) in [("note", &rule.note), ("setup", &rule.setup)] {
        if !text.is_empty() {
            json.key_of("kibana.alert.rule.", name);
            json.text(text);
        }
    }
    json.texts_member("kibana.alert.rule.indices", &rule.index);
    if let Some(field) = &rule.timestamp_override {
        json.text_member("kibana.alert.rule.timestamp_override", field);
    }
    for (name, value) in rule.extra.iter().filter(|(name, _)| is_flat(name)) {
        json.key_of("kibana.alert.rule.", name);
        json.tree(value);
    }
    json.key("kibana.alert.rule.parameters");
    json.open_object();
    json.text_member("query", &rule.query.text);
    json.text_member("language", "kuery");
    json.texts_member("index", &rule.index);
    for (name, value) in rule.extra.iter().filter(|(name, _)| !is_flat(name)) {
        if !WRITTEN.contains(&name.as_str()) {
            json.any_key(name);
            json.tree(value);
        }
    }
    json.close_object();
}

fn is_flat(name: &str) -> bool {
    FLAT_KEYS.contains(&name)
}
