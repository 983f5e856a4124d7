//! Wildcards as Elastic's query DSL has them, for the `filters` of rule files.
//!
//! KQL itself has no `?` and no spelling for "whatever the letter case", so a [`Glob`] never comes
//! from a query's text. Case is folded for ASCII letters only, as Elasticsearch does. Matching
//! remembers the last star only, so it takes at most the value's length times the pattern's.

use crate::limits;

/// Whether the letter case counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterCase {
    /// `a` and `A` are two letters.
    Sensitive,
    /// ASCII letters are equal in both cases.
    Insensitive,
}

/// A wildcard pattern: `*` is any run of characters, `?` exactly one, `\` escapes the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob {
    text: String,
    symbols: Vec<Symbol>,
    case: LetterCase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Symbol {
    /// `*`; never two in a row.
    Run,
    /// `?`
    One,
    /// A character that stands for itself.
    Plain(char),
}

impl Glob {
    /// The pattern that `text` spells.
    ///
    /// # Errors
    /// The number of stars, where there are more than [`limits::WILDCARDS_PER_VALUE_MAX`].
    pub fn parse(text: &str, case: LetterCase) -> Result<Self, usize> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(found) = rest.next() {
            let symbol = match found {
                '*' if symbols.last() == Some(&Symbol::Run) => continue,
                '*' => Symbol::Run,
                '?' => Symbol::One,
                // A backslash at the end stands for itself.
                '\\' => Symbol::Plain(rest.next().unwrap_or('\\')),
                plain => Symbol::Plain(plain),
            };
            symbols.push(symbol);
        }
        let stars = symbols.iter().filter(|symbol| **symbol == Symbol::Run).count();
        if stars > limits::WILDCARDS_PER_VALUE_MAX {
            return Err(stars);
        }
        Ok(Self { text: text.to_owned(), symbols, case })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the letter case counts.
    #[must_use]
    pub const fn case(&self) -> LetterCase {
        self.case
    }

    /// The pieces between the stars, where KQL could say the same: case counts and no `?`.
    #[must_use]
    pub fn as_pieces(&self) -> Option<Vec<String>> {
        if self.case == LetterCase::Insensitive {
            return None;
        }
        let mut pieces = vec![String::new()];
        for symbol in &self.symbols {
            match symbol {
                Symbol::Run => pieces.push(String::new()),
                Symbol::One => return None,
                Symbol::Plain(plain) => pieces.last_mut()?.push(*plain),
            }
        }
        Some(pieces)
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        // Where the last star stands, and what it has not swallowed yet.
        let mut retry = None;
        loop {
            let symbol = self.symbols.get(at).copied();
            if symbol == Some(Symbol::Run) {
                at += 1;
                retry = Some((at, rest.clone()));
                continue;
            }
            let is_step = match (symbol, rest.next()) {
                (None, None) => return true,
                (Some(symbol), Some(found)) => self.is_equal(symbol, found),
                (None, Some(_)) => false,
                // Nothing is left for this symbol; a longer star leaves even less.
                (Some(_), None) => return false,
            };
            if is_step {
                at += 1;
                continue;
            }
            let Some((behind_star, mut unswallowed)) = retry.take() else { return false };
            if unswallowed.next().is_none() {
                return false;
            }
            at = behind_star;
            rest = unswallowed.clone();
            retry = Some((behind_star, unswallowed));
        }
    }

    fn is_equal(&self, symbol: Symbol, found: char) -> bool {
        match (symbol, self.case) {
            (Symbol::Plain(plain), LetterCase::Sensitive) => plain == found,
            (Symbol::Plain(plain), LetterCase::Insensitive) => plain.eq_ignore_ascii_case(&found),
            (Symbol::One | Symbol::Run, _) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, sensitive: bool, insensitive: bool) {
        let glob = |case| Glob::parse(pattern, case).expect("few stars");
        assert_eq!(glob(LetterCase::Sensitive).matches(text), sensitive, "{pattern} on {text}");
        assert_eq!(glob(LetterCase::Insensitive).matches(text), insensitive, "{pattern} on {text}");
    }

    #[test]
    fn stars_question_marks_and_escapes() {
        check("", "", true, true);
        check("", "a", false, false);
        check("*", "", true, true);
        check("*", "a\nb", true, true);
        check("?", "", false, false);
        check("?", "ü", true, true);
        check("a*c", "abc", true, true);
        check("a*c", "ABC", false, true);
        check("a**c", "ac", true, true);
        check("a*c", "acb", false, false);
        check("*ab*ab", "abab", true, true);
        check("*ab*ab", "xabyabzab", true, true);
        check("*aab", "aaab", true, true);
        check("a\\*b", "a*b", true, true);
        check("a\\*b", "axb", false, false);
        check("a\\", "a\\", true, true);
        check("?:\\\\Temp\\\\*", "C:\\temp\\x", false, true);
        check("ä", "Ä", false, false);
    }

    #[test]
    fn what_kql_can_say_has_pieces() {
        let pieces = |text| Glob::parse(text, LetterCase::Sensitive).expect("few").as_pieces();
        assert_eq!(pieces("a*b"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(pieces("a?b"), None);
        assert_eq!(Glob::parse("a", LetterCase::Insensitive).expect("few").as_pieces(), None);
    }

    #[test]
    fn too_many_stars_are_refused() {
        let stars = |count: usize| Glob::parse(&"a*".repeat(count), LetterCase::Sensitive);
        assert!(stars(limits::WILDCARDS_PER_VALUE_MAX).is_ok());
        assert_eq!(stars(100), Err(100));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_naive_matcher(pattern in "[ab*?]{0,8}", text in "[abAB]{0,10}") {
            fn naive(pattern: &[char], text: &[char]) -> bool {
                match pattern {
                    [] => text.is_empty(),
                    ['*', rest @ ..] => (0..=text.len()).any(|at| naive(rest, &text[at..])),
                    ['?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
                    [plain, rest @ ..] => text.first() == Some(plain) && naive(rest, &text[1..]),
                }
            }
            let glob = Glob::parse(&pattern, LetterCase::Sensitive).expect("few stars");
            let symbols: Vec<char> = pattern.chars().collect();
            let letters: Vec<char> = text.chars().collect();
            proptest::prop_assert_eq!(glob.matches(&text), naive(&symbols, &letters));
            let glob = Glob::parse(&pattern, LetterCase::Insensitive).expect("few stars");
            let letters: Vec<char> = text.to_lowercase().chars().collect();
            proptest::prop_assert_eq!(glob.matches(&text), naive(&symbols, &letters));
        }
    }
}
