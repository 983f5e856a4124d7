//! SplitMix64 (Steele, Lea, Flood 2014): small, and ours, so that seeds mean the same for ever.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The same byte eight times.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// One in each of the eight bytes that is at least `least`; all of them are below 128.
const fn at_least(least: u8, bytes: u64) -> u64 {
    (bytes + eight(128 - least)) >> 7 & eight(1)
}

/// The lower-case hexadecimal digits of a number, those of the lowest bits first.
fn digits_from_below(number: u32) -> [u8; 8] {
    let mut spread = u64::from(number);
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & eight(15);
    let letters = at_least(10, spread) * u64::from(b'a' - b'9' - 1);
    (spread + eight(b'0') + letters).to_le_bytes()
}

/// The same, those of the highest bits first.
fn digits(number: u32) -> [u8; 8] {
    let bytes = number.swap_bytes();
    digits_from_below((bytes & 0x0f0f_0f0f) << 4 | bytes >> 4 & 0x0f0f_0f0f)
}

/// Okta's ids are letters and digits: one for each number of six bits.
const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789x5";

/// Two letters for each number of twelve bits: half as many looks as letters.
#[derive(Clone, Debug)]
pub(super) struct Pairs(Box<[u16; PAIRS]>);

const PAIRS: usize = 64 * 64;

impl Pairs {
    pub(super) fn new() -> Self {
        let mut pairs = Box::new([0; PAIRS]);
        let second =
            LETTERS.iter().flat_map(|second| LETTERS.iter().map(move |first| (first, second)));
        for (pair, (first, second)) in pairs.iter_mut().zip(second) {
            *pair = u16::from_le_bytes([*first, *second]);
        }
        Self(pairs)
    }

    #[inline]
    fn at(&self, bits: u64) -> u64 {
        self.0.get(bits as usize % PAIRS).copied().map_or(0, u64::from)
    }
}

impl Random {
    /// The stream of one event: depends on the seed and the event's number only.
    pub(super) fn of_event(seed: u64, number: u64) -> Self {
        // Mixed twice: a sum of two mixed halves would be the same for (seed, number) pairs that
        // are each other's mirror, and neighbouring seeds would share an event.
        Self { state: mix(mix(seed.wrapping_add(GAMMA)) ^ number) }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * (bound as u128);
        usize::try_from(wide >> 64).unwrap_or_default()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    /// One of `items`, of which there is at least one.
    pub(super) fn choose<'a, T, const N: usize>(&mut self, items: &'a [T; N]) -> &'a T {
        const { assert!(N > 0, "there is something to choose from") };
        let at = self.below(N);
        items.get(at).or(items.first()).expect("N is above 0, asserted at compile time")
    }

    /// Sixteen hexadecimal digits.
    #[inline]
    pub(super) fn hex(&mut self) -> [[u8; 8]; 2] {
        let number = self.next();
        [digits_from_below(number as u32), digits_from_below((number >> 32) as u32)]
    }

    /// Twenty letters and digits: eight, eight and four.
    #[inline]
    pub(super) fn word(&mut self, pairs: &Pairs) -> ([[u8; 8]; 2], [u8; 4]) {
        let (first, second) = (self.next(), self.next());
        let four = |a: u64, b: u64, c: u64, d: u64| {
            let text = pairs.at(a) | pairs.at(b) << 16 | pairs.at(c) << 32 | pairs.at(d) << 48;
            text.to_le_bytes()
        };
        let head = four(first, first >> 12, first >> 24, first >> 36);
        let middle = four(first >> 48, second, second >> 12, second >> 24);
        let tail = (pairs.at(second >> 36) | pairs.at(second >> 48) << 16) as u32;
        ([head, middle], tail.to_le_bytes())
    }

    /// A version-4 UUID in its text form.
    pub(super) fn uuid(&mut self) -> [u8; 36] {
        let high = self.next() & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = self.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let [a, b, c, d] = [high >> 32, high, low >> 32, low].map(|part| digits(part as u32));
        let mut text = [b'-'; 36];
        let mut lay = |at: usize, digits: &[u8]| {
            let places = text.iter_mut().skip(at);
            places.zip(digits).for_each(|(to, from)| *to = *from);
        };
        lay(0, &a);
        let ([b_head, b_tail], [c_head, c_tail]) = (halves(b), halves(c));
        lay(9, &b_head);
        lay(14, &b_tail);
        lay(19, &c_head);
        lay(24, &c_tail);
        lay(28, &d);
        text
    }
}

fn halves(digits: [u8; 8]) -> [[u8; 4]; 2] {
    let [a, b, c, d, e, f, g, h] = digits;
    [[a, b, c, d], [e, f, g, h]]
}
