//! Whether the stage is healthy (a restart would not help) and ready (it does its job now).
//!
//! **Healthy**: every worker polled lately and no record stays open for long outside a declared
//! hold. A hold (back-pressure, an unreachable output, brokers down) never makes the process
//! unhealthy: a restart would not help. **Ready**: every worker has joined the group (a member
//! without partitions counts), outputs are reachable, no hold says otherwise.
//!
//! Time comes in as an argument; nothing here reads a clock. One short lock per worker and batch.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A worker that has not polled for so long is stuck: a poll returns within a second.
pub const POLL_AGE_MAX: Duration = Duration::from_secs(30);

/// A record whose outputs are open for so long, outside a hold, was forgotten by somebody.
pub const OPEN_AGE_MAX: Duration = Duration::from_secs(60);

/// Why a worker does not go on, by its own decision. The names are the values of the metric label
/// `cause`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Too many outputs are in flight, or the producer's queue is full.
    BackPressure,
    /// An output topic refuses what it is sent, or is missing.
    OutputUnavailable,
    /// No broker can be reached.
    BrokersDown,
    /// A partition stands before a batch that the client cannot unpack.
    InputUnreadable,
    /// A topic may not be read any more.
    InputForbidden,
    /// A partition has no leader, or its broker cannot be reached while others can.
    InputUnreachable,
}

impl Hold {
    /// Every hold.
    pub const ALL: [Self; 6] = [
        Self::BackPressure,
        Self::OutputUnavailable,
        Self::BrokersDown,
        Self::InputUnreadable,
        Self::InputForbidden,
        Self::InputUnreachable,
    ];

    /// Those under which the stage does not do its job. Back-pressure is the stage at work, as fast
    /// as its outputs take it.
    const UNREADY: [Self; 5] = [
        Self::OutputUnavailable,
        Self::BrokersDown,
        Self::InputUnreadable,
        Self::InputForbidden,
        Self::InputUnreachable,
    ];

    /// The label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BackPressure => "back_pressure",
            Self::OutputUnavailable => "output_unavailable",
            Self::BrokersDown => "brokers_down",
            Self::InputUnreadable => "input_unreadable",
            Self::InputForbidden => "input_forbidden",
            Self::InputUnreachable => "input_unreachable",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::BackPressure => 1,
            Self::OutputUnavailable => 2,
            Self::BrokersDown => 4,
            Self::InputUnreadable => 8,
            Self::InputForbidden => 16,
            Self::InputUnreachable => 32,
        }
    }
}

/// A set of holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds(u8);

impl Holds {
    /// This set and `hold`.
    #[must_use]
    pub const fn with(self, hold: Hold) -> Self {
        Self(self.0 | hold.bit())
    }
    /// Whether `hold` is in the set.
    #[must_use]
    pub const fn contains(self, hold: Hold) -> bool {
        self.0 & hold.bit() != 0
    }
    /// Whether what is held excuses that records stay open. What cannot be read on has nothing to do
    /// with what was taken.
    #[must_use]
    pub const fn excuse_open(self) -> bool {
        let of_input =
            Hold::InputUnreadable.bit() | Hold::InputForbidden.bit() | Hold::InputUnreachable.bit();
        self.0 & !of_input != 0
    }
    /// Whether nothing is held.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Hold> for Holds {
    fn from_iter<I: IntoIterator<Item = Hold>>(holds: I) -> Self {
        holds.into_iter().fold(Self::default(), Self::with)
    }
}

/// Whether a worker is a member of its consumer group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Not yet, or no longer.
    #[default]
    Joining,
    /// A member, with or without partitions.
    Joined,
}

/// Whether the outputs of a worker can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outputs {
    /// Nobody has asked them yet.
    #[default]
    Unknown,
    /// They answered.
    Reachable,
    /// They do not answer, or refuse.
    Unreachable,
}

/// What a worker says of itself after each batch and each idle poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Since when, on the monotonic clock, its oldest open record is open; `None`: none is.
    pub oldest_open_since: Option<Duration>,
    /// Why it does not go on, where it does not.
    pub holds: Holds,
    /// Whether it has joined its group.
    pub membership: Membership,
    /// Whether its outputs can be reached.
    pub outputs: Outputs,
    /// Outputs that are owed and not yet delivered.
    pub in_flight_outputs: u64,
    /// Records in its producer's queue; a producer that workers share is reported by one of them.
    pub producer_queue_records: u64,
    /// Bytes fetched for it and not yet judged.
    pub consumer_queue_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    polled_at: Duration,
    /// When a hold was last in force: what was open then is not counted against the worker.
    held_until: Option<Duration>,
    status: WorkerStatus,
}

#[derive(Debug)]
struct State {
    workers: Vec<Worker>,
    stopping: bool,
    not_ready: Vec<&'static str>,
}

/// The health of all workers; shared by them and by the endpoint.
#[derive(Debug)]
pub struct Health {
    state: Mutex<State>,
}

