//! Every shape in which an Okta event arrives: the same verdict, through the program and through
//! the whole detector, however its bytes are spelled and however often it is wrapped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ouzel::detect::{Detector, Outcome, Scratch, Validate};
use ouzel::event::{FieldTypes, TopicProfile};
use ouzel::limits::WRAPPER_DEPTH_MAX;
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use ouzel::rule::{self, Found, RuleText};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::support::program::{self, folder, run, write};

const RESET: &str = "user.mfa.factor.reset_all";

/// What happened to somebody else's factor: close, and no hit.
const OTHER: &str = "user.mfa.factor.reset_all_but_one";

/// A name with everything in it that JSON spells in more than one way.
const NAME: &str = "Homer \"H\" / Šimpson\\ <&> \t😀";

fn raw(action: &str) -> Json {
    json!({
        "actor": {"id": "00u1", "type": "User", "alternateId": "homer@example.com", "displayName": NAME},
        "client": {"ipAddress": "192.0.2.1", "zone": "null"},
        "eventType": action, "outcome": {"result": "SUCCESS"}, "published": "2026-01-01T00:00:00.123Z",
        "target": [{"id": "00u2", "type": "User", "alternateId": "bart@example.com", "displayName": "Bart"}],
        "uuid": "u-1", "version": "0"
    })
}

fn ecs(action: &str) -> Json {
    json!({
        "@timestamp": "2026-01-01T00:00:00.123Z", "event": {"action": action, "id": "u-1"},
        "okta": {"event_type": action, "actor": {"display_name": NAME}, "uuid": "u-1"}
    })
}

/// An envelope: what it is called, how many wrappers it is, and what it looks like around an
/// event, given as it is and as text.
struct Envelope {
    name: &'static str,
    wrappers: usize,
    around: fn(&Json, &str) -> Json,
}

const fn envelope(
    name: &'static str,
    wrappers: usize,
    around: fn(&Json, &str) -> Json,
) -> Envelope {
    Envelope { name, wrappers, around }
}

/// Every shape that has one event, in the order of the document.
const ENVELOPES: &[Envelope] = &[
    envelope("System Log event", 0, |event, _| event.clone()),
    envelope("page", 0, |event, _| json!([raw("user.session.start"), event])),
    envelope("Elastic Agent", 1, |_, text| {
        json!({"@timestamp": "2026-01-02T00:00:00Z", "message": text, "agent": {"id": "a"},
            "data_stream": {"type": "logs", "dataset": "okta.system", "namespace": "default"},
            "event": {"dataset": "okta.system"}})
    }),
    envelope("Filebeat, later versions", 1, |event, text| {
        json!({"event": {"module": "okta", "dataset": "okta.system", "original": text},
            "fileset": {"name": "system"}, "json": event})
    }),
    envelope(
        "Filebeat, event.original only",
        1,
        |_, text| json!({"event": {"module": "okta", "original": text}, "fileset": {"name": "system"}}),
    ),
    envelope("Vector", 0, |event, _| {
        let mut event = event.clone();
        event["source_type"] = "okta".into();
        event["version"] = 0.into();
        event
    }),
    envelope("message", 1, |_, text| json!({"message": text, "host": "h"})),
    envelope("log", 1, |_, text| json!({"log": text, "stream": "stdout"})),
    envelope("event.original, dotted", 1, |_, text| json!({"event.original": text})),
    envelope("event hook", 1, |event, _| {
        json!({"eventType": "com.okta.event_hook", "cloudEventsVersion": "0.1", "source": "s",
            "data": {"events": [event]}})
    }),
    envelope(
        "EventBridge",
        1,
        |event, _| json!({"version": "0", "detail-type": "SystemLog", "source": "aws.partner/okta.com/x/y", "detail": event}),
    ),
    envelope(
        "Splunk HEC, object",
        1,
        |event, _| json!({"time": 1_767_225_600, "sourcetype": "OktaIM2:log", "event": event}),
    ),
    envelope(
        "Splunk HEC, text",
        1,
        |_, text| json!({"time": 1_767_225_600, "sourcetype": "OktaIM2:log", "event": text}),
    ),
    envelope(
        "CloudEvents, object",
        1,
        |event, _| json!({"specversion": "1.0", "id": "c", "source": "s", "type": "t", "data": event}),
    ),
    envelope(
        "CloudEvents, text",
        1,
        |_, text| json!({"specversion": "1.0", "id": "c", "source": "s", "type": "t", "data": text}),
    ),
];

/// The value as JSON text; `choices` say how each character is spelled and where blanks stand.
fn spelled(value: &Json, choices: &mut impl Iterator<Item = u8>) -> String {
    let mut out = blank(choices).to_owned();
    match value {
        Json::String(text) => out.push_str(&spelled_text(text, choices)),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| spelled(item, choices)).collect();
            let _ = write!(out, "[{}]", items.join(","));
        }
        Json::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| {
                    let name = spelled_text(name, choices);
                    format!(
                        "{}{name}{}:{}",
                        blank(choices),
                        blank(choices),
                        spelled(value, choices)
                    )
                })
                .collect();
            let _ = write!(out, "{{{}}}", members.join(","));
        }
        other => out.push_str(&other.to_string()),
    }
    out.push_str(blank(choices));
    out
}

