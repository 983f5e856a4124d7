//! `filters` of a rule: Elastic's query DSL → the tree that KQL is compiled from.
//!
//! Ignoring a filter would raise false alerts, so a filter that has no sound form here refuses the
//! rule. What has one: `exists`, `term`, `terms`, `match_phrase`, `range`, `wildcard`,
//! `match_all`, and `bool` over them; `meta.negate` and `meta.disabled` act as in Kibana.

use super::document::{Content, Item, Table};
use crate::kql::{Expr, FieldName, Glob, LetterCase, Literal, Node, Pattern, RangeOperator, Span};
use crate::limits;

/// Why a filter is refused, and where.
#[derive(Debug)]
pub(super) struct FilterFault {
    pub(super) at: usize,
    pub(super) found: String,
    pub(super) allowed: String,
}

const QUERIES: &str =
    "allowed are exists, term, terms, match_phrase, range, wildcard, match_all and bool";

/// What `filter` asks for; `None` where it is switched off.
pub(super) fn node(filter: &Item) -> Result<Option<Node>, FilterFault> {
    filter_at_depth(filter, 0)
}

fn filter_at_depth(filter: &Item, depth: usize) -> Result<Option<Node>, FilterFault> {
    let table = as_table(filter, "a filter")?;
    let meta = match table.get("meta") {
        Some(item) => Some(as_table(item, "meta")?),
        None => None,
    };
    let is_set = |key: &str| {
        let item = meta.and_then(|meta| meta.get(key));
        item.is_some_and(|item| matches!(item.content, Content::Bool(true)))
    };
    if is_set("disabled") {
        return Ok(None);
    }
    let is_combined = meta.and_then(|meta| meta.get("type"));
    let node = match (meta, table.get("query")) {
        // Its query is empty: the filters that it joins stand in `meta.params`.
        (Some(meta), _) if is_combined.is_some_and(|kind| is_text(kind, "combined")) => {
            combined(meta, depth)?
        }
        // Kibana's newer filters have their query under `query`, older ones beside `meta`.
        (_, Some(query)) => clause(as_table(query, "query")?, depth)?,
        (_, None) => clause(table, depth)?,
    };
    Ok(Some(if is_set("negate") { not(node) } else { node }))
}

/// Filters that were joined by *and* or *or* in Kibana's filter editor.
fn combined(meta: &Table, depth: usize) -> Result<Node, FilterFault> {
    check_depth(meta, depth)?;
    let Some(Content::List(filters)) = meta.get("params").map(|item| &item.content) else {
        return Err(refused(meta.at, "`combined`", "it needs a list of filters in `params`"));
    };
    let parts: Vec<Option<Node>> = filters
        .iter()
        .map(|filter| filter_at_depth(filter, depth + 1))
        .collect::<Result<_, _>>()?;
    let parts: Vec<Node> = parts.into_iter().flatten().collect();
    match meta.get("relation") {
        Some(relation) if is_text(relation, "OR") => Ok(or(parts)),
        Some(relation) if is_text(relation, "AND") => Ok(and(parts)),
        _ => Err(refused(meta.at, "`combined`", "its `relation` is AND or OR")),
    }
}

/// The evaluator descends into the tree: its depth is bounded here.
fn check_depth(table: &Table, depth: usize) -> Result<(), FilterFault> {
    if depth <= limits::QUERY_DEPTH_MAX {
        return Ok(());
    }
    let allowed = format!("at most {} levels are allowed", limits::QUERY_DEPTH_MAX);
    Err(FilterFault { at: table.at, found: "nested too deep".to_owned(), allowed })
}

/// One query of the DSL: a table with one key, its kind.
fn clause(table: &Table, depth: usize) -> Result<Node, FilterFault> {
    check_depth(table, depth)?;
    let mut entries =
        table.entries.iter().filter(|entry| !matches!(&*entry.name, "meta" | "$state"));
    let (Some(entry), None) = (entries.next(), entries.next()) else {
        let found = "with no query or with several".to_owned();
        return Err(FilterFault { at: table.at, found, allowed: QUERIES.to_owned() });
    };
    let body = as_table(&entry.item, &entry.name)?;
    match &*entry.name {
        "match_all" => Ok(bare(Expr::All)),
        "exists" => exists(body),
        "bool" => boolean(body, depth),
        "term" => term(one_field(body, "term")?),
        "terms" => terms(one_field(body, "terms")?),
        "match_phrase" => match_phrase(one_field(body, "match_phrase")?),
        "range" => range(one_field(body, "range")?),
        "wildcard" => wildcard(one_field(body, "wildcard")?),
        other => Err(refused(entry.at, &format!("`{other}`"), QUERIES)),
    }
}

/// A field and what is asked of it.
#[derive(Clone, Copy)]
struct Asked<'d> {
    field: &'d str,
    item: &'d Item,
}

impl Asked<'_> {
    fn field(&self) -> FieldName {
        Pattern::exact(self.field)
    }

    fn is(&self, value: Literal) -> Node {
        bare(Expr::Is { field: Some(self.field()), value })
    }
}

