//! Alert → bytes.
//!
//! One pass over the event's tree into one buffer. `@timestamp`, the event's fields and `ouzel`
//! are nested objects, every `kibana.*` field is one flat key; no path occurs both ways, because
//! members of the event that are named `kibana` or `ouzel` are left out: nobody but this program
//! may say what stands there.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::build::{AlertEncoder, AlertInput, Resolved};
use super::facts::Truth;
use super::json::Json;
use super::origin::Origin;
use super::rule_part::RulePart;
use crate::disposition::{ClosedGroup, Term};
use crate::event::{Arena, Event, Member, Value};
use crate::limits::REDUCED_TEXT_BYTES_MAX;
use crate::record::{Record, Timestamp};

/// How much of an alert is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything.
    Whole,
    /// Without the event's fields and the rule's long texts.
    Reduced,
    /// Everything of an update but what is known when its suppression window closes: the object
    /// stays open for it.
    Draft,
}

/// Members of an event's root that the alert says itself.
const OWN_ROOTS: [&str; 4] = ["@timestamp", "event", "kibana", "ouzel"];

/// The value of an alert's record.
pub(super) fn alert(
    encoder: &AlertEncoder,
    id: &str,
    input: &AlertInput<'_>,
    resolved: &Resolved<'_>,
    extent: Extent,
) -> Vec<u8> {
    let payload = input.record.payload.unwrap_or_default();
    let mut json = Json::with_capacity(resolved.part.whole.len() + 2 * payload.len() + 2048);
    let origin = Origin::of(input.event);
    let writer = Writer { encoder, id, input, resolved, extent, origin };
    json.open_object();
    json.time_member("@timestamp", input.judged);
    writer.event_fields(&mut json);
    writer.kibana(&mut json);
    writer.rule(&mut json);
    writer.ouzel(&mut json);
    if extent != Extent::Draft {
        writer.suppression(&mut json);
        json.close_object();
    }
    json.into_bytes()
}

/// The whole value of an update: the draft, closed with what its group counted.
pub(super) fn update(group: &ClosedGroup, now: Timestamp) -> Vec<u8> {
    let mut json = Json::from_bytes(group.draft.value.clone());
    json.time_member("kibana.alert.last_detected", now);
    suppressed(&mut json, &group.terms, (group.start, group.end), group.count);
    json.close_object();
    json.into_bytes()
}

/// `kibana.alert.suppression.*`.
fn suppressed(json: &mut Json, terms: &[Term], (start, end): (Timestamp, Timestamp), count: u64) {
    json.key("kibana.alert.suppression.terms");
    json.open_array();
    for term in terms {
        json.open_object();
        json.text_member("field", &term.field);
        json.key("value");
        json.tree(&term.value);
        json.close_object();
    }
    json.close_array();
    json.time_member("kibana.alert.suppression.start", start);
    json.time_member("kibana.alert.suppression.end", end);
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    json.integer_member("kibana.alert.suppression.docs_count", count);
}

struct Writer<'a> {
    encoder: &'a AlertEncoder,
    id: &'a str,
    input: &'a AlertInput<'a>,
    resolved: &'a Resolved<'a>,
    extent: Extent,
    origin: Origin<'a>,
}

