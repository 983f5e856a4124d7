//! What the program's user may do, and no more: the table of docs/SECURITY.md is read, so that the
//! document says what this suite has seen to be enough.

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
    /// `topic` or `group`.
    resource: &'static str,
    /// The key of the configuration that names it.
    key: &'static str,
}

/// The table.
pub fn table() -> Result<Vec<Grant>, String> {
    let (_, rows) = DOCUMENT.split_once(HEAD).ok_or("docs/SECURITY.md has no table of grants")?;
    rows.lines().take_while(|row| row.starts_with('|')).map(grant).collect()
}

fn grant(row: &'static str) -> Result<Grant, String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [operation, resource, which] = cells[..] else { return Err(format!("{row}: three cells")) };
    let key = which.split('`').nth(1).ok_or_else(|| format!("{row}: no key"))?;
    Ok(Grant { operation, resource, key })
}

impl Grant {
    /// What the key names in `setup`.
    fn name(self, setup: &Setup) -> Result<&str, String> {
        match self.key {
            "input.topics" => setup.topics.first().map(String::as_str).ok_or("no topic".to_owned()),
            "input.group" => Ok(&setup.group),
            "output.alerts" => Ok(&setup.alerts),
            "output.dead_letters" => Ok(&setup.dead_letters),
            other => Err(format!("this suite does not know {other}")),
        }
    }
}

/// Gives the user these grants, for the topics and the group of `setup`.
fn give(broker: &Broker, setup: &Setup, grants: &[Grant]) -> Result<(), String> {
    let admin = Admin::of(&broker.plaintext())?;
    let principal = format!("User:{USER}");
    for grant in grants {
        let resource = format!("--{}", grant.resource);
        let name = grant.name(setup)?;
        let head = ["--add", "--allow-principal", &principal, "--operation", grant.operation];
        admin.access(&[&head[..], &[&resource, name]].concat())?;
    }
    Ok(())
}

/// Gives the user everything in the table, for the topics and the group called `name`.
pub fn all(broker: &Broker, name: &str) -> Result<(), String> {
    give(broker, &Setup::named(name, &broker.plaintext()), &table()?)
}

/// Without any one of the grants the stage does not start, and names what it may not use.
pub fn each_is_needed(broker: &Broker) -> Result<String, String> {
    let grants = table()?;
    for (number, missing) in grants.iter().enumerate() {
        let name = format!("grant-{number}");
        let setup = security::with_password(broker, &name, super::broker::PASSWORD)?;
        setup.create_topics(&broker.plaintext(), 1)?;
        let others: Vec<Grant> = grants.iter().copied().filter(|grant| grant != missing).collect();
        give(broker, &setup, &others)?;
        let said = security::refused(broker, &name, &setup)?;
        let wanted = missing.name(&setup)?;
        let says = said.contains(wanted)
            && said.to_lowercase().replace("authoris", "authoriz").contains("authoriz");
        if !says {
            return Err(format!("without {missing:?} the stage does not say so:\n{said}"));
        }
    }
    Ok(format!("without any of the {} grants: exit 4, named", grants.len()))
}
