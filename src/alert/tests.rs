//! What an alert is made of, piece by piece; whole alerts are held against golden files in
//! `tests/wire.rs`.

use serde_json::json;

use super::build::{EXECUTIONS, hash_parts};
use super::facts::{Facts, Truth};
use super::mapping::Mappings;
use super::reason::Reason;
use super::{AlertEncoder, DeadLetter, Encoded, EncoderOptions, REASONS, Stage};
use crate::disposition::Notice;
use crate::disposition::tests::{event, record, rules, time};
use crate::event::{Arena, Event, FieldTypes, Value};
use crate::record::{Header, Headers, Position, Record, Timestamp};
use crate::rule::RuleIndex;

#[derive(Clone)]
struct Fixed(Vec<(&'static str, Option<Vec<u8>>)>);

impl Headers for Fixed {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn at(&self, index: usize) -> Option<Header<'_>> {
        self.0.get(index).map(|(name, value)| Header { name, value: value.as_deref() })
    }
}

fn header<'e>(encoded: &'e Encoded, name: &str) -> Option<&'e str> {
    let found = encoded.headers.iter().find(|(known, _)| known == name)?;
    found.1.as_deref().map(|bytes| std::str::from_utf8(bytes).expect("own headers are text"))
}

#[test]
fn an_execution_is_a_uuid_of_rule_set_and_position() {
    let rules = rules("");
    let encoder =
        AlertEncoder::new(rules.clone(), &FieldTypes::default(), EncoderOptions::default());
    for (topic, partition, offset) in [("okta", 0, 0), ("", 12, 345), ("t", -1, i64::MIN)] {
        let position = Position { topic, partition, offset };
        let id = encoder.execution(&Record { position, ..record(b"{}") }).to_string();
        let name = format!("{}\0{topic}\0{partition}\0{offset}", rules.sha256());
        assert_eq!(id, uuid::Uuid::new_v5(&EXECUTIONS, name.as_bytes()).to_string());
    }
}

#[test]
fn the_reason_has_the_form_that_analysts_know() {
    let check = |json: serde_json::Value, sentence: &str| {
        let arena = Arena::new();
        let event = event(&arena, &json);
        assert_eq!(Reason::default().of(&event, "low", "A rule"), sentence);
    };
    check(
        json!({"event": {"category": ["authentication"]}, "source": {"ip": "1.3.2.4"}, "user": {"name": "homer"}}),
        "authentication event with source 1.3.2.4 by homer created low alert A rule.",
    );
    check(json!({}), "event created low alert A rule.");
    check(
        json!({"event": {"category": ["a", "b"]}, "user": {"name": "u"}}),
        "a, b event by u created low alert A rule.",
    );
    check(
        json!({
            "event": {"category": "test"}, "process": {"name": "p", "parent": {"name": "pp"}},
            "file": {"name": "f"}, "source": {"ip": "1.1.1.1", "port": 80},
            "destination": {"ip": "2.2.2.2", "port": 443}, "user": {"name": "u"}, "host": {"name": "h"}
        }),
        "test event with process p, parent process pp, file f, source 1.1.1.1:80, destination \
         2.2.2.2:443, by u on h created low alert A rule.",
    );
    check(json!({"user": {"name": "-"}, "host": {"name": ""}}), "event created low alert A rule.");
}

#[test]
fn actor_and_target_are_compared_by_id() {
    let check = |json: serde_json::Value, truth: Option<Truth>| {
        let arena = Arena::new();
        assert_eq!(Facts::default().about(&event(&arena, &json)).actor_is_target, truth, "{json}");
    };
    let okta = |actor: &str, targets: serde_json::Value| json!({"okta": {"actor": {"id": actor}, "target": targets}});
    check(okta("1", json!([{"type": "User", "id": "1"}])), Some(Truth::Yes));
    check(
        okta("1", json!([{"type": "AppInstance", "id": "1"}, {"type": "user", "id": "2"}])),
        Some(Truth::No),
    );
    check(okta("1", json!({"type": "User", "id": "1"})), Some(Truth::Yes));
    check(okta("1", json!([{"type": "AppInstance", "id": "1"}])), None);
    check(json!({"okta": {"target": [{"type": "User", "id": "1"}]}}), None);
    check(
        json!({"okta": {"actor": {"id": "1"}}, "user": {"target": {"id": "1"}}}),
        Some(Truth::Yes),
    );
}

