//! Events that a query is close to: for each field some value that it asks for, nearly asks for,
//! or does not.

use ouzel::event::{FieldType, FieldTypes};
use ouzel::kql::{Expr, Literal, Node, Pattern};
use serde_json::{Map, Value as Json, json};

use super::random::Random;

/// What one clause asks of one field.
pub struct Asked<'q> {
    /// The whole path; `None`: free text.
    pub field: Option<String>,
    pub value: Test<'q>,
}

pub enum Test<'q> {
    Exists,
    Is(&'q Literal),
    Range(&'q Literal),
}

/// What every clause of `node` asks, names made whole with `prefix`.
pub fn asked<'q>(node: &'q Node, prefix: &str, found: &mut Vec<Asked<'q>>) {
    let whole = |field: &Pattern| {
        let name = field.pieces().join("*");
        if prefix.is_empty() { name } else { format!("{prefix}.{name}") }
    };
    match &node.expr {
        Expr::All | Expr::Like { .. } => {}
        Expr::And(operands) | Expr::Or(operands) => {
            operands.iter().for_each(|operand| asked(operand, prefix, found));
        }
        Expr::Not(inner) => asked(inner, prefix, found),
        Expr::Is { field, value } => {
            found.push(Asked { field: field.as_ref().map(whole), value: Test::Is(value) });
        }
        Expr::Exists { field } => {
            found.push(Asked { field: Some(whole(field)), value: Test::Exists });
        }
        Expr::Range { field, value, .. } => {
            found.push(Asked { field: Some(whole(field)), value: Test::Range(value) });
        }
        Expr::Nested { path, query } => asked(query, &whole(path), found),
    }
}

/// The paths of nested queries.
pub fn nested_paths(node: &Node, prefix: &str, found: &mut Vec<String>) {
    match &node.expr {
        Expr::And(operands) | Expr::Or(operands) => {
            operands.iter().for_each(|operand| nested_paths(operand, prefix, found));
        }
        Expr::Not(inner) => nested_paths(inner, prefix, found),
        Expr::Nested { path, query } => {
            let name = path.pieces().join("*");
            let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            nested_paths(query, &path, found);
            found.push(path);
        }
        _ => {}
    }
}

/// The number that `text` is, as everybody writes it; 0 and 1 are left out because Python takes
/// them for booleans.
fn plain_number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text && number > 1).then_some(number)
}

fn near(text: &str, random: &mut Random) -> Json {
    let number = plain_number(text).filter(|_| random.once_in(2));
    if let Some(number) = number {
        return json!(number + [0, 0, 2, 3][random.below(4)]);
    }
    Json::from(match random.below(8) {
        0 => format!("{text}x"),
        1 => format!("x{text}"),
        2 => text.to_uppercase(),
        3 => text.chars().skip(1).collect(),
        _ => text.to_owned(),
    })
}

fn address(text: &str, random: &mut Random) -> Json {
    let start = text.split('/').next().unwrap_or_default();
    Json::from(match random.below(4) {
        0 => "8.8.8.8".to_owned(),
        1 => "10.255.255.255".to_owned(),
        2 => format!("{}.254", start.rsplit_once('.').map_or(start, |(head, _)| head)),
        _ => start.to_owned(),
    })
}

fn filled(pattern: &Pattern, random: &mut Random) -> Json {
    let mut out = String::new();
    for (index, piece) in pattern.pieces().iter().enumerate() {
        if index > 0 {
            out.push_str(random.of::<&str>(&["", "z", "a b", "\n", "é."]));
        }
        out.push_str(piece);
    }
    near(&out, random)
}

