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
use super::{Arena, DecodeFault, Event, okta, scan, time, tree};
use crate::limits::{EVENTS_PER_RECORD_MAX, WRAPPER_DEPTH_MAX};
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
}

/// Where an object stands: in which wrappers, and what is to become of it when nobody knows it.
#[derive(Clone, Copy)]
struct Context<'s> {
    wrappers: usize,
    /// The outermost wrapper's shape.
    shape: Option<Shape>,
    /// What survives of the wrappers, the inner ones first.
    envelope: &'s [Member<'s>],
    unknown: Unknown,
}

/// What becomes of an object that holds no Okta event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// It is an event as it stands.
    Stands,
    /// It is refused, so that what it stands in is judged instead.
    Refused,
}

/// A value with its JSON text, where that is known.
type Piece<'s> = (Value<'s>, Option<&'s str>);

/// The text of an object, found only when it is asked for.
#[derive(Clone, Copy)]
enum Text<'a, 's> {
    Whole(Option<&'s str>),
    Within(&'a Self, &'static [&'static str]),
}

impl<'s> Text<'_, 's> {
    fn find(self) -> Option<&'s str> {
        match self {
            Self::Whole(text) => text,
            Self::Within(outer, path) => {
                path.iter().try_fold(outer.find()?, |text, name| scan::member(text, name))
            }
        }
    }
}

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
            reader,
        }
    }

    /// Finds the events in the values of a record.
    pub(super) fn record(&mut self, values: &[(Value<'s>, &'s str)]) {
        let pieces = self.pieces(values);
        let said = pieces.iter().filter(|(value, _)| *value != Value::Null).copied();
        let said: ArenaVec<'s, Piece<'s>> = said.collect_in(self.reader.arena);
        self.nulls = pieces.len() - said.len();
        let context = Context { wrappers: 0, shape: None, envelope: &[], unknown: Unknown::Stands };
        self.all(&said, context);
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

    /// The events in all of `pieces`; false where there are none and unknown objects are refused.
    fn all(&mut self, pieces: &[Piece<'s>], context: Context<'s>) -> bool {
        let mark = self.mark();
        let found = self.count(pieces, context);
        if context.unknown == Unknown::Stands || found == pieces.len() {
            return true;
        }
        self.go_back(mark);
        if found == 0 {
            return false;
        }
        // Okta events among others: the others are events as well.
        self.count(pieces, Context { unknown: Unknown::Stands, ..context });
        true
    }

    fn count(&mut self, pieces: &[Piece<'s>], context: Context<'s>) -> usize {
        let mut found = 0;
        for piece in pieces {
            if self.fault == Some(DecodeFault::TooManyEvents) {
                return pieces.len();
            }
            found += usize::from(self.one(*piece, context));
        }
        found
    }

    fn one(&mut self, (value, text): Piece<'s>, context: Context<'s>) -> bool {
        match (value, context.unknown) {
            (Value::Object(members), _) => self.object(members, Text::Whole(text), context),
            (_, Unknown::Refused) => false,
            (_, Unknown::Stands) => {
                self.fail(DecodeFault::NotAnObject);
                true
            }
        }
    }

    fn object(
        &mut self,
        members: &'s [Member<'s>],
        text: Text<'_, 's>,
        context: Context<'s>,
    ) -> bool {
        let kind = recognise::kind(members, self.topic);
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
            Kind::Unknown if context.unknown == Unknown::Refused => return false,
            Kind::Unknown => self.emit(members, self.additions, Shape::Other, text, context),
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
        if self.events.len() >= EVENTS_PER_RECORD_MAX {
            self.fail(DecodeFault::TooManyEvents);
            return;
        }
        let arena = self.reader.arena;
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
        self.open_value(value, &inner)
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
                each.fold(false, |found, item| self.open_value(*item, inner) | found)
            }
            Value::Array(items) => {
                let page = self.page(items, inner.text());
                let context = inner.context(self.reader.arena);
                !page.is_empty() && self.all(&page, context)
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
        let found = !pieces.is_empty() && self.all(&pieces, context);
        let is_okta = self.topic == Topic::Okta || recognise::claims_okta(inner.members);
        match values.fault {
            Some(fault) if found || is_okta => {
                self.fail(fault);
                true
            }
            _ => found,
        }
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

/// A wrapper that is being looked into.
struct Inner<'a, 's> {
    wrapper: &'a Wrapper,
    members: &'s [Member<'s>],
    text: Text<'a, 's>,
    context: Context<'s>,
}

impl<'s> Inner<'_, 's> {
    fn context(&self, arena: &'s Arena) -> Context<'s> {
        let shape = (self.wrapper.shape)(self.members);
        let is_delivery = shape == Shape::EventHook && recognise::is_event_hook(self.members);
        Context {
            wrappers: self.context.wrappers + 1,
            shape: self.context.shape.or(Some(shape)),
            envelope: tree::overlay(arena, self.surviving(arena, shape), self.context.envelope),
            // What an event hook delivers is Okta's, known or not.
            unknown: if is_delivery { Unknown::Stands } else { Unknown::Refused },
        }
    }

    /// What the wrapper itself adds to the event.
    fn surviving(&self, arena: &'s Arena, shape: Shape) -> &'s [Member<'s>] {
        let members = self.members.iter().filter(|m| recognise::survives(m, self.wrapper, shape));
        let members = members.map(|member| match (member.name, member.value) {
            ("event", Value::Object(inner)) => {
                let inner = inner.iter().filter(|member| member.name != "original").copied();
                let inner: ArenaVec<'s, Member<'s>> = inner.collect_in(arena);
                Member { name: member.name, value: Value::Object(inner.into_bump_slice()) }
            }
            _ => *member,
        });
        let members: ArenaVec<'s, Member<'s>> = members.collect_in(arena);
        members.into_bump_slice()
    }

    /// The text of what is wrapped. Filebeat keeps the event's own beside the object it made.
    fn text(&self) -> Text<'_, 's> {
        match (self.wrapper.path, at(self.members, &["event", "original"])) {
            (["json"], Some(Value::Text(original))) => Text::Whole(Some(original)),
            (path, _) => Text::Within(&self.text, path),
        }
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
