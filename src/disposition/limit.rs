//! At most so many alerts of a rule per window; nothing is dropped past it, only marked.
//!
//! Windows tumble: they start at whole multiples of the rule's interval since 1970. Records of
//! several partitions arrive out of order, so the last few windows of a rule are counted side by
//! side. A window that was forgotten for newer ones starts again at 0: more is let through, never
//! less, and its notice keeps its id.

use crate::limits::LIMIT_WINDOWS_PER_RULE;
use crate::record::Timestamp;
use crate::rule::{RuleIndex, RuleSet};

/// What the limit says of one more alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowState {
    /// Within the limit.
    Within,
    /// The first one past the limit in its window: one notice is due.
    FirstOver(Notice),
    /// Past the limit.
    Over,
}

/// One window of one rule that is past the rule's limit: what a notice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// The rule.
    pub rule: RuleIndex,
    /// First millisecond of the window.
    pub window_start: Timestamp,
    /// First millisecond after the window.
    pub window_end: Timestamp,
    /// The most alerts that go to the alert topic in this window unmarked.
    pub limit: u32,
}

/// Counts of alerts per rule in tumbling windows by record time stamp (else arrival).
#[derive(Debug)]
pub struct Limit {
    /// By rule index.
    rules: Vec<RuleWindows>,
}

#[derive(Debug)]
struct RuleWindows {
    /// `None`: no limit.
    limit: Option<u32>,
    /// Length of a window in milliseconds, at least 1.
    interval_ms: i64,
    /// From the one counted longest ago to the one counted last; at most
    /// [`LIMIT_WINDOWS_PER_RULE`].
    windows: Vec<Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    number: i64,
    count: u64,
}

impl Limit {
    /// Empty windows for `rules`.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        let windows = rules.rules().iter().map(|rule| RuleWindows {
            limit: rule.max_signals.filter(|limit| *limit > 0),
            interval_ms: i64::try_from(rule.interval_ms).unwrap_or(i64::MAX).max(1),
            windows: Vec::new(),
        });
        Self { rules: windows.collect() }
    }

    /// Takes over the counts of rules that `before` has as well, with windows of the same length.
    pub(super) fn inherit(&mut self, rules: &RuleSet, (before, its): (&Self, &RuleSet)) {
        for (rule, windows) in rules.rules().iter().zip(&mut self.rules) {
            let old = its.find(&rule.id).and_then(|(at, _)| before.rules.get(at.0 as usize));
            if let Some(old) = old.filter(|old| old.interval_ms == windows.interval_ms) {
                windows.windows.clone_from(&old.windows);
            }
        }
    }

    /// One alert of `rule` that was counted at `time` will be counted again.
    pub(super) fn forget(&mut self, rule: RuleIndex, time: Timestamp) {
        if let Some(windows) = self.rules.get_mut(rule.0 as usize) {
            windows.forget(time.as_millis().div_euclid(windows.interval_ms));
        }
    }

    /// Counts one alert of `rule` at `time`.
    pub fn count(&mut self, rule: RuleIndex, time: Timestamp) -> WindowState {
        let Some(windows) = self.rules.get_mut(rule.0 as usize) else { return WindowState::Within };
        let Some(limit) = windows.limit else { return WindowState::Within };
        let number = time.as_millis().div_euclid(windows.interval_ms);
        let count = windows.count(number);
        match count.cmp(&(u64::from(limit) + 1)) {
            std::cmp::Ordering::Less => WindowState::Within,
            std::cmp::Ordering::Greater => WindowState::Over,
            std::cmp::Ordering::Equal => {
                let start = number.saturating_mul(windows.interval_ms);
                let end = start.saturating_add(windows.interval_ms);
                WindowState::FirstOver(Notice {
                    rule,
                    window_start: Timestamp::from_millis(start),
                    window_end: Timestamp::from_millis(end),
                    limit,
                })
            }
        }
    }
}

impl RuleWindows {
    /// Counts one less in the window with this number, where it is still counted.
    fn forget(&mut self, number: i64) {
        if let Some(window) = self.windows.iter_mut().find(|window| window.number == number) {
            window.count = window.count.saturating_sub(1);
        }
    }

