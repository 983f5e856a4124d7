//! When outputs are handed to the sink: at once while the worker keeps up with its source, a few
//! milliseconds' worth together while it is behind; and not while the sink is busy, where they would
//! only wait in another queue.
//!
//! Each request to a broker costs the producer's thread some system calls and a wake-up, whatever
//! is in it. A worker that is behind is late by more than it waits here; one that keeps up waits
//! for nothing but what is under way.

use std::time::Duration;

use crate::sink::Sink;

/// A step that took so many records, or as many as it may, was not waiting for them: there were more
/// than come in the moment between two fetches of a stage that keeps up (20,000 a second: about 20).
const BEHIND: usize = 128;

/// How long outputs are kept back at most while the worker is behind, besides the rest of a step.
const LINGER: Duration = Duration::from_millis(10);

/// How many outputs are kept back then at most.
const OUTPUTS_MAX: usize = 32;

/// How many bytes of outputs are kept back from a busy sink at most: more is for the sink to bound,
/// and some requests' worth is enough for it to go on with.
const BUSY_BYTES_MAX: usize = 4 << 20;

/// Whether the sink has enough to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// What is handed over is on its way at once.
    Free,
    /// What is handed over waits; see [`Sink::is_busy`].
    Busy,
}

impl Load {
    pub(super) fn of(sink: &impl Sink) -> Self {
        if sink.is_busy() { Self::Busy } else { Self::Free }
    }
}

/// What is kept back, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Linger {
    /// A step of so many records says that the worker is behind.
    behind: usize,
    is_behind: bool,
    /// The step of the first output that is kept back, on the monotonic clock.
    since: Option<Duration>,
    outputs: usize,
    bytes: usize,
    now: Duration,
}

impl Linger {
    /// For steps of at most so many records.
    pub(super) fn new(records_max: usize) -> Self {
        let behind = BEHIND.min(records_max);
        Self { behind, is_behind: false, since: None, outputs: 0, bytes: 0, now: Duration::ZERO }
    }

    /// A step begins, and the sink is busy or not: says whether what was kept back has to go.
    pub(super) fn step(&mut self, now: Duration, sink: Load) -> bool {
        self.now = now;
        let is_due = self.since.is_none_or(|since| now >= since + LINGER);
        (is_due && sink == Load::Free) || self.goes(sink)
    }

    /// Outputs of so many bytes were added: says whether they have to go.
    pub(super) fn added(&mut self, outputs: usize, bytes: usize, sink: Load) -> bool {
        self.outputs += outputs;
        self.bytes += bytes;
        self.since.get_or_insert(self.now);
        self.goes(sink)
    }

    /// The source was asked: says whether outputs that were kept back have to go.
    pub(super) fn took(&mut self, records: usize, sink: Load) -> bool {
        self.is_behind = records >= self.behind;
        self.since.is_some() && self.goes(sink)
    }

    /// Everything was handed over.
    pub(super) const fn sent(&mut self) {
        self.since = None;
        self.outputs = 0;
        self.bytes = 0;
    }

    /// Whether what is kept back goes, however long it has waited.
    const fn goes(&self, sink: Load) -> bool {
        match sink {
            Load::Busy => self.bytes >= BUSY_BYTES_MAX,
            Load::Free => !self.is_behind || self.outputs >= OUTPUTS_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Load::{Busy, Free};
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_waits_while_the_worker_keeps_up() {
        let mut linger = Linger::new(usize::MAX);
        assert!(linger.step(MS, Free) && linger.added(1, 9, Free));
        linger.sent();
        assert!(!linger.took(BEHIND - 1, Free), "nothing is left");
        assert!(linger.step(2 * MS, Free) && linger.added(1, 9, Free));
    }

    #[test]
    fn a_step_that_took_all_it_may_is_behind() {
        let mut linger = Linger::new(16);
        linger.step(MS, Free);
        linger.took(15, Free);
        assert!(linger.added(1, 9, Free));
        linger.sent();
        linger.took(16, Free);
        assert!(!linger.added(1, 9, Free));
    }

    #[test]
    fn what_waits_goes_when_its_time_is_over() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS, Free);
        linger.took(BEHIND, Free);
        linger.step(2 * MS, Free);
        assert!(!linger.added(1, 9, Free));
        assert!(!linger.took(BEHIND, Free));
        assert!(!linger.step(11 * MS, Free), "nine of ten milliseconds");
        assert!(!linger.added(1, 9, Free));
        assert!(linger.step(12 * MS, Free), "ten since the first one");
        linger.sent();
        assert!(!linger.added(1, 9, Free), "the next one waits anew");
        assert!(!linger.step(21 * MS, Free) && linger.step(22 * MS, Free));
    }

    #[test]
    fn what_waits_goes_when_there_is_much_or_the_source_has_little() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS, Free);
        linger.took(BEHIND, Free);
        assert!(!linger.added(OUTPUTS_MAX - 1, 9, Free) && linger.added(1, 9, Free));
        linger.sent();
        assert!(!linger.added(1, 9, Free) && linger.took(BEHIND - 1, Free));
    }

    #[test]
    fn what_a_busy_sink_would_keep_waiting_goes_as_soon_as_it_is_busy_no_more() {
        let mut linger = Linger::new(usize::MAX);
        assert!(!linger.step(MS, Busy), "outputs that no record owes wait as well");
        assert!(!linger.added(1, 9, Busy) && !linger.took(1, Busy));
        assert!(!linger.step(1000 * MS, Busy), "time is no reason");
        assert!(linger.step(1001 * MS, Free), "the worker keeps up: at once");
        linger.sent();
        linger.took(BEHIND, Busy);
        assert!(!linger.added(OUTPUTS_MAX, 9, Busy) && !linger.step(1002 * MS, Busy));
        assert!(linger.step(1003 * MS, Free), "there is much");
    }

    #[test]
    fn much_goes_to_a_busy_sink_as_well() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS, Busy);
        assert!(!linger.added(1, BUSY_BYTES_MAX - 1, Busy) && linger.added(1, 1, Busy));
        linger.sent();
        assert!(!linger.added(1, 9, Busy));
    }
}
