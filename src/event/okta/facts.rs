//! What an Okta event says that is no plain copy of one member.

use std::net::IpAddr;

use bumpalo::collections::{CollectIn, String as ArenaString, Vec as ArenaVec};

use super::super::decode::Reader;
use super::super::names::own;
use super::super::tree::{self, Dots};
use super::super::value::{Member, Value, member};
use super::super::{Arena, texts, time};
use super::template::{ADDRESS_NAMES, Fact, METHOD_NAMES, SNAKE_NAMES, TARGET_NAMES};
use super::{Parts, catalogue, debug};
use crate::record::Timestamp;

/// What Okta's results come to.
static OUTCOMES: [(&str, &str); 4] = [
    ("success", texts::own("success")),
    ("allow", texts::own("success")),
    ("failure", texts::own("failure")),
    ("deny", texts::own("failure")),
];

/// The outcome of an event that does not say how it ended.
const UNKNOWN: &str = texts::own("unknown");

/// The facts of one event, each computed once and kept where it is copied from.
pub(super) struct Facts<'s> {
    timestamp: Option<Value<'s>>,
    outcome: Option<Value<'s>>,
    categories: Option<Value<'s>>,
    types: Option<Value<'s>>,
    user_name: Option<Value<'s>>,
    user_email: Option<Value<'s>>,
    address: Option<Value<'s>>,
    related_address: Option<Value<'s>>,
    related_user: Option<Value<'s>>,
    target: Option<Value<'s>>,
    target_user: &'s [Member<'s>],
    target_user_name: Option<Value<'s>>,
    target_user_email: Option<Value<'s>>,
    target_group: &'s [Member<'s>],
    authentication_context: Option<Value<'s>>,
    debug_data: Option<Value<'s>>,
    device: Option<Value<'s>>,
    address_chain: Option<Value<'s>>,
    version: Option<Value<'s>>,
}

impl<'s> Facts<'s> {
    pub(super) fn of(
        reader: &mut Reader<'_, 's>,
        parts: &Parts<'s>,
        written: Option<Timestamp>,
    ) -> Self {
        let arena = reader.arena;
        let actor_login = find(parts.actor, const { own("alternateId") });
        let user_name = actor_login.and_then(|login| each_text(arena, login, first_run));
        let target = targets(arena, find(parts.event, const { own("target") }));
        let target_user = first_of_type(target, "user");
        let target_login = find(target_user, const { own("alternate_id") });
        let event_type = find(parts.event, const { own("eventType") });
        let class = event_type.and_then(|value| value.first_text()).and_then(catalogue::class_of);
        let names = [
            find(parts.actor, const { own("displayName") }),
            find(target_user, const { own("display_name") }),
            user_name.as_ref(),
        ];
        let address = find(parts.client, const { own("ipAddress") })
            .and_then(|value| each_text(arena, value, address));
        Self {
            timestamp: timestamp(arena, find(parts.event, const { own("published") }), written),
            outcome: Some(outcome(arena, find(parts.outcome, const { own("result") }))),
            categories: class.map(|class| Value::Array(class.categories)),
            types: class.and_then(|class| class.types_in(arena)),
            user_email: actor_login.and_then(|login| each_text(arena, login, email)),
            related_address: address.map(|address| listed(arena, address)),
            address,
            related_user: unique(arena, names),
            user_name,
            target,
            target_user,
            target_user_name: target_login.and_then(|login| each_text(arena, login, first_run)),
            target_user_email: target_login.and_then(|login| each_text(arena, login, email)),
            target_group: first_of_type(target, "usergroup"),
            authentication_context: authentication_context(arena, parts.authentication),
            debug_data: debug::debug_data(reader, parts.event),
            device: device(reader, parts.event),
            address_chain: address_chain(arena, parts),
            version: find(parts.event, const { own("version") })
                .and_then(|version| tree::pruned(arena, number_as_text(arena, *version))),
        }
    }

