//! Accepted and refused texts, and the trees of the accepted ones, against Kibana's grammar.
//!
//! Left out by construction, and written down in docs/RULES.md: what a limit of ours refuses; the
//! escape of half a surrogate pair; a field that is called `null` without quotes, which Kibana
//! takes for no field; `\not`, which Kibana takes for the escape `\n` and the letters `ot`.

use std::collections::BTreeMap;
use std::process::Command;

use ouzel::kql::{self, Expr, Literal, Node, Pattern, RangeOperator};
use serde_json::{Value as Json, json};

use super::queries;
use super::random::Random;

/// What stands for a wildcard in a compared text.
const STAR: &str = "\u{e000}";

fn text(pattern: &Pattern) -> String {
    pattern.pieces().join(STAR)
}

fn value(literal: &Literal) -> Json {
    match literal {
        Literal::Null => json!(["null", "null"]),
        Literal::Bool(is) => json!(["bool", is.to_string()]),
        Literal::Quoted(text) => json!(["quoted", text]),
        Literal::Unquoted(pattern) => json!(["unquoted", text(pattern)]),
    }
}

/// The tree in the form that grammar.cjs writes.
fn form(node: &Node) -> Json {
    let chain = |name: &str, operands: &[Node]| {
        let head = Json::from(name);
        Json::from_iter([head].into_iter().chain(operands.iter().map(form)))
    };
    match &node.expr {
        Expr::All => json!(["all"]),
        Expr::And(operands) => chain("and", operands),
        Expr::Or(operands) => chain("or", operands),
        Expr::Not(inner) => json!(["not", form(inner)]),
        Expr::Is { field, value: literal } => {
            json!(["is", field.as_ref().map(text), value(literal)])
        }
        Expr::Exists { field } => json!(["exists", text(field)]),
        Expr::Range { field, operator, value: literal } => {
            let operator = match operator {
                RangeOperator::Below => "lt",
                RangeOperator::AtMost => "lte",
                RangeOperator::Above => "gt",
                RangeOperator::AtLeast => "gte",
            };
            json!(["range", text(field), operator, value(literal)])
        }
        Expr::Nested { path, query } => json!(["nested", text(path), form(query)]),
        Expr::Like { .. } => panic!("no text parses to this"),
    }
}

/// What both sides made of one text.
fn difference(query: &str, answer: &str) -> Option<(&'static str, String)> {
    // JavaScript's strings, and so the answer, may hold half a pair, which is no text here.
    let theirs: Json = serde_json::from_str(answer).ok()?;
    let ours = kql::parse(query);
    match (ours, theirs) {
        (Err(_), Json::Null) => None,
        (Ok(query), theirs) if form(&query.root) == theirs => None,
        (Ok(query), Json::Null) => {
            Some(("only ours accepts", format!("{:?}: {}", query.text, form(&query.root))))
        }
        (Ok(query), theirs) => Some((
            "other trees",
            format!("{:?}\n  ours   {}\n  theirs {theirs}", query.text, form(&query.root)),
        )),
        (Err(faults), theirs) => {
            let reason = &faults[0].message;
            Some(("only theirs accepts", format!("{query:?}: {reason}\n  theirs {theirs}")))
        }
    }
}

/// Whether a text is left out: see the module's essay.
fn is_left_out(query: &str) -> bool {
    let lower = query.to_ascii_lowercase();
    let names_null = lower.match_indices("null").any(|(at, word)| {
        let behind = lower.get(at + word.len()..).unwrap_or_default().trim_start();
        behind.starts_with([':', '<', '>'])
    });
    names_null || lower.contains("\\not")
}

#[test]
fn the_parser_accepts_what_kibanas_grammar_accepts_and_builds_the_same_trees() {
    let (Some(grammar), Some(peggy)) =
        (super::input("OUZEL_KUERY_GRAMMAR"), super::input("OUZEL_PEGGY"))
    else {
        return;
    };
    if !super::runs(Command::new("node").arg("--version")) {
        return;
    }
    let mut random = Random::new(4);
    let rules = super::input("OUZEL_DETECTION_RULES");
    let mut asked = rules.map(|folder| queries::of_rules(&folder)).unwrap_or_default();
    let of_rules = asked.len();
    asked.extend(
        super::script("../../fuzz/seeds/kql.txt").exists().then(seeds).into_iter().flatten(),
    );
    let whole = asked.clone();
    for _ in 0..20_000 * super::scale() {
        asked.push(match random.below(4) {
            0 => queries::soup(&mut random),
            1 => kql::print(&queries::generated(3, &mut random)),
            2 => queries::broken(&kql::print(&queries::generated(2, &mut random)), &mut random),
            _ => queries::broken(random.of::<String>(&whole).clone().as_str(), &mut random),
        });
    }
    asked.retain(|query| !is_left_out(query));
    let lines: Vec<String> =
        asked.iter().map(|query| Json::from(query.as_str()).to_string()).collect();
    let mut node = Command::new("node");
    let answers =
        super::answers(node.arg(super::script("grammar.cjs")).arg(peggy).arg(grammar), &lines);
    let accepted = answers.iter().filter(|answer| *answer != "null").count();
    println!("{} texts, {of_rules} of rules; the grammar accepts {accepted}", asked.len());
    let mut differences: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (query, answer) in asked.iter().zip(&answers) {
        if let Some((class, shown)) = difference(query, answer) {
            differences.entry(class).or_default().push(shown);
        }
    }
    super::none_differ(&differences);
}

fn seeds() -> Vec<String> {
    let text = std::fs::read_to_string(super::script("../../fuzz/seeds/kql.txt"));
    text.expect("it is there").lines().map(str::to_owned).collect()
}
