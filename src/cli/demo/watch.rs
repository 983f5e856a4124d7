//! Reads the alert topic as any consumer would, and holds it against what was generated.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::card;
use crate::cli::terminal::{Color, Paint};
use crate::generate::{Generator, Options};
use crate::pipeline::driver::Running;

/// Alerts that are shown whole; the others are counted.
const CARDS_MAX: usize = 3;

/// What an alert must say of the record it came from.
struct Expected {
    payload_sha256: String,
    seen: u64,
}

/// The reader of the alert topic.
pub(super) struct Watch {
    consumer: BaseConsumer,
    expected: BTreeMap<String, Expected>,
    /// From the number of an event: its alert's id and the payload's hash are computed when needed.
    options: Options,
    alerts: u64,
    unexpected: u64,
    wrong: u64,
    latencies_ms: Vec<i64>,
    paint: Paint,
}

/// What one look brought.
pub(super) struct Fresh {
    /// Cards to show.
    pub cards: Vec<String>,
    /// Alerts that came.
    pub alerts: usize,
}

impl Watch {
    /// Reads `topic` from its beginning.
    pub(super) fn open(
        brokers: &str,
        topic: &str,
        options: &Options,
        paint: Paint,
    ) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("client.id", "ouzel-demo-watch")
            .set("group.id", "ouzel-demo-watch")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "10")
            .create()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning)?;
        consumer.assign(&list)?;
        Ok(Self {
            consumer,
            expected: BTreeMap::new(),
            options: options.clone(),
            alerts: 0,
            unexpected: 0,
            wrong: 0,
            latencies_ms: Vec::new(),
            paint,
        })
    }

    /// How its cards and its report are painted.
    pub(super) const fn paint(&self) -> Paint {
        self.paint
    }

    /// Computes which alerts `count` events must give: their ids, and the hashes of their payloads.
    pub(super) fn expect(&mut self, count: u64) {
        let mut generator = Generator::new(self.options.clone());
        let mut event = Vec::new();
        for number in (0..count).filter(|number| self.options.is_hit(*number)) {
            event.clear();
            generator.skip_to(number);
            generator.next_into(&mut event);
            let uuid = self.options.uuid(number);
            let id =
                hex(&Sha256::digest(format!("ouzel-alert-1\0{}\0okta\0{uuid}", super::RULE_ID)));
            let payload_sha256 = hex(&Sha256::digest(&event));
            self.expected.insert(id, Expected { payload_sha256, seen: 0 });
        }
    }

    /// Alerts that came so far.
    pub(super) const fn alerts(&self) -> u64 {
        self.alerts
    }

    /// Alerts that must come.
    pub(super) fn expected(&self) -> u64 {
        self.expected.len() as u64
    }

    /// Takes what has come.
    pub(super) fn poll(&mut self) -> Result<Fresh, KafkaError> {
        let mut fresh = Fresh { cards: Vec::new(), alerts: 0 };
        while let Some(message) = self.consumer.poll(Duration::ZERO) {
            let message = match message {
                Ok(message) => message.detach(),
                Err(fault) if passes(&fault) => continue,
                Err(fault) => return Err(fault),
            };
            let alert = serde_json::from_slice(message.payload().unwrap_or_default());
            let alert: Value = alert.unwrap_or_default();
            fresh.alerts += 1;
            self.take(&alert);
            if self.alerts <= CARDS_MAX as u64 {
                fresh.cards.push(card::card(&alert, self.paint));
            }
        }
        Ok(fresh)
    }

    fn take(&mut self, alert: &Value) {
        self.alerts += 1;
        let id = alert.get("kibana.alert.uuid").and_then(Value::as_str).unwrap_or_default();
        let hash = alert.pointer("/ouzel/payload/sha256").and_then(Value::as_str);
        match self.expected.get_mut(id) {
            None => self.unexpected += 1,
            Some(expected) => {
                expected.seen += 1;
                self.wrong += u64::from(hash != Some(&expected.payload_sha256));
            }
        }
        if let Some(latency) = card::latency_ms(alert) {
            self.latencies_ms.push(latency);
        }
    }

    /// What came out, against what went in.
    pub(super) fn report(mut self, events: u64, running: &Running, took: Duration) -> Report {
        self.latencies_ms.sort_unstable();
        let totals = running.totals();
        Report {
            events,
            judged: totals.records(),
            dead_letters: totals.dead_letters(),
            expected: self.expected.len() as u64,
            alerts: self.alerts,
            missing: self.expected.values().filter(|one| one.seen == 0).count() as u64,
            repeated: self.expected.values().map(|one| one.seen.saturating_sub(1)).sum(),
            unexpected: self.unexpected,
            wrong: self.wrong,
            p50_ms: quantile(&self.latencies_ms, 50),
            p99_ms: quantile(&self.latencies_ms, 99),
            took,
            cards: CARDS_MAX as u64,
        }
    }
}

/// What the client reports and gets over by itself.
fn passes(fault: &KafkaError) -> bool {
    !matches!(
        fault.rdkafka_error_code(),
        Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::UnknownTopicOrPartition)
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The smallest value that `percent` of all do not exceed; of ascending values.
fn quantile(values: &[i64], percent: usize) -> Option<i64> {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}

/// The summary.
pub(super) struct Report {
    events: u64,
    judged: u64,
    dead_letters: u64,
    expected: u64,
    alerts: u64,
    missing: u64,
    repeated: u64,
    unexpected: u64,
    wrong: u64,
    p50_ms: Option<i64>,
    p99_ms: Option<i64>,
    took: Duration,
    cards: u64,
}

impl Report {
    /// Whether exactly what was generated came out.
    pub(super) const fn is_right(&self) -> bool {
        self.judged == self.events
            && self.alerts == self.expected
            && self.missing + self.repeated + self.unexpected + self.wrong + self.dead_letters == 0
    }

    pub(super) fn text(&self, paint: Paint) -> String {
        let rate = self.judged as f64 / self.took.as_secs_f64().max(1e-3);
        let milliseconds = |value: Option<i64>| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value} ms"))
        };
        let mut text = String::new();
        if self.alerts > self.cards {
            let _ = writeln!(text, "… and {} more alerts\n", self.alerts - self.cards);
        }
        let rows = [
            ("events judged", format!("{} of {}", self.judged, self.events)),
            ("alerts", format!("{} of {} expected", self.alerts, self.expected)),
            ("missing / repeated", format!("{} / {}", self.missing, self.repeated)),
            ("unexpected / wrong hash", format!("{} / {}", self.unexpected, self.wrong)),
            ("dead letters", self.dead_letters.to_string()),
            ("rate", format!("{rate:.0} events a second, the generator's pace included")),
            (
                "record to alert",
                format!("p50 {}, p99 {}", milliseconds(self.p50_ms), milliseconds(self.p99_ms)),
            ),
        ];
        for (name, value) in rows {
            let _ = writeln!(text, "  {name:<24}{value}");
        }
        let verdict = if self.is_right() {
            paint.paint(Color::Green, "✓ exactly the alerts that were generated, each once, each with the hash of its record")
        } else {
            paint.paint(Color::Red, "✗ what came out is not what was generated")
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_occurs() {
        assert_eq!(quantile(&[], 50), None);
        assert_eq!(quantile(&[7], 99), Some(7));
        assert_eq!(quantile(&[1, 2, 3, 4], 50), Some(2));
        assert_eq!(quantile(&[1, 2, 3, 4], 99), Some(4));
    }
}
