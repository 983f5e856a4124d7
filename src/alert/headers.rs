//! Headers of alerts, and the one way in which outside text gets into a header: escaped.

use std::fmt::Write as _;

use super::AlertId;
use super::build::Resolved;
use super::json::is_hidden;
use crate::record::{Header, Record};

/// Name and value of one header; a `None` value is null.
pub(super) type HeaderPair = (String, Option<Vec<u8>>);

/// The version of the alert's shape.
const SCHEMA: &str = "1";

/// Headers that are passed on without being asked for: the trace that a record belongs to.
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// The headers of one alert.
pub(super) fn of_alert(
    id: AlertId,
    record: &Record<'_>,
    resolved: &Resolved<'_>,
    pass_headers: &[String],
) -> Vec<HeaderPair> {
    let mut headers = common(id, &resolved.rule.id, resolved.severity.name());
    headers.push(pair("ouzel.late", if resolved.is_late { "true" } else { "false" }));
    for header in all(record) {
        let is_named = |name: &str| name == header.name && !name.starts_with("ouzel.");
        if TRACE_HEADERS.into_iter().chain(pass_headers.iter().map(String::as_str)).any(is_named) {
            let value = header.value.map(|bytes| one_line(bytes, usize::MAX).into_bytes());
            headers.push((header.name.to_owned(), value));
        }
    }
    headers
}

/// What alerts and notices have in common.
pub(super) fn common(id: AlertId, rule_id: &str, severity: &str) -> Vec<HeaderPair> {
    vec![
        pair("content-type", "application/json"),
        pair("ouzel.schema", SCHEMA),
        pair("ouzel.alert.id", &id.to_string()),
        pair("ouzel.rule.id", &one_line(rule_id.as_bytes(), usize::MAX)),
        pair("ouzel.severity", severity),
        pair("ouzel.revision", "0"),
    ]
}

/// The headers of `record`, in order.
pub(super) fn all<'a>(record: &Record<'a>) -> impl Iterator<Item = Header<'a>> + use<'a> {
    let headers = record.headers;
    (0..headers.count()).map_while(|index| headers.at(index))
}

/// One header with a text.
pub(super) fn pair(name: &str, value: &str) -> HeaderPair {
    (name.to_owned(), Some(value.as_bytes().to_vec()))
}

/// `bytes` as one line of text of at most `bytes_max` bytes: control and other hidden characters
/// as `\u{…}`, bytes that are no UTF-8 as `\x..`. A text that is cut ends with `…`.
pub(super) fn one_line(bytes: &[u8], bytes_max: usize) -> String {
    const MARK: &str = "…";
    let mut line = String::new();
    for chunk in bytes.utf8_chunks() {
        let escaped_chars = chunk.valid().chars().map(escaped);
        let escaped_bytes = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        for piece in escaped_chars.chain(escaped_bytes) {
            if line.len() + piece.len() > bytes_max {
                cut(&mut line, bytes_max.saturating_sub(MARK.len()));
                line.push_str(MARK);
                return line;
            }
            line.push_str(&piece);
        }
    }
    line
}

fn escaped(symbol: char) -> String {
    let mut text = String::new();
    if is_hidden(symbol) {
        write!(text, "\\u{{{:x}}}", u32::from(symbol)).expect("writing into memory cannot fail");
    } else {
        text.push(symbol);
    }
    text
}

/// Shortens `line` to at most `bytes_max` bytes, never inside a character.
fn cut(line: &mut String, bytes_max: usize) {
    while line.len() > bytes_max {
        line.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_becomes_one_visible_line() {
        let check = |bytes: &[u8], bytes_max: usize, line: &str| {
            assert_eq!(one_line(bytes, bytes_max), line);
            assert!(line.len() <= bytes_max);
        };
        check(b"plain", 5, "plain");
        check(b"a\r\nb\x1b[31m\x7f", 100, "a\\u{d}\\u{a}b\\u{1b}[31m\\u{7f}");
        check("ü\u{202e}".as_bytes(), 100, "ü\\u{202e}");
        check(b"\xff\xfe", 100, "\\xff\\xfe");
        check(b"longer than that", 8, "longe…");
        check("äöüäöü".as_bytes(), 8, "äö…");
    }
}
