//! The Kibana Query Language: text → spanned tree → text; faults with span and hint.
//!
//! ```text
//! text ── lexer ──▶ tokens ── parser ──▶ Query ── print ──▶ text (parses to the same tree)
//!                                 └────▶ every Diagnostic of the text at once
//! ```
//!
//! The tree is as the grammar has it and knows no field types, no events and no rules: what a
//! value means for a field is decided where the tree is compiled.

pub mod ast;
pub mod diagnostic;
pub mod lexer;
pub mod parser;
pub mod print;

pub use ast::{Expr, FieldName, Literal, Node, Pattern, Query, RangeOperator, Span};
pub use diagnostic::Diagnostic;
pub use parser::parse;
