//! The clients of each worker: a producer and a consumer, opened from the settings.

use std::sync::Arc;
use std::time::Duration;

use super::{DriverFault, Stage};
use crate::kafka::settings as client;
use crate::pipeline::{Judge, Worker, WorkerOptions, setup};
use crate::sink::kafka::{KafkaSink, KafkaSinkOptions, Topics};
use crate::source::kafka::{KafkaSource, KafkaSourceOptions};

/// Most records of one step: enough to pay for what is done once a step, few enough that a signal
/// is heard within milliseconds.
const RECORDS_PER_STEP: usize = 1024;

/// How long a step waits while nothing is in flight: a signal is heard at least so often.
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// How long a step waits while something is: a delivery is noticed at least so often.
const BUSY_WAIT: Duration = Duration::from_millis(1);

/// A worker between two clients of Kafka.
pub(super) type KafkaWorker = Worker<KafkaSource, KafkaSink>;

/// Opens the clients of all workers. Producers first: a member of the group should be able to work
/// from the moment on at which it joins.
pub(super) fn open(
    stage: &Stage,
    judge: &Arc<Judge>,
    workers: usize,
) -> Result<Vec<KafkaWorker>, DriverFault> {
    let settings = &stage.settings;
    let mut sinks = Vec::with_capacity(workers);
    for worker in 0..workers {
        let options = KafkaSinkOptions {
            name: format!("producer {worker}"),
            config: client::worker_producer(settings, worker),
            cluster: settings.output_cluster().clone(),
            topics: Topics::of(&settings.output),
            alerts_spread: settings.output.key_field.is_none(),
        };
        sinks.push(KafkaSink::open(options, Arc::clone(&stage.clock))?);
    }
    let mut opened = Vec::with_capacity(workers);
    for (worker, sink) in sinks.into_iter().enumerate() {
        let options = KafkaSourceOptions::of_worker(settings, worker);
        let source = KafkaSource::open(options, Arc::clone(&stage.clock))?;
        let options = WorkerOptions {
            bounds: setup::bounds(&settings.delivery),
            records_max: RECORDS_PER_STEP,
            idle_wait: IDLE_WAIT,
            busy_wait: BUSY_WAIT,
        };
        opened.push(Worker::new(source, sink, Arc::clone(judge), options));
    }
    Ok(opened)
}
