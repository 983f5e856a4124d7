//! Which time of a hit counts: for limits, for lateness, for schedules.
//!
//! The rule's `timestamp_override` names the field that counts as the event's time. Where that
//! field is missing, `@timestamp` stands in; a missing `event.ingested` is the record's own time
//! stamp, because that is when the event came into the stream.

use crate::event::{Event, FieldPath, time_of};
use crate::record::{Record, Timestamp};
use crate::rule::Rule;

/// The field that Elastic's ingest pipelines set to the moment of arrival.
const INGESTED: &str = "event.ingested";

/// The time that counts as the event's own under the rule's `timestamp_override`; the time of
/// arrival where neither the event nor the record has one.
#[must_use]
pub fn event_time(rule: &Rule, event: &Event<'_>, record: &Record<'_>) -> Timestamp {
    overridden(rule, event, record).or(event.time).unwrap_or_else(|| record_time(record))
}

/// The time whose window of the limit the hit falls into: the overriding field's where the rule
/// names one, else the record's, else that of arrival.
#[must_use]
pub fn limit_time(rule: &Rule, event: &Event<'_>, record: &Record<'_>) -> Timestamp {
    match rule.timestamp_override {
        Some(_) => event_time(rule, event, record),
        None => record_time(record),
    }
}

/// The record's time stamp, else the time of its arrival.
#[must_use]
pub fn record_time(record: &Record<'_>) -> Timestamp {
    record.timestamp.unwrap_or(record.received)
}

/// Whether the event is older than the rule's look-back at the time it is judged.
#[must_use]
pub fn is_late(rule: &Rule, event_time: Timestamp, judged: Timestamp) -> bool {
    judged.millis_since(event_time) > rule.look_back_ms
}

fn overridden(rule: &Rule, event: &Event<'_>, record: &Record<'_>) -> Option<Timestamp> {
    let field = rule.timestamp_override.as_deref()?;
    let found = event.first(&FieldPath::new(field)).and_then(time_of);
    match found {
        None if field == INGESTED => Some(record_time(record)),
        found => found,
    }
}