    pub(super) fn of_kind(&self, fact: Fact) -> Option<&Value<'s>> {
        let fact = match fact {
            Fact::Timestamp => &self.timestamp,
            Fact::Outcome => &self.outcome,
            Fact::Category => &self.categories,
            Fact::Type => &self.types,
            Fact::UserName => &self.user_name,
            Fact::UserEmail => &self.user_email,
            Fact::Address => &self.address,
            Fact::RelatedAddress => &self.related_address,
            Fact::RelatedUser => &self.related_user,
            Fact::Target => &self.target,
            Fact::TargetUserId => return find(self.target_user, const { own("id") }),
            Fact::TargetUserFullName => {
                return find(self.target_user, const { own("display_name") });
            }
            Fact::TargetUserName => &self.target_user_name,
            Fact::TargetUserEmail => &self.target_user_email,
            Fact::TargetGroupId => return find(self.target_group, const { own("id") }),
            Fact::TargetGroupName => return find(self.target_group, const { own("display_name") }),
            Fact::AuthenticationContext => &self.authentication_context,
            Fact::DebugData => &self.debug_data,
            Fact::Device => &self.device,
            Fact::AddressChain => &self.address_chain,
            Fact::Version => &self.version,
        };
        fact.as_ref()
    }
}

/// The value of the member of that name, where it stands.
#[inline]
fn find<'s>(members: &'s [Member<'s>], name: &str) -> Option<&'s Value<'s>> {
    members.iter().find(|member| member.is_named(name)).map(|member| &member.value)
}

fn authentication_context<'s>(arena: &'s Arena, members: &'s [Member<'s>]) -> Option<Value<'s>> {
    let members = tree::pruned_members(arena, members);
    (!members.is_empty()).then(|| snake_cased(arena, Value::Object(members)))
}

/// The value with `part` of each text in it; other values and texts without that part are gone.
fn each_text<'s>(
    arena: &'s Arena,
    value: &Value<'s>,
    part: impl Fn(&str) -> Option<&str> + Copy,
) -> Option<Value<'s>> {
    match value {
        Value::Text(text) => part(text).map(Value::Text),
        Value::Array(items) => {
            let parts = items.iter().filter_map(|item| each_text(arena, item, part));
            let parts: ArenaVec<'s, Value<'s>> = parts.collect_in(arena);
            (!parts.is_empty()).then(|| Value::Array(parts.into_bump_slice()))
        }
        _ => None,
    }
}

/// The first run of characters that a user name is made of: what stands before a login's `@`.
fn first_run(login: &str) -> Option<&str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let run = login.get(login.as_bytes().iter().position(is_part)?..)?;
    let end = run.as_bytes().iter().position(|byte| !is_part(byte)).unwrap_or(run.len());
    run.get(..end)
}

fn email(login: &str) -> Option<&str> {
    login.contains('@').then_some(login)
}

fn address(text: &str) -> Option<&str> {
    text.parse::<IpAddr>().is_ok().then_some(text)
}

fn timestamp<'s>(
    arena: &'s Arena,
    published: Option<&Value<'s>>,
    written: Option<Timestamp>,
) -> Option<Value<'s>> {
    let readable = |text: &&str| time::parse(text).is_some();
    let texts: &[Value<'s>] = match published {
        Some(Value::Array(items)) => items,
        Some(Value::Text(text)) if readable(text) => return Some(Value::Text(text)),
        _ => &[],
    };
    let first = texts.iter().filter_map(|item| item.first_text()).find(readable);
    first.or_else(|| time::format(arena, written?)).map(Value::Text)
}

fn outcome<'s>(arena: &'s Arena, result: Option<&Value<'s>>) -> Value<'s> {
    fn of_text(text: &str) -> Option<&str> {
        let known = OUTCOMES.iter().find(|(result, _)| text.eq_ignore_ascii_case(result));
        Some(known.map_or(UNKNOWN, |(_, outcome)| outcome))
    }
    result.and_then(|result| each_text(arena, result, of_text)).unwrap_or(Value::Text(UNKNOWN))
}

