use proptest::prelude::*;

use crate::kql::ast::{Expr, Literal, Node, Pattern, RangeOperator, Span};
use crate::kql::{parse, print};

/// Parses, and shows the tree as text that cannot be mistaken.
fn shown(text: &str) -> String {
    match parse(text) {
        Ok(query) => show(&query.root),
        Err(faults) => panic!("{text:?}: {faults:#?}"),
    }
}

fn show(node: &Node) -> String {
    let list = |operands: &[Node]| operands.iter().map(show).collect::<Vec<_>>().join(", ");
    match &node.expr {
        Expr::All => "all".to_owned(),
        Expr::And(operands) => format!("and({})", list(operands)),
        Expr::Or(operands) => format!("or({})", list(operands)),
        Expr::Not(inner) => format!("not({})", show(inner)),
        Expr::Is { field, value } => {
            let field = field.as_ref().map(|field| field.pieces().join("★")).unwrap_or_default();
            format!("{field}={}", literal(value))
        }
        Expr::Exists { field } => format!("{}?", field.pieces().join("★")),
        Expr::Range { field, operator, value } => {
            format!("{}{operator:?}{}", field.pieces().join("★"), literal(value))
        }
        Expr::Nested { path, query } => format!("{}{{{}}}", path.pieces().join("★"), show(query)),
        Expr::Like { field, glob } => format!("{}~{}", field.pieces().join("★"), glob.text()),
    }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Null => "null".to_owned(),
        Literal::Bool(value) => value.to_string(),
        Literal::Unquoted(pattern) => format!("<{}>", pattern.pieces().join("★")),
        Literal::Quoted(text) => format!("\"{text}\""),
    }
}

