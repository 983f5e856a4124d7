//! Which shape a record has, and where its events are.
//!
//! ```text
//! value ─┬─ page ─▶ each element
//!        └─ object ─┬─ an Okta event, raw or ECS ─▶ an event
//!                   ├─ a wrapper ─▶ what it wraps: an object, a page, or JSON in a text ─▶ value
//!                   └─ anything else ─▶ an event as it stands
//! ```
//!
//! A wrapper counts as one only where an Okta event is found in it; otherwise it is an object like
//! any other and judged as it stands. What the wrapper says of the event's way here (`agent`,
//! `tags`, `labels`, …) becomes part of the event. No event is dropped in silence: what a wrapper
//! claims to be Okta's and cannot be read is a fault, as is wrapping beyond the limit.

use bumpalo::collections::{CollectIn, Vec as ArenaVec};

use super::decode::{Reader, SkipReason, TopicProfile};
use super::recognise::{self, Kind, Topic, WRAPPERS, Wrapper};
use super::shape::Shape;
use super::value::{Member, Value, at, member};
use super::wrapping::{Context, Inner, Text};
use super::{Arena, DecodeFault, Event, okta, scan, time, tree};
use crate::limits::{EVENTS_BYTES_MAX, EVENTS_PER_RECORD_MAX, WRAPPER_DEPTH_MAX};
use crate::record::Timestamp;

/// Finds the events of one record.
pub(super) struct Finder<'p, 's> {
    reader: Reader<'p, 's>,
    topic: Topic,
    /// When the record was written: for events that do not say when they happened.
    written: Option<Timestamp>,
    /// What every event of the topic gets, and what every Okta event gets.
    additions: &'s [Member<'s>],
    okta_additions: &'s [Member<'s>],
    events: ArenaVec<'s, Event<'s>>,
    fault: Option<DecodeFault>,
    tokens: usize,
    nulls: usize,
    /// The arena's size before any event was made.
    bytes_before: usize,
}

/// A value with its JSON text, where that is known.
type Piece<'s> = (Value<'s>, Option<&'s str>);

/// How far a [`Finder`] had come, to go back to.
struct Mark {
    events: usize,
    fault: Option<DecodeFault>,
    tokens: usize,
}

impl<'p, 's> Finder<'p, 's> {
    pub(super) fn new(
        reader: Reader<'p, 's>,
        profile: &TopicProfile,
        written: Option<Timestamp>,
    ) -> Self {
        let arena = reader.arena;
        let labels = labels(arena, profile);
        let okta_additions = tree::overlay(arena, labels, okta::CONSTANTS);
        Self {
            topic: if profile.okta { Topic::Okta } else { Topic::Any },
            written,
            additions: if profile.okta { okta_additions } else { labels },
            okta_additions,
            events: ArenaVec::new_in(arena),
            fault: None,
            tokens: 0,
            nulls: 0,
            bytes_before: arena.allocated_bytes(),
            reader,
        }
    }

    /// Finds the events in the values of a record.
    pub(super) fn record(&mut self, values: &[(Value<'s>, &'s str)]) {
        let said = values.iter().filter(|(value, _)| *value != Value::Null).copied();
        let said: ArenaVec<'s, (Value<'s>, &'s str)> = said.collect_in(self.reader.arena);
        self.nulls = values.len() - said.len();
        let pieces = self.pieces(&said);
        let context = Context { wrappers: 0, shape: None, envelope: &[], topic: self.topic };
        self.all(&pieces, context);
    }

