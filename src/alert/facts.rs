//! What is worth knowing about who did something in Okta: whether actor and target are the same
//! person, and through which channel it was done.
//!
//! These are hints for people. Everything they rest on comes from the event, and user agents can
//! be forged, so no field alone ever makes an event look more harmless than it is.

use std::ops::ControlFlow;

use crate::event::{Event, FieldPath, Member, Value};

/// The actor that Okta's own support staff appears as.
const SUPPORT_ACTOR: &str = "system@okta.com";

/// The name that Okta's own integrations give themselves as user agent.
const INTEGRATION_AGENT: &str = "Okta-Integrations";

/// The fields looked at, resolved once.
#[derive(Debug)]
pub(super) struct Facts {
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
            actor_id: FieldPath::new("okta.actor.id"),
            actor_type: FieldPath::new("okta.actor.type"),
            actor_name: FieldPath::new("okta.actor.alternate_id"),
            agent: FieldPath::new("okta.client.user_agent.raw_user_agent"),
            transaction: FieldPath::new("okta.transaction.id"),
            token: FieldPath::new("okta.transaction.detail.request_api_token_id"),
            targets: FieldPath::new("okta.target"),
            target_id: FieldPath::new("user.target.id"),
        }
    }
}

impl Facts {
    /// Whether the actor is the user concerned, by id: an administrator's action names users in
    /// its text as well. `None` where one of the two is not said.
    pub(super) fn actor_is_target(&self, event: &Event<'_>) -> Option<Truth> {
        let actor = event.text(&self.actor_id)?;
        let mut users = Vec::new();
        let _: ControlFlow<()> = event.visit(&self.targets, &mut |value| {
            collect_users(value, &mut users);
            ControlFlow::Continue(())
        });
        if users.is_empty() {
            users.extend(event.text(&self.target_id));
        }
        match users.as_slice() {
            [] => None,
            users if users.contains(&actor) => Some(Truth::Yes),
            _ => Some(Truth::No),
        }
    }

    /// The channel, where the event says enough; `actor_is_target` is what
    /// [`Facts::actor_is_target`] says.
    pub(super) fn channel(
        &self,
        event: &Event<'_>,
        actor_is_target: Option<Truth>,
    ) -> Option<&'static str> {
        event.text(&self.actor_id).or_else(|| event.text(&self.actor_name))?;
        let is_user = event.text(&self.actor_type).is_some_and(|kind| same(kind, "User"));
        let agent = event.text(&self.agent);
        let has_request = event.text(&self.transaction).is_some_and(|id| id != "unknown");
        if event.text(&self.actor_name) == Some(SUPPORT_ACTOR) && agent.is_none() && !has_request {
            return Some("okta-support");
        }
        if event.text(&self.token).is_some() {
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

/// The ids of the targets that are users.
fn collect_users<'s>(value: Value<'s>, ids: &mut Vec<&'s str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_users(*item, ids)),
        Value::Object(members) => {
            let is_user = text(members, "type").is_some_and(|kind| same(kind, "User"));
            ids.extend(text(members, "id").filter(|_| is_user));
        }
        _ => {}
    }
}

fn text<'s>(members: &'s [Member<'s>], name: &str) -> Option<&'s str> {
    match members.iter().find(|member| member.name == name)?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
