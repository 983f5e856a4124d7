//! One pass over a payload: can a rule hold (prefilter), and is the envelope whole (check)?
//!
//! ```text
//! 64 bytes ─┬─ first byte of a pair ─┐
//!           ├─ second byte of it  ───┴─ both, at their distance? ─▶ compare the literal ─▶ candidate
//!           ├─ `\` then `u` ─▶ `\u00hh` of a byte that could hide the literal? ──────────▶ candidate
//!           └─ quotes, escapes ─▶ inside a string? ─┬─ control bytes ─┐
//!                                                   ├─ brackets ──────┼─▶ whole | suspect
//!                                                   └─ bytes ≥ 0x80 ──┘
//! ```
//!
//! Contract. The filter half may only over-approximate: where it says [`Found::Clean`] or
//! [`Found::Suspect`], neither a literal nor an escape that could hide one is in the payload. The
//! check half may only over-report: [`Found::Clean`] is said of payloads that are ASCII, close all
//! strings and as many brackets as they open, never close more than they opened before (looked at
//! once a block), stay within the depth that is allowed and have no control byte but white space
//! between tokens. Everything else is suspect and left to the exact check.
//!
//! Proof sketch of the filter. Let a literal of length *n* stand at *s*. Its pair is the bytes at
//! *s+i* and *s+j*, *i < j*, *j−i < 64*. In the block that holds *s+j* the mask of second bytes has
//! that bit; the mask of first bytes, moved up by *j−i* and joined with what the block before
//! carried over, has it as well, since *s+i* lies in this block or the one before. So the bit
//! survives, *s* is recovered from it, and the comparison finds the literal. A last block that is
//! not full is padded with spaces, which stand in no pair: a literal that is found lies within the
//! payload because the comparison is made on the payload itself.
//!
//! All levels run the same body over 64-byte masks, so they give the same answers; a test holds
//! each against the naive one.

mod levels;

use crate::limits;

/// What one pass found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A literal, or an escape that could hide one: the payload has to be decoded.
    Candidate,
    /// No rule can hold, and the envelope is whole (where it was asked for).
    Clean,
    /// No rule can hold; the exact check has to look at the payload.
    Suspect,
}

/// Whether the pass also checks the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Only the filter.
    Filter,
    /// The filter and the envelope.
    FilterAndEnvelope,
}

/// Most literals that one pass looks for: each costs two comparisons a block.
pub const NEEDLES_MAX: usize = 4;

/// A literal with the two of its bytes that are looked for.
#[derive(Clone, Debug)]
struct Needle {
    literal: Box<[u8]>,
    first: u8,
    second: u8,
    /// Distance from the first byte to the second, 1 to 63.
    distance: u32,
    /// Where the second byte stands in the literal.
    second_at: usize,
}

/// Literals, compiled for the pass.
#[derive(Clone, Debug)]
pub struct Kernel {
    needles: Box<[Needle]>,
    /// For each byte: whether `\u00hh` of it makes a candidate.
    hides: Box<[bool; 256]>,
    level: levels::Level,
}

impl Kernel {
    /// A kernel for `literals` (ASCII, two bytes at least each), at most [`NEEDLES_MAX`] of them;
    /// `hides(b)` says whether the escape `\u00hh` of byte `b` makes a candidate. `None` where the
    /// literals are not of that kind.
    #[must_use]
    pub fn new(literals: &[&[u8]], hides: impl Fn(u8) -> bool) -> Option<Self> {
        if literals.len() > NEEDLES_MAX {
            return None;
        }
        let needles: Option<Box<[Needle]>> =
            literals.iter().map(|literal| Needle::new(literal)).collect();
        let mut table = Box::new([false; 256]);
        for (byte, entry) in (0_u8..=255).zip(table.iter_mut()) {
            *entry = hides(byte);
        }
        Some(Self { needles: needles?, hides: table, level: levels::Level::detect() })
    }

    /// Looks at every byte of `payload` once. Allocates nothing.
    #[must_use]
    pub fn scan(&self, payload: &[u8], look: Look) -> Found {
        levels::scan(self, payload, look)
    }

    /// Whether the literal whose second pair byte stands at `at` is there.
    fn is_literal(needle: &Needle, payload: &[u8], at: usize) -> bool {
        let Some(start) = at.checked_sub(needle.second_at) else { return false };
        payload.get(start..).is_some_and(|rest| rest.starts_with(&needle.literal))
    }

    /// Whether the `u` at `at` (behind a backslash) begins the escape of a byte that could hide a
    /// literal.
    fn is_hiding(&self, payload: &[u8], at: usize) -> bool {
        let Some([b'0', b'0', high, low]) = payload.get(at + 1..at + 5) else { return false };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        self.hides.get((high * 16 + low) as usize).is_some_and(|hides| *hides)
    }
}

impl Needle {
    fn new(literal: &[u8]) -> Option<Self> {
        if !literal.is_ascii() {
            return None;
        }
        let reach = levels::BLOCK - 1;
        let pairs = literal.iter().enumerate().flat_map(|(i, first)| {
            let behind = literal.iter().enumerate().skip(i + 1).take(reach);
            behind.map(move |(j, second)| (commonness(*first) * commonness(*second), i, j))
        });
        // Of equally rare pairs the one further apart: neighbours are often found together.
        let (_, i, j) = pairs.min_by_key(|(common, i, j)| (*common, reach - (j - i)))?;
        Some(Self {
            first: *literal.get(i)?,
            second: *literal.get(j)?,
            distance: u32::try_from(j - i).ok()?,
            second_at: j,
            literal: literal.into(),
        })
    }
}

/// How often a byte stands in audit events, in thousandths of all bytes, at least 1. Counted over
/// 75,000 generated raw Okta events of 2.8 KB; bytes that are not listed are rarer.
fn commonness(byte: u8) -> u32 {
    match byte {
        b'"' => 121,
        b'e' => 67,
        b't' | b'a' => 46,
        b':' | b'i' | b'o' | b'n' | b'r' | b',' | b's' | b'l' => 33,
        b'd' | b'c' | b'u' | b'p' => 21,
        b'0' | b'1' | b'.' | b'y' | b'g' | b' ' | b'm' => 12,
        b'2'..=b'9' | b'E' | b'N' | b'I' | b'v' | b'h' | b'f' | b'{' | b'}' | b'x' | b'b' => 9,
        b'O' | b'S' | b'C' | b'T' | b'A' | b'k' | b'-' | b'D' => 7,
        b'A'..=b'Z' | b'/' | b'w' | b'_' => 4,
        b'=' | b'q' | b'z' | b'\\' | b'j' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
