//! `ouzel test`: the cases beside the rules, each through the real detector.
//!
//! Prints what did not come out as expected, as a difference with its explanation, then a table;
//! `--junit` writes the same as JUnit XML. Rules without cases are warned of.

use std::fmt::Write as _;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::args::{Shared, TestArguments};
use super::cases::{self, Checked, Suite};
use super::exit::{Exit, Failure};
use super::terminal::{self, Color, Paint};
use super::{configuration, exceptions, rules};

/// Runs the cases.
///
/// # Errors
/// Wrong configuration (3), wrong rules or cases (2), a report that cannot be written (4).
pub fn run(arguments: &TestArguments, shared: &Shared) -> Result<Exit, Failure> {
    let settings = configuration::load_offline(shared)?.settings;
    let (set, files) = match (rules::load(&settings, shared), rules::cases(&settings, shared)) {
        (Ok(set), Ok(files)) => (set, files),
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => return Err(failure),
        (Err(left), Err(right)) => return Err(left.and(right)),
    };
    let exceptions = exceptions::load(&settings, &set)?;
    let suites = cases::run(&settings, &set, &exceptions, &files)?;
    if let Some(path) = &arguments.junit {
        write_junit(path, &suites, arguments.strict.into())?;
    }
    let paint = Paint::stdout(shared.color);
    let mut text = String::new();
    for suite in &suites {
        for checked in &suite.checked {
            text.push_str(&shown(checked, shared.verbose, paint));
        }
    }
    text.push_str(&table(&suites, paint));
    let unwritten = |fault| Failure::new(Exit::Unavailable, format!("write the result: {fault}"));
    terminal::print(&text, paint).map_err(unwritten)?;
    let skipped = set.skipped().len();
    if skipped > 0 && shared.quiet == 0 {
        let skipped = counted(skipped, "rule");
        let note = format!("note: {skipped} skipped; `ouzel check` says why\n");
        terminal::print_error(&note, Paint::never());
    }
    let is_silent = shared.quiet > 0 && !arguments.strict;
    for suite in suites.iter().filter(|suite| suite.checked.is_empty() && !is_silent) {
        let kind = if arguments.strict { "error" } else { "warning" };
        let (origin, name) = (&suite.rule.origin, &suite.rule.name);
        let line = format!("{kind}: {origin}: the rule \"{name}\" has no cases\n");
        terminal::print_error(&line, Paint::never());
    }
    let has_failures = suites.iter().any(|suite| is_failed(suite, arguments.strict.into()));
    Ok(if has_failures { Exit::Findings } else { Exit::Fine })
}

/// What a rule without cases is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caseless {
    Allowed,
    Failure,
}

impl From<bool> for Caseless {
    fn from(strict: bool) -> Self {
        if strict { Self::Failure } else { Self::Allowed }
    }
}

fn is_failed(suite: &Suite<'_>, caseless: Caseless) -> bool {
    suite.failures() > 0 || (suite.checked.is_empty() && caseless == Caseless::Failure)
}

/// A failed case as a difference; a passed one only where more was asked for.
fn shown(checked: &Checked<'_>, verbose: u8, paint: Paint) -> String {
    let case = checked.case;
    let place = paint.paint(Color::Faint, &format!("{}:{}", checked.origin, case.line));
    let Some(failure) = &checked.failure else {
        if verbose == 0 {
            return String::new();
        }
        return format!("{} {place} {}\n", paint.paint(Color::Green, "✓"), case.name);
    };
    let mut text = format!("{} {place} {}\n", paint.paint(Color::Red, "✗"), case.name);
    let _ = writeln!(text, "    why  {}", case.why.trim());
    let expected = format!("  - expected  {}", failure.expected);
    let found = format!("  + found     {}", failure.found);
    let _ = writeln!(text, "  {}", paint.paint(Color::Green, &expected));
    let _ = writeln!(text, "  {}", paint.paint(Color::Red, &found));
    for line in failure.explanation.lines() {
        let _ = writeln!(text, "      {}", marked(line, paint));
    }
    text.push('\n');
    text
}

/// A line of an explanation, its mark in colour.
#[must_use]
pub fn marked(line: &str, paint: Paint) -> String {
    let indent = line.len() - line.trim_start().len();
    let (space, rest) = line.split_at(indent);
    for (mark, color) in [("✓", Color::Green), ("✗", Color::Red)] {
        if let Some(rest) = rest.strip_prefix(mark) {
            return format!("{space}{}{rest}", paint.paint(color, mark));
        }
    }
    line.to_owned()
}

/// One line a rule, then the sum.
fn table(suites: &[Suite<'_>], paint: Paint) -> String {
    let width = |suite: &Suite<'_>| suite.rule.name.chars().count();
    let width = suites.iter().map(width).max().unwrap_or_default().max("rule".len());
    let mut text = paint.paint(Color::Bold, &format!("{:width$}  cases  failed", "rule"));
    text.push('\n');
    for suite in suites {
        let row = format!(
            "{:width$}  {:5}  {:6}",
            suite.rule.name,
            suite.checked.len(),
            suite.failures()
        );
        let row = match (suite.failures(), suite.checked.len()) {
            (0, 0) => paint.paint(Color::Yellow, &row),
            (0, _) => row,
            _ => paint.paint(Color::Red, &row),
        };
        let _ = writeln!(text, "{row}");
    }
    let cases: usize = suites.iter().map(|suite| suite.checked.len()).sum();
    let failed: usize = suites.iter().map(Suite::failures).sum();
    let sum = match failed {
        0 => paint.paint(Color::Green, "all as expected"),
        _ => paint.paint(Color::Red, &format!("{failed} failed")),
    };
    let _ = writeln!(text, "{}, {}: {sum}", counted(suites.len(), "rule"), counted(cases, "case"));
    text
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn write_junit(path: &Path, suites: &[Suite<'_>], caseless: Caseless) -> Result<(), Failure> {
    let unwritten = |fault: String| {
        Failure::new(Exit::Unavailable, format!("write {}: {fault}", path.display()))
    };
    let report =
        junit(suites, caseless).to_string().map_err(|fault| unwritten(fault.to_string()))?;
    std::fs::write(path, report).map_err(|fault| unwritten(fault.to_string()))
}

fn junit(suites: &[Suite<'_>], caseless: Caseless) -> Report {
    let mut report = Report::new("ouzel rule cases");
    for suite in suites {
        let mut out = TestSuite::new(suite.rule.name.as_str());
        out.extra.insert("id".into(), suite.rule.id.as_str().into());
        out.add_test_cases(suite.checked.iter().map(junit_case));
        if suite.checked.is_empty() && caseless == Caseless::Failure {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message("the rule has no cases");
            let mut case = TestCase::new("has cases", status);
            case.set_classname(suite.rule.origin.as_str());
            out.add_test_case(case);
        }
        report.add_test_suite(out);
    }
    report
}

fn junit_case(checked: &Checked<'_>) -> TestCase {
    let status = match &checked.failure {
        None => TestCaseStatus::success(),
        Some(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let (expected, found) = (&failure.expected, &failure.found);
            status.set_message(format!("expected {expected}, found {found}"));
            let why = checked.case.why.trim();
            status.set_description(format!("why: {why}\n{}", failure.explanation));
            status
        }
    };
    let mut case = TestCase::new(checked.case.name.as_str(), status);
    case.set_classname(checked.origin);
    case
}
