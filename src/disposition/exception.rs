//! Exceptions: what hides a hit, without editing its rule.
//!
//! An [`Exception`] has a condition over the same event, an owner and a reason, perhaps an end and
//! a schedule. The end is judged against the time of the verdict, the schedule against the event's
//! own time. A hidden hit is never silent: the caller counts it per exception and publishes it to
//! the audit target. [`Exceptions`] is immutable; loading it reports every fault at once.

use super::absence;
use super::elastic_item;
use super::exception_text::{self, Entry};
use super::schedule::Window;
use super::value_list::ValueList;
use super::{HitContext, time};
use crate::detect::Program;
use crate::event::{Event, FieldPath, FieldTypes, Value};
use crate::kql::Query;
use crate::limits::EXCEPTIONS_MAX;
use crate::record::Timestamp;
use crate::rule::{Rule, RuleIndex, RuleSet};

pub use super::exception_text::ExceptionText;

/// The index of an exception in its [`Exceptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExceptionIndex(pub u32);

/// One exception, as loaded.
#[derive(Debug)]
pub struct Exception {
    /// The id, unique among all exceptions.
    pub id: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why it exists.
    pub reason: Option<String>,
    /// The ticket that it goes back to.
    pub ticket: Option<String>,
    /// The ids of the rules that it applies to; `None`: all.
    pub rules: Option<Vec<String>>,
    /// From when on it is ignored.
    pub expires: Option<Timestamp>,
    /// When it holds; none: always.
    pub schedule: Vec<Window>,
    /// The file that it stands in.
    pub origin: String,
    pub(super) condition: Condition,
}

/// What an exception asks of an event: the query and every value list.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) query: Query,
    pub(super) program: Program,
    pub(super) lists: Vec<ListTest>,
}

/// An entry of type `list`.
#[derive(Clone, Debug)]
pub(super) struct ListTest {
    pub(super) field: FieldPath,
    pub(super) values: ValueList,
    pub(super) operator: Operator,
}

/// Whether an entry asks for a value or for its absence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operator {
    /// Some value of the field is meant.
    #[default]
    Included,
    /// No value of the field is meant; true where the field is missing.
    Excluded,
}

/// Every exception, in the order in which they were loaded.
#[derive(Debug, Default)]
pub struct Exceptions {
    list: Vec<Exception>,
    /// By rule index: the exceptions that apply to the rule.
    by_rule: Vec<Vec<ExceptionIndex>>,
    /// The ids of the exported lists that were read.
    lists: Vec<String>,
    warnings: Vec<Fault>,
}

/// What is wrong with an exception, or worth a warning: where, what, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}{}{message}", self.place())]
pub struct Fault {
    /// The file.
    pub origin: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The exception's id, where it has one.
    pub exception: Option<String>,
    /// What was found, what is allowed, what to do.
    pub message: String,
}

impl Fault {
    fn place(&self) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let id = self.exception.as_ref().map(|id| format!("exception {id:?} ")).unwrap_or_default();
        format!("{line}: {id}")
    }
}

