//! The answer as people read it: a line per partition, then the gaps, then one sentence.

use std::fmt::Write as _;

use super::answer::Answer;
use crate::cli::terminal::{Color, Paint};
use crate::pipeline::ledger::document::text_of;
use crate::pipeline::ledger::ranges::{Range, Ranges};
use crate::pipeline::ledger::survey::{Cause, Coverage, Gap, Place};
use crate::text::escaped_within;

/// Most places of one gap that are named.
const PLACES_MAX: usize = 8;

const HEAD: [&str; 7] =
    ["partition", "offsets", "judged", "skipped", "again", "pending", "missing"];

/// The whole text.
pub(super) fn text(answer: &Answer, paint: Paint) -> String {
    let mut text = format!(
        "Coverage of group {} from {} to {}\n\n",
        escaped_within(&answer.group, 200),
        text_of(answer.since),
        text_of(answer.until)
    );
    let rows: Vec<[String; 7]> = answer.partitions.iter().map(row).collect();
    table(&mut text, &rows, paint);
    let mut gaps = 0;
    for (place, coverage) in &answer.partitions {
        for gap in &coverage.gaps {
            if gaps == 0 {
                text.push('\n');
            }
            gaps += 1;
            let line = format!("{}: {}", name(place), named(gap));
            let _ = writeln!(text, "{}", paint.paint(Color::Red, &line));
        }
    }
    if answer.unreadable > 0 {
        let line = format!("{} records of the ledger are no documents of it", answer.unreadable);
        let _ = writeln!(text, "\n{}", paint.paint(Color::Yellow, &line));
    }
    let _ = writeln!(text, "\n{}", sentence(answer, gaps, paint));
    text
}

fn sentence(answer: &Answer, gaps: usize, paint: Paint) -> String {
    let pending: u64 = answer.partitions.values().map(|it| it.pending.count()).sum();
    let ahead = match pending {
        0 => String::new(),
        pending => format!(" {pending} offsets are still ahead of a reader."),
    };
    match gaps {
        0 if answer.partitions.is_empty() => "Nothing is known of any partition.".to_owned(),
        0 => paint.paint(Color::Green, &format!("Every event was looked at.{ahead}")),
        gaps => {
            let with = answer.partitions.values().filter(|it| !it.gaps.is_empty()).count();
            let all = answer.partitions.len();
            let line = format!(
                "Not every event was looked at: {gaps} gaps, in {with} of {all} partitions.{ahead}"
            );
            paint.paint(Color::Red, &line)
        }
    }
}

fn row((place, coverage): (&Place, &Coverage)) -> [String; 7] {
    let skipped: u64 = coverage.skipped.values().sum();
    let missing: u64 = coverage.gaps.iter().map(|gap| gap.count).sum();
    [
        name(place),
        coverage.asked.map_or("none".to_owned(), shown),
        coverage.judged.to_string(),
        skipped.to_string(),
        coverage.again.to_string(),
        coverage.pending.count().to_string(),
        missing.to_string(),
    ]
}

fn name(place: &Place) -> String {
    format!("{}[{}]", escaped_within(&place.0, 249), place.1)
}

/// A run of offsets, its last one included.
fn shown(range: Range) -> String {
    match range.count() {
        1 => range.from.to_string(),
        _ => format!("{}-{}", range.from, range.to.saturating_sub(1)),
    }
}

/// What is missing, how much of it, where, and what that means.
fn named(gap: &Gap) -> String {
    let unit = match gap.cause {
        Cause::Unreadable | Cause::Oversize | Cause::Refused => "records",
        _ => "offsets",
    };
    let reason = match gap.reason.is_empty() {
        true => String::new(),
        false => format!(" ({})", escaped_within(&gap.reason, 100)),
    };
    let places = places(&gap.ranges);
    let (cause, count, meaning) = (gap.cause.name(), gap.count, meaning(gap.cause));
    format!("{cause}{reason}, {count} {unit}{places}: {meaning}")
}

fn places(ranges: &Ranges) -> String {
    if ranges.is_empty() {
        return String::new();
    }
    let some: Vec<String> = ranges.iter().take(PLACES_MAX).map(shown).collect();
    let more = ranges.runs().saturating_sub(PLACES_MAX);
    let more = if more > 0 { format!(" and {more} more places") } else { String::new() };
    format!(" at {}{more}", some.join(", "))
}

const fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::RetentionLoss => "gone from the topic before they were judged",
        Cause::Unreadable => "could not be judged; they are dead letters",
        Cause::Oversize => "too large to be judged, or to be alerted; they are dead letters",
        Cause::Refused => "their alert was refused; they are dead letters",
        Cause::NotAssigned => "nobody has read them",
        Cause::NotRecorded => {
            "finished by nobody who said so: a member that was killed, or offsets set by hand"
        }
        Cause::Recreated => "offsets of an older topic of the same name cannot be told apart",
    }
}

fn table(text: &mut String, rows: &[[String; 7]], paint: Paint) {
    let head = HEAD.map(str::to_owned);
    let mut widths = [0_usize; 7];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let _ = writeln!(text, "{}", paint.paint(Color::Bold, &line(&head, &widths)));
    for row in rows {
        let _ = writeln!(text, "{}", line(row, &widths));
    }
}

/// Names and offsets stand left, numbers right.
fn line(row: &[String; 7], widths: &[usize; 7]) -> String {
    let cells = row.iter().zip(widths).enumerate();
    let cells = cells.map(|(column, (cell, width))| match column {
        0 | 1 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
