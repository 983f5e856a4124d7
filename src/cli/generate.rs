//! `ouzel generate`: seeded events to standard output or to a topic.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use super::args::GenerateArguments;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::terminal::ignore_closed;
use crate::clock::Clock;
use crate::generate::{Generator, Options, Shape};

/// Events between two looks at the clock.
const BATCH: u64 = 256;

/// What the arguments ask for; events begin at `start`.
fn options(arguments: &GenerateArguments, clock: &dyn Clock) -> Result<Options, Failure> {
    let shape: Shape = arguments
        .shape
        .parse()
        .map_err(|fault| Failure::new(Exit::Configuration, format!("--shape: {fault}")))?;
    // A topic gets events of now; standard output the same bytes each time.
    let start = match arguments.topic {
        Some(_) => clock.wall(),
        None => Options::default().start,
    };
    Ok(Options {
        seed: arguments.seed,
        hits_permille: arguments.hits_permille,
        shape,
        noise_hits: arguments.noise_hits,
        start,
        ..Options::default()
    })
}

/// Makes the events.
///
/// # Errors
/// Usage (3), or the target cannot be written to (4).
pub fn run(arguments: &GenerateArguments, clock: &dyn Clock) -> Result<Exit, Failure> {
    let options = options(arguments, clock)?;
    match &arguments.topic {
        None => to_stdout(arguments, options)
            .map_err(|fault| Failure::new(Exit::Unavailable, format!("write events: {fault}")))?,
        Some(topic) => topic::publish(arguments, options, topic)?,
    }
    Ok(Exit::Fine)
}

fn to_stdout(arguments: &GenerateArguments, options: Options) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    let mut generator = Generator::new(options);
    let mut progress = Progress::new("events", arguments.count);
    let pace = Pace::new(arguments.rate);
    let mut event = Vec::with_capacity(8 << 10);
    for number in 0..arguments.count {
        event.clear();
        generator.next_into(&mut event);
        event.push(b'\n');
        if let Err(fault) = out.write_all(&event) {
            return ignore_closed(Err(fault));
        }
        if number % BATCH == BATCH - 1 {
            progress.at(number + 1);
        }
        if pace.is_slow(number + 1) {
            ignore_closed(out.flush())?;
            pace.wait(number + 1);
        }
    }
    ignore_closed(out.flush())?;
    progress.finish();
    Ok(())
}

/// Keeps to a number of events a second.
struct Pace {
    rate: Option<u64>,
    started: Instant,
}

impl Pace {
    fn new(rate: Option<u64>) -> Self {
        Self { rate, started: Instant::now() }
    }

    /// How long it is until event number `done` is due.
    fn ahead(&self, done: u64) -> Option<Duration> {
        let due = Duration::from_secs_f64(done as f64 / self.rate? as f64);
        due.checked_sub(self.started.elapsed())
    }

    fn is_slow(&self, done: u64) -> bool {
        self.rate.is_some_and(|rate| done.is_multiple_of((rate / 100).max(1)))
            && self.ahead(done).is_some()
    }

    fn wait(&self, done: u64) {
        if let Some(ahead) = self.ahead(done) {
            std::thread::sleep(ahead);
        }
    }
}

#[cfg(feature = "kafka")]
mod topic {
    //! The topic as a target.

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::cli::terminal::{Paint, print_error};
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};
    use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
    use rdkafka::{ClientConfig, ClientContext};

    /// Counts what the broker confirmed: sent is not delivered.
    #[derive(Default)]
    struct Deliveries {
        delivered: AtomicU64,
    }

    impl ClientContext for Deliveries {}

    impl ProducerContext for Deliveries {
        type DeliveryOpaque = ();
        fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
            self.delivered.fetch_add(u64::from(result.is_ok()), Ordering::Relaxed);
        }
    }

    /// How long the last events may take to be delivered.
    const FLUSH: Duration = Duration::from_secs(60);

    /// Why the cluster did not answer, in words.
    fn unreached(brokers: &str, fault: &KafkaError) -> String {
        let code = fault.rdkafka_error_code();
        let why = code.map_or_else(|| fault.to_string(), |code| code.to_string());
        format!("reach a broker at {brokers} within 10 s: {why}; check --brokers and the network")
    }

    pub(super) fn publish(
        arguments: &GenerateArguments,
        options: Options,
        topic: &str,
    ) -> Result<(), Failure> {
        let unavailable = |what: String| Failure::new(Exit::Unavailable, what);
        let brokers = arguments.brokers.as_deref().unwrap_or("localhost:9092");
        let producer = producer(brokers).map_err(|fault| unavailable(fault.to_string()))?;
        let about = producer
            .client()
            .fetch_metadata(Some(topic), Duration::from_secs(10))
            .map_err(|fault| unavailable(unreached(brokers, &fault)))?;
        if about
            .topics()
            .iter()
            .all(|found| found.error().is_some() || found.partitions().is_empty())
        {
            return Err(unavailable(format!(
                "topic {topic:?} does not exist at {brokers}; create it"
            )));
        }
        let mut generator = Generator::new(options);
        let mut progress = Progress::new("events", arguments.count);
        let pace = Pace::new(arguments.rate);
        let mut event = Vec::with_capacity(8 << 10);
        for number in 0..arguments.count {
            event.clear();
            generator.next_into(&mut event);
            send(&producer, topic, &event)
                .map_err(|fault| unavailable(format!("publish: {fault}")))?;
            if number % BATCH == BATCH - 1 {
                producer.poll(Duration::ZERO);
                progress.at(number + 1);
            }
            if pace.is_slow(number + 1) {
                producer.poll(Duration::ZERO);
                pace.wait(number + 1);
            }
        }
        producer
            .flush(FLUSH)
            .map_err(|fault| unavailable(format!("deliver the last events: {fault}")))?;
        let delivered = producer.context().delivered.load(Ordering::Relaxed);
        if delivered != arguments.count {
            let count = arguments.count;
            return Err(unavailable(format!("deliver {} of {count} events", count - delivered)));
        }
        let took = progress.finish().as_secs_f64().max(1e-3);
        let line = format!(
            "{} events to {topic} in {took:.2} s ({:.0} a second)\n",
            arguments.count,
            arguments.count as f64 / took
        );
        print_error(&line, Paint::never());
        Ok(())
    }

    fn producer(brokers: &str) -> Result<BaseProducer<Deliveries>, KafkaError> {
        ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("client.id", "ouzel-generate")
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("batch.size", "262144")
            .set("compression.type", "lz4")
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "131072")
            .create_with_context(Deliveries::default())
    }

    /// Sends one event, waiting while the queue is full.
    fn send(
        producer: &BaseProducer<Deliveries>,
        topic: &str,
        event: &[u8],
    ) -> Result<(), KafkaError> {
        let mut record = BaseRecord::<(), [u8]>::to(topic).payload(event);
        loop {
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    producer.poll(Duration::from_millis(50));
                    record = back;
                }
                Err((fault, _)) => return Err(fault),
            }
        }
    }
}

#[cfg(not(feature = "kafka"))]
mod topic {
    //! No topics in this build.

    use super::*;

    pub(super) fn publish(
        _arguments: &GenerateArguments,
        _options: Options,
        _topic: &str,
    ) -> Result<(), Failure> {
        Err(super::super::exit::without_kafka("generate --topic"))
    }
}