impl Writer<'_> {
    fn is_whole(&self) -> bool {
        self.extent != Extent::Reduced
    }

    /// What only revision 0 says, so that an upsert never undoes an analyst's work.
    fn first_revision(&self, json: &mut Json) {
        json.members(
            b"\"kibana.alert.status\":\"active\",\"kibana.alert.workflow_status\":\"open\",\
              \"kibana.alert.workflow_tags\":[],\"kibana.alert.workflow_assignee_ids\":[]",
        );
        json.time_member("kibana.alert.last_detected", self.input.judged);
    }

    /// The suppression group that the alert's hit has opened.
    fn suppression(&self, json: &mut Json) {
        if let Some(group) = &self.input.decision.group {
            suppressed(json, &group.terms, (group.start, group.start), 0);
        }
    }

    /// The event's own fields, and `event` with the kind of an alert.
    fn event_fields(&self, json: &mut Json) {
        let event = self.input.event;
        if self.is_whole() {
            for member in event.fields.iter().filter(|member| !OWN_ROOTS.contains(&member.name)) {
                json.further_member(member, self.origin);
            }
        }
        json.key("event");
        json.open_object();
        json.text_member("kind", self.encoder.event_kind());
        if self.is_whole() {
            self.event_object(json);
        }
        json.close_object();
    }

    fn event_object(&self, json: &mut Json) {
        with_event_members(self.input.event, |members| {
            for member in members.iter().filter(|m| !matches!(m.name, "kind" | "original")) {
                json.further_member(member, self.origin);
            }
            if !self.encoder.options().include_original {
                return;
            }
            let own = members.iter().find(|member| member.name == "original");
            match (self.input.event.original, own) {
                (Some(text), _) => json.text_member("original", text),
                (None, Some(own)) => {
                    json.key("original");
                    json.value(own.value);
                }
                (None, None) => {}
            }
        });
    }

    fn kibana(&self, json: &mut Json) {
        let (input, resolved) = (self.input, self.resolved);
        json.plain_member("kibana.alert.uuid", self.id);
        if self.extent != Extent::Draft {
            self.first_revision(json);
        }
        if let Some(time) = input.event.time {
            json.time_member("kibana.alert.original_time", time);
        }
        json.time_member("kibana.alert.start", input.judged);
        json.time_member("kibana.alert.intended_timestamp", input.judged);
        json.plain_member("kibana.alert.severity", resolved.severity.name());
        json.key("kibana.alert.risk_score");
        json.value(resolved.risk_score);
        json.text_member("kibana.alert.reason", &self.reason());
        json.integer_member("kibana.alert.depth", 1);
        self.ancestors(json);
        if let Some(kind) = &resolved.rule.building_block_type {
            json.text_member("kibana.alert.building_block_type", kind);
        }
        if self.is_whole() {
            self.originals(json);
        }
    }

    fn reason(&self) -> String {
        let (severity, name) = (self.resolved.severity.name(), self.resolved.name);
        match self.extent {
            Extent::Whole | Extent::Draft => {
                self.encoder.reason().of(self.input.event, severity, name)
            }
            Extent::Reduced => super::reason::Reason::without_event(severity, name),
        }
    }

    fn ancestors(&self, json: &mut Json) {
        let topic = self.input.record.position.topic;
        json.key("kibana.alert.ancestors");
        json.open_array();
        json.open_object();
        let event = self.input.event;
        let id = event.text(self.encoder.event_id()).or(event.okta_uuid);
        if let Some(id) = id.filter(|id| self.is_whole() || id.len() <= REDUCED_TEXT_BYTES_MAX) {
            json.key("id");
            json.value_of(Value::Text(id), self.origin);
        }
        json.plain_member("type", "event");
        let index = self.encoder.options().index_of_topic.get(topic);
        json.text_member("index", index.map_or(topic, String::as_str));
        json.integer_member("depth", 0);
        json.close_object();
        json.close_array();
    }

    /// `kibana.alert.original_event.*` and `kibana.alert.original_data_stream.*`: what the event
    /// said where the alert's own values, or an index that the alert goes to, say otherwise.
    fn originals(&self, json: &mut Json) {
        let event = self.input.event;
        with_event_members(event, |members| {
            for member in members.iter().filter(|member| member.name != "original") {
                self.original(json, member);
            }
        });
        let stream = event.fields.iter().find(|member| member.name == "data_stream");
        if let Some(Value::Object(members)) = stream.map(|member| member.value) {
            for member in members
                .iter()
                .filter(|member| matches!(member.name, "type" | "dataset" | "namespace"))
            {
                json.key_behind("kibana.alert.original_data_stream.", member.name, self.origin);
                json.value_of(member.value, self.origin);
            }
        }
    }

    fn original(&self, json: &mut Json, member: &Member<'_>) {
        const PREFIX: &str = "kibana.alert.original_event.";
        if let Value::Object(_) = member.value {
            return self.flat(json, PREFIX, member);
        }
        json.key_behind(PREFIX, member.name, self.origin);
        json.value_of(member.value, self.origin);
    }

    /// A member under flat keys: objects are opened, everything else stands as it is.
    fn flat(&self, json: &mut Json, prefix: &str, member: &Member<'_>) {
        match member.value {
            Value::Object(members) => {
                let prefix = format!("{prefix}{}.", member.name);
                members.iter().for_each(|member| self.flat(json, &prefix, member));
            }
            other => {
                json.key_of(prefix, member.name);
                json.value_of(other, self.origin);
            }
        }
    }

    fn rule(&self, json: &mut Json) {
        json.text_member("kibana.alert.rule.name", self.resolved.name);
        let part: &RulePart = self.resolved.part;
        json.members(if self.is_whole() { &part.whole } else { &part.reduced });
        let execution = self.encoder.execution(self.input.record);
        let mut text = uuid::Uuid::encode_buffer();
        let text = execution.encode_lower(&mut text);
        json.plain_member("kibana.alert.rule.execution.uuid", text);
    }

    fn ouzel(&self, json: &mut Json) {
        json.key("ouzel");
        json.open_object();
        self.source(json);
        payload(json, self.input.record);
        json.members(self.resolved.judge);
        if self.is_whole() {
            self.matched(json);
        }
        json.integer_member("revision", i64::from(self.extent == Extent::Draft));
        json.key("late");
        json.value(Value::Bool(self.resolved.is_late));
        if self.resolved.is_marked_over_limit {
            json.yes_member("over_limit");
        }
        if !self.is_whole() {
            json.yes_member("reduced");
        }
        if let Some(hidden) = &self.input.decision.exception {
            json.key("exception");
            json.open_object();
            json.text_member("id", &hidden.id);
            json.close_object();
        }
        self.facts(json);
        self.timing(json);
        json.close_object();
    }

    fn source(&self, json: &mut Json) {
        let record = self.input.record;
        json.key("source");
        json.open_object();
        json.text_member("cluster", &self.encoder.options().cluster);
        json.text_member("topic", record.position.topic);
        json.integer_member("partition", record.position.partition.into());
        json.integer_member("offset", record.position.offset);
        if let Some(time) = record.timestamp {
            json.time_member("timestamp", time);
        }
        let fits = |key: &&[u8]| self.is_whole() || key.len() <= REDUCED_TEXT_BYTES_MAX;
        if let Some(key) = record.key.filter(fits) {
            text_or_base64(json, "key", key);
        }
        json.integer_member("event_index", self.input.event.index.into());
        json.close_object();
    }

    fn matched(&self, json: &mut Json) {
        json.key("match");
        json.open_array();
        let arena = Arena::new();
        for held in self.resolved.program.held(self.input.event, self.input.judged, &arena) {
            json.open_object();
            json.text_member("clause", held.clause);
            if let Some(field) = held.field {
                json.text_member("field", field);
            }
            if let Some(value) = held.value {
                json.key("value");
                json.value_of(value, self.origin);
            }
            json.close_object();
        }
        json.close_array();
    }

    fn facts(&self, json: &mut Json) {
        let about = self.encoder.facts().about(self.input.event);
        if let Some(truth) = about.actor_is_target {
            json.key("actor_is_target");
            json.value(Value::Bool(truth == Truth::Yes));
        }
        if let Some(channel) = about.channel {
            json.plain_member("channel", channel);
        }
    }

    fn timing(&self, json: &mut Json) {
        json.key("timing");
        json.open_object();
        if let Some(time) = self.input.event.time {
            json.time_member("event", time);
        }
        if let Some(time) = self.input.record.timestamp {
            json.time_member("record", time);
        }
        json.time_member("judged", self.input.judged);
        json.close_object();
    }
}