#[test]
fn the_channel_needs_more_than_one_sign() {
    let check = |okta: serde_json::Value, channel: Option<&str>| {
        let arena = Arena::new();
        let json = json!({"okta": okta});
        let (facts, event) = (Facts::default(), event(&arena, &json));
        assert_eq!(facts.about(&event).channel, channel, "{json}");
    };
    let other = json!([{"type": "User", "id": "2"}]);
    let agent = json!({"user_agent": {"raw_user_agent": "Okta-Integrations"}});
    check(
        json!({"actor": {"id": "1", "type": "User"}, "target": [{"type": "User", "id": "1"}]}),
        Some("self-service"),
    );
    check(json!({"actor": {"id": "1", "type": "User"}, "target": other}), Some("admin-console"));
    check(
        json!({"actor": {"id": "1", "type": "User"}, "target": other, "transaction": {"detail": {"request_api_token_id": "t"}}}),
        Some("api-token"),
    );
    check(
        json!({"actor": {"id": "s", "type": "SystemPrincipal", "alternate_id": "system@okta.com"}, "target": other, "transaction": {"id": "unknown"}}),
        Some("okta-support"),
    );
    check(
        json!({"actor": {"id": "1", "type": "User", "alternate_id": "system@okta.com"}, "target": other, "transaction": {"id": "W1"}, "client": agent}),
        Some("admin-console"),
    );
    check(
        json!({"actor": {"id": "1", "type": "PublicClientApp"}, "target": other, "client": agent}),
        Some("automation"),
    );
    check(
        json!({"actor": {"id": "1", "type": "User"}, "target": other, "client": agent}),
        Some("admin-console"),
    );
    check(json!({"actor": {"id": "1", "type": "SystemPrincipal"}, "target": other}), None);
    check(json!({"target": other}), None);
}

const MAPPED: &str = r#"
rule_name_override = "okta.display_message"
[[rule.severity_mapping]]
field = "event.severity"
operator = "equals"
value = "40"
severity = "medium"
[[rule.severity_mapping]]
field = "tags"
operator = "equals"
value = "vip"
severity = "critical"
[[rule.severity_mapping]]
field = "tags"
operator = "equals"
value = "lab"
severity = "low"
[[rule.risk_score_mapping]]
field = "event.risk_score"
operator = "equals"
value = ""
"#;

#[test]
fn severity_risk_and_name_come_from_the_event_where_the_rule_says_so() {
    let rules = rules(MAPPED);
    let rule = &rules.rules()[0];
    let mappings = Mappings::new(rule);
    let check = |json: serde_json::Value, severity: &str, risk: Value<'_>, name: &str| {
        let arena = Arena::new();
        let event: Event<'_> = event(&arena, &json);
        assert_eq!(mappings.severity(rule, &event).name(), severity, "{json}");
        assert_eq!(mappings.risk_score(rule, &event), risk, "{json}");
        assert_eq!(mappings.name(rule, &event), name, "{json}");
    };
    let own = Value::Int(21);
    check(json!({}), "low", own, "A rule");
    check(json!({"event": {"severity": 40}}), "medium", own, "A rule");
    check(json!({"event": {"severity": "40"}}), "low", own, "A rule");
    check(json!({"tags": ["x", "vip", "lab"]}), "critical", own, "A rule");
    check(json!({"tags": ["VIP"]}), "low", own, "A rule");
    check(
        json!({"event": {"risk_score": [7, "88", 101, -1, "x"]}}),
        "low",
        Value::Int(88),
        "A rule",
    );
    check(json!({"event": {"risk_score": 45.5}}), "low", Value::Float(45.5), "A rule");
    check(json!({"event": {"risk_score": "high"}}), "low", own, "A rule");
    check(json!({"okta": {"display_message": "Reset"}}), "low", own, "Reset");
    check(json!({"okta": {"display_message": ["a", "b"]}}), "low", own, "A rule");
    check(json!({"okta": {"display_message": 7}}), "low", own, "A rule");
}

fn encoder() -> AlertEncoder {
    let options = EncoderOptions { cluster: "c".to_owned(), ..EncoderOptions::default() };
    AlertEncoder::new(rules(""), &FieldTypes::builtin(), options)
}

#[test]
fn the_id_of_an_okta_event_depends_on_its_uuid_and_any_other_on_its_position() {
    use sha2::Digest as _;
    let check = |uuid: Option<&str>, index: u32, hashed: &str| {
        let arena = Arena::new();
        let event = Event { okta_uuid: uuid, index, ..event(&arena, &json!({})) };
        let (encoder, rules) = (encoder(), rules(""));
        let id = encoder.id(&rules.rules()[0], &event, &record(b"{}"));
        assert_eq!(id.0, <[u8; 32]>::from(sha2::Sha256::digest(hashed)), "{hashed:?}");
    };
    check(Some("u-1"), 0, "ouzel-alert-1\0r-1\0okta\0u-1");
    check(Some("u-1"), 3, "ouzel-alert-1\0r-1\0okta\0u-1");
    check(None, 0, "ouzel-alert-1\0r-1\0c\0okta\x002\x007\x000");
    check(None, 12, "ouzel-alert-1\0r-1\0c\0okta\x002\x007\x0012");
    assert_eq!(
        hash_parts(&["a"]).to_string(),
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    );
}

