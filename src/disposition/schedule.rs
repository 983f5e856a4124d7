//! When an exception holds: windows of wall-clock time in a time zone.
//!
//! A window is civil time: weekdays, from–to, perhaps a first and a last date. An instant is
//! turned into the zone's civil time and compared there, so both changes of daylight saving are
//! right by construction: an hour that occurs twice is inside twice, an hour that never occurs is
//! never inside. A window that ends before it begins runs over midnight and belongs to the day on
//! which it began, for the weekday as for the dates. The time zone database is part of the
//! program; nothing is read from the machine.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::record::Timestamp;

/// One window of a schedule.
#[derive(Clone, Debug)]
pub struct Window {
    zone: TimeZone,
    /// By weekday, Monday first.
    days: [bool; 7],
    from: Time,
    /// `None`: the end of the day.
    to: Option<Time>,
    first: Option<Date>,
    last: Option<Date>,
}

/// A window as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowText {
    /// Names of weekdays (`mon`, `Monday`); none: every day.
    #[serde(default)]
    pub days: Vec<String>,
    /// `HH:MM`; the start of the day where it is missing.
    pub from: Option<String>,
    /// `HH:MM`, `24:00` for the end of the day, which is also the default.
    pub to: Option<String>,
    /// An IANA name such as `Europe/Berlin`.
    pub time_zone: String,
    /// The first day on which the window may begin, `YYYY-MM-DD`.
    pub first_date: Option<String>,
    /// The last day on which the window may begin, `YYYY-MM-DD`.
    pub last_date: Option<String>,
}

impl Window {
    /// Reads a window.
    ///
    /// # Errors
    /// Every fault of it, one sentence each.
    pub fn parse(text: &WindowText) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let zone = keep(zone(&text.time_zone), &mut faults).unwrap_or(TimeZone::UTC);
        let mut days = [text.days.is_empty(); 7];
        for name in &text.days {
            if let Some(day) = keep(weekday(name), &mut faults)
                && let Some(day) = days.get_mut(place(day))
            {
                *day = true;
            }
        }
        let from = text.from.as_deref().map(clock).and_then(|read| keep(read, &mut faults));
        let to = text.to.as_deref().filter(|to| *to != "24:00").map(clock);
        let to = to.and_then(|read| keep(read, &mut faults));
        let first = text.first_date.as_deref().map(date).and_then(|read| keep(read, &mut faults));
        let last = text.last_date.as_deref().map(date).and_then(|read| keep(read, &mut faults));
        let from = from.unwrap_or(Time::midnight());
        if to == Some(from) {
            faults.push(format!(
                "the window from {0} to {0} is empty; for the whole day leave both out",
                text.from.as_deref().unwrap_or("00:00")
            ));
        }
        if first.zip(last).is_some_and(|(first, last)| last < first) {
            faults.push("last_date stands before first_date; the window is never open".to_owned());
        }
        if faults.is_empty() { Ok(Self { zone, days, from, to, first, last }) } else { Err(faults) }
    }

    /// Whether the window is open at `time`.
    #[must_use]
    pub fn is_open(&self, time: Timestamp) -> bool {
        let Ok(instant) = jiff::Timestamp::from_millisecond(time.as_millis()) else { return false };
        let local = self.zone.to_datetime(instant);
        let (day, clock) = (local.date(), local.time());
        match self.to {
            None => clock >= self.from && self.begins_on(day),
            Some(to) if self.from < to => clock >= self.from && clock < to && self.begins_on(day),
            Some(_) if clock >= self.from => self.begins_on(day),
            Some(to) => clock < to && day.yesterday().is_ok_and(|day| self.begins_on(day)),
        }
    }

    /// The last day on which the window may begin, where there is one.
    #[must_use]
    pub fn has_end(&self) -> bool {
        self.last.is_some()
    }

    fn begins_on(&self, day: Date) -> bool {
        self.days.get(place(day.weekday())).copied().unwrap_or(false)
            && self.first.is_none_or(|first| day >= first)
            && self.last.is_none_or(|last| day <= last)
    }
}

fn keep<T>(read: Result<T, String>, faults: &mut Vec<String>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZoneDatabase::bundled().get(name).map_err(|_| {
        format!("{name:?} is no time zone; write an IANA name such as \"Europe/Berlin\" or \"UTC\"")
    })
}

fn weekday(name: &str) -> Result<Weekday, String> {
    let lower = name.to_ascii_lowercase();
    let days = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let found = days
        .into_iter()
        .find(|(long, _)| *long == lower || (lower.len() == 3 && long.starts_with(&lower)));
    found.map(|(_, day)| day).ok_or_else(|| {
        format!("{name:?} is no weekday; allowed are mon, tue, wed, thu, fri, sat and sun")
    })
}

fn place(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or(0)
}

fn clock(text: &str) -> Result<Time, String> {
    Time::strptime("%H:%M", text)
        .map_err(|_| format!("{text:?} is no time of day; write HH:MM, such as \"20:00\""))
}

