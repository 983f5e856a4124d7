//! When outputs are handed to the sink: at once while the worker keeps up with its source, a few
//! milliseconds' worth together while it is behind.
//!
//! Each request to a broker costs the producer's thread some system calls and a wake-up, whatever
//! is in it. A worker that is behind is late by more than it waits here; one that keeps up waits
//! for nothing.

use std::time::Duration;

/// A step that took so many records, or as many as it may, was not waiting for them: there were more
/// than come in the moment between two fetches of a stage that keeps up (20,000 a second: about 20).
const BEHIND: usize = 128;

/// How long outputs are kept back at most, besides the rest of a step.
const LINGER: Duration = Duration::from_millis(10);

/// How many outputs are kept back at most: their bytes are in memory.
const OUTPUTS_MAX: usize = 32;

/// What is kept back, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Linger {
    /// A step of so many records says that the worker is behind.
    behind: usize,
    is_behind: bool,
    /// The step of the first output that is kept back, on the monotonic clock.
    since: Option<Duration>,
    outputs: usize,
    now: Duration,
}

impl Linger {
    /// For steps of at most so many records.
    pub(super) fn new(records_max: usize) -> Self {
        let behind = BEHIND.min(records_max);
        Self { behind, is_behind: false, since: None, outputs: 0, now: Duration::ZERO }
    }

    /// A step begins: says whether what was kept back has waited long enough.
    pub(super) fn step(&mut self, now: Duration) -> bool {
        self.now = now;
        self.since.is_none_or(|since| now >= since + LINGER)
    }

    /// Outputs were added: says whether they have to go.
    pub(super) fn added(&mut self, outputs: usize) -> bool {
        self.outputs += outputs;
        self.since.get_or_insert(self.now);
        !self.is_behind || self.outputs >= OUTPUTS_MAX
    }

    /// The source was asked: says whether outputs that were kept back have to go.
    pub(super) const fn took(&mut self, records: usize) -> bool {
        self.is_behind = records >= self.behind;
        !self.is_behind && self.since.is_some()
    }

    /// Everything was handed over.
    pub(super) const fn sent(&mut self) {
        self.since = None;
        self.outputs = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_waits_while_the_worker_keeps_up() {
        let mut linger = Linger::new(usize::MAX);
        assert!(linger.step(MS) && linger.added(1));
        linger.sent();
        assert!(!linger.took(BEHIND - 1), "nothing is left");
        assert!(linger.step(2 * MS) && linger.added(1));
    }

    #[test]
    fn a_step_that_took_all_it_may_is_behind() {
        let mut linger = Linger::new(16);
        linger.step(MS);
        linger.took(15);
        assert!(linger.added(1));
        linger.sent();
        linger.took(16);
        assert!(!linger.added(1));
    }

    #[test]
    fn what_waits_goes_when_its_time_is_over() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS);
        linger.took(BEHIND);
        linger.step(2 * MS);
        assert!(!linger.added(1));
        assert!(!linger.took(BEHIND));
        assert!(!linger.step(11 * MS), "nine of ten milliseconds");
        assert!(!linger.added(1));
        assert!(linger.step(12 * MS), "ten since the first one");
        linger.sent();
        assert!(!linger.added(1), "the next one waits anew");
        assert!(!linger.step(21 * MS) && linger.step(22 * MS));
    }

    #[test]
    fn what_waits_goes_when_there_is_much_or_the_source_has_little() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS);
        linger.took(BEHIND);
        assert!(!linger.added(OUTPUTS_MAX - 1) && linger.added(1));
        linger.sent();
        assert!(!linger.added(1) && linger.took(BEHIND - 1));
    }
}