/// A list, whatever the value is.
fn listed<'s>(arena: &'s Arena, value: Value<'s>) -> Value<'s> {
    match value {
        Value::Array(_) => value,
        one => Value::Array(arena.alloc_slice_copy(&[one])),
    }
}

/// The texts of all values, each once, in order.
fn unique<'s>(arena: &'s Arena, values: [Option<&Value<'s>>; 3]) -> Option<Value<'s>> {
    let mut texts: ArenaVec<'s, Value<'s>> = ArenaVec::with_capacity_in(values.len(), arena);
    let mut add = |value: Value<'s>| {
        let is_said = matches!(value, Value::Text(text) if !text.is_empty());
        if is_said && !texts.contains(&value) {
            texts.push(value);
        }
    };
    for value in values.into_iter().flatten() {
        match value {
            Value::Array(items) => items.iter().copied().for_each(&mut add),
            one => add(*one),
        }
    }
    (!texts.is_empty()).then(|| Value::Array(texts.into_bump_slice()))
}

fn targets<'s>(arena: &'s Arena, target: Option<&Value<'s>>) -> Option<Value<'s>> {
    let target = tree::pruned(arena, *target?)?;
    let targets = listed(arena, renamed(arena, target, TARGET_NAMES));
    let Value::Array(items) = targets else { return Some(targets) };
    let items = items.iter().map(|item| match item {
        Value::Object(members) => Value::Object(with_method(arena, members)),
        other => *other,
    });
    let items: ArenaVec<'s, Value<'s>> = items.collect_in(arena);
    Some(Value::Array(items.into_bump_slice()))
}

/// The target with that of its details which Elastic's integration keeps, named as it is there:
/// rules ask for it under that name.
fn with_method<'s>(arena: &'s Arena, target: &'s [Member<'s>]) -> &'s [Member<'s>] {
    let details = super::below(target, const { own("detail_entry") });
    if details.is_empty() {
        return target;
    }
    let kept = METHOD_NAMES
        .iter()
        .filter_map(|&name| Some(Member { name, value: member(details, name)? }));
    let kept: ArenaVec<'s, Member<'s>> = kept.collect_in(arena);
    if kept.is_empty() {
        return target;
    }
    let mut members = ArenaVec::with_capacity_in(target.len() + 1, arena);
    members.extend_from_slice(target);
    members.push(Member { name: "detailEntry", value: Value::Object(kept.into_bump_slice()) });
    members.into_bump_slice()
}

/// The members of the first target of that type, in any letter case.
fn first_of_type<'s>(targets: Option<Value<'s>>, wanted: &str) -> &'s [Member<'s>] {
    let Some(Value::Array(targets)) = targets else { return &[] };
    let is_wanted = |target: &&'s [Member<'s>]| {
        let target_type = member(target, const { own("type") }).and_then(Value::first_text);
        target_type.is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    };
    targets.iter().map(|target| target.members()).find(is_wanted).unwrap_or_default()
}

/// The value with the members of its objects (of an array: of each) named as the table says.
fn renamed<'s>(arena: &'s Arena, value: Value<'s>, names: &[(&str, &'static str)]) -> Value<'s> {
    let new_name = |member: &Member<'s>| -> &'s str {
        let row = names.iter().find(|(old, _)| member.is_named(old));
        row.map_or(member.name, |(_, new)| *new)
    };
    match value {
        Value::Object(members) => {
            let mut renamed = ArenaVec::with_capacity_in(members.len(), arena);
            for member in members {
                renamed.push(Member { name: new_name(member), value: member.value });
            }
            tree::object_with(arena, renamed.into_bump_slice(), Dots::None)
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| renamed(arena, *item, names));
            let items: ArenaVec<'s, Value<'s>> = items.collect_in(arena);
            Value::Array(items.into_bump_slice())
        }
        other => other,
    }
}

