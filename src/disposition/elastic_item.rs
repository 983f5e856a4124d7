//! Elastic's exception items: the entries of an item become one query tree (joined with `and`)
//! and, for entries of type `list`, one test each. Exported lists (NDJSON) load unchanged: the
//! line of the list, a line per item, and the summary at the end; lines of rules in a rule export
//! are passed over.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::exception::{Fault, ListTest, Operator};
use super::exception_text::{Context, Entry, ExceptionText, Found, ListScope};
use crate::event::FieldPath;
use crate::kql::{self, Expr, Glob, LetterCase, Literal, Node, Pattern, Query, Span};
use crate::record::Timestamp;

/// The kinds of lists whose items speak of events that rules judge.
const LIST_TYPES: [&str; 2] = ["detection", "rule_default"];

/// What the entries of one item ask.
#[derive(Debug, Default)]
pub(super) struct Asked {
    nodes: Vec<Node>,
    pub(super) lists: Vec<ListTest>,
}

impl Asked {
    /// The query of all entries together; everything where only value lists ask.
    pub(super) fn query(&mut self) -> Query {
        let root = joined(std::mem::take(&mut self.nodes));
        Query { text: kql::print(&root), root }
    }
}

/// Reads one exported file.
pub(super) fn read(
    text: &ExceptionText<'_>,
    context: &Context<'_>,
    found: &mut Found,
    faults: &mut Vec<Fault>,
) {
    let fault = |number: usize, exception: Option<String>, message: String| {
        let (origin, line) = (text.origin.to_owned(), Some(number));
        Fault { origin, line, exception, message }
    };
    let mut objects = Vec::new();
    let lines = (1..).zip(text.text.lines()).filter(|(_, line)| !line.trim().is_empty());
    for (number, line) in lines {
        match object(line) {
            Ok(object) => objects.push((number, object)),
            Err(message) => faults.push(fault(number, None, message)),
        }
    }
    let file = ExportedFile::of(&objects);
    found.lists.extend(file.lists.keys().cloned());
    for (number, object) in &objects {
        match kind(object) {
            Kind::Item => match file.item(object, context) {
                Ok(None) => {}
                Ok(Some(entry)) => found.entries.push(Entry {
                    origin: text.origin.to_owned(),
                    line: Some(*number),
                    ..entry
                }),
                Err(messages) => {
                    let id = string(object, "item_id");
                    let wrong = |message| fault(*number, id.clone(), message);
                    faults.extend(messages.into_iter().map(wrong));
                }
            },
            Kind::List | Kind::Rule | Kind::Summary => {}
            Kind::Unknown => faults.push(fault(
                *number,
                None,
                "is neither an exception list, nor an item, nor a rule, nor the summary".to_owned(),
            )),
        }
    }
}

fn object(line: &str) -> Result<Map<String, Json>, String> {
    match serde_json::from_str::<Json>(line) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err("is no JSON object; an export holds one object a line".to_owned()),
        Err(cause) => Err(format!("is no JSON ({cause}); an export holds one object a line")),
    }
}

/// What the lines of one file say of each other.
struct ExportedFile {
    /// The lists of the file, each with its type.
    lists: BTreeMap<String, String>,
    /// By list: the rules of the same file that name it, loaded or not.
    named_by: BTreeMap<String, Vec<String>>,
}

impl ExportedFile {
    fn of(objects: &[(usize, Map<String, Json>)]) -> Self {
        let mut file = Self { lists: BTreeMap::new(), named_by: BTreeMap::new() };
        for (_, object) in objects {
            match kind(object) {
                Kind::List => {
                    let list_type = string(object, "type").unwrap_or_default();
                    file.lists.extend(string(object, "list_id").map(|id| (id, list_type)));
                }
                Kind::Item => {
                    let list_id = string(object, "list_id").unwrap_or_default();
                    file.lists.entry(list_id).or_default();
                }
                Kind::Rule => {
                    let rule_id = string(object, "rule_id").unwrap_or_default();
                    for list_id in list_ids(object.get("exceptions_list")) {
                        let naming = file.named_by.entry(list_id.to_owned()).or_default();
                        naming.push(rule_id.clone());
                    }
                }
                Kind::Summary | Kind::Unknown => {}
            }
        }
        file
    }

    /// The exception that an item is; `None` where its list is not about events: lists of trusted
    /// programs and the like are about endpoints.
    fn item(
        &self,
        object: &Map<String, Json>,
        context: &Context<'_>,
    ) -> Result<Option<Entry>, Vec<String>> {
        let list_id = string(object, "list_id").unwrap_or_default();
        let list_type = self.lists.get(&list_id).map_or("", String::as_str);
        if !list_type.is_empty() && !LIST_TYPES.contains(&list_type) {
            return Ok(None);
        }
        item(object, context, self.scope(&list_id, context)).map(Some)
    }

