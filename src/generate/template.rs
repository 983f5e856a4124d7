//! The JSON of an event with slots for what differs from event to event.
//!
//! A slot's values need no JSON escaping on any level, so a template can be escaped once (for the
//! string inside an Agent document) and filled afterwards.

use std::ops::Range;

use super::Shape;
use super::catalogue::{Kind, Target};
use super::people::AGENT_PARTS;
use super::random::{Pairs, Random};
use super::sheet::{Sheet, Text};

/// Places of the values that an event has once; a slot whose values may be longer than a block has
/// several of them, one behind the other.
const SLOTS: [(&str, Range<usize>); 20] = [
    ("uuid", 0..2),
    ("published", 2..3),
    ("actor.id", 3..4),
    ("actor.user", 4..5),
    ("actor.login", 5..6),
    ("actor.name", 6..7),
    ("target.id", 7..8),
    ("target.user", 8..9),
    ("target.login", 9..10),
    ("target.name", 10..11),
    ("address", 11..12),
    ("city", 12..13),
    ("state", 13..14),
    ("country", 14..15),
    ("postcode", 15..16),
    ("latitude", 16..17),
    ("longitude", 17..18),
    ("agent.os", 18..19),
    ("agent.browser", 19..20),
    ("agent.raw", 20..20 + AGENT_PARTS),
];

/// How many places these are.
pub(super) const PLACES: usize = 20 + AGENT_PARTS;

/// What stands behind a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Nothing,
    /// What the event has at this place.
    Once(u8),
    /// Twenty letters and digits, other ones each time.
    Word,
    /// Sixty-four hexadecimal digits, other ones each time.
    Hex,
}

/// No value is longer.
const VALUE_BYTES_MAX: usize = 64;

/// One event type in one shape: text, value, text, value, …
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    parts: Vec<(Text, Value)>,
}

impl Template {
    pub(super) fn new(kind: &Kind, shape: Shape) -> Self {
        let text = match shape {
            Shape::Raw => raw(kind),
            Shape::Ecs => ecs(kind),
            Shape::Agent => AGENT.replace("<%=message%>", &escape(&raw(kind))),
        };
        Self::parse(&compact(&text))
    }

    fn parse(mut text: &str) -> Self {
        let mut template = Self::default();
        while let Some((before, rest)) = text.split_once("<%") {
            let (name, rest) = rest.split_once("%>").expect("each slot of our templates is closed");
            template.add(before);
            match name {
                "word" => template.stand(Value::Word),
                "hex" => template.stand(Value::Hex),
                _ => template.stand_once(name),
            }
            text = rest;
        }
        template.add(text);
        template
    }

    fn add(&mut self, text: &str) {
        self.parts
            .extend(Text::cut(text.as_bytes()).into_iter().map(|text| (text, Value::Nothing)));
    }

    fn stand_once(&mut self, name: &str) {
        let places = SLOTS.iter().find(|(known, _)| *known == name).map(|(_, places)| places);
        let places =
            places.expect("our templates name slots that exist: a test makes each of them");
        for place in places.clone() {
            self.stand(Value::Once(u8::try_from(place).expect("there are fewer than 256 places")));
        }
    }

    /// Lets a value stand behind the last text.
    fn stand(&mut self, value: Value) {
        match self.parts.last_mut() {
            Some((_, last)) if *last == Value::Nothing => *last = value,
            _ => self.parts.push((Text::default(), value)),
        }
    }

    /// No event of this template is longer.
    pub(super) fn bytes_max(&self) -> usize {
        self.parts.iter().map(|(text, _)| text.len() + VALUE_BYTES_MAX).sum()
    }

