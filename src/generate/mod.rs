//! Seeded Okta events for `generate`, `demo`, tests and benches.
//!
//! ```text
//! catalogue (event types) ─┐
//! texts (JSON, slots)     ─┼─▶ templates: whole events with blanks ─┐
//! people (places, names)  ─┘                                        ├─▶ copied, blanks filled ─▶ bytes
//!                      random (ids, times, names of equal lengths) ─┘
//! ```
//!
//! A generator that loads the stage has to be several times as fast as the stage. So what is made
//! ready is not a text for each field but some hundred whole events, as many of each type as its
//! weight says; to make one more is to copy one of them and to write over what is its own: uuid,
//! time, ids, hashes, people, address. All of that is as wide as what it replaces (people have names
//! as long as those that they replace), so that nothing moves. Place, program and network are the
//! template's.
//!
//! The same options give the same bytes: the random numbers are our own (SplitMix64) and every
//! event depends on the options and its number only, so a checker can compute the id of any event
//! without making the others, and threads can share the work. Nothing here performs I/O or reads a
//! clock.

mod catalogue;
mod generator;
mod options;
mod people;
mod random;
mod template;
mod texts;

use std::str::FromStr;

pub use generator::{Generated, Generator};
pub use options::Options;

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

#[cfg(test)]
mod tests;
