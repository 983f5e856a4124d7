//! Runs rule cases through the real detector and says what came out.

use std::sync::Arc;

use super::exit::{Exit, Failure};
use super::rules::is_beside;
use crate::config::Settings;
use crate::detect::{Detector, Hit, Outcome, Validate, Verdict, explain};
use crate::disposition::{AlertId, Exceptions, HitContext};
use crate::event::{FieldTypes, Scratch, TopicProfile, decode};
use crate::pipeline::setup;
use crate::record::{NoHeaders, Position, Record, Timestamp};
use crate::rule::case::{Case, CaseFile, Expectation};
use crate::rule::{Rule, RuleIndex, RuleSet};

/// When cases are judged (2026-01-01): a query with date maths must not change with the calendar.
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The topic of a case that names none.
const TOPIC: &str = "cases";

/// A rule and what became of its cases.
#[derive(Debug)]
pub struct Suite<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its cases, in the order of their files.
    pub checked: Vec<Checked<'a>>,
}

/// One case and what became of it.
#[derive(Debug)]
pub struct Checked<'a> {
    /// The file that the case stands in.
    pub origin: &'a str,
    /// The case.
    pub case: &'a Case,
    /// What came out, where it is not what was expected.
    pub failure: Option<Mismatch>,
}

/// A case that did not come out as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What was expected.
    pub expected: String,
    /// What came out.
    pub found: String,
    /// For each event that could be read, clause by clause why the rule held or did not.
    pub explanation: String,
}

impl Suite<'_> {
    /// How many cases did not come out as expected.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.checked.iter().filter(|checked| checked.failure.is_some()).count()
    }
}

/// Runs every case: one suite for each rule, in the order of the set.
///
/// # Errors
/// Cases that belong to no rule, or to several (2).
pub fn run<'a>(
    settings: &Settings,
    rules: &'a Arc<RuleSet>,
    exceptions: &Exceptions,
    files: &'a [CaseFile],
) -> Result<Vec<Suite<'a>>, Failure> {
    let mut suites: Vec<Suite<'a>> =
        rules.rules().iter().map(|rule| Suite { rule, checked: Vec::new() }).collect();
    let mut bench = Bench::new(settings, rules, exceptions);
    let mut faults = Vec::new();
    for (file, case) in
        files.iter().flat_map(|file| file.cases.iter().map(move |case| (file, case)))
    {
        match owner(rules, file, case) {
            Owner::Rule(index, rule) => {
                let failure = bench.check(index, rule, case);
                let checked = Checked { origin: &file.origin, case, failure };
                if let Some(suite) = suites.get_mut(index.0 as usize) {
                    suite.checked.push(checked);
                }
            }
            Owner::Skipped => {}
            Owner::Wrong(why) => faults.push(format!("{}:{}: {why}", file.origin, case.line)),
        }
    }
    if faults.is_empty() { Ok(suites) } else { Err(Failure::all(Exit::Rules, faults)) }
}

/// Which rule a case is about.
enum Owner<'a> {
    Rule(RuleIndex, &'a Rule),
    /// A rule that does not judge: its cases wait until it does.
    Skipped,
    Wrong(String),
}

fn owner<'a>(rules: &'a RuleSet, file: &CaseFile, case: &Case) -> Owner<'a> {
    if let Some(id) = &case.rule_id {
        return match rules.find(id) {
            Some((index, rule)) => Owner::Rule(index, rule),
            None if rules.skipped().iter().any(|skipped| skipped.id == *id) => Owner::Skipped,
            None => Owner::Wrong(format!("the case is about rule {id}, which is not loaded")),
        };
    }
    let mut beside = rules.rules().iter().filter(|rule| is_beside(&file.origin, &rule.origin));
    match (beside.next(), beside.next()) {
        (Some(rule), None) => match rules.find(&rule.id) {
            Some((index, rule)) => Owner::Rule(index, rule),
            None => Owner::Skipped,
        },
        (Some(_), Some(_)) => {
            let why = "several rules stand beside this file; say which one with `rule = \"<id>\"`";
            Owner::Wrong(why.to_owned())
        }
        (None, _) if rules.skipped().iter().any(|rule| is_beside(&file.origin, &rule.origin)) => {
            Owner::Skipped
        }
        (None, _) => {
            let why = "no loaded rule stands beside this file; name one with `rule = \"<id>\"`";
            Owner::Wrong(why.to_owned())
        }
    }
}

/// The detector under test, and what it reuses.
struct Bench<'a> {
    settings: &'a Settings,
    exceptions: &'a Exceptions,
    detector: Detector,
    types: FieldTypes,
    scratch: Scratch,
}

impl<'a> Bench<'a> {
    fn new(settings: &'a Settings, rules: &Arc<RuleSet>, exceptions: &'a Exceptions) -> Self {
        let types = setup::field_types(settings, rules);
        // A case is read to its end, so that "unreadable" means what the bytes say and does not
        // depend on which other rules are loaded.
        let detector = Detector::new(Arc::clone(rules), &types, Validate::Full);
        Self { settings, exceptions, detector, types, scratch: Scratch::default() }
    }

