//! Text that somebody else wrote, made fit to be shown.
//!
//! Everything in an event is under the influence of an attacker: display names, user agents, the
//! local part of an address. Before such a text reaches a terminal, a log line or any other line
//! for people, it goes through here, so that it can neither move the cursor, nor change colours,
//! nor break the line, nor turn the reading direction around. What an output encodes itself (JSON
//! in an alert) does not need it. Relies on nothing.

use std::fmt::{self, Write as _};

/// `text` with every control, line-breaking, direction-changing and invisible character spelled
/// out as an escape such as `\n` or `\u{202e}`.
///
/// ```
/// let shown = ouzel::text::escaped("evil\u{1b}[31m\u{202e}moc").to_string();
/// assert_eq!(shown, "evil\\u{1b}[31m\\u{202e}moc");
/// ```
#[must_use]
pub const fn escaped(text: &str) -> Escaped<'_> {
    Escaped { text, characters_max: usize::MAX }
}

/// As [`escaped`], of at most `characters_max` characters of `text`; `…` stands for the rest.
#[must_use]
pub const fn escaped_within(text: &str, characters_max: usize) -> Escaped<'_> {
    Escaped { text, characters_max }
}

/// `text` as [`escaped`], but for line ends, tabs and the escape sequences in `kept`: what a
/// whole page for people goes through last.
#[must_use]
pub fn escaped_page<'a>(text: &'a str, kept: &[&str]) -> std::borrow::Cow<'a, str> {
    if !text.chars().any(|symbol| !matches!(symbol, '\n' | '\t') && is_unfit(symbol)) {
        return text.into();
    }
    let mut page = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(symbol) = rest.chars().next() {
        let sequence = kept.iter().find(|sequence| rest.starts_with(**sequence));
        let (part, after) = rest.split_at(sequence.map_or(symbol.len_utf8(), |known| known.len()));
        if sequence.is_some() || matches!(symbol, '\n' | '\t') {
            page.push_str(part);
        } else {
            // Writing into a String cannot fail.
            let _ = write!(page, "{}", escaped(part));
        }
        rest = after;
    }
    page.into()
}

/// A text that is escaped where it is displayed.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    text: &'a str,
    characters_max: usize,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut symbols = self.text.chars();
        for symbol in symbols.by_ref().take(self.characters_max) {
            match symbol {
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                _ if is_unfit(symbol) => write!(out, "\\u{{{:x}}}", u32::from(symbol))?,
                _ => out.write_char(symbol)?,
            }
        }
        if symbols.next().is_some() { out.write_char('…') } else { Ok(()) }
    }
}

/// Whether `symbol` does something else than to be seen: controls (C0, DEL, C1), line and
/// paragraph separators, bidirectional marks, invisible characters and tags (Unicode, chapter 23).
#[must_use]
pub fn is_unfit(symbol: char) -> bool {
    symbol.is_control()
        || matches!(
            symbol,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::{escaped, escaped_page, escaped_within};

    fn check(text: &str, shown: &str) {
        assert_eq!(escaped(text).to_string(), shown, "{text:?}");
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        check("", "");
        check("homer@example.org", "homer@example.org");
        check("Zoë Ångström 山田 👩\u{200d}🔧", "Zoë Ångström 山田 👩\u{200d}🔧");
        check("C:\\path \"quoted\"", "C:\\path \"quoted\"");
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        check("a\nb\r\tc", "a\\nb\\r\\tc");
        check("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}");
        check("\u{9b}31m", "\\u{9b}31m");
        check("\u{7f}", "\\u{7f}");
        check("invoice\u{202e}fdp.exe", "invoice\\u{202e}fdp.exe");
        check("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}");
        check("a\u{2028}b\u{feff}\u{200b}", "a\\u{2028}b\\u{feff}\\u{200b}");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(escaped_within("abcdef", 3).to_string(), "abc…");
        assert_eq!(escaped_within("abc", 3).to_string(), "abc");
        assert_eq!(escaped_within("\n\n\n", 2).to_string(), "\\n\\n…");
    }

    #[test]
    fn a_page_keeps_its_lines_and_its_own_sequences() {
        let page = |text| escaped_page(text, &["\u{1b}[31m", "\u{1b}[0m"]).into_owned();
        assert_eq!(page("a\nb\n"), "a\nb\n");
        assert_eq!(page("\u{1b}[31mred\u{1b}[0m\n"), "\u{1b}[31mred\u{1b}[0m\n");
        assert_eq!(page("\u{1b}[32m\u{1b}]0;t\u{7}\r"), "\\u{1b}[32m\\u{1b}]0;t\\u{7}\\r");
        assert_eq!(page("é\u{202e}\t漢"), "é\\u{202e}\t漢");
    }
}
