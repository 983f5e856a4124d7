//! What a clause found and what it expected, in a sentence for people.
//!
//! Everything quoted here was written by somebody else and is escaped and cut.

use super::compile::joined;
use crate::event::Value;
use crate::kql::{Expr, Literal, Pattern, RangeOperator};
use crate::text::escaped_within;

/// Longest value that is shown whole, in characters.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// Most values that are shown of one field.
const SHOWN_VALUES_MAX: usize = 3;

/// Longest texts whose distance is worked out, in bytes: the time grows with the product of both.
const COMPARED_BYTES_MAX: usize = 256;

/// The values that a clause looked at, with their names; nulls left out.
#[derive(Default)]
pub(super) struct Found {
    /// Whether the clause held.
    pub(super) is_match: bool,
    pub(super) values: Vec<(String, serde_json::Value)>,
    pub(super) count: usize,
}

impl Found {
    /// Values past this many are counted only.
    const KEPT_MAX: usize = 64;

    pub(super) fn add(&mut self, name: &str, value: Value<'_>) {
        if matches!(value, Value::Null) {
            return;
        }
        self.count += 1;
        if self.values.len() < Self::KEPT_MAX {
            self.values.push((name.to_owned(), value.into()));
        }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter_map(|(_, value)| value.as_str())
    }
}

/// What is said of a clause.
pub(super) struct Near {
    pub(super) field: Option<String>,
    pub(super) note: Option<String>,
    /// How far the nearest text found is from the expected one.
    pub(super) distance: usize,
}

/// Says what the clause `expr` found.
pub(super) fn note(expr: &Expr, prefix: Option<&Pattern>, found: &Found) -> Near {
    let held = found.is_match;
    let field = field(expr).map(|field| joined(prefix, field).pieces().join("*"));
    let distance = distance(expr, found);
    if matches!(expr, Expr::All) {
        return Near { field, note: None, distance: 0 };
    }
    // Of a wildcard, the name that was found says more than the pattern.
    let is_one_name = field.as_deref().is_some_and(|name| !name.contains('*'));
    let note = match (&field, found.values.first()) {
        (Some(name), None) => format!("{} has no value", quoted(name)),
        (None, None) => "the event holds no value".to_owned(),
        (Some(name), Some(_)) if is_one_name => format!("{} is {}", quoted(name), list(found)),
        (_, Some(_)) if !held => {
            format!("none of {} values", found.count)
        }
        (_, Some((name, value))) => format!("{} is {}", quoted(name), shown(value)),
    };
    let expected = if held { None } else { expected(expr) };
    let note = match (expected, difference(expr, found)) {
        (Some(expected), Some(difference)) => format!("{note}, expected {expected} ({difference})"),
        (Some(expected), None) => format!("{note}, expected {expected}"),
        (None, _) => note,
    };
    Near { field, note: Some(note), distance }
}

fn field(expr: &Expr) -> Option<&Pattern> {
    match expr {
        Expr::Is { field, .. } => field.as_ref(),
        Expr::Exists { field } | Expr::Range { field, .. } | Expr::Like { field, .. } => {
            Some(field)
        }
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", escaped_within(text, SHOWN_CHARACTERS_MAX))
}

fn shown(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) => quoted(text),
        None => quoted(&value.to_string()),
    }
}

fn list(found: &Found) -> String {
    let some: Vec<String> =
        found.values.iter().take(SHOWN_VALUES_MAX).map(|(_, value)| shown(value)).collect();
    let more = found.count - some.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", some.join(", "))
}

fn expected(expr: &Expr) -> Option<String> {
    Some(match expr {
        Expr::Is { value: Literal::Null, .. } => "no value".to_owned(),
        Expr::Is { value, .. } if is_wildcard(value) => {
            format!("a value like {}", quoted(&text(value)))
        }
        Expr::Is { value, .. } => quoted(&text(value)),
        Expr::Exists { .. } => "a value".to_owned(),
        Expr::Range { operator, value, .. } => {
            let side = match operator {
                RangeOperator::Below => "below",
                RangeOperator::AtMost => "at most",
                RangeOperator::Above => "above",
                RangeOperator::AtLeast => "at least",
            };
            format!("a value {side} {}", quoted(&text(value)))
        }
        Expr::Like { glob, .. } => format!("a value like {}", quoted(glob.text())),
        _ => return None,
    })
}

fn is_wildcard(value: &Literal) -> bool {
    matches!(value, Literal::Unquoted(pattern) if pattern.as_exact().is_none())
}

fn text(value: &Literal) -> String {
    match value {
        Literal::Null => "null".to_owned(),
        Literal::Bool(value) => value.to_string(),
        Literal::Quoted(text) => text.clone(),
        Literal::Unquoted(pattern) => pattern.pieces().join("*"),
    }
}

/// The text that a clause compares with, where it compares with one.
fn wanted(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Is { value, .. } if !is_wildcard(value) => Some(text(value)),
        _ => None,
    }
}

/// What alone is different between a value found and the one expected.
fn difference(expr: &Expr, found: &Found) -> Option<&'static str> {
    let wanted = wanted(expr)?;
    if found.texts().any(|text| text != wanted && text.trim() == wanted.trim()) {
        return Some("white space at an end differs");
    }
    let lowered = wanted.to_lowercase();
    if found.texts().any(|text| text != wanted && text.to_lowercase() == lowered) {
        return Some("the letter case differs");
    }
    let is_quoted_star =
        matches!(expr, Expr::Is { value: Literal::Quoted(text), .. } if text.contains('*'));
    is_quoted_star.then_some("a star in quotes is a plain character")
}

fn distance(expr: &Expr, found: &Found) -> usize {
    let Some(wanted) = wanted(expr) else { return usize::MAX };
    let near = found.texts().filter(|text| text.len() + wanted.len() <= COMPARED_BYTES_MAX);
    near.map(|text| strsim::levenshtein(text, &wanted)).min().unwrap_or(usize::MAX)
}
