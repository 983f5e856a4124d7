//! Whether what is sent now would wait in the client library's queue.
//!
//! An idempotent producer of the client library sends nothing more for a partition while five of its
//! records are under way, counted in records and not in requests (`rd_kafka_toppar_producer_serve`
//! compares `rktp_msgs_inflight` with `RD_KAFKA_IDEMP_MAX_INFLIGHT`, 2.12.1). What it has in its queue
//! behind them, and what is older there than the linger, lets its thread go round without waiting: it
//! works out when to look next before it comes to that limit. So nothing should get there.

use std::time::Duration;

/// So many records of a partition are under way at most.
const UNDER_WAY_MAX: usize = 5;

/// What goes together with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gathering {
    /// How long the producer waits for more to send together.
    linger: Duration,
    under_way_max: usize,
    /// Until when what is sent goes together with what was sent before, on the monotonic clock.
    until: Duration,
}

impl Gathering {
    /// Of a producer that lingers so long, for outputs that spread over so many partitions.
    pub(super) fn new(linger: Duration, partitions: usize) -> Self {
        Self { linger, under_way_max: partitions.max(UNDER_WAY_MAX), until: Duration::ZERO }
    }

    /// One is sent: it goes with what was sent before, or the next ones go with it.
    pub(super) fn sent(&mut self, now: Duration) {
        if now >= self.until {
            self.until = now + self.linger;
        }
    }

    /// Whether one that is sent now would wait for an answer, with so many under way. Never without
    /// a linger: of several that are handed over then the first go, and the others wait for an answer
    /// in the queue in any case.
    pub(super) fn is_over(&self, in_flight: usize, now: impl FnOnce() -> Duration) -> bool {
        !self.linger.is_zero() && in_flight >= self.under_way_max && now() >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_comes_within_the_linger_goes_together_and_what_comes_later_waits() {
        let mut gathering = Gathering::new(2 * MS, 1);
        gathering.sent(10 * MS);
        gathering.sent(11 * MS);
        assert!(!gathering.is_over(500, || 11 * MS), "the request has not left");
        assert!(gathering.is_over(UNDER_WAY_MAX, || 12 * MS));
        assert!(!gathering.is_over(UNDER_WAY_MAX - 1, || 12 * MS), "another request may leave");
        gathering.sent(13 * MS);
        assert!(!gathering.is_over(500, || 14 * MS) && gathering.is_over(500, || 15 * MS));
    }

    #[test]
    fn outputs_that_spread_may_be_as_many_as_there_are_partitions() {
        let gathering = Gathering::new(MS, 12);
        assert!(!gathering.is_over(11, || MS) && gathering.is_over(12, || MS));
        assert!(Gathering::new(MS, 0).is_over(UNDER_WAY_MAX, || MS));
    }

    #[test]
    fn without_a_linger_nothing_waits() {
        assert!(!Gathering::new(Duration::ZERO, 1).is_over(500, || MS));
    }
}
