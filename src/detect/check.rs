//! What is checked on a record that no rule can match.
//!
//! The envelope check is one pass over the bytes, 64 at a time: the places of quotes, backslashes,
//! control bytes and brackets become bit masks, the quotes become a mask of what lies inside
//! strings, and only the brackets outside of strings are looked at one by one. It finds every
//! record that was cut short, unbalanced brackets and quotes, raw control bytes, bytes that are no
//! UTF-8, and text outside of a value. It does not read numbers, names, commas and colons: what it
//! lets pass need not be JSON, which is the documented meaning of `envelope`.
//!
//! It may refuse only what a JSON reader refuses too, up to the limit of depth; the detector lets
//! the decoder speak the last word over everything that is refused here.
//!
//! The masks come from vector instructions that every x86-64 and aarch64 has, through a crate that
//! keeps the `unsafe` of them; a test holds them against masks made byte by byte.

use serde::de::IgnoredAny;
use wide::u8x16;

use super::detector::Validate;
use crate::event::DecodeFault;
use crate::limits::EVENT_DEPTH_MAX;

/// The bytes of one step.
const BLOCK: usize = 64;

/// Bit `n` of each mask says what byte `n` of a block is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Masks {
    quote: u64,
    backslash: u64,
    /// Below 0x20.
    control: u64,
    /// A bracket or a brace; also `Y`, `_`, `y` and DEL, which no JSON has outside of strings.
    bracket: u64,
    /// Above 0x7f.
    beyond_ascii: u64,
}

/// Checks `payload` (not blank) as far as `validate` looks.
pub(super) fn check(payload: &[u8], validate: Validate) -> Result<(), DecodeFault> {
    match validate {
        Validate::Candidates => Ok(()),
        Validate::Envelope => envelope(payload, masks),
        Validate::Full => envelope(payload, masks).and_then(|()| full(payload)),
    }
}

/// `payload` without a byte order mark and the white space in front.
pub(super) fn without_lead(payload: &[u8]) -> &[u8] {
    payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload).trim_ascii_start()
}

/// What the kernel does not look at where it finds an envelope whole: that `payload` begins and
/// ends with brackets of one kind.
pub(super) fn ends(payload: &[u8]) -> Result<(), DecodeFault> {
    let payload = without_lead(payload).trim_ascii_end();
    match (payload.first(), payload.last()) {
        (None, _) | (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => Ok(()),
        _ => Err(DecodeFault::NotJson),
    }
}

/// The same, and that `payload` is UTF-8 between `from` and `to`, outside of which it is ASCII: what
/// is left where the kernel found bytes beyond ASCII in an envelope that is whole.
pub(super) fn encoded(payload: &[u8], from: usize, to: usize) -> Result<(), DecodeFault> {
    utf8(payload.get(from..to.min(payload.len())).unwrap_or(payload))?;
    ends(payload)
}

fn utf8(payload: &[u8]) -> Result<(), DecodeFault> {
    simdutf8::basic::from_utf8(payload).map(drop).map_err(|_| DecodeFault::NotUtf8)
}

fn full(payload: &[u8]) -> Result<(), DecodeFault> {
    // Skipping a string, serde_json does not look at its encoding; the envelope check has.
    let mut values =
        serde_json::Deserializer::from_slice(without_lead(payload)).into_iter::<IgnoredAny>();
    let fault = values.find_map(Result::err);
    match fault {
        None => Ok(()),
        Some(fault) if fault.is_eof() => Err(DecodeFault::Truncated),
        Some(_) => Err(DecodeFault::NotJson),
    }
}

/// The envelope check, with `masks` to look at a block.
fn envelope(payload: &[u8], masks: impl Fn(&[u8; BLOCK]) -> Masks) -> Result<(), DecodeFault> {
    let payload = without_lead(payload);
    begins_value(payload)?;
    let mut state = State::default();
    let (blocks, rest) = payload.as_chunks::<BLOCK>();
    let mut at = 0;
    for block in blocks {
        state.block(payload, at, masks(block))?;
        at += BLOCK;
    }
    if !rest.is_empty() {
        let mut last = [b' '; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        state.block(payload, at, masks(&last))?;
    }
    state.end(payload)
}

/// What stands outside of values begins with a bracket or is nothing.
fn begins_value(outside: &[u8]) -> Result<(), DecodeFault> {
    match outside.trim_ascii_start().first() {
        None | Some(b'{' | b'[') => Ok(()),
        Some(_) => Err(DecodeFault::NotJson),
    }
}

/// What is known at the end of a block.
#[derive(Default)]
struct State {
    /// All ones inside a string, else 0.
    in_string: u64,
    /// 1 where the next byte is escaped.
    escaped: u64,
    /// A bit for each open bracket, the innermost lowest: 1 for `[`.
    kinds: u64,
    depth: usize,
    first_beyond_ascii: Option<usize>,
}

impl State {
    /// Takes in the block of `payload` that begins at `at`.
    fn block(&mut self, payload: &[u8], at: usize, masks: Masks) -> Result<(), DecodeFault> {
        let quotes = masks.quote & !self.escapes(masks.backslash);
        // From each opening quote up to, without, its closing one.
        let inside = prefix_xor(quotes) ^ self.in_string;
        self.in_string = 0_u64.wrapping_sub(inside >> 63);
        if masks.control & inside != 0 {
            return Err(DecodeFault::ControlByte);
        }
        if (masks.backslash | masks.beyond_ascii) & !inside != 0 {
            return Err(DecodeFault::NotJson);
        }
        if masks.beyond_ascii != 0 && self.first_beyond_ascii.is_none() {
            self.first_beyond_ascii = Some(at);
        }
        // Inside strings there are none left.
        if !bits(masks.control).all(|bit| is_space(payload.get(at + bit))) {
            return Err(DecodeFault::NotJson);
        }
        bits(masks.bracket & !inside).try_for_each(|bit| self.bracket(payload, at + bit))
    }

    /// Which bytes of a block are escaped by a backslash in front of them.
    fn escapes(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslashes = backslashes & !self.escaped;
        let behind = backslashes << 1 | self.escaped;
        // A run of backslashes that begins at an odd place escapes the odd places behind its
        // members, one that begins at an even place the even ones: adding carries to the run's end.
        let odd_starts = backslashes & !EVEN & !behind;
        let (ends, carries) = odd_starts.overflowing_add(backslashes);
        self.escaped = u64::from(carries);
        (EVEN ^ ends << 1) & behind
    }

    fn bracket(&mut self, payload: &[u8], at: usize) -> Result<(), DecodeFault> {
        match payload.get(at) {
            Some(b'{') => self.open(0),
            Some(b'[') => self.open(1),
            Some(b'}') => self.close(0, payload, at),
            Some(b']') => self.close(1, payload, at),
            _ => Err(DecodeFault::NotJson),
        }
    }

    fn open(&mut self, kind: u64) -> Result<(), DecodeFault> {
        if self.depth == EVENT_DEPTH_MAX {
            return Err(DecodeFault::TooDeep);
        }
        self.depth += 1;
        self.kinds = self.kinds << 1 | kind;
        Ok(())
    }

    fn close(&mut self, kind: u64, payload: &[u8], at: usize) -> Result<(), DecodeFault> {
        if self.depth == 0 || self.kinds & 1 != kind {
            return Err(DecodeFault::NotJson);
        }
        self.depth -= 1;
        self.kinds >>= 1;
        match self.depth {
            0 => begins_value(payload.get(at + 1..).unwrap_or_default()),
            _ => Ok(()),
        }
    }

    fn end(&self, payload: &[u8]) -> Result<(), DecodeFault> {
        // Up to the first block with other bytes, every byte is a character.
        let unsure = self.first_beyond_ascii.and_then(|at| payload.get(at..)).unwrap_or_default();
        utf8(unsure)?;
        if self.depth > 0 || self.in_string != 0 {
            return Err(DecodeFault::Truncated);
        }
        Ok(())
    }
}

// The bit stack has one bit for each level.
const _: () = assert!(EVENT_DEPTH_MAX <= 64);

fn is_space(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b'\t' | b'\n' | b'\r'))
}