fn address_chain<'s>(arena: &'s Arena, parts: &Parts<'s>) -> Option<Value<'s>> {
    let request = super::below(parts.event, const { own("request") });
    let name = const { own("ipChain") };
    let said = [find(request, name), find(parts.client, name)];
    let chain = said.into_iter().flatten().find_map(|chain| tree::pruned(arena, *chain))?;
    let chain = listed(arena, renamed(arena, chain, ADDRESS_NAMES));
    let Value::Array(links) = chain else { return Some(chain) };
    let links = links.iter().map(|link| match link {
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|member| Member { name: member.name, value: place(arena, *member) });
            let members: ArenaVec<'s, Member<'s>> = members.collect_in(arena);
            Value::Object(members.into_bump_slice())
        }
        other => *other,
    });
    let links: ArenaVec<'s, Value<'s>> = links.collect_in(arena);
    Some(Value::Array(links.into_bump_slice()))
}

/// The place of an address, its postal code a text.
fn place<'s>(arena: &'s Arena, member: Member<'s>) -> Value<'s> {
    if member.name != "geographical_context" {
        return member.value;
    }
    let place = renamed(arena, member.value, ADDRESS_NAMES);
    let Value::Object(members) = place else { return place };
    let members = members.iter().map(|inner| match inner.name {
        "postal_code" => Member { name: inner.name, value: number_as_text(arena, inner.value) },
        _ => *inner,
    });
    let members: ArenaVec<'s, Member<'s>> = members.collect_in(arena);
    Value::Object(members.into_bump_slice())
}

/// Okta writes these as texts; some shippers make numbers of them.
fn number_as_text<'s>(arena: &'s Arena, value: Value<'s>) -> Value<'s> {
    match value {
        Value::Int(number) => {
            let text = bumpalo::format!(in arena, "{}", number);
            Value::Text(text.into_bump_str())
        }
        other => other,
    }
}

fn device<'s>(reader: &mut Reader<'_, 's>, event: &'s [Member<'s>]) -> Option<Value<'s>> {
    let arena = reader.arena;
    let device = tree::pruned(arena, member(event, const { own("device") })?)?;
    let Value::Object(members) = device else { return Some(device) };
    let members = members.iter().map(|member| match (member.name, member.value) {
        ("device_integrator", Value::Text(text)) => {
            let integrator = reader.embedded(text).unwrap_or(member.value);
            Member { name: member.name, value: integrator }
        }
        _ => *member,
    });
    let members: ArenaVec<'s, Member<'s>> = members.collect_in(arena);
    Some(Value::Object(members.into_bump_slice()))
}

/// The value with the names of all members in it in `snake_case`.
fn snake_cased<'s>(arena: &'s Arena, value: Value<'s>) -> Value<'s> {
    match value {
        Value::Object(members) => {
            let mut cased = ArenaVec::with_capacity_in(members.len(), arena);
            for member in members {
                let known = SNAKE_NAMES.iter().find(|(known, _)| member.is_named(known));
                let name = match known {
                    Some((_, made)) => made,
                    None => snake_case(arena, member.name),
                };
                match member.value {
                    Value::Object(_) | Value::Array(_) => {
                        cased.push(Member { name, value: snake_cased(arena, member.value) });
                    }
                    _ => cased.push(Member { name, value: member.value }),
                }
            }
            tree::object_with(arena, cased.into_bump_slice(), Dots::None)
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| snake_cased(arena, *item));
            let items: ArenaVec<'s, Value<'s>> = items.collect_in(arena);
            Value::Array(items.into_bump_slice())
        }
        other => other,
    }
}

/// `externalSessionId` → `external_session_id`; a run of capitals counts as one word.
pub(super) fn snake_case<'s>(arena: &'s Arena, name: &'s str) -> &'s str {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return name;
    }
    made_snake_case(arena, name)
}

/// The same, where the name is not among those that are known.
pub(super) fn made_snake_case<'s>(arena: &'s Arena, name: &str) -> &'s str {
    let mut text = ArenaString::with_capacity_in(name.len() + 4, arena);
    let mut before = None;
    for c in name.chars() {
        let starts_word = before.is_some_and(|b: char| b.is_lowercase() || b.is_ascii_digit());
        if c.is_ascii_uppercase() && starts_word {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
        before = Some(c);
    }
    text.into_bump_str()
}
