//! The cases of the suite, and the table of what they saw.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::broker::Broker;

/// What a test is: it gets the broker, and says what it saw or what went wrong.
pub type Test = fn(&Broker) -> Result<String, String>;

/// Whether a test always runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always.
    Short,
    /// Where everything is asked for.
    Long,
}

/// One test.
#[derive(Clone, Copy)]
pub struct Case {
    /// The row of the table of faults; empty for what belongs to none.
    pub row: &'static str,
    pub name: &'static str,
    pub length: Length,
    test: Test,
}

impl Case {
    /// One that always runs.
    pub const fn short(row: &'static str, name: &'static str, test: Test) -> Self {
        Self { row, name, length: Length::Short, test }
    }

    /// One that takes long.
    pub const fn long(row: &'static str, name: &'static str, test: Test) -> Self {
        Self { row, name, length: Length::Long, test }
    }
}

/// What ran so far.
#[derive(Default)]
pub struct Table {
    lines: Mutex<Vec<Line>>,
}

#[derive(Clone)]
struct Line {
    case: Case,
    took: Duration,
    /// `None`: it failed.
    seen: Option<String>,
}

impl Table {
    /// Runs a case and notes what it saw.
    pub fn run(&self, case: &Case, broker: &Broker) -> Result<(), String> {
        let (started, started_at) = (Instant::now(), SystemTime::now());
        let outcome = (case.test)(broker);
        let (took, seen) = (started.elapsed(), outcome.as_ref().ok().cloned());
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(Line { case: *case, took, seen });
        if let Err(fault) = &outcome {
            // Now, and not only when everything has run.
            println!("\n{}: {fault}", case.name);
            for tail in broker.logs_since(started_at) {
                println!("{tail}");
            }
        }
        outcome.map(drop)
    }

    /// The table; each line has the command that runs the case again.
    pub fn text(&self, seed: u64) -> String {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let row = |row: &str| row.parse::<u32>().unwrap_or_default();
        lines.sort_by_key(|line| row(line.case.row));
        let mut text = format!(
            "seed {seed}; one case again: OUZEL_FAULTS=1 OUZEL_FAULT_SEED={seed} cargo test --test kafka CASE\n\
             | row | case | took | seen |\n|---|---|---|---|\n"
        );
        for Line { case, took, seen } in &lines {
            let seen = seen.as_deref().unwrap_or("FAILED");
            writeln!(
                text,
                "| {} | {} | {:.0} s | {seen} |",
                case.row,
                case.name,
                took.as_secs_f64()
            )
            .expect("writing into memory cannot fail");
        }
        text
    }
}
