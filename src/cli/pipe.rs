//! `ouzel pipe`: one record a line in, one alert a line out.
//!
//! The same judge and the same worker as `run`, between a source and a sink of lines.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::{PipeArguments, Shared};
use super::exit::{Exit, Failure};
use super::terminal::{self, Paint};
use super::{configuration, exceptions, rules, version};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::config::settings::Guarantee;
use crate::disposition::Disposition;
use crate::pipeline::{
    DeadLetterForm, Ending, Step, Tally, Worker, WorkerOptions,
    setup::{self, JudgeOptions},
};
use crate::sink::lines::{Flush, LinesFault, LinesOutput, LinesSink};
use crate::source::lines::{LinesInput, LinesSource, Terminator};

/// Why the configuration of a stage with exactly-once is refused here.
const NO_TRANSACTIONS: &str = "delivery.guarantee is \"exactly-once\", which needs Kafka on both \
     sides: lines have no transactions; add --set delivery.guarantee=at-least-once";

/// Most records between two looks at the tally.
const RECORDS_PER_STEP: usize = 4096;

/// Judges the lines of the files, or of standard input.
///
/// # Errors
/// Configuration (3), rules (2), a file that cannot be read or written (4).
pub fn run(arguments: &PipeArguments, shared: &Shared) -> Result<Exit, Failure> {
    let mut settings = configuration::load_offline(shared)?.settings;
    if settings.delivery.guarantee == Guarantee::ExactlyOnce {
        return Err(Failure::new(Exit::Configuration, NO_TRANSACTIONS));
    }
    // The targets of the configuration are topics. Lines have none: what is over a limit stays
    // among the alerts, marked, and what an exception hides goes to a file or nowhere.
    settings.output.overflow = None;
    settings.output.audit = arguments.audit.as_ref().map(|path| path.display().to_string());
    let rules = rules::load(&settings, shared)?;
    let clock = Arc::new(SystemClock::default());
    let (inputs, flush) = inputs(&arguments.files)?;
    let (dead_letters, form) = dead_letters(&arguments.dead_letters)?;
    let audit = arguments.audit.as_deref().map(|path| to_file("hidden hits", path)).transpose()?;
    let options = JudgeOptions {
        exceptions: exceptions::load(&settings, &rules)?,
        dead_letters: form,
        build_version: version::VERSION.to_owned(),
        build_commit: version::COMMIT.to_owned(),
        ..JudgeOptions::default()
    };
    let judge = Arc::new(setup::judge(&settings, rules, options));
    let terminator = if arguments.null_data { Terminator::Nul } else { Terminator::Newline };
    let source = LinesSource::new(inputs, terminator, Arc::clone(&clock) as Arc<dyn Clock>);
    let alerts = LinesOutput::new("standard output", Box::new(io::stdout().lock()));
    let sink = LinesSink::new(alerts, dead_letters, flush).with_audit(audit);
    let mut worker = Worker::new(source, sink, judge, worker_options(&settings));
    let started = clock.monotonic();
    let mut totals = Totals::default();
    let ending = loop {
        worker.set_wall(clock.wall());
        let step = worker.step(clock.monotonic());
        totals.add(worker.tally());
        worker.tally().clear();
        if let Step::Ended(ending) = step {
            break ending;
        }
    };
    totals.bytes = worker.source().bytes_read();
    totals.took = clock.monotonic().saturating_sub(started);
    let closed = ended(&ending, worker.close().finish())?;
    if shared.quiet == 0 && closed == Output::Open {
        terminal::print_error(&totals.summary(), Paint::never());
    }
    let found = arguments.fail_on_alert && totals.alerts > 0;
    Ok(if found { Exit::Findings } else { Exit::Fine })
}

/// Whether anybody still reads what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Open,
    Closed,
}

/// What the end means. A reader that went away (`| head`) is no fault.
fn ended(ending: &Ending, written: Result<(), LinesFault>) -> Result<Output, Failure> {
    let unavailable = |what: String| Failure::new(Exit::Unavailable, what);
    match (written, ending) {
        (Err(fault), _) if fault.is_closed() => Ok(Output::Closed),
        (Err(fault), _) => Err(unavailable(fault.to_string())),
        (Ok(()), Ending::Failed(why)) => Err(unavailable(why.clone())),
        (Ok(()), Ending::Undelivered(outputs)) => {
            Err(unavailable(format!("{outputs} outputs could not be written")))
        }
        (Ok(()), Ending::Uncommitted) => Err(unavailable("nothing was committed".to_owned())),
        (Ok(()), Ending::Exhausted | Ending::Stopped) => Ok(Output::Open),
    }
}

/// What is read, and whether somebody may be waiting for each alert.
fn inputs(files: &[PathBuf]) -> Result<(Vec<LinesInput>, Flush), Failure> {
    if files.is_empty() {
        return Ok((vec![LinesInput::stdin()], stdin_flush()));
    }
    let mut inputs = Vec::with_capacity(files.len());
    let mut faults = Vec::new();
    let mut flush = Flush::WhenFull;
    for path in files {
        if path == Path::new("-") {
            inputs.push(LinesInput::stdin());
            flush = flush.or(stdin_flush());
            continue;
        }
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => {
                faults.push(format!("read {}: a folder; name its files", path.display()));
            }
            Ok(about) => flush = flush.or(flush_for(&about)),
            Err(fault) => faults.push(format!("read {}: {fault}", path.display())),
        }
        inputs.push(LinesInput::file(path));
    }
    if faults.is_empty() {
        Ok((inputs, flush))
    } else {
        Err(Failure::all(Exit::Unavailable, faults))
    }
}