    /// The rules that a list applies to: those of its `[[list]]` entry, else those that name it.
    fn scope(&self, list_id: &str, context: &Context<'_>) -> (ListScope, Vec<String>) {
        if let Some(scope) = context.scopes.get(list_id) {
            return (scope.clone(), Vec::new());
        }
        let names_it = |rule: &&crate::rule::Rule| {
            list_ids(rule.extra.get("exceptions_list")).any(|id| id == list_id)
        };
        let loaded = context.rules.rules().iter().filter(names_it).map(|rule| rule.id.clone());
        let mut naming: Vec<String> = loaded.collect();
        naming.extend(self.named_by.get(list_id).into_iter().flatten().cloned());
        naming.sort();
        naming.dedup();
        let is_of_one_rule = self.lists.get(list_id).is_some_and(|kind| kind == "rule_default");
        let mut notes = Vec::new();
        if naming.is_empty() && is_of_one_rule {
            notes.push(format!(
                "applies to no rule: its list {list_id:?} belongs to a single rule, which is not \
                 loaded and does not stand in the same file"
            ));
        } else if naming.is_empty() {
            let note = format!(
                "applies to every rule: no rule names its list {list_id:?}, and no [[list]] entry \
                 says which rules are meant"
            );
            return (ListScope::default(), vec![note]);
        }
        (ListScope { rules: Some(naming), ..ListScope::default() }, notes)
    }
}

/// The ids of the lists that a rule's `exceptions_list` names.
pub(super) fn list_ids(lists: Option<&Json>) -> impl Iterator<Item = &str> {
    let lists = lists.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    lists.iter().filter_map(|list| list.get("list_id").and_then(Json::as_str))
}

enum Kind {
    Item,
    List,
    Rule,
    Summary,
    Unknown,
}

fn kind(object: &Map<String, Json>) -> Kind {
    let has = |name: &str| object.contains_key(name);
    if has("entries") && has("list_id") {
        Kind::Item
    } else if has("list_id") {
        Kind::List
    } else if has("rule_id") {
        Kind::Rule
    } else if has("exported_exception_list_count") || has("exported_count") {
        Kind::Summary
    } else {
        Kind::Unknown
    }
}

/// One item, with what its list says of it.
fn item(
    object: &Map<String, Json>,
    context: &Context<'_>,
    (scope, notes): (ListScope, Vec<String>),
) -> Result<Entry, Vec<String>> {
    let mut faults = Vec::new();
    let id = string(object, "item_id").or_else(|| string(object, "id"));
    if id.is_none() {
        faults.push("has no item_id".to_owned());
    }
    let expires = match object.get("expire_time") {
        None | Some(Json::Null) => None,
        Some(text) => match text.as_str().and_then(instant) {
            Some(time) => Some(time),
            None => {
                faults.push(format!("`expire_time` is {text}; allowed is an RFC 3339 time"));
                None
            }
        },
    };
    let mut asked = Asked::default();
    entries_of(object.get("entries"), context, &mut asked, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Entry {
        id: id.unwrap_or_default(),
        owner: scope.owner.or_else(|| string(object, "created_by")),
        reason: scope
            .reason
            .or_else(|| string(object, "description"))
            .or_else(|| string(object, "name")),
        ticket: scope.ticket,
        rules: scope.rules,
        expires: expires.into_iter().chain(scope.expires).min(),
        schedule: scope.schedule,
        allows_missing: scope.allows_missing,
        query: asked.query(),
        lists: asked.lists,
        origin: String::new(),
        line: None,
        notes,
    })
}

/// Reads the entries of an item into `asked`.
pub(super) fn entries_of(
    entries: Option<&Json>,
    context: &Context<'_>,
    asked: &mut Asked,
    faults: &mut Vec<String>,
) {
    let entries = entries.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        faults.push("has no entries; it would hide everything".to_owned());
    }
    for entry in entries {
        let Some(entry) = entry.as_object() else {
            faults.push(format!("the entry {entry} is no object"));
            continue;
        };
        let read = match string(entry, "type").as_deref() {
            Some("list") => list_test(entry, context).map(|list| asked.lists.push(list)),
            _ => node(entry).map(|node| asked.nodes.push(node)).map_err(|fault| vec![fault]),
        };
        if let Err(messages) = read {
            faults.extend(messages);
        }
    }
}

