//! Times as Elasticsearch reads them on a `date` field: ISO 8601 from the year down to fractions
//! of a second, milliseconds since the epoch, and date maths (`now-1d/d`, `2024-01||+1M`).
//!
//! A time that leaves parts out spans its whole unit: `2024-05` is all of May. Nothing here reads
//! a clock: what `now` means is an argument. Time is UTC wherever no offset is written.
//!
//! Sources: Elasticsearch's `strict_date_optional_time||epoch_millis` and its date maths.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{Span, ToSpan as _};

use crate::record::Timestamp;

/// Every millisecond from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) first: i64,
    pub(super) last: i64,
}

/// A time as a query names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DateExpression {
    anchor: Anchor,
    steps: Box<[Step]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Now,
    Fixed(Interval),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Move { amount: i64, unit: Unit },
    Round(Unit),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// Which end of a unit rounding goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

impl DateExpression {
    /// Reads `text`; `None` where it is no time.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(maths) = text.strip_prefix("now") {
            return Some(Self { anchor: Anchor::Now, steps: steps(maths)? });
        }
        let (date, maths) = text.split_once("||").unwrap_or((text, ""));
        Some(Self { anchor: Anchor::Fixed(interval(date)?), steps: steps(maths)? })
    }

    /// What the expression spans at `now`; `None` where the maths leaves the calendar.
    pub(super) fn interval(&self, now: Timestamp) -> Option<Interval> {
        let anchor = match self.anchor {
            Anchor::Now => Interval { first: now.as_millis(), last: now.as_millis() },
            Anchor::Fixed(interval) => interval,
        };
        if self.steps.is_empty() {
            return Some(anchor);
        }
        Some(Interval {
            first: self.walk(anchor.first, End::First)?,
            last: self.walk(anchor.last, End::Last)?,
        })
    }

    fn walk(&self, from: i64, end: End) -> Option<i64> {
        let start = civil(from)?;
        let reached = self.steps.iter().try_fold(start, |at, step| match step {
            Step::Move { amount, unit } => at.checked_add(span(*unit, *amount)?).ok(),
            Step::Round(unit) if end == End::First => floor(at, *unit),
            Step::Round(unit) => last_of(floor(at, *unit)?, *unit),
        })?;
        millis(reached, Offset::UTC)
    }
}

/// The instant that a value of an event names: its first millisecond.
pub(super) fn instant(text: &str) -> Option<i64> {
    interval(text).map(|interval| interval.first)
}

fn civil(at: i64) -> Option<DateTime> {
    Some(Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(at).ok()?))
}

fn millis(at: DateTime, offset: Offset) -> Option<i64> {
    let at = offset.to_timestamp(at).ok()?;
    // Floored, so that nanoseconds before 1970 fall into the same millisecond as in Elastic.
    i64::try_from(at.as_nanosecond().div_euclid(1_000_000)).ok()
}

fn span(unit: Unit, amount: i64) -> Option<Span> {
    let span = Span::new();
    match unit {
        Unit::Year => span.try_years(amount),
        Unit::Month => span.try_months(amount),
        Unit::Week => span.try_weeks(amount),
        Unit::Day => span.try_days(amount),
        Unit::Hour => span.try_hours(amount),
        Unit::Minute => span.try_minutes(amount),
        Unit::Second => span.try_seconds(amount),
    }
    .ok()
}

/// The start of the unit that `at` lies in; weeks begin on Monday.
fn floor(at: DateTime, unit: Unit) -> Option<DateTime> {
    let date = at.date();
    let day = match unit {
        Unit::Year => Date::new(date.year(), 1, 1).ok()?,
        Unit::Month => Date::new(date.year(), date.month(), 1).ok()?,
        Unit::Week => date.checked_sub(date.weekday().to_monday_zero_offset().days()).ok()?,
        Unit::Day | Unit::Hour | Unit::Minute | Unit::Second => date,
    };
    let (hour, minute, second) = match unit {
        Unit::Hour => (at.hour(), 0, 0),
        Unit::Minute => (at.hour(), at.minute(), 0),
        Unit::Second => (at.hour(), at.minute(), at.second()),
        Unit::Year | Unit::Month | Unit::Week | Unit::Day => (0, 0, 0),
    };
    Some(day.to_datetime(Time::new(hour, minute, second, 0).ok()?))
}

/// The last millisecond of the unit that begins at `start`.
fn last_of(start: DateTime, unit: Unit) -> Option<DateTime> {
    start.checked_add(span(unit, 1)?).ok()?.checked_sub(1.millisecond()).ok()
}

