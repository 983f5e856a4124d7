//! A set of offsets as runs: ascending, apart from each other, none of them empty.
//!
//! What a partition has behind it is nearly always one run, so a set costs a few words however many
//! offsets it holds. Plain values; offsets that hold no record are in a run like any other.

use serde::{Deserialize, Serialize};

/// The offsets from `from` up to, and without, `to`. Written as `[from, to]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(i64, i64)", into = "(i64, i64)")]
pub struct Range {
    /// The first offset.
    pub from: i64,
    /// The first offset after it.
    pub to: i64,
}

impl Range {
    /// The offsets `from..to`; empty where `to` is not after `from`.
    #[must_use]
    pub const fn new(from: i64, to: i64) -> Self {
        Self { from, to }
    }

    /// The one offset.
    #[must_use]
    pub const fn one(offset: i64) -> Self {
        Self { from: offset, to: offset.saturating_add(1) }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.to <= self.from
    }

    /// How many offsets it holds.
    #[must_use]
    pub const fn count(self) -> u64 {
        if self.is_empty() { 0 } else { self.to.abs_diff(self.from) }
    }

    /// What both hold.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}

impl From<(i64, i64)> for Range {
    fn from((from, to): (i64, i64)) -> Self {
        Self { from, to }
    }
}

impl From<Range> for (i64, i64) {
    fn from(range: Range) -> Self {
        (range.from, range.to)
    }
}

/// A set of offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Range>", into = "Vec<Range>")]
pub struct Ranges {
    /// Ascending; between two of them at least one offset is missing; none is empty.
    runs: Vec<Range>,
}

impl Ranges {
    /// The runs, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range> + '_ {
        self.runs.iter().copied()
    }

    /// How many runs there are.
    #[must_use]
    pub const fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How many offsets it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.iter().fold(0, |sum, range| sum.saturating_add(range.count()))
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// From its first offset to its last; `None` where it holds nothing.
    #[must_use]
    pub fn hull(&self) -> Option<Range> {
        Some(Range { from: self.runs.first()?.from, to: self.runs.last()?.to })
    }

    /// Whether it holds `offset`.
    #[must_use]
    pub fn contains(&self, offset: i64) -> bool {
        let after = self.runs.partition_point(|run| run.from <= offset);
        after.checked_sub(1).and_then(|at| self.runs.get(at)).is_some_and(|run| offset < run.to)
    }

    /// Adds the offsets of `range`. Costs nothing to speak of where they come after all others.
    pub fn insert(&mut self, range: Range) {
        if range.is_empty() {
            return;
        }
        match self.runs.last_mut() {
            Some(last) if range.from == last.to => last.to = range.to,
            Some(last) if range.from < last.to => self.merge(range),
            _ => self.runs.push(range),
        }
    }

    fn merge(&mut self, mut range: Range) {
        let first = self.runs.partition_point(|run| run.to < range.from);
        let last = self.runs.partition_point(|run| run.from <= range.to);
        for met in self.runs.drain(first..last.max(first)) {
            range = Range { from: range.from.min(met.from), to: range.to.max(met.to) };
        }
        self.runs.insert(first, range);
    }

    /// Forgets the first run: for sets that may only have so many.
    pub fn forget_first(&mut self) -> Option<Range> {
        (!self.runs.is_empty()).then(|| self.runs.remove(0))
    }

    /// Adds all offsets of `other`.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|range| self.insert(range));
    }

    /// What it holds and `other` does not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for run in self.iter() {
            let mut from = run.from;
            let begins = other.runs.partition_point(|taken| taken.to <= run.from);
            let met = other.runs.iter().skip(begins).take_while(|taken| taken.from < run.to);
            for taken in met {
                left.insert(Range { from, to: taken.from });
                from = taken.to;
            }
            left.insert(Range { from, to: run.to });
        }
        left
    }

    /// What it holds of `range`.
    #[must_use]
    pub fn within(&self, range: Range) -> Self {
        let begins = self.runs.partition_point(|run| run.to <= range.from);
        let met = self.runs.iter().skip(begins).take_while(|run| run.from < range.to);
        met.map(|run| run.common(range)).collect()
    }

    /// What both hold.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let mut common = Self::default();
        other.iter().for_each(|range| common.extend(&self.within(range)));
        common
    }
}

