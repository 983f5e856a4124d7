//! Who does things, from where, and with which program: all of it invented.
//!
//! A person of names as long as another's stands in the place of the other without anything being
//! moved. Names are sorted by length, so that those of one length are a range.

use std::ops::Range;

use super::random::Random;

const FIRST: [&str; 24] = [
    "ada", "bea", "ivo", "amir", "chen", "dara", "elif", "emil", "hana", "ines", "jana", "kofi",
    "lena", "luis", "maya", "nils", "olga", "rosa", "sven", "yuki", "fatou", "goran", "priya",
    "tariq",
];
const LAST: [&str; 24] = [
    "sato", "adler", "amsel", "baker", "dietz", "ishii", "meyer", "novak", "quist", "rossi",
    "usman", "vogel", "weber", "castro", "garcia", "haddad", "jansen", "okafor", "petrov",
    "tanaka", "eriksen", "fischer", "laurent", "kowalski",
];

/// People of the same two names; what tells them apart are two digits of their logins.
const NAMESAKES: u16 = 16;
const FIRST_NAMESAKE: u16 = 10;

/// What is made ready of two names.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// `first.last00`
    user: Short,
    /// `First Last`
    name: Short,
}

/// A text of eight to sixteen bytes: its first eight and its last eight, which may overlap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short {
    pub(super) head: [u8; 8],
    pub(super) tail: [u8; 8],
}

impl Short {
    fn of(text: &str) -> Self {
        let ends = text.as_bytes().first_chunk().zip(text.as_bytes().last_chunk());
        let (head, tail) = ends.expect("two names are eight letters and more: a test looks at all");
        Self { head: *head, tail: *tail }
    }
}

/// Every two names, made ready once.
#[derive(Clone, Debug)]
pub(super) struct Names(Vec<Pair>);

/// Names of certain lengths, as ranges of the two lists.
#[derive(Clone, Debug)]
pub(super) struct Lengths {
    first: Range<u16>,
    last: Range<u16>,
    /// Bytes of a user with such names, without the domain.
    pub(super) user: u32,
    /// Bytes of a display name.
    pub(super) name: u32,
}

impl Lengths {
    /// Of two names, each as probable as any other.
    fn draw(random: &mut Random) -> Self {
        Self::of(random.choose(&FIRST).len(), random.choose(&LAST).len())
    }

    fn of(first: usize, last: usize) -> Self {
        let name = u32::try_from(first + 1 + last).expect("names are short");
        Self { first: of_length(&FIRST, first), last: of_length(&LAST, last), user: name + 2, name }
    }
}

fn of_length(names: &[&str], length: usize) -> Range<u16> {
    let start = names.partition_point(|name| name.len() < length);
    let end = names.partition_point(|name| name.len() <= length);
    start as u16..end as u16
}

/// One of the range, from sixteen random bits.
fn one_of(range: &Range<u16>, bits: u16) -> u16 {
    let wide = u32::from(bits) * u32::from(range.end - range.start);
    range.start + (wide >> 16) as u16
}

impl Names {
    pub(super) fn new() -> Self {
        let all = FIRST.iter().flat_map(|first| LAST.iter().map(move |last| (first, last)));
        let pair = |(first, last): (&&str, &&str)| Pair {
            user: Short::of(&format!("{first}.{last}00")),
            name: Short::of(&format!("{} {}", capital(first), capital(last))),
        };
        Self(all.map(pair).collect())
    }

    /// A person with names of these lengths, from random bits.
    #[inline]
    pub(super) fn person(&self, lengths: &Lengths, bits: [u16; 3]) -> Person {
        let [first, last, namesake] = bits;
        let (first, last) = (one_of(&lengths.first, first), one_of(&lengths.last, last));
        let (at, namesake) = (first * LAST.len() as u16 + last, namesake % NAMESAKES);
        let Pair { mut user, name } =
            *self.0.get(usize::from(at)).expect("lengths are ranges of the two lists");
        let number = u64::from(FIRST_NAMESAKE + namesake);
        let digits = (number / 10) << 48 | (number % 10) << 56;
        user.tail = (u64::from_le_bytes(user.tail) + digits).to_le_bytes();
        let key = u64::from(at * NAMESAKES + namesake);
        Person { id: Random::of_event(key, 0).letters(), user, name }
    }
}

