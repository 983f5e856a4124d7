//! The source lends what the client library's wrapper hands out, record for record and byte for
//! byte, however a reader breaks off, pauses, panics or goes back, and with markers of transactions
//! between the records.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ouzel::clock::SystemClock;
use ouzel::config::Settings;
use ouzel::config::settings::Guarantee;
use ouzel::record::Record;
use ouzel::source::kafka::{KafkaSource, KafkaSourceOptions};
use ouzel::source::{Rewind, Source, SourceEvent};
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::broker::Broker;
use super::client;
use super::faults::malformed;
use super::seed::Random;

const PARTITIONS: i32 = 3;
/// Records outside of transactions.
const RECORDS: usize = 6_000;
/// Transactions behind them, of [`IN_ONE`] records each; every third is aborted.
const TRANSACTIONS: usize = 40;
const IN_ONE: usize = 50;
const SILENCE: Duration = Duration::from_secs(30);
/// How often the source goes back to the beginning.
const REWINDS: usize = 3;
/// How soon the first record comes again.
const REWOUND_WITHIN: Duration = Duration::from_secs(10);

/// All of a record.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    offset: i64,
    time: Option<i64>,
    key: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The records of each partition, in the order in which they came.
type All = BTreeMap<i32, Vec<Seen>>;

/// Records with and without key, payload, time and headers.
fn publish(brokers: &str, topic: &str, random: &mut Random) -> Result<(), String> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "5")
        .create()
        .map_err(|fault| fault.to_string())?;
    for number in 0..RECORDS {
        let payload = vec![b'a' + (number % 26) as u8; random.below(3000) as usize];
        let key = number.to_string();
        let partition = i32::try_from(random.below(PARTITIONS as u64)).expect("a small number");
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition);
        record = match random.below(10) {
            0 => record,
            1 => record.payload(&[]),
            _ => record.payload(&payload),
        };
        record = match random.below(3) {
            0 => record,
            1 => record.key(&[]),
            _ => record.key(key.as_bytes()),
        };
        if random.below(2) == 0 {
            record = record.timestamp(1_700_000_000_000 + number as i64);
        }
        if random.below(3) == 0 {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "twice", value: Some(&key) })
                .insert(Header { key: "nothing", value: None::<&[u8]> })
                .insert(Header { key: "", value: Some(&[0_u8, 0xff][..]) })
                .insert(Header { key: "twice", value: Some("") });
            record = record.headers(headers);
        }
        producer.send(record).map_err(|(fault, _)| fault.to_string())?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(30)).map_err(|fault| fault.to_string())
}

/// Transactions, each of which leaves a marker in every partition that it wrote to.
fn publish_transactions(brokers: &str, topic: &str) -> Result<(), String> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("transactional.id", topic)
        .create()
        .map_err(|fault| fault.to_string())?;
    let wait = Duration::from_secs(30);
    let told = |answer: Result<(), KafkaError>| answer.map_err(|fault| fault.to_string());
    told(producer.init_transactions(wait))?;
    for transaction in 0..TRANSACTIONS {
        told(producer.begin_transaction())?;
        for number in 0..IN_ONE {
            let payload = format!("{transaction}-{number}");
            let partition = i32::try_from(number).expect("a small number") % PARTITIONS;
            let record = BaseRecord::<[u8], str>::to(topic).partition(partition).payload(&*payload);
            producer.send(record).map_err(|(fault, _)| fault.to_string())?;
        }
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_millis(5));
        }
        match transaction % 3 {
            2 => told(producer.abort_transaction(wait))?,
            _ => told(producer.commit_transaction(wait))?,
        }
    }
    Ok(())
}

