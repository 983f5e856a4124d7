//! One pass over a payload: can a rule hold (prefilter), and is the envelope whole (check)?
//!
//! ```text
//! 64 bytes ─┬─ first byte of a pair, and the second one
//!           │  in the 64 bytes at its distance? ─────────────────▶ compare the literal ─▶ candidate
//!           ├─ `\` then `u` ─▶ `\u00hh` of a byte that could hide the literal? ──────────▶ candidate
//!           └─ quotes, escapes ─▶ inside a string? ─┬─ control bytes ─┐
//!                                                   ├─ brackets ──────┼─▶ whole | encoded | suspect
//!                                                   └─ bytes ≥ 0x80 ──┘
//! ```
//!
//! Contract. The filter half may only over-approximate: where it says anything but
//! [`Found::Candidate`], neither a literal nor an escape that could hide one is in the payload. The
//! check half may only over-report: [`Found::Clean`] is said of payloads that are ASCII, close all
//! strings and as many brackets as they open (whatever their kinds), never close more than they opened
//! before (looked at once a block), stay within the depth that is allowed and have no control byte but
//! white space between tokens. [`Found::Encoded`] is said of payloads that are whole in the same way with
//! bytes beyond ASCII in their strings: whether those are UTF-8 is left to the caller. Everything
//! else is suspect and left to the exact check.
//!
//! Proof sketch of the filter. Let a literal stand in the payload, the two bytes of its pair at *p*
//! and *p+d*, *0 < d < 64*. Blocks begin at every multiple of 64 from which on two blocks are left;
//! where *p* lies in one, the comparison of that block with the first byte and of the 64 bytes *d*
//! further on with the second one has the bit of *p*, and the literal is looked for among those whose
//! pair begins in the block. Less than two blocks are left behind them, and the payload has two (a
//! shorter one is padded): a *p* that lies before the last 64 bytes lies in the 64 bytes before
//! those, which are looked at in the same way; else *p+d* lies in the last 64 bytes, which are
//! compared with the second byte, and the 64 bytes *d* before them with the first one.
//!
//! All levels run the same body over 64-byte masks, so they give the same answers; a test holds
//! each against the naive one.

mod envelope;
mod key;
mod levels;

use key::Values;

/// What one pass found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A literal, or an escape that could hide one: the payload has to be decoded.
    Candidate,
    /// No rule can hold, and the envelope is whole (where it was asked for).
    Clean,
    /// No rule can hold, and the envelope is whole if the payload is UTF-8: outside of these places,
    /// which begin and end in ASCII or with the payload, it is ASCII. `to` may lie behind the end.
    Encoded {
        /// Where the bytes beyond ASCII begin, at the earliest.
        from: usize,
        /// Where they end, at the latest.
        to: usize,
    },
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

/// Most literals and keys that one pass looks for: each costs two comparisons a block.
pub const NEEDLES_MAX: usize = 8;

/// So many needles the levels are made for; the last needle is repeated up to the next size.
const SIZES: [usize; 5] = [0, 1, 2, 4, NEEDLES_MAX];

/// What a needle that was found means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// A candidate.
    Literal,
    /// A candidate where one of the kernel's values stands behind it.
    Key,
}

/// A literal or a key, with the two of its bytes that are looked for.
#[derive(Clone, Debug)]
struct Needle {
    text: Box<[u8]>,
    meaning: Meaning,
    first: u8,
    second: u8,
    /// Distance from the first byte to the second, 1 to 63.
    distance: u32,
    /// Where the first byte stands in the literal.
    first_at: usize,
}

