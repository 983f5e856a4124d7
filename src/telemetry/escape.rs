//! Untrusted text, made safe to print: one line, no control, no ANSI, no bidirectional trick.
//!
//! Everything in an event is under an attacker's influence, and so is much of what a broker says.
//! Nothing is dropped in silence: what cannot be shown is shown as its code point, and a text that
//! is cut says how much was cut.

use std::fmt::Write as _;

/// Most characters of one value in a log line: enough for any name or fault, too few to flood.
pub const VALUE_CHARACTERS_MAX: usize = 512;

/// How a code point that cannot be shown is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// `\u{202e}`, and `\n`, `\r`, `\t`.
    Rust,
    /// `\u202e`, surrogate pairs above U+FFFF, and JSON's short forms.
    Json,
}

/// Appends `text` to `line`, escaped and cut after [`VALUE_CHARACTERS_MAX`] characters. Quotes and
/// backslashes are escaped as well, so what was written can be read back without doubt.
pub fn append(line: &mut String, text: &str, notation: Notation) {
    let cut = text.char_indices().nth(VALUE_CHARACTERS_MAX).map(|(index, _)| index);
    let (shown, rest) = text.split_at(cut.unwrap_or(text.len()));
    for character in shown.chars() {
        append_character(line, character, notation);
    }
    if !rest.is_empty() {
        // Writing into a String cannot fail.
        let _ = write!(line, "… ({} more bytes)", rest.len());
    }
}

fn append_character(line: &mut String, character: char, notation: Notation) {
    match character {
        '"' | '\\' => line.extend(['\\', character]),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        _ if !is_hidden(character) => line.push(character),
        _ => match notation {
            Notation::Rust => line.extend(character.escape_unicode()),
            Notation::Json => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        },
    }
}

/// Characters that act on a terminal or on the order of what stands around them, or that cannot
/// be seen at all.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}'                        // soft hyphen
            | '\u{61c}'                     // Arabic letter mark
            | '\u{180e}'                    // Mongolian vowel separator
            | '\u{200b}'..='\u{200f}'       // zero width, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202e}'       // line and paragraph separators, embeddings, overrides
            | '\u{2060}'..='\u{206f}'       // word joiner, invisible operators, isolates
            | '\u{feff}'                    // byte order mark
            | '\u{fff9}'..='\u{fffb}'       // interlinear annotations
            | '\u{e0000}'..='\u{e007f}'     // tags
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, rust: &str, json: &str) {
        let escaped = |notation| {
            let mut line = String::new();
            append(&mut line, text, notation);
            line
        };
        assert_eq!(escaped(Notation::Rust), rust, "{text:?}");
        assert_eq!(escaped(Notation::Json), json, "{text:?}");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        check("", "", "");
        check(
            "jürgen@example.com 漢字 😀",
            "jürgen@example.com 漢字 😀",
            "jürgen@example.com 漢字 😀",
        );
    }

    #[test]
    fn what_acts_on_a_terminal_is_shown_as_a_code_point() {
        check("a\nb\rc\td", r"a\nb\rc\td", r"a\nb\rc\td");
        check("\u{1b}[31mred", r"\u{1b}[31mred", r"\u001b[31mred");
        check("\0\u{7f}\u{9b}", r"\u{0}\u{7f}\u{9b}", r"\u0000\u007f\u009b");
    }

    #[test]
    fn what_hides_or_turns_text_is_shown_as_a_code_point() {
        check("user\u{202e}gnp.exe", r"user\u{202e}gnp.exe", r"user\u202egnp.exe");
        check("\u{2066}x\u{2069}", r"\u{2066}x\u{2069}", r"\u2066x\u2069");
        check("a\u{200b}b\u{2028}", r"a\u{200b}b\u{2028}", r"a\u200bb\u2028");
        check("\u{e0041}", r"\u{e0041}", r"\udb40\udc41");
    }

    #[test]
    fn quotes_and_backslashes_cannot_forge_an_end() {
        check(r#"" level=ERROR \"#, r#"\" level=ERROR \\"#, r#"\" level=ERROR \\"#);
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let long = "é".repeat(VALUE_CHARACTERS_MAX + 3);
        let cut = "é".repeat(VALUE_CHARACTERS_MAX) + "… (6 more bytes)";
        check(&long, &cut, &cut);
        let fits = "é".repeat(VALUE_CHARACTERS_MAX);
        check(&fits, &fits, &fits);
    }

    proptest::proptest! {
        #[test]
        fn json_reads_back_what_was_written(text in "\\PC{0,40}|.{0,40}") {
            let mut line = String::from("\"");
            append(&mut line, &text, Notation::Json);
            line.push('"');
            let back: String = serde_json::from_str(&line).expect("an escaped text is JSON");
            proptest::prop_assert_eq!(back, text);
        }

        #[test]
        fn nothing_hidden_is_left(text in proptest::collection::vec(proptest::char::any(), 0..40)) {
            for notation in [Notation::Rust, Notation::Json] {
                let mut line = String::new();
                append(&mut line, &text.iter().collect::<String>(), notation);
                proptest::prop_assert!(!line.chars().any(is_hidden), "{:?}", line);
            }
        }
    }
}