fn blank(choices: &mut impl Iterator<Item = u8>) -> &'static str {
    match choices.next().unwrap_or(0) {
        0xf0..=0xf3 => " ",
        0xf4..=0xf7 => "\n\t",
        0xf8..=0xff => "\r\n  ",
        _ => "",
    }
}

fn spelled_text(text: &str, choices: &mut impl Iterator<Item = u8>) -> String {
    let mut out = "\"".to_owned();
    for symbol in text.chars() {
        let choice = choices.next().unwrap_or(0);
        let short = match symbol {
            '"' | '\\' | '/' => Some(symbol),
            '\n' => Some('n'),
            '\t' => Some('t'),
            '\r' => Some('r'),
            _ => None,
        };
        let must = matches!(symbol, '"' | '\\') || symbol < ' ';
        match (choice % 8, short) {
            (1, _) => {
                let mut units = [0; 2];
                for unit in symbol.encode_utf16(&mut units) {
                    let _ = match choice / 8 % 2 {
                        0 => write!(out, "\\u{unit:04x}"),
                        _ => write!(out, "\\u{unit:04X}"),
                    };
                }
            }
            (2, Some(short)) => out.extend(['\\', short]),
            (_, Some(short)) if must => out.extend(['\\', short]),
            _ => out.push(symbol),
        }
    }
    out.push('"');
    out
}

/// A payload: the event in its envelope, and that in further ones.
fn payload(event: &Json, envelope: &Envelope, outer: &[&str], choices: &[u8]) -> String {
    let mut choices = choices.iter().copied().cycle();
    let text = spelled(event, &mut choices);
    let mut text = spelled(&(envelope.around)(event, &text), &mut choices);
    for key in outer {
        text = spelled(&json!({ *key: text, "tags": ["x"] }), &mut choices);
    }
    text
}

/// The rules that hold for a reset, and others that never do.
fn detector(others: usize, validate: Validate) -> Detector {
    let literal = NAME.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t");
    let mut rules = vec![
        program::rule("action", &format!("event.dataset:okta.system and event.action:{RESET}"), ""),
        program::rule(
            "name",
            &format!("event.action:*reset_all and okta.actor.display_name:\"{literal}\""),
            "",
        ),
    ];
    let other = |number| {
        program::rule(&format!("other-{number:02}"), &format!("event.action:some.{number:02}"), "")
    };
    rules.extend((0..others).map(other));
    let texts: Vec<RuleText> = rules
        .into_iter()
        .map(|text| RuleText { origin: "r".to_owned(), text, found: Found::Named })
        .collect();
    let set = rule::load(&texts, &BTreeMap::new()).unwrap_or_else(|faults| panic!("{faults:#?}"));
    Detector::new(Arc::new(set), &FieldTypes::builtin(), validate)
}

/// The ids of the rules that hit.
fn hits(detector: &Detector, payload: &str) -> Vec<String> {
    let record = Record {
        payload: Some(payload.as_bytes()),
        key: None,
        headers: &NoHeaders,
        position: Position { topic: "t", partition: 0, offset: 0 },
        timestamp: None,
        received: Timestamp::from_millis(0),
    };
    let mut scratch = Scratch::default();
    let verdict = detector.inspect(&record, &TopicProfile::default(), &mut scratch);
    assert!(!matches!(verdict.outcome, Outcome::Unreadable(_)), "{:?}: {payload}", verdict.outcome);
    let id = |hit: &ouzel::detect::Hit| {
        detector.rules().get(hit.rule).map(|rule| rule.id.clone()).expect("a hit names a rule")
    };
    verdict.hits.iter().map(id).collect()
}

#[test]
fn the_spellings_of_the_test_say_the_same_and_look_different() {
    let value = raw(RESET);
    let choices: Vec<u8> = (0..=255).map(|choice: u8| choice.wrapping_mul(37)).collect();
    let mut choices = choices.into_iter().cycle();
    let texts: Vec<String> = (0..20).map(|_| spelled(&value, &mut choices)).collect();
    for text in &texts {
        assert_eq!(serde_json::from_str::<Json>(text).expect("it is JSON"), value, "{text}");
    }
    assert!(texts.iter().any(|text| !text.contains(RESET) && !text.contains("eventType")));
}

#[test]
fn each_shape_plainly_written_hits_and_its_neighbour_does_not() {
    let detector = detector(0, Validate::Envelope);
    for envelope in ENVELOPES {
        let check = |event: &Json, wanted: &[&str]| {
            let found = hits(&detector, &payload(event, envelope, &[], &[0]));
            assert_eq!(found, wanted, "{}", envelope.name);
        };
        check(&raw(RESET), &["action", "name"]);
        check(&raw(OTHER), &[]);
    }
}

