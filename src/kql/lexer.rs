//! Text → keywords and literals, as Kibana's grammar spells them.
//!
//! The grammar has no tokens that stand for themselves: whether `and` is an operator or part of a
//! value depends on the white space around it and on where an operand may begin. So this is a
//! scanner that the parser asks, not a list of tokens made beforehand.
//!
//! Source of the rules: Kibana's `kbn-es-query` grammar (`grammar.peggy`).

use super::Diagnostic;
use super::ast::{Literal, Pattern, Span};
use crate::limits;

/// The characters that an unquoted value must escape.
pub(super) const SPECIAL: &str = "\\():<>\"*{}";

/// Whether `symbol` is white space to the grammar.
pub(super) const fn is_space(symbol: char) -> bool {
    matches!(symbol, ' ' | '\t' | '\r' | '\n' | '\u{a0}')
}

/// The operators that are words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
}

impl Keyword {
    pub(super) const ALL: [Self; 3] = [Self::And, Self::Or, Self::Not];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
        }
    }
}

/// How many bytes of white space `text` begins with.
fn leading_space(text: &str) -> usize {
    text.find(|symbol| !is_space(symbol)).unwrap_or(text.len())
}

/// The length of `word` at the start of `text`, in any letter case.
fn leading_word(text: &str, word: &str) -> Option<usize> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then_some(word.len())
}

/// The length of the operator `keyword` at the start of `text`, with the white space that belongs
/// to it: `and` and `or` need some on both sides, `not` behind it.
pub(super) fn keyword_length(text: &str, keyword: Keyword) -> Option<usize> {
    let before = match keyword {
        Keyword::Not => 0,
        Keyword::And | Keyword::Or => Some(leading_space(text)).filter(|length| *length > 0)?,
    };
    let word = leading_word(text.get(before..)?, keyword.word())?;
    let after = leading_space(text.get(before + word..)?);
    (after > 0).then_some(before + word + after)
}

/// Whether any operator begins at the start of `text`.
pub(super) fn is_keyword(text: &str) -> bool {
    Keyword::ALL.into_iter().any(|keyword| keyword_length(text, keyword).is_some())
}

