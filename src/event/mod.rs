//! Events: the read-only view of what a payload says.
//!
//! ```text
//! payload ── envelope ──▶ where the events are ── decode ──▶ values ── okta ──▶ Event (ECS)
//! ```
//!
//! One canonical tree is the contract with everything downstream: after decoding, an event is a
//! tree of nested objects in which every name occurs once. Dotted keys (`"event.action"`) have
//! been opened into nested objects, a key that stood twice holds the array of all its values, and
//! an Okta System Log event has been mapped to ECS. So evaluating, explaining and encoding walk
//! plain paths and never meet a spelling twice.
//!
//! All of an event lives in the [`Arena`] of its worker and is gone with the next record. Nothing
//! here performs I/O, reads a clock or knows rules.

pub mod value;
pub mod shape;
pub mod field;
pub mod types;
pub(crate) mod names;
pub(crate) mod texts;
pub mod decode;
mod scan;
mod direct;
mod tape;
mod forgiving;
mod tree;
mod envelope;
mod recognise;
mod wrapping;
mod okta;
mod time;

use std::ops::ControlFlow;

pub use decode::{DecodeFault, Decoded, Scratch, SkipReason, TopicProfile, decode};
pub use field::{FieldPath, keys_of, may_be_derived, visit_members, visit_value};
pub use shape::Shape;
pub use time::of as time_of;
pub use types::{FieldType, FieldTypes};
pub use value::{Member, Value};

use crate::record::Timestamp;

/// The memory that events live in: reset with each record, so that decoding allocates nothing
/// once it has grown to the largest record seen.
pub type Arena = bumpalo::Bump;

/// One decoded event: a canonical ECS tree (see the module's essay) and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Event<'s> {
    /// The fields, as one tree.
    pub fields: &'s [Member<'s>],
    /// How the event was wrapped.
    pub shape: Shape,
    /// Which event of the record this is, from 0.
    pub index: u32,
    /// The `uuid` of an Okta event: the identity that survives redelivery and replay.
    pub okta_uuid: Option<&'s str>,
    /// The event's `@timestamp`, where it has one that can be read.
    pub time: Option<Timestamp>,
    /// The event's own JSON text, where it stood in one piece (for `event.original`).
    pub original: Option<&'s str>,
}

impl<'s> Event<'s> {
    /// Visits every value that `path` names, arrays and objects included: arrays on the way are
    /// entered, so `okta.target.id` visits the id of each target. The last value itself is handed
    /// over as it stands (an array is handed over whole). Stops early on `Break`.
    pub fn visit<B>(
        &self,
        path: &FieldPath,
        visit: &mut impl FnMut(Value<'s>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        visit_members(self.fields, path.segments(), visit)
    }

    /// The first value that `path` names, arrays opened: the first element of an array.
    #[must_use]
    pub fn first(&self, path: &FieldPath) -> Option<Value<'s>> {
        let found = self.visit(path, &mut |value| match value.first_leaf() {
            Some(leaf) => ControlFlow::Break(leaf),
            None => ControlFlow::Continue(()),
        });
        match found {
            ControlFlow::Break(leaf) => Some(leaf),
            ControlFlow::Continue(()) => None,
        }
    }

    /// As [`Event::first`], for a name that is split on the way.
    #[must_use]
    pub fn first_named(&self, name: &str) -> Option<Value<'s>> {
        field::first_named(self.fields, name)
    }

    /// The first text that `path` names.
    #[must_use]
    pub fn text(&self, path: &FieldPath) -> Option<&'s str> {
        match self.first(path) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod support_tests;