    /// Writes an event. `once` is what it has once; the rest is drawn.
    pub(super) fn write(
        &self,
        sheet: &mut Sheet,
        once: &[Text; PLACES],
        (random, pairs): (&mut Random, &Pairs),
    ) {
        for (text, value) in &self.parts {
            sheet.put(text);
            match value {
                Value::Nothing => {}
                Value::Once(place) => {
                    once.get(usize::from(*place)).into_iter().for_each(|text| sheet.put(text));
                }
                Value::Word => {
                    let (eights, four) = random.word(pairs);
                    eights.into_iter().for_each(|letters| sheet.put_block(letters, 8));
                    sheet.put_block(four, 4);
                }
                Value::Hex => {
                    for _ in 0..4 {
                        random.hex().into_iter().for_each(|digits| sheet.put_block(digits, 8));
                    }
                }
            }
        }
    }
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
            r#"{"id":"<%target.id%>","type":"User","alternateId":"<%target.login%>","displayName":"<%target.name%>","detailEntry":null}"#
        }
        Target::App => {
            r#"{"id":"0oa<%word%>","type":"AppInstance","alternateId":"Wiki (Staff)","displayName":"Wiki","detailEntry":{"signOnModeType":"OPENID_CONNECT"}}"#
        }
        Target::AppUser => {
            r#"{"id":"0ua<%word%>","type":"AppUser","alternateId":"<%target.login%>","displayName":"<%target.name%>","detailEntry":null}"#
        }
        Target::Group => {
            r#"{"id":"00g<%word%>","type":"UserGroup","alternateId":"unknown","displayName":"Staff \"All\"","detailEntry":null}"#
        }
        Target::Policy => {
            r#"{"id":"00p<%word%>","type":"PolicyEntity","alternateId":"unknown","displayName":"Any two factors","detailEntry":{"policyType":"OktaSignOn"}}"#
        }
        Target::Token => {
            r#"{"id":"AT.<%word%>","type":"access_token","alternateId":null,"displayName":"Access Token","detailEntry":{"expires":"2026-12-31T23:59:59.000Z","subject":"<%actor.id%>","hash":"<%word%>"}}"#
        }
        Target::Factor => {
            r#"{"id":"opf<%word%>","type":"AuthenticatorEnrollment","alternateId":"unknown","displayName":"Okta Verify","detailEntry":{"methodTypeUsed":"Get a push notification"}}"#
        }
        Target::Agent => {
            r#"{"id":"a53<%word%>","type":"ADAgent","alternateId":"unknown","displayName":"ad-agent-1","detailEntry":null}"#
        }
    }
}

const fn ecs_target(target: Target) -> &'static str {
    match target {
        Target::User => {
            r#"{"id":"<%target.id%>","type":"User","alternate_id":"<%target.login%>","display_name":"<%target.name%>"}"#
        }
        Target::App => {
            r#"{"id":"0oa<%word%>","type":"AppInstance","alternate_id":"Wiki (Staff)","display_name":"Wiki","detail_entry":{"signOnModeType":"OPENID_CONNECT"}}"#
        }
        Target::AppUser => {
            r#"{"id":"0ua<%word%>","type":"AppUser","alternate_id":"<%target.login%>","display_name":"<%target.name%>"}"#
        }
        Target::Group => {
            r#"{"id":"00g<%word%>","type":"UserGroup","alternate_id":"unknown","display_name":"Staff \"All\""}"#
        }
        Target::Policy => {
            r#"{"id":"00p<%word%>","type":"PolicyEntity","alternate_id":"unknown","display_name":"Any two factors","detail_entry":{"policyType":"OktaSignOn"}}"#
        }
        Target::Token => {
            r#"{"id":"AT.<%word%>","type":"access_token","display_name":"Access Token","detail_entry":{"expires":"2026-12-31T23:59:59.000Z","subject":"<%actor.id%>","hash":"<%word%>"}}"#
        }
        Target::Factor => {
            r#"{"id":"opf<%word%>","type":"AuthenticatorEnrollment","alternate_id":"unknown","display_name":"Okta Verify","detail_entry":{"methodTypeUsed":"Get a push notification"}}"#
        }
        Target::Agent => {
            r#"{"id":"a53<%word%>","type":"ADAgent","alternate_id":"unknown","display_name":"ad-agent-1"}"#
        }
    }
}

