//! Text → the inside of a JSON string.
//!
//! Most texts of an event need no escape and are short, so the question whether one does is asked
//! of 16 or 8 bytes at once, and what needs none is copied in one piece. What is escaped beyond
//! what JSON asks for are the invisible characters that could repaint a terminal or reorder a line.

use wide::u8x16;

use super::sheet::Sheet;

/// Writes `text` with a quote on either side.
#[inline]
pub(super) fn write_text(sheet: &mut Sheet, text: &str) {
    sheet.push(b'"');
    write_escaped(sheet, text);
    sheet.push(b'"');
}

/// Writes `text` as the inside of a JSON string.
#[inline]
pub(super) fn write_escaped(sheet: &mut Sheet, text: &str) {
    if is_plain(text.as_bytes()) {
        sheet.put(text.as_bytes());
    } else {
        write_special(sheet, text, plain_bytes(text.as_bytes()));
    }
}

/// Whether every byte is ASCII and needs no escape: so are nearly all texts, and that is asked with
/// few instructions. `false` says nothing.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (lanes, rest) = bytes.as_chunks::<16>();
    for lane in lanes {
        if !lane_is_plain(*lane) {
            return false;
        }
    }
    // The rest in as few looks as its length allows, some bytes twice.
    match (bytes.last_chunk::<16>(), rest) {
        (_, []) => true,
        (Some(last), _) => lane_is_plain(*last),
        (None, rest) => short_is_plain(rest),
    }
}

/// The same, for fewer than 16 bytes.
#[inline]
fn short_is_plain(bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return !word_needs_look(*first) && !word_needs_look(*last);
    }
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some([a, b, c, d]), Some([e, f, g, h]), _) => [*a, *b, *c, *d, *e, *f, *g, *h],
        (_, _, [a, b, c]) => [*a, *b, *c, b'a', b'a', b'a', b'a', b'a'],
        (_, _, [a, b]) => [*a, *b, b'a', b'a', b'a', b'a', b'a', b'a'],
        (_, _, [a]) => [*a, b'a', b'a', b'a', b'a', b'a', b'a', b'a'],
        _ => return bytes.is_empty(),
    };
    !word_needs_look(word)
}

/// Whether every byte is ASCII and needs no escape.
#[inline]
fn lane_is_plain(lane: [u8; 16]) -> bool {
    let lane = u8x16::new(lane);
    let is = |byte: u8| lane.simd_eq(u8x16::splat(byte));
    // Counted from the first visible character, everything that is not one comes behind the last.
    let place = lane - u8x16::splat(b' ');
    let beyond = place.simd_eq(place.max(u8x16::splat(b'~' - b' ' + 1)));
    let special = beyond | is(b'"') | is(b'\\');
    special.to_bitmask() == 0
}

/// Whether a byte is one with which a character may begin that JSON lets through in a string and
/// that is escaped here: most texts are ASCII, which is asked with few instructions.
pub(super) fn may_hide(bytes: &[u8]) -> bool {
    let (lanes, rest) = bytes.as_chunks::<16>();
    let highest =
        lanes.iter().fold(u8x16::splat(0), |highest, lane| highest.max(u8x16::new(*lane)));
    let is_lead = |byte: &u8| matches!(byte, 0x7f | 0xc2 | 0xd8 | 0xe2);
    let is_ascii =
        highest.max(u8x16::splat(0x7e)).simd_eq(u8x16::splat(0x7e)).to_bitmask() == 0xffff;
    !is_ascii && lanes.iter().any(|lane| lane_may_hide(*lane)) || rest.iter().any(is_lead)
}

/// The same of 16 bytes.
fn lane_may_hide(lane: [u8; 16]) -> bool {
    let lane = u8x16::new(lane);
    let is = |byte: u8| lane.simd_eq(u8x16::splat(byte));
    (is(0x7f) | is(0xc2) | is(0xd8) | is(0xe2)).to_bitmask() != 0
}

/// As [`write_escaped`], where something behind the first `plain` bytes needs a look. A text that holds JSON
/// has a quote every eight bytes, so quotes take a short way.
#[inline(never)]
fn write_special(sheet: &mut Sheet, text: &str, plain: usize) {
    let (mut rest, mut plain) = (text, plain);
    loop {
        let (before, tail) = rest.split_at(plain);
        sheet.put(before.as_bytes());
        if let Some(behind) = tail.strip_prefix('"') {
            sheet.put(b"\\\"");
            rest = behind;
        } else {
            let mut symbols = tail.chars();
            match symbols.next() {
                Some(symbol) => write_symbol(sheet, symbol),
                None => return,
            }
            rest = symbols.as_str();
        }
        plain = plain_bytes(rest.as_bytes());
    }
}

/// How many bytes at the begin need no look: a multiple of whole characters, since the byte that
/// follows is the first of one.
fn plain_bytes(bytes: &[u8]) -> usize {
    let exact = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().position(needs_look).unwrap_or(rest.len())
    };
    let (lanes, _) = bytes.as_chunks::<16>();
    for (index, lane) in lanes.iter().enumerate() {
        if lane_needs_look(*lane) {
            return exact(index * 16);
        }
    }
    let seen = lanes.len() * 16;
    let Some(rest) = bytes.get(seen..) else { return bytes.len() };
    // The last bytes once more where that saves looking at each one of them.
    let is_plain = match (bytes.last_chunk::<16>(), rest.first_chunk::<8>(), rest.last_chunk::<8>())
    {
        (Some(last), ..) => !lane_needs_look(*last),
        (None, Some(first), Some(last)) => !word_needs_look(*first) && !word_needs_look(*last),
        _ => false,
    };
    if is_plain { bytes.len() } else { exact(seen) }
}

