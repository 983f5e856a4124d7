//! Verdicts against the KQL evaluator of elastic/detection-rules, where both mean the same.
//!
//! That evaluator is a tool for rule authors and knows no mapping, so it differs from Kibana by
//! itself. What it means otherwise is left out by construction, each with its reason
//! (`outside_of_the_common_subset`, and what `events` makes): text, date and flattened-root
//! semantics, wildcard fields, addresses beyond IPv4, values of several words without quotes,
//! values and names that begin like an operator, texts that Python reads as numbers although no
//! number is written like that, `true` and `false` beside texts, 0 and 1 beside booleans, dotted
//! keys, empty containers.

use std::collections::BTreeMap;
use std::process::Command;

use ouzel::detect::Program;
use ouzel::event::{FieldType, FieldTypes, Scratch, TopicProfile, Value, decode};
use ouzel::kql::{self, Literal, Query};
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use serde_json::{Map, Number, Value as Json, json};

use super::events::{self, Asked, Test};
use super::queries;
use super::random::Random;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const EVENTS_PER_QUERY: usize = 16;

/// Why the two evaluators mean different things by `query`; `None` where they do not.
fn outside_of_the_common_subset(
    query: &Query,
    asked: &[Asked<'_>],
    nested: &[String],
    types: &FieldTypes,
) -> Option<&'static str> {
    let names: Vec<&str> = asked.iter().filter_map(|one| one.field.as_deref()).collect();
    let is_above = |name: &str, other: &str| {
        other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    };
    if names.iter().any(|name| names.iter().any(|other| is_above(name, other))) {
        return Some("a field and one below it");
    }
    if nested.iter().any(|path| names.contains(&path.as_str())) {
        return Some("a nested path that is a field as well");
    }
    if query.text.contains("\\u") {
        return Some("\\u escapes");
    }
    asked.iter().find_map(|one| {
        let name = one.field.as_deref().unwrap_or_default();
        if name.contains('*') {
            return Some("wildcard fields");
        }
        let of = types.of(name);
        if matches!(of, FieldType::Text | FieldType::Date) {
            return Some("text and date fields");
        }
        match &one.value {
            Test::Exists => None,
            Test::Range(literal) if of != FieldType::Ip => outside(literal, of),
            Test::Range(_) => Some("ranges of addresses"),
            Test::Is(literal) => outside(literal, of),
        }
    })
}

fn outside(literal: &Literal, of: FieldType) -> Option<&'static str> {
    let text = match literal {
        // There it holds for nothing; Elasticsearch refuses to search for it.
        Literal::Null => return Some("the literal null"),
        Literal::Bool(_) if of != FieldType::Keyword && of != FieldType::Boolean => {
            return Some("booleans on other fields");
        }
        Literal::Bool(_) => return None,
        Literal::Quoted(text) => text.clone(),
        Literal::Unquoted(pattern) => {
            let text = pattern.pieces().join("*");
            if text.contains(char::is_whitespace) {
                return Some("unquoted values of several words");
            }
            let lower = text.to_lowercase();
            if ["not", "and", "or"].iter().any(|word| lower.starts_with(word)) {
                return Some("unquoted values that begin like an operator");
            }
            if pattern.pieces().len() > 1
                && pattern.pieces().iter().any(|piece| piece.contains('*'))
            {
                return Some("a wildcard beside an escaped star");
            }
            if pattern.as_exact().is_some() && is_odd_number(&text) {
                return Some("numbers that are spelled otherwise");
            }
            text
        }
    };
    if matches!(text.as_str(), "true" | "false" | "0" | "1") {
        return Some("texts of booleans, 0 and 1");
    }
    if is_odd_number(&text) {
        return Some("numbers that are spelled otherwise");
    }
    let address = text.split('/').next().unwrap_or_default();
    let is_address = address.parse::<std::net::Ipv4Addr>().is_ok();
    match of {
        FieldType::Ip if !is_address => Some("addresses beyond IPv4"),
        FieldType::Ip => None,
        _ if is_address && text.contains('/') => Some("address blocks on other fields"),
        _ => None,
    }
}

/// Whether Python reads a number that is written otherwise.
fn is_odd_number(text: &str) -> bool {
    let lower = text.trim().to_lowercase().replace('_', "");
    let is_number = lower.parse::<f64>().is_ok();
    is_number && text.parse::<i64>().ok().map(|number| number.to_string()).as_deref() != Some(text)
}

