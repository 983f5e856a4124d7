//! The JSON of an event in each shape, with slots (`<%name%>`) for what differs from event to event.
//!
//! Ids of things have sixteen letters of their own and a part that all ids of an organisation have.
//! What stands in a slot needs no JSON escaping on any level, so a text can be escaped once (for the
//! string inside an Agent document) and filled afterwards.

use super::Shape;
use super::catalogue::{Kind, Target};

/// An event of this type, with its slots.
pub(super) fn text(kind: &Kind, shape: Shape) -> String {
    compact(&match shape {
        Shape::Raw => raw(kind),
        Shape::Ecs => ecs(kind),
        Shape::Agent => AGENT.replace("<%=message%>", &escape(&raw(kind))),
    })
}

/// Takes the line breaks and the indentation out of a template.
fn compact(text: &str) -> String {
    text.lines().map(str::trim_start).collect()
}

/// As a JSON string inside a JSON string: templates hold no control characters but line breaks.
fn escape(text: &str) -> String {
    compact(text).replace('\\', "\\\\").replace('"', "\\\"")
}

fn raw(kind: &Kind) -> String {
    let targets: Vec<&str> = kind.targets.iter().map(|target| raw_target(*target)).collect();
    RAW.replace("<%=type%>", kind.event_type)
        .replace("<%=message%>", kind.message)
        .replace("<%=legacy%>", kind.legacy)
        .replace("<%=severity%>", kind.severity)
        .replace("<%=result%>", kind.result)
        .replace("<%=reason%>", &quoted_or_null(kind.reason))
        .replace("<%=uri%>", kind.uri)
        .replace("<%=proxy%>", kind.is_proxy)
        .replace("<%=targets%>", &targets.join(","))
}

fn ecs(kind: &Kind) -> String {
    let targets: Vec<&str> = kind.targets.iter().map(|target| ecs_target(*target)).collect();
    let outcome = match kind.result {
        "SUCCESS" | "ALLOW" => "success",
        "FAILURE" | "DENY" => "failure",
        _ => "unknown",
    };
    let reason = kind.reason.map(|reason| format!(r#","reason":"{reason}""#)).unwrap_or_default();
    ECS.replace("<%=type%>", kind.event_type)
        .replace("<%=message%>", kind.message)
        .replace("<%=legacy%>", kind.legacy)
        .replace("<%=severity%>", kind.severity)
        .replace("<%=result%>", kind.result)
        .replace("<%=outcome%>", outcome)
        .replace("<%=reason%>", &reason)
        .replace("<%=uri%>", kind.uri)
        .replace("<%=proxy%>", kind.is_proxy)
        .replace("<%=targets%>", &targets.join(","))
}

fn quoted_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""))
}

const fn raw_target(target: Target) -> &'static str {
    match target {
        Target::User => {
            r#"{"id":"00u<%target.id%>7","type":"User","alternateId":"<%target.user%>@example.com","displayName":"<%target.name%>","detailEntry":null}"#
        }
        Target::App => {
            r#"{"id":"0oa<%word%>x5d7","type":"AppInstance","alternateId":"Wiki (Staff)","displayName":"Wiki","detailEntry":{"signOnModeType":"OPENID_CONNECT"}}"#
        }
        Target::AppUser => {
            r#"{"id":"0ua<%word%>x5d7","type":"AppUser","alternateId":"<%target.user%>@example.com","displayName":"<%target.name%>","detailEntry":null}"#
        }
        Target::Group => {
            r#"{"id":"00g<%word%>x5d7","type":"UserGroup","alternateId":"unknown","displayName":"Staff \"All\"","detailEntry":null}"#
        }
        Target::Policy => {
            r#"{"id":"00p<%word%>x5d7","type":"PolicyEntity","alternateId":"unknown","displayName":"Any two factors","detailEntry":{"policyType":"OktaSignOn"}}"#
        }
        Target::Token => {
            r#"{"id":"AT.<%word%>x5d7","type":"access_token","alternateId":null,"displayName":"Access Token","detailEntry":{"expires":"2026-12-31T23:59:59.000Z","subject":"00u<%actor.id%>7","hash":"<%word%>x5d7"}}"#
        }
        Target::Factor => {
            r#"{"id":"opf<%word%>x5d7","type":"AuthenticatorEnrollment","alternateId":"unknown","displayName":"Okta Verify","detailEntry":{"methodTypeUsed":"Get a push notification"}}"#
        }
        Target::Agent => {
            r#"{"id":"a53<%word%>x5d7","type":"ADAgent","alternateId":"unknown","displayName":"ad-agent-1","detailEntry":null}"#
        }
    }
}