/// `+1d`, `-2h`, `/d`, one behind the other; an amount that is left out is 1.
fn steps(maths: &str) -> Option<Box<[Step]>> {
    let mut cursor = Cursor { rest: maths };
    let mut steps = Vec::new();
    while let Some(operator) = cursor.next() {
        let step = match operator {
            '+' | '-' => {
                let digits = cursor.digits();
                let amount = if digits.is_empty() { 1 } else { digits.parse::<i64>().ok()? };
                let amount = if operator == '-' { -amount } else { amount };
                Step::Move { amount, unit: unit(cursor.next()?)? }
            }
            '/' => Step::Round(unit(cursor.next()?)?),
            _ => return None,
        };
        steps.push(step);
    }
    Some(steps.into())
}

fn unit(symbol: char) -> Option<Unit> {
    Some(match symbol {
        'y' => Unit::Year,
        'M' => Unit::Month,
        'w' => Unit::Week,
        'd' => Unit::Day,
        'h' | 'H' => Unit::Hour,
        'm' => Unit::Minute,
        's' => Unit::Second,
        _ => return None,
    })
}

/// What `text` spans: a time down to any unit, or milliseconds since the epoch (any number of
/// digits but four, which are a year).
fn interval(text: &str) -> Option<Interval> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && text.len() != 4 {
        let at = text.parse::<i64>().ok()?;
        return Some(Interval { first: at, last: at });
    }
    let mut cursor = Cursor { rest: text };
    let (date, unit) = cursor.date()?;
    if cursor.rest.is_empty() {
        return whole(date.to_datetime(Time::midnight()), Some(unit), Offset::UTC);
    }
    (unit == Unit::Day && cursor.take('T')).then_some(())?;
    let (time, unit) = cursor.time()?;
    let offset = cursor.offset()?;
    cursor.rest.is_empty().then_some(())?;
    whole(date.to_datetime(time), unit, offset)
}

/// The whole of `unit` from `start` on; without a unit, `start` alone.
fn whole(start: DateTime, unit: Option<Unit>, offset: Offset) -> Option<Interval> {
    let last = match unit {
        Some(unit) => last_of(start, unit)?,
        None => start,
    };
    Some(Interval { first: millis(start, offset)?, last: millis(last, offset)? })
}

