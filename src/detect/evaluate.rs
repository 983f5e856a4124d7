//! The hot loop: program × event → bool.
//!
//! One function per kind of step. Nothing is allocated (clauses with wildcard names put the names
//! they meet into the arena). Recursion is bounded twice: by the depth of queries and by the depth
//! of events, both limited before anything gets here.

use std::ops::ControlFlow;

use bumpalo::collections::String as ArenaText;

use super::compile::{Clause, Nested, Objects, Program, StepKind};
use super::matcher::{Matcher, Moment};
use crate::event::{Arena, Event, FieldType, FieldTypes, Member, Value, visit_members};
use crate::kql::Pattern;
use crate::record::Timestamp;

/// The object that names are relative to, and its own name from the event's root.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a, 's> {
    pub(super) members: &'s [Member<'s>],
    pub(super) prefix: &'a str,
}

/// A leaf that a clause looks at: its matcher, its name, its value.
pub(super) struct Leaf<'a, 's> {
    pub(super) matcher: &'a Matcher,
    pub(super) name: &'a str,
    pub(super) value: Value<'s>,
}

impl Program {
    /// Whether the query holds for `event`, judged at `now` (what date maths counts from).
    #[must_use]
    pub fn holds(&self, event: &Event<'_>, now: Timestamp) -> bool {
        self.holds_in(event, now, &Arena::new())
    }

    /// As [`Program::holds`], with the memory to use: nothing is allocated once it has grown.
    #[must_use]
    pub fn holds_in(&self, event: &Event<'_>, now: Timestamp, arena: &Arena) -> bool {
        self.step(0, Scope { members: event.fields, prefix: "" }, Moment { now, arena })
    }

    pub(super) fn step(&self, at: usize, scope: Scope<'_, '_>, moment: Moment<'_>) -> bool {
        match self.steps.get(at).map(|step| step.kind) {
            Some(StepKind::All) => true,
            Some(StepKind::And) => {
                self.operands(at).all(|operand| self.step(operand, scope, moment))
            }
            Some(StepKind::Or) => {
                self.operands(at).any(|operand| self.step(operand, scope, moment))
            }
            Some(StepKind::Not) => !self.step(at + 1, scope, moment),
            Some(StepKind::Nested(path)) => self.nested(at, path, scope, moment),
            Some(StepKind::Clause(clause)) => {
                self.clauses.get(clause).is_some_and(|clause| clause.holds(scope, moment))
            }
            None => false,
        }
    }

    fn nested(&self, at: usize, path: usize, scope: Scope<'_, '_>, moment: Moment<'_>) -> bool {
        let Some(path) = self.nested.get(path) else { return false };
        path.elements(scope, moment.arena, &mut |element| {
            if self.step(at + 1, element, moment) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .is_break()
    }
}

impl Nested {
    /// Visits the objects at the path: the elements of an array, or a single object.
    pub(super) fn elements<'s, B>(
        &self,
        scope: Scope<'_, 's>,
        arena: &Arena,
        visit: &mut impl FnMut(Scope<'_, 's>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut name = ArenaText::from_str_in(scope.prefix, arena);
        match self {
            Self::Path(path) => {
                push_name(&mut name, path.name());
                visit_members(scope.members, path.segments(), &mut |value| {
                    objects(value, &name, visit)
                })
            }
            Self::Wildcard(pattern) => {
                let names = Names { pattern, scope: scope.prefix.len() };
                names.objects(scope.members, &mut name, visit)
            }
        }
    }
}

/// Visits the objects that `value` is or holds.
fn objects<'s, B>(
    value: Value<'s>,
    name: &str,
    visit: &mut impl FnMut(Scope<'_, 's>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match value {
        Value::Object(members) => visit(Scope { members, prefix: name }),
        Value::Array(items) => items.iter().try_for_each(|item| objects(*item, name, visit)),
        _ => ControlFlow::Continue(()),
    }
}

/// Names that a pattern matches below a scope.
#[derive(Clone, Copy)]
struct Names<'a> {
    pattern: &'a Pattern,
    /// The length of the scope's own name.
    scope: usize,
}

impl Names<'_> {
    fn has(self, name: &str) -> bool {
        let below = if self.scope == 0 { Some(name) } else { name.get(self.scope + 1..) };
        below.is_some_and(|name| self.pattern.matches(name))
    }

    fn objects<'s, B>(
        self,
        members: &'s [Member<'s>],
        name: &mut ArenaText<'_>,
        visit: &mut impl FnMut(Scope<'_, 's>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for member in members {
            let length = push_name(name, member.name);
            if self.has(name) {
                objects(member.value, name, visit)?;
            }
            each_object(member.value, &mut |members| self.objects(members, name, visit))?;
            name.truncate(length);
        }
        ControlFlow::Continue(())
    }
}

