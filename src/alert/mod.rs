//! Alerts: the versioned wire shape of a published hit, and of what could not be judged.
//!
//! ```text
//! hit + rule + event + record + time ── build ──▶ id, key, headers ── encode ──▶ bytes
//! ```
//!
//! Deterministic: the same rules, the same record and the same clock give the same bytes, and the
//! same event has the same id for ever.

pub mod build;
pub mod encode;
pub mod dead_letter;

pub use build::{AlertEncoder, AlertInput, EncoderOptions};
pub use dead_letter::{DeadLetter, Stage};

use std::fmt;

/// The id of an alert: a SHA-256, printed as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlertId(pub [u8; 32]);

impl fmt::Display for AlertId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}
impl fmt::Debug for AlertId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AlertId({self})")
    }
}

/// One output record, ready for a sink: what goes to which kind of target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The key, where there is one.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a null value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The record time stamp: when it was judged.
    pub timestamp: crate::record::Timestamp,
}
