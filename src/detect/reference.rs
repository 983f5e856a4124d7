//! A naive evaluator: the oracle of tests, fuzzing and the self-check.
//!
//! It walks the query's tree over a `serde_json` document for every clause anew, copies what it
//! finds into lists and compares texts with texts. It shares the table of field types and the
//! reading of dates and glob patterns with the compiled evaluator and nothing else: neither its
//! walk, nor its matchers, nor its words, numbers and addresses. Never used on a record's path.

use std::net::IpAddr;

use serde_json::Value as Json;
use unicode_segmentation::UnicodeSegmentation as _;

use super::date::{self, DateExpression};
use crate::event::{FieldType, FieldTypes};
use crate::kql::{Expr, Literal, Node, Pattern, Query, RangeOperator};
use crate::record::Timestamp;

/// Whether `query` holds for `document`, whose keys may be nested, dotted or both, judged at `now`.
#[must_use]
pub fn holds(query: &Query, document: &Json, types: &FieldTypes, now: Timestamp) -> bool {
    Reference { types, now }.node(&query.root, document, "")
}

struct Reference<'t> {
    types: &'t FieldTypes,
    now: Timestamp,
}

/// Asked of a value and of its field's type.
type Test<'t> = &'t dyn Fn(&Json, FieldType) -> bool;

/// Whether an object is looked into for values of its own name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Values,
    Objects,
}

/// A leaf with its name from the document's root.
struct Leaf<'d> {
    name: String,
    value: &'d Json,
}