fn flush_for(about: &fs::Metadata) -> Flush {
    if about.is_file() { Flush::WhenFull } else { Flush::EachPoll }
}

fn stdin_flush() -> Flush {
    use std::os::fd::AsFd;

    let about =
        io::stdin().as_fd().try_clone_to_owned().map(File::from).and_then(|it| it.metadata());
    about.as_ref().map_or(Flush::EachPoll, flush_for)
}

/// `--dead-letters`.
fn dead_letters(place: &str) -> Result<(Option<LinesOutput>, DeadLetterForm), Failure> {
    let output = match place {
        "discard" => return Ok((None, DeadLetterForm::Discarded)),
        "stderr" => LinesOutput::new("standard error", Box::new(io::stderr())),
        path => to_file("dead letters", Path::new(path))?,
    };
    Ok((Some(output), DeadLetterForm::Line))
}

/// A new file for `what`.
fn to_file(what: &str, path: &Path) -> Result<LinesOutput, Failure> {
    let name = path.display().to_string();
    let file = File::create(path).map_err(|fault| {
        Failure::new(Exit::Unavailable, format!("write {what} to {name}: {fault}"))
    })?;
    Ok(LinesOutput::new(&name, Box::new(file)))
}

fn worker_options(settings: &Settings) -> WorkerOptions {
    WorkerOptions {
        bounds: setup::bounds(&settings.delivery),
        records_max: RECORDS_PER_STEP,
        idle_wait: Duration::ZERO,
        busy_wait: Duration::ZERO,
    }
}

/// What the summary says.
#[derive(Debug, Default)]
struct Totals {
    records: u64,
    skipped: u64,
    decoded: u64,
    alerts: u64,
    over_limit: u64,
    excepted: u64,
    suppressed: u64,
    repeats: u64,
    dead_letters: u64,
    bytes: u64,
    took: Duration,
}

impl Totals {
    fn add(&mut self, tally: &Tally) {
        self.records += tally.topics.iter().map(|topic| topic.records()).sum::<u64>();
        self.skipped += tally.skipped.iter().sum::<u64>();
        self.decoded += tally.decoded.iter().sum::<u64>();
        self.alerts += tally.delivered.len() as u64;
        self.dead_letters += tally.dead_letters_all();
        for (_, disposition, hits) in tally.hits.iter() {
            match disposition {
                Disposition::OverLimit => self.over_limit += hits,
                Disposition::Excepted => self.excepted += hits,
                Disposition::Suppressed => self.suppressed += hits,
                Disposition::Repeated => self.repeats += hits,
                Disposition::Published => {}
            }
        }
    }

    fn summary(&self) -> String {
        let seconds = self.took.as_secs_f64().max(1e-6);
        let megabytes = self.bytes as f64 / 1e6;
        let mut counts = vec![
            count(self.records, "record", "records"),
            count(self.decoded, "event decoded", "events decoded"),
            count(self.alerts, "alert", "alerts"),
        ];
        if self.over_limit > 0 {
            counts.push(format!("{} of them over a limit", self.over_limit));
        }
        if self.excepted > 0 {
            counts.push(format!("{} hidden by exceptions", self.excepted));
        }
        if self.suppressed > 0 {
            counts.push(format!("{} suppressed", self.suppressed));
        }
        if self.repeats > 0 {
            counts.push(count(self.repeats, "repeat left out", "repeats left out"));
        }
        counts.push(count(self.dead_letters, "dead letter", "dead letters"));
        if self.skipped > 0 {
            counts.push(format!("{} skipped", self.skipped));
        }
        format!(
            "{}; {megabytes:.1} MB in {seconds:.2} s ({:.0} MB/s)\n",
            counts.join(", "),
            megabytes / seconds
        )
    }
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_in_words() {
        let mut totals = Totals {
            records: 1,
            decoded: 1,
            alerts: 2,
            bytes: 3_000_000,
            took: Duration::from_millis(1500),
            ..Totals::default()
        };
        assert_eq!(
            totals.summary(),
            "1 record, 1 event decoded, 2 alerts, 0 dead letters; 3.0 MB in 1.50 s (2 MB/s)\n"
        );
        totals = Totals { over_limit: 1, repeats: 2, skipped: 3, ..totals };
        assert!(totals.summary().contains("1 of them over a limit, 2 repeats left out, "));
        assert!(totals.summary().contains("0 dead letters, 3 skipped; "));
    }

    #[test]
    fn a_closed_output_is_no_fault() {
        let failed = Ending::Failed("read x: no".to_owned());
        assert!(matches!(ended(&Ending::Exhausted, Ok(())), Ok(Output::Open)));
        let failure = ended(&failed, Ok(())).expect_err("the source broke");
        assert_eq!(failure.exit(), Exit::Unavailable);
        assert!(failure.to_string().contains("read x: no"));
    }
}
