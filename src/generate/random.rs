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

/// The lower-case hexadecimal digit of the lowest four bits.
fn hex(bits: u64) -> u8 {
    match (bits & 15) as u8 {
        digit @ 0..10 => b'0' + digit,
        letter => b'a' + letter - 10,
    }
}

/// Okta's ids are letters and digits.
const WORD: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789x5";

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

    pub(super) fn push_hex(&mut self, buffer: &mut Vec<u8>, digits: usize) {
        self.push_symbols(buffer, digits, hex, 4);
    }

    pub(super) fn push_word(&mut self, buffer: &mut Vec<u8>, letters: usize) {
        let letter = |bits| WORD.get((bits & 63) as usize).copied().unwrap_or(b'x');
        self.push_symbols(buffer, letters, letter, 6);
    }

    fn push_symbols(
        &mut self,
        buffer: &mut Vec<u8>,
        count: usize,
        symbol: impl Fn(u64) -> u8,
        bits: u32,
    ) {
        let per_word = (64 / bits) as usize;
        let mut left = count;
        while left > 0 {
            let mut word = self.next();
            for _ in 0..left.min(per_word) {
                buffer.push(symbol(word));
                word >>= bits;
            }
            left = left.saturating_sub(per_word);
        }
    }

    /// A version-4 UUID in its text form.
    pub(super) fn push_uuid(&mut self, buffer: &mut Vec<u8>) {
        let high = self.next() & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = self.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let wide = (u128::from(high) << 64) | u128::from(low);
        for digit in 0..32 {
            if matches!(digit, 8 | 12 | 16 | 20) {
                buffer.push(b'-');
            }
            buffer.push(hex((wide >> (124 - 4 * digit)) as u64));
        }
    }
}
