//! What the program's user may do, and no more: the table of docs/SECURITY.md is read, so that the
//! document says what this suite has seen to be enough.

use std::collections::BTreeMap;

use super::admin::Admin;
use super::broker::{Broker, USER};
use super::security;
use super::stage::Setup;

const DOCUMENT: &str = include_str!("../../docs/SECURITY.md");
const HEAD: &str = "| may | on | which |\n|---|---|---|\n";

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `READ`, `WRITE`, …
    operation: &'static str,
    /// `topic`, `group` or `transactional-id`.
    resource: &'static str,
    /// The key of the configuration that names it.
    key: &'static str,
}

/// The table.
fn table() -> Result<Vec<Grant>, String> {
    let (_, rows) = DOCUMENT.split_once(HEAD).ok_or("docs/SECURITY.md has no table of grants")?;
    rows.lines().take_while(|row| row.starts_with('|')).map(grant).collect()
}

fn grant(row: &'static str) -> Result<Grant, String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [operation, resource, which] = cells[..] else { return Err(format!("{row}: three cells")) };
    let key = which.split('`').nth(1).ok_or_else(|| format!("{row}: no key"))?;
    Ok(Grant { operation, resource, key })
}

/// The rows that at-least-once needs as well, and those that only exactly-once needs.
fn by_guarantee() -> Result<(Vec<Grant>, Vec<Grant>), String> {
    let (more, always): (Vec<_>, Vec<_>) = table()?.into_iter().partition(|it| it.is_a_prefix());
    if more.is_empty() {
        return Err("docs/SECURITY.md has no grant for exactly-once".to_owned());
    }
    Ok((always, more))
}

impl Grant {
    /// What the key names in `setup`.
    fn name(self, setup: &Setup) -> Result<String, String> {
        match self.key {
            "input.topics" => setup.topics.first().cloned().ok_or("no topic".to_owned()),
            "input.group" => Ok(setup.group.clone()),
            "output.alerts" => Ok(setup.alerts.clone()),
            "output.dead_letters" => Ok(setup.dead_letters.clone()),
            // As `security::with_exactly_once` has it.
            "delivery.transactional_id_prefix" => Ok(format!("{}-", setup.group)),
            other => Err(format!("this suite does not know {other}")),
        }
    }

    /// Whether it is given on all names that begin so.
    fn is_a_prefix(self) -> bool {
        self.resource == "transactional-id"
    }
}

/// Gives the user these grants, for what `setup` names.
fn give(broker: &Broker, setup: &Setup, grants: &[Grant]) -> Result<(), String> {
    let admin = Admin::of(&broker.plaintext())?;
    let principal = format!("User:{USER}");
    // One call of Kafka's tool takes all that differ in nothing but the name.
    let mut calls: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
    for grant in grants {
        let call = calls.entry((grant.operation, grant.is_a_prefix())).or_default();
        call.extend([format!("--{}", grant.resource), grant.name(setup)?]);
    }
    for ((operation, is_a_prefix), names) in &calls {
        let pattern = if *is_a_prefix { "prefixed" } else { "literal" };
        let head = ["--add", "--allow-principal", &principal, "--operation", operation];
        let pattern = ["--resource-pattern-type", pattern];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        admin.access(&[&head[..], &pattern, &names].concat())?;
    }
    Ok(())
}

/// Gives the user everything in the table that at-least-once needs, for the topics and the group
/// called `name`.
pub fn all(broker: &Broker, name: &str) -> Result<(), String> {
    give(broker, &Setup::named(name, &broker.plaintext()), &by_guarantee()?.0)
}

/// Gives the user what exactly-once needs besides.
pub fn for_exactly_once(broker: &Broker, name: &str) -> Result<(), String> {
    give(broker, &Setup::named(name, &broker.plaintext()), &by_guarantee()?.1)
}

/// Without any one of the grants the stage does not start, and names what it may not use.
pub fn each_is_needed(broker: &Broker) -> Result<String, String> {
    let grants = table()?;
    for (number, missing) in grants.iter().enumerate() {
        let name = format!("grant-{number}");
        let setup = security::with_exactly_once(broker, &name)?;
        setup.create_topics(&broker.plaintext(), 1)?;
        let others: Vec<Grant> = grants.iter().copied().filter(|grant| grant != missing).collect();
        give(broker, &setup, &others)?;
        let said = security::refused(broker, &name, &setup)?;
        let lower = said.to_lowercase().replace("authoris", "authoriz");
        let says = said.contains(&missing.name(&setup)?)
            && ["authoriz", "needs the right"].iter().any(|words| lower.contains(words));
        if !says {
            return Err(format!("without {missing:?} the stage does not say so:\n{said}"));
        }
    }
    Ok(format!("without any of the {} grants: exit 4, named", grants.len()))
}