/// Literals, compiled for the pass.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// As many as one of [`SIZES`].
    needles: Box<[Needle]>,
    /// The values that make a candidate behind a key.
    values: Values,
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
        Self::with_keys(literals, &[], &[], hides)
    }

    /// As [`Kernel::new`]; one of `values` behind one of `keys` makes a candidate as well. Keys are
    /// of the same kind as literals and count as such.
    #[must_use]
    pub fn with_keys(
        literals: &[&[u8]],
        keys: &[&[u8]],
        values: &[&[u8]],
        hides: impl Fn(u8) -> bool,
    ) -> Option<Self> {
        let literals = literals.iter().map(|literal| Needle::new(literal, Meaning::Literal));
        let keys = keys.iter().map(|key| Needle::new(key, Meaning::Key));
        let mut needles: Vec<Needle> = literals.chain(keys).collect::<Option<_>>()?;
        let size = *SIZES.iter().find(|size| **size >= needles.len())?;
        if let Some(last) = needles.last().cloned() {
            needles.resize(size, last);
        }
        let mut table = Box::new([false; 256]);
        for (byte, entry) in (0_u8..=255).zip(table.iter_mut()) {
            *entry = hides(byte);
        }
        Some(Self {
            needles: needles.into(),
            values: values.iter().map(|value| Box::from(*value)).collect(),
            hides: table,
            level: levels::Level::detect(),
        })
    }

    /// The same kernel on every level of instructions that this processor has, best first: for tests
    /// that hold them against each other.
    pub fn on_every_level(&self) -> impl Iterator<Item = Self> + '_ {
        levels::Level::available().into_iter().map(|level| Self { level, ..self.clone() })
    }

    /// Looks at every byte of `payload` once. Allocates nothing.
    #[must_use]
    pub fn scan(&self, payload: &[u8], look: Look) -> Found {
        levels::scan(self, payload, look)
    }

    /// Whether `escape`, the text behind a backslash, could hide a byte of a literal.
    fn is_hiding(&self, escape: &[u8]) -> bool {
        let [b'u', b'0', b'0', high, low, ..] = escape else { return false };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        self.hides.get((high * 16 + low) as usize).is_some_and(|hides| *hides)
    }

    /// Whether one of the escapes whose `u` stands at a bit of `mask`, counted from `at`, could hide
    /// a byte of a literal.
    fn is_any_hiding(&self, payload: &[u8], at: usize, mut mask: u64) -> bool {
        while mask != 0 {
            let escape = payload.get(at + mask.trailing_zeros() as usize..).unwrap_or_default();
            if self.is_hiding(escape) {
                return true;
            }
            mask &= mask - 1;
        }
        false
    }
}

impl Needle {
    /// The needle with the pair that a usual event holds the most rarely.
    fn new(literal: &[u8], meaning: Meaning) -> Option<Self> {
        if !literal.is_ascii() {
            return None;
        }
        let reach = levels::BLOCK - 1;
        let mut pairs: Vec<Pair> = Vec::new();
        for (i, first) in literal.iter().enumerate() {
            let behind = literal.iter().enumerate().skip(i + 1).take(reach);
            pairs.extend(behind.map(|(j, second)| Pair {
                first: *first,
                second: *second,
                first_at: i,
                distance: j - i,
            }));
        }
        // Of equally rare pairs the one further apart: neighbours are often found together.
        pairs.sort_by_key(|pair| (pair.commonness(), reach - pair.distance));
        pairs.truncate(PAIRS_COUNTED);
        let pair = pairs.iter().min_by_key(|pair| pair.seen_in(SAMPLE))?;
        Some(Self {
            first: pair.first,
            second: pair.second,
            distance: u32::try_from(pair.distance).ok()?,
            first_at: pair.first_at,
            text: literal.into(),
            meaning,
        })
    }

    /// Whether the text is in `payload` and means a candidate where its pair begins at a bit of `mask`,
    /// counted from `at`.
    #[inline]
    fn is_met(&self, values: &Values, payload: &[u8], at: usize, mut mask: u64) -> bool {
        while mask != 0 {
            let place = (at + mask.trailing_zeros() as usize).checked_sub(self.first_at);
            if place.is_some_and(|place| self.is_at(values, payload, place)) {
                return true;
            }
            mask &= mask - 1;
        }
        false
    }

    /// Whether the text stands at `place` and means a candidate. Of a key, the byte before it is
    /// looked at first: each event has one of them as the end of another name.
    fn is_at(&self, values: &Values, payload: &[u8], place: usize) -> bool {
        let before = || place.checked_sub(1).and_then(|before| payload.get(before));
        if self.meaning == Meaning::Key && !key::may_begin(before()) {
            return false;
        }
        let text = payload.get(place..).unwrap_or_default();
        let Some(behind) = text.strip_prefix(&*self.text) else { return false };
        self.meaning == Meaning::Literal || key::may_hold(values, behind)
    }
}

/// Two bytes of a literal.
#[derive(Clone, Copy, Debug)]
struct Pair {
    first: u8,
    second: u8,
    first_at: usize,
    distance: usize,
}

/// An event as they usually come. Few literals stand in it, but pairs of their bytes do: a pair that
/// the keys of each event hold would be looked up in vain in each, which cost a tenth of the pass.
const SAMPLE: &[u8] = include_bytes!("kernel/sample.json");

/// So many of a literal's pairs, by how common their bytes are, are looked for in the sample.
const PAIRS_COUNTED: usize = 16;

impl Pair {
    fn commonness(&self) -> u32 {
        commonness(self.first) * commonness(self.second)
    }

    /// How often the pair stands in `sample`.
    fn seen_in(&self, sample: &[u8]) -> usize {
        let begins = memchr::memchr_iter(self.first, sample);
        begins.filter(|at| sample.get(at + self.distance) == Some(&self.second)).count()
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
