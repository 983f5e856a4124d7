//! What a wrapper passes on to the event in it: its place, its text, and what it says in ECS.

use bumpalo::collections::{CollectIn, Vec as ArenaVec};

use super::recognise::{self, Topic, Wrapper};
use super::shape::Shape;
use super::value::{Member, Value, at};
use super::{Arena, scan, tree};

/// Where an object stands: in which wrappers, and what they say of it.
#[derive(Clone, Copy)]
pub(super) struct Context<'s> {
    /// How many wrappers there are around the object.
    pub(super) wrappers: usize,
    /// The outermost wrapper's shape.
    pub(super) shape: Option<Shape>,
    /// What survives of the wrappers, the inner ones first.
    pub(super) envelope: &'s [Member<'s>],
    /// Whether the topic or a wrapper says that the object is Okta's.
    pub(super) topic: Topic,
}

/// The text of an object, found only when it is asked for.
#[derive(Clone, Copy)]
pub(super) enum Text<'a, 's> {
    /// The text itself, where it is known.
    Whole(Option<&'s str>),
    /// The text of a member of the object that has this text.
    Within(&'a Self, &'static [&'static str]),
}

impl<'s> Text<'_, 's> {
    pub(super) fn find(self) -> Option<&'s str> {
        match self {
            Self::Whole(text) => text,
            Self::Within(outer, path) => {
                path.iter().try_fold(outer.find()?, |text, name| scan::member(text, name))
            }
        }
    }
}

/// A wrapper that is being looked into.
pub(super) struct Inner<'a, 's> {
    pub(super) wrapper: &'a Wrapper,
    pub(super) members: &'s [Member<'s>],
    pub(super) text: Text<'a, 's>,
    /// Where the wrapper itself stands.
    pub(super) context: Context<'s>,
}

impl<'s> Inner<'_, 's> {
    /// Where that stands which is wrapped.
    pub(super) fn context(&self, arena: &'s Arena) -> Context<'s> {
        let shape = (self.wrapper.shape)(self.members);
        Context {
            wrappers: self.context.wrappers + 1,
            shape: self.context.shape.or(Some(shape)),
            envelope: tree::overlay(arena, self.surviving(arena, shape), self.context.envelope),
            topic: self.topic(),
        }
    }

    /// Whether what is wrapped is said to be Okta's.
    pub(super) fn topic(&self) -> Topic {
        if recognise::claims_okta(self.members) { Topic::Okta } else { self.context.topic }
    }

    /// Whether this is an event hook's delivery: what it holds is an event, known or not.
    pub(super) fn is_delivery(&self) -> bool {
        (self.wrapper.shape)(self.members) == Shape::EventHook
            && recognise::is_event_hook(self.members)
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
    pub(super) fn text(&self) -> Text<'_, 's> {
        match (self.wrapper.path, at(self.members, &["event", "original"])) {
            (["json"], Some(Value::Text(original))) => Text::Whole(Some(original)),
            (path, _) => Text::Within(&self.text, path),
        }
    }
}