impl Reference<'_> {
    fn node(&self, node: &Node, document: &Json, prefix: &str) -> bool {
        match &node.expr {
            Expr::All => true,
            Expr::And(operands) => operands.iter().all(|each| self.node(each, document, prefix)),
            Expr::Or(operands) => operands.iter().any(|each| self.node(each, document, prefix)),
            Expr::Not(inner) => !self.node(inner, document, prefix),
            Expr::Is { field: Some(field), value: Literal::Null } => {
                !self.any(Some(field), document, prefix, (Walk::Objects, &|_, _| true))
            }
            Expr::Is { value: Literal::Null, .. } => false,
            Expr::Is { field, value } => {
                let is = |found: &Json, of: FieldType| self.is(found, value, of);
                self.any(field.as_ref(), document, prefix, (Walk::Values, &is))
            }
            Expr::Exists { field } => {
                self.any(Some(field), document, prefix, (Walk::Objects, &|_, _| true))
            }
            Expr::Range { field, operator, value } => {
                let lies = |found: &Json, of: FieldType| self.lies(found, *operator, value, of);
                self.any(Some(field), document, prefix, (Walk::Values, &lies))
            }
            Expr::Like { field, glob } => {
                let like = |found: &Json, of: FieldType| match of {
                    FieldType::Text => words(&text(found)).iter().any(|word| glob.matches(word)),
                    _ => glob.matches(&text(found)),
                };
                self.any(Some(field), document, prefix, (Walk::Values, &like))
            }
            Expr::Nested { path, query } => {
                let mut objects = Vec::new();
                every_object(document, prefix, &mut objects);
                objects.iter().any(|(name, object)| {
                    full(prefix, path).matches(name) && self.node(query, object, name)
                })
            }
        }
    }

    /// Whether some value that `field` names satisfies `test`, which is told the field's type.
    fn any(
        &self,
        field: Option<&Pattern>,
        document: &Json,
        prefix: &str,
        (walk, test): (Walk, Test<'_>),
    ) -> bool {
        let mut leaves = Vec::new();
        every_leaf(document, prefix, &mut leaves);
        leaves.retain(|leaf| !leaf.value.is_null());
        let Some(field) = field else {
            return leaves.iter().any(|leaf| test(leaf.value, self.types.of(&leaf.name)));
        };
        let wanted = full(prefix, field);
        if let Some(name) = wanted.as_exact() {
            return self.any_of_name(name, &leaves, walk, test);
        }
        leaves.iter().any(|leaf| {
            let mut names = above(&leaf.name);
            names.retain(|above| self.types.of(above) == FieldType::Flattened);
            names.push(leaf.name.clone());
            if names.iter().any(|name| wanted.matches(name)) {
                return test(leaf.value, self.types.of(&leaf.name));
            }
            let companion = format!("{}.text", leaf.name);
            wanted.pieces().last().is_some_and(|last| last.ends_with(".text"))
                && wanted.matches(&companion)
                && self.types.analysed_parent(&companion).is_some()
                && test(leaf.value, FieldType::Text)
        })
    }

    fn any_of_name(&self, name: &str, leaves: &[Leaf<'_>], walk: Walk, test: Test<'_>) -> bool {
        let below = format!("{name}.");
        let of = self.types.of(name);
        let parent = self.types.analysed_parent(name);
        leaves.iter().any(|leaf| {
            let is_here = leaf.name == name;
            let is_below = leaf.name.starts_with(&below);
            let enters = of == FieldType::Flattened || walk == Walk::Objects;
            ((is_here || is_below && enters) && test(leaf.value, of))
                || parent.is_some_and(|parent| {
                    let is_below = leaf.name.starts_with(&format!("{parent}.")) && enters;
                    (leaf.name == parent || is_below) && test(leaf.value, FieldType::Text)
                })
        })
    }

    fn is(&self, found: &Json, literal: &Literal, of: FieldType) -> bool {
        let wanted = match literal {
            Literal::Unquoted(pattern) if pattern.as_exact().is_none() => {
                return is_like(found, pattern, of);
            }
            _ => spelled(literal),
        };
        let is_same_text = text(found) == wanted && !matches!(found, Json::Object(_));
        match of {
            FieldType::Flattened => is_same_text,
            FieldType::Text => {
                let (wanted, found) = (words(&wanted), words(&text(found)));
                match literal {
                    Literal::Quoted(_) => {
                        !wanted.is_empty() && found.windows(wanted.len()).any(|part| part == wanted)
                    }
                    _ => wanted.iter().any(|word| found.contains(word)),
                }
            }
            FieldType::Ip if block(&wanted).is_some() => is_in_block(found, &wanted),
            FieldType::Date if DateExpression::parse(&wanted).is_some() => {
                self.is_at(found, &wanted, &|at, first, last| first <= at && at <= last)
            }
            FieldType::Number if number(&wanted).is_some() => {
                matches!(found, Json::String(text) if *text == wanted)
                    || number_of(found, Spelling::TextToo) == number(&wanted)
            }
            _ if found.is_number() => match number(&wanted) {
                Some(wanted) => number_of(found, Spelling::NumberOnly) == Some(wanted),
                None => false,
            },
            _ => is_same_text,
        }
    }

    fn lies(
        &self,
        found: &Json,
        operator: RangeOperator,
        literal: &Literal,
        of: FieldType,
    ) -> bool {
        if matches!(literal, Literal::Null) {
            return false;
        }
        let bound = spelled(literal);
        let is_on = |order: std::cmp::Ordering| match operator {
            RangeOperator::Below => order.is_lt(),
            RangeOperator::AtMost => order.is_le(),
            RangeOperator::Above => order.is_gt(),
            RangeOperator::AtLeast => order.is_ge(),
        };
        match of {
            FieldType::Number => match (number_of(found, Spelling::TextToo), number(&bound)) {
                (Some(found), Some(bound)) => found.partial_cmp(&bound).is_some_and(is_on),
                _ => false,
            },
            FieldType::Ip => match (found.as_str().and_then(address), block(&bound)) {
                (Some(found), Some((first, last))) => match operator {
                    RangeOperator::Below | RangeOperator::AtLeast => is_on(found.cmp(&first)),
                    RangeOperator::Above | RangeOperator::AtMost => is_on(found.cmp(&last)),
                },
                _ => false,
            },
            FieldType::Date => self.is_at(found, &bound, &|at, first, last| match operator {
                RangeOperator::Below | RangeOperator::AtLeast => is_on(at.cmp(&first)),
                RangeOperator::Above | RangeOperator::AtMost => is_on(at.cmp(&last)),
            }),
            FieldType::Flattened => is_on(text(found).cmp(&bound)),
            FieldType::Keyword | FieldType::Boolean | FieldType::Text => {
                match (number_of(found, Spelling::NumberOnly), number(&bound)) {
                    (Some(found), Some(bound)) => found.partial_cmp(&bound).is_some_and(is_on),
                    _ => is_on(text(found).cmp(&bound)),
                }
            }
        }
    }

    fn is_at(&self, found: &Json, text: &str, test: &dyn Fn(i64, i64, i64) -> bool) -> bool {
        let at = match found {
            Json::String(text) => date::instant(text),
            Json::Number(number) => number.as_f64().map(|millis| millis.floor() as i64),
            _ => None,
        };
        let interval = DateExpression::parse(text).and_then(|date| date.interval(self.now));
        at.zip(interval).is_some_and(|(at, interval)| test(at, interval.first, interval.last))
    }
}

/// `name` below `prefix`.
fn full(prefix: &str, name: &Pattern) -> Pattern {
    let name = name.pieces().join("*");
    let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
    Pattern::from_pieces(name.split('*').map(str::to_owned).collect())
}

/// The names above `name`: `a.b.c` → `a`, `a.b`.
fn above(name: &str) -> Vec<String> {
    let ends = name.match_indices('.').map(|(at, _)| at);
    ends.filter_map(|at| name.get(..at)).map(str::to_owned).collect()
}

fn every_leaf<'d>(value: &'d Json, name: &str, leaves: &mut Vec<Leaf<'d>>) {
    match value {
        Json::Object(members) => {
            for (key, value) in members {
                every_leaf(value, &below(name, key), leaves);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| every_leaf(item, name, leaves)),
        _ => leaves.push(Leaf { name: name.to_owned(), value }),
    }
}

/// Every object with its name, where a dotted key makes no object of its own: `{"a.b":{}}` holds
/// the object `a.b`, and an object `a` whose only member is `b`.
fn every_object(value: &Json, name: &str, objects: &mut Vec<(String, Json)>) {
    match value {
        Json::Object(members) => {
            for (key, value) in members {
                let parts: Vec<&str> = key.split('.').collect();
                for end in 1..parts.len() {
                    let (head, rest) = parts.split_at(end);
                    let mut object = serde_json::Map::new();
                    object.insert(rest.join("."), value.clone());
                    objects.push((below(name, &head.join(".")), Json::Object(object)));
                }
                let name = below(name, key);
                push_objects(value, &name, objects);
                every_object(value, &name, objects);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| every_object(item, name, objects)),
        _ => {}
    }
}

fn push_objects(value: &Json, name: &str, objects: &mut Vec<(String, Json)>) {
    match value {
        Json::Object(_) => objects.push((name.to_owned(), value.clone())),
        Json::Array(items) => items.iter().for_each(|item| push_objects(item, name, objects)),
        _ => {}
    }
}

fn below(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") }
}

fn spelled(literal: &Literal) -> String {
    match literal {
        Literal::Null => "null".to_owned(),
        Literal::Bool(value) => value.to_string(),
        Literal::Quoted(text) => text.clone(),
        Literal::Unquoted(pattern) => pattern.pieces().join("*"),
    }
}

/// What a keyword field would hold.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            (_, _, Some(float)) => format!("{float:?}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = |word: &str| word.chars().flat_map(char::to_lowercase).collect();
    text.split_word_bounds()
        .filter(|part| part.chars().any(char::is_alphanumeric))
        .map(lower)
        .collect()
}

/// Tries every way to split: the slow meaning of `*`.
fn is_like(found: &Json, pattern: &Pattern, of: FieldType) -> bool {
    if matches!(found, Json::Object(_)) {
        return false;
    }
    if pattern.is_any() {
        return true;
    }
    if of != FieldType::Text {
        return star(&text(found), pattern.pieces());
    }
    let found = words(&text(found));
    pattern.pieces().join("*").split_whitespace().any(|part| {
        if !part.contains('*') {
            return words(part).iter().any(|word| found.contains(word));
        }
        let lowered: String = part.chars().flat_map(char::to_lowercase).collect();
        let pieces: Vec<String> = lowered.split('*').map(str::to_owned).collect();
        found.iter().any(|word| star(word, &pieces))
    })
}

fn star(text: &str, pieces: &[String]) -> bool {
    match pieces {
        [] => text.is_empty(),
        [only] => text == only,
        [first, rest @ ..] => text.strip_prefix(first.as_str()).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.filter_map(|at| text.get(at..)).any(|left| star(left, rest))
        }),
    }
}

