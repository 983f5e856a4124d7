//! At most so many alerts of a rule per window; nothing is dropped past it, only marked.

use crate::record::Timestamp;
use crate::rule::{RuleIndex, RuleSet};

/// What the limit says of one more alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowState {
    /// Within the limit.
    Within,
    /// The first one past the limit in its window: one notice is due.
    FirstOver,
    /// Past the limit.
    Over,
}

/// Counts of alerts per rule in tumbling windows by record time stamp (else arrival).
#[derive(Debug)]
pub struct Limit {}

impl Limit {
    /// Empty windows for `rules`.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        let _ = rules;
        Self {}
    }
    /// Counts one alert of `rule` at `time`.
    pub fn count(&mut self, rule: RuleIndex, time: Timestamp) -> WindowState {
        let _ = (rule, time);
        unimplemented!()
    }
}
