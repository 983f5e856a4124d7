//! `ouzel generate`: seeded events to standard output or to a topic.
//!
//! Events come in chunks, which the threads make in turn. On standard output the chunks follow each
//! other as one thread would have made them.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use super::args::GenerateArguments;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::terminal::ignore_closed;
use crate::clock::Clock;
use crate::generate::{Generator, Options, Shape};

/// Events of a chunk: less than 200 KB, which stay in a core's own cache from making to writing.
const CHUNK: u64 = 64;

/// One thread writes, and more than so many make events faster than it can.
const THREADS_MAX: usize = 8;

/// Chunks that a thread is ahead of what is written.
const AHEAD: usize = 2;

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

/// Which events are made, in which pieces, by how many threads.
#[derive(Clone, Copy)]
struct Plan {
    count: u64,
    chunk: u64,
    threads: u64,
}

impl Plan {
    fn new(arguments: &GenerateArguments, threads: u64) -> Self {
        // Slow events are handed on one by one, or a hundredth of a second at a time.
        let chunk = arguments.rate.map_or(CHUNK, |rate| (rate / 100).clamp(1, CHUNK));
        Self { count: arguments.count, chunk, threads: threads.max(1) }
    }

    /// The numbers of the events of each chunk that this thread makes.
    fn chunks(self, thread: u64) -> impl Iterator<Item = Range<u64>> {
        let starts = (0..self.count).step_by(usize::try_from(self.chunk).unwrap_or(1));
        let own = move |start: &u64| start / self.chunk % self.threads == thread;
        starts.filter(own).map(move |start| start..(start + self.chunk).min(self.count))
    }
}

/// The writer's side of a thread that makes chunks: full ones come, empty ones go back.
struct Maker {
    full: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
}

fn to_stdout(arguments: &GenerateArguments, options: Options) -> io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan::new(arguments, cores.min(THREADS_MAX) as u64);
    std::thread::scope(|scope| {
        let start = |thread| {
            let (give, full) = sync_channel(AHEAD);
            let (empty, take) = channel();
            let generator = Generator::new(options.clone());
            scope.spawn(move || make(generator, plan.chunks(thread), &take, &give));
            Maker { full, empty }
        };
        let makers = (0..plan.threads).map(start).collect();
        // A reader that had enough is no fault; the makers end when nobody takes their chunks.
        ignore_closed(write_chunks(makers, plan, &Pace::new(arguments.rate)))
    })
}

/// Makes chunks until there are enough or nobody takes them any more.
fn make(
    mut generator: Generator,
    chunks: impl Iterator<Item = Range<u64>>,
    empty: &Receiver<Vec<u8>>,
    full: &SyncSender<Vec<u8>>,
) {
    for numbers in chunks {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.clear();
        generator.skip_to(numbers.start);
        for _ in numbers {
            generator.next_into(&mut chunk);
            chunk.push(b'\n');
        }
        if full.send(chunk).is_err() {
            return;
        }
    }
}

fn write_chunks(makers: Vec<Maker>, plan: Plan, pace: &Pace) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut progress = Progress::new("events", plan.count);
    let mut done = 0;
    for maker in makers.iter().cycle() {
        // The one whose turn it is has no more: neither has any other.
        let Ok(chunk) = maker.full.recv() else { break };
        pace.wait(done);
        out.write_all(&chunk)?;
        drop(maker.empty.send(chunk));
        done = (done + plan.chunk).min(plan.count);
        progress.at(done);
    }
    out.flush()?;
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

    /// Waits until the event behind `done` is due; whether that took time.
    fn wait(&self, done: u64) -> bool {
        let ahead = self.ahead(done).filter(|ahead| !ahead.is_zero());
        ahead.inspect(|ahead| std::thread::sleep(*ahead)).is_some()
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
        // One thread: the client library's own, which packs and sends, is the slower one.
        let plan = Plan::new(arguments, 1);
        let started = Instant::now();
        send_all(&producer, topic, (Generator::new(options), plan), &Pace::new(arguments.rate))
            .map_err(|fault| unavailable(format!("publish: {fault}")))?;
        producer
            .flush(FLUSH)
            .map_err(|fault| unavailable(format!("deliver the last events: {fault}")))?;
        let delivered = producer.context().delivered.load(Ordering::Relaxed);
        if delivered != arguments.count {
            let count = arguments.count;
            return Err(unavailable(format!("deliver {} of {count} events", count - delivered)));
        }
        let took = started.elapsed().as_secs_f64().max(1e-3);
        let line = format!(
            "{} events to {topic} in {took:.2} s ({:.0} a second)\n",
            arguments.count,
            arguments.count as f64 / took
        );
        print_error(&line, Paint::never());
        Ok(())
    }

    /// Makes and sends all events.
    fn send_all(
        producer: &BaseProducer<Deliveries>,
        topic: &str,
        (mut generator, plan): (Generator, Plan),
        pace: &Pace,
    ) -> Result<(), KafkaError> {
        let mut progress = Progress::new("events", plan.count);
        let mut event = Vec::with_capacity(8 << 10);
        for numbers in plan.chunks(0) {
            generator.skip_to(numbers.start);
            if pace.wait(numbers.start) || numbers.start.is_multiple_of(plan.chunk * 4) {
                producer.poll(Duration::ZERO);
            }
            progress.at(numbers.start);
            for _ in numbers {
                event.clear();
                generator.next_into(&mut event);
                send(producer, topic, &event)?;
            }
        }
        progress.finish();
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