impl FromIterator<Range> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut all = Self::default();
        ranges.into_iter().for_each(|range| all.insert(range));
        all
    }
}

impl From<Vec<Range>> for Ranges {
    fn from(ranges: Vec<Range>) -> Self {
        ranges.into_iter().collect()
    }
}

impl From<Ranges> for Vec<Range> {
    fn from(ranges: Ranges) -> Self {
        ranges.runs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[(i64, i64)]) -> Ranges {
        ranges.iter().map(|range| Range::from(*range)).collect()
    }
    fn naive(ranges: &[(i64, i64)]) -> BTreeSet<i64> {
        ranges.iter().flat_map(|(from, to)| *from..*to).collect()
    }
    fn offsets(ranges: &Ranges) -> BTreeSet<i64> {
        ranges.iter().flat_map(|run| run.from..run.to).collect()
    }
    fn check(ranges: &[(i64, i64)], expected: &[(i64, i64)]) {
        let found: Vec<(i64, i64)> = set(ranges).iter().map(Into::into).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn runs_that_touch_are_one() {
        check(&[], &[]);
        check(&[(3, 3), (5, 2)], &[]);
        check(&[(0, 5), (5, 9)], &[(0, 9)]);
        check(&[(5, 9), (0, 5)], &[(0, 9)]);
        check(&[(0, 2), (4, 6), (2, 4)], &[(0, 6)]);
        check(&[(0, 2), (4, 6), (8, 9), (1, 20)], &[(0, 20)]);
        check(&[(0, 2), (4, 6)], &[(0, 2), (4, 6)]);
        check(&[(4, 6), (0, 2), (0, 1)], &[(0, 2), (4, 6)]);
    }

    #[test]
    fn it_is_written_as_pairs_and_read_back_whatever_their_order() {
        let text = serde_json::to_string(&set(&[(0, 5), (7, 8)])).expect("pairs");
        assert_eq!(text, "[[0,5],[7,8]]");
        let read: Ranges = serde_json::from_str("[[7,8],[3,5],[0,3],[9,2]]").expect("pairs");
        assert_eq!(read, set(&[(0, 5), (7, 8)]));
    }

    fn pairs() -> impl Strategy<Value = Vec<(i64, i64)>> {
        prop::collection::vec((0_i64..60, 0_i64..12).prop_map(|(from, n)| (from, from + n)), 0..12)
    }

    proptest! {
        #[test]
        fn it_says_what_a_naive_set_says(left in pairs(), right in pairs(), at in 0_i64..80) {
            let (one, other) = (set(&left), set(&right));
            let (naive_one, naive_other) = (naive(&left), naive(&right));
            prop_assert_eq!(&offsets(&one), &naive_one);
            prop_assert_eq!(one.count(), naive_one.len() as u64);
            prop_assert_eq!(one.contains(at), naive_one.contains(&at));
            let apart = one.iter().zip(one.iter().skip(1)).all(|(left, right)| left.to < right.from);
            prop_assert!(apart && one.iter().all(|run| !run.is_empty()));
            let both: BTreeSet<i64> = naive_one.union(&naive_other).copied().collect();
            let mut union = one.clone();
            union.extend(&other);
            prop_assert_eq!(offsets(&union), both);
            let left_over: BTreeSet<i64> = naive_one.difference(&naive_other).copied().collect();
            prop_assert_eq!(offsets(&one.without(&other)), left_over);
            let shared: BTreeSet<i64> = naive_one.intersection(&naive_other).copied().collect();
            prop_assert_eq!(offsets(&one.common(&other)), shared);
        }
    }
}
