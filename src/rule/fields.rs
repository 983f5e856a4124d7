//! Typed access to the values of a table, with every fault noted and none hiding the next.

use super::document::{Content, Item, Table};
use super::fault::{Problem, RuleFault, nearest};
use crate::kql;

/// Takes values out of the tables of one file and notes what is wrong with them.
pub(super) struct Fields<'t> {
    origin: &'t str,
    text: &'t str,
    faults: Vec<RuleFault>,
}

impl<'t> Fields<'t> {
    pub(super) const fn new(origin: &'t str, text: &'t str) -> Self {
        Self { origin, text, faults: Vec::new() }
    }

    /// The faults noted so far.
    pub(super) fn into_faults(self) -> Vec<RuleFault> {
        self.faults
    }

    /// Notes that `problem` stands at byte `at`.
    pub(super) fn fault(&mut self, at: usize, problem: Problem) {
        let line = kql::place(self.text, at).line;
        self.fault_on_line(line, problem);
    }

    pub(super) fn fault_on_line(&mut self, line: usize, problem: Problem) {
        let origin = self.origin.to_owned();
        self.faults.push(RuleFault { origin, line: Some(line), problem });
    }

    /// Notes every key of `table` that is not among `allowed`.
    pub(super) fn keys(&mut self, table: &Table, name: &str, allowed: &[&str]) {
        for entry in table.entries.iter().filter(|entry| !allowed.contains(&&*entry.name)) {
            let nearest = nearest(&entry.name, allowed.iter().copied());
            let (key, table) = (entry.name.clone(), name.to_owned());
            self.fault(entry.at, Problem::UnknownKey { key, table, nearest });
        }
    }

    /// Notes that `key` is missing in the table `name`, unless it is there.
    pub(super) fn need(&mut self, table: &Table, name: &str, key: &str) {
        if table.get(key).is_none() {
            let (key, name) = (key.to_owned(), name.to_owned());
            self.fault(table.at, Problem::Missing { key, table: name });
        }
    }

    pub(super) fn wrong_type(&mut self, item: &Item, key: &str, expected: &'static str) {
        let (key, found) = (key.to_owned(), item.kind());
        self.fault(item.at, Problem::WrongType { key, found, expected });
    }

    pub(super) fn wrong_value(&mut self, at: usize, key: &str, found: &str, allowed: &str) {
        let (key, allowed) = (key.to_owned(), allowed.to_owned());
        self.fault(at, Problem::WrongValue { key, found: format!("`{found}`"), allowed });
    }

    pub(super) fn text(&mut self, table: &Table, key: &str) -> Option<String> {
        let item = table.get(key)?;
        match &item.content {
            Content::Text(text) => Some(text.clone()),
            _ => {
                self.wrong_type(item, key, "a text");
                None
            }
        }
    }

    /// A text that is not empty; an empty one is a fault.
    pub(super) fn name(&mut self, table: &Table, key: &str) -> Option<String> {
        let text = self.text(table, key)?;
        if text.trim().is_empty() {
            let at = table.get(key).map_or(table.at, |item| item.at);
            self.wrong_value(at, key, &text, "expected a text that is not empty");
            return None;
        }
        Some(text)
    }

    /// A text; an empty one counts as absent, since Kibana's forms save one where nothing was
    /// chosen.
    pub(super) fn chosen(&mut self, table: &Table, key: &str) -> Option<String> {
        self.text(table, key).filter(|text| !text.is_empty())
    }

    pub(super) fn boolean(&mut self, table: &Table, key: &str) -> Option<bool> {
        let item = table.get(key)?;
        match item.content {
            Content::Bool(value) => Some(value),
            _ => {
                self.wrong_type(item, key, "true or false");
                None
            }
        }
    }

    /// An integer from `least` to `most`.
    pub(super) fn integer(
        &mut self,
        table: &Table,
        key: &str,
        (least, most): (u32, u32),
    ) -> Option<u32> {
        let item = table.get(key)?;
        let number = match item.content {
            Content::Integer(number) => number,
            // Kibana writes scores as JSON numbers, which may have a fraction of zero.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole, and held to the bounds below"
            )]
            Content::Float(number) if number.fract() == 0.0 => number as i64,
            _ => {
                self.wrong_type(item, key, "an integer");
                return None;
            }
        };
        match u32::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let allowed = format!("expected an integer from {least} to {most}");
                self.wrong_value(item.at, key, &number.to_string(), &allowed);
                None
            }
        }
    }

    /// A list of texts; absent: empty. Elastic's older files write one text without the list.
    pub(super) fn texts(&mut self, table: &Table, key: &str) -> Vec<String> {
        let Some(item) = table.get(key) else { return Vec::new() };
        match &item.content {
            Content::Text(text) => vec![text.clone()],
            Content::List(items) => {
                let mut texts = Vec::with_capacity(items.len());
                for item in items {
                    match &item.content {
                        Content::Text(text) => texts.push(text.clone()),
                        _ => self.wrong_type(item, key, "a list of texts"),
                    }
                }
                texts
            }
            _ => {
                self.wrong_type(item, key, "a list of texts");
                Vec::new()
            }
        }
    }

    pub(super) fn table<'d>(&mut self, table: &'d Table, key: &str) -> Option<&'d Table> {
        let item = table.get(key)?;
        match &item.content {
            Content::Table(table) => Some(table),
            _ => {
                self.wrong_type(item, key, "a table");
                None
            }
        }
    }

    /// A list of tables; absent: empty.
    pub(super) fn tables<'d>(&mut self, table: &'d Table, key: &str) -> Vec<&'d Table> {
        let Some(item) = table.get(key) else { return Vec::new() };
        let Content::List(items) = &item.content else {
            self.wrong_type(item, key, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for item in items {
            match &item.content {
                Content::Table(table) => tables.push(table),
                _ => self.wrong_type(item, key, "a list of tables"),
            }
        }
        tables
    }
}
