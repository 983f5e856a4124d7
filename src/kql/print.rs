//! Tree → text that parses to the same tree.

use super::ast::{Expr, Literal, Node, Pattern, RangeOperator};
use super::glob::LetterCase;
use super::lexer::{Keyword, SPECIAL, is_space, keyword_length};

/// The node as KQL text; what it parses to equals `node` (but for [`Expr::Like`], which only
/// people can read).
#[must_use]
pub fn print(node: &Node) -> String {
    let mut out = String::new();
    write(node, Tightness::Or, &mut out);
    out
}

/// How tight the place is that a node is printed in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    Or,
    And,
    Not,
    Group,
}

fn write(node: &Node, place: Tightness, out: &mut String) {
    let own = match &node.expr {
        Expr::Or(_) => Tightness::Or,
        Expr::And(_) => Tightness::And,
        Expr::Not(_) => Tightness::Not,
        _ => Tightness::Group,
    };
    if own < place {
        out.push('(');
        write(node, Tightness::Or, out);
        out.push(')');
        return;
    }
    match &node.expr {
        Expr::All => out.push_str("*:*"),
        Expr::And(operands) => join(operands, " and ", Tightness::Not, out),
        Expr::Or(operands) => join(operands, " or ", Tightness::And, out),
        Expr::Not(inner) => {
            out.push_str("not ");
            write(inner, Tightness::Group, out);
        }
        Expr::Is { field, value } => {
            if let Some(field) = field {
                write_field(field, out);
                out.push(':');
            }
            write_literal(value, out);
        }
        Expr::Exists { field } => {
            write_field(field, out);
            out.push_str(":*");
        }
        Expr::Range { field, operator, value } => {
            write_field(field, out);
            out.push_str(match operator {
                RangeOperator::Below => " < ",
                RangeOperator::AtMost => " <= ",
                RangeOperator::Above => " > ",
                RangeOperator::AtLeast => " >= ",
            });
            write_literal(value, out);
        }
        Expr::Nested { path, query } => {
            write_field(path, out);
            out.push_str(":{ ");
            write(query, Tightness::Or, out);
            out.push_str(" }");
        }
        // EQL's spelling: people know it, and it cannot be mistaken for KQL.
        Expr::Like { field, glob } => {
            write_field(field, out);
            out.push_str(match glob.case() {
                LetterCase::Sensitive => " like ",
                LetterCase::Insensitive => " like~ ",
            });
            write_quoted(glob.text(), out);
        }
    }
}

fn join(operands: &[Node], operator: &str, place: Tightness, out: &mut String) {
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            out.push_str(operator);
        }
        write(operand, place, out);
    }
}

fn write_literal(value: &Literal, out: &mut String) {
    match value {
        Literal::Null => out.push_str("null"),
        Literal::Bool(true) => out.push_str("true"),
        Literal::Bool(false) => out.push_str("false"),
        Literal::Unquoted(pattern) => write_pattern(pattern, out),
        Literal::Quoted(text) => write_quoted(text, out),
    }
}

/// A name with white space at an end was quoted: unquoted, it would be trimmed.
fn write_field(field: &Pattern, out: &mut String) {
    match field.as_exact() {
        Some(name) if name.trim() != name || name.is_empty() => write_quoted(name, out),
        _ => write_pattern(field, out),
    }
}

/// In quotes a backslash is doubled always: then no escape can come about by accident.
fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for symbol in text.chars() {
        if matches!(symbol, '"' | '\\') {
            out.push('\\');
        }
        out.push(symbol);
    }
    out.push('"');
}

fn write_pattern(pattern: &Pattern, out: &mut String) {
    // The plain text first, with stars marked, because an operator can span a whole value.
    if pattern.as_exact() == Some("") {
        out.push_str("\\u0020");
        return;
    }
    for (index, piece) in pattern.pieces().iter().enumerate() {
        if index > 0 {
            out.push('*');
        }
        let is_last = index + 1 == pattern.pieces().len();
        write_piece(piece, if is_last { " " } else { "*" }, out);
    }
}

/// Writes a piece that `next` may follow: white space makes an operator of an ending ` and`.
fn write_piece(piece: &str, next: &str, out: &mut String) {
    let followed = format!("{piece}{next}");
    for (at, symbol) in piece.char_indices() {
        let rest = followed.get(at..).unwrap_or_default();
        match symbol {
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Before the rest of `not` that escape would be the operator's.
            '\n' if is_rest_of_not(rest) => push_unicode(symbol, out),
            '\n' => out.push_str("\\n"),
            _ if SPECIAL.contains(symbol) => {
                out.push('\\');
                out.push(symbol);
            }
            // An operator needs white space that can be seen: escaped, it is none.
            _ if is_space(symbol) && begins_operator(rest) => push_unicode(symbol, out),
            _ if keyword_length(rest, Keyword::Not).is_some() => {
                out.push('\\');
                out.push(symbol);
            }
            _ => out.push(symbol),
        }
    }
}

/// Whether `text`, its first character written as `\n`, would begin like an escaped `not`.
fn is_rest_of_not(text: &str) -> bool {
    let mut letters = text.chars().skip(1).map(|letter| letter.to_ascii_lowercase());
    letters.next() == Some('o') && letters.next() == Some('t')
}

fn begins_operator(text: &str) -> bool {
    [Keyword::And, Keyword::Or].into_iter().any(|keyword| keyword_length(text, keyword).is_some())
}

fn push_unicode(symbol: char, out: &mut String) {
    let code = u32::from(symbol);
    out.push_str(&format!("\\u{code:04x}"));
}
