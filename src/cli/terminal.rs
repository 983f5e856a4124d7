//! What people read: colours where a terminal shows them, plain text anywhere else.

use std::io::{self, IsTerminal, Write};

use super::args::ColorChoice;

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

/// Writes `text` to standard output; a reader that went away (`| head`) is no error.
///
/// # Errors
/// Any other fault of standard output.
pub fn print(text: &str) -> io::Result<()> {
    ignore_closed(io::stdout().lock().write_all(text.as_bytes()))
}

/// Writes `text` to standard error, as well as it can.
pub fn print_error(text: &str) {
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
}
