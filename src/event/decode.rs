//! Bytes → events, in a reusable scratch.
//!
//! ```text
//! payload ─ UTF-8? ─ one value? ─┬─ direct, else simd-json ──┬─▶ trees ─ envelope ─▶ events
//!                                └─ cut at value boundaries ─┘
//!                                   each: direct, else simd-json, else serde_json
//! ```
//!
//! Nothing here panics or recurses without a bound, whatever the bytes are. What was read before a
//! fault counts: a record may have events and a fault. Once the scratch has grown to the largest
//! record seen, decoding allocates nothing.

use bumpalo::collections::Vec as ArenaVec;

use super::envelope::Finder;
use super::tape::Parser;
use super::value::Value;
use super::{Arena, Event, direct, forgiving, scan};
use crate::limits::{EVENTS_PER_RECORD_MAX, PAYLOAD_BYTES_MAX, SCRATCH_BYTES_KEPT_MAX};
use crate::record::Record;

/// What a worker reuses from record to record: the arena and simd-json's buffers.
#[derive(Default)]
pub struct Scratch {
    arena: Arena,
    parser: Parser,
}

impl Scratch {
    /// Forgets the last record. What one huge record made grow is given back.
    fn renew(&mut self) {
        if self.arena.allocated_bytes() > SCRATCH_BYTES_KEPT_MAX {
            self.arena = Arena::new();
        }
        self.arena.reset();
        self.parser.shrink();
    }
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
    /// The value is empty or blank, or a page without events.
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
    /// Larger than [`crate::limits::PAYLOAD_BYTES_MAX`], or its events together larger than
    /// [`crate::limits::EVENTS_BYTES_MAX`].
    #[error("too large")]
    TooLarge,
    /// Nested deeper than [`crate::limits::EVENT_DEPTH_MAX`], or wrapped more often than
    /// [`crate::limits::WRAPPER_DEPTH_MAX`].
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

/// Decodes every event of `record` into `scratch`; what its payload says in so many words is not
/// copied.
pub fn decode<'s>(
    record: &Record<'s>,
    profile: &TopicProfile,
    scratch: &'s mut Scratch,
) -> Decoded<'s> {
    scratch.renew();
    let Scratch { arena, parser } = scratch;
    let arena: &'s Arena = arena;
    let nothing = |fault, skipped| Decoded { events: &[], fault, skipped, arena };
    let Some(payload) = record.payload else {
        return nothing(None, Some(SkipReason::Tombstone));
    };
    if payload.len() > PAYLOAD_BYTES_MAX {
        return nothing(Some(DecodeFault::TooLarge), None);
    }
    let (text, broken) = text_of(payload);
    let text = scan::skip_blank(text);
    if text.is_empty() && broken.is_none() {
        return nothing(None, Some(SkipReason::Empty));
    }
    let mut reader = Reader { arena, parser };
    let values = reader.values(text);
    let mut finder = Finder::new(reader, profile, record.timestamp);
    finder.record(&values.found);
    let (events, fault, skipped) = finder.finish();
    // Where the bytes stop being UTF-8, the value before them is cut off for that reason.
    let cut = match values.fault {
        Some(DecodeFault::Truncated) | None => broken.or(values.fault),
        fault => fault,
    };
    let fault = fault.or(cut);
    Decoded { events, fault, skipped: skipped.filter(|_| fault.is_none()), arena }
}

/// The text that `payload` is, as far as it is UTF-8, and what is wrong behind that.
fn text_of(payload: &[u8]) -> (&str, Option<DecodeFault>) {
    if let Ok(text) = simdutf8::basic::from_utf8(payload) {
        return (text, None);
    }
    match std::str::from_utf8(payload) {
        Ok(text) => (text, None),
        Err(fault) => {
            let valid = payload.get(..fault.valid_up_to()).unwrap_or_default();
            let broken = match fault.error_len() {
                Some(_) => DecodeFault::NotUtf8,
                None => DecodeFault::Truncated,
            };
            (std::str::from_utf8(valid).unwrap_or_default(), Some(broken))
        }
    }
}

/// The values of one text, each with its own text, up to a fault.
pub(super) struct Values<'s> {
    pub(super) found: ArenaVec<'s, (Value<'s>, &'s str)>,
    pub(super) fault: Option<DecodeFault>,
}

/// Reads JSON texts into trees.
pub(super) struct Reader<'p, 's> {
    pub(super) arena: &'s Arena,
    pub(super) parser: &'p mut Parser,
}

impl<'s> Reader<'_, 's> {
    /// Every value of `text`: one, several lines of them, or several without anything between.
    pub(super) fn values(&mut self, text: &'s str) -> Values<'s> {
        let mut found = ArenaVec::new_in(self.arena);
        if let Ok(value) = self.strictly(text) {
            found.push((value, text.trim_end_matches([' ', '\t', '\r', '\n'])));
            return Values { found, fault: None };
        }
        let mut rest = scan::skip_blank(text);
        while !rest.is_empty() {
            if found.len() > EVENTS_PER_RECORD_MAX {
                return Values { found, fault: Some(DecodeFault::TooManyEvents) };
            }
            let read = scan::split_value(rest)
                .and_then(|(one, behind)| Ok((self.value(one)?, one, behind)));
            match read {
                Ok((value, one, behind)) => {
                    found.push((value, one));
                    rest = scan::skip_blank(behind);
                }
                Err(fault) => return Values { found, fault: Some(fault) },
            }
        }
        Values { found, fault: None }
    }

    /// The one value that `text` is, where simd-json takes it for one.
    fn strictly(&mut self, text: &'s str) -> Result<Value<'s>, DecodeFault> {
        match direct::read(self.arena, text) {
            Some(value) => Ok(value),
            None => self.parser.read(self.arena, text),
        }
    }

    /// The one value that `text` is. Only for text whose depth is known to be bounded.
    fn value(&mut self, text: &'s str) -> Result<Value<'s>, DecodeFault> {
        self.strictly(text).or_else(|refused| match refused {
            DecodeFault::TooDeep => Err(refused),
            _ => forgiving::read(self.arena, text),
        })
    }

    /// The object or array that a text inside an event is, where it is one.
    pub(super) fn embedded(&mut self, text: &'s str) -> Option<Value<'s>> {
        let text = scan::skip_blank(text);
        if !text.starts_with(['{', '[']) {
            return None;
        }
        if let Some(value) = direct::read(self.arena, text) {
            return Some(value);
        }
        let (one, behind) = scan::split_value(text).ok()?;
        if !scan::skip_blank(behind).is_empty() {
            return None;
        }
        self.value(one).ok()
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod decode_tests;
