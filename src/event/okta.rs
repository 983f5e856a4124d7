//! Okta System Log → ECS, table driven.
//!
//! ```text
//! raw event ─ parts (actor, client, …) ─┐
//!                                       ├─ template: one row per ECS field ─▶ ECS tree
//!             facts (who, outcome, …) ──┘
//! ```
//!
//! The template has the shape of the tree that it makes, so the tree comes out canonical without
//! being sorted or merged. A row copies a value as it stands, or takes a fact that is computed
//! once per event. Nulls and empty texts say nothing and are left out on every level.
//!
//! Which fields hold something that does not stand in the payload byte for byte is what
//! [`super::may_be_derived`] says: a row that computes must be told there.

mod catalogue;
mod debug;
mod facts;
mod template;

use bumpalo::collections::Vec as ArenaVec;

use super::decode::Reader;
use super::names::own;
use super::value::{Member, Value, member};
use super::{texts, tree};
use crate::record::Timestamp;
use facts::Facts;
use template::{EVENT, Field, Part, Source};

/// What an Okta event says of its origin where it says nothing itself: in Elastic these are
/// constants of the index, which nobody adds in a stream.
pub(super) const CONSTANTS: &[Member<'static>] = &[
    Member {
        name: own("event"),
        value: Value::Object(&[
            Member { name: own("dataset"), value: Value::Text(texts::own("okta.system")) },
            Member { name: own("module"), value: Value::Text(texts::own("okta")) },
        ]),
    },
    Member {
        name: own("data_stream"),
        value: Value::Object(&[
            Member { name: own("type"), value: Value::Text(texts::own("logs")) },
            Member { name: own("dataset"), value: Value::Text(texts::own("okta.system")) },
            Member { name: own("namespace"), value: Value::Text(texts::own("default")) },
        ]),
    },
];

/// The ECS fields of a System Log event; `written` is the time of its record.
pub(super) fn to_ecs<'s>(
    reader: &mut Reader<'_, 's>,
    event: &'s [Member<'s>],
    written: Option<Timestamp>,
) -> &'s [Member<'s>] {
    let parts = Parts::of(event);
    let facts = Facts::of(reader, &parts, written);
    Mapping { arena: reader.arena, parts: &parts, facts: &facts }.object(EVENT)
}

/// The objects of a raw event, found once.
struct Parts<'s> {
    event: &'s [Member<'s>],
    actor: &'s [Member<'s>],
    authentication: &'s [Member<'s>],
    client: &'s [Member<'s>],
    geo: &'s [Member<'s>],
    outcome: &'s [Member<'s>],
    security: &'s [Member<'s>],
    transaction: &'s [Member<'s>],
    transaction_detail: &'s [Member<'s>],
    user_agent: &'s [Member<'s>],
}

impl<'s> Parts<'s> {
    fn of(event: &'s [Member<'s>]) -> Self {
        let client = below(event, const { own("client") });
        let transaction = below(event, const { own("transaction") });
        Self {
            event,
            actor: below(event, const { own("actor") }),
            authentication: below(event, const { own("authenticationContext") }),
            client,
            geo: below(client, const { own("geographicalContext") }),
            outcome: below(event, const { own("outcome") }),
            security: below(event, const { own("securityContext") }),
            transaction,
            transaction_detail: below(transaction, const { own("detail") }),
            user_agent: below(client, const { own("userAgent") }),
        }
    }

    fn part(&self, part: Part) -> &'s [Member<'s>] {
        match part {
            Part::Event => self.event,
            Part::Actor => self.actor,
            Part::Client => self.client,
            Part::Geo => self.geo,
            Part::Outcome => self.outcome,
            Part::Security => self.security,
            Part::Transaction => self.transaction,
            Part::TransactionDetail => self.transaction_detail,
            Part::UserAgent => self.user_agent,
        }
    }
}

/// The members of the object under `name`; none where there is no object.
fn below<'s>(members: &'s [Member<'s>], name: &str) -> &'s [Member<'s>] {
    member(members, name).map(Value::members).unwrap_or_default()
}

/// One event on its way through the template.
struct Mapping<'a, 's> {
    arena: &'s super::Arena,
    parts: &'a Parts<'s>,
    facts: &'a Facts<'s>,
}

impl<'s> Mapping<'_, 's> {
    /// The members that `fields` make. Each is written where it stays by the arm that finds it.
    fn object(&self, fields: &'static [Field]) -> &'s [Member<'s>] {
        let mut members = ArenaVec::with_capacity_in(fields.len(), self.arena);
        for Field { name, source } in fields {
            match source {
                Source::Copy(part, from) => {
                    let mut own = self.parts.part(*part).iter();
                    let Some(found) = own.find(|member| member.is_named(from)) else { continue };
                    match &found.value {
                        Value::Object(_) | Value::Array(_) => {
                            let value = tree::pruned(self.arena, found.value);
                            members.extend(value.map(|value| Member { name, value }));
                        }
                        scalar if tree::says_something(scalar) => {
                            members.push(Member { name, value: found.value });
                        }
                        _ => {}
                    }
                }
                Source::Constant(text) => members.push(Member { name, value: Value::Text(text) }),
                Source::Fact(fact) => {
                    if let Some(value) = self.facts.of_kind(*fact) {
                        members.push(Member { name, value: *value });
                    }
                }
                Source::Object(fields) => {
                    let inner = self.object(fields);
                    if !inner.is_empty() {
                        members.push(Member { name, value: Value::Object(inner) });
                    }
                }
            }
        }
        members.into_bump_slice()
    }
}

#[cfg(test)]
#[path = "okta_tests.rs"]
mod okta_tests;
