//! Queries to ask: those of real rules, variants of them, and generated ones.

use std::path::Path;

use ouzel::kql::{Expr, Literal, Node, Pattern, RangeOperator, Span};

use super::random::Random;

/// The KQL queries of the rule files below `folder`.
pub fn of_rules(folder: &Path) -> Vec<String> {
    let mut queries: Vec<String> = super::rule_paths(folder)
        .iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).expect("rule files are UTF-8");
            let table: toml::Table = toml::from_str(&text).expect("rule files are TOML");
            let rule = table.get("rule")?.as_table()?;
            let is_kuery = rule.get("language").and_then(|name| name.as_str()) == Some("kuery");
            is_kuery.then(|| rule.get("query")?.as_str().map(str::to_owned))?
        })
        .collect();
    queries.sort();
    queries.dedup();
    queries
}

pub fn node(expr: Expr) -> Node {
    Node { expr, span: Span::default() }
}

pub fn pattern(text: &str) -> Pattern {
    Pattern::from_pieces(text.split('*').map(str::to_owned).collect())
}

const NAMES: [&str; 10] = [
    "a",
    "o.k",
    "o.p.z",
    "event.action",
    "event.outcome",
    "okta.actor.alternate_id",
    "source.ip",
    "user.name",
    "host.id",
    "process.pid",
];

const TEXTS: [&str; 16] = [
    "x",
    "X",
    "xy",
    "x-y",
    "5",
    "42",
    "success",
    "user.mfa.factor.reset_all",
    "é",
    "x'y",
    "a/b",
    "x?y",
    "user@example.com",
    "[x]",
    "x,y",
    "#1",
];

const ADDRESSES: [&str; 5] = ["10.0.0.1", "10.0.0.0/8", "192.168.0.0/16", "127.0.0.1", "8.8.8.8"];

/// A literal that both sides mean alike on `field`.
fn literal(field: &str, random: &mut Random) -> Literal {
    if field.ends_with(".ip") {
        return Literal::Quoted((*random.of(&ADDRESSES)).to_owned());
    }
    match random.below(10) {
        0 => Literal::Bool(random.once_in(2)),
        1 if random.once_in(8) => Literal::Null,
        2 | 3 => Literal::Unquoted(pattern(
            random.of::<&str>(&["x*", "*x", "*y*", "user.*", "x*y", "*5*"]),
        )),
        4..=6 => Literal::Quoted((*random.of(&["x y", "*", "not x", "x:y", "", "x"])).to_owned()),
        _ => Literal::Unquoted(Pattern::exact(*random.of(&TEXTS))),
    }
}

fn clause(random: &mut Random) -> Expr {
    let name = *random.of(&NAMES);
    match random.below(8) {
        0 => Expr::Exists { field: pattern(name) },
        1 if !name.ends_with(".ip") => {
            let operators = [
                RangeOperator::Below,
                RangeOperator::AtMost,
                RangeOperator::Above,
                RangeOperator::AtLeast,
            ];
            let value = Literal::Unquoted(Pattern::exact(*random.of(&["5", "42", "7"])));
            Expr::Range { field: pattern(name), operator: *random.of(&operators), value }
        }
        2 if random.once_in(3) => {
            Expr::Is { field: None, value: Literal::Unquoted(Pattern::exact(*random.of(&TEXTS))) }
        }
        _ => Expr::Is { field: Some(pattern(name)), value: literal(name, random) },
    }
}

/// A generated query.
pub fn generated(depth: usize, random: &mut Random) -> Node {
    let operands = |random: &mut Random| {
        let count = 2 + random.below(2);
        (0..count).map(|_| generated(depth - 1, random)).collect::<Vec<_>>()
    };
    node(match if depth == 0 { 9 } else { random.below(10) } {
        0..=2 => Expr::And(operands(random)),
        3..=5 => Expr::Or(operands(random)),
        6 | 7 => Expr::Not(Box::new(generated(depth - 1, random))),
        8 => {
            let inner = |random: &mut Random| {
                let field = Some(pattern(random.of::<&str>(&["x", "y", "in.z"])));
                node(Expr::Is { field, value: literal("x", random) })
            };
            let mut query = node(Expr::And(vec![inner(random), inner(random)]));
            if random.once_in(2) {
                query = node(Expr::Not(Box::new(inner(random))));
            }
            Expr::Nested { path: pattern("list"), query: Box::new(query) }
        }
        _ => clause(random),
    })
}

