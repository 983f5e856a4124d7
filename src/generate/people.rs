//! Who does things, from where, and with which program: invented.

use super::random::Random;

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

/// A person: three small numbers from which id, login and name follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    first: &'static str,
    last: &'static str,
    number: u8,
}

impl Person {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            first: *random.choose(&FIRST),
            last: *random.choose(&LAST),
            number: random.byte() % 16,
        }
    }

    /// The same person has the same id in every event.
    pub(super) fn push_id(&self, buffer: &mut Vec<u8>) {
        let seed = self
            .first
            .bytes()
            .chain(self.last.bytes())
            .fold(u64::from(self.number), |sum, byte| {
                sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
            });
        buffer.extend_from_slice(b"00u");
        Random::of_event(seed, 0).push_word(buffer, 17);
    }

    /// `first.last7`, what is left of a login before the `@`.
    pub(super) fn push_user(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(self.first.as_bytes());
        buffer.push(b'.');
        buffer.extend_from_slice(self.last.as_bytes());
        if self.number >= 10 {
            buffer.push(b'1');
        }
        buffer.push(b'0' + self.number % 10);
    }

    pub(super) fn push_login(&self, buffer: &mut Vec<u8>) {
        self.push_user(buffer);
        buffer.extend_from_slice(b"@example.com");
    }

    pub(super) fn push_name(&self, buffer: &mut Vec<u8>) {
        push_capital(self.first, buffer);
        buffer.push(b' ');
        push_capital(self.last, buffer);
    }
}

fn push_capital(name: &str, buffer: &mut Vec<u8>) {
    let mut bytes = name.bytes();
    buffer.extend(bytes.next().map(|first| first.to_ascii_uppercase()));
    buffer.extend(bytes);
}

/// A place that addresses are said to be in.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) country: &'static str,
    pub(super) postcode: &'static str,
    pub(super) latitude: &'static str,
    pub(super) longitude: &'static str,
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

pub(super) fn place(random: &mut Random) -> &'static Place {
    random.choose(&PLACES)
}

/// A program that speaks to Okta.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) raw: &'static str,
    pub(super) os: &'static str,
    pub(super) browser: &'static str,
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

pub(super) fn agent(random: &mut Random) -> &'static Agent {
    random.choose(&AGENTS)
}
