//! Seeded Okta events for `generate`, `demo`, tests and benches.
//!
//! ```text
//! catalogue (event types) ─┐
//! template (JSON, slots)  ─┴─▶ one template per event type ── people, random ──▶ bytes
//! ```
//!
//! The same options give the same bytes, for ever: the random numbers are our own (SplitMix64) and
//! every event depends on the seed and its number only, so a checker can compute the id of any
//! event without making the others. Nothing here performs I/O or reads a clock.

mod catalogue;
mod people;
mod random;
mod template;

use std::str::FromStr;

use crate::record::Timestamp;
use random::Random;
use template::{Slot, Template};

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
        let mut text = Vec::with_capacity(36);
        Random::of_event(self.seed, number).push_uuid(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// What [`Generator::next_into`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The event's number, from 0; [`Options::uuid`] gives its id.
    pub number: u64,
    /// Whether the MFA-reset rule hits it.
    pub hit: bool,
}

/// Makes events, one after the other.
#[derive(Clone, Debug)]
pub struct Generator {
    options: Options,
    next: u64,
    /// The templates of events that hit nothing, weighted by how often each occurs.
    noise: Vec<Template>,
    /// Indices into `noise`, as often as the type's weight.
    wheel: Vec<u16>,
    hit: Template,
}

impl Generator {
    /// A generator that starts at event 0.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let types = || {
            let neighbours: &[_] = if options.noise_hits { catalogue::NEIGHBOURS } else { &[] };
            catalogue::NOISE.iter().chain(neighbours)
        };
        let noise = types().map(|kind| Template::new(kind, options.shape)).collect();
        let wheel = (0_u16..)
            .zip(types())
            .flat_map(|(index, kind)| std::iter::repeat_n(index, kind.weight))
            .collect();
        let hit = Template::new(&catalogue::HIT, options.shape);
        Self { options, next: 0, noise, wheel, hit }
    }

    /// Goes on with the event of this number.
    pub fn skip_to(&mut self, number: u64) {
        self.next = number;
    }

    /// Appends the next event to `buffer`, as JSON without a line end.
    pub fn next_into(&mut self, buffer: &mut Vec<u8>) -> Generated {
        let number = self.next;
        self.next += 1;
        let hit = self.options.is_hit(number);
        let mut random = Random::of_event(self.options.seed, number);
        let mut slots = Slots::draw(&self.options, number, &mut random);
        let template = if hit { &self.hit } else { self.pick(&mut random) };
        template.write(buffer, |slot, buffer| slots.push(slot, buffer));
        Generated { number, hit }
    }

    fn pick(&self, random: &mut Random) -> &Template {
        let at = random.below(self.wheel.len());
        self.wheel
            .get(at)
            .and_then(|index| self.noise.get(usize::from(*index)))
            .unwrap_or(&self.hit)
    }
}

/// The values of one event.
struct Slots {
    uuid: Vec<u8>,
    published: String,
    actor: people::Person,
    target: people::Person,
    place: &'static people::Place,
    agent: &'static people::Agent,
    address: [u8; 4],
    random: Random,
}

impl Slots {
    fn draw(options: &Options, number: u64, random: &mut Random) -> Self {
        let mut uuid = Vec::with_capacity(36);
        random.push_uuid(&mut uuid);
        let offset = i64::try_from(number.saturating_mul(options.step_ms)).unwrap_or(i64::MAX);
        let millis = options.start.as_millis().saturating_add(offset);
        Self {
            uuid,
            published: iso(millis),
            actor: people::Person::draw(random),
            target: people::Person::draw(random),
            place: people::place(random),
            agent: people::agent(random),
            // 203.0.113.0/24, 198.51.100.0/24 and 192.0.2.0/24 are for documentation (RFC 5737).
            address: [*random.choose(&[203, 198, 192]), 0, 0, random.byte()],
            random: random.clone(),
        }
    }

    fn push(&mut self, slot: Slot, buffer: &mut Vec<u8>) {
        match slot {
            Slot::Uuid => buffer.extend_from_slice(&self.uuid),
            Slot::Published => buffer.extend_from_slice(self.published.as_bytes()),
            Slot::ActorId => self.actor.push_id(buffer),
            Slot::ActorLogin => self.actor.push_login(buffer),
            Slot::ActorUser => self.actor.push_user(buffer),
            Slot::ActorName => self.actor.push_name(buffer),
            Slot::TargetId => self.target.push_id(buffer),
            Slot::TargetLogin => self.target.push_login(buffer),
            Slot::TargetUser => self.target.push_user(buffer),
            Slot::TargetName => self.target.push_name(buffer),
            Slot::Address => push_address(self.address, buffer),
            Slot::City => buffer.extend_from_slice(self.place.city.as_bytes()),
            Slot::State => buffer.extend_from_slice(self.place.state.as_bytes()),
            Slot::Country => buffer.extend_from_slice(self.place.country.as_bytes()),
            Slot::Postcode => buffer.extend_from_slice(self.place.postcode.as_bytes()),
            Slot::Latitude => buffer.extend_from_slice(self.place.latitude.as_bytes()),
            Slot::Longitude => buffer.extend_from_slice(self.place.longitude.as_bytes()),
            Slot::AgentRaw => buffer.extend_from_slice(self.agent.raw.as_bytes()),
            Slot::AgentOs => buffer.extend_from_slice(self.agent.os.as_bytes()),
            Slot::AgentBrowser => buffer.extend_from_slice(self.agent.browser.as_bytes()),
            Slot::Word => self.random.push_word(buffer, 20),
            Slot::Hex => self.random.push_hex(buffer, 64),
        }
    }
}

fn push_address(address: [u8; 4], buffer: &mut Vec<u8>) {
    let network: &[u8] = match address {
        [203, ..] => b"203.0.113.",
        [198, ..] => b"198.51.100.",
        _ => b"192.0.2.",
    };
    buffer.extend_from_slice(network);
    let [.., host] = address;
    let digits = [b'0' + host / 100, b'0' + host / 10 % 10, b'0' + host % 10];
    let leading = usize::from(host < 100) + usize::from(host < 10);
    buffer.extend(digits.into_iter().skip(leading));
}

/// `2026-01-01T00:00:00.000Z`, the form in which Okta writes `published`.
fn iso(millis: i64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{stamp:.3}")
}

#[cfg(test)]
mod tests;
