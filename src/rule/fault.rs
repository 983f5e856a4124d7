//! What is wrong with a rule file: where, what was found, what is allowed, what to do.

use std::fmt;

/// One fault, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RuleFault {
    /// The file, or `the configuration`.
    pub origin: String,
    /// The line, from 1, where the fault has one.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

/// The origin of a fault that stands in no rule file.
pub(super) const CONFIGURATION: &str = "the configuration";

impl RuleFault {
    /// Whether the configuration is wrong about a rule, rather than the rule itself.
    #[must_use]
    pub fn is_in_the_configuration(&self) -> bool {
        self.origin == CONFIGURATION
    }
}

impl fmt::Display for RuleFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.origin, self.problem),
            None => write!(out, "{}: {}", self.origin, self.problem),
        }
    }
}

/// What can be wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is no TOML.
    #[error("not TOML: {0}")]
    NotToml(String),
    /// A line of an export is no JSON.
    #[error("not a line of JSON: {0}; a rule export holds one JSON object a line")]
    NotJson(String),
    /// The file holds no rule.
    #[error("no rule: {0}")]
    NotARule(String),
    /// A key that no such file may have.
    #[error("unknown key `{key}` in {table}{}", Hint(nearest))]
    UnknownKey {
        /// The key.
        key: String,
        /// The table that it stands in.
        table: String,
        /// The allowed key that is spelled most alike.
        nearest: Option<String>,
    },
    /// A key that must be there.
    #[error("`{key}` is missing in {table}")]
    Missing {
        /// The key.
        key: String,
        /// The table that lacks it.
        table: String,
    },
    /// A value of the wrong type.
    #[error("`{key}` is {found}, expected {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// What stands there.
        found: &'static str,
        /// What is allowed.
        expected: &'static str,
    },
    /// A value that the key may not have.
    #[error("`{key}` is {found}; {allowed}")]
    WrongValue {
        /// The key.
        key: String,
        /// What stands there.
        found: String,
        /// What is allowed, as a sentence.
        allowed: String,
    },
    /// The query is wrong: the fault, underlined.
    #[error("{0}")]
    Query(String),
    /// A rule of a kind that cannot be judged in a stream, named directly.
    #[error("{0}; in a folder such a rule is listed as skipped")]
    CannotRun(String),
    /// A `filters` entry that has no sound form here: ignoring it would raise false alerts.
    #[error("filter {found} is not supported; {allowed}")]
    Filter {
        /// What was found.
        found: String,
        /// What is allowed, as a sentence.
        allowed: String,
    },
    /// Two rules with one id.
    #[error(
        "rule_id {id} (version {version}) is also in {other} (version {other_version}); keep one of them"
    )]
    SameId {
        /// The id.
        id: String,
        /// This rule's version.
        version: u32,
        /// Where the other one stands.
        other: String,
        /// The other one's version.
        other_version: u32,
    },
    /// An override of a rule that is nowhere.
    #[error("[rule.\"{id}\"] names no loaded rule{}", Hint(nearest))]
    UnknownOverride {
        /// The id.
        id: String,
        /// The loaded id that is spelled most alike.
        nearest: Option<String>,
    },
    /// An override switches on what cannot run.
    #[error("[rule.\"{id}\"] switches on a rule that cannot run: {reason}")]
    CannotSwitchOn {
        /// The id.
        id: String,
        /// Why it cannot run.
        reason: String,
    },
    /// More rules than [`crate::limits::RULES_MAX`].
    #[error("{count} rules, at most {most} are allowed; load fewer folders")]
    TooMany {
        /// How many there are.
        count: usize,
        /// The limit.
        most: usize,
    },
}

struct Hint<'a>(&'a Option<String>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(nearest) => write!(out, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// The candidate that is spelled most like `text`, where one is near enough to be meant.
pub(super) fn nearest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(text, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate.to_owned())
}
