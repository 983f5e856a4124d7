//! The reader of ordinary texts: JSON → tree in one go, without a tape between them.
//!
//! It never says that something is no JSON. What it reads, it reads as [`super::tape`] does; what it
//! does not know, it leaves to that one: numbers that are no short decimals, a surrogate without its
//! half, more than one value, anything broken. So simd-json decides what is JSON and what is not,
//! and an ordinary event is read without it.
//!
//! Texts without an escape are pieces of the text that is read, and names that are usual stand in
//! [`super::names`]; nothing is copied but members, from the stack on which they wait for their
//! object's end to where they stay.

use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};
use wide::u8x16;

use super::Arena;
use super::names::{self, Known, Met};
use super::tree::{self, Dots};
use super::value::{Member, Value};

/// Room for members and elements of objects and arrays that are not at their end yet: those of an
/// ordinary event fit.
const OPEN_EXPECTED: usize = 64;

/// Digits of a number with a fraction: so many fit a float's 53 bits, and so do as many powers of
/// ten, so one division rounds correctly.
const FRACTION_DIGITS_MAX: usize = 15;

/// Digits of an integer: so many always fit 64 bits.
const INTEGER_DIGITS_MAX: usize = 18;

/// The tree that `text` says, where it is one ordinary object or array.
pub(super) fn read<'s>(arena: &'s Arena, text: &'s str) -> Option<Value<'s>> {
    let mut reader = Reader {
        arena,
        text,
        at: 0,
        members: ArenaVec::with_capacity_in(OPEN_EXPECTED, arena),
        items: ArenaVec::new_in(arena),
    };
    let value = match reader.next_said()? {
        b'{' => Value::Object(reader.object(1)?),
        b'[' => Value::Array(reader.array(1)?),
        _ => return None,
    };
    reader.skip_blank();
    reader.peek().is_none().then_some(value)
}

/// A member's name: one of the usual ones, which have no dots, or another.
enum Name<'s> {
    Known(Known),
    Other(&'s str, Dots),
}

/// What is known of the names of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Names {
    /// None has dots, and each stands once.
    Plain,
    /// None has dots; one may stand twice.
    Unsure,
    /// One has dots.
    Dotted,
}

struct Reader<'s> {
    arena: &'s Arena,
    text: &'s str,
    /// How far `text` has been read.
    at: usize,
    /// Members of the objects that are open, the innermost object's last.
    members: ArenaVec<'s, Member<'s>>,
    /// The same, elements of arrays.
    items: ArenaVec<'s, Value<'s>>,
}