#[test]
fn a_notice_names_rule_window_and_limit_and_holds_no_event() {
    let encoder = encoder();
    let notice = Notice {
        rule: RuleIndex(0),
        window_start: time("2026-01-01T00:00:00Z"),
        window_end: time("2026-01-01T00:05:00Z"),
        limit: 100,
    };
    let encoded = encoder.encode_notice(&notice, time("2026-01-01T00:01:00Z"));
    let json: serde_json::Value =
        serde_json::from_slice(encoded.value.as_deref().expect("a value")).expect("JSON");
    assert_eq!(json["kibana.alert.rule.rule_id"], "r-1");
    assert_eq!(json["ouzel"]["notice"]["window_end"], "2026-01-01T00:05:00.000Z");
    assert_eq!(json["ouzel"]["notice"]["limit"], 100);
    assert!(json.get("event").is_none() && json.get("kibana.alert.uuid").is_none());
    assert_eq!(header(&encoded, "ouzel.notice"), Some("limit"));
    let later = encoder.encode_notice(&notice, time("2026-01-01T00:03:00Z"));
    assert_eq!(later.key, encoded.key, "one id for one window");
    let other = Notice { window_start: notice.window_end, ..notice };
    assert_ne!(encoder.encode_notice(&other, notice.window_end).key, encoded.key);
}

fn dead<'a>(record: &'a Record<'a>, detail: &'a str) -> DeadLetter<'a> {
    DeadLetter {
        record,
        stage: Stage::Processing,
        reason: "not JSON",
        detail,
        judged: Timestamp::from_millis(9),
    }
}

#[test]
fn a_dead_letter_is_the_record_itself_with_headers_added() {
    let headers = Fixed(vec![("a", Some(b"\x00\xff".to_vec())), ("a", None), ("b", Some(vec![]))]);
    let record = Record { headers: &headers, key: Some(b"\xfe"), ..record(b"\xffno") };
    let encoded = dead(&record, "bad byte \u{1b}[31m at 0\nnext").encode();
    assert_eq!(encoded.value.as_deref(), record.payload);
    assert_eq!(encoded.key.as_deref(), record.key);
    assert_eq!(encoded.timestamp, Timestamp::from_millis(9));
    let originals: Vec<(&str, Option<&[u8]>)> =
        encoded.headers.iter().take(3).map(|(name, value)| (&**name, value.as_deref())).collect();
    assert_eq!(originals, [("a", Some(&b"\x00\xff"[..])), ("a", None), ("b", Some(&b""[..]))]);
    let check = |name: &str, value: &str| assert_eq!(header(&encoded, name), Some(value), "{name}");
    check("ouzel.error.stage", "processing");
    check("ouzel.error.reason", "not JSON");
    check("ouzel.error.detail", "bad byte \\u{1b}[31m at 0\\nnext");
    check("ouzel.source.topic", "okta");
    check("ouzel.source.partition", "2");
    check("ouzel.source.offset", "7");
    check("ouzel.source.timestamp", "1000");
    assert_eq!(encoded.headers.len(), 10);
}

#[test]
fn a_dead_letter_without_its_value_still_proves_the_record() {
    let headers = Fixed(vec![
        ("huge", Some(vec![b'x'; crate::limits::TRUNCATED_HEADER_BYTES_MAX])),
        ("small", Some(b"1".to_vec())),
    ]);
    let record = Record { headers: &headers, ..record(b"abc") };
    let encoded = dead(&record, "").encode_without_value();
    assert_eq!(encoded.value.as_deref(), Some(&b""[..]));
    assert_eq!(encoded.key.as_deref(), Some(&b"k"[..]));
    let check = |name: &str, value: &str| assert_eq!(header(&encoded, name), Some(value), "{name}");
    check("small", "1");
    check("ouzel.payload.bytes", "3");
    check(
        "ouzel.payload.sha256",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    check("ouzel.error.truncated", "true");
    check("ouzel.source.offset", "7");
    assert_eq!(header(&encoded, "huge"), None);
    let long_key = vec![0; crate::limits::TRUNCATED_HEADER_BYTES_MAX + 1];
    let record = Record { key: Some(&long_key), ..record };
    assert_eq!(dead(&record, "").encode_without_value().key, None);
}

#[test]
fn a_dead_letter_is_one_line_for_a_pipe() {
    let check = |payload: Option<&[u8]>, line: &str| {
        let record = Record { payload, ..record(b"") };
        let found = dead(&record, "a\nb").encode_line();
        assert_eq!(String::from_utf8_lossy(&found), line);
    };
    let head = r#"{"reason":"not JSON","detail":"a\\nb","stage":"processing","position":{"topic":"okta","partition":2,"offset":7},"key":"k""#;
    check(Some(b"{\"a\n"), &format!(r#"{head},"payload":"{{\"a\n"}}"#));
    check(Some(b"\xff\x00"), &format!(r#"{head},"payload_base64":"/wA="}}"#));
    check(None, &format!("{head}}}"));
}

#[test]
fn the_reason_of_every_decode_fault_is_in_the_vocabulary() {
    for fault in crate::event::DecodeFault::ALL {
        assert!(REASONS.contains(&fault.reason()), "{fault}");
    }
}
