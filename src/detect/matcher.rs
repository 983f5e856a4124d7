//! What one value must be for a clause to hold: a literal and a field's type, made ready once.
//!
//! A [`Matcher`] judges single leaves (texts, numbers, booleans); walking arrays and objects to
//! them is the evaluator's. Everything that can be worked out from the query alone (numbers,
//! address blocks, words) is worked out here, when the rule is compiled; only date maths waits for
//! the time of judging.

use std::cmp::Ordering;

use super::address::{self, Block};
use super::date::{self, DateExpression, Interval};
use super::number::{Number, Spelled};
use super::words::{self, Phrase};
use crate::event::{Arena, FieldType, Value};
use crate::kql::{Glob, Literal, Pattern, RangeOperator};
use crate::record::Timestamp;

/// What judging needs beside the event: the time, and memory for what is made on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    /// What `now` means in date maths.
    pub(super) now: Timestamp,
    /// Holds texts that only clauses with wildcard fields or analysed wildcards make.
    pub(super) arena: &'a Arena,
}

/// What a value must be.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// Nothing holds.
    Never,
    /// Any value but null.
    Present,
    /// This text, or the number that it spells.
    Equals { text: Box<str>, number: Option<Number> },
    /// A value that reads as this text (flattened fields).
    Reads(Box<str>),
    /// A value whose text matches.
    Like(Pattern),
    /// A value whose text matches a wildcard of the query DSL.
    Glob(Glob),
    /// This number, also where the value spells it as text.
    Number { text: Box<str>, number: Number },
    /// An address within.
    Address(Block),
    /// A time on the right side of an expression.
    Date { expression: DateExpression, side: Side },
    /// One of these words.
    AnyWord(Box<[WordTest]>),
    /// These words in sequence.
    Phrase(Phrase),
    /// A text, or a number where the bound spells one, on the right side of a bound.
    Compare { operator: RangeOperator, text: Box<str>, number: Option<Number> },
    /// A number, also spelled as text, on the right side of a bound.
    CompareNumber { operator: RangeOperator, number: Number },
    /// An address on the right side of a bound.
    CompareAddress { operator: RangeOperator, block: Block },
}

/// Where a time must lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Within,
    Of(RangeOperator),
}

/// What one word must be.
#[derive(Clone, Debug)]
pub(super) enum WordTest {
    /// This word, lower-cased.
    Is(Box<str>),
    /// A word that matches in lower case.
    Like(Pattern),
    /// A word that matches a wildcard of the query DSL in lower case.
    Glob(Glob),
}

impl Matcher {
    /// `field:literal` on a field of `field_type`.
    pub(super) fn equals(literal: &Literal, field_type: FieldType) -> Self {
        let text = match literal {
            Literal::Null => return Self::Never,
            Literal::Bool(true) => "true",
            Literal::Bool(false) => "false",
            Literal::Quoted(text) => text,
            Literal::Unquoted(pattern) => match pattern.as_exact() {
                Some(text) => text,
                None if pattern.is_any() => return Self::Present,
                None => return Self::like(pattern, field_type),
            },
        };
        match field_type {
            FieldType::Flattened => Self::Reads(text.into()),
            FieldType::Text if matches!(literal, Literal::Quoted(_)) => {
                Self::Phrase(Phrase::new(words::lowered(text)))
            }
            FieldType::Text => {
                let words = words::lowered(text).into_vec();
                Self::AnyWord(words.into_iter().map(WordTest::Is).collect())
            }
            FieldType::Number => match Number::parse(text) {
                Some(number) => Self::Number { text: text.into(), number },
                None => plain(text),
            },
            FieldType::Ip => Block::parse(text).map_or_else(|| plain(text), Self::Address),
            FieldType::Date => match DateExpression::parse(text) {
                Some(expression) => Self::Date { expression, side: Side::Within },
                None => plain(text),
            },
            FieldType::Keyword | FieldType::Boolean => plain(text),
        }
    }

    fn like(pattern: &Pattern, field_type: FieldType) -> Self {
        if field_type != FieldType::Text {
            return Self::Like(pattern.clone());
        }
        // Elastic splits such a query at white space and looks for any of its parts.
        let whole = pattern.pieces().join("*");
        let tests = whole.split_whitespace().flat_map(|part| {
            if !part.contains('*') {
                let words = words::lowered(part).into_vec();
                return words.into_iter().map(WordTest::Is).collect::<Vec<_>>();
            }
            let lowered: String = words::lower(part).collect();
            let pieces = lowered.split('*').map(str::to_owned).collect();
            vec![WordTest::Like(Pattern::from_pieces(pieces))]
        });
        Self::AnyWord(tests.collect())
    }

    /// `field operator literal` on a field of `field_type`.
    pub(super) fn range(operator: RangeOperator, literal: &Literal, field_type: FieldType) -> Self {
        let text: Box<str> = match literal {
            Literal::Null => return Self::Never,
            Literal::Bool(true) => "true".into(),
            Literal::Bool(false) => "false".into(),
            Literal::Quoted(text) => text.as_str().into(),
            Literal::Unquoted(pattern) => pattern.pieces().join("*").into(),
        };
        match field_type {
            FieldType::Flattened => Self::Compare { operator, text, number: None },
            FieldType::Number => Number::parse(&text)
                .map_or(Self::Never, |number| Self::CompareNumber { operator, number }),
            FieldType::Ip => Block::parse(&text)
                .map_or(Self::Never, |block| Self::CompareAddress { operator, block }),
            FieldType::Date => DateExpression::parse(&text).map_or(Self::Never, |expression| {
                Self::Date { expression, side: Side::Of(operator) }
            }),
            FieldType::Keyword | FieldType::Boolean | FieldType::Text => {
                let number = Number::parse(&text);
                Self::Compare { operator, text, number }
            }
        }
    }

