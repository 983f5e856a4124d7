//! Rule test cases: events that a rule must hit, events that it must not, and why.
//!
//! A file `NAME.cases.toml` beside `NAME.toml` holds them:
//!
//! ```toml
//! [base]                       # optional: what every event of the file has
//! eventType = "user.session.start"
//!
//! [[case]]
//! name = "a session that failed to start"
//! why = "The attempt counts, whatever became of it."
//! expect = "hit"               # hit, clean, unreadable or skipped
//! event = { outcome = { result = "FAILURE" } }     # laid over the base
//! without = ["client.zone"]    # optional: taken away again
//! excepted_by = "identity-desk" # optional, with hit: the exception that must hide it
//! ```
//!
//! Where the exact bytes matter, `payload` (or `payload_base64`) stands in place of `event`.
//! Reading is all that happens here; the cases run through the real detector elsewhere.

use base64::Engine as _;
use serde_json::Value as Json;

use super::document::{Content, Table};
use super::fault::{Problem, RuleFault};
use super::fields::Fields;
use super::toml;
use crate::kql;

const TOP: &[&str] = &["base", "case", "rule"];
const CASE: &[&str] = &[
    "event",
    "events",
    "excepted_by",
    "expect",
    "index",
    "name",
    "payload",
    "payload_base64",
    "reason",
    "rule",
    "topic",
    "why",
    "without",
];

/// The cases of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    /// The file, for messages.
    pub origin: String,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it shows; unique in its file.
    pub name: String,
    /// Why the rule must behave so.
    pub why: String,
    /// The line of its name.
    pub line: usize,
    /// The rule it is about; `None`: the rules of the file that it stands beside.
    pub rule_id: Option<String>,
    /// What must come out.
    pub expect: Expectation,
    /// The exception that must hide every hit, where the case says so.
    pub excepted_by: Option<String>,
    /// The payload that is judged.
    pub payload: Vec<u8>,
    /// The topic whose configuration applies; `None`: none.
    pub topic: Option<String>,
    /// The index name that rules are scoped by, over the topic's.
    pub index: Option<String>,
}

/// What a case expects of its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The rule holds: for this number of events, or for at least one.
    Hit {
        /// How many events, where the case says so.
        events: Option<u32>,
    },
    /// The record is judged and the rule does not hold.
    Clean,
    /// The record cannot be read.
    Unreadable {
        /// The dead letter's reason, where the case says so.
        reason: Option<String>,
    },
    /// The record holds no event.
    Skipped,
}

/// Reads the text of a case file.
///
/// # Errors
/// Every fault of the text.
pub fn parse(origin: &str, text: &str) -> Result<CaseFile, Vec<RuleFault>> {
    let root = toml::parse(text).map_err(|faults| {
        let fault = |fault: toml::SyntaxFault| RuleFault {
            origin: origin.to_owned(),
            line: Some(kql::place(text, fault.at).line),
            problem: Problem::NotToml(fault.message),
        };
        faults.into_iter().map(fault).collect::<Vec<_>>()
    })?;
    let mut fields = Fields::new(origin, text);
    fields.keys(&root, "the file", TOP);
    let rule_id = fields.name(&root, "rule");
    let base = fields.table(&root, "base").map(|base| Json::Object(base.to_json()));
    let mut cases: Vec<Case> = Vec::new();
    for table in fields.tables(&root, "case") {
        let mut case = case(&mut fields, table, base.as_ref());
        case.line = kql::place(text, table.get("name").map_or(table.at, |item| item.at)).line;
        case.rule_id = case.rule_id.or_else(|| rule_id.clone());
        if cases.iter().any(|other| other.name == case.name) {
            let allowed = "each case of a file needs a name of its own";
            fields.wrong_value(table.at, "name", &case.name, allowed);
        }
        cases.push(case);
    }
    let faults = fields.into_faults();
    if faults.is_empty() { Ok(CaseFile { origin: origin.to_owned(), cases }) } else { Err(faults) }
}

