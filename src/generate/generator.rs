//! The generator: picks a template, draws the values, fills its blanks.
//!
//! Templates are made before the first event; what is left for each is a copy and random numbers.

use std::sync::Arc;

use super::people::{Names, Setting, host};
use super::random::Random;
use super::template::{Layout, Template, Values};
use super::{Options, catalogue, texts};

/// Templates of an event type of weight one: they differ in place, program, network and lengths of
/// names. About 1 MB of them all together: with three times as many, which a core's own cache does
/// not hold, an event takes a tenth longer to make.
const TEMPLATES: usize = 2;

/// Templates of the events that hit.
const TEMPLATES_OF_HITS: usize = 64;

/// What [`Generator::next_into`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The event's number, from 0; [`super::Options::uuid`] gives its id.
    pub number: u64,
    /// Whether the MFA-reset rule hits it.
    pub hit: bool,
}

/// Makes events, one after the other. A clone shares what was made ready.
#[derive(Clone, Debug)]
pub struct Generator {
    options: Options,
    next: u64,
    ready: Arc<Ready>,
    published: Published,
}

/// What all events are made from.
#[derive(Debug)]
struct Ready {
    names: Names,
    noise: Vec<Template>,
    hits: Vec<Template>,
}

impl Generator {
    /// A generator that starts at event 0.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let ready = Arc::new(Ready::new(&options));
        Self { options, next: 0, ready, published: Published::of_second(0) }
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
        let uuid = random.uuid();
        let templates = if hit { &self.ready.hits } else { &self.ready.noise };
        let template = templates.get(random.below(templates.len()));
        let template = template.expect("there are templates of both kinds");
        let [first, last, namesake, address] = random.quarters();
        let actor = self.ready.names.person(&template.actor, [first, last, namesake]);
        let [first, last, namesake, _] = random.quarters();
        let target = self.ready.names.person(&template.target, [first, last, namesake]);
        let published = self.published.of(&self.options, number);
        let values = Values { uuid, published, host: host(address), actor, target };
        template.append(&values, &mut random, buffer);
        Generated { number, hit }
    }
}

impl Ready {
    fn new(options: &Options) -> Self {
        let names = Names::new();
        // As events that nobody will ever ask for.
        let mut numbers = (0..=u64::MAX).rev();
        let mut of_kind = |kind, count| {
            let layout = Layout::parse(&texts::text(kind, options.shape));
            let one = |number| {
                let mut random = Random::of_event(options.seed, number);
                Template::new(&layout, &Setting::draw(&mut random))
            };
            numbers.by_ref().take(count).map(one).collect::<Vec<_>>()
        };
        let hits = of_kind(&catalogue::HIT, TEMPLATES_OF_HITS);
        let neighbours: &[_] = if options.noise_hits { catalogue::NEIGHBOURS } else { &[] };
        let kinds = catalogue::NOISE.iter().chain(neighbours);
        let noise = kinds.flat_map(|kind| of_kind(kind, TEMPLATES * kind.weight)).collect();
        Self { names, noise, hits }
    }
}

/// `2026-01-01T00:00:00.000Z`, the form in which Okta writes `published`. Events follow each other
/// closely, so what is right for a second is kept.
#[derive(Clone, Debug)]
struct Published {
    second: i64,
    text: [u8; 24],
    /// Whether a text of this length has this second.
    is_shown: bool,
}

impl Published {
    fn of_second(second: i64) -> Self {
        let text = |stamp: jiff::Timestamp| format!("{stamp:.3}").as_bytes().try_into().ok();
        let shown: Option<[u8; 24]> = jiff::Timestamp::from_second(second).ok().and_then(text);
        let text = shown.unwrap_or(*b"1970-01-01T00:00:00.000Z");
        Self { second, text, is_shown: shown.is_some() }
    }

    /// The time of the event of this number.
    fn of(&mut self, options: &Options, number: u64) -> [u8; 24] {
        let offset = i64::try_from(number.saturating_mul(options.step_ms)).unwrap_or(i64::MAX);
        let millis = options.start.as_millis().saturating_add(offset);
        let second = millis.div_euclid(1000);
        if second != self.second {
            *self = Self::of_second(second);
        }
        let mut text = self.text;
        if self.is_shown {
            let millis = millis.rem_euclid(1000);
            let [.., hundreds, tens, ones, _] = &mut text;
            for (digit, power) in [(hundreds, 100), (tens, 10), (ones, 1)] {
                *digit = b'0' + (millis / power % 10) as u8;
            }
        }
        text
    }
}