/// A value that `test` may or may not like. Numbers stand only where they are asked for.
fn value(test: &Test<'_>, of: FieldType, random: &mut Random) -> Json {
    if of == FieldType::Ip {
        return match test {
            Test::Is(Literal::Quoted(text)) => address(text, random),
            Test::Is(Literal::Unquoted(pattern)) => address(&pattern.pieces().join(""), random),
            _ => json!("10.0.0.1"),
        };
    }
    // Elasticsearch refuses the document where a number field holds another text.
    let is_odd = |found: &Json| of == FieldType::Number && found.is_string();
    Some(found_for(test, random)).filter(|found| !is_odd(found)).unwrap_or(json!(7))
}

fn found_for(test: &Test<'_>, random: &mut Random) -> Json {
    match test {
        Test::Exists => random.of(&[json!("v"), json!(false), json!(""), json!("w")]).clone(),
        Test::Is(Literal::Null) => json!("null"),
        Test::Is(Literal::Bool(_)) => json!(random.once_in(2)),
        Test::Is(Literal::Quoted(text)) => near(text, random),
        Test::Range(Literal::Quoted(text)) => near(text, random),
        Test::Is(Literal::Unquoted(pattern)) => filled(pattern, random),
        Test::Range(Literal::Unquoted(pattern)) => {
            let text = pattern.pieces().join("");
            match plain_number(&text) {
                // A step below 3 might reach 1, which is a boolean to Python.
                Some(number) if number < 3 => json!(number + 5),
                Some(number) => json!(number + [-1, 0, 1][random.below(3)]),
                None => near(&text, random),
            }
        }
        Test::Range(_) => json!(7),
    }
}

fn insert(object: &mut Map<String, Json>, path: &[&str], value: Json, random: &mut Random) {
    let Some((head, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        object.entry(*head).or_insert(value);
        return;
    }
    let below = object.entry(*head).or_insert_with(|| json!({}));
    if let Json::Array(items) = below {
        let at = random.below(items.len());
        below_of(&mut items[at], rest, value, random);
        return;
    }
    below_of(below, rest, value, random);
}

fn below_of(below: &mut Json, rest: &[&str], value: Json, random: &mut Random) {
    if let Json::Object(inner) = below {
        insert(inner, rest, value, random);
    }
}

/// An event for a query whose clauses are `asked` and whose nested paths are `nested`.
pub fn event(
    asked: &[Asked<'_>],
    nested: &[String],
    types: &FieldTypes,
    random: &mut Random,
) -> Json {
    let mut event = Map::new();
    for path in nested {
        let path: Vec<&str> = path.split('.').collect();
        let objects: Vec<Json> = (0..1 + random.below(3)).map(|_| json!({"other": "w"})).collect();
        insert(&mut event, &path, Json::Array(objects), random);
    }
    let is_compared = |field: &str| {
        let mut tests = asked.iter().filter(|one| one.field.as_deref() == Some(field));
        tests.any(|one| matches!(one.value, Test::Range(_)))
    };
    // Each clause gives its field a value, or a value more.
    for (index, one) in asked.iter().enumerate() {
        if random.once_in(6) {
            continue;
        }
        let field = one.field.clone().unwrap_or_else(|| format!("free{index}.word"));
        let of = types.of(&field);
        let found = value(&one.value, of, random);
        let found = match random.below(10) {
            0 => json!([found, value(&one.value, of, random)]),
            1 => json!([null, found]),
            2 => Json::Null,
            3 if of != FieldType::Number => json!([found, "w"]),
            _ => found,
        };
        let found = match &found {
            Json::Array(_) if of == FieldType::Ip => json!("10.0.0.1"),
            // Python orders booleans among numbers.
            Json::Bool(_) if is_compared(&field) => json!(7),
            Json::Array(items) if is_compared(&field) && items.iter().any(Json::is_boolean) => {
                json!([7, 8])
            }
            _ => found,
        };
        insert(&mut event, &field.split('.').collect::<Vec<_>>(), found, random);
    }
    if let Some(inner) = nested.first().filter(|_| random.once_in(4)) {
        event.remove(inner.split('.').next().unwrap_or_default());
    }
    event.entry("unrelated").or_insert(json!("w"));
    Json::Object(event)
}
