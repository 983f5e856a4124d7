//! Rules as written and as loaded.
//!
//! A [`Rule`] is what a rule file says, read once and typed; a [`RuleSet`] is every rule that will
//! judge, in a stable order (by rule id), with the list of what was skipped and why. Texts are
//! handed in; nothing here opens a file or knows events.

pub mod toml;
pub mod case;

use crate::kql;

/// One rule, as loaded.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The `rule_id`, unique in a set.
    pub id: String,
    /// The name.
    pub name: String,
    /// The version, where the file says one (prebuilt packages do), else 1.
    pub version: u32,
    /// The description.
    pub description: String,
    /// The severity, before mappings.
    pub severity: Severity,
    /// The risk score, 0 to 100, before mappings.
    pub risk_score: u8,
    /// The parsed query.
    pub query: kql::Query,
    /// The index globs the rule is scoped by.
    pub index: Vec<String>,
    /// How often Kibana would run it, in milliseconds; the limit's window.
    pub interval_ms: u64,
    /// The interval as the file writes it, such as `5m`.
    pub interval: String,
    /// Kibana's `from`, as the file writes it, such as `now-6m` (Kibana's default).
    pub from: String,
    /// The look-back that `from` means, in milliseconds: an event older than this is late.
    pub look_back_ms: u64,
    /// Most alerts per interval; `None` switches the limit off.
    pub max_signals: Option<u32>,
    /// The field that counts as event time, over `@timestamp`.
    pub timestamp_override: Option<String>,
    /// `building_block_type`, where set.
    pub building_block_type: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Authors.
    pub author: Vec<String>,
    /// Licence.
    pub license: String,
    /// References.
    pub references: Vec<String>,
    /// Known false positives.
    pub false_positives: Vec<String>,
    /// The investigation guide (Markdown).
    pub note: String,
    /// Setup notes (Markdown).
    pub setup: String,
    /// The threat mapping, as JSON in Kibana's shape (`[{framework, tactic, technique: […]}]`).
    pub threat: serde_json::Value,
    /// Every other key of `[rule]`, kept for the alert and for what acts on it later.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Lower-case hex SHA-256 over the file's bytes and any override.
    pub sha256: String,
    /// The file it came from, for messages.
    pub origin: String,
}

/// The severities, in order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

impl Severity {
    /// The name in files, alerts and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The index of a rule in its [`RuleSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// Every rule that judges, sorted by id, ids unique.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    skipped: Vec<SkippedRule>,
    sha256: String,
}

/// A rule file that does not judge, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRule {
    /// The file.
    pub origin: String,
    /// The rule's name, where it could be read.
    pub name: String,
    /// Why it is skipped.
    pub reason: String,
}

impl RuleSet {
    /// The rules, by id.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
    /// What was skipped, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedRule] {
        &self.skipped
    }
    /// The rule at `index`.
    #[must_use]
    pub fn get(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }
    /// Lower-case hex SHA-256 over the rules' own hashes, in order.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}
