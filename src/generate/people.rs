//! Who does things, from where, and with which program: invented, and made ready as texts.

use super::random::{Pairs, Random};
use super::sheet::Text;

const FIRST: [&str; 24] = [
    "ada", "amir", "bea", "chen", "dara", "elif", "emil", "fatou", "goran", "hana", "ines", "ivo",
    "jana", "kofi", "lena", "luis", "maya", "nils", "olga", "priya", "rosa", "sven", "tariq",
    "yuki",
];
const LAST: [&str; 24] = [
    "adler", "amsel", "baker", "castro", "dietz", "eriksen", "fischer", "garcia", "haddad", "ito",
    "jansen", "kowalski", "laurent", "meyer", "novak", "okafor", "petrov", "quist", "rossi",
    "sato", "tanaka", "usman", "vogel", "weber",
];

/// What is made ready of a name.
#[derive(Clone, Copy, Debug)]
struct Name {
    small: [u8; 8],
    capital: [u8; 8],
    length: usize,
}

/// Names, made ready once.
#[derive(Clone, Debug)]
pub(super) struct Names {
    first: [Name; FIRST.len()],
    last: [Name; LAST.len()],
}

impl Name {
    fn of(name: &str) -> Self {
        let mut small = [0; 8];
        small.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        let mut capital = small;
        let [initial, ..] = &mut capital;
        initial.make_ascii_uppercase();
        debug_assert!(name.len() <= small.len(), "names are short");
        Self { small, capital, length: name.len() }
    }
}

impl Names {
    pub(super) fn new() -> Self {
        Self { first: FIRST.map(Name::of), last: LAST.map(Name::of) }
    }

    pub(super) fn draw(&self, random: &mut Random) -> Person {
        Person {
            first: *random.choose(&self.first),
            last: *random.choose(&self.last),
            number: random.byte() % 16,
        }
    }
}

/// A person: two names and a small number, from which id, login and display name follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    first: Name,
    last: Name,
    number: u8,
}

impl Person {
    /// The same person has the same id in every event.
    pub(super) fn id(&self, pairs: &Pairs, text: &mut Text) {
        let bytes = |name: &Name| name.small.into_iter().take(name.length);
        let seed = bytes(&self.first)
            .chain(bytes(&self.last))
            .fold(u64::from(self.number), |sum, byte| {
                sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
            });
        let ([head, middle], tail) = Random::of_event(seed, 0).word(pairs);
        text.clear();
        text.add(*b"00u ", 3);
        text.add(head, 8);
        text.add(middle, 8);
        text.add(tail, 1);
    }

    /// `first.last7`, what is left of a login before the `@`.
    pub(super) fn user(&self, text: &mut Text) {
        text.clear();
        text.add(self.first.small, self.first.length);
        text.add(*b".", 1);
        text.add(self.last.small, self.last.length);
        let unit = b'0' + self.number % 10;
        let (number, length) = if self.number >= 10 { ([b'1', unit], 2) } else { ([unit, 0], 1) };
        text.add(number, length);
    }

    pub(super) fn login(&self, text: &mut Text) {
        self.user(text);
        text.add(*b"@example", 8);
        text.add(*b".com", 4);
    }

    /// `First Last`.
    pub(super) fn name(&self, text: &mut Text) {
        text.clear();
        text.add(self.first.capital, self.first.length);
        text.add(*b" ", 1);
        text.add(self.last.capital, self.last.length);
    }
}

/// A place that addresses are said to be in.
#[derive(Debug)]
struct Place {
    city: &'static str,
    state: &'static str,
    country: &'static str,
    postcode: &'static str,
    latitude: &'static str,
    longitude: &'static str,
}

