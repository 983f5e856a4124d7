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

pub mod field;
pub mod envelope;
pub mod decode;
pub mod okta;

use std::ops::ControlFlow;

pub use decode::{DecodeFault, Decoded, Scratch, SkipReason, TopicProfile, decode};
pub use field::{FieldPath, FieldType, FieldTypes, may_be_derived};

use crate::record::Timestamp;

/// The memory that events live in: reset with each record, so that decoding allocates nothing
/// once it has grown to the largest record seen.
pub type Arena = bumpalo::Bump;

/// One JSON value, borrowed from an [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'s> {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits with a sign.
    Int(i64),
    /// An integer above `i64::MAX` that fits 64 bits.
    Uint(u64),
    /// Any other number (integers beyond 64 bits lose precision here).
    Float(f64),
    /// A string, unescaped.
    Text(&'s str),
    /// An array, in order.
    Array(&'s [Value<'s>]),
    /// An object, members in the order of their first occurrence, names unique.
    Object(&'s [Member<'s>]),
}

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member<'s> {
    /// The member's name: never dotted, unique within its object.
    pub name: &'s str,
    /// The member's value.
    pub value: Value<'s>,
}

/// How an event was wrapped when it arrived (okta.md section 1 of the design; docs/RULES.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// A System Log event as Okta's API returns it.
    Raw,
    /// An Elastic Agent document: the event as a JSON string in `message`.
    Agent,
    /// A Filebeat module document: the event under `json` or in `event.original`.
    Filebeat,
    /// A document that is already ECS.
    Ecs,
    /// Vector's `okta` source.
    Vector,
    /// A generic wrapper with the event as a JSON string (`message`, `log`, `event.original`).
    Wrapped,
    /// An Okta event hook delivery.
    EventHook,
    /// Okta log streaming through Amazon EventBridge.
    EventBridge,
    /// A Splunk HTTP Event Collector object.
    SplunkHec,
    /// A CloudEvents 1.0 envelope.
    CloudEvents,
    /// Any other JSON object, judged as it stands.
    Other,
}

impl Shape {
    /// Every shape, in the order of the documents.
    pub const ALL: [Self; 11] = [
        Self::Raw,
        Self::Agent,
        Self::Filebeat,
        Self::Ecs,
        Self::Vector,
        Self::Wrapped,
        Self::EventHook,
        Self::EventBridge,
        Self::SplunkHec,
        Self::CloudEvents,
        Self::Other,
    ];

    /// The shape's name in metrics, logs and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Agent => "agent",
            Self::Filebeat => "filebeat",
            Self::Ecs => "ecs",
            Self::Vector => "vector",
            Self::Wrapped => "wrapped",
            Self::EventHook => "event_hook",
            Self::EventBridge => "eventbridge",
            Self::SplunkHec => "splunk_hec",
            Self::CloudEvents => "cloudevents",
            Self::Other => "other",
        }
    }
}

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
        field::visit_members(self.fields, path.segments(), visit)
    }

    /// The first value that `path` names, arrays opened: the first element of an array.
    #[must_use]
    pub fn first(&self, path: &FieldPath) -> Option<Value<'s>> {
        let found = self.visit(path, &mut |value| match first_leaf(value) {
            Some(leaf) => ControlFlow::Break(leaf),
            None => ControlFlow::Continue(()),
        });
        match found {
            ControlFlow::Break(leaf) => Some(leaf),
            ControlFlow::Continue(()) => None,
        }
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

/// The first value inside `value` that is neither null nor an array.
fn first_leaf(value: Value<'_>) -> Option<Value<'_>> {
    match value {
        Value::Null => None,
        Value::Array(items) => items.iter().find_map(|item| first_leaf(*item)),
        other => Some(other),
    }
}