/// Whether one of the bytes needs a look.
fn lane_needs_look(lane: [u8; 16]) -> bool {
    let lane = u8x16::new(lane);
    let is = |byte: u8| lane.simd_eq(u8x16::splat(byte));
    let control = lane.simd_eq(lane.min(u8x16::splat(0x1f)));
    let lead = is(0xc2) | is(0xd8) | is(0xe2);
    (control | is(b'"') | is(b'\\') | is(0x7f) | lead).to_bitmask() != 0
}

/// Whether one of the bytes may need a look: yes for each byte beyond ASCII.
const fn word_needs_look(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_ne_bytes(word);
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let delete = word.wrapping_add(ONES);
    // Where no byte is beyond ASCII, a subtraction that borrows or an addition that carries into
    // the high bit has met one of them (or stands above one that has).
    (word | control | quote | backslash | delete) & HIGH != 0
}

/// Whether a character that begins with this byte may need an escape. It is never the second
/// byte of a character: the lead bytes in here are those of U+0080-U+00BF, U+0600-U+063F and
/// U+2000-U+2FFF.
fn needs_look(byte: &u8) -> bool {
    NEEDS_LOOK.get(usize::from(*byte)) == Some(&true)
}

/// The answer for each byte.
static NEEDS_LOOK: [bool; 256] = {
    let mut table = [false; 256];
    let mut bytes: &mut [bool] = &mut table;
    let mut byte = 0_u8;
    while let [entry, rest @ ..] = bytes {
        *entry = matches!(byte, 0..=0x1f | b'"' | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe2);
        byte = byte.wrapping_add(1);
        bytes = rest;
    }
    table
};

fn write_symbol(sheet: &mut Sheet, symbol: char) {
    match symbol {
        '"' => sheet.put(b"\\\""),
        '\\' => sheet.put(b"\\\\"),
        '\n' => sheet.put(b"\\n"),
        '\r' => sheet.put(b"\\r"),
        '\t' => sheet.put(b"\\t"),
        symbol if is_hidden(symbol) => {
            sheet.put(format!("\\u{:04x}", u32::from(symbol)).as_bytes())
        }
        symbol => {
            let mut bytes = [0; 4];
            sheet.put(symbol.encode_utf8(&mut bytes).as_bytes());
        }
    }
}

/// Characters that show nothing themselves but change how others show: controls, separators of
/// lines, and what reorders text.
const fn is_hidden(symbol: char) -> bool {
    matches!(
        symbol,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Vec<u8> {
        let mut sheet = Sheet::default();
        write_text(&mut sheet, text);
        sheet.into_bytes()
    }

    /// `text` is written as `json`, which reads back as `text`.
    fn check(text: &str, json: &str) {
        let out = written(text);
        assert_eq!(String::from_utf8_lossy(&out), json);
        assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
    }

    #[test]
    fn texts_are_escaped() {
        check("plain äöü 漢字 🦝", "\"plain äöü 漢字 🦝\"");
        check("a\"b\\c/d", r#""a\"b\\c/d""#);
        check("\n\r\t\0\u{1b}[31m", r#""\n\r\t\u0000\u001b[31m""#);
        check("\u{7f}\u{85}\u{9b}", r#""\u007f\u0085\u009b""#);
        check(
            "\u{202e}txt\u{2066}\u{200f}\u{2028}\u{61c}",
            r#""\u202etxt\u2066\u200f\u2028\u061c""#,
        );
        check("\u{a0}\u{a7}\u{2013}\u{630}", "\"\u{a0}\u{a7}\u{2013}\u{630}\"");
    }

    /// The symbol-by-symbol way, which asks nothing of several bytes at once.
    fn naive(text: &str) -> Vec<u8> {
        let mut sheet = Sheet::default();
        sheet.push(b'"');
        text.chars().for_each(|symbol| write_symbol(&mut sheet, symbol));
        sheet.push(b'"');
        sheet.into_bytes()
    }

    fn agrees(text: &str) {
        let hides = text.chars().any(|symbol| symbol >= ' ' && is_hidden(symbol));
        assert!(may_hide(text.as_bytes()) || !hides, "{text:?}");
        assert_eq!(written(text), naive(text), "{text:?}");
    }

    #[test]
    fn each_byte_is_seen_at_each_place_of_each_length() {
        let symbols = (0..=0xff_u32).chain([0x61c, 0x630, 0x2013, 0x2028, 0x2066, 0x1f99d]);
        for symbol in symbols.filter_map(char::from_u32) {
            for length in 0..40 {
                for place in 0..=length {
                    let (before, behind) = ("a".repeat(place), "é".repeat((length - place) / 2));
                    agrees(&format!("{before}{symbol}{behind}"));
                    agrees(&format!("{before}{symbol}{}", "~".repeat(length - place)));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text: String) {
            let out = written(&text);
            prop_assert!(!String::from_utf8_lossy(&out).chars().any(is_hidden));
            prop_assert_eq!(&out, &naive(&text));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
        }
    }
}
