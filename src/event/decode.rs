//! Bytes → events, in a reusable scratch.

use super::{Arena, Event};
use crate::record::Record;

/// What a worker reuses from record to record: the arena and simd-json's buffers.
#[derive(Default)]
pub struct Scratch {
    arena: Arena,
}

/// What a topic's configuration adds to its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicProfile {
    /// The index name that rules are scoped by; `None`: every rule judges the topic.
    pub index: Option<String>,
    /// Labels added to every event of the topic, under `labels`.
    pub labels: Vec<(String, String)>,
    /// Whether every event of the topic is Okta's, whatever its shape says.
    pub okta: bool,
}

/// The events of one record.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'s> {
    /// The events that could be read, in the order of the record.
    pub events: &'s [Event<'s>],
    /// Why (the rest of) the record could not be read. Events before the fault still count.
    pub fault: Option<DecodeFault>,
    /// Why the record holds no event to judge, where it holds none.
    pub skipped: Option<SkipReason>,
    /// The memory that the events live in, for what is made of them beside them.
    pub arena: &'s Arena,
}

/// Why a record holds nothing to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The record's value is null.
    Tombstone,
    /// The value is empty or blank.
    Empty,
    /// A known kind of record that is no event (a security event token).
    NotAnEvent,
}

/// Why a record could not be read. The text of each is a dead letter's `ouzel.error.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeFault {
    /// The bytes are no JSON.
    #[error("not JSON")]
    NotJson,
    /// The JSON ends too early.
    #[error("truncated")]
    Truncated,
    /// The bytes are no UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A raw control byte inside a string.
    #[error("control byte")]
    ControlByte,
    /// JSON, but neither an object nor an array of objects.
    #[error("not an object")]
    NotAnObject,
    /// Larger than [`crate::limits::PAYLOAD_BYTES_MAX`].
    #[error("too large")]
    TooLarge,
    /// Nested deeper than [`crate::limits::EVENT_DEPTH_MAX`].
    #[error("too deep")]
    TooDeep,
    /// More events than [`crate::limits::EVENTS_PER_RECORD_MAX`].
    #[error("too many events")]
    TooManyEvents,
}

impl SkipReason {
    /// Every reason, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::Tombstone, Self::Empty, Self::NotAnEvent];

    /// The name in metrics and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::Empty => "empty",
            Self::NotAnEvent => "not an event",
        }
    }
}

impl DecodeFault {
    /// Every fault, in the order of the documents.
    pub const ALL: [Self; 8] = [
        Self::NotJson,
        Self::Truncated,
        Self::NotUtf8,
        Self::ControlByte,
        Self::NotAnObject,
        Self::TooLarge,
        Self::TooDeep,
        Self::TooManyEvents,
    ];

    /// The reason in dead letters and metrics; the same text as its message.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotJson => "not JSON",
            Self::Truncated => "truncated",
            Self::NotUtf8 => "not UTF-8",
            Self::ControlByte => "control byte",
            Self::NotAnObject => "not an object",
            Self::TooLarge => "too large",
            Self::TooDeep => "too deep",
            Self::TooManyEvents => "too many events",
        }
    }
}

/// Decodes every event of `record` into `scratch`.
pub fn decode<'s>(
    record: &Record<'_>,
    profile: &TopicProfile,
    scratch: &'s mut Scratch,
) -> Decoded<'s> {
    let _ = (record, profile, &scratch.arena);
    unimplemented!()
}
