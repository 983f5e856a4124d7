//! Each shape in which an Okta event arrives, alone, nested and spelt in every way JSON allows.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::TopicProfile;
use super::super::support_tests::{Found, event, outcome, outcome_with};
use super::*;
use crate::generate::{self, Generator, Options};

const RAW: &str = r#"{"actor":{"id":"00u1","type":"User","alternateId":"homer@example.com","displayName":"Homer \"H\" / Šimpson\\ 😀"},"client":{"ipAddress":"192.0.2.1","zone":"null"},"eventType":"user.session.start","outcome":{"result":"SUCCESS"},"published":"2026-01-01T00:00:00.123Z","uuid":"u-1","version":"0","target":null}"#;

/// The text as a JSON string.
fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

const AGENT: &str = r#""agent":{"id":"a-1","type":"filebeat"},"tags":["forwarded","okta-system"],"labels":{"team":"blue"}"#;

/// The event in an envelope of each shape that has one.
fn wrapped(shape: Shape, raw: &str) -> String {
    let text = quoted(raw);
    match shape {
        Shape::Raw => raw.to_owned(),
        Shape::Vector => raw.replacen('{', r#"{"source_type":"okta","#, 1),
        Shape::Agent => format!(
            r#"{{"@timestamp":"2026-01-02T00:00:00Z","@metadata":{{"beat":"filebeat"}},{AGENT},"data_stream":{{"dataset":"okta.system","namespace":"prod","type":"logs"}},"event":{{"dataset":"okta.system","created":"2026-01-02T00:00:00Z"}},"message":{text}}}"#
        ),
        Shape::Filebeat => format!(
            r#"{{{AGENT},"event":{{"module":"okta","dataset":"okta.system","original":{text}}},"fileset":{{"name":"system"}},"json":{raw}}}"#
        ),
        Shape::Wrapped => format!(
            r#"{{{AGENT},"log":{text},"kubernetes":{{"pod":"p"}},"host":"h","source":"s","index":1}}"#
        ),
        Shape::EventHook => format!(
            r#"{{"eventType":"com.okta.event_hook","eventTypeVersion":"1.0","cloudEventsVersion":"0.1","contentType":"application/json","eventId":"e","eventTime":"2026-01-02T00:00:00Z","source":"https://example.okta.com/api/v1/eventHooks/who1","data":{{"events":[{raw}]}}}}"#
        ),
        Shape::EventBridge => format!(
            r#"{{"version":"0","id":"b","detail-type":"SystemLog","source":"aws.partner/okta.com/example/stream","account":"1","time":"2026-01-02T00:00:00Z","region":"eu","resources":[],"detail":{raw}}}"#
        ),
        Shape::SplunkHec => format!(
            r#"{{"time":1767225600,"host":"h","source":"Okta","sourcetype":"OktaIM2:log","index":"main","event":{raw}}}"#
        ),
        Shape::CloudEvents => format!(
            r#"{{"specversion":"1.0","id":"c","source":"/okta","type":"okta.event","datacontenttype":"application/json","data":{raw}}}"#
        ),
        Shape::Ecs | Shape::Other => unreachable!("{shape:?} is no envelope"),
    }
}

const ENVELOPES: [Shape; 9] = [
    Shape::Raw,
    Shape::Vector,
    Shape::Agent,
    Shape::Filebeat,
    Shape::Wrapped,
    Shape::EventHook,
    Shape::EventBridge,
    Shape::SplunkHec,
    Shape::CloudEvents,
];

#[test]
fn the_event_in_every_envelope_is_the_same_event() {
    let raw = event(RAW);
    for shape in ENVELOPES {
        let found = event(wrapped(shape, RAW));
        assert_eq!(found.shape, shape);
        assert_eq!(found.uuid.as_deref(), Some("u-1"), "{shape:?}");
        assert_eq!(found.time, raw.time, "{shape:?}");
        for field in ["okta", "client", "source", "user", "related", "@timestamp"] {
            assert_eq!(found.at(field), raw.at(field), "{field} of {shape:?}");
        }
        assert_eq!(found.at("event.action"), "user.session.start", "{shape:?}");
        assert_eq!(found.at("event.dataset"), "okta.system", "{shape:?}");
        assert_eq!(found.at("event.module"), "okta", "{shape:?}");
        assert!(found.at("message").is_null() && found.at("json").is_null(), "{shape:?}");
        assert!(found.at("event.original").is_null(), "{shape:?}");
    }
}

#[test]
fn the_event_keeps_its_own_text() {
    for shape in ENVELOPES {
        let found = event(wrapped(shape, RAW));
        let expected = if shape == Shape::Vector { wrapped(shape, RAW) } else { RAW.to_owned() };
        assert_eq!(found.original, Some(expected), "{shape:?}");
    }
    let page = outcome(format!("[ {RAW} , {RAW} ]"));
    assert!(page.events.iter().all(|found| found.original.as_deref() == Some(RAW)));
}

#[test]
fn what_an_envelope_says_in_ecs_survives() {
    for shape in [Shape::Agent, Shape::Filebeat, Shape::Wrapped] {
        let found = event(wrapped(shape, RAW));
        assert_eq!(found.at("agent.id"), "a-1", "{shape:?}");
        assert_eq!(found.at("tags"), &json!(["forwarded", "okta-system"]), "{shape:?}");
        assert_eq!(found.at("labels.team"), "blue", "{shape:?}");
    }
    let agent = event(wrapped(Shape::Agent, RAW));
    assert_eq!(agent.at("data_stream.namespace"), "prod");
    assert_eq!(agent.at("event.created"), "2026-01-02T00:00:00Z");
    assert_eq!(agent.at("@timestamp"), "2026-01-01T00:00:00.123Z");
    assert!(agent.at("@metadata").is_null());
    assert_eq!(event(wrapped(Shape::Wrapped, RAW)).at("kubernetes.pod"), "p");
    // `source` and `host` of these are no ECS: the event's own `source.*` stands.
    for shape in
        [Shape::SplunkHec, Shape::EventBridge, Shape::CloudEvents, Shape::EventHook, Shape::Wrapped]
    {
        let found = event(wrapped(shape, RAW));
        assert_eq!(found.at("source.ip"), "192.0.2.1", "{shape:?}");
        assert!(found.at("host").is_null() && found.at("index").is_null(), "{shape:?}");
    }
}

/// A payload with one event, its shape and action.
fn check(payload: &str, shape: Shape, action: &str) {
    let found = event(payload);
    assert_eq!((found.shape, found.at("event.action")), (shape, &json!(action)), "{payload}");
}

#[test]
fn shapes_are_told_apart() {
    let text = quoted(RAW);
    let start = "user.session.start";
    check(&format!("[{RAW}]"), Shape::Raw, start);
    check(&format!(r#"{{"message":{text}}}"#), Shape::Wrapped, start);
    check(&format!(r#"{{"message":{RAW}}}"#), Shape::Wrapped, start);
    check(&format!(r#"{{"log":{text}}}"#), Shape::Wrapped, start);
    check(&format!(r#"{{"event.original":{text}}}"#), Shape::Wrapped, start);
    check(&format!(r#"{{"event":{{"original":{text}}}}}"#), Shape::Wrapped, start);
    check(
        &format!(r#"{{"event.module":"okta","fileset.name":"system","event.original":{text}}}"#),
        Shape::Filebeat,
        start,
    );
    check(&format!(r#"{{"event.dataset":"okta.system","message":{text}}}"#), Shape::Agent, start);
    check(&format!(r#"{{"sourcetype":"x","event":{text}}}"#), Shape::SplunkHec, start);
    check(&format!(r#"{{"specversion":"1.0","data":{text}}}"#), Shape::CloudEvents, start);
    check(r#"{"event.action":"a","okta.event_type":"a"}"#, Shape::Ecs, "a");
    check(r#"{"event":{"action":"a"},"okta.uuid":"u"}"#, Shape::Ecs, "a");
    check(
        r#"{"event":{"action":"a","module":"okta"},"okta":{"event_type":"a"},"fileset":{"name":"system"}}"#,
        Shape::Filebeat,
        "a",
    );
    // The newer value of a duplicated member cannot hide the older one.
    check(&format!(r#"{{"message":{text},"message":"x"}}"#), Shape::Wrapped, start);
    check(&format!(r#"{{"message":"{{}}","message":{text}}}"#), Shape::Wrapped, start);
}

#[test]
fn objects_of_others_are_judged_as_they_stand() {
    for payload in [
        r#"{"a":1}"#,
        "{}",
        r#"{"eventType":"AwsApiCall","eventName":"CreateUser","eventSource":"iam.amazonaws.com"}"#,
        r#"{"message":"not JSON","event":{"dataset":"system.auth"}}"#,
        r#"{"message":"{\"a\":1}","event":{"dataset":"custom"}}"#,
        r#"{"message":"{broken","log":{"level":"info"}}"#,
        r#"{"message":"[]","data":{},"json":[],"detail":[]}"#,
        r#"{"event":{"action":"login"},"user":{"name":"x"}}"#,
        r#"{"data":{"events":[{"a":1}]}}"#,
        r#"{"eventType":"sale","severity":"high","target":"x","amount":3}"#,
        r#"{"message":[{"a":1},7],"host":"h"}"#,
    ] {
        let found = event(payload);
        let expected: Json = serde_json::from_str(payload).expect("the test's JSON is JSON");
        assert_eq!((found.shape, &found.fields), (Shape::Other, &expected), "{payload}");
        assert_eq!((found.uuid, found.original.as_deref()), (None, Some(payload)));
    }
}

#[test]
fn constants_are_added_where_they_are_missing() {
    let ecs = event(r#"{"event.action":"a","event.dataset":"mine","okta.uuid":"u"}"#);
    assert_eq!((ecs.at("event.dataset"), ecs.at("event.module")), (&json!("mine"), &json!("okta")));
    assert_eq!(
        ecs.at("data_stream"),
        &json!({"type": "logs", "dataset": "okta.system", "namespace": "default"})
    );
    assert!(ecs.at("event.kind").is_null());
    let profile = TopicProfile {
        index: None,
        labels: vec![("team".into(), "red".into()), ("a.b".into(), "c".into())],
        okta: true,
    };
    let other = outcome_with(r#"{"a":1,"labels":{"team":"own"}}"#, &profile).events;
    assert_eq!(other[0].shape, Shape::Other);
    assert_eq!(other[0].at("event.dataset"), "okta.system");
    assert_eq!(other[0].at("labels"), &json!({"team": "own", "a": {"b": "c"}}));
    let any = TopicProfile { okta: false, ..profile };
    let other = outcome_with(r#"{"a":1}"#, &any).events;
    assert_eq!(other[0].fields, json!({"a": 1, "labels": {"team": "red", "a": {"b": "c"}}}));
    assert_eq!(outcome_with(RAW, &any).events[0].at("labels.team"), "red");
}

#[test]
fn a_topic_of_okta_needs_no_more_than_the_event_type() {
    let bare = r#"{"eventType":"a.b"}"#;
    assert_eq!(event(bare).shape, Shape::Other);
    let profile = TopicProfile { okta: true, ..TopicProfile::default() };
    let found = &outcome_with(bare, &profile).events[0];
    assert_eq!((found.shape, found.at("event.action")), (Shape::Raw, &json!("a.b")));
}

#[test]
fn pages_and_batches_hold_several_events() {
    let count = |payload: String, events: usize| {
        let outcome = outcome(&payload);
        assert_eq!((outcome.events.len(), outcome.fault), (events, None), "{payload}");
    };
    let hec = wrapped(Shape::SplunkHec, RAW);
    count(format!("{hec}{hec}{hec}"), 3);
    count(format!("[{hec},{hec}]"), 2);
    let page = format!("[{RAW},{RAW}]");
    count(format!(r#"{{"message":{}}}"#, quoted(&page)), 2);
    count(format!(r#"{{"message":{}}}"#, quoted(&format!("{RAW}\n{RAW}"))), 2);
    count(format!(r#"{{"specversion":"1.0","data":{page}}}"#), 2);
    count(wrapped(Shape::EventHook, &format!("{RAW},{RAW}")), 2);
    // An object of another kind between them is an event as well.
    count(format!(r#"{{"data":[{RAW},{{"a":1}},{RAW}]}}"#), 3);
    let token = r#"{"iss":"i","jti":"j","events":{}}"#;
    count(format!("{token}{RAW}"), 1);
}

#[test]
fn an_event_hook_is_never_the_event() {
    let hook = wrapped(Shape::EventHook, "");
    assert_eq!(outcome(hook).skipped, Some(SkipReason::NotAnEvent));
    let hook = r#"{"eventType":"com.okta.event_hook","uuid":"u","published":"x","actor":{}}"#;
    assert_eq!(outcome(hook).skipped, Some(SkipReason::NotAnEvent));
    let unknown = outcome(wrapped(Shape::EventHook, r#"{"a":1}"#));
    assert_eq!(unknown.events[0].shape, Shape::EventHook);
    let raw = RAW
        .replace(r#""client":{"#, r#""client":{"ipChain":[{"ip":"198.51.100.7","source":null}],"#);
    let found = event(wrapped(Shape::EventHook, &raw));
    assert_eq!(found.at("okta.request.ip_chain"), &json!([{"ip": "198.51.100.7"}]));
}

#[test]
fn an_okta_event_that_cannot_be_read_in_its_envelope_is_a_fault() {
    let cut = quoted(&RAW[..RAW.len() - 5]);
    let agent = format!(r#"{{"event.dataset":"okta.system","message":{cut}}}"#);
    let found = outcome(&agent);
    assert_eq!((found.events.len(), found.fault), (0, Some(DecodeFault::Truncated)));
    let hec = format!(r#"{{"sourcetype":"OktaIM2:log","event":{}}}"#, quoted("{nonsense}"));
    assert_eq!(outcome(hec).fault, Some(DecodeFault::NotJson));
    // Of an envelope that claims nothing it is a text like any other.
    assert_eq!(outcome(format!(r#"{{"message":{cut}}}"#)).fault, None);
    // What was read before it counts.
    let two = outcome(format!(r#"{{"message":{}}}"#, quoted(&format!("{RAW}\n{{"))));
    assert_eq!((two.events.len(), two.fault), (1, Some(DecodeFault::Truncated)));
}

/// The event in that many envelopes, all of them text in text.
fn nested(levels: usize) -> String {
    (0..levels).fold(RAW.to_owned(), |inner, level| {
        format!(
            r#"{{"message":{},"tags":["{level}"],"labels":{{"l{level}":"x"}}}}"#,
            quoted(&inner)
        )
    })
}

#[test]
fn what_an_envelope_says_is_okta_s_needs_no_more_than_the_event_type() {
    let bare = quoted(r#"{"eventType":"a.b"}"#);
    check(&format!(r#"{{"event.dataset":"okta.system","message":{bare}}}"#), Shape::Agent, "a.b");
    assert_eq!(event(format!(r#"{{"message":{bare}}}"#)).shape, Shape::Other);
}

#[test]
fn wrappers_in_wrappers_are_opened_up_to_a_depth() {
    for levels in 1..=WRAPPER_DEPTH_MAX {
        let found = event(nested(levels));
        assert_eq!((found.shape, found.at("okta")), (Shape::Wrapped, event(RAW).at("okta")));
        assert_eq!(found.at("labels").as_object().map(serde_json::Map::len), Some(levels));
        assert_eq!(found.at("tags"), &json!(["0"]), "the inner envelope is nearer to the event");
        assert_eq!(found.original.as_deref(), Some(RAW));
    }
    assert_eq!(outcome(nested(WRAPPER_DEPTH_MAX + 1)).fault, Some(DecodeFault::TooDeep));
    let mixed = wrapped(Shape::SplunkHec, &wrapped(Shape::Agent, RAW));
    let found = event(wrapped(Shape::Wrapped, &mixed));
    assert_eq!((found.shape, found.at("agent.id")), (Shape::Wrapped, &json!("a-1")));
}

#[test]
fn generated_raw_and_agent_events_are_the_same_events() {
    let of = |shape| {
        let mut generator = Generator::new(Options {
            shape,
            noise_hits: true,
            hits_permille: 50,
            ..Options::default()
        });
        std::iter::from_fn(move || {
            let mut buffer = Vec::new();
            generator.next_into(&mut buffer);
            Some(event(&buffer))
        })
    };
    let (raw, agent) = (of(generate::Shape::Raw), of(generate::Shape::Agent));
    let ecs = of(generate::Shape::Ecs);
    for ((raw, agent), ecs) in raw.zip(agent).zip(ecs).take(300) {
        assert_eq!((raw.shape, agent.shape, ecs.shape), (Shape::Raw, Shape::Agent, Shape::Ecs));
        assert_eq!(raw.at("okta"), agent.at("okta"));
        assert_eq!((&raw.uuid, raw.time), (&agent.uuid, agent.time));
        assert_eq!((&raw.uuid, raw.time), (&ecs.uuid, ecs.time));
        assert_eq!(raw.original, agent.original);
        for field in [
            "event.action",
            "event.outcome",
            "event.id",
            "event.kind",
            "user.name",
            "user.full_name",
            "user.target.id",
            "user.target.email",
            "user.target.name",
            "client.ip",
            "client.user",
            "client.as",
            "client.geo",
            "source.ip",
            "source.user",
            "okta.actor",
            "okta.client",
            "okta.outcome",
            "okta.security_context",
            "okta.severity",
            "okta.event_type",
            "okta.debug_context.debug_data.risk_level",
            "okta.debug_context.debug_data.risk_reasons",
            "okta.debug_context.debug_data.risk_behaviors",
            "okta.request",
            "user_agent.original",
        ] {
            // The generator's ECS documents name a target user even where there is no target.
            if !(field.starts_with("user.target") && raw.at(field).is_null()) {
                assert_eq!(raw.at(field), ecs.at(field), "{field} of {:?}", raw.uuid);
            }
        }
    }
}

/// The text with each character inside a string spelt in one of the ways that JSON allows.
fn respelt(text: &str, choices: &[u8]) -> String {
    let mut choices = choices.iter().copied().cycle();
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' => match rest.next() {
                Some('u') => {
                    out.push_str("\\u");
                    out.extend(rest.by_ref().take(4));
                }
                Some('n') => spell('\n', choices.next(), &mut out),
                Some(escaped) => spell(escaped, choices.next(), &mut out),
                None => out.push(c),
            },
            c if in_string => spell(c, choices.next(), &mut out),
            c => out.push(c),
        }
    }
    out
}

fn spell(c: char, choice: Option<u8>, out: &mut String) {
    let must_escape = matches!(c, '"' | '\\') || c < ' ';
    match (choice.unwrap_or(0) % 8, c) {
        (0, _) => {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| *out += &format!("\\u{unit:04x}"))
        }
        (1, _) => {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| *out += &format!("\\u{unit:04X}"))
        }
        (2..=3, '/') => out.push_str("\\/"),
        (_, '\n') => out.push_str("\\n"),
        _ if must_escape => out.extend(['\\', c]),
        _ => out.push(c),
    }
}

fn same(one: &Found, other: &Found, shape: Shape) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.fields, &other.fields, "{:?}", shape);
    prop_assert_eq!((one.shape, &one.uuid, one.time), (other.shape, &other.uuid, other.time));
    Ok(())
}

proptest! {
    #[test]
    fn an_event_is_the_same_however_its_bytes_are_escaped(
        shape in prop::sample::select(&ENVELOPES[..]),
        inner in prop::collection::vec(any::<u8>(), 1..40),
        outer in prop::collection::vec(any::<u8>(), 1..40),
        levels in 0_usize..3,
    ) {
        let plain = (0..levels).fold(wrapped(shape, RAW), |text, _| wrapped(Shape::Wrapped, &text));
        let odd = respelt(&wrapped(shape, &respelt(RAW, &inner)), &outer);
        let odd = (0..levels).fold(odd, |text, _| respelt(&wrapped(Shape::Wrapped, &text), &inner));
        same(&event(&plain), &event(&odd), shape)?;
    }

    #[test]
    fn ecs_documents_are_the_same_however_their_keys_are_written(dotted in any::<u8>()) {
        let nested = |outer: &str, inner: &str, value: &str, bit: u8| {
            if dotted >> bit & 1 == 1 {
                format!("\"{outer}.{inner}\":{value}")
            } else {
                format!("\"{outer}\":{{\"{inner}\":{value}}}")
            }
        };
        let parts = [
            nested("event", "action", "\"a\"", 0),
            nested("event", "outcome", "\"success\"", 1),
            nested("okta", "uuid", "\"u\"", 2),
            nested("okta", "actor", "{\"id\":\"x\"}", 3),
            nested("okta.actor", "type", "\"User\"", 4),
        ];
        let found = event(format!("{{{}}}", parts.join(",")));
        prop_assert_eq!(found.shape, Shape::Ecs);
        prop_assert_eq!(found.at("okta"), &json!({"uuid": "u", "actor": {"id": "x", "type": "User"}}));
        prop_assert_eq!(found.at("event.outcome"), "success");
    }
}
