//! What the metrics are given: plain numbers and names, from a driver that knows the core.
//!
//! Nothing here counts or registers anything; [`super::metrics`] does.

/// How the budget of dead letters stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// It holds.
    Within,
    /// It is spent.
    Spent,
}

/// What is known before the first record: it becomes label sets at 0.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    /// The program's version.
    pub version: &'a str,
    /// The commit it was built from.
    pub commit: &'a str,
    /// When the process started, in ms since the epoch.
    pub started_ms: i64,
    /// Topics configured by name (patterns are known when they are assigned).
    pub topics: Vec<&'a str>,
    /// Every shape that an event may have.
    pub shapes: Vec<&'a str>,
    /// Everything that may become of a hit.
    pub dispositions: Vec<&'a str>,
    /// Every stage and reason that a dead letter may have.
    pub dead_letters: Vec<(&'a str, &'a str)>,
    /// Every reason to skip a record.
    pub skip_reasons: Vec<&'a str>,
}

/// A loaded rule, as metrics and `/rules` show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleInfo {
    /// The rule's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The hash of its text.
    pub sha256: String,
    /// Every severity that its alerts may have.
    pub severities: Vec<String>,
}

/// Records of one topic and one batch, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Judged; no rule holds.
    pub clean: u64,
    /// Judged; at least one rule holds.
    pub hit: u64,
    /// Could not be judged.
    pub unreadable: u64,
    /// Hold no event.
    pub skipped: u64,
    /// Payload bytes of all of them.
    pub payload_bytes: u64,
}

/// What happened to an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// Partitions were assigned.
    Assign,
    /// Partitions were given back in order.
    Revoke,
    /// Partitions were gone before they could be given back.
    Lost,
}

impl Rebalance {
    pub(super) const ALL: [Self; 3] = [Self::Assign, Self::Revoke, Self::Lost];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Revoke => "revoke",
            Self::Lost => "lost",
        }
    }
}
