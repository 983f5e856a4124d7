//! Exceptions in TOML.
//!
//! ```toml
//! [[exception]]
//! id = "identity-desk"
//! owner = "identity@example.org"
//! reason = "The identity desk resets factors on request"
//! ticket = "SEC-1204"
//! rules = ["729aa18d-06a6-41c7-b175-b65b739b1181"]   # without it: all rules
//! query = 'okta.actor.alternate_id:"desk@example.org"'
//! expires = "2026-12-31"
//!
//! [[exception.schedule]]
//! days = ["sat"]
//! from = "20:00"
//! to = "23:00"
//! time_zone = "Europe/Berlin"
//!
//! [[list]]                # says which rules an exported list applies to
//! list_id = "okta-desk"
//! rules = ["729aa18d-06a6-41c7-b175-b65b739b1181"]
//! ```
//!
//! Instead of `query` an exception may hold Elastic's `entries`.

use serde::Deserialize;

use super::elastic_item::{self, Asked};
use super::exception::Fault;
use super::exception_text::{Context, Entry, ExceptionText, ListScope};
use super::schedule::{Window, WindowText};
use crate::kql;
use crate::record::Timestamp;

const FILE_KEYS: [&str; 2] = ["exception", "list"];
const EXCEPTION_KEYS: [&str; 10] = [
    "id",
    "owner",
    "reason",
    "ticket",
    "rules",
    "query",
    "entries",
    "expires",
    "schedule",
    "allow_missing",
];
const LIST_KEYS: [&str; 8] =
    ["list_id", "owner", "reason", "ticket", "rules", "expires", "schedule", "allow_missing"];

/// The keys that both tables have, and their own.
#[derive(Debug, Default, Deserialize)]
struct Written {
    id: Option<String>,
    list_id: Option<String>,
    owner: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
    rules: Option<Vec<String>>,
    query: Option<String>,
    entries: Option<serde_json::Value>,
    expires: Option<toml::Value>,
    #[serde(default)]
    schedule: Vec<WindowText>,
    #[serde(default)]
    allow_missing: bool,
}

/// Reads one file: its exceptions go to `entries`, its `[[list]]` tables into the context.
pub(super) fn read(
    text: &ExceptionText<'_>,
    context: &mut Context<'_>,
    entries: &mut Vec<Entry>,
    faults: &mut Vec<Fault>,
) {
    let file: toml::Table = match text.text.parse() {
        Ok(file) => file,
        Err(cause) => {
            let line = cause.span().map(|span| line_at(text.text, span.start));
            faults.push(fault(text, line, None, format!("is no TOML: {}", cause.message())));
            return;
        }
    };
    for key in file.keys().filter(|key| !FILE_KEYS.contains(&key.as_str())) {
        let message = unknown(key, &FILE_KEYS);
        faults.push(fault(text, line_of(text.text, key), None, message));
    }
    for (line, table) in tables(&file, "list", text) {
        match scope(table) {
            Ok((id, scope)) => {
                context.scopes.insert(id, scope);
            }
            Err(messages) => {
                faults.extend(messages.into_iter().map(|what| fault(text, line, None, what)));
            }
        }
    }
    for (line, table) in tables(&file, "exception", text) {
        match exception(table, context) {
            Ok(entry) => entries.push(Entry { origin: text.origin.to_owned(), line, ..entry }),
            Err(messages) => {
                let id = table.get("id").and_then(toml::Value::as_str);
                faults.extend(messages.into_iter().map(|what| fault(text, line, id, what)));
            }
        }
    }
}

fn exception(table: &toml::Table, context: &Context<'_>) -> Result<Entry, Vec<String>> {
    let mut faults = unknown_keys(table, &EXCEPTION_KEYS);
    let written = match written(table) {
        Ok(written) => written,
        Err(fault) => {
            faults.push(fault);
            return Err(faults);
        }
    };
    if written.id.as_deref().is_none_or(str::is_empty) {
        faults.push("has no `id`; it is counted and audited under that name".to_owned());
    }
    let mut asked = Asked::default();
    let mut query = None;
    match (&written.query, &written.entries) {
        (Some(text), None) => match kql::parse(text) {
            Ok(parsed) => query = Some(parsed),
            Err(found) => faults.extend(found.iter().map(|found| found.render(text, 0))),
        },
        (None, Some(entries)) => {
            elastic_item::entries_of(Some(entries), context, &mut asked, &mut faults);
        }
        _ => faults.push("needs either `query` or `entries`".to_owned()),
    }
    let scope = around(&written, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Entry {
        id: written.id.unwrap_or_default(),
        owner: scope.owner,
        reason: scope.reason,
        ticket: scope.ticket,
        rules: scope.rules,
        expires: scope.expires,
        schedule: scope.schedule,
        allows_missing: scope.allows_missing,
        query: query.unwrap_or_else(|| asked.query()),
        lists: asked.lists,
        origin: String::new(),
        line: None,
        notes: Vec::new(),
    })
}