#[test]
fn what_the_grammar_accepts_reads_as_kibana_reads_it() {
    let check = |text: &str, tree: &str| assert_eq!(shown(text), tree, "{text:?}");
    check("", "all");
    check("  \t\n", "all");
    check("*:*", "all");
    check("*", "all");
    check("a:1", "a=<1>");
    check(" a : 1 ", "a=<1>");
    check("a:1 or b:2 and c:3", "or(a=<1>, and(b=<2>, c=<3>))");
    check("a:1 AND b:2 aNd c:3", "and(a=<1>, b=<2>, c=<3>)");
    check("(a:1 and b:2) and c:3", "and(a=<1>, b=<2>, c=<3>)");
    check("not a:1 and b:2", "and(not(a=<1>), b=<2>)");
    check("not (not a:1)", "not(not(a=<1>))");
    check("a:b c and d:e", "and(a=<b c>, d=<e>)");
    check("a:(x or y and not z)", "or(a=<x>, and(a=<y>, not(a=<z>)))");
    check("a:((x or y) and z)", "and(or(a=<x>, a=<y>), a=<z>)");
    check("a:( x )", "a=<x>");
    check("a:(* and not x)", "and(a?, not(a=<x>))");
    check("a:*", "a?");
    check("*:x", "★=<x>");
    check("file.hash.*:x", "file.hash.★=<x>");
    check("a:x*y", "a=<x★y>");
    check("a:\"x*y\"", "a=\"x*y\"");
    check("\"a b\":1", "a b=<1>");
    check("a:null", "a=null");
    check("a:true or a:TRUE or a:\"true\"", "or(a=true, a=<TRUE>, a=\"true\")");
    check("a:05", "a=<05>");
    check("a >= 5 and b<\"x\"", "and(aAtLeast<5>, bBelow\"x\")");
    check("a:{ b:1 and c:{ d:2 } }", "a{and(b=<1>, c{d=<2>})}");
    check("foo", "=<foo>");
    check("\"foo bar\"", "=\"foo bar\"");
    check("a:x\\:y\\*z\\(\\)", "a=<x:y*z()>");
    check("a:\\t\\u0041\\n\\and x", "a=<A\nand x>");
    check("a:x\\ordinary\\ANDy \\NOTE \\note", "a=<xordinaryANDy NOTE \note>");
    check(r"a:\ud83d\ude00*\uD83D\uDE00", "a=<😀★😀>");
    check(r#"a:"\ud83d\ude00 \ud83dx""#, "a=\"😀 \u{fffd}x\"");
    check("a:\u{feff}x\u{85}", "a=<x\u{85}>");
    check("a:x \\or y \\not z", "a=<x or y not z>");
    check("a:x\\note", "a=<x\note>");
    check("a:\"\\\"\\\\\\t\\u00e9\\x\"", "a=\"\"\\\té\\x\"");
    check("a:\u{a0}1\u{a0}and\u{a0}b:2", "and(a=<1>, b=<2>)");
    check("a:x?y/[z]-&|'", "a=<x?y/[z]-&|'>");
    check("a:\"two\nlines\"", "a=\"two\nlines\"");
    check("a:1 and", "a=<1 and>");
    check("a: and b", "a=<and b>");
    check("android:1", "android=<1>");
    check("a:nothing", "a=<nothing>");
}

#[test]
fn what_the_grammar_rejects_is_rejected_with_its_place_and_a_hint() {
    let check = |text: &str, places: &[(usize, &str)]| {
        let faults = parse(text).expect_err(text);
        let found: Vec<(usize, bool)> = faults
            .iter()
            .zip(places)
            .map(|(fault, (_, part))| {
                let all = format!("{} {}", fault.message, fault.hint.as_deref().unwrap_or(""));
                (fault.span.start, all.contains(part))
            })
            .collect();
        let wanted: Vec<(usize, bool)> = places.iter().map(|(at, _)| (*at, true)).collect();
        assert_eq!((found, faults.len()), (wanted, places.len()), "{text:?}: {faults:#?}");
        assert!(faults.iter().all(|fault| fault.hint.is_some()), "{text:?} has no hint");
    };
    check("a:not x", &[(2, "found the operator `not`")]);
    check("not not a:1", &[(4, "`not` directly behind `not`")]);
    check("not(a:1)", &[(3, "needs white space")]);
    check("a:1 and(b:2)", &[(7, "needs white space")]);
    check("a:x && b:y", &[(8, "are no operators")]);
    check("source.ip:fe80::1", &[(14, "colon must be quoted")]);
    check("(a:1", &[(0, "never closed")]);
    check("a:(1 or 2", &[(2, "never closed")]);
    check("a:1)", &[(3, "nothing opened")]);
    check("a : >5", &[(4, "a range has no colon")]);
    check("a:", &[(2, "found the end")]);
    check("a:\"x", &[(2, "never closed")]);
    check("a:x\\qy", &[(3, "is no escape")]);
    check("a:{}", &[(3, "expected a field")]);
    check("a:{ b:1", &[(2, "never closed")]);
    check("a:cannot do", &[(5, "operator word")]);
    check("a:1 \"b\"", &[(4, "join two values")]);
    check("()", &[(1, "expected a field")]);
}

#[test]
fn all_faults_of_a_query_are_reported_at_once() {
    let faults = parse("a: >5 and b:not x or (c: and d:\\q) and e:1)").expect_err("four faults");
    let starts: Vec<usize> = faults.iter().map(|fault| fault.span.start).collect();
    assert!(starts.len() >= 3, "{faults:#?}");
    assert!(starts.is_sorted());
}

#[test]
fn depth_length_and_number_are_bounded() {
    for text in [
        "(".repeat(30_000),
        "a:(".repeat(20_000),
        "a:{".repeat(20_000),
        format!("{}a:1", "not (".repeat(12_000)),
        "a:1 or ".repeat(9_000) + "a:1",
        "a".repeat(1000) + ":1",
        "a:".to_owned() + &"*x".repeat(60),
        "a".repeat(1 << 20),
        "(".repeat(1_000_000),
    ] {
        let faults = parse(&text).expect_err("past a limit");
        assert!(faults.len() < 5, "{} faults", faults.len());
    }
}

#[test]
fn a_fault_is_shown_on_its_line() {
    let text = "a:1 and\n\tb:not x";
    let faults = parse(text).expect_err("a fault");
    let shown = faults[0].render(text, 10);
    assert!(shown.starts_with("expected a value, found the operator `not` (line 12, column 4)"));
    assert!(shown.contains("12 | \tb:not x\n   | \t  ^"), "{shown}");
}

#[test]
fn of_a_long_line_a_fault_shows_what_stands_around_it() {
    let text = format!("{}a:not x{}", "b:1 or ".repeat(500), " or b:1".repeat(500));
    let faults = parse(&text).expect_err("a fault");
    let shown = faults[0].render(&text, 0);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].ends_with("(line 1, column 3503)"), "{shown}");
    assert!(lines[2].starts_with("1 | …") && lines[2].ends_with('…'), "{shown}");
    let column = |line: &str, what: &str| {
        line.find(what).and_then(|at| line.get(..at)).map(|before| before.chars().count())
    };
    assert_eq!(column(lines[2], "not x"), column(lines[3], "^"), "{shown}");
    let whole = "(".repeat(1_000_000);
    let faults = parse(&whole).expect_err("past the limit");
    assert!(faults[0].render(&whole, 0).chars().count() < 1000);
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let piece = prop_oneof![
        "[a-z.@0-9]{0,6}",
        "[ -~\u{a0}é]{0,8}",
        Just("x or y".to_owned()),
        Just("x and y not z".to_owned()),
        Just("not x".to_owned()),
        Just("x and".to_owned()),
        Just("x.not".to_owned()),
        // A line's end before these letters: its escape is the beginning of the operator's.
        Just("x\not y".to_owned()),
        Just("\nOT".to_owned()),
        Just("\\\"*:{}<>()\t\r\n".to_owned()),
    ];
    proptest::collection::vec(piece, 1..4).prop_filter_map(
        "as the parser would trim it",
        |mut pieces| {
            if let Some(first) = pieces.first_mut() {
                *first = first.trim_start().to_owned();
            }
            if let Some(last) = pieces.last_mut() {
                *last = last.trim_end().to_owned();
            }
            let pattern = Pattern::from_pieces(pieces);
            let literal = matches!(pattern.as_exact(), Some("null" | "true" | "false"));
            (!literal).then_some(pattern)
        },
    )
}

