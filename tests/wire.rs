//! Whole alerts, from a payload's bytes through the real rule loader and detector to the bytes on
//! the topic: golden files per shape, held against the schema in docs/.
//!
//! `OUZEL_BLESS=1 cargo test --test main wire` writes the golden files anew. A change of them goes
//! into a commit that says why.

mod mapping;

use std::collections::BTreeMap;
use std::sync::Arc;

use ouzel::alert::{AlertEncoder, AlertInput, DeadLetter, Encoded, EncoderOptions, Stage};
use ouzel::detect::{Detector, Outcome, Scratch, Validate};
use ouzel::disposition::{
    AlertId, ClosedGroup, Decision, Disposition, ExceptionIndex, HiddenBy, Notice, OpenGroup, Term,
};
use ouzel::event::{FieldTypes, TopicProfile};
use ouzel::record::{Header, Headers, Position, Record, Timestamp};
use ouzel::rule::{Found, RuleIndex, RuleSet, RuleText};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::support::source;

/// 2026-01-10T12:00:00Z.
const RECORDED: i64 = 1_768_046_400_000;

struct Traced;

impl Headers for Traced {
    fn count(&self) -> usize {
        3
    }
    fn at(&self, index: usize) -> Option<Header<'_>> {
        let all = [
            ("traceparent", &b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"[..]),
            ("tenant", &b"a\r\nb"[..]),
            ("other", &b"not passed on"[..]),
        ];
        all.get(index).map(|(name, value)| Header { name, value: Some(value) })
    }
}

/// A record of topic `okta`; judged two seconds after its time stamp.
fn record(payload: &[u8]) -> Record<'_> {
    Record {
        payload: Some(payload),
        key: Some(b"tenant-1"),
        headers: &Traced,
        position: Position { topic: "okta", partition: 3, offset: 41 },
        timestamp: Some(Timestamp::from_millis(RECORDED)),
        received: Timestamp::from_millis(RECORDED + 2_000),
    }
}

fn rules() -> Arc<RuleSet> {
    let path = source::root().join("tests/data/wire/rule.toml");
    let text = std::fs::read_to_string(path).expect("the rule can be read");
    let text = RuleText { origin: "rule.toml".to_owned(), text, found: Found::Named };
    let set = ouzel::rule::load(&[text], &BTreeMap::new());
    Arc::new(set.unwrap_or_else(|faults| panic!("{faults:#?}")))
}

fn options() -> EncoderOptions {
    EncoderOptions {
        cluster: "cluster-1".to_owned(),
        pass_headers: vec!["tenant".to_owned()],
        build_version: "1.2.3".to_owned(),
        build_commit: "0123abc".to_owned(),
        ..EncoderOptions::default()
    }
}

/// What turns payloads into alerts.
struct Wire {
    detector: Detector,
    encoder: AlertEncoder,
}

