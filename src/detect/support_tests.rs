//! What the tests of this module share: a document judged by every evaluator there is.

use serde_json::Value as Json;

use super::{Program, explain, reference};
use crate::event::{Event, FieldType, FieldTypes, Scratch, TopicProfile, decode};
use crate::kql::{self, Query};
use crate::record::{NoHeaders, Position, Record, Timestamp};

/// 2024-02-29T12:00:00Z: when every record of these tests is judged.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_709_208_000_000);

pub(super) fn record(payload: &[u8]) -> Record<'_> {
    Record {
        payload: Some(payload),
        key: None,
        headers: &NoHeaders,
        position: Position { topic: "okta", partition: 0, offset: 0 },
        timestamp: Some(NOW),
        received: NOW,
    }
}

/// The built-in types, and `n`, a number, and `flag`, a boolean.
pub(super) fn types() -> FieldTypes {
    let mut types = FieldTypes::builtin();
    types.declare("n", FieldType::Number);
    types.declare("flag", FieldType::Boolean);
    types
}

pub(super) fn query(text: &str) -> Query {
    kql::parse(text).unwrap_or_else(|faults| panic!("{text:?}: {faults:#?}"))
}

/// Decodes the one event of `text` and lends it.
pub(super) fn with_event<T>(text: &str, judge: impl FnOnce(&Event<'_>) -> T) -> T {
    let mut scratch = Scratch::default();
    let decoded = decode(&record(text.as_bytes()), &TopicProfile::default(), &mut scratch);
    assert_eq!((decoded.fault, decoded.events.len()), (None, 1), "{text}");
    judge(&decoded.events[0])
}

/// Whether `query` holds for the document `text`: the compiled program's answer, held against what
/// the explanation and the list of matched clauses say.
pub(super) fn holds(query: &Query, text: &str, types: &FieldTypes) -> bool {
    with_event(text, |event| {
        let held = Program::compile(query, types).holds(event, NOW);
        let explanation = explain::explain(query, event, types, NOW);
        assert_eq!(explanation.held, held, "{}\n{text}\n{}", query.text, explanation.render());
        let matched = explain::matched(query, event, types, NOW);
        assert_eq!(!matched.is_empty(), held, "{}\n{text}\n{matched:#?}", query.text);
        held
    })
}

/// Holds the compiled program against the reference; `document` is what `text` says.
pub(super) fn agreed(query: &Query, text: &str, document: &Json, types: &FieldTypes) -> bool {
    let held = holds(query, text, types);
    let naive = reference::holds(query, document, types, NOW);
    assert_eq!(held, naive, "compiled against naive: {}\n{text}", query.text);
    held
}
