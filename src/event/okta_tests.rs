//! The mapping, field by field.

use serde_json::{Value as Json, json};

use super::super::Arena;
use super::super::support_tests::{WRITTEN, event};
use super::facts::made_snake_case;
use super::template::SNAKE_NAMES;

/// A raw event with these further members.
fn raw(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(
        r#"{{"uuid":"u-1","published":"2026-01-01T00:00:00.000Z","eventType":"x.y"{comma}{members}}}"#
    )
}

/// What stands at `path` for a raw event with these members; null: nothing.
fn check(members: &str, path: &str, expected: Json) {
    let found = event(raw(members));
    assert_eq!(found.at(path), &expected, "{path} of {members}");
}

fn absent(members: &str, path: &str) {
    check(members, path, Json::Null);
}

#[test]
fn known_names_in_snake_case_are_those_that_would_be_made() {
    let arena = Arena::new();
    for (name, made) in SNAKE_NAMES {
        assert_eq!(made_snake_case(&arena, name), *made);
    }
}

#[test]
fn an_event_that_says_little_has_few_fields() {
    let found = event(raw(""));
    assert_eq!(
        found.fields,
        json!({
            "@timestamp": "2026-01-01T00:00:00.000Z",
            "ecs": {"version": "8.11.0"},
            "event": {
                "action": "x.y", "id": "u-1", "kind": "event", "outcome": "unknown",
                "dataset": "okta.system", "module": "okta"
            },
            "okta": {"event_type": "x.y", "uuid": "u-1"},
            "data_stream": {"type": "logs", "dataset": "okta.system", "namespace": "default"}
        })
    );
}

