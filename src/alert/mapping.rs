//! Severity, risk score and name of an alert where the rule takes them from the event:
//! `severity_mapping`, `risk_score_mapping` and `rule_name_override`, as Kibana reads them.

use std::ops::ControlFlow;

use crate::event::{Event, FieldPath, Value};
use crate::rule::{Rule, Severity};

/// The one field whose values and mapped values compare as numbers (it is a number in ECS).
const NUMERIC_FIELD: &str = "event.severity";

/// What one rule maps, its field names resolved.
#[derive(Debug, Default)]
pub(super) struct Mappings {
    /// Highest severity first, so that the first that holds wins.
    severities: Vec<SeverityMapping>,
    risk_score: Option<FieldPath>,
    name: Option<FieldPath>,
}

#[derive(Debug)]
struct SeverityMapping {
    field: FieldPath,
    value: String,
    severity: Severity,
}

impl Mappings {
    /// The mappings of `rule`.
    pub(super) fn new(rule: &Rule) -> Self {
        let mapping = |row: &crate::rule::SeverityMapping| SeverityMapping {
            field: FieldPath::new(&row.field),
            value: row.value.clone(),
            severity: row.severity,
        };
        let mut severities: Vec<SeverityMapping> =
            rule.severity_mapping.iter().map(mapping).collect();
        severities.sort_by_key(|mapping| std::cmp::Reverse(mapping.severity));
        Self {
            severities,
            risk_score: rule.risk_score_field.as_deref().map(FieldPath::new),
            name: rule.rule_name_override.as_deref().map(FieldPath::new),
        }
    }

    /// The severity that the event calls for: that of the highest mapping that holds, even where
    /// the rule's own is higher; the rule's own where none holds.
    pub(super) fn severity(&self, rule: &Rule, event: &Event<'_>) -> Severity {
        let holds = |mapping: &&SeverityMapping| any(event, &mapping.field, |v| mapping.holds(v));
        self.severities.iter().find(holds).map_or(rule.severity, |mapping| mapping.severity)
    }

    /// The risk score: the highest number from 0 to 100 in the mapped field, else the rule's.
    pub(super) fn risk_score<'v>(&self, rule: &Rule, event: &Event<'_>) -> Value<'v> {
        let own = Value::Int(rule.risk_score.into());
        let Some(field) = &self.risk_score else { return own };
        let mut highest: Option<f64> = None;
        any(event, field, |value| {
            let number = score(value);
            highest = highest.into_iter().chain(number).reduce(f64::max);
            false
        });
        match highest {
            None => own,
            #[expect(clippy::cast_possible_truncation, reason = "a whole number from 0 to 100")]
            Some(whole) if whole.fract() == 0.0 => Value::Int(whole as i64),
            Some(number) => Value::Float(number),
        }
    }

    /// The name: the overriding field's text, else the rule's.
    pub(super) fn name<'e>(&self, rule: &'e Rule, event: &Event<'e>) -> &'e str {
        let Some(field) = &self.name else { return &rule.name };
        let found = event.visit(field, &mut |value| match value {
            Value::Text(text) if !text.is_empty() => ControlFlow::Break(text),
            _ => ControlFlow::Continue(()),
        });
        match found {
            ControlFlow::Break(text) => text,
            ControlFlow::Continue(()) => &rule.name,
        }
    }
}

impl SeverityMapping {
    fn holds(&self, value: Value<'_>) -> bool {
        if self.field.name() == NUMERIC_FIELD {
            return match (value, self.value.trim().parse::<f64>()) {
                (Value::Int(found), Ok(mapped)) => mapped.floor() == found as f64,
                _ => false,
            };
        }
        match value {
            Value::Text(text) => text == self.value,
            Value::Int(number) => number.to_string() == self.value,
            _ => false,
        }
    }
}

/// A number from 0 to 100, or the text of one.
fn score(value: Value<'_>) -> Option<f64> {
    let number = match value {
        Value::Int(number) => number as f64,
        Value::Float(number) => number,
        Value::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (0.0..=100.0).contains(&number).then_some(number)
}

/// Whether `holds` is true for some value of the field, arrays opened.
fn any(event: &Event<'_>, field: &FieldPath, mut holds: impl FnMut(Value<'_>) -> bool) -> bool {
    event.visit(field, &mut |value| leaf(value, &mut holds)).is_break()
}

fn leaf(value: Value<'_>, holds: &mut impl FnMut(Value<'_>) -> bool) -> ControlFlow<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| leaf(*item, holds)),
        value if holds(value) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}