/// How an alert is encoded.
type Encode<'a> = &'a dyn Fn(&AlertEncoder, AlertId, &AlertInput<'_>) -> Encoded;

impl Wire {
    fn new(options: EncoderOptions) -> Self {
        let (rules, types) = (rules(), FieldTypes::builtin());
        let detector = Detector::new(Arc::clone(&rules), &types, Validate::Envelope);
        Self { detector, encoder: AlertEncoder::new(rules, &types, options) }
    }

    /// The output of every hit of the record.
    fn alerts(&self, record: &Record<'_>, decision: &Decision, encode: Encode<'_>) -> Vec<Encoded> {
        let mut scratch = Scratch::default();
        let verdict = self.detector.inspect(record, &TopicProfile::default(), &mut scratch);
        assert!(!matches!(verdict.outcome, Outcome::Unreadable(_)), "{:?}", verdict.outcome);
        let rules = self.detector.rules();
        let hits = verdict.hits.iter().map(|hit| {
            let event = &verdict.events[hit.event as usize];
            let rule = rules.get(hit.rule).expect("a hit names a rule");
            let id = self.encoder.id(rule, event, record);
            let judged = record.received;
            let input = AlertInput { rule: hit.rule, event, record, judged, decision };
            encode(&self.encoder, id, &input)
        });
        hits.collect()
    }

    /// The whole alert of the only hit.
    fn alert(&self, payload: &[u8]) -> Encoded {
        self.only(payload, &Decision::default(), &AlertEncoder::encode)
    }

    fn only(&self, payload: &[u8], decision: &Decision, encode: Encode<'_>) -> Encoded {
        let mut alerts = self.alerts(&record(payload), decision, encode);
        assert_eq!(alerts.len(), 1, "{}", String::from_utf8_lossy(payload));
        alerts.remove(0)
    }
}

fn wire() -> Wire {
    Wire::new(options())
}

/// A reset of all factors: Ada of the help desk, for Homer.
fn raw() -> Json {
    json!({
        "actor": {"id": "00u1", "type": "User", "alternateId": "ada@example.org", "displayName": "Ada"},
        "client": {
            "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Linux", "browser": "FIREFOX"},
            "zone": "null", "device": "Computer", "id": null, "ipAddress": "198.51.100.7",
            "geographicalContext": {"city": "Berlin", "state": "Berlin", "country": "Germany",
                "postalCode": "10115", "geolocation": {"lat": 52.5, "lon": 13.4}}
        },
        "displayMessage": "Reset all factors for user",
        "eventType": "user.mfa.factor.reset_all",
        "outcome": {"result": "SUCCESS", "reason": "User reset all factors"},
        "published": "2026-01-10T11:59:58.500Z",
        "securityContext": {"asNumber": 64500, "asOrg": "example", "isp": "example", "domain": "example.net", "isProxy": false},
        "severity": "INFO",
        "debugContext": {"debugData": {"requestId": "r-1", "requestUri": "/api/v1/users/00u2/lifecycle/reset_factors"}},
        "legacyEventType": "core.user.factor.reset_all",
        "transaction": {"type": "WEB", "id": "W-1", "detail": {}},
        "uuid": "5c1dbc0f-0000-11f0-8000-000000000001",
        "version": "0",
        "request": {"ipChain": [{"ip": "198.51.100.7", "version": "V4"}]},
        "target": [
            {"id": "00g9", "type": "AppInstance", "alternateId": "App", "displayName": "App"},
            {"id": "00u2", "type": "User", "alternateId": "homer@example.org", "displayName": "Homer"}
        ]
    })
}

fn ecs() -> Json {
    json!({
        "@timestamp": "2026-01-10T11:59:58.500Z",
        "data_stream": {"type": "logs", "dataset": "okta.system", "namespace": "prod"},
        "event": {"action": "user.mfa.factor.reset_all", "category": ["authentication"], "dataset": "okta.system",
            "id": "5c1dbc0f-0000-11f0-8000-000000000001", "kind": "event", "module": "okta", "outcome": "success", "type": ["info"]},
        "okta": {"actor": {"id": "00u1", "type": "User"}, "event_type": "user.mfa.factor.reset_all",
            "outcome": {"result": "SUCCESS"}, "uuid": "5c1dbc0f-0000-11f0-8000-000000000001",
            "target": [{"id": "00u1", "type": "User"}]},
        "source": {"ip": "198.51.100.7"},
        "user": {"name": "ada"}
    })
}