impl Health {
    /// Health of `workers` workers that start at `now` (monotonic). Starting counts as a poll.
    #[must_use]
    pub fn new(workers: usize, now: Duration) -> Self {
        let worker = Worker { polled_at: now, held_until: None, status: WorkerStatus::default() };
        let state =
            State { workers: vec![worker; workers], stopping: false, not_ready: Vec::new() };
        Self { state: Mutex::new(state) }
    }

    /// Worker `worker` (from 0) has just polled and says this of itself.
    pub fn report(&self, worker: usize, now: Duration, status: &WorkerStatus) {
        let mut state = self.lock();
        let Some(known) = state.workers.get_mut(worker) else { return };
        known.polled_at = now;
        if status.holds.excuse_open() {
            known.held_until = Some(now);
        }
        known.status = *status;
    }

    /// The stage is on its way out: not ready from here on.
    pub fn stop(&self) {
        self.lock().stopping = true;
    }

    /// Declares that the stage as a whole is not ready, for `reason` (a constant text, such as
    /// `dead-letter budget spent`), until [`Health::clear`].
    pub fn declare(&self, reason: &'static str) {
        let mut state = self.lock();
        if !state.not_ready.contains(&reason) {
            state.not_ready.push(reason);
        }
    }

    /// Takes back what [`Health::declare`] declared.
    pub fn clear(&self, reason: &'static str) {
        self.lock().not_ready.retain(|known| *known != reason);
    }

    /// Whether the process is alive in every part.
    ///
    /// # Errors
    /// Every reason why it is not, one line each.
    pub fn healthy(&self, now: Duration) -> Result<(), Vec<String>> {
        let state = self.lock();
        let faults = state.workers.iter().enumerate();
        verdict(faults.flat_map(|(index, worker)| worker.unhealthy(index, now)).collect())
    }

    /// Whether the stage does its job.
    ///
    /// # Errors
    /// Every reason why it does not, one line each.
    pub fn ready(&self, now: Duration) -> Result<(), Vec<String>> {
        let state = self.lock();
        let mut faults: Vec<String> = Vec::new();
        if state.stopping {
            faults.push("stopping".to_owned());
        }
        faults.extend(state.not_ready.iter().map(|reason| (*reason).to_owned()));
        for (index, worker) in state.workers.iter().enumerate() {
            faults.extend(worker.unhealthy(index, now));
            faults.extend(worker.unready(index));
        }
        verdict(faults)
    }

    /// The holds in force, one line each: for people who ask why nothing moves.
    #[must_use]
    pub fn holds(&self) -> Vec<String> {
        let state = self.lock();
        let mut lines = Vec::new();
        for (index, worker) in state.workers.iter().enumerate() {
            let holds = Hold::ALL.into_iter().filter(|hold| worker.status.holds.contains(*hold));
            lines.extend(holds.map(|hold| format!("worker {index} is held: {}", hold.name())));
        }
        lines
    }

    /// The latest status of each worker.
    #[must_use]
    pub fn statuses(&self) -> Vec<WorkerStatus> {
        self.lock().workers.iter().map(|worker| worker.status).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete in one statement, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    fn unhealthy(&self, index: usize, now: Duration) -> Vec<String> {
        let mut faults = Vec::new();
        let polled = now.saturating_sub(self.polled_at);
        if polled > POLL_AGE_MAX {
            faults.push(format!(
                "worker {index} has not polled for {} s (at most {} s)",
                polled.as_secs(),
                POLL_AGE_MAX.as_secs()
            ));
        }
        let open = self.open_outside_a_hold(now);
        if open > OPEN_AGE_MAX {
            faults.push(format!(
                "worker {index} has had a record open for {} s outside a hold (at most {} s)",
                open.as_secs(),
                OPEN_AGE_MAX.as_secs()
            ));
        }
        faults
    }

    fn open_outside_a_hold(&self, now: Duration) -> Duration {
        let Some(since) = self.status.oldest_open_since else { return Duration::ZERO };
        if self.status.holds.excuse_open() {
            return Duration::ZERO;
        }
        let counted_from = self.held_until.map_or(since, |until| since.max(until));
        now.saturating_sub(counted_from)
    }

    fn unready(&self, index: usize) -> Vec<String> {
        let mut faults = Vec::new();
        if self.status.membership == Membership::Joining {
            faults.push(format!("worker {index} has not joined the consumer group"));
        }
        match self.status.outputs {
            Outputs::Reachable => {}
            Outputs::Unknown => {
                faults.push(format!("worker {index} has not reached its outputs yet"));
            }
            Outputs::Unreachable => {
                faults.push(format!("worker {index} cannot reach its outputs"));
            }
        }
        for hold in Hold::UNREADY {
            if self.status.holds.contains(hold) {
                faults.push(format!("worker {index} is held: {}", hold.name()));
            }
        }
        faults
    }
}

fn verdict(faults: Vec<String>) -> Result<(), Vec<String>> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn working() -> WorkerStatus {
        WorkerStatus {
            membership: Membership::Joined,
            outputs: Outputs::Reachable,
            ..WorkerStatus::default()
        }
    }