/// A place in a query's text, moving forward.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes from the start of the text.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What has been read.
    pub(super) fn before(&self) -> &'t str {
        self.text.get(..self.at).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    pub(super) fn skip_space(&mut self) {
        self.advance(leading_space(self.rest()));
    }

    /// Steps over `expected`, if it is next.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let is_next = self.rest().starts_with(expected);
        if is_next {
            self.advance(expected.len());
        }
        is_next
    }

    /// Steps over the operator, if it is next.
    pub(super) fn take_keyword(&mut self, keyword: Keyword) -> bool {
        match keyword_length(self.rest(), keyword) {
            Some(length) => {
                self.advance(length);
                true
            }
            None => false,
        }
    }

    /// The text from `start` to here.
    pub(super) const fn since(&self, start: usize) -> Span {
        Span { start, end: self.at }
    }

    /// Reads a quoted or an unquoted literal; `None` where neither begins here.
    pub(super) fn literal(&mut self) -> Result<Option<Literal>, Diagnostic> {
        if self.peek() == Some('"') {
            return self.quoted().map(|text| Some(Literal::Quoted(text)));
        }
        self.unquoted()
    }

    fn quoted(&mut self) -> Result<String, Diagnostic> {
        let start = self.at;
        self.advance(1);
        let mut text = String::new();
        while let Some(symbol) = self.peek() {
            if symbol == '"' {
                self.advance(1);
                return Ok(text);
            }
            let (meaning, length) = match self.escape() {
                Some(found) => found,
                None => match self.rest().get(..2) {
                    Some("\\\"") => ('"', 2),
                    Some("\\\\") => ('\\', 2),
                    _ => (symbol, symbol.len_utf8()),
                },
            };
            text.push(meaning);
            self.advance(length);
        }
        Err(Diagnostic {
            span: Span { start, end: start + 1 },
            message: "this quote is never closed".to_owned(),
            hint: Some("close it with `\"`; a quote inside the value is written `\\\"`".to_owned()),
        })
    }

    /// What the escapes that both kinds of values know mean, and how long they are.
    fn escape(&self) -> Option<(char, usize)> {
        let rest = self.rest().strip_prefix('\\')?;
        match rest.chars().next()? {
            't' => Some(('\t', 2)),
            'r' => Some(('\r', 2)),
            'n' => Some(('\n', 2)),
            'u' => {
                let own = unit(rest.get(1..5)?)?;
                // Characters beyond the first plane are written as two halves, as in JSON.
                let other = rest.get(5..).and_then(|rest| rest.strip_prefix("\\u")?.get(..4));
                let other = other.and_then(unit);
                if let Some(symbol) = other.and_then(|other| joined(own, other)) {
                    return Some((symbol, 12));
                }
                let symbol = char::from_u32(u32::from(own));
                Some((symbol.unwrap_or(char::REPLACEMENT_CHARACTER), 6))
            }
            _ => None,
        }
    }

    fn unquoted(&mut self) -> Result<Option<Literal>, Diagnostic> {
        let start = self.at;
        let mut pieces = vec![String::new()];
        while let Some((found, length)) = self.unquoted_symbol()? {
            match (found, pieces.last_mut()) {
                (Some(symbol), Some(piece)) => piece.push(symbol),
                _ => pieces.push(String::new()),
            }
            self.advance(length);
        }
        if self.at == start {
            return Ok(None);
        }
        trim(&mut pieces);
        let stars = pieces.len() - 1;
        if stars > limits::WILDCARDS_PER_VALUE_MAX {
            return Err(Diagnostic {
                span: self.since(start),
                message: format!("{stars} wildcards in one value"),
                hint: Some(format!("at most {} are allowed", limits::WILDCARDS_PER_VALUE_MAX)),
            });
        }
        let pattern = Pattern::from_pieces(pieces);
        Ok(Some(match pattern.as_exact() {
            Some("null") => Literal::Null,
            Some("true") => Literal::Bool(true),
            Some("false") => Literal::Bool(false),
            _ => Literal::Unquoted(pattern),
        }))
    }

    /// The next symbol of an unquoted value (`None` inside: a wildcard) and its length; `None`
    /// where the value ends.
    fn unquoted_symbol(&self) -> Result<Option<(Option<char>, usize)>, Diagnostic> {
        let rest = self.rest();
        let Some(symbol) = rest.chars().next() else { return Ok(None) };
        if symbol == '*' {
            return Ok(Some((None, 1)));
        }
        if symbol == '\\' {
            return self.unquoted_escape().map(|(symbol, length)| Some((Some(symbol), length)));
        }
        if SPECIAL.contains(symbol) || is_keyword(rest) {
            return Ok(None);
        }
        Ok(Some((Some(symbol), symbol.len_utf8())))
    }

    fn unquoted_escape(&self) -> Result<(char, usize), Diagnostic> {
        let behind = self.rest().get(1..).unwrap_or_default();
        // `\and`, `\or`, `\not`: the backslash goes, the word stays; its other letters follow as
        // plain symbols because what is left of it is no operator. Where a word goes on behind
        // `not` (`\note`), the escape is `\n`.
        if let (true, Some(first)) = (escapes_operator(behind), behind.chars().next()) {
            return Ok((first, 2));
        }
        if let Some(found) = self.escape() {
            return Ok(found);
        }
        if let Some(symbol) = behind.chars().next().filter(|symbol| SPECIAL.contains(*symbol)) {
            return Ok((symbol, 2));
        }
        let shown = behind.chars().next().map(String::from).unwrap_or_default();
        Err(Diagnostic {
            span: Span { start: self.at, end: self.at + 1 + shown.len() },
            message: format!("`\\{shown}` is no escape outside of quotes"),
            hint: Some(
                "a backslash itself is written `\\\\`; escapes are \\t \\r \\n \\uXXXX and a \
                 backslash before one of ( ) : < > \" * { } or before and, or, not"
                    .to_owned(),
            ),
        })
    }
}

/// Whether an operator word stands at the start of `text`, and what begins like `\n` is no longer
/// word.
fn escapes_operator(text: &str) -> bool {
    Keyword::ALL.into_iter().any(|keyword| {
        let end = leading_word(text, keyword.word());
        let next = end.and_then(|end| text.get(end..)).map(|rest| rest.chars().next());
        let is_whole = |next: Option<char>| next.is_none_or(|symbol| !symbol.is_alphanumeric());
        next.is_some_and(|next| !text.starts_with('n') || is_whole(next))
    })
}

/// The UTF-16 unit that four hexadecimal digits say.
fn unit(digits: &str) -> Option<u16> {
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

/// The character that two halves make.
fn joined(high: u16, low: u16) -> Option<char> {
    let is_pair = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    let symbol = char::decode_utf16([high, low]).next()?;
    symbol.ok().filter(|_| is_pair)
}

/// Takes white space off both ends, as JavaScript's `trim` does.
fn trim(pieces: &mut [String]) {
    // JavaScript counts the byte order mark in, and U+0085 out.
    let is_blank =
        |symbol: char| symbol == '\u{feff}' || (symbol.is_whitespace() && symbol != '\u{85}');
    if let Some(first) = pieces.first_mut() {
        *first = first.trim_start_matches(is_blank).to_owned();
    }
    if let Some(last) = pieces.last_mut() {
        *last = last.trim_end_matches(is_blank).to_owned();
    }
}