fn capital(name: &str) -> String {
    let (initial, rest) = name.split_at(1);
    initial.to_ascii_uppercase() + rest
}

/// What events say of a person.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// The same in every event.
    pub(super) id: [[u8; 8]; 2],
    /// `first.last17`, what is left of a login before the `@`.
    pub(super) user: Short,
    /// `First Last`.
    pub(super) name: Short,
}

#[cfg(test)]
impl Person {
    /// Id, user and name, where the names have these lengths.
    pub(super) fn texts(&self, lengths: &Lengths) -> [String; 3] {
        let whole = |Short { head, tail }: &Short, length: u32| {
            let own = length as usize - tail.len();
            let text = [head.get(..own.min(8)).unwrap_or_default(), tail].concat();
            String::from_utf8(text).expect("names are ASCII")
        };
        let id = String::from_utf8(self.id.concat()).expect("ids are ASCII");
        [id, whole(&self.user, lengths.user), whole(&self.name, lengths.name)]
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

/// 203.0.113.0/24, 198.51.100.0/24 and 192.0.2.0/24 are for documentation (RFC 5737).
const NETWORKS: [&str; 3] = ["203.0.113.", "198.51.100.", "192.0.2."];

/// The last number of an address, always of three digits, from random bits.
pub(super) fn host(bits: u16) -> [u8; 3] {
    let number = one_of(&(100..256), bits);
    [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8)
}

/// Where events come from: what all events of a template share.
#[derive(Debug)]
pub(super) struct Setting {
    place: &'static Place,
    agent: &'static Agent,
    network: &'static str,
    pub(super) actor: Lengths,
    pub(super) target: Lengths,
}

impl Setting {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            place: random.choose(&PLACES),
            agent: random.choose(&AGENTS),
            network: *random.choose(&NETWORKS),
            actor: Lengths::draw(random),
            target: Lengths::draw(random),
        }
    }

    /// What stands in the slot of this name.
    pub(super) fn text(&self, slot: &str) -> Option<&'static str> {
        let Self { place, agent, network, .. } = self;
        Some(match slot {
            "city" => place.city,
            "state" => place.state,
            "country" => place.country,
            "postcode" => place.postcode,
            "latitude" => place.latitude,
            "longitude" => place.longitude,
            "agent.raw" => agent.raw,
            "agent.os" => agent.os,
            "agent.browser" => agent.browser,
            "network" => network,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_person_has_the_names_that_were_drawn_and_an_id_of_its_own() {
        let names = Names::new();
        let mut seen = std::collections::BTreeMap::new();
        let mut lengths_seen = std::collections::BTreeSet::new();
        for (first, last) in FIRST.iter().flat_map(|first| LAST.map(|last| (*first, last))) {
            let lengths = Lengths::of(first.len(), last.len());
            lengths_seen.insert((lengths.first.clone().start, lengths.last.clone().start));
            // The middle of the bits that mean this name.
            let bits = |list: &[&str], name: &str, range: &Range<u16>| {
                let at = list.iter().position(|it| *it == name).expect("it is one of them");
                let each = 65_536.0 / f64::from(range.end - range.start);
                (each * (at as f64 - f64::from(range.start) + 0.5)) as u16
            };
            let [a, b] = [bits(&FIRST, first, &lengths.first), bits(&LAST, last, &lengths.last)];
            for namesake in 0..NAMESAKES {
                let person = names.person(&lengths, [a, b, namesake]);
                let [id, user, name] = person.texts(&lengths);
                assert_eq!(user, format!("{first}.{last}{}", FIRST_NAMESAKE + namesake));
                assert_eq!(name, format!("{} {}", capital(first), capital(last)));
                seen.insert(id, user);
            }
        }
        assert_eq!(seen.len(), FIRST.len() * LAST.len() * usize::from(NAMESAKES));
        assert_eq!(lengths_seen.len(), 15);
    }

    #[test]
    fn names_are_sorted_by_length() {
        assert!(FIRST.is_sorted_by_key(|name| name.len()));
        assert!(LAST.is_sorted_by_key(|name| name.len()));
    }

    #[test]
    fn hosts_have_three_digits() {
        let hosts: std::collections::BTreeSet<_> = (0..=u16::MAX).map(host).collect();
        assert_eq!(
            hosts,
            (100..=255)
                .map(|it: u8| it.to_string().into_bytes().try_into().expect("three"))
                .collect()
        );
    }
}
