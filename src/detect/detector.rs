//! The detector: a rule set compiled once, and `inspect`, which judges one record.

use std::sync::Arc;

use super::compile::Program;
use super::index::Index;
use super::kernel::{self, Found};
use super::literal::Alternatives;
use super::prefilter::{NoLiteral, Prefilter};
use super::{Hit, Outcome, Scratch, Verdict, check};
use crate::event::{
    self, Arena, DecodeFault, Decoded, Event, FieldTypes, SkipReason, TopicProfile,
};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::record::{Record, Timestamp};
use crate::rule::{Rule, RuleIndex, RuleSet};

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
    compiled: Box<[Compiled]>,
    prefilter: Prefilter,
    index: Index,
    validate: Validate,
}

/// What is made of one rule.
#[derive(Debug)]
struct Compiled {
    rule: RuleIndex,
    program: Program,
    required: Result<Alternatives, NoLiteral>,
}

impl Detector {
    /// Compiles `rules`.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, types: &FieldTypes, validate: Validate) -> Self {
        let compiled: Box<[Compiled]> = (0..)
            .map(RuleIndex)
            .zip(rules.rules())
            .map(|(index, rule)| Compiled::new(index, rule, types))
            .collect();
        let required = compiled.iter().map(|one| one.required.as_ref().map_err(|reason| *reason));
        let prefilter = Prefilter::new(required);
        let index = Index::new(compiled.iter().map(|one| &one.program));
        Self { rules, compiled, prefilter, index, validate }
    }

    /// The rule set that this detector was compiled from.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The rules that have no literal to search records for, each with the reason. One of them
    /// makes the whole set decode every record.
    pub fn needs_extraction(&self) -> impl Iterator<Item = (RuleIndex, NoLiteral)> + '_ {
        self.compiled.iter().filter_map(|one| Some((one.rule, *one.required.as_ref().err()?)))
    }

    /// The compiled query of a rule.
    #[must_use]
    pub fn program(&self, rule: RuleIndex) -> Option<&Program> {
        self.compiled.get(rule.0 as usize).map(|one| &one.program)
    }

    /// Judges one record. Allocates nothing for a clean record once `scratch` is warm.
    pub fn inspect<'s>(
        &self,
        record: &Record<'s>,
        profile: &TopicProfile,
        scratch: &'s mut Scratch,
    ) -> Verdict<'s> {
        let candidate = match self.look(record.payload) {
            Look::Over(outcome) => return Verdict::without_events(outcome),
            Look::Candidate => true,
            Look::Refused => false,
        };
        let decoded = event::decode(record, profile, scratch);
        let hits = self.judge(&decoded, profile, record.received);
        let outcome = match (decoded.fault, decoded.skipped) {
            (Some(fault), _) => Outcome::Unreadable(fault),
            (None, _) if !hits.is_empty() => Outcome::Hits,
            (None, Some(reason)) if decoded.events.is_empty() => Outcome::Skipped(reason),
            (None, _) => Outcome::Clean,
        };
        Verdict { outcome, candidate, events: decoded.events, hits }
    }

    /// What can be said of a record without decoding it.
    fn look(&self, payload: Option<&[u8]>) -> Look {
        let Some(payload) = payload else {
            return Look::Over(Outcome::Skipped(SkipReason::Tombstone));
        };
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Look::Over(Outcome::Unreadable(DecodeFault::TooLarge));
        }
        if check::without_lead(payload).is_empty() {
            return Look::Over(Outcome::Skipped(SkipReason::Empty));
        }
        let look = match self.validate {
            Validate::Envelope => kernel::Look::FilterAndEnvelope,
            Validate::Candidates | Validate::Full => kernel::Look::Filter,
        };
        let checked = match (self.prefilter.look(payload, look), self.validate) {
            (Found::Candidate, _) => return Look::Candidate,
            (_, Validate::Candidates) => Ok(()),
            (Found::Clean, Validate::Envelope) => check::ends(payload),
            (Found::Encoded { from, to }, Validate::Envelope) => check::encoded(payload, from, to),
            (_, validate) => check::check(payload, validate),
        };
        if checked.is_ok() { Look::Over(Outcome::Clean) } else { Look::Refused }
    }

    fn judge<'s>(
        &self,
        decoded: &Decoded<'s>,
        profile: &TopicProfile,
        now: Timestamp,
    ) -> &'s [Hit] {
        let arena: &'s Arena = decoded.arena;
        let mut hits = bumpalo::collections::Vec::new_in(arena);
        for (at, event) in (0..).zip(decoded.events) {
            let rules = self.rules_that_hold(event, profile, now, arena);
            hits.extend(rules.map(|rule| Hit { event: at, rule }));
        }
        hits.into_bump_slice()
    }

    fn rules_that_hold<'a>(
        &'a self,
        event: &'a Event<'a>,
        profile: &'a TopicProfile,
        now: Timestamp,
        arena: &'a Arena,
    ) -> impl Iterator<Item = RuleIndex> + 'a {
        // The scope is asked last: a rule holds rarely, so names are compared rarely.
        let selected = self.index.select(event, arena).iter();
        selected
            .filter_map(|at| self.compiled.get(*at as usize))
            .filter(move |one| one.program.holds_in(event, now, arena))
            .map(|one| one.rule)
            .filter(move |rule| self.covers(*rule, profile))
    }

    /// Whether `rule` judges the topic; a topic without an index name is judged by every rule.
    fn covers(&self, rule: RuleIndex, profile: &TopicProfile) -> bool {
        let index = profile.index.as_deref();
        index.is_none_or(|index| self.rules.get(rule).is_some_and(|rule| rule.covers(index)))
    }
}

/// What the bytes of a record say.
enum Look {
    /// Nothing is left to do.
    Over(Outcome),
    /// Some rule may hold.
    Candidate,
    /// No rule can hold, but the check found a fault: the decoder says which, or that it is none.
    Refused,
}

impl Verdict<'_> {
    const fn without_events(outcome: Outcome) -> Self {
        Self { outcome, candidate: false, events: &[], hits: &[] }
    }
}

impl Compiled {
    fn new(index: RuleIndex, rule: &Rule, types: &FieldTypes) -> Self {
        let program = Program::compile(&rule.query, types);
        let required = Prefilter::required(&program);
        Self { rule: index, program, required }
    }
}

#[cfg(test)]
#[path = "detector_tests.rs"]
pub(super) mod tests;