fn scope(table: &toml::Table) -> Result<(String, ListScope), Vec<String>> {
    let mut faults = unknown_keys(table, &LIST_KEYS);
    let written = match written(table) {
        Ok(written) => written,
        Err(fault) => {
            faults.push(fault);
            return Err(faults);
        }
    };
    let scope = around(&written, &mut faults);
    match written.list_id {
        Some(id) if faults.is_empty() => Ok((id, scope)),
        Some(_) => Err(faults),
        None => {
            faults.push("[[list]] has no `list_id`".to_owned());
            Err(faults)
        }
    }
}

/// What stands around a condition, the same in both tables.
fn around(written: &Written, faults: &mut Vec<String>) -> ListScope {
    let mut schedule = Vec::new();
    for window in &written.schedule {
        match Window::parse(window) {
            Ok(window) => schedule.push(window),
            Err(found) => faults.extend(found),
        }
    }
    let expires = written.expires.as_ref().and_then(|value| match end(value) {
        Some(time) => Some(time),
        None => {
            faults.push(format!(
                "`expires` is {value}; allowed are a date (2026-03-01: through that day, UTC) and \
                 an RFC 3339 time (2026-03-01T12:00:00+01:00)"
            ));
            None
        }
    });
    if written.rules.as_ref().is_some_and(Vec::is_empty) {
        faults.push("`rules` is empty; leave it out to mean all rules".to_owned());
    }
    ListScope {
        rules: written.rules.clone(),
        owner: written.owner.clone(),
        reason: written.reason.clone(),
        ticket: written.ticket.clone(),
        expires,
        schedule,
        allows_missing: written.allow_missing,
    }
}

fn written(table: &toml::Table) -> Result<Written, String> {
    table.clone().try_into().map_err(|cause: toml::de::Error| cause.message().to_owned())
}

/// The end of an exception: a time, or a date, which is meant to its last moment in UTC. TOML's
/// own dates are read as well.
fn end(value: &toml::Value) -> Option<Timestamp> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Datetime(time) => time.to_string(),
        _ => return None,
    };
    if let Ok(day) = jiff::civil::Date::strptime("%Y-%m-%d", &text) {
        let next = day.tomorrow().ok()?;
        return elastic_item::instant(&format!("{next}T00:00:00Z"));
    }
    elastic_item::instant(&text)
}

/// The tables under `[[name]]`, each with the line of its heading.
fn tables<'f>(
    file: &'f toml::Table,
    name: &'static str,
    text: &ExceptionText<'_>,
) -> Vec<(Option<usize>, &'f toml::Table)> {
    let heading = format!("[[{name}]]");
    let mut lines =
        (1..).zip(text.text.lines()).filter(|(_, line)| line.trim().starts_with(&heading));
    let tables = file.get(name).and_then(toml::Value::as_array).map(Vec::as_slice);
    let tables = tables.unwrap_or_default().iter().filter_map(toml::Value::as_table);
    tables.map(|table| (lines.next().map(|(line, _)| line), table)).collect()
}

fn unknown_keys(table: &toml::Table, allowed: &[&str]) -> Vec<String> {
    let unknown_to = |key: &&String| !allowed.contains(&key.as_str());
    table.keys().filter(unknown_to).map(|key| unknown(key, allowed)).collect()
}

fn unknown(key: &str, allowed: &[&str]) -> String {
    let nearest = allowed
        .iter()
        .map(|name| (strsim::jaro_winkler(key, name), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    let hint = nearest.map(|(_, name)| format!("; did you mean `{name}`?")).unwrap_or_default();
    format!("unknown key `{key}`{hint}; allowed are {}", allowed.join(", "))
}

fn line_of(text: &str, key: &str) -> Option<usize> {
    (1..)
        .zip(text.lines())
        .find(|(_, line)| line.trim_start_matches(['[', ' ']).starts_with(key))
        .map(|(number, _)| number)
}

fn line_at(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

fn fault(
    text: &ExceptionText<'_>,
    line: Option<usize>,
    exception: Option<&str>,
    message: String,
) -> Fault {
    let exception = exception.map(str::to_owned);
    Fault { origin: text.origin.to_owned(), line, exception, message }
}
