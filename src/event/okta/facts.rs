//! What an Okta event says that is no plain copy of one member.

use std::net::IpAddr;

use bumpalo::collections::{CollectIn, String as ArenaString, Vec as ArenaVec};

use super::super::decode::Reader;
use super::super::value::{Member, Value, member};
use super::super::{Arena, time, tree};
use super::template::{ADDRESS_NAMES, Fact, METHOD_NAMES, SNAKE_NAMES, TARGET_NAMES};
use super::{Parts, catalogue, debug};
use crate::record::Timestamp;

/// The facts of one event, each computed once.
pub(super) struct Facts<'s> {
    arena: &'s Arena,
    timestamp: Option<Value<'s>>,
    outcome: Value<'s>,
    categories: Option<Value<'s>>,
    types: Option<Value<'s>>,
    user_name: Option<Value<'s>>,
    user_email: Option<Value<'s>>,
    address: Option<Value<'s>>,
    related_user: Option<Value<'s>>,
    target: Option<Value<'s>>,
    target_user: &'s [Member<'s>],
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
        let actor_login = member(parts.actor, "alternateId");
        let user_name = actor_login.and_then(|login| each_text(arena, login, first_run));
        let target = targets(arena, member(parts.event, "target"));
        let target_user = first_of_type(target, "user");
        let event_type = member(parts.event, "eventType").and_then(Value::first_text);
        let class = event_type.and_then(catalogue::class_of);
        let names =
            [member(parts.actor, "displayName"), member(target_user, "display_name"), user_name];
        Self {
            arena,
            timestamp: timestamp(arena, member(parts.event, "published"), written),
            outcome: outcome(arena, member(parts.outcome, "result")),
            categories: class.map(|class| Value::Array(class.categories)),
            types: class.and_then(|class| class.types_in(arena)),
            user_name,
            user_email: actor_login.and_then(|login| each_text(arena, login, email)),
            address: member(parts.client, "ipAddress")
                .and_then(|value| each_text(arena, value, address)),
            related_user: unique(arena, names),
            target,
            target_user,
            target_group: first_of_type(target, "usergroup"),
            authentication_context: tree::pruned(arena, Value::Object(parts.authentication))
                .map(|context| snake_cased(arena, context)),
            debug_data: debug::debug_data(reader, parts.event),
            device: device(reader, parts.event),
            address_chain: address_chain(arena, parts),
            version: member(parts.event, "version")
                .and_then(|version| tree::pruned(arena, number_as_text(arena, version))),
        }
    }

    pub(super) fn of_kind(&self, fact: Fact) -> Option<Value<'s>> {
        match fact {
            Fact::Timestamp => self.timestamp,
            Fact::Outcome => Some(self.outcome),
            Fact::Category => self.categories,
            Fact::Type => self.types,
            Fact::UserName => self.user_name,
            Fact::UserEmail => self.user_email,
            Fact::Address => self.address,
            Fact::RelatedAddress => self.address.map(|address| listed(self.arena, address)),
            Fact::RelatedUser => self.related_user,
            Fact::Target => self.target,
            Fact::TargetUserId => member(self.target_user, "id"),
            Fact::TargetUserFullName => member(self.target_user, "display_name"),
            Fact::TargetUserName => self.target_login(first_run),
            Fact::TargetUserEmail => self.target_login(email),
            Fact::TargetGroupId => member(self.target_group, "id"),
            Fact::TargetGroupName => member(self.target_group, "display_name"),
            Fact::AuthenticationContext => self.authentication_context,
            Fact::DebugData => self.debug_data,
            Fact::Device => self.device,
            Fact::AddressChain => self.address_chain,
            Fact::Version => self.version,
        }
    }

    fn target_login(&self, part: fn(&str) -> Option<&str>) -> Option<Value<'s>> {
        each_text(self.arena, member(self.target_user, "alternate_id")?, part)
    }
}