fn one_field<'d>(body: &'d Table, kind: &str) -> Result<Asked<'d>, FilterFault> {
    let mut entries = body.entries.iter().filter(|entry| entry.name != "boost");
    match (entries.next(), entries.next()) {
        (Some(entry), None) if !entry.name.contains('*') => {
            Ok(Asked { field: &entry.name, item: &entry.item })
        }
        _ => Err(refused(body.at, &format!("`{kind}`"), "it needs exactly one field, by name")),
    }
}

fn exists(body: &Table) -> Result<Node, FilterFault> {
    match body.get("field").map(|item| &item.content) {
        Some(Content::Text(field)) if !field.contains('*') => {
            Ok(bare(Expr::Exists { field: Pattern::exact(field) }))
        }
        _ => Err(refused(body.at, "`exists`", "it needs a `field`, by name")),
    }
}

fn term(asked: Asked<'_>) -> Result<Node, FilterFault> {
    let Content::Table(options) = &asked.item.content else {
        return Ok(asked.is(literal(asked.item, "term")?));
    };
    only(options, "term", &["value", "case_insensitive", "boost"])?;
    let value = needed(options, "term", "value")?;
    match (letter_case(options, "term")?, &value.content) {
        (LetterCase::Insensitive, Content::Text(text)) => {
            let escaped: String = text
                .chars()
                .flat_map(|symbol| {
                    let escape = matches!(symbol, '*' | '?' | '\\').then_some('\\');
                    escape.into_iter().chain([symbol])
                })
                .collect();
            like(asked, value.at, &escaped, LetterCase::Insensitive)
        }
        _ => Ok(asked.is(literal(value, "term")?)),
    }
}

fn terms(asked: Asked<'_>) -> Result<Node, FilterFault> {
    let Content::List(items) = &asked.item.content else {
        return Err(refused(asked.item.at, "`terms`", "it needs a list of values"));
    };
    let is = |item| literal(item, "terms").map(|value| asked.is(value));
    Ok(or(items.iter().map(is).collect::<Result<_, _>>()?))
}

fn match_phrase(asked: Asked<'_>) -> Result<Node, FilterFault> {
    let value = match &asked.item.content {
        Content::Table(options) => {
            only(options, "match_phrase", &["query", "boost"])?;
            needed(options, "match_phrase", "query")?
        }
        _ => asked.item,
    };
    Ok(asked.is(literal(value, "match_phrase")?))
}

fn range(asked: Asked<'_>) -> Result<Node, FilterFault> {
    let bounds = as_table(asked.item, "range")?;
    let mut operands = Vec::new();
    for entry in &bounds.entries {
        let operator = match &*entry.name {
            "lt" => RangeOperator::Below,
            "lte" => RangeOperator::AtMost,
            "gt" => RangeOperator::Above,
            "gte" => RangeOperator::AtLeast,
            "boost" => continue,
            // The form in which Kibana writes every date.
            "format" if is_text(&entry.item, "strict_date_optional_time") => continue,
            other => {
                let allowed = "allowed are lt, lte, gt, gte and Kibana's date format";
                return Err(refused(entry.at, &format!("`range` with `{other}`"), allowed));
            }
        };
        if matches!(entry.item.content, Content::Null) {
            continue;
        }
        let value = literal(&entry.item, "range")?;
        operands.push(bare(Expr::Range { field: asked.field(), operator, value }));
    }
    if operands.is_empty() {
        // Elasticsearch finds every document that has the field.
        return Ok(bare(Expr::Exists { field: asked.field() }));
    }
    Ok(and(operands))
}

fn wildcard(asked: Asked<'_>) -> Result<Node, FilterFault> {
    let (value, case) = match &asked.item.content {
        Content::Table(options) => {
            only(options, "wildcard", &["value", "wildcard", "case_insensitive", "boost"])?;
            let value = options.get("value").or_else(|| options.get("wildcard"));
            let value = match value {
                Some(value) => value,
                None => needed(options, "wildcard", "value")?,
            };
            (value, letter_case(options, "wildcard")?)
        }
        _ => (asked.item, LetterCase::Sensitive),
    };
    match &value.content {
        Content::Text(text) => like(asked, value.at, text, case),
        _ => Err(refused(value.at, "`wildcard`", "its value must be a text")),
    }
}

/// A wildcard: as KQL where KQL can say it.
fn like(asked: Asked<'_>, at: usize, text: &str, case: LetterCase) -> Result<Node, FilterFault> {
    let glob = Glob::parse(text, case).map_err(|stars| {
        let allowed = format!("at most {} stars are allowed", limits::WILDCARDS_PER_VALUE_MAX);
        refused(at, &format!("`wildcard` with {stars} stars"), &allowed)
    })?;
    let field = asked.field();
    Ok(match glob.as_pieces().map(Pattern::from_pieces) {
        None => bare(Expr::Like { field, glob }),
        Some(pattern) if pattern.is_any() => bare(Expr::Exists { field }),
        Some(pattern) => match pattern.as_exact() {
            Some(exact) => asked.is(Literal::Quoted(exact.to_owned())),
            None => asked.is(Literal::Unquoted(pattern)),
        },
    })
}

