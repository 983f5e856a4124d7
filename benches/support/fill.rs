//! A topic full of generated events.

use std::time::Duration;

use ouzel::generate::{Generator, Options};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const WITHIN: Duration = Duration::from_secs(120);

/// Publishes that many events, in large batches; of a thousand, `hits_permille` are hits.
pub fn publish(brokers: &str, topic: &str, compression: &str, (events, hits_permille): (u64, u32)) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("compression.type", compression)
        .set("linger.ms", "20")
        .set("batch.size", "524288")
        .create()
        .expect("these settings are valid");
    let mut generator = Generator::new(Options { hits_permille, ..Options::default() });
    let mut event = Vec::new();
    for _ in 0..events {
        event.clear();
        generator.next_into(&mut event);
        while producer.send(BaseRecord::<(), [u8]>::to(topic).payload(&event)).is_err() {
            producer.poll(Duration::from_millis(20));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(WITHIN).expect("the broker takes them");
}
