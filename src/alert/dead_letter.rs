//! A record that could not be judged: why, at which stage, and all of its bytes.
//!
//! Key, value and headers are the record's own, byte for byte; what is added are headers, so that
//! the record can be judged again later as what it was.

use super::Encoded;
use super::build::hex_sha256;
use super::encode::text_or_base64;
use super::headers::{self, fixed, one_line, pair};
use super::json::Json;
use crate::limits::{ERROR_DETAIL_BYTES_MAX, TRUNCATED_HEADER_BYTES_MAX};
use crate::record::{OutputHeader, Record, Timestamp};

/// Where in its life a record failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// While it was received.
    Receiving,
    /// While it was judged.
    Processing,
    /// While its output was sent.
    Sending,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::Receiving, Self::Processing, Self::Sending];
    /// The name in headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Processing => "processing",
            Self::Sending => "sending",
        }
    }
}

/// Every reason that a dead letter may have: the values of the metric label `reason` and of the
/// header `ouzel.error.reason`. The last ones are reasons why an output was refused.
pub const REASONS: [&str; 11] = [
    "not JSON",
    "truncated",
    "not UTF-8",
    "control byte",
    "not an object",
    "too large",
    "too deep",
    "too many events",
    "output too large",
    "output invalid",
    "output refused by policy",
];

/// A dead letter.
#[derive(Clone, Copy)]
pub struct DeadLetter<'a> {
    /// The record.
    pub record: &'a Record<'a>,
    /// Where it failed.
    pub stage: Stage,
    /// The reason, from a small fixed vocabulary ([`REASONS`]).
    pub reason: &'static str,
    /// One line of detail; escaped and cut here.
    pub detail: &'a str,
    /// When.
    pub judged: Timestamp,
}

impl DeadLetter<'_> {
    /// The dead letter as it goes to a topic: original key, value and headers, plus `ouzel.error.*`
    /// and `ouzel.source.*` headers.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let mut headers: Vec<OutputHeader> = headers::all(self.record).map(owned).collect();
        headers.extend(self.own_headers());
        Encoded {
            key: self.record.key.map(<[u8]>::to_vec),
            value: self.record.payload.map(<[u8]>::to_vec),
            headers,
            timestamp: self.judged,
        }
    }

    /// The dead letter without the payload, for a broker that refuses the size of the whole one:
    /// an empty value, `ouzel.payload.sha256`, `ouzel.payload.bytes`, `ouzel.error.truncated`, and
    /// of the original headers and the key only what [`TRUNCATED_HEADER_BYTES_MAX`] leaves room
    /// for.
    #[must_use]
    pub fn encode_without_value(&self) -> Encoded {
        let mut room = TRUNCATED_HEADER_BYTES_MAX;
        let mut take = |bytes: usize| match room.checked_sub(bytes) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let key = self.record.key.filter(|key| take(key.len()));
        let size = |header: &OutputHeader| {
            header.0.len() + header.1.as_ref().map_or(0, |value| value.len())
        };
        let mut headers: Vec<OutputHeader> =
            headers::all(self.record).map(owned).filter(|header| take(size(header))).collect();
        headers.extend(self.own_headers());
        let payload = self.record.payload.unwrap_or_default();
        headers.push(pair("ouzel.payload.sha256", hex_sha256(payload).as_str()));
        headers.push(pair("ouzel.payload.bytes", &payload.len().to_string()));
        headers.push(fixed("ouzel.error.truncated", "true"));
        let key = key.map(<[u8]>::to_vec);
        Encoded { key, value: Some(Vec::new()), headers, timestamp: self.judged }
    }

    /// The dead letter as one JSON line without its line end, for `pipe`.
    #[must_use]
    pub fn encode_line(&self) -> Vec<u8> {
        let record = self.record;
        let payload = record.payload.unwrap_or_default();
        let mut json = Json::with_capacity(payload.len() + 256);
        json.open_object();
        json.text_member("reason", self.reason);
        json.text_member("detail", &self.detail());
        json.text_member("stage", self.stage.name());
        json.key("position");
        json.open_object();
        json.text_member("topic", record.position.topic);
        json.integer_member("partition", record.position.partition.into());
        json.integer_member("offset", record.position.offset);
        json.close_object();
        if let Some(key) = record.key {
            text_or_base64(&mut json, "key", key);
        }
        if let Some(payload) = record.payload {
            text_or_base64(&mut json, "payload", payload);
        }
        json.close_object();
        json.into_bytes()
    }

    fn detail(&self) -> String {
        one_line(self.detail.as_bytes(), ERROR_DETAIL_BYTES_MAX)
    }

    fn own_headers(&self) -> Vec<OutputHeader> {
        let position = self.record.position;
        let mut headers = vec![
            fixed("ouzel.error.stage", self.stage.name()),
            fixed("ouzel.error.reason", self.reason),
            pair("ouzel.error.detail", &self.detail()),
            pair("ouzel.source.topic", position.topic),
            pair("ouzel.source.partition", &position.partition.to_string()),
            pair("ouzel.source.offset", &position.offset.to_string()),
        ];
        if let Some(time) = self.record.timestamp {
            headers.push(pair("ouzel.source.timestamp", &time.as_millis().to_string()));
        }
        headers
    }
}

fn owned(header: crate::record::Header<'_>) -> OutputHeader {
    (header.name.to_owned().into(), header.value.map(|value| value.to_vec().into()))
}
