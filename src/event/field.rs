//! Field names: `a.b.c` parsed once, and the walk to the values that a name names.

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

/// Visits every value below `members` that `segments` names (see [`super::Event::visit`]).
pub fn visit_members<'s, B>(
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