fn by_wrapper(message: &BorrowedMessage<'_>) -> Seen {
    let headers = message.headers().map_or(Vec::new(), |headers| {
        let header =
            |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        headers.iter().map(header).collect()
    });
    Seen {
        offset: message.offset(),
        time: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

fn by_source(record: &Record<'_>) -> Seen {
    let headers = (0..record.headers.count()).map(|index| {
        let header = record.headers.at(index).expect("it was counted");
        (header.name.to_owned(), header.value.map(<[u8]>::to_vec))
    });
    Seen {
        offset: record.position.offset,
        time: record.timestamp.map(ouzel::record::Timestamp::as_millis),
        key: record.key.map(<[u8]>::to_vec),
        payload: record.payload.map(<[u8]>::to_vec),
        headers: headers.collect(),
    }
}

/// A source that reads the topic, and what it lent.
struct Reader {
    source: KafkaSource,
    random: Random,
    seen: All,
    count: usize,
    breaks: usize,
    pauses: usize,
    panics: usize,
}

impl Reader {
    fn open(brokers: &str, topic: &str, group: &str, guarantee: Guarantee) -> Result<Self, String> {
        let mut settings = Settings::default();
        settings.kafka.brokers = brokers.to_owned();
        settings.input.topics = vec![topic.to_owned()];
        settings.input.group = group.to_owned();
        settings.delivery.guarantee = guarantee;
        let options = KafkaSourceOptions::of_worker(&settings, 0);
        let clock = Arc::new(SystemClock::default());
        let source = KafkaSource::open(options, clock).map_err(|fault| fault.to_string())?;
        let (random, seen) = (Random::of(group), All::new());
        Ok(Self { source, random, seen, count: 0, breaks: 0, pauses: 0, panics: 0 })
    }

    /// One poll that may break off, or panic, at any record; how many records it lent.
    fn poll(&mut self) -> Result<usize, String> {
        let most = 1 + self.random.below(300) as usize;
        let (break_at, panic_at) = (self.random.below(400), self.random.below(1_000));
        let (seen, before) = (&mut self.seen, self.count);
        let (count, breaks) = (&mut self.count, &mut self.breaks);
        let source = &mut self.source;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let mut number = 0;
            source.poll(Duration::from_millis(50), most, &mut |record| {
                seen.entry(record.position.partition).or_default().push(by_source(record));
                *count += 1;
                number += 1;
                if number == panic_at {
                    resume_unwind(Box::new("a reader that panics"));
                }
                if number == break_at {
                    *breaks += 1;
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
        }));
        let lent = self.count - before;
        match polled {
            Err(_) => self.panics += 1,
            Ok(Err(fault)) => return Err(fault.to_string()),
            Ok(Ok(told)) if told != lent => return Err(format!("{lent} lent, {told} told")),
            Ok(Ok(_)) => {}
        }
        Ok(lent)
    }

    /// Reads until there are so many records, with pauses.
    fn read(&mut self, until: usize) -> Result<(), String> {
        let mut last = Instant::now();
        while self.count < until {
            while self.source.event().is_some() {}
            if self.poll()? > 0 {
                last = Instant::now();
            }
            if self.random.below(25) == 0 && self.count < until {
                self.pauses += 1;
                self.source.pause().map_err(|fault| fault.to_string())?;
                let lent = self.poll()?;
                if lent > 0 {
                    return Err(format!("{lent} records were lent while paused"));
                }
                self.source.resume().map_err(|fault| fault.to_string())?;
            }
            if last.elapsed() > SILENCE {
                return Err(format!("nothing came for {SILENCE:?}, {} of {until}", self.count));
            }
        }
        Ok(())
    }

    /// Goes back to where the group's offsets stand.
    fn rewind(&mut self) -> Result<(), String> {
        self.source.pause().map_err(|fault| fault.to_string())?;
        self.source.rewind(Rewind::Known).map_err(|fault| fault.to_string())?;
        let since = Instant::now();
        loop {
            self.poll()?;
            match self.source.event() {
                Some(SourceEvent::Rewound) => break,
                _ if since.elapsed() > SILENCE => return Err("it did not go back".to_owned()),
                _ => {}
            }
        }
        self.source.resume().map_err(|fault| fault.to_string())
    }
}

fn compare(expected: &All, seen: &All) -> Result<(), String> {
    for (partition, expected) in expected {
        let seen = seen.get(partition).map_or(&[][..], Vec::as_slice);
        if let Some(at) = expected.iter().zip(seen).position(|(expected, seen)| expected != seen) {
            let (expected, seen) = (&expected[at], &seen[at]);
            return Err(format!("partition {partition}: {seen:?} instead of {expected:?}"));
        }
        if expected.len() != seen.len() {
            return Err(format!(
                "partition {partition}: {} records instead of {}",
                seen.len(),
                expected.len()
            ));
        }
    }
    Ok(())
}

/// The same records twice, by the wrapper and by the source; and again after going back.
pub fn as_the_wrapper(broker: &Broker) -> Result<String, String> {
    let (name, brokers) = ("lending", broker.plaintext());
    client::create_topics(&brokers, &[(name, PARTITIONS)])?;
    publish(&brokers, name, &mut Random::of(name))?;
    publish_transactions(&brokers, name)?;
    let mut expected = All::new();
    client::read(&brokers, name, |message| {
        expected.entry(message.partition()).or_default().push(by_wrapper(message));
    })?;

    let all: usize = expected.values().map(Vec::len).sum();
    let mut reader = Reader::open(&brokers, name, "lending-plain", Guarantee::AtLeastOnce)?;
    reader.read(all)?;
    compare(&expected, &reader.seen)?;
    let Reader { breaks, pauses, panics, .. } = reader;
    reader.source.close();

    let mut reader = Reader::open(&brokers, name, "lending-rewind", Guarantee::ExactlyOnce)?;
    let mut longest = Duration::ZERO;
    for round in 0..=REWINDS {
        // Somewhere in the middle at first, then at the end.
        let records = if round % 2 == 0 { all / 3 } else { all };
        (reader.seen, reader.count) = (All::new(), 0);
        let since = Instant::now();
        reader.read(1)?;
        longest = longest.max(if round == 0 { Duration::ZERO } else { since.elapsed() });
        reader.read(records)?;
        if round % 2 == 1 {
            compare(&expected, &reader.seen)?;
        }
        reader.rewind()?;
    }
    reader.source.close();
    let seen = format!(
        "{all} records as the wrapper has them, with {breaks} breaks, {pauses} pauses and {panics} panics; \
         {REWINDS} times from the beginning, the first record after at most {longest:.0?}"
    );
    if longest > REWOUND_WITHIN { Err(seen) } else { Ok(seen) }
}

/// Records on each side of a batch that cannot be unpacked.
const BESIDE: usize = 10;
/// One record of it: unpacked, more than the library takes.
const TOO_MUCH: usize = 120 << 20;
/// How long the reader stands before it.
const STANDS_FOR: Duration = Duration::from_secs(12);
/// How often it pauses meanwhile.
const PAUSE_EVERY: Duration = Duration::from_millis(200);

/// Sends records to partition 0 until it is told to end; how many.
fn traffic(brokers: &str, topic: &str, ends: &AtomicBool) -> Result<usize, String> {
    let producer = malformed::producer(brokers, "none")?;
    let mut count = 0;
    while !ends.load(Ordering::Relaxed) {
        for _ in 0..20 {
            let record = BaseRecord::<[u8], str>::to(topic).partition(0).payload("traffic");
            producer.send(record).map_err(|(fault, _)| fault.to_string())?;
            count += 1;
        }
        producer.poll(Duration::from_millis(2));
    }
    producer.flush(Duration::from_secs(30)).map_err(|fault| fault.to_string())?;
    Ok(count)
}

fn send_beside(
    brokers: &str,
    topic: &str,
    compression: &str,
    payload: &[u8],
) -> Result<(), String> {
    let producer = malformed::producer(brokers, compression)?;
    let count = if payload.len() == TOO_MUCH { 1 } else { BESIDE };
    for _ in 0..count {
        let record = BaseRecord::<[u8], [u8]>::to(topic).partition(1).payload(payload);
        producer.send(record).map_err(|(fault, _)| fault.to_string())?;
    }
    producer.flush(Duration::from_secs(30)).map_err(|fault| fault.to_string())
}

/// A partition that stands before a batch of one record that cannot be unpacked stays there, and is
/// found there, however often its reader pauses while another partition is busy: the library counts
/// a fault among records as if it were one, and goes on behind it at the next pause.
pub fn a_fault_is_no_record(broker: &Broker) -> Result<String, String> {
    let (name, brokers) = ("lending-fault", broker.plaintext());
    client::create_topics(&brokers, &[(name, 2)])?;
    send_beside(&brokers, name, "none", b"before")?;
    send_beside(&brokers, name, "zstd", &vec![b' '; TOO_MUCH])?;
    send_beside(&brokers, name, "none", b"behind")?;
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| traffic(&brokers, name, &ends));
        let mut reader = Reader::open(&brokers, name, name, Guarantee::AtLeastOnce)?;
        let seen = stand_before(&mut reader);
        ends.store(true, Ordering::Relaxed);
        let sent = sender.join().map_err(|_| "the sender panicked".to_owned())??;
        let pauses = seen?;
        let behind = Instant::now();
        let lent = |reader: &Reader| reader.seen.get(&0).map_or(0, Vec::len);
        while lent(&reader) < sent && behind.elapsed() < SILENCE {
            while reader.source.event().is_some() {}
            reader.poll()?;
        }
        let found = reader.source.unreadable_partitions();
        let (one, other) = (lent(&reader), reader.seen.get(&1).map_or(0, Vec::len));
        reader.source.close();
        let seen = format!(
            "{pauses} pauses in {STANDS_FOR:?}; {one} of {sent} records of the busy partition; {other} of \
             the other, {found} found before such a batch"
        );
        if (one, other, found) == (sent, BESIDE, 1) { Ok(seen) } else { Err(seen) }
    })
}

/// Reads and pauses for a while; how often it paused.
fn stand_before(reader: &mut Reader) -> Result<usize, String> {
    let (since, mut paused, mut pauses) = (Instant::now(), Instant::now(), 0);
    while since.elapsed() < STANDS_FOR {
        while reader.source.event().is_some() {}
        reader.poll()?;
        if paused.elapsed() > PAUSE_EVERY {
            reader.source.pause().map_err(|fault| fault.to_string())?;
            reader.source.resume().map_err(|fault| fault.to_string())?;
            (paused, pauses) = (Instant::now(), pauses + 1);
        }
    }
    Ok(pauses)
}
