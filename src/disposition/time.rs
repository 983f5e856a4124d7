//! Which time of a hit counts: for limits, for lateness, for schedules.
//!
//! The rule's `timestamp_override` names the field that counts as the event's time. Where that
//! field is missing, `@timestamp` stands in; a missing `event.ingested` is the record's own time
//! stamp, because that is when the event came into the stream. Lines of a file have no time stamp:
//! an old event in an old file is late.

use crate::event::{Event, time_of};
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
/// names one and not the moment of arrival, else the record's, else that of arrival.
#[must_use]
pub fn limit_time(rule: &Rule, event: &Event<'_>, record: &Record<'_>) -> Timestamp {
    let overridden = overridden(rule, event, record);
    match rule.timestamp_override.as_deref() {
        None | Some(INGESTED) => overridden.unwrap_or_else(|| record_time(record)),
        Some(_) => overridden.or(event.time).unwrap_or_else(|| record_time(record)),
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
    let found = event.first_named(field).and_then(time_of);
    match found {
        None if field == INGESTED => record.timestamp,
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::disposition::tests::{event, record, rules};
    use crate::event::Arena;

    /// The times of an event under a rule with this override: the event's own, and the limit's.
    fn check(field: &str, json: &serde_json::Value, timestamp: Option<i64>, times: (i64, i64)) {
        let lines = match field {
            "" => String::new(),
            field => format!("timestamp_override = {field:?}\n"),
        };
        let (rules, arena) = (rules(&lines), Arena::new());
        let (rule, event) = (&rules.rules()[0], event(&arena, json));
        let record = Record {
            timestamp: timestamp.map(Timestamp::from_millis),
            received: Timestamp::from_millis(9),
            ..record(b"{}")
        };
        let found = (event_time(rule, &event, &record), limit_time(rule, &event, &record));
        let millis = (found.0.as_millis(), found.1.as_millis());
        assert_eq!(millis, times, "{field} {json} {timestamp:?}");
    }

    #[test]
    fn the_overriding_field_counts_then_the_event_then_the_record() {
        let own = json!({"@timestamp": "1970-01-01T00:00:00.005Z"});
        let both = json!({"@timestamp": "1970-01-01T00:00:00.005Z", "event": {"created": "1970-01-01T00:00:00.003Z", "ingested": 4}});
        check("", &own, Some(7), (5, 7));
        check("", &own, None, (5, 9));
        check("", &json!({}), Some(7), (7, 7));
        check("", &json!({}), None, (9, 9));
        check("event.created", &both, Some(7), (3, 3));
        check("event.created", &own, Some(7), (5, 5));
        check("event.created", &json!({}), Some(7), (7, 7));
        check("event.ingested", &both, Some(7), (4, 4));
        check("event.ingested", &own, Some(7), (7, 7));
        check("event.ingested", &own, None, (5, 9));
        check("event.ingested", &json!({}), None, (9, 9));
    }

    #[test]
    fn lateness_begins_past_the_look_back() {
        let rules = rules("from = \"now-6m\"\n");
        let check = |judged: i64, late: bool| {
            let (event, judged) = (Timestamp::from_millis(0), Timestamp::from_millis(judged));
            assert_eq!(is_late(&rules.rules()[0], event, judged), late, "{judged:?}");
        };
        check(360_000, false);
        check(360_001, true);
        check(-1, false);
    }
}