/// Name of the golden file and payload, for each shape that carries an Okta event.
fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let (raw, text) = (raw(), raw().to_string());
    let mut hooked = raw.clone();
    let chain = hooked.as_object_mut().and_then(|raw| raw.remove("request")).expect("it is there");
    hooked["client"]["ipChain"] = chain["ipChain"].clone();
    let mut vector = raw.clone();
    vector["source_type"] = "okta".into();
    vector["version"] = 0.into();
    let clean = json!({"eventType": "user.session.start", "uuid": "u", "published": "2026-01-10T11:59:00Z"});
    let dotted = json!({
        "@timestamp": "2026-01-10T11:59:58.500Z", "event.action": "user.mfa.factor.reset_all",
        "event": {"dataset": "okta.system", "kind": "event"}, "okta.event_type": "user.mfa.factor.reset_all",
        "okta.uuid": "5c1dbc0f-0000-11f0-8000-000000000001", "source.ip": "198.51.100.7"
    });
    // In 2020 Filebeat made ECS of the event itself.
    let mut filebeat = ecs();
    for (name, value) in [
        ("fileset", json!({"name": "system"})),
        ("service", json!({"type": "okta"})),
        ("input", json!({"type": "httpjson"})),
    ] {
        filebeat[name] = value;
    }
    let several = format!("{clean}\n{raw}\n").into_bytes();
    let all = [
        ("raw", raw.clone()),
        ("page", json!([clean, raw])),
        (
            "agent",
            json!({"@timestamp": "2026-01-10T12:00:00.000Z", "message": text, "tags": ["forwarded"],
            "data_stream": {"type": "logs", "dataset": "okta.system", "namespace": "prod"}, "agent": {"id": "a-1"}}),
        ),
        (
            "filebeat",
            json!({"@timestamp": "2026-01-10T12:00:00.000Z", "json": raw, "event": {"module": "okta", "dataset": "okta.system", "original": text},
            "fileset": {"name": "system"}}),
        ),
        ("filebeat_2020", filebeat),
        ("ecs", ecs()),
        ("ecs_dotted", dotted),
        ("vector", vector),
        ("wrapped", json!({"log": text, "stream": "stdout"})),
        (
            "event_hook",
            json!({"eventType": "com.okta.event_hook", "cloudEventsVersion": "0.1", "source": "https://example.okta.com",
            "data": {"events": [hooked]}}),
        ),
        (
            "eventbridge",
            json!({"version": "0", "id": "e", "detail-type": "SystemLog", "source": "aws.partner/okta.com/x/y", "detail": raw}),
        ),
        ("splunk_hec", json!({"time": 1_768_046_400.0, "sourcetype": "OktaIM2:log", "event": raw})),
        (
            "cloudevents",
            json!({"specversion": "1.0", "type": "okta", "id": "c", "source": "s", "data": raw}),
        ),
    ];
    let each = all.into_iter().map(|(name, json)| (name, json.to_string().into_bytes()));
    each.chain([("several", several)]).collect()
}

/// An output as a golden file shows it; the hash stands for the exact bytes.
fn shown(encoded: &Encoded) -> String {
    let text = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => Json::String(String::from_utf8_lossy(bytes).into_owned()),
        None => Json::Null,
    };
    let headers: Vec<Json> =
        encoded.headers.iter().map(|(name, value)| json!([name, text(value.as_deref())])).collect();
    let value = encoded.value.as_deref().unwrap_or_default();
    let mut golden = json!({
        "timestamp": encoded.timestamp.as_millis(),
        "key": text(encoded.key.as_deref()),
        "headers": headers,
        "value_sha256": sha256(value),
    });
    golden["value"] = match serde_json::from_slice(value) {
        Ok(json) => json,
        Err(_) => text(encoded.value.as_deref()),
    };
    format!("{}\n", serde_json::to_string_pretty(&golden).expect("JSON can be written"))
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Holds an output against its golden file.
fn check_golden(name: &str, encoded: &Encoded) {
    let path = source::root().join(format!("tests/golden/{name}.json"));
    let found = shown(encoded);
    let mut golden = std::fs::read_to_string(&path).unwrap_or_default();
    if golden != found && std::env::var_os("OUZEL_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the golden file can be written");
        golden.clone_from(&found);
    }
    let first = golden.lines().zip(found.lines()).position(|(golden, found)| golden != found);
    assert!(
        golden == found,
        "{name}: not as its golden file says, from line {}; OUZEL_BLESS=1 writes it anew\n{found}",
        first.unwrap_or_default() + 1
    );
}

fn schema() -> jsonschema::Validator {
    let path = source::root().join("docs/alert.schema.json");
    let text = std::fs::read_to_string(path).expect("the schema can be read");
    let schema: Json = serde_json::from_str(&text).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is a schema")
}

fn check_schema(name: &str, value: &[u8]) {
    let json: Json = serde_json::from_slice(value).expect("an alert is JSON");
    let validator = schema();
    let faults: Vec<String> = validator
        .iter_errors(&json)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
}

/// Golden file and schema.
fn check(name: &str, encoded: &Encoded) {
    check_golden(name, encoded);
    check_schema(name, encoded.value.as_deref().expect("an alert has a value"));
}

