//! Headers of alerts, and the one way in which outside text gets into a header: escaped.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::rule_part::RulePart;
use crate::record::{Header, OutputHeader, Record};
use crate::rule::Severity;
use crate::text::escaped;

/// The version of the alert's shape.
const SCHEMA: &str = "1";

/// Headers that are passed on without being asked for: the trace that a record belongs to.
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// What alerts and notices have in common.
pub(super) fn common(
    id: &str,
    rule: &RulePart,
    severity: Severity,
    revision: &'static str,
) -> Vec<OutputHeader> {
    let mut headers = Vec::with_capacity(8);
    headers.extend([
        fixed("content-type", "application/json"),
        fixed("ouzel.schema", SCHEMA),
        pair("ouzel.alert.id", id),
        pair("ouzel.rule.id", &rule.id_line),
        fixed("ouzel.severity", severity.name()),
        fixed("ouzel.revision", revision),
    ]);
    headers
}

/// The headers of a record that its alerts pass on: the trace, and what `named` asks for. Nobody
/// but this program says what an `ouzel.` header says.
pub(super) fn passed_on(record: &Record<'_>, named: &[String]) -> Vec<OutputHeader> {
    let is_wanted = |header: &Header<'_>| {
        let mut names = TRACE_HEADERS.into_iter().chain(named.iter().map(String::as_str));
        names.any(|name| name == header.name) && !header.name.starts_with("ouzel.")
    };
    let escape = |bytes: &[u8]| one_line(bytes, usize::MAX).into_bytes();
    all(record)
        .filter(is_wanted)
        .map(|header| (header.name.to_owned().into(), header.value.map(escape).map(Cow::Owned)))
        .collect()
}

/// The headers of `record`, in order.
pub(super) fn all<'a>(record: &Record<'a>) -> impl Iterator<Item = Header<'a>> + use<'a> {
    let headers = record.headers;
    (0..headers.count()).map_while(|index| headers.at(index))
}

/// One header with a text.
pub(super) fn pair(name: &'static str, value: &str) -> OutputHeader {
    (name.into(), Some(value.as_bytes().to_vec().into()))
}

/// One header with a text that is always the same.
pub(super) fn fixed(name: &'static str, value: &'static str) -> OutputHeader {
    (name.into(), Some(value.as_bytes().into()))
}

/// `bytes` as one line of text of at most `bytes_max` bytes: control and other unfit characters
/// escaped, bytes that are no UTF-8 as `\x..`. A text that is cut ends with `…`.
pub(super) fn one_line(bytes: &[u8], bytes_max: usize) -> String {
    const MARK: &str = "…";
    // An escape is longer than what it stands for, so no more than this can be shown.
    let shown = bytes.get(..bytes_max).unwrap_or(bytes);
    let mut line = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        write!(line, "{}", escaped(chunk.valid())).expect("writing into memory cannot fail");
        // What the cut above left of a character is no fault of the text.
        if shown.len() == bytes.len() || !shown.ends_with(chunk.invalid()) {
            for byte in chunk.invalid() {
                write!(line, "\\x{byte:02x}").expect("writing into memory cannot fail");
            }
        }
    }
    if line.len() > bytes_max || shown.len() < bytes.len() {
        let most = bytes_max.saturating_sub(MARK.len());
        while line.len() > most {
            line.pop();
        }
        line.push_str(MARK);
    }
    line
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
        check(b"a\r\nb\x1b[31m\x7f", 100, "a\\r\\nb\\u{1b}[31m\\u{7f}");
        check("ü\u{202e}".as_bytes(), 100, "ü\\u{202e}");
        check(b"\xff\xfe", 100, "\\xff\\xfe");
        check(b"longer than that", 8, "longe…");
        check("äöüäöü".as_bytes(), 8, "äö…");
    }
}