const fn ecs_target(target: Target) -> &'static str {
    match target {
        Target::User => {
            r#"{"id":"00u<%target.id%>7","type":"User","alternate_id":"<%target.user%>@example.com","display_name":"<%target.name%>"}"#
        }
        Target::App => {
            r#"{"id":"0oa<%word%>x5d7","type":"AppInstance","alternate_id":"Wiki (Staff)","display_name":"Wiki","detail_entry":{"signOnModeType":"OPENID_CONNECT"}}"#
        }
        Target::AppUser => {
            r#"{"id":"0ua<%word%>x5d7","type":"AppUser","alternate_id":"<%target.user%>@example.com","display_name":"<%target.name%>"}"#
        }
        Target::Group => {
            r#"{"id":"00g<%word%>x5d7","type":"UserGroup","alternate_id":"unknown","display_name":"Staff \"All\""}"#
        }
        Target::Policy => {
            r#"{"id":"00p<%word%>x5d7","type":"PolicyEntity","alternate_id":"unknown","display_name":"Any two factors","detail_entry":{"policyType":"OktaSignOn"}}"#
        }
        Target::Token => {
            r#"{"id":"AT.<%word%>x5d7","type":"access_token","display_name":"Access Token","detail_entry":{"expires":"2026-12-31T23:59:59.000Z","subject":"00u<%actor.id%>7","hash":"<%word%>x5d7"}}"#
        }
        Target::Factor => {
            r#"{"id":"opf<%word%>x5d7","type":"AuthenticatorEnrollment","alternate_id":"unknown","display_name":"Okta Verify","detail_entry":{"methodTypeUsed":"Get a push notification"}}"#
        }
        Target::Agent => {
            r#"{"id":"a53<%word%>x5d7","type":"ADAgent","alternate_id":"unknown","display_name":"ad-agent-1"}"#
        }
    }
}

/// A System Log event as Okta's API documents it
/// (developer.okta.com/docs/reference/api/system-log/).
const RAW: &str = r#"{
"actor":{"id":"00u<%actor.id%>7","type":"User","alternateId":"<%actor.user%>@example.com","displayName":"<%actor.name%>","detailEntry":null},
"client":{
  "userAgent":{"rawUserAgent":"<%agent.raw%>","os":"<%agent.os%>","browser":"<%agent.browser%>"},
  "zone":"null","device":"Computer","id":null,"ipAddress":"<%network%><%host%>",
  "geographicalContext":{"city":"<%city%>","state":"<%state%>","country":"<%country%>","postalCode":"<%postcode%>","geolocation":{"lat":<%latitude%>,"lon":<%longitude%>}}},
