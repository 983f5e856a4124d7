//! Judging: which rules hold for the events of a record.
//!
//! ```text
//! record ─ skip? ─ prefilter ─┬─ no literal found ─ check ─▶ clean | unreadable
//!                             └─ candidate ─ decode ─ programs × events ─▶ clean | hits | unreadable
//! ```
//!
//! [`Detector`] is immutable and shared; each worker brings its own [`Scratch`]. The prefilter may
//! only over-approximate: a record that it excludes can hit no rule of the set.

mod address;
mod date;
mod number;
mod words;
mod matcher;
pub mod compile;
mod literal;
pub mod kernel;
pub mod prefilter;
mod check;
mod evaluate;
mod index;
pub mod detector;
mod near;
pub mod explain;
pub mod reference;

pub use compile::Program;
pub use detector::{Detector, Validate};
pub use prefilter::NoLiteral;

use crate::event::{DecodeFault, Event, SkipReason};
use crate::rule::RuleIndex;

pub use crate::event::Scratch;

/// One rule that holds for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which event of the verdict's `events`.
    pub event: u32,
    /// Which rule of the set.
    pub rule: RuleIndex,
}

/// The outcome for a record.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'s> {
    /// The record's outcome, as metrics count it.
    pub outcome: Outcome,
    /// Whether the prefilter could not exclude the record.
    pub candidate: bool,
    /// The decoded events (empty where nothing had to be decoded).
    pub events: &'s [Event<'s>],
    /// The hits, by event, then by rule. An unreadable record may have hits: those of the events
    /// before its fault.
    pub hits: &'s [Hit],
}

/// What became of a record as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Judged; no rule holds.
    Clean,
    /// Judged; at least one rule holds.
    Hits,
    /// Could not be judged (wholly): a dead letter.
    Unreadable(DecodeFault),
    /// Holds no event.
    Skipped(SkipReason),
}

#[cfg(test)]
mod support_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod oracle_tests;