/// Reads exceptions (`.toml`), exported exception lists (`.ndjson`) and value lists (`.txt`,
/// `.csv`), and binds them to `rules`.
///
/// # Errors
/// Every fault of every text.
pub fn load(
    texts: &[ExceptionText<'_>],
    rules: &RuleSet,
    types: &FieldTypes,
) -> Result<Exceptions, Vec<Fault>> {
    let mut faults = Vec::new();
    let exception_text::Found { entries, lists } = exception_text::read(texts, rules, &mut faults);
    if entries.len() > EXCEPTIONS_MAX {
        let message = format!("{} exceptions, at most {EXCEPTIONS_MAX} are allowed", entries.len());
        let origin = texts.first().map(|text| text.origin.to_owned()).unwrap_or_default();
        faults.push(Fault { origin, line: None, exception: None, message });
        return Err(faults);
    }
    let mut exceptions = Exceptions { lists, ..Exceptions::default() };
    for entry in entries {
        exceptions.add(entry, types, &mut faults);
    }
    exceptions.bind(rules);
    if faults.is_empty() { Ok(exceptions) } else { Err(faults) }
}

impl Exceptions {
    /// The exceptions.
    #[must_use]
    pub fn list(&self) -> &[Exception] {
        &self.list
    }

    /// The exception at `index`.
    #[must_use]
    pub fn get(&self, index: ExceptionIndex) -> Option<&Exception> {
        self.list.get(index.0 as usize)
    }

    /// What is allowed and yet looks wrong: no owner, no end, a rule that is not there, a condition
    /// that can never hold, a list that hides hits of every rule.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// The exception lists that `rule` names and that are not loaded: in Elastic they hide hits.
    pub fn missing_lists<'r>(&self, rule: &'r Rule) -> impl Iterator<Item = &'r str> {
        let named = elastic_item::list_ids(rule.extra.get("exceptions_list"));
        named.filter(|id| !self.lists.iter().any(|list| list == id))
    }

    /// The exceptions that are past their end at `now`.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = &Exception> {
        self.list.iter().filter(move |exception| exception.is_expired(now))
    }

    /// The first exception that hides the hit.
    #[must_use]
    pub fn hides(&self, hit: &HitContext<'_>) -> Option<ExceptionIndex> {
        let applying = self.by_rule.get(hit.rule.0 as usize)?;
        let event_time = hit.event.time.unwrap_or_else(|| time::record_time(hit.record));
        applying.iter().copied().find(|index| {
            self.get(*index).is_some_and(|exception| {
                !exception.is_expired(hit.judged)
                    && exception.is_scheduled(event_time)
                    && exception.condition.holds(hit.event, hit.judged)
            })
        })
    }

    fn add(&mut self, entry: Entry, types: &FieldTypes, faults: &mut Vec<Fault>) {
        let mut fault = |message: String| {
            faults.push(Fault {
                origin: entry.origin.clone(),
                line: entry.line,
                exception: Some(entry.id.clone()),
                message,
            });
        };
        if let Some(other) = self.list.iter().find(|other| other.id == entry.id) {
            return fault(format!("is also in {}; ids must be unique", other.origin));
        }
        let absent = absent(&entry);
        if !entry.allows_missing && !absent.is_empty() {
            return fault(format!(
                "is true whenever {} is missing, and nothing here ever fills it, so it would hide \
                 far more than it says; leave the clause out, or say `allow_missing = true`",
                absent.join(", ")
            ));
        }
        self.warnings.extend(entry.warnings().into_iter().map(|message| Fault {
            origin: entry.origin.clone(),
            line: entry.line,
            exception: Some(entry.id.clone()),
            message,
        }));
        let program = Program::compile(&entry.query, types);
        self.list.push(Exception {
            id: entry.id,
            owner: entry.owner,
            reason: entry.reason,
            ticket: entry.ticket,
            rules: entry.rules,
            expires: entry.expires,
            schedule: entry.schedule,
            origin: entry.origin,
            condition: Condition { query: entry.query, program, lists: entry.lists },
        });
    }

    fn bind(&mut self, rules: &RuleSet) {
        let mut by_rule = vec![Vec::new(); rules.rules().len()];
        for (index, exception) in (0..).map(ExceptionIndex).zip(&self.list) {
            for (rule, applying) in rules.rules().iter().zip(&mut by_rule) {
                if exception.rules.as_ref().is_none_or(|ids| ids.contains(&rule.id)) {
                    applying.push(index);
                }
            }
        }
        self.by_rule = by_rule;
    }

    /// The exceptions that apply to a rule, in order.
    #[must_use]
    pub fn of_rule(&self, rule: RuleIndex) -> &[ExceptionIndex] {
        self.by_rule.get(rule.0 as usize).map_or(&[], Vec::as_slice)
    }
}

/// The fields that are never there and whose absence alone makes (a part of) the condition true.
fn absent(entry: &Entry) -> Vec<String> {
    let mut absent = absence::held_by_absence(&entry.query.root);
    let lists = entry.lists.iter().filter(|list| list.operator == Operator::Excluded);
    absent.extend(
        lists.map(|list| list.field.name().to_owned()).filter(|n| absence::is_never_there(n)),
    );
    absent
}

impl Exception {
    /// Whether the exception is past its end at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    /// Whether one of its windows is open at the event's time; without windows always.
    #[must_use]
    pub fn is_scheduled(&self, event_time: Timestamp) -> bool {
        self.schedule.is_empty() || self.schedule.iter().any(|window| window.is_open(event_time))
    }

    /// Its condition as KQL; value lists stand beside it.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.condition.query
    }
}

impl Condition {
    fn holds(&self, event: &Event<'_>, now: Timestamp) -> bool {
        self.lists.iter().all(|list| list.holds(event)) && self.program.holds(event, now)
    }
}

impl ListTest {
    fn holds(&self, event: &Event<'_>) -> bool {
        let found = event.visit(&self.field, &mut |value| any_text(value, &self.values)).is_break();
        found == (self.operator == Operator::Included)
    }
}

fn any_text(value: Value<'_>, values: &ValueList) -> std::ops::ControlFlow<()> {
    use std::ops::ControlFlow::{Break, Continue};
    let is_in = match value {
        Value::Array(items) => return items.iter().try_for_each(|item| any_text(*item, values)),
        Value::Text(text) => values.contains(text),
        Value::Int(number) => values.contains(&number.to_string()),
        Value::Uint(number) => values.contains(&number.to_string()),
        Value::Float(number) => values.contains(&number.to_string()),
        Value::Bool(truth) => values.contains(if truth { "true" } else { "false" }),
        Value::Null | Value::Object(_) => false,
    };
    if is_in { Break(()) } else { Continue(()) }
}
