//! The rules of the comparison with rsigma: one table, written as KQL for the one program and as
//! Sigma for the other.

use std::fs;
use std::path::{Path, PathBuf};

/// Of which size the usual rules for Okta are: what a rule is about, and its event types.
const PLAIN: [(&str, &[&str]); 21] = [
    ("factors", &["user.mfa.factor.reset_all"]),
    ("deactivated", &["user.mfa.factor.deactivate"]),
    ("bypass", &["user.mfa.attempt_bypass"]),
    ("token", &["system.api_token.create"]),
    ("revoked", &["system.api_token.revoke"]),
    ("grant", &["user.account.privilege.grant", "group.privilege.grant"]),
    ("impersonation", &["user.session.impersonation.initiate", "user.session.impersonation.grant"]),
    ("policy", &["policy.lifecycle.update", "policy.lifecycle.delete"]),
    ("policy-off", &["policy.lifecycle.deactivate"]),
    ("policy-rule", &["policy.rule.update", "policy.rule.delete", "policy.rule.deactivate"]),
    ("zone", &["zone.update", "zone.deactivate", "zone.delete", "network_zone.rule.disabled"]),
    ("zone-block", &["zone.remove_blacklist"]),
    ("application", &["application.lifecycle.update", "application.lifecycle.delete"]),
    ("application-off", &["application.lifecycle.deactivate"]),
    ("sign-on", &["application.policy.sign_on.update", "application.policy.sign_on.rule.delete"]),
    ("provider", &["system.idp.lifecycle.create"]),
    ("reported", &["user.account.report_suspicious_activity_by_enduser"]),
    ("threat", &["security.threat.detected"]),
    ("breached", &["security.breached_credential.detected"]),
    ("locked", &["user.account.lock.limit"]),
    ("limit", &["system.org.rate_limit.violation"]),
];

/// What takes the place of the last two where rules look further into event types that are usual:
/// 14 events in 100 are of these.
const FURTHER: [Rule; 2] = [
    Rule {
        name: "proxied",
        actions: &["user.session.start"],
        further: Some(Further {
            ecs: "okta.security_context.is_proxy",
            raw: "securityContext.isProxy",
            value: "true",
        }),
    },
    Rule {
        name: "phishing",
        actions: &["user.authentication.auth_via_mfa"],
        further: Some(Further {
            ecs: "okta.outcome.reason",
            raw: "outcome.reason",
            value: "\"FastPass declined phishing attempt\"",
        }),
    },
];

/// A rule in no language.
#[derive(Clone, Copy)]
pub struct Rule {
    name: &'static str,
    actions: &'static [&'static str],
    further: Option<Further>,
}

/// A second condition: the field's name in each language, and a value that both spell alike.
#[derive(Clone, Copy)]
struct Further {
    ecs: &'static str,
    raw: &'static str,
    value: &'static str,
}

/// Where the rules stand, for each side.
pub struct Written {
    pub ours: PathBuf,
    pub theirs: PathBuf,
}

/// The first rule of the table.
pub fn one() -> Vec<Rule> {
    plain().into_iter().take(1).collect()
}

/// All of the table.
pub fn plain() -> Vec<Rule> {
    PLAIN.iter().map(|(name, actions)| Rule { name, actions, further: None }).collect()
}

/// As many, two of which look further.
pub fn mixed() -> Vec<Rule> {
    plain().into_iter().take(PLAIN.len() - FURTHER.len()).chain(FURTHER).collect()
}

/// Writes each rule twice below `folder`.
pub fn write(folder: &Path, rules: &[Rule]) -> Written {
    let further = rules.iter().filter(|rule| rule.further.is_some()).count();
    let name = format!("{}-{further}", rules.len());
    let (ours, theirs) = (folder.join(&name).join("kql"), folder.join(&name).join("sigma"));
    for folder in [&ours, &theirs] {
        fs::create_dir_all(folder).expect("target/ can be written");
    }
    for rule in rules {
        let files = [(&ours, "toml", kql(rule)), (&theirs, "yml", sigma(rule))];
        for (folder, ending, text) in files {
            let path = folder.join(format!("{}.{ending}", rule.name));
            fs::write(path, text).expect("target/ can be written");
        }
    }
    Written { ours, theirs }
}

fn kql(rule: &Rule) -> String {
    let Rule { name, actions, further } = rule;
    let actions = actions.join(" or ");
    let further = further.map_or_else(String::new, |it| format!(" and {}:{}", it.ecs, it.value));
    format!(
        "[rule]\nrule_id = \"{name}\"\nname = \"{name}\"\ntype = \"query\"\nlanguage = \"kuery\"\n\
         description = \"{name}\"\nseverity = \"low\"\nrisk_score = 21\n\
         query = '''event.dataset:okta.system and event.action:({actions}){further}'''\n"
    )
}

fn sigma(rule: &Rule) -> String {
    let Rule { name, actions, further } = rule;
    let list: String = actions.iter().map(|action| format!("      - {action}\n")).collect();
    let further = further.map_or_else(String::new, |it| format!("    {}: {}\n", it.raw, it.value));
    format!(
        "title: {name}\nstatus: test\nlogsource:\n  product: okta\n  service: okta\ndetection:\n  \
         selection:\n    eventType:\n{list}{further}  condition: selection\nlevel: low\n"
    )
}