fn values() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        patterns()
            .prop_filter("a lone star is `exists`", |p| !p.is_any())
            .prop_map(Literal::Unquoted),
        "[ -~é\n]{0,8}".prop_map(Literal::Quoted),
    ]
}

fn node(expr: Expr) -> Node {
    Node { expr, span: Span::default() }
}

fn trees() -> impl Strategy<Value = Node> {
    let field = || patterns().prop_filter("`*:*` is everything", |pattern| !pattern.is_any());
    let leaf = prop_oneof![
        Just(Expr::All),
        (proptest::option::of(field()), values())
            .prop_map(|(field, value)| Expr::Is { field, value }),
        field().prop_map(|field| Expr::Exists { field }),
        (field(), values(), 0..4_usize).prop_map(|(field, value, which)| {
            let operators = [
                RangeOperator::Below,
                RangeOperator::AtMost,
                RangeOperator::Above,
                RangeOperator::AtLeast,
            ];
            Expr::Range { field, operator: operators[which], value }
        }),
    ];
    leaf.prop_map(node).prop_recursive(5, 40, 4, move |inner| {
        let many = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            many().prop_map(|operands| flatten(operands, true)),
            many().prop_map(|operands| flatten(operands, false)),
            inner.clone().prop_map(|inner| node(Expr::Not(Box::new(inner)))),
            (field(), inner.clone())
                .prop_map(|(path, query)| node(Expr::Nested { path, query: Box::new(query) })),
        ]
    })
}

#[test]
fn a_line_s_end_is_not_printed_as_the_beginning_of_an_escaped_operator() {
    for text in ["\"a\\not b\":x", "\"a\\nOT\":x", "\"\\not\":x", "a:\"x\\not\"", "\"x\\note\":1"] {
        let query = parse(text).expect("these are right");
        let printed = print(&query.root);
        assert_eq!(parse(&printed).map(|again| again.root), Ok(query.root), "{text} {printed}");
    }
}

fn flatten(operands: Vec<Node>, and: bool) -> Node {
    let operands = operands
        .into_iter()
        .flat_map(|operand| match (operand.expr, and) {
            (Expr::And(inner), true) | (Expr::Or(inner), false) => inner,
            (expr, _) => vec![node(expr)],
        })
        .collect();
    node(if and { Expr::And(operands) } else { Expr::Or(operands) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_printed_tree_parses_back_to_itself(tree in trees()) {
        let text = print(&tree);
        match parse(&text) {
            Ok(query) => prop_assert_eq!(&query.root, &tree, "{}", text),
            Err(faults) => prop_assert!(false, "{}: {:#?}", text, faults),
        }
    }

    #[test]
    fn any_text_parses_or_says_where_not(text in "[ab:()\"*{}<>= \\\\notrd]{0,40}") {
        match parse(&text) {
            Ok(query) => {
                let again = parse(&print(&query.root)).map(|query| query.root);
                prop_assert_eq!(again, Ok(query.root));
            }
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    prop_assert!(fault.span.start <= text.len() && fault.span.end <= text.len() + 3);
                    prop_assert!(fault.render(&text, 0).contains(" | "));
                }
            }
        }
    }
}
