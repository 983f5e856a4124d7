//! The identity of an alert, and a bounded window of the ids that were delivered lately.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The id of an alert: a SHA-256, printed as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlertId(pub [u8; 32]);

impl AlertId {
    /// The id as it is printed, without an allocation.
    #[must_use]
    pub fn hex(&self) -> Hex {
        let mut digits = [b'0'; 64];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.0) {
            *pair = [hex_digit(byte >> 4), hex_digit(byte & 0xf)];
        }
        Hex(digits)
    }
}

/// The 64 lower-case hexadecimal digits of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex([u8; 64]);

impl Hex {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

/// The digit of a number below 16.
const fn hex_digit(number: u8) -> u8 {
    if number < 10 { b'0' + number } else { b'a' - 10 + number }
}

impl fmt::Display for AlertId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.hex().as_str())
    }
}
impl fmt::Debug for AlertId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AlertId({self})")
    }
}

/// Finds ids by their own first bytes: an id is a hash. A number that only this process knows is
/// mixed in, so that nobody can choose events whose ids meet in the table.
#[derive(Clone, Debug)]
struct Seed(u64);

/// The hash of one id.
#[derive(Debug)]
struct Mixed {
    seed: u64,
    hash: u64,
}

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seed {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed { seed: self.0, hash: 0 }
    }
}

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        let first = bytes.first_chunk().copied().unwrap_or_default();
        let mixed = u128::from(u64::from_le_bytes(first) ^ self.seed) * 0x9e37_79b9_7f4a_7c15;
        self.hash = (mixed >> 64) as u64 ^ mixed as u64;
    }

    /// All ids are equally long.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// The ids of the last delivered alerts, bounded; the oldest leaves first.
///
/// An id enters only when its alert is delivered: a hit whose id is still in flight is published
/// again, or a failed delivery followed by a redelivery would lose the alert.
#[derive(Clone, Debug)]
pub struct RecentIds {
    capacity: usize,
    /// The same ids as in `order`; never more than `capacity`.
    known: HashSet<AlertId, Seed>,
    /// From the oldest to the latest, each once.
    order: VecDeque<AlertId>,
}

impl RecentIds {
    /// A window of at most `capacity` ids; 0 switches it off.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, known: HashSet::default(), order: VecDeque::new() }
    }

    /// Whether `id` was delivered lately.
    #[must_use]
    pub fn contains(&self, id: &AlertId) -> bool {
        self.known.contains(id)
    }

    /// Records that the alert `id` was delivered. An id that is known keeps its place.
    pub fn delivered(&mut self, id: AlertId) {
        if self.capacity == 0 || !self.known.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// How many ids are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no id is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> AlertId {
        AlertId([number; 32])
    }

    /// Delivers `delivered` one after the other; afterwards exactly `known` are known.
    fn check(capacity: usize, delivered: &[u8], known: &[u8]) {
        let mut recent = RecentIds::new(capacity);
        delivered.iter().for_each(|number| recent.delivered(id(*number)));
        let found: Vec<u8> = (0..=u8::MAX).filter(|number| recent.contains(&id(*number))).collect();
        assert_eq!(found, known, "{delivered:?} into {capacity}");
        assert_eq!(recent.len(), known.len());
        assert_eq!(recent.known.len(), recent.order.len());
    }

    #[test]
    fn the_oldest_id_leaves_first() {
        check(3, &[], &[]);
        check(3, &[1, 2, 3], &[1, 2, 3]);
        check(3, &[1, 2, 3, 4], &[2, 3, 4]);
        check(1, &[1, 2, 3], &[3]);
        check(0, &[1, 2, 3], &[]);
    }

    #[test]
    fn an_id_delivered_twice_counts_once_and_keeps_its_place() {
        check(3, &[1, 1, 1, 1], &[1]);
        check(3, &[1, 2, 3, 1, 4], &[2, 3, 4]);
    }

    #[test]
    fn an_id_prints_as_lower_case_hex() {
        assert_eq!(id(0xab).to_string(), "ab".repeat(32));
        assert_eq!(format!("{:?}", id(0)), format!("AlertId({})", "00".repeat(32)));
    }
}
