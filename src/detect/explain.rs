//! Why a rule did or did not hold: the slow twin of `evaluate`.
//!
//! [`matched`] lists the clauses that made a query hold, for the alert; [`explain`] goes through
//! the whole tree, for people. Both ask the same programs and walks that judge records, so they
//! cannot disagree with the verdict. What they say of values is made fit for a terminal where it
//! is text for people, and left as it is where it is data.

use std::ops::ControlFlow;

use super::compile::{Clause, Program, StepKind, joined};
use super::evaluate::Scope;
use super::matcher::Moment;
use super::near;
use crate::event::{Arena, Event, FieldTypes, Value};
use crate::kql::{self, Expr, Node, Pattern, Query};
use crate::record::Timestamp;
use crate::text::escaped;

/// Most values of one field that an explanation carries.
const FOUND_MAX: usize = 8;

/// Most operands of an `or` that are shown, where none of them holds.
const ALTERNATIVES_SHOWN_MAX: usize = 5;

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

/// The clauses of `query` that made it hold for `event`, judged at `now` (what date maths counts
/// from): what an alert says of its reason. Where it does not hold, none.
#[must_use]
pub fn matched(
    query: &Query,
    event: &Event<'_>,
    types: &FieldTypes,
    now: Timestamp,
) -> Vec<MatchedClause> {
    Program::compile(query, types).matched(event, now)
}

/// As [`MatchedClause`], borrowed from the program and the event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldClause<'a> {
    /// The clause, as KQL text.
    pub clause: &'a str,
    /// The field, where the clause names one.
    pub field: Option<&'a str>,
    /// The value found, where there was one.
    pub value: Option<Value<'a>>,
}

impl From<HeldClause<'_>> for MatchedClause {
    fn from(held: HeldClause<'_>) -> Self {
        Self {
            clause: held.clause.to_owned(),
            field: held.field.map(str::to_owned),
            value: held.value.map(Into::into),
        }
    }
}

impl Program {
    /// As [`matched`], for a query that is compiled already.
    #[must_use]
    pub fn matched(&self, event: &Event<'_>, now: Timestamp) -> Vec<MatchedClause> {
        self.held(event, now, &Arena::new()).into_iter().map(Into::into).collect()
    }

    /// The same, without copies; names that the query does not spell out are put into `arena`.
    #[must_use]
    pub fn held<'a>(
        &'a self,
        event: &Event<'a>,
        now: Timestamp,
        arena: &'a Arena,
    ) -> Vec<HeldClause<'a>> {
        let scope = Scope { members: event.fields, prefix: "" };
        let mut clauses = Vec::new();
        self.collect(0, scope, Moment { now, arena }, &mut clauses);
        clauses
    }

    /// Adds the clauses that held of the step at `at`: none where it does not hold itself, which
    /// is what comes back.
    fn collect<'a>(
        &'a self,
        at: usize,
        scope: Scope<'_, 'a>,
        moment: Moment<'a>,
        clauses: &mut Vec<HeldClause<'a>>,
    ) -> bool {
        let Some(step) = self.steps.get(at) else { return false };
        let mut add = |field, value| {
            clauses.push(HeldClause { clause: &step.text, field, value });
            true
        };
        match step.kind {
            StepKind::All => add(None, None),
            StepKind::And => {
                let before = clauses.len();
                let holds = self.operands(at).all(|one| self.collect(one, scope, moment, clauses));
                if !holds {
                    clauses.truncate(before);
                }
                holds
            }
            // All of them are asked: each one that holds is a reason.
            StepKind::Or => {
                let each = self.operands(at).map(|one| self.collect(one, scope, moment, clauses));
                each.filter(|holds| *holds).count() > 0
            }
            StepKind::Not if self.step(at + 1, scope, moment) => false,
            StepKind::Not => {
                let (field, value) = self.denied(at + 1, scope, moment);
                add(field, value)
            }
            StepKind::Nested(path) => {
                self.nested.get(path).is_some_and(|path| {
                    let found = path.elements(scope, moment.arena, &mut |element| match self
                        .collect(at + 1, element, moment, clauses)
                    {
                        true => ControlFlow::Break(()),
                        false => ControlFlow::Continue(()),
                    });
                    found.is_break()
                })
            }
            StepKind::Clause(clause) => {
                let found = self.clauses.get(clause).and_then(|one| one.found(scope, moment));
                found.is_some_and(|(field, value)| add(Some(field), Some(value)))
            }
        }
    }

    /// The field of a clause that does not hold, and the value that it has instead.
    fn denied<'a>(
        &'a self,
        at: usize,
        scope: Scope<'_, 'a>,
        moment: Moment<'a>,
    ) -> (Option<&'a str>, Option<Value<'a>>) {
        let Some(StepKind::Clause(clause)) = self.steps.get(at).map(|step| step.kind) else {
            return (None, None);
        };
        let Some(clause @ Clause::Path { name, .. }) = self.clauses.get(clause) else {
            return (None, None);
        };
        let value = clause.leaves(scope, moment.arena, &mut |leaf| match leaf.value {
            Value::Null => ControlFlow::Continue(()),
            value => ControlFlow::Break(value),
        });
        (Some(name.name()), value.break_value())
    }
}