fn boolean(body: &Table, depth: usize) -> Result<Node, FilterFault> {
    only(body, "bool", &["must", "filter", "should", "must_not", "minimum_should_match", "boost"])?;
    let mut operands = clauses(body, "must", depth)?;
    operands.extend(clauses(body, "filter", depth)?);
    let has_others = !operands.is_empty();
    operands.extend(clauses(body, "must_not", depth)?.into_iter().map(not));
    let should = clauses(body, "should", depth)?;
    let is_needed = match body.get("minimum_should_match").map(|item| (item, &item.content)) {
        // Beside `must` or `filter`, `should` only raises the score.
        None => !has_others,
        Some((_, Content::Integer(0))) => false,
        Some((_, Content::Integer(1))) => true,
        Some((item, _)) if is_text(item, "1") => true,
        Some((item, _)) => {
            return Err(refused(item.at, "`minimum_should_match`", "it may be 0 or 1"));
        }
    };
    if is_needed && !should.is_empty() {
        operands.push(or(should));
    }
    Ok(and(operands))
}

fn clauses(body: &Table, key: &str, depth: usize) -> Result<Vec<Node>, FilterFault> {
    let one = |item| clause(as_table(item, key)?, depth + 1);
    match body.get(key) {
        None => Ok(Vec::new()),
        Some(item) => match &item.content {
            Content::List(items) => items.iter().map(one).collect(),
            _ => Ok(vec![one(item)?]),
        },
    }
}

fn literal(item: &Item, kind: &str) -> Result<Literal, FilterFault> {
    match &item.content {
        Content::Text(text) => Ok(Literal::Quoted(text.clone())),
        Content::Bool(value) => Ok(Literal::Bool(*value)),
        Content::Integer(_) | Content::Float(_) => {
            Ok(Literal::Unquoted(Pattern::exact(item.to_json().to_string())))
        }
        _ => {
            let allowed = format!("expected a text, a number or a boolean, found {}", item.kind());
            Err(refused(item.at, &format!("`{kind}`"), &allowed))
        }
    }
}

fn letter_case(options: &Table, kind: &str) -> Result<LetterCase, FilterFault> {
    match options.get("case_insensitive").map(|item| &item.content) {
        None | Some(Content::Bool(false)) => Ok(LetterCase::Sensitive),
        Some(Content::Bool(true)) => Ok(LetterCase::Insensitive),
        Some(_) => {
            let found = format!("`{kind}` with `case_insensitive`");
            Err(refused(options.at, &found, "it is true or false"))
        }
    }
}

fn only(options: &Table, kind: &str, allowed: &[&str]) -> Result<(), FilterFault> {
    match options.entries.iter().find(|entry| !allowed.contains(&&*entry.name)) {
        None => Ok(()),
        Some(entry) => {
            let found = format!("`{kind}` with `{}`", entry.name);
            Err(refused(entry.at, &found, &format!("allowed are {}", allowed.join(", "))))
        }
    }
}

fn needed<'d>(options: &'d Table, kind: &str, key: &str) -> Result<&'d Item, FilterFault> {
    options.get(key).ok_or_else(|| refused(options.at, &format!("`{kind}`"), "it needs a value"))
}

fn as_table<'d>(item: &'d Item, name: &str) -> Result<&'d Table, FilterFault> {
    match &item.content {
        Content::Table(table) => Ok(table),
        _ => {
            let allowed = format!("expected a table, found {}", item.kind());
            Err(refused(item.at, &format!("`{name}`"), &allowed))
        }
    }
}

fn is_text(item: &Item, text: &str) -> bool {
    matches!(&item.content, Content::Text(found) if found == text)
}

fn refused(at: usize, found: &str, allowed: &str) -> FilterFault {
    FilterFault { at, found: found.to_owned(), allowed: allowed.to_owned() }
}

/// An expression that stands nowhere in the query's text.
const fn bare(expr: Expr) -> Node {
    Node { expr, span: Span { start: 0, end: 0 } }
}

fn not(node: Node) -> Node {
    bare(Expr::Not(Box::new(node)))
}

/// The conjunction, flattened as the parser does it; of nothing: everything matches.
pub(super) fn and(operands: Vec<Node>) -> Node {
    let mut flat = Vec::with_capacity(operands.len());
    for operand in operands {
        match operand.expr {
            Expr::And(inner) => flat.extend(inner),
            expr => flat.push(Node { expr, span: operand.span }),
        }
    }
    match flat.len() {
        0 | 1 => flat.pop().unwrap_or(bare(Expr::All)),
        _ => bare(Expr::And(flat)),
    }
}

/// The disjunction; of nothing: nothing matches.
fn or(operands: Vec<Node>) -> Node {
    let mut flat = Vec::with_capacity(operands.len());
    for operand in operands {
        match operand.expr {
            Expr::Or(inner) => flat.extend(inner),
            expr => flat.push(Node { expr, span: operand.span }),
        }
    }
    match flat.len() {
        0 | 1 => flat.pop().unwrap_or_else(|| not(bare(Expr::All))),
        _ => bare(Expr::Or(flat)),
    }
}
