//! Why a rule did or did not hold: the slow twin of `evaluate`.

use crate::event::{Event, FieldTypes};
use crate::kql::Query;

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

/// The clauses of `query` that made it hold for `event`: what an alert says of its reason.
#[must_use]
pub fn matched(query: &Query, event: &Event<'_>, types: &FieldTypes) -> Vec<MatchedClause> {
    let _ = (query, event, types);
    unimplemented!()
}
