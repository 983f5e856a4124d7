//! `event.category` and `event.type` of Okta's event types, by family.
//!
//! A family is what event types begin with; of several the first row that fits counts, so narrower
//! rows stand above wider ones. Rows are in the order of their first letters, by which they are found. Most families follow the verb in the rest of the name (`create`,
//! `delete`, `update`, …), so an event type that Okta adds tomorrow falls into place. The outcome
//! agrees with Elastic's Okta integration for the event types that it lists.

mod families;

use bumpalo::collections::Vec as ArenaVec;

use super::super::value::Value;
use super::super::{Arena, texts};
use families::{ADDED, FAMILIES};

/// What is said of one event type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Class {
    pub(super) categories: &'static [Value<'static>],
    types: Types,
}

/// A set of `event.type` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Types(u16);

impl Types {
    const NONE: Self = Self(0);
    const ACCESS: Self = Self(1);
    const ADMIN: Self = Self(1 << 1);
    const CHANGE: Self = Self(1 << 2);
    const CONNECTION: Self = Self(1 << 3);
    const CREATION: Self = Self(1 << 4);
    const DELETION: Self = Self(1 << 5);
    const DENIED: Self = Self(1 << 6);
    const END: Self = Self(1 << 7);
    const GROUP: Self = Self(1 << 8);
    const INDICATOR: Self = Self(1 << 9);
    const INFO: Self = Self(1 << 10);
    const NETWORK: Self = Self(1 << 11);
    const PROTOCOL: Self = Self(1 << 12);
    const START: Self = Self(1 << 13);
    const USER: Self = Self(1 << 14);

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The names, in the order in which an event lists them.
const NAMES: [(Types, &str); 15] = [
    (Types::ACCESS, texts::own("access")),
    (Types::ADMIN, texts::own("admin")),
    (Types::CHANGE, texts::own("change")),
    (Types::CONNECTION, texts::own("connection")),
    (Types::CREATION, texts::own("creation")),
    (Types::DELETION, texts::own("deletion")),
    (Types::DENIED, texts::own("denied")),
    (Types::END, texts::own("end")),
    (Types::GROUP, texts::own("group")),
    (Types::INDICATOR, texts::own("indicator")),
    (Types::INFO, texts::own("info")),
    (Types::NETWORK, texts::own("network")),
    (Types::PROTOCOL, texts::own("protocol")),
    (Types::START, texts::own("start")),
    (Types::USER, texts::own("user")),
];

/// One row: a family.
struct Family {
    prefix: &'static str,
    categories: &'static [Value<'static>],
    /// What every event type of the family is.
    types: Types,
    rest: Rest,
}

/// What the rest of an event type's name, behind the family's prefix, says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    Ignored,
    /// What was done; without a verb that is known it is `info`.
    Verbs,
    /// As `Verbs`, and whether it was done to a user or a group.
    VerbsAndNouns,
}

impl Class {
    /// The values of `event.type`, where there are any.
    pub(super) fn types_in<'s>(&self, arena: &'s Arena) -> Option<Value<'s>> {
        let mut types = ArenaVec::new_in(arena);
        let named = NAMES.iter().filter(|(name, _)| self.types.has(*name));
        types.extend(named.map(|(_, name)| Value::Text(name)));
        (!types.is_empty()).then(|| Value::Array(types.into_bump_slice()))
    }
}

/// The class of an event type; `None` for families that Okta does not have (yet).
pub(super) fn class_of(event_type: &str) -> Option<Class> {
    let first = event_type.as_bytes().first()?;
    let first_of = |family: &Family| family.prefix.as_bytes().first().copied().unwrap_or_default();
    let begin = FAMILIES.partition_point(|family| first_of(family) < *first);
    let mut families = FAMILIES.iter().skip(begin).take_while(|family| first_of(family) == *first);
    let family = families.find(|family| begins_with(event_type, family.prefix))?;
    let rest = event_type.strip_prefix(family.prefix).unwrap_or_default();
    let mut types = family.types.and(said_by(rest, family.rest));
    if types == Types::NONE && family.rest != Rest::Ignored {
        types = Types::INFO;
    }
    let added = ADDED.iter().filter(|(names, _)| names.contains(&event_type));
    let types = added.fold(types, |types, (_, more)| types.and(*more));
    Some(Class { categories: family.categories, types })
}

/// As `starts_with`; most families differ in the last letter of their prefix, which is asked first.
fn begins_with(text: &str, prefix: &str) -> bool {
    let last = prefix.len().checked_sub(1);
    let may_be = last.is_none_or(|last| text.as_bytes().get(last) == prefix.as_bytes().get(last));
    may_be && text.starts_with(prefix)
}

fn said_by(rest: &str, how: Rest) -> Types {
    if how == Rest::Ignored {
        return Types::NONE;
    }
    rest.split(['.', '_']).fold(Types::NONE, |types, word| {
        let said = match word {
            "create" | "created" | "add" | "generate" | "enroll" | "bootstrap" | "provision" => {
                Types::CREATION
            }
            "delete" | "deleted" | "remove" | "removed" | "revoke" | "cancel" | "cancelled"
            | "deprovision" => Types::DELETION,
            "update" | "updated" | "change" | "rotate" | "reset" => Types::CHANGE,
            "user" | "users" if how == Rest::VerbsAndNouns => Types::USER,
            "group" | "groups" if how == Rest::VerbsAndNouns => Types::GROUP,
            _ => Types::NONE,
        };
        types.and(said)
    })
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod catalogue_tests;
