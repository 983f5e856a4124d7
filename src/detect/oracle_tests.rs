//! The compiled evaluator against the naive one, over generated queries × generated documents.
//!
//! A case judges every query of a handful on every document of a handful, and judges twice: the
//! program, and what explains it. The cases of one run are more than a million pairs;
//! `PROPTEST_CASES=10000 cargo test --lib oracle_tests` judges sixteen million.

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::support_tests::{NOW, types, with_event};
use super::{Program, explain, reference};
use crate::event::FieldTypes;
use crate::kql::{self, Expr, Literal, Node, Pattern, Query, RangeOperator, Span};

/// Names that queries ask for and documents have.
const NAMES: [&str; 13] = [
    "a",
    "o.k",
    "o.k.z",
    "n",
    "flag",
    "source.ip",
    "@timestamp",
    "message",
    "okta.target",
    "okta.target.id",
    "process.name",
    "list.x",
    "list.in.y",
];

const TEXTS: [&str; 24] = [
    "x",
    "X",
    "xy",
    "x y",
    "y x",
    "x-y Z",
    "5",
    "05",
    "5.0",
    "10",
    "true",
    "null",
    "",
    "é É",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "10.0.0.0/8",
    "fe80::1",
    "2024-02-29",
    "2024-02-29T12:00:00Z",
    "2024",
    "now-1d/d",
    "now",
    "*",
];

fn text() -> impl Strategy<Value = String> {
    proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => text().prop_map(Json::from),
        3 => proptest::sample::select(vec![5, 10, -1, 0, 1_709_164_800_000_i64]).prop_map(Json::from),
        1 => proptest::sample::select(vec![5.0, 1.5, -0.25]).prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    let scalars = || proptest::collection::vec(scalar(), 0..3).prop_map(Json::from);
    prop_oneof![6 => scalar(), 2 => scalars(), 1 => scalars().prop_map(|inner| Json::from(vec![inner]))]
}

/// An object as it is written: names may be dotted and may stand twice.
type Members = Vec<(String, Json)>;

fn nest(name: &str, value: Json, dots_opened: usize) -> (String, Json) {
    match name.split_once('.') {
        Some((head, rest)) if dots_opened > 0 => {
            let (name, value) = nest(rest, value, dots_opened - 1);
            (head.to_owned(), Json::Object(Map::from_iter([(name, value)])))
        }
        _ => (name.to_owned(), value),
    }
}

fn members() -> impl Strategy<Value = Members> {
    let plain = proptest::sample::select(&NAMES[..11]);
    let one = (plain, value(), 0..3_usize).prop_map(|(name, value, dots)| nest(name, value, dots));
    let element = proptest::collection::vec((value(), value(), value()), 0..3).prop_map(|many| {
        let inner = |(x, y, z)| serde_json::json!({"x": x, "in": [{"y": y}, {"y": z}]});
        Json::from(many.into_iter().map(inner).collect::<Vec<_>>())
    });
    (proptest::collection::vec(one, 0..6), proptest::option::of(element)).prop_map(
        |(mut members, list)| {
            members.extend(list.map(|list| ("list".to_owned(), list)));
            members
        },
    )
}