#[test]
fn the_identity_and_the_time_of_an_event() {
    check("", "event.id", json!("u-1"));
    check("", "okta.uuid", json!("u-1"));
    check("", "@timestamp", json!("2026-01-01T00:00:00.000Z"));
    assert_eq!(event(raw("")).uuid.as_deref(), Some("u-1"));
    let twice = event(raw(r#""uuid":"u-2""#));
    assert_eq!((twice.uuid.clone(), twice.at("okta.uuid")), (None, &json!(["u-1", "u-2"])));
    for published in ["\"yesterday\"", "null", "7", "[]"] {
        let text = format!(r#"{{"eventType":"a","uuid":"u","published":{published}}}"#);
        let found = event(&text);
        assert_eq!(found.at("@timestamp"), "2026-02-03T04:05:06.789Z", "{published}");
        assert_eq!(found.time, Some(WRITTEN));
    }
}

#[test]
fn who_did_it() {
    let actor = r#""actor":{"id":"00u1","type":"User","alternateId":"homer@x.org","displayName":"Homer","detailEntry":null}"#;
    check(
        actor,
        "okta.actor",
        json!({"id": "00u1", "type": "User", "alternate_id": "homer@x.org", "display_name": "Homer"}),
    );
    for user in ["client.user", "source.user"] {
        check(actor, user, json!({"id": "00u1", "full_name": "Homer", "name": "homer"}));
    }
    check(actor, "user", json!({"email": "homer@x.org", "full_name": "Homer", "name": "homer"}));
    absent(r#""actor":{"alternateId":"homer"}"#, "user.email");
    check(actor, "related.user", json!(["Homer", "homer"]));
}

#[test]
fn a_user_name_is_the_first_run_of_name_characters() {
    let name = |login: &str, expected: Json| {
        let login = Json::from(login);
        check(&format!(r#""actor":{{"alternateId":{login}}}"#), "user.name", expected);
    };
    name("homer@x.org", json!("homer"));
    name("\"!we!rd.user\"", json!("we"));
    name("a.b_c-d@x", json!("a.b_c-d"));
    name("plain", json!("plain"));
    name("émile@x", json!("mile"));
    name("@@@", Json::Null);
    name("", Json::Null);
    check(r#""actor":{"alternateId":["a@x","b@x"]}"#, "user.name", json!(["a", "b"]));
    absent(r#""actor":{"alternateId":7}"#, "user.name");
}

#[test]
fn where_it_came_from() {
    let client = r#""client":{"ipAddress":"192.0.2.1","device":"Computer","id":"c1","zone":"null","geographicalContext":{"city":"Berlin","state":"BE","country":"Germany","postalCode":10115,"geolocation":{"lat":52.5,"lon":13.4}},"userAgent":{"browser":"CHROME","os":"Linux","rawUserAgent":"Mozilla/5.0"}}"#;
    check(
        client,
        "okta.client",
        json!({
            "ip": "192.0.2.1", "device": "Computer", "id": "c1", "zone": "null",
            "user_agent": {"browser": "CHROME", "os": "Linux", "raw_user_agent": "Mozilla/5.0"}
        }),
    );
    for address in ["client.ip", "source.ip"] {
        check(client, address, json!("192.0.2.1"));
    }
    check(client, "related.ip", json!(["192.0.2.1"]));
    check(
        client,
        "client.geo",
        json!({
            "city_name": "Berlin", "region_name": "BE", "country_name": "Germany",
            "location": {"lat": 52.5, "lon": 13.4}
        }),
    );
    check(client, "user_agent.original", json!("Mozilla/5.0"));
    absent(client, "source.geo");
}

#[test]
fn an_address_that_is_none_is_absent() {
    for address in ["\"null\"", "\"unknown\"", "\"\"", "null", "7", "\"1.2.3\"", "\"192.0.2.1:80\""]
    {
        let client = format!(r#""client":{{"ipAddress":{address}}}"#);
        for path in ["okta.client", "client", "source", "related"] {
            absent(&client, path);
        }
    }
    check(r#""client":{"ipAddress":"2001:DB8::1"}"#, "source.ip", json!("2001:DB8::1"));
}

#[test]
fn how_it_ended() {
    for (result, expected) in [
        ("SUCCESS", "success"),
        ("ALLOW", "success"),
        ("allow", "success"),
        ("FAILURE", "failure"),
        ("Deny", "failure"),
        ("CHALLENGE", "unknown"),
        ("SKIPPED", "unknown"),
        ("", "unknown"),
    ] {
        check(&format!(r#""outcome":{{"result":"{result}"}}"#), "event.outcome", json!(expected));
    }
    check(r#""outcome":null"#, "event.outcome", json!("unknown"));
    check(
        r#""outcome":{"result":"DENY","reason":"R"}"#,
        "okta.outcome",
        json!({"result": "DENY", "reason": "R"}),
    );
    check(
        r#""outcome":{"result":"A","result":"SUCCESS"}"#,
        "event.outcome",
        json!(["unknown", "success"]),
    );
}

const TARGETS: &str = r#""target":[
    {"id":"0oa1","type":"AppInstance","alternateId":"App","displayName":"App","detailEntry":{"signOnModeType":"X","none":null}},
    {"id":"00g1","type":"UserGroup","alternateId":"unknown","displayName":"Staff"},
    {"id":"00u2","type":"user","alternateId":"bart@x.org","displayName":"Bart","detailEntry":null,"changeDetails":{"from":{"a":1}}},
    {"id":"00u3","type":"User","alternateId":"lisa@x.org","displayName":"Lisa"}]"#;

#[test]
fn to_whom_it_was_done() {
    check(
        TARGETS,
        "okta.target",
        json!([
            {"id": "0oa1", "type": "AppInstance", "alternate_id": "App", "display_name": "App", "detail_entry": {"signOnModeType": "X"}},
            {"id": "00g1", "type": "UserGroup", "alternate_id": "unknown", "display_name": "Staff"},
            {"id": "00u2", "type": "user", "alternate_id": "bart@x.org", "display_name": "Bart", "changeDetails": {"from": {"a": 1}}},
            {"id": "00u3", "type": "User", "alternate_id": "lisa@x.org", "display_name": "Lisa"}
        ]),
    );
    check(
        TARGETS,
        "user.target",
        json!({
            "id": "00u2", "full_name": "Bart", "name": "bart", "email": "bart@x.org",
            "group": {"id": "00g1", "name": "Staff"}
        }),
    );
    check(TARGETS, "related.user", json!(["Bart"]));
    let one = r#""target":{"id":"00u2","type":"User","alternateId":"bart"}"#;
    check(one, "user.target", json!({"id": "00u2", "name": "bart"}));
    check(one, "okta.target", json!([{"id": "00u2", "type": "User", "alternate_id": "bart"}]));
    for none in [r#""target":null"#, r#""target":[]"#, r#""target":[null,{}]"#] {
        absent(none, "okta.target");
        absent(none, "user");
    }
}

#[test]
fn how_a_factor_was_used_has_elastic_s_name_as_well() {
    let method = json!({"methodTypeUsed": "Password", "methodUsedVerifiedProperties": "[X]"});
    let details =
        json!({"methodTypeUsed": "Password", "methodUsedVerifiedProperties": "[X]", "a": 1});
    check(
        &format!(r#""target":[{{"type":"AuthenticatorEnrollment","detailEntry":{details}}}]"#),
        "okta.target",
        json!([{"type": "AuthenticatorEnrollment", "detail_entry": details, "detailEntry": method}]),
    );
}

#[test]
fn names_are_listed_once() {
    let both = r#""actor":{"displayName":"same","alternateId":"same@x"},"target":[{"type":"User","displayName":"same"}]"#;
    check(both, "related.user", json!(["same"]));
}

#[test]
fn the_request_and_its_context() {
    check(
        r#""transaction":{"id":"t","type":"WEB","detail":{"requestApiTokenId":"00T1","rootApiTokenId":"00T2","other":1}}"#,
        "okta.transaction",
        json!({
            "id": "t", "type": "WEB",
            "detail": {"request_api_token_id": "00T1", "root_api_token_id": "00T2"}
        }),
    );
    absent(r#""transaction":{"detail":{}}"#, "okta.transaction");
    let chain = r#""request":{"ipChain":[{"ip":"192.0.2.1","version":"V4","source":null,"geographicalContext":{"city":"Berlin","postalCode":10115,"geolocation":{"lat":1,"lon":2}}}]}"#;
    check(
        chain,
        "okta.request.ip_chain",
        json!([{
            "ip": "192.0.2.1", "version": "V4",
            "geographical_context": {"city": "Berlin", "postal_code": "10115", "geolocation": {"lat": 1, "lon": 2}}
        }]),
    );
    check(
        r#""authenticationContext":{"authenticationStep":0,"externalSessionId":"s","issuer":{"id":"i","type":null},"interface":null,"rootSessionId":"r"}"#,
        "okta.authentication_context",
        json!({"authentication_step": 0, "external_session_id": "s", "issuer": {"id": "i"}, "root_session_id": "r"}),
    );
    check(
        r#""severity":"WARN","legacyEventType":"l","displayMessage":"m""#,
        "okta",
        json!({
            "display_message": "m", "event_type": "x.y", "legacy_event_type": "l", "severity": "WARN", "uuid": "u-1"
        }),
    );
    for version in ["0", "\"0\""] {
        check(&format!(r#""version":{version}"#), "okta.version", json!("0"));
    }
}

#[test]
fn the_network_of_the_client() {
    let security = r#""securityContext":{"asNumber":64496,"asOrg":"org","domain":"example.net","isProxy":false,"isp":"isp","ipDetails":null}"#;
    let network = json!({"number": 64496, "organization": {"name": "org"}});
    check(
        security,
        "okta.security_context",
        json!({
            "as": network, "domain": "example.net", "is_proxy": false, "isp": "isp"
        }),
    );
    for side in ["client", "source"] {
        check(security, side, json!({"as": network, "domain": "example.net"}));
    }
    absent(r#""securityContext":{"asNumber":null,"asOrg":""}"#, "client");
}

#[test]
fn the_device() {
    check(
        r#""device":{"id":"g","name":"n","managed":true,"os_platform":"OSX","x":null,"device_integrator":"{\"a\":\"b\"}"}"#,
        "okta.device",
        json!({"id": "g", "name": "n", "managed": true, "os_platform": "OSX", "device_integrator": {"a": "b"}}),
    );
    check(
        r#""device":{"device_integrator":"none"}"#,
        "okta.device.device_integrator",
        json!("none"),
    );
    absent(r#""device":null"#, "okta.device");
}

/// What stands at `path` of the debug data for an event with these debug data.
fn debug(data: &str, path: &str, expected: Json) {
    check(
        &format!(r#""debugContext":{{"debugData":{{{data}}}}}"#),
        &format!("okta.debug_context.debug_data.{path}"),
        expected,
    );
}

#[test]
fn debug_data_are_kept_and_picked_from() {
    let data = r#""requestUri":"/a","dtHash":"d","deviceFingerprint":"f","threatSuspected":"false","url":"/a?b","requestId":"r","factor":"SMS","grantType":"g","traceId":"t","none":null,"empty":"""#;
    debug(
        data,
        "flattened",
        json!({
            "requestUri": "/a", "dtHash": "d", "deviceFingerprint": "f", "threatSuspected": "false",
            "url": "/a?b", "requestId": "r", "factor": "SMS", "grantType": "g", "traceId": "t"
        }),
    );
    for (path, expected) in [
        ("request_uri", "/a"),
        ("dt_hash", "d"),
        ("device_fingerprint", "f"),
        ("threat_suspected", "false"),
        ("url", "/a?b"),
        ("request_id", "r"),
        ("factor", "SMS"),
        ("grant_type", "g"),
    ] {
        debug(data, path, json!(expected));
    }
    debug(data, "trace_id", Json::Null);
    absent(r#""debugContext":{"debugData":{}}"#, "okta.debug_context");
}

#[test]
fn behaviours_are_read_in_both_spellings() {
    let expected =
        json!({"New IP": "POSITIVE", "New Geo-Location": "NEGATIVE", "Velocity": "POSITIVE"});
    for behaviors in [
        r#""{New IP=POSITIVE, New Geo-Location=NEGATIVE, Velocity=POSITIVE}""#,
        r#""{\"New IP\":\"POSITIVE\",\"New Geo-Location\":\"NEGATIVE\",\"Velocity\":\"POSITIVE\"}""#,
        r#"{"New IP":"POSITIVE","New Geo-Location":"NEGATIVE","Velocity":"POSITIVE"}"#,
    ] {
        let data = format!("\"behaviors\":{behaviors}");
        debug(&data, "flattened.behaviors", expected.clone());
        debug(&data, "risk_behaviors", json!(["New IP", "Velocity"]));
    }
    debug(r#""behaviors":"{New IP=NEGATIVE}""#, "risk_behaviors", Json::Null);
    debug(r#""behaviors":"unreadable""#, "flattened.behaviors", json!("unreadable"));
    // What Okta marks as for the log only is no finding.
    debug(
        r#""logOnlySecurityData":"{\"behaviors\":{\"New City\":\"POSITIVE\"}}""#,
        "risk_behaviors",
        Json::Null,
    );
}

#[test]
fn risk_is_read_in_both_spellings() {
    for risk in [
        r#""{reasons=Anomalous Device, New IP, level=LOW}""#,
        r#""{level=LOW, reasons=Anomalous Device, New IP}""#,
        r#""{\"level\":\"LOW\",\"reasons\":\"Anomalous Device, New IP\"}""#,
        r#"{"level":"LOW","reasons":["Anomalous Device","New IP"]}"#,
    ] {
        let data = format!("\"risk\":{risk}");
        debug(&data, "risk_level", json!("LOW"));
        debug(&data, "risk_reasons", json!(["Anomalous Device", "New IP"]));
        debug(&data, "flattened.risk.level", json!("LOW"));
    }
    let both = r#""risk":"{level=LOW}","logOnlySecurityData":"{\"risk\":{\"level\":\"HIGH\",\"reasons\":\"A\"},\"behaviors\":{}}""#;
    debug(both, "risk_level", json!("HIGH"));
    debug(both, "risk_reasons", json!(["A"]));
    debug(
        both,
        "flattened.logOnlySecurityData",
        json!({"risk": {"level": "HIGH", "reasons": "A"}}),
    );
    debug(r#""risk":"none at all""#, "flattened.risk", json!("none at all"));
    debug(
        r#""risk":"{reasons=a=b, c, level=LOW}""#,
        "flattened.risk",
        json!({"reasons": "a=b, c", "level": "LOW"}),
    );
}

#[test]
fn what_a_user_reported_stands_under_names_of_its_own() {
    let data = r#""suspiciousActivityEventIp":"10.0.0.1","suspiciousActivityOs":"Windows 10","suspiciousActivity":"x","suspiciousActivityEventTransactionId":null"#;
    debug(data, "suspicious_activity", json!({"event_ip": "10.0.0.1", "os": "Windows 10"}));
    debug(r#""suspiciousActivity":"x""#, "suspicious_activity", Json::Null);
}

#[test]
fn a_part_that_is_no_object_is_no_part() {
    for odd in ["7", "\"x\"", "[1,2]", "true", "[]", "{}"] {
        let members = [
            "actor",
            "client",
            "outcome",
            "transaction",
            "debugContext",
            "device",
            "securityContext",
            "request",
            "authenticationContext",
        ]
        .map(|part| format!("\"{part}\":{odd}"));
        let found = event(raw(&members.join(",")));
        assert_eq!(found.at("event.outcome"), "unknown", "{odd}");
        assert!(found.at("okta.actor").is_null() && found.at("client").is_null(), "{odd}");
    }
    check(r#""actor":"x","actor":{"id":"00u1"}"#, "okta.actor.id", json!("00u1"));
}

#[test]
fn what_stands_beside_okta_s_members_in_ecs_survives() {
    let members = r#""tags":["a"],"agent":{"id":"x"},"labels":{"k":"v"},"source":"text","host":"h","timestamp":"t""#;
    check(members, "tags", json!(["a"]));
    check(members, "agent.id", json!("x"));
    check(members, "labels.k", json!("v"));
    absent(members, "source");
    absent(members, "host");
}

#[test]
fn classes_come_from_the_event_type() {
    let found = event(raw("").replace("x.y", "user.mfa.factor.deactivate"));
    assert_eq!(found.at("event.category"), &json!(["authentication"]));
    assert_eq!(found.at("event.type"), &json!(["end", "info"]));
}
