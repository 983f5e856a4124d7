//! Raw Okta events beside what others make of them: the pairs of Elastic's own tests (its Okta
//! integration and its Filebeat module) and of Sekoia's. Every field that comes out differently
//! must stand in a table of docs/RULES.md with the reason: the document is the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ouzel::event::{Scratch, TopicProfile, Value, decode};
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use serde_json::Value as Json;

use super::evaluator::json_of;
use crate::support::source;

/// A raw event, and what somebody made of it.
struct Pair {
    raw: String,
    expected: Json,
    of: &'static str,
}

/// The headings of docs/RULES.md under which the differences from each are listed.
const ELASTIC: &str = "### Okta's events";
const SEKOIA: &str = "### Okta's events at Sekoia";

/// All JSON files in and below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|fault| panic!("{folder:?}: {fault}"));
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

/// The pairs of a file: Elastic keeps the raw event in `event.original` of the expected document.
fn pairs(file: Json) -> Vec<Pair> {
    let elastic = |documents: Vec<Json>| {
        let with_raw = documents.into_iter().filter_map(|expected| {
            let nested = expected.pointer("/event/original");
            let raw = nested.or_else(|| expected.get("event.original"))?.as_str()?.to_owned();
            Some(Pair { raw, expected, of: ELASTIC })
        });
        with_raw.collect()
    };
    match file {
        Json::Array(documents) => elastic(documents),
        Json::Object(mut members) => match (members.remove("input"), members.remove("expected")) {
            (None, Some(Json::Array(documents))) => elastic(documents),
            (Some(input), Some(expected)) => {
                let raw = input.get("message").and_then(Json::as_str).map(str::to_owned);
                raw.map(|raw| Pair { raw, expected, of: SEKOIA }).into_iter().collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn ours(raw: &str) -> Json {
    let record = Record {
        payload: Some(raw.as_bytes()),
        key: None,
        headers: &NoHeaders,
        position: Position { topic: "okta", partition: 0, offset: 0 },
        timestamp: Some(Timestamp::from_millis(0)),
        received: Timestamp::from_millis(0),
    };
    let mut scratch = Scratch::default();
    let decoded = decode(&record, &TopicProfile::default(), &mut scratch);
    assert_eq!((decoded.fault, decoded.events.len()), (None, 1), "{raw}");
    json_of(Value::Object(decoded.events[0].fields))
}

type Leaves = BTreeMap<String, BTreeSet<String>>;

/// Every field with its values, whatever their order and however nested; as Elasticsearch sees it.
fn leaves(value: &Json, path: &str, found: &mut Leaves) {
    match value {
        Json::Null => {}
        Json::Object(members) => {
            for (name, value) in members {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &below, found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| leaves(item, path, found)),
        other => {
            let text = match other {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.as_f64().map_or_else(String::new, |n| n.to_string()),
                value => value.to_string(),
            };
            found.entry(path.to_owned()).or_default().insert(text);
        }
    }
}

/// The fields that the table under `heading` names, each with everything below it.
fn explained(document: &str, heading: &str) -> Vec<String> {
    let (_, section) = document
        .split_once(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("docs/RULES.md has no section {heading}"));
    let lines = section.lines().take_while(|line| !line.starts_with('#'));
    let cells = lines.filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let names = cells.flat_map(|(cell, _)| {
        format!("`{cell}").split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    });
    names.flat_map(|name| expanded(&name)).collect()
}

/// `a.{b,c}` names `a.b` and `a.c`.
fn expanded(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let (inner, behind) = rest.split_once('}').expect("a bracket that opens closes");
    inner.split(',').map(|one| format!("{before}{one}{behind}")).collect()
}

fn is_below(path: &str, name: &str) -> bool {
    let name = name.trim_end_matches(".*").replace("[]", "");
    path.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether two values differ in the way that the document says, where that can be told.
fn is_as_documented(path: &str, mine: &BTreeSet<String>, theirs: &BTreeSet<String>) -> bool {
    let all_theirs = |is_mine: &dyn Fn(&str) -> bool| theirs.iter().all(|their| is_mine(their));
    match path {
        "@timestamp" => {
            all_theirs(&|time| mine.iter().any(|mine| shortest(mine) == shortest(time)))
        }
        "user.email" => all_theirs(&|login| mine.contains(&format!("{login}\\"))),
        _ if path.ends_with("user.name") => all_theirs(&|login| {
            let name = login.split_once('@').map_or(login, |(name, _)| name);
            mine.contains(login) || mine.contains(name)
        }),
        _ => true,
    }
}

/// A time without zeros at the end of its fraction.
fn shortest(time: &str) -> &str {
    let time = time.trim_end_matches('Z');
    let is_whole = !time.contains('.');
    if is_whole { time } else { time.trim_end_matches('0').trim_end_matches('.') }
}

#[derive(Default)]
struct Difference {
    only_ours: usize,
    only_theirs: usize,
    other: usize,
    undocumented: usize,
    example: String,
}

fn compare(pair: &Pair, differences: &mut BTreeMap<(&'static str, String), Difference>) -> usize {
    let (mut mine, mut theirs) = (Leaves::new(), Leaves::new());
    leaves(&ours(&pair.raw), "", &mut mine);
    leaves(&pair.expected, "", &mut theirs);
    let paths: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
    let mut alike = 0;
    for path in paths {
        let (mine, theirs) = (mine.get(path), theirs.get(path));
        if mine == theirs {
            alike += 1;
            continue;
        }
        let difference = differences.entry((pair.of, path.clone())).or_default();
        match (mine, theirs) {
            (Some(_), None) => difference.only_ours += 1,
            (None, Some(_)) => difference.only_theirs += 1,
            (Some(mine), Some(theirs)) if is_as_documented(path, mine, theirs) => {
                difference.other += 1;
            }
            _ => {
                difference.undocumented += 1;
                difference.example.clear();
            }
        }
        if difference.example.is_empty() {
            difference.example = format!("ours {mine:?}, theirs {theirs:?}");
        }
    }
    alike
}

#[test]
fn what_differs_from_elastic_and_from_sekoia_stands_in_the_document() {
    let Some(folder) = super::input("OUZEL_OKTA_PAIRS") else { return };
    let mut found = Vec::new();
    files(&folder, &mut found);
    let (mut differences, mut counts) = (BTreeMap::new(), BTreeMap::<&str, usize>::new());
    let mut alike = 0;
    for path in &found {
        let text = fs::read_to_string(path).expect("the file was listed");
        let file = serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{path:?}: {fault}"));
        for pair in pairs(file) {
            *counts.entry(pair.of).or_default() += 1;
            alike += compare(&pair, &mut differences);
        }
    }
    println!("pairs: {counts:?}; fields alike: {alike}; fields that differ somewhere:");
    assert!(!counts.is_empty(), "{} has no pairs", folder.display());
    let document = fs::read_to_string(source::root().join("docs/RULES.md")).expect("it is there");
    let mut unexplained = Vec::new();
    for of in counts.keys() {
        let names = explained(&document, of);
        for ((_, path), difference) in differences.iter().filter(|((whose, _), _)| whose == of) {
            let Difference { only_ours, only_theirs, other, undocumented, example } = difference;
            let row = names.iter().find(|name| is_below(path, name));
            let shown = row.map_or("no row", String::as_str);
            println!(
                "{path}: only ours {only_ours}, only theirs {only_theirs}, other {other} ({shown})"
            );
            if row.is_none() || *undocumented > 0 {
                unexplained.push(format!("{path}: {example}"));
            }
        }
    }
    assert!(unexplained.is_empty(), "not in docs/RULES.md:\n{}", unexplained.join("\n"));
}