/// The places of the ones in `mask`, from the lowest.
fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (bit < 64).then_some(bit as usize)
    })
}

/// Bit `n` of the outcome: whether the bits 0 to `n` of `mask` hold an odd number of ones.
const fn prefix_xor(mask: u64) -> u64 {
    let mask = mask ^ mask << 1;
    let mask = mask ^ mask << 2;
    let mask = mask ^ mask << 4;
    let mask = mask ^ mask << 8;
    let mask = mask ^ mask << 16;
    mask ^ mask << 32
}

/// The masks of a block, 16 bytes at a time. Moving a comparison's outcome into a mask is what costs
/// most, so the three masks that most blocks leave empty are made only where one of them is not.
#[inline]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let (lanes, _) = block.as_chunks::<16>();
    let lanes = || lanes.iter().map(|lane| u8x16::new(*lane));
    let mask = |found: fn(u8x16) -> u8x16| {
        let masks = lanes().map(|lane| u64::from(found(lane).to_bitmask()));
        masks.zip([0, 16, 32, 48]).fold(0, |all, (mask, shift)| all | mask << shift)
    };
    let backslash = |lane: u8x16| lane.simd_eq(u8x16::splat(b'\\'));
    let control = |lane: u8x16| lane.simd_eq(lane.min(u8x16::splat(0x1f)));
    let mut masks = Masks {
        quote: mask(|lane| lane.simd_eq(u8x16::splat(b'"'))),
        // The two bits in which the four brackets differ are cleared.
        bracket: mask(|lane| (lane & u8x16::splat(0xd9)).simd_eq(u8x16::splat(0x59))),
        ..Masks::default()
    };
    let rare = |lane| lane | backslash(lane) | control(lane);
    let any = lanes().map(rare).fold(u8x16::ZERO, |any, lane| any | lane);
    if any.to_bitmask() != 0 {
        masks.backslash = mask(backslash);
        masks.control = mask(control);
        masks.beyond_ascii = mask(|lane| lane);
    }
    masks
}

#[cfg(test)]
mod tests;
