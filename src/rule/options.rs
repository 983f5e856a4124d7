//! The options of a rule that are tables of their own: mappings, suppression, threat, field types.

use super::definition::{DeclaredField, MissingFields, Severity, SeverityMapping, Suppression};
use super::document::{Content, Item, Table};
use super::fields::Fields;
use super::{interval, keys};

/// Most fields that a group of suppressed hits may be made of (Elastic's bound).
const GROUP_FIELDS_MAX: usize = 3;

/// The severities' names, as a sentence.
pub(super) const SEVERITY_ALLOWED: &str = "expected low, medium, high or critical";

pub(super) fn severity(fields: &mut Fields<'_>, table: &Table) -> Option<Severity> {
    let name = fields.text(table, "severity")?;
    let severity = Severity::from_name(&name);
    if severity.is_none() {
        let at = table.get("severity").map_or(table.at, |item| item.at);
        fields.wrong_value(at, "severity", &name, SEVERITY_ALLOWED);
    }
    severity
}

pub(super) fn severity_mapping(fields: &mut Fields<'_>, rule: &Table) -> Vec<SeverityMapping> {
    let mut rows = Vec::new();
    for table in fields.tables(rule, "severity_mapping") {
        fields.keys(table, "severity_mapping", keys::SEVERITY_MAPPING);
        operator(fields, table);
        let field = fields.text(table, "field").unwrap_or_default();
        let value = table.get("value").map(|item| scalar(fields, item, "value"));
        // Kibana's forms save rows that were not filled in; they never match anything.
        if field.is_empty() || table.get("severity").is_none() {
            continue;
        }
        if let Some(severity) = severity(fields, table) {
            rows.push(SeverityMapping { field, value: value.unwrap_or_default(), severity });
        }
    }
    rows
}

/// The first mapping's field: as Kibana does, the others are not looked at.
pub(super) fn risk_score_field(fields: &mut Fields<'_>, rule: &Table) -> Option<String> {
    let tables = fields.tables(rule, "risk_score_mapping");
    for table in &tables {
        fields.keys(table, "risk_score_mapping", keys::RISK_SCORE_MAPPING);
        operator(fields, table);
    }
    fields.chosen(tables.first()?, "field")
}

/// There is one operator only.
fn operator(fields: &mut Fields<'_>, table: &Table) {
    if let Some(found) = fields.text(table, "operator").filter(|found| found != "equals") {
        let at = table.get("operator").map_or(table.at, |item| item.at);
        fields.wrong_value(at, "operator", &found, "expected equals");
    }
}

fn scalar(fields: &mut Fields<'_>, item: &Item, key: &str) -> String {
    match &item.content {
        Content::Text(text) => text.clone(),
        Content::Bool(_) | Content::Integer(_) | Content::Float(_) => item.to_json().to_string(),
        _ => {
            fields.wrong_type(item, key, "a text");
            String::new()
        }
    }
}

pub(super) fn suppression(fields: &mut Fields<'_>, rule: &Table) -> Option<Suppression> {
    let table = fields.table(rule, "alert_suppression")?;
    fields.keys(table, "alert_suppression", keys::SUPPRESSION);
    fields.need(table, "alert_suppression", "group_by");
    let group_by = fields.texts(table, "group_by");
    if table.get("group_by").is_some() && !(1..=GROUP_FIELDS_MAX).contains(&group_by.len()) {
        let found = format!("{} fields", group_by.len());
        let allowed = format!("expected one to {GROUP_FIELDS_MAX} fields");
        fields.wrong_value(table.at, "group_by", &found, &allowed);
    }
    let duration_ms = duration_ms(fields, table);
    let missing_fields = match fields.text(table, "missing_fields_strategy").as_deref() {
        None | Some("suppress") => MissingFields::Suppress,
        Some("doNotSuppress") => MissingFields::DoNotSuppress,
        Some(other) => {
            let allowed = "expected suppress or doNotSuppress";
            fields.wrong_value(table.at, "missing_fields_strategy", other, allowed);
            MissingFields::Suppress
        }
    };
    Some(Suppression { group_by, duration_ms, missing_fields })
}

fn duration_ms(fields: &mut Fields<'_>, suppression: &Table) -> Option<u64> {
    let table = fields.table(suppression, "duration")?;
    fields.keys(table, "duration", keys::DURATION);
    fields.need(table, "duration", "value");
    fields.need(table, "duration", "unit");
    let value = fields.integer(table, "value", (1, u32::MAX))?;
    let unit = fields.text(table, "unit")?;
    let unit_ms = match unit.as_str() {
        "s" => interval::unit_ms('s'),
        "m" => interval::unit_ms('m'),
        "h" => interval::unit_ms('h'),
        _ => None,
    };
    let Some(unit_ms) = unit_ms else {
        fields.wrong_value(table.at, "unit", &unit, "expected s, m or h");
        return None;
    };
    Some(u64::from(value).saturating_mul(unit_ms))
}

pub(super) fn declared_fields(fields: &mut Fields<'_>, rule: &Table) -> Vec<DeclaredField> {
    let mut declared = Vec::new();
    for table in fields.tables(rule, "required_fields") {
        fields.keys(table, "required_fields", keys::REQUIRED_FIELD);
        fields.need(table, "required_fields", "name");
        fields.need(table, "required_fields", "type");
        let name = fields.name(table, "name");
        let field_type = fields.name(table, "type");
        declared.extend(
            name.zip(field_type).map(|(name, field_type)| DeclaredField { name, field_type }),
        );
    }
    declared
}

pub(super) fn investigation_fields(fields: &mut Fields<'_>, rule: &Table) -> Vec<String> {
    // Kibana 8.10 wrote the list without the table around it.
    if rule.get("investigation_fields").is_some_and(|item| matches!(item.content, Content::List(_)))
    {
        return fields.texts(rule, "investigation_fields");
    }
    let Some(table) = fields.table(rule, "investigation_fields") else { return Vec::new() };
    fields.keys(table, "investigation_fields", keys::INVESTIGATION_FIELDS);
    fields.texts(table, "field_names")
}

/// The threat mapping, its keys checked, as JSON.
pub(super) fn threat(fields: &mut Fields<'_>, rule: &Table) -> serde_json::Value {
    for threat in fields.tables(rule, "threat") {
        fields.keys(threat, "rule.threat", keys::THREAT);
        fields.need(threat, "rule.threat", "framework");
        fields.need(threat, "rule.threat", "tactic");
        if let Some(tactic) = fields.table(threat, "tactic") {
            threat_entry(fields, tactic, "rule.threat.tactic", keys::THREAT_ENTRY);
        }
        for technique in fields.tables(threat, "technique") {
            threat_entry(fields, technique, "rule.threat.technique", keys::TECHNIQUE);
            for inner in fields.tables(technique, "subtechnique") {
                let name = "rule.threat.technique.subtechnique";
                threat_entry(fields, inner, name, keys::THREAT_ENTRY);
            }
        }
    }
    rule.get("threat").map_or_else(|| serde_json::Value::Array(Vec::new()), Item::to_json)
}

fn threat_entry(fields: &mut Fields<'_>, table: &Table, name: &str, allowed: &[&str]) {
    fields.keys(table, name, allowed);
    for key in keys::THREAT_ENTRY {
        fields.need(table, name, key);
        fields.text(table, key);
    }
}