"device":{"id":"guo<%word%>x5d7","name":"Laptop of <%actor.name%>","os_platform":"OSX","os_version":"14.6.1","managed":true,"registered":true},
"authenticationContext":{"authenticationProvider":null,"credentialProvider":"OKTA_CREDENTIAL_PROVIDER","credentialType":"SIGNED_NONCE","issuer":null,"interface":null,"authenticationStep":0,"rootSessionId":"102<%word%>x5d7","externalSessionId":"102<%word%>x5d7"},
"displayMessage":"<%=message%>",
"eventType":"<%=type%>",
"outcome":{"result":"<%=result%>","reason":<%=reason%>},
"published":"<%published%>",
"securityContext":{"asNumber":64496,"asOrg":"example transit","isp":"example access","domain":"example.net","isProxy":<%=proxy%>,"ipDetails":null,"userBehaviors":[]},
"severity":"<%=severity%>",
"debugContext":{"debugData":{
  "authnRequestId":"<%word%>x5d7","deviceFingerprint":"<%hex%>","dtHash":"<%hex%>",
  "requestId":"<%word%>x5d7","requestUri":"<%=uri%>","url":"<%=uri%>?fromURI=%2Fapp%2FUserHome&stateToken=<%word%>x5d7",
  "threatSuspected":"false","oktaUserAgentExtended":"okta-auth-js/7.8.1 okta-signin-widget-7.24.3","origin":"https://example.okta.com",
  "behaviors":"{New Geo-Location=NEGATIVE, New Device=NEGATIVE, New IP=POSITIVE, Velocity=NEGATIVE}",
  "risk":"{reasons=Anomalous Device, level=LOW}",
  "logOnlySecurityData":"{\"risk\":{\"level\":\"LOW\"}}",
  "traceId":"<%word%>x5d7","targetEventHookIds":"who<%word%>x5d7","factor":"SIGNED_NONCE","promptingPolicyTypes":"OKTA_SIGN_ON"}},
"legacyEventType":"<%=legacy%>",
"transaction":{"type":"WEB","id":"<%word%>x5d7","detail":{}},
"uuid":"<%uuid%>","version":"0",
"request":{"ipChain":[
  {"ip":"<%network%><%host%>","geographicalContext":{"city":"<%city%>","state":"<%state%>","country":"<%country%>","postalCode":"<%postcode%>","geolocation":{"lat":<%latitude%>,"lon":<%longitude%>}},"version":"V4","source":null}]},
"target":[<%=targets%>]}"#;

/// The same event as an index of Elastic's Okta integration holds it.
const ECS: &str = r#"{
"@timestamp":"<%published%>",
"agent":{"ephemeral_id":"3f1b2f9e-54b5-4a44-8a39-8f6f6c0f7a10","id":"0c8ad2b1-6f5e-4d3b-9c57-2b0c1f6a7e21","name":"collector-1","type":"filebeat","version":"8.17.4"},
"client":{"as":{"number":64496,"organization":{"name":"example transit"}},"domain":"example.net",
  "geo":{"city_name":"<%city%>","country_name":"<%country%>","region_name":"<%state%>","location":{"lat":<%latitude%>,"lon":<%longitude%>}},
  "ip":"<%network%><%host%>","user":{"full_name":"<%actor.name%>","id":"00u<%actor.id%>7","name":"<%actor.user%>"}},
