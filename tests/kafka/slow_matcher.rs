//! A matcher that is slow for a while must cost its own time and no more: the consumer that has
//! fetched ahead all that it may must fetch again in time, or the worker waits for a second with a
//! full log before it.
//!
//! The source and its settings are the stage's own; what takes the time is a loop, so that the time
//! is known. The same with the library's default shows that a stall would be seen.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ouzel::clock::SystemClock;
use ouzel::config::Settings;
use ouzel::source::Source;
use ouzel::source::kafka::{KafkaSource, KafkaSourceOptions};

use super::broker::Broker;
use super::client;
use super::feed::Plan;

/// Records in the topic, about 85 MB: ten times what is fetched ahead.
const RECORDS: u64 = 30_000;
/// What a record takes.
const PACES: [Duration; 3] =
    [Duration::from_micros(20), Duration::from_micros(50), Duration::from_micros(100)];
/// A wait between two records that is no stall: the back-off of the stage is a few milliseconds, the
/// rest is a busy machine's.
const WAIT_MAX: Duration = Duration::from_millis(500);
/// The library's default, in milliseconds.
const DEFAULT_BACKOFF_MS: &str = "1000";
const SILENCE: Duration = Duration::from_secs(30);

/// What one reading was like.
struct Reading {
    /// From the first record to the last.
    took: Duration,
    /// The longest wait for the next record.
    longest: Duration,
}

/// The same topic at each pace, and once more with the library's default.
pub fn costs_its_own_time(broker: &Broker) -> Result<String, String> {
    let (name, brokers) = ("slow-matcher", broker.plaintext());
    client::create_topics(&brokers, &[(name, 1)])?;
    Plan { hits_permille: 0, broken_permille: 0, ..Plan::new(&brokers, name, RECORDS) }.send()?;
    let mut seen = Vec::new();
    for pace in PACES {
        let group = format!("{name}-{}", pace.as_micros());
        let read = read(&brokers, name, &group, pace, None)?;
        let own = pace * u32::try_from(RECORDS).expect("a small number");
        seen.push(format!(
            "{pace:?} a record: {:.2} of its own time, longest wait {:.0?}",
            read.took.as_secs_f64() / own.as_secs_f64(),
            read.longest
        ));
        if read.longest > WAIT_MAX {
            return Err(format!("{} (of {WAIT_MAX:?})", seen.join("; ")));
        }
    }
    let control = read(&brokers, name, "slow-matcher-default", PACES[0], Some(DEFAULT_BACKOFF_MS))?;
    seen.push(format!(
        "with the library's default: {:.2}, longest wait {:.0?}",
        control.took.as_secs_f64() / (PACES[0] * RECORDS as u32).as_secs_f64(),
        control.longest
    ));
    let seen = seen.join("; ");
    if control.longest < WAIT_MAX {
        Err(format!("the control does not stall: {seen}"))
    } else {
        Ok(seen)
    }
}

fn read(
    brokers: &str,
    topic: &str,
    group: &str,
    pace: Duration,
    backoff_ms: Option<&str>,
) -> Result<Reading, String> {
    let mut settings = Settings::default();
    settings.kafka.brokers = brokers.to_owned();
    settings.input.topics = vec![topic.to_owned()];
    settings.input.group = group.to_owned();
    let mut options = KafkaSourceOptions::of_worker(&settings, 0);
    if let Some(backoff) = backoff_ms {
        options.config.set("fetch.queue.backoff.ms", backoff);
    }
    let clock = Arc::new(SystemClock::default());
    let mut source = KafkaSource::open(options, clock).map_err(|fault| fault.to_string())?;
    let (mut seen, mut first, mut longest) = (0, None, Duration::ZERO);
    let mut last = Instant::now();
    while seen < RECORDS {
        while source.event().is_some() {}
        let lent = source.poll(Duration::from_millis(100), 1024, &mut |_record| {
            let now = Instant::now();
            if first.is_some() {
                longest = longest.max(now - last);
            }
            first.get_or_insert(now);
            while now.elapsed() < pace {
                std::hint::spin_loop();
            }
            last = Instant::now();
            ControlFlow::Continue(())
        });
        seen += lent.map_err(|fault| fault.to_string())? as u64;
        if last.elapsed() > SILENCE {
            return Err(format!("{group}: nothing came for {SILENCE:?} after {seen} records"));
        }
    }
    source.close();
    let took = first.map_or(Duration::ZERO, |first| last - first);
    Ok(Reading { took, longest })
}
