//! Prints the effective configuration as TOML, each value with where it came from.
//!
//! It can be printed anywhere: where a secret is stands in it, the secret never does, because the
//! tree of values does not hold one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::origin::{KeyPath, Origin};
use super::tree::{Leaf, Tree};

/// The effective configuration: `written`, and the documented defaults where nothing is written.
#[must_use]
pub fn show(written: &Tree) -> String {
    let effective = Tree::documented().overlaid(written);
    let mut tables: BTreeMap<KeyPath, Vec<(&KeyPath, &Leaf)>> = BTreeMap::new();
    for (key, leaf) in effective.leaves() {
        let is_table = leaf.value.as_table().is_some_and(toml::Table::is_empty);
        if is_table {
            tables.entry(key.clone()).or_default();
        } else {
            tables.entry(key.parent()).or_default().push((key, leaf));
        }
    }
    let mut text = String::new();
    for (table, leaves) in &tables {
        if !table.parts().is_empty() {
            let origin = effective.leaves().get(table).map(|leaf| &leaf.origin);
            line(&mut text, &format!("[{table}]"), origin);
        }
        for (key, leaf) in leaves {
            let name = KeyPath::default().child(key.name());
            line(&mut text, &format!("{name} = {}", leaf.value), Some(&leaf.origin));
        }
    }
    text
}

/// Columns before the comment, where a line is not longer.
const COMMENT_COLUMN: usize = 48;

fn line(text: &mut String, statement: &str, origin: Option<&Origin>) {
    if statement.starts_with('[') && !text.is_empty() {
        text.push('\n');
    }
    // A comment ends with its line: a path in it may not bring another.
    let origin = origin.map(|origin| origin.to_string().replace(char::is_control, "?"));
    let _ = match origin {
        Some(origin) => writeln!(text, "{statement:COMMENT_COLUMN$} # {origin}"),
        None => writeln!(text, "{statement}"),
    };
}
