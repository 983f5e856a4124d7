//! The texts that the mapping itself gives to fields, each kept once, in a cell.
//!
//! ```text
//! cell:  "okta.system"              (32 bytes, the rest blank)
//!         └ the text is this piece of it
//! ```
//!
//! As with [`super::names`], whoever writes one copies its cell in one piece. A text is a text like
//! any other: nobody needs to know where it stands.

/// A text with its quotes, ready to be copied.
pub(crate) type Cell = [u8; 32];

const CELL_BYTES: usize = size_of::<Cell>();

const COUNT: usize = 31;

/// Constants, outcomes, then categories and types, which share a few.
const LIST: [&str; COUNT] = [
    "8.11.0",
    "default",
    "event",
    "logs",
    "okta",
    "okta.system",
    "failure",
    "success",
    "unknown",
    "authentication",
    "configuration",
    "host",
    "iam",
    "session",
    "threat",
    "access",
    "admin",
    "change",
    "connection",
    "creation",
    "deletion",
    "denied",
    "end",
    "group",
    "indicator",
    "info",
    "network",
    "protocol",
    "start",
    "user",
    "alert",
];

/// Cells next to each other, none across two lines of the cache.
#[repr(align(64))]
struct Cells([Cell; COUNT]);

static CELLS: Cells = Cells(cells());

/// The texts, as pieces of their cells.
static TEXTS: [&str; COUNT] = texts();

/// The text in its cell, where it is one of those; else as it is. For tables that are made when the
/// program is compiled.
pub(super) const fn own(text: &'static str) -> &'static str {
    let mut texts: &[&'static str] = &TEXTS;
    while let [known, rest @ ..] = texts {
        if super::names::is_same(known.as_bytes(), text.as_bytes()) {
            return known;
        }
        texts = rest;
    }
    text
}

/// The cell of a text that stands in one.
#[inline]
pub(crate) fn cell(text: &str) -> Option<&'static Cell> {
    let place = text.as_ptr().addr().wrapping_sub(CELLS.0.as_ptr().addr());
    let cell = CELLS.0.get(place / CELL_BYTES)?;
    let is_whole = place % CELL_BYTES == 1 && cell.get(1 + text.len()) == Some(&b'"');
    is_whole.then_some(cell)
}

const fn cells() -> [Cell; COUNT] {
    let mut cells = [[b' '; CELL_BYTES]; COUNT];
    let (mut left, mut texts): (&mut [Cell], &[&str]) = (&mut cells, &LIST);
    while let ([[begin, cell @ ..], more @ ..], [text, rest @ ..]) = (left, texts) {
        let (inside, behind) = cell.split_at_mut(text.len());
        *begin = b'"';
        inside.copy_from_slice(text.as_bytes());
        if let [end, ..] = behind {
            *end = b'"';
        }
        (left, texts) = (more, rest);
    }
    cells
}

const fn texts() -> [&'static str; COUNT] {
    let mut texts = LIST;
    let (mut left, mut cells): (&mut [&'static str], &'static [Cell]) = (&mut texts, &CELLS.0);
    while let ([text, more @ ..], [[_, cell @ ..], rest @ ..]) = (left, cells) {
        if let Ok(own) = str::from_utf8(cell.split_at(text.len()).0) {
            *text = own;
        }
        (left, cells) = (more, rest);
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_stands_in_its_cell() {
        for text in LIST {
            let own = own(text);
            assert_eq!(own, text);
            let cell = str::from_utf8(cell(own).expect("a text in its cell")).expect("ASCII");
            assert_eq!(cell.trim_end(), format!("\"{text}\""));
        }
    }

    #[test]
    fn what_is_no_whole_text_of_the_list_has_no_cell() {
        for text in LIST {
            let inside = own(text);
            assert_eq!(cell(&inside[1..]), None);
            assert_eq!(cell(&inside[..inside.len() - 1]), None);
            assert_eq!(cell(&String::from(text)), None);
        }
        assert_eq!(own("another"), "another");
        assert_eq!(cell("another"), None);
        assert_eq!(cell(""), None);
    }
}
