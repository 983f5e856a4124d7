//! What the benches share: CPU time of children, medians, and a table.
//!
//! Two sides are run in turn (A B A B …) and compared pair by pair, because the machine's speed
//! drifts; the median of the ratios is what counts.

use std::io;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// What one finished child cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system CPU time, in seconds.
    pub cpu_seconds: f64,
}

/// User and system CPU seconds of all children that have been waited for.
fn children_cpu_seconds() -> io::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Runs `command` to its end and says what it cost and what it printed on standard output.
///
/// # Errors
/// The command cannot be started or fails.
pub fn run(command: &mut Command) -> io::Result<(Cost, Vec<u8>)> {
    let before = children_cpu_seconds()?;
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{command:?} ended with {}", output.status)));
    }
    Ok((Cost { cpu_seconds: children_cpu_seconds()? - before }, output.stdout))
}

/// Largest resident set of any child so far, in MiB.
///
/// # Errors
/// The kernel does not say.
pub fn children_peak_mib() -> io::Result<f64> {
    Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() as f64 / 1024.0)
}

/// The median of `values`; 0 where there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len() / 2), sorted.len() % 2) {
        (Some(middle), 1) => *middle,
        (Some(upper), _) => (upper + sorted.get(sorted.len() / 2 - 1).unwrap_or(upper)) / 2.0,
        (None, _) => 0.0,
    }
}

/// Smallest, median and largest of `values`, for a table.
pub fn spread(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{low:>8.3} {:>8.3} {high:>8.3}", median(values))
}
