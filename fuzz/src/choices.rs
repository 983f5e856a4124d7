//! Queries and payloads out of the fuzzer's bytes.
//!
//! Names and texts come from small pools that meet often, now and then from the bytes themselves.
//! Payloads are written with every spelling that JSON allows for a character, bare or wrapped, so
//! that what the prefilter looks for hides wherever it can.

use arbitrary::{Result, Unstructured};
use ouzel::kql::{Expr, Literal, Node, Pattern, RangeOperator, Span};
use serde_json::Value as Json;

const NAMES: [&str; 16] = [
    "a",
    "o.k",
    "o.k.z",
    "event.action",
    "event.outcome",
    "okta.event_type",
    "okta.actor.alternate_id",
    "okta.target",
    "okta.target.id",
    "okta.outcome.reason",
    "source.ip",
    "@timestamp",
    "message",
    "user.name",
    "list.x",
    "event.category",
];

const WILD_NAMES: [&str; 6] = ["o.*", "*.ip", "okta*", "list.*", "*a*", "okta.*.alternate_id"];

const TEXTS: [&str; 26] = [
    "x",
    "X",
    "xy",
    "x y",
    "x-y Z",
    "5",
    "05",
    "5.0",
    "true",
    "null",
    "",
    "é É",
    "user.mfa.factor.reset_all",
    "user.session.start",
    "policy.lifecycle.update",
    "homer@example.com",
    "homer",
    "SUCCESS",
    "success",
    "10.0.0.1",
    "10.0.0.0/8",
    "fe80::1",
    "2026-01-01T00:00:00.000Z",
    "2026",
    "now-1d",
    "a/b\\c\"d",
];

const WILD_TEXTS: [&str; 8] =
    ["user.*", "*.reset_all", "*mfa*", "h*r", "*@example.com", "10.*", "*", "x*y*"];

fn node(expr: Expr) -> Node {
    Node { expr, span: Span::default() }
}

fn pattern(text: &str) -> Pattern {
    Pattern::from_pieces(text.split('*').map(str::to_owned).collect())
}

fn text(bytes: &mut Unstructured<'_>) -> Result<String> {
    match bytes.ratio(1, 8)? {
        true => Ok(bytes.arbitrary::<&str>()?.chars().take(24).collect()),
        false => Ok((*bytes.choose(&TEXTS)?).to_owned()),
    }
}

fn field(bytes: &mut Unstructured<'_>) -> Result<Pattern> {
    let pool: &[&str] = if bytes.ratio(1, 8)? { &WILD_NAMES } else { &NAMES };
    Ok(pattern(bytes.choose(pool)?))
}

fn literal(bytes: &mut Unstructured<'_>) -> Result<Literal> {
    Ok(match bytes.int_in_range(0..=9)? {
        0 => Literal::Null,
        1 => Literal::Bool(bytes.arbitrary()?),
        2 | 3 => Literal::Unquoted(pattern(bytes.choose(&WILD_TEXTS)?)),
        // The parser never leaves white space at an end.
        4..=6 => Literal::Unquoted(Pattern::exact(text(bytes)?.trim_matches(is_blank))),
        _ => Literal::Quoted(text(bytes)?),
    })
}

fn is_blank(symbol: char) -> bool {
    symbol.is_whitespace() || symbol == '\u{feff}'
}

fn operands(bytes: &mut Unstructured<'_>, depth: u8) -> Result<Vec<Node>> {
    let count = bytes.int_in_range(2..=3)?;
    (0..count).map(|_| tree(bytes, depth)).collect()
}

/// A tree of a query, as the grammar has it.
///
/// # Errors
/// Where the bytes do not suffice.
pub fn tree(bytes: &mut Unstructured<'_>, depth: u8) -> Result<Node> {
    let kinds = if depth == 0 { 7 } else { 11 };
    Ok(node(match bytes.int_in_range(0..=kinds)? {
        0..=4 => Expr::Is { field: Some(field(bytes)?), value: literal(bytes)? },
        5 => Expr::Is { field: None, value: literal(bytes)? },
        6 => Expr::Exists { field: field(bytes)? },
        7 => {
            let operators = [
                RangeOperator::Below,
                RangeOperator::AtMost,
                RangeOperator::Above,
                RangeOperator::AtLeast,
            ];
            let operator = *bytes.choose(&operators)?;
            Expr::Range { field: field(bytes)?, operator, value: literal(bytes)? }
        }
        8 => Expr::And(operands(bytes, depth - 1)?),
        9 => Expr::Or(operands(bytes, depth - 1)?),
        10 => Expr::Not(Box::new(tree(bytes, depth - 1)?)),
        _ => {
            let path = *bytes.choose(&["list", "list.in", "okta.target", "o", "li*"])?;
            let name = *bytes.choose(&["x", "y", "id", "in.y", "*"])?;
            let is = Expr::Is { field: Some(pattern(name)), value: literal(bytes)? };
            let inner = match bytes.int_in_range(0..=2)? {
                0 => Expr::Not(Box::new(node(is))),
                1 => Expr::And(vec![node(is), tree(bytes, 0)?]),
                _ => is,
            };
            Expr::Nested { path: pattern(path), query: Box::new(node(inner)) }
        }
    }))
}