impl Clause {
    /// The first value that the clause holds for, and the field that has it.
    fn found<'a>(
        &'a self,
        scope: Scope<'_, 'a>,
        moment: Moment<'a>,
    ) -> Option<(&'a str, Value<'a>)> {
        let found = self.leaves(scope, moment.arena, &mut |leaf| {
            if !leaf.matcher.holds(leaf.value, moment) {
                return ControlFlow::Continue(());
            }
            let name = match self {
                Self::Path { name, .. } => name.name(),
                Self::Fields { .. } => moment.arena.alloc_str(leaf.name),
            };
            ControlFlow::Break((name, leaf.value))
        });
        found.break_value()
    }
}

/// Why a query did or did not hold for an event: one node of the query's tree.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Explanation {
    /// The node, as KQL text.
    pub clause: String,
    /// Whether it held.
    pub held: bool,
    /// What the node does with its operands; a clause has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
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
    /// How far the nearest value found is from the one that was expected: orders alternatives.
    #[serde(skip)]
    distance: usize,
}

/// What a node does with its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    /// All must hold.
    And,
    /// One must hold.
    Or,
    /// The operand must not hold.
    Not,
    /// One object of an array must satisfy all of the operand.
    Nested,
}

impl Operator {
    const fn label(self) -> &'static str {
        match self {
            Self::And => "all of",
            Self::Or => "any of",
            Self::Not => "not",
            Self::Nested => "one object of",
        }
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
    let arena = Arena::new();
    let explainer = Explainer { types, moment: Moment { now, arena: &arena }, prefix: None };
    explainer.node(&query.root, Scope { members: event.fields, prefix: "" })
}

struct Explainer<'a> {
    types: &'a FieldTypes,
    moment: Moment<'a>,
    /// What the names of the nodes are relative to.
    prefix: Option<&'a Pattern>,
}

