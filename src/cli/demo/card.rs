//! One alert as a card for people. Everything in it comes from an event, so it is escaped.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::terminal::{Color, Paint};
use crate::text::escaped;

/// The card.
pub(super) fn card(alert: &Value, paint: Paint) -> String {
    let flat = |name: &str| alert.get(name).map(text).unwrap_or_default();
    let at = |pointer: &str| alert.pointer(pointer).map(text).unwrap_or_default();
    let severity = flat("kibana.alert.severity");
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} {}  severity {}, risk {}",
        paint.paint(Color::Yellow, "┌ ALERT"),
        paint.paint(Color::Bold, &flat("kibana.alert.rule.name")),
        paint.paint(Color::Yellow, &severity),
        flat("kibana.alert.risk_score"),
    );
    let latency = latency_ms(alert)
        .map_or_else(String::new, |ms| format!("  (judged {ms} ms after the record)"));
    let whom = join(&[&at("/user/target/full_name"), &bracketed(&at("/user/target/email"))]);
    let who = join(&[&at("/okta/actor/display_name"), &bracketed(&at("/okta/actor/alternate_id"))]);
    let place = join(&[&at("/client/geo/city_name"), &at("/client/geo/country_name")]);
    let how = join(&[&at("/okta/client/user_agent/os"), &at("/okta/client/user_agent/browser")]);
    let source = format!(
        "{}[{}]@{}  sha256 {}…",
        at("/ouzel/source/topic"),
        at("/ouzel/source/partition"),
        at("/ouzel/source/offset"),
        start(&at("/ouzel/payload/sha256")),
    );
    let rows = [
        ("when", format!("{}{latency}", flat("kibana.alert.original_time"))),
        ("who", who),
        ("whom", whom),
        ("from", join(&[&at("/source/ip"), &place, &how])),
        ("outcome", join(&[&at("/event/outcome"), &format!("by {}", at("/ouzel/channel"))])),
        ("why", clauses(alert)),
        ("proof", source),
        ("id", flat("kibana.alert.uuid")),
    ];
    for (name, value) in rows {
        let _ = writeln!(out, "{} {name:<8}{value}", paint.paint(Color::Yellow, "│"));
    }
    let _ = writeln!(out, "{}\n", paint.paint(Color::Yellow, "└"));
    out
}

/// Milliseconds from the record's time stamp to the verdict.
pub(super) fn latency_ms(alert: &Value) -> Option<i64> {
    let time = |name: &str| -> Option<jiff::Timestamp> {
        alert.pointer(&format!("/ouzel/timing/{name}"))?.as_str()?.parse().ok()
    };
    Some(time("judged")?.as_millisecond() - time("record")?.as_millisecond())
}

/// The clauses that held, as the alert tells them.
fn clauses(alert: &Value) -> String {
    let matched = alert.pointer("/ouzel/match").and_then(Value::as_array);
    let clause = |one: &Value| one.get("clause").map(text);
    let all: Vec<String> = matched.into_iter().flatten().filter_map(clause).collect();
    all.join("  and  ")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => escaped(text).to_string(),
        Value::Null => String::new(),
        other => escaped(&other.to_string()).to_string(),
    }
}

fn bracketed(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<{text}>") }
}

fn join(parts: &[&str]) -> String {
    let given: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    given.join("  ")
}

/// The first 16 characters.
fn start(text: &str) -> String {
    text.chars().take(16).collect()
}
