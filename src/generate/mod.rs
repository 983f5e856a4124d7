//! Seeded Okta events for `generate`, `demo`, tests and benches.
//!
//! ```text
//! catalogue (event types) ─┐
//! template (JSON, slots)  ─┴─▶ one template per event type ── people, random ──▶ sheet ─▶ bytes
//! ```
//!
//! The same options give the same bytes, for ever: the random numbers are our own (SplitMix64) and
//! every event depends on the seed and its number only, so a checker can compute the id of any
//! event without making the others. Nothing here performs I/O or reads a clock.

mod catalogue;
mod generator;
mod people;
mod random;
mod sheet;
mod template;

use std::str::FromStr;

use crate::record::Timestamp;
pub use generator::{Generated, Generator};
use random::Random;

/// How events are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// As Okta's System Log API returns them.
    #[default]
    Raw,
    /// As Elasticsearch holds them after Elastic's Okta integration.
    Ecs,
    /// As Elastic Agent writes them to Kafka: the raw event as a JSON string in `message`.
    Agent,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Ecs, Self::Agent];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ecs => "ecs",
            Self::Agent => "agent",
        }
    }
}

impl FromStr for Shape {
    type Err = UnknownShape;

    fn from_str(name: &str) -> Result<Self, UnknownShape> {
        Self::ALL
            .into_iter()
            .find(|shape| shape.name() == name)
            .ok_or_else(|| UnknownShape(name.to_owned()))
    }
}

/// A shape name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shape; allowed are raw, ecs and agent")]
pub struct UnknownShape(String);

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
        self.hits_in(number + 1) > self.hits_in(number)
    }

    /// The `uuid` of the event with this number, from 0.
    #[must_use]
    pub fn uuid(&self, number: u64) -> String {
        let text = Random::of_event(self.seed, number).uuid();
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[cfg(test)]
mod tests;
