//! The JSON text that an event was read from, as what its fields are copied from.
//!
//! ```text
//! text:   …,"displayName":"Ada Lovelace","detailEntry":null,…
//!                          └──────────┘ a text of the event, or a piece of one
//! ```
//!
//! Whether a text has something to escape is asked of each of its bytes, unless the answer is known.
//! A text of an event that is a piece of the event's JSON text has neither quote nor backslash nor
//! control byte in it: the readers take a piece only where a string ends in its first quote and has
//! none of these (`event::direct`, `event::forgiving`), so what is cut out of such a piece has none
//! either. What is left are the characters that JSON lets through and an alert does not, and those
//! are looked for once in the whole text. So such a text is copied, a short one in a block of its
//! own size or more, and the quotes are written over what stood on either side.
//!
//! Texts that the mapping gave stand in cells (`event::texts`) and are copied from there. What is
//! found in neither place goes the usual way.

use super::escape::{self, write_text};
use super::sheet::{BLOCK, Sheet};
use crate::event::{Event, names, texts};

/// The JSON text of one event, where nothing in it is escaped in an alert and not there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin<'a> {
    text: &'a [u8],
}

impl<'a> Origin<'a> {
    /// The text of `event`; none where there is none in one piece.
    pub(super) fn of(event: &Event<'a>) -> Self {
        let text = event.original.unwrap_or_default().as_bytes();
        if escape::may_hide(text) { Self::default() } else { Self { text } }
    }

    /// Writes a text of the event with a quote on either side.
    #[inline]
    pub(super) fn write_text(self, sheet: &mut Sheet, text: &str) {
        let Some(around) = self.around(text) else { return write_other(sheet, text) };
        let length = text.len() + 2;
        match around.first_chunk() {
            Some(block) if length <= BLOCK => sheet.put_quoted(block, length),
            _ => put_long(sheet, text),
        }
    }

    /// Writes the name of a member with what stands `before` it, and a colon.
    #[inline]
    pub(super) fn write_name(self, sheet: &mut Sheet, before: u8, name: &str) {
        match names::cell(name) {
            Some(cell) => sheet.put_front(cell, name.len() + 4, before),
            None => self.write_other_name(sheet, before, name),
        }
    }

    /// Writes the name of a member as the end of a longer name, with the quote behind it and a colon.
    pub(super) fn write_end_of_name(self, sheet: &mut Sheet, name: &str) {
        match names::cell(name) {
            Some(_) => sheet.put(name.as_bytes()),
            None => escape::write_escaped(sheet, name),
        }
        sheet.put(b"\":");
    }

    #[inline(never)]
    fn write_other_name(self, sheet: &mut Sheet, before: u8, name: &str) {
        sheet.push(before);
        self.write_text(sheet, name);
        sheet.push(b':');
    }

    /// The event's JSON text from the byte before `text` on, where `text` is a piece of it.
    #[inline]
    fn around(self, text: &str) -> Option<&'a [u8]> {
        let place = text.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        let around = self.text.get(place.wrapping_sub(1)..)?;
        (text.len() < around.len()).then_some(around)
    }
}

#[inline(never)]
fn put_long(sheet: &mut Sheet, text: &str) {
    sheet.put_between(text.as_bytes(), b'"', b"\"");
}

#[inline(never)]
fn write_other(sheet: &mut Sheet, text: &str) {
    match texts::cell(text) {
        Some(cell) => sheet.put_front(cell, text.len() + 2, b'"'),
        None => write_text(sheet, text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::alert::json::Json;
    use crate::disposition::tests::record;
    use crate::event::{Scratch, TopicProfile, Value, decode};
    use crate::generate::{Generator, Options, Shape};

    /// The events of `payload` are written as they are without an origin. How many there were.
    fn agrees(payload: &[u8]) -> usize {
        let mut scratch = Scratch::default();
        let decoded = decode(&record(payload), &TopicProfile::default(), &mut scratch);
        for event in decoded.events {
            let [ours, plain] = [Origin::of(event), Origin::default()].map(|origin| {
                let mut json = Json::default();
                json.open_object();
                json.key("first");
                json.value(Value::Null);
                event.fields.iter().for_each(|member| json.further_member(member, origin));
                json.close_object();
                String::from_utf8(json.into_bytes()).expect("text")
            });
            assert_eq!(ours, plain);
            let read: serde_json::Value = serde_json::from_str(&ours).expect("JSON");
            let fields = serde_json::Value::from(Value::Object(event.fields));
            assert_eq!(
                read.as_object().map(|all| all.len() - 1),
                fields.as_object().map(|f| f.len())
            );
            assert!(fields.as_object().expect("an object").iter().all(|(k, v)| read[k] == *v));
        }
        decoded.events.len()
    }

    #[test]
    fn events_of_all_shapes_are_written_as_without() {
        for shape in [Shape::Raw, Shape::Agent, Shape::Ecs] {
            let options = Options { shape, hits_permille: 500, ..Options::default() };
            let mut generator = Generator::new(options);
            for _ in 0..200 {
                let mut payload = Vec::new();
                generator.next_into(&mut payload);
                assert_eq!(agrees(&payload), 1);
            }
        }
    }

    /// What a text can meet: what is escaped in JSON, in an alert or in both, at each length.
    fn text() -> impl Strategy<Value = String> {
        let symbol = prop_oneof![
            20 => proptest::char::range(' ', '~'),
            1 => proptest::sample::select(vec![
                '"', '\\', '/', '\n', '\u{1}', '\u{7f}', '\u{85}', '\u{a0}', 'é', '\u{61c}', '\u{630}',
                '\u{2028}', '\u{2014}', '漢', '🦝',
            ]),
        ];
        proptest::collection::vec(symbol, 0..70).prop_map(|symbols| symbols.into_iter().collect())
    }

    proptest! {
        #[test]
        fn events_with_any_texts_are_written_as_without(
            texts in proptest::collection::vec((text(), text()), 1..6),
            names in proptest::sample::select(vec!["debugData", "x", "detail"]),
            behaviors: String,
        ) {
            let members: serde_json::Map<String, serde_json::Value> =
                texts.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
            let (first, last) = (&texts[0].1, &texts[texts.len() - 1].1);
            let event = json!({
                "eventType": first, "uuid": last, "published": "2026-01-01T00:00:00.000Z",
                "actor": {"alternateId": first, "displayName": last, "id": first},
                "outcome": {"result": last},
                "debugContext": {names: members, "behaviors": behaviors},
                "target": [members, {"displayName": first}],
            });
            let raw = event.to_string();
            // Every character beyond ASCII as an escape, as some producers write it.
            let escaped: String = raw.encode_utf16().fold(String::new(), |mut text, unit| {
                match u8::try_from(unit) {
                    Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
                    _ => text.push_str(&format!("\\u{unit:04x}")),
                }
                text
            });
            for text in [&raw, &escaped] {
                prop_assert_eq!(agrees(text.as_bytes()), 1);
                let agent = json!({"message": text, "data_stream": {"dataset": "okta.system"}, "tags": first});
                prop_assert_eq!(agrees(agent.to_string().as_bytes()), 1);
            }
            let other = json!({"a": first, "members": members}).to_string();
            prop_assert_eq!(agrees(format!("{other} {other}").as_bytes()), 2);
        }
    }
}