/// `original` with something else in some places.
pub fn varied(original: &Node, random: &mut Random) -> Node {
    let all = |operands: &[Node], random: &mut Random| {
        let mut operands: Vec<Node> =
            operands.iter().map(|operand| varied(operand, random)).collect();
        if operands.len() > 2 && random.once_in(6) {
            operands.remove(random.below(operands.len()));
        }
        operands
    };
    let expr = match &original.expr {
        Expr::And(operands) if random.once_in(8) => Expr::Or(all(operands, random)),
        Expr::Or(operands) if random.once_in(8) => Expr::And(all(operands, random)),
        Expr::And(operands) => Expr::And(all(operands, random)),
        Expr::Or(operands) => Expr::Or(all(operands, random)),
        Expr::Not(inner) if random.once_in(6) => return varied(inner, random),
        Expr::Not(inner) => Expr::Not(Box::new(varied(inner, random))),
        Expr::Is { field: Some(field), .. } if random.once_in(10) => {
            Expr::Exists { field: field.clone() }
        }
        Expr::Is { field: Some(field), value } if random.once_in(10) => {
            let name = field.as_exact().unwrap_or_default();
            let value = if name.is_empty() { value.clone() } else { literal(name, random) };
            Expr::Is { field: Some(field.clone()), value }
        }
        other => other.clone(),
    };
    match random.once_in(12) {
        true => node(Expr::Not(Box::new(flat(expr)))),
        false => flat(expr),
    }
}

/// `expr` as the parser would build it: no `and` in an `and`, no `or` in an `or`.
fn flat(expr: Expr) -> Node {
    let open = |operands: Vec<Node>, is_and: bool| {
        let opened = operands.into_iter().flat_map(|operand| match operand.expr {
            Expr::And(inner) if is_and => inner,
            Expr::Or(inner) if !is_and => inner,
            expr => vec![node(expr)],
        });
        opened.collect::<Vec<_>>()
    };
    node(match expr {
        Expr::And(operands) => Expr::And(open(operands, true)),
        Expr::Or(operands) => Expr::Or(open(operands, false)),
        other => other,
    })
}

/// What a text is broken with.
const PIECES: [&str; 40] = [
    " ",
    "  ",
    "\t",
    "\n",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "(",
    ")",
    "{",
    "}",
    ":",
    "<",
    ">",
    "<=",
    ">=",
    "\"",
    "*",
    "\\",
    "\\\\",
    "\\\"",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\u12",
    "\\not",
    "\\and ",
    " and ",
    " or ",
    " not ",
    "not ",
    "AND",
    " Or ",
    "null",
    "true",
    "FALSE",
    "x",
    "é",
    "a:1",
    "5",
];

/// `original` broken in a few places.
pub fn broken(original: &str, random: &mut Random) -> String {
    let mut symbols: Vec<char> = original.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(symbols.len() + 1);
        let end = (at + random.below(4)).min(symbols.len());
        let piece = random.of(&PIECES).chars();
        match random.below(4) {
            0 => drop(symbols.drain(at..end)),
            1 => drop(symbols.splice(at..end, piece)),
            2 => {
                let copied = symbols[at..end].to_vec();
                let to = random.below(symbols.len() + 1);
                drop(symbols.splice(to..to, copied));
            }
            _ => drop(symbols.splice(at..at, piece)),
        }
    }
    symbols.into_iter().collect()
}

/// A text of pieces of the language, put together without its grammar.
pub fn soup(random: &mut Random) -> String {
    (0..=random.below(12)).map(|_| *random.of(&PIECES)).collect()
}
