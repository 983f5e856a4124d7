//! The reader of TOML, as github.com/elastic/detection-rules writes its files.
//!
//! Turns text into a tree in which every value knows its place. What the keys mean is decided in
//! `reader`; a syntax fault here does not hide the next one.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Content, Entry, Item, Table};

/// A syntax fault: where, and what.
pub(super) struct SyntaxFault {
    pub(super) at: usize,
    pub(super) message: String,
}

/// Parses a whole file.
pub(super) fn parse(text: &str) -> Result<Table, Vec<SyntaxFault>> {
    let (root, faults) = DeTable::parse_recoverable(text);
    if faults.is_empty() {
        let at = root.span().start;
        return Ok(table(root.into_inner(), at));
    }
    let fault = |fault: &toml::de::Error| SyntaxFault {
        at: fault.span().map_or(text.len(), |span| span.start),
        message: fault.message().to_owned(),
    };
    Err(faults.iter().map(fault).collect())
}

fn table(found: DeTable<'_>, at: usize) -> Table {
    let entry = |(name, value): (Spanned<_>, Spanned<DeValue<'_>>)| {
        let at = name.span().start;
        let name: std::borrow::Cow<'_, str> = name.into_inner();
        Entry { name: name.into_owned(), at, item: item(value) }
    };
    Table { at, entries: found.into_iter().map(entry).collect() }
}

fn item(found: Spanned<DeValue<'_>>) -> Item {
    let at = found.span().start;
    let content = match found.into_inner() {
        DeValue::String(text) => Content::Text(text.into_owned()),
        DeValue::Integer(integer) => integer_content(integer.as_str(), integer.radix()),
        DeValue::Float(float) => Content::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Content::Bool(value),
        DeValue::Datetime(time) => Content::Text(time.to_string()),
        DeValue::Array(items) => Content::List(items.into_iter().map(item).collect()),
        DeValue::Table(inner) => Content::Table(table(inner, at)),
    };
    Item { at, content }
}

/// An integer beyond 64 bits becomes a number of less precision: no key allows it anyway.
fn integer_content(digits: &str, radix: u32) -> Content {
    match i64::from_str_radix(digits, radix) {
        Ok(integer) => Content::Integer(integer),
        Err(_) => Content::Float(digits.parse().unwrap_or(f64::NAN)),
    }
}

/// How many lines stand before the first line of the text value that begins at `at`: a newline
/// right behind the opening quotes is not part of the value.
pub(super) fn lines_before_value(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text).matches('\n').count();
    let value = text.get(at..).unwrap_or_default();
    let is_multi_line = ["'''", "\"\"\""].into_iter().any(|quotes| {
        let rest = value.strip_prefix(quotes);
        rest.is_some_and(|rest| rest.starts_with('\n') || rest.starts_with("\r\n"))
    });
    before + usize::from(is_multi_line)
}
