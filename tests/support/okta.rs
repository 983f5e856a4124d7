//! The rule of the main job, events for it, and the alert ids that must come out.

use std::path::PathBuf;
use std::sync::Arc;

use ouzel::rule::{self, Found, RuleSet, RuleText};
use sha2::{Digest, Sha256};

/// The rule's id.
pub const RULE_ID: &str = "729aa18d-06a6-41c7-b175-b65b739b1181";

/// The rule's file, named so that another shipped rule changes nothing.
pub fn rule_file() -> PathBuf {
    super::source::root().join("config/rules/okta/attempt_to_reset_mfa_factors.toml")
}

/// The rule, loaded.
pub fn rules() -> Arc<RuleSet> {
    let origin = rule_file().display().to_string();
    let text = std::fs::read_to_string(rule_file()).expect("the rule file is there");
    let texts = [RuleText { origin, text, found: Found::Named }];
    let set = rule::load(&texts, &std::collections::BTreeMap::new());
    Arc::new(set.unwrap_or_else(|faults| panic!("{faults:?}")))
}

/// The id of the rule's alert for the Okta event `uuid`, from the definition alone.
pub fn alert_id(uuid: &str) -> String {
    let text = format!("ouzel-alert-1\0{RULE_ID}\0okta\0{uuid}");
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A small Okta event.
pub fn event(uuid: &str, event_type: &str) -> String {
    format!(
        r#"{{"uuid":"{uuid}","published":"2026-01-01T00:00:00.000Z","eventType":"{event_type}","version":"0","severity":"INFO","displayMessage":"x","actor":{{"id":"00u1","type":"User","alternateId":"a@example.com","displayName":"A"}},"outcome":{{"result":"SUCCESS"}},"target":[{{"id":"00u2","type":"User","alternateId":"b@example.com","displayName":"B"}}]}}"#
    )
}

/// The event that the rule looks for.
pub fn hit(uuid: &str) -> String {
    event(uuid, "user.mfa.factor.reset_all")
}

/// An event that it does not.
pub fn clean(uuid: &str) -> String {
    event(uuid, "user.session.start")
}
