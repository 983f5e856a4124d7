//! Row 7: whatever stands in a record, it costs bounded time and memory, and the offset moves.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::admin::{Admin, Topic};
use crate::broker::Broker;
use crate::client::{self, wait_until};
use crate::feed::{CLEAN, EXPECTED};
use crate::history::{self, UUID};
use crate::malformed_records::{self, MEBIBYTE, Malformed};
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
    let records = malformed_records::table(seed::seed());
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
