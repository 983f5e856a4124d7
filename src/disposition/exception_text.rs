//! Exceptions as written: TOML files of our own, exported exception lists, value lists.
//!
//! All become an [`Entry`]: one condition with everything around it. Elastic's items are turned
//! into the same tree that a KQL query has, so there is one evaluator and one explanation. Every
//! fault is collected; nothing here opens a file.

use std::collections::BTreeMap;

use super::elastic_item;
use super::exception::{Fault, ListTest};
use super::exception_toml;
use super::schedule::Window;
use super::{absence, value_list::ValueList};
use crate::kql::Query;
use crate::record::Timestamp;
use crate::rule::RuleSet;

/// One file's text. The end of its name says what it holds.
#[derive(Clone, Copy, Debug)]
pub struct ExceptionText<'a> {
    /// The file's path, for messages.
    pub origin: &'a str,
    /// What the file says.
    pub text: &'a str,
}

/// One exception before it is compiled.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) owner: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) rules: Option<Vec<String>>,
    pub(super) expires: Option<Timestamp>,
    pub(super) schedule: Vec<Window>,
    pub(super) allows_missing: bool,
    pub(super) query: Query,
    pub(super) lists: Vec<ListTest>,
    pub(super) origin: String,
    pub(super) line: Option<usize>,
    /// What `check` should say of it besides what can be seen from the entry.
    pub(super) notes: Vec<String>,
}

/// What applies to all items of one exported list.
#[derive(Clone, Debug, Default)]
pub(super) struct ListScope {
    pub(super) rules: Option<Vec<String>>,
    pub(super) owner: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) expires: Option<Timestamp>,
    pub(super) schedule: Vec<Window>,
    pub(super) allows_missing: bool,
}

/// What the readers share.
pub(super) struct Context<'a> {
    pub(super) rules: &'a RuleSet,
    /// Texts of value lists by file name, with and without its ending.
    pub(super) value_lists: BTreeMap<String, &'a str>,
    /// `[[list]]` entries by list id.
    pub(super) scopes: BTreeMap<String, ListScope>,
}

/// What the texts hold.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// The ids of all exported lists, those without items as well.
    pub(super) lists: Vec<String>,
}

/// Reads every text; what is wrong goes to `faults`.
pub(super) fn read(texts: &[ExceptionText<'_>], rules: &RuleSet, faults: &mut Vec<Fault>) -> Found {
    let mut context = Context { rules, value_lists: value_lists(texts), scopes: BTreeMap::new() };
    let mut found = Found::default();
    for text in texts.iter().filter(|text| text.origin.ends_with(".toml")) {
        exception_toml::read(text, &mut context, &mut found.entries, faults);
    }
    for text in texts.iter().filter(|text| has_items(text.origin)) {
        elastic_item::read(text, &context, &mut found, faults);
    }
    for entry in &mut found.entries {
        let missing = entry.rules.iter().flatten().filter(|id| !is_rule(rules, id));
        let notes = missing.map(|id| format!("names the rule {id}, which is not loaded"));
        entry.notes.extend(notes.collect::<Vec<_>>());
    }
    found
}

impl Context<'_> {
    /// The value list of this id: a file of that name, with or without its ending.
    pub(super) fn value_list(&self, id: &str, list_type: &str) -> Result<ValueList, Vec<String>> {
        match self.value_lists.get(id) {
            Some(text) => ValueList::parse(list_type, text),
            None => Err(vec![format!(
                "the value list {id:?} is not there; put a file of that name (or {id}.txt) beside \
                 the exceptions"
            )]),
        }
    }
}

impl Entry {
    /// What is allowed and yet looks wrong.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.notes.clone();
        if self.owner.is_none() {
            warnings.push("has no owner; say who answers for it".to_owned());
        }
        let has_end = self.expires.is_some()
            || (!self.schedule.is_empty() && self.schedule.iter().all(Window::has_end));
        if !has_end {
            warnings.push("has no end; give it `expires`, and renew it when it is due".to_owned());
        }
        if absence::never_holds(&self.query.root) {
            warnings.push(
                "can never hold: it asks for a value of a field that nothing here ever fills"
                    .to_owned(),
            );
        }
        warnings.extend(absence::said_of_several_words(&self.query.root));
        warnings
    }
}

fn is_rule(rules: &RuleSet, id: &str) -> bool {
    rules.rules().iter().any(|rule| rule.id == id)
}

fn has_items(origin: &str) -> bool {
    origin.ends_with(".ndjson") || origin.ends_with(".json")
}

fn value_lists<'a>(texts: &[ExceptionText<'a>]) -> BTreeMap<String, &'a str> {
    let mut lists = BTreeMap::new();
    for text in texts {
        let name = text.origin.rsplit(['/', '\\']).next().unwrap_or(text.origin);
        let stem = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".csv"));
        if let Some(stem) = stem {
            lists.insert(stem.to_owned(), text.text);
            lists.insert(name.to_owned(), text.text);
        }
    }
    lists
}