fn date(text: &str) -> Result<Date, String> {
    Date::strptime("%Y-%m-%d", text)
        .map_err(|_| format!("{text:?} is no date; write YYYY-MM-DD, such as \"2026-03-01\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[&str], from: &str, to: &str) -> WindowText {
        WindowText {
            days: days.iter().map(|day| (*day).to_owned()).collect(),
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            time_zone: "Europe/Berlin".to_owned(),
            ..WindowText::default()
        }
    }

    /// At each instant the window is open, or not.
    fn check(text: &WindowText, instants: &[(&str, bool)]) {
        let window = Window::parse(text).expect("a window");
        for (instant, is_open) in instants {
            let time: jiff::Timestamp = instant.parse().expect("an instant");
            let time = Timestamp::from_millis(time.as_millisecond());
            assert_eq!(window.is_open(time), *is_open, "{instant} in {text:?}");
        }
    }

    #[test]
    fn a_window_is_local_time_on_its_weekdays_without_its_end() {
        check(
            &window(&["sat"], "20:00", "23:00"),
            &[
                ("2026-01-10T20:00:00+01:00", true),
                ("2026-01-10T19:59:59.999+01:00", false),
                ("2026-01-10T22:59:59.999+01:00", true),
                ("2026-01-10T23:00:00+01:00", false),
                ("2026-01-11T21:00:00+01:00", false),
                ("2026-07-11T18:00:00Z", true),
                ("2026-07-11T21:00:00Z", false),
            ],
        );
    }

    #[test]
    fn over_midnight_a_window_belongs_to_the_day_on_which_it_began() {
        check(
            &window(&["Friday"], "22:00", "02:00"),
            &[
                ("2026-01-09T22:00:00+01:00", true),
                ("2026-01-10T01:59:59+01:00", true),
                ("2026-01-10T02:00:00+01:00", false),
                ("2026-01-09T01:00:00+01:00", false),
                ("2026-01-10T23:00:00+01:00", false),
            ],
        );
        let dated = WindowText {
            first_date: Some("2026-01-09".to_owned()),
            last_date: Some("2026-01-09".to_owned()),
            ..window(&[], "22:00", "02:00")
        };
        check(
            &dated,
            &[
                ("2026-01-09T01:00:00+01:00", false),
                ("2026-01-09T23:00:00+01:00", true),
                ("2026-01-10T01:00:00+01:00", true),
                ("2026-01-10T23:00:00+01:00", false),
            ],
        );
    }

    #[test]
    fn when_clocks_go_forward_the_hour_that_is_skipped_is_never_inside() {
        check(
            &window(&[], "02:00", "03:00"),
            &[
                ("2026-03-29T00:59:59Z", false),
                ("2026-03-29T01:00:00Z", false),
                ("2026-03-30T00:30:00Z", true),
            ],
        );
        check(
            &window(&["sat"], "22:00", "04:00"),
            &[("2026-03-29T01:30:00Z", true), ("2026-03-29T02:00:00Z", false)],
        );
    }

    #[test]
    fn when_clocks_go_back_the_hour_that_occurs_twice_is_inside_twice() {
        check(
            &window(&["sun"], "02:00", "03:00"),
            &[
                ("2026-10-24T23:59:59Z", false),
                ("2026-10-25T00:30:00Z", true),
                ("2026-10-25T01:30:00Z", true),
                ("2026-10-25T02:00:00Z", false),
            ],
        );
    }

    #[test]
    fn a_whole_day_and_the_end_of_the_day() {
        let whole = WindowText { time_zone: "UTC".to_owned(), ..WindowText::default() };
        check(&whole, &[("2026-01-01T00:00:00Z", true), ("2026-01-01T23:59:59.999Z", true)]);
        check(
            &window(&["mon"], "18:00", "24:00"),
            &[("2026-01-12T22:59:59Z", true), ("2026-01-12T23:00:00Z", false)],
        );
    }

    #[test]
    fn every_fault_of_a_window_is_named() {
        let wrong = WindowText {
            days: vec!["sat".to_owned(), "caturday".to_owned()],
            from: Some("8 pm".to_owned()),
            to: Some("25:00".to_owned()),
            time_zone: "Europe/Bielefeld".to_owned(),
            first_date: Some("1.3.2026".to_owned()),
            last_date: Some("2026-02-30".to_owned()),
        };
        let faults = Window::parse(&wrong).expect_err("all of it is wrong");
        assert_eq!(faults.len(), 6, "{faults:#?}");
        assert!(Window::parse(&window(&[], "20:00", "20:00")).is_err());
        let reversed = WindowText {
            first_date: Some("2026-03-02".to_owned()),
            last_date: Some("2026-03-01".to_owned()),
            ..window(&[], "20:00", "21:00")
        };
        assert!(Window::parse(&reversed).is_err());
    }
}
