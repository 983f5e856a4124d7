//! The last reader: JSON text → tree, with serde_json, for what simd-json refused.
//!
//! It is slow and takes all that the JSON grammar allows, so that no event is lost to one odd
//! field. serde_json checks the grammar and hands each value over as its raw text; what a value
//! means is decided here:
//!
//! - an integer that 64 bits cannot hold is a float;
//! - a number that is too large for a float (`1e999`) is the text that it was written as;
//! - a lone surrogate (`\ud800` without its half) is U+FFFD.
//!
//! Each level of nesting is read once more for the level below it: the depth is bounded.

use std::fmt;

use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};
use serde::Deserializer as _;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::value::{Member, Value};
use super::{Arena, DecodeFault, tree};

/// The tree that `text` says, where it is one JSON value.
pub(super) fn read<'s>(arena: &'s Arena, text: &'s str) -> Result<Value<'s>, DecodeFault> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|fault| fault_of(&fault))?;
    Reader { arena }.value(raw.get(), 1)
}

fn fault_of(fault: &serde_json::Error) -> DecodeFault {
    if fault.is_eof() { DecodeFault::Truncated } else { DecodeFault::NotJson }
}

#[derive(Clone, Copy)]
struct Reader<'s> {
    arena: &'s Arena,
}

impl<'s> Reader<'s> {
    fn value(self, raw: &'s str, depth: usize) -> Result<Value<'s>, DecodeFault> {
        match raw.as_bytes().first() {
            Some(b'"') => Ok(Value::Text(self.text(raw))),
            Some(b'{') => self.object(raw, depth),
            Some(b'[') => self.array(raw, depth),
            Some(b'n') => Ok(Value::Null),
            Some(b't') => Ok(Value::Bool(true)),
            Some(b'f') => Ok(Value::Bool(false)),
            _ => Ok(number(raw)),
        }
    }

    fn array(self, raw: &'s str, depth: usize) -> Result<Value<'s>, DecodeFault> {
        let below = tree::depth_below(depth, "")?;
        let mut parts = Parts(ArenaVec::new_in(self.arena));
        let mut reader = serde_json::Deserializer::from_str(raw);
        reader.deserialize_seq(&mut parts).map_err(|fault| fault_of(&fault))?;
        let mut items = ArenaVec::with_capacity_in(parts.0.len(), self.arena);
        for (_, item) in parts.0 {
            items.push(self.value(item, below)?);
        }
        Ok(Value::Array(items.into_bump_slice()))
    }

    fn object(self, raw: &'s str, depth: usize) -> Result<Value<'s>, DecodeFault> {
        tree::depth_below(depth, "")?;
        let mut parts = Parts(ArenaVec::new_in(self.arena));
        let mut reader = serde_json::Deserializer::from_str(raw);
        reader.deserialize_map(&mut parts).map_err(|fault| fault_of(&fault))?;
        let mut members = ArenaVec::with_capacity_in(parts.0.len(), self.arena);
        for (name, value) in parts.0 {
            let name = self.text(name);
            let value = self.value(value, tree::depth_below(depth, name)?)?;
            members.push(Member { name, value });
        }
        Ok(tree::object(self.arena, members))
    }

    /// What the string, given with its quotes, says.
    fn text(self, raw: &'s str) -> &'s str {
        let quoted = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
        if !quoted.contains('\\') {
            return quoted;
        }
        let mut text = ArenaString::with_capacity_in(quoted.len(), self.arena);
        let mut rest = quoted;
        while let Some((before, escape)) = rest.split_once('\\') {
            text.push_str(before);
            let (decoded, behind) = unescape(escape);
            text.push(decoded);
            rest = behind;
        }
        text.push_str(rest);
        text.into_bump_str()
    }
}

/// The character that an escape (without its backslash) stands for, and what stands behind it.
fn unescape(escape: &str) -> (char, &str) {
    let mut rest = escape.chars();
    let decoded = match rest.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unescape_unicode(rest.as_str()),
        Some(itself) => itself,
        None => char::REPLACEMENT_CHARACTER,
    };
    (decoded, rest.as_str())
}

/// As [`unescape`], for the four digits behind `\u` and, for a pair, the second half.
fn unescape_unicode(digits: &str) -> (char, &str) {
    let Some((first, rest)) = code_unit(digits) else {
        return (char::REPLACEMENT_CHARACTER, digits);
    };
    let second = rest.strip_prefix("\\u").and_then(code_unit);
    if let (0xd800..=0xdbff, Some((low @ 0xdc00..=0xdfff, behind))) = (first, second) {
        let code_point = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code_point).unwrap_or(char::REPLACEMENT_CHARACTER), behind);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn code_unit(digits: &str) -> Option<(u32, &str)> {
    let (digits, rest) = digits.split_at_checked(4)?;
    u32::from_str_radix(digits, 16).ok().map(|unit| (unit, rest))
}

fn number(raw: &str) -> Value<'_> {
    if let Ok(value) = raw.parse() {
        return Value::Int(value);
    }
    if let Ok(value) = raw.parse() {
        return Value::Uint(value);
    }
    match raw.parse::<f64>() {
        Ok(value) if value.is_finite() => Value::Float(value),
        _ => Value::Text(raw),
    }
}

/// The raw texts of an object's members or, without names, of an array's elements.
struct Parts<'a, 's>(ArenaVec<'a, (&'s str, &'s str)>);

impl<'s> Visitor<'s> for &mut Parts<'_, 's> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object or an array")
    }

    fn visit_seq<A: SeqAccess<'s>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&'s RawValue>()? {
            self.0.push(("", item.get()));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'s>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some((name, value)) = members.next_entry::<&'s RawValue, &'s RawValue>()? {
            self.0.push((name.get(), value.get()));
        }
        Ok(())
    }
}
