//! Canonical trees: names unique and never dotted, whatever the JSON said.
//!
//! ```text
//! {"a.b":1,"a":{"c":2},"a.b":3}   ──▶   {"a":{"b":[1,3],"c":2}}
//! ```
//!
//! What stands more than once under one name is put together: objects become one object with the
//! members of all, everything else one array of all values, arrays taken apart and nulls left out;
//! where both occur the array ends with the object, so that `a` and `a.b` are both found. Neither
//! the first nor the last of two duplicates can hide the other.
//!
//! Time is n log n in the number of members, memory comes from the arena only.

use bumpalo::collections::{CollectIn, Vec as ArenaVec};

use super::value::{Member, Value};
use super::{Arena, DecodeFault};
use crate::limits::EVENT_DEPTH_MAX;

/// Up to this many members are compared pair by pair; more are sorted.
const MEMBERS_COMPARED_MAX: usize = 32;

/// The depth at which the value of a member stands, where its object stands at `depth` (a
/// document's own object at 1): each dot of the name opens one object more.
pub(super) fn depth_below(depth: usize, name: &str) -> Result<usize, DecodeFault> {
    let dots = if has_dot(name) { name.bytes().filter(|byte| *byte == b'.').count() } else { 0 };
    let containers = depth.saturating_add(dots);
    if containers > EVENT_DEPTH_MAX { Err(DecodeFault::TooDeep) } else { Ok(containers + 1) }
}

/// Whether there is a dot in `name`, asked of eight bytes at once.
pub(super) fn has_dot(name: &str) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // A byte that is zero is the lowest one from which the subtraction borrows.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7) != 0;
    let within = |word: &[u8; 8]| zero(u64::from_ne_bytes(*word) ^ (ONES * u64::from(b'.')));
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    match name.as_bytes().last_chunk::<8>() {
        Some(last) => words.iter().any(within) || within(last),
        None => rest.contains(&b'.'),
    }
}

/// Whether names of an object have dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dots {
    None,
    Some,
}

/// The object that has these members, whatever their names are.
pub(super) fn object<'s>(arena: &'s Arena, members: ArenaVec<'s, Member<'s>>) -> Value<'s> {
    let has_dots = members.iter().any(|member| has_dot(member.name));
    let dots = if has_dots { Dots::Some } else { Dots::None };
    object_with(arena, members.into_bump_slice(), dots)
}

/// The same, where it is known whether names have `dots`.
pub(super) fn object_with<'s>(
    arena: &'s Arena,
    members: &'s [Member<'s>],
    dots: Dots,
) -> Value<'s> {
    Value::Object(members_with(arena, members, dots))
}

/// The members of that object.
pub(super) fn members_with<'s>(
    arena: &'s Arena,
    members: &'s [Member<'s>],
    dots: Dots,
) -> &'s [Member<'s>] {
    if dots == Dots::None && is_unique(arena, members) {
        return members;
    }
    let entries = members.iter().map(|member| Entry::of(member.name, member.value));
    let entries: ArenaVec<'_, Entry<'s>> = entries.collect_in(arena);
    merge(arena, entries)
}

/// Whether every name occurs once.
fn is_unique(arena: &Arena, members: &[Member<'_>]) -> bool {
    if members.len() > MEMBERS_COMPARED_MAX {
        let names = members.iter().map(|member| member.name);
        let mut names: ArenaVec<'_, &str> = names.collect_in(arena);
        names.sort_unstable();
        return names.windows(2).all(|pair| matches!(pair, [one, next] if one != next));
    }
    let mut seen = [0_u64; 2];
    for (index, member) in members.iter().enumerate() {
        let (bit, is_high) = fingerprint(member.name);
        let [low, high] = &mut seen;
        let seen = if is_high { high } else { low };
        let is_repeated = *seen & bit != 0
            && members.iter().take(index).any(|earlier| earlier.name == member.name);
        if is_repeated {
            return false;
        }
        *seen |= bit;
    }
    true
}

/// One of 128 bits, the same for equal names: most members are told apart by it alone. A bit of 64,
/// and in which half of them.
fn fingerprint(name: &str) -> (u64, bool) {
    let bytes = name.as_bytes();
    let first = bytes.first().copied().unwrap_or(0);
    let last = bytes.last().copied().unwrap_or(0);
    let mixed = usize::from(first) * 7 + usize::from(last) * 31 + name.len() * 3;
    (1 << (mixed % 64), mixed & 64 != 0)
}

/// A value on its way into an object: under `head`, or deeper where there is a `rest`.
#[derive(Clone, Copy)]
struct Entry<'s> {
    head: &'s str,
    rest: Option<&'s str>,
    value: Value<'s>,
}

