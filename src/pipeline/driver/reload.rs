//! New rules, exceptions and log level for a running stage.
//!
//! ```text
//! SIGHUP, or a file that changed ─▶ everything is read again ─▶ a new judge ─▶ each worker takes it
//!                                        └─ faults: the old ones stay      between two steps
//! ```
//!
//! What judges is exchanged as a whole, so no record ever meets half of it. What cannot be read or
//! is wrong changes nothing: it is logged, counted, and the stage goes on as it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::Settings;
use crate::disposition::Exceptions;
use crate::pipeline::Judge;
use crate::rule::RuleSet;

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a reload has read.
pub struct Reloaded {
    /// The settings that the stage runs by, with what of them can change while it runs.
    pub settings: Settings,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The exceptions, loaded for the same rules.
    pub exceptions: Arc<Exceptions>,
    /// Keys that changed and that only a restart heeds.
    pub needs_restart: Vec<String>,
}

/// Where rules, exceptions and the log level come from, again and again.
pub trait Reload: Send {
    /// Reads everything again.
    ///
    /// # Errors
    /// Every fault, one line each.
    fn load(&mut self) -> Result<Reloaded, Vec<String>>;

    /// A number that changes when a file has changed, is new or is gone.
    fn look(&mut self) -> u64;

    /// The settings of a successful load are in force: what does not concern records follows.
    fn adopt(&mut self, settings: &Settings);
}

/// Notices that files have changed and have come to rest.
#[derive(Debug)]
pub(super) struct Watch {
    look_at: Duration,
    /// What was seen when everything was read last.
    read: u64,
    /// What was seen last, where that is something else.
    changed: Option<u64>,
}

impl Watch {
    /// `seen` is what was read at the start.
    pub const fn new(seen: u64, now: Duration) -> Self {
        Self { look_at: now, read: seen, changed: None }
    }

    /// Whether it is time to look.
    pub fn is_due(&mut self, now: Duration) -> bool {
        let is_due = now >= self.look_at;
        if is_due {
            self.look_at = now + LOOK_EVERY;
        }
        is_due
    }

    /// Whether what is seen now is new and was the same at the last look: files that are still
    /// being written are left alone.
    pub fn has_come_to_rest(&mut self, seen: u64) -> bool {
        if seen == self.read {
            self.changed = None;
            return false;
        }
        if self.changed.replace(seen) != Some(seen) {
            return false;
        }
        self.read = seen;
        self.changed = None;
        true
    }
}

/// Hands a new judge to the workers, who ask for it between two steps.
#[derive(Debug)]
pub(super) struct Exchange {
    /// How many judges there have been before this one.
    generation: AtomicU64,
    judge: Mutex<Arc<Judge>>,
}

impl Exchange {
    /// With the first judge.
    pub const fn new(judge: Arc<Judge>) -> Self {
        Self { generation: AtomicU64::new(0), judge: Mutex::new(judge) }
    }

    /// The judge in force.
    pub fn judge(&self) -> Arc<Judge> {
        Arc::clone(&self.judge.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another judge in force.
    pub fn set(&self, judge: Judge) {
        *self.judge.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(judge);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The judge in force, where it is not the one of the generation `seen`, which is brought up
    /// to date. Costs one load where it is.
    pub fn newer(&self, seen: &mut u64) -> Option<Arc<Judge>> {
        let generation = self.generation.load(Ordering::Acquire);
        (std::mem::replace(seen, generation) != generation).then(|| self.judge())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_once_they_have_come_to_rest() {
        let mut watch = Watch::new(1, Duration::ZERO);
        let mut looks = |seen: &[u64]| -> Vec<bool> {
            seen.iter().map(|seen| watch.has_come_to_rest(*seen)).collect()
        };
        assert_eq!(looks(&[1, 1]), [false, false]);
        assert_eq!(looks(&[2, 2, 2]), [false, true, false]);
        assert_eq!(looks(&[3, 4, 4]), [false, false, true]);
        // Changed and changed back: nothing has happened.
        assert_eq!(looks(&[5, 4, 5, 5]), [false, false, false, true]);
    }

    #[test]
    fn files_are_looked_at_every_few_seconds() {
        let mut watch = Watch::new(1, Duration::from_secs(10));
        let mut is_due = |millis| watch.is_due(Duration::from_millis(millis));
        assert_eq!([10_000, 10_200, 11_999, 12_000].map(&mut is_due), [true, false, false, true]);
    }
}
