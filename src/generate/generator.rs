//! The generator: picks an event type, draws the values, fills the template.
//!
//! All texts are made ready before the first event; what is left for each is random numbers and
//! copies of blocks (`sheet`).

use super::random::{Pairs, Random};
use super::sheet::{BLOCK, Sheet, Text};
use super::template::{PLACES, Template};
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
    templates: Templates,
    values: Values,
    sheet: Sheet,
}

impl Generator {
    /// A generator that starts at event 0.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let templates = Templates::new(&options);
        let sheet = Sheet::new(templates.bytes_max());
        Self { options, next: 0, templates, values: Values::new(), sheet }
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
        self.values.draw(&self.options, number, &mut random);
        let mut each = random.clone();
        let template = if hit { &self.templates.hit } else { self.templates.pick(&mut random) };
        self.sheet.clear();
        template.write(&mut self.sheet, &self.values.texts, (&mut each, &self.values.pairs));
        buffer.extend_from_slice(self.sheet.written());
        Generated { number, hit }
    }
}

/// The event types, ready to be filled.
#[derive(Clone, Debug)]
struct Templates {
    /// Those of events that hit nothing.
    noise: Vec<Template>,
    /// Indices into `noise`, as often as the type's weight.
    wheel: Vec<u16>,
    hit: Template,
}

impl Templates {
    fn new(options: &Options) -> Self {
        let types = || {
            let neighbours: &[_] = if options.noise_hits { catalogue::NEIGHBOURS } else { &[] };
            catalogue::NOISE.iter().chain(neighbours)
        };
        let noise = types().map(|kind| Template::new(kind, options.shape)).collect();
        let wheel = (0_u16..)
            .zip(types())
            .flat_map(|(index, kind)| std::iter::repeat_n(index, kind.weight))
            .collect();
        Self { noise, wheel, hit: Template::new(&catalogue::HIT, options.shape) }
    }

    fn bytes_max(&self) -> usize {
        let all = self.noise.iter().chain([&self.hit]);
        all.map(Template::bytes_max).max().unwrap_or_default()
    }

    fn pick(&self, random: &mut Random) -> &Template {
        let at = random.below(self.wheel.len());
        self.wheel
            .get(at)
            .and_then(|index| self.noise.get(usize::from(*index)))
            .unwrap_or(&self.hit)
    }
}

/// The values that an event has once, and what they are taken from.
#[derive(Clone, Debug)]
struct Values {
    names: people::Names,
    surroundings: people::Surroundings,
    pairs: Pairs,
    published: Published,
    /// In the order of a template's places.
    texts: [Text; PLACES],
}

impl Values {
    fn new() -> Self {
        Self {
            names: people::Names::new(),
            surroundings: people::Surroundings::new(),
            pairs: Pairs::new(),
            published: Published::of_second(0),
            texts: [Text::default(); PLACES],
        }
    }

    /// Draws them, in the order that seeds have always meant.
    fn draw(&mut self, options: &Options, number: u64, random: &mut Random) {
        let [head, tail, published, about_people @ .., _, _, _, _, _, _, _, _, _, _, _, _, _] =
            &mut self.texts;
        let uuid = random.uuid();
        let (first, last) = uuid.split_first_chunk().expect("a UUID has 36 characters");
        head.clear();
        head.add::<BLOCK>(*first, BLOCK);
        tail.clear();
        tail.add::<4>(*last.first_chunk().expect("four of them are left"), 4);
        let offset = i64::try_from(number.saturating_mul(options.step_ms)).unwrap_or(i64::MAX);
        self.published.at(options.start.as_millis().saturating_add(offset), published);
        for texts in about_people.as_chunks_mut::<4>().0 {
            let person = self.names.draw(random);
            let [id, user, login, name] = texts;
            person.id(&self.pairs, id);
            person.user(user);
            person.login(login);
            person.name(name);
        }
        let [.., address, a, b, c, d, e, f, os, browser, r1, r2, r3, r4] = &mut self.texts;
        let place = self.surroundings.place(random);
        let agent = self.surroundings.agent(random);
        *address = self.surroundings.address(random);
        let to = [a, b, c, d, e, f, os, browser, r1, r2, r3, r4];
        to.into_iter().zip(place.iter().chain(agent)).for_each(|(to, from)| *to = *from);
    }
}

/// `2026-01-01T00:00:00.000Z`, the form in which Okta writes `published`. Events follow each other
/// closely, so what is right for a second is kept.
#[derive(Clone, Debug)]
struct Published {
    second: i64,
    text: Text,
    /// Whether the calendar has this second.
    is_shown: bool,
}

impl Published {
    fn of_second(second: i64) -> Self {
        let stamp = jiff::Timestamp::from_second(second);
        let is_shown = stamp.is_ok();
        let text = format!("{:.3}", stamp.unwrap_or(jiff::Timestamp::UNIX_EPOCH));
        let text = Text::cut(text.as_bytes()).first().copied().unwrap_or_default();
        Self { second, text, is_shown }
    }

    fn at(&mut self, millis: i64, text: &mut Text) {
        let second = millis.div_euclid(1000);
        if second != self.second {
            *self = Self::of_second(second);
        }
        *text = self.text;
        if self.is_shown {
            let millis = millis.rem_euclid(1000);
            let digits = [100, 10, 1].map(|power| b'0' + (millis / power % 10) as u8);
            text.patch(text.len().saturating_sub(4), digits);
        }
    }
}
