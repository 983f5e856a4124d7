//! A rule's tables → a typed [`Rule`], with every fault of the file at once.

use sha2::{Digest, Sha256};

use super::definition::Rule;
use super::document::{Content, Table};
use super::fault::{Problem, RuleFault, nearest};
use super::fields::Fields;
use super::{filter, guide, interval, keys, options, toml};
use crate::kql;
use crate::limits;

/// The kinds of rule that Elastic has and a stream cannot judge one event at a time.
const TYPES_THAT_CANNOT_RUN: &[&str] =
    &["eql", "esql", "machine_learning", "new_terms", "saved_query", "threat_match", "threshold"];

/// What a rule's tables turned out to be.
#[derive(Debug)]
pub(super) enum Reading {
    /// A rule that can judge, and whether the file lets it.
    Rule { rule: Box<Rule>, status: Status },
    /// A rule that cannot judge here, and why.
    CannotRun { id: String, name: String, reason: String },
}

/// Whether a rule judges when no override says anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It does.
    On,
    /// It does not, and why.
    Off(String),
}

/// Which layout a rule was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[metadata]`, `[rule]`, `[transform]`.
    Toml,
    /// A line of Kibana's export.
    Export,
}

/// The tables of one rule.
#[derive(Clone, Copy)]
pub(super) struct Tables<'t> {
    pub(super) origin: &'t str,
    /// The whole file.
    pub(super) file: &'t str,
    /// The bytes that are this rule's: the file, or the line of an export.
    pub(super) own: &'t str,
    pub(super) layout: Layout,
    pub(super) rule: &'t Table,
    pub(super) metadata: Option<&'t Table>,
    pub(super) transform: Option<&'t Table>,
}

/// Reads the tables of one rule.
pub(super) fn read(tables: &Tables<'_>) -> Result<Reading, Vec<RuleFault>> {
    let mut fields = Fields::new(tables.origin, tables.file);
    let status = status(&mut fields, tables);
    check_keys(&mut fields, tables);
    let kind = kind(&mut fields, tables.rule);
    let reading = match kind {
        Some(Kind::CannotRun(reason)) => Reading::CannotRun {
            id: fields.text(tables.rule, "rule_id").unwrap_or_default(),
            name: fields.text(tables.rule, "name").unwrap_or_default(),
            reason,
        },
        _ => Reading::Rule { rule: Box::new(rule(&mut fields, tables)), status },
    };
    let faults = fields.into_faults();
    if faults.is_empty() { Ok(reading) } else { Err(faults) }
}

fn check_keys(fields: &mut Fields<'_>, tables: &Tables<'_>) {
    let table = match tables.layout {
        Layout::Toml => "[rule]",
        Layout::Export => "the rule",
    };
    match tables.layout {
        Layout::Toml => fields.keys(tables.rule, table, keys::RULE),
        Layout::Export => {
            fields.keys(tables.rule, table, &[keys::RULE, keys::EXPORT_ONLY].concat());
        }
    }
    if let Some(metadata) = tables.metadata {
        fields.keys(metadata, "[metadata]", keys::METADATA);
    }
    for key in ["rule_id", "name", "type"] {
        fields.need(tables.rule, table, key);
    }
}

fn status(fields: &mut Fields<'_>, tables: &Tables<'_>) -> Status {
    let maturity = tables.metadata.and_then(|metadata| {
        let found = fields.text(metadata, "maturity")?;
        if !keys::MATURITIES.contains(&&*found) {
            let at = metadata.get("maturity").map_or(metadata.at, |item| item.at);
            let allowed = format!("expected one of {}", keys::MATURITIES.join(", "));
            fields.wrong_value(at, "maturity", &found, &allowed);
        }
        Some(found)
    });
    let enabled = fields.boolean(tables.rule, "enabled");
    match (maturity.as_deref(), enabled) {
        (Some("deprecated"), _) => Status::Off("its maturity is deprecated".to_owned()),
        (_, Some(false)) => Status::Off("it says enabled = false".to_owned()),
        _ => Status::On,
    }
}

enum Kind {
    CanRun,
    CannotRun(String),
}

/// What `type` and `language` mean; `None` where they are wrong.
fn kind(fields: &mut Fields<'_>, rule: &Table) -> Option<Kind> {
    let found = fields.text(rule, "type")?;
    if TYPES_THAT_CANNOT_RUN.contains(&&*found) {
        let reason = format!(
            "a rule of type {found} needs more than one event or another language; only type \
             query in KQL (kuery) judges a stream"
        );
        return Some(Kind::CannotRun(reason));
    }
    let at = |key| rule.get(key).map_or(rule.at, |item| item.at);
    if found != "query" {
        let hint = nearest(&found, TYPES_THAT_CANNOT_RUN.iter().copied().chain(["query"]));
        let hint = hint.map(|hint| format!("; did you mean {hint}?")).unwrap_or_default();
        fields.wrong_value(at("type"), "type", &found, &format!("expected query{hint}"));
        return None;
    }
    match fields.text(rule, "language").as_deref() {
        None | Some("kuery") => Some(Kind::CanRun),
        Some("lucene") => {
            let reason = "its query is in Lucene's language; only KQL (kuery) judges a stream";
            Some(Kind::CannotRun(reason.to_owned()))
        }
        Some(other) => {
            fields.wrong_value(at("language"), "language", other, "expected kuery");
            None
        }
    }
}

