//! Field names: `a.b.c` parsed once, and the table of what type a field has.

use std::ops::ControlFlow;

use super::{Member, Value};

/// A dotted field name, split at its dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    name: Box<str>,
    segments: Box<[Box<str>]>,
}

impl FieldPath {
    /// The path that `name` spells.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), segments: name.split('.').map(Into::into).collect() }
    }

    /// The dotted name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts between the dots.
    #[must_use]
    pub fn segments(&self) -> &[Box<str>] {
        &self.segments
    }
}

/// How Elastic would index a field, and so how its values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Exact text (also Elastic's `wildcard` and `constant_keyword`). The default.
    Keyword,
    /// Analysed text: words.
    Text,
    /// Any numeric type.
    Number,
    /// `boolean`.
    Boolean,
    /// `ip`.
    Ip,
    /// `date`.
    Date,
    /// `flattened`: every leaf below compares as text.
    Flattened,
}

/// The types of all fields: the built-in table (ECS and Okta), and what configuration and rule
/// files add.
#[derive(Clone, Debug, Default)]
pub struct FieldTypes {
    declared: std::collections::BTreeMap<Box<str>, FieldType>,
}

impl FieldTypes {
    /// The built-in table.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Declares the type of `field`, over what the built-in table says.
    pub fn declare(&mut self, field: &str, field_type: FieldType) {
        self.declared.insert(field.into(), field_type);
    }

    /// The type of `field`.
    #[must_use]
    pub fn of(&self, field: &str) -> FieldType {
        self.declared.get(field).copied().unwrap_or(FieldType::Keyword)
    }
}

/// Visits every value below `members` that `segments` names (see [`super::Event::visit`]).
pub(super) fn visit_members<'s, B>(
    members: &'s [Member<'s>],
    segments: &[Box<str>],
    visit: &mut impl FnMut(Value<'s>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let Some((head, rest)) = segments.split_first() else {
        return ControlFlow::Continue(());
    };
    for member in members.iter().filter(|member| *member.name == **head) {
        visit_value(member.value, rest, visit)?;
    }
    ControlFlow::Continue(())
}

fn visit_value<'s, B>(
    value: Value<'s>,
    rest: &[Box<str>],
    visit: &mut impl FnMut(Value<'s>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if rest.is_empty() {
        return visit(value);
    }
    match value {
        Value::Object(members) => visit_members(members, rest, visit),
        Value::Array(items) => items.iter().try_for_each(|item| visit_value(*item, rest, visit)),
        _ => ControlFlow::Continue(()),
    }
}

/// Whether a value of `path` may be something that decoding made, and whose bytes therefore need
/// not stand verbatim (up to JSON escaping) in the payload.
#[must_use]
pub fn may_be_derived(path: &FieldPath) -> bool {
    let _ = path;
    true
}
