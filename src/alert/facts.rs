//! What is worth knowing about who did something in Okta: whether actor and target are the same
//! person, and through which channel it was done.
//!
//! These are hints for people. Everything they rest on comes from the event, and user agents can
//! be forged, so no field alone ever makes an event look more harmless than it is.

use std::ops::ControlFlow;

use crate::event::{Event, FieldPath, Member, Value, visit_value};

/// The actor that Okta's own support staff appears as.
const SUPPORT_ACTOR: &str = "system@okta.com";

/// The name that Okta's own integrations give themselves as user agent.
const INTEGRATION_AGENT: &str = "Okta-Integrations";

/// The fields looked at, resolved once: those of `okta` by their names below it.
#[derive(Debug)]
pub(super) struct Facts {
    okta: FieldPath,
    actor_id: FieldPath,
    actor_type: FieldPath,
    actor_name: FieldPath,
    agent: FieldPath,
    transaction: FieldPath,
    token: FieldPath,
    targets: FieldPath,
    target_id: FieldPath,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            okta: FieldPath::new("okta"),
            actor_id: FieldPath::new("actor.id"),
            actor_type: FieldPath::new("actor.type"),
            actor_name: FieldPath::new("actor.alternate_id"),
            agent: FieldPath::new("client.user_agent.raw_user_agent"),
            transaction: FieldPath::new("transaction.id"),
            token: FieldPath::new("transaction.detail.request_api_token_id"),
            targets: FieldPath::new("target"),
            target_id: FieldPath::new("user.target.id"),
        }
    }
}

/// What one event says; nothing where it does not say enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// Whether the actor is the user concerned, by id: an administrator's action names users in its
    /// text as well.
    pub(super) actor_is_target: Option<Truth>,
    /// The channel.
    pub(super) channel: Option<&'static str>,
}

/// What an event says under `okta`, which is looked for once.
#[derive(Clone, Copy)]
struct Okta<'s>(Value<'s>);

impl<'s> Okta<'s> {
    fn text(self, path: &FieldPath) -> Option<&'s str> {
        let found = visit_value(self.0, path.segments(), &mut |value| match value.first_leaf() {
            Some(leaf) => ControlFlow::Break(leaf),
            None => ControlFlow::Continue(()),
        });
        match found {
            ControlFlow::Break(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

impl Facts {
    /// What `event` says.
    pub(super) fn about(&self, event: &Event<'_>) -> About {
        let found = event.visit(&self.okta, &mut ControlFlow::Break);
        let ControlFlow::Break(okta) = found else { return About::default() };
        let okta = Okta(okta);
        let actor = okta.text(&self.actor_id);
        let actor_is_target = actor.and_then(|actor| self.is_target(event, okta, actor));
        About { actor_is_target, channel: self.channel(okta, actor, actor_is_target) }
    }

    /// Whether the user concerned is `actor`; `None` where none is said.
    fn is_target(&self, event: &Event<'_>, okta: Okta<'_>, actor: &str) -> Option<Truth> {
        let mut found = None;
        let mut user = |id: &str| {
            if found != Some(Truth::Yes) {
                found = Some(if id == actor { Truth::Yes } else { Truth::No });
            }
        };
        let _: ControlFlow<()> = visit_value(okta.0, self.targets.segments(), &mut |value| {
            each_user(value, &mut user);
            ControlFlow::Continue(())
        });
        if found.is_none() {
            let id = event.text(&self.target_id)?;
            found = Some(if id == actor { Truth::Yes } else { Truth::No });
        }
        found
    }

    fn channel(
        &self,
        okta: Okta<'_>,
        actor: Option<&str>,
        actor_is_target: Option<Truth>,
    ) -> Option<&'static str> {
        let actor_name = okta.text(&self.actor_name);
        actor.or(actor_name)?;
        let is_user = okta.text(&self.actor_type).is_some_and(|kind| same(kind, "User"));
        let agent = okta.text(&self.agent);
        let has_request = || okta.text(&self.transaction).is_some_and(|id| id != "unknown");
        if actor_name == Some(SUPPORT_ACTOR) && agent.is_none() && !has_request() {
            return Some("okta-support");
        }
        if okta.text(&self.token).is_some() {
            return Some("api-token");
        }
        if !is_user && agent.is_some_and(|agent| agent.starts_with(INTEGRATION_AGENT)) {
            return Some("automation");
        }
        match actor_is_target? {
            Truth::Yes => Some("self-service"),
            Truth::No if is_user => Some("admin-console"),
            Truth::No => None,
        }
    }
}

/// Yes or no, where a third answer is that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Hands over the ids of the targets that are users.
fn each_user<'s>(value: Value<'s>, user: &mut impl FnMut(&'s str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| each_user(*item, user)),
        Value::Object(members) => {
            let is_user = text(members, "type").is_some_and(|kind| same(kind, "User"));
            if let Some(id) = text(members, "id").filter(|_| is_user) {
                user(id);
            }
        }
        _ => {}
    }
}

fn text<'s>(members: &'s [Member<'s>], name: &str) -> Option<&'s str> {
    match members.iter().find(|member| member.is_named(name))?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
