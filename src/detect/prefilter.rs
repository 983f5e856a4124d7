//! Required literals → byte scan; may only over-approximate.
//!
//! # The contract
//!
//! Every rule of the set has literals of which a record must hold at least one for the rule to hit
//! (see `literal`). A record is a *candidate* when
//!
//! 1. the bytes of some literal stand in the payload, or
//! 2. the payload holds `\u00hh`, in any letter case of `hh`, for a byte of some literal, for `\`,
//!    for `u` or for a hexadecimal digit.
//!
//! A record that is no candidate can hit no rule. One rule without literals makes every record a
//! candidate. Up to a few literals, the kernel's one pass answers this and looks at the envelope
//! on the way. With more, that pass looks for the keys that they stand behind instead, where each of
//! them is the whole value of a field with few keys (`event.action`): then the bytes of the keys, `"`
//! and `.` are under 2 as well, and a record is a candidate by 1 only where one of the values stands
//! behind a key. With others, one search for all literals and one for escapes do.
//!
//! # Why that is enough
//!
//! Call the payload T₀; where an event stands as a JSON string inside another document, call the
//! unescaped string T₁, and so on. The text that holds the literal L as a value is written in the
//! innermost Tₖ. A character of L is printable ASCII and none of `"`, `\`, `/`, so JSON writes it
//! as itself or as `\u00hh`. So Tₖ holds L, or an escape `\u00hh` of a character of L.
//!
//! Whatever Tⱼ holds of the two, Tⱼ₋₁ holds one of the two as well:
//!
//! * L itself: as above.
//! * the six characters `\u00hh`: the string is escaped once more. `u` and the digits stand as
//!   themselves, or as an escape, which is one of those under 2. The backslash stands as `\\`,
//!   then the bytes `\u00hh` still follow each other; or as `\u005c`, which is one of those
//!   under 2 itself.
//!
//! So T₀, the payload, holds L or one of the escapes under 2, whatever the number of levels. ∎
//!
//! Real producers escape quotes, backslashes, `<`, `>`, `&`, `'` and characters beyond ASCII, none
//! of which is under 2: the rule costs no candidates in practice, while "any backslash" would make
//! most records candidates.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, packed};
use memchr::memmem::Finder;

use super::compile::Program;
use super::kernel::{Found, Kernel, Look, NEEDLES_MAX};
use super::literal::{self, Alternatives};

/// Why a rule has no literal that every record which it can hit must hold. A set with such a rule
/// decodes every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoLiteral {
    /// The query, or one of its alternatives, holds where something is absent.
    #[error("it can hold where something is absent (`not`, `null`)")]
    Negation,
    /// The query, or one of its alternatives, asks only that a field is there.
    #[error("it asks only that a field exists")]
    Existence,
    /// A range, a number, an address, a time or a case-insensitive wildcard: the bytes of the
    /// value can be written in many ways.
    #[error(
        "it compares a value that can be written in many ways (a range, number, address, date)"
    )]
    ManySpellings,
    /// The query searches words, whatever their letter case.
    #[error("it searches words of an analysed text, whatever their letter case")]
    Words,
    /// The field's values are made while decoding; the payload need not hold them.
    #[error("it asks for a field whose value is derived and need not stand in the payload")]
    Derived,
    /// The value has no run of plain ASCII text.
    #[error("its value has no piece of at least three plain ASCII characters")]
    NoText,
    /// The query, or one of its alternatives, matches everything or is not bound to one field.
    #[error("it is not bound to one field")]
    AnyField,
}

/// Tells records that may hit from records that cannot.
#[derive(Debug)]
pub(super) struct Prefilter {
    search: Search,
    /// Finds the start of every escape of a character below 256.
    escape: Finder<'static>,
    /// The bytes whose escapes make a candidate, as a set of 256 bits.
    escapes: [u64; 4],
}

#[derive(Debug)]
enum Search {
    /// Some rule has no literal.
    Everything,
    /// Few literals or keys, or no rule at all: one pass for everything.
    Kernel(Kernel),
    /// One pass for all, with vector instructions.
    Packed(packed::Searcher),
    /// One pass for all, byte by byte.
    Automaton(AhoCorasick),
}

