//! Outputs that came back undelivered because their target takes nothing now: how many there are,
//! and when they are sent again.
//!
//! ```text
//!  sent ── Held ──▶ resting ── Retry ──▶ on trial ── Recovered ──▶ delivered
//!                      ▲                    │
//!                      └──── HeldAgain ─────┘   the pause doubles, up to its bound
//! ```
//!
//! While there is any, nothing is taken and the worker is held. No time of its own.

use std::time::Duration;

use crate::limits::{OUTPUT_RETRY_MAX, OUTPUT_RETRY_MIN};

/// The outputs in trouble.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    resting: usize,
    on_trial: usize,
    /// How often they were sent again since the trouble began.
    retries: u32,
    /// When they are sent again; `None` while none rests.
    retry_at: Option<Duration>,
}

impl Trouble {
    /// Whether there is any.
    pub const fn is_any(&self) -> bool {
        self.resting + self.on_trial > 0
    }

    /// An output came back for the first time.
    pub fn held(&mut self, now: Duration) {
        self.resting += 1;
        if self.retry_at.is_none() {
            let doubled = OUTPUT_RETRY_MIN.saturating_mul(1 << self.retries.min(16));
            self.retry_at = Some(now + doubled.min(OUTPUT_RETRY_MAX));
        }
    }

    /// An output that had been sent again came back again.
    pub fn held_again(&mut self, now: Duration) {
        self.on_trial = self.on_trial.saturating_sub(1);
        self.held(now);
    }

    /// An output that had been sent again is in trouble no longer.
    pub fn recovered(&mut self) {
        self.on_trial = self.on_trial.saturating_sub(1);
        if !self.is_any() {
            self.retries = 0;
        }
    }

    /// Whether it is time to send what rests again; it counts as sent from then on.
    pub fn retry(&mut self, now: Duration) -> bool {
        let is_due = self.retry_at.is_some_and(|at| now >= at);
        if is_due {
            self.retry_at = None;
            self.retries = self.retries.saturating_add(1);
            self.on_trial += std::mem::take(&mut self.resting);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound_and_starts_again_after_a_recovery() {
        let mut trouble = Trouble::default();
        let mut now = Duration::from_secs(100);
        let mut pauses = Vec::new();
        trouble.held(now);
        for _ in 0..7 {
            let began = now;
            while !trouble.retry(now) {
                now += Duration::from_millis(100);
            }
            pauses.push((now - began).as_millis());
            trouble.held_again(now);
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert!(trouble.retry(now + OUTPUT_RETRY_MAX));
        assert!(trouble.is_any());
        trouble.recovered();
        assert!(!trouble.is_any());
        trouble.held(now);
        assert!(!trouble.retry(now) && trouble.retry(now + OUTPUT_RETRY_MIN));
    }
}
