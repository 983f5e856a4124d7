//! Alerts: the versioned wire shape of a published hit, and of what could not be judged.
//!
//! ```text
//! hit + rule + event + record + time ── build ──▶ id, key, headers ── encode ──▶ bytes
//! ```
//!
//! Deterministic: the same rules, the same record and the same clock give the same bytes, and the
//! same event has the same id for ever.

pub mod build;
mod encode;
mod rule_part;
mod mapping;
mod facts;
mod reason;
mod headers;
mod sheet;
mod escape;
mod origin;
mod json;
mod notice;
pub mod dead_letter;

pub use crate::disposition::AlertId;
use crate::record::OutputHeader;
pub use build::{AlertEncoder, AlertInput, EncoderOptions};
pub use dead_letter::{DeadLetter, REASONS, Stage};

/// One output record, ready for a sink: what goes to which kind of target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The key, where there is one.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a null value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<OutputHeader>,
    /// The record time stamp: when it was judged.
    pub timestamp: crate::record::Timestamp,
}

#[cfg(test)]
mod tests;
