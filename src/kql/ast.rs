//! The tree of a query.

use super::glob::Glob;

/// A range of bytes in the query's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The text it was parsed from.
    pub text: String,
    /// The tree.
    pub root: Node,
}

/// An expression with its place in the text. Two nodes are equal when their expressions are:
/// the span does not count.
#[derive(Clone, Debug)]
pub struct Node {
    /// The expression.
    pub expr: Expr,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}
impl Eq for Node {}

/// One expression. Value lists (`field:(a or b)`) are opened while parsing: the field is
/// repeated in each clause, as Kibana does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// Everything matches (`*:*`, the empty query).
    All,
    /// Every operand holds; at least two, none of them `And`.
    And(Vec<Node>),
    /// Some operand holds; at least two, none of them `Or`.
    Or(Vec<Node>),
    /// The operand does not hold.
    Not(Box<Node>),
    /// `field:value`; without a field (free text) any field counts.
    Is {
        /// The field, or `None` for free text.
        field: Option<FieldName>,
        /// The value.
        value: Literal,
    },
    /// `field:*`.
    Exists {
        /// The field.
        field: FieldName,
    },
    /// `field >= value`.
    Range {
        /// The field.
        field: FieldName,
        /// The comparison.
        operator: RangeOperator,
        /// The bound.
        value: Literal,
    },
    /// `path:{ query }`: one element of the array at `path` satisfies the whole inner query,
    /// whose field names are relative to `path`.
    Nested {
        /// The path of the array.
        path: FieldName,
        /// The inner query.
        query: Box<Node>,
    },
    /// A value of the field matches a wildcard of Elastic's query DSL. KQL has no spelling for
    /// it: it comes from a rule's `filters` only, never from a query's text.
    Like {
        /// The field; never a wildcard.
        field: FieldName,
        /// The pattern.
        glob: Glob,
    },
}

/// The comparisons of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeOperator {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// A field name, unescaped, possibly with `*`.
pub type FieldName = Pattern;

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Literal {
    /// `null`, unquoted.
    Null,
    /// `true` or `false`, unquoted.
    Bool(bool),
    /// Unquoted text, unescaped; may hold wildcards.
    Unquoted(Pattern),
    /// Quoted text, unescaped; stars are plain characters.
    Quoted(String),
}

/// Text with `*` in it: the pieces between the stars. One piece: no star. `*` itself: two empty
/// pieces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    /// Text without a star.
    #[must_use]
    pub fn exact(text: impl Into<String>) -> Self {
        Self { pieces: vec![text.into()] }
    }

    /// A pattern from the pieces between its stars; no piece at all is the empty text.
    #[must_use]
    pub fn from_pieces(pieces: Vec<String>) -> Self {
        if pieces.is_empty() { Self::exact("") } else { Self { pieces } }
    }

    /// The pieces between the stars; at least one.
    #[must_use]
    pub fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// The text, where there is no star.
    #[must_use]
    pub fn as_exact(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether the pattern is one or more stars and nothing else.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(String::is_empty)
    }

    /// Whether `text` matches: stars stand for any run of characters. Linear in the length of
    /// the text times the number of pieces.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.as_exact() == Some(text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for piece in middle {
            match rest.find(piece.as_str()) {
                Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}