impl<'s> Reader<'s> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is no white space.
    #[inline]
    fn next_said(&mut self) -> Option<u8> {
        let byte = self.next()?;
        if byte > b' ' {
            return Some(byte);
        }
        self.at -= 1;
        self.skip_blank();
        self.next()
    }

    /// The first byte of the value behind a name: what stands between them is a colon, and mostly
    /// nothing else.
    #[inline]
    fn behind_name(&mut self) -> Option<u8> {
        if let [b':', begin, ..] = self.text.as_bytes().get(self.at..)?
            && *begin > b' '
        {
            self.at += 2;
            return Some(*begin);
        }
        if self.next_said()? == b':' { self.next_said() } else { None }
    }

    /// What follows a member: the comma before another or the end of the object, or a quote where
    /// that comma and the quote behind it were taken at once.
    #[inline]
    fn behind_value(&mut self) -> Option<u8> {
        if let [b',', b'"', ..] = self.text.as_bytes().get(self.at..)? {
            self.at += 2;
            return Some(b'"');
        }
        self.next_said().filter(|byte| matches!(byte, b',' | b'}'))
    }

    /// Hands the value that begins with the byte `first`, which has been read, to `put`. Where it goes
    /// is written once and not handed back: a value that is read again right after it was written
    /// piece by piece makes the processor wait. The recursion is bounded by [`tree::depth_below`].
    #[inline]
    fn value(&mut self, first: u8, depth: usize, put: impl Fn(&mut Self, Value<'s>)) -> Option<()> {
        match first {
            b'"' => {
                let text = self.string()?;
                put(self, Value::Text(text));
            }
            b'{' => {
                let members = self.object(depth)?;
                put(self, Value::Object(members));
            }
            b'[' => {
                let items = self.array(depth)?;
                put(self, Value::Array(items));
            }
            b'n' => {
                self.literal("ull")?;
                put(self, Value::Null);
            }
            b't' => {
                self.literal("rue")?;
                put(self, Value::Bool(true));
            }
            b'f' => {
                self.literal("alse")?;
                put(self, Value::Bool(false));
            }
            b'-' | b'0'..=b'9' => {
                self.at -= 1;
                let number = self.number()?;
                put(self, number);
            }
            _ => return None,
        }
        Some(())
    }

    /// The rest of a name that JSON knows. What follows is looked at by who expects it.
    fn literal(&mut self, rest: &str) -> Option<()> {
        let is_it = self.text.as_bytes().get(self.at..)?.starts_with(rest.as_bytes());
        self.at += rest.len();
        is_it.then_some(())
    }

    /// The object whose bracket has been read.
    fn object(&mut self, depth: usize) -> Option<&'s [Member<'s>]> {
        let below = tree::depth_below(depth, "").ok()?;
        let start = self.members.len();
        let (mut names, mut met, mut others) = (Names::Plain, Met::default(), 0_usize);
        let mut first = self.next_said()?;
        if first == b'}' {
            return Some(&[]);
        }
        loop {
            if first != b'"' {
                return None;
            }
            let mut below = below;
            let name = match self.name()? {
                Name::Known(known) => {
                    if !met.add(known) {
                        names = names.max(Names::Unsure);
                    }
                    known.name
                }
                Name::Other(name, dots) => {
                    others += 1;
                    if dots == Dots::Some {
                        names = Names::Dotted;
                        below = tree::depth_below(depth, name).ok()?;
                    }
                    name
                }
            };
            let begin = self.behind_name()?;
            self.value(begin, below, |reader, value| reader.members.push(Member { name, value }))?;
            match self.behind_value()? {
                b',' => first = self.next_said()?,
                b'}' => break,
                quote => first = quote,
            }
        }
        let members = self.arena.alloc_slice_copy(self.members.get(start..)?);
        self.members.truncate(start);
        // Who is not known is none of those that are, so one of them alone stands once as well.
        let names = if others > 1 { names.max(Names::Unsure) } else { names };
        Some(match names {
            Names::Plain => members,
            Names::Unsure => tree::members_with(self.arena, members, Dots::None),
            Names::Dotted => tree::members_with(self.arena, members, Dots::Some),
        })
    }

    /// The array whose bracket has been read.
    fn array(&mut self, depth: usize) -> Option<&'s [Value<'s>]> {
        let below = tree::depth_below(depth, "").ok()?;
        let start = self.items.len();
        let mut first = self.next_said()?;
        if first == b']' {
            return Some(&[]);
        }
        loop {
            self.value(first, below, |reader, value| reader.items.push(value))?;
            match self.next_said()? {
                b',' => first = self.next_said()?,
                b']' => break,
                _ => return None,
            }
        }
        let items = self.arena.alloc_slice_copy(self.items.get(start..)?);
        self.items.truncate(start);
        Some(items)
    }

    /// The name whose opening quote has been read, and whether there are dots in it: for a short
    /// one, both are seen at once.
    #[inline]
    fn name(&mut self) -> Option<Name<'s>> {
        let start = self.at;
        if let Some(bytes) = bytes_at(self.text.as_bytes(), start) {
            let lane = u8x16::new(*bytes);
            let length = special_in(lane).trailing_zeros();
            let end = start + length as usize;
            if length < 16 && self.text.as_bytes().get(end) == Some(&b'"') {
                self.at = end + 1;
                if let Some(known) = names::known(bytes, length) {
                    return Some(Name::Known(known));
                }
                let has_dots = dots_in(lane) & ((1 << length) - 1) != 0;
                let dots = if has_dots { Dots::Some } else { Dots::None };
                return Some(Name::Other(self.text.get(start..end)?, dots));
            }
        }
        let name = self.string()?;
        if let Some(known) = names::known_at_length(name) {
            return Some(Name::Known(known));
        }
        let dots = if tree::has_dot(name) { Dots::Some } else { Dots::None };
        Some(Name::Other(name, dots))
    }

    /// The text whose opening quote has been read.
    #[inline]
    fn string(&mut self) -> Option<&'s str> {
        let start = self.at;
        let end = special(self.text.as_bytes(), start);
        self.at = end + 1;
        match self.text.as_bytes().get(end)? {
            b'"' => self.text.get(start..end),
            b'\\' => self.escaped(start, end),
            _ => None,
        }
    }

    /// The text from `start` on, whose first escape stands at `escape`.
    #[inline(never)]
    fn escaped(&mut self, start: usize, escape: usize) -> Option<&'s str> {
        let end = self.end_of_string(escape)?;
        let inside = self.text.get(start..end)?;
        let mut text = ArenaString::with_capacity_in(inside.len(), self.arena);
        let mut rest = inside;
        let mut before = escape - start;
        while before < rest.len() {
            text.push_str(rest.get(..before)?);
            let (said, behind) = unescape(rest.get(before + 1..)?)?;
            text.push(said);
            rest = behind;
            before = special(rest.as_bytes(), 0);
        }
        text.push_str(rest);
        self.at = end + 1;
        Some(text.into_bump_str())
    }

    /// Where the quote stands that ends a string, of which all before `from` has been looked at.
    fn end_of_string(&self, from: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        loop {
            match bytes.get(at)? {
                b'"' => return Some(at),
                b'\\' => at = special(bytes, at + 2),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Value<'s>> {
        let is_negative = self.peek() == Some(b'-');
        self.at += usize::from(is_negative);
        let from = self.at;
        let leads_with_zero = self.peek() == Some(b'0');
        let whole = self.digits(0);
        let count = self.at - from;
        if count == 0 || count > INTEGER_DIGITS_MAX || leads_with_zero && count > 1 {
            return None;
        }
        let number = if self.peek() == Some(b'.') {
            self.at += 1;
            let from = self.at;
            let digits = self.digits(whole);
            let behind = self.at - from;
            if behind == 0 || count + behind > FRACTION_DIGITS_MAX {
                return None;
            }
            let (digits, power) = (digits as f64, POWERS.get(behind)?);
            Value::Float(if is_negative { -(digits / power) } else { digits / power })
        } else {
            Value::Int(if is_negative { -whole } else { whole })
        };
        // Minus nothing, and what goes on with an exponent, is for the other reader.
        let is_minus_zero = is_negative && matches!(number, Value::Int(0) | Value::Float(0.0));
        (!is_minus_zero && !matches!(self.peek(), Some(b'e' | b'E'))).then_some(number)
    }

    /// `number` with the digits that follow behind it; more than fit make it nonsense, so whoever
    /// calls counts them.
    fn digits(&mut self, mut number: i64) -> i64 {
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        number
    }
}

/// The powers of ten that a float holds exactly, as many as fractions have digits.
const POWERS: [f64; FRACTION_DIGITS_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The place of the first quote, backslash or control byte at or behind `from`; the end where there
/// is none.
#[inline]
fn special(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(lane) = lane_at(bytes, at) {
        let found = special_in(lane);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let is_special = |byte: &u8| matches!(byte, 0..=0x1f | b'"' | b'\\');
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

#[inline]
fn lane_at(bytes: &[u8], at: usize) -> Option<u8x16> {
    bytes_at(bytes, at).map(|lane| u8x16::new(*lane))
}

#[inline]
fn bytes_at(bytes: &[u8], at: usize) -> Option<&[u8; 16]> {
    bytes.get(at..)?.first_chunk()
}

/// One bit for each dot.
#[inline]
fn dots_in(lane: u8x16) -> u32 {
    lane.simd_eq(u8x16::splat(b'.')).to_bitmask()
}

/// One bit for each quote, backslash and control byte.
#[inline]
fn special_in(lane: u8x16) -> u32 {
    let is = |byte: u8| lane.simd_eq(u8x16::splat(byte));
    let control = lane.simd_eq(lane.min(u8x16::splat(0x1f)));
    (control | is(b'"') | is(b'\\')).to_bitmask()
}

/// The character that an escape (without its backslash) stands for, and what stands behind it.
fn unescape(escape: &str) -> Option<(char, &str)> {
    let mut rest = escape.chars();
    let said = match rest.next()? {
        same @ ('"' | '\\' | '/') => same,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unescape_unicode(rest.as_str()),
        _ => return None,
    };
    Some((said, rest.as_str()))
}

/// The same, for the four digits behind `\u` and, for a pair, the second half.
fn unescape_unicode(digits: &str) -> Option<(char, &str)> {
    let (first, rest) = code_unit(digits)?;
    if !(0xd800..=0xdbff).contains(&first) {
        return Some((char::from_u32(first)?, rest));
    }
    let (second, rest) = code_unit(rest.strip_prefix("\\u")?)?;
    let low = (0xdc00..=0xdfff).contains(&second).then(|| second - 0xdc00)?;
    Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low)?, rest))
}

fn code_unit(digits: &str) -> Option<(u32, &str)> {
    let (digits, rest) = digits.split_at_checked(4)?;
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let unit = u32::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)?;
    Some((unit, rest))
}

#[cfg(test)]
#[path = "direct_tests.rs"]
mod direct_tests;
