//! The `process_*` metrics of the Prometheus client library, with CPU time as fine as Linux tells it.
//!
//! The library counts whole seconds: a stage that takes a fiftieth of a core would stand still for
//! most of a minute, and so would the rate that somebody draws of it.

use std::sync::{Mutex, PoisonError};

use prometheus::Counter;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

const CPU_SECONDS: &str = "process_cpu_seconds_total";

/// What this process takes.
pub(super) struct Process {
    all: ProcessCollector,
    /// Instead of the library's; locked while it is brought up to date.
    cpu: Mutex<Counter>,
}

impl Process {
    /// This process.
    ///
    /// # Errors
    /// The library takes no such name.
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let cpu = Counter::new(CPU_SECONDS, "Total user and system CPU time spent in seconds.")?;
        Ok(Self { all: ProcessCollector::for_self(), cpu: Mutex::new(cpu) })
    }

    fn cpu(&self) -> Vec<MetricFamily> {
        let cpu = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        // Where it cannot be read, the last value stands.
        let grown = seconds().map_or(0.0, |seconds| seconds - cpu.get());
        cpu.inc_by(grown.max(0.0));
        cpu.collect()
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.all.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.all.collect();
        families.retain(|family| family.name() != CPU_SECONDS);
        families.extend(self.cpu());
        families
    }
}

/// User and system time of all threads so far, in hundredths of a second.
#[expect(clippy::cast_precision_loss, reason = "exact for a million years")]
fn seconds() -> Option<f64> {
    let stat = procfs::process::Process::myself().ok()?.stat().ok()?;
    Some((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}
