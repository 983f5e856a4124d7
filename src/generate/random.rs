//! SplitMix64 (Steele, Lea, Flood 2014): small, and ours, so that seeds mean the same for ever.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The same byte eight times.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// `what`, less than 128, in each of the eight bytes that is at least `least`; all of them are below
/// 128. Without a multiplication, which compilers cannot do for two numbers at once.
const fn where_at_least(least: u8, bytes: u64, what: u8) -> u64 {
    let is_so = (bytes + eight(128 - least)) & eight(128);
    (is_so - (is_so >> 7)) & eight(what)
}

/// The lower half of each of eight bytes as a lower-case hexadecimal digit.
fn digits_of(bytes: u64) -> [u8; 8] {
    let halves = bytes & eight(15);
    (halves + eight(b'0') + where_at_least(10, halves, b'a' - b'9' - 1)).to_le_bytes()
}

/// Six bits of each of eight bytes as a letter or a digit.
fn letters(bytes: u64) -> [u8; 8] {
    let numbers = bytes & eight(63);
    let back = where_at_least(26, numbers, b'a' + 26 - b'A')
        + where_at_least(52, numbers, b'A' + 26 - b'0')
        // Sixty-two characters for sixty-four numbers.
        + where_at_least(62, numbers, 10);
    (numbers + eight(b'a') - back).to_le_bytes()
}

/// Another number that follows from this one and does not look so: a quarter of the work of drawing
/// one.
#[inline]
fn further(number: u64) -> u64 {
    number.rotate_left(29).wrapping_mul(GAMMA)
}

impl Random {
    /// The stream of one event: depends on the seed and the event's number only.
    pub(super) fn of_event(seed: u64, number: u64) -> Self {
        // Mixed twice: a sum of two mixed halves would be the same for (seed, number) pairs that
        // are each other's mirror, and neighbouring seeds would share an event.
        Self { state: mix(mix(seed.wrapping_add(GAMMA)) ^ number) }
    }

    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * (bound as u128);
        usize::try_from(wide >> 64).unwrap_or_default()
    }

    /// Four numbers of sixteen bits.
    pub(super) fn quarters(&mut self) -> [u16; 4] {
        let number = self.next();
        [number, number >> 16, number >> 32, number >> 48].map(|quarter| quarter as u16)
    }

    /// One of `items`, of which there is at least one.
    pub(super) fn choose<'a, T, const N: usize>(&mut self, items: &'a [T; N]) -> &'a T {
        const { assert!(N > 0, "there is something to choose from") };
        let at = self.below(N);
        items.get(at).or(items.first()).expect("N is above 0, asserted at compile time")
    }

    /// Sixteen letters and digits.
    #[inline]
    pub(super) fn letters(&mut self) -> [[u8; 8]; 2] {
        let number = self.next();
        [letters(number), letters(further(number))]
    }

    /// Sixty-four hexadecimal digits.
    #[inline]
    pub(super) fn hex(&mut self) -> [[u8; 8]; 8] {
        let mut number = self.next();
        let mut digits = [[0; 8]; 8];
        for [low, high] in digits.as_chunks_mut().0 {
            (*low, *high) = (digits_of(number), digits_of(number >> 4));
            number = further(number);
        }
        digits
    }

    /// The digits of a version-4 UUID, eight at a time.
    #[inline]
    pub(super) fn uuid(&mut self) -> [[u8; 8]; 4] {
        let high = self.next() & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = self.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        [high >> 32, high, low >> 32, low].map(|part| {
            // One byte for each half of a byte, the highest first.
            let bytes = u64::from((part as u32).swap_bytes());
            let bytes = (bytes | bytes << 16) & 0x0000_ffff_0000_ffff;
            let bytes = (bytes | bytes << 8) & 0x00ff_00ff_00ff_00ff;
            digits_of(bytes >> 4 & eight(15) | bytes << 8)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_letters_and_digits_come_and_nothing_else() {
        let text = |bytes: std::ops::Range<u8>| -> Vec<u8> {
            let eights: Vec<u8> = bytes.collect();
            let (eights, _) = eights.as_chunks::<8>();
            eights.iter().flat_map(|eight| letters(u64::from_le_bytes(*eight))).collect()
        };
        let expected = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901";
        assert_eq!(text(0..64), expected, "62 and 63 are 0 and 1 once more");
        assert_eq!(text(64..128), expected);
        assert_eq!(text(128..192), expected);
        let digits: Vec<u8> =
            [*b"\x00\x01\x02\x03\x04\x05\x06\x07", *b"\x08\x09\x0a\x0b\xfc\xfd\xfe\xff"]
                .into_iter()
                .flat_map(|eight| digits_of(u64::from_le_bytes(eight)))
                .collect();
        assert_eq!(digits, b"0123456789abcdef");
    }

    #[test]
    fn a_uuid_is_what_its_number_says() {
        for seed in 0..200 {
            let mut random = Random::of_event(seed, 3);
            let [high, low] = [random.next(), random.next()];
            let number = u128::from(high) << 64 | u128::from(low);
            let expected = number & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
            let digits = Random::of_event(seed, 3).uuid().concat();
            assert_eq!(String::from_utf8_lossy(&digits), format!("{expected:032x}"));
        }
    }
}
