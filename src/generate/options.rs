//! What is asked for, and what follows from it without an event being made.

use super::Shape;
use super::random::Random;
use crate::record::Timestamp;

/// What to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Other seeds make other events.
    pub seed: u64,
    /// Hits in a thousand events, 0 to 1000; spread evenly.
    pub hits_permille: u32,
    /// How events are wrapped.
    pub shape: Shape,
    /// Whether event types that the other shipped rules look for are made as well.
    pub noise_hits: bool,
    /// The `published` time of the first event.
    pub start: Timestamp,
    /// Milliseconds from one event to the next.
    pub step_ms: u64,
}

impl Default for Options {
    /// 2026-01-01, an event a millisecond, one hit in a thousand.
    fn default() -> Self {
        Self {
            seed: 1,
            hits_permille: 1,
            shape: Shape::Raw,
            noise_hits: false,
            start: Timestamp::from_millis(1_767_225_600_000),
            step_ms: 1,
        }
    }
}

impl Options {
    /// How many of the first `count` events are hits.
    #[must_use]
    pub fn hits_in(&self, count: u64) -> u64 {
        let hits = u128::from(count) * u128::from(self.hits_permille.min(1000)) / 1000;
        u64::try_from(hits).unwrap_or(u64::MAX)
    }

    /// Whether the event with this number, from 0, is a hit.
    #[must_use]
    pub fn is_hit(&self, number: u64) -> bool {
        // As `hits_in` has it, without its long divisions.
        let permille = u64::from(self.hits_permille.min(1000));
        number % 1000 * permille % 1000 + permille >= 1000
    }

    /// The `uuid` of the event with this number, from 0.
    #[must_use]
    pub fn uuid(&self, number: u64) -> String {
        let digits = Random::of_event(self.seed, number).uuid().concat();
        let mut text = String::with_capacity(36);
        for (at, digit) in digits.into_iter().enumerate() {
            if [8, 12, 16, 20].contains(&at) {
                text.push('-');
            }
            text.push(char::from(digit));
        }
        text
    }
}