    /// The events, what went wrong, and why there are none where there are none.
    pub(super) fn finish(self) -> (&'s [Event<'s>], Option<DecodeFault>, Option<SkipReason>) {
        let reason = match (self.tokens, self.nulls) {
            (0, 0) => SkipReason::Empty,
            (0, _) => SkipReason::Tombstone,
            _ => SkipReason::NotAnEvent,
        };
        let skipped = (self.events.is_empty() && self.fault.is_none()).then_some(reason);
        (self.events.into_bump_slice(), self.fault, skipped)
    }

    /// The values of a text one by one, pages taken apart.
    fn pieces(&self, values: &[(Value<'s>, &'s str)]) -> ArenaVec<'s, Piece<'s>> {
        let mut pieces = ArenaVec::with_capacity_in(values.len(), self.reader.arena);
        for (value, text) in values {
            match value {
                Value::Array(items) => pieces.extend(self.page(items, Text::Whole(Some(text)))),
                value => pieces.push((*value, Some(*text))),
            }
        }
        pieces
    }

    fn page(&self, items: &[Value<'s>], text: Text<'_, 's>) -> ArenaVec<'s, Piece<'s>> {
        let mut texts = text.find().map(scan::elements);
        let with_text = items.iter().map(|item| (*item, texts.as_mut().and_then(Iterator::next)));
        with_text.collect_in(self.reader.arena)
    }

    /// The events in all of `pieces`; whether one of them is Okta's.
    fn all(&mut self, pieces: &[Piece<'s>], context: Context<'s>) -> bool {
        let mut is_okta = false;
        for (value, text) in pieces {
            if self.is_full() {
                break;
            }
            match value {
                Value::Object(members) => {
                    is_okta |= self.object(members, Text::Whole(*text), context);
                }
                _ => self.fail(DecodeFault::NotAnObject),
            }
        }
        is_okta
    }

    /// The events in an object; whether one of them is Okta's. An object that holds no event is one
    /// itself: who called takes that back where it is judged as a part of something else.
    fn object(
        &mut self,
        members: &'s [Member<'s>],
        text: Text<'_, 's>,
        context: Context<'s>,
    ) -> bool {
        let kind = recognise::kind(members, context.topic);
        if kind != Kind::Unknown && context.wrappers > WRAPPER_DEPTH_MAX {
            self.fail(DecodeFault::TooDeep);
            return true;
        }
        match kind {
            Kind::Raw(shape) => self.raw(members, shape, text, context),
            Kind::Ecs(shape) => self.emit(members, self.okta_additions, shape, text, context),
            Kind::Token => self.tokens += 1,
            Kind::Unknown if self.open(members, text, context) => {}
            Kind::Unknown if recognise::is_event_hook(members) => self.tokens += 1,
            Kind::Unknown => {
                self.emit(members, self.additions, Shape::Other, text, context);
                return false;
            }
        }
        true
    }

    fn raw(
        &mut self,
        members: &'s [Member<'s>],
        shape: Shape,
        text: Text<'_, 's>,
        context: Context<'s>,
    ) {
        let arena = self.reader.arena;
        let mapped = okta::to_ecs(&mut self.reader, members, self.written);
        let beside = members.iter().filter(|member| recognise::is_carried(member)).copied();
        let beside: ArenaVec<'s, Member<'s>> = beside.collect_in(arena);
        let fields = tree::overlay(arena, mapped, beside.into_bump_slice());
        self.emit(fields, self.okta_additions, shape, text, context);
    }

    fn emit(
        &mut self,
        fields: &'s [Member<'s>],
        additions: &'s [Member<'s>],
        shape: Shape,
        text: Text<'_, 's>,
        context: Context<'s>,
    ) {
        let arena = self.reader.arena;
        if self.events.len() >= EVENTS_PER_RECORD_MAX {
            return self.fail(DecodeFault::TooManyEvents);
        }
        if arena.allocated_bytes().saturating_sub(self.bytes_before) > EVENTS_BYTES_MAX {
            return self.fail(DecodeFault::TooLarge);
        }
        let fields = tree::overlay(arena, fields, context.envelope);
        let fields = tree::overlay(arena, fields, additions);
        self.events.push(Event {
            fields,
            shape: context.shape.unwrap_or(shape),
            index: u32::try_from(self.events.len()).unwrap_or(u32::MAX),
            okta_uuid: okta_uuid(fields, shape),
            time: member(fields, "@timestamp").and_then(time::of),
            original: text.find(),
        });
    }

    /// Looks for events in what the object may wrap; false where it wraps none.
    fn open(
        &mut self,
        members: &'s [Member<'s>],
        text: Text<'_, 's>,
        context: Context<'s>,
    ) -> bool {
        context.wrappers <= WRAPPER_DEPTH_MAX
            && WRAPPERS.iter().any(|wrapper| self.open_one(wrapper, members, text, context))
    }

    fn open_one(
        &mut self,
        wrapper: &Wrapper,
        members: &'s [Member<'s>],
        text: Text<'_, 's>,
        context: Context<'s>,
    ) -> bool {
        let Some(value) = at(members, wrapper.path) else { return false };
        let inner = Inner { wrapper, members, text, context };
        let mark = self.mark();
        let is_okta = self.open_value(value, &inner);
        if !is_okta {
            self.go_back(mark);
        }
        is_okta
    }

    fn open_value(&mut self, value: Value<'s>, inner: &Inner<'_, 's>) -> bool {
        match value {
            Value::Object(object) => {
                let context = inner.context(self.reader.arena);
                self.object(object, inner.text(), context)
            }
            // Texts stand side by side where the key occurs more than once.
            Value::Array(items) if items.iter().any(|item| matches!(item, Value::Text(_))) => {
                let each = items.iter();
                each.fold(false, |is_okta, item| self.open_value(*item, inner) | is_okta)
            }
            Value::Array(items) => {
                let page = self.page(items, inner.text());
                let context = inner.context(self.reader.arena);
                self.all(&page, context) || inner.is_delivery() && !page.is_empty()
            }
            Value::Text(json) => self.open_text(json, inner),
            _ => false,
        }
    }

    fn open_text(&mut self, json: &'s str, inner: &Inner<'_, 's>) -> bool {
        let json = scan::skip_blank(json);
        if !json.starts_with(['{', '[']) {
            return false;
        }
        let values = self.reader.values(json);
        let pieces = self.pieces(&values.found);
        let context = inner.context(self.reader.arena);
        let mark = self.mark();
        let is_okta = self.all(&pieces, context);
        if !is_okta {
            self.go_back(mark);
        }
        match values.fault {
            Some(fault) if is_okta || inner.topic() == Topic::Okta => {
                self.fail(fault);
                true
            }
            _ => is_okta,
        }
    }

    /// Whether the record has all the events that it may have: the rest is not looked at.
    fn is_full(&self) -> bool {
        matches!(self.fault, Some(DecodeFault::TooManyEvents | DecodeFault::TooLarge))
    }

    fn fail(&mut self, fault: DecodeFault) {
        self.fault.get_or_insert(fault);
    }

    fn mark(&self) -> Mark {
        Mark { events: self.events.len(), fault: self.fault, tokens: self.tokens }
    }

    fn go_back(&mut self, mark: Mark) {
        self.events.truncate(mark.events);
        self.fault = mark.fault;
        self.tokens = mark.tokens;
    }
}

/// The labels that a topic's configuration gives its events.
fn labels<'s>(arena: &'s Arena, profile: &TopicProfile) -> &'s [Member<'s>] {
    if profile.labels.is_empty() {
        return &[];
    }
    let labels = profile.labels.iter().map(|(name, value)| Member {
        name: arena.alloc_str(name),
        value: Value::Text(arena.alloc_str(value)),
    });
    let labels = tree::object(arena, labels.collect_in(arena));
    arena.alloc_slice_copy(&[Member { name: "labels", value: labels }])
}

/// The identity that Okta gave the event, where it gave exactly one.
fn okta_uuid<'s>(fields: &'s [Member<'s>], shape: Shape) -> Option<&'s str> {
    if shape == Shape::Other {
        return None;
    }
    let uuid = at(fields, &["okta", "uuid"]).or_else(|| at(fields, &["event", "id"]))?;
    match uuid {
        Value::Text(uuid) if !uuid.is_empty() => Some(uuid),
        _ => None,
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod envelope_tests;
