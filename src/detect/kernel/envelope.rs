//! The check of the envelope in masks of 64 bits: what it carries from block to block. Safe code,
//! the same for all levels; relies on each block's masks being given once, in order.

use super::Found;
use super::levels::BLOCK;
use crate::limits;

/// Every second bit, beginning with the second one.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// What the envelope's check carries from block to block, few enough words for registers.
#[derive(Clone, Copy)]
pub(super) struct State {
    /// All ones inside a string.
    pub(super) inside: u64,
    depth: i64,
    /// The deepest that a block ended; as an unsigned number, less than nothing is the most.
    deepest: u64,
}

/// What is carried for escapes.
#[derive(Clone, Copy)]
pub(super) struct Escapes {
    /// 1 where the block before ended with a backslash.
    slash: u64,
    /// 1 where the first byte of the next block is escaped.
    escaped: u64,
}

/// What is carried for the blocks that need a careful look.
pub(super) struct Rare {
    pub(super) escapes: Escapes,
    /// Bytes that must not stand where they stand.
    bad: u64,
    /// From the first block with bytes above ASCII to the end of the last one, in the text; empty
    /// where there is none.
    high: (usize, usize),
}

/// The masks of a block that the careful look needs; bit 0 is the first byte that was not seen yet.
#[derive(Clone, Copy)]
pub(super) struct Masks {
    pub(super) quotes: u64,
    pub(super) slashes: u64,
    /// `\t`, `\n` and `\r`.
    pub(super) spaces: u64,
    pub(super) below_space: u64,
    pub(super) high: u64,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { inside: 0, depth: 0, deepest: 0 }
    }

    /// Takes in a block: `inside` says which of its bytes stand in strings, where a closing quote
    /// counts as outside.
    #[inline(always)]
    pub(super) fn block(&mut self, inside: u64, opened: u64, closed: u64) {
        self.inside = 0_u64.wrapping_sub(inside >> 63);
        let (opened, closed) = (opened & !inside, closed & !inside);
        self.depth += i64::from(opened.count_ones()) - i64::from(closed.count_ones());
        self.deepest = self.deepest.max(self.depth.cast_unsigned());
    }

    pub(super) const fn verdict(&self, rare: &Rare) -> Found {
        let is_balanced = self.depth == 0 && self.deepest <= limits::EVENT_DEPTH_MAX as u64;
        match (is_balanced && self.inside == 0 && rare.bad == 0, rare.high) {
            (false, _) => Found::Suspect,
            (true, (_, 0)) => Found::Clean,
            (true, (from, to)) => Found::Encoded { from, to },
        }
    }
}

impl Escapes {
    /// Whether the block before ended with a backslash.
    #[inline(always)]
    pub(super) const fn is_pending(self) -> bool {
        self.slash != 0
    }

    /// Of the places of `u`, those of an escape: right behind a backslash.
    #[inline(always)]
    pub(super) const fn unicode(self, slashes: u64, us: u64) -> u64 {
        us & (slashes << 1 | self.slash)
    }

    /// Takes in the backslashes of a block; the bytes of it that are escaped: those behind an odd run
    /// of them. The subtraction carries along a run from its begin to its end, so that the parity of
    /// both places decides (the method of simdjson, arXiv:1902.08318, section 3.1.1).
    #[inline(always)]
    pub(super) const fn take(&mut self, slashes: u64) -> u64 {
        let begins = slashes & !self.escaped;
        let carried = ((begins << 1) | ODD).wrapping_sub(begins) ^ ODD;
        let escaped = carried ^ (slashes | self.escaped);
        self.escaped = (carried & slashes) >> 63;
        self.slash = slashes >> 63;
        escaped
    }
}

impl Rare {
    pub(super) const fn new() -> Self {
        Self { escapes: Escapes { slash: 0, escaped: 0 }, bad: 0, high: (0, 0) }
    }

    /// Takes in the block from byte `at` to byte `end`, and says which of its bytes stand in strings;
    /// `before` is all ones where the block before ended in one.
    pub(super) fn inside(&mut self, masks: Masks, (at, end): (usize, usize), before: u64) -> u64 {
        let quotes = masks.quotes & !self.escapes.take(masks.slashes);
        let inside = prefix_xor(quotes) ^ before;
        if masks.high != 0 {
            let begin = if self.high.1 == 0 { at } else { self.high.0 };
            self.high = (begin, end);
        }
        self.bad |= masks.high & !inside;
        self.bad |= masks.below_space & (inside | !masks.spaces);
        inside
    }
}

/// The careful look at one block: escapes, and bytes that are no printable ASCII. The lowest `seen`
/// bytes were looked at with the block before; behind the shift, bit 0 is the byte at `at`. Says which
/// bytes stand in strings, or `None` where an escape makes a candidate.
macro_rules! carefully {
    ($(#[$feature:meta])?) => {
        #[inline(never)]
        $(#[$feature])?
        fn carefully(
            self,
            kernel: &Kernel,
            (payload, at): (&[u8], usize),
            seen: usize,
            (rare, before): (&mut Rare, u64),
        ) -> Option<u64> {
            let slashes = self.eq(b'\\') >> seen;
            let escapes = rare.escapes.unicode(slashes, self.eq(b'u') >> seen);
            if escapes != 0 && kernel.is_any_hiding(payload, at, escapes) {
                return None;
            }
            let spaces = self.eq(b'\n') | self.eq(b'\r') | self.eq(b'\t');
            let masks = Masks {
                quotes: self.eq(b'"') >> seen,
                slashes,
                spaces: spaces >> seen,
                below_space: self.below_space() >> seen,
                high: self.high() >> seen,
            };
            Some(rare.inside(masks, (at, at + BLOCK - seen), before))
        }
    };
}
pub(super) use carefully;

/// Bit *k* of the answer is the parity of bits 0 to *k*.
pub(super) const fn prefix_xor(mut mask: u64) -> u64 {
    mask ^= mask << 1;
    mask ^= mask << 2;
    mask ^= mask << 4;
    mask ^= mask << 8;
    mask ^= mask << 16;
    mask ^ (mask << 32)
}

/// Payloads that are shorter are padded to this length: so far does the filter look from the
/// beginning of a block.
pub(super) const SHORTEST: usize = 2 * BLOCK;

/// `payload` with spaces behind it. Spaces can stand in a pair, but a literal is compared with the
/// payload itself.
pub(super) fn padded(payload: &[u8]) -> [u8; SHORTEST] {
    let mut padded = [b' '; SHORTEST];
    for (place, byte) in padded.iter_mut().zip(payload) {
        *place = *byte;
    }
    padded
}
