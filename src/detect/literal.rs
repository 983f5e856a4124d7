//! Required literals: what a record must hold, as bytes, for a rule to be able to hit it.
//!
//! A literal is a run of printable ASCII without `"`, `\` and `/`: a character that can be written
//! in JSON either as itself or as `\u00hh`, and in no other way. It is taken from a text that a
//! clause asks for, where the field's values are copied from the payload as they stand. From a
//! conjunction the best operand's literals are taken, from a disjunction those of all operands,
//! from a negation none, because it holds where nothing is found.
//!
//! A text that could also spell a number gives none: the number may be written in another way
//! (`5`, `5.0`, `0.5e1`).

use std::ops::Deref;

use super::compile::{Clause, Program, StepKind};
use super::matcher::Matcher;
use super::number::can_spell_a_number;
use super::prefilter::NoLiteral;
use crate::event::{FieldPath, keys_of, may_be_derived};

/// A shorter literal stands in every other record.
const LITERAL_BYTES_MIN: usize = 3;

/// Behind this length, longer literals are not searched any faster or found any more rarely.
const LENGTH_THAT_COUNTS: usize = 24;

/// A run of bytes that a record must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    bytes: Box<[u8]>,
    /// Where the run is a whole value that stands behind one of few keys: those. Else none, and it
    /// may stand anywhere.
    pub(super) keys: &'static [&'static str],
}

impl Deref for Literal {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Literals of which a record must hold at least one, each unique.
pub(super) type Alternatives = Vec<Literal>;

/// The literals of which a record must hold at least one for `program` to hold for an event in it.
pub(super) fn required(program: &Program) -> Result<Alternatives, NoLiteral> {
    of_step(program, 0)
}

fn of_step(program: &Program, at: usize) -> Result<Alternatives, NoLiteral> {
    match program.steps.get(at).map(|step| step.kind) {
        Some(StepKind::And) => best(program.operands(at).map(|operand| of_step(program, operand))),
        Some(StepKind::Or) => {
            let mut all = Alternatives::new();
            for operand in program.operands(at) {
                all.extend(of_step(program, operand)?);
            }
            all.sort();
            all.dedup();
            Ok(all)
        }
        Some(StepKind::Not) => Err(NoLiteral::Negation),
        Some(StepKind::Nested(_)) => of_step(program, at + 1),
        Some(StepKind::Clause(clause)) => match program.clauses.get(clause) {
            Some(Clause::Path { name, matcher, .. }) => of_clause(name, matcher),
            _ => Err(NoLiteral::AnyField),
        },
        Some(StepKind::All) | None => Err(NoLiteral::AnyField),
    }
}

/// The operand whose literals are the rarest; the first operand's reason where none has any.
fn best(
    operands: impl Iterator<Item = Result<Alternatives, NoLiteral>>,
) -> Result<Alternatives, NoLiteral> {
    operands
        .reduce(|best, next| match (&best, &next) {
            (Ok(known), Ok(other)) if rarity(other) > rarity(known) => next,
            (Err(_), Ok(_)) => next,
            _ => best,
        })
        .unwrap_or(Err(NoLiteral::AnyField))
}

/// How rarely a record holds one of `alternatives`: the length of the shortest, less the more
/// there are.
fn rarity(alternatives: &Alternatives) -> (usize, std::cmp::Reverse<usize>) {
    let shortest = alternatives.iter().map(|literal| literal.len()).min().unwrap_or(0);
    (shortest.min(LENGTH_THAT_COUNTS), std::cmp::Reverse(alternatives.len()))
}

/// A literal that holds another one is never the only one found.
pub(super) fn without_covered(mut all: Alternatives) -> Alternatives {
    all.sort_by(|left, right| left.len().cmp(&right.len()).then_with(|| left.cmp(right)));
    let mut kept = Alternatives::new();
    for literal in all {
        let is_covered = |known: &[u8]| memchr::memmem::find(&literal, known).is_some();
        if !kept.iter().any(|known| is_covered(known)) {
            kept.push(literal);
        }
    }
    kept
}

fn of_clause(name: &FieldPath, matcher: &Matcher) -> Result<Alternatives, NoLiteral> {
    if let Some(reason) = has_no_text(matcher) {
        return Err(reason);
    }
    if may_be_derived(name) {
        return Err(NoLiteral::Derived);
    }
    let pieces: Vec<&str> = match matcher {
        Matcher::Equals { text, .. } => {
            let bytes = longest_run(std::iter::once(&**text))?;
            let is_whole = bytes.len() == text.len();
            return Ok(vec![Literal { bytes, keys: if is_whole { keys_of(name) } else { &[] } }]);
        }
        Matcher::Reads(text) => vec![text],
        Matcher::Like(pattern) => pattern.pieces().iter().map(String::as_str).collect(),
        // The other kinds have no text, as was seen above; patterns of the query DSL come here.
        Matcher::Glob(glob) => {
            let pieces = glob.as_pieces().ok_or(NoLiteral::ManySpellings)?;
            let bytes = longest_run(pieces.iter().map(String::as_str))?;
            return Ok(vec![Literal { bytes, keys: &[] }]);
        }
        _ => return Err(NoLiteral::ManySpellings),
    };
    longest_run(pieces.into_iter()).map(|bytes| vec![Literal { bytes, keys: &[] }])
}

fn has_no_text(matcher: &Matcher) -> Option<NoLiteral> {
    match matcher {
        Matcher::Present => Some(NoLiteral::Existence),
        Matcher::AnyWord(_) | Matcher::Phrase(_) => Some(NoLiteral::Words),
        Matcher::Equals { .. } | Matcher::Reads(_) | Matcher::Like(_) | Matcher::Glob(_) => None,
        Matcher::Never
        | Matcher::Number { .. }
        | Matcher::Address(_)
        | Matcher::Date { .. }
        | Matcher::Compare { .. }
        | Matcher::CompareNumber { .. }
        | Matcher::CompareAddress { .. } => Some(NoLiteral::ManySpellings),
    }
}

/// The longest run of literal bytes in the texts that a value must hold all of.
fn longest_run<'p>(pieces: impl Iterator<Item = &'p str> + Clone) -> Result<Box<[u8]>, NoLiteral> {
    let may_be_number = pieces.clone().flat_map(str::bytes).all(can_spell_a_number);
    if may_be_number {
        return Err(NoLiteral::ManySpellings);
    }
    // `true` and `false` are spelled in one way only, but a value may be the text as well.
    let runs = pieces.flat_map(|piece| piece.as_bytes().split(|byte| !is_literal_byte(*byte)));
    let longest = runs.max_by_key(|run| run.len()).unwrap_or_default();
    if longest.len() < LITERAL_BYTES_MIN {
        return Err(NoLiteral::NoText);
    }
    Ok(longest.into())
}

/// Whether JSON can write `byte` as itself or as `\u00hh`, and in no other way.
pub(super) const fn is_literal_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/')
}
