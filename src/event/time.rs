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
    let time = text.parse::<jiff::Timestamp>().or_else(|_| {
        let local = text.parse::<jiff::civil::DateTime>()?;
        jiff::tz::Offset::UTC.to_timestamp(local)
    });
    time.ok().map(|time| Timestamp::from_millis(time.as_millisecond()))
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
