//! What an object is, told by its members alone.
//!
//! Nothing here reads text inside text: a wrapper is only known for sure once what it wraps has
//! been looked at, which is [`super::envelope`]'s part. Shapes are those of docs/RULES.md.

use super::shape::Shape;
use super::value::{Member, Value, at, member};

/// The outer `eventType` of an event hook's delivery. It names the delivery, never the action.
const EVENT_HOOK: &str = "com.okta.event_hook";

/// What an object turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A System Log event, in the words of Okta.
    Raw(Shape),
    /// An Okta event that is ECS already.
    Ecs(Shape),
    /// A security event token: known, and no event.
    Token,
    /// Anything else: a wrapper, or an object of another kind.
    Unknown,
}

/// What the object is; `is_okta` where its topic is known to carry Okta's events only.
pub(super) fn kind(members: &[Member<'_>], topic: Topic) -> Kind {
    if is_raw(members, topic) {
        let is_vector = has_text(member(members, "source_type"), |text| text == "okta");
        return Kind::Raw(if is_vector { Shape::Vector } else { Shape::Raw });
    }
    if is_ecs(members) {
        return Kind::Ecs(if is_filebeat(members) { Shape::Filebeat } else { Shape::Ecs });
    }
    if is_token(members) {
        return Kind::Token;
    }
    Kind::Unknown
}

/// What the configuration says of the topic's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// All are Okta's.
    Okta,
    /// Nothing.
    Any,
}

fn is_raw(members: &[Member<'_>], topic: Topic) -> bool {
    let event_type = member(members, "eventType");
    if !has_text(event_type, |text| !text.is_empty()) || is_event_hook(members) {
        return false;
    }
    let among = |is_one: fn(&str) -> bool| {
        members.iter().filter(|member| is_one(member.name)).take(3).count()
    };
    let distinctive = among(is_distinctive);
    topic == Topic::Okta || distinctive >= 2 || distinctive + among(is_common) >= 3
}

/// Members that hardly anything but Okta's System Log has; two of them beside `eventType` tell its
/// events from those of others that have an `eventType` too.
fn is_distinctive(name: &str) -> bool {
    matches!(
        name,
        "uuid"
            | "published"
            | "actor"
            | "displayMessage"
            | "legacyEventType"
            | "debugContext"
            | "authenticationContext"
            | "securityContext"
    )
}

/// Members of its events that others may have as well; three of both kinds will do.
fn is_common(name: &str) -> bool {
    matches!(name, "client" | "outcome" | "target" | "severity" | "transaction" | "request")
}

fn is_ecs(members: &[Member<'_>]) -> bool {
    let is_said = |path: &[&str]| has_text(at(members, path), |text| !text.is_empty());
    let has_okta = member(members, "okta").is_some_and(|okta| !okta.members().is_empty());
    has_okta && (is_said(&["event", "action"]) || is_said(&["okta", "event_type"]))
}

fn is_token(members: &[Member<'_>]) -> bool {
    let has = |name| member(members, name).is_some();
    has("iss") && has("jti") && has("events")
}

/// Whether the object is an event hook's delivery.
pub(super) fn is_event_hook(members: &[Member<'_>]) -> bool {
    has_text(member(members, "eventType"), |text| text.starts_with(EVENT_HOOK))
}

fn is_filebeat(members: &[Member<'_>]) -> bool {
    let is_okta = has_text(at(members, &["event", "module"]), |text| text == "okta");
    is_okta && member(members, "fileset").is_some()
}

/// Whether the object says of itself that what it wraps is Okta's: then something that cannot be
/// read in it is an event lost, and no text of somebody else's.
pub(super) fn claims_okta(members: &[Member<'_>]) -> bool {
    let starts =
        |path: &[&str], prefix: &str| has_text(at(members, path), |text| text.starts_with(prefix));
    starts(&["event", "dataset"], "okta")
        || starts(&["data_stream", "dataset"], "okta")
        || starts(&["event", "module"], "okta")
        || starts(&["sourcetype"], "OktaIM2")
        || starts(&["source"], "aws.partner/okta.com/")
        || starts(&["source_type"], "okta")
        || starts(&["eventType"], EVENT_HOOK)
}

/// A place in which shippers and brokers put an event.
pub(super) struct Wrapper {
    /// Where the event stands: an object, an array of them, or a text that is such JSON.
    pub(super) path: &'static [&'static str],
    /// What the wrapper is, given its members.
    pub(super) shape: fn(&[Member<'_>]) -> Shape,
}

/// The places, in the order in which they are looked at; the first that holds an event counts.
pub(super) const WRAPPERS: [Wrapper; 8] = [
    Wrapper { path: &["data", "events"], shape: |_| Shape::EventHook },
    Wrapper { path: &["detail"], shape: |_| Shape::EventBridge },
    Wrapper { path: &["event"], shape: |_| Shape::SplunkHec },
    Wrapper { path: &["data"], shape: |_| Shape::CloudEvents },
    Wrapper { path: &["json"], shape: beat },
    Wrapper { path: &["message"], shape: beat },
    Wrapper { path: &["log"], shape: beat },
    Wrapper { path: &["event", "original"], shape: beat },
];

/// Which of Elastic's shippers wrapped an event, if any.
fn beat(members: &[Member<'_>]) -> Shape {
    if is_filebeat(members) {
        return Shape::Filebeat;
    }
    let is_agent = at(members, &["data_stream", "dataset"]).is_some()
        || at(members, &["event", "dataset"]).is_some();
    if is_agent { Shape::Agent } else { Shape::Wrapped }
}

/// Objects of a wrapper that say nothing of the event: its own plumbing.
const PLUMBING: [&str; 2] = ["@metadata", "json"];

/// Whether a member of a wrapper becomes part of the event. Texts and numbers do not: a `host` or
/// `source` that is no object is no ECS, and an index of ECS documents would refuse it.
pub(super) fn survives(member: &Member<'_>, wrapper: &Wrapper, shape: Shape) -> bool {
    if wrapper.path == [member.name] || PLUMBING.contains(&member.name) {
        return false;
    }
    let is_object = matches!(member.value, Value::Object(_));
    match shape {
        Shape::Agent | Shape::Filebeat | Shape::Wrapped => {
            is_object || member.name == "@timestamp" || is_carried(member)
        }
        _ => is_carried(member),
    }
}

/// Whether a member that stands beside a System Log event's own belongs to ECS.
pub(super) fn is_carried(member: &Member<'_>) -> bool {
    match member.value {
        Value::Object(_) => describes_the_way(member.name),
        Value::Array(_) | Value::Text(_) => member.name == "tags",
        _ => false,
    }
}

/// Fields of ECS and of Elastic's shippers that describe how an event came here. Of an envelope of
/// another kind only these survive: its `source` or `host` would be mistaken for ECS.
fn describes_the_way(name: &str) -> bool {
    matches!(
        name,
        "agent"
            | "cloud"
            | "container"
            | "data_stream"
            | "elastic_agent"
            | "fileset"
            | "input"
            | "kubernetes"
            | "labels"
            | "observer"
            | "orchestrator"
            | "organization"
            | "tags"
    )
}

/// Whether the value is, or as an array holds, a text that passes `test`.
fn has_text(value: Option<Value<'_>>, test: impl Fn(&str) -> bool + Copy) -> bool {
    match value {
        Some(Value::Text(text)) => test(text),
        Some(Value::Array(items)) => items.iter().any(|item| has_text(Some(*item), test)),
        _ => false,
    }
}
