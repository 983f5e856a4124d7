//! The generator: picks an event type, draws the values, fills the template.

use super::random::Random;
use super::template::{Slot, Template};
use super::{Options, catalogue, people};

/// What [`Generator::next_into`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The event's number, from 0; [`super::Options::uuid`] gives its id.
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