const PLACES: [Place; 8] = [
    Place {
        city: "Berlin",
        state: "Berlin",
        country: "Germany",
        postcode: "10115",
        latitude: "52.532",
        longitude: "13.3849",
    },
    Place {
        city: "Zürich",
        state: "Zurich",
        country: "Switzerland",
        postcode: "8001",
        latitude: "47.3717",
        longitude: "8.5423",
    },
    Place {
        city: "São Paulo",
        state: "São Paulo",
        country: "Brazil",
        postcode: "01000",
        latitude: "-23.5475",
        longitude: "-46.6361",
    },
    Place {
        city: "Ashburn",
        state: "Virginia",
        country: "United States",
        postcode: "20147",
        latitude: "39.0469",
        longitude: "-77.4903",
    },
    Place {
        city: "Boardman",
        state: "Oregon",
        country: "United States",
        postcode: "97818",
        latitude: "45.8696",
        longitude: "-119.688",
    },
    Place {
        city: "Nairobi",
        state: "Nairobi County",
        country: "Kenya",
        postcode: "00100",
        latitude: "-1.2841",
        longitude: "36.8155",
    },
    Place {
        city: "Osaka",
        state: "Osaka",
        country: "Japan",
        postcode: "543-0062",
        latitude: "34.6851",
        longitude: "135.5136",
    },
    Place {
        city: "Halifax",
        state: "Nova Scotia",
        country: "Canada",
        postcode: "B3H",
        latitude: "44.6464",
        longitude: "-63.5729",
    },
];

impl Place {
    /// City, state, country, postal code, latitude, longitude.
    fn texts(&self) -> [Text; 6] {
        [self.city, self.state, self.country, self.postcode, self.latitude, self.longitude]
            .map(|text| short(text.as_bytes()))
    }
}

fn short(text: &[u8]) -> Text {
    let parts = Text::cut(text);
    debug_assert!(parts.len() == 1, "places, systems and browsers have short names");
    parts.first().copied().unwrap_or_default()
}

/// Places and programs, made ready once.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    places: [[Text; 6]; PLACES.len()],
    agents: [[Text; 2 + AGENT_PARTS]; AGENTS.len()],
    /// By network and host.
    addresses: [Vec<Text>; NETWORKS.len()],
}

/// 203.0.113.0/24, 198.51.100.0/24 and 192.0.2.0/24 are for documentation (RFC 5737).
const NETWORKS: [&str; 3] = ["203.0.113", "198.51.100", "192.0.2"];

impl Surroundings {
    pub(super) fn new() -> Self {
        Self {
            places: PLACES.each_ref().map(Place::texts),
            agents: AGENTS.each_ref().map(Agent::texts),
            addresses: NETWORKS.map(|network| {
                let hosts = 0..=u8::MAX;
                hosts.map(|host| short(format!("{network}.{host}").as_bytes())).collect()
            }),
        }
    }

    pub(super) fn address(&self, random: &mut Random) -> Text {
        let hosts = random.choose(&self.addresses);
        hosts.get(usize::from(random.byte())).copied().unwrap_or_default()
    }

    pub(super) fn place(&self, random: &mut Random) -> &[Text; 6] {
        random.choose(&self.places)
    }

    pub(super) fn agent(&self, random: &mut Random) -> &[Text; 2 + AGENT_PARTS] {
        random.choose(&self.agents)
    }
}

/// A program that speaks to Okta.
#[derive(Debug)]
struct Agent {
    raw: &'static str,
    os: &'static str,
    browser: &'static str,
}

const AGENTS: [Agent; 6] = [
    Agent {
        raw: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        os: "Windows 10",
        browser: "CHROME",
    },
    Agent {
        raw: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
        os: "Mac OS X",
        browser: "SAFARI",
    },
    Agent {
        raw: "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
        os: "Linux",
        browser: "FIREFOX",
    },
    Agent {
        raw: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        os: "iOS (iPhone)",
        browser: "UNKNOWN",
    },
    Agent {
        raw: "com.okta.android.auth/8.16.0 DeviceSDK/0.24.0 Android/14 samsung/SM-S911B",
        os: "Android",
        browser: "UNKNOWN",
    },
    Agent {
        raw: "okta-sdk-java/16.0.0 java/17.0.9 Linux/5.15.0",
        os: "Unknown",
        browser: "UNKNOWN",
    },
];

/// Blocks that the longest name of a program takes.
pub(super) const AGENT_PARTS: usize = 4;

impl Agent {
    /// System, browser, and the whole name in so many parts, the last of which may be empty.
    fn texts(&self) -> [Text; 2 + AGENT_PARTS] {
        let mut texts = [Text::default(); 2 + AGENT_PARTS];
        let parts = Text::cut(self.raw.as_bytes());
        debug_assert!(parts.len() <= AGENT_PARTS, "{} is too long", self.raw);
        let [os, browser, raw @ ..] = &mut texts;
        (*os, *browser) = (short(self.os.as_bytes()), short(self.browser.as_bytes()));
        raw.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        texts
    }
}