fn value(encoded: &Encoded) -> Json {
    serde_json::from_slice(encoded.value.as_deref().unwrap_or_default()).expect("JSON")
}

#[test]
fn the_alert_of_every_shape_is_as_its_golden_file_says() {
    let wire = wire();
    let mut ids = Vec::new();
    for (name, payload) in shapes() {
        let alert = wire.alert(&payload);
        ids.push(value(&alert)["kibana.alert.uuid"].clone());
        check(name, &alert);
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "one event, one id, whatever its shape: {ids:#?}");
}

#[test]
fn a_document_of_another_product_has_an_alert_by_its_position() {
    let mut document = ecs();
    let fields = document.as_object_mut().expect("an object");
    fields.remove("okta");
    fields["event"].as_object_mut().expect("an object").remove("id");
    check("other", &wire().alert(document.to_string().as_bytes()));
}

#[test]
fn a_reduced_alert_keeps_position_hash_and_id() {
    let payload = raw().to_string().into_bytes();
    let wire = wire();
    let reduced = wire.only(&payload, &Decision::default(), &AlertEncoder::encode_reduced);
    check("reduced", &reduced);
    let (whole, reduced) = (value(&wire.alert(&payload)), value(&reduced));
    for path in ["/kibana.alert.uuid", "/ouzel/source", "/ouzel/payload", "/ouzel/timing"] {
        assert_eq!(whole.pointer(path), reduced.pointer(path), "{path}");
    }
}

#[test]
fn a_reduced_alert_is_small_however_large_the_event_is() {
    let mut event = raw();
    event["displayMessage"] = "x".repeat(1 << 20).into();
    event["actor"]["alternateId"] = "y".repeat(1 << 20).into();
    let payload = event.to_string().into_bytes();
    let reduced = wire().only(&payload, &Decision::default(), &AlertEncoder::encode_reduced);
    assert!(reduced.value.expect("a value").len() < 8 << 10);
}

#[test]
fn past_the_limit_an_alert_is_marked_unless_it_has_a_target_of_its_own() {
    let over = Decision { disposition: Disposition::OverLimit, ..Decision::default() };
    let payload = raw().to_string().into_bytes();
    check("over_limit", &wire().only(&payload, &over, &AlertEncoder::encode));
    let apart = Wire::new(EncoderOptions { has_overflow_target: true, ..options() });
    let whole = apart.only(&payload, &over, &AlertEncoder::encode);
    assert_eq!(whole, apart.alert(&payload));
}

#[test]
fn a_hit_that_an_exception_hides_names_it_in_the_audit() {
    let hidden = HiddenBy { index: ExceptionIndex(0), id: "identity-desk".into() };
    let decision = Decision {
        disposition: Disposition::Excepted,
        exception: Some(hidden),
        ..Decision::default()
    };
    check("excepted", &wire().only(raw().to_string().as_bytes(), &decision, &AlertEncoder::encode));
}

#[test]
fn a_suppressed_alert_is_updated_once_and_an_analysts_work_stays() {
    let wire = wire();
    let terms = vec![
        Term { field: "user.name".to_owned(), value: "ada".into() },
        Term { field: "host.name".to_owned(), value: Json::Null },
    ];
    let at = |seconds: i64| Timestamp::from_millis(RECORDED + seconds * 1000);
    let payload = raw().to_string().into_bytes();
    let key = group_key();
    let group = OpenGroup { key, terms: terms.clone(), start: at(0) };
    let decision = Decision { group: Some(group), ..Decision::default() };
    check("suppression_first", &wire.only(&payload, &decision, &AlertEncoder::encode));
    let update = wire.only(&payload, &decision, &|encoder, id, input| {
        let draft = encoder.draft(id, input);
        let (rule, start, end) = (RuleIndex(0), at(-5), at(30));
        let closed = ClosedGroup { rule, id, terms: terms.clone(), start, end, count: 3, draft };
        encoder.encode_update(closed, at(60))
    });
    check("suppression_update", &update);
    let (first, update) =
        (value(&wire.only(&payload, &decision, &AlertEncoder::encode)), value(&update));
    assert_eq!(first["kibana.alert.uuid"], update["kibana.alert.uuid"]);
    let fields = |json: &Json| -> Vec<String> {
        json.as_object().expect("an object").keys().cloned().collect()
    };
    let (first, update) = (fields(&first), fields(&update));
    let only_first: Vec<&String> = first.iter().filter(|name| !update.contains(name)).collect();
    assert_eq!(
        only_first,
        [
            "kibana.alert.status",
            "kibana.alert.workflow_status",
            "kibana.alert.workflow_tags",
            "kibana.alert.workflow_assignee_ids"
        ]
    );
    assert!(update.iter().all(|name| first.contains(name)), "an update adds no field");
}

