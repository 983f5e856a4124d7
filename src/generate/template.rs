//! Events that are whole but for what each has of its own.
//!
//! ```text
//! text (JSON, slots) ─ parse ─▶ layout ─ a setting fills its slots ─▶ template: bytes with blanks
//! template ─ copied as a whole, blanks filled ─▶ event
//! ```
//!
//! A blank is as wide as what is put there, so nothing of an event has to be moved.

use super::people::{Lengths, Person, Setting, Short};
use super::random::Random;

/// What an event has of its own, by the name of its slot.
const BLANKS: [&str; BLANK_KINDS] = [
    "uuid",
    "published",
    "host",
    "actor.id",
    "actor.user",
    "actor.name",
    "target.id",
    "target.user",
    "target.name",
    "word",
    "hex",
];
const BLANK_KINDS: usize = 11;

/// How wide they are, where the people have names of these lengths.
const fn widths(actor: &Lengths, target: &Lengths) -> [u32; BLANK_KINDS] {
    [36, 24, 3, 16, actor.user, actor.name, 16, target.user, target.name, 16, 64]
}

/// The values that an event has once.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) uuid: [[u8; 8]; 4],
    pub(super) published: [u8; 24],
    pub(super) host: [u8; 3],
    pub(super) actor: Person,
    pub(super) target: Person,
}

/// One event type in one shape: text, slot, text, slot, …
#[derive(Debug, Default)]
pub(super) struct Layout {
    parts: Vec<(String, Option<String>)>,
}

impl Layout {
    pub(super) fn parse(mut text: &str) -> Self {
        let mut parts = Vec::new();
        while let Some((before, rest)) = text.split_once("<%") {
            let (name, rest) = rest.split_once("%>").expect("each slot of our texts is closed");
            parts.push((before.to_owned(), Some(name.to_owned())));
            text = rest;
        }
        parts.push((text.to_owned(), None));
        Self { parts }
    }
}

/// Events of one type, from one place.
#[derive(Debug)]
pub(super) struct Template {
    /// An event with blanks.
    bytes: Vec<u8>,
    /// Where they are, by kind of blank.
    blanks: [Vec<u32>; BLANK_KINDS],
    pub(super) actor: Lengths,
    pub(super) target: Lengths,
}

impl Template {
    pub(super) fn new(layout: &Layout, setting: &Setting) -> Self {
        let widths = widths(&setting.actor, &setting.target);
        let mut bytes = Vec::with_capacity(4096);
        let mut blanks: [Vec<u32>; BLANK_KINDS] = Default::default();
        for (text, slot) in &layout.parts {
            bytes.extend_from_slice(text.as_bytes());
            let Some(slot) = slot else { continue };
            if let Some(text) = setting.text(slot) {
                bytes.extend_from_slice(text.as_bytes());
                continue;
            }
            let mut known = BLANKS.iter().zip(&mut blanks).zip(widths);
            let ((_, places), width) = known
                .find(|((name, _), _)| *name == slot)
                .expect("our texts name slots that exist: a test makes each of them");
            places.push(u32::try_from(bytes.len()).expect("an event is small"));
            bytes.extend(std::iter::repeat_n(b'-', width as usize));
        }
        Self { bytes, blanks, actor: setting.actor.clone(), target: setting.target.clone() }
    }

    /// Appends an event with these values; the rest is drawn.
    pub(super) fn append(&self, values: &Values, random: &mut Random, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        buffer.extend_from_slice(&self.bytes);
        let mut event = Event(buffer.get_mut(start..).unwrap_or_default());
        let Values { uuid, published, host, actor, target } = values;
        let [uuids, times, hosts, people @ .., words, hexes] = &self.blanks;
        uuids.iter().for_each(|at| event.put_uuid(*at, *uuid));
        times.iter().for_each(|at| event.put(*at, *published));
        hosts.iter().for_each(|at| event.put(*at, *host));
        let [actor_ids, actor_users, actor_names, target_ids, target_users, target_names] = people;
        event.put_person((actor, &self.actor), [actor_ids, actor_users, actor_names]);
        event.put_person((target, &self.target), [target_ids, target_users, target_names]);
        words.iter().for_each(|at| event.put_eights(*at, random.letters()));
        hexes.iter().for_each(|at| event.put_eights(*at, random.hex()));
    }
}

/// An event whose blanks are being filled.
struct Event<'b>(&'b mut [u8]);

impl Event<'_> {
    #[inline]
    fn room(&mut self, at: u32, width: usize) -> &mut [u8] {
        let room = self.0.get_mut(at as usize..at as usize + width);
        room.expect("a blank is as wide as its values: a test fills all of them")
    }

    #[inline]
    fn put<const N: usize>(&mut self, at: u32, bytes: [u8; N]) {
        self.room(at, N).copy_from_slice(&bytes);
    }

    #[inline]
    fn put_eights<const N: usize>(&mut self, at: u32, bytes: [[u8; 8]; N]) {
        self.room(at, 8 * N).copy_from_slice(bytes.as_flattened());
    }

    /// Its two ends: they meet or overlap.
    fn put_short(&mut self, at: u32, (text, length): (&Short, u32)) {
        self.put(at, text.head);
        self.put(at + length - 8, text.tail);
    }

    fn put_person(
        &mut self,
        (person, lengths): (&Person, &Lengths),
        [ids, users, names]: [&[u32]; 3],
    ) {
        ids.iter().for_each(|at| self.put_eights(*at, person.id));
        users.iter().for_each(|at| self.put_short(*at, (&person.user, lengths.user)));
        names.iter().for_each(|at| self.put_short(*at, (&person.name, lengths.name)));
    }

    /// The hyphens are there already.
    fn put_uuid(&mut self, at: u32, digits: [[u8; 8]; 4]) {
        let [first, second, third, last] = digits;
        let (halves, more) = (second.as_chunks::<4>().0, third.as_chunks::<4>().0);
        self.put(at, first);
        for (place, four) in [9, 14, 19, 24].into_iter().zip(halves.iter().chain(more)) {
            self.put(at + place, *four);
        }
        self.put(at + 28, last);
    }
}
