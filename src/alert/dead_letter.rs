//! A record that could not be judged: why, at which stage, and all of its bytes.

use super::Encoded;
use crate::record::{Record, Timestamp};

/// Where in its life a record failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// While it was received.
    Receiving,
    /// While it was judged.
    Processing,
    /// While its output was sent.
    Sending,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::Receiving, Self::Processing, Self::Sending];
    /// The name in headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Processing => "processing",
            Self::Sending => "sending",
        }
    }
}

/// A dead letter.
#[derive(Clone, Copy)]
pub struct DeadLetter<'a> {
    /// The record.
    pub record: &'a Record<'a>,
    /// Where it failed.
    pub stage: Stage,
    /// The reason, from a small fixed vocabulary.
    pub reason: &'static str,
    /// One line of detail; escaped and cut here.
    pub detail: &'a str,
    /// When.
    pub judged: Timestamp,
}

impl DeadLetter<'_> {
    /// The dead letter as it goes to a topic: original key, value and headers, plus `ouzel.error.*`
    /// and `ouzel.source.*` headers.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        unimplemented!()
    }
    /// The dead letter without the payload, for a broker that refuses the size of the whole one:
    /// an empty value, `ouzel.payload.sha256`, `ouzel.payload.bytes`, `ouzel.error.truncated`.
    #[must_use]
    pub fn encode_without_value(&self) -> Encoded {
        unimplemented!()
    }
    /// The dead letter as one JSON line, for `pipe`.
    #[must_use]
    pub fn encode_line(&self) -> Vec<u8> {
        unimplemented!()
    }
}
