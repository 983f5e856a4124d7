//! The detector: a rule set compiled once, and `inspect`, which judges one record.

use std::sync::Arc;

use super::prefilter::NoLiteral;
use super::{Scratch, Verdict};
use crate::event::{FieldTypes, TopicProfile};
use crate::record::Record;
use crate::rule::{RuleIndex, RuleSet};

/// What is checked on records that no rule can match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validate {
    /// Nothing: only candidates are read.
    Candidates,
    /// Quotes, brackets, control bytes and UTF-8.
    #[default]
    Envelope,
    /// The whole JSON grammar.
    Full,
}

/// A compiled rule set.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<RuleSet>,
    validate: Validate,
}

impl Detector {
    /// Compiles `rules`.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, types: &FieldTypes, validate: Validate) -> Self {
        let _ = types;
        Self { rules, validate }
    }

    /// The rule set that this detector was compiled from.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The rules that have no literal to search records for, each with the reason. One of them
    /// makes the whole set decode every record.
    pub fn needs_extraction(&self) -> impl Iterator<Item = (RuleIndex, NoLiteral)> + '_ {
        std::iter::empty()
    }

    /// Judges one record. Allocates nothing for a clean record once `scratch` is warm.
    pub fn inspect<'s>(
        &self,
        record: &Record<'_>,
        profile: &TopicProfile,
        scratch: &'s mut Scratch,
    ) -> Verdict<'s> {
        let _ = (record, profile, scratch, self.validate);
        unimplemented!()
    }
}