fn case(fields: &mut Fields<'_>, table: &Table, base: Option<&Json>) -> Case {
    fields.keys(table, "[[case]]", CASE);
    for key in ["name", "why", "expect"] {
        fields.need(table, "[[case]]", key);
    }
    Case {
        name: fields.name(table, "name").unwrap_or_default(),
        why: fields.name(table, "why").unwrap_or_default(),
        line: 0,
        rule_id: fields.name(table, "rule"),
        expect: expectation(fields, table),
        excepted_by: fields.name(table, "excepted_by"),
        payload: payload(fields, table, base),
        topic: fields.name(table, "topic"),
        index: fields.name(table, "index"),
    }
}

fn expectation(fields: &mut Fields<'_>, table: &Table) -> Expectation {
    let expect = fields.text(table, "expect").unwrap_or_default();
    let events = fields.integer(table, "events", (1, u32::MAX));
    let reason = fields.name(table, "reason");
    let mut belongs = |key: &str, to: &str| {
        if let Some(item) = table.get(key).filter(|_| expect != to && !expect.is_empty()) {
            let allowed = format!("it belongs to expect = \"{to}\"");
            fields.wrong_value(item.at, key, "set", &allowed);
        }
    };
    belongs("events", "hit");
    belongs("excepted_by", "hit");
    belongs("reason", "unreadable");
    match expect.as_str() {
        "hit" => Expectation::Hit { events },
        "clean" => Expectation::Clean,
        "unreadable" => Expectation::Unreadable { reason },
        "skipped" => Expectation::Skipped,
        other => {
            if let Some(item) = table.get("expect") {
                let allowed = "expected hit, clean, unreadable or skipped";
                fields.wrong_value(item.at, "expect", other, allowed);
            }
            Expectation::Clean
        }
    }
}

/// The bytes to judge: as written, or the event laid over the base.
fn payload(fields: &mut Fields<'_>, table: &Table, base: Option<&Json>) -> Vec<u8> {
    let given = ["event", "payload", "payload_base64"].map(|key| table.get(key).is_some());
    let count = given.iter().filter(|given| **given).count();
    if count > 1 || (count == 0 && base.is_none()) {
        let allowed = "a case has one of event, payload and payload_base64, or the file a [base]";
        fields.wrong_value(table.at, "event", &format!("given {count} times"), allowed);
        return Vec::new();
    }
    if let Some(text) = fields.text(table, "payload") {
        return text.into_bytes();
    }
    if let Some(text) = fields.text(table, "payload_base64") {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim());
        return bytes.unwrap_or_else(|fault| {
            fields.wrong_value(table.at, "payload_base64", &fault.to_string(), "expected base64");
            Vec::new()
        });
    }
    let mut event = base.cloned().unwrap_or_else(|| Json::Object(serde_json::Map::new()));
    if let Some(item) = table.get("event") {
        match &item.content {
            Content::Table(_) => lay_over(&mut event, item.to_json()),
            _ => fields.wrong_type(item, "event", "a table"),
        }
    }
    for path in fields.texts(table, "without") {
        if take_away(&mut event, &path).is_none() {
            let allowed = "it names nothing that the event has";
            fields.wrong_value(table.at, "without", &path, allowed);
        }
    }
    event.to_string().into_bytes()
}

