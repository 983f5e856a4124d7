//! Literals and operators → tree; every fault of a text at once.
//!
//! One function per rule of the grammar, from loose to tight: `or`, `and`, `not`, group, clause.
//! A fault is noted, the text is skipped to the next operator or closing bracket, and parsing goes
//! on, so that one pass finds every fault. Depth is bounded before each descent.

use super::ast::{Expr, FieldName, Literal, Node, Pattern, Query, RangeOperator, Span};
use super::diagnostic::Diagnostic;
use super::lexer::{Keyword, Scanner, is_keyword};
use crate::limits;

/// Parses `text`, or says everything that is wrong with it.
///
/// # Errors
/// All faults of the text, in the order of their places.
pub fn parse(text: &str) -> Result<Query, Vec<Diagnostic>> {
    if text.len() > limits::QUERY_BYTES_MAX {
        let message = format!("the query has {} bytes", text.len());
        let hint = format!("at most {} are allowed", limits::QUERY_BYTES_MAX);
        return Err(vec![Diagnostic { span: Span::default(), message, hint: Some(hint) }]);
    }
    let mut parser = Parser {
        scanner: Scanner::new(text),
        faults: Vec::new(),
        depth: 0,
        clauses: 0,
        is_over_limit: false,
    };
    let root = parser.query();
    if parser.faults.is_empty() {
        Ok(Query { text: text.to_owned(), root })
    } else {
        parser.faults.sort_by_key(|fault| fault.span.start);
        Err(parser.faults)
    }
}

struct Parser<'t> {
    scanner: Scanner<'t>,
    faults: Vec<Diagnostic>,
    depth: usize,
    clauses: usize,
    /// A limit was passed: nothing behind it is worth a second message.
    is_over_limit: bool,
}

/// What is parsed between operators: whole clauses, or the values of one field.
#[derive(Clone, Copy)]
enum Operand<'f> {
    Clause,
    Value(&'f FieldName),
}

/// A descent that must not go on: the fault has been noted.
struct Stop;