/// The key of some group, from the state that makes such keys.
fn group_key() -> ouzel::disposition::GroupKey {
    use ouzel::disposition::{Dispositions, HitContext};
    use ouzel::event::{Event, Shape};
    let text = "[rule]\nrule_id = \"r\"\nname = \"n\"\ntype = \"query\"\ndescription = \"d\"\nseverity = \"low\"\n\
                risk_score = 1\nquery = \"a:1\"\n[rule.alert_suppression]\ngroup_by = [\"user.name\"]\n";
    let text = RuleText { origin: "r".to_owned(), text: text.to_owned(), found: Found::Named };
    let rules = Arc::new(ouzel::rule::load(&[text], &BTreeMap::new()).expect("a rule"));
    let event = Event {
        fields: &[],
        shape: Shape::Other,
        index: 0,
        okta_uuid: None,
        time: None,
        original: None,
    };
    let hit = HitContext {
        id: AlertId([0; 32]),
        rule: RuleIndex(0),
        event: &event,
        record: &record(b"{}"),
        judged: Timestamp::from_millis(0),
    };
    Dispositions::new(rules, 1).decide(&hit).group.expect("the first hit opens a group").key
}

#[test]
fn a_notice_is_as_its_golden_file_says() {
    let start = RECORDED - RECORDED.rem_euclid(300_000);
    let notice = Notice {
        rule: RuleIndex(0),
        window_start: Timestamp::from_millis(start),
        window_end: Timestamp::from_millis(start + 300_000),
        limit: 100,
    };
    check("notice", &wire().encoder.encode_notice(&notice, Timestamp::from_millis(RECORDED)));
}

#[test]
fn options_change_kind_key_index_and_original() {
    let options = EncoderOptions {
        event_kind: "signal".to_owned(),
        key_field: Some("user.target.name".to_owned()),
        include_original: true,
        index_of_topic: BTreeMap::from([("okta".to_owned(), "logs-okta.system-prod".to_owned())]),
        ..options()
    };
    check("options", &Wire::new(options).alert(raw().to_string().as_bytes()));
}

#[test]
fn an_event_older_than_the_look_back_is_late() {
    let wire = wire();
    let payload = raw().to_string().into_bytes();
    let late = |delay_ms: i64| {
        let record =
            Record { received: Timestamp::from_millis(RECORDED + delay_ms), ..record(&payload) };
        let alerts = wire.alerts(&record, &Decision::default(), &AlertEncoder::encode);
        let header = alerts[0].headers.iter().find(|(name, _)| name == "ouzel.late");
        let header = header.and_then(|(_, value)| value.clone()).expect("a header");
        let body = value(&alerts[0])["ouzel"]["late"].clone();
        assert_eq!(header, body.to_string().into_bytes());
        body
    };
    assert_eq!((late(360_000), late(360_001)), (json!(false), json!(true)));
}

#[test]
fn a_mapped_severity_shows_everywhere_but_in_the_rule() {
    let mut document = ecs();
    document["user"]["target"] = json!({"name": "ceo"});
    let alert = wire().alert(document.to_string().as_bytes());
    let json = value(&alert);
    assert_eq!(json["kibana.alert.severity"], "critical");
    assert_eq!(json["kibana.alert.rule.severity"], "low");
    let reason = json["kibana.alert.reason"].as_str().expect("a sentence");
    assert!(reason.ends_with("created critical alert Golden rule."), "{reason}");
    assert!(alert.headers.contains(&("ouzel.severity".into(), Some(b"critical".into()))));
}

