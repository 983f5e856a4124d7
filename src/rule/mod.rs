//! Rules as written and as loaded.
//!
//! ```text
//! file ── toml | export ──▶ Document ── reader ──▶ Rule ─┐
//!                                       ├─ kql ◀─ query   ├─ set ──▶ RuleSet (sorted, ids unique)
//!                                       └─ filter ◀─ DSL  │          skipped, with the reason
//! overrides ──────────────────────────────────────────────┘          or every fault at once
//! ```
//!
//! A [`Rule`] is what a rule file says, read once and typed; a [`RuleSet`] is every rule that will
//! judge, in a stable order (by rule id), with the list of what was skipped and why. Texts are
//! handed in; nothing here opens a file or knows events.

mod definition;
mod set;
mod document;
pub mod toml;
pub mod export;
mod keys;
mod fields;
mod reader;
mod guide;
mod options;
mod filter;
mod interval;
mod fault;
pub mod case;

pub use definition::{
    DeclaredField, MissingFields, Rule, RuleIndex, Severity, SeverityMapping, Suppression,
};
pub use fault::{Problem, RuleFault};
pub use set::{Found, Override, RuleSet, RuleText, SkippedRule, load};

#[cfg(test)]
mod tests;
