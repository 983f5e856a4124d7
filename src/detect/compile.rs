//! Rule tree → program.
//!
//! A [`Program`] is the query's tree as a flat list, each step before its operands, with the place
//! where its subtree ends: evaluating skips a subtree by stepping there. Field names are split,
//! types looked up and values made ready here, once; evaluating never looks at KQL again.
//!
//! Two kinds of names have no single type: names with a wildcard, and none at all (free text).
//! Their clauses carry a matcher for each type, and the type of each field met decides.

use std::cell::OnceCell;
use std::sync::Arc;

use super::matcher::Matcher;
use crate::event::{FieldPath, FieldType, FieldTypes};
use crate::kql::{self, Expr, FieldName, Literal, Node, Pattern, Query};

/// A query made ready for evaluating: flat, typed, without references to its text.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) steps: Box<[Step]>,
    pub(super) clauses: Box<[Clause]>,
    pub(super) nested: Box<[Nested]>,
}

/// One node; its operands stand behind it, up to `end`.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) kind: StepKind,
    /// The index behind the last step of this subtree.
    pub(super) end: usize,
    /// What a person reads: set for clauses, negations and nested queries.
    pub(super) text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepKind {
    All,
    And,
    Or,
    Not,
    /// Which of the program's nested paths.
    Nested(usize),
    /// Which of the program's clauses.
    Clause(usize),
}

/// The array of a nested query.
#[derive(Clone, Debug)]
pub(super) enum Nested {
    /// The path below the scope that the query stands in.
    Path(FieldPath),
    /// A name below the scope that has wildcards, or stands in a scope whose name has.
    Wildcard(Pattern),
}

/// A test of the values of some fields.
#[derive(Clone, Debug)]
pub(super) enum Clause {
    /// One field.
    Path {
        /// The path below the scope that the clause stands in.
        path: FieldPath,
        /// The name from the event's root.
        name: FieldPath,
        matcher: Matcher,
        objects: Objects,
    },
    /// Every field whose name below the scope `pattern` matches; without one, every field.
    Fields {
        pattern: Option<Pattern>,
        /// In the order of [`FieldType::ALL`].
        matchers: Box<[Matcher]>,
        types: Arc<FieldTypes>,
    },
}

/// What an object at the end of a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    /// It is no value.
    Skip,
    /// Its leaves are the values (existence, flattened fields).
    Enter,
}

impl Program {
    /// Makes `query` ready.
    #[must_use]
    pub fn compile(query: &Query, types: &FieldTypes) -> Self {
        Self::of_node(&query.root, None, types)
    }

    /// Makes one node ready, with the names in it relative to `prefix`.
    pub(super) fn of_node(node: &Node, prefix: Option<&Pattern>, types: &FieldTypes) -> Self {
        let mut compiler = Compiler {
            types,
            shared: OnceCell::new(),
            steps: Vec::new(),
            clauses: Vec::new(),
            nested: Vec::new(),
        };
        compiler.node(node, prefix);
        Self {
            steps: compiler.steps.into(),
            clauses: compiler.clauses.into(),
            nested: compiler.nested.into(),
        }
    }

    /// The steps directly below the one at `at`.
    pub(super) fn operands(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.steps.get(at).map_or(0, |step| step.end);
        let within = move |next: usize| (next < end).then_some(next);
        std::iter::successors(within(at + 1), move |operand| {
            self.steps.get(*operand).and_then(|step| within(step.end))
        })
    }
}

/// `name` below `prefix`.
pub(super) fn joined(prefix: Option<&Pattern>, name: &Pattern) -> Pattern {
    let Some(prefix) = prefix else { return name.clone() };
    let mut pieces = prefix.pieces().to_vec();
    let mut rest = name.pieces().iter();
    if let (Some(last), Some(first)) = (pieces.last_mut(), rest.next()) {
        last.push('.');
        last.push_str(first);
    }
    pieces.extend(rest.cloned());
    Pattern::from_pieces(pieces)
}

struct Compiler<'t> {
    types: &'t FieldTypes,
    /// A copy of `types` for clauses that look types up while evaluating: made for the first.
    shared: OnceCell<Arc<FieldTypes>>,
    steps: Vec<Step>,
    clauses: Vec<Clause>,
    nested: Vec<Nested>,
}