/// What is left of a text that is read from left to right.
struct Cursor<'t> {
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    fn next(&mut self) -> Option<char> {
        let mut symbols = self.rest.chars();
        let next = symbols.next();
        self.rest = symbols.as_str();
        next
    }

    fn take(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn digits(&mut self) -> &'t str {
        let end = self.rest.find(|symbol: char| !symbol.is_ascii_digit());
        let (digits, rest) =
            self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or_default();
        self.rest = rest;
        digits
    }

    /// Exactly `count` digits.
    fn number<N: std::str::FromStr>(&mut self, count: usize) -> Option<N> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        self.rest = rest;
        digits.parse().ok()
    }

    /// `yyyy`, `yyyy-MM` or `yyyy-MM-dd`, and its finest unit.
    fn date(&mut self) -> Option<(Date, Unit)> {
        let year = self.number(4)?;
        if !self.take('-') {
            return Some((Date::new(year, 1, 1).ok()?, Unit::Year));
        }
        let month = self.number(2)?;
        if !self.take('-') {
            return Some((Date::new(year, month, 1).ok()?, Unit::Month));
        }
        Some((Date::new(year, month, self.number(2)?).ok()?, Unit::Day))
    }

    /// Nothing, `HH`, `HH:mm`, `HH:mm:ss` or that with a fraction, and its finest unit; `None`
    /// inside where a fraction names the instant itself.
    fn time(&mut self) -> Option<(Time, Option<Unit>)> {
        if !self.rest.starts_with(|symbol: char| symbol.is_ascii_digit()) {
            return Some((Time::midnight(), Some(Unit::Day)));
        }
        let hour = self.number(2)?;
        if !self.take(':') {
            return Some((Time::new(hour, 0, 0, 0).ok()?, Some(Unit::Hour)));
        }
        let minute = self.number(2)?;
        if !self.take(':') {
            return Some((Time::new(hour, minute, 0, 0).ok()?, Some(Unit::Minute)));
        }
        let second = self.number(2)?;
        if !self.take('.') && !self.take(',') {
            return Some((Time::new(hour, minute, second, 0).ok()?, Some(Unit::Second)));
        }
        let fraction = self.digits();
        (1..=9).contains(&fraction.len()).then_some(())?;
        let scale = 10_i32.pow(u32::try_from(9 - fraction.len()).ok()?);
        let nanosecond = fraction.parse::<i32>().ok()? * scale;
        Some((Time::new(hour, minute, second, nanosecond).ok()?, None))
    }

    /// Nothing, `Z`, `+HH`, `+HH:mm` or `+HHmm`.
    fn offset(&mut self) -> Option<Offset> {
        if self.rest.is_empty() || self.take('Z') {
            return Some(Offset::UTC);
        }
        let sign = match self.next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let hours: i32 = self.number(2)?;
        let has_minutes = self.take(':') || !self.rest.is_empty();
        let minutes: i32 = if has_minutes { self.number(2)? } else { 0 };
        (minutes < 60).then_some(())?;
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{DateExpression, Interval, instant};
    use crate::record::Timestamp;

    /// 2024-02-29T12:34:56.789Z, a Thursday in a leap year.
    const NOW: &str = "2024-02-29T12:34:56.789Z";

    fn at(text: &str) -> i64 {
        let parsed: jiff::Timestamp =
            text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"));
        parsed.as_millisecond()
    }

    fn check(text: &str, first: &str, last: &str) {
        let expression = DateExpression::parse(text).unwrap_or_else(|| panic!("{text} is a time"));
        let wanted = Interval { first: at(first), last: at(last) };
        let now = Timestamp::from_millis(at(NOW));
        assert_eq!(expression.interval(now), Some(wanted), "{text}");
    }

    #[test]
    fn a_coarse_time_spans_its_whole_unit() {
        check("2024", "2024-01-01T00:00:00Z", "2024-12-31T23:59:59.999Z");
        check("2024-02", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999Z");
        check("2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999Z");
        check("2024-02-29T", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999Z");
        check("2024-02-29T07", "2024-02-29T07:00:00Z", "2024-02-29T07:59:59.999Z");
        check("2024-02-29T07:30", "2024-02-29T07:30:00Z", "2024-02-29T07:30:59.999Z");
        check("2024-02-29T07:30:05", "2024-02-29T07:30:05Z", "2024-02-29T07:30:05.999Z");
        check("2024-02-29T07:30:05.12", "2024-02-29T07:30:05.12Z", "2024-02-29T07:30:05.12Z");
        check("2024-02-29T07:30+02:00", "2024-02-29T05:30:00Z", "2024-02-29T05:30:59.999Z");
        check("2024-02-29T07:30:05Z", "2024-02-29T07:30:05Z", "2024-02-29T07:30:05.999Z");
        check("1709163005123", "2024-02-28T23:30:05.123Z", "2024-02-28T23:30:05.123Z");
    }

    #[test]
    fn date_maths_counts_from_the_time_it_is_judged_at() {
        check("now", NOW, NOW);
        check("now-1d", "2024-02-28T12:34:56.789Z", "2024-02-28T12:34:56.789Z");
        check("now-1d/d", "2024-02-28T00:00:00Z", "2024-02-28T23:59:59.999Z");
        check("now/w", "2024-02-26T00:00:00Z", "2024-03-03T23:59:59.999Z");
        check("now/M", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999Z");
        check("now/y", "2024-01-01T00:00:00Z", "2024-12-31T23:59:59.999Z");
        check("now/h", "2024-02-29T12:00:00Z", "2024-02-29T12:59:59.999Z");
        check("now/m", "2024-02-29T12:34:00Z", "2024-02-29T12:34:59.999Z");
        check("now/s", "2024-02-29T12:34:56Z", "2024-02-29T12:34:56.999Z");
        check("now+1y", "2025-02-28T12:34:56.789Z", "2025-02-28T12:34:56.789Z");
        check("now-1M+h", "2024-01-29T13:34:56.789Z", "2024-01-29T13:34:56.789Z");
        check("2024-01-31||+1M/d", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        let check = |text: &str| assert_eq!(DateExpression::parse(text), None, "{text:?}");
        for text in ["", "now-", "now-1", "now-1x", "nowish", "2024-1-1", "2024-13", "2024-02-30"] {
            check(text);
        }
        for text in ["2024-01-01 10:00", "2024-01T10", "2024-01-01T25", "2024-01-01T10:00+1", "x"] {
            check(text);
        }
        let far = DateExpression::parse("now+9999999y").expect("it is well formed");
        assert_eq!(far.interval(Timestamp::default()), None);
        assert_eq!(DateExpression::parse("99999999999999999999"), None);
    }

    #[test]
    fn a_value_is_its_first_instant_floored_to_milliseconds() {
        assert_eq!(instant("2024-02-29T07:30:05.123456789Z"), Some(at("2024-02-29T07:30:05.123Z")));
        assert_eq!(instant("1969-12-31T23:59:59.9995Z"), Some(-1));
        assert_eq!(instant("2024"), Some(at("2024-01-01T00:00:00Z")));
        assert_eq!(instant("yesterday"), None);
    }
}
