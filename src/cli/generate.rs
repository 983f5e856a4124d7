//! `ouzel generate`: seeded events to standard output or to a topic.
//!
//! To standard output several threads make events, a chunk of them at a time, and each writes its own
//! chunks when it is their turn: what is written is what one thread would have written. No chunk is
//! handed on: it would be taken out of the cache of the core that made it.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::args::GenerateArguments;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::terminal::ignore_closed;
use crate::clock::Clock;
use crate::generate::{Generator, Options, Shape};

/// Events of a chunk: less than 200 KB, which stay in a core's own cache from making to writing.
const CHUNK: u64 = 64;

/// One thread at a time writes, and more than so many make events faster than it can.
const THREADS_MAX: usize = 8;

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

/// Which events are made, and in which pieces.
#[derive(Clone, Copy)]
struct Plan {
    count: u64,
    chunk: u64,
}

impl Plan {
    fn new(arguments: &GenerateArguments) -> Self {
        // Slow events are handed on one by one, or a hundredth of a second at a time.
        let chunk = arguments.rate.map_or(CHUNK, |rate| (rate / 100).clamp(1, CHUNK));
        Self { count: arguments.count, chunk }
    }

    /// The numbers of the events of a chunk; `None` behind the last one.
    fn numbers(self, chunk: u64) -> Option<Range<u64>> {
        let start = chunk.checked_mul(self.chunk).filter(|start| *start < self.count)?;
        Some(start..start.saturating_add(self.chunk).min(self.count))
    }
}

fn to_stdout(arguments: &GenerateArguments, options: Options) -> io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let turns = Turns::new(io::stdout(), (Plan::new(arguments), Pace::new(arguments.rate)));
    // A reader that had enough is no fault.
    ignore_closed(turns.take_all(&Generator::new(options), cores.min(THREADS_MAX)))
}

/// Where the threads come together: who makes which chunk, and whose turn it is to write one.
struct Turns<W> {
    plan: Plan,
    pace: Pace,
    /// The next chunk that nobody makes yet.
    unmade: AtomicU64,
    writing: Mutex<Writing<W>>,
    written: Condvar,
}

struct Writing<W> {
    out: W,
    /// The chunk whose turn it is.
    turn: u64,
    /// Nothing is written behind it.
    fault: Option<io::Error>,
    progress: Progress,
}

impl<W: Write + Send> Turns<W> {
    fn new(out: W, (plan, pace): (Plan, Pace)) -> Self {
        let progress = Progress::new("events", plan.count);
        let writing = Writing { out, turn: 0, fault: None, progress };
        let (unmade, written) = (AtomicU64::new(0), Condvar::new());
        Self { plan, pace, unmade, writing: Mutex::new(writing), written }
    }

    /// Makes and writes everything, with this thread and some more.
    fn take_all(self, generator: &Generator, threads: usize) -> io::Result<()> {
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(|| self.take(generator.clone()))));
            self.take(generator.clone());
        });
        let mut writing = self.writing.into_inner().unwrap_or_else(PoisonError::into_inner);
        writing.fault.map_or(Ok(()), Err)?;
        writing.progress.finish();
        writing.out.flush()
    }

    /// Makes and writes chunks until there are no more.
    fn take(&self, mut generator: Generator) {
        let _end = End(self);
        let mut bytes = Vec::new();
        loop {
            let chunk = self.unmade.fetch_add(1, Ordering::Relaxed);
            let Some(numbers) = self.plan.numbers(chunk) else { return };
            bytes.clear();
            generator.skip_to(numbers.start);
            for _ in numbers.clone() {
                generator.next_into(&mut bytes);
                bytes.push(b'\n');
            }
            if !self.write(chunk, &numbers, &bytes) {
                return;
            }
        }
    }

    /// Writes a chunk when it is its turn; whether writing goes on.
    fn write(&self, chunk: u64, numbers: &Range<u64>, bytes: &[u8]) -> bool {
        let is_early = |writing: &mut Writing<W>| writing.turn != chunk && writing.fault.is_none();
        let writing = self.written.wait_while(self.lock(), is_early);
        let mut writing = writing.unwrap_or_else(PoisonError::into_inner);
        if writing.fault.is_none() {
            self.pace.wait(numbers.start);
            writing.fault = writing.out.write_all(bytes).err();
            writing.turn += 1;
            writing.progress.at(numbers.end);
        }
        self.written.notify_all();
        writing.fault.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Writing<W>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a thread: nobody waits for one that panicked.
struct End<'t, W: Write + Send>(&'t Turns<W>);

impl<W: Write + Send> Drop for End<'_, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().fault = Some(io::Error::other("a thread that made events panicked"));
            self.0.written.notify_all();
        }
    }
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
        let plan = Plan::new(arguments);
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
        for numbers in (0..).map_while(|chunk| plan.numbers(chunk)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn turns<W: Write + Send>(out: W, count: u64, chunk: u64) -> Turns<W> {
        Turns::new(out, (Plan { count, chunk }, Pace::new(None)))
    }

    #[test]
    fn any_number_of_threads_writes_the_same_bytes() {
        for (count, chunk) in [(0, 64), (1, 64), (64, 64), (1000, 64), (77, 1), (50, 7)] {
            let mut generator = Generator::new(Options::default());
            let mut expected = Vec::new();
            for _ in 0..count {
                generator.next_into(&mut expected);
                expected.push(b'\n');
            }
            for threads in 1..=THREADS_MAX {
                let mut out = Vec::new();
                turns(&mut out, count, chunk).take_all(&generator, threads).expect("memory");
                assert!(out == expected, "{count} events, {threads} threads, chunks of {chunk}");
            }
        }
    }

    /// Takes so many pieces.
    struct Room(usize, fn());

    impl Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let Some(left) = self.0.checked_sub(1) else {
                self.1();
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            self.0 = left;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_had_enough_ends_all_threads() {
        for threads in 1..4 {
            let generator = Generator::new(Options::default());
            let outcome = turns(Room(3, || ()), u64::MAX, 64).take_all(&generator, threads);
            assert_eq!(outcome.expect_err("it is closed").kind(), io::ErrorKind::BrokenPipe);
        }
    }

    #[test]
    #[should_panic(expected = "the disk is on fire")]
    fn a_thread_that_panics_ends_all_threads() {
        let generator = Generator::new(Options::default());
        let turns = turns(Room(3, || panic!("the disk is on fire")), u64::MAX, 64);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| turns.take(generator.clone()));
            turns.take(generator.clone());
            other.join().map_err(std::panic::resume_unwind)
        })
        .expect("either of the two panics");
    }
}
