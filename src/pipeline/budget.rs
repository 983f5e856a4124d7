//! The budget of dead letters: a feed that turns to rubbish must not look like "no attacks".
//!
//! Totals come in with the time, and the share of dead letters among the records of the last
//! window comes out as within the budget or past it. Few records decide nothing. No I/O, no clock.

use std::collections::VecDeque;
use std::time::Duration;

/// A window is looked at in this many parts: it slides by one of them.
const PARTS: u32 = 30;

/// The bounds of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetBounds {
    /// The share of dead letters among the records that is still within it, in percent.
    pub percent_max: u32,
    /// The time that the share is taken over.
    pub window: Duration,
    /// Fewer records than this in that time decide nothing.
    pub records_min: u64,
}

/// Whether the budget holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// It holds.
    Within,
    /// Too large a share of the records became dead letters.
    Spent,
}

/// How many records there were, and how many of them became dead letters, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records judged.
    pub records: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

/// The counts of the last window.
#[derive(Debug)]
pub struct BudgetWindow {
    bounds: BudgetBounds,
    /// The totals at the start of each part, oldest first; never empty once observed.
    parts: VecDeque<(Duration, Counts)>,
}

impl BudgetWindow {
    /// An empty window.
    #[must_use]
    pub const fn new(bounds: BudgetBounds) -> Self {
        Self { bounds, parts: VecDeque::new() }
    }

    /// Takes the totals at the monotonic time `now` and says how the window stands.
    pub fn observe(&mut self, now: Duration, totals: Counts) -> Budget {
        let window = self.bounds.window;
        if self.parts.back().is_none_or(|(began, _)| now >= *began + window / PARTS) {
            self.parts.push_back((now, totals));
        }
        // The oldest kept is the last that is a whole window old.
        while self.parts.get(1).is_some_and(|(began, _)| *began + window <= now) {
            self.parts.pop_front();
        }
        let since = self.parts.front().map(|(_, counts)| *counts).unwrap_or_default();
        let records = totals.records.saturating_sub(since.records);
        let dead_letters = totals.dead_letters.saturating_sub(since.dead_letters);
        let is_spent = records >= self.bounds.records_min
            && dead_letters * 100 > records * u64::from(self.bounds.percent_max);
        match is_spent {
            true => Budget::Spent,
            false => Budget::Within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: BudgetBounds =
        BudgetBounds { percent_max: 50, window: Duration::from_secs(300), records_min: 1000 };

    /// Per line: seconds later, records and dead letters that come then, what is said. Looked at
    /// every second, as the stage does and oftener.
    fn check(lines: &[(u64, u64, u64, Budget)]) {
        let mut window = BudgetWindow::new(BOUNDS);
        let (mut now, mut totals) = (Duration::ZERO, Counts::default());
        assert_eq!(window.observe(now, totals), Within);
        for (seconds, records, dead_letters, expected) in lines {
            for _ in 1..*seconds {
                now += Duration::from_secs(1);
                window.observe(now, totals);
            }
            now += Duration::from_secs(1);
            totals.records += records;
            totals.dead_letters += dead_letters;
            assert_eq!(window.observe(now, totals), *expected, "at {now:?}");
        }
    }
    use Budget::{Spent, Within};

    #[test]
    fn few_records_decide_nothing() {
        check(&[(1, 999, 999, Within), (1, 1, 1, Spent)]);
        check(&[(1, 0, 0, Within)]);
    }

    #[test]
    fn the_share_decides() {
        check(&[(1, 10_000, 5_000, Within), (1, 0, 1, Spent)]);
        check(&[(1, 10_000, 100, Within), (1, 1_000, 1_000, Within)]);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        check(&[(1, 2_000, 2_000, Spent), (290, 0, 0, Spent), (30, 0, 0, Within)]);
        // A feed that was good for a day turns to rubbish.
        check(&[(86_400, 9_000_000, 0, Within), (400, 0, 0, Within), (5, 1_000, 900, Spent)]);
    }

    #[test]
    fn the_window_is_bounded() {
        let mut window = BudgetWindow::new(BOUNDS);
        for second in 0..10_000 {
            window.observe(Duration::from_millis(200 * second), Counts::default());
        }
        assert!(window.parts.len() <= PARTS as usize + 2);
    }
}
