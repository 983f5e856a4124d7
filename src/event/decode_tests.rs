//! Every byte sequence has an outcome, and the two readers agree.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::support_tests::{event, json as owned_json, outcome, owned, record};
use super::super::{Value, forgiving};
use super::*;
use crate::generate::{Generator, Options, Shape};
use crate::limits::EVENT_DEPTH_MAX;

const RAW: &str = r#"{"uuid":"u1","eventType":"a.b","published":"2026-01-01T00:00:00Z"}"#;

fn fault(payload: impl AsRef<[u8]>, expected: DecodeFault) {
    fault_after(payload, 0, expected);
}

fn fault_after(payload: impl AsRef<[u8]>, events: usize, expected: DecodeFault) {
    let payload = payload.as_ref();
    let outcome = outcome(payload);
    let start = String::from_utf8_lossy(payload.get(..80).unwrap_or(payload)).into_owned();
    assert_eq!((outcome.events.len(), outcome.fault), (events, Some(expected)), "{start}");
}

fn skipped(payload: Option<&[u8]>, expected: SkipReason) {
    let mut scratch = Scratch::default();
    let outcome = owned(&decode(&record(payload), &TopicProfile::default(), &mut scratch));
    assert_eq!(outcome.skipped, Some(expected), "{payload:?}");
}

