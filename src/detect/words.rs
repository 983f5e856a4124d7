//! Analysed text: words on Unicode's boundaries, whatever their letter case.
//!
//! Elastic's standard analyser splits a text field into words and lower-cases them; a query on it
//! looks for words, not for the text. Words are compared letter by letter as they are cut out of
//! the value, so nothing is allocated.

use unicode_segmentation::UnicodeSegmentation as _;

/// The words of a query's text, lower-cased.
pub(super) fn lowered(text: &str) -> Box<[Box<str>]> {
    text.unicode_words().map(|word| lower(word).collect::<String>().into()).collect()
}

/// The words of a value, as they stand.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.unicode_words()
}

/// Whether `word` in lower case is `lowered`.
pub(super) fn is_same(word: &str, lowered: &str) -> bool {
    if word.is_ascii() {
        return word.len() == lowered.len()
            && word.bytes().zip(lowered.bytes()).all(|(a, b)| a.to_ascii_lowercase() == b);
    }
    lower(word).eq(lowered.chars())
}

/// Letter by letter, as Elastic's filter does: a capital sigma becomes the same letter everywhere.
pub(super) fn lower(word: &str) -> impl Iterator<Item = char> + '_ {
    word.chars().flat_map(char::to_lowercase)
}

/// Words that must follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    words: Box<[Box<str>]>,
    /// For each number of words matched: how many of them still match when the next one does not
    /// (the failure function of Knuth, Morris and Pratt), so that a value is read only once.
    borders: Box<[usize]>,
}

impl Phrase {
    pub(super) fn new(words: Box<[Box<str>]>) -> Self {
        let mut borders: Vec<usize> = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            let mut border = if at == 0 { 0 } else { borders.get(at - 1).copied().unwrap_or(0) };
            while border > 0 && words.get(border) != Some(word) {
                border = borders.get(border - 1).copied().unwrap_or(0);
            }
            let grows = at > 0 && words.get(border) == Some(word);
            borders.push(if grows { border + 1 } else { border });
        }
        Self { words, borders: borders.into() }
    }

    /// Whether `text` holds the words one behind the other. No words are nowhere.
    pub(super) fn is_in(&self, text: &str) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let mut matched = 0;
        for word in words(text) {
            let fits = |at: usize| self.words.get(at).is_some_and(|wanted| is_same(word, wanted));
            while matched > 0 && !fits(matched) {
                matched = self.borders.get(matched - 1).copied().unwrap_or(0);
            }
            if fits(matched) {
                matched += 1;
            }
            if matched == self.words.len() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Phrase, is_same, lowered, words};

    fn check(phrase: &str, text: &str, wanted: bool) {
        assert_eq!(Phrase::new(lowered(phrase)).is_in(text), wanted, "{phrase:?} in {text:?}");
    }

    #[test]
    fn a_phrase_is_its_words_in_sequence_whatever_their_case() {
        check("failed login", "A FAILED login, again", true);
        check("failed login", "login failed", false);
        check("failed login", "failed a login", false);
        check("a a b", "a a a b", true);
        check("script_block", "the script_block text", true);
        check("can't", "He CAN'T", true);
        check("ÄRGER", "großer ärger", true);
        check("--", "a -- b", false);
        check("", "a", false);
    }

    #[test]
    fn words_are_cut_on_unicode_boundaries() {
        let cut = |text: &'static str| words(text).collect::<Vec<_>>();
        assert_eq!(
            cut("Quick (\"brown\") fox can't 32.3 feet!"),
            ["Quick", "brown", "fox", "can't", "32.3", "feet"]
        );
        assert_eq!(cut("山田"), ["山", "田"]);
        assert!(is_same("STRASSE", "strasse"));
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_trying_every_place_finds(
            phrase in proptest::collection::vec("[abA]", 1..5),
            text in proptest::collection::vec("[abB]", 0..14),
        ) {
            let wanted: Vec<String> = phrase.iter().map(|word| word.to_lowercase()).collect();
            let found: Vec<String> = text.iter().map(|word| word.to_lowercase()).collect();
            let naive = found.windows(wanted.len()).any(|part| part == wanted);
            let phrase = Phrase::new(lowered(&phrase.join(" ")));
            prop_assert_eq!(phrase.is_in(&text.join("-")), naive);
        }
    }
}
