//! Numbers as queries and events hold them, and values as text.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use crate::event::Value;

/// A number: integers compare exactly, everything else as `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    /// The number that the whole of `text` spells, in any of the spellings of JSON and with
    /// leading zeros or a plus sign; never an infinity.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(can_spell_a_number) {
            return None;
        }
        if let Ok(whole) = text.parse::<i128>() {
            return Some(Self::Whole(whole));
        }
        text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Self::Float)
    }

    /// The number that `value` is, where it is one (texts are none).
    pub(super) fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(whole) => Some(Self::Whole(whole.into())),
            Value::Uint(whole) => Some(Self::Whole(whole.into())),
            Value::Float(float) => Some(Self::Float(float)),
            _ => None,
        }
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }

    pub(super) fn is(self, other: Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Float(float) => float,
        }
    }
}

/// Whether `byte` can stand in the spelling of a number.
pub(super) const fn can_spell_a_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// Room for the text of any number.
pub(super) struct Spelled {
    bytes: [u8; 48],
    length: usize,
}

impl Spelled {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; 48], length: 0 }
    }

    /// The text that `value` is when it is indexed as a keyword: `10` and `"10"` are the same.
    /// `None` for null, arrays and objects, and for numbers that no JSON can spell.
    pub(super) fn text<'t>(&'t mut self, value: Value<'t>) -> Option<&'t str> {
        let written = match value {
            Value::Text(text) => return Some(text),
            Value::Bool(true) => return Some("true"),
            Value::Bool(false) => return Some("false"),
            Value::Int(whole) => write!(self, "{whole}"),
            Value::Uint(whole) => write!(self, "{whole}"),
            Value::Float(float) if float.is_finite() => write!(self, "{float:?}"),
            Value::Float(_) | Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        written.ok()?;
        std::str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

impl fmt::Write for Spelled {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Number, Spelled};
    use crate::event::Value;

    #[test]
    fn numbers_read_in_every_spelling_and_nothing_else_does() {
        let check = |text: &str, wanted: Option<Number>| {
            assert_eq!(Number::parse(text), wanted, "{text:?}");
        };
        check("5", Some(Number::Whole(5)));
        check("05", Some(Number::Whole(5)));
        check("-7", Some(Number::Whole(-7)));
        check("18446744073709551615", Some(Number::Whole(18_446_744_073_709_551_615)));
        check("1.5e3", Some(Number::Float(1500.0)));
        check("", None);
        check("-", None);
        check("e", None);
        check("1e999", None);
        check("inf", None);
        check("NaN", None);
        check("0x10", None);
        check(" 5", None);
        check("5 ", None);
        check("1.2.3", None);
    }

    #[test]
    fn whole_numbers_compare_exactly() {
        let big = Number::Whole(9_007_199_254_740_993);
        assert!(!big.is(Number::Whole(9_007_199_254_740_992)));
        assert!(Number::Whole(5).is(Number::Float(5.0)));
        assert!(!Number::Float(f64::NAN).is(Number::Float(f64::NAN)));
    }

    #[test]
    fn a_value_has_the_text_that_a_keyword_field_would_hold() {
        let check = |value: Value<'_>, wanted: Option<&str>| {
            assert_eq!(Spelled::new().text(value), wanted, "{value:?}");
        };
        check(Value::Int(i64::MIN), Some("-9223372036854775808"));
        check(Value::Uint(u64::MAX), Some("18446744073709551615"));
        check(Value::Float(10.0), Some("10.0"));
        check(Value::Float(f64::MIN_POSITIVE), Some("2.2250738585072014e-308"));
        check(Value::Float(-f64::MAX), Some("-1.7976931348623157e308"));
        check(Value::Float(f64::INFINITY), None);
        check(Value::Bool(true), Some("true"));
        check(Value::Text("x"), Some("x"));
        check(Value::Null, None);
    }
}
