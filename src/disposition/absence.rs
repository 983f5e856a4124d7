//! What a missing field does to a condition.
//!
//! Some fields of ECS are never there in a stream, because look-ups make them that Elastic's
//! ingest pipelines perform and nothing here does. A clause on such a field never holds, so its
//! negation always does: an exception that excludes by it would hide more than it says, at worst
//! everything. This module finds such clauses; it relies on one table of families of fields. It
//! also finds names that no event is likely to have, because they are made of two words.

use crate::kql::{Expr, Node, Pattern};

/// Fields and families (ending with a dot) that only look-ups make.
const NEVER_THERE: [&str; 16] = [
    "_id",
    "_index",
    "event.ingested",
    "host.asset.",
    "host.risk.",
    "network.community_id",
    "service.asset.",
    "service.risk.",
    "threat.enrichments.",
    "threat.indicator.",
    "url.registered_domain",
    "user.asset.",
    "user.risk.",
    "user_agent.device.",
    "user_agent.os.",
    "kibana.",
];

/// Objects that an address look-up fills.
const LOCATED: [&str; 5] = ["client", "destination", "host", "server", "source"];

/// The parts of `geo` that come with an event and not from a look-up.
const GEO_OF_EVENTS: [&str; 4] = ["city_name", "country_name", "location", "region_name"];

/// Objects whose autonomous system comes with an event.
const AS_OF_EVENTS: [&str; 2] = ["client", "source"];

/// Whether no shape of event and nothing here ever gives `field` a value.
#[must_use]
pub fn is_never_there(field: &str) -> bool {
    let in_family = |family: &str| match family.ends_with('.') {
        true => field.starts_with(family),
        false => field == family,
    };
    NEVER_THERE.into_iter().any(in_family) || is_looked_up(field)
}

/// Whether `field` is a part of `<object>.geo` or `<object>.as` that only a look-up makes.
fn is_looked_up(field: &str) -> bool {
    let mut parts = field.splitn(3, '.');
    let (Some(object), Some(kind), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let first = rest.split('.').next().unwrap_or(rest);
    match kind {
        "geo" => LOCATED.contains(&object) && !GEO_OF_EVENTS.contains(&first),
        "as" => LOCATED.contains(&object) && !AS_OF_EVENTS.contains(&object),
        _ => false,
    }
}

/// The fields of `node` that are never there and stand under a negation, each once: their clauses
/// hold whatever the event says.
#[must_use]
pub fn held_by_absence(node: &Node) -> Vec<String> {
    let clauses = clauses(node);
    each_once(clauses.into_iter().filter(|(sign, _)| *sign == Sign::Negated))
}

/// The fields of all clauses of `node` that are never there, each once.
#[must_use]
pub fn never_there(node: &Node) -> Vec<String> {
    each_once(clauses(node).into_iter())
}

fn each_once(clauses: impl Iterator<Item = (Sign, String)>) -> Vec<String> {
    let mut fields: Vec<String> = clauses.map(|(_, field)| field).collect();
    fields.sort();
    fields.dedup();
    fields
}

/// What to say of fields with white space in their names, a sentence without its subject for each.
#[must_use]
pub fn said_of_several_words(node: &Node) -> Vec<String> {
    let say = |field| {
        format!(
            "asks for a field that is called {field:?}: a name with white space in it is seldom \
             meant; look for a word too many, or for an `and`, an `or` or quotes that are missing"
        )
    };
    of_several_words(node).into_iter().map(say).collect()
}

/// The fields with white space in their names, each once, of the clauses of `node` that name exactly
/// one. KQL takes `and and event.action:x` for a clause on the field `and event.action`.
fn of_several_words(node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    walk(node, "", Sign::Plain, &mut found);
    each_once(found.into_iter().filter(|(_, field)| field.contains(char::is_whitespace)))
}

/// The fields that are never there, clause by clause.
fn clauses(node: &Node) -> Vec<(Sign, String)> {
    let mut found = Vec::new();
    walk(node, "", Sign::Plain, &mut found);
    found.retain(|(_, field)| is_never_there(field));
    found
}

/// Whether `node` can hold for no event at all, because fields that are never there would have to
/// hold a value.
#[must_use]
pub fn never_holds(node: &Node) -> bool {
    outlook(node, "") == Outlook::No
}

/// Whether a clause stands under an odd number of negations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plain,
    Negated,
}

impl Sign {
    fn flipped(self) -> Self {
        match self {
            Self::Plain => Self::Negated,
            Self::Negated => Self::Plain,
        }
    }
}

/// Adds the field of each clause that names exactly one.
fn walk(node: &Node, path: &str, sign: Sign, found: &mut Vec<(Sign, String)>) {
    match &node.expr {
        Expr::All => {}
        Expr::And(nodes) | Expr::Or(nodes) => {
            nodes.iter().for_each(|node| walk(node, path, sign, found));
        }
        Expr::Not(node) => walk(node, path, sign.flipped(), found),
        Expr::Nested { path: inner, query } => {
            if let Some(inner) = inner.as_exact() {
                walk(query, &join(path, inner), sign, found);
            }
        }
        Expr::Is { .. } | Expr::Exists { .. } | Expr::Range { .. } | Expr::Like { .. } => {
            let field = field(&node.expr).map(|field| join(path, field));
            found.extend(field.map(|field| (sign, field)));
        }
    }
}

