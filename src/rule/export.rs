//! The reader of Kibana's rule export: one JSON object a line.
//!
//! An export also holds what belongs to its rules (exception lists, connectors) and ends with a
//! summary; those lines are told apart here, so that none is taken for a broken rule.

use serde_json::Value as Json;

use super::document::{Content, Item, Table};

/// One line of an export.
pub(super) struct Line<'t> {
    /// The line's first byte in the file.
    pub(super) at: usize,
    /// The line.
    pub(super) text: &'t str,
    pub(super) content: Result<LineContent, String>,
}

/// What a line holds.
pub(super) enum LineContent {
    Rule(Table),
    /// Something else: its name, and why it does not judge.
    Other {
        name: String,
        reason: &'static str,
    },
    /// The last line of an export: how many of what was exported.
    Summary,
}

/// Whether `text` is an export rather than TOML, in which no value can stand at the beginning.
pub(super) fn is_export(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('{')
}

/// The lines of an export that are not blank.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let line = line.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        (!line.is_empty()).then(|| Line { at: start, text: line, content: content(line, start) })
    })
}

fn content(line: &str, at: usize) -> Result<LineContent, String> {
    let json: Json = serde_json::from_str(line).map_err(|fault| fault.to_string())?;
    let name = json.get("name").or_else(|| json.get("id")).and_then(Json::as_str);
    let name = name.unwrap_or_default().to_owned();
    let has = |key: &str| json.get(key).is_some();
    if has("exported_count") || has("exported_rules_count") {
        return Ok(LineContent::Summary);
    }
    if has("list_id") || has("item_id") {
        let reason = "an exception list; name the file under `exceptions` instead";
        return Ok(LineContent::Other { name, reason });
    }
    if has("attributes") {
        return Ok(LineContent::Other { name, reason: "a saved object of Kibana, not a rule" });
    }
    match Item::from_json(json, at).content {
        Content::Table(table) => Ok(LineContent::Rule(table)),
        _ => Err("the line is not an object".to_owned()),
    }
}