impl<'s> Entry<'s> {
    fn of(path: &'s str, value: Value<'s>) -> Self {
        match path.split_once('.') {
            Some((head, rest)) => Self { head, rest: Some(rest), value },
            None => Self { head: path, rest: None, value },
        }
    }
}

/// The members that `entries` make, in the order of their first occurrence. Recursion is bounded:
/// no entry leads deeper than [`depth_below`] allowed.
fn merge<'s>(arena: &'s Arena, entries: ArenaVec<'_, Entry<'s>>) -> &'s [Member<'s>] {
    let numbered = entries.into_iter().enumerate();
    let mut numbered: ArenaVec<'_, (usize, Entry<'s>)> = numbered.collect_in(arena);
    numbered.sort_unstable_by(|(number, entry), (other_number, other)| {
        entry.head.cmp(other.head).then(number.cmp(other_number))
    });
    let groups = numbered.chunk_by(|(_, one), (_, next)| one.head == next.head);
    let members = groups.filter_map(|group| {
        let (number, entry) = group.first()?;
        Some((*number, Member { name: entry.head, value: put_together(arena, group) }))
    });
    let mut members: ArenaVec<'_, (usize, Member<'s>)> = members.collect_in(arena);
    members.sort_unstable_by_key(|(number, _)| *number);
    let members: ArenaVec<'s, Member<'s>> =
        members.into_iter().map(|(_, member)| member).collect_in(arena);
    members.into_bump_slice()
}

/// What stands under one name, where `group` is all that was said about it.
fn put_together<'s>(arena: &'s Arena, group: &[(usize, Entry<'s>)]) -> Value<'s> {
    if let [(_, Entry { rest: None, value, .. })] = group {
        return *value;
    }
    let mut inner = ArenaVec::new_in(arena);
    let mut values = ArenaVec::new_in(arena);
    let (mut has_object, mut has_array) = (false, false);
    for (_, entry) in group {
        match (entry.rest, entry.value) {
            (Some(rest), value) => {
                has_object = true;
                inner.push(Entry::of(rest, value));
            }
            (None, Value::Object(members)) => {
                has_object = true;
                inner.extend(members.iter().map(|member| Entry {
                    head: member.name,
                    rest: None,
                    value: member.value,
                }));
            }
            (None, Value::Array(items)) => {
                has_array = true;
                values.extend_from_slice(items);
            }
            (None, Value::Null) => {}
            (None, value) => values.push(value),
        }
    }
    if has_object {
        values.push(Value::Object(merge(arena, inner)));
    }
    match (values.as_slice(), has_array) {
        ([], false) => Value::Null,
        ([one], false) => *one,
        _ => Value::Array(values.into_bump_slice()),
    }
}

/// `base` with what only `defaults` has: `base` wins where both say something, objects are gone
/// into, and a null of `base` says nothing.
pub(super) fn overlay<'s>(
    arena: &'s Arena,
    base: &'s [Member<'s>],
    defaults: &'s [Member<'s>],
) -> &'s [Member<'s>] {
    if defaults.is_empty() {
        return base;
    }
    if base.is_empty() {
        return defaults;
    }
    let mut members = ArenaVec::with_capacity_in(base.len() + defaults.len(), arena);
    if defaults.len() <= MEMBERS_COMPARED_MAX {
        members.extend_from_slice_copy(base);
        for offered in defaults {
            let mut known = members.iter_mut().take(base.len());
            match known.find(|member| member.is_named(offered.name)) {
                Some(member) => match (member.value, offered.value) {
                    (Value::Object(inner), Value::Object(below)) => {
                        member.value = Value::Object(overlay(arena, inner, below));
                    }
                    (Value::Null, value) => member.value = value,
                    _ => {}
                },
                None => members.push(*offered),
            }
        }
        return members.into_bump_slice();
    }
    let known = Names::of(arena, base);
    let offered = Names::of(arena, defaults);
    members.extend(base.iter().map(|member| match (member.value, offered.find(member.name)) {
        (Value::Object(inner), Some(Value::Object(below))) => {
            Member { name: member.name, value: Value::Object(overlay(arena, inner, below)) }
        }
        (Value::Null, Some(value)) => Member { name: member.name, value },
        _ => *member,
    }));
    members.extend(defaults.iter().filter(|member| known.find(member.name).is_none()).copied());
    members.into_bump_slice()
}