#[test]
fn hostile_content_forges_nothing_and_repaints_nothing() {
    let mut event = raw();
    event["actor"]["displayName"] =
        "\u{1b}[2J\u{202e}\"},\"kibana.alert.severity\":\"low\u{0}".into();
    event["outcome"]["reason"] = "line\r\nouzel.late: true\u{9b}31m".into();
    check("hostile", &wire().alert(event.to_string().as_bytes()));
    let mut forged = ecs();
    forged["ouzel"] = json!({"late": true, "payload": {"sha256": "0"}});
    forged["kibana"] = json!({"alert": {"workflow_status": "closed"}});
    forged["kibana.alert.uuid"] = "0".into();
    forged["event"]["kind"] = "state".into();
    let forged = wire().alert(forged.to_string().as_bytes());
    check("forged", &forged);
    let text = String::from_utf8(forged.value.expect("a value")).expect("text");
    assert!(!text.contains("closed"));
}

#[test]
fn an_event_object_that_stands_twice_is_one_object_with_one_kind() {
    let text = ecs().to_string();
    let twice = text.replacen(
        "\"event\":{",
        "\"event\":{\"action\":\"other\",\"kind\":\"state\",\"reason\":\"r\"},\"event\":{",
        1,
    );
    let alert = wire().alert(twice.as_bytes());
    check("event_twice", &alert);
    assert_eq!(value(&alert)["event"]["kind"], "alert");
}

#[test]
fn a_dead_letter_is_as_its_golden_file_says() {
    let letter = DeadLetter {
        record: &record(b"{\"eventType\":\"user.mfa"),
        stage: Stage::Processing,
        reason: "truncated",
        detail: "truncated, in a payload of 22 bytes",
        judged: Timestamp::from_millis(RECORDED + 2_000),
    };
    check_golden("dead_letter", &letter.encode());
    check_golden("dead_letter_without_value", &letter.encode_without_value());
}

#[test]
fn the_schema_refuses_what_is_no_alert() {
    let alert = value(&wire().alert(raw().to_string().as_bytes()));
    let validator = schema();
    assert!(validator.is_valid(&alert));
    let refuses = |what: &str, change: &dyn Fn(&mut Json)| {
        let mut changed = alert.clone();
        change(&mut changed);
        assert!(!validator.is_valid(&changed), "{what}");
    };
    refuses("a nested kibana", &|json| json["kibana"] = json!({}));
    refuses("a field that nobody writes", &|json| json["kibana.alert.colour"] = json!("red"));
    refuses("another kind", &|json| json["event"]["kind"] = json!("event"));
    refuses("an id that is no hash", &|json| json["kibana.alert.uuid"] = json!("1"));
    refuses("an unknown severity", &|json| json["kibana.alert.severity"] = json!("urgent"));
    refuses("a revision without count", &|json| json["ouzel"]["revision"] = json!(1));
    refuses("a time without zone", &|json| json["@timestamp"] = json!("2026-01-10T12:00:00"));
    refuses("no position", &|json| json["ouzel"]["source"] = json!({}));
}

/// Any JSON, no deeper than events may be.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1e9..1e9f64).prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = prop_oneof!["[a-z]{1,4}", "(event|kibana|ouzel|kind|@timestamp|a\\.b)"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(names, inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_else_an_event_holds_its_alert_fits_the_schema(
        extra in proptest::collection::btree_map("[a-z]{1,6}|kibana|ouzel|event\\.x|labels", any_json(), 0..5),
    ) {
        let mut document = ecs();
        for (name, json) in extra {
            if document.get(&name).is_none() {
                document[&name] = json;
            }
        }
        let payload = document.to_string().into_bytes();
        let wire = wire();
        let alert = wire.alert(&payload);
        prop_assert_eq!(&alert, &wire.alert(&payload), "the bytes are deterministic");
        let bytes = alert.value.expect("a value");
        check_schema("generated", &bytes);
        let json: Json = serde_json::from_slice(&bytes).expect("JSON");
        prop_assert!(json["ouzel"]["late"].is_boolean());
    }
}