    fn check(&mut self, index: RuleIndex, rule: &Rule, case: &Case) -> Option<Mismatch> {
        let record = record(case);
        let profile = self.profile(case);
        let verdict = self.detector.inspect(&record, &profile, &mut self.scratch);
        let hits = verdict.hits.iter().filter(|hit| hit.rule == index).count();
        let hider = |hit: &Hit| hider(self.exceptions, &verdict, hit, &record);
        let by: Vec<Option<&str>> =
            verdict.hits.iter().filter(|hit| hit.rule == index).map(hider).collect();
        let wanted = case.excepted_by.as_deref();
        let is_hidden = wanted.is_none() || by.iter().all(|hider| *hider == wanted);
        if is_expected(&case.expect, &verdict, hits) && is_hidden {
            return None;
        }
        let mut found = found(&verdict, hits);
        let mut expected = expected(&case.expect);
        let other = by.iter().find(|hider| **hider != wanted);
        if let Some((wanted, hider)) = wanted.zip(other) {
            expected.push_str(&format!(", excepted by {wanted}"));
            found.push_str(&format!(", excepted by {}", hider.unwrap_or("nothing")));
        }
        Some(Mismatch { expected, found, explanation: self.explanation(rule, &record, &profile) })
    }

    fn profile(&self, case: &Case) -> TopicProfile {
        let topic = case.topic.as_ref().and_then(|topic| self.settings.input.topic.get(topic));
        let mut profile = topic.map(setup::profile).unwrap_or_default();
        if case.index.is_some() {
            profile.index.clone_from(&case.index);
        }
        profile
    }

    fn explanation(&mut self, rule: &Rule, record: &Record<'_>, profile: &TopicProfile) -> String {
        let mut text = String::new();
        if let Some(index) = profile.index.as_ref().filter(|index| !rule.covers(index)) {
            text.push_str(&format!("the rule's index globs do not cover {index}\n"));
        }
        let decoded = decode(record, profile, &mut self.scratch);
        for event in decoded.events {
            let explanation = explain::explain(&rule.query, event, &self.types, NOW);
            if decoded.events.len() > 1 {
                text.push_str(&format!("event {}\n", event.index));
            }
            text.push_str(explanation.render().trim_end());
            text.push('\n');
        }
        text
    }
}

/// The id of the exception that hides the hit.
fn hider<'e>(
    exceptions: &'e Exceptions,
    verdict: &Verdict<'_>,
    hit: &Hit,
    record: &Record<'_>,
) -> Option<&'e str> {
    let event = verdict.events.get(hit.event as usize)?;
    let id = AlertId([0; 32]);
    let context = HitContext { id, rule: hit.rule, event, record, judged: NOW };
    exceptions.get(exceptions.hides(&context)?).map(|exception| exception.id.as_str())
}

fn record(case: &Case) -> Record<'_> {
    Record {
        payload: Some(&case.payload),
        key: None,
        headers: &NoHeaders,
        position: Position {
            topic: case.topic.as_deref().unwrap_or(TOPIC),
            partition: 0,
            offset: 0,
        },
        timestamp: Some(NOW),
        received: NOW,
    }
}

fn is_expected(expect: &Expectation, verdict: &Verdict<'_>, hits: usize) -> bool {
    match (expect, verdict.outcome) {
        (Expectation::Hit { events: Some(events) }, Outcome::Hits) => *events as usize == hits,
        (Expectation::Hit { events: None }, Outcome::Hits) => hits > 0,
        // Another rule may hold for the same event.
        (Expectation::Clean, Outcome::Clean | Outcome::Hits) => hits == 0,
        (Expectation::Unreadable { reason: Some(reason) }, Outcome::Unreadable(fault)) => {
            fault.to_string() == *reason
        }
        (Expectation::Unreadable { reason: None }, Outcome::Unreadable(_)) => true,
        (Expectation::Skipped, Outcome::Skipped(_)) => true,
        _ => false,
    }
}

fn expected(expect: &Expectation) -> String {
    match expect {
        Expectation::Hit { events: Some(events) } => format!("hit, by {events} events"),
        Expectation::Hit { events: None } => "hit".to_owned(),
        Expectation::Clean => "clean".to_owned(),
        Expectation::Unreadable { reason: Some(reason) } => format!("unreadable: {reason}"),
        Expectation::Unreadable { reason: None } => "unreadable".to_owned(),
        Expectation::Skipped => "skipped".to_owned(),
    }
}

fn found(verdict: &Verdict<'_>, hits: usize) -> String {
    match verdict.outcome {
        Outcome::Hits if hits > 0 => format!("hit, by {hits} of {} events", verdict.events.len()),
        Outcome::Clean | Outcome::Hits => "clean".to_owned(),
        Outcome::Unreadable(fault) => format!("unreadable: {fault}"),
        Outcome::Skipped(reason) => format!("skipped: {}", reason.name()),
    }
}