fn each_object<'s, B>(
    value: Value<'s>,
    visit: &mut dyn FnMut(&'s [Member<'s>]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match value {
        Value::Object(members) => visit(members),
        Value::Array(items) => items.iter().try_for_each(|item| each_object(*item, visit)),
        _ => ControlFlow::Continue(()),
    }
}

/// Appends a part to a dotted name; returns the length before.
fn push_name(name: &mut ArenaText<'_>, part: &str) -> usize {
    let length = name.len();
    if length > 0 {
        name.push('.');
    }
    name.push_str(part);
    length
}

impl Clause {
    fn holds(&self, scope: Scope<'_, '_>, moment: Moment<'_>) -> bool {
        // The plain case has a walk of its own: no names are needed for it.
        if let Self::Path { path, matcher, objects, .. } = self {
            let found = visit_members(scope.members, path.segments(), &mut |value| {
                if any_leaf(value, *objects, matcher, moment) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            return found.is_break();
        }
        self.leaves(scope, moment.arena, &mut |leaf| {
            if leaf.matcher.holds(leaf.value, moment) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .is_break()
    }

    /// Visits every leaf that the clause looks at, nulls included.
    pub(super) fn leaves<'s, B>(
        &self,
        scope: Scope<'_, 's>,
        arena: &Arena,
        visit: &mut impl FnMut(Leaf<'_, 's>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self {
            Self::Path { path, name, matcher, objects } => {
                visit_members(scope.members, path.segments(), &mut |value| {
                    each_leaf(value, *objects, &mut |value| {
                        visit(Leaf { matcher, name: name.name(), value })
                    })
                })
            }
            Self::Fields { pattern, matchers, types } => {
                let scope_length = scope.prefix.len();
                let names = pattern.as_ref().map(|pattern| Names { pattern, scope: scope_length });
                let fields = Fields { names, matchers, types };
                let mut name = ArenaText::from_str_in(scope.prefix, arena);
                fields.members(scope.members, &mut name, visit)
            }
        }
    }
}

fn any_leaf(value: Value<'_>, objects: Objects, matcher: &Matcher, moment: Moment<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(|item| any_leaf(*item, objects, matcher, moment)),
        Value::Object(members) => {
            objects == Objects::Enter
                && members.iter().any(|member| any_leaf(member.value, objects, matcher, moment))
        }
        leaf => matcher.holds(leaf, moment),
    }
}

fn each_leaf<'s, B>(
    value: Value<'s>,
    objects: Objects,
    visit: &mut dyn FnMut(Value<'s>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| each_leaf(*item, objects, visit)),
        Value::Object(members) if objects == Objects::Enter => {
            members.iter().try_for_each(|member| each_leaf(member.value, objects, visit))
        }
        Value::Object(_) => ControlFlow::Continue(()),
        leaf => visit(leaf),
    }
}

/// The walk of a clause whose field is not one name.
struct Fields<'a> {
    names: Option<Names<'a>>,
    matchers: &'a [Matcher],
    types: &'a FieldTypes,
}

impl<'a> Fields<'a> {
    fn members<'s, B>(
        &self,
        members: &'s [Member<'s>],
        name: &mut ArenaText<'_>,
        visit: &mut impl FnMut(Leaf<'_, 's>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for member in members {
            let length = push_name(name, member.name);
            self.value(member.value, name, visit)?;
            name.truncate(length);
        }
        ControlFlow::Continue(())
    }

    fn value<'s, B>(
        &self,
        value: Value<'s>,
        name: &mut ArenaText<'_>,
        visit: &mut impl FnMut(Leaf<'_, 's>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match value {
            Value::Object(members) => self.members(members, name, visit),
            Value::Array(items) => items.iter().try_for_each(|item| self.value(*item, name, visit)),
            leaf => match self.matcher(name) {
                Some(matcher) => visit(Leaf { matcher, name, value: leaf }),
                None => ControlFlow::Continue(()),
            },
        }
    }

    /// What judges the field `name`; `None` where the clause does not look at it.
    fn matcher(&self, name: &mut ArenaText<'_>) -> Option<&'a Matcher> {
        let Some(names) = self.names else { return self.of_type(self.types.of(name)) };
        let is_named =
            names.has(name) || self.types.flattened_above(name).any(|above| names.has(above));
        if is_named {
            return self.of_type(self.types.of(name));
        }
        // The analysed companion of a keyword, where the pattern asks for it by name.
        let end = names.pattern.pieces().last();
        if !end.is_some_and(|end| end.ends_with(".text")) {
            return None;
        }
        let length = name.len();
        name.push_str(".text");
        let is_analysed = names.has(name) && self.types.analysed_parent(name).is_some();
        name.truncate(length);
        if is_analysed { self.of_type(FieldType::Text) } else { None }
    }

    fn of_type(&self, field_type: FieldType) -> Option<&'a Matcher> {
        let at = FieldType::ALL.iter().position(|of| *of == field_type)?;
        self.matchers.get(at)
    }
}
