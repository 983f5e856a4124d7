//! Field names: `a.b.c` parsed once, and the walk to the values that a name names.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::{Member, Value, names};

/// A dotted field name, split at its dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    name: Box<str>,
    /// Usual ones as they stand in [`super::names`].
    segments: Box<[Cow<'static, str>]>,
}

impl FieldPath {
    /// The path that `name` spells.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let segment = |segment: &str| match names::known_at_length(segment) {
            Some(known) => Cow::Borrowed(known.name),
            None => Cow::Owned(segment.to_owned()),
        };
        Self { name: name.into(), segments: name.split('.').map(segment).collect() }
    }

    /// The dotted name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts between the dots.
    #[must_use]
    pub fn segments(&self) -> &[Cow<'static, str>] {
        &self.segments
    }
}

/// Visits every value below `members` that `segments` names (see [`super::Event::visit`]).
pub fn visit_members<'s, B>(
    members: &'s [Member<'s>],
    segments: &[Cow<'static, str>],
    visit: &mut impl FnMut(Value<'s>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let Some((head, rest)) = segments.split_first() else {
        return ControlFlow::Continue(());
    };
    for member in members.iter().filter(|member| member.is_named(head)) {
        visit_value(member.value, rest, visit)?;
    }
    ControlFlow::Continue(())
}

/// Visits every value that `rest` names below `value`; `value` itself where it names nothing.
pub fn visit_value<'s, B>(
    value: Value<'s>,
    rest: &[Cow<'static, str>],
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

/// The first leaf that `name` names, as [`visit_members`] finds it, but split on the way.
pub(super) fn first_named<'s>(members: &'s [Member<'s>], name: &str) -> Option<Value<'s>> {
    let (head, rest) = name.split_once('.').map_or((name, None), |(head, rest)| (head, Some(rest)));
    let mut found = members.iter().filter(|member| member.is_named(head));
    found.find_map(|member| first_below(member.value, rest))
}

fn first_below<'s>(value: Value<'s>, rest: Option<&str>) -> Option<Value<'s>> {
    match (value, rest) {
        (_, None) => value.first_leaf(),
        (Value::Object(members), Some(rest)) => first_named(members, rest),
        (Value::Array(items), _) => items.iter().find_map(|item| first_below(*item, rest)),
        _ => None,
    }
}

/// Fields, with all below them, that decoding fills with something that is no run of characters of
/// the payload's: constants, labels, classes, and times in another spelling.
const DERIVED: [&str; 10] = [
    "@timestamp",
    "data_stream",
    "ecs",
    "event.category",
    "event.dataset",
    "event.kind",
    "event.module",
    "event.outcome",
    "event.type",
    "labels",
];

/// Whether a value of `path` may be something that decoding made, so that the value's bytes need
/// not stand in the payload. A prefilter takes no literal from such a field.
///
/// For every other field the contract is: each text that is found there is one unbroken run of
/// characters of a JSON string (or the digits of a JSON number) of the payload. So an ASCII run
/// of that text without `"`, `\` and `/` stands in the payload byte for byte, unless a `\u`
/// escape spells a part of it. That holds for
///
/// - what is copied under another name (`event.action`, `okta.actor.alternate_id`, `source.ip`);
/// - what is cut out of a longer text: `user.name` is the first run of name characters of the
///   login, `risk_level` and `risk_reasons` are pieces of `{level=LOW, reasons=A, B}`;
/// - names that become values: `risk_behaviors` are members' names as they stand;
/// - numbers that become texts (`okta.version`), and numbers that no float can hold.
///
/// A string may stand in a string, up to [`crate::limits::WRAPPER_DEPTH_MAX`] times over and once
/// more for JSON inside an event. Then the characters of an inner `\u0061` can themselves be
/// escaped by the outer string (`\u005cu0061`, `\\\u00750061`, `\\u\u00300061`): a search
/// that lets escapes through has to count a `\u00hh` that decodes to `\`, `u` or a hexadecimal
/// digit as one that may spell any character. How values *compare* (two spellings of one address)
/// is no matter of this function. Patterns of field names may name a derived field.
#[must_use]
pub fn may_be_derived(path: &FieldPath) -> bool {
    let name = path.name();
    let is_below = |name: &str, other: &str| {
        name.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let touches = |derived: &&str| is_below(name, derived) || is_below(derived, name);
    name.contains('*') || DERIVED.iter().any(touches)
}

/// The names under which JSON holds the values of `path`, where they are known and few: the last
/// part of its own name, and what Okta calls it. Every text that is found at `path` is the value of
/// a member whose name is one of these or ends with a dot and one of these, or stands in an array
/// that is. Empty where nothing is promised.
#[must_use]
pub fn keys_of(path: &FieldPath) -> &'static [&'static str] {
    match path.name() {
        "event.action" => &["action", "eventType"],
        "okta.event_type" => &["event_type", "eventType"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, derived: bool) {
        assert_eq!(may_be_derived(&FieldPath::new(name)), derived, "{name}");
    }

    #[test]
    fn constants_classes_and_labels_are_derived() {
        for name in DERIVED {
            check(name, true);
        }
        check("event", true);
        check("labels.team", true);
        check("data_stream.dataset", true);
        check("ecs.version", true);
        check("event.*", true);
        check("okta.*.id", true);
    }

    #[test]
    fn copies_and_pieces_of_texts_are_not() {
        for name in [
            "event.action",
            "event.id",
            "okta.event_type",
            "okta.outcome.result",
            "okta.actor.alternate_id",
            "okta.target.id",
            "user.name",
            "user.target.email",
            "user_agent.original",
            "okta.debug_context.debug_data.risk_behaviors",
            "events.kind",
            "event.types",
        ] {
            check(name, false);
        }
    }

    #[test]
    fn a_name_that_is_split_on_the_way_finds_the_same() {
        const TEXT: Value<'_> = Value::Text("t");
        const INNER: &[Member<'_>] =
            &[Member { name: "b", value: Value::Null }, Member { name: "c", value: TEXT }];
        const ITEMS: &[Value<'_>] =
            &[Value::Null, Value::Int(1), Value::Object(&[]), Value::Object(INNER)];
        let fields = &[
            Member { name: "a", value: Value::Object(INNER) },
            Member { name: "d", value: Value::Array(ITEMS) },
            Member { name: "e", value: Value::Array(&[Value::Array(ITEMS)]) },
            Member { name: "event", value: Value::Object(&[Member { name: "id", value: TEXT }]) },
        ];
        for name in ["a", "a.b", "a.c", "a.c.d", "d", "d.c", "e", "e.c", "event.id", "x", "a.", ""]
        {
            let mut leaf = None;
            let _ = visit_members(fields, FieldPath::new(name).segments(), &mut |value| {
                leaf = value.first_leaf();
                if leaf.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!(first_named(fields, name), leaf, "{name}");
        }
    }

    #[test]
    fn a_path_is_split_at_its_dots() {
        let path = FieldPath::new("a.b.c");
        assert_eq!(path.name(), "a.b.c");
        assert_eq!(path.segments(), ["a", "b", "c"]);
    }
}
