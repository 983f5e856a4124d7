//! Records that cannot be judged: dead letters, byte for byte, and the stream goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use ouzel::generate::{Generator, Options};
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::broker::Broker;
use super::client::{self, Stored};
use super::history;
use super::stage::{self, Setup};

const RECORDS: usize = 10_000;
/// One in so many cannot be read.
const EVERY: usize = 10;

/// How a good event is broken; the reason that its dead letter must give.
fn break_event(event: &mut Vec<u8>, kind: usize) -> &'static str {
    match kind % 3 {
        0 => {
            event.truncate(event.len() - 1 - kind % 700);
            "truncated"
        }
        1 => {
            let quote = event.iter().position(|byte| *byte == b'"').unwrap_or_default();
            event.insert(quote + 1, 0x01);
            "control byte"
        }
        _ => {
            let quote = event.iter().position(|byte| *byte == b'"').unwrap_or_default();
            event.splice(quote + 1..quote + 1, [0xc3, 0x28]);
            "not UTF-8"
        }
    }
}

struct Broken {
    reason: &'static str,
    payload: Vec<u8>,
    number: usize,
}

/// Publishes good and broken records with keys and headers; returns the broken ones by their key.
fn publish(brokers: &str, topic: &str) -> Result<BTreeMap<Vec<u8>, Broken>, String> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("queue.buffering.max.messages", "200000")
        .create()
        .map_err(|fault| fault.to_string())?;
    let mut generator = Generator::new(Options { hits_permille: 10, ..Options::default() });
    let mut broken = BTreeMap::new();
    for number in 0..RECORDS {
        let mut payload = Vec::new();
        generator.next_into(&mut payload);
        let key = format!("key-{number}").into_bytes();
        if number % EVERY == 3 {
            let reason = break_event(&mut payload, number / EVERY);
            broken.insert(key.clone(), Broken { reason, payload: payload.clone(), number });
        }
        let text = number.to_string();
        let headers = OwnedHeaders::new()
            .insert(Header { key: "number", value: Some(&text) })
            .insert(Header { key: "raw", value: Some(&[0_u8, 0xff, 0x0a]) })
            .insert(Header { key: "nothing", value: None::<&[u8]> });
        producer
            .send(BaseRecord::to(topic).key(&key).payload(&payload).headers(headers))
            .map_err(|(fault, _)| fault.to_string())?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(30)).map_err(|fault| fault.to_string())?;
    Ok(broken)
}

fn check_one(letter: &Stored, broken: &BTreeMap<Vec<u8>, Broken>) -> Result<(), String> {
    let key = letter.key.clone().unwrap_or_default();
    let name = String::from_utf8_lossy(&key).into_owned();
    let expected = broken.get(&key).ok_or_else(|| format!("{name} was readable"))?;
    if letter.payload.as_deref() != Some(&expected.payload[..]) {
        return Err(format!("{name}: the payload is not that of the record"));
    }
    let original = [
        ("number".to_owned(), Some(expected.number.to_string().into_bytes())),
        ("raw".to_owned(), Some(vec![0, 0xff, 0x0a])),
        ("nothing".to_owned(), None),
    ];
    if letter.headers.get(..3) != Some(&original[..]) {
        return Err(format!("{name}: the original headers are {:?}", letter.headers));
    }
    let header = |wanted: &str| {
        let found = letter.headers.iter().find(|(name, _)| name == wanted);
        let value = found.and_then(|(_, value)| value.clone()).unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    };
    if header("ouzel.error.stage") != "processing"
        || header("ouzel.error.reason") != expected.reason
        || header("ouzel.source.topic") != "broken"
        || header("ouzel.source.offset").is_empty()
    {
        return Err(format!("{name} ({}): {:?}", expected.reason, letter.headers));
    }
    Ok(())
}

/// 1,000 unreadable records among 10,000: each is a dead letter with its bytes, key and headers,
/// and every reset among the good ones is alerted.
pub fn byte_for_byte(broker: &Broker) -> Result<String, String> {
    let name = "broken";
    let brokers = broker.plaintext();
    let setup = Setup::named(name, &brokers);
    client::create_topics(&brokers, &[(name, 3), (&setup.alerts, 1), (&setup.dead_letters, 1)])?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let broken = publish(&brokers, name)?;
    history::wait_for_end(&brokers, name, name, Duration::from_secs(60))?;
    stage.stop()?;
    let letters = client::read_all(&brokers, &setup.dead_letters)?;
    if letters.len() != broken.len() || broken.len() != RECORDS / EVERY {
        return Err(format!("{} dead letters for {} broken records", letters.len(), broken.len()));
    }
    let faults: Vec<String> =
        letters.iter().filter_map(|letter| check_one(letter, &broken).err()).collect();
    if let Some(first) = faults.first() {
        return Err(format!(
            "{} of {} dead letters are wrong: {first}",
            faults.len(),
            letters.len()
        ));
    }
    let (resets, repeats) = history::nothing_lost(&brokers, name, &setup.alerts)?;
    let count = letters.len();
    Ok(format!("{count} dead letters byte for byte, {resets} alerts, {repeats} repeated"))
}
