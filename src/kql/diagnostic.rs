//! Faults of a query: where, what, and what to do.

use std::fmt::Write as _;

use super::ast::Span;

/// One fault of a query's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where the fault stands, in bytes of the query's text.
    pub span: Span,
    /// What was found.
    pub message: String,
    /// What is allowed, and what to do.
    pub hint: Option<String>,
}

/// A place for people: line and column, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// The place of the byte `at` in `text`; past the end: the end.
#[must_use]
pub fn place(text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// Most characters of a query's line that a fault shows: a line may have some 64 KiB.
const SHOWN_CHARACTERS_MAX: usize = 160;

/// The part of a line that is shown: all of a line that people write, of longer ones what stands
/// around the fault.
struct Shown {
    text: String,
    /// Where the fault stands in it, in characters from 0.
    column: usize,
}

impl Shown {
    fn of(line: &str, column: usize) -> Self {
        let count = line.chars().count();
        if count <= SHOWN_CHARACTERS_MAX {
            return Self { text: line.to_owned(), column };
        }
        let first = column.saturating_sub(SHOWN_CHARACTERS_MAX / 2);
        let end = (first + SHOWN_CHARACTERS_MAX).min(count);
        let (before, behind) =
            (if first > 0 { "…" } else { "" }, if end < count { "…" } else { "" });
        let part: String = line.chars().skip(first).take(SHOWN_CHARACTERS_MAX).collect();
        Self {
            text: format!("{before}{part}{behind}"),
            column: column - first + before.chars().count(),
        }
    }
}

impl Diagnostic {
    /// The fault as people read it: message, the line it stands on with the span underlined, hint.
    /// `line_offset` is added to line numbers: how many lines of a file stand before the query.
    ///
    /// ```
    /// let faults = ouzel::kql::parse("a:not x").unwrap_err();
    /// let text = faults[0].render("a:not x", 0);
    /// assert!(text.contains("1 | a:not x\n  |   ^"));
    /// ```
    #[must_use]
    pub fn render(&self, text: &str, line_offset: usize) -> String {
        let place = place(text, self.span.start);
        let line = text.lines().nth(place.line - 1).unwrap_or_default();
        let number = (place.line + line_offset).to_string();
        let margin = " ".repeat(number.len());
        let marked = text.get(self.span.start..self.span.end).unwrap_or_default();
        let length = marked.lines().next().map_or(0, |first| first.chars().count()).max(1);
        let shown = Shown::of(line, place.column - 1);
        // Tabs are kept in front of the marks, so that both lines stand alike.
        let indent: String = shown
            .text
            .chars()
            .take(shown.column)
            .map(|symbol| if symbol == '\t' { '\t' } else { ' ' })
            .collect();
        let marks = "^".repeat(length.min(SHOWN_CHARACTERS_MAX));
        let mut out = format!("{} (line {number}, column {})\n", self.message, place.column);
        let _ = writeln!(out, "{margin} |");
        let _ = writeln!(out, "{number} | {}", shown.text);
        let _ = writeln!(out, "{margin} | {indent}{marks}");
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "{margin} = hint: {hint}");
        }
        out.truncate(out.trim_end().len());
        out
    }
}