/// The value with `part` of each text in it; other values and texts without that part are gone.
fn each_text<'s>(
    arena: &'s Arena,
    value: Value<'s>,
    part: fn(&str) -> Option<&str>,
) -> Option<Value<'s>> {
    match value {
        Value::Text(text) => part(text).map(Value::Text),
        Value::Array(items) => {
            let parts = items.iter().filter_map(|item| each_text(arena, *item, part));
            let parts: ArenaVec<'s, Value<'s>> = parts.collect_in(arena);
            (!parts.is_empty()).then(|| Value::Array(parts.into_bump_slice()))
        }
        _ => None,
    }
}

/// The first run of characters that a user name is made of: what stands before a login's `@`.
fn first_run(login: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    login.split(|c| !is_part(c)).find(|run| !run.is_empty())
}

fn email(login: &str) -> Option<&str> {
    login.contains('@').then_some(login)
}

fn address(text: &str) -> Option<&str> {
    text.parse::<IpAddr>().is_ok().then_some(text)
}

fn timestamp<'s>(
    arena: &'s Arena,
    published: Option<Value<'s>>,
    written: Option<Timestamp>,
) -> Option<Value<'s>> {
    let readable = |text: &&str| time::parse(text).is_some();
    let texts: &[Value<'s>] = match published {
        Some(Value::Array(items)) => items,
        Some(Value::Text(text)) if readable(&text) => return Some(Value::Text(text)),
        _ => &[],
    };
    let first = texts.iter().filter_map(|item| item.first_text()).find(readable);
    first.or_else(|| time::format(arena, written?)).map(Value::Text)
}

fn outcome<'s>(arena: &'s Arena, result: Option<Value<'s>>) -> Value<'s> {
    let of_text = |text: &str| {
        let is_any = |names: [&str; 2]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
        if is_any(["success", "allow"]) {
            return Some("success");
        }
        Some(if is_any(["failure", "deny"]) { "failure" } else { "unknown" })
    };
    result.and_then(|result| each_text(arena, result, of_text)).unwrap_or(Value::Text("unknown"))
}

/// A list, whatever the value is.
fn listed<'s>(arena: &'s Arena, value: Value<'s>) -> Value<'s> {
    match value {
        Value::Array(_) => value,
        one => Value::Array(arena.alloc_slice_copy(&[one])),
    }
}

/// The texts of all values, each once, in order.
fn unique<'s>(arena: &'s Arena, values: [Option<Value<'s>>; 3]) -> Option<Value<'s>> {
    let mut texts: ArenaVec<'s, Value<'s>> = ArenaVec::new_in(arena);
    let mut add = |value: Value<'s>| {
        let is_said = matches!(value, Value::Text(text) if !text.is_empty());
        if is_said && !texts.contains(&value) {
            texts.push(value);
        }
    };
    for value in values.into_iter().flatten() {
        match value {
            Value::Array(items) => items.iter().copied().for_each(&mut add),
            one => add(one),
        }
    }
    (!texts.is_empty()).then(|| Value::Array(texts.into_bump_slice()))
}

fn targets<'s>(arena: &'s Arena, target: Option<Value<'s>>) -> Option<Value<'s>> {
    let target = tree::pruned(arena, target?)?;
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
    let details = super::below(target, "detail_entry");
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
        let target_type = member(target, "type").and_then(Value::first_text);
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
            tree::object(arena, renamed)
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
    let request = super::below(parts.event, "request");
    let said = [member(request, "ipChain"), member(parts.client, "ipChain")];
    let chain = said.into_iter().flatten().find_map(|chain| tree::pruned(arena, chain))?;
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
    let device = tree::pruned(arena, member(event, "device")?)?;
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
                let name = snake_case(arena, member.name);
                match member.value {
                    Value::Object(_) | Value::Array(_) => {
                        cased.push(Member { name, value: snake_cased(arena, member.value) });
                    }
                    _ => cased.push(Member { name, value: member.value }),
                }
            }
            tree::object(arena, cased)
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
    let known = SNAKE_NAMES.iter().find(|(known, _)| *known == name);
    known.map_or_else(|| made_snake_case(arena, name), |(_, made)| made)
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
