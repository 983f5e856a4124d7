//! What the tests of this module share: decoding into values that are easy to compare.

use serde_json::Value as Json;

use super::{
    DecodeFault, Decoded, Event, Member, Scratch, Shape, SkipReason, TopicProfile, Value, decode,
};
use crate::record::{NoHeaders, Position, Record, Timestamp};

/// The time at which every record of these tests was written: 2026-02-03T04:05:06.789Z.
pub(super) const WRITTEN: Timestamp = Timestamp::from_millis(1_770_091_506_789);

pub(super) fn record(payload: Option<&[u8]>) -> Record<'_> {
    Record {
        payload,
        key: None,
        headers: &NoHeaders,
        position: Position { topic: "okta", partition: 0, offset: 0 },
        timestamp: Some(WRITTEN),
        received: WRITTEN,
    }
}

/// One event, owned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) fields: Json,
    pub(super) shape: Shape,
    pub(super) uuid: Option<String>,
    pub(super) time: Option<Timestamp>,
    pub(super) original: Option<String>,
}

impl Found {
    fn of(event: &Event<'_>) -> Self {
        Self {
            fields: json(Value::Object(event.fields)),
            shape: event.shape,
            uuid: event.okta_uuid.map(str::to_owned),
            time: event.time,
            original: event.original.map(str::to_owned),
        }
    }

    /// What stands at a dotted path.
    pub(super) fn at(&self, path: &str) -> &Json {
        path.split('.').fold(&self.fields, |value, name| &value[name])
    }
}

/// What decoding a payload came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) events: Vec<Found>,
    pub(super) fault: Option<DecodeFault>,
    pub(super) skipped: Option<SkipReason>,
}

pub(super) fn outcome(payload: impl AsRef<[u8]>) -> Outcome {
    outcome_with(payload, &TopicProfile::default())
}

pub(super) fn outcome_with(payload: impl AsRef<[u8]>, profile: &TopicProfile) -> Outcome {
    let mut scratch = Scratch::default();
    owned(&decode(&record(Some(payload.as_ref())), profile, &mut scratch))
}

pub(super) fn owned(decoded: &Decoded<'_>) -> Outcome {
    for (index, event) in (0..).zip(decoded.events) {
        assert_eq!(event.index, index, "events are numbered");
        assert_canonical(Value::Object(event.fields));
    }
    let is_explained = !decoded.events.is_empty() || decoded.fault.is_some();
    assert!(is_explained != decoded.skipped.is_some(), "{:?}", decoded.skipped);
    Outcome {
        events: decoded.events.iter().map(Found::of).collect(),
        fault: decoded.fault,
        skipped: decoded.skipped,
    }
}

/// The one event of a payload.
pub(super) fn event(payload: impl AsRef<[u8]>) -> Found {
    let outcome = outcome(payload);
    assert_eq!((outcome.fault, outcome.events.len()), (None, 1), "{outcome:?}");
    outcome.events.into_iter().next().expect("there is one event")
}

/// Names are unique and not dotted, everywhere.
fn assert_canonical(value: Value<'_>) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&str> = members.iter().map(|member| member.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
            assert!(names.iter().all(|name| !name.contains('.')), "{names:?}");
            members.iter().for_each(|Member { value, .. }| assert_canonical(*value));
        }
        Value::Array(items) => items.iter().for_each(|item| assert_canonical(*item)),
        _ => {}
    }
}

pub(super) fn json(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Uint(value) => value.into(),
        Value::Float(value) => value.into(),
        Value::Text(value) => value.into(),
        Value::Array(items) => items.iter().map(|item| json(*item)).collect(),
        Value::Object(members) => Json::Object(
            members.iter().map(|member| (member.name.to_owned(), json(member.value))).collect(),
        ),
    }
}
