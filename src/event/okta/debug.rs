//! `debugContext.debugData`: kept whole, and what rules ask for picked from it.
//!
//! Okta writes some of it as text inside the JSON, in two spellings: `{A=POSITIVE, B=NEGATIVE}`,
//! or JSON. Both become objects; what is neither stays the text that it is.

use bumpalo::collections::{CollectIn, Vec as ArenaVec};

use super::super::decode::Reader;
use super::super::names::own;
use super::super::value::{Member, Value, at, member};
use super::super::{Arena, tree};
use super::below;
use super::facts::snake_case;
use super::template::DEBUG_NAMES;

/// `okta.debug_context.debug_data`.
pub(super) fn debug_data<'s>(
    reader: &mut Reader<'_, 's>,
    event: &'s [Member<'s>],
) -> Option<Value<'s>> {
    let arena = reader.arena;
    let raw = member(below(event, const { own("debugContext") }), const { own("debugData") })?;
    let raw = tree::pruned_members(arena, raw.members());
    if raw.is_empty() {
        return None;
    }
    let mut flattened = ArenaVec::with_capacity_in(raw.len(), arena);
    for member in raw {
        match member.name {
            "behaviors" | "risk" | "logOnlySecurityData" => {
                flattened.push(Member { name: member.name, value: taken_apart(reader, member) });
            }
            _ => flattened.push(*member),
        }
    }
    let flattened: &'s [Member<'s>] = flattened.into_bump_slice();
    let mut members = ArenaVec::with_capacity_in(DEBUG_NAMES.len() + 5, arena);
    members.push(Member { name: const { own("flattened") }, value: Value::Object(flattened) });
    members.extend(
        DEBUG_NAMES
            .iter()
            .filter_map(|(from, name)| Some(Member { name, value: member(flattened, from)? })),
    );
    let risk = |name: &str| {
        let log_only = at(flattened, &["logOnlySecurityData", "risk", name]);
        log_only.or_else(|| at(flattened, &["risk", name]))
    };
    let behaviors = at(flattened, &["behaviors"]);
    let picked = [
        (
            const { own("risk_behaviors") },
            behaviors.and_then(|found| positive(arena, found.members())),
        ),
        (const { own("risk_level") }, risk("level")),
        (const { own("risk_reasons") }, risk("reasons").map(|reasons| listed(arena, reasons))),
        (const { own("suspicious_activity") }, suspicious_activity(arena, raw)),
    ];
    members.extend(
        picked.into_iter().filter_map(|(name, value)| Some(Member { name, value: value? })),
    );
    Some(Value::Object(members.into_bump_slice()))
}

/// What a user reported as not their doing: the members of that prefix, under the rest of their
/// names.
fn suspicious_activity<'s>(arena: &'s Arena, raw: &'s [Member<'s>]) -> Option<Value<'s>> {
    let reported = raw.iter().filter_map(|member| {
        let rest =
            member.name.strip_prefix("suspiciousActivity").filter(|rest| !rest.is_empty())?;
        Some(Member { name: snake_case(arena, rest), value: member.value })
    });
    let reported: ArenaVec<'s, Member<'s>> = reported.collect_in(arena);
    (!reported.is_empty()).then(|| tree::object(arena, reported))
}

/// The member's value, as an object where it is one in a text.
fn taken_apart<'s>(reader: &mut Reader<'_, 's>, member: &Member<'s>) -> Value<'s> {
    let Value::Text(text) = member.value else { return member.value };
    let arena = reader.arena;
    let object = match member.name {
        // JSON is only tried on what can be some: a reader that refuses the pairs would allocate
        // its error, for each event.
        "behaviors" | "risk" if is_like_json(text) => {
            reader.embedded(text).or_else(|| pairs(arena, text))
        }
        "behaviors" | "risk" => pairs(arena, text),
        "logOnlySecurityData" => reader.embedded(text),
        _ => None,
    };
    object.and_then(|object| tree::pruned(arena, object)).unwrap_or(member.value)
}

/// Whether a text begins as a JSON object does: a bracket, then a name or nothing.
fn is_like_json(text: &str) -> bool {
    let inner = text.trim_start().strip_prefix('{').map(str::trim_start);
    inner.is_some_and(|inner| inner.starts_with(['"', '}']))
}

/// The object that `{name=value, name=value}` is. A piece without `=` goes on with the value before
/// it: reasons are written `reasons=Anomalous Device, New IP, level=LOW`.
fn pairs<'s>(arena: &'s Arena, text: &'s str) -> Option<Value<'s>> {
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let bytes = text.as_bytes();
    let count = bytes.iter().filter(|byte| **byte == b'=').count();
    let mut members = ArenaVec::with_capacity_in(count, arena);
    let mut add = |from: usize, equals: usize, to: usize| -> Option<()> {
        let value = Value::Text(trimmed(text.get(equals + 1..to)?));
        members.push(Member { name: trimmed(text.get(from..equals)?), value });
        Some(())
    };
    // Where the name begins, where it ends, and the last `, ` behind that.
    let (mut from, mut equals, mut comma) = (0, None, None);
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, equals, comma) {
            (b',', Some(_), _) if bytes.get(at + 1) == Some(&b' ') => comma = Some(at),
            (b'=', None, _) => equals = Some(at),
            (b'=', Some(end), Some(to)) => {
                add(from, end, to)?;
                (from, equals, comma) = (to + 2, Some(at), None);
            }
            _ => {}
        }
    }
    add(from, equals?, bytes.len())?;
    Some(tree::object(arena, members))
}

/// The text without white space around it; most have none, which two bytes say.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] => text,
        _ => text.trim(),
    }
}

/// The names of the behaviours that were found.
fn positive<'s>(arena: &'s Arena, behaviors: &'s [Member<'s>]) -> Option<Value<'s>> {
    let is_found = |member: &&Member<'s>| member.value.first_text() == Some("POSITIVE");
    let names = behaviors.iter().filter(is_found).map(|member| Value::Text(member.name));
    let names: ArenaVec<'s, Value<'s>> = names.collect_in(arena);
    (!names.is_empty()).then(|| Value::Array(names.into_bump_slice()))
}

/// Reasons written in one text, with commas between them, as a list.
fn listed<'s>(arena: &'s Arena, reasons: Value<'s>) -> Value<'s> {
    match reasons {
        Value::Text(text) => {
            let each = text.split(',').map(str::trim).filter(|reason| !reason.is_empty());
            let each: ArenaVec<'s, Value<'s>> = each.map(Value::Text).collect_in(arena);
            Value::Array(each.into_bump_slice())
        }
        other => other,
    }
}