/// A System Log event as Okta's API documents it
/// (developer.okta.com/docs/reference/api/system-log/).
const RAW: &str = r#"{
"actor":{"id":"<%actor.id%>","type":"User","alternateId":"<%actor.login%>","displayName":"<%actor.name%>","detailEntry":null},
"client":{
  "userAgent":{"rawUserAgent":"<%agent.raw%>","os":"<%agent.os%>","browser":"<%agent.browser%>"},
  "zone":"null","device":"Computer","id":null,"ipAddress":"<%address%>",
  "geographicalContext":{"city":"<%city%>","state":"<%state%>","country":"<%country%>","postalCode":"<%postcode%>","geolocation":{"lat":<%latitude%>,"lon":<%longitude%>}}},
"device":{"id":"guo<%word%>","name":"Laptop of <%actor.name%>","os_platform":"OSX","os_version":"14.6.1","managed":true,"registered":true},
"authenticationContext":{"authenticationProvider":null,"credentialProvider":"OKTA_CREDENTIAL_PROVIDER","credentialType":"SIGNED_NONCE","issuer":null,"interface":null,"authenticationStep":0,"rootSessionId":"102<%word%>","externalSessionId":"102<%word%>"},
"displayMessage":"<%=message%>",
"eventType":"<%=type%>",
"outcome":{"result":"<%=result%>","reason":<%=reason%>},
"published":"<%published%>",
"securityContext":{"asNumber":64496,"asOrg":"example transit","isp":"example access","domain":"example.net","isProxy":<%=proxy%>,"ipDetails":null,"userBehaviors":[]},
"severity":"<%=severity%>",
"debugContext":{"debugData":{
  "authnRequestId":"<%word%>","deviceFingerprint":"<%hex%>","dtHash":"<%hex%>",
  "requestId":"<%word%>","requestUri":"<%=uri%>","url":"<%=uri%>?fromURI=%2Fapp%2FUserHome&stateToken=<%word%>",
  "threatSuspected":"false","oktaUserAgentExtended":"okta-auth-js/7.8.1 okta-signin-widget-7.24.3","origin":"https://example.okta.com",
  "behaviors":"{New Geo-Location=NEGATIVE, New Device=NEGATIVE, New IP=POSITIVE, Velocity=NEGATIVE}",
  "risk":"{reasons=Anomalous Device, level=LOW}",
  "logOnlySecurityData":"{\"risk\":{\"level\":\"LOW\"}}",
  "traceId":"<%word%>","targetEventHookIds":"who<%word%>","factor":"SIGNED_NONCE","promptingPolicyTypes":"OKTA_SIGN_ON"}},
"legacyEventType":"<%=legacy%>",
"transaction":{"type":"WEB","id":"<%word%>","detail":{}},
"uuid":"<%uuid%>","version":"0",
"request":{"ipChain":[
  {"ip":"<%address%>","geographicalContext":{"city":"<%city%>","state":"<%state%>","country":"<%country%>","postalCode":"<%postcode%>","geolocation":{"lat":<%latitude%>,"lon":<%longitude%>}},"version":"V4","source":null}]},
"target":[<%=targets%>]}"#;

/// The same event as an index of Elastic's Okta integration holds it.
const ECS: &str = r#"{
"@timestamp":"<%published%>",
"agent":{"ephemeral_id":"3f1b2f9e-54b5-4a44-8a39-8f6f6c0f7a10","id":"0c8ad2b1-6f5e-4d3b-9c57-2b0c1f6a7e21","name":"collector-1","type":"filebeat","version":"8.17.4"},
"client":{"as":{"number":64496,"organization":{"name":"example transit"}},"domain":"example.net",
  "geo":{"city_name":"<%city%>","country_name":"<%country%>","region_name":"<%state%>","location":{"lat":<%latitude%>,"lon":<%longitude%>}},
  "ip":"<%address%>","user":{"full_name":"<%actor.name%>","id":"<%actor.id%>","name":"<%actor.user%>"}},