proptest! {
    #[test]
    fn each_shape_has_the_same_verdict_in_every_spelling_and_in_further_wrappers(
        envelope in prop::sample::select((0..ENVELOPES.len()).collect::<Vec<_>>()),
        is_ecs in any::<bool>(),
        is_reset in any::<bool>(),
        outer in prop::collection::vec(prop::sample::select(vec!["message", "log"]), 0..=WRAPPER_DEPTH_MAX),
        choices in prop::collection::vec(any::<u8>(), 1..97),
        others in prop::sample::select(vec![0_usize, 24]),
        validate in prop::sample::select(vec![Validate::Candidates, Validate::Envelope, Validate::Full]),
    ) {
        let envelope = &ENVELOPES[envelope];
        let outer = &outer[..outer.len().min(WRAPPER_DEPTH_MAX - envelope.wrappers)];
        let action = if is_reset { RESET } else { OTHER };
        let event = if is_ecs { ecs(action) } else { raw(action) };
        let wanted: &[&str] = if is_reset { &["action", "name"] } else { &[] };
        let payload = payload(&event, envelope, outer, &choices);
        let found = hits(&detector(others, validate), &payload);
        prop_assert_eq!(found, wanted, "{} {:?}\n{}", envelope.name, outer, payload);
    }
}

/// The lines of `pipe` for one payload with the shipped rule: how many alerts, and the summary.
fn piped(name: &str, payload: &[u8]) -> (usize, String) {
    piped_with(&crate::support::okta::rule_file().display().to_string(), name, payload)
}

fn piped_with(rule: &str, name: &str, payload: &[u8]) -> (usize, String) {
    let ran = run(&folder("shapes"), &["pipe", "-z", "-r", rule], payload);
    assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    (ran.stdout.lines().count(), ran.stderr)
}

#[test]
fn the_program_finds_the_event_of_each_shape_and_none_where_there_is_none() {
    let alerts = |name: &str, payload: &str, count: usize| {
        let (found, summary) = piped(name, payload.as_bytes());
        assert_eq!(found, count, "{name}: {summary}");
        assert!(summary.contains(" 0 dead letters"), "{name}: {summary}");
    };
    let event = raw(RESET);
    for envelope in ENVELOPES {
        alerts(envelope.name, &payload(&event, envelope, &[], &[0]), 1);
    }
    let mut second = event.clone();
    second["uuid"] = "u-2".into();
    let hec = |event: &Json| json!({"sourcetype": "OktaIM2:log", "event": event}).to_string();
    alerts("lines in one record", &format!("{event}\n{second}\n"), 2);
    alerts("values without anything between", &format!("{event}{second}"), 2);
    alerts("a batch of Splunk HEC", &(hec(&event) + &hec(&second)), 2);
    alerts(
        "a page in a text",
        &json!({"message": json!([event, second]).to_string()}).to_string(),
        2,
    );
    alerts("ECS, nested", &ecs(RESET).to_string(), 1);
    let dotted = json!({"event.action": RESET, "okta.event_type": RESET, "okta": {"uuid": "u"}});
    alerts("ECS, dotted and nested", &dotted.to_string(), 1);
    alerts("a byte order mark and blanks", &format!("\u{feff} \n{event}"), 1);
    let unknown = json!({"event": {"action": RESET, "dataset": "okta.system"}, "any": "shape"});
    alerts("an unknown shape, judged as it stands", &unknown.to_string(), 1);
}

#[test]
fn what_is_no_event_is_counted_and_no_rule_holds_for_it() {
    // A rule that holds for whatever is an event, so that every record is decoded.
    let rules = folder("no_event");
    write(&rules, "any.toml", program::rule("any", "not event.action:never", ""));
    let rule = rules.join("any.toml").display().to_string();
    assert_eq!(piped_with(&rule, "an object", b"{}").0, 1);
    for (name, nothing) in [
        ("a security event token", r#"{"iss":"i","jti":"j","iat":1,"events":{}}"#),
        ("a token in a text", r#"{"message":"{\"iss\":\"i\",\"jti\":\"j\",\"events\":{}}"}"#),
        ("a tombstone in JSON", "null"),
        ("an empty page", "[]"),
        ("a blank record", " \n"),
        (
            "an event hook without events",
            r#"{"eventType":"com.okta.event_hook","data":{"events":[]}}"#,
        ),
    ] {
        let (alerts, summary) = piped_with(&rule, name, nothing.as_bytes());
        assert_eq!(alerts, 0, "{name}: {summary}");
        assert!(summary.contains(" 0 dead letters, 1 skipped"), "{name}: {summary}");
    }
}

#[test]
fn past_the_depth_of_wrapping_an_event_is_a_dead_letter_and_not_silence() {
    let envelope = &ENVELOPES[0];
    let deep = |levels: usize| payload(&raw(RESET), envelope, &vec!["message"; levels], &[0]);
    assert_eq!(piped("deep", deep(WRAPPER_DEPTH_MAX).as_bytes()).0, 1);
    let (alerts, summary) = piped("deeper", deep(WRAPPER_DEPTH_MAX + 1).as_bytes());
    assert_eq!(alerts, 0);
    assert!(summary.contains("too deep") && summary.contains("1 dead letter;"), "{summary}");
}