"data_stream":{"dataset":"okta.system","namespace":"default","type":"logs"},
"ecs":{"version":"8.11.0"},
"event":{"action":"<%=type%>","agent_id_status":"verified","category":["authentication"],"created":"<%published%>","dataset":"okta.system","id":"<%uuid%>","ingested":"<%published%>","kind":"event","module":"okta","outcome":"<%=outcome%>","type":["info"]},
"input":{"type":"httpjson"},
"okta":{
  "actor":{"alternate_id":"<%actor.user%>@example.com","display_name":"<%actor.name%>","id":"00u<%actor.id%>7","type":"User"},
  "authentication_context":{"authentication_step":0,"credential_provider":"OKTA_CREDENTIAL_PROVIDER","credential_type":"SIGNED_NONCE","external_session_id":"102<%word%>x5d7","root_session_id":"102<%word%>x5d7"},
  "client":{"device":"Computer","ip":"<%network%><%host%>","user_agent":{"browser":"<%agent.browser%>","os":"<%agent.os%>","raw_user_agent":"<%agent.raw%>"},"zone":"null"},
  "debug_context":{"debug_data":{"device_fingerprint":"<%hex%>","dt_hash":"<%hex%>","factor":"SIGNED_NONCE",
    "flattened":{"authnRequestId":"<%word%>x5d7","behaviors":{"New Geo-Location":"NEGATIVE","New Device":"NEGATIVE","New IP":"POSITIVE","New Country":"NEGATIVE"},"origin":"https://example.okta.com","oktaUserAgentExtended":"okta-auth-js/7.8.1 okta-signin-widget-7.24.3","requestUri":"<%=uri%>","threatSuspected":"false","traceId":"<%word%>x5d7","promptingPolicyTypes":"OKTA_SIGN_ON"},
    "request_id":"<%word%>x5d7","request_uri":"<%=uri%>","risk_behaviors":["New IP"],"risk_level":"LOW","risk_reasons":["Anomalous Device"],"threat_suspected":"false","url":"<%=uri%>?fromURI=%2Fapp%2FUserHome&stateToken=<%word%>x5d7"}},
  "device":{"id":"guo<%word%>x5d7","managed":true,"name":"Laptop of <%actor.name%>","os_platform":"OSX","os_version":"14.6.1","registered":true},
  "display_message":"<%=message%>","event_type":"<%=type%>","legacy_event_type":"<%=legacy%>",
  "outcome":{"result":"<%=result%>"<%=reason%>},
  "request":{"ip_chain":[{"geographical_context":{"city":"<%city%>","country":"<%country%>","geolocation":{"lat":<%latitude%>,"lon":<%longitude%>},"postal_code":"<%postcode%>","state":"<%state%>"},"ip":"<%network%><%host%>","version":"V4"}]},
  "security_context":{"as":{"number":64496,"organization":{"name":"example transit"}},"domain":"example.net","is_proxy":<%=proxy%>,"isp":"example access"},
  "severity":"<%=severity%>","target":[<%=targets%>],"transaction":{"id":"<%word%>x5d7","type":"WEB"},"uuid":"<%uuid%>","version":"0"},
"related":{"ip":["<%network%><%host%>","192.0.2.1"],"user":["<%actor.name%>","<%actor.user%>"]},
"source":{"as":{"number":64496,"organization":{"name":"example transit"}},"domain":"example.net","ip":"<%network%><%host%>","user":{"full_name":"<%actor.name%>","id":"00u<%actor.id%>7","name":"<%actor.user%>"}},
"tags":["forwarded","okta-system"],
"user":{"full_name":"<%actor.name%>","name":"<%actor.user%>","target":{"email":"<%target.user%>@example.com","full_name":"<%target.name%>","id":"00u<%target.id%>7","name":"<%target.user%>"}},
"user_agent":{"original":"<%agent.raw%>"}}"#;

/// What Elastic Agent writes to Kafka before any ingest pipeline ran.
const AGENT: &str = r#"{
"@timestamp":"<%published%>",
"@metadata":{"beat":"filebeat","type":"_doc","version":"8.17.4","raw_index":"logs-okta.system-default","input_id":"httpjson-okta-system"},
"agent":{"ephemeral_id":"3f1b2f9e-54b5-4a44-8a39-8f6f6c0f7a10","id":"0c8ad2b1-6f5e-4d3b-9c57-2b0c1f6a7e21","name":"collector-1","type":"filebeat","version":"8.17.4"},
"data_stream":{"dataset":"okta.system","namespace":"default","type":"logs"},
"ecs":{"version":"8.0.0"},
"elastic_agent":{"id":"0c8ad2b1-6f5e-4d3b-9c57-2b0c1f6a7e21","snapshot":false,"version":"8.17.4"},
"event":{"created":"<%published%>","dataset":"okta.system"},
"input":{"type":"httpjson"},
"message":"<%=message%>",
"tags":["forwarded","okta-system"]}"#;