"data_stream":{"dataset":"okta.system","namespace":"default","type":"logs"},
"ecs":{"version":"8.11.0"},
"event":{"action":"<%=type%>","agent_id_status":"verified","category":["authentication"],"created":"<%published%>","dataset":"okta.system","id":"<%uuid%>","ingested":"<%published%>","kind":"event","module":"okta","outcome":"<%=outcome%>","type":["info"]},
"input":{"type":"httpjson"},
"okta":{
  "actor":{"alternate_id":"<%actor.login%>","display_name":"<%actor.name%>","id":"<%actor.id%>","type":"User"},
  "authentication_context":{"authentication_step":0,"credential_provider":"OKTA_CREDENTIAL_PROVIDER","credential_type":"SIGNED_NONCE","external_session_id":"102<%word%>","root_session_id":"102<%word%>"},
  "client":{"device":"Computer","ip":"<%address%>","user_agent":{"browser":"<%agent.browser%>","os":"<%agent.os%>","raw_user_agent":"<%agent.raw%>"},"zone":"null"},
  "debug_context":{"debug_data":{"device_fingerprint":"<%hex%>","dt_hash":"<%hex%>","factor":"SIGNED_NONCE",
    "flattened":{"authnRequestId":"<%word%>","behaviors":{"New Geo-Location":"NEGATIVE","New Device":"NEGATIVE","New IP":"POSITIVE","New Country":"NEGATIVE"},"origin":"https://example.okta.com","oktaUserAgentExtended":"okta-auth-js/7.8.1 okta-signin-widget-7.24.3","requestUri":"<%=uri%>","threatSuspected":"false","traceId":"<%word%>","promptingPolicyTypes":"OKTA_SIGN_ON"},
    "request_id":"<%word%>","request_uri":"<%=uri%>","risk_behaviors":["New IP"],"risk_level":"LOW","risk_reasons":["Anomalous Device"],"threat_suspected":"false","url":"<%=uri%>?fromURI=%2Fapp%2FUserHome&stateToken=<%word%>"}},
  "device":{"id":"guo<%word%>","managed":true,"name":"Laptop of <%actor.name%>","os_platform":"OSX","os_version":"14.6.1","registered":true},
  "display_message":"<%=message%>","event_type":"<%=type%>","legacy_event_type":"<%=legacy%>",
  "outcome":{"result":"<%=result%>"<%=reason%>},
  "request":{"ip_chain":[{"geographical_context":{"city":"<%city%>","country":"<%country%>","geolocation":{"lat":<%latitude%>,"lon":<%longitude%>},"postal_code":"<%postcode%>","state":"<%state%>"},"ip":"<%address%>","version":"V4"}]},
  "security_context":{"as":{"number":64496,"organization":{"name":"example transit"}},"domain":"example.net","is_proxy":<%=proxy%>,"isp":"example access"},
  "severity":"<%=severity%>","target":[<%=targets%>],"transaction":{"id":"<%word%>","type":"WEB"},"uuid":"<%uuid%>","version":"0"},
"related":{"ip":["<%address%>","192.0.2.1"],"user":["<%actor.name%>","<%actor.user%>"]},
"source":{"as":{"number":64496,"organization":{"name":"example transit"}},"domain":"example.net","ip":"<%address%>","user":{"full_name":"<%actor.name%>","id":"<%actor.id%>","name":"<%actor.user%>"}},
"tags":["forwarded","okta-system"],
"user":{"full_name":"<%actor.name%>","name":"<%actor.user%>","target":{"email":"<%target.login%>","full_name":"<%target.name%>","id":"<%target.id%>","name":"<%target.user%>"}},
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
