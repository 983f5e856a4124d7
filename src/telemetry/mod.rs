//! What an operator sees: metrics, health, logs and the endpoint that serves them.
//!
//! ```text
//! driver ─ numbers ─▶ Metrics ─┐
//! workers ─ status ─▶ Health ──┴─▶ http: /metrics /healthz /readyz /rules
//! all ─ tracing ─▶ logging ─▶ standard error
//! ```
//!
//! Telemetry is given plain numbers and names: it knows nothing of records, events or rules, never
//! changes what the stage does, and never reads a clock by itself. Label values are bounded and
//! come from rules, configuration and the fixed vocabulary, never from events.

pub mod table;
pub mod given;
#[cfg(target_os = "linux")]
mod process;
mod register;
pub mod metrics;
pub mod health;
pub mod http;
pub mod escape;
pub mod limiter;
pub mod logging;
pub mod panics;

pub use given::{Budget, Known, Rebalance, RecordCounts, RuleInfo};
pub use health::{Health, Hold, Holds, Membership, Outputs, WorkerStatus};
pub use metrics::Metrics;

use std::sync::Arc;
use std::time::Duration;

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Wall-clock time, in ms since the epoch; may jump.
    pub wall_ms: i64,
    /// Time since some fixed moment; never jumps.
    pub monotonic: Duration,
}

/// The caller's clock: the endpoint and the logs ask it what time it is.
pub type Now = Arc<dyn Fn() -> Moment + Send + Sync>;

/// `wall_ms` as RFC 3339 in UTC with milliseconds; the empty text where no calendar has the time.
#[must_use]
pub fn rfc3339(wall_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(wall_ms).map(|time| format!("{time:.3}")).unwrap_or_default()
}
