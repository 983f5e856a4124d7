//! When outputs are handed to the sink: at once while the worker keeps up with its source, a few
//! milliseconds' worth together while it is behind; and not while the sink is busy, where they would
//! only wait in another queue.
//!
//! Each request to a broker costs the producer's thread some system calls and a wake-up, whatever
//! is in it. A worker that is behind is late by more than it waits here; one that keeps up waits
//! for nothing but answers to what is under way.

use std::time::Duration;

use super::super::outputs::Sent;
use super::super::state::Input;
use super::Desk;
use crate::sink::Sink;

/// A step that took so many records, or as many as it may, was not waiting for them: there were more
/// than come in the moment between two fetches of a stage that keeps up (20,000 a second: about 20).
const BEHIND: usize = 128;

/// How long outputs are kept back because the worker is behind, besides the rest of a step.
const LINGER: Duration = Duration::from_millis(10);

/// How many outputs are kept back for that at most.
const OUTPUTS_MAX: usize = 32;

/// How long outputs are kept back from a busy sink at most: more than usual answers take. Where one
/// target has no answer to give, others need not wait for it.
const BUSY_MAX: Duration = Duration::from_millis(100);

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

    /// A step begins: says whether what was kept back has to go, be it nothing.
    pub(super) fn step(&mut self, now: Duration, sink: Load) -> bool {
        self.now = now;
        let longest = match sink {
            Load::Free => LINGER,
            Load::Busy => BUSY_MAX,
        };
        self.since.map_or(sink == Load::Free, |since| now >= since + longest) || self.goes(sink)
    }

    /// Outputs of so many bytes were added.
    pub(super) fn added(&mut self, outputs: usize, bytes: usize) {
        self.outputs += outputs;
        self.bytes += bytes;
        self.since.get_or_insert(self.now);
    }

    /// The source was asked, and had so many records.
    pub(super) const fn took(&mut self, records: usize) {
        self.is_behind = records >= self.behind;
    }

    /// Whether something was kept back that has to go, however long it has waited.
    pub(super) fn goes(&self, sink: Load) -> bool {
        self.since.is_some()
            && match sink {
                Load::Busy => self.bytes >= BUSY_BYTES_MAX,
                Load::Free => !self.is_behind || self.outputs >= OUTPUTS_MAX,
            }
    }

    /// Everything was handed over.
    pub(super) const fn sent(&mut self) {
        self.since = None;
        self.outputs = 0;
        self.bytes = 0;
    }
}

impl<K: Sink> Desk<K> {
    /// Sends what waits, where it has to go and may; says whether it has to.
    pub(super) fn send_due(&mut self) -> bool {
        let is_due = self.linger.goes(Load::of(&self.sink));
        if is_due {
            self.send_waiting();
        }
        is_due
    }

    /// Sends what waits, in order, as far as the sink has room.
    pub(super) fn send_waiting(&mut self) {
        if !self.state.may_send() {
            return;
        }
        self.linger.sent();
        loop {
            match self.outputs.send_next(&mut self.sink) {
                Sent::One => {}
                Sent::Nothing => return self.apply(Input::QueueFree),
                Sent::Full => return self.apply(Input::QueueFull),
                Sent::Resting => return,
                Sent::Refused(token, fault) => self.failed(token, &fault),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Load::{Busy, Free};
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Adds an output, and says whether it goes.
    fn add(linger: &mut Linger, sink: Load) -> bool {
        linger.added(1, 9);
        linger.goes(sink)
    }

    #[test]
    fn nothing_waits_while_the_worker_keeps_up() {
        let mut linger = Linger::new(usize::MAX);
        assert!(linger.step(MS, Free) && add(&mut linger, Free));
        linger.sent();
        linger.took(BEHIND - 1);
        assert!(!linger.goes(Free), "nothing is left");
        assert!(linger.step(2 * MS, Free) && add(&mut linger, Free));
    }

    #[test]
    fn a_step_that_took_all_it_may_is_behind() {
        let mut linger = Linger::new(16);
        linger.step(MS, Free);
        linger.took(15);
        assert!(add(&mut linger, Free));
        linger.sent();
        linger.took(16);
        assert!(!add(&mut linger, Free));
    }

    #[test]
    fn what_waits_goes_when_its_time_is_over() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS, Free);
        linger.took(BEHIND);
        linger.step(2 * MS, Free);
        assert!(!add(&mut linger, Free));
        linger.took(BEHIND);
        assert!(!linger.goes(Free));
        assert!(!linger.step(11 * MS, Free), "nine of ten milliseconds");
        assert!(!add(&mut linger, Free));
        assert!(linger.step(12 * MS, Free), "ten since the first one");
        linger.sent();
        assert!(!add(&mut linger, Free), "the next one waits anew");
        assert!(!linger.step(21 * MS, Free) && linger.step(22 * MS, Free));
    }

    #[test]
    fn what_waits_goes_when_there_is_much_or_the_source_has_little() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS, Free);
        linger.took(BEHIND);
        linger.added(OUTPUTS_MAX - 1, 9);
        assert!(!linger.goes(Free) && add(&mut linger, Free));
        linger.sent();
        assert!(!add(&mut linger, Free));
        linger.took(BEHIND - 1);
        assert!(linger.goes(Free));
    }

    #[test]
    fn what_a_busy_sink_would_keep_waiting_goes_as_soon_as_it_is_busy_no_more() {
        let mut linger = Linger::new(usize::MAX);
        assert!(!linger.step(MS, Busy), "outputs that no record owes wait as well");
        assert!(!add(&mut linger, Busy) && !linger.step(2 * MS, Busy));
        assert!(linger.goes(Free), "the worker keeps up: at once");
        linger.sent();
        linger.took(BEHIND);
        linger.added(OUTPUTS_MAX, 9);
        assert!(!linger.goes(Busy) && !linger.step(3 * MS, Busy));
        assert!(linger.goes(Free), "there is much");
    }

    #[test]
    fn much_goes_to_a_busy_sink_as_well_and_what_has_waited_for_long() {
        let mut linger = Linger::new(usize::MAX);
        linger.step(MS, Busy);
        linger.added(1, BUSY_BYTES_MAX - 9);
        assert!(!linger.goes(Busy) && add(&mut linger, Busy));
        linger.sent();
        assert!(!add(&mut linger, Busy) && !linger.step(MS + BUSY_MAX - MS / 2, Busy));
        assert!(linger.step(MS + BUSY_MAX, Busy));
        linger.sent();
        assert!(!linger.step(MS + 2 * BUSY_MAX, Busy), "nothing is left");
    }
}
