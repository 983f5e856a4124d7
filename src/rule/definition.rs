//! One rule, typed: everything that judging, limiting and alerting need of it.
//!
//! The values have been validated; nothing here reads text.

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
    /// The query: its text as written, and the tree that judges, which is the conjunction of the
    /// text and of the file's `filters`.
    pub query: kql::Query,
    /// The index globs the rule is scoped by; none: every index.
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
    /// The field whose text replaces the rule's name in an alert.
    pub rule_name_override: Option<String>,
    /// What raises or lowers the severity: the highest that matches wins.
    pub severity_mapping: Vec<SeverityMapping>,
    /// The field whose number replaces the risk score.
    pub risk_score_field: Option<String>,
    /// How further hits of a group are held back.
    pub suppression: Option<Suppression>,
    /// `building_block_type`, where set.
    pub building_block_type: Option<String>,
    /// The fields that an analyst looks at first.
    pub investigation_fields: Vec<String>,
    /// The field types that the file declares (`required_fields`).
    pub declared_fields: Vec<DeclaredField>,
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
    /// Every key of the rule that has no field of plain text above, as written: what acts on it
    /// (`severity_mapping`, `alert_suppression`, `filters`, …) is typed above as well.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Lower-case hex SHA-256 over the file's bytes and any override.
    pub sha256: String,
    /// The file it came from, for messages.
    pub origin: String,
}

impl Rule {
    /// Whether the rule judges records of the index `index`: one of its globs matches and none
    /// that starts with `-` does. A rule without globs judges every index.
    #[must_use]
    pub fn covers(&self, index: &str) -> bool {
        let matches = |glob: &str| {
            let pieces = glob.split('*').map(str::to_owned).collect();
            kql::Pattern::from_pieces(pieces).matches(index)
        };
        let (mut has_globs, mut is_covered) = (false, false);
        for glob in &self.index {
            match glob.strip_prefix('-') {
                Some(excluded) if matches(excluded) => return false,
                Some(_) => {}
                None => {
                    has_globs = true;
                    is_covered |= matches(glob);
                }
            }
        }
        is_covered || !has_globs
    }
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
    /// Every severity, in order.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

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

    /// The severity of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// One row of `severity_mapping`: where `field` holds `value`, the severity is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeverityMapping {
    /// The field.
    pub field: String,
    /// The value, as text.
    pub value: String,
    /// The severity.
    pub severity: Severity,
}

/// `alert_suppression`: one alert for a group of hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The fields whose values make a group; one to three.
    pub group_by: Vec<String>,
    /// How long a group is held, in milliseconds; `None`: for one interval of the rule.
    pub duration_ms: Option<u64>,
    /// What becomes of a hit without one of the fields.
    pub missing_fields: MissingFields,
}

/// `missing_fields_strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissingFields {
    /// A missing field is a value like any other.
    #[default]
    Suppress,
    /// A hit with a missing field is never held back.
    DoNotSuppress,
}

/// One row of `required_fields`: what type Elastic's mapping gives a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredField {
    /// The field's dotted name.
    pub name: String,
    /// Elastic's name of the type, such as `keyword` or `ip`.
    pub field_type: String,
}

/// The index of a rule in its [`super::RuleSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);