fn written(members: &Members) -> String {
    let members = members.iter().map(|(name, value)| format!("{}:{value}", Json::from(&**name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// What `members` say: a name that stands twice has all its values.
fn said(members: &Members) -> Json {
    let mut object = Map::new();
    for (name, value) in members {
        match object.remove(name) {
            Some(earlier) => object.insert(name.clone(), Json::from(vec![earlier, value.clone()])),
            None => object.insert(name.clone(), value.clone()),
        };
    }
    Json::Object(object)
}

fn pattern(text: &str) -> Pattern {
    Pattern::from_pieces(text.split('*').map(str::to_owned).collect())
}

fn field() -> impl Strategy<Value = Pattern> {
    let wild = ["o.*", "*.ip", "okta*", "list.*", "*a*", "process.*.text", "*.k"];
    prop_oneof![
        8 => proptest::sample::select(&NAMES[..]).prop_map(pattern),
        1 => Just(pattern("process.name.text")),
        1 => proptest::sample::select(wild.to_vec()).prop_map(pattern),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    let wild = ["x*", "*x", "*5*", "*.0", "t*e", "10.*", "* y", "É*", "2024*"];
    prop_oneof![
        4 => text().prop_map(|text| Literal::Unquoted(Pattern::exact(text))),
        4 => text().prop_map(Literal::Quoted),
        2 => proptest::sample::select(wild.to_vec()).prop_map(|text| Literal::Unquoted(pattern(text))),
        1 => any::<bool>().prop_map(Literal::Bool),
        1 => Just(Literal::Null),
    ]
}

fn node(expr: Expr) -> Node {
    Node { expr, span: Span::default() }
}

fn clause() -> impl Strategy<Value = Expr> {
    let operators =
        [RangeOperator::Below, RangeOperator::AtMost, RangeOperator::Above, RangeOperator::AtLeast];
    prop_oneof![
        6 => (field(), literal()).prop_map(|(field, value)| Expr::Is { field: Some(field), value }),
        1 => literal().prop_map(|value| Expr::Is { field: None, value }),
        2 => field().prop_map(|field| Expr::Exists { field }),
        3 => (field(), proptest::sample::select(operators.to_vec()), literal())
            .prop_map(|(field, operator, value)| Expr::Range { field, operator, value }),
    ]
}

fn tree() -> impl Strategy<Value = Node> {
    clause().prop_map(node).prop_recursive(4, 16, 3, |inner| {
        let many = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            many().prop_map(|operands| node(Expr::And(operands))),
            many().prop_map(|operands| node(Expr::Or(operands))),
            inner.clone().prop_map(|inner| node(Expr::Not(Box::new(inner)))),
            (proptest::sample::select(vec!["list", "list.in", "li*", "in"]), element_tree())
                .prop_map(|(path, query)| node(Expr::Nested {
                    path: pattern(path),
                    query: Box::new(query)
                })),
        ]
    })
}

/// A query inside of `list:{ … }`.
fn element_tree() -> impl Strategy<Value = Node> {
    let name = proptest::sample::select(vec!["x", "in.y", "y", "*"]);
    let is = (name, literal())
        .prop_map(|(name, value)| node(Expr::Is { field: Some(pattern(name)), value }));
    let inner = is.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..3)
                .prop_map(|operands| node(Expr::And(operands))),
            inner.prop_map(|inner| node(Expr::Not(Box::new(inner)))),
        ]
    });
    prop_oneof![
        3 => inner.clone(),
        1 => inner.prop_map(|query| node(Expr::Nested { path: pattern("in"), query: Box::new(query) })),
    ]
}

fn judge(queries: &[(Query, Program)], members: &Members, types: &FieldTypes) {
    let (text, document) = (written(members), said(members));
    with_event(&text, |event| {
        for (query, program) in queries {
            let held = program.holds(event, NOW);
            let naive = reference::holds(query, &document, types, NOW);
            assert_eq!(held, naive, "compiled against naive: {}\n{text}", query.text);
            assert_eq!(!program.matched(event, NOW).is_empty(), held, "{}\n{text}", query.text);
        }
    });
}

fn compiled(root: Node, types: &FieldTypes) -> (Query, Program) {
    let query = Query { text: kql::print(&root), root };
    let program = Program::compile(&query, types);
    (query, program)
}

/// Queries and documents of one case.
const HANDFUL: usize = 40;

/// Cases for a million pairs, unless the environment asks for another number.
fn a_million_pairs() -> ProptestConfig {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 1_000_000_u32.div_ceil((HANDFUL * HANDFUL) as u32),
    };
    ProptestConfig::with_cases(cases)
}

proptest! {
    #![proptest_config(a_million_pairs())]

    #[test]
    fn the_compiled_evaluator_agrees_with_the_naive_one(
        trees in proptest::collection::vec(tree(), HANDFUL),
        documents in proptest::collection::vec(members(), HANDFUL),
    ) {
        let types = types();
        let queries: Vec<_> = trees.into_iter().map(|root| compiled(root, &types)).collect();
        documents.iter().for_each(|members| judge(&queries, members, &types));
    }

    #[test]
    fn the_explanation_agrees_with_the_verdict(root in tree(), members in members()) {
        let types = types();
        let (query, program) = compiled(root, &types);
        let text = written(&members);
        with_event(&text, |event| {
            let explanation = explain::explain(&query, event, &types, NOW);
            let held = program.holds(event, NOW);
            assert_eq!(explanation.held, held, "{}\n{text}", query.text);
            let shown = explanation.render();
            assert_eq!(shown.starts_with('✓'), held, "{shown}");
        });
    }
}
