//! Dotted keys, duplicates, overlays and pruning.

use serde_json::{Value as Json, json};

use super::super::support_tests::{event, json as owned, outcome};
use super::super::{Arena, DecodeFault};
use super::*;

fn check(text: &str, expected: Json) {
    assert_eq!(event(text).fields, expected, "{text}");
}

#[test]
fn dotted_keys_open_into_objects() {
    check(r#"{"a.b":1}"#, json!({"a": {"b": 1}}));
    check(r#"{"a.b.c":1,"a.d":2,"e":3}"#, json!({"a": {"b": {"c": 1}, "d": 2}, "e": 3}));
    check(r#"{"a.b":{"c.d":1}}"#, json!({"a": {"b": {"c": {"d": 1}}}}));
    check(r#"{"a":[{"b.c":1}]}"#, json!({"a": [{"b": {"c": 1}}]}));
    check(r#"{".":1,"":2}"#, json!({"": [2, {"": 1}]}));
    check(r#"{"a..b":1}"#, json!({"a": {"": {"b": 1}}}));
}

#[test]
fn dotted_and_nested_keys_name_the_same_field() {
    check(r#"{"a.b":1,"a":{"c":2}}"#, json!({"a": {"b": 1, "c": 2}}));
    check(r#"{"a":{"b":{"c":1}},"a.b.d":2}"#, json!({"a": {"b": {"c": 1, "d": 2}}}));
    check(r#"{"a":{"b":1},"a.b":2}"#, json!({"a": {"b": [1, 2]}}));
}

#[test]
fn a_duplicate_key_holds_all_of_its_values() {
    check(r#"{"a":1,"a":2}"#, json!({"a": [1, 2]}));
    check(r#"{"a":[1,2],"a":3}"#, json!({"a": [1, 2, 3]}));
    check(r#"{"a":"x","b":0,"a":"y","a":"x"}"#, json!({"a": ["x", "y", "x"], "b": 0}));
    check(r#"{"a":{"b":1},"a":{"b":2,"c":3}}"#, json!({"a": {"b": [1, 2], "c": 3}}));
    check(r#"{"\u0061":1,"a":2}"#, json!({"a": [1, 2]}));
}

#[test]
fn nulls_and_empty_arrays_say_nothing_beside_a_value() {
    check(r#"{"a":null,"a":1}"#, json!({"a": 1}));
    check(r#"{"a":1,"a":[]}"#, json!({"a": [1]}));
    check(r#"{"a":null,"a":null}"#, json!({"a": null}));
    check(r#"{"a":null,"a.b":1}"#, json!({"a": {"b": 1}}));
}

#[test]
fn an_object_and_other_values_are_kept_side_by_side() {
    check(r#"{"a":1,"a.b":2}"#, json!({"a": [1, {"b": 2}]}));
    check(r#"{"a":{"b":2},"a":1}"#, json!({"a": [1, {"b": 2}]}));
    check(r#"{"a":[{"b":1}],"a":{"b":2}}"#, json!({"a": [{"b": 1}, {"b": 2}]}));
}

#[test]
fn large_objects_are_told_apart_as_well() {
    let members = |count: usize| {
        (0..count).map(|number| format!("\"k{number}\":{number}")).collect::<Vec<_>>().join(",")
    };
    let fields = event(format!("{{{}}}", members(1000))).fields;
    assert_eq!(fields.as_object().map(serde_json::Map::len), Some(1000));
    let fields = event(format!("{{{},\"k7\":0}}", members(1000))).fields;
    assert_eq!((&fields["k7"], &fields["k999"]), (&json!([7, 0]), &json!(999)));
    let names: Vec<&String> = fields.as_object().expect("an object").keys().collect();
    assert_eq!((names[0], names[999]), (&"k0".to_owned(), &"k999".to_owned()));
}

#[test]
fn dots_count_as_depth() {
    let deepest = format!("{{\"{}a\":1}}", "a.".repeat(EVENT_DEPTH_MAX - 1));
    assert_eq!(outcome(&deepest).fault, None);
    for dots in [EVENT_DEPTH_MAX, 1_000_000] {
        let text = format!("{{\"{}a\":1}}", "a.".repeat(dots));
        assert_eq!(outcome(text).fault, Some(DecodeFault::TooDeep), "{dots} dots");
    }
    let half = "a.".repeat(EVENT_DEPTH_MAX / 2);
    let text = format!("{{\"{half}a\":{{\"{half}a\":1}}}}");
    assert_eq!(outcome(text).fault, Some(DecodeFault::TooDeep));
}

fn members<'s>(arena: &'s Arena, text: &str) -> &'s [Member<'s>] {
    let text = arena.alloc_str(text);
    super::super::forgiving::read(arena, text).expect("the test's JSON is JSON").members()
}

#[test]
fn an_overlay_fills_gaps_only() {
    let check = |base: &str, defaults: &str, expected: Json| {
        let arena = Arena::new();
        let found = overlay(&arena, members(&arena, base), members(&arena, defaults));
        assert_eq!(owned(Value::Object(found)), expected, "{base} over {defaults}");
    };
    check(r#"{"a":1}"#, r#"{"a":2,"b":3}"#, json!({"a": 1, "b": 3}));
    check(r#"{"a":{"b":1}}"#, r#"{"a":{"b":2,"c":3}}"#, json!({"a": {"b": 1, "c": 3}}));
    check(r#"{"a":null}"#, r#"{"a":2}"#, json!({"a": 2}));
    check(r#"{"a":"x"}"#, r#"{"a":{"c":3}}"#, json!({"a": "x"}));
    check("{}", r#"{"a":1}"#, json!({"a": 1}));
    let many: String = (0..100).map(|number| format!("\"k{number}\":0,")).collect();
    let found = format!("{{{many}\"z\":1}}");
    let arena = Arena::new();
    let both = overlay(&arena, members(&arena, &found), members(&arena, &found));
    assert_eq!(both.len(), 101);
}

#[test]
fn pruning_removes_what_says_nothing_on_every_level() {
    let check = |text: &str, expected: Option<Json>| {
        let arena = Arena::new();
        let text = arena.alloc_str(text);
        let value = super::super::forgiving::read(&arena, text).expect("the test's JSON is JSON");
        assert_eq!(pruned(&arena, value).map(owned), expected, "{text}");
    };
    check("null", None);
    check(r#""""#, None);
    check("{}", None);
    check("[null,\"\",{},[]]", None);
    check("0", Some(json!(0)));
    check("false", Some(json!(false)));
    check(
        r#"{"a":null,"b":{"c":"","d":[null,1]},"e":"null"}"#,
        Some(json!({"b": {"d": [1]}, "e": "null"})),
    );
}
