//! What is kept of a record while its outputs are open: all that another form of them needs.
//!
//! A source lends a record for the time of one call, and a broker says much later that an alert is
//! too large for it. So a record with hits is copied, once for all its outputs; a clean one never.
//! What is kept is bounded by what is in flight.

use std::sync::Arc;

use super::judge::Judge;
use crate::event::TopicProfile;
use crate::record::{Header, Headers, Position, Record, Timestamp};

/// The copy of one record.
#[derive(Debug)]
pub(super) struct Kept {
    /// What judged it; another may be in force by now.
    pub judge: Arc<Judge>,
    /// What was known of its topic.
    pub profile: Arc<TopicProfile>,
    /// `None` where a dead letter has it.
    payload: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    headers: OwnedHeaders,
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<Timestamp>,
    received: Timestamp,
}

/// Where the payload is while the outputs are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// It is kept.
    Kept,
    /// The dead letter is the only output, and has it.
    InLetter,
}

impl Kept {
    /// The copy of `record`.
    pub fn of(
        record: &Record<'_>,
        payload: Payload,
        judge: Arc<Judge>,
        profile: Arc<TopicProfile>,
    ) -> Self {
        let headers = (0..record.headers.count()).map_while(|index| record.headers.at(index));
        let payload = match payload {
            Payload::Kept => record.payload.map(<[u8]>::to_vec),
            Payload::InLetter => None,
        };
        Self {
            judge,
            profile,
            payload,
            key: record.key.map(<[u8]>::to_vec),
            headers: OwnedHeaders(
                headers.map(|it| (it.name.to_owned(), it.value.map(<[u8]>::to_vec))).collect(),
            ),
            topic: record.position.topic.to_owned(),
            partition: record.position.partition,
            offset: record.position.offset,
            timestamp: record.timestamp,
            received: record.received,
        }
    }

    /// Its place, for messages.
    pub fn place(&self) -> String {
        format!("{}[{}]@{}", self.topic, self.partition, self.offset)
    }

    /// The record, with `letter` as its payload where that is not kept here.
    pub fn record<'a>(&'a self, letter: Option<&'a [u8]>) -> Record<'a> {
        Record {
            payload: self.payload.as_deref().or(letter),
            key: self.key.as_deref(),
            headers: &self.headers,
            position: Position {
                topic: &self.topic,
                partition: self.partition,
                offset: self.offset,
            },
            timestamp: self.timestamp,
            received: self.received,
        }
    }
}

#[derive(Debug)]
struct OwnedHeaders(Vec<(String, Option<Vec<u8>>)>);

impl Headers for OwnedHeaders {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn at(&self, index: usize) -> Option<Header<'_>> {
        let (name, value) = self.0.get(index)?;
        Some(Header { name, value: value.as_deref() })
    }
}
