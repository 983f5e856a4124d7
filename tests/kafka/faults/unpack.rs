//! Row 7, the worst of it: a batch that the client library does not unpack at all.
//!
//! A few kilobytes of zstd are 120 MiB of records, more than the library takes of a batch. Any producer can send such a batch, and the brokers store it. No record
//! may be left out without a word, and none can be judged: the partition waits, the stage says so,
//! and an operator decides.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};

use super::{MINUTES, malformed};
use crate::broker::Broker;
use crate::feed::{EXPECTED, Plan};
use crate::stage::{self, Setup, Stage};
use crate::{client, history, java};

/// A mebibyte each.
const RECORDS: i64 = 120;

/// Three times what the batch unpacks to.
const RAISED: &str = "[kafka.librdkafka]\n\"receive.message.max.bytes\" = \"380000000\"\n";

/// How soon the stage says so.
const SAID_WITHIN: Duration = Duration::from_secs(45);

/// With a higher bound for the library, a restart reads on, and every record is judged.
pub fn raised(broker: &Broker) -> Result<String, String> {
    let name = "unpack-raised";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    let said = stops_before_the_batch(broker, &setup)?;
    setup.more = RAISED.to_owned();
    let mut stage = stage::start(&broker.folder_for(name)?, "raised", &setup)?;
    history::wait_for_end(&brokers, name, name, MINUTES)
        .map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    stage.is_alive()?;
    let (most, _) = stage.memory()?;
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("{said}; with a higher bound read to the end, {most} MiB; {seen}"))
}

/// With the group's offset set behind the batch, a restart reads on, and all but the batch is
/// judged.
pub fn left_out(broker: &Broker) -> Result<String, String> {
    let name = "unpack-left-out";
    let brokers = broker.plaintext();
    let setup = Setup::named(name, &brokers);
    let said = stops_before_the_batch(broker, &setup)?;
    let stands = client::committed(&brokers, name, name)?.get(&0).copied().unwrap_or_default();
    let (topic, behind) = (format!("{name}:0"), (stands + RECORDS).to_string());
    let to = ["--bootstrap-server", &brokers, "--group", name, "--topic", &topic];
    let reset = ["--reset-offsets", "--to-offset", &behind, "--execute"];
    let tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    // The group is empty as soon as its coordinator has heard that the last member left.
    client::wait_until("the group's offset is set", MINUTES, || {
        java::run(tool, &[&to[..], &reset[..]].concat()).map(Some)
    })?;
    let stage = stage::start(&broker.folder_for(name)?, "behind", &setup)?;
    history::wait_for_end(&brokers, name, name, MINUTES)
        .map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("{said}; with the offset set {RECORDS} further read to the end; {seen}"))
}

/// Starts a stage, feeds it the batch between others, and sees it stop before it, and only there.
fn stops_before_the_batch(broker: &Broker, setup: &Setup) -> Result<String, String> {
    let name = &*setup.group;
    let brokers = broker.plaintext();
    setup.create_topics(&brokers, 2)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", setup)?;
    let plan = Plan::new(&brokers, name, 1_000);
    plan.clone().seeded(1).send()?;
    let stands = history::wait_for_end(&brokers, name, name, MINUTES)?;
    send_batch(&brokers, name)?;
    plan.seeded(2).send()?;
    let why = stage.wait_until_not_ready(SAID_WITHIN)?;
    if !why.contains("input_unreadable") {
        return Err(format!("not ready for another reason: {why}"));
    }
    stands_at(&brokers, name, &stands)?;
    stage.is_alive()?;
    let batches = stage.metric("ouzel_unreadable_batches_total", "")?;
    let held = stage.metric("ouzel_held", "cause=\"input_unreadable\"")?;
    is_told(&stage, stands.get(&0).copied().unwrap_or_default())?;
    stage.stop()?;
    if (batches, held) != (1.0, 1.0) {
        return Err(format!("the metrics say {batches} batches, {held} workers held"));
    }
    Ok("stopped before the batch, named it, and read the other partition on".to_owned())
}

/// Partition 0 stands where it stood, and partition 1 comes to its end.
fn stands_at(
    brokers: &str,
    name: &str,
    stood: &std::collections::BTreeMap<i32, i64>,
) -> Result<(), String> {
    client::wait_until("the other partition is read to its end", MINUTES, || {
        let ends = client::log_ends(brokers, name)?;
        let committed = client::committed(brokers, name, name)?;
        if committed.get(&0) != stood.get(&0) {
            return Err(format!("partition 0 went from {stood:?} to {committed:?}"));
        }
        Ok((committed.get(&1) == ends.get(&1)).then_some(()))
    })
}

/// The log names the place, as an error, and says what to do.
fn is_told(stage: &Stage, offset: i64) -> Result<(), String> {
    let logged = stage.logged();
    let offset = format!("offset={offset}");
    let is_it = |line: &str| {
        line.contains("ERROR")
            && line.contains("partition=0")
            && line.contains(&offset)
            && line.contains("receive.message.max.bytes")
    };
    if logged.lines().any(is_it) { Ok(()) } else { Err(format!("nothing names it:\n{logged}")) }
}

fn send_batch(brokers: &str, topic: &str) -> Result<(), String> {
    let producer = malformed::producer(brokers, "zstd")?;
    let payload = malformed::blank_record();
    for _ in 0..RECORDS {
        let headers = OwnedHeaders::new().insert(Header { key: EXPECTED, value: Some("clean") });
        let record = BaseRecord::<[u8], [u8]>::to(topic).partition(0);
        let record = record.payload(&payload).headers(headers);
        producer.send(record).map_err(|(fault, _)| fault.to_string())?;
    }
    producer.flush(Duration::from_secs(30)).map_err(|fault| fault.to_string())
}