impl Prefilter {
    /// A prefilter for a set of rules, by what each of them requires.
    pub(super) fn new<'r>(
        rules: impl Iterator<Item = Result<&'r Alternatives, NoLiteral>>,
    ) -> Self {
        let mut all = Alternatives::new();
        for literals in rules {
            match literals {
                Ok(literals) => all.extend(literals.iter().cloned()),
                Err(_) => return Self::with(Search::Everything, [0; 4]),
            }
        }
        let few = literal::without_covered(all.clone());
        if few.len() > NEEDLES_MAX
            && let Some(keyed) = Self::by_keys(&all)
        {
            return keyed;
        }
        let escapes = escapes(few.iter().map(|literal| &**literal));
        Self::with(search(&few, escapes), escapes)
    }

    /// A prefilter that looks for keys and the values behind them, where there are few of both keys
    /// and literals that stand behind none.
    fn by_keys(all: &Alternatives) -> Option<Self> {
        let (keyed, others): (Alternatives, Alternatives) =
            all.iter().cloned().partition(|literal| !literal.keys.is_empty());
        let others = literal::without_covered(others);
        let keys: BTreeSet<&[u8]> =
            keyed.iter().flat_map(|literal| literal.keys).map(|key| key.as_bytes()).collect();
        let keys: Vec<&[u8]> = keys.into_iter().collect();
        let values: Vec<&[u8]> = keyed.iter().map(|literal| &**literal).collect();
        let others: Vec<&[u8]> = others.iter().map(|literal| &**literal).collect();
        let texts = values.iter().chain(&others).chain(&keys).copied();
        let escapes = escapes(texts.chain([b"\".".as_slice()]));
        let kernel = Kernel::with_keys(&others, &keys, &values, |byte| holds(&escapes, byte))?;
        Some(Self::with(Search::Kernel(kernel), escapes))
    }

    fn with(search: Search, escapes: [u64; 4]) -> Self {
        Self { search, escape: Finder::new(b"\\u00"), escapes }
    }

    /// What `program` requires of a record.
    pub(super) fn required(program: &Program) -> Result<Alternatives, NoLiteral> {
        literal::required(program)
    }

    /// Whether `payload` may hold an event that some rule hits; unless it is a candidate, that it
    /// hits no rule is proved. Where `look` asks for the envelope, `Clean` also says that the
    /// kernel found it whole, and `Suspect` that nobody knows.
    pub(super) fn look(&self, payload: &[u8], look: Look) -> Found {
        let is_found = match &self.search {
            Search::Everything => true,
            Search::Kernel(kernel) => return kernel.scan(payload, look),
            Search::Packed(searcher) => searcher.find(payload).is_some(),
            Search::Automaton(automaton) => automaton.is_match(payload),
        };
        if is_found || self.hides_a_literal(payload) { Found::Candidate } else { Found::Suspect }
    }

    fn hides_a_literal(&self, payload: &[u8]) -> bool {
        self.escape.find_iter(payload).any(|at| {
            let digits = payload.get(at + 4..at + 6).and_then(|digits| digits.first_chunk::<2>());
            digits.and_then(|digits| decoded(*digits)).is_some_and(|byte| self.is_escape(byte))
        })
    }

    fn is_escape(&self, byte: u8) -> bool {
        holds(&self.escapes, byte)
    }
}

/// The bytes whose escapes could hide one of `texts`.
fn escapes<'t>(texts: impl Iterator<Item = &'t [u8]>) -> [u64; 4] {
    set(texts.flatten().copied().chain(*b"\\u0123456789abcdefABCDEF"))
}

fn search(all: &Alternatives, escapes: [u64; 4]) -> Search {
    let literals: Vec<&[u8]> = all.iter().map(|literal| &**literal).collect();
    if let Some(kernel) = Kernel::new(&literals, |byte| holds(&escapes, byte)) {
        return Search::Kernel(kernel);
    }
    if let Some(searcher) = packed::Searcher::new(&literals) {
        return Search::Packed(searcher);
    }
    match AhoCorasick::new(&literals) {
        Ok(automaton) => Search::Automaton(automaton),
        // More literals than an automaton has states for: decoding every record is right as well.
        Err(_) => Search::Everything,
    }
}

fn holds(set: &[u64; 4], byte: u8) -> bool {
    let word = set.get(usize::from(byte >> 6)).copied().unwrap_or(0);
    word >> (byte & 63) & 1 == 1
}

fn set(bytes: impl Iterator<Item = u8>) -> [u64; 4] {
    bytes.fold([0; 4], |mut set, byte| {
        if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
        set
    })
}

/// The byte that two hexadecimal digits spell.
fn decoded(digits: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let [high, low] = digits;
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
#[path = "prefilter_tests.rs"]
mod tests;
