//! Why a rule did or did not hold: the slow twin of `evaluate`.

use crate::event::{Event, FieldTypes};
use crate::kql::Query;
use crate::record::Timestamp;

/// One clause of a query that held, with what it held on.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchedClause {
    /// The clause, as KQL text.
    pub clause: String,
    /// The field, where the clause names one.
    pub field: Option<String>,
    /// The value found (JSON), where there was one; `None` for a negation that held by absence.
    pub value: Option<serde_json::Value>,
}

/// Why a query did or did not hold for an event: one node of the query's tree.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Explanation {
    /// The node, as KQL text.
    pub clause: String,
    /// Whether it held.
    pub held: bool,
    /// The field, where the node is a clause on one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The values found in that field, at most a few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<serde_json::Value>,
    /// What was found and what was expected, for people; untrusted text is escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The operands of `and`, `or`, `not` and of a nested query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operands: Vec<Explanation>,
}

impl Explanation {
    /// The tree as lines for people, each with ✓ or ✗ and two spaces per level.
    #[must_use]
    pub fn render(&self) -> String {
        unimplemented!()
    }
}

/// Explains every clause of `query` for `event`, judged at `now`.
#[must_use]
pub fn explain(
    query: &Query,
    event: &Event<'_>,
    types: &FieldTypes,
    now: Timestamp,
) -> Explanation {
    let _ = (query, event, types, now);
    unimplemented!()
}

/// The clauses of `query` that made it hold for `event`, judged at `now` (what date maths counts
/// from): what an alert says of its reason.
#[must_use]
pub fn matched(
    query: &Query,
    event: &Event<'_>,
    types: &FieldTypes,
    now: Timestamp,
) -> Vec<MatchedClause> {
    let _ = (query, event, types, now);
    unimplemented!()
}
