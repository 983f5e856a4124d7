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