    /// One worker that reported each status at its second; asked at `now`.
    fn check(reports: &[(u64, WorkerStatus)], now: u64, healthy: &[&str], ready: &[&str]) {
        let health = Health::new(1, at(0));
        for (second, status) in reports {
            health.report(0, at(*second), status);
        }
        let faults = |verdict: Result<(), Vec<String>>| verdict.err().unwrap_or_default();
        assert_eq!(faults(health.healthy(at(now))), healthy, "healthy at {now}");
        assert_eq!(faults(health.ready(at(now))), ready, "ready at {now}");
    }

    const OPEN: &str = "worker 0 has had a record open for 61 s outside a hold (at most 60 s)";
    const STUCK: &str = "worker 0 has not polled for 31 s (at most 30 s)";
    const JOINING: &str = "worker 0 has not joined the consumer group";
    const UNKNOWN: &str = "worker 0 has not reached its outputs yet";
    const UNREACHABLE: &str = "worker 0 cannot reach its outputs";

    #[test]
    fn a_start_is_healthy_and_not_ready() {
        check(&[], 5, &[], &[JOINING, UNKNOWN]);
        check(&[(1, working())], 5, &[], &[]);
    }

    #[test]
    fn a_worker_that_does_not_poll_is_unhealthy() {
        check(&[(10, working())], 40, &[], &[]);
        check(&[(10, working())], 41, &[STUCK], &[STUCK]);
        check(&[], 31, &[STUCK], &[STUCK, JOINING, UNKNOWN]);
    }

    #[test]
    fn a_member_without_partitions_is_ready_and_one_that_lost_its_group_is_not() {
        check(&[(1, working())], 1, &[], &[]);
        let lost = WorkerStatus { membership: Membership::Joining, ..working() };
        check(&[(1, working()), (2, lost)], 2, &[], &[JOINING]);
    }

    #[test]
    fn unreachable_outputs_are_not_ready_and_healthy() {
        let unreachable = WorkerStatus { outputs: Outputs::Unreachable, ..working() };
        check(&[(1, unreachable)], 2, &[], &[UNREACHABLE]);
    }

    #[test]
    fn an_open_record_makes_unhealthy_only_outside_a_hold() {
        let open = |since: u64| WorkerStatus { oldest_open_since: Some(at(since)), ..working() };
        check(&[(65, open(5))], 65, &[], &[]);
        check(&[(66, open(5))], 66, &[OPEN], &[OPEN]);
        let held = WorkerStatus { holds: [Hold::BackPressure].into_iter().collect(), ..open(5) };
        check(&[(600, held)], 600, &[], &[]);
        // The time spent in a hold does not count once the hold is over.
        check(&[(600, held), (610, open(5))], 610, &[], &[]);
        check(&[(600, held), (661, open(5))], 661, &[OPEN], &[OPEN]);
    }

    #[test]
    fn what_cannot_be_read_excuses_no_record_that_stays_open() {
        for hold in [Hold::InputUnreadable, Hold::InputForbidden, Hold::InputUnreachable] {
            let holds = Holds::default().with(hold);
            let held = WorkerStatus { holds, oldest_open_since: Some(at(5)), ..working() };
            let line = format!("worker 0 is held: {}", hold.name());
            check(&[(66, held)], 66, &[OPEN], &[OPEN, &line]);
        }
    }

    #[test]
    fn holds_show_in_readiness_unless_they_are_back_pressure() {
        let held = |hold| WorkerStatus { holds: Holds::default().with(hold), ..working() };
        check(&[(1, held(Hold::BackPressure))], 1, &[], &[]);
        for hold in Hold::ALL.into_iter().filter(|hold| *hold != Hold::BackPressure) {
            let line = format!("worker 0 is held: {}", hold.name());
            check(&[(1, held(hold))], 1, &[], &[&line]);
        }
    }

    #[test]
    fn every_worker_counts() {
        let health = Health::new(2, at(0));
        health.report(0, at(1), &working());
        let faults = health.ready(at(1)).expect_err("the second worker has not joined");
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults.iter().all(|fault| fault.contains("worker 1")), "{faults:?}");
        // A report of a worker that nobody knows changes nothing.
        health.report(7, at(1), &working());
        assert_eq!(health.statuses().len(), 2);
    }

    #[test]
    fn stopping_and_declared_reasons_are_not_ready_and_healthy() {
        let health = Health::new(1, at(0));
        health.report(0, at(1), &working());
        health.declare("dead-letter budget spent");
        health.declare("dead-letter budget spent");
        assert_eq!(health.ready(at(1)), Err(vec!["dead-letter budget spent".to_owned()]));
        health.clear("dead-letter budget spent");
        assert_eq!(health.ready(at(1)), Ok(()));
        health.stop();
        assert_eq!(health.ready(at(1)), Err(vec!["stopping".to_owned()]));
        assert_eq!(health.healthy(at(1)), Ok(()));
    }

    #[test]
    fn a_set_of_holds_holds_what_was_put_in() {
        let both: Holds = [Hold::BackPressure, Hold::BrokersDown].into_iter().collect();
        for hold in Hold::ALL {
            let is_in = matches!(hold, Hold::BackPressure | Hold::BrokersDown);
            assert_eq!(both.contains(hold), is_in);
        }
        assert!(Holds::default().is_empty() && !both.is_empty());
    }
}