/// Objects are merged, anything else is replaced.
fn lay_over(base: &mut Json, over: Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (name, value) in over {
                match base.get_mut(&name) {
                    Some(below) => lay_over(below, value),
                    None => drop(base.insert(name, value)),
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// Removes what the dotted `path` names, and says what it was.
fn take_away(event: &mut Json, path: &str) -> Option<Json> {
    let object = event.as_object_mut()?;
    match path.split_once('.') {
        // A key that is dotted itself comes first.
        _ if object.contains_key(path) => object.shift_remove(path),
        Some((head, rest)) => take_away(object.get_mut(head)?, rest),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(text: &str) -> Vec<Case> {
        let shown = |faults: Vec<RuleFault>| {
            faults.iter().map(|fault| format!("{fault}\n")).collect::<String>()
        };
        parse("x.cases.toml", text).unwrap_or_else(|faults| panic!("{}", shown(faults))).cases
    }

    fn payload(text: &str) -> String {
        let case = cases(text).remove(0);
        String::from_utf8(case.payload).expect("the cases here are UTF-8")
    }

    const BASE: &str = "[base]\na = {b = 1, c = 2}\nd = [1, 2]\n";
    const HEAD: &str = "[[case]]\nname = \"n\"\nwhy = \"w\"\nexpect = \"hit\"\n";

    #[test]
    fn an_event_is_laid_over_the_base() {
        let check = |lines: &str, expected: &str| {
            assert_eq!(payload(&format!("{BASE}{HEAD}{lines}")), expected, "{lines}");
        };
        check("", r#"{"a":{"b":1,"c":2},"d":[1,2]}"#);
        check("event = {a = {b = 3}, d = []}", r#"{"a":{"b":3,"c":2},"d":[]}"#);
        check("without = [\"a.c\", \"d\"]", r#"{"a":{"b":1}}"#);
        check("event = {\"x.y\" = 1}\nwithout = [\"x.y\"]", r#"{"a":{"b":1,"c":2},"d":[1,2]}"#);
        check("payload = '[{\"x\": null}]'", r#"[{"x": null}]"#);
        check("payload_base64 = \"e30=\"", "{}");
    }

    #[test]
    fn a_case_says_what_it_expects() {
        let check = |lines: &str, expected: Expectation| {
            let head = "[[case]]\nname = \"n\"\nwhy = \"w\"\n";
            let found = cases(&format!("rule = \"r\"\n{BASE}{head}{lines}")).remove(0);
            assert_eq!(found.expect, expected, "{lines}");
            assert_eq!((found.line, found.rule_id.as_deref()), (6, Some("r")));
        };
        check("expect = \"hit\"", Expectation::Hit { events: None });
        check("expect = \"hit\"\nevents = 2", Expectation::Hit { events: Some(2) });
        check("expect = \"clean\"", Expectation::Clean);
        check("expect = \"skipped\"", Expectation::Skipped);
        let reason = Some("truncated".to_owned());
        check(
            "expect = \"unreadable\"\nreason = \"truncated\"",
            Expectation::Unreadable { reason },
        );
    }

    #[test]
    fn faults_are_told_all_at_once_with_their_lines() {
        let check = |text: &str, expected: &[&str]| {
            let faults = parse("x.cases.toml", text).expect_err("there is a fault");
            let shown: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
            for part in expected {
                assert!(shown.contains(part), "{text}: {part} is not in {shown}");
            }
        };
        check("[[case]]\n", &["`name` is missing in [[case]]", "`why` is", "`expect` is"]);
        check(&format!("{HEAD}evnt = {{}}\n"), &["x.cases.toml:5: unknown key `evnt`", "`event`?"]);
        check(&format!("{BASE}{HEAD}{HEAD}"), &["each case of a file needs a name of its own"]);
        check(&format!("{BASE}{HEAD}without = [\"z\"]"), &["it names nothing"]);
        let hidden = format!("{BASE}{}excepted_by = \"e\"", HEAD.replace("hit", "clean"));
        check(&hidden, &["it belongs to expect = \"hit\""]);
        check(&format!("{BASE}{HEAD}reason = \"x\""), &["it belongs to expect = \"unreadable\""]);
        check(HEAD, &["`event` is `given 0 times`"]);
        check(&format!("{HEAD}payload = \"\"\nevent = {{}}"), &["given 2 times"]);
        check("[[case]\n", &["x.cases.toml:1: not TOML"]);
    }
}
