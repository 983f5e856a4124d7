//! Faults of a query: where, what, and what to do.

use super::ast::Span;

/// One fault of a query's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where the fault stands, in bytes of the query's text.
    pub span: Span,
    /// What was found.
    pub message: String,
    /// What is allowed, and what to do.
    pub hint: Option<String>,
}
