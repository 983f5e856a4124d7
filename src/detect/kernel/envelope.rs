//! The check of the envelope in masks of 64 bits: what it carries from block to block. Safe code,
//! the same for all levels; relies on each block's masks being given once, in order.

use super::Found;
use super::levels::BLOCK;
use crate::limits;

/// Every second bit, beginning with the second one.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// What the envelope's check carries from block to block.
pub(super) struct State {
    /// 1 where the block before ended with a backslash.
    pub(super) slash: u64,
    /// 1 where the first byte of the next block is escaped.
    escaped: u64,
    /// All ones inside a string.
    pub(super) inside: u64,
    /// Bytes that must not stand where they stand.
    pub(super) bad: u64,
    /// Bytes above ASCII.
    pub(super) high: u64,
    /// More opened than closed.
    braces: i64,
    /// The same of square brackets.
    brackets: i64,
    /// Negative once the depth was negative or too large at the end of a block.
    range: i64,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { slash: 0, escaped: 0, inside: 0, bad: 0, high: 0, braces: 0, brackets: 0, range: 0 }
    }

    /// The bytes of the block that are escaped, from the mask of its backslashes: those behind an
    /// odd run of them. The subtraction carries along a run from its begin to its end, so that the
    /// parity of both places decides (the method of simdjson, arXiv:1902.08318, section 3.1.1).
    #[inline(always)]
    pub(super) const fn escapes(&mut self, slash: u64) -> u64 {
        let begins = slash & !self.escaped;
        let carried = ((begins << 1) | ODD).wrapping_sub(begins) ^ ODD;
        let escaped = carried ^ (slash | self.escaped);
        self.escaped = (carried & slash) >> 63;
        escaped
    }

    /// Whether the block before ended without a backslash.
    #[inline(always)]
    pub(super) const fn is_plain(&self) -> bool {
        self.slash == 0
    }

    /// Takes in the block's braces outside of strings, before its brackets.
    #[inline(always)]
    pub(super) const fn braces(&mut self, opened: u64, closed: u64) {
        self.braces += opened.count_ones() as i64 - closed.count_ones() as i64;
    }

    /// Takes in the block's square brackets outside of strings.
    #[inline(always)]
    pub(super) const fn brackets(&mut self, opened: u64, closed: u64) {
        self.brackets += opened.count_ones() as i64 - closed.count_ones() as i64;
        let depth = self.braces + self.brackets;
        self.range |= depth | (limits::EVENT_DEPTH_MAX as i64 - depth);
    }

    #[inline(always)]
    pub(super) const fn verdict(&self) -> Found {
        let is_whole = self.bad == 0
            && self.inside == 0
            && self.braces == 0
            && self.brackets == 0
            && self.range >= 0;
        match (is_whole, self.high) {
            (false, _) => Found::Suspect,
            (true, 0) => Found::Clean,
            (true, _) => Found::Encoded,
        }
    }
}

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
