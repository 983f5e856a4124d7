//! Rows of the table → families of the Prometheus client library.
//!
//! A row that the library would refuse cannot be in the table: a unit test registers all of them,
//! and nothing else comes here.

use prometheus::core::Collector;
use prometheus::{GaugeVec, Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use super::table::{self, Kind, Row};

pub(super) fn counter(registry: &Registry, row: &Row) -> IntCounterVec {
    debug_assert_eq!(row.kind, Kind::Counter);
    let family = IntCounterVec::new(Opts::new(row.name, row.help), row.labels)
        .expect("a row has a valid name and labels: a test registers every row");
    register(registry, &family);
    family
}

pub(super) fn gauge(registry: &Registry, row: &Row) -> GaugeVec {
    debug_assert_eq!(row.kind, Kind::Gauge);
    let family = GaugeVec::new(Opts::new(row.name, row.help), row.labels)
        .expect("a row has a valid name and labels: a test registers every row");
    register(registry, &family);
    family
}

pub(super) fn histogram(registry: &Registry, row: &Row) -> Histogram {
    debug_assert_eq!(row.kind, Kind::Histogram);
    let options = HistogramOpts::new(row.name, row.help).buckets(table::LATENCY_BUCKETS.to_vec());
    let family = Histogram::with_opts(options)
        .expect("a row has a valid name and rising buckets: a test registers every row");
    register(registry, &family);
    family
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, family: &C) {
    registry
        .register(Box::new(family.clone()))
        .expect("a row is registered once: a test compares what is registered with the table");
}

/// CPU, memory, threads and file descriptors of this process, under their usual names.
#[cfg(target_os = "linux")]
pub(super) fn process(registry: &Registry) {
    let process = super::process::Process::new()
        .expect("the metric has a valid name: a test looks for it among the samples");
    registry
        .register(Box::new(process))
        .expect("no row of the table has a name that starts with process_");
}

/// Other systems have no `/proc` to read them from.
#[cfg(not(target_os = "linux"))]
pub(super) fn process(_: &Registry) {}