impl Parser<'_> {
    fn query(&mut self) -> Node {
        self.scanner.skip_space();
        if self.scanner.rest().is_empty() {
            return Node { expr: Expr::All, span: Span::default() };
        }
        let root = self.or(Operand::Clause);
        self.scanner.skip_space();
        while !self.scanner.rest().is_empty() {
            self.unexpected();
            self.recover();
            let goes_on =
                self.scanner.take_keyword(Keyword::And) || self.scanner.take_keyword(Keyword::Or);
            if goes_on {
                drop(self.or(Operand::Clause));
            } else {
                // A closing bracket that nothing opened: it was noted, step over it.
                self.scanner.advance(1);
            }
            self.scanner.skip_space();
        }
        root
    }

    fn or(&mut self, operand: Operand<'_>) -> Node {
        self.chain(Keyword::Or, operand)
    }

    /// Operands with one operator between them, flattened.
    fn chain(&mut self, keyword: Keyword, operand: Operand<'_>) -> Node {
        let start = self.scanner.position();
        let mut operands = Vec::new();
        loop {
            let next = match keyword {
                Keyword::Or => self.chain(Keyword::And, operand),
                Keyword::And | Keyword::Not => self.not(operand),
            };
            match (keyword, next.expr) {
                (Keyword::Or, Expr::Or(inner)) | (Keyword::And, Expr::And(inner)) => {
                    operands.extend(inner);
                }
                (_, expr) => operands.push(Node { expr, span: next.span }),
            }
            if !self.scanner.take_keyword(keyword) {
                break;
            }
        }
        if operands.len() == 1 {
            return operands.remove(0);
        }
        let span = self.scanner.since(start);
        let expr = if keyword == Keyword::Or { Expr::Or(operands) } else { Expr::And(operands) };
        Node { expr, span }
    }

    fn not(&mut self, operand: Operand<'_>) -> Node {
        let start = self.scanner.position();
        if !self.scanner.take_keyword(Keyword::Not) {
            return self.operand(operand);
        }
        if super::lexer::keyword_length(self.scanner.rest(), Keyword::Not).is_some() {
            self.fault_here(3, "`not` directly behind `not`", "write `not (not …)`, or neither");
            self.scanner.take_keyword(Keyword::Not);
        }
        let inner = self.operand(operand);
        Node { expr: Expr::Not(Box::new(inner)), span: self.scanner.since(start) }
    }

    fn operand(&mut self, operand: Operand<'_>) -> Node {
        let start = self.scanner.position();
        let parsed = match operand {
            Operand::Clause if self.scanner.peek() == Some('(') => self.group(operand),
            Operand::Clause => self.clause(),
            Operand::Value(field) => self.values(field),
        };
        match parsed {
            Ok(node) => node,
            Err(Stop) => {
                self.recover();
                Node { expr: Expr::All, span: self.scanner.since(start) }
            }
        }
    }

    /// `( … )`: clauses, or values of one field.
    fn group(&mut self, operand: Operand<'_>) -> Result<Node, Stop> {
        let start = self.scanner.position();
        self.scanner.advance(1);
        let inner = self.descend(|parser| {
            parser.scanner.skip_space();
            parser.or(operand)
        })?;
        self.close(start, ")")?;
        Ok(Node { span: self.scanner.since(start), ..inner })
    }

    /// Expects the closing bracket of the group that was opened at `start`.
    fn close(&mut self, start: usize, bracket: &str) -> Result<(), Stop> {
        self.scanner.skip_space();
        if self.scanner.take(bracket) {
            return Ok(());
        }
        if self.is_over_limit {
            return Err(Stop);
        }
        if self.scanner.rest().is_empty() {
            let open = if bracket == ")" { "(" } else { "{" };
            self.faults.push(Diagnostic {
                span: Span { start, end: start + 1 },
                message: format!("this `{open}` is never closed"),
                hint: Some(format!("close it with `{bracket}`")),
            });
            return Err(Stop);
        }
        self.unexpected();
        self.recover();
        // The rest of the group is parsed for its own faults; its tree no longer counts.
        if self.scanner.take_keyword(Keyword::And) || self.scanner.take_keyword(Keyword::Or) {
            drop(self.descend(|parser| parser.or(Operand::Clause))?);
            return self.close(start, bracket);
        }
        if self.scanner.take(bracket) { Ok(()) } else { Err(Stop) }
    }

    fn descend(&mut self, parse: impl FnOnce(&mut Self) -> Node) -> Result<Node, Stop> {
        if self.depth >= limits::QUERY_DEPTH_MAX {
            let hint = format!("at most {} levels are allowed", limits::QUERY_DEPTH_MAX);
            self.fault_here(1, "the query nests too deep", &hint);
            return Err(self.give_up());
        }
        self.depth += 1;
        let node = parse(self);
        self.depth -= 1;
        Ok(node)
    }

    /// `field:value`, `field < value`, `path:{ … }` or a value alone.
    fn clause(&mut self) -> Result<Node, Stop> {
        let start = self.scanner.position();
        self.count_clause()?;
        let literal = self.literal("a field, a value, `not` or `(`")?;
        let end_of_literal = self.scanner.clone();
        self.scanner.skip_space();
        if self.scanner.take(":") {
            self.scanner.skip_space();
            let field = self.field(literal, start, end_of_literal.position())?;
            return self.after_colon(&field, start);
        }
        if let Some(operator) = self.range_operator() {
            self.scanner.skip_space();
            let field = self.field(literal, start, end_of_literal.position())?;
            let value = self.literal("a value to compare with")?;
            let expr = Expr::Range { field, operator, value };
            return Ok(Node { expr, span: self.scanner.since(start) });
        }
        self.scanner = end_of_literal;
        let span = self.scanner.since(start);
        let expr = match literal {
            Literal::Unquoted(pattern) if pattern.is_any() => Expr::All,
            value => Expr::Is { field: None, value },
        };
        Ok(Node { expr, span })
    }

    fn after_colon(&mut self, field: &FieldName, start: usize) -> Result<Node, Stop> {
        let node = match self.scanner.peek() {
            Some('{') => {
                let open = self.scanner.position();
                self.scanner.advance(1);
                let query = self.descend(|parser| {
                    parser.scanner.skip_space();
                    parser.or(Operand::Clause)
                })?;
                self.close(open, "}")?;
                let expr = Expr::Nested { path: field.clone(), query: Box::new(query) };
                Node { expr, span: Span::default() }
            }
            Some('(') => self.group(Operand::Value(field))?,
            _ => self.value(field)?,
        };
        Ok(Node { span: self.scanner.since(start), ..node })
    }

    /// A value, or a list of values in brackets, of `field`.
    fn values(&mut self, field: &FieldName) -> Result<Node, Stop> {
        if self.scanner.peek() == Some('(') {
            return self.group(Operand::Value(field));
        }
        self.count_clause()?;
        self.value(field)
    }

    fn value(&mut self, field: &FieldName) -> Result<Node, Stop> {
        let start = self.scanner.position();
        let expr = match self.literal("a value")? {
            Literal::Unquoted(pattern) if pattern.is_any() && field.is_any() => Expr::All,
            Literal::Unquoted(pattern) if pattern.is_any() => Expr::Exists { field: field.clone() },
            value => Expr::Is { field: Some(field.clone()), value },
        };
        Ok(Node { expr, span: self.scanner.since(start) })
    }

    fn field(&mut self, literal: Literal, start: usize, end: usize) -> Result<FieldName, Stop> {
        if end - start > limits::FIELD_NAME_BYTES_MAX {
            self.faults.push(Diagnostic {
                span: Span { start, end },
                message: format!("a field name of {} bytes", end - start),
                hint: Some(format!("at most {} are allowed", limits::FIELD_NAME_BYTES_MAX)),
            });
            return Err(Stop);
        }
        Ok(match literal {
            Literal::Unquoted(pattern) => pattern,
            Literal::Quoted(text) => Pattern::exact(text),
            Literal::Null => Pattern::exact("null"),
            Literal::Bool(true) => Pattern::exact("true"),
            Literal::Bool(false) => Pattern::exact("false"),
        })
    }

    fn range_operator(&mut self) -> Option<RangeOperator> {
        let operators = [
            ("<=", RangeOperator::AtMost),
            (">=", RangeOperator::AtLeast),
            ("<", RangeOperator::Below),
            (">", RangeOperator::Above),
        ];
        operators.into_iter().find(|(text, _)| self.scanner.take(text)).map(|(_, found)| found)
    }

    fn literal(&mut self, wanted: &str) -> Result<Literal, Stop> {
        match self.scanner.literal() {
            Ok(Some(literal)) => Ok(literal),
            Ok(None) => {
                self.missing(wanted);
                Err(Stop)
            }
            Err(fault) => {
                let is_open_quote = self.scanner.peek().is_none();
                self.faults.push(fault);
                if !is_open_quote {
                    self.scanner.advance(1);
                }
                Err(Stop)
            }
        }
    }

    fn count_clause(&mut self) -> Result<(), Stop> {
        self.clauses += 1;
        if self.clauses <= limits::QUERY_CLAUSES_MAX {
            return Ok(());
        }
        let hint = format!("at most {} are allowed", limits::QUERY_CLAUSES_MAX);
        self.fault_here(1, "the query has too many clauses", &hint);
        Err(self.give_up())
    }

    fn give_up(&mut self) -> Stop {
        self.is_over_limit = true;
        self.scanner.advance(self.scanner.rest().len());
        Stop
    }

    /// Notes that something else than `wanted` stands here.
    fn missing(&mut self, wanted: &str) {
        if self.is_over_limit {
            return;
        }
        let rest = self.scanner.rest();
        let message = match rest.chars().next() {
            None => format!("expected {wanted}, found the end of the query"),
            Some(_) if is_keyword(rest) => {
                let word = rest.trim_start().split(super::lexer::is_space).next().unwrap_or("");
                format!("expected {wanted}, found the operator `{word}`")
            }
            Some(found) => format!("expected {wanted}, found `{found}`"),
        };
        let hint = match rest.chars().next() {
            Some('>' | '<') => "a range has no colon: write `field > value`",
            Some(':') => "a value that holds a colon must be quoted, or the colon escaped as `\\:`",
            Some(_) if is_keyword(rest) => {
                "an operator stands between clauses; to look for the word itself, quote it"
            }
            _ => "write `field:value`, `field:*`, `field:(one or another)` or `field >= 1`",
        };
        let length = rest.chars().next().map_or(0, char::len_utf8);
        self.fault_here(length, &message, hint);
    }

    /// Notes that a clause is over and something stands behind it.
    fn unexpected(&mut self) {
        let rest = self.scanner.rest();
        let found = rest.chars().next().unwrap_or(' ');
        let before = self.before();
        let hint = match found {
            ':' if before.contains("&&") || before.contains("||") => {
                "`&&` and `||` are no operators: write `and`, `or`"
            }
            ':' => "a value that holds a colon must be quoted, or the colon escaped as `\\:`",
            ')' => {
                "nothing opened this bracket; a bracket in a value is escaped as `\\)` or quoted"
            }
            '}' => "nothing opened this brace; a brace in a value is escaped as `\\}` or quoted",
            '(' if ends_with_operator(before) => {
                "an operator needs white space behind it: `not (…)`, `… and (…)`"
            }
            '(' => "a bracket in a value is escaped as `\\(` or quoted",
            '"' => "join two values with `and` or `or`; a quote in a value is escaped as `\\\"`",
            _ if is_keyword(rest) => "a value that holds an operator word must be quoted",
            _ => "join two clauses with `and` or `or`, with white space on both sides",
        };
        let message = format!("expected `and`, `or` or the end, found `{found}`");
        self.fault_here(found.len_utf8(), &message, hint);
    }

    /// The text before this place, back to the last bracket.
    fn before(&self) -> &str {
        let whole = self.scanner.before();
        let start = whole.rfind(['(', '{']).map_or(0, |at| at + 1);
        whole.get(start..).unwrap_or_default()
    }

    fn fault_here(&mut self, length: usize, message: &str, hint: &str) {
        let start = self.scanner.position();
        self.faults.push(Diagnostic {
            span: Span { start, end: start + length },
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        });
    }

    /// Skips to the next place where parsing can go on: an operator or a closing bracket.
    fn recover(&mut self) {
        let mut open = 0_usize;
        let mut in_quotes = false;
        while let Some(symbol) = self.scanner.peek() {
            let rest = self.scanner.rest();
            if !in_quotes && open == 0 {
                let is_operator = [Keyword::And, Keyword::Or]
                    .into_iter()
                    .any(|keyword| super::lexer::keyword_length(rest, keyword).is_some());
                if is_operator || matches!(symbol, ')' | '}') {
                    return;
                }
            }
            match symbol {
                '\\' => self.scanner.advance(1),
                '"' => in_quotes = !in_quotes,
                '(' | '{' if !in_quotes => open += 1,
                ')' | '}' if !in_quotes => open = open.saturating_sub(1),
                _ => {}
            }
            let length = self.scanner.peek().map_or(0, char::len_utf8);
            self.scanner.advance(length);
        }
    }
}

fn ends_with_operator(text: &str) -> bool {
    let word = text.trim_end().rsplit(super::lexer::is_space).next().unwrap_or_default();
    Keyword::ALL.into_iter().any(|keyword| word.eq_ignore_ascii_case(keyword.word()))
}