#[test]
fn a_record_without_an_event_says_why() {
    skipped(None, SkipReason::Tombstone);
    skipped(Some(b"null"), SkipReason::Tombstone);
    skipped(Some(b""), SkipReason::Empty);
    skipped(Some(b" \t\r\n"), SkipReason::Empty);
    skipped(Some("\u{feff} \n".as_bytes()), SkipReason::Empty);
    skipped(Some(b"[]"), SkipReason::Empty);
    skipped(Some(br#"{"iss":"i","jti":"j","events":{}}"#), SkipReason::NotAnEvent);
}

#[test]
fn what_is_broken_is_told_apart() {
    fault("hello", DecodeFault::NotJson);
    fault(r#"{"a":}"#, DecodeFault::NotJson);
    fault(r#"{"a":1,}"#, DecodeFault::NotJson);
    fault(r#"{"a":01}"#, DecodeFault::NotJson);
    fault(r#"{"a":"\x"}"#, DecodeFault::NotJson);
    fault(r#"{"a":[1}]"#, DecodeFault::NotJson);
    fault("<html></html>", DecodeFault::NotJson);
    fault(r#"{"a":1"#, DecodeFault::Truncated);
    fault(r#"{"a":"#, DecodeFault::Truncated);
    fault(r#"{"a":"b"#, DecodeFault::Truncated);
    fault(b"{\"a\":\"\xc3", DecodeFault::Truncated);
    fault(b"{\"a\":\"\xff\"}", DecodeFault::NotUtf8);
    fault(b"\xff\xfe{\0}\0", DecodeFault::NotUtf8);
    fault("{\"a\":\"\u{1}\"}", DecodeFault::ControlByte);
    fault("{\"a\":\"b\nc\"}", DecodeFault::ControlByte);
    fault("1", DecodeFault::NotAnObject);
    fault("\"text\"", DecodeFault::NotAnObject);
    fault("[1]", DecodeFault::NotAnObject);
    fault("[[{}]]", DecodeFault::NotAnObject);
    fault(vec![b' '; PAYLOAD_BYTES_MAX + 1], DecodeFault::TooLarge);
}

#[test]
fn depth_is_bounded_before_anything_recurses() {
    for depth in [EVENT_DEPTH_MAX + 1, 1000, 100_000, 1_000_000] {
        fault("[".repeat(depth), DecodeFault::TooDeep);
        fault("{\"a\":".repeat(depth), DecodeFault::TooDeep);
        fault(
            format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)),
            DecodeFault::TooDeep,
        );
    }
    let brackets = EVENT_DEPTH_MAX - 1;
    let deepest = format!("{{\"a\":{}{}}}", "[".repeat(brackets), "]".repeat(brackets));
    assert_eq!(outcome(deepest).fault, None);
}

#[test]
fn what_was_read_before_a_fault_counts() {
    fault_after(format!("{RAW}\n{RAW}\n{{\"a\":"), 2, DecodeFault::Truncated);
    fault_after(format!("{RAW}}}"), 1, DecodeFault::NotJson);
    fault_after(format!("{RAW} 1 {RAW}"), 2, DecodeFault::NotAnObject);
    fault_after(format!("[{RAW},null,7,{RAW}]"), 2, DecodeFault::NotAnObject);
    fault_after([RAW.as_bytes(), b"\xff"].concat(), 1, DecodeFault::NotUtf8);
    fault_after([RAW.as_bytes(), b"{\"a\":\"\xff\"}"].concat(), 1, DecodeFault::NotUtf8);
}

#[test]
fn several_values_are_several_events() {
    for between in ["", "\n", "\r\n", " ", "\n\n\u{feff}"] {
        let outcome = outcome([RAW, RAW, RAW].join(between));
        assert_eq!((outcome.events.len(), outcome.fault), (3, None), "{between:?}");
        assert_eq!(outcome.events[2].original.as_deref(), Some(RAW));
    }
    assert_eq!(outcome(format!("{RAW}\nnull\n[{RAW},{RAW}]\n")).events.len(), 3);
}

#[test]
fn the_number_of_events_is_bounded() {
    let page = |count: usize| format!("[{}]", vec![RAW; count].join(","));
    assert_eq!(outcome(page(EVENTS_PER_RECORD_MAX)).events.len(), EVENTS_PER_RECORD_MAX);
    let most = EVENTS_PER_RECORD_MAX;
    fault_after(page(most + 1), most, DecodeFault::TooManyEvents);
    fault_after(vec![RAW; most + 5].join("\n"), most, DecodeFault::TooManyEvents);
    fault_after("{}".repeat(1_000_000), most, DecodeFault::TooManyEvents);
    fault("[null]", DecodeFault::NotAnObject);
}

#[test]
fn a_byte_order_mark_and_white_space_are_tolerated() {
    for payload in
        [format!("\u{feff}{RAW}"), format!("\n \t{RAW}\r\n "), format!("\u{feff}[{RAW}]")]
    {
        let found = event(&payload);
        assert_eq!(
            (found.at("event.action"), found.original.as_deref()),
            (&json!("a.b"), Some(RAW))
        );
    }
}

fn field(value: &str, expected: Json) {
    let text = format!("{{\"a\":{value},\"b\":\"c\"}}");
    let found = event(&text);
    assert_eq!(found.fields, json!({"a": expected, "b": "c"}), "{text}");
}

#[test]
fn no_event_is_lost_to_one_odd_field() {
    field("123456789012345678901234567890", json!(1.234_567_890_123_456_8e29));
    field("-9223372036854775809", json!(-9_223_372_036_854_775_809_i128 as f64));
    field("18446744073709551615", json!(u64::MAX));
    field("9223372036854775807", json!(i64::MAX));
    field("-9223372036854775808", json!(i64::MIN));
    field("1e999", json!("1e999"));
    field("-1e999", json!("-1e999"));
    field("1e-999", json!(0.0));
    field(&"9".repeat(400), json!("9".repeat(400)));
    field("-0", json!(0));
    field(r#""\ud800""#, json!("\u{fffd}"));
    field(r#""x\udfffy\ud800\u0041""#, json!("x\u{fffd}y\u{fffd}A"));
    field(r#""\ud83d\ude00\ud83d""#, json!("\u{1f600}\u{fffd}"));
    field(r#"["\ud800","\"\\\/\b\f\n\r\t\u00e9"]"#, json!(["\u{fffd}", "\"\\/\u{8}\u{c}\n\r\té"]));
    let found = event(r#"{"\ud800":1,"\ud800":2}"#);
    assert_eq!(found.fields, json!({"\u{fffd}": [1, 2]}));
}

#[test]
fn the_memory_of_a_record_s_events_is_bounded() {
    let envelope: String = (0..100_000).map(|number| format!("\"k{number}\":{{}},")).collect();
    let page = vec![RAW; EVENTS_PER_RECORD_MAX].join(",");
    let payload = format!("{{{envelope}\"message\":[{page}]}}");
    let outcome = outcome_only(payload.as_bytes());
    assert_eq!(outcome.1, Some(DecodeFault::TooLarge));
    assert!(outcome.0 > 1, "what was read before counts");
}

/// The number of events and the fault, without a copy of the events.
fn outcome_only(payload: &[u8]) -> (usize, Option<DecodeFault>) {
    let mut scratch = Scratch::default();
    let decoded = decode(&record(Some(payload)), &TopicProfile::default(), &mut scratch);
    (decoded.events.len(), decoded.fault)
}

#[test]
fn duplicates_in_duplicates_take_bounded_time() {
    let doubled =
        (0..18).fold("1".to_owned(), |inner, _| format!("{{\"a\":{inner},\"a\":{inner}}}"));
    assert_eq!(outcome_only(doubled.as_bytes()), (1, None));
    let odd = (0..60).fold("1e999".to_owned(), |inner, _| format!("[{inner}]"));
    let wide = format!("{{\"a\":{odd},\"b\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(outcome_only(wide.as_bytes()), (1, None));
}

#[test]
fn huge_records_are_decoded() {
    let keys: Vec<String> = (0..1_000_000).map(|number| format!("\"{number}\":1")).collect();
    let fields = event(format!("{{{}}}", keys.join(","))).fields;
    assert_eq!(fields.as_object().map(serde_json::Map::len), Some(1_000_000));
    let dotted: Vec<String> = (0..200_000).map(|number| format!("\"a.{number}.b\":1")).collect();
    let fields = event(format!("{{{}}}", dotted.join(","))).fields;
    assert_eq!(fields["a"].as_object().map(serde_json::Map::len), Some(200_000));
    let same = vec!["\"a\":1"; 1_000_000].join(",");
    let fields = event(format!("{{{same}}}")).fields;
    assert_eq!(fields["a"].as_array().map(Vec::len), Some(1_000_000));
    let text = "x".repeat(10 << 20);
    assert_eq!(event(format!("{{\"a\":\"{text}\"}}")).fields["a"], json!(text));
}

/// What both readers make of `text`.
fn both(text: &str) -> (Option<Json>, Option<Json>) {
    let arena = Arena::new();
    let text = arena.alloc_str(text);
    let first = Parser::default().read(&arena, text).ok().map(owned_json);
    let second = forgiving::read(&arena, text).ok().map(owned_json);
    (first, second)
}

#[test]
fn both_readers_read_generated_events_alike() {
    for shape in Shape::ALL {
        let mut generator = Generator::new(Options { shape, ..Options::default() });
        for _ in 0..200 {
            let mut buffer = Vec::new();
            generator.next_into(&mut buffer);
            let (first, second) = both(std::str::from_utf8(&buffer).expect("events are UTF-8"));
            assert!(first.is_some());
            assert_eq!(first, second);
        }
    }
}

/// JSON texts of all kinds, odd numbers and escapes among them.
fn any_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has no infinity", |value| value.is_finite())
            .prop_map(|value| format!("{value:e}")),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?",
        any_string(),
    ];
    scalar.prop_recursive(5, 40, 6, |inner| {
        let member = (any_string(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name} : {value}")).collect();
                format!("{{{}}}", members.join(" , "))
            }),
        ]
    })
}

fn any_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~é😀]{0,4}",
        "\\\\u[0-9a-fA-F]{4}",
        "\\\\[\"\\\\/bfnrt]",
        "[ab.]{1,3}",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

proptest! {
    #[test]
    fn both_readers_agree_on_what_both_accept(text in any_json()) {
        let (first, second) = both(&text);
        prop_assert!(second.is_some(), "{}", text);
        if first.is_some() {
            prop_assert_eq!(first, second);
        }
    }

    #[test]
    fn any_json_object_is_an_event(text in any_json()) {
        let outcome = outcome(format!("{{\"a\":{text}}}"));
        prop_assert_eq!((outcome.events.len(), outcome.fault), (1, None));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        outcome(&bytes);
    }

    #[test]
    fn no_json_like_text_makes_it_panic(text in "[\\[\\]{}:,\"\\\\ua0-9. e\u{feff}-]{0,120}") {
        outcome(text);
    }

    #[test]
    fn no_damage_to_an_event_makes_it_panic(
        number in 0_u64..50,
        shape in prop::sample::select(&Shape::ALL[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut generator = Generator::new(Options { shape, ..Options::default() });
        generator.skip_to(number);
        let mut buffer = Vec::new();
        generator.next_into(&mut buffer);
        for (at, byte) in changes {
            let at = at.index(buffer.len());
            buffer[at] = byte;
        }
        outcome(&buffer);
        buffer.truncate(cut.index(buffer.len()));
        outcome(&buffer);
    }
}

#[test]
fn a_cut_event_is_truncated_wherever_it_was_cut() {
    let mut buffer = Vec::new();
    Generator::new(Options::default()).next_into(&mut buffer);
    for length in (1..buffer.len()).step_by(7) {
        fault(&buffer[..length], DecodeFault::Truncated);
    }
}

#[test]
fn a_scratch_is_reused_without_a_trace_of_the_last_record() {
    let mut scratch = Scratch::default();
    let mut generator = Generator::new(Options::default());
    let profile = TopicProfile::default();
    for _ in 0..50 {
        let mut buffer = Vec::new();
        generator.next_into(&mut buffer);
        let fresh = outcome(&buffer);
        assert_eq!(owned(&decode(&record(Some(&buffer)), &profile, &mut scratch)), fresh);
    }
}

#[test]
fn a_warm_scratch_does_not_grow_and_a_huge_record_does_not_stay() {
    let mut scratch = Scratch::default();
    let mut buffer = Vec::new();
    Generator::new(Options::default()).next_into(&mut buffer);
    let profile = TopicProfile::default();
    let mut bytes_after = |payload: &[u8]| {
        decode(&record(Some(payload)), &profile, &mut scratch);
        scratch.arena.allocated_bytes()
    };
    bytes_after(&buffer);
    bytes_after(&buffer);
    let warm = bytes_after(&buffer);
    assert_eq!(bytes_after(&buffer), warm);
    // A text with an escape is copied, others stay where they are.
    let huge = format!("{{\"a\":\"\\n{}\"}}", "x".repeat(SCRATCH_BYTES_KEPT_MAX));
    assert!(bytes_after(huge.as_bytes()) > SCRATCH_BYTES_KEPT_MAX);
    assert!(bytes_after(&buffer) < SCRATCH_BYTES_KEPT_MAX);
}

#[test]
fn values_are_what_the_json_said() {
    let arena = Arena::new();
    let read = |text: &str| {
        let text: &str = arena.alloc_str(text);
        forgiving::read(&arena, text).expect("the test's JSON is JSON")
    };
    assert_eq!(read("1"), Value::Int(1));
    assert_eq!(read("1.0"), Value::Float(1.0));
    assert_eq!(read("18446744073709551615"), Value::Uint(u64::MAX));
    assert_eq!(Parser::default().read(&arena, "18446744073709551615"), Ok(Value::Uint(u64::MAX)));
    assert_eq!(Parser::default().read(&arena, "1"), Ok(Value::Int(1)));
}
