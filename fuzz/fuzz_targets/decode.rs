//! Any bytes as a payload, against `serde_json`: what it reads as objects has events or a reason
//! that is not its grammar, and what was decoded without a fault is what it accepts too. A hit is
//! encoded: an alert of any event is JSON.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ouzel::alert::{AlertEncoder, AlertInput, EncoderOptions};
use ouzel::disposition::Decision;
use ouzel::event::{DecodeFault, Event, FieldTypes, Scratch, TopicProfile, decode};
use ouzel::rule::RuleIndex;
use ouzel_fuzz::{NOW, json_of, record, shipped_rules};
use serde_json::Value as Json;
use serde_json::value::RawValue;

static ENCODER: LazyLock<AlertEncoder> = LazyLock::new(|| {
    let options = EncoderOptions { include_original: true, ..EncoderOptions::default() };
    AlertEncoder::new(shipped_rules(), &FieldTypes::builtin(), options)
});

fuzz_target!(|payload: &[u8]| {
    let (profile, record) = (TopicProfile::default(), record(payload));
    let mut scratch = Scratch::default();
    let decoded = decode(&record, &profile, &mut scratch);
    let (fault, skipped) = (decoded.fault, decoded.skipped);
    let first: Vec<Json> = decoded.events.iter().map(json_of).collect();
    decoded.events.iter().take(2).for_each(encode);
    let is_json = is_json(payload);
    if fault.is_none() && skipped.is_none() {
        assert!(is_json, "decoded what is no JSON");
    }
    // A string in it may be an event, with faults of its own.
    if is_json && !payload.contains(&b'\\') {
        let grammar = [DecodeFault::Truncated, DecodeFault::NotUtf8, DecodeFault::ControlByte];
        assert!(fault.is_none_or(|fault| !grammar.contains(&fault)), "{fault:?} of JSON");
    }
    // A scratch that was used says the same.
    let decoded = decode(&record, &profile, &mut scratch);
    assert_eq!((decoded.fault, decoded.skipped), (fault, skipped));
    assert_eq!(decoded.events.iter().map(json_of).collect::<Vec<_>>(), first);
});

/// Whether the payload is JSON values, one after the other; byte-order marks between them, before
/// and behind them are nothing.
fn is_json(payload: &[u8]) -> bool {
    let Ok(mut rest) = std::str::from_utf8(payload) else { return false };
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']);
        if rest.is_empty() {
            return true;
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Box<RawValue>>();
        let Some(Ok(_)) = values.next() else { return false };
        rest = &rest[values.byte_offset()..];
    }
}

fn encode(event: &Event<'_>) {
    let record = record(b"{}");
    let rule = RuleIndex(0);
    let decision = Decision::default();
    let input = AlertInput { rule, event, record: &record, judged: NOW, decision: &decision };
    let rules = shipped();
    let id = ENCODER.id(&rules.rules()[0], event, &record);
    for encoded in [ENCODER.encode(id, &input), ENCODER.encode_reduced(id, &input)] {
        let value = encoded.value.expect("an alert has a value");
        let alert: Result<Json, _> = serde_json::from_slice(&value);
        assert!(alert.is_ok_and(|alert| alert.is_object()), "{}", String::from_utf8_lossy(&value));
    }
}

fn shipped() -> &'static ouzel::rule::RuleSet {
    static RULES: LazyLock<std::sync::Arc<ouzel::rule::RuleSet>> = LazyLock::new(shipped_rules);
    &RULES
}