/// One entry that is no list, as a clause.
fn node(entry: &Map<String, Json>) -> Result<Node, String> {
    let field = field(entry)?;
    let name = Pattern::exact(&field);
    let expr = match string(entry, "type").as_deref() {
        Some("match") => is(&name, &value(entry, &field)?),
        Some("match_any") => {
            let values = entry.get("value").and_then(Json::as_array).map(Vec::as_slice);
            let texts: Option<Vec<String>> = values.unwrap_or_default().iter().map(plain).collect();
            let texts = texts.filter(|texts| !texts.is_empty()).ok_or_else(|| {
                format!("the entry on {field:?} has no values; `value` is a list of texts")
            })?;
            any_of(texts.iter().map(|text| new(is(&name, text))).collect())
        }
        Some("exists") => Expr::Exists { field: name },
        Some("wildcard") => {
            let text = value(entry, &field)?;
            let glob = Glob::parse(&text, LetterCase::Sensitive).map_err(|stars| {
                format!("the wildcard on {field:?} has {stars} stars; write fewer")
            })?;
            Expr::Like { field: name, glob }
        }
        Some("nested") => nested(entry, name)?,
        found => {
            return Err(format!(
                "the entry on {field:?} has the type {}; allowed are match, match_any, exists, \
                 wildcard, list and nested",
                found.map_or("(none)".to_owned(), |found| format!("{found:?}"))
            ));
        }
    };
    Ok(match operator(entry)? {
        Operator::Included => new(expr),
        Operator::Excluded => new(Expr::Not(Box::new(new(expr)))),
    })
}

fn nested(entry: &Map<String, Json>, path: Pattern) -> Result<Expr, String> {
    let inner = entry.get("entries").and_then(Json::as_array).map(Vec::as_slice);
    let mut nodes = Vec::new();
    for entry in inner.unwrap_or_default() {
        let entry = entry.as_object().ok_or_else(|| format!("the entry {entry} is no object"))?;
        match string(entry, "type").as_deref() {
            Some("nested" | "list") => {
                return Err(
                    "a nested entry holds match, match_any, exists and wildcard only".to_owned()
                );
            }
            _ => nodes.push(node(entry)?),
        }
    }
    if nodes.is_empty() {
        return Err("a nested entry needs entries of its own".to_owned());
    }
    Ok(Expr::Nested { path, query: Box::new(joined(nodes)) })
}

fn list_test(entry: &Map<String, Json>, context: &Context<'_>) -> Result<ListTest, Vec<String>> {
    let one = |fault: String| vec![fault];
    let field = field(entry).map_err(one)?;
    let list = entry.get("list").and_then(Json::as_object);
    let named = list.and_then(|list| Some((string(list, "id")?, string(list, "type")?)));
    let (id, list_type) = named.ok_or_else(|| {
        vec![format!("the entry on {field:?} names no value list; write `list` with id and type")]
    })?;
    Ok(ListTest {
        field: FieldPath::new(&field),
        values: context.value_list(&id, &list_type)?,
        operator: operator(entry).map_err(one)?,
    })
}

fn operator(entry: &Map<String, Json>) -> Result<Operator, String> {
    match string(entry, "operator").as_deref() {
        None | Some("included") => Ok(Operator::Included),
        Some("excluded") => Ok(Operator::Excluded),
        Some(other) => Err(format!("operator {other:?}; allowed are included and excluded")),
    }
}

fn field(entry: &Map<String, Json>) -> Result<String, String> {
    string(entry, "field").filter(|field| !field.is_empty()).ok_or_else(|| {
        let entry = Json::Object(entry.clone());
        format!("the entry {entry} names no field")
    })
}

fn value(entry: &Map<String, Json>, field: &str) -> Result<String, String> {
    entry
        .get("value")
        .and_then(plain)
        .ok_or_else(|| format!("the entry on {field:?} has no value; `value` is one text"))
}

/// A text, or a number or truth value as text.
fn plain(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn string(object: &Map<String, Json>, name: &str) -> Option<String> {
    object.get(name).and_then(Json::as_str).map(str::to_owned)
}

/// An RFC 3339 time.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

fn new(expr: Expr) -> Node {
    Node { expr, span: Span::default() }
}

fn is(field: &Pattern, text: &str) -> Expr {
    Expr::Is { field: Some(field.clone()), value: Literal::Quoted(text.to_owned()) }
}

fn any_of(mut nodes: Vec<Node>) -> Expr {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only.expr,
        Some(last) => {
            nodes.push(last);
            Expr::Or(nodes)
        }
        None => Expr::All,
    }
}

fn joined(mut nodes: Vec<Node>) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            new(Expr::And(nodes))
        }
        None => new(Expr::All),
    }
}