    /// A wildcard of the query DSL on a field of `field_type`.
    pub(super) fn glob(glob: &Glob, field_type: FieldType) -> Self {
        match field_type {
            FieldType::Text => Self::AnyWord([WordTest::Glob(glob.clone())].into()),
            _ => Self::Glob(glob.clone()),
        }
    }

    /// Whether `leaf` (no array, no object) is what the clause asks for.
    pub(super) fn holds(&self, leaf: Value<'_>, moment: Moment<'_>) -> bool {
        match self {
            Self::Never => false,
            Self::Present => !matches!(leaf, Value::Null),
            Self::Equals { text, number } => equals(leaf, text, *number),
            Self::Reads(text) => Spelled::new().text(leaf) == Some(text),
            Self::Like(pattern) => {
                Spelled::new().text(leaf).is_some_and(|text| pattern.matches(text))
            }
            Self::Glob(glob) => Spelled::new().text(leaf).is_some_and(|text| glob.matches(text)),
            Self::Number { text, number } => {
                matches!(leaf, Value::Text(found) if *found == **text)
                    || number_in(leaf).is_some_and(|found| found.is(*number))
            }
            Self::Address(block) => address_in(leaf).is_some_and(|found| block.holds(found)),
            Self::Date { expression, side } => lies(leaf, expression, *side, moment.now),
            Self::AnyWord(tests) => any_word(leaf, tests, moment.arena),
            Self::Phrase(phrase) => {
                Spelled::new().text(leaf).is_some_and(|text| phrase.is_in(text))
            }
            Self::Compare { operator, text, number } => {
                compare(leaf, text, *number).is_some_and(|order| is_on(*operator, order))
            }
            Self::CompareNumber { operator, number } => number_in(leaf)
                .and_then(|found| found.compare(*number))
                .is_some_and(|order| is_on(*operator, order)),
            Self::CompareAddress { operator, block } => address_in(leaf).is_some_and(|found| {
                let bounds = (block.first, block.last);
                is_beyond(*operator, found, bounds)
            }),
        }
    }
}

fn plain(text: &str) -> Matcher {
    Matcher::Equals { text: text.into(), number: Number::parse(text) }
}

fn equals(leaf: Value<'_>, text: &str, number: Option<Number>) -> bool {
    match leaf {
        Value::Text(found) => found == text,
        Value::Bool(found) => text == if found { "true" } else { "false" },
        _ => match (Number::of(leaf), number) {
            (Some(found), Some(wanted)) => found.is(wanted),
            _ => false,
        },
    }
}

/// The number that a value is or spells.
fn number_in(leaf: Value<'_>) -> Option<Number> {
    match leaf {
        Value::Text(text) => Number::parse(text),
        _ => Number::of(leaf),
    }
}

fn address_in(leaf: Value<'_>) -> Option<u128> {
    match leaf {
        Value::Text(text) => address::address(text),
        _ => None,
    }
}

/// The millisecond that a value names: a text in ISO 8601, or a number since the epoch.
pub(super) fn instant_in(leaf: Value<'_>) -> Option<i64> {
    match leaf {
        Value::Text(text) => date::instant(text),
        Value::Int(millis) => Some(millis),
        Value::Float(millis) if millis.abs() < 1e15 => Some(millis.floor() as i64),
        _ => None,
    }
}

fn lies(leaf: Value<'_>, expression: &DateExpression, side: Side, now: Timestamp) -> bool {
    let (Some(found), Some(Interval { first, last })) =
        (instant_in(leaf), expression.interval(now))
    else {
        return false;
    };
    match side {
        Side::Within => first <= found && found <= last,
        Side::Of(operator) => is_beyond(operator, found, (first, last)),
    }
}

/// Whether `found` lies on the asked side of everything between two bounds.
fn is_beyond<T: Ord>(operator: RangeOperator, found: T, (first, last): (T, T)) -> bool {
    match operator {
        RangeOperator::Below => found < first,
        RangeOperator::AtMost => found <= last,
        RangeOperator::Above => found > last,
        RangeOperator::AtLeast => found >= first,
    }
}

fn is_on(operator: RangeOperator, order: Ordering) -> bool {
    match operator {
        RangeOperator::Below => order.is_lt(),
        RangeOperator::AtMost => order.is_le(),
        RangeOperator::Above => order.is_gt(),
        RangeOperator::AtLeast => order.is_ge(),
    }
}

/// How a value stands to a bound: numbers as numbers where the bound spells one (without `number`
/// the field is flattened and everything is text), the rest by its bytes.
fn compare(leaf: Value<'_>, text: &str, number: Option<Number>) -> Option<Ordering> {
    if let (Some(found), Some(bound)) = (Number::of(leaf), number) {
        return found.compare(bound);
    }
    let mut spelled = Spelled::new();
    spelled.text(leaf).map(|found| found.cmp(text))
}

fn any_word(leaf: Value<'_>, tests: &[WordTest], arena: &Arena) -> bool {
    let mut spelled = Spelled::new();
    let Some(text) = spelled.text(leaf) else { return false };
    words::words(text).any(|word| tests.iter().any(|test| is_word(word, test, arena)))
}

fn is_word(word: &str, test: &WordTest, arena: &Arena) -> bool {
    let lowered = || bumpalo::collections::String::from_iter_in(words::lower(word), arena);
    match test {
        WordTest::Is(wanted) => words::is_same(word, wanted),
        WordTest::Like(pattern) => pattern.matches(&lowered()),
        WordTest::Glob(glob) => glob.matches(&lowered()),
    }
}