/// Which values count as numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    NumberOnly,
    TextToo,
}

fn number(text: &str) -> Option<f64> {
    let is_plain = text.chars().all(|symbol| "0123456789+-.eE".contains(symbol));
    text.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
}

fn number_of(value: &Json, spelling: Spelling) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) if spelling == Spelling::TextToo => number(text),
        _ => None,
    }
}

fn address(text: &str) -> Option<u128> {
    match text.parse().ok()? {
        IpAddr::V4(address) => Some(0xffff_0000_0000 | u128::from(u32::from(address))),
        IpAddr::V6(address) => Some(u128::from(address)),
    }
}

/// The first and the last address of a block, bit by bit.
fn block(text: &str) -> Option<(u128, u128)> {
    let (start, length) = match text.split_once('/') {
        None => (text, None),
        Some((start, length)) => {
            let is_plain = length.chars().all(|symbol| symbol.is_ascii_digit());
            (start, Some(length.parse::<u32>().ok().filter(|_| is_plain)?))
        }
    };
    let bits = if start.contains(':') { 128 } else { 32 };
    let fixed = length.unwrap_or(bits);
    if fixed > bits {
        return None;
    }
    let (mut first, mut last) = (address(start)?, address(start)?);
    for bit in 0..bits - fixed {
        first &= !(1 << bit);
        last |= 1 << bit;
    }
    Some((first, last))
}

fn is_in_block(found: &Json, wanted: &str) -> bool {
    let found = found.as_str().and_then(address);
    found.zip(block(wanted)).is_some_and(|(at, (first, last))| first <= at && at <= last)
}
