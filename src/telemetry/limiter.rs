//! Rate limit of log lines: a broker that is down for a day is one line a minute, not a full disk.
//!
//! Two rules per call site and minute: a line that says the same again is written once, and at
//! most [`LINES_MAX`] different lines are written. What was held back is counted, and the next
//! line of that call site that is written carries the count. Time comes in as an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// The window of both rules.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Most different lines of one call site in one window: a start with a dozen partitions still
/// shows, a storm does not.
pub const LINES_MAX: usize = 20;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is written; `suppressed` lines of this call site were held back before it.
    Write {
        /// How many lines were held back since the last one that was written.
        suppressed: u64,
    },
    /// It is held back and counted.
    Suppress,
}

/// The state of the limit; bounded by the number of call sites in the program.
#[derive(Debug)]
pub struct Limiter<S> {
    sites: HashMap<S, Site>,
}

#[derive(Debug, Default)]
struct Site {
    /// The lines written lately, by the hash of what they say, with the time.
    written: Vec<(u64, Duration)>,
    suppressed: u64,
}

impl<S> Default for Limiter<S> {
    fn default() -> Self {
        Self { sites: HashMap::new() }
    }
}

impl<S: Eq + Hash> Limiter<S> {
    /// Decides on a line of `site` whose text and fields have the hash `says`, at `now`
    /// (monotonic).
    pub fn decide(&mut self, site: S, says: u64, now: Duration) -> Decision {
        let site = self.sites.entry(site).or_default();
        site.written.retain(|(_, at)| now.saturating_sub(*at) < WINDOW);
        let is_repeat = site.written.iter().any(|(known, _)| *known == says);
        if is_repeat || site.written.len() >= LINES_MAX {
            site.suppressed += 1;
            return Decision::Suppress;
        }
        site.written.push((says, now));
        Decision::Write { suppressed: std::mem::take(&mut site.suppressed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Decision = Decision::Write { suppressed: 0 };

    /// Each line as (second, call site, what it says, what becomes of it).
    fn check(lines: &[(u64, &'static str, u64, Decision)]) {
        let mut limiter = Limiter::default();
        for (index, (second, site, says, decision)) in lines.iter().enumerate() {
            let found = limiter.decide(*site, *says, Duration::from_secs(*second));
            assert_eq!(found, *decision, "line {index} at {second} s");
        }
    }

    #[test]
    fn the_same_line_is_written_once_a_minute_with_the_count_of_what_was_held_back() {
        check(&[
            (0, "a", 1, WRITE),
            (1, "a", 1, Decision::Suppress),
            (59, "a", 1, Decision::Suppress),
            (60, "a", 1, Decision::Write { suppressed: 2 }),
            (61, "a", 1, Decision::Suppress),
            (120, "a", 1, Decision::Write { suppressed: 1 }),
            (240, "a", 1, WRITE),
        ]);
    }

    #[test]
    fn lines_that_say_something_else_are_written() {
        check(&[
            (0, "a", 1, WRITE),
            (0, "a", 2, WRITE),
            (0, "b", 1, WRITE),
            (1, "a", 1, Decision::Suppress),
            (1, "a", 3, Decision::Write { suppressed: 1 }),
        ]);
    }

    #[test]
    fn a_storm_of_different_lines_is_bounded() {
        let mut limiter = Limiter::default();
        let mut count = |second: u64, lines: std::ops::Range<u64>| {
            let now = Duration::from_secs(second);
            lines.filter(|says| limiter.decide("a", *says, now) != Decision::Suppress).count()
        };
        assert_eq!(count(0, 0..1000), LINES_MAX);
        assert_eq!(count(59, 1000..2000), 0);
        assert_eq!(count(60, 2000..3000), LINES_MAX);
        let kept = limiter.sites.get("a").expect("the site was seen").written.len();
        assert_eq!(kept, LINES_MAX, "memory is bounded");
    }
}