/// What can be said of a node without an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outlook {
    Yes,
    No,
    Unknown,
}

fn outlook(node: &Node, path: &str) -> Outlook {
    match &node.expr {
        Expr::All => Outlook::Yes,
        Expr::And(nodes) => combine(nodes, path, Outlook::No, Outlook::Yes),
        Expr::Or(nodes) => combine(nodes, path, Outlook::Yes, Outlook::No),
        Expr::Not(node) => match outlook(node, path) {
            Outlook::Yes => Outlook::No,
            Outlook::No => Outlook::Yes,
            Outlook::Unknown => Outlook::Unknown,
        },
        Expr::Nested { path: inner, query } => match inner.as_exact() {
            Some(inner) if outlook(query, &join(path, inner)) == Outlook::No => Outlook::No,
            _ => Outlook::Unknown,
        },
        Expr::Is { .. } | Expr::Exists { .. } | Expr::Range { .. } | Expr::Like { .. } => {
            match field(&node.expr) {
                Some(field) if is_never_there(&join(path, field)) => Outlook::No,
                _ => Outlook::Unknown,
            }
        }
    }
}

/// `deciding` as soon as one operand says so, `neutral` where all say that, else unknown.
fn combine(nodes: &[Node], path: &str, deciding: Outlook, neutral: Outlook) -> Outlook {
    let mut all_neutral = true;
    for node in nodes {
        let outlook = outlook(node, path);
        if outlook == deciding {
            return deciding;
        }
        all_neutral &= outlook == neutral;
    }
    if all_neutral { neutral } else { Outlook::Unknown }
}

/// The field of a clause, where it names exactly one.
fn field(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Is { field, .. } => field.as_ref().and_then(Pattern::as_exact),
        Expr::Exists { field } | Expr::Range { field, .. } | Expr::Like { field, .. } => {
            field.as_exact()
        }
        _ => None,
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql;

    #[test]
    fn looked_up_fields_are_told_from_fields_of_events() {
        let check = |field: &str, never: bool| assert_eq!(is_never_there(field), never, "{field}");
        check("source.geo.country_iso_code", true);
        check("client.geo.continent_name", true);
        check("client.geo.country_name", false);
        check("client.geo.location.lat", false);
        check("source.as.organization.name", false);
        check("destination.as.number", true);
        check("user_agent.os.name", true);
        check("user_agent.original", false);
        check("user.risk.calculated_level", true);
        check("user.name", false);
        check("okta.actor.id", false);
        check("geo.country_iso_code", false);
        check("source.geo", false);
    }

    #[test]
    fn names_of_several_words_are_found_wherever_they_stand() {
        let check = |query: &str, fields: &[&str]| {
            let query = kql::parse(query).expect("a query");
            assert_eq!(of_several_words(&query.root), fields, "{}", query.text);
        };
        check("event.action:a and event.outcome:b", &[]);
        check("event.action:\"two words\" or user.name:more words", &[]);
        check("event.action:a and and event.outcome:b", &["and event.outcome"]);
        check("event.action:a or not (x y:* and x y > 3)", &["x y"]);
        check("a:{ b c:1 }", &["a.b c"]);
    }

    #[test]
    fn clauses_that_hold_by_absence_and_conditions_that_never_hold_are_found() {
        let check = |query: &str, absent: &[&str], never: bool| {
            let query = kql::parse(query).expect("a query");
            assert_eq!(held_by_absence(&query.root), absent, "{}", query.text);
            assert_eq!(never_holds(&query.root), never, "{}", query.text);
        };
        let geo = "source.geo.country_iso_code";
        check("user.name:a", &[], false);
        check(&format!("{geo}:DE"), &[], true);
        check(&format!("not {geo}:DE"), &[geo], false);
        check(&format!("not (user.name:a and not {geo}:DE)"), &[], false);
        check(&format!("user.name:a and {geo}:(DE or AT)"), &[], true);
        check(&format!("user.name:a or {geo}:*"), &[], false);
        check(&format!("user.name:a and not {geo}:*"), &[geo], false);
        check("source.geo:{ country_iso_code:DE }", &[], true);
        check("not source.geo:{ country_iso_code:DE }", &[geo], false);
        check("source.geo.*:DE", &[], false);
        check("*:*", &[], false);
        check("not *:*", &[], true);
    }

    #[test]
    fn a_clause_on_a_field_that_is_never_there_is_found_whatever_its_sign() {
        let check = |query: &str, fields: &[&str]| {
            let query = kql::parse(query).expect("a query");
            assert_eq!(never_there(&query.root), fields, "{}", query.text);
        };
        check("user.name:a and not client.geo.country_name:DE", &[]);
        check("user.name:a or source.geo.country_iso_code:DE", &["source.geo.country_iso_code"]);
        check(
            "user_agent.os.name:x and not user_agent.os.name:y and not (event.ingested > now-1d)",
            &["event.ingested", "user_agent.os.name"],
        );
        check("source.geo:{ continent_code:* }", &["source.geo.continent_code"]);
    }
}
