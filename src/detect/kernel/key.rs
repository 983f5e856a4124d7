//! What stands behind a key: may it be one of the values that some rule asks for?
//!
//! With many rules, searching all their values costs more than everything else, since they begin
//! alike. A value that a rule asks for as a whole stands behind one of few keys, so the pass looks
//! for these and then for the one value there in a table.
//!
//! Contract: over-approximates. Let a key stand in some text, then `"`, perhaps white space, `:`,
//! perhaps white space, `"`, a value of plain literal bytes, `"`. Where that text is a string inside
//! another one, each quote becomes `\"` (with more backslashes further out), and every other
//! character of it stays as it is or becomes an escape that begins with a backslash. So behind a key
//! that is found as it stands there is either exactly this, with backslashes before the quotes, and
//! the value is read as it stands; or a backslash where none is expected, which is taken for a value
//! that is asked for. A key of which a byte is escaped is found by that escape (see `prefilter`).

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Values that rules ask for as a whole: bytes that JSON can write as themselves or as `\u00hh`.
pub(super) type Values = HashSet<Box<[u8]>, BuildHasherDefault<Folding>>;

/// Whether a text that ends with `before` may end where a key begins: at its quote, or at the dot
/// before the last part of a dotted name.
pub(super) fn may_begin(before: Option<&u8>) -> bool {
    matches!(before, Some(b'"' | b'.'))
}

/// Whether `behind`, the text behind the last byte of a key, may hold one of `values` as its value.
pub(super) fn may_hold(values: &Values, behind: &[u8]) -> bool {
    let behind = match quote(behind) {
        Quote::Here(behind) => behind.trim_ascii_start(),
        Quote::Escaped => return true,
        // The key is only the beginning of this name.
        Quote::None => return false,
    };
    let value = match behind.split_first() {
        Some((b':', value)) => value.trim_ascii_start(),
        Some((b'\\', _)) => return true,
        // It is no key.
        _ => return false,
    };
    match quote(value) {
        Quote::Here(text) => {
            let end = memchr::memchr2(b'"', b'\\', text);
            let Some((value, rest)) = end.and_then(|end| text.split_at_checked(end)) else {
                return true;
            };
            !matches!(quote(rest), Quote::Here(_)) || values.contains(value)
        }
        Quote::Escaped => true,
        Quote::None => !value.starts_with(b"null"),
    }
}

enum Quote<'a> {
    /// A quote, whatever the number of backslashes before it; and what is behind it.
    Here(&'a [u8]),
    /// Backslashes before something else.
    Escaped,
    None,
}

fn quote(text: &[u8]) -> Quote<'_> {
    let slashes = text.iter().take_while(|byte| **byte == b'\\').count();
    match text.get(slashes..).and_then(<[u8]>::split_first) {
        Some((b'"', behind)) => Quote::Here(behind),
        _ if slashes > 0 => Quote::Escaped,
        _ => Quote::None,
    }
}

/// A hash of few multiplications. The values are those of the rules, so nobody can choose them to
/// collide; the standard hash took 20 ns a value.
#[derive(Default)]
pub(super) struct Folding(u64);

impl Folding {
    const fn fold(&mut self, word: u64) {
        let folded = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = folded ^ (folded >> 32);
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            // The last eight bytes, some of them once more, or all where there are fewer.
            let last = bytes.last_chunk().map_or_else(
                || rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
                |last| u64::from_le_bytes(*last),
            );
            self.fold(last);
        }
    }

    /// Of a value only its length.
    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(behind: &str, expected: bool) {
        let values = [b"a.b".as_slice(), b"true"].map(Box::from).into_iter().collect();
        assert_eq!(may_hold(&values, behind.as_bytes()), expected, "{behind}");
    }

    #[test]
    fn the_value_is_looked_up() {
        check(r#"":"a.b","#, true);
        check(r#"":"a.c","#, false);
        check(r#"":"a.bb","#, false);
        check("\" : \t\"a.b\" ", true);
        check("\"\r\n:\n\"a.c\" ", false);
        check(r#"\":\"a.b\","#, true);
        check(r#"\\\":\\\"a.c\\\","#, false);
        check(r#"\\\":\\\"a.b\\\","#, true);
    }

    #[test]
    fn what_is_no_key_is_left() {
        check(r#"Other":"a.b""#, false);
        check(r#"","eventType""#, false);
        check("\"]", false);
        check("", false);
        check("\"", false);
    }

    #[test]
    fn null_is_none_of_the_values() {
        check(r#"":null,"#, false);
        check(r#"": null}"#, false);
    }

    #[test]
    fn everything_else_may_be_one() {
        for behind in [
            r#"":["a.c"]"#,
            r#"":true"#,
            r#"":{"a":1}"#,
            r#"":5"#,
            r#"\u0022:"a.c""#,
            r#""\u003a"a.c""#,
            r#"\"\n:\"a.c\""#,
            r#"\":\n\"a.c\""#,
            r#"":"a\u002ec""#,
            r#"":"a\/c""#,
            r#"":"a.c"#,
            r#"":\u0022a.c""#,
        ] {
            check(behind, true);
        }
    }
}
