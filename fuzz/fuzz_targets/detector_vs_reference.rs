//! A generated query on a generated record: the compiled program against the naive evaluator for
//! each event, and the whole detector, prefilter included, against the sum of it.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use ouzel::detect::{Detector, Outcome, Program, Validate, reference};
use ouzel::event::{FieldTypes, Scratch, TopicProfile, decode};
use ouzel::kql::{self, Query};
use ouzel_fuzz::{NOW, choices, json_of, record, rule_of};

static TYPES: LazyLock<FieldTypes> = LazyLock::new(FieldTypes::builtin);

/// Records that one query is asked about.
const RECORDS: usize = 4;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    let Ok(tree) = choices::tree(&mut bytes, 4) else { return };
    let text = kql::print(&tree);
    let query = kql::parse(&text).unwrap_or_else(|faults| panic!("{text:?}: {faults:?}"));
    let detector = Detector::new(rule_of(&text), &TYPES, Validate::Envelope);
    for _ in 0..RECORDS {
        match choices::payload(&mut bytes) {
            Ok(payload) => judge(&query, &detector, &payload),
            Err(_) => return,
        }
        if bytes.is_empty() {
            return;
        }
    }
});

fn judge(query: &Query, detector: &Detector, payload: &str) {
    let (record, profile) = (record(payload.as_bytes()), TopicProfile::default());
    let mut scratch = Scratch::default();
    let decoded = decode(&record, &profile, &mut scratch);
    if decoded.fault.is_some() {
        // Where a wrapper says that a string in it is Okta's, that string has to be whole.
        assert!(payload.contains("okta.system"), "{:?}: {payload}", decoded.fault);
        return;
    }
    let program = Program::compile(query, &TYPES);
    let mut expected = Vec::new();
    for event in decoded.events {
        let (held, document) = (program.holds(event, NOW), json_of(event));
        let naive = reference::holds(query, &document, &TYPES, NOW);
        assert_eq!(held, naive, "{}\n{document}", query.text);
        if held {
            expected.push(event.index);
        }
    }
    let mut scratch = Scratch::default();
    let verdict = detector.inspect(&record, &profile, &mut scratch);
    let hits: Vec<u32> = verdict.hits.iter().map(|hit| hit.event).collect();
    assert_eq!(hits, expected, "{}\n{payload}", query.text);
    assert!(!matches!(verdict.outcome, Outcome::Unreadable(_)), "{payload}");
}
