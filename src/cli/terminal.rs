//! What people read: colours where a terminal shows them, plain text anywhere else.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use super::args::ColorChoice;
use crate::text;

/// The sequences that [`Paint`] writes: all that a page may tell a terminal. Anything else that
/// would act on one comes from a rule, an event, a file's name or a broker.
const SEQUENCES: [&str; 6] =
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// Paints text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    enabled: Enabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enabled {
    Yes,
    No,
}

/// The colours in use, as SGR parameters (ECMA-48).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Bold.
    Bold,
    /// Faint.
    Faint,
    /// Red, for what failed.
    Red,
    /// Green, for what holds.
    Green,
    /// Yellow, for warnings.
    Yellow,
}

impl Color {
    const fn parameter(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Faint => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
        }
    }
}

impl Paint {
    /// For standard output.
    #[must_use]
    pub fn stdout(choice: ColorChoice) -> Self {
        Self::decide(choice, || io::stdout().is_terminal() && !no_color())
    }

    /// For standard error.
    #[must_use]
    pub fn stderr(choice: ColorChoice) -> Self {
        Self::decide(choice, || io::stderr().is_terminal() && !no_color())
    }

    /// Never paints.
    #[must_use]
    pub const fn never() -> Self {
        Self { enabled: Enabled::No }
    }

    /// Whether anything is painted.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.enabled == Enabled::Yes
    }

    fn decide(choice: ColorChoice, is_shown: impl FnOnce() -> bool) -> Self {
        let yes = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_shown(),
        };
        Self { enabled: if yes { Enabled::Yes } else { Enabled::No } }
    }

    /// What is written of `page`: what this paints stays, any other sequence is spelled out.
    fn page(self, page: &str) -> Cow<'_, str> {
        let kept: &[&str] = if self.is_on() { &SEQUENCES } else { &[] };
        text::escaped_page(page, kept)
    }

    /// `text` in `color`.
    #[must_use]
    pub fn paint(self, color: Color, text: &str) -> String {
        match self.enabled {
            Enabled::Yes => format!("\u{1b}[{}m{text}\u{1b}[0m", color.parameter()),
            Enabled::No => text.to_owned(),
        }
    }
}

/// `NO_COLOR` counts when it is set to anything but the empty text (no-color.org).
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Writes `page`, made for people and painted with `paint`, to standard output; what would act on
/// the terminal otherwise is spelled out. A reader that went away (`| head`) is no error.
///
/// # Errors
/// Any other fault of standard output.
pub fn print(page: &str, paint: Paint) -> io::Result<()> {
    ignore_closed(io::stdout().lock().write_all(paint.page(page).as_bytes()))
}

/// Writes `json` to standard output: what would act on the terminal is spelled out as JSON does.
/// (All of it stands in texts: JSON has no such character outside of them but white space.)
///
/// # Errors
/// As [`print()`].
pub fn print_json(json: &str) -> io::Result<()> {
    ignore_closed(io::stdout().lock().write_all(spelled_as_json(json).as_bytes()))
}

fn spelled_as_json(json: &str) -> String {
    let mut spelled = String::with_capacity(json.len());
    for symbol in json.chars() {
        if symbol.is_ascii_whitespace() || !text::is_unfit(symbol) {
            spelled.push(symbol);
            continue;
        }
        for unit in symbol.encode_utf16(&mut [0; 2]) {
            // Writing into a String cannot fail.
            let _ = write!(spelled, "\\u{unit:04x}");
        }
    }
    spelled
}

/// Writes `page`, made for people and painted with `paint`, to standard error, as well as it can;
/// as [`print()`].
pub fn print_error(page: &str, paint: Paint) {
    draw(&paint.page(page));
}

/// Writes to standard error what moves the cursor: text of this program's own, with nobody's values.
pub fn draw(text: &str) {
    // There is nowhere left to report a broken standard error to.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Turns "the reader went away" into success.
///
/// # Errors
/// Any other fault.
pub fn ignore_closed(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_outweighs_the_terminal() {
        let on = |choice, shown| Paint::decide(choice, || shown).is_on();
        assert!(on(ColorChoice::Always, false));
        assert!(!on(ColorChoice::Never, true));
        assert!(on(ColorChoice::Auto, true));
        assert!(!on(ColorChoice::Auto, false));
        assert_eq!(Paint::never().paint(Color::Red, "x"), "x");
    }

    #[test]
    fn pages_may_hold_what_paint_writes_and_nothing_else() {
        let paint = Paint { enabled: Enabled::Yes };
        let colors = [Color::Bold, Color::Faint, Color::Red, Color::Green, Color::Yellow];
        for color in colors {
            let painted = paint.paint(color, "x");
            assert_eq!(paint.page(&painted), painted);
            assert_ne!(Paint::never().page(&painted), painted);
        }
        assert_eq!(paint.page("\u{1b}[2J"), "\\u{1b}[2J");
    }

    #[test]
    fn json_stays_json_with_the_same_meaning() {
        let json = "{\n \"a\": \"\u{202e}\u{9b}\u{e0041}é\"}\n";
        let spelled = spelled_as_json(json);
        assert!(spelled.contains("\\u202e\\u009b\\udb40\\udc41é"), "{spelled}");
        let value = |text| serde_json::from_str::<serde_json::Value>(text).expect("it is JSON");
        assert_eq!(value(&spelled), value(json));
    }
}