impl Explainer<'_> {
    fn node(&self, node: &Node, scope: Scope<'_, '_>) -> Explanation {
        match &node.expr {
            Expr::And(operands) => self.many(node, Operator::And, operands, scope),
            Expr::Or(operands) => self.many(node, Operator::Or, operands, scope),
            Expr::Not(inner) => branch(node, Operator::Not, vec![self.node(inner, scope)]),
            Expr::Nested { path, query } => self.nested(node, path, query, scope),
            _ => self.leaf(node, scope),
        }
    }

    fn many(
        &self,
        node: &Node,
        operator: Operator,
        operands: &[Node],
        scope: Scope<'_, '_>,
    ) -> Explanation {
        let operands = operands.iter().map(|operand| self.node(operand, scope));
        branch(node, operator, operands.collect())
    }

    /// Explains the first object that satisfies the inner query, else the last one there is.
    fn nested(
        &self,
        node: &Node,
        path: &Pattern,
        query: &Node,
        scope: Scope<'_, '_>,
    ) -> Explanation {
        let full = joined(self.prefix, path);
        let inner = Explainer { prefix: Some(&full), ..*self };
        let (mut count, mut shown) = (0_usize, None);
        let program = Program::of_node(node, self.prefix, self.types);
        if let Some(elements) = program.nested.first() {
            let _ = elements.elements(scope, self.moment.arena, &mut |element| {
                count += 1;
                let explanation = inner.node(query, element);
                let held = explanation.held;
                shown = Some(explanation);
                if held { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        let name = full.pieces().join("*");
        let mut explanation = branch(node, Operator::Nested, Vec::from_iter(shown));
        explanation.note = Some(match (explanation.held, count) {
            (_, 0) => format!("`{}` holds no object", escaped(&name)),
            (true, _) => format!("object {count} of `{}`", escaped(&name)),
            (false, _) => format!("none of {count} in `{}`; the last", escaped(&name)),
        });
        explanation.field = Some(name);
        explanation
    }

    fn leaf(&self, node: &Node, scope: Scope<'_, '_>) -> Explanation {
        let program = Program::of_node(node, self.prefix, self.types);
        let held = program.step(0, scope, self.moment);
        let mut found = near::Found { is_match: held, ..near::Found::default() };
        for clause in &program.clauses {
            // Values that hold first, so that a long list never hides the reason.
            for wanted in [true, false] {
                let _ = clause.leaves(scope, self.moment.arena, &mut |leaf| {
                    if leaf.matcher.holds(leaf.value, self.moment) == wanted {
                        found.add(leaf.name, leaf.value);
                    }
                    ControlFlow::<()>::Continue(())
                });
            }
        }
        let near = near::note(&node.expr, self.prefix, &found);
        Explanation {
            clause: kql::print(node),
            held,
            operator: None,
            field: near.field,
            found: found.values.into_iter().map(|(_, value)| value).take(FOUND_MAX).collect(),
            note: near.note,
            operands: Vec::new(),
            distance: near.distance,
        }
    }
}

fn branch(node: &Node, operator: Operator, operands: Vec<Explanation>) -> Explanation {
    let mut verdicts = operands.iter().map(|operand| operand.held);
    let held = match operator {
        Operator::And => verdicts.all(|held| held),
        Operator::Or | Operator::Nested => verdicts.any(|held| held),
        Operator::Not => !verdicts.any(|held| held),
    };
    let distance = operands.iter().map(|operand| operand.distance).min().unwrap_or(0);
    Explanation {
        clause: kql::print(node),
        held,
        operator: Some(operator),
        field: None,
        found: Vec::new(),
        note: None,
        operands,
        distance,
    }
}

impl Explanation {
    /// The tree as lines for people, each with ✓ or ✗ and two spaces per level.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text.truncate(text.trim_end().len());
        text
    }

    fn write(&self, level: usize, text: &mut String) {
        let mark = if self.held { '✓' } else { '✗' };
        let label = match self.operator {
            Some(operator) => operator.label().to_owned(),
            None => escaped(&self.clause).to_string(),
        };
        let note = self.note.as_ref().map(|note| format!(" — {note}")).unwrap_or_default();
        text.push_str(&format!("{:indent$}{mark} {label}{note}\n", "", indent = level * 2));
        let shown = self.shown_operands();
        shown.iter().for_each(|operand| operand.write(level + 1, text));
        let left_out = self.operands.len() - shown.len();
        if left_out > 0 {
            let indent = (level + 1) * 2;
            text.push_str(&format!("{:indent$}… and {left_out} more that do not hold\n", ""));
        }
    }

    /// All operands; of a long `or` those that hold, or the nearest misses.
    fn shown_operands(&self) -> Vec<&Self> {
        let all: Vec<&Self> = self.operands.iter().collect();
        if self.operator != Some(Operator::Or) || all.len() <= ALTERNATIVES_SHOWN_MAX {
            return all;
        }
        if self.held {
            return all.into_iter().filter(|operand| operand.held).collect();
        }
        let mut nearest = all;
        nearest.sort_by_key(|operand| operand.distance);
        nearest.truncate(ALTERNATIVES_SHOWN_MAX);
        nearest
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