/// The members of an object, to be found by name: sorted where there are many.
struct Names<'a, 's> {
    members: &'s [Member<'s>],
    sorted: Option<ArenaVec<'a, Member<'s>>>,
}

impl<'a, 's> Names<'a, 's> {
    fn of(arena: &'a Arena, members: &'s [Member<'s>]) -> Self {
        let sorted = (members.len() > MEMBERS_COMPARED_MAX).then(|| {
            let mut sorted: ArenaVec<'a, Member<'s>> = members.iter().copied().collect_in(arena);
            sorted.sort_unstable_by_key(|member| member.name);
            sorted
        });
        Self { members, sorted }
    }

    fn find(&self, name: &str) -> Option<Value<'s>> {
        let found = match &self.sorted {
            None => self.members.iter().find(|member| member.is_named(name)),
            Some(sorted) => {
                let at = sorted.binary_search_by_key(&name, |member| member.name).ok()?;
                sorted.get(at)
            }
        };
        found.map(|member| member.value)
    }
}

/// The value without what says nothing: nulls, empty texts, and objects and arrays that hold
/// nothing else.
#[inline]
pub(super) fn pruned<'s>(arena: &'s Arena, value: Value<'s>) -> Option<Value<'s>> {
    match value {
        Value::Object(_) | Value::Array(_) => pruned_inside(arena, value),
        scalar => says_something(&scalar).then_some(scalar),
    }
}

fn pruned_inside<'s>(arena: &'s Arena, value: Value<'s>) -> Option<Value<'s>> {
    match value {
        Value::Object(members) => {
            let kept = pruned_members(arena, members);
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let whole = items.iter().take_while(|item| is_whole(item)).count();
            if whole == items.len() {
                return (whole > 0).then_some(value);
            }
            let (before, behind) = items.split_at(whole);
            let mut kept = ArenaVec::with_capacity_in(items.len(), arena);
            kept.extend_from_slice(before);
            kept.extend(behind.iter().filter_map(|item| pruned(arena, *item)));
            (!kept.is_empty()).then(|| Value::Array(kept.into_bump_slice()))
        }
        _ => None,
    }
}

/// The members with a value that says something, without what says nothing in it. Where that is all
/// of them as they stand, nothing is copied.
pub(super) fn pruned_members<'s>(arena: &'s Arena, members: &'s [Member<'s>]) -> &'s [Member<'s>] {
    let whole = members.iter().take_while(|member| is_whole(&member.value)).count();
    if whole == members.len() {
        return members;
    }
    let (before, behind) = members.split_at(whole);
    let mut kept = ArenaVec::with_capacity_in(members.len(), arena);
    kept.extend_from_slice(before);
    for member in behind {
        match &member.value {
            Value::Object(_) | Value::Array(_) => {
                let value = pruned_inside(arena, member.value);
                kept.extend(value.map(|value| Member { name: member.name, value }));
            }
            scalar if is_whole(scalar) => kept.push(*member),
            _ => {}
        }
    }
    kept.into_bump_slice()
}

/// Whether there is nothing to prune in or below `value`.
#[inline]
fn is_whole(value: &Value<'_>) -> bool {
    match value {
        Value::Object(_) | Value::Array(_) => is_whole_inside(value),
        scalar => says_something(scalar),
    }
}

fn is_whole_inside(value: &Value<'_>) -> bool {
    match value {
        Value::Object(members) => {
            !members.is_empty() && members.iter().all(|member| is_whole(&member.value))
        }
        Value::Array(items) => !items.is_empty() && items.iter().all(is_whole),
        _ => true,
    }
}

/// Whether a value that is neither object nor array says something.
#[inline]
pub(super) fn says_something(scalar: &Value<'_>) -> bool {
    match scalar {
        Value::Null => false,
        Value::Text(text) => !text.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tree_tests;