/// What a clause asks of its field.
#[derive(Clone, Copy)]
enum Ask<'n> {
    Is(&'n Literal),
    Exists,
    Range(kql::RangeOperator, &'n Literal),
    Like(&'n kql::Glob),
}

impl Ask<'_> {
    fn matcher(self, field_type: FieldType) -> Matcher {
        match self {
            Self::Is(literal) => Matcher::equals(literal, field_type),
            Self::Exists => Matcher::Present,
            Self::Range(operator, literal) => Matcher::range(operator, literal, field_type),
            Self::Like(glob) => Matcher::glob(glob, field_type),
        }
    }
}

impl Compiler<'_> {
    /// Appends `kind`, what `operands` appends, and closes the subtree.
    fn step(&mut self, kind: StepKind, text: String, operands: impl FnOnce(&mut Self)) {
        let at = self.steps.len();
        self.steps.push(Step { kind, end: 0, text: text.into() });
        operands(self);
        let end = self.steps.len();
        if let Some(step) = self.steps.get_mut(at) {
            step.end = end;
        }
    }

    fn node(&mut self, node: &Node, prefix: Option<&Pattern>) {
        match &node.expr {
            Expr::All => self.step(StepKind::All, kql::print(node), |_| ()),
            Expr::And(operands) => self.many(StepKind::And, operands, prefix),
            Expr::Or(operands) => self.many(StepKind::Or, operands, prefix),
            Expr::Not(inner) => self.step(StepKind::Not, kql::print(node), |compiler| {
                compiler.node(inner, prefix);
            }),
            // `null` is no value that a field can hold: it asks for a field without one.
            Expr::Is { field: Some(field), value: Literal::Null } => {
                self.step(StepKind::Not, kql::print(node), |compiler| {
                    compiler.clause(node, field, prefix, Ask::Exists);
                });
            }
            Expr::Is { field: Some(field), value } => {
                self.clause(node, field, prefix, Ask::Is(value));
            }
            Expr::Is { field: None, value } => {
                let clause = self.fields(None, Ask::Is(value));
                self.leaf(node, clause);
            }
            Expr::Exists { field } => self.clause(node, field, prefix, Ask::Exists),
            Expr::Range { field, operator, value } => {
                self.clause(node, field, prefix, Ask::Range(*operator, value));
            }
            Expr::Like { field, glob } => self.clause(node, field, prefix, Ask::Like(glob)),
            Expr::Nested { path, query } => self.nested(node, path, query, prefix),
        }
    }

    fn many(&mut self, kind: StepKind, operands: &[Node], prefix: Option<&Pattern>) {
        self.step(kind, String::new(), |compiler| {
            operands.iter().for_each(|operand| compiler.node(operand, prefix));
        });
    }

    fn nested(&mut self, node: &Node, path: &FieldName, query: &Node, prefix: Option<&Pattern>) {
        let full = joined(prefix, path);
        let nested = match (full.as_exact(), path.as_exact()) {
            (Some(_), Some(relative)) => Nested::Path(FieldPath::new(relative)),
            _ => Nested::Wildcard(path.clone()),
        };
        let kind = StepKind::Nested(self.nested.len());
        self.nested.push(nested);
        self.step(kind, kql::print(node), |compiler| compiler.node(query, Some(&full)));
    }

    fn leaf(&mut self, node: &Node, clause: Clause) {
        let kind = StepKind::Clause(self.clauses.len());
        self.clauses.push(clause);
        self.step(kind, kql::print(node), |_| ());
    }

    fn clause(&mut self, node: &Node, field: &FieldName, prefix: Option<&Pattern>, ask: Ask<'_>) {
        let full = joined(prefix, field);
        let (Some(name), Some(relative)) = (full.as_exact(), field.as_exact()) else {
            let clause = self.fields(Some(field.clone()), ask);
            return self.leaf(node, clause);
        };
        let field_type = self.types.of(name);
        let own = path_clause(relative, name, field_type, ask);
        let parents = self.types.analysed_parent(name).zip(relative.strip_suffix(".text"));
        let Some((parent, relative_parent)) = parents else {
            return self.leaf(node, own);
        };
        // `x.text` is what Elastic calls the analysed form of `x`; an event may also have it as a
        // field of its own.
        let analysed = path_clause(relative_parent, parent, FieldType::Text, ask);
        self.step(StepKind::Or, String::new(), |compiler| {
            compiler.leaf(node, own);
            compiler.leaf(node, analysed);
        });
    }

    fn fields(&self, pattern: Option<Pattern>, ask: Ask<'_>) -> Clause {
        let types = self.shared.get_or_init(|| Arc::new(self.types.clone()));
        let matchers = FieldType::ALL.into_iter().map(|of| match ask {
            // Free text `null` asks for nothing that could be found.
            Ask::Is(Literal::Null) => Matcher::Never,
            ask => ask.matcher(of),
        });
        Clause::Fields { pattern, matchers: matchers.collect(), types: Arc::clone(types) }
    }
}

fn path_clause(relative: &str, name: &str, field_type: FieldType, ask: Ask<'_>) -> Clause {
    let enters = field_type == FieldType::Flattened || matches!(ask, Ask::Exists);
    Clause::Path {
        path: FieldPath::new(relative),
        name: FieldPath::new(name),
        matcher: ask.matcher(field_type),
        objects: if enters { Objects::Enter } else { Objects::Skip },
    }
}