/// The typed rule. Where a fault was noted, a value is missing, and the caller drops the rule.
fn rule(fields: &mut Fields<'_>, tables: &Tables<'_>) -> Rule {
    let table = tables.rule;
    for key in ["description", "severity", "risk_score"] {
        fields.need(table, "[rule]", key);
    }
    let (interval, interval_ms) =
        span(fields, table, Span { key: "interval", default: "5m", read: interval::millis });
    let (from, look_back_ms) =
        span(fields, table, Span { key: "from", default: "now-6m", read: interval::look_back_ms });
    let mut text = |key| fields.text(table, key).unwrap_or_default();
    let (description, license, note, setup) =
        (text("description"), text("license"), text("note"), text("setup"));
    let transform = tables.transform.map(Table::to_json).unwrap_or_default();
    Rule {
        id: fields.name(table, "rule_id").unwrap_or_default(),
        name: fields.name(table, "name").unwrap_or_default(),
        version: fields.integer(table, "version", (1, u32::MAX)).unwrap_or(1),
        description,
        severity: options::severity(fields, table).unwrap_or(super::Severity::Low),
        risk_score: risk_score(fields, table),
        query: query(fields, tables),
        index: fields.texts(table, "index"),
        interval_ms,
        interval,
        from,
        look_back_ms,
        max_signals: Some(
            fields
                .integer(table, "max_signals", (1, u32::MAX))
                .unwrap_or(limits::MAX_SIGNALS_DEFAULT),
        ),
        timestamp_override: fields.chosen(table, "timestamp_override"),
        rule_name_override: fields.chosen(table, "rule_name_override"),
        severity_mapping: options::severity_mapping(fields, table),
        risk_score_field: options::risk_score_field(fields, table),
        suppression: options::suppression(fields, table),
        building_block_type: fields.chosen(table, "building_block_type"),
        investigation_fields: options::investigation_fields(fields, table),
        declared_fields: options::declared_fields(fields, table),
        tags: fields.texts(table, "tags"),
        author: fields.texts(table, "author"),
        license,
        references: fields.texts(table, "references"),
        false_positives: fields.texts(table, "false_positives"),
        note: guide::render(note, &transform),
        setup,
        threat: options::threat(fields, table),
        extra: extra(table),
        sha256: hash(tables.own),
        origin: tables.origin.to_owned(),
    }
}

fn risk_score(fields: &mut Fields<'_>, rule: &Table) -> u8 {
    let score = fields.integer(rule, "risk_score", (0, 100)).unwrap_or_default();
    u8::try_from(score).unwrap_or_default()
}

/// A key that holds a span of time.
struct Span {
    key: &'static str,
    default: &'static str,
    read: fn(&str) -> Option<u64>,
}

fn span(fields: &mut Fields<'_>, rule: &Table, span: Span) -> (String, u64) {
    let text = fields.text(rule, span.key).unwrap_or_else(|| span.default.to_owned());
    let millis = (span.read)(&text);
    if millis.is_none() {
        let at = rule.get(span.key).map_or(rule.at, |item| item.at);
        let allowed = match span.key {
            "from" => interval::FROM_ALLOWED,
            _ => interval::INTERVAL_ALLOWED,
        };
        fields.wrong_value(at, span.key, &text, allowed);
    }
    (text, millis.unwrap_or_default())
}

/// The query's text and tree, its filters joined to the tree.
fn query(fields: &mut Fields<'_>, tables: &Tables<'_>) -> kql::Query {
    let filters = tables.rule.get("filters");
    if filters.is_none() {
        fields.need(tables.rule, "the rule", "query");
    }
    let text = fields.text(tables.rule, "query").unwrap_or_default();
    let mut query = match kql::parse(&text) {
        Ok(query) => query,
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                query_fault(fields, tables, &text, &diagnostic);
            }
            return kql::Query { text, root: filter::and(Vec::new()) };
        }
    };
    let Some(filters) = filters else { return query };
    let Content::List(items) = &filters.content else {
        fields.wrong_type(filters, "filters", "a list of filters");
        return query;
    };
    let mut operands = Vec::with_capacity(1 + items.len());
    for item in items {
        match filter::node(item) {
            Ok(node) => operands.extend(node),
            Err(fault) => {
                let problem = Problem::Filter { found: fault.found, allowed: fault.allowed };
                fields.fault(fault.at, problem);
            }
        }
    }
    // A query that says nothing leaves the filters alone.
    if operands.is_empty() || query.root.expr != kql::Expr::All {
        operands.insert(0, query.root);
    }
    query.root = filter::and(operands);
    query
}

fn query_fault(
    fields: &mut Fields<'_>,
    tables: &Tables<'_>,
    query: &str,
    diagnostic: &kql::Diagnostic,
) {
    let at = tables.rule.get("query").map_or(tables.rule.at, |item| item.at);
    // The lines of an export's query are not lines of the file.
    let (line, line_offset) = match tables.layout {
        Layout::Toml => {
            let before = toml::lines_before_value(tables.file, at);
            (before + kql::place(query, diagnostic.span.start).line, before)
        }
        Layout::Export => (kql::place(tables.file, at).line, 0),
    };
    let rendered = diagnostic.render(query, line_offset);
    fields.fault_on_line(line, Problem::Query(rendered));
}

fn extra(rule: &Table) -> serde_json::Map<String, serde_json::Value> {
    let kept = rule.entries.iter().filter(|entry| !keys::TYPED.contains(&&*entry.name));
    kept.map(|entry| (entry.name.clone(), entry.item.to_json())).collect()
}

/// Lower-case hex SHA-256.
pub(super) fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
