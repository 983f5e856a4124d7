//! Times as events write them, and as Kafka and Elastic's `date` keep them: milliseconds.

use std::fmt::Write;

use bumpalo::collections::String as ArenaString;

use super::value::Value;
use crate::event::Arena;
use crate::record::Timestamp;

/// The time that a value of `@timestamp` or `published` says: ISO-8601 (without a zone it is
/// UTC), or milliseconds since 1970 as a number. Arrays: the first that can be read.
#[must_use]
pub fn of(value: Value<'_>) -> Option<Timestamp> {
    match value {
        Value::Text(text) => parse(text),
        Value::Int(millis) => Some(Timestamp::from_millis(millis)),
        Value::Array(items) => items.iter().find_map(|item| of(*item)),
        _ => None,
    }
}

/// The time that an ISO-8601 text says; a date alone is its midnight.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    if let Some(time) = usual(text) {
        return Some(time);
    }
    let time = text.parse::<jiff::Timestamp>().or_else(|_| {
        let local = text.parse::<jiff::civil::DateTime>()?;
        jiff::tz::Offset::UTC.to_timestamp(local)
    });
    time.ok().map(|time| Timestamp::from_millis(time.as_millisecond()))
}

/// The time that `2026-01-01T00:00:00.000Z` says: the one spelling that Okta uses, read without
/// asking what else it could be. `None` for every other text, whatever it says.
fn usual(text: &str) -> Option<Timestamp> {
    const MARKS: [(usize, u8); 7] =
        [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    let text: &[u8; 24] = text.as_bytes().try_into().ok()?;
    if !MARKS.iter().all(|(at, mark)| text.get(*at) == Some(mark)) {
        return None;
    }
    let number = |digits: &[u8]| {
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
        digits.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    };
    let part = |place: std::ops::Range<usize>| text.get(place).and_then(number);
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leaps),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // Where exactly the last of all years ends is left to the other reader.
    let is_a_time = year < 9999 && (1..=12).contains(&month) && (1..=last).contains(&day);
    if !is_a_time || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp::from_millis(seconds * 1000 + part(20..23)?))
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar. Years begin in March here, so
/// that the leap day is the last of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// `2026-01-01T00:00:00.000Z`; `None` for years that have no four digits.
pub(super) fn format(arena: &Arena, time: Timestamp) -> Option<&str> {
    let time = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
    let mut text = ArenaString::with_capacity_in(24, arena);
    write!(text, "{time:.3}").ok()?;
    Some(text.into_bump_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, millis: Option<i64>) {
        assert_eq!(parse(text).map(Timestamp::as_millis), millis, "{text}");
    }

    #[test]
    fn iso_8601_is_read() {
        check("2026-01-01T00:00:00.123Z", Some(1_767_225_600_123));
        check("2026-01-01T00:00:00Z", Some(1_767_225_600_000));
        check("2026-01-01T01:00:00+01:00", Some(1_767_225_600_000));
        check("2026-01-01T00:00:00.123456789Z", Some(1_767_225_600_123));
        check("2026-01-01T00:00:00", Some(1_767_225_600_000));
        check("2026-01-01", Some(1_767_225_600_000));
        check("1969-12-31T23:59:59.999Z", Some(-1));
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn the_usual_spelling_is_read_as_any_other() {
        let parsed = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let check = |text: &str| {
            let usual = usual(text).map(Timestamp::as_millis);
            if let Some(usual) = usual {
                assert_eq!(parsed(text).map(|time| time.as_millisecond()), Some(usual), "{text}");
            }
            usual.is_some()
        };
        for (year, month) in [0, 4, 1900, 1969, 1970, 1999, 2000, 2023, 2024, 2026, 9998]
            .into_iter()
            .flat_map(|year| (0..=13).map(move |month| (year, month)))
        {
            for day in 0..=32 {
                let text = format!("{year:04}-{month:02}-{day:02}T23:59:58.987Z");
                assert_eq!(check(&text), parsed(&text).is_some(), "{text}");
            }
        }
        for rest in ["24:00:00.000Z", "00:60:00.000Z", "00:00:60.000Z", "00:00:00,000Z"] {
            assert!(!check(&format!("2026-01-01T{rest}")), "{rest}");
        }
        assert!(!check("9999-01-01T00:00:00.000Z"));
        assert!(!check("2026-01-01 00:00:00.000Z") && !check("2026-01-01T00:00:00.+00Z"));
    }

    #[test]
    fn a_written_time_reads_back() {
        let arena = Arena::new();
        for millis in [0, -1, 1_767_225_600_123] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(format(&arena, time).and_then(parse), Some(time));
        }
        assert_eq!(format(&arena, Timestamp::from_millis(i64::MAX)), None);
        assert_eq!(
            format(&arena, Timestamp::from_millis(1_767_225_600_000)),
            Some("2026-01-01T00:00:00.000Z")
        );
    }
}
