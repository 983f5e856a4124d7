//! What is read here is read as the tape reads it, and ordinary events are.

use proptest::prelude::*;

use super::super::tape::Parser;
use super::*;
use crate::generate::{Generator, Options, Shape};
use crate::limits::EVENT_DEPTH_MAX;

/// Whether `text` is read here; then the tape reads the same.
fn is_read(text: &str) -> bool {
    let arena = Arena::new();
    let Some(value) = read(&arena, text) else { return false };
    let by_tape = Parser::default().read(&arena, text);
    // Compared as they print, so that `-0.0` is not `0.0`.
    assert_eq!(format!("Ok({value:?})"), format!("{by_tape:?}"), "{text}");
    true
}

fn read_here(text: &str) {
    assert!(is_read(text), "{text}");
}

fn left_to_others(text: &str) {
    assert!(!is_read(text), "{text}");
}

#[test]
fn ordinary_values_are_read() {
    read_here(r#"{"a":"b","c":{"d":[1,-2,{"e":null}],"f":true},"g":false,"":""}"#);
    read_here(" { } ");
    read_here("[\t]\r\n");
    read_here(" {\r\n\t\"a\" : [ 1 , 2 ] , \"b\" : { } }\n");
    read_here(r#"[0,7,-7,999999999999999999,-999999999999999999]"#);
    read_here("[0.5,-0.5,0.0,1.0,37.7749,-122.4194,123456789012.345,0.00000000000001]");
    read_here(r#"["\"\\\/\b\f\n\r\t","\u0041\u00e4\u2028\uFFFF\u0000","\ud83e\udd9D"]"#);
    read_here("[\"ü漢🦝\u{7f}\",\"ü\\n漢\\\"🦝\"]");
}

#[test]
fn names_that_are_dotted_or_repeated_are_put_together() {
    read_here(r#"{"a.b":1,"a":{"c":2},"a.b":3}"#);
    read_here(r#"{"a":1,"\u0061":2,"a":[{"b.c":1,"b":4}]}"#);
    read_here(r#"{"a.b.c":{"d.e":"f"},"..":0}"#);
}

#[test]
fn what_is_not_ordinary_is_left_to_others() {
    for text in
        ["", " ", "1", "\"a\"", "null", "{}{}", "{} 1", "[1]x", "\u{feff}{}", "{}\u{feff}", "{}\0"]
    {
        left_to_others(text);
    }
    for number in [
        "-0",
        "-0.0",
        "1e3",
        "1E3",
        "1.5e-3",
        "01",
        "-01",
        "00",
        "1.",
        ".5",
        "-",
        "+1",
        "--1",
        "1-",
        "1a",
        "0x1",
        "1.2.3",
        "1000000000000000000",
        "0.1234567890123456",
        "9007199254740.9931",
        "nul",
        "nulll",
        "True",
        "truefalse",
        "NaN",
    ] {
        left_to_others(&format!("[{number}]"));
        left_to_others(&format!("{{\"a\":{number}}}"));
    }
    for text in [
        r"\x",
        r"\u12",
        r"\u+123",
        r"\u 123",
        r"\ud800",
        r"\udc00",
        r"\ud800\u0041",
        r"\ud800x",
        r"\ud800\",
        r"\",
        "\\ü",
        "\n",
        "\u{1}",
    ] {
        left_to_others(&format!("[\"{text}\"]"));
        left_to_others(&format!("{{\"{text}\":1}}"));
    }
    for text in [
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{1:1}"#,
        "[1,]",
        "[,]",
        "[1 2]",
        "[1}",
        r#"{"a":1]"#,
        "[",
        "{",
        r#"{"a"#,
        r#"{"a\"#,
        "]",
        r#"{"a":"b"#,
        "[\"",
        "[1,",
        "[\u{c}]",
    ] {
        left_to_others(text);
    }
}

#[test]
fn a_quote_is_found_at_each_place_of_each_length() {
    for length in 0..40 {
        for place in 0..=length {
            let (before, behind) = ("a".repeat(place), "b".repeat(length - place));
            for escape in ["", "\\\"", "\\\\", "ü", "\\u00fc"] {
                read_here(&format!("[\"{before}{escape}{behind}\"]"));
                read_here(&format!("{{\"{before}{escape}{behind}\":\"{behind}{escape}\"}}"));
            }
            left_to_others(&format!("[\"{before}\u{1f}{behind}\"]"));
        }
    }
}

#[test]
fn depth_is_bounded_as_elsewhere() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let dots = |depth: usize| format!("{{\"{}\":1}}", ".".repeat(depth));
    for depth in [1, EVENT_DEPTH_MAX - 1] {
        read_here(&nested(depth));
        read_here(&objects(depth));
        read_here(&dots(depth));
    }
    for text in [nested, objects].map(|nested| nested(EVENT_DEPTH_MAX + 1)) {
        left_to_others(&text);
    }
    left_to_others(&dots(EVENT_DEPTH_MAX + 1));
    left_to_others(&"[".repeat(1_000_000));
    left_to_others(&"{\"a\":".repeat(1_000_000));
    is_read(&nested(EVENT_DEPTH_MAX));
    is_read(&objects(EVENT_DEPTH_MAX));
}

#[test]
fn events_of_every_shape_are_read() {
    for shape in Shape::ALL {
        let mut generator = Generator::new(Options { shape, ..Options::default() });
        for _ in 0..200 {
            let mut event = Vec::new();
            generator.next_into(&mut event);
            read_here(std::str::from_utf8(&event).expect("events are text"));
        }
    }
}

/// A value of any kind, often one that only nearly is JSON.
fn any_json() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-z.]{0,20}",
        "[ -~]{0,20}",
        any::<String>(),
        r#"([a-z]|\\["\\/bfnrtu]|\\u[0-9a-fA-F+]{4}|\\ud[89a-f][0-9]{2}){0,6}"#,
    ];
    let text = text.prop_map(|text| format!("\"{text}\""));
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        r"-?[0-9]{1,3}(\.[0-9]{1,3})?",
        r"-?[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{0,4})?",
    ];
    let name = prop_oneof![Just("null"), Just("true"), Just("false"), Just("nul"), Just("")];
    let blank = prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t"), 1 => Just("\u{b}")];
    let leaf = prop_oneof![4 => text.clone(), 3 => number, 1 => name.prop_map(str::to_owned)];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let inner = (blank.clone(), inner, blank.clone())
            .prop_map(|(before, value, behind)| format!("{before}{value}{behind}"));
        let member = (text.clone(), inner.clone());
        let member = member.prop_map(|(name, value)| format!("{name}:{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_json_is_read_as_the_tape_reads_it(text in any_json()) {
        is_read(&text);
    }

    #[test]
    fn a_short_decimal_is_the_nearest_float(whole in 0_u64..1_000_000, behind in "[0-9]{1,9}") {
        let text = format!("[{whole}.{behind}]");
        read_here(&text);
        let arena = Arena::new();
        let nearest: f64 = format!("{whole}.{behind}").parse().expect("a number");
        prop_assert_eq!(read(&arena, &text), Some(Value::Array(&[Value::Float(nearest)])));
    }

    #[test]
    fn a_broken_event_is_read_as_the_tape_reads_it(
        number in 0_usize..50, at: prop::sample::Index, put in any::<u8>(),
    ) {
        let mut generator = Generator::new(Options { hits_permille: 500, ..Options::default() });
        let mut event = Vec::new();
        for _ in 0..=number {
            event.clear();
            generator.next_into(&mut event);
        }
        let at = at.index(event.len());
        event[at] = put;
        if let Ok(text) = std::str::from_utf8(&event) {
            is_read(text);
        }
    }
}
