//! The tables: which ECS field an Okta event fills from where.
//!
//! Field names are facts of ECS, of Okta's System Log API and of the field lists of Elastic's Okta
//! integration; docs/RULES.md lists where the mapping differs from that integration on purpose.

use super::super::names::own;
use super::super::texts;

/// One field of the tree that is made.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) source: Source,
}

/// Where a field's value comes from.
pub(super) enum Source {
    /// The member of that name, as it stands.
    Copy(Part, &'static str),
    /// Always this text.
    Constant(&'static str),
    /// Something computed once per event.
    Fact(Fact),
    /// An object of further fields; left out where none of them has a value.
    Object(&'static [Field]),
}

/// An object of the raw event.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Event,
    Actor,
    Client,
    Geo,
    Outcome,
    Security,
    Transaction,
    TransactionDetail,
    UserAgent,
}

/// Something that is no plain copy of one member.
#[derive(Clone, Copy)]
pub(super) enum Fact {
    /// `published`, or the record's time where that is none.
    Timestamp,
    /// `success`, `failure` or `unknown`.
    Outcome,
    /// `event.category` of the event type.
    Category,
    /// `event.type` of the event type.
    Type,
    /// What stands before the `@` of the actor's login.
    UserName,
    /// The actor's login, where it is an e-mail address.
    UserEmail,
    /// The client's address, where it is one.
    Address,
    /// The client's address as a list.
    RelatedAddress,
    /// All names of people in the event, each once.
    RelatedUser,
    /// `target`, each with its members renamed.
    Target,
    TargetUserId,
    TargetUserName,
    TargetUserFullName,
    TargetUserEmail,
    TargetGroupId,
    TargetGroupName,
    /// `authenticationContext`, its members renamed.
    AuthenticationContext,
    /// `debugContext.debugData` and what is picked from it.
    DebugData,
    /// `device`, what it holds as JSON in a text taken apart.
    Device,
    /// The addresses that the request came through.
    AddressChain,
    /// `version`, which some shippers turn into a number.
    Version,
}

const fn copy(name: &'static str, part: Part, from: &'static str) -> Field {
    Field { name: own(name), source: Source::Copy(part, own(from)) }
}

const fn fact(name: &'static str, fact: Fact) -> Field {
    Field { name: own(name), source: Source::Fact(fact) }
}

const fn object(name: &'static str, fields: &'static [Field]) -> Field {
    Field { name: own(name), source: Source::Object(fields) }
}

const fn constant(name: &'static str, text: &'static str) -> Field {
    Field { name: own(name), source: Source::Constant(texts::own(text)) }
}

/// The version of ECS that the fields are named after.
const ECS_VERSION: &str = "8.11.0";

/// The whole event.
pub(super) const EVENT: &[Field] = &[
    fact("@timestamp", Fact::Timestamp),
    object("client", CLIENT),
    object("ecs", &[constant("version", ECS_VERSION)]),
    object(
        "event",
        &[
            copy("action", Part::Event, "eventType"),
            fact("category", Fact::Category),
            copy("id", Part::Event, "uuid"),
            constant("kind", "event"),
            fact("outcome", Fact::Outcome),
            fact("type", Fact::Type),
        ],
    ),
    object("okta", OKTA),
    object("related", &[fact("ip", Fact::RelatedAddress), fact("user", Fact::RelatedUser)]),
    object("source", SOURCE),
    object(
        "user",
        &[
            fact("email", Fact::UserEmail),
            copy("full_name", Part::Actor, "displayName"),
            fact("name", Fact::UserName),
            object(
                "target",
                &[
                    fact("email", Fact::TargetUserEmail),
                    fact("full_name", Fact::TargetUserFullName),
                    object(
                        "group",
                        &[fact("id", Fact::TargetGroupId), fact("name", Fact::TargetGroupName)],
                    ),
                    fact("id", Fact::TargetUserId),
                    fact("name", Fact::TargetUserName),
                ],
            ),
        ],
    ),
    object("user_agent", &[copy("original", Part::UserAgent, "rawUserAgent")]),
];

const CLIENT: &[Field] = &[
    AUTONOMOUS_SYSTEM,
    copy("domain", Part::Security, "domain"),
    object(
        "geo",
        &[
            copy("city_name", Part::Geo, "city"),
            copy("country_name", Part::Geo, "country"),
            copy("location", Part::Geo, "geolocation"),
            copy("region_name", Part::Geo, "state"),
        ],
    ),
    fact("ip", Fact::Address),
    ACTOR_AS_USER,
];

const SOURCE: &[Field] = &[
    AUTONOMOUS_SYSTEM,
    copy("domain", Part::Security, "domain"),
    fact("ip", Fact::Address),
    ACTOR_AS_USER,
];

const AUTONOMOUS_SYSTEM: Field = object(
    "as",
    &[
        copy("number", Part::Security, "asNumber"),
        object("organization", &[copy("name", Part::Security, "asOrg")]),
    ],
);

const ACTOR_AS_USER: Field = object(
    "user",
    &[
        copy("full_name", Part::Actor, "displayName"),
        copy("id", Part::Actor, "id"),
        fact("name", Fact::UserName),
    ],
);

const OKTA: &[Field] = &[
    object(
        "actor",
        &[
            copy("alternate_id", Part::Actor, "alternateId"),
            copy("display_name", Part::Actor, "displayName"),
            copy("id", Part::Actor, "id"),
            copy("type", Part::Actor, "type"),
        ],
    ),
    fact("authentication_context", Fact::AuthenticationContext),
    object(
        "client",
        &[
            copy("device", Part::Client, "device"),
            copy("id", Part::Client, "id"),
            fact("ip", Fact::Address),
            object(
                "user_agent",
                &[
                    copy("browser", Part::UserAgent, "browser"),
                    copy("os", Part::UserAgent, "os"),
                    copy("raw_user_agent", Part::UserAgent, "rawUserAgent"),
                ],
            ),
            copy("zone", Part::Client, "zone"),
        ],
    ),
    object("debug_context", &[fact("debug_data", Fact::DebugData)]),
    fact("device", Fact::Device),
    copy("display_message", Part::Event, "displayMessage"),
    copy("event_type", Part::Event, "eventType"),
    copy("legacy_event_type", Part::Event, "legacyEventType"),
    object(
        "outcome",
        &[copy("reason", Part::Outcome, "reason"), copy("result", Part::Outcome, "result")],
    ),
    object("request", &[fact("ip_chain", Fact::AddressChain)]),
    object(
        "security_context",
        &[
            AUTONOMOUS_SYSTEM,
            copy("domain", Part::Security, "domain"),
            copy("is_proxy", Part::Security, "isProxy"),
            copy("isp", Part::Security, "isp"),
        ],
    ),
    copy("severity", Part::Event, "severity"),
    fact("target", Fact::Target),
    object(
        "transaction",
        &[
            object(
                "detail",
                &[
                    copy("request_api_token_id", Part::TransactionDetail, "requestApiTokenId"),
                    copy("root_api_token_id", Part::TransactionDetail, "rootApiTokenId"),
                ],
            ),
            copy("id", Part::Transaction, "id"),
            copy("type", Part::Transaction, "type"),
        ],
    ),
    copy("uuid", Part::Event, "uuid"),
    fact("version", Fact::Version),
];

/// Members of a target that have another name in ECS; the others keep theirs.
pub(super) const TARGET_NAMES: &[(&str, &str)] = &[
    (own("alternateId"), own("alternate_id")),
    (own("displayName"), own("display_name")),
    (own("detailEntry"), own("detail_entry")),
];

/// Members of a target's details that are also in its `detailEntry`.
pub(super) const METHOD_NAMES: &[&str] = &["methodTypeUsed", "methodUsedVerifiedProperties"];

/// Members of `authenticationContext` in `snake_case`, so that their names need not be made.
pub(super) const SNAKE_NAMES: &[(&str, &str)] = &[
    (own("authenticationProvider"), own("authentication_provider")),
    (own("authenticationStep"), own("authentication_step")),
    (own("credentialProvider"), own("credential_provider")),
    (own("credentialType"), own("credential_type")),
    (own("externalSessionId"), own("external_session_id")),
    (own("rootSessionId"), own("root_session_id")),
];

/// As [`TARGET_NAMES`], for one address of the request's chain and for its place.
pub(super) const ADDRESS_NAMES: &[(&str, &str)] = &[
    (own("geographicalContext"), own("geographical_context")),
    (own("postalCode"), own("postal_code")),
];

/// What is picked from `debugContext.debugData` under a name of its own.
pub(super) const DEBUG_NAMES: &[(&str, &str)] = &[
    (own("clientSecret"), own("client_secret")),
    (own("deviceFingerprint"), own("device_fingerprint")),
    (own("dtHash"), own("dt_hash")),
    (own("factor"), own("factor")),
    (own("grantedScopes"), own("granted_scopes")),
    (own("grantType"), own("grant_type")),
    (own("requestId"), own("request_id")),
    (own("requestUri"), own("request_uri")),
    (own("requestedScopes"), own("requested_scopes")),
    (own("threatSuspected"), own("threat_suspected")),
    (own("url"), own("url")),
];
