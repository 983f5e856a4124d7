//! The thread of one worker: step, publish, until it is over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::coverage::Books;
use super::reload::Exchange;
use super::{KafkaWorker, report};
use crate::clock::Clock;
use crate::pipeline::tally::{RebalanceKind, Tally};
use crate::pipeline::{Ending, Judge, Step};
use crate::telemetry::{Health, Metrics};

/// How often counts are published when nothing asks for it earlier: a scraper comes every few
/// seconds, and a step may take microseconds.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);

/// What the thread of a worker shares with the rest.
pub(super) struct Shift {
    /// Which worker, from 0.
    pub index: usize,
    /// Set when the worker is to end.
    pub stop: Arc<AtomicBool>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where it says that it is well.
    pub health: Arc<Health>,
    /// Where its counts go.
    pub metrics: Arc<Metrics>,
    /// The same for whoever watches from this process.
    pub totals: Arc<Totals>,
    /// What judges, now and later.
    pub exchange: Arc<Exchange>,
    /// Where its ledger of coverage goes, where one is kept.
    pub books: Option<Books>,
}

/// What all workers have done, for whoever watches from this process.
#[derive(Debug, Default)]
pub struct Totals {
    records: AtomicU64,
    alerts: AtomicU64,
    dead_letters: AtomicU64,
}

impl Totals {
    /// Records judged, step by step; what came of them is counted a moment later.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
    /// Alerts delivered.
    #[must_use]
    pub fn alerts(&self) -> u64 {
        self.alerts.load(Ordering::Relaxed)
    }
    /// Dead letters delivered.
    #[must_use]
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }
}

/// Works until told to stop, or until it cannot go on; tells how that ended, then closes the
/// clients.
pub(super) fn work(worker: KafkaWorker, shift: Shift, tell: impl Fn(Ending)) {
    let worked = catch_unwind(AssertUnwindSafe(|| {
        let (worker, ending) = steps(worker, &shift);
        tell(ending);
        drop(worker.close());
    }));
    if worked.is_err() {
        tell(Ending::Failed("it met a defect of this program (a panic)".to_owned()));
    }
}

fn steps(worker: KafkaWorker, shift: &Shift) -> (KafkaWorker, Ending) {
    let clock = &shift.clock;
    let judge = shift.exchange.judge();
    let mut worker = match &shift.books {
        Some(books) => books.give(worker, shift.index),
        None => worker,
    };
    let start = Duration::ZERO;
    let mut publisher = Publisher {
        resets: 0,
        unreadable: 0,
        published: start,
        documents_at: start,
        draining_since: None,
        judge,
    };
    let (mut told, mut generation) = (false, 0);
    loop {
        if !told && shift.stop.load(Ordering::Relaxed) {
            told = true;
            worker.stop();
        }
        worker.set_wall(clock.wall());
        if let Some(judge) = shift.exchange.newer(&mut generation) {
            publisher.publish(&mut worker, shift, clock.monotonic());
            publisher.judge = Arc::clone(&judge);
            worker.set_judge(judge);
            let sha256 = publisher.judge.rules().sha256();
            tracing::info!(worker = shift.index, sha256, "the worker judges by the new rules");
        }
        let now = clock.monotonic();
        let step = worker.step(now);
        if let Step::Went(taken) = step {
            shift.totals.records.fetch_add(taken as u64, Ordering::Relaxed);
        }
        publisher.delivered(&mut worker, shift);
        if publisher.is_due(&mut worker, now) || matches!(step, Step::Ended(_)) {
            publisher.publish(&mut worker, shift, now);
        }
        if let Step::Ended(ending) = step {
            if let Some(books) = &shift.books {
                books.leave(&worker.last_documents());
            }
            return (worker, ending);
        }
    }
}

struct Publisher {
    /// Offset resets published so far.
    resets: u64,
    /// Batches that cannot be unpacked, published so far.
    unreadable: u64,
    published: Duration,
    /// When the ledger is looked into next.
    documents_at: Duration,
    /// Since when partitions drain that are to be given back.
    draining_since: Option<Duration>,
    /// What judged everything that was counted since it was published last.
    judge: Arc<Judge>,
}

impl Publisher {
    /// Publishes the alerts that were delivered: how late one was is known only at once.
    fn delivered(&mut self, worker: &mut KafkaWorker, shift: &Shift) {
        let delivered = &mut worker.tally().delivered;
        if !delivered.is_empty() {
            report::alerts(&shift.metrics, delivered, shift.clock.wall());
            shift.totals.alerts.fetch_add(delivered.len() as u64, Ordering::Relaxed);
            delivered.clear();
        }
    }

    /// Says how long partitions took to be given back, from the step in which that was asked for.
    fn drained(&mut self, tally: &Tally, shift: &Shift, now: Duration) {
        for rebalance in &tally.rebalances {
            match rebalance.kind {
                RebalanceKind::Revoked => drop(self.draining_since.get_or_insert(now)),
                RebalanceKind::Released => {
                    let Some(since) = self.draining_since.take() else { continue };
                    let took = shift.clock.monotonic().saturating_sub(since).as_millis();
                    let (worker, partitions) = (shift.index, rebalance.partitions.len());
                    let took_ms = u64::try_from(took).unwrap_or(u64::MAX);
                    tracing::info!(worker, partitions, took_ms, "partitions were given back");
                }
                RebalanceKind::Assigned | RebalanceKind::Lost => {}
            }
        }
    }

    /// Whether it is time for the rest; partitions come before what is said of them.
    fn is_due(&self, worker: &mut KafkaWorker, now: Duration) -> bool {
        now >= self.published + PUBLISH_EVERY || !worker.tally().rebalances.is_empty()
    }

    /// Publishes everything that was counted.
    fn publish(&mut self, worker: &mut KafkaWorker, shift: &Shift, now: Duration) {
        self.delivered(worker, shift);
        let tally = worker.tally();
        self.published = now;
        // What a rebalance has ended is said at once: another member goes on from there.
        let is_rebalanced = !tally.rebalances.is_empty();
        self.drained(tally, shift, now);
        report::counts(&shift.metrics, tally, &self.judge, shift.clock.wall());
        shift.totals.dead_letters.fetch_add(tally.dead_letters_all(), Ordering::Relaxed);
        tally.clear();
        let resets = worker.source().offset_resets();
        shift.metrics.offset_resets(resets - std::mem::replace(&mut self.resets, resets));
        let batches = worker.source().unreadable_batches();
        let published = std::mem::replace(&mut self.unreadable, batches);
        shift.metrics.unreadable_batches(batches - published);
        report::partitions(&shift.metrics, worker);
        shift.health.report(shift.index, now, &report::status(worker));
        if let Some(books) = &shift.books
            && (is_rebalanced || now >= self.documents_at)
        {
            self.documents_at = now + books.every();
            books.leave(&worker.documents());
        }
    }
}