/// The bytes of a record: JSON, whatever else it may be.
///
/// # Errors
/// Where the bytes do not suffice.
pub fn payload(bytes: &mut Unstructured<'_>) -> Result<String> {
    let mut out = String::new();
    match bytes.int_in_range(0..=3)? {
        0 => object(bytes, 2, &mut out)?,
        _ => okta(bytes, &mut out)?,
    }
    match bytes.int_in_range(0..=7)? {
        0 => wrapped(bytes, &["{\"message\":", "}"], &out),
        1 => wrapped(
            bytes,
            &["{\"data_stream\":{\"dataset\":\"okta.system\"},\"message\":", "}"],
            &out,
        ),
        2 => Ok(format!("[{out},{out}]")),
        3 => Ok(format!("{{\"event\":{out},\"sourcetype\":\"OktaIM2:log\",\"time\":1}}")),
        _ => Ok(out),
    }
}

/// `inner` as a JSON string between two halves.
fn wrapped(bytes: &mut Unstructured<'_>, halves: &[&str; 2], inner: &str) -> Result<String> {
    let mut out = halves[0].to_owned();
    string(bytes, inner, &mut out)?;
    out.push_str(halves[1]);
    Ok(out)
}

/// A System Log event.
fn okta(bytes: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    out.push_str("{\"uuid\":\"u-1\",\"published\":\"2026-01-01T00:00:00.000Z\",");
    for name in ["eventType", "displayMessage", "legacyEventType"] {
        member(bytes, name, out)?;
        out.push(',');
    }
    out.push_str("\"actor\":{");
    for name in ["id", "type", "alternateId"] {
        member(bytes, name, out)?;
        out.push(',');
    }
    member(bytes, "displayName", out)?;
    out.push_str("},\"outcome\":{");
    member(bytes, "result", out)?;
    out.push(',');
    member(bytes, "reason", out)?;
    out.push_str("},\"client\":{");
    member(bytes, "ipAddress", out)?;
    out.push_str("},\"target\":[{\"type\":\"User\",");
    member(bytes, "id", out)?;
    out.push_str("},{");
    member(bytes, "id", out)?;
    out.push_str("}]");
    if bytes.ratio(1, 4)? {
        out.push_str(",\"list\":");
        value(bytes, 2, out)?;
    }
    out.push('}');
    Ok(())
}

fn member(bytes: &mut Unstructured<'_>, name: &str, out: &mut String) -> Result<()> {
    match bytes.ratio(1, 8)? {
        true => string(bytes, name, out)?,
        false => out.push_str(&Json::from(name).to_string()),
    }
    out.push(':');
    value(bytes, 0, out)
}

fn object(bytes: &mut Unstructured<'_>, depth: u8, out: &mut String) -> Result<()> {
    out.push('{');
    for index in 0..bytes.int_in_range(0..=4)? {
        if index > 0 {
            out.push(',');
        }
        let pool: &[&str] = if depth > 1 { &NAMES } else { &["x", "y", "k", "z", "in", "id"] };
        let name = *bytes.choose(pool)?;
        string(bytes, name, out)?;
        out.push(':');
        value(bytes, depth, out)?;
    }
    out.push('}');
    Ok(())
}

fn value(bytes: &mut Unstructured<'_>, depth: u8, out: &mut String) -> Result<()> {
    match bytes.int_in_range(0..=if depth == 0 { 11 } else { 15 })? {
        0 => out.push_str("null"),
        1 => out.push_str(if bytes.arbitrary()? { "true" } else { "false" }),
        2 => out.push_str(&bytes.arbitrary::<i8>()?.to_string()),
        3 => out.push_str(bytes.choose(&[
            "5",
            "5.0",
            "1e2",
            "-0.25",
            "1767225600000",
            "18446744073709551615",
        ])?),
        4..=11 => {
            let text = text(bytes)?;
            string(bytes, &text, out)?;
        }
        12 | 13 => {
            out.push('[');
            for index in 0..bytes.int_in_range(0..=2)? {
                if index > 0 {
                    out.push(',');
                }
                value(bytes, depth - 1, out)?;
            }
            out.push(']');
        }
        _ => object(bytes, depth - 1, out)?,
    }
    Ok(())
}

/// `text` as a JSON string, each character in one of its spellings.
fn string(bytes: &mut Unstructured<'_>, text: &str, out: &mut String) -> Result<()> {
    let is_escaped = bytes.ratio(1, 4)?;
    out.push('"');
    for symbol in text.chars() {
        let short = "\"\\/\u{8}\u{c}\n\r\t".find(symbol).and_then(|_| {
            let at = "\"\\/\u{8}\u{c}\n\r\t".chars().position(|other| other == symbol)?;
            "\"\\/bfnrt".chars().nth(at)
        });
        let must = symbol < ' ' || symbol == '"' || symbol == '\\';
        match (must, short, is_escaped && bytes.ratio(1, 3)?) {
            (_, Some(short), true) | (true, Some(short), false) => {
                out.push('\\');
                out.push(short);
            }
            (true, None, _) | (false, None, true) => unicode(bytes, symbol, out)?,
            (false, _, false) => out.push(symbol),
        }
    }
    out.push('"');
    Ok(())
}

fn unicode(bytes: &mut Unstructured<'_>, symbol: char, out: &mut String) -> Result<()> {
    let is_upper = bytes.arbitrary()?;
    for unit in symbol.encode_utf16(&mut [0; 2]) {
        let digits = if is_upper { format!("{unit:04X}") } else { format!("{unit:04x}") };
        out.push_str("\\u");
        out.push_str(&digits);
    }
    Ok(())
}
