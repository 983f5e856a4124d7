//! Row 7: whatever stands in a record, it costs bounded time and memory, and the offset moves.

use std::time::{Duration, Instant};

use ouzel::generate::{Generator, Options};
use ouzel::limits;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::admin::{Admin, Topic};
use crate::broker::Broker;
use crate::client::{self, wait_until};
use crate::feed::{ALERT, CLEAN, EXPECTED};
use crate::history::{self, UUID};
use crate::seed;
use crate::stage::{self, Setup, Stage};

/// One record, committed and its output delivered, may take so long; most of it is the commit
/// interval, the rest what a build without optimisation needs for tens of megabytes.
const RECORD_WITHIN: Duration = Duration::from_secs(8);

/// The largest payload once as it came, once as text, once as a dead letter in the producer, and
/// what a batch is inflated to beside it; what was measured stands in the table.
const MEMORY_MIB_MAX: u64 = 512;

/// Topics take what the stage may have to write.
const LARGE: &[(&str, &str)] = &[("max.message.bytes", "50000000")];

/// A record of the table.
struct Malformed {
    name: &'static str,
    payload: Option<Vec<u8>>,
    /// [`CLEAN`], [`ALERT`] or the reason of a dead letter.
    expected: &'static str,
    uuid: String,
}

/// Makes the records of the table.
struct Maker {
    generator: Generator,
    options: Options,
    records: Vec<Malformed>,
}

impl Maker {
    fn new() -> Self {
        let options = Options { seed: seed::seed(), hits_permille: 1000, ..Options::default() };
        Self { generator: Generator::new(options.clone()), options, records: Vec::new() }
    }

    fn push(&mut self, name: &'static str, expected: &'static str, payload: Vec<u8>) {
        let payload = Some(payload);
        self.records.push(Malformed { name, payload, expected, uuid: String::new() });
    }

    /// A reset with another member in front.
    fn with_member(&mut self, name: &'static str, expected: &'static str, member: &[u8]) {
        self.reset(name, expected, |event| {
            event.splice(1..1, [member, b","].concat());
        });
    }

    /// A reset to which something is done.
    fn reset(
        &mut self,
        name: &'static str,
        expected: &'static str,
        change: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut event = Vec::new();
        let made = self.generator.next_into(&mut event);
        change(&mut event);
        let uuid = self.options.uuid(made.number);
        self.records.push(Malformed { name, payload: Some(event), expected, uuid });
    }
}

const MEBIBYTE: usize = 1 << 20;

/// The table.
fn records() -> Vec<Malformed> {
    let mut all = Maker::new();
    let tombstone = Malformed { name: "null", payload: None, expected: CLEAN, uuid: String::new() };
    all.records.push(tombstone);
    small_ones(&mut all);
    deep_ones(&mut all);
    large_ones(&mut all);
    all.records
}