/// `payload`: hash and size of the record's exact bytes.
pub(super) fn payload(json: &mut Json, record: &Record<'_>) {
    let payload = record.payload.unwrap_or_default();
    json.key("payload");
    json.open_object();
    json.plain_member("sha256", super::build::hex_sha256(payload).as_str());
    json.integer_member("bytes", i64::try_from(payload.len()).unwrap_or(i64::MAX));
    json.close_object();
}

/// The bytes under `name` where they are text, else under `name` with `_base64` at its end.
pub(super) fn text_or_base64(json: &mut Json, name: &'static str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => json.text_member(name, text),
        Err(_) => {
            json.key_of(name, "_base64");
            json.text(&BASE64.encode(bytes));
        }
    }
}

/// Hands the members of the event's `event` object to `use_members`. A document that said `event`
/// twice holds an array there; its objects are then read as one, and a member that occurs in
/// several of them holds all values.
fn with_event_members(event: &Event<'_>, use_members: impl FnOnce(&[Member<'_>])) {
    let found = event.fields.iter().find(|member| member.name == "event");
    match found.map(|member| member.value) {
        Some(Value::Object(members)) => use_members(members),
        Some(Value::Array(items)) => {
            let mut gathered = Gathered::default();
            gathered.add(items);
            let members: Vec<Member<'_>> =
                gathered.members.iter().map(|(name, values)| joined(name, values)).collect();
            use_members(&members);
        }
        _ => use_members(&[]),
    }
}

/// Members of several objects, in the order of their first occurrence.
#[derive(Default)]
struct Gathered<'s> {
    places: HashMap<&'s str, usize>,
    members: Vec<(&'s str, Vec<Value<'s>>)>,
}

impl<'s> Gathered<'s> {
    fn add(&mut self, items: &'s [Value<'s>]) {
        for item in items {
            match item {
                Value::Array(items) => self.add(items),
                Value::Object(members) => members.iter().for_each(|member| self.add_one(member)),
                _ => {}
            }
        }
    }

    fn add_one(&mut self, member: &Member<'s>) {
        let place = *self.places.entry(member.name).or_insert_with(|| {
            self.members.push((member.name, Vec::new()));
            self.members.len() - 1
        });
        if let Some((_, values)) = self.members.get_mut(place) {
            values.push(member.value);
        }
    }
}

fn joined<'v>(name: &'v str, values: &'v [Value<'v>]) -> Member<'v> {
    match values {
        [only] => Member { name, value: *only },
        several => Member { name, value: Value::Array(several) },
    }
}
