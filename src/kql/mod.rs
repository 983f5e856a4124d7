//! The Kibana Query Language: text → spanned tree → text; faults with span and hint.
//!
//! ```text
//! text ── lexer ──▶ tokens ── parser ──▶ Query ── print ──▶ text (parses to the same tree)
//!                                 └────▶ every Diagnostic of the text at once
//! ```
//!
//! The tree is as the grammar has it and knows no field types, no events and no rules: what a
//! value means for a field is decided where the tree is compiled.

mod ast;
mod diagnostic;
mod glob;
mod lexer;
mod parser;
mod print;

pub use ast::{Expr, FieldName, Literal, Node, Pattern, Query, RangeOperator, Span};
pub use diagnostic::{Diagnostic, Place, place};
pub use glob::{Glob, LetterCase};
pub use parser::parse;
pub use print::print;

#[cfg(test)]
mod tests;