    /// Counts one more in the window with this number, and says how many that makes.
    fn count(&mut self, number: i64) -> u64 {
        let known = self.windows.iter().position(|window| window.number == number);
        let mut window = match known {
            Some(at) => self.windows.remove(at),
            None => Window { number, count: 0 },
        };
        window.count += 1;
        if self.windows.len() == LIMIT_WINDOWS_PER_RULE {
            self.windows.remove(0);
        }
        self.windows.push(window);
        window.count
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn limit(limit: Option<u32>, interval_ms: i64) -> Limit {
        Limit { rules: vec![RuleWindows { limit, interval_ms, windows: Vec::new() }] }
    }

    /// Alerts at these times are: `.` within, `!` the first over, `x` over.
    fn check(max: Option<u32>, interval_ms: i64, times: &[i64], states: &str) {
        let mut limit = limit(max, interval_ms);
        let found: String = times
            .iter()
            .map(|time| match limit.count(RuleIndex(0), Timestamp::from_millis(*time)) {
                WindowState::Within => '.',
                WindowState::FirstOver(_) => '!',
                WindowState::Over => 'x',
            })
            .collect();
        assert_eq!(found, states, "{times:?}");
    }

    #[test]
    fn windows_tumble_at_whole_multiples_of_the_interval() {
        check(Some(2), 100, &[0, 50, 99, 99, 100, 199, 199, 200], "..!x..!.");
        check(Some(1), 100, &[-1, -100, -101], ".!.");
        check(Some(1), 1, &[5, 5, 6, 6], ".!.!");
    }

    #[test]
    fn no_limit_counts_nothing() {
        check(None, 100, &[0; 6], "......");
    }

    #[test]
    fn records_out_of_order_count_in_their_own_window() {
        check(Some(1), 100, &[0, 100, 50, 150, 60, 160], "..!!xx");
    }

    #[test]
    fn a_window_that_was_forgotten_lets_more_through() {
        let mut times = vec![0, 0];
        times.extend((1..=LIMIT_WINDOWS_PER_RULE).map(|number| 100 * number as i64));
        times.extend([0, 0]);
        let states = format!(".!{}.!", ".".repeat(LIMIT_WINDOWS_PER_RULE));
        check(Some(1), 100, &times, &states);
    }

    #[test]
    fn what_is_forgotten_counts_once_when_it_comes_again() {
        let mut limit = limit(Some(2), 100);
        let mut count = |time| limit.count(RuleIndex(0), Timestamp::from_millis(time));
        assert_eq!([count(0), count(1)], [WindowState::Within; 2]);
        assert!(matches!(count(2), WindowState::FirstOver(_)));
        for time in [2, 1, 500] {
            limit.forget(RuleIndex(0), Timestamp::from_millis(time));
        }
        let mut count = |time| limit.count(RuleIndex(0), Timestamp::from_millis(time));
        assert_eq!(count(1), WindowState::Within);
        assert!(matches!(count(2), WindowState::FirstOver(_)), "its notice is due again");
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        check(Some(1), i64::MAX, &[i64::MAX, i64::MAX, i64::MIN, i64::MIN], ".!.!");
    }

    proptest! {
        #[test]
        fn as_long_as_no_window_is_forgotten_counts_are_exact(
            times in proptest::collection::vec(0..100 * LIMIT_WINDOWS_PER_RULE as i64, 0..200),
            most in 1u32..5,
        ) {
            let mut limit = limit(Some(most), 100);
            let mut counts: HashMap<i64, u32> = HashMap::new();
            for time in times {
                let count = counts.entry(time / 100).or_default();
                *count += 1;
                let state = limit.count(RuleIndex(0), Timestamp::from_millis(time));
                prop_assert_eq!(state == WindowState::Within, *count <= most);
                let is_first = matches!(state, WindowState::FirstOver(_));
                prop_assert_eq!(is_first, *count == most + 1);
            }
        }
    }
}