fn small_ones(all: &mut Maker) {
    all.push("empty", CLEAN, Vec::new());
    all.push("blank", CLEAN, b" \t\r\n ".to_vec());
    all.push("a byte order mark alone", CLEAN, b"\xef\xbb\xbf".to_vec());
    all.push("an empty page", CLEAN, b"[]".to_vec());
    all.push("an empty object", CLEAN, b"{}".to_vec());
    all.push("a number", "not an object", b"42".to_vec());
    all.push("a text", "not an object", br#""user.mfa.factor.reset_all""#.to_vec());
    all.push("words", "not JSON", b"not JSON at all".to_vec());
    all.push("zero bytes", "not JSON", vec![0; 64]);
    all.push("UTF-16", "not UTF-8", b"\xff\xfe{\0}\0".to_vec());
    all.push("compressed bytes", "not JSON", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05".to_vec());
    all.push("a bracket too few", "truncated", b"{\"a\":[1,2}".to_vec());
    all.push("a bracket too many", "not JSON", b"{\"a\":1}}".to_vec());
    all.reset("cut in a string", "truncated", |event| event.truncate(event.len() / 2));
    all.reset("a byte order mark", ALERT, |event| {
        event.splice(0..0, *b"\xef\xbb\xbf");
    });
    all.with_member("a control byte", "control byte", b"\"a\":\"\x01\"");
    all.with_member("invalid UTF-8", "not UTF-8", b"\"a\":\"\xc3\x28\"");
    all.with_member("an overlong encoding", "not UTF-8", b"\"a\":\"\xc0\xaf\"");
    all.with_member("a number beyond a float", ALERT, br#""a":1e999"#);
    all.with_member(
        "a number with many digits",
        ALERT,
        &[b"\"a\":".to_vec(), vec![b'9'; 10_000]].concat(),
    );
    all.with_member("a lone surrogate", ALERT, br#""a":"\ud800""#);
    all.with_member("surrogates in the wrong order", ALERT, br#""a":"\udc00\ud800""#);
    all.with_member("a key that stands twice", ALERT, br#""severity":"INFO","a":1,"a":2"#);
    all.with_member("an escaped key", ALERT, br#""\u0061":"\u0000\u001b[31m""#);
    all.with_member("a name of the program's own", ALERT, br#""__proto__":{"ouzel":1}"#);
}

fn deep_ones(all: &mut Maker) {
    let deep = |open: &str, close: &str| {
        [b"\"a\":".to_vec(), open.repeat(100_000).into(), close.repeat(100_000).into()].concat()
    };
    all.push("100,000 brackets that stay open", "too deep", vec![b'['; 100_000]);
    all.push("100,000 objects that stay open", "too deep", b"{\"a\":".repeat(100_000));
    all.with_member("100,000 levels of arrays", "too deep", &deep("[", "]"));
    all.with_member("100,000 levels of objects", "too deep", &deep("{\"a\":1,\"b\":[", "]}"));
    // Each level of text in text doubles the backslashes: a few levels are what fits.
    let mut text = String::from("{}");
    for _ in 0..12 {
        text = format!("{{\"message\":{}}}", serde_json::Value::from(text));
    }
    all.with_member("texts in texts", ALERT, format!("\"a\":{text}").as_bytes());
}

fn large_ones(all: &mut Maker) {
    let keys: String = (0..1_000_000).map(|key| format!("\"k{key}\":1,")).collect();
    let object = format!("\"a\":{{{keys}\"end\":1}}");
    all.with_member("1,000,000 keys", ALERT, object.as_bytes());
    all.push("1,000,000 keys and no reset", CLEAN, format!("{{{keys}\"end\":1}}").into());
    let same = format!("\"a\":{{{}\"a\":1}}", "\"a\":1,".repeat(1_000_000));
    all.with_member("one key 1,000,000 times", ALERT, same.as_bytes());
    let array = format!("\"a\":[{}1]", "1,".repeat(1_000_000));
    all.with_member("1,000,000 elements", ALERT, array.as_bytes());
    let long = |bytes: usize| [b"\"a\":\"".to_vec(), vec![b'x'; bytes], b"\"".to_vec()].concat();
    all.with_member("10 MiB", ALERT, &long(10 * MEBIBYTE));
    let escapes = [b"\"a\":\"".to_vec(), br"\u0041".repeat(MEBIBYTE), b"\"".to_vec()].concat();
    all.with_member("1,000,000 escapes", ALERT, &escapes);
    all.push("a byte more than is judged", "too large", vec![b' '; limits::PAYLOAD_BYTES_MAX + 1]);
    let one = "{\"a\":\"user.mfa.factor.reset_all\"}";
    let page = vec![one; limits::EVENTS_PER_RECORD_MAX + 1].join(",");
    all.push("a page with an event too many", "too many events", format!("[{page}]").into());
}

/// Each record of the table alone: what must come comes, in time; then the compression bombs.
pub fn table(broker: &Broker) -> Result<String, String> {
    let name = "malformed";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    setup.more = "[delivery]\ncommit_interval_ms = 50\n".to_owned();
    let topics = setup.topics(&brokers);
    let large = |name| Topic { settings: LARGE, ..Topic::new(name, 1) };
    Admin::of(&brokers)?.create(&[
        large(topics.input),
        large(topics.alerts),
        large(topics.dead_letters),
    ])?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let producer = producer(&brokers, "none")?;
    let records = records();
    let mut slowest = (Duration::ZERO, "");
    for (offset, record) in (1..).zip(&records) {
        let took = one(&producer, name, record, || committed(&brokers, &stage, name, offset))
            .map_err(|fault| format!("{}: {fault}", record.name))?;
        slowest = slowest.max((took, record.name));
    }
    let (before_bombs, _) = stage.memory()?;
    let bombs = bombs(&brokers, &mut stage, name, records.len())?;
    stage.is_alive()?;
    let (most, _) = stage.memory()?;
    stage.stop()?;
    if most > MEMORY_MIB_MAX {
        return Err(format!("{most} MiB resident, at most {MEMORY_MIB_MAX} are right"));
    }
    let seen = history::only_repeats(&topics, Vec::new())?;
    Ok(format!(
        "{} kinds, the slowest took {:.1?} ({}), {before_bombs} MiB; {bombs}, {most} MiB; {seen}",
        records.len(),
        slowest.0,
        slowest.1
    ))
}

fn committed(brokers: &str, stage: &Stage, name: &str, offset: i64) -> Result<(), String> {
    wait_until("its offset is committed", RECORD_WITHIN, || {
        let committed = client::committed(brokers, name, name)?;
        Ok((committed.get(&0) == Some(&offset)).then_some(()))
    })
    .map_err(|fault| format!("{fault}\n{}", stage.logged()))
}

/// Sends one record; how long it took until `done`.
fn one(
    producer: &BaseProducer,
    topic: &str,
    record: &Malformed,
    done: impl FnOnce() -> Result<(), String>,
) -> Result<Duration, String> {
    let headers = OwnedHeaders::new()
        .insert(Header { key: EXPECTED, value: Some(record.expected) })
        .insert(Header { key: UUID, value: Some(&record.uuid) });
    let mut sent = BaseRecord::<[u8], [u8]>::to(topic).headers(headers);
    if let Some(payload) = &record.payload {
        sent = sent.payload(payload);
    }
    producer.send(sent).map_err(|(fault, _)| fault.to_string())?;
    producer.flush(Duration::from_secs(30)).map_err(|fault| fault.to_string())?;
    let started = Instant::now();
    done()?;
    Ok(started.elapsed())
}

/// Batches of 24 MiB that travel as a few kilobytes, by each way of compression. Not more: the
/// client library inflates some of 33 MB no more.
fn bombs(brokers: &str, stage: &mut Stage, name: &str, records: usize) -> Result<String, String> {
    const RECORDS: usize = 24;
    let payload = blank_record();
    let kinds = ["gzip", "snappy", "lz4", "zstd"];
    let mut offset = i64::try_from(records).map_err(|fault| fault.to_string())?;
    let mut slowest = Duration::ZERO;
    for kind in kinds {
        let producer = producer(brokers, kind)?;
        for _ in 0..RECORDS {
            let headers = OwnedHeaders::new().insert(Header { key: EXPECTED, value: Some(CLEAN) });
            let record = BaseRecord::<[u8], [u8]>::to(name).payload(&payload).headers(headers);
            producer.send(record).map_err(|(fault, _)| fault.to_string())?;
        }
        producer.flush(Duration::from_secs(30)).map_err(|fault| fault.to_string())?;
        offset += RECORDS as i64;
        let started = Instant::now();
        committed(brokers, stage, name, offset).map_err(|fault| format!("{kind}: {fault}"))?;
        slowest = slowest.max(started.elapsed());
    }
    Ok(format!("{} bombs of {RECORDS} MiB, the slowest took {slowest:.1?}", kinds.len()))
}

/// A mebibyte of nothing between two brackets.
pub fn blank_record() -> Vec<u8> {
    let mut payload = vec![b' '; MEBIBYTE];
    payload.splice(0..1, *b"{");
    payload.push(b'}');
    payload
}

/// A producer of large batches.
pub fn producer(brokers: &str, compression: &str) -> Result<BaseProducer, String> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("message.max.bytes", "200000000")
        .set("batch.size", "200000000")
        .set("linger.ms", if compression == "none" { "0" } else { "300" })
        .set("compression.type", compression)
        .set("queue.buffering.max.kbytes", "400000")
        .create()
        .map_err(|fault| fault.to_string())
}