/// What both sides judge: the event as it was decoded.
fn with_decoded<T>(event: &Json, judge: impl FnOnce(&ouzel::event::Event<'_>) -> T) -> T {
    let payload = event.to_string();
    let record = Record {
        payload: Some(payload.as_bytes()),
        key: None,
        headers: &NoHeaders,
        position: Position { topic: "okta", partition: 0, offset: 0 },
        timestamp: Some(NOW),
        received: NOW,
    };
    let mut scratch = Scratch::default();
    let decoded = decode(&record, &TopicProfile::default(), &mut scratch);
    assert_eq!((decoded.fault, decoded.events.len()), (None, 1), "{payload}");
    judge(&decoded.events[0])
}

pub(super) fn json_of(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(is) => json!(is),
        Value::Int(number) => json!(number),
        Value::Uint(number) => json!(number),
        Value::Float(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        Value::Text(text) => json!(text),
        Value::Array(items) => items.iter().map(|item| json_of(*item)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            Json::Object(Map::from_iter(
                members.map(|member| (member.name.to_owned(), json_of(member.value))),
            ))
        }
    }
}

/// A query with events, and what Ouzel says of them.
struct Question {
    query: Query,
    documents: Vec<Json>,
    verdicts: Vec<bool>,
}

fn question(
    query: Query,
    types: &FieldTypes,
    random: &mut Random,
) -> Result<Question, &'static str> {
    let (mut asked, mut nested) = (Vec::new(), Vec::new());
    events::asked(&query.root, "", &mut asked);
    events::nested_paths(&query.root, "", &mut nested);
    if let Some(reason) = outside_of_the_common_subset(&query, &asked, &nested, types) {
        return Err(reason);
    }
    let program = Program::compile(&query, types);
    let judged = (0..EVENTS_PER_QUERY).map(|_| {
        let event = events::event(&asked, &nested, types, random);
        with_decoded(&event, |event| {
            (json_of(Value::Object(event.fields)), program.holds(event, NOW))
        })
    });
    let (documents, verdicts) = judged.unzip();
    drop(asked);
    Ok(Question { query, documents, verdicts })
}

#[test]
fn verdicts_agree_with_the_evaluator_of_detection_rules() {
    let Some(folder) = super::input("OUZEL_DETECTION_RULES") else { return };
    let python = std::env::var("OUZEL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !super::runs(Command::new(&python).args(["-c", "import lark, eql"])) {
        return;
    }
    let (types, mut random) = (FieldTypes::builtin(), Random::new(1));
    let mut queries: Vec<Query> = Vec::new();
    for text in queries::of_rules(&folder) {
        let query = kql::parse(&text).unwrap_or_else(|faults| panic!("{text}\n{faults:#?}"));
        for _ in 0..4 * super::scale() {
            queries.extend(kql::parse(&kql::print(&queries::varied(&query.root, &mut random))));
        }
        queries.push(query);
    }
    for _ in 0..4000 * super::scale() {
        queries.extend(kql::parse(&kql::print(&queries::generated(3, &mut random))));
    }
    let (mut left_out, mut questions) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for query in queries {
        match question(query, &types, &mut random) {
            Ok(question) => questions.push(question),
            Err(reason) => *left_out.entry(reason).or_default() += 1,
        }
    }
    let lines: Vec<String> = questions
        .iter()
        .map(|one| json!({"query": one.query.text, "events": one.documents}).to_string())
        .collect();
    let mut python = Command::new(python);
    let answers = super::answers(python.arg(super::script("evaluate.py")).arg(folder), &lines);
    let mut count = Count::default();
    for (question, answer) in questions.iter().zip(&answers) {
        count.take(question, answer);
    }
    println!("{} queries compared; left out: {left_out:#?}", questions.len());
    println!("{} pairs agree, {} of them held", count.agreed, count.held);
    println!("refused by the evaluator: {:#?}", count.refused);
    println!("pairs that the evaluator could not judge: {}", count.failed);
    super::none_differ(&count.differences);
    assert!(count.agreed > 10_000, "only {} pairs were compared", count.agreed);
}

#[derive(Default)]
struct Count {
    agreed: usize,
    held: usize,
    failed: usize,
    refused: BTreeMap<String, usize>,
    differences: BTreeMap<&'static str, Vec<String>>,
}

impl Count {
    fn take(&mut self, question: &Question, answer: &str) {
        let Question { query, documents, verdicts } = question;
        let theirs = match serde_json::from_str(answer).expect("answers are JSON") {
            Json::Array(theirs) => theirs,
            refused => {
                let reason = refused.as_str().unwrap_or_default();
                let reason = reason.split([':', ',']).next().unwrap_or_default().to_owned();
                *self.refused.entry(reason).or_default() += 1;
                return;
            }
        };
        for ((ours, theirs), document) in verdicts.iter().zip(theirs).zip(documents) {
            match theirs.as_bool() {
                None => self.failed += 1,
                Some(theirs) if theirs == *ours => {
                    self.agreed += 1;
                    self.held += usize::from(theirs);
                }
                Some(_) => {
                    let class = if *ours { "only ours holds" } else { "only theirs holds" };
                    let shown = format!("{}\n  {document}", query.text);
                    self.differences.entry(class).or_default().push(shown);
                }
            }
        }
    }
}
